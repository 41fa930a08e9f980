"""The definitions of techniques of the literature that live between trainings, written once more with PyTorch (double precision) from
their formulas: read by make_techniques.py."""
import itertools
import math

import torch
from techniques import arrays, rows
from torch.nn import functional as F

PROGRAM = """fn of_model(m, x, y) = cross_entropy(m(x), y)
fn second(pair) {
  a, b = pair
  b
}
fn of_pair(pair) {
  a, b = pair
  concat(a, b[.., new], axis: 1)
}
"""
OPTIMIZERS, SCHEDULES = [], []


def mirror_step(p, q, kl, entropy):
    """The largest value by the policy itself."""
    share = kl / (kl + entropy)
    new = (share * p + q / (kl + entropy)).softmax(1)
    value = (new * q).sum(1) - kl * (new * (new.log() - p)).sum(1) - entropy * (new * new.log()).sum(1)
    return torch.cat([new.log(), value[:, None]], 1)


def gaussian_moments(x):
    far = [torch.zeros(())]
    for degree in (1, 2, 3, 4):
        for a in itertools.combinations_with_replacement(range(x.shape[1]), degree):
            powers = [a.count(k) for k in set(a)]
            aim = math.prod(0 if p % 2 else math.prod(range(p - 1, 0, -2)) for p in powers)
            far.append((x[:, list(a)].prod(1).mean() - aim).abs())
    return torch.stack(far).max()


def early_stopped_p(losses, scores, loss, score):
    out = []
    for j in range(loss.shape[1]):
        best = min(range(len(losses)), key=lambda t: (losses[t].sum() + loss[t, j]).item())
        out.append((1 + (scores[best] >= score[best, j]).sum()) / (scores.shape[1] + 1))
    return torch.stack(out)


def pairs_differ(all_):
    return torch.stack([(a != b).double().mean() for i, a in enumerate(all_) for j, b in enumerate(all_) if i != j]).mean()


def entropy(codes):
    counts = torch.tensor([codes.count(c) for c in set(codes)]).double() / len(codes)
    return -(counts * counts.log2()).sum()


def binned(t, bins):
    edges = torch.stack([t.flatten().sort()[0][k * t.numel() // bins] for k in range(1, bins)])
    return torch.bucketize(t, edges, right=True)


def information(t, bins, y):
    codes = [tuple(r.tolist()) for r in binned(t, bins)]
    return entropy(codes) - sum((y == k).double().mean() * entropy([c for c, own in zip(codes, y) if own == k]) for k in range(3))


def noisy_information(t, s):
    d = (t[:, None] - t).square().sum(2)
    return -(-d / (2 * s ** 2)).exp().mean(1).log2().mean()


def nuclear_representer(w, slope, at, strength):
    u, s, vt = torch.linalg.svd(w, full_matrices=False)
    root = s.sqrt()
    out = []
    for k, (i, j) in enumerate([(0, 0), (0, 2), (1, 1), (2, 2), (0, 1)]):
        own = torch.zeros(w.shape[0], w.shape[1], dtype=w.dtype)
        own[i, j] = 1
        aim = torch.zeros_like(own)
        aim[at] = 1
        out.append(-slope[k] / (5 * strength) * ((own @ vt.T * root) * (aim @ vt.T * root)).sum())
    return torch.stack(out)


def lasso(a, b, strength):
    """By many steps of the proximal gradient."""
    v = torch.zeros(a.shape[1], dtype=a.dtype)
    step = 1 / torch.linalg.matrix_norm(a, 2) ** 2
    for _ in range(20000):
        z = v - step * (a.T @ (a @ v - b))
        v = z.sign() * (z.abs() - step * strength).relu()
    return v


def kmeans(x, k, counts=None, rounds=20):
    x = x if counts is None else x[counts > 0]
    gap, c = (x - x.mean(0)).norm(dim=1), []
    for _ in range(k):
        c.append(x[gap.argmax()])
        gap = torch.stack([(x - a).norm(dim=1) for a in c]).min(0)[0]
    c = torch.stack(c)
    for _ in range(rounds):
        own = torch.cdist(x, c).argmin(1)
        c = torch.stack([x[own == j].mean(0) if (own == j).any() else c[j] for j in range(k)])
    return c


def slow_rows(out, l, y):
    slow = torch.zeros(len(y))
    for k in range(3):
        rows_ = (y == k).nonzero()[:, 0]
        own = torch.cdist(out[rows_], kmeans(out[rows_], 2)).argmin(1)
        late = max((0, 1), key=lambda j: l[rows_][own == j].mean().item() if (own == j).any() else -1)
        slow[rows_[own == late]] = 1
    return slow


def learned_gaussian(w, s, u):
    d, far = w.numel(), (w - u).square().sum()
    v = (s ** 2 + far / d).detach()
    return 0.5 * (d * s ** 2 / v + far / v - d + d * v.log() - d * (s ** 2).log())


def loss_window(s, groups, start):
    c = kmeans(s[:, None], groups)
    rank = c[:, 0].argsort().argsort()[torch.cdist(s[:, None], c).argmin(1)]
    return ((rank >= start) & (rank < start + round(groups / 2))).double()


def crowd(z, source, diversity):
    p, q = z.softmax(1), source.softmax(1)
    h = lambda r: -(r * r.log()).sum()  # noqa: E731
    return sum(h(p[i]) for i in range(len(z)) if p[i, q[i].argmax()] >= q[i].max()) / len(z) - diversity * h(p.mean(0))


def eata(t, w, b, x, y, kept):
    p = (x @ w + b).softmax(1)
    h = -(p * p.log()).sum(1)
    chosen = h < 1
    if "m" in kept:
        chosen = chosen & (F.cosine_similarity(p, kept["m"][None]).abs() < 0.9)
    if not chosen.any():
        return 0 * h.sum()
    fresh = p[chosen].mean(0).detach()
    kept["m"] = 0.9 * kept["m"] + 0.1 * fresh if "m" in kept else fresh
    return ((1 - h).exp().detach() * h)[chosen].mean()


def booster(t, w, b, x, y, kept):
    """The gradient is that of the loss at w less that at the moved place."""
    judge = lambda w, b: F.cross_entropy(x @ w + b, y)  # noqa: E731
    g = torch.autograd.grad(judge(w, b), [w, b])
    size = torch.cat([g[0].flatten(), g[1]]).norm()
    return judge(w, b) - judge(w - 0.5 * g[0] / size, b - 0.5 * g[1] / size)


def fisher_anchor(t, w, b, x, y, kept):
    squares = [0 * w, 0 * b]
    for i in range(len(x)):
        g = torch.autograd.grad(F.cross_entropy(x[i:i + 1] @ w + b, y[i:i + 1]), [w, b])
        squares = [s + h ** 2 / len(x) for s, h in zip(squares, g)]
    return sum((s.detach() * p ** 2).sum() for s, p in zip(squares, (w, b)))


def allora(x, a, b, eta):
    change = a @ b
    s = (1 / (change.norm(dim=0) + 1 / eta ** 2).sqrt()).detach()
    return x + s * change + ((1 - s) * change).detach()


STEPS = [
    ("eata(net(x), e0: 1, novelty: 0.9)", eata),
    ("booster(net, of_model(_, x, y), alpha: 0.5)", booster),
    ("sum(each f, w in stop(fisher(net, x, y)), net.* : sum(f * w^2))", fisher_anchor),
]
LAYERS = [
    ("allora(2)", {"a": (6, 2), "b": (2, 3)}, lambda x, a, b: allora(x, a, b, 4), None),
    ("allora(1, eta: 0.5)", {"a": (6, 1), "b": (1, 3)}, lambda x, a, b: allora(x, a, b, 0.5), None),
]
EXPRESSIONS = [
    ("kmeans(x, 3)", arrays(x=(12, 2)), lambda x: kmeans(x, 3), ""),
    ("kmeans(x, 2, counts: 1 * (c > 0), rounds: 3)", arrays(x=(12, 2), c=(12,)), lambda x, c: kmeans(x, 2, c, 3), ""),
    ("1 * slow_rows(z, l^2, y, 3)", rows(z=(7, 2), l=(7,)), lambda y, z, l: slow_rows(z, l ** 2, y), ""),
    ("1 * loss_window(s, 1, share: 1, groups: 3)", arrays(s=(12,)), lambda s: loss_window(s, 3, 1), ""),
    ("1 * loss_window(s, 5, share: 1, groups: 4)", arrays(s=(12,)), lambda s: loss_window(s, 4, 2), ""),
    ("second(volume_sample(phi, 5))", {"phi": torch.tensor([[0.6, 0.8], [-0.8, 0.6], [0.28, 0.96], [-0.96, 0.28]])}, lambda phi: 2 * torch.ones(5), ""),
    ("front(x, 2) * s", arrays(x=(3, 5), s=(3, 5)), lambda x, s: torch.cat([x[:, :2], torch.zeros(3, 3)], 1) * s, "x"),
    ("small_loss(a, b, 0.6)", arrays(a=(7,), b=(7,)), lambda a, b: a[b.argsort()[:4]].mean(), "a"),
    ("crowd_entropy(z, s)", arrays(z=(6, 3), s=(6, 3)), lambda z, s: crowd(z, s, 0.25), "z"),
    ("crowd_entropy(z, s, diversity: 0)", arrays(z=(6, 3), s=(6, 3)), lambda z, s: crowd(z, s, 0), "z"),
    ("mixture([0, 2, 2, 1, 2], r^2)", arrays(r=(3,)), lambda r: (r ** 2 / torch.tensor([1, 1, 3]))[[0, 2, 2, 1, 2]], "r"),
    ("learned_gaussian(w, exp(r), around: u)", arrays(w=(4, 3), r=(), u=(4, 3)), lambda w, r, u: learned_gaussian(w, r.exp(), u), "w,r"),
    ("learned_gaussian(w, 0.5)", arrays(w=(4, 3)), lambda w: learned_gaussian(w, torch.tensor(0.5), 0 * w), "w"),
    ("f1_norm(w, b, v)", arrays(w=(3, 4), b=(4,), v=(4, 2)),
     lambda w, b, v: sum(torch.cat([w[:, k], b[k:k + 1]]).norm() * v[k].norm() for k in range(4)), "w,b,v"),
    ("composition(f^2, g^2 + 0.5, [3, 4, 6])", arrays(f=(3,), g=(3,)),
     lambda f, g: sum((math.prod((x ** 2 + 0.5) for x in g)) * f[k] ** 2 / (g[k] ** 2 + 0.5) * [3, 4, 6][k] ** 0.5 for k in range(3)), "f,g"),
    ("of_pair(mirror_step(log_softmax(p), q, 0.7, entropy: 0.2))", arrays(p=(3, 4), q=(3, 4)), lambda p, q: mirror_step(p.log_softmax(1), q, 0.7, 0.2), "p,q"),
    ("of_pair(mirror_step(log_softmax(p), q, 2))", arrays(p=(3, 4), q=(3, 4)), lambda p, q: mirror_step(p.log_softmax(1), q, 2, 0), "p,q"),
    ("smoothed_zero_one(z, sign(y), width: 0.5)", arrays(z=(5,), y=(5,)), lambda z, y: (-y.sign() * z / 0.5).sigmoid().mean(), "z"),
    ("gaussian_moments(x)", arrays(x=(6, 3)), gaussian_moments, "x"),
    ("gaussian_moments(x / 100)", arrays(x=(6, 2)), lambda x: gaussian_moments(x / 100), ""),
    ("ridge(x, y, 0.5 / 7, weight: w^2) * s", arrays(x=(7, 3), y=(7, 2), w=(7,), s=(3, 2)),
     lambda x, y, w, s: torch.linalg.lstsq(torch.cat([x * w[:, None], 0.5 ** 0.5 * torch.eye(3)]), torch.cat([y * w[:, None], torch.zeros(3, 2)]))[0] * s, "x,y,w"),
    ("early_stopped_p(l, s, a, b)", arrays(l=(3, 6), s=(3, 6), a=(3, 4), b=(3, 4)), early_stopped_p, ""),
    ("early_stopped_p(l, s, a, s[.., 1..4])", arrays(l=(2, 5), s=(2, 5), a=(2, 3)), lambda l, s, a: early_stopped_p(l, s, a, s[:, 1:4]), ""),
    ("ambiguity(a > 0, b > 0)", arrays(a=(3, 5), b=(5,)), lambda a, b: ((a > 0) != (b > 0)).any(0).double().mean(), ""),
    ("disagreement(a > 0)", arrays(a=(4, 5)), lambda a: pairs_differ(a > 0), ""),
    ("viable_range(a)", arrays(a=(3, 5, 2)), lambda a: a.max(0)[0] - a.min(0)[0], "a"),
    ("viable_range(a, kept: k > 0)", arrays(a=(6, 5, 2), k=(6,)), lambda a, k: a[k > 0].max(0)[0] - a[k > 0].min(0)[0], "a"),
    ("1 * binned(t, bins: 4)", arrays(t=(6, 3)), lambda t: binned(t, 4).double(), ""),
    ("code_entropy(1 * (t > 0))", arrays(t=(9, 2)), lambda t: entropy([tuple(r) for r in (t > 0).tolist()]), ""),
    ("code_information(binned(t, bins: 2), y)", rows(t=(7, 2)), lambda y, t: information(t, 2, y), ""),
    ("noisy_information(t, 0.5)", arrays(t=(6, 2)), lambda t: noisy_information(t, 0.5), "t"),
    ("noisy_information(t)", arrays(t=(5, 2)), lambda t: torch.tensor(5.0).log2(), ""),
    ("least_mass(a, b, c)", arrays(a=(3, 4), b=(4,), c=(4, 2)),
     lambda a, b, c: torch.stack([(c[k].norm() / torch.cat([a[:, k], b[k:k + 1]]).norm()).sqrt() for k in range(4)]), "a,b,c"),
    ("l1_representer(x, w, g, z, 0.3)", arrays(x=(5, 3), w=(3,), g=(5,), z=(2, 3)),
     lambda x, w, g, z: torch.stack([torch.stack([-g[i] / (5 * 0.3) * sum(abs(w[j]) * x[i, j] * r[j] for j in range(3)) for i in range(5)]) for r in z]), "x,w,g,z"),
    ("nuclear_representer(w, [0, 0, 1, 2, 0], [0, 2, 1, 2, 1], g, [0, 2], 0.3)", arrays(w=(4, 3), g=(5,)),
     lambda w, g: nuclear_representer(w, g, (0, 2), 0.3), "w,g"),
    ("lasso(a, b, 1)", arrays(a=(6, 4), b=(6,)), lambda a, b: lasso(a, b, 1), ""),
    ("lasso(a, b, 0, rounds: 1000)", arrays(a=(6, 3), b=(6,)), lambda a, b: torch.linalg.lstsq(a, b[:, None])[0][:, 0], ""),
    ("shares(r, 100, least: 5)", arrays(r=(4,)), lambda r: 5 + 80 * r.abs() / r.abs().sum(), "r"),
]
