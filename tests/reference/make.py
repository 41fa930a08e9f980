#!/usr/bin/env python3
"""Makes values.json with PyTorch: for each expression its arguments, its value and its gradients; for each optimizer the
weights after three steps of a tree of three tensors on a small quadratic. Run by hand when a case is added; the tests read only values.json."""
import json
from pathlib import Path

import torch
from torch.nn import functional as F

torch.manual_seed(20)


def arrays(**shapes):
    return {name: torch.randn(shape) for name, shape in shapes.items()}


LABELS = torch.tensor([0, 2, 1, 0, 2])
TARGETS = torch.tensor([0.0, 1, 1, 0, 1])
COUNTS = torch.tensor([0.0, 1, 3, 2, 5])


def group(w, axis):
    return w.square().sum(axis).sqrt().sum()


# expression of the language, arguments, the same in PyTorch, names to differentiate
EXPRESSIONS = [
    ("cross_entropy(z, y)", arrays(z=(5, 3)) | {"y": LABELS}, lambda z, y: F.cross_entropy(z, y), "z"),
    ("cross_entropy(z, y, smoothing: 0.1)", arrays(z=(5, 3)) | {"y": LABELS},
     lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1), "z"),
    ("soft_cross_entropy(z, softmax(t))", arrays(z=(5, 3), t=(5, 3)),
     lambda z, t: F.cross_entropy(z, t.softmax(-1)), "z,t"),
    ("binary_cross_entropy(z, y)", arrays(z=(5,)) | {"y": TARGETS},
     lambda z, y: F.binary_cross_entropy_with_logits(z, y), "z"),
    ("hinge(z, y)", arrays(z=(5, 3)) | {"y": LABELS},
     lambda z, y: (1 + z.masked_fill(F.one_hot(y, 3) > 0, -1e30).amax(-1) - z.gather(1, y[:, None])[:, 0]).relu().mean(), "z"),
    ("mse(p, y)", arrays(p=(5, 1), y=(5,)), lambda p, y: F.mse_loss(p[:, 0], y), "p,y"),
    ("squared_error(p, y)", arrays(p=(5, 1), y=(5,)), lambda p, y: F.mse_loss(p[:, 0], y) / 2, "p"),
    ("absolute_error(p, y)", arrays(p=(5, 1), y=(5,)), lambda p, y: F.l1_loss(p[:, 0], y), "p"),
    ("huber(p, y, delta: 0.7)", arrays(p=(5,), y=(5,)), lambda p, y: F.huber_loss(p, y, delta=0.7), "p,y"),
    ("poisson(p, y)", arrays(p=(5,)) | {"y": COUNTS}, lambda p, y: F.poisson_nll_loss(p, y), "p"),
    ("kl(softmax(a), softmax(b))", arrays(a=(5, 3), b=(5, 3)),
     lambda a, b: F.kl_div(b.log_softmax(-1), a.softmax(-1), reduction="batchmean"), "a,b"),
    ("l1(w)", arrays(w=(5, 3)), lambda w: w.abs().sum(), "w"),
    ("l2(w)", arrays(w=(5, 3)), lambda w: w.square().sum() / 2, "w"),
    ("elastic_net(w, mix: 0.3)", arrays(w=(5, 3)),
     lambda w: 0.3 * w.abs().sum() + 0.7 * w.square().sum() / 2, "w"),
    ("group_lasso(w, axis: 0)", arrays(w=(5, 3)), lambda w: group(w, 0), "w"),
    ("group_lasso(w, axis: 1)", arrays(w=(5, 3)), lambda w: group(w, 1), "w"),
    ("sparse_group_lasso(w, mix: 0.2, axis: 1)", arrays(w=(5, 3)),
     lambda w: 0.2 * w.abs().sum() + 0.8 * group(w, 1), "w"),
    ("orthogonality(w)", arrays(w=(5, 3)), lambda w: (w.T @ w - torch.eye(3)).square().sum(), "w"),
    ("confidence(z)", arrays(z=(5, 3)), lambda z: (z.softmax(-1) * z.log_softmax(-1)).sum(-1).mean(), "z"),
    ("total_variation(w)", arrays(w=(4, 6)), lambda w: w.diff().abs().sum(), "w"),
    ("gelu(x)", arrays(x=(4, 3)), F.gelu, "x"),
    ("elu(x, alpha: 1.3)", arrays(x=(4, 3)), lambda x: F.elu(x, 1.3), "x"),
    ("selu(x)", arrays(x=(4, 3)), F.selu, "x"),
    ("silu(x)", arrays(x=(4, 3)), F.silu, "x"),
    ("softplus(x)", arrays(x=(4, 3)), F.softplus, "x"),
    ("mish(x)", arrays(x=(4, 3)), F.mish, "x"),
    ("softmax(x) * s", arrays(x=(4, 3), s=(4, 3)), lambda x, s: x.softmax(-1) * s, "x"),
    ("log_softmax(x) * s", arrays(x=(4, 3), s=(4, 3)), lambda x, s: x.log_softmax(-1) * s, "x"),
    ("logsumexp(x)", arrays(x=(4, 3)), lambda x: x.logsumexp(-1), "x"),
    ("cosine_similarity(a, b)", arrays(a=(4, 3), b=(4, 3)), lambda a, b: F.cosine_similarity(a, b), "a,b"),
]

# A tree of three tensors: each optimizer makes three steps on sum(scale (w - aim)^2) + sum(coupling)^2, whose gradients
# differ in every element and step.
TREE = {"a": [[0.5, -1.0, 2.0], [0.0, 1.5, -0.25]], "b": [1.0, -2.0, 0.75, 0.1], "c": [0.3]}
AIM = {"a": [[1.0, 1.0, -1.0], [0.25, 0.0, 3.0]], "b": [0.5, 0.5, -1.0, 0.0], "c": [-1.0]}
SCALE = {"a": [[1.0, 0.3, 2.0], [5.0, 0.1, 1.0]], "b": [0.7, 1.3, 0.2, 3.0], "c": [0.5]}


def objective(tree):
    own = sum((torch.tensor(SCALE[k]) * (w - torch.tensor(AIM[k])).square()).sum() for k, w in tree.items())
    return own + 0.1 * sum(w.sum() for w in tree.values()).square()


class Torch:
    """An optimizer of PyTorch."""

    def __init__(self, make):
        self.make, self.optimizer = make, None

    def step(self, tree, gradient, t):
        if not self.optimizer:
            self.optimizer = self.make(list(tree.values()))
        for k, w in tree.items():
            w.grad = gradient[k]
        self.optimizer.step()


class Sam:
    """Foret et al. 2021, eq. 2-3: the gradient at w + rho g / |g|, that point a constant."""

    def __init__(self, rho, base):
        self.rho, self.base = rho, base

    def step(self, tree, gradient, t):
        length = torch.stack([g.square().sum() for g in gradient.values()]).sum().sqrt()
        there = {k: (w + self.rho * gradient[k] / length).detach().requires_grad_() for k, w in tree.items()}
        self.base.step(tree, gradient_of(there), t)


class Formula:
    """w <- rule(w, g, state, t) for each tensor; t counts updates from 1."""

    def __init__(self, rule):
        self.rule, self.states = rule, {}

    def step(self, tree, gradient, t):
        with torch.no_grad():
            for k, w in tree.items():
                w.copy_(self.rule(w, gradient[k], self.states.setdefault(k, {}), t))


def lion(lr, b1, b2, decay):
    def rule(w, g, s, t):
        m = s.get("m", torch.zeros_like(w))
        s["m"] = b2 * m + (1 - b2) * g
        return w - lr * ((b1 * m + (1 - b1) * g).sign() + decay * w)
    return rule


def sgdw(lr, momentum, nesterov, decay):
    def rule(w, g, s, t):
        s["v"] = momentum * s.get("v", torch.zeros_like(w)) + g
        return w - lr * (g + momentum * s["v"] if nesterov else s["v"]) - lr * decay * w
    return rule


OPTIMIZERS = [
    ("sgd(lr: 0.05)", Torch(lambda w: torch.optim.SGD(w, lr=0.05))),
    ("sgd(lr: 0.05, momentum: 0.9)", Torch(lambda w: torch.optim.SGD(w, lr=0.05, momentum=0.9))),
    ("sgd(lr: 0.05, momentum: 0.9, nesterov: true, weight_decay: 0.1)",
     Torch(lambda w: torch.optim.SGD(w, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1))),
    ("sgdw(lr: 0.05, momentum: 0.8, weight_decay: 0.3)", Formula(sgdw(0.05, 0.8, False, 0.3))),
    ("sgdw(lr: 0.05, nesterov: true, weight_decay: 0.1)", Formula(sgdw(0.05, 0.9, True, 0.1))),
    ("adam(lr: 0.1)", Torch(lambda w: torch.optim.Adam(w, lr=0.1))),
    ("adam(lr: 0.1, b1: 0.8, b2: 0.95, eps: 1e-6)",
     Torch(lambda w: torch.optim.Adam(w, lr=0.1, betas=(0.8, 0.95), eps=1e-6))),
    ("adam(lr: 0.1, b1: 0.99, b2: 0.999999)", Torch(lambda w: torch.optim.Adam(w, lr=0.1, betas=(0.99, 0.999999)))),
    ("adamw(lr: 0.1, weight_decay: 0.2)", Torch(lambda w: torch.optim.AdamW(w, lr=0.1, weight_decay=0.2))),
    ("rmsprop(lr: 0.02)", Torch(lambda w: torch.optim.RMSprop(w, lr=0.02))),
    ("rmsprop(lr: 0.02, decay: 0.9, eps: 1e-3)",
     Torch(lambda w: torch.optim.RMSprop(w, lr=0.02, alpha=0.9, eps=1e-3))),
    ("adagrad(lr: 0.1)", Torch(lambda w: torch.optim.Adagrad(w, lr=0.1))),
    ("lion(lr: 0.02, b1: 0.8, b2: 0.95, weight_decay: 0.5)", Formula(lion(0.02, 0.8, 0.95, 0.5))),
    ("sam(rho: 0.5, base: sgd(lr: 0.05, momentum: 0.9))",
     Sam(0.5, Torch(lambda w: torch.optim.SGD(w, lr=0.05, momentum=0.9)))),
    ("sam(rho: 0.2, base: adam(lr: 0.1))", Sam(0.2, Torch(lambda w: torch.optim.Adam(w, lr=0.1)))),
]


def expression_case(text, inputs, function, names):
    inputs = {k: v.clone().requires_grad_(k in names.split(",")) for k, v in inputs.items()}
    value = function(*inputs.values())
    gradients = torch.autograd.grad(value.sum(), [inputs[k] for k in names.split(",")])
    return {"expression": text, "inputs": {k: v.tolist() for k, v in inputs.items()},
            "integers": [k for k, v in inputs.items() if not v.is_floating_point()],
            "shape": list(value.shape), "value": value.detach().flatten().tolist(),
            "gradients": {k: g.flatten().tolist() for k, g in zip(names.split(","), gradients)}}


def gradient_of(tree):
    return dict(zip(tree, torch.autograd.grad(objective(tree), list(tree.values()))))


def optimizer_case(text, optimizer, steps=3):
    """In double precision: what is compared is the library's formula, not PyTorch's rounding."""
    tree = {k: torch.tensor(v, requires_grad=True) for k, v in TREE.items()}
    for t in range(steps):
        optimizer.step(tree, gradient_of(tree), t + 1)
    return {"optimizer": text, "weights": {k: w.flatten().tolist() for k, w in tree.items()}}


def main():
    expressions = [expression_case(*c) for c in EXPRESSIONS]
    torch.set_default_dtype(torch.float64)
    result = {"expressions": expressions, "tree": {"start": TREE, "aim": AIM, "scale": SCALE, "steps": 3},
              "optimizers": [optimizer_case(*c) for c in OPTIMIZERS]}
    Path(__file__).with_name("values.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
