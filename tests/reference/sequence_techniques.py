"""The definitions of techniques of sequences, written once more with PyTorch (double precision) from their formulas: read by make_techniques.py."""
import math

import torch
from techniques import arrays, rows
from torch.nn import functional as F

PROGRAM = """fn of_measured(s, how) = s @ how
fn read(h) = 2 * h
fn of_model(m, x, y) = cross_entropy(m(x), y)
fn follow(x: labels [n, t] of 4) = 30 * one_hot(if x < 3 then mod(x + 1, 3) else 0, 3)
"""
OPTIMIZERS, SCHEDULES, LAYERS = [], [], []


def participation_ratio(w, r):
    power = torch.fft.rfft(w).abs() ** 2
    return ((power / power.sum(-1, keepdim=True)) ** r).sum(-1)


def power_law(n, l):
    """The best of nineteen c, in one round."""
    x, best = n.log(), None
    for j in range(1, 20):
        y = (l - l.min().detach() * j / 20).log()
        slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
        left = ((y.mean() + slope * (x - x.mean())).exp() + l.min() * j / 20 - l).square().sum().item()
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


def clipped_steps(x, low, high, bits):
    n = 2 ** bits - 1
    class Steps(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, low, high):
            p = (x.clamp(low, high) - low) * n / (high - low)
            ctx.save_for_backward(x, low, high, (p - p.round()) / n)
            return low + p.round() * (high - low) / n

        @staticmethod
        def backward(ctx, g):
            x, low, high, d = ctx.saved_tensors
            inside = (x > low) & (x < high)
            return (torch.where(inside, g, 0 * g), torch.where(inside, d * g, torch.where(x <= low, g, 0 * g)).sum(),
                    torch.where(inside, -d * g, torch.where(x >= high, g, 0 * g)).sum())
    return Steps.apply(x, low, high)


def sparsemax(s):
    """By its sorted form, one row at a time."""
    out = []
    for row in s:
        z = row.sort(descending=True)[0]
        k = max(j for j in range(1, len(z) + 1) if 1 + j * z[j - 1] > z[:j].sum())
        out.append((row - (z[:k].sum() - 1) / k).relu())
    return torch.stack(out)


def query_contrast(f, q, odd, margin):
    c = F.cosine_similarity(f, q)
    return (1 - c[~odd]).mean() + (c[odd] - margin).relu().mean()


def lipschitz_factors(f, y, k):
    c = f - f.mean(0)
    c = c / (c.norm(dim=1).mean() * f.shape[1] ** 0.5)
    out = []
    for i in range(len(c)):
        d = torch.stack([(c[i] - c[j]).norm() if i != j else torch.tensor(math.inf) for j in range(len(c))])
        out.append(torch.stack([(y[i] - y[j]).abs() / d[j] for j in d.argsort()[:k].tolist()]))
    return torch.stack(out)


def token_contrast(v, table, near, tau):
    v, table, out = F.normalize(v, dim=1), F.normalize(table, dim=1), []
    for i in range(len(v)):
        own = (v[i] @ table.T).sort(descending=True)[0][:near].div(tau).exp().sum()
        others = sum((v[i] @ v[j] / tau).exp() for j in range(len(v)) if j != i)
        out.append(-(own / (own + others)).log())
    return torch.stack(out).mean()


def mask_specific(z, x, mask, special):
    l = F.cross_entropy(z.flatten(0, 1), x.flatten(), reduction="none").reshape(x.shape)
    e, b = (mask * special).sum(), (mask * (1 - special)).sum()
    return (b / (b + e) * (l * mask * special).sum() + e / (b + e) * (l * mask * (1 - special)).sum()) / (b + e)


def field_information(x, levels):
    x = x.tolist()
    def pair(a, b):
        p = [[sum(r[a] == i and r[b] == j for r in x) / len(x) for j in range(levels)] for i in range(levels)]
        return sum(v * math.log(v / sum(p[i]) / sum(q[j] for q in p)) for i in range(levels) for j, v in enumerate(p[i]) if v)
    return torch.tensor([[pair(a, b) for b in range(len(x[0]))] for a in range(len(x[0]))], dtype=torch.float64)


def bound(l, bits, span, rows, seen):
    r = seen / (seen + rows)
    return l + span * (math.sqrt((bits * math.log(2) + math.log(1 / (r * 0.05))) / (2 * rows)) + math.sqrt(math.log(1 / ((1 - r) * 0.05)) / (2 * seen)))


def information_gain(t, w, b, x, y, kept):
    own = torch.autograd.grad(F.cross_entropy(x[:2] @ w + b, y[:2]), [w, b], create_graph=True)
    return F.cross_entropy(x @ w + b, y) - F.cross_entropy(x @ (w - 0.5 * own[0]) + b - 0.5 * own[1], y)


STEPS = [("information_gain(net, of_model(_, x[0..2], y[0..2]), of_model(_, x, y), lr: 0.5)", information_gain)]
MASK, SPECIAL = torch.tensor([[1, 0, 1], [1, 1, 0]]), torch.tensor([[1, 0, 0], [0, 0, 1]])
FIELDS = [[0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1], [2, 2, 0], [2, 0, 0], [0, 1, 1], [1, 1, 0]]
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
    ("soft_weighted(c) * s", arrays(c=(4, 3), s=(4, 3)),
     lambda c, s: (lambda u, d, v: u @ torch.diag((-d).exp() * d) @ v)(*torch.linalg.svd(c, full_matrices=False)) * s, "c"),
    ("start_distance(v, u)", arrays(v=(3, 4), u=(3, 4)), lambda v, u: (v - u).square().sum(1).sqrt().mean(), "v"),
    ("object_denoising(a, b, abs(m))", arrays(a=(3, 4), b=(3, 4), m=(3, 4)), lambda a, b, m: (m.abs() * (a - b) ** 2).sum() / m.abs().sum(), "a,b"),
    ("class_keeping(e, c)", arrays(e=(3, 4), c=(3, 4)), lambda e, c: (1 - F.cosine_similarity(e, c)).mean(), "e"),
    ("kurtosis(x)", arrays(x=(3, 5)), lambda x: ((x - x.mean(1, keepdim=True)).pow(4).mean(1) / x.var(1, unbiased=False) ** 2).mean(), "x"),
    ("clipped_steps(x, -abs(a) / 2 - 0.4, abs(b) / 2 + 0.5, bits: 3) * s", arrays(x=(9,), a=(), b=(), s=(9,)),
     lambda x, a, b, s: clipped_steps(x, -a.abs() / 2 - 0.4, b.abs() / 2 + 0.5, 3) * s, "x,a,b"),
    ("sparse_lookup(q, k, v) * s", arrays(q=(4, 3), k=(5, 3), v=(5, 2), s=(4, 2)), lambda q, k, v, s: sparsemax(q @ k.T / 3 ** 0.5) @ v * s, "q,k,v"),
    ("query_contrast(f, q, [0, 1, 0, 1, 1], margin: -0.2)", arrays(f=(5, 3), q=(5, 3)),
     lambda f, q: query_contrast(f, q, torch.tensor([0, 1, 0, 1, 1]) > 0, -0.2), "f,q"),
    ("query_contrast(f, q, [0, 0])", arrays(f=(2, 3), q=(2, 3)), lambda f, q: (1 - F.cosine_similarity(f, q)).mean(), "f,q"),
    ("lipschitz_factors(f, y, k: 2)", arrays(f=(5, 3), y=(5,)), lambda f, y: lipschitz_factors(f, y, 2), "f,y"),
    ("observations(s, of_measured, a, o)", arrays(s=(4, 3), a=(3, 2), o=(4, 2)), lambda s, a, o: (s @ a - o).square().mean(), "s,a"),
    ("token_contrast(v, t, near: 2, tau: 0.5)", arrays(v=(3, 4), t=(5, 4)), lambda v, t: token_contrast(v, t, 2, 0.5), "v"),
    ("token_contrast(v, t)", arrays(v=(1, 4), t=(5, 4)), lambda v, t: torch.tensor(0.0), ""),
    ("mask_specific(z, [[0, 2, 1], [1, 1, 0]], [[1, 0, 1], [1, 1, 0]], [[1, 0, 0], [0, 0, 1]])", arrays(z=(2, 3, 3)),
     lambda z: mask_specific(z, torch.tensor([[0, 2, 1], [1, 1, 0]]), MASK, SPECIAL), "z"),
    ("1.0 * span_mask(round(0 * x), 2, base: 100%)", arrays(x=(2, 3)), lambda x: torch.ones(2, 3), ""),
    ("lens_losses(h, read, y) * s", {**rows(), **arrays(h=(2, 7, 3), s=(2,))}, lambda y, h, s: torch.stack([F.cross_entropy(2 * a, y) for a in h]) * s, "h"),
    ("code_length([0, 3, 3, 1, 3, 3, 0, 3], 5)", {}, lambda: torch.tensor(math.ceil(8 * (2 / 8 * 2 + 5 / 8 * math.log2(8 / 5) + 1 / 8 * 3)) + 5 * (16 + 3.0)), ""),
    ("compression_bound(l, 1000, 3, rows: 5000, seen: 700)", arrays(l=()), lambda l: bound(l, 1000, 3, 5000, 700), "l"),
    ("both_ways(f, b)", arrays(f=(2, 4, 3), b=(2, 4, 3)), lambda f, b: sum((f[i, t - 1] - b[i, t + 1]).square().sum() for i in range(2) for t in (1, 2)) / 4, "f,b"),
    (f"field_information({FIELDS}, 3)", {}, lambda: field_information(torch.tensor(FIELDS), 3), ""),
    ("sum(correlated_fields(abs(x)))", arrays(x=(5, 5)), lambda x: torch.tensor(3.0), ""),
]
