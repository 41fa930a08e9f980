"""Random expressions and function bodies of the language, by type: E is a tree that knows its shape, so that a failing one can be made
smaller by putting parts in the place of wholes."""
import math

LEAVES = [1, 1, 2, 2, 3, 3, 4, 5, 7]


class E:
    """`form` has {0}, {1}, ... where the parts stand. kind: f (numbers), i (indices below `below`), b (truth values)."""
    __slots__ = ("form", "kids", "shape", "kind")

    def __init__(self, form, shape, kids=(), kind="f"):
        self.form, self.kids, self.shape, self.kind = form, tuple(kids), tuple(shape), kind

    def text(self):
        return self.form.format(*(k.text() for k in self.kids))

    def size(self):
        return 1 + sum(k.size() for k in self.kids)

    def walk(self):
        yield self
        for k in self.kids:
            yield from k.walk()


def number(rng):
    return rng.choice(["0.5", "2", "1", "0.1", "3", "-1.5", "0.25", "-2", "1e-2", "30%", "pi"])


def literal(shape):
    return "[" + ", ".join(map(str, shape)) + "]"


class Grower:
    """Grows expressions over `names` ({name: (shape, kind)}). grads: how deep `grad` may nest; most: elements of what is
    differentiated for; functions: definitions of the program, (name, shapes of its parameters, shape of its result)."""
    def __init__(self, rng, names, grads=1, most=12, functions=(), elements=4096):
        self.rng, self.names, self.grads, self.most, self.functions, self.elements = rng, dict(names), grads, most, functions, elements

    def shapes(self):
        return [s for s, k in self.names.values() if k == "f"]

    def grow(self, shape, depth):
        """Numbers of a shape."""
        rng, shape = self.rng, tuple(shape)
        if depth <= 0 or rng.random() < 0.06:
            return self.leaf(shape)
        if 0 in shape:
            return rng.choice([self.unary, self.binary, self.choice, self.product, self.none])(shape, depth) or self.leaf(shape)
        if rng.random() < 0.04:
            return self.beside_nothing(shape, depth)
        ways = [self.unary, self.unary, self.binary, self.binary, self.binary, self.choice, self.reduced, self.moved]
        if shape:
            ways += [self.product, self.indexed, self.library, self.along, self.joined, self.each]
        if self.grads > 0:
            ways += [self.gradient]
        if self.functions:
            ways += [self.called]
        return rng.choice(ways)(shape, depth) or self.binary(shape, depth)

    def none(self, shape, depth):
        """No elements of what has some."""
        n = self.rng.choice([1, 2, 3])
        whole = tuple(n if s == 0 else s for s in shape)
        if math.prod(whole) > self.elements:
            return None
        at = self.rng.randint(0, n)
        part = ", ".join(self.rng.choice([f"{at}..{at}", f"{at}..+0"]) if s == 0 else f"0..{s}" for s in shape)
        return E(f"{{0}}[{part}]", shape, [self.grow(whole, depth - 1)])

    def beside_nothing(self, shape, depth):
        """Numbers of a shape, and what is made of no elements."""
        rng = self.rng
        if shape and rng.random() < 0.5:
            k = rng.randrange(len(shape))
            empty = shape[:k] + (0,) + shape[k + 1:]
            parts = [self.grow(shape, depth - 1), self.grow(empty, depth - 1)]
            if len(shape) > 1 and rng.random() < 0.3:
                left, right = shape[:-1] + (0,), (0, shape[-1])
                return E("({0} + {1} @ {2})", shape, [parts[0], self.grow(left, depth - 1), self.grow(right, depth - 1)])
            rng.shuffle(parts)
            return E(f"concat({{0}}, {{1}}, axis: {self.axis(k, shape)})", shape, parts)
        empty = rng.choice([(0,), (2, 0), (0, 3)])
        form = rng.choice(["({0} + sum({1}))", "({0} * prod({1}))", "({0} + norm({1}))", "({0} + exp(logsumexp(flat({1}))))",
                           "({0} + sum(each e in {1} : sum(e) + 1))", "({0} + sum(softmax({1})))", "(if any({1} > 0) then 2 else {0})"])
        return E(form, shape, [self.grow(shape, depth - 1), self.grow(empty, depth - 1)])

    def leaf(self, shape):
        rng = self.rng
        same = [n for n, (s, k) in self.names.items() if s == shape and k == "f"]
        if same and rng.random() < 0.85:
            return E(rng.choice(same), shape)
        fits = [n for n, (s, k) in self.names.items() if k == "f" and stretches(s, shape)]
        if shape == ():
            return E(number(rng), ())
        if fits and rng.random() < 0.8:
            n = rng.choice(fits)
            return E(f"({{0}} + {rng.choice(['zeros', 'ones'])}({literal(shape)}))", shape, [E(n, self.names[n][0])])
        big = [n for n, (s, k) in self.names.items() if k == "f" and math.prod(s) == math.prod(shape)]
        if big and rng.random() < 0.8:
            n = rng.choice(big)
            return E(f"reshape({{0}}, {literal(shape)})", shape, [E(n, self.names[n][0])])
        if len(shape) == 1 and shape[0] <= 5 and rng.random() < 0.5:
            return E("[" + ", ".join(number(rng) for _ in range(shape[0])) + "]", shape)
        if len(shape) == 1 and rng.random() < 0.3:
            return E(f"arange({shape[0]})", shape)
        return E(f"{rng.choice(['zeros', 'ones'])}({literal(shape)})", shape)

    def unary(self, shape, depth):
        rng = self.rng
        x = self.grow(shape, depth - 1)
        form = rng.choice(["exp(-abs({0}))", "tanh({0})", "sigmoid({0})", "{0}^2", "{0}^3", "-({0})", "abs({0})", "log(abs({0}) + 0.5)",
                           "sqrt({0}^2 + 0.25)", "sin({0})", "cos({0})", "erf({0})", "log1p(abs({0}))", "expm1(min({0}, 1))", "relu({0})",
                           "sign({0})", "floor({0})", "round({0})", "clamp({0}, -1, 1)", "erfinv(0.9 * tanh({0}))", "softplus({0})",
                           "gelu({0})", "silu({0})", "elu({0})", "leaky_relu({0}, slope: 20%)", "selu({0})", "mish({0})", "stop({0})",
                           "1 / ({0}^2 + 1)", "abs({0})^1.5", "2^tanh({0})", "(abs({0}) + 0.3)^-0.5", "max({0}, 0.1)", "min(0.2, {0})",
                           "({0} |> tanh |> abs)", "exp(clamp({0}, -3, 50%))", "{0}^0", "sqrt(abs({0}))", "log({0}^2 + 1e-1)"])
        return E(wrap(form), shape, [x])

    def binary(self, shape, depth):
        rng = self.rng
        a, b = self.pair(shape)
        form = rng.choice(["({0} + {1})", "({0} - {1})", "({0} * {1})", "({0} * {1})", "({0} / (abs({1}) + 0.5))", "max({0}, {1})",
                           "min({0}, {1})", "(abs({0}) + 0.5)^tanh({1})", "({0} - 0.5 * {1})", "({0} / ({1}^2 + 2))"])
        return E(wrap(form), shape, [self.grow(a, depth - 1), self.grow(b, depth - 1)])

    def pair(self, shape):
        """Two shapes that stretch to `shape`."""
        rng = self.rng
        narrow = tuple(1 if rng.random() < 0.3 else n for n in shape)[rng.randint(0, len(shape)) if rng.random() < 0.5 else 0:]
        pair = [shape, narrow]
        rng.shuffle(pair)
        return pair

    def condition(self, shape, depth):
        rng = self.rng
        a, b = self.pair(shape)
        form = rng.choice(["({0} < {1})", "({0} >= {1})", "({0} > 0.1 * {1})", "({0} != {1})", "({0} > 0 and {1} < 1)", "({0} > 0 or {1} > 0)",
                           "(not {0} > {1})"])
        return E(form, shape, [self.grow(a, depth - 1), self.grow(b, depth - 1)], "b")

    def choice(self, shape, depth):
        rng = self.rng
        if rng.random() < 0.25:
            return E("(1 * {0})", shape, [self.condition(shape, depth - 1)]) if rng.random() < 0.5 else \
                E("(if training then {0} else {1})", shape, [self.grow(shape, depth - 1) for _ in range(2)])
        a, b = self.pair(shape)
        c = rng.choice([shape, shape, ()])
        return E("(if {0} then {1} else {2})", shape, [self.condition(c, depth - 1), self.grow(a, depth - 1), self.grow(b, depth - 1)])

    def reduced(self, shape, depth):
        rng = self.rng
        name = rng.choice(["sum", "mean", "max", "min", "norm", "sum", "mean"])
        if shape == () and rng.random() < 0.15:
            rows, width = rng.choice(LEAVES[2:]), rng.choice([(), (2,), (3,)])
            form = rng.choice(["sum({0})", "sum(sum(sort({0}, axis: 0), axis: 0))", "sum(cumsum({0}, axis: 0))", "norm({0})", "max({0})", "mean({0})"])
            form = form.format(f"({{0}})[where {{1}} or arange({rows}) < 1]")  # at least one
            return E(form, (), [self.grow((rows, *width), depth - 1), self.condition((rows,), depth - 1)])
        if shape == () and rng.random() < 0.5:
            inner = self.any_shape()
            keep = ""
            return E(f"{name}({{0}}{keep})", (), [self.grow(inner, depth - 1)])
        if any(n == 1 for n in shape) and rng.random() < 0.5:
            axis = rng.choice([k for k, n in enumerate(shape) if n == 1])
            inner = shape[:axis] + (rng.choice(LEAVES),) + shape[axis + 1:]
            return E(f"{name}({{0}}, axis: {self.axis(axis, inner)}, keep: true)", shape, [self.grow(inner, depth - 1)])
        if len(shape) >= 4:
            return None
        axes = sorted(rng.sample(range(len(shape) + 1), 1))
        if len(shape) < 3 and rng.random() < 0.2:
            axes = sorted(rng.sample(range(len(shape) + 2), 2))
        inner = list(shape)
        for k in axes:
            inner.insert(k, rng.choice(LEAVES))
        if math.prod(inner) > self.elements:
            return None
        axis = self.axis(axes[0], inner) if len(axes) == 1 else literal(axes)
        if name == "norm":
            return E(f"norm({{0}} + 2, axis: {axis})", shape, [self.grow(inner, depth - 1)])
        return E(f"{name}({{0}}, axis: {axis})", shape, [self.grow(inner, depth - 1)])

    def axis(self, k, shape):
        return k if self.rng.random() < 0.6 else k - len(shape)

    def any_shape(self):
        rng = self.rng
        shapes = self.shapes()
        if shapes and rng.random() < 0.75:
            return rng.choice(shapes)
        return tuple(rng.choice(LEAVES) for _ in range(rng.choice([0, 1, 1, 2, 2, 3])))

    def moved(self, shape, depth):
        """The same elements elsewhere."""
        rng = self.rng
        if rng.random() < 0.5:
            fits = [s for s in self.shapes() if math.prod(s) == math.prod(shape) and s != shape]
            inner = rng.choice(fits) if fits else self.other_shape(math.prod(shape))
            if len(shape) == 1 and rng.random() < 0.3:
                return E("flat({0})", shape, [self.grow(inner, depth - 1)])
            return E(f"reshape({{0}}, {literal(shape)})", shape, [self.grow(inner, depth - 1)]) if shape else None
        if len(shape) < 2:
            return None
        if rng.random() < 0.6:
            return E("transpose({0})", shape, [self.grow(shape[:-2] + (shape[-1], shape[-2]), depth - 1)])
        perm = rng.sample(range(len(shape)), len(shape))
        inner = [0] * len(shape)
        for k, p in enumerate(perm):
            inner[p] = shape[k]
        return E(f"transpose({{0}}, {literal(perm)})", shape, [self.grow(inner, depth - 1)])

    def other_shape(self, n):
        sizes = []
        while n > 1 and len(sizes) < 3:
            d = self.rng.choice([d for d in range(1, n + 1) if n % d == 0])
            sizes.append(d)
            n //= d
        return tuple(sizes) + ((n,) if n > 1 or not sizes else ())

    def product(self, shape, depth):
        rng = self.rng
        inner = rng.choice(LEAVES)
        if len(shape) == 1:
            if rng.random() < 0.5:
                return E("({0} @ {1})", shape, [self.grow((inner,), depth - 1), self.grow((inner, shape[0]), depth - 1)])
            return E("({0} @ {1})", shape, [self.grow((shape[0], inner), depth - 1), self.grow((inner,), depth - 1)])
        left = shape[:-1] + (inner,)
        right = (shape[:-2] if rng.random() < 0.4 else ()) + (inner, shape[-1])
        if math.prod(left) > self.elements or math.prod(right) > self.elements:
            return None
        return E("({0} @ {1})", shape, [self.grow(left, depth - 1), self.grow(right, depth - 1)])

    def indexed(self, shape, depth):
        rng = self.rng
        axis = rng.randrange(len(shape) + 1)
        inner = list(shape)
        if axis == len(shape) or len(shape) < 3 and rng.random() < 0.5:
            axis = min(axis, len(shape))
            n = rng.choice(LEAVES)
            at = rng.randrange(n)
            inner.insert(axis, n)
            form = ", ".join(["0.." + str(s) for s in shape[:axis]] + [str(at if rng.random() < 0.6 else at - n)])
            if axis == len(shape) and rng.random() < 0.5:
                form = f".., {at}"
        else:
            more, before = rng.choice([0, 1, 2]), rng.choice([0, 0, 1, 2])
            n = shape[axis] + more + before
            inner[axis] = n
            low = str(before) if before or rng.random() < 0.5 else ""
            high = "" if not more and rng.random() < 0.6 else str(-more) if more and rng.random() < 0.5 else str(n - more)
            form = ", ".join(["0.." + str(s) for s in shape[:axis]] + [f"{low}..{high}"])
            if axis == len(shape) - 1 and (low or high) and rng.random() < 0.5:
                form = f".., {low}..{high}"
        if math.prod(inner) > self.elements:
            return None
        return E(f"({{0}})[{form}]", shape, [self.grow(inner, depth - 1)])

    def library(self, shape, depth):
        rng, x = self.rng, self.grow(shape, depth - 1)
        if shape[-1] < 2:
            return None
        return E(rng.choice(["softmax({0})", "log_softmax({0})", "sort({0})", "cumsum({0})", "({0} - mean({0}, axis: -1, keep: true))",
                             "(({0}) * logsumexp({0})[..])" if len(shape) == 9 else "softmax(2 * ({0}))"]), shape, [x])

    def along(self, shape, depth):
        """By index: rows, elements, classes."""
        rng = self.rng
        labels = [(n, s, int(k[1:])) for n, (s, k) in self.names.items() if k[0] == "i"]
        way = rng.randrange(4)
        if way == 0 and shape[-1] >= 2:
            return E("take_along({0}, argsort({1}))", shape, [self.grow(shape, depth - 1), self.grow(shape, depth - 1)])
        if way == 1 and shape[0] >= 1:
            return E("gather({0}, argsort({1}))", shape, [self.grow(shape, depth - 1), self.grow(shape[:1], depth - 1)])
        if way == 2:
            fit = [n for n, s, below in labels if s == shape[:-1] and below <= shape[-1]]
            if fit:
                return E(f"(one_hot({rng.choice(fit)}, {shape[-1]}) * {{0}})", shape, [self.grow(shape, depth - 1)])
        fit = [(n, below) for n, s, below in labels if s == shape[:len(s)] and s]
        if fit:
            n, below = rng.choice(fit)
            return E(f"gather({{0}}, {n})", shape, [self.grow((below, *shape[len(self.names[n][0]):]), depth - 1)])
        return None

    def joined(self, shape, depth):
        rng = self.rng
        axis = rng.randrange(len(shape))
        if shape[axis] < 2:
            if axis == 0 and rng.random() < 0.7:
                return E("[{0}]", shape, [self.grow(shape[1:], depth - 1)])
            return None
        if axis == 0 and shape[0] <= 3 and rng.random() < 0.5:
            return E("[" + ", ".join(f"{{{k}}}" for k in range(shape[0])) + "]", shape,
                     [self.grow(shape[1:], depth - 1) for _ in range(shape[0])])
        cut = rng.randrange(1, shape[axis])
        a, b = (shape[:axis] + (n,) + shape[axis + 1:] for n in (cut, shape[axis] - cut))
        return E(f"concat({{0}}, {{1}}, axis: {self.axis(axis, shape)})", shape, [self.grow(a, depth - 1), self.grow(b, depth - 1)])

    def each(self, shape, depth):
        rng, n = self.rng, shape[0]
        element = f"x{depth}"
        if element in self.names:
            return None
        if rng.random() < 0.25:
            return E(f"(each i in 0 .. {n} : {{0}} * (0.5 * i + 1))", shape, [self.grow(shape[1:], depth - 1)])
        fits = [(name, s) for name, (s, k) in self.names.items() if k == "f" and s and s[0] == n]
        name, whole = rng.choice(fits) if fits and rng.random() < 0.8 else (None, (n, rng.choice(LEAVES)))
        source = E(name, whole) if name else self.grow(whole, 1)
        self.names[element] = (whole[1:], "f")
        try:
            return E(f"(each {element} in {{0}} : {{1}})", shape, [source, self.grow(shape[1:], depth - 1)])
        finally:
            del self.names[element]

    def gradient(self, shape, depth):
        rng = self.rng
        fits = [n for n, (s, k) in self.names.items() if s == shape and k == "f" and math.prod(s) <= self.most]
        if not fits:
            return None
        name = rng.choice(fits)
        saved = self.grads, self.most
        self.grads, self.most = self.grads - 1, min(self.most, 6)
        try:
            other = self.any_shape()
            way = rng.randrange(4)
            if way == 0:
                return E(f"grad({{0}}, {name})", shape, [E("sum({0} * {1})", (), [E(name, shape), self.grow(shape, depth - 1)])])
            if way == 1:
                return E(f"grad({{0}}, {name})", shape, [E("mean(({0} + {1})^2)", (), [E(name, shape), self.grow(shape, depth - 1)])])
            if way == 2:
                return E(f"grad({{0}}, {name})", shape, [E("(sum(tanh({0})) * {1})", (), [E(name, shape), self.grow((), depth - 1)])])
            return E(f"grad({{0}}, {name})", shape, [E("(sum({0}) + 0.5 * sum({1}^2))", (), [self.grow(other, depth - 1), E(name, shape)])])
        finally:
            self.grads, self.most = saved

    def called(self, shape, depth):
        fits = [f for f in self.functions if f[2] == shape]
        if not fits:
            return None
        name, parameters, _ = self.rng.choice(fits)
        return E(f"{name}(" + ", ".join(f"{{{k}}}" for k in range(len(parameters))) + ")", shape,
                 [self.grow(s, depth - 2) for s in parameters])


def wrap(form):
    return form if form[0] in "([" or form.endswith(")") and form[0].isalpha() and form.count("(") and balanced(form) else f"({form})"


def balanced(form):
    """Whether the first bracket closes at the end."""
    depth = 0
    for k, c in enumerate(form):
        depth += (c == "(") - (c == ")")
        if c == ")" and depth == 0:
            return k == len(form) - 1
    return False


def stretches(a, shape):
    return len(a) <= len(shape) and all(x in (1, y) for x, y in zip(a[::-1], shape[::-1]))


class Body:
    """`lines`: (what is bound, E, the loop around it as a form of `line`, or None); then a result."""
    def __init__(self, lines, result):
        self.lines, self.result = lines, result

    def text(self):
        lines = [f"  {name} = {e.text()}" if loop is None else "  " + loop.replace("LINE", f"{name} = {e.text()}") for name, e, loop in self.lines]
        return "{\n" + "\n".join([*lines, f"  {self.result.text()}"]) + "\n}"

    def size(self):
        return self.result.size() + sum(e.size() + 2 + 2 * (loop is not None) for _, e, loop in self.lines)


def without(shape, axis):
    return shape[:axis] + shape[axis + 1:]


def add_loop(grower, lines, name, shape):
    """A loop that binds `name` again, over turns, over slices, or while it is large; what turns give gets a name as well."""
    rng = grower.rng
    again = E(name, shape)
    way = rng.randrange(4)
    if way == 0:
        turns = rng.choice([1, 2, 3, 9, 10])
        lines.append((name, E("(0.5 * {0} + {1})", shape, [again, grower.grow(shape, 1)]), f"repeat {turns} {{ LINE }}"))
    elif way == 1:
        bound = rng.choice(["up to 3", "up to 12", "at most 80"])
        lines.append((name, E("(0.6 * {0} * cos({1}))", shape, [again, grower.grow(shape, 1)]),
                      f"while sum({name}^2) > 0.3, {bound} {{ LINE }}"))
    else:
        sources = [n for n, (s, k) in grower.names.items() if k == "f" and s and n != name]
        if not sources:
            return
        source = rng.choice(sources)
        whole = grower.names[source][0]
        axis = rng.randrange(len(whole))
        element = f"e{len(lines)}"
        grower.names[element] = (without(whole, axis), "f")
        e = E("(0.5 * {0} + tanh({1}))", shape, [again, grower.grow(shape, rng.choice([1, 2]))])
        del grower.names[element]
        if way == 2:
            lines.append((name, e, f"for {element} in {source} along {grower.axis(axis, whole)} {{ LINE }}"))
            return
        stacked = f"y{len(lines)}"
        lines.append((name, e, f"{stacked} = for {element} in {source} along {grower.axis(axis, whole)} {{\n    LINE\n    2 * {name}\n  }}"))
        at = axis if axis <= len(shape) else 0
        grower.names[stacked] = (shape[:at] + (whole[axis],) + shape[at:], "f")


def add_function(grower, lines):
    """A function of the body and a value of it; or two values of one line."""
    shape, other = grower.any_shape(), grower.any_shape()
    n = len(lines)
    if grower.rng.random() < 0.5:
        lines.append((f"p{n}, q{n}", E("({0}, {1})", shape, [grower.grow(shape, 1), grower.grow(other, 1)]), None))
        grower.names[f"p{n}"], grower.names[f"q{n}"] = (shape, "f"), (other, "f")
        return
    grower.names["z"] = (shape, "f")
    body = grower.grow(shape, 2)
    del grower.names["z"]
    lines.append((f"f{n}(z)", body, None))
    lines.append((f"r{n}", E(f"f{n}({{0}})", shape, [grower.grow(shape, 1)]), None))
    grower.names[f"r{n}"] = (shape, "f")


def grow_body(grower, shape, depth):
    rng, lines = grower.rng, []
    for k in range(rng.choice([0, 0, 1, 1, 2, 3])):
        s = grower.any_shape()
        name = f"t{k}"
        lines.append((name, grower.grow(s, depth - 1), None))
        grower.names[name] = (s, "f")
        if rng.random() < 0.35:
            add_loop(grower, lines, name, s)
        if rng.random() < 0.12:
            add_function(grower, lines)
    return Body(lines, grower.grow(shape, depth))


def smaller(body):
    """Bodies with something left out, the largest steps first."""
    for k in range(len(body.lines)):
        yield Body(body.lines[:k] + body.lines[k + 1:], body.result)
    places = [(e, lambda new, k=k: Body([(n, new if i == k else e2, t) for i, (n, e2, t) in enumerate(body.lines)], body.result))
              for k, (_, e, _) in enumerate(body.lines)] + [(body.result, lambda new: Body(body.lines, new))]
    for root, put in places:
        for new in smaller_expression(root):
            yield put(new)


def smaller_expression(e):
    """e with one of its parts replaced by a part of that, or by a plain number or tensor."""
    for part in e.walk():
        if part is not e and part.shape == e.shape and part.kind == e.kind:
            yield part
    if e.kids and e.kind == "f":
        yield E("0.7", ()) if e.shape == () else E(f"ones({literal(e.shape)})", e.shape)
    for k, kid in enumerate(e.kids):
        for new in smaller_expression(kid):
            yield E(e.form, e.shape, e.kids[:k] + (new,) + e.kids[k + 1:], e.kind)
