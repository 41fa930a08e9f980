"""The definitions of techniques of images, written once more with PyTorch (double precision) from their formulas: read by make_techniques.py."""
import make
import numpy
import scipy.fft
import torch
from techniques import OTHERS, arrays
from torch.nn import functional as F

PROGRAM = """fn nothing(x) = 0 * x
fn first(pair) {
  a, b = pair
  a
}
optimizer tall_adam(lr: number) for w {
  w <- w - lr * (each g in grad(objective, w) : transpose(cosine_moments(transpose(g), 1, 0.9, 0.999, 1e-8, true, step)))
}
"""
SCHEDULES, STEPS = [], []


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


EXPRESSIONS = [
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
]
LAYERS = [
    ("maxout(2, pieces: 3)", {"weight": (3, 6), "bias": (6,)}, lambda x, weight, bias: (x @ weight + bias).reshape(-1, 2, 3).amax(2), None),
    ("maxout(1)", {"weight": (3, 2), "bias": (2,)}, lambda x, weight, bias: (x @ weight + bias).amax(1, keepdim=True), None),
    ("ordered_low_rank(2, 4)", {"v": (3, 4), "u": (4, 2)}, lambda x, v, u: x @ v @ u, None, "{{\n  all, some = x |> {call} as f\n  all + 0 * some\n}}"),
]
OPTIMIZERS = [
    ("cosine_adam(lr: 0.1, rank: 1) for net.f.a" + OTHERS, cosine_adam(0.1, 1)),
    ("cosine_adam(lr: 0.1, rank: 1, feedback: false, weight_decay: 0.5) for net.f.a" + OTHERS, cosine_adam(0.1, 1, False, 0.5)),
    ("cosine_adam(lr: 0.1, rank: 2) for net.f.a" + OTHERS, cosine_adam(0.1, 2)),
    ("tall_adam(lr: 0.1) for net.f.a" + OTHERS, cosine_adam(0.1, 1, tall=True)),
]
