"""Definitions of techniques once more: see techniques.py; of representations, generators and policies."""
import torch
from techniques import arrays, rows
from torch.nn import functional as F


def energy_margins(a, b, inside, outside):
    known, out = (-z.exp().sum(1).log() for z in (a, b))
    zero = lambda x: torch.zeros_like(x)  # noqa: E731
    low, high = (known - inside).relu(), (outside - out).relu()
    return F.huber_loss(low, zero(low)) + F.huber_loss(high, zero(high))


def nearest_value(x, lists):
    return torch.stack([torch.stack([lists[j][(x[i, j] - lists[j]).abs().argmin()] for j in range(x.shape[1])]) for i in range(len(x))])


def list_fit(x, lists, a, b):
    z = nearest_value(x, lists)
    return a * (z - x.detach()).square().mean() + b * (x - z.detach()).square().mean()


def decorrelation(z):
    c = torch.cov(z.T)
    return (c - c.diag().diag()).square().sum() / len(c)


def undesirable(x, w):
    """A line of two layers, h1 = x w + d1, h2 = h1 w + d2, whose loss is the mean square of h2."""
    d = torch.zeros(2, 2, requires_grad=True)
    layers = lambda d: torch.stack([x @ w + d[0], (x @ w + d[0]) @ w + d[1]])  # noqa: E731
    g = torch.autograd.grad(layers(d)[1].square().mean(), d)[0]
    moved = (0.5 * g / g.norm()).detach()
    return (layers(moved) - layers(torch.zeros(2, 2)).detach()).square().sum(-1).mean()


def repulsion(x, y, z, v):
    return ((x - y.detach()).square().mean() + (z - v.detach()).square().mean()) / 2


def diverse(r, e):
    out = torch.zeros_like(r)
    for g in range(len(r)):
        near = [min(1 - F.cosine_similarity(e[g, i], e[g, j], dim=0) for j in range(r.shape[1]) if j != i) for i in range(r.shape[1])]
        for i in range(r.shape[1]):
            a = r[g, i] - r[g].mean()
            out[g, i] = a * near[i] / (sum(near) / len(near)) if a >= 0 else a
    return out


def suspicious(r, others, share):
    rank = lambda x: x.argsort().argsort().double() / len(x)  # noqa: E731
    u = rank(r) - torch.stack([rank(o) for o in others]).mean(0)
    at = [i for i in range(len(r)) if u[i] >= 0]
    most = -int(-share * len(at) // 1)
    chosen = sorted(at, key=lambda i: -u[i].item())[:most]
    return torch.tensor([1.0 if i in chosen else 0.0 for i in range(len(r))])


def erf_by_sum(d):
    """Total variation of N(0, 1) and N(d, 1) by the trapezoid rule."""
    x = torch.linspace(-12, 12, 200001)
    p, q = (torch.exp(-(x - m) ** 2 / 2) / (2 * torch.pi) ** 0.5 for m in (0, d.item()))
    return torch.trapezoid((p - q).abs(), x) / 2


def token_adaptive(l, least):
    means = l.detach().reshape(len(l), -1).mean(1)
    w = (-l.detach() / means.quantile(0.5)).exp().clamp(min=least)
    return (w * l).mean()


def recurrent_gain(w, d, s):
    total = 0
    for k in range(len(d)):
        for i in range(d.shape[1]):
            total = total + ((d[k, i] @ w.T * s[k, i]).norm() / d[k, i].norm() - 1) ** 2
    return total / d.shape[1]


def renewed(t, w, b, x, y, kept):
    h, out, decay = torch.cat([x @ w + b, x[:, :1]], 1), torch.tensor([2.0, -1, 1, 3]), 0.75
    age, utility, middle = (kept.setdefault(k, torch.zeros(4)) for k in ("age", "utility", "middle"))
    with torch.no_grad():
        age += 1
        utility.mul_(decay).add_((1 - decay) * h.abs().mean(0) * out.abs())
        middle.mul_(decay).add_((1 - decay) * h.mean(0))
        ripe = [i for i in range(4) if age[i] > 1]
        chosen = sorted(ripe, key=lambda i: (utility[i] / (1 - decay ** age[i])).item())[:len(ripe) // 2]
        mean = torch.zeros(4)
        for i in chosen:
            mean[i] = 1 + middle[i] / (1 - decay ** age[i])
            age[i] = utility[i] = middle[i] = 0
    return h.square().mean() + (mean * h.mean(0)).sum()


def growth_fit(c):
    n = torch.arange(1, len(c) + 1, dtype=torch.float64)
    def share(f):
        a = torch.linalg.lstsq(f[:, None], c[:, None])[0][0, 0]
        return 1 - (c - a * f).square().sum() / (c - c.mean()).square().sum()
    return torch.stack([share(n), share(n.sqrt()), share(n.log())])


def best_response(x, **p):
    a = x[:, :2]
    gate, shift = a @ p["gate.weight"], a @ p["shift.weight"]
    return p["scale"] * (x @ p["own.weight"] + p["own.bias"]) + gate * (x @ p["answer.weight"]) + shift * p["c"]


def attention_drops(x, **p):
    h = x.reshape(-1, 2, 3)
    left, right = h @ p["from.weight"] + p["from.bias"], h @ p["to.weight"] + p["to.bias"]
    return (torch.stack([torch.stack([(left[:, i] * right[:, j]).sum(1) for j in (0, 1)], 1) for i in (0, 1)], 1) / 2 ** 0.5 + p["start"]).reshape(-1, 4)


def deformable(x, **p):
    """Two rows, three columns, one channel; size 3."""
    y = torch.zeros(len(x), 2, 3, 2)
    for n in range(len(x)):
        image = x[n].reshape(2, 3)
        framed = F.pad(image, (1, 1, 1, 1))
        for i in range(2):
            for j in range(3):
                moved = (framed[i:i + 3, j:j + 3].reshape(-1) @ p["offset.weight"].reshape(9, 18) + p["offset.bias"]).reshape(9, 2)
                for k in range(9):
                    r, c = i + k // 3 - 1 + moved[k, 0], j + k % 3 - 1 + moved[k, 1]
                    value = sum(image[a, b] * (1 - (r - a).abs()).clamp(min=0) * (1 - (c - b).abs()).clamp(min=0) for a in range(2) for b in range(3))
                    y[n, i, j] = y[n, i, j] + value * p["kernel.weight"][k]
    return (y + p["kernel.bias"]).reshape(len(x), -1)


def bound(w):
    """By products of densities, not in logarithms."""
    return -(sum(a.exp() for a in w) / len(w)).log().mean()


PROGRAM = """fn all_columns(pair) {
  a, b = pair
  sum(a, axis: 1) + sum(b, axis: 1)
}
fn units(pair, h) {
  anew, mean_h = pair
  mean(h^2) + sum((anew + mean_h) * mean(h, axis: 0))
}
fn judged(z, x) {
  h = concat(z, x[.., 0..1], axis: 1)
  units(renewed_units(h, [[2], [-1], [1], [3]], rate: 0.5, decay: 0.75, maturity: 1), h)
}
fn bend(x) = tanh(x) * x^2
fn slope(z, y) = concat(2 * y, z, axis: 1) @ [[1, 0], [3, -1], [0, 2]]
fn layers(x, w, d) = stack(x @ w + d[0], (x @ w + d[0]) @ w + d[1], axis: 0)
fn loss_of(x, w) {
  loss(d) = mean(layers(x, w, d)[1]^2)
  hidden(d) = layers(x, w, d)
  undesirable(loss, hidden, zeros([2, 2]), alpha: 0.5)
}
"""
VIEWS = {"z": (2, 4, 3)}
EXPRESSIONS = [
    ("batch_former(x, heads: 1)", arrays(x=(4, 3)), lambda x: x, ""),
    ("twice(x)", arrays(x=(4, 3)), lambda x: x, ""),
    ("free_energy(z)", arrays(z=(4, 3)), lambda z: -z.logsumexp(1), "z"),
    ("energy_margins(a, b, inside: -1.5, outside: -1)", arrays(a=(5, 3), b=(4, 3)), lambda a, b: energy_margins(a, b, -1.5, -1), "a,b"),
    ("energy_margins(a, b, inside: -4, outside: 3)", arrays(a=(5, 3), b=(4, 3)), lambda a, b: energy_margins(a, b, -4, 3), "a,b"),
    ("0 * virtual_outliers(unit(h), 5, k: 2, border: 3, draws: 4)", arrays(h=(7, 3)), lambda h: torch.zeros(5, 3), ""),
    ("nearest_value(x, v) * s", arrays(x=(5, 2), v=(2, 4), s=(5, 2)), lambda x, v, s: nearest_value(x, v) * s, "v"),
    ("list_fit(x, v, to_codes: 0.5, to_lists: 2)", arrays(x=(5, 2), v=(2, 4)), lambda x, v: list_fit(x, v, 0.5, 2), "x,v"),
    ("latent_quantized(x, values: 3) * s", arrays(x=(5, 2), s=(5, 2)), lambda x, s: (x + ((2 * x).round().clamp(-1, 1) / 2 - x).detach()) * s, "x"),
    ("1.0 * nearest_row(x, e)", arrays(x=(6, 2), e=(4, 2)), lambda x, e: torch.cdist(x, e).argmin(1).double(), ""),
    ("codebook_fit(x, e)", arrays(x=(4, 3), e=(4, 3)), lambda x, e: (x.detach() - e).square().mean() + 0.25 * (x - e.detach()).square().mean(), "x,e"),
    ("ambient(d, z, r, 2 + abs(s), 0.5)", arrays(d=(4, 3), z=(4, 3), r=(4, 3), s=(4, 1)),
     lambda d, z, r, s: (((1 - 0.25 / (2 + s.abs()) ** 2) * d + 0.25 / (2 + s.abs()) ** 2 * z - r) / (1 - 0.25 / (2 + s.abs()) ** 2)).square().mean(), "d"),
    ("0 * density_gap(m, v)", arrays(m=(4, 3), v=(4, 3)), lambda m, v: torch.tensor(0.0), ""),
    ("row_consistency(z, b)", arrays(z=(4, 3), b=(4, 3)), lambda z, b: (F.normalize(z, dim=1) - F.normalize(b, dim=1).detach()).square().mean(), "z"),
    ("decorrelation(z)", arrays(z=(5, 3)), decorrelation, "z"),
    ("leading_share(z, k: 2)", arrays(z=(5, 3)), lambda z: -torch.linalg.svdvals(z)[:2].sum() / torch.linalg.svdvals(z).sum(), "z"),
    ("pissa([[1, 2], [3, 4], [5, 7]], 1) * s", arrays(s=(3, 2)), lambda s: torch.tensor([[1.0, 2], [3, 4], [5, 7]]) * s, ""),
    ("0 * lost_dense(x, 3, 2, 1)", arrays(x=(5, 4)), lambda x: torch.zeros(5, 3), ""),
    ("geometric_reference(p, q, a: 0.25)", arrays(p=(5,), q=(5,)), lambda p, q: 0.75 * p + 0.25 * q, "p,q"),
    ("0 * condition_lipschitz(slope, z, y)", arrays(z=(4, 1), y=(4, 2)), lambda z, y: torch.tensor(0.0), ""),
    ("shell(z) * s", arrays(z=(4, 3), s=(4, 3)), lambda z, s: 3 ** 0.5 * F.normalize(z, dim=1) * s, "z"),
    ("denoised(z, e, 0.25) * s", arrays(z=(4, 3), e=(4, 3), s=(4, 3)), lambda z, e, s: (z - 0.75 ** 0.5 * e) / 0.5 * s, "z,e"),
    ("1.0 * quantile_label(s, 3)", arrays(s=(7,)), lambda s: (s.argsort().argsort() * 3 // 7).double(), ""),
    ("probe_weight(t)", {"t": torch.tensor([0, 0.05, 0.15, 0.55, 0.95, 1])}, lambda t: torch.linspace(0.0225, 0.03, 10)[[0, 0, 1, 5, 9, 9]], ""),
    ("gaussian_divergence(abs(d))", arrays(d=(4,)), lambda d: d ** 2 / 2, "d"),
    ("gaussian_divergence(d, how: \"hellinger\")", arrays(d=(4,)), lambda d: 1 - (-d ** 2 / 8).exp(), "d"),
    ("gaussian_divergence(d, how: \"chi\")", arrays(d=(4,)), lambda d: (d ** 2).exp() - 1, "d"),
    ("gaussian_divergence(abs(d), how: \"variation\")", arrays(d=(1,)), lambda d: erf_by_sum(d.abs()).reshape(1), ""),
    ("diverse_advantage(r, e)", arrays(r=(2, 4), e=(2, 4, 3)), diverse, ""),
    ("1.0 * suspicious(r, o, share: 0.5)", arrays(r=(9,), o=(2, 9)), lambda r, o: suspicious(r, o, 0.5), ""),
    ("1.0 * suspicious(r, o)", arrays(r=(9,), o=(1, 9)), lambda r, o: suspicious(r, o, 0.1), ""),
    ("seed_or_variant(x, 0 * x, zeros([4])) * s", arrays(x=(4, 3), s=(4, 3)), lambda x, s: x * s, "x"),
    ("token_adaptive(l^2)", arrays(l=(7,)), lambda l: token_adaptive(l ** 2, 0.01), "l"),
    ("token_adaptive(l^2, least: 0.5)", arrays(l=(6, 3)), lambda l: token_adaptive(l ** 2, 0.5), "l"),
    ("recurrent_gain(w, d, s)", arrays(w=(3, 3), d=(4, 2, 3), s=(4, 2, 3)), recurrent_gain, "w"),
    ("1.0 * token_mask(x)", arrays(x=(2, 3, 1)), lambda x: torch.ones(2, 1, 3, 3), ""),
    ("loss_of(x, w)", arrays(x=(5, 2), w=(2, 2)), undesirable, "x,w"),
    ("obs_dropout(x, m, 1 * (s > 0))", arrays(x=(4, 3), m=(4, 3), s=(4, 3)), lambda x, m, s: torch.where(s > 0, x, m), "x,m"),
    ("1.0 * all_columns(disjoint_columns(3, 5, 3, 2))", {}, lambda: torch.full((3,), 10.0), ""),
    ("importance_weighted(w)", arrays(w=(4, 3)), bound, "w"),
    ("normal_log_density(x, mean: m, deviation: exp(s))", arrays(x=(4, 3), m=(3,), s=(4, 1)), lambda x, m, s: torch.distributions.Normal(m, s.exp()).log_prob(x), "x,m,s"),
    ("normal_entropy(exp(s))", arrays(s=(4,)), lambda s: torch.distributions.Normal(torch.zeros(4), s.exp()).entropy().sum(), "s"),
    ("growth_fit(c)", arrays(c=(7,)), growth_fit, "c"),
    ("1 * without_drops(u > 0)", arrays(u=(2, 3, 3)), lambda u: ((u <= 0) | (torch.eye(3) > 0))[:, None].double(), ""),
    ("gap_rate(w, g, start: 0.2, gain: 0.5, decay: 0.75, most: 0.9)", {"w": torch.tensor([0.3, 0.4]), "g": torch.tensor(0.8)}, lambda w, g: torch.stack([0.2 + 0.5 * (0.75 * w[1] + 0.25 * g), 0.75 * w[1] + 0.25 * g]), "w,g"),
    ("gap_rate([0, 9], g, most: 0.6)[0]", {"g": torch.tensor(0.8)}, lambda g: torch.tensor(0.6), ""),
]
LAYERS = [
    ("best_response(x[.., 0..2], 2)", {"scale": (), "c": (2,), "gate.weight": (2, 2), "shift.weight": (2, 2), "own.weight": (3, 2), "own.bias": (2,), "answer.weight": (3, 2)},
     best_response, None),
    ("attention_drops(2)", {"start": (), "from.weight": (3, 2), "from.bias": (2,), "to.weight": (3, 2), "to.bias": (2,)}, attention_drops, None,
     "= reshape(reshape(x, [-1, 2, 3]) |> {call} as f, [-1, 4])", (4, 6), 0.5),
    ("deformable_conv(2)", {"offset.weight": (3, 3, 1, 18), "offset.bias": (18,), "kernel.weight": (9, 2), "kernel.bias": (2,)}, deformable, None,
     "= reshape(reshape(x, [-1, 2, 3, 1]) |> {call} as f, [-1, 12])", (2, 6), 0.3),
    ("feature_tokens(2)", {"weight": (3, 2), "bias": (3, 2), "place": (3, 2)}, lambda x, weight, bias, place: (x[:, :, None] * weight + bias + place).reshape(len(x), -1), None,
     "= reshape(x |> {call} as f, [-1, 6])"),
    ("scale_norm", {"g": ()}, lambda x, g: g * F.normalize(x, dim=1), None),
]


def variation(t, w, b, x, y, kept):
    return (x @ w + b).square().mean()


STEPS = [
    ("repulsion(net.*, net.*, how: \"exponential\") + mean(net(x)^2)", lambda t, w, b, x, y, kept: 1 + (x @ w + b).square().mean()),
    ("fisher_anchor(net.*, (each w in net.* : 0 * w), (each w in net.* : ones(like: w))) / 4", lambda t, w, b, x, y, kept: (w.square().sum() + b.square().sum()) / 4),
    ("repulsion(net.*, (each w in net.* : 0 * w))", lambda t, w, b, x, y, kept: 2 / (w.square().mean() + b.square().mean())),
    ("repulsion(net.*, (each w in net.* : 0 * w), how: \"negative\")", lambda t, w, b, x, y, kept: -(w.square().mean() + b.square().mean()) / 2),
    ("0 * step_variation(net(x), x, ones([4, 1])) + mean(net(x)^2)", variation),
    ("judged(net(x), x)  # renewed_units", renewed),
]
OPTIMIZERS, SCHEDULES = [], []
