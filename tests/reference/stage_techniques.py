"""The definitions of techniques of the literature that live between trainings, written once more with PyTorch (double precision) from
their formulas: read by make_techniques.py."""
import itertools
import math

import make
import torch
from techniques import arrays, rows
from torch.nn import functional as F

PROGRAM = """fn of_model(m, x, y) = cross_entropy(m(x), y)
model whole(x: [3]) -> [3] = x |> dense(3) as f
fn gram(a, v) = transpose(a) @ (a @ v) + v
fn times(a) = gram(a, _)
fn of_ridge(a, b, x, l) = sum((a @ x - b)^2) / 2 + exp(l) * sum(x^2) / 2
fn penalized(a, b) = of_ridge(a, b, _, _)
fn off(c, x) = sum((c @ x - 1)^2) / 2
fn aimed(c) = off(c, _)
fn second(pair) {
  a, b = pair
  b
}
fn of_pair(pair) {
  a, b = pair
  concat(a, b[.., new], axis: 1)
}
"""
OPTIMIZERS = [("path_integral(base: sgd(lr: 0.05, momentum: 0.9))", make.Torch(lambda w: torch.optim.SGD(w, lr=0.05, momentum=0.9)))]
SCHEDULES = []


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


def local(z, y, on):
    kept = [k for k in range(3) if on[k]]
    return sum(-z[i, kept].log_softmax(0)[kept.index(y[i].item())] for i in range(len(y))) / len(y)


def cosine(z, v, teacher):
    p = teacher.softmax(1)
    sure = 1 + (p * p.log()).sum(1) / math.log(3)
    on = [i for i in range(len(z)) if sure[i] > 0.3]
    f = p ** 2 / (p.sum(0) + 1e-10)
    f = f / f.sum(1, keepdim=True)
    q = z.log_softmax(1)
    own = sum(sure[i] * (f[i] * (f[i].log() - q[i])).sum() for i in on) / len(on)
    pairs = []
    for i in on:
        for j in on:
            if i != j:
                d = (v[i] - v[j]).norm() / v.shape[1] ** 0.5
                pairs.append(d ** 2 / 2 if p[i].argmax() == p[j].argmax() else (1 - d).relu() ** 2 / 2)
    return own + sum(pairs) / max(1, len(pairs)) - 0.1 * sum(q[i].mean() + math.log(3) for i in on) / len(on)


def box_distance(x, given, centres, gamma):
    own, out = torch.cdist(given, centres).argmin(1), []
    for j in range(len(centres)):
        g = given[own == j]
        s = g.std(0, unbiased=False) + 1e-12
        out.append((torch.maximum(g.min(0)[0] - gamma * s - x, x - g.max(0)[0] - gamma * s).relu() / s).max(1)[0])
    return torch.stack(out).min(0)[0]


def contributions(x, w):
    a = (x[:, :, None] * w).abs()
    return a / a.sum(1, keepdim=True)


def moments(z, a, width):
    a1 = torch.cat([a, torch.ones(len(a), 1)], 1)
    fit = torch.linalg.solve(a1.T @ a1 / len(a) + 1e-6 * torch.eye(a1.shape[1]), a1.T @ z / len(a)).detach()
    e = z - a1 @ fit
    return sum((-(a[i] - a[j]).square().sum() / (2 * width ** 2)).exp() * (e[i] * e[j]).sum() for i in range(len(a)) for j in range(len(a))) / len(a) ** 2


def experts(x, weight, router_weight):
    gate = (x @ router_weight).softmax(1)
    out = []
    for row, g in zip(x, gate):
        top = g.argsort(descending=True)[:2]
        out.append(sum(g[k] / g[top].sum() * (row @ weight[k]).relu() for k in top))
    return torch.stack(out)


def dsnot(w, x, keep, cycles, least):
    keep, d, score = keep.clone(), w * x.mean(0)[:, None], w.abs() * x.norm(dim=0)[:, None]
    first, v = keep.clone(), x.var(0, unbiased=False)
    for o in range(w.shape[1]):
        e, used = ((1 - first[:, o]) * d[:, o]).sum(), set()
        for _ in range(cycles):
            grow = [i for i in range(len(w)) if first[i, o] == 0 and i not in used]
            gone = [i for i in range(len(w)) if first[i, o] == 1 and i not in used and e.sign() * d[i, o] < 0]
            if e.abs() <= least or not grow or not gone:
                break
            g = max(grow, key=lambda i: (e.sign() * d[i, o] / v[i]).item())
            p = min(gone, key=lambda i: score[i, o].item())
            after = e + d[p, o] - d[g, o]
            if after.sign() != e.sign():
                break
            keep[g, o], keep[p, o], e = 1, 0, after
            used |= {g, p}
    return keep


def wanda(w, x, share):
    score = w.abs() * x.norm(dim=0)[:, None]
    return (score.argsort(0).argsort(0) >= int(share * len(w))).double()


def hyper(a, b, c, l):
    """Of ridge regression, whose solution is known."""
    l = l.clone().requires_grad_()
    x = torch.linalg.solve(a.T @ a + l.exp() * torch.eye(3), a.T @ b)
    return torch.autograd.grad((c @ x - 1).square().sum() / 2, l)[0]


def importance(o, d, layers):
    own = [(p.relu() / (q ** 2 + 0.5)) for p, q in zip(o, d)]
    share = torch.stack([f.norm() for f in own]).softmax(0)
    return torch.cat([(c if layers else 1) * f.flatten() for c, f in zip(share, own)])


STEPS = [
    ("eata(net(x), e0: 1, novelty: 0.9)", eata),
    ("booster(net, of_model(_, x, y), alpha: 0.5)", booster),
    ("sum(each f, w in stop(fisher(net, x, y)), net.* : sum(f * w^2))", fisher_anchor),
]
LAYERS = [
    ("mixture_of_experts(3, experts: 3, mask: 0)", {"weight": (3, 3, 3), "router.weight": (3, 3)},
     lambda x, **p: experts(x, p["weight"], p["router.weight"]), None),
    ("conditional_experts(2, experts: 2, drop: 0)", {"budget.weight": (3, 1), "shared.weight": (3, 2), "shared.bias": (2,), "moe.weight": (2, 3, 2), "moe.router.weight": (3, 2)},
     lambda x, **p: (1 - (x @ p["budget.weight"]).sigmoid()) * (x @ p["shared.weight"] + p["shared.bias"]).relu()
     + (x @ p["budget.weight"]).sigmoid() * experts(x, p["moe.weight"], p["moe.router.weight"]), None),
    ("masked_weight(tau: 0.5)", {"score": (6, 3)}, lambda x, score: x * ((score > 0.5).double() - score).detach() + x * score, None),
    ("allora(2)", {"a": (6, 2), "b": (2, 3)}, lambda x, a, b: allora(x, a, b, 4), None),
    ("allora(1, eta: 0.5)", {"a": (6, 1), "b": (1, 3)}, lambda x, a, b: allora(x, a, b, 0.5), None),
]
EXPRESSIONS = [
    ("local_cross_entropy(z, mod(y, 2), [1, 1, 0] > 0)", rows(z=(7, 3)), lambda y, z: local(z, y % 2, [1, 1, 0]), "z"),
    ("kept_sigmoids(z, t, [1, 0, 1] > 0)", arrays(z=(4, 3), t=(4, 3)),
     lambda z, t: F.binary_cross_entropy_with_logits(z[:, [0, 2]], t[:, [0, 2]].sigmoid(), reduction="none").sum(1).mean(), "z"),
    ("flat(path_importance(unflat(o, like: whole.*), unflat(d, like: whole.*), xi: 0.5))", arrays(o=(12,), d=(12,)),
     lambda o, d: importance([o[:9], o[9:]], [d[:9], d[9:]], True), ""),
    ("flat(path_importance(unflat(o, like: whole.*), unflat(d, like: whole.*), xi: 0.5, layers: false))", arrays(o=(12,), d=(12,)),
     lambda o, d: importance([o[:9], o[9:]], [d[:9], d[9:]], False), ""),
    ("sharpened(softmax(z)) * s", arrays(z=(4, 3), s=(4, 3)), lambda z, s: F.normalize(z.softmax(1) ** 2 / (z.softmax(1).sum(0) + 1e-10), p=1, dim=1) * s, "z"),
    ("cosine_self_training(z, v, 2 * t, least: 0.3)", arrays(z=(7, 3), v=(7, 4), t=(7, 3)), lambda z, v, t: cosine(z, v, 2 * t), "z,v"),
    ("match_features(p, f)", arrays(p=(4, 3), f=(4, 3)),
     lambda p, f: ((1 - F.cosine_similarity(p, f)) / 2 + F.smooth_l1_loss(p, f, reduction="none").mean(1) / 2).mean(), "p,f"),
    ("drop_teachers(l, p: 0)", arrays(l=(3, 5)), lambda l: l.mean(), "l"),
    ("box_distance(x, g, c, gamma: 0.25)", arrays(x=(6, 2), g=(12, 2), c=(2, 2)), lambda x, g, c: box_distance(x, g, c, 0.25), "x"),
    ("contributions(x, w) * s", arrays(x=(4, 3), w=(3, 2), s=(4, 3, 2)), lambda x, w, s: contributions(x, w) * s, "x,w"),
    ("contribution_entropy(x, w)", arrays(x=(4, 3), w=(3, 2)), lambda x, w: -(contributions(x, w) * contributions(x, w).log()).sum() / 8, "x,w"),
    ("moment_restriction(z, a, width: 0.7)", arrays(z=(6, 2), a=(6, 2)), lambda z, a: moments(z, a, 0.7), "z"),
    ("true_negatives(a, b, share: 80%)", arrays(a=(11,), b=(9,)), lambda a, b: (b < a.quantile(0.2)).double().mean(), ""),
    ("dropout_gap(h, a, 0.8)", arrays(h=(6, 3), a=(3,)), lambda h, a: 0.2 / (2 * 0.8 * 6) * sum((a[r] * h[i, r]) ** 2 for i in range(6) for r in range(3)), "h,a"),
    ("agreeing_gradient(a, abs(a) * sign(a)) * s", arrays(a=(4, 3), s=(4, 3)), lambda a, s: a * s, ""),
    ("agreeing_gradient(a, -1e9 * a, l: 0.25)", arrays(a=(4, 3)), lambda a: 0.75 * a, ""),
    ("load_balance(softmax(z))", arrays(z=(7, 3)),
     lambda z: 3 * sum((z.argmax(1) == k).double().mean() * z.softmax(1)[:, k].mean() for k in range(3)), "z"),
    ("1 * wanda(w, x, 40%)", arrays(w=(6, 3), x=(5, 6)), lambda w, x: wanda(w, x, 0.4), ""),
    ("1 * dsnot(w, x, wanda(w, x, 50%))", arrays(w=(8, 4), x=(6, 8)), lambda w, x: dsnot(w, x, wanda(w, x, 0.5), 50, 0.1), ""),
    ("1 * dsnot(w, x, wanda(w, x, 70%), cycles: 1, least: 0.3)", arrays(w=(9, 6), x=(5, 9)), lambda w, x: dsnot(w, x, wanda(w, x, 0.7), 1, 0.3), ""),
    *[(f"hoag_curvature(2, {now}, 1, 0.1, 0.2, 0.5)", {}, lambda value=value: torch.tensor(value), "") for now, value in ((0.9, 1.9), (1.14, 1.9), (0.99, 1.9), (1.2, 4.0))],
    ("hoag_curvature(8, 0.995, 1, 0.1, 0.2, 0.9)", {}, lambda: torch.tensor(8.0), ""),
    ("conjugate_gradient(times(a), b)", arrays(a=(5, 5), b=(5,)), lambda a, b: torch.linalg.solve(a.T @ a + torch.eye(5), b), ""),
    ("hypergradient(penalized(a, b), aimed(c), solve(transpose(a) @ a + exp(l) * eye(3), b @ a), l)", {"a": arrays(a=(6, 3))["a"], **arrays(b=(6,), c=(4, 3)), "l": torch.tensor(0.5)},
     lambda a, b, c, l: hyper(a, b, c, l), ""),
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
