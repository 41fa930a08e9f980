#!/usr/bin/env python3
"""Trainings that are solved, `solve to gap G`: penalized regressions against scikit-learn, and where it has none, against plain proximal
gradients in NumPy, run until nothing moves. Run by hand (Debian's python3-sklearn), it writes solve.json: the parameters of each, with
the conditions of a minimum checked here; the tests read that."""
import json
import math
from pathlib import Path

VALUES = Path(__file__).with_name("solve.json")
ROWS, COLUMNS = 60, 8
# Name -> (model, loss, penalties). Fields: x [8], of which the last column is constant and two are equal, and y.
CASES = {
    "lasso": ("[1]", "squared_error(line(x), y)", ["0.1 * l1(w)"]),
    "lasso of a few": ("[1]", "squared_error(line(x), y)", ["0.3 * l1(w)"]),
    "elastic net": ("[1]", "squared_error(line(x), y)", ["0.2 * elastic_net(w, mix: 0.3)"]),
    "ridge": ("[1]", "squared_error(line(x), y)", ["0.5 * l2(w)"]),
    "least squares": ("[1]", "squared_error(line(x), y)", []),
    "sum of penalties": ("[1]", "squared_error(line(x), y)", ["0.05 * l1(w) + l2(w) * 0.1 / 2", "l1(w) * 0.05"]),
    "weighted rows": ("[1]", "squared_error(line(x), y, weight: abs(x[.., 0]))", ["0.1 * l1(w)"]),
    "huber": ("[1]", "huber(line(x), y, delta: 0.4)", ["0.03 * l1(w)"]),
    "far huber": ("[1]", "huber(line(x), 30 * y, delta: 0.05)", ["0.003 * l1(w)"]),
    "logistic": ("[1]", "binary_cross_entropy(line(x), y > 0)", ["0.02 * l1(w)"]),
    "logistic elastic net": ("[1]", "binary_cross_entropy(line(x), y > 0)", ["0.05 * elastic_net(w, mix: 0.5)"]),
    "poisson": ("[1]", "poisson(line(x), floor(abs(3 * y)))", ["0.3 * l2(w)"]),
    "poisson lasso": ("[1]", "poisson(line(x), floor(abs(3 * y)))", ["0.1 * l1(w)"]),
    "two outputs": ("[2]", "squared_error(line(x), stack(y, x[.., 0]^2, axis: 1))", ["0.05 * l1(w)"]),
    "multinomial": ("[3]", "soft_cross_entropy(line(x), one_hot(argmax(x[.., 0..3], axis: 1), 3))", ["0.02 * l1(w)"]),
    "multinomial ridge": ("[3]", "soft_cross_entropy(line(x), one_hot(argmax(x[.., 0..3], axis: 1), 3))", ["0.05 * l2(w)"]),
    "groups of inputs": ("[2]", "squared_error(line(x), stack(y, x[.., 0]^2, axis: 1))", ["0.05 * group_lasso(w, axis: 1)"]),
    "groups of outputs": ("[2]", "squared_error(line(x), stack(y, x[.., 0]^2, axis: 1))", ["0.1 * group_lasso(w, axis: 0)"]),
    "sparse groups": ("[2]", "squared_error(line(x), stack(y, x[.., 0]^2, axis: 1))", ["0.08 * sparse_group_lasso(w, mix: 0.4, axis: 1)"]),
    "positive lasso": ("[1]", "squared_error(line(x), y)", ["0.1 * l1(w)"]),
    "box": ("[1]", "squared_error(line(x), y)", ["0.05 * elastic_net(w, mix: 0.3)"]),
    "logistic in a box": ("[1]", "binary_cross_entropy(line(x), y > 0)", ["0.01 * l1(w)"]),
    "multinomial in a box": ("[3]", "soft_cross_entropy(line(x), one_hot(argmax(x[.., 0..3], axis: 1), 3))", ["0.02 * l1(w)"]),
    "singular values": ("[2]", "squared_error(line(x), stack(y, x[.., 0]^2, axis: 1))", ["0.08 * nuclear_norm(w)"]),
    "singular values and squares": ("[2]", "squared_error(line(x), stack(y, x[.., 0]^2, axis: 1))", ["0.03 * nuclear_norm(w) + 0.05 * l2(w)"]),
    "median": ("[1]", "pinball(line(x), y)", ["0.02 * l1(w)"]),
    "high quantile": ("[1]", "pinball(line(x), y, q: 0.9)", ["0.01 * l1(w)"]),
    "quantile in a box": ("[1]", "pinball(line(x), y, q: 0.3)", ["0.01 * l1(w)"]),
    "least absolute deviations": ("[1]", "absolute_error(line(x), y, weight: 1 + abs(x[.., 1]))", ["0.01 * l1(w)"]),
}
# Linear programs: the quantile, the strength, and what the loss is beside a quantile's.
QUANTILES = {"median": (0.5, 0.02, 1), "high quantile": (0.9, 0.01, 1), "quantile in a box": (0.3, 0.01, 1), "least absolute deviations": (0.5, 0.01, 2)}
# What a case's weights are constrained to, and the ends.
BOXES = {"quantile in a box": ("clamp(w, -0.4, 0.5)", -0.4, 0.5), "positive lasso": ("nonnegative(w)", 0, math.inf), "box": ("clamp(w, -0.3, 0.35 + 0.05)", -0.3, 0.4), "logistic in a box": ("min(max(w, -0.5), 0.7)", -0.5, 0.7),
         "multinomial in a box": ("clamp(w, -0.4, 0.6)", -0.4, 0.6)}


def rows():
    """x0 to x7 and y, the same numbers everywhere."""
    out = []
    for i in range(ROWS):
        x = [round(math.sin((1.7 + 0.6 * k) * i + 2.3 * k * k) + 0.3 * k, 3) for k in range(6)]
        y = 1.5 * x[0] - x[2] + 0.4 * x[4] + 0.5 * math.sin(5.1 * i * i)
        out.append([*x, x[0], 2.5, round(y, 3)])
    return out


def table():
    return "x0,x1,x2,x3,x4,x5,x6,x7,y\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows())


def merged(weight):
    """The weights of columns 0 and 6, which are equal, as one."""
    return [[a + b for a, b in zip(weight[0], weight[6])], *weight[1:6], weight[7]]


def lasso_gap(name, w, b):
    """The duality gap of a lasso by its textbook formula, relative to the objective at 0; None: it is another problem."""
    strength = {"lasso": 0.1, "lasso of a few": 0.3}.get(name)
    if strength is None:
        return None
    table = rows()
    n = len(table)
    residual = [row[8] - b - sum(a * c for a, c in zip(row, w)) for row in table]
    middle = sum(residual) / n
    residual = [r - middle for r in residual]
    most = max(abs(sum(r * row[k] for r, row in zip(residual, table))) / n for k in range(8))
    t = min(1, strength / most)
    primal = sum(r * r for r in residual) / 2 / n + strength * sum(map(abs, w))
    dual = sum(t * r * row[8] - t * t * r * r / 2 for r, row in zip(residual, table)) / n
    return (primal - dual) / (sum(row[8] ** 2 for row in table) / 2 / n)


def gap_of(name):
    return 1e-11 if name in QUANTILES else 1e-13


def program(name):
    shape, loss, penalties = CASES[name]
    clauses = "".join(f"  penalize w in line.*.weight : {p}\n" for p in penalties)
    if name in BOXES:
        clauses += f"  constrain w in line.*.weight : {BOXES[name][0]}\n"
    return (f'precision f64\ndata d = csv("rows.csv", target: y)\nmodel line(x: [8]) -> {shape} = x |> dense({shape[1:-1]}) as out\n'
            f"train line on d as t {{\n  loss     {loss}\n{clauses}  solve    to gap {gap_of(name)}\n}}\n")


# -- by hand

def problem(name):
    """x, targets, the loss's slope in z (of the mean), the proximal operator of the penalty."""
    import numpy as np
    table = np.array(rows())
    x, y = table[:, :8], table[:, 8]
    both = np.stack([y, x[:, 0] ** 2], 1)
    classes = np.eye(3)[x[:, :3].argmax(1)]
    n = len(y)
    weight = np.abs(x[:, 0]) / np.abs(x[:, 0]).sum()

    def softmax(z):
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    kind = name.split()[0]
    count = np.floor(np.abs(3 * y))[:, None]
    slopes = {
        "weighted": lambda z: weight[:, None] * (z - y[:, None]), "huber": lambda z: np.clip(z - y[:, None], -0.4, 0.4) / n,
        "far": lambda z: np.clip(z - 30 * y[:, None], -0.05, 0.05) / n, "logistic": lambda z: (1 / (1 + np.exp(-z)) - (y > 0)[:, None]) / n, "poisson": lambda z: (np.exp(z) - count) / n,
        "two": lambda z: (z - both) / (2 * n), "groups": lambda z: (z - both) / (2 * n), "sparse": lambda z: (z - both) / (2 * n), "singular": lambda z: (z - both) / (2 * n),
        "multinomial": lambda z: (softmax(z) - classes) / n}
    slope = slopes.get(kind, lambda z: (z - y[:, None]) / n)

    def soft(w, t):
        return np.sign(w) * np.maximum(np.abs(w) - t, 0)

    def group(w, t, axis):
        return w * np.maximum(0, 1 - t / np.maximum(np.sqrt((w * w).sum(axis, keepdims=True)), 1e-300))

    def spectral(w, t):
        u, s, v = np.linalg.svd(w, full_matrices=False)
        return u * np.maximum(s - t, 0) @ v

    operators = {
        "lasso": lambda w, t: soft(w, 0.1 * t), "lasso of a few": lambda w, t: soft(w, 0.3 * t),
        "elastic net": lambda w, t: soft(w, 0.06 * t) / (1 + 0.14 * t), "ridge": lambda w, t: w / (1 + 0.5 * t), "least squares": lambda w, t: w,
        "sum of penalties": lambda w, t: soft(w, 0.1 * t) / (1 + 0.05 * t), "weighted rows": lambda w, t: soft(w, 0.1 * t),
        "huber": lambda w, t: soft(w, 0.03 * t), "far huber": lambda w, t: soft(w, 0.003 * t), "logistic": lambda w, t: soft(w, 0.02 * t),
        "logistic elastic net": lambda w, t: soft(w, 0.025 * t) / (1 + 0.025 * t), "poisson": lambda w, t: w / (1 + 0.3 * t),
        "poisson lasso": lambda w, t: soft(w, 0.1 * t), "two outputs": lambda w, t: soft(w, 0.05 * t), "multinomial": lambda w, t: soft(w, 0.02 * t),
        "multinomial ridge": lambda w, t: w / (1 + 0.05 * t), "groups of inputs": lambda w, t: group(w, 0.05 * t, 1),
        "groups of outputs": lambda w, t: group(w, 0.1 * t, 0), "sparse groups": lambda w, t: group(soft(w, 0.032 * t), 0.048 * t, 1),
        "positive lasso": lambda w, t: soft(w, 0.1 * t), "box": lambda w, t: soft(w, 0.015 * t) / (1 + 0.035 * t), "logistic in a box": lambda w, t: soft(w, 0.01 * t),
        "multinomial in a box": lambda w, t: soft(w, 0.02 * t), "singular values": lambda w, t: spectral(w, 0.08 * t),
        "singular values and squares": lambda w, t: spectral(w, 0.03 * t) / (1 + 0.05 * t)}
    operator = operators[name]
    if name in BOXES:
        _, low, high = BOXES[name]
        return x, y, both, classes, count[:, 0], weight, slope, lambda w, t: np.clip(operator(w, t), low, high)
    return x, y, both, classes, count[:, 0], weight, slope, operator


def by_program(name):
    """A quantile's weights and bias by HiGHS, columns 0 and 6 as one; the objective."""
    import numpy as np
    from scipy.optimize import linprog
    table = np.array(rows())
    x, y, (q, strength, times) = table[:, [0, 1, 2, 3, 4, 5]], table[:, 8], QUANTILES[name]
    n, p = x.shape
    each = np.ones(n) / n
    if name == "least absolute deviations":
        each = (1 + np.abs(x[:, 1])) / (1 + np.abs(x[:, 1])).sum()
    _, low, high = BOXES.get(name, (None, -np.inf, np.inf))
    wide = np.array([2] + [1] * (p - 1))  # two equal columns have two boxes
    found = linprog(np.concatenate([np.full(2 * p, strength), [0, 0], times * q * each, times * (1 - q) * each]),
                    A_eq=np.hstack([x, -x, np.ones((n, 1)), -np.ones((n, 1)), np.eye(n), -np.eye(n)]), b_eq=y, method="highs",
                    bounds=[(0, high * k) for k in wide] + [(0, -low * k) for k in wide] + [(0, None)] * (2 + 2 * n),
                    options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10})
    w = found.x[:p] - found.x[p:2 * p]
    return np.concatenate([w, [0, 0]])[:, None], np.array([found.x[2 * p] - found.x[2 * p + 1]])


def residual(name, w, b):
    """How far a step of proximal gradients moves: 0 at a minimum."""
    import numpy as np
    if name in QUANTILES:
        return 0.0
    x, *_, slope, operator = problem(name)
    u = slope(x @ w + b)
    return float(max(np.abs(operator(w - x.T @ u, 1) - w).max(), np.abs(u.sum(0)).max()))


def by_hand(name):
    """Accelerated proximal gradients with restarts, on columns of mean 0."""
    import numpy as np
    if name in QUANTILES:
        return by_program(name)
    x, *_, slope, operator = problem(name)
    mean = x.mean(0)
    centered = np.hstack([x - mean, np.ones((len(x), 1))])
    c = int(CASES[name][0][1:-1])
    w = before = ahead = np.zeros((9, c))
    momentum = 1
    step = 1 / (np.linalg.norm(centered, 2) ** 2 / len(x) * (40 if name.startswith("poisson") else 3))
    for _ in range(400000):
        moved = ahead - step * (centered.T @ slope(centered @ ahead))
        w = np.vstack([operator(moved[:8], step), moved[8:]])
        up = ((ahead - w) * (w - before)).sum() > 0
        was, momentum = momentum, 1 if up else (1 + math.sqrt(1 + 4 * momentum ** 2)) / 2
        ahead = w if up else w + (was - 1) / momentum * (w - before)
        still = np.abs(w - before).max() < 1e-16
        before = w
        if still and momentum == 1:
            break
    return w[:8], w[8] - mean @ w[:8]


def by_library(name):
    """scikit-learn's, where it has the problem; None."""
    import numpy as np
    from sklearn import linear_model as m
    if name in ("median", "high quantile"):
        table = np.array(rows())
        known = m.QuantileRegressor(quantile=QUANTILES[name][0], alpha=QUANTILES[name][1], solver="highs").fit(table[:, :6], table[:, 8])
        return np.concatenate([known.coef_, [0, 0]])[:, None], np.array([known.intercept_])
    if name in QUANTILES:
        return None
    x, y, both, classes, count, weight, *_ = problem(name)
    tight = {"tol": 1e-15, "max_iter": 10 ** 6}
    models = {
        "lasso": (m.Lasso(alpha=0.1, **tight), y), "lasso of a few": (m.Lasso(alpha=0.3, **tight), y),
        "positive lasso": (m.Lasso(alpha=0.1, positive=True, **tight), y),
        "elastic net": (m.ElasticNet(alpha=0.2, l1_ratio=0.3, **tight), y), "ridge": (m.Ridge(alpha=0.5 * len(y), tol=1e-15), y),
        "two outputs": (m.MultiTaskLasso(alpha=0, **tight), None), "groups of inputs": (m.MultiTaskLasso(alpha=0.1, **tight), both),
        "logistic elastic net": (m.LogisticRegression(penalty="elasticnet", l1_ratio=0.5, C=1 / (0.05 * len(y)), solver="saga", tol=1e-14, max_iter=10 ** 6), y > 0),
        "poisson": (m.PoissonRegressor(alpha=0.3, tol=1e-14, max_iter=10 ** 6), count)}
    model, target = models.get(name, (None, None))
    if target is None:
        return None
    model.fit(x, target)
    w, b = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    return w.T, b


def make():
    import numpy as np
    out = {}
    for name in CASES:
        w, b = by_hand(name)
        known = by_library(name)
        if known:
            x = np.array(rows())[:, :8]
            near = np.abs(x @ (known[0] - w) + known[1] - b).max()
            assert near < 1e-5, (name, near)
        far = residual(name, w, b)
        assert far < 1e-9, (name, far)
        out[name] = {"weight": w.tolist(), "bias": b.tolist(), "known": bool(known), "residual": far}
        print(f"{name}: {far:.2g}", "as scikit-learn" if known else "")
    VALUES.write_text(json.dumps(out) + "\n")


if __name__ == "__main__":
    make()
