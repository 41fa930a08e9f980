"""Functions along axes, beside those in functions.py."""
import numpy as np

from .functions import argmax, flat_tree, one_axis, over_tensors, reduce_, sum_, mean, norm
from .syntax import Refused
from .values import Share, Tree, array, axes_of, real, stretches, whole


def truths(x):
    v = array(x)
    return v if v.dtype == bool else v != 0


def flag(x, what):
    if x is not None and not isinstance(x, bool):
        raise Refused(f"{what} is true or false")
    return bool(x)


def counted(r, node, x, where, f):
    """f(values, what counts), over the elements where a condition holds."""
    if isinstance(x, Tree):
        raise Refused("a tree has no elements to judge")
    v, w = real(x), truths(where)
    if not stretches(w.shape, v.shape):
        raise Refused("the shape of where")
    r.decide(w)
    return f(v, np.broadcast_to(w, v.shape))


def nothing_is_an_error(where, w):
    if w.size and not w.any() and (isinstance(where, (bool, float, list))):
        raise Refused("nothing is taken")


def spread(root):
    def apply(r, node, x, axis=None, keep=None, where=None, sample=None):
        less = flag(sample, "sample")
        if where is None:
            def of(v, axes, k):
                n = np.prod([v.shape[i] for i in axes]) - less
                y = np.square(v - v.mean(axis=axes, keepdims=True)).sum(axis=axes, keepdims=k) / n
                return np.sqrt(y) if root else y
            with np.errstate(all="ignore"):
                return r.noisy(reduce_(r, node, x, axis, keep, of), node, 1)

        def of(v, w):
            def one(u, axes, k):
                c = w.sum(axis=axes, keepdims=True)
                m = np.where(w, v, 0).sum(axis=axes, keepdims=True) / c
                y = np.where(w, np.square(v - m), 0).sum(axis=axes, keepdims=k) / (w.sum(axis=axes, keepdims=k) - less)
                return np.sqrt(y) if root else y
            nothing_is_an_error(where, w)
            return reduce_(r, node, v, axis, keep, one)
        with np.errstate(all="ignore"):
            return counted(r, node, x, where, of)
    return apply


def masked(plain, with_where, of_none=False):
    """A reduction with `where`."""
    def apply(r, node, x, *given, where=None, **more):
        if where is None:
            return plain(r, node, x, *given, **more)
        axis, keep = more.get("axis", given[0] if given else None), more.get("keep")
        with np.errstate(all="ignore"):
            return counted(r, node, x, where, lambda v, w: reduce_(r, node, v, axis, keep, lambda u, axes, k: with_where(where, u, w, axes, k), of_none=of_none))
    return apply


def where_sum(where, v, w, axes, k):
    return np.where(w, v, 0).sum(axis=axes, keepdims=k)


def where_mean(where, v, w, axes, k):
    nothing_is_an_error(where, w)
    return where_sum(where, v, w, axes, k) / w.sum(axis=axes, keepdims=k)


def where_norm(where, v, w, axes, k):
    return np.sqrt(np.square(np.where(w, v, 0)).sum(axis=axes, keepdims=k))


def where_prod(where, v, w, axes, k):
    return np.where(w, v, 1).prod(axis=axes, keepdims=k)


def where_extreme(sign):
    def apply(where, v, w, axes, k):
        nothing_is_an_error(where, w)
        top = np.where(w, sign * v, -np.inf).max(axis=axes, keepdims=k)
        return np.where(w.any(axis=axes, keepdims=k), sign * top, np.nan)
    return apply


def prod(r, node, x, axis=None, keep=None):
    return r.noisy(reduce_(r, node, x, axis, keep, lambda v, axes, k: v.prod(axis=axes, keepdims=k), of_none=True), node, 1)


def quantile(r, node, x, q, axis=None, keep=None, where=None):
    if type(q) not in (float, Share) or not 0 <= float(q) <= 1:
        raise Refused("a share from 0 to 1")

    def of(v, axes, k):
        if not axes:
            return v
        order(r, np.moveaxis(v, axes, range(-len(axes), 0)).reshape(*[n for i, n in enumerate(v.shape) if i not in axes], -1), -1, False)
        return np.quantile(v, float(q), axis=axes, keepdims=k)
    def of_some(v, w):
        def one(u, axes, k):
            kept = [i for i in range(u.ndim) if i not in axes]
            rows, takes = (np.transpose(e, [*kept, *axes]).reshape(*[u.shape[i] for i in kept], -1) for e in (u, w))
            y = np.array([np.quantile(a[t], float(q)) if t.any() else np.nan for a, t in zip(rows.reshape(-1, rows.shape[-1]), takes.reshape(-1, rows.shape[-1]))])
            return y.reshape([1 if k and i in axes else n for i, n in enumerate(u.shape) if k or i not in axes])
        nothing_is_an_error(where, w)
        order(r, np.where(w, v, np.inf).reshape(-1), -1, False)
        return reduce_(r, node, v, axis, keep, one)
    with np.errstate(all="ignore"):
        return reduce_(r, node, x, axis, keep, of) if where is None else counted(r, node, x, where, of_some)


def some(every):
    def apply(r, node, x, axis=None, keep=None, where=None):
        if isinstance(x, Tree):
            if axis is not None or keep is not None or where is not None:
                raise Refused("axis or keep on a tree")
            v = truths(flat_tree(x))
        else:
            v = truths(x)
        if where is not None:
            w = truths(where)
            if not stretches(w.shape, v.shape):
                raise Refused("the shape of where")
            v = v | ~w if every else v & w
        k = flag(keep, "keep")
        axes = tuple(range(v.ndim)) if axis is None else axes_of(axis, v.ndim)
        y = np.asarray((np.all if every else np.any)(v, axis=axes, keepdims=k))
        r.decide(y)
        return y
    return apply


def order(r, v, axis, descending):
    found = np.argsort(-v if descending else v, axis=axis, kind="stable")
    r.decide(found)
    if v.shape[axis] > 1:
        s = np.take_along_axis(v, found, axis)
        r.decide(np.diff(s, axis=axis) == 0)
    return found


def sort(r, node, x, axis=None, descending=None):
    v = real(x)
    k = one_axis(axis, v.ndim)
    return np.take_along_axis(v, order(r, v, k, flag(descending, "descending")), k)


def argsort(r, node, x, axis=None, descending=None):
    if isinstance(x, Tree):
        raise Refused("a tree")
    v = real(x)
    return order(r, v, one_axis(axis, v.ndim), flag(descending, "descending"))


def topk(r, node, x, k, axis=None):
    v = real(x)
    a, k = one_axis(axis, v.ndim), whole(k, "a number of elements")
    if not 0 <= k <= v.shape[a]:
        raise Refused("so many there are not")
    return np.take(np.take_along_axis(v, order(r, v, a, True), a), range(k), axis=a)


def running(f):
    def apply(r, node, x, axis=None, reverse=None):
        v = real(x)
        k = one_axis(axis, v.ndim)
        turn = (lambda u: np.flip(u, k)) if flag(reverse, "reverse") else (lambda u: u)
        with np.errstate(all="ignore"):
            return r.noisy(turn(f(turn(r.noisy(v, node, 0)), k)), node, 1)
    return over_tensors(apply)


def flip(r, node, x, axis=None):
    v = real(x)
    return np.flip(v, one_axis(axis, v.ndim))


def roll(r, node, x, by, axis=None):
    v = array(x)
    return np.roll(v, whole(by, "a number of places"), one_axis(axis, v.ndim))


def arg(sign):
    """The first of the largest, or of NaN, among those taken; 0 of none."""
    def apply(r, node, x, axis=None, where=None):
        if isinstance(x, Tree):
            raise Refused("a tree")
        v = sign * real(x)
        if where is None:
            return argmax(r, node, v, axis)

        def of(u, w):
            nothing_is_an_error(where, w)
            k = one_axis(axis, u.ndim)
            if u.shape[k] == 0:
                raise Refused("nothing to choose from")
            top = np.where(w, u, -np.inf).max(axis=k, keepdims=True)
            return np.argmax(w & ((u == top) | np.isnan(u)), axis=k)
        return counted(r, node, v, where, of)
    return apply


def extreme(plain, sign):
    def apply(r, node, x, y=None, axis=None, keep=None, where=None):
        if where is None:
            return plain(r, node, x, y, axis, keep)
        if y is not None:
            raise Refused("of two, or along an axis")
        return masked(None, where_extreme(sign))(r, node, x, axis=axis, keep=keep, where=where)
    return apply


OVER = "x axis? ; keep? where?"
TABLE = {
    "sum": (OVER, masked(sum_, where_sum, True)), "mean": (OVER, masked(mean, where_mean)), "norm": (OVER, masked(norm, where_norm, True)),
    "prod": (OVER, masked(prod, where_prod, True)), "var": (OVER + " sample?", spread(False)), "std": (OVER + " sample?", spread(True)),
    "quantile": ("x q axis? ; keep? where?", quantile),
    "median": (OVER, lambda r, node, x, axis=None, keep=None, where=None: quantile(r, node, x, 0.5, axis, keep, where)),
    "any": (OVER, some(False)), "all": (OVER, some(True)), "argmin": ("x axis? ; where?", arg(-1)), "argmax": ("x axis? ; where?", arg(1)),
    "cumsum": ("x axis? ; reverse?", running(np.cumsum)), "cumprod": ("x axis? ; reverse?", running(np.cumprod)),
    "logcumsumexp": ("x axis? ; reverse?", running(np.logaddexp.accumulate)),
    "sort": ("x axis? ; descending?", over_tensors(sort)), "argsort": ("x axis? ; descending?", argsort), "topk": ("x k axis?", topk),
    "flip": ("x axis?", over_tensors(flip)), "roll": ("x by axis?", roll),
}
