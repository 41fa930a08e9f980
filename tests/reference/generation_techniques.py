"""The definitions of techniques that decode, generate and solve, written once more with PyTorch (double precision) from their formulas: read by make_techniques.py."""
import math

import numpy
import torch
from scipy import stats
from techniques import arrays
from torch.nn import functional as F

PROGRAM = """fn falls(z, t) = -z
fn turns(z, t) = tanh(z * t) + cos(t)
fn near(a, b) = exp(-pairwise_distances(a, b)^2 / 2)
fn aleatoric(h) {
  a, e = token_uncertainty(h)
  a
}
fn epistemic(h) {
  a, e = token_uncertainty(h)
  e
}
fn voted(votes) {
  told, member = majority(votes)
  stack(told, member)
}
fn solved(f, z, end, tol) {
  y, error, stiff, taken, tried = tsit5(f, z, 0 -> end, rtol: tol, atol: tol, first: end)
  concat(flat(y), stack(error, stiff), axis: 0)
}
fn counted_steps(f, z, tol) {
  y, error, stiff, taken, tried = tsit5(f, z, 0 -> 1, rtol: tol, atol: tol)
  concat(flat(y), stack(error, stiff, taken, tried), axis: 0)
}
"""
OPTIMIZERS, SCHEDULES, LAYERS, STEPS = [], [], [], []


def uncertainty(h):
    p = h.softmax(-1)
    mean = p.mean(0)
    return -(p * p.log()).sum(-1), (p * (p / mean).log()).sum(-1)


def unlikelihood(z, y):
    p, out = z.softmax(-1), []
    for row, text in zip(p, y):
        out.append(torch.stack([-sum(((1 - row[t][c]).log() for c in set(text[:t]) - {text[t]}), row.new_zeros(())) for t in range(len(text))]))
    return torch.stack(out)


TSIT5 = [
    [], [0.161], [-0.008480655492356989, 0.335480655492357], [2.8971530571054935, -6.359448489975075, 4.3622954328695815],
    [5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525],
    [5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383],
    [0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774]]
LOWER = [-0.00178001105222577714, -0.0008164344596567469, 0.007880878010261995, -0.1447110071732629, 0.5823571654525552, -0.45808210592918697, 1 / 66]


def tsit5(f, z, t, s, tol):
    """One step, by the table."""
    k, g = [], []
    for row in TSIT5:
        g.append(z + s * sum(a * b for a, b in zip(row, k)))
        k.append(f(g[-1], t + s * sum(row)))
    e = s * sum(a * b for a, b in zip(LOWER, k))
    scaled = e / (tol + tol * torch.maximum(z.abs(), g[6].abs()))
    return g[6], scaled.square().mean().sqrt(), (k[6] - k[5]).norm() / (g[6] - g[5]).norm() / 3.5068


def one_step(f, z, size, tol):
    end, error, stiff = tsit5(f, z, 0.0, size, tol)
    return torch.cat([end.flatten(), torch.stack([error * size, stiff])])


def stepped(f, z, tol):
    """From 0 to 1, refused steps tried anew."""
    t, h, total, stiff, taken, tried = 0.0, 0.1, 0.0, 0.0, 0, 0
    while t < 1:
        s = min(h, 1 - t)
        end, error, own = tsit5(f, z, t, s, tol)
        if error <= 1:
            z, t, total, stiff, taken = end, t + s, total + error * s, max(stiff, own), taken + 1
        h, tried = s * min(max(0.9 * error.item() ** -0.2, 0.2), 10), tried + 1
    return torch.cat([z.flatten(), torch.tensor([total, stiff, taken, tried])])


def phi(h, k):
    """By the recursion, which is exact enough away from 0."""
    value = h.expm1() / h
    for j in range(1, k):
        value = (value - 1 / math.factorial(j)) / h
    return value


def polynomial(v, at, order):
    """Through so many values, by solving for its coefficients around the first place."""
    c = torch.linalg.solve(torch.stack([(torch.tensor(at[:order]) - at[0]) ** k for k in range(order)], 1), v[:order].flatten(1))
    c = torch.cat([c, c.new_zeros(3 - order, c.shape[1])])
    return torch.stack([c[0], c[1], 2 * c[2]]).reshape(v.shape)


def exponential(z, d, start, end, data):
    """The integral over the logarithm of the ratio by Gauss's rule."""
    nodes, weights = numpy.polynomial.legendre.leggauss(20)
    low, high = (math.log(a / s) for a, s in (start, end))
    total = 0 * z
    for x, w in zip(nodes, weights):
        r = (high - low) * (x + 1) / 2
        told = d[0] + d[1] * r + d[2] * r * r / 2
        total = total + w * (high - low) / 2 * math.exp((low + r) * (1 if data else -1)) * told
    return end[1] / start[1] * z + end[1] * total if data else end[0] / start[0] * z - end[0] * total


def ranking(p, f, margin):
    pairs = [(margin - (p[i] - p[j])).relu() for i in range(len(p)) for j in range(len(p)) if f[i] > f[j]]
    return torch.stack(pairs).mean()


def noncentral(x, df, nc, scale):
    return torch.tensor([math.log(stats.ncx2.pdf(v, df, nc, scale=scale)) for v in x])


def sankaran(x, df, nc, scale):
    x, h = x / scale, 1 - 2 / 3 * (df + nc) * (df + 3 * nc) / (df + 2 * nc) ** 2
    p = (df + 2 * nc) / (df + nc) ** 2
    m = (h - 1) * (1 - 3 * h)
    z = ((x / (df + nc)) ** h - (1 + h * p * (h - 1 - 0.5 * (2 - h) * m * p))) / (h * math.sqrt(2 * p) * (1 + 0.5 * m * p))
    return torch.special.log_ndtr(z)


def logistic(x, a, mu, s, levels):
    """By the four branches, one number at a time."""
    out = []
    for i, v in enumerate(x):
        parts, c = [], 2 * v / (levels - 1) - 1
        for k in range(a.shape[1]):
            w = s[i, k].clamp(min=-7)
            up, low, mid = ((c + d / (levels - 1) - mu[i, k]) * (-w).exp() for d in (1, -1, 0))
            gap = up.sigmoid() - low.sigmoid()
            parts.append(F.logsigmoid(up) if v == 0 else F.logsigmoid(-low) if v == levels - 1 else gap.log() if gap > 1e-5
                         else mid - w - 2 * F.softplus(mid) - math.log((levels - 1) / 2))
        out.append((a[i].log_softmax(0) + torch.stack(parts)).logsumexp(0))
    return torch.stack(out)


def gap(r, y, p):
    pairs = [(r[i, t - 1, y[i][t - 1]] - (p[i, t] * r[i, t]).sum()) ** 2 for i in range(len(y)) for t in range(1, len(y[i]))]
    return torch.stack(pairs).mean()


def process(a, b, y):
    """Of one place without noise: kernels exp(-d^2 / 2)."""
    k = lambda u, v: (-torch.cdist(u, v) ** 2 / 2).exp()
    return k(b, a) @ torch.linalg.solve(k(a, a) + 1e-6 * torch.eye(len(a)), y)


TEXTS = [[0, 1, 0, 2, 1], [1, 1, 3, 3, 2]]
VOTES = [[3, 1, 2, 0], [2, 2, 2, 1], [2, 1, 0, 0], [3, 0, 1, 1]]
EXPRESSIONS = [
    ("aleatoric(h) * s", arrays(h=(3, 4), s=(3,)), lambda h, s: uncertainty(h)[0] * s, "h"),
    ("epistemic(h) * s", arrays(h=(3, 4), s=(3,)), lambda h, s: uncertainty(h)[1] * s, "h"),
    ("mean(aleatoric(h) + epistemic(h)) + sum(xmul(mean(softmax(h), axis: 0), log(mean(softmax(h), axis: 0))))", arrays(h=(5, 4)), lambda h: torch.tensor(0.0), ""),
    ("scaled_rates([[0.5, 1.5, 1], [2, 2, 2]], 0.7)", {}, lambda: torch.tensor([[0.1, 0.7, 0.4], [0.1, 0.1, 0.1]]), ""),
    ("scaled_rates(e, 0.5, least: 0.2) * s", arrays(e=(4,), s=(4,)), lambda e, s: (0.2 + 0.3 * (e - e.min()) / (e.max() - e.min())) * s, "e"),
    (f"1.0 * voted({VOTES})", {}, lambda: torch.tensor([[3.0, 1, 2, 0], [0, 0, 0, 0]]), ""),
    ("1.0 * voted([[4], [2], [2]])", {}, lambda: torch.tensor([[2.0], [1]]), ""),
    ("solved(falls, z, 0.5, 0.01)", arrays(z=(3,)), lambda z: one_step(lambda z, t: -z, z, 0.5, 0.01), "z"),
    ("solved(turns, z, 0.5, 0.01) * s", arrays(z=(2, 2), s=(6,)), lambda z, s: one_step(lambda z, t: (z * t).tanh() + torch.tensor(t).cos(), z, 0.5, 0.01) * s, "z"),
    ("counted_steps(turns, 9 * z, 3e-2)", arrays(z=(2, 2)), lambda z: stepped(lambda z, t: (z * t).tanh() + torch.tensor(t).cos(), 9 * z, 3e-2), ""),
    ("repetition([[1, 2, 1, 2, 1, 2], [1, 2, 3, 4, 5, 6]], 2)", {}, lambda: torch.tensor([0.6, 0]), ""),
    ("repetition([[7, 7, 7, 7, 7, 7, 7, 1]])", {}, lambda: torch.tensor([1 - 2 / 5]), ""),
    (f"unlikelihood(z, {TEXTS}, per_row: true) * s", arrays(z=(2, 5, 4), s=(2, 5)), lambda z, s: unlikelihood(z, TEXTS) * s, "z"),
    ("reinforce(p, r)", arrays(p=(4,), r=(4,)), lambda p, r: -((r - r.mean()) * p).mean(), "p"),
    *[(f"phi(h, {k})", {"h": torch.tensor([0.5, -0.7, 2.5, -3, 1.25])}, lambda h, k=k: phi(h, k), "h") for k in (1, 2, 3)],
    ("phi([0, 1e-6, 0], 3)", {}, lambda: torch.full((3,), 1 / 6), ""),
    *[(f"divided_slopes(v, [0.5, -0.25, -1.5], {k}) * s", arrays(v=(3, 2, 2), s=(3, 2, 2)),
       lambda v, s, k=k: polynomial(v, [0.5, -0.25, -1.5], k) * s, "v") for k in (1, 2, 3)],
    *[(f'exponential_step(z, d, [0.6, 0.8], [0.8, 0.6], of: "{of}") * s', arrays(z=(2, 3), d=(3, 2, 3), s=(2, 3)),
       lambda z, d, s, of=of: exponential(z, d, (0.6, 0.8), (0.8, 0.6), of == "data") * s, "z,d") for of in ("noise", "data")],
    ("exponential_step(z, stack(e, 0 * e, 0 * e), sqrt([0.5, 0.5]), sqrt([0.7, 0.3])) - ddim_step(z, e, 0.5, 0.7)", arrays(z=(2, 3), e=(2, 3)), lambda z, e: 0 * z, ""),
    ("ddim_step(z, e, 0.5, 0.7) * s", arrays(z=(2, 3), e=(2, 3), s=(2, 3)),
     lambda z, e, s: (0.7 ** 0.5 * (z - 0.5 ** 0.5 * e) / 0.5 ** 0.5 + 0.3 ** 0.5 * e) * s, "z,e"),
    ("refined_noise(z, e, 0.5, 0.7, eta: 0)", arrays(z=(2, 3), e=(2, 3)), lambda z, e: z, "z"),
    ("conditioned(p, e, w) * s", arrays(p=(2, 3), e=(2, 2, 3), w=(2,), s=(2, 3)),
     lambda p, e, w, s: ((1 - w.sum()) * p + w[0] * e[0] + w[1] * e[1]) * s, "p,e,w"),
    ("pairwise_ranking(p, [3, 1, 1, 2, 0], margin: 0.7)", arrays(p=(5,)), lambda p: ranking(p, [3, 1, 1, 2, 0], 0.7), "p"),
    ("to_standard_normal(m, v)", arrays(m=(3, 4), v=(3, 4)), lambda m, v: sum(torch.distributions.kl_divergence(
        torch.distributions.Normal(a, (b / 2).exp()), torch.distributions.Normal(0.0, 1.0)) for a, b in zip(m.flatten(), v.flatten())) / 12, "m,v"),
    ("log_mean_softmax(z) * s", arrays(z=(3, 2, 4), s=(2, 4)), lambda z, s: z.softmax(2).mean(0).log() * s, "z"),
    ("log_mean_softmax(z) - log_softmax(z[0])", arrays(z=(1, 2, 4)), lambda z: 0 * z[0], ""),
    ("constrained(z, sigmoid(r)) * s", arrays(z=(2, 5), r=(2, 5), s=(2, 5)),
     lambda z, r, s: (z.softmax(1) * r.sigmoid() / (z.softmax(1) * r.sigmoid()).sum(1, keepdim=True)).log() * s, "z,r"),
    ("kl(exp(constrained(z, 0 * z + 0.3)), softmax(z))", arrays(z=(2, 5)), lambda z: torch.tensor(0.0), ""),
    (f"expectation_gap(sigmoid(r), {TEXTS}, softmax(p))", arrays(r=(2, 5, 4), p=(2, 5, 4)), lambda r, p: gap(r.sigmoid(), TEXTS, p.softmax(2)), "r,p"),
    ("expectation_gap([[[0.5, 0.25], [0.2, 0.8]]], as_labels([[0, 1]], 2), [[[0.6, 0.4], [0.5, 0.5]]])", {}, lambda: torch.tensor(0.0), ""),
    ("noncentral_log_density([0.5, 3, 9, 20], 3.5, 4.2, 0.8)", {}, lambda: noncentral([0.5, 3, 9, 20], 3.5, 4.2, 0.8), ""),
    ("noncentral_log_density([70, 90], 20, 60, 1)", {}, lambda: noncentral([70, 90], 20, 60, 1), ""),
    ("noncentral_log_below([0.5, 3, 9, 20] + 0 * s, 3.5, 4.2, 0.8) * s", arrays(s=(4,)), lambda s: sankaran(torch.tensor([0.5, 3, 9, 20]), 3.5, 4.2, 0.8) * s, ""),
    ("discretized_logistic([0, 3, 16, 7], a, m, s, levels: 17)", arrays(a=(4, 3), m=(4, 3), s=(4, 3)),
     lambda a, m, s: logistic([0, 3, 16, 7], a, m, s, 17), "a,m,s"),
    ("discretized_logistic([0, 3, 16, 7], a, m, s - 6, levels: 17)", arrays(a=(4, 3), m=(4, 3), s=(4, 3)),
     lambda a, m, s: logistic([0, 3, 16, 7], a, m, s - 6, 17), "a,m,s"),
    ("round(100 * (gp_draws(near(a, a), near(a[..1], a), near(a[..1], a[..1]), y, 2, ridge: 1e-10)[0, 0] - y[0]))", arrays(a=(3, 2), y=(3, 2)), lambda a, y: 0 * y[0], ""),
    ("causal_conv(0 * x, 3)", arrays(x=(1, 2, 2, 2)), lambda x: torch.zeros(1, 2, 2, 3), ""),
    ("gated_residual(0 * x)", arrays(x=(1, 2, 2, 2)), lambda x: 0 * x, ""),
    ("round(inductive_bias(e, [9.2, 2.4]))", {"e": torch.tensor(stats.ncx2.ppf((numpy.arange(200) + 0.5) / 200, 3.5, 4.2, scale=1.3))},
     lambda e: torch.tensor(-numpy.log2(stats.ncx2.cdf([9.2, 2.4], 3.5, 4.2, scale=1.3))).round(), ""),
    ("reinforce(p, 0 * p + 2)", arrays(p=(4,)), lambda p: torch.tensor(0.0), ""),
]
