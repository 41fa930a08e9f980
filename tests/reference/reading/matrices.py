"""Factorizations and linear systems, by NumPy's LAPACK."""
import numpy as np

from .syntax import Refused, Stops
from .values import Tree, real


def matrices(x, square=True):
    if isinstance(x, Tree):
        raise Refused("a tree has no matrices")
    v = real(x)
    if v.ndim < 2 or (square and v.shape[-1] != v.shape[-2]):
        raise Refused("no square matrix")
    return v


def finite(*operands):
    if not all(np.isfinite(v).all() for v in operands):
        raise Stops("an element that is not finite")


def cholesky(r, node, x):
    v = matrices(x)
    finite(v)
    s = (v + np.swapaxes(v, -1, -2)) / 2
    try:
        l = np.linalg.cholesky(s)
    except np.linalg.LinAlgError:
        raise Stops("not positive definite") from None
    if np.any(np.diagonal(l, axis1=-2, axis2=-1) ** 2 <= 1e-15 * v.shape[-1] * np.diagonal(s, axis1=-2, axis2=-1)):
        raise Stops("not positive definite")
    return l


def system(r, node, a, b, take):
    x = matrices(a)
    if isinstance(b, Tree):
        raise Refused("a tree")
    y = real(b)
    vector = y.ndim == 1
    y = y[:, None] if vector else y
    if y.ndim < 2 or y.shape[-2] != x.shape[-1]:
        raise Refused("other rows")
    x = take(x)
    try:
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except ValueError:
        raise Refused("other batches") from None
    finite(x, y)
    n = x.shape[-1]
    if 0 in (x.size, y.size):
        return np.zeros((*batch, n) if vector else (*batch, n, y.shape[-1]))
    s = np.linalg.svd(x, compute_uv=False)
    if np.any(s[..., -1] <= 1e-14 * n * s[..., 0]):
        raise Stops("singular")
    z = np.linalg.solve(np.broadcast_to(x, (*batch, n, n)), np.broadcast_to(y, (*batch, *y.shape[-2:])))
    return z[..., 0] if vector else z


def solve(r, node, a, b):
    return system(r, node, a, b, lambda x: x)


def solve_triangular(r, node, a, b, upper=None):
    if upper is not None and not isinstance(upper, bool):
        raise Refused("true or false")
    return system(r, node, a, b, np.triu if upper else np.tril)


def sign(v):
    """Of each column: that of its first element of at least half the largest size."""
    size = np.abs(v)
    if v.size == 0:
        return np.ones((*v.shape[:-2], 1, v.shape[-1]))
    first = np.argmax(size >= 0.5 * size.max(axis=-2, keepdims=True), axis=-2)[..., None, :]
    return np.where(np.take_along_axis(v, first, -2) < 0, -1.0, 1.0)


def svd(r, node, x):
    v = matrices(x, square=False)
    finite(v)
    u, s, vt = np.linalg.svd(v, full_matrices=False)
    by = sign(u)
    return u * by, s, np.swapaxes(vt, -1, -2) * by


def eigh(r, node, x):
    v = matrices(x)
    finite(v)
    w, e = np.linalg.eigh((v + np.swapaxes(v, -1, -2)) / 2)
    return w, e * sign(e)


def qr(r, node, x):
    v = matrices(x, square=False)
    finite(v)
    q, t = np.linalg.qr(v)
    by = np.where(np.diagonal(t, axis1=-2, axis2=-1) < 0, -1.0, 1.0)
    return q * by[..., None, :], t * by[..., :, None]


TABLE = {"svd": ("x", svd), "eigh": ("x", eigh), "qr": ("x", qr), "cholesky": ("x", cholesky), "solve": ("a b", solve), "solve_triangular": ("a b ; upper?", solve_triangular)}
