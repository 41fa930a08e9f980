#!/usr/bin/env python3
"""Makes values.json with PyTorch: for each expression its arguments, its value and its gradients; for each optimizer the
weights after ten steps on a small quadratic. Run by hand when a case is added; the tests read only values.json."""
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

START, AIM, SCALE = [0.5, -1.0, 2.0, 0.0], [1.0, 1.0, -1.0, 0.25], [1.0, 0.3, 2.0, 5.0]
OPTIMIZERS = [
    ("sgd(lr: 0.05)", lambda w: torch.optim.SGD(w, lr=0.05)),
    ("sgd(lr: 0.05, momentum: 0.9)", lambda w: torch.optim.SGD(w, lr=0.05, momentum=0.9)),
    ("sgd(lr: 0.05, momentum: 0.9, nesterov: true, weight_decay: 0.1)",
     lambda w: torch.optim.SGD(w, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1)),
    ("adam(lr: 0.1)", lambda w: torch.optim.Adam(w, lr=0.1)),
    ("adam(lr: 0.1, b1: 0.8, b2: 0.95, eps: 1e-6)",
     lambda w: torch.optim.Adam(w, lr=0.1, betas=(0.8, 0.95), eps=1e-6)),
    ("adamw(lr: 0.1, weight_decay: 0.2)", lambda w: torch.optim.AdamW(w, lr=0.1, weight_decay=0.2)),
    ("rmsprop(lr: 0.02)", lambda w: torch.optim.RMSprop(w, lr=0.02)),
    ("adagrad(lr: 0.1)", lambda w: torch.optim.Adagrad(w, lr=0.1)),
]


def expression_case(text, inputs, function, names):
    inputs = {k: v.clone().requires_grad_(k in names.split(",")) for k, v in inputs.items()}
    value = function(*inputs.values())
    gradients = torch.autograd.grad(value.sum(), [inputs[k] for k in names.split(",")])
    return {"expression": text, "inputs": {k: v.tolist() for k, v in inputs.items()},
            "integers": [k for k, v in inputs.items() if not v.is_floating_point()],
            "shape": list(value.shape), "value": value.detach().flatten().tolist(),
            "gradients": {k: g.flatten().tolist() for k, g in zip(names.split(","), gradients)}}


def optimizer_case(text, make, steps=10):
    w = torch.tensor(START, requires_grad=True)
    optimizer = make([w])
    for _ in range(steps):
        optimizer.zero_grad()
        (torch.tensor(SCALE) * (w - torch.tensor(AIM)).square()).sum().backward()
        optimizer.step()
    return {"optimizer": text, "steps": steps, "start": START, "aim": AIM, "scale": SCALE, "weights": w.tolist()}


def main():
    result = {"expressions": [expression_case(*c) for c in EXPRESSIONS],
              "optimizers": [optimizer_case(*c) for c in OPTIMIZERS]}
    Path(__file__).with_name("values.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
