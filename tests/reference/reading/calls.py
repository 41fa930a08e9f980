"""Calls: of what the compiler provides, of definitions with their parameters, sizes and ranges, of layers with their paths."""
import numpy as np

from . import functions
from .loops import Local, Partial, bound_to, is_hole
from .scope import Binding, Definition, Scope
from .syntax import Refused, Stops
from .values import Arrow, Share, Time, Tree, array, is_tensor, kind_name, whole


class Calls:
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
        if any(is_hole(e) for e in [*positional, *named.values()]):
            return Partial(f, [bound_to(scope, e) for e in positional], {k: bound_to(scope, e) for k, e in named.items()})
        if isinstance(f, (Local, Partial)):
            return self.call_value(node, f, positional, named, scope, w, name)
        if isinstance(f, str):
            return self.builtin(node, f, positional, named, scope, w)
        if not isinstance(f, Definition):
            raise Refused(f"{kind_name(f)} is not called")
        if f.kind == "optimizer":
            return self.rules.rule(f, self.arguments(f, [Binding(e, scope) for e in positional], {k: Binding(e, scope) for k, e in named.items()}))
        arguments = self.arguments(f, [Binding(e, scope) for e in positional], {k: Binding(e, scope) for k, e in named.items()})
        return self.instance(node, f, arguments, scope, w, name)

    def builtin(self, node, f, positional, named, scope, w):
        if f == "stop":
            if len(positional) != 1 or named:
                raise Refused("stop takes one value")
            saved, self.decisions = self.decisions, None
            self.depends.append(set())
            value = self.value(positional[0], scope, w.still)
            still = {d if isinstance(d, tuple) else ("still", d) for d in self.depends.pop()}
            self.depends[-1] |= still
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
        return function(self, node, **given)

    def match(self, f, signature, positional, named):
        cut = signature.index(";") if ";" in signature else len(signature)
        takes, signature = signature[:cut], [s for s in signature if s != ";"]
        names = [s.rstrip("?*") for s in signature]
        given = {}
        if takes and takes[-1].endswith("*"):
            single = len(takes) - 1
            if len(positional) <= single:
                raise Refused(f"{f} needs tensors")
            given = {**dict(zip(names, positional[:single])), names[single]: positional[single:]}
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
            if isinstance(tree, Definition) and tree.kind == "model" and f.parameters[0][1] is not None:
                tree = self.tree_of(tree, w)
            if isinstance(tree, Tree):
                return self.over_tree(node, f, given, tree, scope, w)
        path, mode = scope.path, scope.mode
        for b in given.values():  # arguments come first, also in the numbers of layers
            self.force(b, w)
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
                b = Binding(default, Scope({k: Binding.constant(float(n)) for k, n in sizes.items() if not k.endswith("..") and inner.find(k) is None}, inner))
                if type_ is None and not isinstance(parameter, tuple):  # known where it is used: an initializer has no value
                    inner = Scope({parameter: b}, inner)
                    continue
            else:
                b = given[parameter]
            value = self.force(b, w)
            if isinstance(parameter, tuple):
                if not isinstance(value, Arrow):
                    raise Refused("expected a -> b")
                for end in (value.start, value.end):
                    self.check(f, "an end", type_, end, sizes)
                inner = Scope({parameter[0]: Binding.constant(value.start), parameter[1]: Binding.constant(value.end)}, inner)
                continue
            converted = self.check(f, parameter, type_, value, sizes)
            if converted is not value:
                b = self.convert(b, lambda v, t=type_, p=parameter: self.check(f, p, t, v, {}))
            inner = Scope({parameter: b}, inner)
        inner = Scope({k: Binding.constant(float(n)) for k, n in sizes.items() if not k.endswith("..") and inner.find(k) is None}, inner)
        value = self.value(f.body, inner, w)
        if f.result is not None:
            for pattern, one in zip(f.result.parts[0], value) if f.result.kind == "tuple" else [(f.result, value)]:
                unify(f, pattern, array(one).shape, sizes, lambda e: self.value(e, inner, w), lambda name: self.is_named(name, inner))
        return self.of_rows(node, f, given, value, w) if f.kind == "loss" else value

    def of_rows(self, node, f, given, value, w):
        """A loss whose body gives a number for each row is their mean."""
        rows = "per_row" in given and self.force(given["per_row"], w)
        if rows and not array(value).ndim:
            raise Refused(f"{f.name} gives one number")
        return value if rows or not array(value).ndim else functions.mean(self, node, value)

    def is_named(self, name, scope):
        try:
            return self.lookup(name, scope) is not None
        except Refused:
            return False

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
        key = (scope.path, node.id)  # turns share their layers
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
            if isinstance(value, Definition) and value.kind == "model":
                value = self.tree_of(value, self.world)
            if isinstance(value, Tree):
                return value
            v = array(value)
            unify(f, type_, v.shape, sizes, None)
            return v if isinstance(value, (list, float)) else value  # a number is a tensor from here on
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
            if isinstance(value, Share):
                return float(value) * self.clock["total"]
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


def unify(f, pattern, shape, sizes, evaluate, known=lambda name: True):
    """Sizes of a declared shape against those of a value; `..` stands for any number of them, anywhere in the list."""
    elements = pattern.parts[0]
    if elements and elements[0].kind == "range" and elements[0].parts[0] is not None:  # `rows..`: the same wherever it occurs
        leading = shape[:max(0, len(shape) - len(elements) + 1)]
        if sizes.setdefault(elements[0].parts[0].parts[0] + "..", leading) != leading:
            raise Refused(f"{f.name}: leading sizes {leading}")
    gaps = [k for k, e in enumerate(elements) if e.kind == "range"]
    if f.kind == "model" and not gaps:  # the shape of one sample; more leading sizes are samples
        elements, gaps = [None, *elements], [0]
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
        elif e.kind == "name" and not known(e.parts[0]):
            want = sizes.setdefault(e.parts[0], n)
        else:
            want = whole(evaluate(e), "a size")
        if want != n:
            raise Refused(f"{f.name}: size {n} where {want} is declared")
