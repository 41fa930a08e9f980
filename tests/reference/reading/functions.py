"""What the compiler provides, on values. `r` is the Reader: it adds noise and notes decisions (see evaluate.py)."""
import math

import numpy as np

from . import special
from .scope import Unread
from .syntax import Refused, Stops
from .values import Tree, Time, Range, array, axes_of, fit, is_known, real, shape_of, whole


def erf(x):
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def erfinv(y):
    """By Newton's method from a rational start, to double precision."""
    y = np.asarray(y, dtype=np.float64)
    with np.errstate(all="ignore"):
        lnt = np.log1p(-y * y)
        a = 2 / (np.pi * 0.147) + lnt / 2
        x = np.sign(y) * np.sqrt(np.sqrt(a * a - lnt / 0.147) - a)
        for _ in range(4):
            error = np.where(np.abs(y) < 0.5, erf(x) - y, np.sign(y) * ((1 - np.abs(y)) - erfc(np.abs(x))))
            step = error * np.sqrt(np.pi) / 2 * np.exp(x * x)
            x = x - np.where(np.isfinite(step), step, 0) / (1 + np.where(np.isfinite(x * step), x * step, 0))
        x = np.where(np.abs(y) == 1, np.copysign(np.inf, y), x)
        return np.where(np.abs(y) > 1, np.nan, x)


def erfc(x):
    return np.vectorize(math.erfc, otypes=[np.float64])(x)


def sigmoid(x):
    with np.errstate(all="ignore"):
        e = np.exp(-np.abs(x))
        return np.where(x >= 0, 1 / (1 + e), e / (1 + e)) + 0 * np.where(np.isinf(x), 0, x)


def power(x, y):
    return np.power(x, y)


# name: (function, noise). "flat": the result may be off by a rounding of the argument too (functions that level off).
MATH = {"exp": (np.exp, ""), "expm1": (np.expm1, ""), "log": (np.log, ""), "log1p": (np.log1p, ""), "sqrt": (np.sqrt, ""),
        "tanh": (np.tanh, "flat"), "sigmoid": (sigmoid, "flat"), "erf": (erf, "flat"), "erfinv": (erfinv, ""),
        "sin": (np.sin, "flat"), "cos": (np.cos, "flat"), **{name: (f, "flat") for name, f in special.MATH.items()}, "log1p_exp": (lambda x: np.logaddexp(0, x), "flat")}


def over_tensors(f):
    """f for a tree too: of each of its tensors."""
    def mapped(r, node, x, **more):
        if isinstance(x, Tree):
            return x.map(lambda t: f(r, node, t, **more))
        return f(r, node, x, **more)
    return mapped


def number_or_tensor(x, f):
    """f of an array; a known number stays one."""
    if isinstance(x, Time):
        raise Refused("a time")
    return float(f(np.float64(x))) if is_known(x) else f(real(x))


def smooth(name):
    f, level = MATH[name]

    def apply(r, node, x):
        known = is_known(x)
        y = number_or_tensor(x, f)
        if known:
            return y
        x = real(x)
        return r.noisy(y, node, 0) + (r.noise_of(x, node, 1) * np.where(np.isfinite(x), x, 0) if level and r.noise else 0)
    return over_tensors(apply)


def absolute(r, node, x):
    r.decide(np.sign(real(x)))
    return number_or_tensor(x, np.abs)


def stairs(f):
    """Steps are where 2 x is whole: what is exactly there is not near it."""
    def apply(r, node, x):
        y = number_or_tensor(x, f)
        if r.error and not is_known(x):
            v, near = real(x), 20 * r.error
            if np.any((f(v - near) != f(v + near)) & (2 * v != np.rint(2 * v)) & np.isfinite(v)):
                raise Unread("a step within the error of a difference")
        r.decide(np.asarray(y))
        return y
    return over_tensors(apply)


def larger(sign_):
    """The larger (or smaller) of two; a NaN stays one."""
    def two(r, node, x, y):
        if isinstance(x, Tree) or isinstance(y, Tree):
            return each_pair(lambda a, b: two(r, node, a, b), x, y)
        f = np.maximum if sign_ > 0 else np.minimum
        if is_known(x) and is_known(y):
            return float(f(float(x), float(y)))
        a, b = fit(real(x), real(y))
        r.decide(np.sign(a - b))
        return f(a, b)

    def apply(r, node, x, y=None, axis=None, keep=None):
        if y is not None:
            if axis is not None or keep is not None:
                raise Refused("of two, or along an axis")
            return two(r, node, x, y)
        return reduce_(r, node, x, axis, keep, lambda v, axes, k: (np.max if sign_ > 0 else np.min)(v, axis=axes, keepdims=k),
                       decides=True)
    return apply


def pairwise(f):
    """Of two, element by element."""
    def apply(r, node, x, y):
        if isinstance(x, Tree) or isinstance(y, Tree):
            return each_pair(lambda a, b: apply(r, node, a, b), x, y)
        if isinstance(x, Time) or isinstance(y, Time):
            raise Refused("a time")
        if is_known(x) and is_known(y):
            return float(f(np.float64(x), np.float64(y)))
        a, b = fit(real(x), real(y))
        return r.noisy(f(a, b), node, 0)
    return apply


def polygamma(r, node, x, n):
    n = whole(n, "an order")
    if not 0 <= n <= 20:
        raise Refused("an order from 0 to 20")
    f = special.each(lambda v: special.polygamma(v, n))
    return float(f(np.float64(x))) if is_known(x) else r.noisy(f(real(x)), node, 0)


def each_pair(f, x, y):
    if isinstance(x, Tree) and isinstance(y, Tree) and list(x) != list(y):
        raise Refused("trees of different parameters")
    keys = x if isinstance(x, Tree) else y
    return Tree({k: f(x[k] if isinstance(x, Tree) else x, y[k] if isinstance(y, Tree) else y) for k in keys})


def xmul(r, node, x, y):
    """The product; 0 where x is 0."""
    if isinstance(x, Tree) or isinstance(y, Tree):
        return each_pair(lambda a, b: xmul(r, node, a, b), x, y)
    if isinstance(x, Time) or isinstance(y, Time):
        raise Refused("a time")
    known = is_known(x) and is_known(y)
    a, b = fit(real(x), real(y))
    p = np.where(a == 0, 0, a * b)
    return float(p) if known else r.noisy(p, node, 0)


def clamp(r, node, x, low, high):
    """low where x is below it, then high where that is above high."""
    if isinstance(x, Tree) or isinstance(low, Tree) or isinstance(high, Tree):
        tree = next(t for t in (x, low, high) if isinstance(t, Tree))
        parts = [t if isinstance(t, Tree) else tree.map(lambda _, t=t: t) for t in (x, low, high)]
        return parts[0].map(lambda a, b, c: clamp(r, node, a, b, c), *parts[1:])
    if any(isinstance(t, Time) for t in (x, low, high)):
        raise Refused("a time")
    known = is_known(x) and is_known(low) and is_known(high)
    a, b, c = fit(real(x), real(low), real(high))
    r.decide(np.sign(a - b))
    r.decide(np.sign(a - c))
    y = np.where(a < b, b, a)
    y = np.where(y > c, c, y)
    return float(y) if known else y


def flat_tree(x):
    return np.concatenate([real(v).reshape(-1) for v in x.values()])


def reduce_(r, node, x, axis, keep, f, decides=False, of_none=False):
    """`of_none`: there is a value of no elements."""
    if isinstance(x, Tree):
        if axis is not None or keep is not None:
            raise Refused("axis or keep on a tree")
        v = flat_tree(x)
    else:
        if isinstance(x, Time):
            raise Refused("a time")
        v = real(x)
    if keep is not None and not isinstance(keep, bool):
        raise Refused("keep is true or false")
    axes = tuple(range(v.ndim)) if axis is None else axes_of(axis, v.ndim)
    if not of_none and any(v.shape[k] == 0 for k in axes):
        raise Refused("nothing to reduce")
    if decides:
        top = f(v, axes, True)
        r.decide(v == top)
    return np.asarray(f(v, axes, bool(keep)))


def sum_(r, node, x, axis=None, keep=None):
    return r.noisy(reduce_(r, node, x, axis, keep, lambda v, axes, k: r.noisy(v, node, 0).sum(axis=axes, keepdims=k), of_none=True), node, 1)


def mean(r, node, x, axis=None, keep=None):
    return r.noisy(reduce_(r, node, x, axis, keep, lambda v, axes, k: r.noisy(v, node, 0).mean(axis=axes, keepdims=k)), node, 1)


def norm(r, node, x, axis=None, keep=None):
    def length(v, axes, k):
        big = np.max(np.abs(v), axis=axes, keepdims=True, initial=0)
        r.decide(big == 0)
        scale = np.where((big == 0) | ~np.isfinite(big), 1, big)
        inner = np.square(r.noisy(v, node, 0) / scale).sum(axis=axes, keepdims=True)
        y = np.sqrt(inner) * scale
        return y if k else y.reshape([n for i, n in enumerate(v.shape) if i not in axes])
    return r.noisy(reduce_(r, node, x, axis, keep, length, of_none=True), node, 1)


def one_axis(axis, rank):
    if isinstance(axis, (list, Range)):
        raise Refused("several axes")
    if rank == 0:
        raise Refused("a number has no axes")
    return axes_of(-1.0 if axis is None else axis, rank)[0]


def argmax(r, node, x, axis=None):
    if isinstance(x, Tree):
        raise Refused("a tree")
    v = real(x)
    if v.shape[one_axis(axis, v.ndim)] == 0:
        raise Refused("nothing to choose from")
    found = np.argmax(v, axis=one_axis(axis, v.ndim))  # NumPy: the first NaN, else the first of the largest
    r.decide(found)
    return np.asarray(found, dtype=np.int64)


def cumsum(r, node, x, axis=None):
    v = real(x)
    return r.noisy(np.cumsum(r.noisy(v, node, 0), axis=one_axis(axis, v.ndim)), node, 1)


def order(r, v):
    """Stable, ascending, NaN last."""
    found = np.argsort(v, axis=-1, kind="stable")
    r.decide(found)
    if v.shape[-1] > 1:
        s = np.take_along_axis(v, found, -1)
        r.decide(s[..., 1:] == s[..., :-1])
    return found


def sort(r, node, x):
    v = real(x)
    one_axis(None, v.ndim)
    return np.take_along_axis(v, order(r, v), -1)


def argsort(r, node, x):
    v = real(x)
    one_axis(None, v.ndim)
    return order(r, v)


def indices(r, x):
    """Whole numbers."""
    if has_truth(x):
        raise Refused("a truth value is no index")
    v = array(x)
    if v.dtype != np.int64 and np.any(v != np.floor(v)):
        raise Stops("an index is whole")
    return v.astype(np.int64)


def has_truth(x):
    return any(has_truth(e) for e in x) if isinstance(x, list) else array(x).dtype == bool


def within(v, n):
    if np.any((v < 0) | (v >= n)):
        raise Stops("an index out of range")


def gather(r, node, x, index):
    v, at = array(x), indices(r, index)
    if v.ndim == 0:
        raise Refused("rows of a number")
    within(at, v.shape[0])
    return v[at]


def take_along(r, node, x, index):
    v, at = array(x), indices(r, index)
    if v.ndim == 0 or v.shape[:-1] != at.shape[:-1] or at.ndim != v.ndim:
        raise Refused("leading sizes differ")
    within(at, v.shape[-1])
    return np.take_along_axis(v, at, -1)


def one_hot(r, node, y, n):
    at, n = indices(r, y), whole(n, "the number of classes")
    if n < 1:
        raise Refused("no classes")
    within(at, n)
    return (at[..., None] == np.arange(n)).astype(np.float64)


def count(r, node, x):
    return float(sum(v.size for v in x.values()) if isinstance(x, Tree) else array(x).size)


def size(r, node, x, axis):
    if isinstance(x, Tree):
        raise Refused("a tree has no axes")
    v = array(x)
    return float(v.shape[one_axis(axis, v.ndim)])


def reshape(r, node, x, shape):
    v, shape = flat_tree(x) if isinstance(x, Tree) else array(x), shape_of(shape)
    if math.prod(shape) != v.size:
        raise Refused("another number of elements")
    return v.reshape(shape)


def transpose(r, node, x, perm=None):
    v = array(x)
    if perm is None:
        if v.ndim < 2:
            raise Refused("transpose of less than two axes")
        return np.swapaxes(v, -1, -2)
    axes = axes_of(perm if isinstance(perm, list) else [perm], v.ndim)
    if len(axes) != v.ndim:
        raise Refused("all axes must be named")
    return np.transpose(v, axes)


def concat(r, node, xs, axis):
    parts = [array(x) for x in xs]
    if len({p.ndim for p in parts}) != 1:
        raise Refused("ranks differ")
    k = one_axis(axis, parts[0].ndim)
    if len({p.shape[:k] + p.shape[k + 1:] for p in parts}) != 1:
        raise Refused("other sizes differ")
    if len({p.dtype for p in parts}) != 1:
        parts = [real(p) for p in parts]
    return np.concatenate(parts, axis=k)


def filled(value):
    def apply(r, node, shape=None, like=None):
        if (shape is None) == (like is None):
            raise Refused("a shape, or like")
        if isinstance(like, Tree):
            return like.map(lambda t: np.full(t.shape, value))
        return np.full(shape_of(shape) if like is None else array(like).shape, value)
    return apply


def eye(r, node, n):
    return np.eye(*shape_of([n]))


def arange(r, node, n):
    return np.arange(*shape_of([n]), dtype=np.float64)


def drawn(r, node, shape=None, like=None, range=None, p=None):
    """Random draws are not read, certain ones apart: a tensor of the right shape."""
    if range is not None:
        if not isinstance(range, Range) or real(range.low).ndim or real(range.high).ndim or real(range.low) > real(range.high):
            raise Refused("a range of two numbers, the first not above the second")
    if is_known(p) and not 0 <= p <= 1:
        raise Refused("p out of 0..1")
    if p is not None and real(p).ndim and real(p).shape != (shape_of(shape) if like is None else array(like).shape):
        raise Refused("the shape of p")
    return filled(1.0 if is_known(p) and p == 1 else 0.0)(r, node, shape, like)


def only(r, node, x, of):
    if not isinstance(x, Tree):
        raise Refused("only takes a tree")
    if isinstance(of, Tree):
        return Tree({k: x[k] if k in of else np.zeros_like(x[k]) for k in x})
    return x.map(lambda t: t * real(of))


# name: (parameters, function); `?`: may be left out; `*`: any number; behind `;`: by name only.
TABLE = {
    **{name: ("x", smooth(name)) for name in MATH},
    "abs": ("x", over_tensors(absolute)), "sign": ("x", stairs(np.sign)),
    "floor": ("x", stairs(np.floor)), "round": ("x", stairs(np.round)),
    "max": ("x y? ; axis? keep?", larger(1)), "min": ("x y? ; axis? keep?", larger(-1)), "clamp": ("x low high", clamp), "xmul": ("x y", xmul),
    "atan2": ("y x", lambda r, node, y, x: pairwise(np.arctan2)(r, node, y, x)), "mod": ("x y", pairwise(np.mod)), "polygamma": ("x n", over_tensors(polygamma)),
    "sum": ("x axis? ; keep?", sum_), "mean": ("x axis? ; keep?", mean), "norm": ("x axis? ; keep?", norm),
    "argmax": ("x axis?", argmax), "count": ("x", count), "size": ("x axis", size),
    "cumsum": ("x axis?", over_tensors(cumsum)), "sort": ("x", over_tensors(sort)), "argsort": ("x", argsort),
    "only": ("x of", only), "gather": ("x index", gather), "take_along": ("x index", take_along), "one_hot": ("y n", one_hot),
    "reshape": ("x shape", reshape), "transpose": ("x perm?", transpose), "concat": ("xs* ; axis", concat),
    "zeros": ("shape? ; like?", filled(0.0)), "ones": ("shape? ; like?", filled(1.0)), "eye": ("n", eye), "arange": ("n", arange),
    "normal": ("shape? ; like?", drawn), "uniform": ("range? shape? ; like?", drawn), "bernoulli": ("p shape? ; like?", drawn),
}
