"""Loops, `each`, several values, functions inside of bodies. Each turn is read anew, with bindings of its own."""
import numpy as np

from .scope import Binding, Definition, Scope, Unread
from .syntax import Node, Refused, Stops
from .values import Range, Tree, array, stack, whole


class Local:
    """`f(z) = e` inside of a body: sees the names around it."""
    def __init__(self, name, parameters, body, scope):
        self.name, self.parameters, self.body, self.scope = name, parameters, body, scope


class Partial:
    """A call with `_` for what is still to come."""
    def __init__(self, callee, positional, named):
        self.callee, self.positional, self.named = callee, positional, named


class Loops:
    def loop(self, node, scope, w):
        """The scope afterwards and the binding of the stacked last lines, or None. Names that the surrounding body has are carried,
        others end with their turn."""
        before, around = scope, scope.turns
        bound = [n for n in names_bound(node.parts[-1]) if before.find(n) is not None]
        turns, names_of, condition, axis = getattr(self, "turns_of_" + node.kind)(node, scope, w)
        lasts, ended = [], False
        if turns == 0 and condition is None:
            _, last = self.statements(node.parts[-1].parts[0], Scope({}, Scope(names_of(0), scope, turns=around + (0,))), w)
            one = last and Binding(compute=lambda r, world: none_of(r.force(last, world), axis))
            return scope, one
        for turn in range(turns):
            inner = Scope(names_of(turn), scope, turns=around + (turn,))
            if condition is not None and not self.goes_on(condition, inner, w):
                ended = True
                break
            after, last = self.statements(node.parts[-1].parts[0], Scope({}, inner), w)
            lasts.append(last)
            scope = Scope({n: after.find(n) for n in bound}, before, turns=around)
        if node.kind == "while" and node.parts[2] and not ended and self.goes_on(condition, scope, w):
            raise Stops("a loop would go on")
        if condition is not None or not lasts or lasts[-1] is None:
            return scope, None
        return scope, Binding(compute=lambda r, world: stacked([r.force(b, world) for b in lasts], axis))

    def goes_on(self, condition, scope, w):
        c = array(self.force(Binding(condition, scope), w))
        if c.ndim:
            raise Refused("a condition of several truth values")
        self.decide(c != 0)
        return bool(c != 0)

    def turns_of_repeat(self, node, scope, w):
        turns, index, _ = node.parts
        names = (lambda turn: {index: Binding.constant(np.asarray(turn))}) if index else lambda turn: {}
        return whole(self.value(turns, scope, w), "a number of turns"), names, None, 0

    def turns_of_while(self, node, scope, w):
        condition, turns, most, _ = node.parts
        return whole(self.value(turns, scope, w), "a number of turns"), lambda turn: {}, condition, 0

    def turns_of_for(self, node, scope, w):
        names, sources, along, _ = node.parts
        axis = 0 if along is None else whole(self.value(along, scope, w), "an axis")
        first = array(self.value(sources[0], scope, w)).ndim
        if not -first <= axis < first:
            raise Refused("an axis out of range")
        turns, names_of = self.slices(names, sources, axis % first, scope, w)
        return turns, names_of, None, axis % first

    def slices(self, names, sources, axis, scope, w):
        """The number of elements along the axis, and the bindings of one of them."""
        if len(names) != len(sources):
            raise Refused("as many names as sources")
        whole_values = [Binding(s, scope) for s in sources]
        arrays = [array(self.force(b, w)) for b in whole_values]
        if any(axis >= a.ndim or a.shape[axis] != arrays[0].shape[axis] for a in arrays):
            raise Refused("sources of different lengths")

        def element(b, turn):
            def compute(r, world):
                v = np.moveaxis(array(r.force(b, world)), axis, 0)
                return v[turn] if len(v) else np.zeros(v.shape[1:], v.dtype)  # of a turn that is not made
            return Binding(compute=compute)
        return arrays[0].shape[axis], lambda turn: {n: element(b, turn) for n, b in zip(names, whole_values)}

    def on_repeat(self, node, scope, w):
        _, last = self.loop(node, scope, w)
        if last is None:
            raise Refused("a loop without a value")
        return self.force(last, w)

    on_for = on_while = on_repeat

    def on_each(self, node, scope, w):
        names, sources, e = node.parts
        first = self.operand(sources[0], scope, w)
        if isinstance(first, Tree):
            return self.each_tensor(names, [first, *(self.operand(s, scope, w) for s in sources[1:])], e, scope, w)
        if isinstance(first, Range):
            if whole(first.low, "an end") != 0:
                raise Refused("a range that does not start at 0")
            turns, names_of = whole(first.high, "an end"), lambda turn: {names[0]: Binding.constant(np.asarray(turn))}
        else:
            turns, names_of = self.slices(names, sources, 0, scope, w)
        if turns == 0:
            return none_of(self.value(e, Scope(names_of(0), scope, turns=scope.turns + (0,)), w), 0)
        return stacked([self.value(e, Scope(names_of(k), scope, turns=scope.turns + (k,)), w) for k in range(turns)], 0)

    def each_tensor(self, names, trees, e, scope, w):
        if any(not isinstance(t, Tree) or len(t) != len(trees[0]) for t in trees):
            raise Refused("trees of different parameters")
        found = {}
        for k, path in enumerate(trees[0]):
            here = [t.points[list(t)[k]] if t.points else Binding.constant(list(t.values())[k]) for t in trees]
            found[path] = array(self.value(e, Scope(dict(zip(names, here)), scope), w))
        return Tree(found)

    def do_carry(self, line, scope, w):
        raise Unread("memory of a loop")

    # Several values

    def on_tuple(self, node, scope, w):
        return tuple(self.value(e, scope, w) for e in node.parts[0])

    # Functions

    def do_local(self, line, scope, w):
        name, parameters, body = line.parts
        return Scope({name: Binding.constant(Local(name, parameters, body, scope))}, scope), None

    def on_bound(self, node, scope, w):
        return self.force(node.parts[0], w)

    def call_value(self, node, f, positional, named, scope, w, name):
        """Of a function that is a value."""
        if isinstance(f, Local):
            if named or len(positional) != len(f.parameters):
                raise Refused(f"{f.name} takes {len(f.parameters)} values")
            given = {p: Binding(e, scope) for p, e in zip(f.parameters, positional)}
            for b in given.values():
                self.force(b, w)
            return self.value(f.body, Scope(given, f.scope), w)
        rest = [Node("bound", Binding(e, scope)) for e in positional]

        def filled(e):
            return rest.pop(0) if is_hole(e) and rest else e
        all_positional, all_named = [filled(e) for e in f.positional], {k: filled(e) for k, e in f.named.items()}
        if rest or named or any(is_hole(e) for e in [*all_positional, *all_named.values()]):
            raise Refused("another number of arguments")
        return self.call(node, Node("bound", Binding.constant(f.callee)), all_positional, all_named, scope, w, name)


def is_hole(e):
    return e.kind == "name" and e.parts[0] == "_"


def bound_to(scope, e):
    return e if is_hole(e) else Node("bound", Binding(e, scope))


def names_bound(block):
    """Names that a block binds, loops inside of it included."""
    found = []
    for line in block.parts[0]:
        if line.kind in ("bind", "assign"):
            found.append(line.parts[0])
        if line.kind == "unpack":
            found += line.parts[0]
        e = line.parts[-1]
        if isinstance(e, Node) and e.kind in ("repeat", "for", "while"):
            found += names_bound(e.parts[-1])
    return list(dict.fromkeys(found))


def none_of(value, axis):
    """No turns, of which each would have such a value."""
    if isinstance(value, tuple):
        return tuple(none_of(v, axis) for v in value)
    v = array(value)
    return np.moveaxis(np.zeros((0, *v.shape), v.dtype), 0, axis if axis <= v.ndim else 0)


def stacked(values, axis):
    if isinstance(values[0], tuple):
        return tuple(stacked([v[k] for v in values], axis) for k in range(len(values[0])))
    if isinstance(values[0], Tree):
        return Tree({k: stacked([v[k] for v in values], axis) for k in values[0]})
    if isinstance(values[0], Definition):
        raise Refused("a model is no element")
    whole_value = stack([array(v) for v in values], "values of different shapes")
    return np.moveaxis(whole_value, 0, axis if axis < whole_value.ndim else 0)
