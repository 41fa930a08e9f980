#!/usr/bin/env python3
"""Makes models.json with PyTorch, in double precision: trainings of models that are made of models, each with its data, the weights
that it starts from and those that it ends with. Run by hand (Debian's python3-torch); the tests read only models.json."""
import json
from pathlib import Path

import torch

torch.manual_seed(5)
torch.set_default_dtype(torch.float64)
DATA = {"x": torch.randn(12, 3), "y": torch.randn(12)}
NET = "model net(x: [3]) -> [1] = x |> dense(4) as hidden |> tanh |> dense(1) as out\n"
LAYER = """layer lora(w: [i, o], rank: int 1.., alpha: number = 1) {
  param a: [i, rank] ~ he_normal(fan: i)
  param b: [rank, o] = 0
  stop(w) + alpha / rank * a @ b
}
"""


def net(p, x):
    return torch.tanh(x @ p["net.hidden.weight"] + p["net.hidden.bias"]) @ p["net.out.weight"] + p["net.out.bias"]


def mse(a, b):
    return (a[:, 0] - b).square().mean()


def start(**more):
    shapes = {"net.hidden.weight": (3, 4), "net.hidden.bias": (4,), "net.out.weight": (4, 1), "net.out.bias": (1,), **more}
    return {k: (0.7 * torch.randn(s)).requires_grad_() for k, s in shapes.items()}


def maml(p, x, y):
    """Finn, Abbeel & Levine 2017, eq. 1: the loss behind one inner step, differentiated through it."""
    inner = mse(net(p, x), y)
    g = dict(zip(p, torch.autograd.grad(inner, list(p.values()), create_graph=True)))
    return mse(net({k: w - 0.3 * g[k] for k, w in p.items()}, x), y)


def lora(p, x, y):
    """Hu et al. 2021, eq. 3, the weight held."""
    q = {k: w for k, w in p.items() if k.startswith("net.")}
    for k in ("net.hidden.weight", "net.out.weight"):
        name = k.replace("net.", "tuned.")
        q[k] = p[k].detach() + 0.5 * p[f"{name}.a"] @ p[f"{name}.b"]
    return mse(net(q, x), y) + 0.1 * q["net.hidden.weight"].square().sum()


def value(p, x, y):
    h = torch.tanh(2 * (x @ p["net.hidden.weight"] + p["net.hidden.bias"]))
    return mse(h @ p["net.out.weight"] + p["net.out.bias"], y)


def teacher(p, x, y, averages):
    """Tarvainen & Valpola 2017, the distance to the averaged model's predictions."""
    average = {k.replace("avg.", "net."): w for k, w in averages.items()}
    return mse(net(p, x), y) + 0.5 * (net(p, x) - net(average, x)).square().mean()


def followed(name, program, loss, p, steps=3, lr=0.2, decay=0.9):
    """Beside the model an average with weights decay, its state behind every second step and at the beginning."""
    first = {k: w.tolist() for k, w in p.items()}
    def copy(q, as_name):
        return {k.replace("net.", as_name): w.detach() for k, w in q.items()}
    average, second, begin = (copy(p, as_name) for as_name in ("avg.", "second.", "begin."))
    for k in range(steps):
        g = torch.autograd.grad(loss(p, averages=average, **DATA), list(p.values()))
        p = {k: (w - lr * d).detach().requires_grad_() for (k, w), d in zip(p.items(), g)}
        average = {k: decay * w + (1 - decay) * p[k.replace("avg.", "net.")].detach() for k, w in average.items()}
        if (k + 1) % 2 == 0:
            second = copy(p, "second.")
    end = {k: w.tolist() for q in (p, average, second, begin) for k, w in q.items()}
    return {"name": name, "program": program, "start": first, "end": end}


def trained(name, program, loss, p, steps=3, lr=0.2):
    first = {k: w.tolist() for k, w in p.items()}
    for _ in range(steps):
        g = torch.autograd.grad(loss(p, **DATA), list(p.values()), allow_unused=True)
        p = {k: (w - lr * d if d is not None else w).detach().requires_grad_() for (k, w), d in zip(p.items(), g)}
    return {"name": name, "program": program, "start": first, "end": {k: w.tolist() for k, w in p.items()}}


def clauses(loss):
    return f" on rows {{\n  {loss}\n  optimize sgd(lr: 0.2)\n  batch 12\n  epochs 3\n}}\n"


CASES = [
    trained("maml", NET + "fn inner(x, y) {\n  w = net.*\n  net at w - 0.3 * grad(mse(net(x), y), w)\n}\ntrain net"
            + clauses("loss mse((inner(x, y))(x), y)"), maml, start()),
    trained("lora", NET + LAYER + "model tuned = net with w in net.*.weight as lora(w, rank: 2)\ntrain tuned"
            + clauses("loss mse(tuned(x), y)\n  penalize : 0.1 * sum(seen(tuned).hidden.weight^2)"), lora,
            start(**{"tuned.hidden.weight.a": (3, 2), "tuned.hidden.weight.b": (2, 4), "tuned.out.weight.a": (4, 2),
                     "tuned.out.weight.b": (2, 1)})),
    followed("ema and snapshots", NET + "let avg = ema(net, decay: 0.9)\nlet second = snapshot(net, each: 2 steps)\n"
             "model begin = snapshot(net)\ntrain net"
             + clauses("loss mse(net(x), y) + 0.5 * mean((net(x) - avg(x))^2)"), teacher, start()),
    trained("value", NET + "model steep = net with h in net.hidden as 2 * h\ntrain steep" + clauses("loss mse(steep(x), y)"),
            value, start()),
]
Path(__file__).with_name("models.json").write_text(json.dumps(
    {"data": {k: v.tolist() for k, v in DATA.items()}, "cases": CASES}, indent=1) + "\n")
