"""x[...]: parts of axes, single elements, new axes, and indices that are tensors."""
import numpy as np

from . import functions
from .syntax import Refused, Stops
from .values import Range, Tree, array, whole

NEW = object()


class Where:
    """where c"""
    def __init__(self, condition):
        self.condition = condition


class Length:
    """i..+k"""
    def __init__(self, low, k):
        self.low, self.k = low, k


def indexed(r, x, elements):
    gaps = [k for k, e in enumerate(elements) if isinstance(e, Range) and e.low is None and e.high is None]
    made = sum(e is NEW for e in elements)
    named = len(elements) - made - (len(gaps) > 0)
    if named > x.ndim:
        raise Refused("more indices than axes")
    if x.ndim + made > 8:
        raise Refused("too many axes")
    axis, out = 0, x  # of the result so far
    for k, e in enumerate(elements):
        if gaps and k == gaps[0]:
            axis += x.ndim - named
        elif e is NEW:
            out, axis = np.expand_dims(out, axis), axis + 1
        else:
            out, axis = one(r, out, axis, e)
    return np.asarray(out)


def one(r, x, axis, e):
    """(x with one axis indexed, the axis behind it)."""
    n = x.shape[axis]
    if isinstance(e, Range):
        low, high = (d if v is None else place(v, n, n) for v, d in ((e.low, 0), (e.high, n)))
        return np.take(x, np.arange(low, high), axis), axis + 1
    if isinstance(e, Where):
        if isinstance(e.condition, Tree):
            raise Refused("a tree is no condition")
        mask = array(e.condition)
        if mask.shape != (n,):
            raise Refused("a condition of another length")
        return np.take(x, np.flatnonzero(mask if mask.dtype == bool else mask != 0), axis), axis + 1
    if isinstance(e, Length):
        k = whole(e.k, "a number of elements")
        if not 0 <= k <= n:
            raise Refused("a number of elements out of range")
        low = place(e.low, n, n - (k > 0)) if type(e.low) is float else int(functions.indices(r, e.low))
        if not 0 <= low <= n - k:
            raise Refused("out of range") if type(e.low) is float else Stops("an index out of range")
        return np.take(x, np.arange(low, low + k), axis), axis + 1
    if isinstance(e, (np.ndarray, list)):
        at = functions.indices(r, e)
        functions.within(at, n)
        if x.ndim + at.ndim - 1 > 8:
            raise Refused("too many axes")
        return np.take(x, at, axis), axis + at.ndim
    return np.take(x, place(e, n, n - 1), axis), axis


def place(v, n, most):
    i = whole(v, "an index")
    i += n if i < 0 else 0
    if not 0 <= i <= most:
        raise Refused("an index out of range")
    return i
