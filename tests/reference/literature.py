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


STEPS = [
    ("discover(cross_entropy(net(x), y, per_row: true), y, [0.25, 0.5, 0.25], net.*, alpha: 0.3)", discover),
    ("bi_drop([cross_entropy(net(x), y), cross_entropy(net(0.5 * x), y), cross_entropy(net(-0.25 * x), y)], net.*, share: 25%)", bi_drop),
]
OPTIMIZERS, SCHEDULES = [], []
