"""Steps of `train`: the objective, its gradient by differences, the optimizer's update. One batch of all rows, so epochs are steps."""
import numpy as np

from .evaluate import Reader
from .scope import Binding, Definition, Scope, World
from .syntax import Refused
from .values import Tree, array, real


class Rule:
    """An optimizer with its arguments."""
    def __init__(self, definition, given):
        self.definition, self.given = definition, given


class Training:
    """program: text with one `train`. fields: arrays by name. start: values of parameters and layer states by path, or a function that
    makes them from (path, shape)."""
    def __init__(self, program, fields, start, noise=None):
        self.reader = r = Reader(program, fields, noise)
        self.train = next(i for i in r.items if i.kind == "train")
        self.clauses = {c.parts[0]: c.parts[1] for c in self.train.parts[2] if c.kind == "clause"}
        self.penalties = [c for c in self.train.parts[2] if c.kind == "penalize"]
        self.model = self.train.parts[0]
        total = float(self.clauses["epochs"].parts[0]) if "epochs" in self.clauses else 1.0
        r.clock.update({"total": total, "steps per epoch": 1.0, "progress": 0.0})
        r.rules, r.quick = self, True
        self.scope = Scope({}, r.top, mode=True)
        self.declare(start)
        self.states = {}

    def declare(self, start):
        """Finds parameters and states by evaluating the loss once, then gives them their values."""
        r = self.reader
        r.value(self.clauses["loss"], self.scope, World())
        for values in (r.parameters, r.states):
            for path, b in values.items():
                shape = (r.force(b, World()) if isinstance(b, Binding) else b).shape
                v = np.asarray(start(path, shape) if callable(start) else start[path], dtype=np.float64).reshape(shape)
                values[path] = Binding.constant(v) if isinstance(b, Binding) else v
        r.assigned = {}

    def weights(self):
        r = self.reader
        return {**{p: np.asarray(r.force(b, World())) for p, b in r.parameters.items()}, **{p: v for p, v in r.states.items()}}

    @staticmethod
    def rule(definition, given):
        return Rule(definition, given)

    # The objective

    def loss(self, r, w):
        value = array(r.value(self.clauses["loss"], self.scope, w))
        if value.ndim:
            raise Refused("a loss is a number")
        return value

    def terms(self, w):
        for c in self.penalties:
            names, selectors, e = c.parts
            if not names:
                yield array(self.reader.value(e, self.scope, w))
                continue
            chosen = {}
            for s in selectors:
                found = self.reader.select(s, self.scope)
                chosen.update({id(found): [found]} if isinstance(found, Binding) else {id(b): [b] for b in found.values()})
            if len(names) > 1:
                lists = [list(self.reader.select(s, self.scope).values()) for s in selectors]
                chosen = dict(enumerate(zip(*lists)))
            for bindings in chosen.values():
                yield array(self.reader.value(e, Scope(dict(zip(names, bindings)), self.scope), w))

    # A step

    def step(self):
        """(loss, objective) before it."""
        r = self.reader
        r.world, r.assigned = World(), {}
        loss = Binding(compute=self.loss)
        objective = Binding(compute=lambda r, w: sum(self.terms(w), r.force(loss, w)))
        before = float(r.force(loss, r.world)), float(r.force(objective, r.world))
        kept = {p: real(v) for p, v in r.assigned.items()}
        w = Tree({p: r.force(b, r.world) for p, b in r.parameters.items()}, points=dict(r.parameters))
        rule = r.value(self.clauses["optimize"], self.scope, r.world)
        if isinstance(rule, Definition):
            rule = Rule(rule, {})
        new = self.update(rule, w, objective, None, "optimizer")
        r.states.update(kept)
        r.assigned = {}
        for p, v in new.items():
            r.parameters[p] = Binding.constant(np.array(np.broadcast_to(real(v), w[p].shape)))
        for k in ("step", "now", "epoch"):
            r.clock[k] += 1.0
        r.clock["progress"] = r.clock["step"] / r.clock["total"]
        r.globals = {}
        return before

    def update(self, rule, w, objective, gradient, path):
        """The tree that a rule makes of w. gradient: what stands for grad(objective, w), where it is given."""
        r, f = self.reader, rule.definition
        inner = Scope({}, None, path=path, turns=(), home=f.home, mode=True)
        for name, type_, default in f.parameters:
            b = rule.given.get(name) or Binding(default, inner)
            inner = Scope({name: Binding.constant(r.check(f, name, type_, r.force(b, r.world), {}))}, inner)
        tree = Binding.constant(w)
        inner = Scope({f.updated: tree, "objective": objective}, inner)
        saved, r.given_gradient = r.given_gradient, gradient
        try:
            scope = inner
            for line in f.body.parts[0]:
                scope = self.line(line, scope, f.updated, path)
            return r.force(scope.find(f.updated), r.world)
        finally:
            r.given_gradient = saved

    def line(self, line, scope, updated, path):
        r = self.reader
        if line.kind == "state":
            name, like, shape, value = line.parts
            key = f"{path}.{name}"
            if key not in self.states:
                v, model = r.value(value, scope, r.world), r.value(like, scope, r.world)
                self.states[key] = v if isinstance(v, Tree) else model.map(lambda t: np.array(np.broadcast_to(real(v), t.shape)))
            return Scope({name: Binding.constant(self.states[key])}, scope)
        if line.kind == "assign":
            name, e = line.parts
            value, old = r.value(e, scope, r.world), r.force(scope.find(name), r.world)
            value = value if isinstance(value, Tree) else old.map(lambda t: np.broadcast_to(real(value), t.shape))
            value = value.map(lambda t, o: np.array(np.broadcast_to(real(t), o.shape)), old)
            if name != updated:
                self.states[f"{path}.{name}"] = value
            return Scope({name: Binding.constant(value)}, scope)
        if line.kind == "apply":
            what, g = line.parts
            rule, g = r.value(what, scope, r.world), r.value(g, scope, r.world)
            if isinstance(rule, Definition):
                rule = Rule(rule, {})
            new = self.update(rule, r.force(scope.find(updated), r.world), scope.find("objective"), g, path + ".applied")
            return Scope({updated: Binding.constant(new)}, scope)
        if line.kind == "value" and line.parts[0].kind == "repeat":
            turns, index, body = line.parts[0].parts
            for turn in range(int(r.value(turns, scope, r.world))):
                scope = Scope({index: Binding.constant(np.asarray(turn))}, scope) if index else scope
                for inner in body.parts[0]:
                    scope = self.line(inner, scope, updated, path)
            return scope
        if line.kind == "bind":
            name, e = line.parts
            return Scope({name: Binding.constant(r.value(e, scope, r.world)) if e.kind not in ("name", "field") else Binding(e, scope)}, scope)
        raise Refused(f"{line.kind} in an optimizer")
