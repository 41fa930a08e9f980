#!/usr/bin/env python3
"""Trainings with several updates in a step, against PyTorch from equal weights: an adversarial pair, two optimizers on one
objective, clauses that act one behind the other, objectives that are minimized together. Run by hand (Debian's python3-torch), it
writes updates.json: start and end of each; the tests read that. Batches are whole passes, so the order of rows is no matter."""
import json
import math
from pathlib import Path

VALUES = Path(__file__).with_name("updates.json")
ROWS, STEPS = 24, 13
MODELS = """data d = csv("rows.csv", target: y)
model net(z: [2]) -> [3] = z |> dense(4) as hidden |> tanh |> dense(3) as out
model critic(x: [3]) -> [1] = x |> dense(5) as hidden |> tanh |> dense(1) as out
"""
SHAPES = {"net.hidden.weight": [2, 4], "net.hidden.bias": [4], "net.out.weight": [4, 3], "net.out.bias": [3],
          "critic.hidden.weight": [3, 5], "critic.hidden.bias": [5], "critic.out.weight": [5, 1], "critic.out.bias": [1]}
HEAD = "train net, critic on d as t {\n  batch 24\n  epochs 13\n"
CLAUSES = {
    "an adversarial pair": """
  minimize mean(softplus(critic(net(x[.., 3..5])))) + mean(softplus(-critic(x[.., 0..3]))) over critic.* by adam(lr: 1e-2, b1: 0.5)
  minimize mean(softplus(-critic(net(x[.., 3..5])))) over net.* by adam(lr: 2e-2, b1: 0.5) as generator each 2 steps
""",
    "a critic with a gradient penalty": """
  minimize mean(critic(net(x[.., 3..5]))) - mean(critic(x[.., 0..3])) + 10 * mean((row_norm(slope(x[.., 0..3])) - 1)^2) over critic.* by adam(lr: 1e-2)
  minimize -mean(critic(net(x[.., 3..5]))) over net.* by sgd(lr: 0.1) when step >= 3 and step != 6
""",
    "two optimizers on one objective": """
  loss     mean((critic(net(x[.., 3..5])) - y[.., new])^2)
  penalize w in *.weight : 1e-2 * l2(w)
  optimize sgd(lr: 0.05, momentum: 0.9) for net.*, critic.out.bias as first
  optimize adam(lr: 1e-2) for critic.* except critic.out.bias as second each 3 steps
""",
    "one behind the other": """
  optimize adam(lr: 1e-2) for critic.*
  loss     mean((critic(net(x[.., 3..5])) - y[.., new])^2)
  minimize mean((critic(net(x[.., 3..5])) - y[.., new])^2) + 0.1 * mean(net(x[.., 3..5])^2) over net.* by sam(rho: 0.05, base: sgd(lr: 0.05))
  minimize mean((critic(net(x[.., 3..5])) + 0.5)^2) over net.out.*, critic.out.* by adam(lr: 1e-2)
""",
    "one behind the other, by lines": """
  made = net(x[.., 3..5])
  out = critic(made)
  far = out - y[.., new]
  optimize adam(lr: 1e-2) for critic.*
  loss     mean(far^2)
  minimize mean(far^2) + 0.1 * mean(made^2) over net.* by sam(rho: 0.05, base: sgd(lr: 0.05))
  minimize mean((out + 0.5)^2) over net.out.*, critic.out.* by adam(lr: 1e-2)
""",
    "together": """
  minimize mean(critic(net(x[.., 3..5]))^2) over net.hidden.*, mean((critic(x[.., 0..3]) - net(x[.., 3..5]))^2) over critic.* except critic.hidden.bias by adam(lr: 1e-2)
  freeze   net.out.*, critic.hidden.bias
""",
}
SLOPE = """fn slope(r) { q = r; grad(sum(critic(q)), q) }
fn row_norm(g) = sqrt(sum(g^2, axis: -1))
"""


def rows():
    """The same numbers everywhere: r1, r2, r3, z1, z2, y of each row."""
    return [[round(math.sin(1.7 * i + 2.3 * k * k + k), 3) for k in range(6)] for i in range(ROWS)]


def start():
    return {name: [round(0.6 * math.sin(3 * n + 1.3 * k + 0.4), 3) for k in range(math.prod(shape))]
            for n, (name, shape) in enumerate(SHAPES.items())}


def program(clauses):
    return MODELS + SLOPE * ("slope" in clauses) + HEAD + clauses + "}\n"


# -- with PyTorch

def expected(name):
    import torch
    torch.set_default_dtype(torch.float64)
    softplus, table = torch.nn.functional.softplus, torch.tensor(rows())
    r, z, y = table[:, :3], table[:, 3:5], table[:, 5:]
    w = {n: torch.tensor(v).reshape(SHAPES[n]).requires_grad_() for n, v in start().items()}

    def model(m, v):
        return torch.tanh(v @ w[f"{m}.hidden.weight"] + w[f"{m}.hidden.bias"]) @ w[f"{m}.out.weight"] + w[f"{m}.out.bias"]

    def net():
        return model("net", z)

    def critic(v):
        return model("critic", v)

    def named(*starts, but=()):
        return [w[n] for n in w if n.startswith(starts) and n not in but]

    def step(optimizer, objective, parameters, rho=0.0):
        gradients = torch.autograd.grad(objective(), parameters)
        if rho:
            norm = math.sqrt(sum(float((g * g).sum()) for g in gradients))
            with torch.no_grad():
                moves = [rho * g / (norm + 1e-12) for g in gradients]
                for p, m in zip(parameters, moves):
                    p += m
            gradients = torch.autograd.grad(objective(), parameters)
            with torch.no_grad():
                for p, m in zip(parameters, moves):
                    p -= m
        return lambda: apply(optimizer, parameters, gradients)

    def apply(optimizer, parameters, gradients):
        for p, g in zip(parameters, gradients):
            p.grad = g
        optimizer.step()
        for p in parameters:
            p.grad = None

    def penalty():
        q = r.clone().requires_grad_()
        g, = torch.autograd.grad(critic(q).sum(), q, create_graph=True)
        return 10 * (g.pow(2).sum(-1).sqrt() - 1).pow(2).mean()

    adam, sgd = torch.optim.Adam, torch.optim.SGD
    fit = lambda: (critic(net()) - y).pow(2).mean()  # noqa: E731
    if name == "an adversarial pair":
        c, g = named("critic"), named("net")
        oc, og = adam(c, lr=1e-2, betas=(0.5, 0.999)), adam(g, lr=2e-2, betas=(0.5, 0.999))
        for s in range(STEPS):
            step(oc, lambda: softplus(critic(net())).mean() + softplus(-critic(r)).mean(), c)()
            if (s + 1) % 2 == 0:
                step(og, lambda: softplus(-critic(net())).mean(), g)()
    elif name == "a critic with a gradient penalty":
        c, g = named("critic"), named("net")
        oc, og = adam(c, lr=1e-2), sgd(g, lr=0.1)
        for s in range(STEPS):
            step(oc, lambda: critic(net()).mean() - critic(r).mean() + penalty(), c)()
            if s >= 3 and s != 6:
                step(og, lambda: -critic(net()).mean(), g)()
    elif name == "two optimizers on one objective":
        first = named("net", "critic.out.bias")
        second = named("critic", but=["critic.out.bias"])
        o1, o2 = sgd(first, lr=0.05, momentum=0.9), adam(second, lr=1e-2)

        def whole():
            return fit() + 1e-2 * sum(w[n].pow(2).sum() / 2 for n in w if n.endswith("weight"))
        for s in range(STEPS):
            acts = [step(o1, whole, first), step(o2, whole, second)]
            acts[0]()
            if (s + 1) % 3 == 0:
                acts[1]()
    elif name.startswith("one behind the other"):
        c, g, both = named("critic"), named("net"), named("net.out", "critic.out")
        o1, o2, o3 = adam(c, lr=1e-2), sgd(g, lr=0.05), adam(both, lr=1e-2)
        for _ in range(STEPS):
            step(o1, fit, c)()
            step(o2, lambda: fit() + 0.1 * net().pow(2).mean(), g, rho=0.05)()
            step(o3, lambda: (critic(net()) + 0.5).pow(2).mean(), both)()
    else:
        g, c = named("net.hidden"), named("critic", but=["critic.hidden.bias"])
        o1, o2 = adam(g, lr=1e-2), adam(c, lr=1e-2)
        for _ in range(STEPS):
            acts = [step(o1, lambda: critic(net()).pow(2).mean(), g), step(o2, lambda: (critic(r) - net()).pow(2).mean(), c)]
            for act in acts:
                act()
    return {n: v.detach().reshape(-1).tolist() for n, v in w.items()}


if __name__ == "__main__":
    VALUES.write_text(json.dumps({name: expected(name) for name in CLAUSES}, indent=1) + "\n")
