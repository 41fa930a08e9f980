"""The definitions of techniques of sequences, written once more with PyTorch (double precision) from their formulas: read by make_techniques.py."""
import math

import torch
from techniques import arrays, rows
from torch.nn import functional as F

PROGRAM = """fn follow(x: labels [n, t] of 4) = 30 * one_hot(if x < 3 then mod(x + 1, 3) else 0, 3)
"""
OPTIMIZERS, SCHEDULES, STEPS, LAYERS = [], [], [], []


def participation_ratio(w, r):
    power = torch.fft.rfft(w).abs() ** 2
    return ((power / power.sum(-1, keepdim=True)) ** r).sum(-1)


def power_law(n, l):
    """The best of nineteen c, in one round."""
    x, best = n.log(), None
    for j in range(1, 20):
        y = (l - l.min().detach() * j / 20).log()
        slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
        left = (y - y.mean() - slope * (x - x.mean())).square().mean().item()
        if best is None or left < best[0]:
            best = left, (y.mean() - slope * x.mean()).exp(), -slope, l.min().detach() * j / 20
    return torch.stack(best[1:])


def prototype_scores(h, memory, item, items, near):
    out = torch.full((len(h), items), -math.inf, dtype=h.dtype)
    for i, q in enumerate(h):
        kept = (q - memory).norm(dim=1).argsort()[:near or len(memory)].tolist()
        for k in range(items):
            if own := [j for j in kept if item[j] == k]:
                out[i, k] = -(q - memory[own].mean(0)).norm()
    return out


def by_frequency(l, y, parts):
    present = set(y.tolist())
    return torch.stack([torch.stack([l[y == k].mean() for k in part if k in present]).mean() for part in parts])


EXPRESSIONS = [
    ("participation_ratio(w) * s", arrays(w=(2, 7), s=(2,)), lambda w, s: participation_ratio(w, 2) * s, "w"),
    ("participation_ratio(w, r: 1.5)", arrays(w=(6,)), lambda w: participation_ratio(w, 1.5), "w"),
    ("participation_ratio(cos(2 * pi * 3 * arange(11) / 11 + w))", arrays(w=()), lambda w: torch.tensor(1.0), ""),
    ("realigned(a, b, share: 1.5) * s", arrays(a=(3, 4), b=(3, 4), s=(3, 4)), lambda a, b, s: (1.5 * a - 0.5 * b).log_softmax(1) * s, "a,b"),
    ("d2o(own, r, bad, q, alpha: 0.3, beta: 0.7)", arrays(own=(4, 3), r=(4, 3), bad=(4,), q=(4,)),
     lambda own, r, bad, q: -F.logsigmoid(0.7 * (own - r).mean(1) - 0.3 * (bad - q)).mean(), "own,bad"),
    ("d2o(own, r, bad, q) - dpo(own[.., 0], bad, r[.., 0], q)", arrays(own=(4, 1), r=(4, 1), bad=(4,), q=(4,)), lambda *_: torch.tensor(0.0), ""),
    ("power_law([1, 2, 5, 9], 2 + l^2, rounds: 1) * s", arrays(l=(4,), s=(3,)), lambda l, s: power_law(torch.tensor([1.0, 2, 5, 9]), 2 + l ** 2) * s, "l"),
    *[(f"lm_prior(z, m, tau: 1.5{more})", arrays(z=(2, 3, 4), m=(2, 3, 4)), lambda z, m, back=back: 2.25 * (
        F.kl_div((z / 1.5).log_softmax(2), (m / 1.5).log_softmax(2).detach(), log_target=True, reduction="none") if not back else
        F.kl_div((m / 1.5).log_softmax(2).detach(), (z / 1.5).log_softmax(2), log_target=True, reduction="none")).sum(2).mean(), "z")
      for more, back in (("", False), (", to_prior: true", True))],
    ("prototype_scores(h, m, y, 3) * s", {**rows(m=(7, 2)), **arrays(h=(4, 2), s=(4, 3))}, lambda y, m, h, s: prototype_scores(h, m, y, 3, 0) * s, "h,m"),
    ("exp(prototype_scores(h, m, mod(y, 2), 3, near: 4))", {**rows(m=(7, 2)), **arrays(h=(4, 2))}, lambda y, m, h: prototype_scores(h, m, y % 2, 3, 4).exp(), "h,m"),
    ("by_frequency(l, mod(y, 3), [5, 2, 9], groups: 3)", rows(l=(7,)), lambda y, l: by_frequency(l, y, [[1], [0], [2]]), "l"),
    ("by_frequency(l, y, [7, 1, 1], groups: 1)", rows(l=(7,)), lambda y, l: by_frequency(l, y, [[0, 1, 2]])[:1], "l"),
    ("masked_places(z, [[0, 2, 1], [1, 1, 0]], [[1, 0, 1], [0, 0, 1]])", arrays(z=(2, 3, 3)),
     lambda z: -(1.5 * (z[0, 0].log_softmax(0)[0] + z[0, 2].log_softmax(0)[1]) + 3 * z[1, 2].log_softmax(0)[0]) / 2, "z"),
    ("1.0 * places_masked(x)", arrays(x=(3, 1)), lambda x: torch.ones(3, 1), ""),
    ("1.0 * masked_inputs(as_labels(y[.., new], 3), 0%)", rows(), lambda y: y[:, None].double(), ""),
    ("1.0 * first_hitting(follow, 4, 3, 3)", {}, lambda: torch.zeros(4, 3), ""),
]
