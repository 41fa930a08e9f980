"""Functions of numbers that NumPy lacks, and those that are NumPy's by another name."""
import math

import numpy as np


def each(f):
    """f of every element, in double."""
    return np.vectorize(f, otypes=[np.float64])


def log_ndtr(x):
    """By the distribution function down to -5, below by Laplace's asymptotic continued fraction of the tail."""
    if x > -5:
        return math.log1p(-math.erfc(x / math.sqrt(2)) / 2)
    if x == -math.inf:
        return x
    f = -x
    for k in range(200, 0, -1):
        f = -x + k / f
    return -x * x / 2 - math.log(f) - math.log(2 * math.pi) / 2


def lgamma(x):
    if math.isinf(x) or (x <= 0 and x == math.floor(x)):
        return math.inf
    return math.lgamma(x)


def polygamma(x, n):
    """By raising x, also from below 0, then the sum's integral with the corrections of Euler and Maclaurin."""
    if math.isnan(x) or x == -math.inf:
        return math.nan
    if x == math.inf:
        return math.inf if n == 0 else 0.0
    if x <= 0 and x == math.floor(x):
        return math.inf if n % 2 else -math.copysign(math.inf, x) if x == 0 else math.nan
    total = 0.0
    while x < 40:
        total += x ** -(n + 1)
        x += 1
    f = math.factorial(n)
    corrections = ((1 / 12, 1), (-1 / 720, 3), (1 / 30240, 5), (-1 / 1209600, 7))  # B_2k / (2k)!, order of the derivative
    rise = lambda k: math.prod(range(n + 1, n + 1 + k)) * x ** -(n + 1 + k)
    tail = x ** -(n + 1) / 2 + sum(c * rise(k) for c, k in corrections)
    whole = -math.log(x) if n == 0 else x ** -n / n
    return (1 if n % 2 else -1) * f * (total + tail + whole)


MATH = {"sinh": np.sinh, "cosh": np.cosh, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "asinh": np.arcsinh, "acosh": np.arccosh,
        "atanh": np.arctanh, "log2": np.log2, "log10": np.log10, "erfc": each(math.erfc), "log_ndtr": each(log_ndtr), "lgamma": each(lgamma)}
