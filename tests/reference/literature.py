"""More definitions of techniques, written once more with PyTorch from their formulas: see techniques.py."""
import itertools

import torch
from scipy import optimize
from techniques import arrays, rows
from torch.nn import functional as F


def folding(p, soft=0):
    length = sum((p[k + 1] - p[k]).abs().sum() for k in range(len(p) - 1))
    away = torch.stack([(q - p[0]).abs().sum() for q in p])
    far = (soft * away).exp().sum().log() / soft if soft else away.max()
    return 1 - far / length


def gaussian_experts(g, m, s, y):
    parts = [torch.distributions.Normal(m[:, k], s[k].exp()).log_prob(y) for k in range(3)]
    return -(g.softmax(1) * torch.stack(parts, 1).exp()).sum(1).log().mean()


def n_of_m(w, n, m):
    kept = torch.zeros_like(w)
    for j, start in itertools.product(range(w.shape[1]), range(0, len(w), m)):
        best = sorted(range(m), key=lambda k: (-w[start + k, j].abs().item(), k))[:n]
        kept[[start + k for k in best], j] = 1
    return kept


def sparse_projection(s, b, k):
    """Of all ways to choose k places the nearest point, found by solving for the shift on each set of positive places."""
    columns = []
    for j in range(s.shape[1]):
        best = None
        for size in range(1, k + 1):
            for places in map(list, itertools.combinations(range(len(s)), size)):
                t = torch.zeros(len(s)).index_put((torch.tensor(places),), s[places, j] + (b[j] - s[places, j].sum()) / size)
                if t.min() >= 0 and (best is None or (t - s[:, j]).square().sum() < (best - s[:, j]).square().sum()):
                    best = t
        columns.append(best)
    return torch.stack(columns, 1)


def double_pruned(x, w, m):
    back = x @ (w * (m > 0)).detach()
    return x.detach() @ w + back - back.detach()


def info_nce(a, b, tau):
    return F.cross_entropy(F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / tau, torch.arange(len(a)))


def class_alignment(e, y, alpha):
    pairs = [(i, j) for i, j in itertools.combinations(range(len(e)), 2) if y[i] == y[j]]
    return torch.stack([(e[i] - e[j]).norm() ** alpha for i, j in pairs]).mean()


def sphere_energy(u, v, y, t):
    return -((u @ v.T / t).exp().sum(1).log().mean() + (v[y] @ u.T / t).exp().sum(1).log().mean())


def slerp(a, b, r):
    a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
    angle = (a * b).sum(1, keepdim=True).acos()
    return (((1 - r) * angle).sin() * a + (r * angle).sin() * b) / angle.sin()


def regulated(q, d, views_q, views_d, tau):
    """Row by row, as the formula reads."""
    s = lambda a, b: (F.cosine_similarity(a, b, dim=0) / tau).exp()  # noqa: E731
    views_q, views_d, total = views_q.detach(), views_d.detach(), 0
    for i in range(len(q)):
        own, others = s(q[i], d[i]), [j for j in range(len(q)) if j != i]
        rest = sum(s(q[i], d[j]) + sum(s(q[i], views_d[k][j]) + s(q[i], views_q[k][j]) for k in range(len(views_q))) for j in others)
        total = total - (own / (own + rest)).log()
        for k in range(len(views_q)):
            for a, v in ((q, views_q[k]), (d, views_d[k])):
                total = total - (s(a[i], v[i]) / sum(s(a[i], w) for w in v)).log() / len(views_q)
    return total / len(q)


def lp_reg(z, old, y, a, beta, kappa, rarest, low, high):
    lp, lo = (t.log_softmax(1).gather(1, y[:, None])[:, 0] for t in (z, old))
    p = old.softmax(1)
    kept = torch.where(p >= kappa * p.amax(1, keepdim=True), old, torch.tensor(-1e4))
    lq, rho = kept.log_softmax(1).gather(1, y[:, None])[:, 0], (lp - lo).exp()
    losses = [max(-a[i] * rho[i], -a[i] * rho[i].clamp(1 - low, 1 + high)) for i in range(len(y))]
    negative = sorted((i for i in range(len(y)) if a[i] < 0), key=lambda i: lp[i].item())
    most = max(1, int(rarest * len(negative)))
    for i in negative[:most] if most > 1 else []:
        if lp[i] < lq[i]:
            d = (lq[i] - lp[i]).clamp(-20, 20)
            losses[i] = -a[i] * rho[i] + beta * (d.exp() - d - 1)
    return torch.stack(losses).mean()


def symmetric_kl(z, v):
    p, q = z.softmax(-1), v.softmax(-1)
    return (F.kl_div(p.log(), q, reduction="none") + F.kl_div(q.log(), p, reduction="none")).sum(-1).mean()


A, B = torch.tensor([0.25, 0.5, 0.25]), torch.tensor([0.5, 0.25, 0.25])
SUMS = torch.cat([torch.kron(torch.eye(3), torch.ones(1, 3)), torch.kron(torch.ones(1, 3), torch.eye(3))])


def least_cost(c, alike=False):
    """By linear programming; alike: the first row and the last one are equal."""
    more = torch.cat([torch.eye(3), torch.zeros(3, 3), -torch.eye(3)], 1) if alike else torch.zeros(0, 9)
    found = optimize.linprog(c.flatten(), A_eq=torch.cat([SUMS, more]), b_eq=torch.cat([A, B, torch.zeros(len(more))]))
    return torch.tensor(found.x).reshape(3, 3)


def quadratic_plan(c, gamma):
    """The last sum follows from the others."""
    c, sums, given = c.flatten().numpy(), SUMS[:-1].numpy(), torch.cat([A, B])[:-1].numpy()
    found = optimize.minimize(lambda t: (c * t).sum() + gamma / 2 * (t ** 2).sum(), torch.outer(A, B).flatten(), jac=lambda t: c + gamma * t, method="SLSQP",
                              bounds=9 * [(0, 1)], constraints={"type": "eq", "fun": lambda t: sums @ t - given}, options={"ftol": 1e-14})
    return torch.tensor(found.x).reshape(3, 3)


PROGRAM = """fn second(pair) {
  a, b = pair
  b
}
fn bend(x) = tanh(x) * x^2
"""
EXPRESSIONS = [
    ("0 * second(drawn_mask(a)) + second(drawn_mask(40 * sign(a)))", arrays(a=(4, 3)), lambda a: torch.zeros(4), ""),
    ("sum_of_norms_plan(abs(c), [0.25, 0.5, 0.25], [0.5, 0.25, 0.25], zeros([3, 3]), turns: 4000)", arrays(c=(3, 3)), lambda c: least_cost(c.abs()), ""),
    ("sum_of_norms_plan(abs(c), [0.25, 0.5, 0.25], [0.5, 0.25, 0.25], 9 * ones([3, 3]) * [[0, 0, 1], [0, 0, 0], [1, 0, 0]], turns: 4000)", arrays(c=(3, 3)),
     lambda c: least_cost(c.abs(), True), ""),
    ("sparse_plan(abs(c), [0.25, 0.5, 0.25], [0.5, 0.25, 0.25], 3, gamma: 2, turns: 3000)", arrays(c=(3, 3)), lambda c: quadratic_plan(c.abs(), 2), ""),
    ("with_gradient(sum(x^2), g, x)", arrays(x=(3, 2), g=(3, 2)), lambda x, g: (x.square().sum() + (g * x).sum()).detach() * 0 + x.detach().square().sum() + (g * (x - x.detach())).sum(), "x"),
    ("drop_block(x, size: 2, p: 0) * s", arrays(x=(2, 3, 4, 2), s=(2, 3, 4, 2)), lambda x, s: x * s, "x"),
    ("trajectory_balance(z, q, r)", arrays(z=(), q=(5,), r=(5,)), lambda z, q, r: (z + q - r.detach()).square().mean(), "z,q"),
    ("folding(p)", arrays(p=(6, 4)), folding, "p"),
    ("folding(p, soft: 2)", arrays(p=(6, 4)), lambda p: folding(p, 2), "p"),
    ("folding([[0, 0], [1, 0], [0, 0]] + 0 * p)", arrays(p=(3, 2)), lambda p: torch.tensor(0.5) + 0 * p.sum(), ""),
    ("sparse_update(w, m > 0) * s", arrays(w=(4, 3), m=(4, 3), s=(4, 3)), lambda w, m, s: torch.where(m > 0, w, w.detach()) * s, "w"),
    ("1.0 * smallest(w, 25%)", arrays(w=(4, 3)), lambda w: (w.abs() <= torch.quantile(w.abs(), 0.25)).double(), ""),
    ("gaussian_experts(g, m, s, y)", arrays(g=(5, 3), m=(5, 3), s=(3,), y=(5,)), gaussian_experts, "g,m,s,y"),
    ("1.0 * n_of_m(w)", arrays(w=(8, 3)), lambda w: n_of_m(w, 2, 4), ""),
    ("1.0 * n_of_m(w, n: 1, m: 3)", arrays(w=(6, 5)), lambda w: n_of_m(w, 1, 3), ""),
    ("0 * slope_dense(x, 4)", arrays(x=(5, 8)), lambda x: torch.zeros(5, 4), ""),
    ("double_pruned(x, w, m > 0) * f", arrays(x=(5, 4), w=(4, 3), m=(4, 3), f=(5, 3)), lambda x, w, m, f: double_pruned(x, w, m) * f, "x,w"),
    ("sparse_projection(s, abs(b), 2) * f", arrays(s=(4, 5), b=(5,), f=(4, 5)), lambda s, b, f: sparse_projection(s, b.abs(), 2) * f, "s"),
    ("sparse_projection(s, abs(b), 4) * f", arrays(s=(4, 5), b=(5,), f=(4, 5)), lambda s, b, f: sparse_projection(s, b.abs(), 4) * f, "s"),
]
EXPRESSIONS += [
    ("info_nce(a, b)", arrays(a=(4, 3), b=(4, 3)), lambda a, b: info_nce(a, b, 0.05), "a,b"),
    ("info_nce(a, b, tau: 0.5)", arrays(a=(4, 3), b=(6, 3)), lambda a, b: info_nce(a, b, 0.5), "a,b"),
    ("modality_dropout(x, p: 0) * s", arrays(x=(4, 3), s=(4, 3)), lambda x, s: x * s, "x"),
    ("anchor_imitation(r, v, x)", arrays(r=(4, 5), v=(5, 2), x=(4, 2)), lambda r, v, x: -((-(x[:, None] - v).square().sum(2) / 0.5).softmax(1) * r.log_softmax(1)).sum(1).mean(), "r,v,x"),
    ("uniformity(e)", arrays(e=(5, 2)), lambda e: torch.stack([(-2 * (e[i] - e[j]).square().sum()).exp() for i in range(5) for j in range(i)]).mean().log(), "e"),
    ("class_alignment(e, y)", rows(e=(7, 2)), lambda y, e: class_alignment(e, y, 2), "e"),
    ("class_alignment(e, y, alpha: 3)", rows(e=(7, 2)), lambda y, e: class_alignment(e, y, 3), "e"),
    ("class_alignment(e[0..3], y[0..3])", rows(e=(7, 2)), lambda y, e: 0 * e.sum(), ""),
    ("slerp(unit(a), unit(b), r) * s", {**arrays(a=(4, 3), b=(4, 3), s=(4, 3)), "r": torch.tensor(0.25)}, lambda a, b, s, r: slerp(a, b, r) * s, "a,b,r"),
    ("sphere_energy(u, v, y, t: 0.5)", rows(u=(7, 2), v=(3, 2)), lambda y, u, v: sphere_energy(u, v, y, 0.5), "u,v"),
    ("ridge(x, y, 0.5) * s", arrays(x=(6, 3), y=(6, 2), s=(3, 2)), lambda x, y, s: torch.linalg.solve(x.T @ x + 6 * 0.5 * torch.eye(3), x.T @ y) * s, "x,y"),
    ("collapse_ridge(200, 1, beta: 2)", {}, lambda: torch.tensor(200.0 ** -(2 / 3)), ""),
    ("collapse_ridge(100, 10, per_generation: 1000, beta: 2, r: 1)", {}, lambda: torch.tensor(100.0 ** -(2 / 5)), ""),
    ("collapse_ridge(100, 10, beta: 2)", {}, lambda: torch.tensor(100.0 ** -(0.5 * 2 / 3)), ""),
    ("virtual_residual(r, abs(v), c: 0.5)", arrays(r=(5, 3), v=(5, 1)), lambda r, v: 0.5 * (r ** 2 / (2 * v.abs())).clamp(max=27.63).mean(), "r"),
    ("virtual_residual(100 * r, 0.5)", arrays(r=(5, 3)), lambda r: 0.1 * (1e4 * r ** 2).clamp(max=27.63).mean(), "r"),
    ("regulated_contrast(q, d, v, w, tau: 0.5)", arrays(q=(3, 4), d=(3, 4), v=(2, 3, 4), w=(2, 3, 4)), lambda q, d, v, w: regulated(q, d, v, w, 0.5), "q,d"),
    ("debiased(softmax(p), softmax(q)) * s", arrays(p=(4, 3), q=(4, 3), s=(4, 3)), lambda p, q, s: (p - q).softmax(1) * s, "p,q"),
    ("debiased(p, q, subtract: true)", arrays(p=(4, 3), q=(3,)), lambda p, q: p - q, ""),
    ("clamp(contrasted(l, q, alpha: 0.5), -99, 99)", arrays(l=(4, 5), q=(5,)), lambda l, q: torch.where(l.softmax(1) >= 0.1 * l.softmax(1).amax(1, keepdim=True), 1.5 * l - 0.5 * q, -99), ""),
    ("rpo(p, q, r, s, beta: 0.5, eta: 0.25)", arrays(p=(5,), q=(5,), r=(5,), s=(5,)), lambda p, q, r, s: (-F.logsigmoid(0.5 * (p - r - q + s)) - 0.125 * p).mean(), "p,q"),
    ("lp_reg(z, v, y, a, rarest: 60%)", rows(z=(7, 3), v=(7, 3), a=(7,)), lambda y, z, v, a: lp_reg(z, v, y, a, 1, 0.02, 0.6, 1, 9), "z"),
    ("lp_reg(z, v, y, a - 3, beta: 0.5, kappa: 0.5, rarest: 80%, low: 0.25, high: 0.5)", rows(z=(7, 3), v=(7, 3), a=(7,)), lambda y, z, v, a: lp_reg(z, v, y, a - 3, 0.5, 0.5, 0.8, 0.25, 0.5), "z"),
    ("lp_reg(z, v, y, abs(a))", rows(z=(7, 3), v=(7, 3), a=(7,)), lambda y, z, v, a: lp_reg(z, v, y, a.abs(), 1, 0.02, 0.01, 1, 9), "z"),
    ("0 * sparse_low_rank(x, 2, 1)", arrays(x=(5, 4)), lambda x: torch.zeros(5, 2), ""),
    ("symmetric_kl(z, v)", arrays(z=(4, 3), v=(4, 3)), symmetric_kl, "z,v"),
    ("smooth_around(bend, x, eps: 0)", arrays(x=(5, 3)), lambda x: 0 * x.sum(), ""),
    ("smooth_around(bend, x, eps: 0.25, eta: 9)", arrays(x=(1, 1)), lambda x: 0 * x.sum(), ""),
    ("layer_drop(h, c, p: 0) * s", arrays(h=(4, 3), c=(4, 3), s=(4, 3)), lambda h, c, s: (h + c) * s, "h,c"),
]
LAYERS = [
    ("shared_lora(3, experts: 4, rank: 2, top: 4, drop: 0)", {"a": (3, 2), "b": (4, 2, 3), "router": (3, 4)},
     lambda x, a, b, router: sum((x @ router).softmax(1)[:, k:k + 1] * (x @ a @ b[k]) for k in range(4)), None),
    ("shared_lora(2, experts: 3, rank: 2, top: 1, alpha: 5, drop: 0)", {"a": (3, 2), "b": (3, 2, 2), "router": (3, 3)},
     lambda x, a, b, router: 2.5 * torch.stack([(r @ router).softmax(0).max() * (r @ a @ b[(r @ router).argmax()]) for r in x]), None),
]


def with_gradient(l, slopes, w):
    return l.detach() + sum((g.detach() * (v - v.detach())).sum() for g, v in zip(slopes, w))


def discover(t, w, b, x, y, kept):
    l = F.cross_entropy(x @ w + b, y, reduction="none")
    m = kept.setdefault("m", [[torch.zeros(3, 3), torch.zeros(3)] for _ in range(3)])
    d = [sum(share * m[k][i] for k, share in enumerate((0.25, 0.5, 0.25))) for i in (0, 1)]
    for row, k in zip(l, y):
        g = torch.autograd.grad(row, [w, b], retain_graph=True)
        d = [d[i] + (g[i] - m[k][i]) / len(y) for i in (0, 1)]
    for k in y.unique():
        g = torch.autograd.grad(l[y == k].mean(), [w, b], retain_graph=True)
        m[k] = [0.7 * old + 0.3 * new for old, new in zip(m[k], g)]
    return with_gradient(l.mean(), d, (w, b))


def bi_drop(t, w, b, x, y, kept):
    l = torch.stack([F.cross_entropy(f * x @ w + b, y) for f in (1, 0.5, -0.25)])
    g = torch.stack([torch.cat([s.flatten() for s in torch.autograd.grad(one, [w, b], retain_graph=True)]) for one in l])
    mu, now = g.mean(0), torch.cat([w.flatten(), b]).detach()
    agreed, moved = mu.abs() / (g.std(0, unbiased=False) + 1e-8), mu.abs() / (now.abs() + 1e-8)
    score = agreed * moved
    chosen = mu * (score >= torch.quantile(score, 0.75))
    return with_gradient(l.mean(), (chosen[:9].reshape(3, 3), chosen[9:]), (w, b))


def alchemy(t, w, b, x, y, kept):
    l = F.cross_entropy(x @ w + b, y)
    r = (x @ w + b).square().mean() * (1 + 4 * (t == 2))
    fresh = ((l + r) / 2 / torch.stack([l, r])).detach()
    if t == 0:
        kept["a"] = fresh
    elif t == 2:
        kept["a"] = 0.1 * torch.stack([fresh[0], max(fresh[1], 1.1 * kept["a"][1])]) + 0.9 * kept["a"]
    return kept["a"][0] * l + kept["a"][1] * r


STEPS = [
    ("0 * sum(half_of(net.*)) + mean(net(x)^2)", lambda t, w, b, x, y, kept: (x @ w + b).square().mean()),
    ("alchemy_scale(cross_entropy(net(x), y), (if step == 2 then 5 else 1) * mean(net(x)^2), every: 2)", alchemy),
    ("discover(cross_entropy(net(x), y, per_row: true), y, [0.25, 0.5, 0.25], net.*, alpha: 0.3)", discover),
    ("bi_drop([cross_entropy(net(x), y), cross_entropy(net(0.5 * x), y), cross_entropy(net(-0.25 * x), y)], net.*, share: 25%)", bi_drop),
]
OPTIMIZERS, SCHEDULES = [], []
