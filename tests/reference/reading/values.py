"""Kinds of values. Known numbers are Python's float and bool; tensors are arrays of float64, int64 or bool."""
import numpy as np

from .syntax import Refused

HUGE = 1e30  # beyond it, and below 1 / HUGE, 32-bit floats and doubles part


class Tree(dict):
    """Tensors by path. `points`: the parameters it consists of, where it is a selection of them."""
    def __init__(self, tensors, points=None):
        super().__init__(tensors)
        self.points = points

    def map(self, f, *others):
        for other in others:
            if isinstance(other, Tree) and list(other) != list(self):
                raise Refused("trees of different parameters")
        return Tree({k: f(v, *(o[k] if isinstance(o, Tree) else o for o in others)) for k, v in self.items()})


class Steps(float):
    """A time in steps: a number of updates, but no size."""


class Share(float):
    """A percentage: its share, but no size; as a time, of the whole training."""


class Time:
    def __init__(self, value, unit):
        self.value, self.unit = value, unit


class Range:
    def __init__(self, low, high):
        self.low, self.high = low, high


class Arrow:
    def __init__(self, start, end):
        self.start, self.end = start, end


def is_known(x):
    return type(x) in (bool, float, Steps, Share)


def is_tensor(x):
    return isinstance(x, (bool, float, np.ndarray))


def kind_name(x):
    return {np.ndarray: "a tensor", bool: "a truth value", float: "a number", list: "a list"}.get(type(x), type(x).__name__.lower())


def stack(parts, otherwise):
    """Along a first axis; of several types as numbers."""
    if len({p.shape for p in parts}) != 1:
        raise Refused(otherwise)
    return np.stack(parts if len({p.dtype for p in parts}) == 1 else [p.astype(np.float64) for p in parts])


def array(x):
    """A value as a tensor: numbers, lists of them, tensors."""
    if isinstance(x, (np.ndarray, np.generic)):
        return np.asarray(x)
    if isinstance(x, bool):
        return np.array(x)
    if isinstance(x, float):
        return np.array(x, dtype=np.float64)
    if isinstance(x, list):
        if not x:
            return np.zeros(0)
        return stack([array(e) for e in x], "elements of different shapes")
    raise Refused(f"expected a tensor or a number, found {kind_name(x)}")


def real(x):
    """The same in float64: truth values and integers are numbers in arithmetic."""
    x = array(x)
    return x if x.dtype == np.float64 else x.astype(np.float64)


def whole(x, what):
    if type(x) is not float or x != np.floor(x):
        raise Refused(f"{what} is not a known whole number")
    return int(x)


def shape_of(x):
    if isinstance(x, list):
        sizes = [whole(e, "a size") for e in x]
    else:
        raise Refused("expected a shape")
    if any(n < 0 for n in sizes):
        raise Refused("a size below 0")
    return tuple(sizes)


def axes_of(x, rank):
    """Axes that a reduction names: one or a list, each once."""
    if isinstance(x, Range):
        low, high = (k + rank if k < 0 else k for k in (whole(x.low, "an axis"), whole(x.high, "an axis")))
        if not 0 <= low < high <= rank:
            raise Refused("no axes")
        return tuple(range(low, high))
    named = [whole(e, "an axis") for e in (x if isinstance(x, list) else [x])]
    if not named:
        raise Refused("no axis")
    if any(not -rank <= k < rank for k in named):
        raise Refused("an axis out of range")
    axes = tuple(k % rank for k in named)
    if len(set(axes)) != len(axes):
        raise Refused("an axis twice")
    return axes


def fit(*tensors):
    """Tensors stretched to one shape."""
    shapes = [t.shape for t in tensors]
    for a in shapes:
        for b in shapes:
            if a == (*b, 1) and b and b[-1] > 1:
                raise Refused(f"a column {a} with a row {b}")
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise Refused(f"shapes {shapes} do not fit") from None
    return [np.broadcast_to(t, shape) for t in tensors]


def stretches(shape, to):
    """Whether a tensor of a shape can stand for one of another."""
    return len(shape) <= len(to) and all(n in (1, m) for n, m in zip(shape[::-1], to[::-1]))
