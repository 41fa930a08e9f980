"""The definitions of techniques of the literature, written once more with PyTorch (double precision) from their formulas: read by
make_techniques.py."""
import math
import zlib

import make
import torch
from torch.nn import functional as F

Y = torch.tensor([0, 2, 1, 0, 2, 2, 1])


def arrays(**shapes):
    """Random arrays of numbers that float32 holds; the same for the same shapes, whatever cases stand before."""
    draw = torch.Generator().manual_seed(zlib.crc32(str(shapes).encode()))
    return {name: (1.5 * torch.randn(shape, generator=draw)).float().double() for name, shape in shapes.items()}


def rows(**more):
    return {"y": Y} | arrays(**more)


def energy(w, s, half, angular, total):
    u = F.normalize(w.T, dim=1)
    v = torch.cat([u, -u]) if half else u
    n, own = len(v), w.shape[1]
    c = v @ v.T
    z = c.clamp(-1 + 1e-6, 1 - 1e-6).acos() if angular else (2 - 2 * c).clamp(min=1e-8).sqrt()
    f = -z.log() if s == 0 else z ** -s
    pairs = [(i, j) for i in range(n) for j in range(n) if i % own != j % own]
    value = sum(f[i, j] for i, j in pairs)
    return value if total else value / len(pairs)


def acls(z, margin, positive, negative):
    value = 0
    for row in z:
        k = row.argmax()
        others = [j for j in range(len(row)) if j != k]
        value = value + positive * (row[k] - margin).relu() ** 2 / len(z)
        value = value + negative * sum((row[k].detach() - row[j] - margin).relu() ** 2 for j in others) / len(z) / len(others)
    return value


def class_centers(x, y, centers, power):
    return sum(((x[y == k] - centers[k]).square().sum() / ((y == k).sum() + 1e-5) ** power).clamp(1e-12, 1e12)
               for k in range(len(centers))) / len(centers)


def minimum_angle(m):
    u = F.normalize(m - m.mean(0), dim=1)
    c = u @ u.T - 2 * torch.eye(len(m))
    return -c.amax(1).clamp(-0.99999, 0.99999).acos().mean()


def mmcs(a, b):
    return torch.stack([torch.stack([F.cosine_similarity(r, s, dim=0) for s in b]).max() for r in a]).mean()


def local_dimension(f, k):
    out = []
    for i in range(len(f)):
        d = (f[i] - f.detach()).square().sum(1)
        d = torch.stack([torch.zeros(()) if j == i else d[j].sqrt() for j in range(len(f))]).sort()[0]
        m = d[1:k].mean()
        out.append(m / (d[k] - m))
    return torch.stack(out)


def deviation(w):
    return torch.linalg.matrix_norm(w.T @ w - torch.eye(w.shape[1]))


def abnormal(z0, z1, y, share, drop, spread):
    l0, l1 = (F.cross_entropy(z, y, reduction="none") for z in (z0, z1))
    odd = l0 > l1
    v = (z0.detach() - z1).square().sum(1)
    fall = (l0 - l1).detach()[odd].mean()
    return share * odd.sum() / len(y) * (drop * fall + spread * (v[odd].mean() - v[~odd].mean().detach()).relu())


def slope(x, y):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(x.tanh() * x ** 2, y), x)[0]


def attribution(x, a):
    g = torch.autograd.grad((x.tanh() * x ** 2).sum(), x, create_graph=True)[0]
    return (F.normalize(g, dim=1) - F.normalize(a, dim=0)).square().mean()


def point_gradient(z, x, t):
    return torch.stack([sum((-(x[m] - x[k]).square().sum() / (4 * t)).exp() * (z[m] - z[k]).square().sum() for k in range(len(x)))
                        for m in range(len(x))])


def bags(p, y, size, rho):
    value, bags_there = 0, len(y) // size
    for b in range(bags_there):
        own, aim = p[b * size:(b + 1) * size, 0], y[b * size:(b + 1) * size].mean()
        value = value + (1 - rho) * (aim - own.mean()) ** 2 + rho * (aim - own).square().mean()
    return value / bags_there


def rationale(z, w, y):
    r = z[:, None, :] * w.T
    value = 0
    for k in range(3):
        own = r[y == k]
        value = value + (own - own.mean(0).detach()).square().sum() / (3 * len(own))
    return value


def shrink_match(weak, strong, second, sure, tau):
    total = []
    for i in range(len(weak)):
        p = weak[i].detach().softmax(0)
        q, place = p.sort(descending=True)
        if q[0] >= tau:
            total.append(-(p * strong[i].log_softmax(0)).sum())
            continue
        c = 2
        while q[0] / (q[0] + q[c:].sum()) < tau and c < len(p) - 1:
            c += 1
        kept = torch.cat([second[i][place[:1]], second[i][place[c:]]])
        enough = q[0] / (q[0] + q[c:].sum()) >= tau
        total.append(sure * (q[0] * F.cross_entropy(kept[None], torch.tensor([0])) if enough else 0 * second[i].sum()))
    return torch.stack(total).mean() + 0 * (strong.sum() + second.sum())


def top_afa(a, x, size):
    kept = []
    for row, given in zip(a, x):
        s, place = (row * size).square().sort(descending=True)
        k = min(range(len(s)), key=lambda m: abs(s[:m + 1].sum().sqrt() - given.norm()).item())
        kept.append(row * torch.isin(torch.arange(len(s)), place[:k + 1]))
    return torch.stack(kept)


def hypersparse(w, sparsity):
    size = w.abs().flatten()
    t = (0.6585 / size.detach().sort()[0][int(sparsity * len(size))] * size).tanh().sum()
    return size.sum() * t / t.detach() - size.sum()


def naive_bayes(x, train, y):
    means = torch.stack([train[y == k].mean(0) for k in range(3)])
    v = (train - means[y]).square().mean(0)
    v = v + 1e-9 * v.max()
    prior = torch.stack([(y == k).sum() + 1.0 for k in range(3)]) / (len(y) + 3)
    return torch.stack([prior.log() - ((row - means).square() / (2 * v)).sum(1) for row in x])


def iv_like(x, g, y, alpha):
    """Of the normal equations: x'(P + alpha I) x b = x'(P + alpha I) y."""
    m = g @ torch.linalg.pinv(g) + alpha * torch.eye(len(y))
    return torch.linalg.solve(x.T @ m @ x, x.T @ m @ y)


def tilting_angle(w, x, y):
    z = x[y > 0].mean(0) - x[y <= 0].mean(0)
    return F.cosine_similarity(w, z, dim=0).acos()


def energy_distance(a, b):
    mean = lambda p, q, same: torch.stack([(r - t).norm() for i, r in enumerate(p) for j, t in enumerate(q) if not (same and i == j)]).mean()  # noqa: E731
    return 2 * mean(a, b, False) - mean(a, a, True) - mean(b, b, True)


def collapse(h, y):
    means = torch.stack([h[y == k].mean(0) for k in range(3)])
    return (h - means[y]).square().sum(1).mean() / (means - h.mean(0)).square().sum(1).mean()


def standardized(z):
    c = z - z.mean(0)
    return c / (c.square().mean(0) + 1e-8).sqrt()


VIEWS = {"z": (2, 4, 3), "t": (2, 4, 3)}
PAIRS = {"p": (5,), "q": (5,), "r": (5,), "s": (5,)}
PROGRAM = """fn bent(x) = tanh(x) * x^2
fn first(pair) {
  a, b = pair
  a * mean(b)
}
"""
# Definitions of random numbers, in a case whose value these do not change; tests/stdlib/techniques.reg has their statistics.
def otsu(x, bins):
    edges = torch.linspace(x.min(), x.max(), bins + 1)
    center = (edges[1:] + edges[:-1]) / 2
    group = torch.bucketize(x, edges[1:-1], right=True)
    spread = []
    for k in range(bins - 1):
        low, high = center[group[group <= k]], center[group[group > k]]
        spread.append(len(low) * len(high) * (low.mean() - high.mean()) ** 2 if len(low) and len(high) else torch.tensor(0.0))
    return center[torch.stack(spread).argmax()]


EXPRESSIONS = [
    ("otsu(x)", arrays(x=(60,)), lambda x: otsu(x, 256), ""),
    ("otsu(x, bins: 16)", arrays(x=(200,)), lambda x: otsu(x, 16), ""),
    ("splice(a, a)", arrays(a=(2, 3, 4)), lambda a: a, "a"),
    ("hyperspherical_energy(w)", arrays(w=(4, 3)), lambda w: energy(w, 2, False, False, False), "w"),
    ("hyperspherical_energy(w, s: 0, half: true)", arrays(w=(4, 3)), lambda w: energy(w, 0, True, False, False), "w"),
    ("hyperspherical_energy(w, s: 1, half: true, angular: true, normalized: false)", arrays(w=(4, 3)), lambda w: energy(w, 1, True, True, True), "w"),
    ("acls(z, margin: 1)", arrays(z=(4, 5)), lambda z: acls(2 * z / 2, 1, 1, 0.1), "z"),
    ("acls(z, margin: 0.5, positive: 0.25, negative: 2)", arrays(z=(4, 5)), lambda z: acls(z, 0.5, 0.25, 2), "z"),
    ("spectral_decoupling(z)", arrays(z=(4, 3)), lambda z: z.square().sum(1).mean() / 2, "z"),
    ("spectral_decoupling(z, centre: [1, 0, -2])", arrays(z=(4, 3)), lambda z: (z - torch.tensor([1, 0, -2])).square().sum(1).mean() / 2, "z"),
    ("class_centers(x, m, y)", rows(x=(7, 2), m=(3, 2)), lambda y, x, m: class_centers(x, y, m, 2), "x,m"),
    ("class_centers(x, m, y, power: 1)", rows(x=(7, 2), m=(4, 2)), lambda y, x, m: class_centers(x, y, m, 1), "x,m"),
    ("minimum_angle(m)", arrays(m=(4, 3)), minimum_angle, "m"),
    ("spectral_unit(w)", arrays(w=(3, 5)), lambda w: (torch.linalg.matrix_norm(w, 2) ** 2 - 1) ** 2, "w"),
    ("spectral_unit(w, power: 1)", arrays(w=(2, 2)), lambda w: (torch.linalg.matrix_norm(w, 2) - 1) ** 2, "w"),
    ("wasserstein_to(w, v)", arrays(w=(3, 4), v=(3, 4)), lambda w, v: (w.flatten().sort()[0] - v.flatten().sort()[0]).square().sum(), "w"),
    ("mmcs(a, b)", arrays(a=(4, 3), b=(2, 3)), mmcs, "a,b"),
    ("mutual_features(a, b)", arrays(a=(4, 3), b=(2, 3)), lambda a, b: 1 - (mmcs(a, b) + mmcs(b, a)) / 2, "a,b"),
    ("local_dimension(f, 4) * s", arrays(f=(7, 3), s=(7,)), lambda f, s: local_dimension(f, 4) * s, "f"),
    ("ldreg(f, k: 5)", arrays(f=(7, 3)), lambda f: -local_dimension(f, 5).log().abs().mean(), "f"),
    ("ldreg(f)", arrays(f=(7, 3)), lambda f: -local_dimension(f, 6).log().abs().mean(), "f"),
    ("lambda_orthogonality(w, radius: 1)", arrays(w=(4, 3)), lambda w: (10 * (deviation(w) - 1)).sigmoid() * deviation(w), "w"),
    ("lambda_orthogonality(w, radius: 2.5, sharpness: 0.5)", arrays(w=(4, 3)), lambda w: (0.5 * (deviation(w) - 2.5)).sigmoid() * deviation(w), "w"),
    ("lambda_orthogonality(w, radius: 0.5, hard: true)", arrays(w=(4, 3)), lambda w: (deviation(w) - 0.5).relu(), "w"),
    ("singular_value_loss(z)", arrays(z=(7, 3)), lambda z: (torch.linalg.svdvals(standardized(z) / 7 ** 0.5) - 1).square().sum(), "z"),
    ("0 * brownian_diffusion(z)", arrays(z=(7, 3)), lambda z: 0 * z.sum(), ""),
    ("multiview_centroid(z, t)", arrays(**VIEWS), lambda z, t: (z.mean(0) - t.mean(0)).square().sum(-1).mean(), "z"),
    ("abnormal_examples(a, b, y)", rows(a=(7, 3), b=(7, 3)), lambda y, a, b: abnormal(a, b, y, 1, 4, 1.5), "b"),
    ("abnormal_examples(a, b, y, share: 0.5, drop: 1, spread: 3)", rows(a=(7, 3), b=(7, 3)), lambda y, a, b: abnormal(a, b, y, 0.5, 1, 3), "b"),
    ("abnormal_examples(a, a, y)", rows(a=(7, 3)), lambda y, a: 0 * a.sum(), "a"),
    ("scaled_lines(x, 3) * s", arrays(x=(4, 3), s=(4, 3)), lambda x, s: scaled_lines(x, 3) * s, "x"),
    ("multi_sample(bent, x, y)", rows(x=(7, 3)), lambda y, x: F.cross_entropy(x.tanh() * x ** 2, y), "x"),
    ("mixout(w, u) * s", arrays(w=(4, 3), u=(4, 3), s=(4, 3)), lambda w, u, s: w * s, "w"),
    ("nested_dropout(x) * s", arrays(x=(4, 3), s=(4, 3)), lambda x, s: x * s, "x"),
    ("k_sparse(z, 2) * s", arrays(z=(5, 6), s=(5, 6)), lambda z, s: z * (z >= z.sort(1, descending=True)[0][:, 1:2]) * s, "z"),
    ("cauchy_schwarz(w^2, 1)", arrays(w=(4, 3)), lambda w: 12 * (w ** 4).sum() - w.square().sum() ** 2, "w"),
    ("cauchy_schwarz(w, w^3)", arrays(w=(4, 3)), lambda w: w.square().sum() * (w ** 6).sum() - (w ** 4).sum() ** 2, "w"),
    ("path_norm(w, v)", arrays(w=(4, 3), v=(3, 2)), lambda w, v: sum(w[:, k].norm() * v[k].norm() for k in range(3)), "w,v"),
    ("hypersparse(w, sparsity: 40%)", arrays(w=(4, 3)), lambda w: hypersparse(w, 0.4), "w"),
    ("el2n(z, y) * s", rows(z=(7, 3), s=(7,)), lambda y, z, s: (z.softmax(1) - F.one_hot(y, 3)).norm(dim=1) * s, "z"),
    ("naive_bayes(x, t, y, 3) * s", rows(x=(4, 2), t=(7, 2), s=(4, 3)), lambda y, x, t, s: naive_bayes(x, t, y) * s, "x,t"),
    ("1 * frechet_mean(abs(p), d)", arrays(p=(5, 3), d=(4, 3)), lambda p, d: torch.stack([(d ** 2 * q.abs()).sum(1).argmin() for q in p]).double(), ""),
    ("null_projection(w) * s", arrays(w=(4, 2), s=(4, 4)), lambda w, s: (torch.eye(4) - w @ torch.linalg.pinv(w)) * s, "w"),
    ("iv_like(x, g, y, 0.5) * s", arrays(x=(7, 3), g=(7, 2), y=(7,), s=(3,)), lambda x, g, y, s: iv_like(x, g, y, 0.5) * s, "x,g,y"),
    ("leverage(x) * s", arrays(x=(7, 3), s=(7,)), lambda x, s: (x @ torch.linalg.pinv(x)).diagonal() * s, "x"),
    ("dare(w, 0, q: 0.5) * s", arrays(w=(4, 3), s=(4, 3)), lambda w, s: 2 * w * s, "w"),
    ("hard_rows(z, y)", rows(z=(7, 3)), lambda y, z: F.cross_entropy(z, y), "z"),
    ("reshape(cutout(reshape(x, [4, 3, 3, 1]), 2), [4, 9]) * s", arrays(x=(4, 9), s=(4, 9)), lambda x, s: x * s, "x"),
    ("reshape(grid_mask(reshape(x, [4, 3, 3, 1]), 2, 4), [4, 9]) * s", arrays(x=(4, 9), s=(4, 9)), lambda x, s: x * s, "x"),
    ("reshape(first(cutmix(reshape(x, [4, 3, 3, 1]), y)), [4, 9]) * s", arrays(x=(4, 9), y=(4, 3), s=(4, 9)), lambda x, y, s: x * y.mean() * s, "x"),
    ("first(mixup(x, y)) * s", arrays(x=(4, 9), y=(4, 3), s=(4, 9)), lambda x, y, s: x * y.mean() * s, "x"),
    ("smote(0 * x + [1, 2], 4, k: 2) * s", arrays(x=(4, 2), s=(4, 2)), lambda x, s: torch.tensor([1.0, 2]) * s, ""),
    ("tilting_angle(w, x, y - 1)", {**rows(w=(3,), x=(7, 3)), "y": Y.double()}, lambda y, w, x: tilting_angle(w, x, y - 1), "w,x"),
    ("dispersive(z)", arrays(z=(5, 3)), lambda z: (-torch.stack([(a - b).square().sum() for a in z for b in z]) / 1.5).exp().mean().log(), "z"),
    ("first(noised(x, 1 + 0 * a)) * s * 0", arrays(x=(4, 9), a=(4, 1), s=(4, 9)), lambda x, a, s: 0 * x, ""),
    ("energy_distance(a, b)", arrays(a=(4, 3), b=(5, 3)), lambda a, b: energy_distance(a, b), "a,b"),
    ("collapse(h, y, 3)", rows(h=(7, 3)), lambda y, h: collapse(h, y), "h"),
    ("linear_student_error(l^2, 0.5, 0.2, start: 0.25)", arrays(l=(5,)),
     lambda l: (1.25 * (-l ** 2).exp() + 0.2 * (1 - (-l ** 2 / 2).exp()) ** 2 / l ** 2).mean() + 0.2, "l"),
    ("uout(x)", arrays(x=(4, 3)), lambda x: x, "x"),
    ("variance_shift(p, c: 2, v: 3, rho: 0.25, spread: 5)", {"p": torch.tensor([0.5, 0.75, 1])},
     lambda p: (3 + 0.25 * 3 * 5) / (7 / p - 4 + 0.25 * 3 * 5), "p"),
    ("compander(v, a: 0.25, b: 2) * s", arrays(v=(4, 3), s=(4, 3)), lambda v, s: 0.25 * (v / 2).atan() * s, "v"),
    ("quantized(w, bits: 3) * s", arrays(w=(4, 3), s=(4, 3)), lambda w, s: (w + ((w * 3 / w.abs().max()).round() * w.abs().max() / 3 - w).detach()) * s, "w"),
    ("quantized(w, noise: true) * s", arrays(w=(4, 3), s=(4, 3)), lambda w, s: w * s, "w"),
    ("top_afa(abs(a), x, n) * s", arrays(a=(5, 6), x=(5, 3), n=(6,), s=(5, 6)), lambda a, x, n, s: top_afa(a.abs(), x, n.abs()) * s, "a"),
    ("afa(a, x)", arrays(a=(5, 6), x=(5, 3)), lambda a, x: (a.norm(dim=1) - x.norm(dim=1)).square().mean(), "a,x"),
    ("gradient_direction(g)", arrays(g=(4, 3)), lambda g: torch.stack([(1 - F.cosine_similarity(g[i], g[j], dim=0)) / 2 for i in range(4) for j in range(4) if i != j]).mean(), "g"),
    ("fgsm(bent, x, y, eps: 0, noise: 0)", rows(x=(7, 3)), lambda y, x: x, ""),
    ("fgsm(bent, x, y, eps: 0.5, noise: 0)", rows(x=(7, 3)),
     lambda y, x: x + 0.5 * slope(x, y).sign(), ""),
    ("pgd(bent, x, y, eps: 0)", rows(x=(7, 3)), lambda y, x: x, ""),
    ("local_linearity(bent, x, y, eps: 0)", rows(x=(7, 3)), lambda y, x: 0 * x.sum(), ""),
    ("adaptive_strength(sum(x), most: 5, first: 2)", arrays(x=(3,)), lambda x: 2 * x.sum(), "x"),
    ("attribution_alignment(bent, x, a)", arrays(x=(7, 3), a=(3,)), attribution, "x,a"),
    ("point_gradient(z, x, 0.5) * s", arrays(z=(5, 2), x=(5, 3), s=(5,)), lambda z, x, s: point_gradient(z, x, 0.5) * s, "z,x"),
    ("single_neuron(z, y)", arrays(z=(5,), y=(5,)), lambda z, y: (z.relu() ** 2 / 2 - y * z).mean(), "z,y"),
    ("bag_interpolation(p, y, size: 3)", arrays(p=(6, 1), y=(6,)), lambda p, y: bags(p, y, 3, 0.5), "p,y"),
    ("bag_interpolation(p, y, size: 2, rho: 1)", arrays(p=(6, 1), y=(6,)), lambda p, y: bags(p, y, 2, 1), "p,y"),
    ("worst_group(z, y, [0, 1, 1, 3, 3, 1, 0], 4)", rows(z=(7, 3)),
     lambda y, z: torch.stack([(z.argmax(1) == y).double()[g].mean() for g in ([0, 6], [1, 2, 5], [3, 4])]).min(), ""),
    ("shrink_match(3 * a, b, d, 0.5, tau: 0.6)", arrays(a=(6, 5), b=(6, 5), d=(6, 5)), lambda a, b, d: shrink_match(3 * a, b, d, 0.5, 0.6), "b,d"),
    ("shrink_match(a, b, d, 0.25)", arrays(a=(6, 5), b=(6, 5), d=(6, 5)), lambda a, b, d: shrink_match(a, b, d, 0.25, 0.95), "b,d"),
    ("dpo(p, q, r, s)", arrays(**PAIRS), lambda p, q, r, s: -F.logsigmoid(0.1 * (p - r) - 0.1 * (q - s)).mean(), "p,q"),
    ("dpo(p, q, r, s, win: 2, lose: 0.5)", arrays(**PAIRS), lambda p, q, r, s: -F.logsigmoid(2 * (p - r) - 0.5 * (q - s)).mean(), "p,q"),
]


class Steps:
    """What `base` makes of the gradient that `rule` gives for a tree and its gradient."""

    def __init__(self, base, rule):
        self.base, self.rule = base, rule

    def step(self, tree, gradient, t):
        self.base.step(tree, self.rule(tree, gradient), t)


def at(tree, change, factor=1.0):
    return make.gradient_of({k: (w + factor * change[k]).detach().requires_grad_() for k, w in tree.items()})


def length(tree):
    return torch.stack([g.square().sum() for g in tree.values()]).sum().sqrt()


def amp(radius, rise, turns, whole):
    def rule(tree, g):
        d = {k: 0 * w for k, w in tree.items()}
        for _ in range(turns):
            d = {k: d[k] + rise * g[k] for k in tree}
            size = {k: length(d) if whole else d[k].norm() for k in d}
            d = {k: d[k] * min(1, radius / (size[k] + 1e-12)) for k in d}
            g = at(tree, d)
        return g
    return rule


def largest(keep):
    def rule(tree, g):
        return {k: v * (v.abs() >= v.abs().flatten().sort(descending=True)[0][max(1, int(keep * v.numel())) - 1]) for k, v in g.items()}
    return rule


def flat_gradient(gamma, eps, ahead):
    def rule(tree, g):
        front, back = at(tree, g, ahead * eps), at(tree, g, -(1 - ahead) * eps)
        return {k: g[k] + gamma / eps * (front[k] - back[k]) for k in g}
    return rule


def glad(rho, strength):
    def rule(tree, g):
        s = at(tree, g, rho / length(g))
        product = sum((g[k] * s[k]).sum() for k in g)
        return {k: g[k] - strength * min(0, product) / length(s) ** 2 * s[k] for k in g}
    return rule


def scaled_lines(x, turns):
    for _ in range(turns):
        x = x.shape[1] ** 0.5 * x / x.norm(dim=1, keepdim=True)
        x = x.shape[0] ** 0.5 * x / x.norm(dim=0, keepdim=True)
    return x


def sink_gd(turns, one):
    return lambda tree, g: {k: scaled_lines(v, turns) / (v.numel() ** 0.5 if one else 1) if k == "a" else v for k, v in g.items()}


def sgd(**more):
    return make.Torch(lambda w: torch.optim.SGD(w, **({"lr": 0.05} | more)))


class Lawn:
    def __init__(self, base):
        self.base = base

    def step(self, tree, gradient, t):
        old = {k: w.detach().clone() for k, w in tree.items()}
        across = lambda x, w: x - w * (x * w).sum() / w.square().sum()  # noqa: E731
        self.base.step(tree, {k: across(g, old[k]) for k, g in gradient.items()}, t)
        with torch.no_grad():
            for k, w in tree.items():
                moved = old[k] + across(w - old[k], old[k])
                w.copy_(moved * old[k].norm() / moved.norm())


class SelectiveDecay:
    def __init__(self, base, decay, scale):
        self.base, self.decay, self.scale = base, decay, scale

    def step(self, tree, gradient, t):
        shrunk = {k: self.decay * w.detach() * (-gradient[k].abs() / self.scale).exp() for k, w in tree.items()}
        self.base.step(tree, gradient, t)
        with torch.no_grad():
            for k, w in tree.items():
                w -= shrunk[k]


def rec_adam(lr, pull, middle, rise):
    def rule(w, g, s, t):
        start = s.setdefault("start", w.clone())
        s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
        s["v"] = 0.999 * s.get("v", 0) + 0.001 * g ** 2
        share = 1 / (1 + math.exp(-rise * (t - middle)))
        step = lr * math.sqrt(1 - 0.999 ** t) / (1 - 0.9 ** t) * s["m"] / (s["v"].sqrt() + 1e-6)
        return w - share * step - lr * (1 - share) * pull * (w - start)
    return rule


OTHERS = "\n  optimize sgd(lr: 0.05) for net.f.b, net.f.c"
OPTIMIZERS = [
    ("amp(base: sgd(lr: 0.05, momentum: 0.9))", Steps(sgd(momentum=0.9), amp(0.2, 1, 1, False))),
    ("amp(base: sgd(lr: 0.05), radius: 3, rise: 0.1, turns: 2, whole: true)", Steps(sgd(), amp(3, 0.1, 2, True))),
    ("largest_gradients(base: sgd(lr: 0.05), keep: 75%)", Steps(sgd(), largest(0.75))),
    ("largest_gradients(base: adam(lr: 0.1))", Steps(make.Torch(lambda w: torch.optim.Adam(w, lr=0.1)), largest(0.2))),
    ("flat_gradient(base: sgd(lr: 0.05), gamma: 0.1)", Steps(sgd(), flat_gradient(0.1, 0.05, 1))),
    ("flat_gradient(base: sgd(lr: 0.05, momentum: 0.5), gamma: 0.1, eps: 0.2, ahead: 0.5)", Steps(sgd(momentum=0.5), flat_gradient(0.1, 0.2, 0.5))),
    ("flat_gradient(base: sgd(lr: 0.05), gamma: 0.05, ahead: 0)", Steps(sgd(), flat_gradient(0.05, 0.05, 0))),
    ("glad(base: sgd(lr: 0.05), rho: 0.1)", Steps(sgd(), glad(0.1, 1))),
    ("glad(base: sgd(lr: 0.05), rho: 20, strength: 0.5)", Steps(sgd(), glad(20, 0.5))),
    ("lawn(base: sgd(lr: 0.05, momentum: 0.9))", Lawn(sgd(momentum=0.9))),
    ("lawn(base: adam(lr: 0.1))", Lawn(make.Torch(lambda w: torch.optim.Adam(w, lr=0.1)))),
    ("selective_decay(base: sgd(lr: 0.05), decay: 0.1, scale: 2)", SelectiveDecay(sgd(), 0.1, 2)),
    ("rec_adam(lr: 0.1, pull: 3, middle: 2, rise: 1)", make.Formula(rec_adam(0.1, 3, 2, 1))),
    ("sink_gd(lr: 0.05, turns: 1) for net.f.a" + OTHERS, Steps(sgd(), sink_gd(1, False))),
    ("sink_gd(lr: 0.05, one: true) for net.f.a" + OTHERS, Steps(sgd(), sink_gd(5, True))),
]


def ghost(x, size, eps, scale, shift):
    g = x.reshape(-1, size, 3)
    return ((g - g.mean(1, keepdim=True)) / (g.var(1, unbiased=False, keepdim=True) + eps).sqrt()).reshape(-1, 3) * scale + shift


def ghost_evaluation(x, size, momentum, eps, scale, shift):
    m, v = torch.zeros(3), torch.ones(3)
    for g in x.reshape(-1, size, 3):
        m, v = momentum * m + (1 - momentum) * g.mean(0), momentum * v + (1 - momentum) * g.var(0)
    return (x - m) / (v + eps).sqrt() * scale + shift


def fusion(x, **p):
    part = lambda y, k: (y @ p[f"dense{k}.weight"] + p[f"dense{k}.bias"]).relu()  # noqa: E731
    return part(torch.cat([part(x[:, k:k + 1], k + 1) for k in range(3)], 1), 4)


FUSION = {f"dense{k}.{n}": shape for k in (1, 2, 3, 4) for n, shape in (("weight", (6 if k == 4 else 1, 2)), ("bias", (2,)))}
LAYERS = [
    ("ghost_batch_norm(size: 2)", {"scale": (3,), "shift": (3,)}, lambda x, scale, shift: ghost(x, 2, 1e-5, scale, shift),
     lambda x, scale, shift: ghost_evaluation(x, 2, 0.9, 1e-5, scale, shift)),
    ("ghost_batch_norm(size: 3, momentum: 0.5, eps: 0.1)", {"scale": (3,), "shift": (3,)}, lambda x, scale, shift: ghost(x, 3, 0.1, scale, shift),
     lambda x, scale, shift: ghost_evaluation(x, 3, 0.5, 0.1, scale, shift)),
    ("compander(learned: true)", {"log_a": (1,), "log_b": (1,)}, lambda x, log_a, log_b: log_a.exp() * (x / log_b.exp()).atan(), None),
    ("fusion(1, 1, 2, p: 0)", FUSION, fusion, None),
    ("lora(2)", {"a": (6, 2), "b": (2, 3)}, lambda x, a, b: x + a @ b, None),
    ("lora(2, alpha: 1)", {"a": (6, 2), "b": (2, 3)}, lambda x, a, b: x + a @ b / 2, None),
    ("orthogonal_adapter([[1, 0], [0, 0], [0, 1]])", {"a": (6, 2)}, lambda x, a: x + torch.stack([a[:, 0], 0 * a[:, 0], a[:, 1]], 1), None),
    ("hadamard(lambda: 0.5)", {"u": (3,), "v": (3,), "w": (3,)}, lambda x, u, v, w: (x @ (u ** 2 - v ** 2 + 0.5 * w))[:, None], None,
     "= (x |> {call} as f)[.., new]"),
]


def one_cycle(t, peak, over, half, div, end_div, momentum):
    low, top, end = peak / div, half * over, 2 * half * over
    if t < end:
        way = t / top if t < top else 2 - t / top
        return peak - (peak - low) * way if momentum else low + (peak - low) * way
    return peak if momentum else low + (low / end_div - low) * min(t - end, over - end) / (over - end)


SCHEDULES = [
    ("early(0.5, cutoff: 10 steps)", lambda t: 0.5 * max(1 - t / 9, 0)),
    ("early(0.1, cutoff: 5 epochs)", lambda t: 0.1 * max(1 - t / 14, 0)),
    ("one_cycle_linear(0.5)", lambda t: one_cycle(t, 0.5, 36, 0.45, 10, 100, False)),
    ("one_cycle_linear(0.3, over: 20 steps, half: 0.25, div: 4, end_div: 10)", lambda t: one_cycle(t, 0.3, 20, 0.25, 4, 10, False)),
    ("one_cycle_linear(0.95, div: 0.95 / 0.85, momentum: true)", lambda t: one_cycle(t, 0.95, 36, 0.45, 0.95 / 0.85, 100, True)),
]


# Losses and penalties that keep something: three steps of sgd(lr: 0.1) of a layer of 3 to 3 on batches of 4 rows, whose class is y. What
# is given by the step's number, the layer's weight and bias, the rows, the classes, and a dictionary that lives as long.
def dro(t, w, b, x, y, kept):
    l = F.cross_entropy(x @ w + b, y, reduction="none")
    groups = torch.stack([l[y == k].sum() / max(1, (y == k).sum()) for k in range(3)])
    q = kept.get("q", torch.ones(3) / 3) * (0.5 * (groups.detach() + 2 / torch.tensor([5.0, 4, 3]).sqrt())).exp()
    kept["q"] = q / q.sum()
    return (kept["q"] * groups).sum()


def rationale_kept(t, w, b, x, y, kept):
    z = x @ w + b
    r, value = z[:, None, :] * w.T, 0
    for k in range(3):
        if (y == k).any():
            own = r[y == k]
            fresh = own.mean(0).detach()
            kept[k] = fresh if k not in kept else 0.75 * kept[k] + 0.25 * fresh
            value = value + (own - kept[k]).square().sum() / (3 * len(own))
    return 0.1 * value


def adaptive(t, w, b, x, y, kept):
    r = (x @ w + b).square().mean() * (1 + 4 * (t == 3))
    seen = kept.setdefault("seen", [])
    jump = len(seen) > 2 and r > torch.tensor(seen).mean() + 0.5 * torch.tensor(seen).std(unbiased=False)
    kept["strength"] = 2.0 if jump else 0.5 * kept.get("strength", 1.0)
    seen.append(r.item())
    return kept["strength"] * r


STEPS = [
    ("group_dro(cross_entropy(net(x), y, per_row: true), y, [5, 4, 3], rate: 0.5, adjust: 2)", dro),
    ("0.1 * rationale_invariance(net(x), net.f.weight, y, momentum: 0.25)", rationale_kept),
    ("adaptive_strength((if step == 3 then 5 else 1) * mean(net(x)^2), most: 2, first: 1, sensitivity: 0.5, gamma: 0.5)", adaptive),
]
