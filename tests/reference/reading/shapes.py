"""Functions that arrange tensors, beside those in functions.py."""
import math
import string

import numpy as np

from .functions import drawn, flat_tree, indices, one_axis, within
from .syntax import Refused
from .values import Range, Share, Tree, array, real, shape_of, stretches, whole


def reshape(r, node, x, shape):
    v = flat_tree(x) if isinstance(x, Tree) else array(x)
    if isinstance(shape, list) and sum(type(e) is float and e == -1 for e in shape) == 1:
        others = [whole(e, "a size") for e in shape if e != -1]
        rest = math.prod(others)
        if any(n < 1 for n in others) or v.size % rest:  # of no elements 0 is what is left
            raise Refused("no size is left")
        shape = [float(v.size // rest) if e == -1 else e for e in shape]
    shape = shape_of(shape)
    if math.prod(shape) != v.size:
        raise Refused("another number of elements")
    return v.reshape(shape)


def stack(r, node, xs, axis=None):
    parts = [array(x) for x in xs]
    k = one_axis(0.0 if axis is None else axis, parts[0].ndim + 1)
    if len({p.shape for p in parts}) != 1:
        raise Refused("shapes differ")
    if len({p.dtype for p in parts}) != 1:
        parts = [real(p) for p in parts]
    return np.stack(parts, k)


def split(r, node, x, n, axis=None):
    v = array(x)
    k, n = one_axis(axis, v.ndim), whole(n, "a number of parts")
    if n < 1 or v.shape[k] % n:
        raise Refused("no equal parts")
    return list(np.split(v, n, k))


def pad(r, node, x, before, after, axis=None, value=None, mode=None):
    v = array(x)
    if mode is not None:
        k, b, a = one_axis(axis, v.ndim), whole(before, "a number"), whole(after, "a number")
        if b < 0 or a < 0 or value is not None or not isinstance(mode, str) or mode not in ("edge", "reflect", "wrap"):
            raise Refused("sizes and a mode")
        if v.shape[k] == 0 and b + a > 0:
            raise Refused("nothing to fill with")
        return np.pad(v, [(b, a) if i == k else (0, 0) for i in range(v.ndim)], mode=mode)
    value = 0.0 if value is None else value
    k, b, a = one_axis(axis, v.ndim), whole(before, "a number"), whole(after, "a number")
    if b < 0 or a < 0 or type(value) not in (float, Share):
        raise Refused("sizes and a known value")
    if v.dtype != np.int64 or value != np.floor(value):
        v = real(v)
    return np.pad(v, [(b, a) if i == k else (0, 0) for i in range(v.ndim)], constant_values=value)


def windows(n, size, stride, dilation):
    size, stride, dilation = (whole(1.0 if e is None else e, "a number of elements") for e in (size, stride, dilation))
    if min(size, stride, dilation) < 1 or (size - 1) * dilation >= n:
        raise Refused("no window fits")
    first = np.arange(0, n - (size - 1) * dilation, stride)
    return first[:, None] + np.arange(size) * dilation


def window(r, node, x, size, axis=None, stride=None, dilation=None):
    v = array(x)
    k = one_axis(axis, v.ndim)
    return np.take(v, windows(v.shape[k], size, stride, dilation), axis=k)


def fold(r, node, x, size, axis=None, stride=None, dilation=None):
    v, n = real(x), whole(size, "a number of elements")
    k = one_axis(-2.0 if axis is None else axis, v.ndim)
    if n < 1 or k + 1 == v.ndim:
        raise Refused("an axis of windows, and one of their elements")
    at = windows(n, float(v.shape[k + 1]), stride, dilation)
    if len(at) != v.shape[k]:
        raise Refused("another number of windows")
    y = np.zeros((n, *v.shape[:k], *v.shape[k + 2:]))
    np.add.at(y, at, np.moveaxis(v, (k, k + 1), (0, 1)))
    return r.noisy(np.moveaxis(y, 0, k), node, 1)


def triangle(f):
    def apply(r, node, x, k=0.0):
        v = array(x)
        if v.ndim < 2:
            raise Refused("no matrix")
        return f(v, whole(k, "a diagonal"))
    return apply


def diag(r, node, x):
    v = real(x)
    if v.ndim == 0:
        raise Refused("a number")
    return np.diag(v) if v.ndim == 1 else np.diagonal(v, axis1=-2, axis2=-1).copy()


def scatter_add(r, node, x, index, n):
    v, at, n = real(x), indices(r, index), whole(n, "a number of rows")
    if n < 0 or at.ndim > v.ndim or v.shape[:at.ndim] != at.shape:
        raise Refused("an index for each row")
    within(at, n)
    y = np.zeros((n, *v.shape[at.ndim:]))
    np.add.at(y, at, v)
    return y


def put(r, node, x, index, v, axis=None):
    y, at, v = real(x).copy(), indices(r, index), real(v)
    k = one_axis(axis, y.ndim)
    if at.ndim > 1:
        raise Refused("one index or a row")
    within(at, y.shape[k])
    shape = (*y.shape[:k], *at.shape, *y.shape[k + 1:])
    if not stretches(v.shape, shape):
        raise Refused("the shape of v")
    v = np.moveaxis(np.broadcast_to(v, shape), k, 0) if at.ndim else np.broadcast_to(v, shape)[None]
    rows = np.moveaxis(y, k, 0)
    for i, row in zip(at.reshape(-1), v):
        rows[i] = row
    return y


def einsum(r, node, axes, xs):
    if not isinstance(axes, str) or "->" not in axes:
        raise Refused("names of axes")
    left, right = axes.replace(" ", "").split("->")
    names, tensors = left.split(","), [real(x) for x in xs]
    if len(names) != len(tensors) or any(len(n) != t.ndim for n, t in zip(names, tensors)) or not set(left + right) <= set(string.ascii_letters + ","):
        raise Refused("a letter for each axis")
    if len(set(right)) != len(right) or not set(right) <= set(left):
        raise Refused("the result's axes")
    sizes = {}
    for n, t in zip(names, tensors):
        for c, s in zip(n, t.shape):
            if sizes.setdefault(c, s) != s:
                raise Refused("sizes differ")
    return r.noisy(np.einsum(axes, *tensors), node, 1)


def integers(r, node, range, shape=None, like=None):
    if not isinstance(range, Range):
        raise Refused("a range")
    low, high = (whole(e, "an end") for e in (range.low, range.high))
    if low >= high:
        raise Refused("an empty range")
    return drawn(r, node, shape, like)


TABLE = {
    "reshape": ("x shape", reshape), "stack": ("xs* ; axis?", stack), "split": ("x n axis?", split), "pad": ("x before after axis? ; value? mode?", pad),
    "window": ("x size axis? ; stride? dilation?", window), "fold": ("x size axis? ; stride? dilation?", fold),
    "tril": ("x k?", triangle(np.tril)), "triu": ("x k?", triangle(np.triu)), "diag": ("x", diag), "scatter_add": ("x index n", scatter_add),
    "put": ("x index v axis?", put), "einsum": ("axes xs*", einsum), "integers": ("range shape? ; like?", integers),
}
