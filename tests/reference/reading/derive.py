"""Parameters by path, and derivatives by differences."""
import numpy as np

from .scope import Binding, Definition, Kink, Unread, World
from .syntax import Refused
from .values import Share, Tree, array, real


class Selectors:
    def select(self, node, scope, may_be_empty=False):
        """A parameter's binding, or a dictionary of them for a selector with a wildcard."""
        if node.kind == "except":
            a, b = (self.as_dict(self.select(e, scope, k == 1), e) for k, e in enumerate(node.parts))
            return {k: v for k, v in a.items() if k not in b}
        path = self.dotted(node, scope)
        if path is None:
            raise Refused("not a selector")
        return self.selected(path, may_be_empty)

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

    def selected(self, path, may_be_empty=False):
        if ".".join(path) in self.parameters:
            return self.parameters[".".join(path)]
        found = {k: b for k, b in self.parameters.items() if fits(path, k.split("."))}
        if not found and not may_be_empty:
            raise Refused("a selector that selects nothing")
        return found


class Derivatives:
    def on_at(self, node, scope, w):
        return self.value(node.parts[0], scope, self.moved_to(node.parts[1], scope, w))

    def moved_to(self, e, scope, w):
        tree = self.value(e, scope, w.still)
        return World(w, {self.parameters[k]: v for k, v in tree.items()}, small=False)

    def on_until(self, node, scope, w):
        before, time, after = node.parts
        limit = self.value(time, scope, w)
        if isinstance(limit, Share):
            limit = float(limit) * self.clock["total"]
        if "total" in self.clock and not 0 < self.steps(limit) < self.clock["total"]:
            raise Refused("a part that never becomes active")
        return self.value(before if self.clock["now"] < self.steps(limit) else after, scope, w)

    def grad(self, e, x, scope, w):
        if self.given_gradient is not None and e.kind == "name" and e.parts[0] == "objective":
            return self.given_gradient
        while e.kind == "group":
            e = e.parts[0]
        if e.kind == "at":
            return self.grad(e.parts[0], x, scope, self.moved_to(e.parts[1], scope, w))
        target = Binding(e, scope)
        self.depends.append(set())
        total = array(self.force(target, w))
        deps = self.depends.pop()
        self.depends[-1] |= deps
        if total.ndim:
            raise Refused("the gradient of a tensor")
        named = self.values_named(x, scope)
        tree = self.operand(x, scope, w) if not named else self.force(named[0], w)
        tree = array(tree) if named and isinstance(tree, list) else tree  # a list under a name is one tensor
        points = tree.points if isinstance(tree, Tree) else None
        if points is None and (not named or not isinstance(tree, np.ndarray)):
            raise Refused("a gradient with respect to no single value")
        p = next((b for b in (points.values() if points else named) if b in deps), None)
        if p is None:
            raise Refused("nothing connects the two")
        if any(m is not p and p in self.made_from(m, w) for m in w.moved):
            raise Unread("through a value that has another one")
        if points:
            return Tree({k: self.derivative(target, b, w) for k, b in points.items()})
        return self.derivative(target, p, w)

    @staticmethod
    def made_from(m, w):
        """What a binding's own value, which another stands for in w, was made from."""
        while w is not None:
            if m in w.memo:
                return w.memo[m][1]
            w = w.parent
        return ()

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
        elif self.quick:  # the outermost derivative needs no more digits than 32-bit floats have
            h = 1e-4 * max(1.0, abs(value[at]))
            (low, a), (high, b) = look(-h), look(h)
            if a == choices == b and np.isfinite(high - low):
                self.error = max(self.error, 4 * max(abs(low), abs(high)) * 2.3e-16 / h)
                return (high - low) / (2 * h)
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
