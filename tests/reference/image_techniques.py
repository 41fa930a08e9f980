"""The definitions of techniques of images, written once more with PyTorch (double precision) from their formulas: read by make_techniques.py."""
import math

import make
import numpy
import scipy.fft
import scipy.ndimage
import torch
from techniques import OTHERS, arrays
from torch.nn import functional as F

PROGRAM = """fn nothing(x) = 0 * x
fn first(pair) {
  a, b = pair
  a
}
fn bent(z) = tanh(z @ [[1, 2], [-1, 0.5], [0.5, 1]])
fn straight(z) = z @ [[1, 2], [-1, 0.5], [0.5, 1]]
fn square(a) = a^2
fn bowl(x) = sum(x^4, axis: 1)
fn pixels(x) = x^3
optimizer tall_adam(lr: number) for w {
  w <- w - lr * (each g in grad(objective, w) : transpose(cosine_moments(transpose(g), 1, 0.9, 0.999, 1e-8, true, step)))
}
"""
STEPS = []
SCHEDULES = [
    ("staged(0.1 -> 0.4)", lambda t: 0.1 + 0.1 * (t // 9)),
    ("staged(1 -> 0, stages: 3, over: 20 steps)", lambda t: 1 - min(t * 3 // 20, 2) / 2),
]


def orthogonal_kernel(w, stride):
    k, _, c, m = w.shape
    w, p = w.permute(3, 2, 0, 1), (k - 1) // stride * stride
    products = F.conv2d(F.pad(w, (p, p, p, p)), w, stride=stride).permute(1, 0, 2, 3)
    target = torch.zeros_like(products)
    target[:, :, p // stride, p // stride] = torch.eye(m)
    return (products - target).square().sum() - max(m - c * stride**2, 0)


def circulant(a):
    """The block-circulant matrix of a tensor [n, r, k]."""
    k = a.shape[2]
    return torch.cat([torch.cat([a[:, :, (i - j) % k] for j in range(k)], 1) for i in range(k)])


def t_product(a, b):
    n, k = a.shape[0], a.shape[2]
    return torch.stack((circulant(a) @ torch.cat([b[:, :, j] for j in range(k)])).split(n), 2)


def sobolev(r, s):
    k = torch.fft.fftfreq(r.shape[-1], 1 / r.shape[-1])
    return ((1 + (2 * torch.pi * k) ** 2) ** s * (torch.fft.fft(r) / r.shape[-1]).abs() ** 2).sum()


def tails(x):
    return sum(x[k:].norm() for k in range(len(x)))


def attended(a, cells, h, w):
    n, p, q = a.shape
    mask = torch.zeros(n, p * q)
    for i in range(n):
        for k in sorted(range(p * q), key=lambda k: (-a[i].flatten()[k].item(), k))[:cells]:
            mask[i, k] = 1
    return mask.reshape(n, p, q).repeat_interleave(h // p, 1).repeat_interleave(w // q, 2)[..., None]


def fidelity(a):
    y = a.sum(0)
    return torch.stack([(part * y).sum() ** 2 / (part.square().sum() * y.square().sum()) for part in a])


def compensated(a, kept):
    parts = a.flatten(1)
    ridge = 1e-6 * parts.square().sum(1).mean()
    chosen = [k for k in range(len(a)) if kept[k]]
    b = parts[chosen]
    out = torch.zeros(len(a), dtype=a.dtype)
    out[chosen] = torch.linalg.solve(b @ b.T + ridge * torch.eye(len(b)), b @ parts.sum(0))
    return out


def cosine_basis(n):
    """The inverse transform of SciPy's, of the unit vectors."""
    return torch.tensor(scipy.fft.idct(numpy.eye(n), norm="ortho", axis=0).T.copy())


def cosine_step(g, rank, s, t, feedback=True, b1=0.9, b2=0.999, eps=1e-8):
    """By a rotation between the old and the new coordinates, as in section 3 of the paper, for either shape of its own."""
    q = cosine_basis(min(g.shape))
    a = g + s.get("left", 0)
    wide = g.shape[0] < g.shape[1]
    sizes = (q.T @ a).abs().sum(1) if wide else (a @ q).abs().sum(0)
    p = q[:, sizes.argsort(descending=True)[:rank]]
    low = p.T @ a if wide else a @ p
    r = s["p"].T @ p if "p" in s else torch.eye(rank)
    turned = [(r.T @ k if wide else k @ r) for k in (s.get("m", 0 * low), s.get("v", 0 * low))]
    m, v = b1 * turned[0] + (1 - b1) * low, b2 * turned[1].abs() + (1 - b2) * low ** 2
    s.update(left=a - (p @ low if wide else low @ p.T) if feedback else 0, p=p, m=m, v=v)
    u = m / (1 - b1 ** t) / ((v / (1 - b2 ** t)).sqrt() + eps)
    return p @ u if wide else u @ p.T


def cosine_adam(lr, rank, feedback=True, decay=0, tall=False):
    """Of the matrix; the others make steps of their own."""
    def rule(w, g, s, t):
        if w.dim() == 1:
            return w - 0.05 * g
        return w - lr * decay * w - lr * (cosine_step(g.T, rank, s, t, feedback).T if tall else cosine_step(g, rank, s, t, feedback))
    return make.Formula(rule)


MAP = torch.tensor([[1, 2], [-1, 0.5], [0.5, 1]])


def locality(p, o, distance):
    near = p + distance * F.normalize(o - p, dim=1)
    a, b = (near @ MAP).tanh(), (near @ MAP).detach()
    return F.mse_loss(a, b) + F.mse_loss(a ** 2, b ** 2)


def cells(y, size):
    """PyTorch's own, [n, c size^2, h, w], with the channels apart."""
    s = F.pixel_unshuffle(y.permute(0, 3, 1, 2), size)
    n, _, h, w = s.shape
    return s.reshape(n, y.shape[3], size ** 2, h, w).permute(2, 0, 3, 4, 1)


def bin_log_mass(z, m, d):
    normal = torch.distributions.Normal(m, d)
    return (normal.cdf(z + 0.5) - normal.cdf(z - 0.5)).log()


def hard_triplets(f, y, margin, anchors):
    """Pair by pair."""
    u, found = F.normalize(f, dim=1), []
    for i in range(len(f)):
        apart = [(u[i] - u[j]).norm() for j in range(len(f))]
        alike, others = [apart[j] for j in range(len(f)) if y[j] == y[i] and j != i], [apart[j] for j in range(len(f)) if y[j] != y[i]]
        if anchors[i] and alike and others:
            found.append((max(alike) - min(others) + margin).relu())
    return sum(found) / len(found)


def cos_pgd(x, y, eps, steps, step):
    z = x.clone()
    for _ in range(steps):
        z = z.detach().requires_grad_()
        scores = (z ** 3).reshape(-1, 3)
        weight = F.cosine_similarity(scores.softmax(1), F.one_hot(y, 3).double()).detach()
        slope, = torch.autograd.grad((weight * F.cross_entropy(scores, y, reduction="none")).mean(), z)
        z = torch.max(torch.min(z + step * slope.sign(), x + eps), x - eps)
    return z.detach()


def mass_mask(a, share):
    """Row by row, filter by filter from the largest on."""
    out = torch.zeros_like(a)
    for row, kept in zip(a.tolist(), out):
        held = 0
        for turn, k in enumerate(sorted(range(len(row)), key=lambda k: (-row[k], k))):
            held += row[k] / math.fsum(row)
            kept[k] = turn == 0 or held <= share + 1e-5
    return out


def blurred(x, sigma, size):
    """By SciPy's correlation with a mirrored edge."""
    bell = numpy.exp(-(numpy.arange(size) - size // 2) ** 2 / (2 * sigma ** 2))
    spread = [torch.tensor(scipy.ndimage.correlate1d(numpy.eye(n), bell / bell.sum(), axis=0, mode="mirror")) for n in x.shape[1:3]]
    return torch.einsum("nhwc,ih,jw->nijc", x, *spread)


def density(x, a, b):
    return torch.distributions.Beta(a, b).log_prob(x)


EVERY = torch.tensor([1, 1, 1, 1, 1, 1, 1])
EXPRESSIONS = [
    ("locality(bent, straight, square, p, o, distance: 0.5)", arrays(p=(3,), o=(4, 3)), lambda p, o: locality(p, o, 0.5), ""),
    ("proximal_matching(p, y, 1.5)", arrays(p=(4, 2), y=(4, 2)), lambda p, y: (1 - (-(p - y).square().sum(1) / 1.5 ** 2).exp()).mean(), "p"),
    ("proximal_prior(bowl, x)", arrays(x=(3, 2)), lambda x: (4 * x ** 4).sum(1) - 8 * (x ** 6).sum(1) - (x ** 4).sum(1), "x"),
    ("cell_samples(y, 2, shuffled: false) * s", arrays(y=(1, 4, 4, 1), s=(2, 2, 1)), lambda y, s: cells(y, 2) * s, "y"),
    ("from_cells(cell_samples(y, 3, shuffled: false), 3) * s", arrays(y=(1, 3, 6, 1), s=(3, 6, 1)), lambda y, s: y * s, "y"),
    ("cyclic_samples(square, s)", arrays(s=(4, 2, 3, 2, 1)),
     lambda s: sum((s[k] ** 2 - s[(k + 1) % 4]).abs().mean() for k in range(4)), "s"),
    ("masked_pixels(x, 0) * s", arrays(x=(2, 3, 4, 2), s=(3, 4, 2)), lambda x, s: x * s, "x"),
    ("inpainted(square, x, 0, turns: 3) * s", arrays(x=(2, 3, 4, 2), s=(3, 4, 2)), lambda x, s: x ** 2 * s, "x"),
    ("cos_pgd(pixels, x, y, 0.3, steps: 3, step: 0.2) * s", {"y": torch.tensor([0, 2, 1, 1])} | arrays(x=(2, 2, 3), s=(2, 2, 3)),
     lambda y, x, s: cos_pgd(x, y, 0.3, 3, 0.2) * s, ""),
    ("bin_log_mass(z, m, abs(d) + 0.5)", arrays(z=(3, 4), m=(4,), d=(4,)), lambda z, m, d: bin_log_mass(z, m, d.abs() + 0.5), "z,m,d"),
    ("latent_restoration(b, y, p, l, 0.5, strength: 0.6)", arrays(b=(2, 5), y=(2, 5), p=(3,), l=(3,)),
     lambda b, y, p, l: F.mse_loss(b, y) / (2 * 0.5 ** 2) - 0.6 * (l.clamp(max=math.log(20)).sum() + p.sum()) / 10, "b,p,l"),
    ("width_divergence(l)", arrays(l=(3, 4)),
     lambda l: torch.distributions.kl_divergence(torch.distributions.Normal(0, l.exp()), torch.distributions.Normal(0, 1)).mean(), "l"),
    ("hard_triplets(f, y)", {"y": torch.tensor([0, 2, 1, 0, 2, 2, 3])} | arrays(f=(7, 3)), lambda y, f: hard_triplets(f, y, 0.5, EVERY), "f"),
    ("hard_triplets(f, y, margin: 1, anchors: y == 2)", {"y": torch.tensor([0, 2, 1, 0, 2, 2, 1])} | arrays(f=(7, 3)), lambda y, f: hard_triplets(f, y, 1, y == 2), "f"),
    ("cosine_basis(5) * s", arrays(s=(5, 5)), lambda s: cosine_basis(5) * s, ""),
    ("rare_bias(3, 3000, 10) + 0 * s", arrays(s=(1,)), lambda s: torch.logit(torch.tensor([3 / 30000])) + 0 * s, ""),
    ("guided(sum(a^2), sum(b^2))", arrays(a=(2, 3), b=(2,)),
     lambda a, b: (b.square().sum() / a.square().sum()).detach() * a.square().sum() + b.square().sum(), "a,b"),
    ("guided(sum(a^2), sum(b^2 * 0))", arrays(a=(2, 3), b=(2,)), lambda a, b: a.square().sum() + 0 * b.sum(), "a,b"),
    ("orthogonal_kernel(w)", arrays(w=(3, 3, 2, 2)), lambda w: orthogonal_kernel(w, 1), "w"),
    ("orthogonal_kernel(w, stride: 2)", arrays(w=(3, 3, 1, 5)), lambda w: orthogonal_kernel(w, 2), "w"),
    ("orthogonal_kernel(w, stride: 3)", arrays(w=(3, 3, 1, 4)), lambda w: orthogonal_kernel(w, 3), "w"),
    ("attended(a, 3, 4, 6) * s", arrays(a=(2, 2, 3), s=(4, 6, 1)), lambda a, s: attended(a, 3, 4, 6) * s, ""),
    ("attended(round(a), 2, 2, 3) * s", arrays(a=(3, 2, 3), s=(2, 3, 1)), lambda a, s: attended(a.round(), 2, 2, 3) * s, ""),
    ("first(attentive_cutmix(x, y, a, cells: 2)) * s", arrays(x=(2, 4, 4, 1), y=(2, 3), a=(2, 2, 2), s=(4, 4, 1)), lambda x, y, a, s: x * s, "x"),
    ("surviving(x, round(abs(a) / 10) + [1, 0, 1])", arrays(x=(3, 2, 4), a=(3,)), lambda x, a: (x[0] + x[2]) / 2, "x"),
    ("surviving(x, local_paths(3))", arrays(x=(3, 2, 4)), lambda x: x.mean(0), "x"),
    ("least_volume(z)", arrays(z=(4, 3)), lambda z: (z.std(0) + 1e-2).log().mean().exp(), "z"),
    ("least_volume(z, eta: 0.5)", arrays(z=(5, 2)), lambda z: (z.std(0) + 0.5).prod().sqrt(), "z"),
    ("sobolev(r, -1)", arrays(r=(2, 6)), lambda r: sobolev(r, -1), "r"),
    ("sobolev(r, 0.5)", arrays(r=(7,)), lambda r: sobolev(r, 0.5), "r"),
    ("t_product(a, b) * s", arrays(a=(2, 3, 4), b=(3, 2, 4), s=(2, 2, 4)), lambda a, b, s: t_product(a, b) * s, "a,b"),
    ("t_product(a, t_transpose(a)) * s", arrays(a=(2, 3, 5), s=(2, 2, 5)),
     lambda a, s: t_product(a, torch.stack([a[:, :, -j % 5].T for j in range(5)], 2)) * s, "a"),
    ("jacobian_nuclear(nothing, nothing, x) + sum(x^2)", arrays(x=(3, 2)), lambda x: x.square().sum(), "x"),
    ("tail_norms(v, u)", arrays(v=(4, 3), u=(3, 2)), lambda v, u: tails(v.T) + tails(u), "v,u"),
    ("fidelity(a) * s", arrays(a=(3, 2, 4), s=(3,)), lambda a, s: fidelity(a) * s, "a"),
    ("compensated(a, [1, 0, 1]) * s", arrays(a=(3, 2, 4), s=(3,)), lambda a, s: compensated(a, [1, 0, 1]) * s, "a"),
    ("resize(x, 4, 5) * s", arrays(x=(1, 3, 2, 2), s=(4, 5, 2)),
     lambda x, s: F.interpolate(x.permute(0, 3, 1, 2), (4, 5), mode="bilinear", align_corners=False).permute(0, 2, 3, 1) * s, "x"),
    ("resize(x, 2, 3) * s", arrays(x=(1, 5, 4, 1), s=(2, 3, 1)),
     lambda x, s: F.interpolate(x.permute(0, 3, 1, 2), (2, 3), mode="bilinear", align_corners=False).permute(0, 2, 3, 1) * s, "x"),
    ("mass_mask(abs(a), 0.7) * s", arrays(a=(4, 5), s=(4, 5)), lambda a, s: mass_mask(a.abs(), 0.7) * s, ""),
    ("mass_mask(round(abs(a)) + 1, 0.4) * s", arrays(a=(3, 4), s=(3, 4)), lambda a, s: mass_mask(a.abs().round() + 1, 0.4) * s, ""),
    ("beta_log_density(sigmoid(x), exp(a), exp(b))", arrays(x=(3, 4), a=(3, 4), b=(4,)), lambda x, a, b: density(x.sigmoid(), a.exp(), b.exp()), "x,a,b"),
    ("gaussian_blur(x, 0.8, 5) * s", arrays(x=(2, 4, 5, 1), s=(4, 5, 1)), lambda x, s: blurred(x, 0.8, 5) * s, "x"),
    ("mask_policy(l, c, baseline: 0.3)", arrays(l=(4, 3), c=(4,)), lambda l, c: ((c - 0.3) * l.sum(1)).mean(), "l"),
    ("mask_policy(l, c, released: true)", arrays(l=(4, 3), c=(4,)), lambda l, c: c.mean() * l.logsumexp(1).mean(), "l,c"),
]
def convex_potential(x, p, alpha, sharp):
    act = torch.nn.Softplus(sharp, 1e9)
    z = act(x @ p["first.weight"])
    return (act(z @ p["inner"] + x @ p["across.weight"] + p["across.bias"]) @ p["last"] + alpha * x.square().sum(1))[:, None]


def pictures(f, h, w):
    """Of rows that are pictures with their channels last, by a function of [n, c, h, w]."""
    return lambda x, **p: f(x.reshape(len(x), h, w, -1).permute(0, 3, 1, 2), p).permute(0, 2, 3, 1).reshape(len(x), -1)


def blind(x, p):
    w = p["weight"].clone()
    w[1, 1] = 0
    return F.conv2d(x, w.permute(3, 2, 0, 1), p["bias"], padding=1)


def large_context(x, p):
    """Of PyTorch, whose first pixel lies one place further out."""
    y = [F.conv_transpose2d(x, p[f"{k}.weight"].permute(0, 3, 1, 2), stride=2) for k in ("large", "small")]
    h, w = 2 * x.shape[2], 2 * x.shape[3]
    return y[0][:, :, 1:1 + h, 1:1 + w] + y[1][:, :, :h, :w] + p["large.bias"].reshape(1, -1, 1, 1)


def linear(x, p, name):
    return x @ p[f"{name}.weight"] + p.get(f"{name}.bias", 0)


def squeezed(x, p, f=""):
    s = linear(linear(x.mean((2, 3)), p, f + "down").relu(), p, f + "up").sigmoid()
    return x * s[:, :, None, None]


SEEN = {}  # by whether alone or fused: the running mean and variance that the only step of a training leaves


def coordinated(x, p, f="", training=True):
    h = x.shape[2]
    z = linear(torch.cat([x.mean(3), x.mean(2)], 2).permute(0, 2, 1), p, f + "down")
    if training:
        m, v = z.mean((0, 1)), z.var((0, 1), unbiased=False)
        SEEN[f] = (0.1 * m.detach(), 0.9 + 0.1 * z.var((0, 1)).detach())
    else:
        m, v = SEEN[f]
    z = ((z - m) / (v + 1e-5).sqrt() * p[f + "norm.scale"] + p[f + "norm.shift"]).relu()
    rows, columns = (linear(part, p, f + name).sigmoid().permute(0, 2, 1) for part, name in ((z[:, :h], "rows"), (z[:, h:], "columns")))
    return x * rows[:, :, :, None] * columns[:, :, None, :]


def fused(x, p, training=True):
    a = p["alpha"].sigmoid()
    return a * coordinated(x, p, "place.", training) + (1 - a) * squeezed(x, p, "whole.")


def predicted(x, weight, bias):
    """Of pictures of 2 x 2 with three channels, which stand for the result too; the logits behind it."""
    x = x.reshape(-1, 2, 2, 3)
    logits = x.mean((1, 2)) @ weight + bias
    return torch.cat([(x * (logits > 0)[:, None, None]).flatten(1), logits], 1)


def noise_policy(x, training=True, **p):
    told = [linear(x, p, name) for name in ("a", "b")]
    if training:
        SEEN["policy"] = [0.99 * base + 0.01 * t.detach().mean(0) for base, t in zip((0.2, 0.7), told)]
        return torch.cat([(0.9 * base + 0.1 * t).exp() for base, t in zip((0.2, 0.7), told)], 1)
    return torch.cat([(base + 0 * t).exp() for base, t in zip(SEEN["policy"], told)], 1)


def of_pictures(h, w, c):
    return "= reshape(reshape(x, [-1, %d, %d, %d]) |> {call} as f, [-1, %%d])" % (h, w, c)


def named(prefix, shapes):
    return {prefix + k: v for k, v in shapes.items()}


SQUEEZED = {"down.weight": (4, 2), "down.bias": (2,), "up.weight": (2, 4), "up.bias": (4,)}
COORDINATED = {"down.weight": (4, 2), "norm.scale": (2,), "norm.shift": (2,), "rows.weight": (2, 4), "rows.bias": (4,), "columns.weight": (2, 4), "columns.bias": (4,)}
LAYERS = [
    ("coordinate_attention(2)", COORDINATED, pictures(coordinated, 2, 3), pictures(lambda x, p: coordinated(x, p, training=False), 2, 3),
     of_pictures(2, 3, 4) % 24, (3, 24), 1.0, ["norm"]),
    ("fused_attention(2)", {"alpha": (1,)} | named("place.", COORDINATED) | named("whole.", SQUEEZED), pictures(fused, 2, 3),
     pictures(lambda x, p: fused(x, p, False), 2, 3), of_pictures(2, 3, 4) % 24, (3, 24), 1.0, ["place.norm"]),
    ("convex_potential(2, alpha: 0.3, sharpness: 2)", {"inner": (2, 2), "last": (2,), "first.weight": (3, 2), "across.weight": (3, 2), "across.bias": (2,)},
     lambda x, **p: convex_potential(x, p, 0.3, 2), None, "= reshape(x |> {call} as f, [-1, 1])"),
    ("blind_conv(2)", {"weight": (3, 3, 1, 2), "bias": (2,)}, pictures(blind, 3, 4), None, of_pictures(3, 4, 1) % 24, (2, 12)),
    ("large_context_up(2, size: 5)", {"large.weight": (1, 5, 5, 2), "large.bias": (2,), "small.weight": (1, 3, 3, 2)}, pictures(large_context, 2, 3), None,
     of_pictures(2, 3, 1) % 48, (2, 6), 0.5),
    ("cosine_dense(2, scale: 3)", {"weight": (3, 2)}, lambda x, weight: 3 * F.normalize(x, dim=1) @ F.normalize(weight, dim=0), None),
    ("mixed_layers", {"share": (3,)}, lambda x, share: x * share[0] + x.square() * share[1] + x.sin() * share[2], None,
     "= stack(x, x^2, sin(x), axis: 0) |> {call} as f"),
    ("squeeze_excitation(2)", SQUEEZED, pictures(squeezed, 2, 3), None, of_pictures(2, 3, 4) % 24, (2, 24)),
    ("maxout(2, pieces: 3)", {"weight": (3, 6), "bias": (6,)}, lambda x, weight, bias: (x @ weight + bias).reshape(-1, 2, 3).amax(2), None),
    ("maxout(1)", {"weight": (3, 2), "bias": (2,)}, lambda x, weight, bias: (x @ weight + bias).amax(1, keepdim=True), None),
    ("ordered_low_rank(2, 4)", {"v": (3, 4), "u": (4, 2)}, lambda x, v, u: x @ v @ u, None, "{{\n  all, some = x |> {call} as f\n  all + 0 * some\n}}"),
    ("predicted_filters(p)", {"dense1.weight": (3, 3), "dense1.bias": (3,)}, lambda x, **p: predicted(x, *p.values()), None,
     "{{\n  p = reshape(x, [-1, 2, 2, 3])\n  o, l = p |> {call} as f\n  concat(reshape(o, [-1, 12]), l, axis: 1)\n}}", (4, 12)),
    ("noise_policy(2)", {"a.weight": (3, 2), "a.bias": (2,), "b.weight": (3, 2), "b.bias": (2,)}, noise_policy,
     lambda x, **p: noise_policy(x, False, **p), "{{\n  a, b = x |> {call} as f\n  concat(a, b, axis: 1)\n}}", (6, 3), 1.0, (), {"base_a": [0.2, 0.2], "base_b": [0.7, 0.7]}),
]
OPTIMIZERS = [
    ("cosine_adam(lr: 0.1, rank: 1) for net.f.a" + OTHERS, cosine_adam(0.1, 1)),
    ("cosine_adam(lr: 0.1, rank: 1, feedback: false, weight_decay: 0.5) for net.f.a" + OTHERS, cosine_adam(0.1, 1, False, 0.5)),
    ("cosine_adam(lr: 0.1, rank: 2) for net.f.a" + OTHERS, cosine_adam(0.1, 2)),
    ("tall_adam(lr: 0.1) for net.f.a" + OTHERS, cosine_adam(0.1, 1, tall=True)),
]
