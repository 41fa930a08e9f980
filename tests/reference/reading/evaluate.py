"""Values of expressions.

A name is a Binding: an expression and the scope it stands in. Values belong to a World; a world in which some bindings have
other values (a step of a difference quotient, an objective at another point) computes again what depends on them. So `grad` is
nothing but central differences of this reader, at any depth; `stop` looks its expression up where nothing has moved.

Beside the value a reader can tell how far rounding may move it: with `noise` each operation's result, and each addend of a sum, is off
by a relative error fixed by its place, and the spread over a few such readers is the tolerance for another program's value. `beyond` tells
that a result was more than a 32-bit float holds, where the other program goes on with an infinity."""
from pathlib import Path

import numpy as np

from . import functions, indexing
from .calls import Calls
from .derive import Derivatives, Selectors
from .loops import Loops
from .scope import Binding, Definition, Scope, Unread, World
from .syntax import Node, Refused, Stops, parse_expression, parse_program
from .values import Arrow, Range, Share, Steps, Time, Tree, array, fit, is_known, real, shape_of, whole

STDLIB = Path(__file__).resolve().parents[3] / "stdlib"
NOISE = 2.0 ** -20
LARGEST = float(np.finfo(np.float32).max)
MOST_WORK = 400_000  # values looked up, some ten seconds
np.seterr(all="ignore")
BUILTIN_VALUES = {"pi": np.pi}


class Reader(Calls, Loops, Selectors, Derivatives):
    def __init__(self, program="", inputs=None, noise=None):
        self.library = _library()
        self.program = {i.parts[1]: Definition(i, "program") for i in parse_program(program) if i.kind == "def"}
        self.items = [i for i in parse_program(program) if i.kind != "def"]
        self.noise, self.noises = noise, {}
        self.parameters, self.initial, self.instances, self.counts = {}, {}, {}, {}
        self.decisions, self.depends, self.error, self.beyond = None, [set()], 0.0, False
        self.globals, self.work, self.quick = {}, 0, False
        self.states, self.assigned, self.given_gradient, self.rules = {}, {}, None, None
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
        self.beyond = self.beyond or bool(np.any((np.abs(x) > LARGEST) & np.isfinite(x)))
        return x if self.noise is None else x * (1 + self.noise_of(x, node, k))

    def decide(self, choice):
        if self.decisions is not None:
            self.decisions.append(choice.tobytes())

    # Names

    def read(self, text):
        return self.value(parse_expression(text), self.top, self.world)

    def force(self, b, w):
        self.depends[-1].add(b)
        self.work += 1
        if self.work > MOST_WORK:
            raise Unread("too much to compute")
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
        if isinstance(value, np.generic):
            value = np.asarray(value)
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

    def values_named(self, node, scope):
        """The binding that a name stands for, then what that was named after (`z = q`)."""
        while node.kind == "group":
            node = node.parts[0]
        if node.kind == "bound":
            return [node.parts[0]] + (self.values_named(node.parts[0].node, node.parts[0].scope) if node.parts[0].node is not None else [])
        if node.kind == "field":
            found = self.select(node, scope)
            return [found] if isinstance(found, Binding) else []
        b = self.lookup(node.parts[0], scope) if node.kind == "name" else None
        if not isinstance(b, Binding):
            return []
        return [b] + (self.values_named(b.node, b.scope) if b.node is not None else [])

    # Expressions

    def value(self, node, scope, w):
        return getattr(self, "on_" + node.kind)(node, scope, w)

    def operand(self, node, scope, w):
        """A model's name among values is the tree of its parameters."""
        x = self.value(node, scope, w)
        if isinstance(x, Definition) and x.kind == "model":
            return self.tree_of(x, w)
        return x

    def tree_of(self, model, w):
        found = self.selected([model.name])
        return Tree({k: self.force(b, w) for k, b in found.items()}, points=found)

    def on_number(self, node, scope, w):
        return node.parts[0]

    def on_share(self, node, scope, w):
        return Share(node.parts[0])

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
        if not isinstance(c, (Tree, tuple)) and array(c).ndim == 0:  # the side that is not taken may stop at nothing
            taken = bool(truth(c))
            a = self.operand(node.parts[1 if taken else 2], scope, w)
            try:
                b = self.operand(node.parts[2 if taken else 1], scope, w)
            except Stops:
                return a
            return self.choose(c, a, b) if taken else self.choose(c, b, a)
        a, b = (self.operand(e, scope, w) for e in node.parts[1:])
        return self.choose(c, a, b)

    def choose(self, c, a, b):
        if isinstance(a, tuple) or isinstance(b, tuple):
            if not isinstance(a, tuple) or not isinstance(b, tuple) or len(a) != len(b):
                raise Refused("another number of values")
            return tuple(self.choose(c, x, y) for x, y in zip(a, b))
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
        if isinstance(a, str) and isinstance(b, str) and op in ("==", "!="):
            return (a == b) == (op == "==")
        if is_known(a) and is_known(b):
            return known(op, a, b)
        if op in ("and", "or"):
            x, y = fit(truth(a), truth(b))
            return x & y if op == "and" else x | y
        x, y = fit(real(a), real(b))
        if op in COMPARE:
            if np.any((x != y) & (np.abs(x - y) <= 20 * self.error)):
                raise Unread("a comparison within the error of a difference")
            y = COMPARE[op](x, y)
            self.decide(np.asarray(y))
            return y
        if op == "^":
            if not (is_known(b) and float(b) == np.floor(b)):
                y = self.noisy(y, node, 1)
        elif op in "+-":
            x, y = self.noisy(x, node, 0), self.noisy(y, node, 1)
        return self.noisy(ARITHMETIC[op](x, y), node, 2)

    def product(self, node, a, b):
        if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[max(b.ndim - 2, 0)]:
            raise Refused("shapes of a matrix product do not fit")
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
            return Time(float(np.divide(a.value, number(b))), a.unit)
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
        return indexing.indexed(self, array(x), [self.index_element(e, scope, w) for e in node.parts[1]])

    def index_element(self, e, scope, w):
        if e.kind == "name" and e.parts[0] == "new" and scope.find("new") is None:
            return indexing.NEW
        if e.kind == "where":
            return indexing.Where(self.value(e.parts[0], scope, w))
        return indexing.Length(*(self.value(p, scope, w) for p in e.parts)) if e.kind == "length" else self.value(e, scope, w)

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

    def bound(self, e, scope, w):
        """The scope behind a line and the binding of its expression: a loop carries names on."""
        if e.kind in ("repeat", "for", "while"):
            return self.loop(e, scope, w)
        b = Binding(e, scope)
        self.force(b, w)
        return scope, b

    def do_value(self, line, scope, w):
        scope, b = self.bound(line.parts[0], scope, w)
        if b is not None:
            self.force(b, w)
        return scope, b

    def do_bind(self, line, scope, w):
        name, e = line.parts
        scope, b = self.bound(e, scope, w)
        if b is None:
            raise Refused("a loop without a value")
        self.force(b, w)
        return Scope({name: b}, scope), None

    def do_unpack(self, line, scope, w):
        names, e = line.parts
        scope, whole_value = self.bound(e, scope, w)
        found = whole_value and self.force(whole_value, w)
        if not isinstance(found, tuple) or len(found) != len(names):
            raise Refused("another number of values")
        parts = {name: Binding(compute=lambda r, world, k=k: r.force(whole_value, world)[k]) for k, name in enumerate(names)}
        for b in parts.values():
            self.force(b, w)
        return Scope(parts, scope), None

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
            while value.kind == "group" or (value.kind == "name" and (b := scope.find(value.parts[0])) and b.node is not None):
                value, scope = (value.parts[0], scope) if value.kind == "group" else (b.node, b.scope)  # an initializer that was given
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
        value = self.assigned.get(path, self.states[path]) if self.assigns(w) else self.states[path]
        return Scope({name: Binding.constant(value)}, scope), None

    def assigns(self, w):
        """Not where an expression is looked at once more with other values."""
        return not w.moved

    def do_assign(self, line, scope, w):
        name, e = line.parts
        if scope.find(name) is None:
            raise Refused(f"{name} is no state")
        b = Binding(e, scope)
        if scope.mode and self.assigns(w):
            self.assigned[f"{scope.path}.{name}"] = self.force(b, w)
        return (Scope({name: b}, scope) if scope.mode else scope), None


COMPARE = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal}
ARITHMETIC = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "^": functions.power}


def known(op, a, b):
    if op in ("and", "or"):
        return (bool(a) and bool(b)) if op == "and" else (bool(a) or bool(b))
    if op in COMPARE:
        return bool(COMPARE[op](a, b))
    return float(ARITHMETIC[op](np.float64(a), np.float64(b)))


def number(x):
    if not is_known(x):
        raise Refused("a known number is needed")
    return float(x)


def truth(x):
    return array(x) if array(x).dtype == bool else array(x) != 0


_read = {}


def _definitions(path):
    """Those of a file; none where it has forms that are not read here: what uses them is refused as unknown."""
    try:
        return [i for i in parse_program(path.read_text()) if i.kind == "def"]
    except Refused:
        return []


def _library():
    if not _read:
        for path in sorted(STDLIB.rglob("*.reg")):
            for i in _definitions(path):
                _read[i.parts[1]] = Definition(i, "library")
    return _read
