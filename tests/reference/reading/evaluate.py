"""Values of expressions.

A name is a Binding: an expression and the scope it stands in. Values belong to a World; a world in which some bindings have
other values (a step of a difference quotient, an objective at another point) computes again what depends on them. So `grad` is
nothing but central differences of this reader, at any depth; `stop` looks its expression up where nothing has moved.

Beside the value a reader can tell how far rounding may move it: with `noise` each operation's result, and each addend of a sum, is off
by a relative error fixed by its place, and the spread over a few such readers is the tolerance for another program's value."""
from pathlib import Path

import numpy as np

from . import functions
from .syntax import Node, Refused, Stops, parse_expression, parse_program
from .values import Arrow, Range, Steps, Time, Tree, array, fit, is_known, is_tensor, kind_name, real, shape_of, whole

STDLIB = Path(__file__).resolve().parents[3] / "stdlib"
NOISE = 2.0 ** -20
BUILTIN_VALUES = {"pi": np.pi}


class Kink(Exception):
    """A derivative at a place where there is none, or too near to one to tell by differences."""


class Definition:
    def __init__(self, node, home):
        self.kind, self.name, self.parameters, self.result, self.body, self.updated = node.parts
        self.home = home


class Binding:
    """`compute`: the value as a function of the world, in place of an expression."""
    __slots__ = ("node", "scope", "compute", "__weakref__")

    def __init__(self, node=None, scope=None, compute=None):
        self.node, self.scope, self.compute = node, scope, compute

    @staticmethod
    def constant(value):
        return Binding(compute=lambda reader, world: value)


class Scope:
    """`path`: where parameters declared here belong; `turns`: of the repeats around."""
    __slots__ = ("names", "parent", "path", "turns", "home", "mode")

    def __init__(self, names, parent=None, **changed):
        self.names, self.parent = names, parent
        for k in ("path", "turns", "home", "mode"):
            setattr(self, k, changed[k] if k in changed else getattr(parent, k))

    def find(self, name):
        s = self
        while s is not None:
            if name in s.names:
                return s.names[name]
            s = s.parent
        return None


class World:
    """`moved`: bindings that have other values. `still`: the world in which what `stop` holds is looked up."""
    def __init__(self, parent=None, moved=None, small=True):
        self.parent, self.memo, self.new = parent, {}, moved or {}
        self.moved = {**(parent.moved if parent else {}), **self.new}
        self.small = small
        self.still = parent.still if parent and small else self


class Reader:
    def __init__(self, program="", inputs=None, noise=None):
        self.library = _library()
        self.program = {i.parts[1]: Definition(i, "program") for i in parse_program(program) if i.kind == "def"}
        self.items = [i for i in parse_program(program) if i.kind != "def"]
        self.noise, self.noises = noise, {}
        self.parameters, self.initial, self.instances, self.counts = {}, {}, {}, {}
        self.decisions, self.depends, self.error = None, [set()], 0.0
        self.globals = {}
        self.states, self.assigned = {}, {}
        self.world = World()
        self.top = Scope({k: Binding.constant(v if isinstance(v, (Tree, float)) else np.asarray(v)) for k, v in (inputs or {}).items()},
                         path="", turns=(), home="program", mode=False)
        self.clock = {"step": 0.0, "now": 0.0, "epoch": 0.0}

    # Noise and decisions

    def noise_of(self, x, node, k):
        key = (node.id, k, x.shape)
        if key not in self.noises:
            seed = np.random.SeedSequence([self.noise, node.id, k, *x.shape])
            self.noises[key] = NOISE * np.random.Generator(np.random.PCG64(seed)).uniform(-1, 1, x.shape)
        return self.noises[key]

    def noisy(self, x, node, k):
        return x if self.noise is None else x * (1 + self.noise_of(x, node, k))

    def decide(self, choice):
        if self.decisions is not None:
            self.decisions.append(choice.tobytes())

    # Names

    def read(self, text):
        return self.value(parse_expression(text), self.top, self.world)

    def force(self, b, w):
        self.depends[-1].add(b)
        if b in w.moved:
            return w.moved[b]
        at, new = w, {}
        while at is not None:
            if b in at.memo:
                value, deps = at.memo[b]
                if not any(m in deps or (not s and ("still", m) in deps) for m, s in new.items()):
                    self.depends[-1] |= deps
                    return value
                break
            new.update({m: at.small for m in at.new})
            at = at.parent
        self.depends.append(set())
        try:
            value = b.compute(self, w) if b.compute else self.value(b.node, b.scope, w)
        finally:
            deps = self.depends.pop()
        w.memo[b] = (value, deps)
        self.depends[-1] |= deps
        return value

    def definition(self, name, home):
        if home == "program" and name in self.program:
            return self.program[name]
        return self.library.get(name)

    def lookup(self, name, scope):
        """A binding, a definition or the name of what the compiler provides."""
        b = scope.find(name)
        if b is not None:
            return b
        d = self.definition(name, scope.home)
        if d is not None and d.kind == "let":
            if name not in self.globals:
                root = Scope({}, None, path="", turns=(), home=d.home, mode=scope.mode)
                self.globals[name] = Binding(d.body, root)
            return self.globals[name]
        if d is not None:
            return d
        if name in functions.TABLE or name in ("grad", "stop"):
            return name
        if name in BUILTIN_VALUES:
            return Binding.constant(BUILTIN_VALUES[name])
        if name in self.clock:
            return Binding.constant(self.clock[name])
        if name == "training":
            return Binding.constant(scope.mode)
        raise Refused(f"unknown name {name}")

    def point(self, node, scope):
        """The binding that stands behind a name: a name for a name is the same value."""
        while node.kind == "group":
            node = node.parts[0]
        if node.kind == "field":
            found = self.select(node, scope)
            return found if isinstance(found, Binding) else None
        if node.kind != "name":
            return None
        b = self.lookup(node.parts[0], scope)
        if not isinstance(b, Binding):
            return None
        return (b.node is not None and b.node.kind in ("name", "group", "field") and self.point(b.node, b.scope)) or b

    # Expressions

    def value(self, node, scope, w):
        return getattr(self, "on_" + node.kind)(node, scope, w)

    def operand(self, node, scope, w):
        """A model's name among values is the tree of its parameters."""
        x = self.value(node, scope, w)
        if isinstance(x, Definition) and x.kind == "model":
            found = self.selected([x.name])
            return Tree({k: self.force(b, w) for k, b in found.items()}, points=found)
        return x

    def on_number(self, node, scope, w):
        return node.parts[0]

    on_share = on_number
    on_bool = on_number
    on_text = on_number

    def on_time(self, node, scope, w):
        value, unit = node.parts
        return Steps(value) if unit == "steps" else Time(value, unit)

    def on_group(self, node, scope, w):
        return self.value(node.parts[0], scope, w)

    def on_name(self, node, scope, w):
        found = self.lookup(node.parts[0], scope)
        if isinstance(found, Definition) and found.kind == "model" and found.name in self.models():
            return found
        return self.force(found, w) if isinstance(found, Binding) else found

    def models(self):
        return {d.name for d in self.program.values() if d.kind == "model"}

    def on_list(self, node, scope, w):
        return [self.value(e, scope, w) for e in node.parts[0]]

    def on_range(self, node, scope, w):
        return Range(*(None if e is None else self.value(e, scope, w) for e in node.parts))

    def on_arrow(self, node, scope, w):
        return Arrow(*(self.value(e, scope, w) for e in node.parts))

    def on_as(self, node, scope, w):
        return self.value(node.parts[0], scope, w)

    def on_field(self, node, scope, w):
        found = self.select(node, scope)
        if isinstance(found, Binding):
            return self.force(found, w)
        return Tree({k: self.force(b, w) for k, b in found.items()}, points=found)

    on_except = on_field

    def on_if(self, node, scope, w):
        c = self.operand(node.parts[0], scope, w)
        if isinstance(c, Time):
            raise Refused("a time is no condition")
        if is_known(c):
            return self.value(node.parts[1 if c else 2], scope, w)
        a, b = (self.operand(e, scope, w) for e in node.parts[1:])
        return self.choose(c, a, b)

    def choose(self, c, a, b):
        trees = [x for x in (c, a, b) if isinstance(x, Tree)]
        if trees:
            if any(list(t) != list(trees[0]) for t in trees):
                raise Refused("trees of different parameters")
            return Tree({k: self.choose(*(x[k] if isinstance(x, Tree) else x for x in (c, a, b))) for k in trees[0]})
        c, a, b = fit(truth(c), array(a), array(b))
        self.decide(c)
        if a.dtype != b.dtype:
            a, b = a.astype(np.float64), b.astype(np.float64)
        return np.where(c, a, b)

    def on_unary(self, node, scope, w):
        op, x = node.parts[0], self.operand(node.parts[1], scope, w)
        return functions.over_tensors(lambda r, n, v: self.unary(op, v))(self, node, x)

    def unary(self, op, x):
        if op == "not":
            return not x if is_known(x) else ~truth(x)
        if isinstance(x, Time):
            return Time(-x.value, x.unit)
        return -float(x) if is_known(x) else -real(x)

    def on_binary(self, node, scope, w):
        op, a, b = node.parts[0], self.operand(node.parts[1], scope, w), self.operand(node.parts[2], scope, w)
        if isinstance(a, Tree) or isinstance(b, Tree):
            if op == "@":
                raise Refused("the matrix product of a tree")
            return functions.each_pair(lambda x, y: self.binary(node, op, x, y), a, b)
        return self.binary(node, op, a, b)

    def binary(self, node, op, a, b):
        if isinstance(a, Time) or isinstance(b, Time):
            return self.times(op, a, b)
        if op == "@":
            return self.product(node, real(a), real(b))
        if is_known(a) and is_known(b):
            return known(op, a, b)
        if op in ("and", "or"):
            x, y = fit(truth(a), truth(b))
            return x & y if op == "and" else x | y
        x, y = fit(real(a), real(b))
        if op in COMPARE:
            y = COMPARE[op](x, y)
            self.decide(np.asarray(y))
            return y
        with np.errstate(all="ignore"):
            if op == "^":
                exact = is_known(b) and float(b) == np.floor(b)
                if not exact:
                    y = self.noisy(y, node, 1)
            elif op in "+-":
                x, y = self.noisy(x, node, 0), self.noisy(y, node, 1)
            result = ARITHMETIC[op](x, y)
        return self.noisy(result, node, 2)

    def product(self, node, a, b):
        if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[max(b.ndim - 2, 0)]:
            raise Refused("shapes of a matrix product do not fit")
        with np.errstate(all="ignore"):
            try:
                return self.noisy(np.matmul(self.noisy(a, node, 0), self.noisy(b, node, 1)), node, 2)
            except ValueError:
                raise Refused("leading sizes of a matrix product do not fit") from None

    def times(self, op, a, b):
        both = isinstance(a, Time) and isinstance(b, Time)
        if op == "*" and not both:
            t, x = (a, b) if isinstance(a, Time) else (b, a)
            return Time(t.value * number(x), t.unit)
        if op == "/" and not both and isinstance(a, Time):
            return Time(a.value / number(b), a.unit)
        if both and a.unit == b.unit:
            if op in "+-":
                return Time(known(op, a.value, b.value), a.unit)
            if op == "/" or op in COMPARE:
                return known(op, a.value, b.value)
        a, b = (self.steps(x) for x in (a, b))
        if op in "+-":
            return Time(known(op, a, b), "steps")
        if op == "/" or op in COMPARE:
            return known(op, a, b)
        raise Refused(f"{op} of times")

    def steps(self, x):
        """A time in updates. Plain numbers beside times are updates too (`now / over`)."""
        if not isinstance(x, Time):
            return number(x)
        if x.unit == "steps":
            return x.value
        if "steps per epoch" not in self.clock:
            raise Refused("epochs outside of training")
        return x.value * self.clock["steps per epoch"]

    def on_index(self, node, scope, w):
        x = self.value(node.parts[0], scope, w)
        if isinstance(x, Tree):
            raise Refused("an index of a tree")
        return indexed(self, array(x), [self.value(e, scope, w) for e in node.parts[1]])

    def on_block(self, node, scope, w):
        scope, last = self.statements(node.parts[0], scope, w)
        if last is None:
            raise Refused("a body without a value")
        return self.force(last, w)

    def statements(self, lines, scope, w):
        last = None
        for line in lines:
            scope, last = getattr(self, "do_" + line.kind)(line, scope, w)
        return scope, last

    def do_value(self, line, scope, w):
        b = Binding(line.parts[0], scope)
        self.force(b, w)
        return scope, b

    def do_bind(self, line, scope, w):
        name, e = line.parts
        b = Binding(e, scope)
        self.force(b, w)
        return Scope({name: b}, scope), None

    def do_repeat(self, line, scope, w):
        turns, last, around = whole(self.value(line.parts[0], scope, w), "a number of turns"), None, scope.turns
        for turn in range(turns):
            scope, last = self.statements(line.parts[1].parts[0], Scope({}, scope, turns=around + (turn,)), w)
        return Scope({}, scope, turns=around), last

    def do_param(self, line, scope, w):
        name, shape, how, value, condition = line.parts
        if condition is not None and not self.value(condition, scope, w):
            return Scope({name: Binding.constant(0.0)}, scope), None
        path = f"{scope.path}.{name}"
        if path not in self.parameters:
            sizes = shape_of(self.value(shape, scope, w))
            self.parameters[path] = Binding.constant(self.start(path, sizes, how, value, scope, w))
        return Scope({name: self.parameters[path]}, scope), None

    def start(self, path, sizes, how, value, scope, w):
        if path in self.initial:
            return np.asarray(self.initial[path], dtype=np.float64).reshape(sizes)
        if how == "~":
            while value.kind == "group":
                value = value.parts[0]
            callee, (positional, named) = (value.parts[0], value.parts[1:]) if value.kind == "call" else (value, ([], {}))
            value = Node("call", callee, positional, {**named, "like": Node("zeros", sizes)})
        return np.array(np.broadcast_to(real(self.value(value, scope, w)), sizes))

    def on_zeros(self, node, scope, w):
        return np.zeros(node.parts[0])

    def do_state(self, line, scope, w):
        name, like, shape, value = line.parts
        path = f"{scope.path}.{name}"
        if path not in self.states:
            v = self.value(value, scope, w)
            if like is not None:
                model = self.value(like, scope, w)
                v = model.map(lambda t: np.array(np.broadcast_to(real(v), t.shape))) if isinstance(model, Tree) and not isinstance(v, Tree) \
                    else v if isinstance(v, Tree) else np.array(np.broadcast_to(real(v), array(model).shape))
            else:
                v = np.array(np.broadcast_to(real(v), shape_of(self.value(shape, scope, w)) if shape else array(v).shape))
            self.states[path] = v
        return Scope({name: Binding.constant(self.states[path])}, scope), None

    def do_assign(self, line, scope, w):
        name, e = line.parts
        if scope.find(name) is None:
            raise Refused(f"{name} is no state")
        b = Binding(e, scope)
        if scope.mode:
            self.assigned[f"{scope.path}.{name}"] = self.force(b, w)
            return Scope({name: b}, scope), None
        return scope, None

    # Calls

    def on_pipe(self, node, scope, w):
        first, stage = node.parts
        name = None
        if stage.kind == "as":
            stage, name = stage.parts
        callee, positional, named = stage.parts if stage.kind == "call" else (stage, [], {})
        return self.call(node, callee, [first, *positional], named, scope, w, name)

    def on_call(self, node, scope, w, name=None):
        callee, positional, named = node.parts
        return self.call(node, callee, positional, named, scope, w, name)

    def on_as(self, node, scope, w):
        e, name = node.parts
        if e.kind != "call":
            raise Refused("`as` names a call")
        return self.on_call(e, scope, w, name)

    def call(self, node, callee, positional, named, scope, w, name):
        f = self.value(callee, scope, w)
        if isinstance(f, str):
            return self.builtin(node, f, positional, named, scope, w)
        if not isinstance(f, Definition):
            raise Refused(f"{kind_name(f)} is not called")
        arguments = self.arguments(f, [Binding(e, scope) for e in positional], {k: Binding(e, scope) for k, e in named.items()})
        return self.instance(node, f, arguments, scope, w, name)

    def builtin(self, node, f, positional, named, scope, w):
        if f == "stop":
            if len(positional) != 1 or named:
                raise Refused("stop takes one value")
            saved, self.decisions = self.decisions, None
            self.depends.append(set())
            value = self.value(positional[0], scope, w.still)
            self.depends[-2] |= {d if isinstance(d, tuple) else ("still", d) for d in self.depends.pop()}
            self.decisions = saved
            return value
        if f == "grad":
            if len(positional) != 2 or named:
                raise Refused("grad takes an expression and a name")
            return self.grad(*positional, scope, w)
        signature, function = functions.TABLE[f]
        given = self.match(f, signature.split(), positional, named)
        shape_only = f in ("count", "size") or f in ("zeros", "ones")
        if shape_only:
            self.depends.append(set())
        given = {k: [self.value(e, scope, w) for e in v] if isinstance(v, list) else self.operand(v, scope, w) for k, v in given.items()}
        if shape_only:
            self.depends.pop()
        for v in given.values():
            if isinstance(v, Time):
                raise Refused(f"{f} of a time")
        with np.errstate(all="ignore"):
            return function(self, node, **given)

    def match(self, f, signature, positional, named):
        cut = signature.index(";") if ";" in signature else len(signature)
        takes, signature = signature[:cut], [s for s in signature if s != ";"]
        names = [s.rstrip("?*") for s in signature]
        given = {}
        if takes and takes[0].endswith("*"):
            if not positional:
                raise Refused(f"{f} needs tensors")
            given[names[0]] = positional
        else:
            if len(positional) > len(takes):
                raise Refused(f"too many arguments of {f}")
            given.update(zip(names, positional))
        for k, e in named.items():
            if k not in names or k in given:
                raise Refused(f"{f} has no further parameter {k}")
            given[k] = e
        for s in signature:
            if not s.endswith("?") and s.rstrip("*") not in given:
                raise Refused(f"{f} needs {s}")
        return given

    def arguments(self, f, positional, named):
        """Parameter names to bindings; None where the default stands."""
        given, names = {}, [p[0] for p in f.parameters]
        if len(positional) > len(names):
            raise Refused(f"too many arguments of {f.name}")
        for parameter, b in [*zip(names, positional), *named.items()]:
            if parameter not in names:
                raise Refused(f"{f.name} has no parameter {parameter}")
            if parameter in given:
                raise Refused(f"{parameter} is given twice")
            given[parameter] = b
        for parameter, _, default in f.parameters:
            if parameter not in given and default is None and parameter != "like":
                raise Refused(f"{f.name} needs {parameter}")
        return given

    def instance(self, node, f, given, scope, w, name):
        if f.kind == "penalty" and f.parameters and (b := given.get(f.parameters[0][0])) is not None:
            tree = self.force(b, w)
            if isinstance(tree, Tree):
                return self.over_tree(node, f, given, tree, scope, w)
        path, mode = scope.path, scope.mode
        if f.kind == "layer":
            path = self.instance_path(node, f.name, scope, name)
        elif f.kind == "model":
            path = f.name
        root = Scope({}, None, path=path, turns=scope.turns, home=f.home, mode=mode)
        inner, sizes = Scope({}, root), {}
        for parameter, type_, default in f.parameters:
            if parameter not in given:
                if default is None:
                    raise Refused(f"{f.name} needs {parameter}")
                b = Binding(default, inner)
            else:
                b = given[parameter]
            value = self.force(b, w)
            if isinstance(parameter, tuple):
                if not isinstance(value, Arrow):
                    raise Refused("expected a -> b")
                inner = Scope({parameter[0]: Binding.constant(value.start), parameter[1]: Binding.constant(value.end)}, inner)
                continue
            converted = self.check(f, parameter, type_, value, sizes)
            if converted is not value:
                b = self.convert(b, lambda v, t=type_, p=parameter: self.check(f, p, t, v, {}))
            inner = Scope({parameter: b}, inner)
        inner = Scope({k: Binding.constant(float(n)) for k, n in sizes.items() if inner.find(k) is None}, inner)
        value = self.value(f.body, inner, w)
        if f.result is not None:
            unify(f, f.result, array(value).shape, sizes, lambda e: self.value(e, inner, w))
        return value

    @staticmethod
    def convert(b, how):
        return Binding(compute=lambda reader, w: how(reader.force(b, w)))

    def over_tree(self, node, f, given, tree, scope, w):
        total, first = 0.0, f.parameters[0][0]
        for k in tree:
            b = tree.points[k] if tree.points else self.convert(given[first], lambda v, k=k: v[k])
            total = total + self.instance(node, f, {**given, first: b}, scope, w, None)
        return total

    def instance_path(self, node, layer, scope, name):
        if name is not None:
            return f"{scope.path}.{name}"
        key = (scope.path, node.id, scope.turns)
        if key not in self.instances:
            n = self.counts[scope.path, layer] = self.counts.get((scope.path, layer), 0) + 1
            self.instances[key] = f"{scope.path}.{layer}{n}"
        return self.instances[key]

    def check(self, f, name, type_, value, sizes):
        """The value as the type takes it; sizes of a shape get their names."""
        if type_ is None:
            return value
        if type_.kind == "labels":
            return self.labels(f, type_, value, sizes)
        if type_.kind == "list":
            if isinstance(value, Tree):
                return value
            v = array(value)
            unify(f, type_, v.shape, sizes, None)
            return v if isinstance(value, list) else value
        word, low, high = type_.parts
        if word == "rate":
            low, high = 0.0, 1.0
        if word == "bool":
            if not isinstance(value, bool):
                raise Refused(f"{name} is true or false")
        elif word == "text":
            if not isinstance(value, str):
                raise Refused(f"{name} is a text")
        elif word == "time":
            if not isinstance(value, (Time, float)):
                raise Refused(f"{name} is a time")
        elif isinstance(value, Time):
            raise Refused(f"{name} is no time")
        elif word == "int":
            whole(value, name)
        elif not is_tensor(value) or (isinstance(value, np.ndarray) and value.ndim):
            raise Refused(f"{name} is a number")
        if isinstance(value, float) and not ((low is None or value >= low) and (high is None or value <= high)):
            raise Refused(f"{name} out of range")
        return value

    def labels(self, f, type_, value, sizes):
        shape, classes = type_.parts
        v = functions.indices(self, value)
        if shape is not None:
            unify(f, shape, v.shape, sizes, None)
        if classes is not None:
            n = int(classes.parts[0]) if classes.kind == "number" else sizes.get(classes.parts[0])
            if n is not None and np.any((v < 0) | (v >= n)):
                raise Stops("a class out of range")
        return v

    # Selectors

    def select(self, node, scope):
        """A parameter's binding, or a dictionary of them for a selector with a wildcard."""
        if node.kind == "except":
            a, b = (self.as_dict(self.select(e, scope), e) for e in node.parts)
            return {k: v for k, v in a.items() if k not in b}
        path = self.dotted(node, scope)
        if path is None:
            raise Refused("not a selector")
        return self.selected(path)

    def as_dict(self, found, node):
        return {self.path_of(found): found} if isinstance(found, Binding) else found

    def path_of(self, b):
        return next(k for k, v in self.parameters.items() if v is b)

    def dotted(self, node, scope):
        while node.kind == "group":
            node = node.parts[0]
        if node.kind == "name":
            d = self.lookup(node.parts[0], scope)
            return [d.name] if isinstance(d, Definition) and d.kind == "model" else None
        if node.kind == "star":
            return ["*"]
        if node.kind == "field":
            before = self.dotted(node.parts[0], scope)
            return before and before + [node.parts[1]]
        return None

    def selected(self, path):
        if ".".join(path) in self.parameters:
            return self.parameters[".".join(path)]
        found = {k: b for k, b in self.parameters.items() if fits(path, k.split("."))}
        if not found:
            raise Refused("a selector that selects nothing")
        return found

    # Derivatives

    def grad(self, e, x, scope, w):
        p = self.point(x, scope)
        if p is None:
            tree = self.value(x, scope, w)
            if not isinstance(tree, Tree) or not tree.points:
                raise Refused("a gradient with respect to no single value")
            points = tree.points
        else:
            value = self.force(p, w)
            points = value.points if isinstance(value, Tree) else None
            if isinstance(value, Tree) and points is None:
                raise Refused("a gradient with respect to a computed tree")
        target = Binding(e, scope)
        self.depends.append(set())
        total = array(self.force(target, World(w)))
        deps = self.depends.pop()
        self.depends[-1] |= deps
        if total.ndim:
            raise Refused("the gradient of a tensor")
        if not any(b in deps for b in (points.values() if points else [p])):
            raise Refused("nothing connects the two")
        if points:
            return Tree({k: self.derivative(target, b, w) for k, b in points.items()})
        return self.derivative(target, p, w)

    def derivative(self, target, p, w):
        value = real(self.force(p, w))
        result = np.zeros(value.shape)
        for at in np.ndindex(value.shape):
            result[at] = self.quotient(target, p, value, at, w)
        return result

    def quotient(self, target, p, value, at, w):
        """Richardson's extrapolation of central differences, where no decision changes between the places."""
        def look(d):
            moved = value.copy()
            moved[at] += d
            saved, self.decisions = self.decisions, []
            try:
                return float(array(self.force(target, World(w, {p: moved})))), self.decisions
            finally:
                self.decisions = saved

        here, choices = look(0.0)
        if self.decisions is not None:
            self.decisions.extend(choices)
        for h in (2e-3, 2e-4, 2e-5):
            h *= max(1.0, abs(value[at])) if h > 1e-3 else 1.0
            error, self.error = self.error, 0.0
            seen = [look(d) for d in (h, -h, h / 2, -h / 2)]
            inner, self.error = self.error, error
            if any(s[1] != choices for s in seen):
                continue
            wide, near = (seen[0][0] - seen[1][0]) / (2 * h), (seen[2][0] - seen[3][0]) / h
            if not (np.isfinite(wide) and np.isfinite(near)):
                continue
            rounding = 4 * (max(abs(s[0]) for s in seen) * 2.3e-16 + inner) / h
            if abs(wide - near) > 1e-3 * max(abs(near), 1e-3) + 8 * rounding:
                continue
            self.error = max(error, rounding + abs(wide - near) ** 2 / max(abs(near), 1e-9) if wide != near else rounding)
            return (4 * near - wide) / 3
        raise Kink(f"at {value[at]}")


COMPARE = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal}
ARITHMETIC = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "^": functions.power}


def known(op, a, b):
    if op in ("and", "or"):
        return (bool(a) and bool(b)) if op == "and" else (bool(a) or bool(b))
    if op in COMPARE:
        return bool(COMPARE[op](a, b))
    with np.errstate(all="ignore"):
        return float(ARITHMETIC[op](np.float64(a), np.float64(b)))


def number(x):
    if not is_known(x):
        raise Refused("a known number is needed")
    return float(x)


def truth(x):
    return array(x) if array(x).dtype == bool else array(x) != 0


def indexed(r, x, elements):
    if len(elements) == 1 and isinstance(elements[0], (np.ndarray, list)):
        return functions.gather(r, None, x, elements[0])
    gaps = [k for k, e in enumerate(elements) if isinstance(e, Range) and e.low is None and e.high is None]
    if len(elements) > x.ndim + (len(gaps) == 1 and len(elements) == x.ndim + 1):
        raise Refused("more indices than axes")
    found = []
    for k, e in enumerate(elements):
        if gaps and k == gaps[0]:
            found += [slice(None)] * (x.ndim - len(elements) + 1)
            continue
        n = x.shape[len(found)]
        if isinstance(e, Range):
            low, high = (d if v is None else place(v, n, n) for v, d in ((e.low, 0), (e.high, n)))
            if low >= high:
                raise Refused("an empty range")
            found.append(slice(low, high))
        else:
            found.append(place(e, n, n - 1))
    return np.asarray(x[tuple(found)])


def place(v, n, most):
    i = whole(v, "an index")
    i += n if i < 0 else 0
    if not 0 <= i <= most:
        raise Refused("an index out of range")
    return i


def unify(f, pattern, shape, sizes, evaluate):
    """Sizes of a declared shape against those of a value; `..` stands for any number of them, anywhere in the list."""
    elements = pattern.parts[0]
    gaps = [k for k, e in enumerate(elements) if e.kind == "range"]
    if gaps:
        k = gaps[0]
        rest = len(elements) - k - 1
        if len(shape) < k + rest:
            raise Refused(f"{f.name}: shape {shape}")
        pairs = list(zip(elements[:k], shape)) + list(zip(elements[k + 1:], shape[len(shape) - rest:]))
    else:
        if len(shape) != len(elements):
            raise Refused(f"{f.name}: shape {shape}")
        pairs = list(zip(elements, shape))
    for e, n in pairs:
        if e.kind == "number":
            want = int(e.parts[0])
        elif e.kind == "name" and (evaluate is None or e.parts[0] in sizes):
            want = sizes.setdefault(e.parts[0], n)
        else:
            want = whole(evaluate(e), "a size")
        if want != n:
            raise Refused(f"{f.name}: size {n} where {want} is declared")


def fits(path, names):
    """`*` is any number of names, at least one; a layer's name stands for all of its instances; an end may be missing."""
    if not path:
        return True
    if not names:
        return False
    if path[0] == "*":
        return any(fits(path[1:], names[k:]) for k in range(1, len(names) + 1))
    head = names[0]
    same = head == path[0] or (head.startswith(path[0]) and head[len(path[0]):].isdigit())
    return same and fits(path[1:], names[1:])


_read = {}


def _library():
    if not _read:
        for path in sorted(STDLIB.rglob("*.reg")):
            for i in parse_program(path.read_text()):
                _read[i.parts[1]] = Definition(i, "library")
    return _read
