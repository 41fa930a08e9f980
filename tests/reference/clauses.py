#!/usr/bin/env python3
"""What clauses of a training do to parameters behind their update, and the operators for it. Run by hand (Debian's python3-torch and
python3-sklearn), it writes clauses.json: proximal operators and projections of arrays, each compared here with its definition, the least
of 1/2 |u - w|^2 + t penalty(u), on many points around it; weights after trainings with `by prox` and `constrain`, by PyTorch; the lasso
of scikit-learn with its zeros. The tests read the file."""
import json
import math
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]
import updates

VALUES = Path(__file__).with_name("clauses.json")

TRAININGS = {
    "proximal steps and constraints": """
  loss     mean((critic(net(x[.., 3..5])) - y[.., new])^2)
  penalize w in net.*.weight : 0.05 * (1 + 0.2 * step) * l1(w) by prox
  penalize w in critic.*.weight : group_lasso(w, axis: 1) * 3e-2 / 2 by prox
  penalize w in *.bias : 1e-2 * l2(w)
  constrain w in critic.hidden.weight : clip_norm(w, 0.7, axis: 0)
  constrain w in net.*.weight : 0.99 * w
  optimize sgd(lr: 0.1 / (1 + 0.1 * step), momentum: 0.9)
""",
    "constraints where clauses act": """
  minimize mean((critic(net(x[.., 3..5])) - y[.., new])^2) over critic.* by adam(lr: 1e-2) when step != 2
  minimize mean((critic(net(x[.., 3..5])) - y[.., new])^2) over net.* by sgd(lr: 0.05) each 2 steps
  constrain w in *.weight except critic.out.weight : 0.9 * w + 0.01 * norm(critic.out.bias)
  constrain w in net.hidden.weight : nonnegative(w)
""",
    "proximal steps where clauses act": """
  loss     mean((critic(net(x[.., 3..5])) - y[.., new])^2)
  penalize w in *.weight : 0.1 * elastic_net(w, mix: 0.3) by prox
  optimize sgd(lr: 0.05) for net.*
  optimize sam(rho: 0.05, base: sgd(lr: 0.1)) for critic.* each 3 steps
""",
}
LASSO = """data d = csv("DATA", target: progression) |> standardize
model line(x: [10]) -> [1] = x |> dense(1) as out
train line on d {
  loss     squared_error(line(x), (progression - 152) / 10)
  penalize w in line.out.weight : 0.5 * l1(w) by prox
  optimize sgd(lr: RATE)
  batch    BATCH
  epochs   EPOCHS
}
"""
# Batch, epochs, rate, how near it comes to the solution.
LASSO_WAYS = {"gradient": (442, 3000, "0.2", 2e-5), "stochastic gradient": (50, 600, "0.05 / (1 + step / 200)", 2e-2)}


def array(n, seed=0.0):
    return [round(2.5 * math.sin(1.9 * i + seed + 0.37 * i * i), 2) for i in range(n)]


def nested(values, shape):
    if len(shape) == 1:
        return values
    n = math.prod(shape[1:])
    return [nested(values[i * n:(i + 1) * n], shape[1:]) for i in range(shape[0])]


# -- operators, with NumPy

def operators():
    """(expression, shape of w, t, penalty, operator): operator(w) is checked against the penalty, and the language against it."""
    import numpy as np

    def soft(w, t):
        return np.where(w > t, w - t, np.where(w < -t, w + t, 0))

    def groups(w, t, axis):
        n = np.sqrt((w * w).sum(axis, keepdims=True))
        return w * np.maximum(0, 1 - t / np.maximum(n, 1e-300))

    def length(w, axis):
        return np.sqrt((w * w).sum(axis)).sum()

    def nuclear(w, t):
        u, s, v = np.linalg.svd(w, full_matrices=False)
        return (u * np.maximum(s - t, 0)[..., None, :]) @ v

    def variation(w, t):
        """Its dual, min 1/2 |w - D' z|^2 for |z| <= t, by projected gradients with Nesterov's steps, row by row."""
        rows = []
        for y in w.reshape(-1, w.shape[-1]):
            d = np.diff(np.eye(len(y)), axis=0)
            z = z0 = np.zeros(len(y) - 1)
            for k in range(20000):
                x = z + k / (k + 3) * (z - z0)
                z0, z = z, np.clip(x - d @ (d.T @ x - y) / 4, -t, t)
            rows.append(y - d.T @ z)
        return np.array(rows).reshape(w.shape)

    def total(u):
        return np.abs(np.diff(u, axis=-1)).sum()

    def onto_simplex(w):
        """The root of sum(max(w - theta, 0)) = 1, by bisection."""
        low, high = w.min(-1, keepdims=True) - 1, w.max(-1, keepdims=True)
        for _ in range(200):
            middle = (low + high) / 2
            over = np.maximum(w - middle, 0).sum(-1, keepdims=True) > 1
            low, high = np.where(over, middle, low), np.where(over, high, middle)
        return np.maximum(w - low, 0)

    def largest(w):
        out = np.zeros(w.size)
        keep = np.argsort(-np.abs(w.ravel()), kind="stable")[:5]
        out[keep] = w.ravel()[keep]
        return out.reshape(w.shape)

    def clipped(w, axis):
        n = np.sqrt((w * w).sum(axis, keepdims=True))
        return np.where(n > 1.5, w * 1.5 / np.maximum(n, 1e-300), w)

    def inside(holds):
        return lambda u: 0 if holds(u) else math.inf

    l1, l2 = lambda u: np.abs(u).sum(), lambda u: (u * u).sum() / 2  # noqa: E731
    return [
        ("prox l1(w, 0.7)", (4, 3), 0.7, l1, lambda w: soft(w, 0.7)),
        ("prox l1(w, 0)", (4, 3), 0, l1, lambda w: w),
        ("prox l2(w, 0.7)", (4, 3), 0.7, l2, lambda w: w / 1.7),
        ("prox elastic_net(w, 0.7, mix: 0.3)", (4, 3), 0.7, lambda u: 0.3 * l1(u) + 0.7 * l2(u), lambda w: soft(w, 0.21) / 1.49),
        ("prox group_lasso(w, 2.5, axis: 0)", (4, 3), 2.5, lambda u: length(u, 0), lambda w: groups(w, 2.5, 0)),
        ("prox group_lasso(w, 2.5, axis: -1)", (2, 3, 2), 2.5, lambda u: length(u, -1), lambda w: groups(w, 2.5, -1)),
        ("prox sparse_group_lasso(w, 1.4, mix: 0.3, axis: 1)", (4, 3), 1.4, lambda u: 0.3 * l1(u) + 0.7 * length(u, 1), lambda w: groups(soft(w, 0.42), 0.98, 1)),
        ("prox nuclear_norm(w, 1.2)", (4, 3), 1.2, lambda u: np.linalg.svd(u, compute_uv=False).sum(), lambda w: nuclear(w, 1.2)),
        ("prox nuclear_norm(w, 1.2)", (2, 3, 4), 1.2, lambda u: np.linalg.svd(u, compute_uv=False).sum(), lambda w: nuclear(w, 1.2)),
        ("prox total_variation(w, 0.6)", (3, 9), 0.6, total, lambda w: variation(w, 0.6)),
        ("prox total_variation(w, 40)", (7,), 40, total, lambda w: variation(w, 40)),
        ("prox total_variation(w, 0.05)", (2, 2, 5), 0.05, total, lambda w: variation(w, 0.05)),
        ("prox l0(w, 0.7)", (4, 3), 0.7, lambda u: (u != 0).sum(), lambda w: np.where(np.abs(w) > math.sqrt(1.4), w, 0)),
        ("clamp(w, -0.5, 1)", (4, 3), 1, inside(lambda u: u.min() >= -0.5 and u.max() <= 1), lambda w: np.clip(w, -0.5, 1)),
        ("nonnegative(w)", (4, 3), 1, inside(lambda u: u.min() >= 0), lambda w: np.maximum(w, 0)),
        ("simplex(w)", (4, 5), 1, inside(lambda u: u.min() >= 0 and abs(u.sum(-1) - 1).max() < 1e-9), onto_simplex),
        ("simplex(w, axis: 0)", (4, 5), 1, inside(lambda u: u.min() >= 0 and abs(u.sum(0) - 1).max() < 1e-9), lambda w: onto_simplex(w.T).T),
        ("keep_largest(w, 5)", (4, 3), 1, inside(lambda u: (u != 0).sum() <= 5), largest),
        ("clip_norm(w, 1.5, axis: 0..2)", (4, 3), 1, inside(lambda u: (u * u).sum() <= 2.25 + 1e-9), lambda w: clipped(w, (0, 1))),
        ("clip_norm(w, 1.5, axis: 0)", (4, 3), 1, inside(lambda u: (u * u).sum(0).max() <= 2.25 + 1e-9), lambda w: clipped(w, 0)),
    ]


def operator_values():
    import numpy as np
    rng = np.random.default_rng(5)
    out = []
    for k, (text, shape, t, penalty, operator) in enumerate(operators()):
        w = np.array(array(math.prod(shape), k)).reshape(shape)
        u = operator(w)
        least = ((u - w) ** 2).sum() / 2 + t * penalty(u)
        for _ in range(3000):
            near = u + 10.0 ** rng.uniform(-5, 0.5) * rng.normal(size=shape) * (rng.random(shape) < rng.choice([0.1, 0.4, 1]))
            near = near * (1 if rng.random() < 0.5 else u != 0)
            here = ((near - w) ** 2).sum() / 2 + t * penalty(near)
            assert not here < least - 1e-9, (text, here, least)
        out.append({"expression": text, "inputs": {"w": w.tolist()}, "integers": [], "shape": list(shape), "value": u.ravel().tolist(), "gradients": {}})
    scores = np.array(array(21, 3)).reshape(7, 3)
    classes = list(scores.argmax(1))
    out.append({"expression": "balanced(argmax(z))", "inputs": {"z": scores.tolist()}, "integers": [], "shape": [7],
                "value": [1 / classes.count(k) for k in classes], "gradients": {}})
    return out


# -- trainings, with PyTorch

def training(name):
    import torch
    torch.set_default_dtype(torch.float64)
    table = torch.tensor(updates.rows())
    z, y = table[:, 3:5], table[:, 5:]
    w = {n: torch.tensor(v).reshape(updates.SHAPES[n]).requires_grad_() for n, v in updates.start().items()}

    def model(m, v):
        return torch.tanh(v @ w[f"{m}.hidden.weight"] + w[f"{m}.hidden.bias"]) @ w[f"{m}.out.weight"] + w[f"{m}.out.bias"]

    def fit():
        return (model("critic", model("net", z)) - y).pow(2).mean()

    def gradients(e, names):
        return dict(zip(names, torch.autograd.grad(e, [w[n] for n in names])))

    def put(n, value):
        with torch.no_grad():
            w[n].copy_(value)

    def soft(v, t):
        return torch.sign(v) * torch.clamp(v.abs() - t, min=0)

    def starting(*heads):
        return [n for n in w if n.startswith(heads)]

    moments = {n: torch.zeros_like(v) for n, v in w.items()}
    weights = [n for n in w if n.endswith("weight")]
    adam = torch.optim.Adam([w[n] for n in starting("critic")], lr=1e-2)
    for s in range(updates.STEPS):
        if name == "proximal steps and constraints":
            lr, l1 = 0.1 / (1 + 0.1 * s), 0.05 * (1 + 0.2 * s)
            g = gradients(fit() + 1e-2 * sum(w[n].pow(2).sum() / 2 for n in w if n.endswith("bias")), list(w))
            for n in w:
                moments[n] = 0.9 * moments[n] + g[n]
                v = w[n].detach() - lr * moments[n]
                if n in weights and n.startswith("net"):
                    v = 0.99 * soft(v, lr * l1)
                if n in weights and n.startswith("critic"):
                    v = v * torch.clamp(1 - lr * 1.5e-2 / v.norm(dim=1, keepdim=True), min=0)
                if n == "critic.hidden.weight":
                    v = v * torch.clamp(0.7 / v.norm(dim=0, keepdim=True), max=1)
                put(n, v)
        elif name == "constraints where clauses act":
            def constrain(heads):
                shift = 0.01 * w["critic.out.bias"].detach().norm()
                for n in weights:
                    if n.startswith(heads) and n != "critic.out.weight":
                        v = 0.9 * w[n].detach() + shift
                        put(n, v.clamp(min=0) if n == "net.hidden.weight" else v)
            if s != 2:
                for n, g in gradients(fit(), starting("critic")).items():
                    w[n].grad = g
                adam.step()
                constrain("critic")
            if (s + 1) % 2 == 0:
                for n, g in gradients(fit(), starting("net")).items():
                    put(n, w[n].detach() - 0.05 * g)
                constrain("net")
        else:
            now = {n: v.detach().clone() for n, v in w.items()}
            new = {n: now[n] - 0.05 * g for n, g in gradients(fit(), starting("net")).items()}
            rates = dict.fromkeys(new, 0.05)
            if (s + 1) % 3 == 0:
                g = gradients(fit(), starting("critic"))
                length = math.sqrt(sum(float((v * v).sum()) for v in g.values()))
                for n, v in g.items():
                    put(n, now[n] + 0.05 * v / (length + 1e-12))
                for n, v in gradients(fit(), starting("critic")).items():
                    new[n], rates[n] = now[n] - 0.1 * v, 0.1
            for n, v in new.items():
                t = rates[n] * 0.1
                put(n, soft(v, 0.3 * t) / (1 + 0.7 * t) if n in weights else v)
    return {n: v.detach().reshape(-1).tolist() for n, v in w.items()}


# -- the lasso of scikit-learn

def lasso():
    import numpy as np
    from sklearn.linear_model import Lasso
    table = np.loadtxt(Path(__file__).parents[2] / "examples/data/diabetes.csv", delimiter=",", skiprows=1)
    x, y = table[:, :10], (table[:, 10] - 152) / 10
    fit = Lasso(alpha=0.5, tol=1e-12, max_iter=100000).fit((x - x.mean(0)) / x.std(0), y)
    return {"weight": fit.coef_.tolist(), "bias": [float(fit.intercept_)]}


if __name__ == "__main__":
    VALUES.write_text(json.dumps({"operators": operator_values(), "trainings": {name: training(name) for name in TRAININGS}, "lasso": lasso()}) + "\n")
