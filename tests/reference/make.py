#!/usr/bin/env python3
"""Makes values.json with PyTorch, in double precision: for each expression of library.py its arguments, value and gradients; for
each optimizer the weights after three steps of a tree of three tensors on a small quadratic; for each layer with parameters what
it makes of rows, before and after steps; for each schedule its value at every step. Run by hand (Debian's python3-torch) when a
case is added; the tests read only values.json."""
import json
import math
from pathlib import Path

import torch
from torch.nn import functional as F

torch.manual_seed(20)
torch.set_default_dtype(torch.float64)
import language_model  # noqa: E402
from library import EXPRESSIONS, PROGRAM, arrays  # noqa: E402 - draws its arrays behind the seed

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


class Ahead:
    """The gradient at w - lr g, for a step from there (twice) or from w (extragradient)."""

    def __init__(self, lr, from_there):
        self.lr, self.from_there = lr, from_there

    def step(self, tree, gradient, t):
        there = {k: (w - self.lr * gradient[k]).detach().requires_grad_() for k, w in tree.items()}
        again = gradient_of(there)
        with torch.no_grad():
            for k, w in tree.items():
                w.copy_((there[k] if self.from_there else w) - self.lr * again[k])


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


def ratio(a, b):
    return a / b if a > 0 and b > 0 else 1.0


def lars(lr, momentum, decay, trust):
    """You, Gitman & Ginsburg 2017, with the rate inside of the momentum as in their section 4."""
    def rule(w, g, s, t):
        local = ratio(trust * w.norm(), g.norm() + decay * w.norm())
        s["v"] = momentum * s.get("v", torch.zeros_like(w)) + lr * local * (g + decay * w)
        return w - s["v"]
    return rule


def lamb(lr, b1, b2, eps, decay):
    def rule(w, g, s, t):
        s["m"] = b1 * s.get("m", torch.zeros_like(w)) + (1 - b1) * g
        s["v"] = b2 * s.get("v", torch.zeros_like(w)) + (1 - b2) * g.square()
        u = s["m"] / (1 - b1 ** t) / ((s["v"] / (1 - b2 ** t)).sqrt() + eps) + decay * w
        return w - lr * ratio(w.norm(), u.norm()) * u
    return rule


def adafactor(lr, clip=1.0, eps=1e-3, decay=0.0):
    """Shazeer & Stern 2018, algorithms 4 and 2; a vector has its second moment itself."""
    def rule(w, g, s, t):
        share, square = 1 - t ** -0.8, g.square() + 1e-30
        keep = lambda name, x: s.update({name: share * s.get(name, torch.zeros_like(x)) + (1 - share) * x})
        if w.dim() == 1:
            keep("v", square)
            v = s["v"]
        else:
            keep("r", square.mean(1))
            keep("c", square.mean(0))
            v = torch.outer(s["r"], s["c"]) / s["r"].mean()
        rms = lambda x: x.square().mean().sqrt()
        u = g / v.sqrt()
        return w - lr * decay * w - min(lr, t ** -0.5) * max(eps, rms(w)) * u / max(1, rms(u) / clip)
    return rule


class ByRank(Formula):
    """A rule made with 1 for matrices and 0 for vectors: which of them decay."""

    def __init__(self, make):
        super().__init__(lambda w, g, s, t: make(float(w.dim() > 1))(w, g, s, t))


class Around:
    """Another optimizer, with what `change` makes of weights and gradients."""

    def __init__(self, base, change):
        self.base, self.change = base, change

    def step(self, tree, gradient, t):
        self.base.step(tree, self.change(tree, gradient), t)


def by_norm(limit):
    def change(tree, g):
        length = torch.stack([x.square().sum() for x in g.values()]).sum().sqrt()
        return {k: x * min(1, limit / length) for k, x in g.items()}
    return change


def by_unit(limit, eps):
    """Brock et al. 2021: a unit is a column, or a vector as a whole."""
    def length(x):
        return x.detach().norm(dim=0, keepdim=True) if x.dim() > 1 else x.detach().norm()
    return lambda tree, g: {k: x * (limit * length(tree[k]).clamp(min=eps) / length(x)).clamp(max=1) for k, x in g.items()}


class Lookahead:
    """Zhang et al. 2019, algorithm 1."""

    def __init__(self, base, every, share):
        self.base, self.every, self.share, self.slow = base, every, share, None

    def step(self, tree, gradient, t):
        self.slow = self.slow or {k: w.detach().clone() for k, w in tree.items()}
        self.base.step(tree, gradient, t)
        with torch.no_grad():
            for k, w in tree.items() if t % self.every == 0 else ():
                self.slow[k] += self.share * (w - self.slow[k])
                w.copy_(self.slow[k])


class Accumulate:
    def __init__(self, base, every):
        self.base, self.every, self.sum = base, every, None

    def step(self, tree, gradient, t):
        self.sum = {k: g + self.sum[k] for k, g in gradient.items()} if self.sum else gradient
        if t % self.every == 0:
            self.base.step(tree, {k: g / self.every for k, g in self.sum.items()}, t // self.every)
            self.sum = None


def matrices_decay(share):
    """Coupled, of weights alone."""
    return lambda tree, g: {k: x + share * tree[k].detach() * (x.dim() > 1) for k, x in g.items()}


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
    ("twice(lr: 0.05)", Ahead(0.05, True)),
    ("extragradient(lr: 0.05)", Ahead(0.05, False)),
    ("sam(rho: 0.2, base: adam(lr: 0.1))", Sam(0.2, Torch(lambda w: torch.optim.Adam(w, lr=0.1)))),
    ("nadam(lr: 0.1)", Torch(lambda w: torch.optim.NAdam(w, lr=0.1, foreach=True))),
    ("nadam(lr: 0.1, b1: 0.8, b2: 0.95, eps: 1e-3)", Torch(lambda w: torch.optim.NAdam(w, lr=0.1, betas=(0.8, 0.95), eps=1e-3, foreach=True))),
    ("adamax(lr: 0.1)", Torch(lambda w: torch.optim.Adamax(w, lr=0.1))),
    ("adamax(lr: 0.1, b1: 0.8, b2: 0.3, eps: 0.1)", Torch(lambda w: torch.optim.Adamax(w, lr=0.1, betas=(0.8, 0.3), eps=0.1))),
    ("amsgrad(lr: 0.1)", Torch(lambda w: torch.optim.Adam(w, lr=0.1, amsgrad=True))),
    ("amsgrad(lr: 0.3, b1: 0.5, b2: 0.2, eps: 0.01)", Torch(lambda w: torch.optim.Adam(w, lr=0.3, betas=(0.5, 0.2), eps=0.01, amsgrad=True))),
    ("radam(lr: 0.1)", Torch(lambda w: torch.optim.RAdam(w, lr=0.1)), 8),
    ("radam(lr: 0.1, b1: 0.8, b2: 0.95, eps: 1e-4)", Torch(lambda w: torch.optim.RAdam(w, lr=0.1, betas=(0.8, 0.95), eps=1e-4)), 8),
    ("adadelta", Torch(lambda w: torch.optim.Adadelta(w))),
    ("adadelta(lr: 0.5, rho: 0.5, eps: 1e-2)", Torch(lambda w: torch.optim.Adadelta(w, lr=0.5, rho=0.5, eps=1e-2))),
    ("lars(lr: 2, trust: 0.1)", Formula(lars(2, 0.9, 0, 0.1))),
    ("lars(lr: 1, momentum: 0.5, weight_decay: 0.2, trust: 0.1)", Formula(lars(1, 0.5, 0.2, 0.1))),
    ("lamb(lr: 0.1)", Formula(lamb(0.1, 0.9, 0.999, 1e-6, 0))),
    ("lamb(lr: 0.1, b1: 0.8, b2: 0.9, eps: 1e-3, weight_decay: 0.5)", Formula(lamb(0.1, 0.8, 0.9, 1e-3, 0.5))),
    *[(text.replace(")", ", decay: weights(net))"), ByRank(make)) for text, make in (
        ("sgdw(lr: 0.05, momentum: 0.8, weight_decay: 0.3)", lambda d: sgdw(0.05, 0.8, False, d * 0.3)),
        ("lion(lr: 0.02, b1: 0.8, b2: 0.95, weight_decay: 0.5)", lambda d: lion(0.02, 0.8, 0.95, d * 0.5)),
        ("lars(lr: 1, momentum: 0.5, weight_decay: 0.2, trust: 0.1)", lambda d: lars(1, 0.5, d * 0.2, 0.1)),
        ("lamb(lr: 0.1, weight_decay: 0.5)", lambda d: lamb(0.1, 0.9, 0.999, 1e-6, d * 0.5)),
        ("adafactor(weight_decay: 0.5)", lambda d: adafactor(1e-2, decay=d * 0.5)))],
    ("sgd(lr: 0.05, momentum: 0.9, weight_decay: 0.3, decay: weights(net))",
     Around(Torch(lambda w: torch.optim.SGD(w, lr=0.05, momentum=0.9)), matrices_decay(0.3))),
    ("rmsprop(lr: 0.02) |> decayed(0.1)", Torch(lambda w: torch.optim.RMSprop(w, lr=0.02, weight_decay=0.1))),
    ("nadam(lr: 0.1) |> decayed(0.2, decay: weights(net))", Around(Torch(lambda w: torch.optim.NAdam(w, lr=0.1, foreach=True)), matrices_decay(0.2))),
    ("adafactor", Formula(adafactor(1e-2))),
    ("adafactor(lr: 0.8, clip: 0.3, eps: 1, weight_decay: 0.1)", Formula(adafactor(0.8, 0.3, 1, 0.1)), 5),
    ("clip_by_norm(sgd(lr: 0.05, momentum: 0.9), limit: 2)",
     Around(Torch(lambda w: torch.optim.SGD(w, lr=0.05, momentum=0.9)), by_norm(2))),
    ("adam(lr: 0.1) |> clip_by_norm(1e9)", Torch(lambda w: torch.optim.Adam(w, lr=0.1))),
    ("sgd(lr: 0.05) |> clip_by_value(0.7)",
     Around(Torch(lambda w: torch.optim.SGD(w, lr=0.05)), lambda tree, g: {k: x.clamp(-0.7, 0.7) for k, x in g.items()})),
    ("sgd(lr: 0.5) |> clip_by_unit(limit: 0.3)", Around(Torch(lambda w: torch.optim.SGD(w, lr=0.5)), by_unit(0.3, 1e-3))),
    ("sgd(lr: 0.5) |> clip_by_unit(limit: 0.3, eps: 2)", Around(Torch(lambda w: torch.optim.SGD(w, lr=0.5)), by_unit(0.3, 2))),
    ("adam(lr: 0.1) |> lookahead(every: 2)", Lookahead(Torch(lambda w: torch.optim.Adam(w, lr=0.1)), 2, 0.5)),
    ("lookahead(sgd(lr: 0.05, momentum: 0.9), every: 1, share: 0.8)",
     Lookahead(Torch(lambda w: torch.optim.SGD(w, lr=0.05, momentum=0.9)), 1, 0.8)),
    ("adam(lr: 0.1) |> accumulate(every: 2)", Accumulate(Torch(lambda w: torch.optim.Adam(w, lr=0.1)), 2), 7),
    ("sam(rho: 0.2, base: adam(lr: 0.1) |> clip_by_value(1) |> accumulate(every: 3))",
     Sam(0.2, Accumulate(Around(Torch(lambda w: torch.optim.Adam(w, lr=0.1)), lambda tree, g: {k: x.clamp(-1, 1) for k, x in g.items()}), 3)), 7),
]


def expression_case(text, inputs, function, names):
    names = [n for n in names.split(",") if n]
    inputs = {k: v.clone().requires_grad_(k in names) for k, v in inputs.items()}
    value = function(*inputs.values())
    gradients = torch.autograd.grad(value.sum(), [inputs[k] for k in names]) if names else []
    return {"expression": text, "inputs": {k: v.tolist() for k, v in inputs.items()},
            "integers": [k for k, v in inputs.items() if not v.is_floating_point()],
            "shape": list(value.shape), "value": value.detach().flatten().tolist(),
            "gradients": {k: g.flatten().tolist() for k, g in zip(names, gradients)}}


def gradient_of(tree):
    return dict(zip(tree, torch.autograd.grad(objective(tree), list(tree.values()))))


def optimizer_case(text, optimizer, steps=3):
    """In double precision: what is compared is the library's formula, not PyTorch's rounding."""
    tree = {k: torch.tensor(v, requires_grad=True) for k, v in TREE.items()}
    for t in range(steps):
        optimizer.step(tree, gradient_of(tree), t + 1)
    return {"optimizer": text, "steps": steps, "weights": {k: w.flatten().tolist() for k, w in tree.items()}}


# Layers with parameters: called on a batch of rows; one step of sgd(lr: 1) on half the sum of (out * factor)^2 is made, and what
# the layer then makes of the rows in evaluation mode is compared too.
def normalized(x, eps, centre):
    x = x - x.mean(-1, keepdim=True) if centre else x
    return x / (x.square().mean(-1, keepdim=True) + eps).sqrt()


def batch_normalized(x, eps):
    return (x - x.mean(0)) / (x.var(0, unbiased=False) + eps).sqrt()


def running(x, momentum, eps):
    """The evaluation mode after one batch, from running means 0 and variances 1."""
    mean, variance = (1 - momentum) * x.mean(0), momentum + (1 - momentum) * x.var(0)
    return lambda again: (again - mean) / (variance + eps).sqrt()


def lstm(x, weight, recurrent, bias, recurrent_bias=torch.zeros(8), **_):
    h = torch.zeros(1, len(x), 2)
    return torch._VF.lstm(x, (h, h), [weight.T, recurrent.T, bias, recurrent_bias], True, 1, 0.0, False, False, True)[0]


def gru(x, weight, recurrent, bias, recurrent_bias):
    return torch._VF.gru(x, torch.zeros(1, len(x), 2), [weight.T, recurrent.T, bias, recurrent_bias], True, 1, 0.0, False, False, True)[0]


def rnn(x, weight, recurrent, bias, f="tanh"):
    how = torch._VF.rnn_tanh if f == "tanh" else torch._VF.rnn_relu
    return how(x, torch.zeros(1, len(x), 2), [weight.T, recurrent.T, bias, torch.zeros(2)], True, 1, 0.0, False, False, True)[0]


def of_cell(f):
    """Parameters lie in the layer's cell; a row is a sequence of three steps."""
    return lambda x, **p: f(x.reshape(-1, 3, 3), **{k.removeprefix("cell."): v for k, v in p.items()}).reshape(-1, 6)


SEQUENCES = "= reshape(reshape(x, [-1, 3, 3]) |> {call} as f, [-1, 6])"
GATES = {"weight": (3, 8), "recurrent": (2, 8), "bias": (8,)}
GRU = {"weight": (3, 6), "recurrent": (2, 6), "bias": (6,), "recurrent_bias": (6,)}
STATE = torch.tensor([[0.5, -0.25]])


def lstm_cell(x, weight, recurrent, bias):
    h, c = torch.lstm_cell(x, (STATE.expand(6, 2), STATE.expand(6, 2)), weight.T, recurrent.T, bias, torch.zeros(8))
    return h + 2 * c


def gru_cell(x, weight, recurrent, bias, recurrent_bias):
    return torch.gru_cell(x, STATE.expand(6, 2), weight.T, recurrent.T, bias, recurrent_bias)


def inner(shapes):
    return {f"cell.{k}": v for k, v in shapes.items()}


ATTENDED = "= reshape(reshape(x, [-1, 3, 4]) |> {call} as f, [-1, 12])"


def part_of(p, name):
    return {k.removeprefix(f"{name}."): v for k, v in p.items() if k.startswith(f"{name}.")}


def linear(x, weight, bias):
    return x @ weight + bias


def norm_of(x, p):
    return F.layer_norm(x, x.shape[-1:], p["scale"], p["shift"])


def attention_of(x, heads, causal, p):
    """x: [n, t, d]."""
    n, t, d = x.shape
    q, k, v = linear(x, **part_of(p, "qkv")).view(n, t, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
    scores = q @ k.transpose(-1, -2) / math.sqrt(d // heads)
    if causal:
        scores = scores + torch.full((t, t), -math.inf).triu(1)
    return linear((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, d), **part_of(p, "out"))


def transformer_of(x, depth, heads, causal, p):
    for i in range(depth):
        b = part_of(p, f"block[{i}]")
        x = x + attention_of(norm_of(x, part_of(b, "norm1")), heads, causal, part_of(b, "attention"))
        x = x + linear(F.gelu(linear(norm_of(x, part_of(b, "norm2")), **part_of(b, "up"))), **part_of(b, "down"))
    return norm_of(x, part_of(p, "norm"))


def of_places(f, *arguments):
    """A row is a sequence of three places of width 4."""
    return lambda x, **p: f(x.reshape(-1, 3, 4), *arguments, p).reshape(-1, 12)


# call; parameters with their shapes; training mode: a function of rows and parameters; evaluation mode where it differs; how the
# model calls it, where that is no plain pipe; rows of another shape; a factor of the parameters; paths of batch_norm within; other states at first
LAYERS = [
    ("dense(2)", {"weight": (3, 2), "bias": (2,)}, lambda x, weight, bias: x @ weight + bias, None),
    ("dense(4, bias: false)", {"weight": (3, 4)}, lambda x, weight: x @ weight, None),
    ("layer_norm", {"scale": (3,), "shift": (3,)},
     lambda x, scale, shift: F.layer_norm(x, (3,), scale, shift), None),
    ("layer_norm(eps: 0.3)", {"scale": (3,), "shift": (3,)},
     lambda x, scale, shift: normalized(x, 0.3, True) * scale + shift, None),
    ("rms_norm", {"scale": (3,)}, lambda x, scale: normalized(x, 1e-6, False) * scale, None),
    ("rms_norm(eps: 0.5)", {"scale": (3,)}, lambda x, scale: normalized(x, 0.5, False) * scale, None),
    ("batch_norm", {"scale": (3,), "shift": (3,)},
     lambda x, scale, shift: F.batch_norm(x, torch.zeros(3), torch.ones(3), scale, shift, True),
     lambda x, scale, shift: running(x, 0.9, 1e-5)(x) * scale + shift),
    ("batch_norm(momentum: 0.5, eps: 0.1)", {"scale": (3,), "shift": (3,)},
     lambda x, scale, shift: batch_normalized(x, 0.1) * scale + shift,
     lambda x, scale, shift: running(x, 0.5, 0.1)(x) * scale + shift),
    ("dense(2, init: orthogonal)", {"weight": (3, 2), "bias": (2,)}, lambda x, weight, bias: x @ weight + bias, None),
    ("embedding(2)", {"weight": (3, 2)}, lambda x, weight: weight[x.argmax(-1)], None, "= argmax(x) |> {call} as f"),
    ("lstm(2)", inner(GATES), of_cell(lstm), None, SEQUENCES, (2, 9)),
    ("lstm(2, second_bias: true)", inner({**GATES, "recurrent_bias": (8,)}), of_cell(lstm), None, SEQUENCES, (2, 9)),
    ("gru(2)", inner(GRU), of_cell(gru), None, SEQUENCES, (2, 9)),
    ("rnn(2)", {"weight": (3, 2), "recurrent": (2, 2), "bias": (2,)}, of_cell(rnn), None, SEQUENCES, (2, 9)),
    ("rnn(2, f: relu)", {"weight": (3, 2), "recurrent": (2, 2), "bias": (2,)}, of_cell(lambda x, **p: rnn(x, **p, f="relu")), None, SEQUENCES, (2, 9)),
    ("lstm_cell(zeros([6, 2]) + [0.5, -0.25], zeros([6, 2]) + [0.5, -0.25])", GATES, lstm_cell, None,
     "{{\n  h, c = x |> {call} as f\n  h + 2 * c\n}}"),
    ("gru_cell(zeros([6, 2]) + [0.5, -0.25])", GRU, gru_cell, None),
    ("self_attention(2)", language_model.attention_shapes(4), of_places(attention_of, 2, False), None, ATTENDED, (2, 12), 0.5),
    ("self_attention(1, where: causal(3))", language_model.attention_shapes(4), of_places(attention_of, 1, True), None, ATTENDED, (2, 12), 0.5),
    ("transformer(heads: 2, where: causal(3))", language_model.transformer_shapes(4, 2), of_places(transformer_of, 2, 2, True), None, ATTENDED, (2, 12), 0.5),
]


def layer_case(call, shapes, train, evaluate, model="= x |> {call} as f", rows=(6, 3), scale=1.0, norms=(), states=None):
    x, factor = arrays(x=rows)["x"], 0.1
    before = {k: (scale * v).requires_grad_() for k, v in arrays(**shapes).items()}
    loss = (factor * train(x, **before)).square().sum() / 2
    gradients = torch.autograd.grad(loss, list(before.values()))
    after = {k: (w - g).detach() for (k, w), g in zip(before.items(), gradients)}
    return {"layer": call, "model": model.format(call=call), "rows": x.tolist(), "factor": factor, "loss": loss.item(),
            "before": {k: v.tolist() for k, v in before.items()}, "after": {k: v.flatten().tolist() for k, v in after.items()},
            "out": (evaluate or train)(x, **after).flatten().tolist()} | ({"norms": norms} if norms else {}) | ({"states": states} if states else {})


# Schedules over a training of 12 epochs of 3 steps, 36 steps in all: the value at step t.
TOTAL, EPOCH = 36, 3


def part(t, over):
    return min(max(t / over, 0), 1)


def half_wave(a, b, t):
    return b + (a - b) * (1 + math.cos(math.pi * t)) / 2


def one_cycle(t, peak, over, rise=0.3, div=25, end_div=1e4):
    at, low = part(t, over), peak / div
    return half_wave(low, peak, at / rise) if at < rise else half_wave(peak, low / end_div, (at - rise) / (1 - rise))


def restarts(a, b, every, growth, shrink):
    """Period by period."""
    values, length = [], every
    while len(values) < TOTAL:
        values += [half_wave(a, b, t / length) for t in range(length)]
        a, length = a * shrink, length * growth
    return values[:TOTAL]


def torch_schedule(make):
    """The rates that a scheduler of PyTorch gives to SGD with lr 0.5."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    scheduler, rates = make(optimizer), []
    for _ in range(TOTAL):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


S = torch.optim.lr_scheduler
SCHEDULES = [
    ("constant(0.25)", lambda t: 0.25),
    ("ramp(0 -> 0.5)", lambda t: 0.5 * t / TOTAL),
    ("ramp(1 -> 0.5, over: 5 epochs)", lambda t: 1 - 0.5 * part(t, 5 * EPOCH)),
    ("linear(0.5 -> 0.05, over: 50%)",
     torch_schedule(lambda o: S.LinearLR(o, start_factor=1.0, end_factor=0.1, total_iters=TOTAL // 2))),
    ("cosine(0.5 -> 0.01)", torch_schedule(lambda o: S.CosineAnnealingLR(o, TOTAL, eta_min=0.01))),
    ("cosine(0.1 -> 0.9, over: 20 steps)", lambda t: half_wave(0.1, 0.9, part(t, 20))),
    ("cosine_restarts(0.5 -> 0.02, every: 7 steps)",
     torch_schedule(lambda o: S.CosineAnnealingWarmRestarts(o, 7, eta_min=0.02))),
    ("exponential(0.5 -> 0.005)", torch_schedule(lambda o: S.ExponentialLR(o, gamma=0.01 ** (1 / TOTAL)))),
    ("exponential(1e-4 -> 1, over: 9 steps)", lambda t: 1e-4 * 1e4 ** part(t, 9)),
    ("polynomial(0.5 -> 0, power: 3)", torch_schedule(lambda o: S.PolynomialLR(o, TOTAL, power=3))),
    ("polynomial(1 -> 0.1, over: 30 steps)", lambda t: 0.1 + 0.9 * (1 - part(t, 30)) ** 2),
    ("step_decay(0.5, every: 5 steps, factor: 0.3)", torch_schedule(lambda o: S.StepLR(o, 5, gamma=0.3))),
    ("step_decay(1, every: 3 epochs)", lambda t: 0.1 ** (t // (3 * EPOCH))),
    ("one_cycle(0.5)", lambda t: one_cycle(t, 0.5, TOTAL)),
    ("one_cycle(0.3, over: 20 steps, rise: 0.5, div: 10, end_div: 100)", lambda t: one_cycle(t, 0.3, 20, 0.5, 10, 100)),
    ("warmup(0.5, over: 10 steps)", lambda t: 0.5 * min((t + 1) / 10, 1)),
    ("warmup(cosine(0.5 -> 0), over: 2 epochs)", lambda t: half_wave(0.5, 0, t / TOTAL) * min((t + 1) / 6, 1)),
    ("warmup(0.5, over: 8 steps, from: 25%)", lambda t: 0.5 * min(0.25 + 0.75 * (t + 1) / 8, 1)),
    ("cosine_restarts(0.5 -> 0.02, every: 5 steps, growth: 2)",
     torch_schedule(lambda o: S.CosineAnnealingWarmRestarts(o, 5, T_mult=2, eta_min=0.02))),
    ("cosine_restarts(0.5 -> 0.01, every: 4 steps, growth: 3, shrink: 0.5)", restarts(0.5, 0.01, 4, 3, 0.5)),
    ("cyclic(0.1 -> 0.5, half: 4 steps)", torch_schedule(lambda o: S.CyclicLR(o, 0.1, 0.5, step_size_up=4, cycle_momentum=False))),
    ("cyclic(0.1 -> 0.5, half: 3 steps, shrink: 0.5)",
     torch_schedule(lambda o: S.CyclicLR(o, 0.1, 0.5, step_size_up=3, mode="triangular2", cycle_momentum=False))),
    ("inverse_sqrt(0.3, over: 7 steps)", lambda t: 0.3 * min((t + 1) / 7, math.sqrt(7 / (t + 1)))),
    ("inverse_time(0.3, every: 2 epochs, decay: 0.4)", lambda t: 0.3 / (1 + 0.4 * t / 6)),
    ("exponential_decay(0.5, every: 1 steps, factor: 0.9)", torch_schedule(lambda o: S.ExponentialLR(o, gamma=0.9))),
    ("exponential_decay(0.3, every: 2 epochs)", lambda t: 0.3 * 0.5 ** (t / 6)),
    ("trapezoid(0.4, rise: 10%, fall: 3 epochs)", lambda t: 0.4 * min((t + 1) / 3.6, 1, (TOTAL - t) / 9)),
    ("swa(from: 50%, every: 2 epochs)", lambda t: 0 if t < 18 else (1 if (t - 17) % 6 else (t - 17) / 6 / ((t - 17) / 6 + 1))),
    ("swa(every: 1 steps)", lambda t: 0 if t < 27 else (t - 26) / (t - 25)),
    ("0.1 until 10 steps then linear(0.1 -> 0)", lambda t: 0.1 if t < 10 else 0.1 * (1 - t / TOTAL)),
    ("ramp(0 -> 1, over: 25%) until 75% then 0.5 until 11 epochs then 0",
     lambda t: part(t, TOTAL / 4) if t < 27 else 0.5 if t < 33 else 0),
    ("progress^2 + 1e-3 * step + 0.1 * epoch", lambda t: (t / TOTAL) ** 2 + 1e-3 * t + 0.1 * (t // EPOCH)),
]


def batches_of(s):
    """Of each batch the characters and those behind them, [batch, window] each; a lane is a run of the text."""
    text = torch.tensor(language_model.tokens(s))
    lanes = [text[k:][:s.batch * s.batches * s.window].reshape(s.batch, s.batches, s.window) for k in range(2)]
    return [(lanes[0][:, i], lanes[1][:, i]) for i in range(s.batches)]


def attention_losses(s, given):
    heads = language_model.HEADS
    for w in given.values():
        w.requires_grad_()
    optimizer, losses, p = torch.optim.AdamW(given.values(), 3e-4, weight_decay=0.1), [], part_of(given, "net")
    for step in range(s.steps):
        x, y = batches_of(s)[step % s.batches]
        optimizer.zero_grad()
        z = transformer_of(p["embedding1.weight"][x] + p["place"], s.depth, heads, True, part_of(p, "blocks"))
        loss = F.cross_entropy(linear(z, **part_of(p, "head")).reshape(-1, s.vocabulary), y.reshape(-1), label_smoothing=0.1)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def language_model_losses(s):
    """In single precision: a workload of the bench without dropout, from the weights and with the text of language_model.py."""
    torch.set_default_dtype(torch.float32)
    given = {k: torch.tensor(v).reshape(s.shapes[k]) for k, v in language_model.weights(s).items()}
    losses = (attention_losses if s.depth else recurrent_losses)(s, given)
    torch.set_default_dtype(torch.float64)
    return losses


def recurrent_losses(s, given):
    emb, rnn, head = torch.nn.Embedding(s.vocabulary, s.units), torch.nn.LSTM(s.units, s.units, 2, batch_first=True), torch.nn.Linear(s.units, s.vocabulary)
    names = {"weight": "weight_ih", "recurrent": "weight_hh", "bias": "bias_ih", "recurrent_bias": "bias_hh"}
    with torch.no_grad():
        emb.weight.copy_(given["net.embedding1.weight"])
        head.weight.copy_(given["net.dense1.weight"].T)
        head.bias.copy_(given["net.dense1.bias"])
        for k, layer in enumerate(("first", "second")):
            for ours, theirs in names.items():
                getattr(rnn, f"{theirs}_l{k}").copy_(given[f"net.{layer}.cell.{ours}"].T)
    parameters = [*emb.parameters(), *rnn.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parameters, 1.0)
    losses, state = [], None
    for step in range(s.steps):
        x, y = batches_of(s)[step % s.batches]
        state = None if step % s.batches == 0 else tuple(e.detach() for e in state)
        optimizer.zero_grad()
        h, state = rnn(emb(x), state)
        loss = F.cross_entropy(head(h).reshape(-1, s.vocabulary), y.reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def schedule_case(text, values):
    return {"schedule": text, "values": values if isinstance(values, list) else [values(t) for t in range(TOTAL)]}


def main():
    result = {"program": PROGRAM, "expressions": [expression_case(*c) for c in EXPRESSIONS],
              "tree": {"start": TREE, "aim": AIM, "scale": SCALE}, "optimizers": [optimizer_case(*c) for c in OPTIMIZERS],
              "layers": [layer_case(*c) for c in LAYERS], "schedules": [schedule_case(*c) for c in SCHEDULES],
              "language_models": [{"language model": name, "losses": language_model_losses(s)}
                                  for name, s in language_model.SIZES.items()]}
    Path(__file__).with_name("values.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
