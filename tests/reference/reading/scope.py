"""What names stand for, and where: definitions, bindings, scopes, and the worlds in which bindings have values."""
from .syntax import Node


class Unread(Exception):
    """What this reading cannot tell."""


class Kink(Unread):
    """A derivative at a place where there is none, or too near to one to tell by differences."""


class Definition:
    def __init__(self, node, home):
        self.kind, self.name, self.parameters, self.result, self.body, self.updated = node.parts
        self.home = home
        if self.kind == "loss" and all(name != "per_row" for name, _, _ in self.parameters):
            self.parameters = [*self.parameters, ("per_row", Node("type", "bool", None, None), Node("bool", False))]


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
