"""The library's functions, losses, penalties, metrics and layers without parameters, written once more with PyTorch (double
precision): read by make.py. Where PyTorch lacks one, its formula stands here, from the source that the library names."""
import numpy
import torch
from sklearn import metrics as sk
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F


def arrays(**shapes):
    """Random arrays of numbers that float32 holds."""
    return {name: (1.5 * torch.randn(shape)).float().double() for name, shape in shapes.items()}


LABELS = torch.tensor([0, 2, 1, 0, 2, 2, 1])
TARGETS = torch.tensor([0.0, 1, 1, 0, 1, 0.25], dtype=torch.float64)
COUNTS = torch.tensor([0.0, 1, 3, 2, 5], dtype=torch.float64)
TIED = torch.tensor([[2.0, 1, 0], [0, 3, 3], [1, 1, 1], [0, 1, 2], [5, -5, 5], [0.5, 0, 0.25], [-1, -2, -1]], dtype=torch.float64)


def labelled(**more):
    return arrays(z=(7, 3)) | {"y": LABELS} | more


def group(w, axis):
    return w.square().sum(axis).sqrt().sum()


def focal(z, y, gamma, smoothing=0):
    log_p = z.log_softmax(-1)
    target = (1 - smoothing) * F.one_hot(y, z.shape[-1]) + smoothing / z.shape[-1]
    return -(target * (1 - log_p.exp()) ** gamma * log_p).sum(-1).mean()


def hinge(z, y, margin=1):
    own = z.gather(1, y[:, None])[:, 0]
    return (margin + z.masked_fill(F.one_hot(y, 3) > 0, -1e30).amax(-1) - own).relu().mean()


def pinball(p, y, q):
    return torch.max(q * (y - p), (q - 1) * (y - p)).mean()


def scad(w, lam, a):
    u = w.abs()
    middle = (2 * a * lam * u - u ** 2 - lam ** 2) / (2 * (a - 1))
    return torch.where(u <= lam, lam * u, torch.where(u <= a * lam, middle, torch.tensor(lam ** 2 * (a + 1) / 2))).sum()


def mcp(w, lam, gamma):
    u = w.abs()
    return torch.where(u <= gamma * lam, lam * u - u ** 2 / (2 * gamma), torch.tensor(gamma * lam ** 2 / 2)).sum()


def input_gradient(x):
    """Of the function in PROGRAM: tanh of a row times its square."""
    slope = torch.autograd.grad((x.tanh() * x ** 2).sum(), x, create_graph=True)[0]
    return slope.square().sum(-1).mean()


# What the cases use besides the library.
PROGRAM = """fn falling(v, higher: bool = false) {
  p = plateau(0.5, higher: higher)
  for m in v {
    p = plateau(p, m, factor: 0.5, patience: 1, rest: 2, least: 0.1, higher: higher)
    p[0]
  }
}
fn bent(x) = tanh(x) * x^2
optimizer twice(lr: number 0..) for w {
  w <- w - lr * grad(objective, w)
  w <- w - lr * grad(objective at w, w)
}
optimizer extragradient(lr: number 0..) for w {
  there = w - lr * grad(objective, w)
  w <- w - lr * grad(objective at there, there)
}
"""


# Measures of epochs.
COURSE = torch.tensor([3, 2, 2, 2.5, 2.5, 1.9, 3, 3, 3, 3, 3, 1.9, 3, 3, 3, 3, 3, 3, 3, 3, 1, 1, 1, 1], dtype=torch.float64)


def plateau(mode):
    def rates(v):
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
        scheduler, found = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode, factor=0.5, patience=1, cooldown=2, min_lr=0.1), []
        for m in v.tolist():
            scheduler.step(m)
            found.append(optimizer.param_groups[0]["lr"])
        return torch.tensor(found)
    return rates


def top_k(z, y, k):
    """The first of equal scores comes first."""
    order = z.sort(stable=True, dim=-1, descending=True)[1]
    return (order[:, :k] == y[:, None]).any(-1).double().mean()


def confusion(z, y):
    count = torch.zeros(3, 3)
    for true, found in zip(y.tolist(), z.max(-1)[1].tolist()):
        count[true, found] += 1
    return count


def ece(z, y, bins):
    """Guo et al. 2017, with bins (low, high]."""
    sure, found = z.softmax(-1).max(-1)
    hit, total = (found == y).double(), 0.0
    for b in range(bins):
        inside = (sure > b / bins) & (sure <= (b + 1) / bins)
        if inside.any():
            total += inside.sum() * (hit[inside].mean() - sure[inside].mean()).abs()
    return total / len(y)


def r2(p, y):
    return 1 - (p[:, 0] - y).square().sum() / (y - y.mean()).square().sum()


# One output, with ties; the weights of its rows.
ONE = torch.tensor([[-1.0], [2], [0.5], [-1], [2], [0], [0.5], [3]], dtype=torch.float64)
BITS = torch.tensor([0, 1, 1, 0, 0, 1, 0, 1])
SHARES = torch.tensor([1.0, 0.5, 2, 1, 0.25, 3, 1, 0.5], dtype=torch.float64)


def scores(z):
    return z.numpy() if z.shape[-1] > 2 else (z[:, 0] if z.shape[-1] == 1 else z[:, 1] - z[:, 0]).numpy()


def classes(z):
    """The first of equal scores; of one output class 1 where it is positive."""
    return (z[:, 0] > 0).long().numpy() if z.shape[-1] == 1 else z.sort(stable=True, dim=-1, descending=True)[1][:, 0].numpy()


def by_classes(measure, **more):
    """A measure of scikit-learn of true and predicted classes."""
    return lambda z, y, w=None: torch.tensor(float(measure(y.numpy(), classes(z), sample_weight=None if w is None else w.numpy(), **more)))


def by_rank(measure, **more):
    """One of scores; of several classes the mean over each against all others."""
    def of(z, y, w=None):
        w = None if w is None else w.numpy()
        if z.shape[-1] < 3:
            return torch.tensor(measure(y.numpy(), scores(z), sample_weight=w))
        p = z.softmax(-1).numpy()
        return torch.tensor([measure((y == k).numpy(), p[:, k], sample_weight=w) for k in range(z.shape[-1])]).mean()
    return of


def of_numbers(measure):
    return lambda p, y, w=None: torch.tensor(measure(y.numpy(), p[:, 0].numpy(), sample_weight=None if w is None else w.numpy()))


def numbers_weighed():
    return arrays(p=(8, 1), y=(8,)) | {"w": SHARES}


def coverage(p, y, w):
    inside = (y <= p[:, -1]) & ((p[:, 0] <= y) if p.shape[1] > 1 else True)
    return (w * inside).sum() / w.sum()


def reliability(z, y, bins):
    p = z.softmax(-1) if z.shape[-1] > 1 else torch.cat([0 * z, z], -1).softmax(-1)
    sure, hit, rows = p.max(-1)[0], torch.tensor(classes(z)) == y, []
    for b in range(bins):
        inside = (sure > b / bins) & (sure <= (b + 1) / bins)
        rows.append(torch.stack([inside.double().mean(), sure[inside].mean(), hit[inside].double().mean()]))
    return torch.stack(rows)


CLASS_METRICS = [(call.format(f'{"" if not more else ", "}{more}'), measure, options) for call, measure, options, more in [
    ("precision(z, y{})", sk.precision_score, {}, ""), ("recall(z, y{})", sk.recall_score, {}, ""), ("f1(z, y{})", sk.f1_score, {}, ""),
    *[(f"{name}(z, y{{}})", measure, {"average": how}, f"average: {how}")
      for how in ("macro", "micro", "weighted")
      for name, measure in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score))],
    ("f1(z, y{})", sk.f1_score, {"pos_label": 1}, "average: binary"), ("accuracy(z, y{})", sk.accuracy_score, {}, ""), ("balanced_accuracy(z, y{})", sk.balanced_accuracy_score, {}, ""),
    ("mcc(z, y{})", sk.matthews_corrcoef, {}, "")]]
AVERAGED = (sk.precision_score, sk.recall_score, sk.f1_score)
RANK_METRICS = [("auc(z, y)", sk.roc_auc_score), ("average_precision(z, y)", sk.average_precision_score)]


def metric_cases():
    """With one output, two and three, where scikit-learn has the average; with weights of rows."""
    several = [(text.replace("average: binary", "average: macro"), labelled(z=TIED), by_classes(measure, **(({"average": "macro"} if measure in AVERAGED else {}) | options)), "")
               for text, measure, options in CLASS_METRICS]
    one = [(text, {"z": ONE, "y": BITS}, by_classes(measure, **options), "") for text, measure, options in CLASS_METRICS]
    weighed = [(text[:-1] + ", weight: w)", {"z": ONE, "y": BITS, "w": SHARES}, by_classes(measure, **options), "") for text, measure, options in CLASS_METRICS]
    ranks = [case for text, measure in RANK_METRICS for case in (
        (text, {"z": ONE, "y": BITS}, by_rank(measure), ""), (text[:-1] + ", weight: w)", {"z": ONE, "y": BITS, "w": SHARES}, by_rank(measure), ""),
        (text, {"z": TIED[:, :2], "y": LABELS.clamp(max=1)}, by_rank(measure), ""), (text, labelled(z=TIED), by_rank(measure), ""))]
    return several + one + weighed + ranks


def weighed(formula):
    return lambda p, y, w: (w * formula(p[:, 0], y)).sum() / w.sum()


PAIR = {"p": (5, 1), "y": (5,)}

# Expression of the language, arguments, the same in PyTorch, names to differentiate by ("" for none).
EXPRESSIONS = [
    # losses
    ("cross_entropy(z, y)", labelled(), F.cross_entropy, "z"),
    ("cross_entropy(z, y, smoothing: 0.1)", labelled(), lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1), "z"),
    ("soft_cross_entropy(z, softmax(t))", arrays(z=(5, 3), t=(5, 3)), lambda z, t: F.cross_entropy(z, t.softmax(-1)), "z,t"),
    ("binary_cross_entropy(z, y)", arrays(z=(6,)) | {"y": TARGETS}, F.binary_cross_entropy_with_logits, "z,y"),
    ("binary_cross_entropy(z, y)", arrays(z=(2, 3)) | {"y": TARGETS},
     lambda z, y: F.binary_cross_entropy_with_logits(z.flatten(), y), "z"),
    ("focal(z, y)", labelled(), lambda z, y: focal(z, y, 2), "z"),
    ("focal(z, y, gamma: 0.5)", labelled(), lambda z, y: focal(z, y, 0.5), "z"),
    ("focal(z, y, gamma: 0)", labelled(), F.cross_entropy, "z"),
    ("hinge(z, y)", labelled(), hinge, "z"),
    ("hinge(z, y, margin: 2.5)", labelled(), lambda z, y: hinge(z, y, 2.5), "z"),
    ("squared_error(p, y)", arrays(**PAIR), lambda p, y: F.mse_loss(p[:, 0], y) / 2, "p,y"),
    ("absolute_error(p, y)", arrays(**PAIR), lambda p, y: F.l1_loss(p[:, 0], y), "p,y"),
    ("huber(p, y)", arrays(**PAIR), lambda p, y: F.huber_loss(p[:, 0], y), "p,y"),
    ("huber(p, y, delta: 0.7)", arrays(p=(5,), y=(5,)), lambda p, y: F.huber_loss(p, y, delta=0.7), "p,y"),
    ("log_cosh(p, y)", arrays(**PAIR), lambda p, y: (p[:, 0] - y).cosh().log().mean(), "p,y"),
    ("log_cosh(100 * p, y)", arrays(**PAIR), lambda p, y: (100 * p[:, 0] - y).cosh().log().mean(), "p,y"),
    ("pinball(p, y)", arrays(**PAIR), lambda p, y: pinball(p[:, 0], y, 0.5), "p,y"),
    ("pinball(p, y, q: 0.9)", arrays(**PAIR), lambda p, y: pinball(p[:, 0], y, 0.9), "p,y"),
    ("poisson(p, y)", arrays(p=(5,)) | {"y": COUNTS}, F.poisson_nll_loss, "p,y"),
    ("kl(softmax(a), softmax(b))", arrays(a=(5, 3), b=(5, 3)),
     lambda a, b: F.kl_div(b.log_softmax(-1), a.softmax(-1), reduction="batchmean"), "a,b"),
    # penalties
    ("l1(w)", arrays(w=(5, 3)), lambda w: w.abs().sum(), "w"),
    ("l2(w)", arrays(w=(5, 3)), lambda w: w.square().sum() / 2, "w"),
    ("elastic_net(w)", arrays(w=(5, 3)), lambda w: w.abs().sum() / 2 + w.square().sum() / 4, "w"),
    ("elastic_net(w, mix: 0.3)", arrays(w=(5, 3)), lambda w: 0.3 * w.abs().sum() + 0.7 * w.square().sum() / 2, "w"),
    ("group_lasso(w)", arrays(w=(5, 3)), lambda w: group(w, 0), "w"),
    ("group_lasso(w, axis: 1)", arrays(w=(5, 3, 2)), lambda w: group(w, 1), "w"),
    ("sparse_group_lasso(w)", arrays(w=(5, 3)), lambda w: (w.abs().sum() + group(w, 0)) / 2, "w"),
    ("sparse_group_lasso(w, mix: 0.2, axis: 1)", arrays(w=(5, 3)), lambda w: 0.2 * w.abs().sum() + 0.8 * group(w, 1), "w"),
    ("smooth_l1(w)", arrays(w=(5, 3)), lambda w: ((w ** 2 + 1e-6).sqrt() - 1e-3).sum(), "w"),
    ("smooth_l1(w, eps: 0.5)", arrays(w=(5, 3)), lambda w: ((w ** 2 + 0.25).sqrt() - 0.5).sum(), "w"),
    ("log_sum(w)", arrays(w=(5, 3)), lambda w: (w.abs() / 0.1).log1p().sum(), "w"),
    ("log_sum(w, eps: 2)", arrays(w=(5, 3)), lambda w: (w.abs() / 2).log1p().sum(), "w"),
    ("mcp(w)", arrays(w=(5, 3)), lambda w: mcp(w, 1.0, 3.0), "w"),
    ("mcp(w, lambda: 0.4, gamma: 2)", arrays(w=(5, 3)), lambda w: mcp(w, 0.4, 2.0), "w"),
    ("scad(w)", arrays(w=(5, 3)), lambda w: scad(w, 1.0, 3.7), "w"),
    ("scad(w, lambda: 0.4, a: 2.5)", arrays(w=(5, 3)), lambda w: scad(w, 0.4, 2.5), "w"),
    ("orthogonality(w)", arrays(w=(5, 3)), lambda w: (w.T @ w - torch.eye(3)).square().sum(), "w"),
    ("confidence(z)", arrays(z=(5, 3)), lambda z: (z.softmax(-1) * z.log_softmax(-1)).sum(-1).mean(), "z"),
    ("activity_l1(h)", arrays(h=(5, 3, 2)), lambda h: h.abs().sum() / 5, "h"),
    ("total_variation(w)", arrays(w=(4, 6)), lambda w: w.diff().abs().sum(), "w"),
    ("input_gradient(bent, x)", arrays(x=(4, 3)), input_gradient, "x"),
    # layers without parameters
    ("relu(x)", arrays(x=(4, 3)), F.relu, "x"),
    ("leaky_relu(x)", arrays(x=(4, 3)), F.leaky_relu, "x"),
    ("leaky_relu(x, slope: 0.2)", arrays(x=(4, 3)), lambda x: F.leaky_relu(x, 0.2), "x"),
    ("gelu(x)", arrays(x=(4, 3)), F.gelu, "x"),
    ("elu(x)", arrays(x=(4, 3)), F.elu, "x"),
    ("elu(x, alpha: 1.3)", arrays(x=(4, 3)), lambda x: F.elu(x, 1.3), "x"),
    ("selu(x)", arrays(x=(4, 3)), F.selu, "x"),
    ("silu(x)", arrays(x=(4, 3)), F.silu, "x"),
    ("softplus(x)", arrays(x=(4, 3)), F.softplus, "x"),
    ("mish(x)", arrays(x=(4, 3)), F.mish, "x"),
    ("dropout(x, 0.4)", arrays(x=(4, 3)), lambda x: F.dropout(x, 0.4, training=False), "x"),
    ("gaussian_dropout(x, p: 0.4)", arrays(x=(4, 3)), lambda x: 1 * x, "x"),
    ("gaussian_noise(x, std: 2)", arrays(x=(4, 3)), lambda x: 1 * x, "x"),
    ("uniform_noise(x, width: 2)", arrays(x=(4, 3)), lambda x: 1 * x, "x"),
    # functions
    ("softmax(x) * s", arrays(x=(4, 3), s=(4, 3)), lambda x, s: x.softmax(-1) * s, "x"),
    ("log_softmax(x) * s", arrays(x=(4, 3), s=(4, 3)), lambda x, s: x.log_softmax(-1) * s, "x"),
    ("logsumexp(x)", arrays(x=(4, 3)), lambda x: x.logsumexp(-1), "x"),
    ("exp(x - peak(x, -1)) * s", {"x": torch.tensor([[0.5, -1.25, 2], [3, 0.75, -0.5]], dtype=torch.float64),
                                  "s": torch.tensor([[1.0, 2, -1], [0.5, -2, 3]], dtype=torch.float64)},
     lambda x, s: (x - x.amax(-1, keepdim=True).detach()).exp() * s, "x"),
    ("log_sigmoid(x)", arrays(x=(4, 3)), F.logsigmoid, "x"),
    ("entropy(x)", arrays(x=(4, 3)), lambda x: -(x.softmax(-1) * x.log_softmax(-1)).sum(-1), "x"),
    ("cosine_similarity(a, b)", arrays(a=(4, 3), b=(4, 3)), F.cosine_similarity, "a,b"),
    ("flat(x) * s", arrays(x=(4, 3), s=(12,)), lambda x, s: x.flatten() * s, "x,s"),
    ("tan(x)", arrays(x=(4, 3)), torch.tan, "x"),
    ("ceil(x) * x", arrays(x=(4, 3)), lambda x: x.ceil() * x, "x"),
    ("trunc(x) * x", arrays(x=(4, 3)), lambda x: x.trunc() * x, "x"),
    ("digamma(x)", arrays(x=(4, 3)), torch.digamma, "x"),
    ("trace(x)", arrays(x=(2, 3, 3)), lambda x: x.diagonal(dim1=-2, dim2=-1).sum(-1), "x"),
    ("outer(a, b) * s", arrays(a=(3,), b=(4,), s=(3, 4)), lambda a, b, s: torch.outer(a, b) * s, "a,b"),
    ("unit(x, axis: 0) * s", arrays(x=(4, 3), s=(4, 3)), lambda x, s: F.normalize(x, dim=0) * s, "x"),
    ("trust_ratio(a, b)", {"a": torch.tensor(0.75), "b": torch.tensor(1.5)}, lambda a, b: a / b, "a,b"),
    ("trust_ratio(a, 0 * a)", {"a": torch.tensor(0.75)}, lambda a: torch.tensor(1.0), ""),
    ("linspace(0.5, 2, 4) * s", arrays(s=(4,)), lambda s: torch.linspace(0.5, 2, 4, dtype=torch.float64) * s, "s"),
    ("pairwise_distances(a, b) * s", arrays(a=(3, 2), b=(4, 2), s=(3, 4)), lambda a, b, s: torch.cdist(a, b) * s, "a,b"),
    ("group_sum(x, [0, 2, 1, 0, 2], 3) * s", arrays(x=(5, 2), s=(3, 2)), lambda x, s: torch.zeros(3, 2, dtype=x.dtype).index_add(0, torch.tensor([0, 2, 1, 0, 2]), x) * s, "x"),
    ("group_mean(x, [0, 2, 1, 0, 2], 3) * s", arrays(x=(5, 2), s=(3, 2)), lambda x, s: torch.zeros(3, 2, dtype=x.dtype).index_add(0, torch.tensor([0, 2, 1, 0, 2]), x) / torch.tensor([[2], [1], [2]]) * s, "x"),
    ("1 * categorical(x)", {"x": torch.tensor([[0.0, 0, 500], [500, 0, 0], [0, 500, 0]], dtype=torch.float64)}, lambda x: x.argmax(-1).double(), ""),
    ("sort(permutation(5) * 1) * s", arrays(s=(5,)), lambda s: torch.arange(5) * s, "s"),
    ("(gamma(x) > 0) * 1", {"x": arrays(x=(4,))["x"].abs() + 0.5}, lambda x: (x > 0).double(), ""),
    ("(beta(x, 2) < 1) * 1", {"x": arrays(x=(4,))["x"].abs() + 0.5}, lambda x: (x > 0).double(), ""),
    # metrics
    ("accuracy(z, y)", labelled(), lambda z, y: (z.argmax(-1) == y).double().mean(), ""),
    ("accuracy(z, y)", labelled(z=TIED), lambda z, y: top_k(z, y, 1), ""),
    ("top_k(z, y, k: 2)", labelled(), lambda z, y: top_k(z, y, 2), ""),
    ("top_k(z, y, k: 2)", labelled(z=TIED), lambda z, y: top_k(z, y, 2), ""),
    ("top_k(z, y)", labelled(), lambda z, y: torch.tensor(1.0), ""),
    ("confusion(z, y)", labelled(z=TIED), confusion, ""),
    ("nll(z, y)", labelled(), F.cross_entropy, "z"),
    ("brier(z, y)", labelled(), lambda z, y: (z.softmax(-1) - F.one_hot(y, 3)).square().sum() / 7, "z"),
    ("ece(z, y)", labelled(), lambda z, y: ece(z, y, 15), ""),
    ("ece(z, y, bins: 4)", labelled(), lambda z, y: ece(z, y, 4), ""),
    ("mse(p, y)", arrays(**PAIR), lambda p, y: F.mse_loss(p[:, 0], y), "p,y"),
    ("rmse(p, y)", arrays(**PAIR), lambda p, y: F.mse_loss(p[:, 0], y).sqrt(), "p,y"),
    ("mae(p, y)", arrays(**PAIR), lambda p, y: F.l1_loss(p[:, 0], y), "p,y"),
    ("r2(p, y)", arrays(**PAIR), r2, "p,y"),
    ("spectral_normalized(outer(a, b)) * s", arrays(a=(4,), b=(3,), s=(4, 3)),
     lambda a, b, s: torch.outer(a, b) / torch.outer(a, b).norm().detach() * s, ""),
    ("confusion(z, y)", {"z": ONE, "y": BITS}, lambda z, y: torch.tensor(sk.confusion_matrix(y, classes(z))).double(), ""),
    ("confusion(z, y, weight: w)", {"z": ONE, "y": BITS, "w": SHARES},
     lambda z, y, w: torch.tensor(sk.confusion_matrix(y, classes(z), sample_weight=w)), ""),
    ("log_loss(z, y)", {"z": ONE, "y": BITS}, lambda z, y: F.binary_cross_entropy_with_logits(z[:, 0], y.double()), "z"),
    ("log_loss(z, y)", {"z": TIED, "y": LABELS}, F.cross_entropy, "z"),
    ("log_loss(z, y, weight: w)", {"z": ONE, "y": BITS, "w": SHARES},
     lambda z, y, w: torch.tensor(sk.log_loss(y, z[:, 0].sigmoid(), sample_weight=w)), ""),
    ("mape(p, y)", {"p": ONE, "y": SHARES}, of_numbers(sk.mean_absolute_percentage_error), ""),
    ("mape(p, y, weight: w)", {"p": ONE, "y": SHARES, "w": SHARES.flip(0)}, of_numbers(sk.mean_absolute_percentage_error), ""),
    ("explained_variance(p, y)", {"p": ONE, "y": SHARES}, of_numbers(sk.explained_variance_score), ""),
    ("explained_variance(p, y, weight: w)", {"p": ONE, "y": SHARES, "w": SHARES.flip(0)}, of_numbers(sk.explained_variance_score), ""),
    ("r2(p, y, weight: w)", {"p": ONE, "y": SHARES, "w": SHARES.flip(0)}, of_numbers(sk.r2_score), ""),
    ("mse(p, y, weight: w)", {"p": ONE, "y": SHARES, "w": SHARES.flip(0)}, weighed(lambda p, y: (p - y) ** 2), "p,y,w"),
    ("mae(p, y, weight: w)", {"p": ONE, "y": SHARES, "w": SHARES.flip(0)}, weighed(lambda p, y: (p - y).abs()), "p,w"),
    ("rmse(p, y, weight: w)", {"p": ONE, "y": SHARES, "w": SHARES.flip(0)}, lambda p, y, w: weighed(lambda p, y: (p - y) ** 2)(p, y, w).sqrt(), "p,w"),
    ("nll(z, y, weight: w)", {"z": TIED, "y": LABELS, "w": SHARES[:7]}, lambda z, y, w: (w * F.cross_entropy(z, y, reduction="none")).sum() / w.sum(), "z,w"),
    ("brier(z, y, weight: w)", {"z": TIED, "y": LABELS, "w": SHARES[:7]},
     lambda z, y, w: (w * (z.softmax(-1) - F.one_hot(y, 3)).square().sum(-1)).sum() / w.sum(), "z,w"),
    ("coverage(p, y, weight: w)", {"p": ONE, "y": SHARES, "w": SHARES.flip(0)}, coverage, ""),
    ("coverage(p, y, weight: w)", {"p": torch.cat([ONE, ONE + 1], 1), "y": SHARES, "w": SHARES.flip(0)}, coverage, ""),
    ("reliability(z, y, bins: 2)[1..]", {"z": TIED, "y": LABELS}, lambda z, y: reliability(z, y, 2)[1:], ""),
    ("reliability(z, y, bins: 4)[2..]", {"z": ONE, "y": BITS}, lambda z, y: reliability(z, y, 4)[2:], ""),
    ("ece(z, y)", {"z": ONE, "y": BITS}, lambda z, y: ece(torch.cat([0 * z, z], -1), y, 15), ""),
    ("weighted_mean(p, w)", {"p": SHARES, "w": SHARES.flip(0)}, lambda p, w: (p * w).sum() / w.sum(), "p,w"),
    ("quotient(p, w)", {"p": SHARES, "w": SHARES - 1}, lambda p, w: torch.where(w == 0, torch.zeros(()), p / torch.where(w == 0, torch.ones(()), w)), "p,w"),
    ("cross_entropy(z, y, weight: w)", {"z": TIED, "y": LABELS, "w": SHARES[:7]},
     lambda z, y, w: (w * F.cross_entropy(z, y, reduction="none")).sum() / w.sum(), "z,w"),
    ("cross_entropy(z, y, weight: v[y], where: w > 0.5)", {"z": TIED, "y": LABELS, "w": SHARES[:7], "v": SHARES[:3]},
     lambda z, y, w, v: F.cross_entropy(z[w > 0.5], y[w > 0.5], weight=v), "z"),
    ("huber(p, y, where: y > 0.9)", {"p": ONE, "y": SHARES}, lambda p, y: F.huber_loss(p[y > 0.9][:, 0], y[y > 0.9]), "p"),
    ("binary_cross_entropy(z, y, smoothing: 0.2)", {"z": ONE, "y": BITS.double()},
     lambda z, y: F.binary_cross_entropy_with_logits(z[:, 0], 0.8 * y + 0.1), "z,y"),
    ("binary_cross_entropy(z, y, pos_weight: 3)", {"z": ONE, "y": BITS.double()},
     lambda z, y: F.binary_cross_entropy_with_logits(z[:, 0], y, pos_weight=torch.tensor(3.0)), "z,y"),
    ("soft_cross_entropy(z, softmax(t), smoothing: 0.1)", {"z": TIED, "t": TIED.flip(0)},
     lambda z, t: F.cross_entropy(z, t.softmax(-1), label_smoothing=0.1), "z,t"),
    ("plateau(p, m, factor: 0.5, patience: 1)", {"p": torch.tensor([0.1, 1, 1, 0]), "m": torch.tensor(2.0)}, lambda p, m: torch.tensor([0.05, 1, 0, 0]), ""),
    ("falling(v)", {"v": COURSE}, plateau("min"), ""),
    ("falling(v, higher: true)", {"v": 4 - COURSE}, plateau("max"), ""),
    ("focal(z, y, gamma: 1.5, smoothing: 0.2)", {"z": TIED, "y": LABELS}, lambda z, y: focal(z, y, 1.5, 0.2), "z"),
    *[(f"{call}, where: w > 0.5)", {"z": ONE, "y": BITS, "w": SHARES}, lambda z, y, w, of=of: of(z[w > 0.5], y[w > 0.5]), "")
      for call, of in (("auc(z, y", by_rank(sk.roc_auc_score)), ("average_precision(z, y", by_rank(sk.average_precision_score)), ("f1(z, y", by_classes(sk.f1_score)),
                       ("mcc(z, y", by_classes(sk.matthews_corrcoef)), ("balanced_accuracy(z, y", by_classes(sk.balanced_accuracy_score)),
                       ("log_loss(z, y", lambda z, y: F.binary_cross_entropy_with_logits(z[:, 0], y.double())))],
    ("r2(p, y, where: w > 0.5, weight: w)", {"p": ONE, "y": SHARES, "w": SHARES.flip(0)},
     lambda p, y, w: of_numbers(sk.r2_score)(p[w > 0.5], y[w > 0.5], w[w > 0.5]), ""),
    ("class_weights(argmax(z))", {"z": TIED}, lambda z: torch.tensor(compute_class_weight("balanced", classes=numpy.arange(3), y=classes(z))), ""),
    *metric_cases(),
    # factorizations, whose arrays are drawn last
    ("solve(a, b) * s", arrays(a=(3, 3), b=(3, 2), s=(3, 2)), lambda a, b, s: torch.linalg.solve(a, b) * s, "a,b"),
    ("inverse(a) * s", arrays(a=(2, 3, 3), s=(3, 3)), lambda a, s: torch.linalg.inv(a) * s, "a"),
    ("logdet(a)", arrays(a=(2, 3, 3)), lambda a: torch.linalg.slogdet(a)[1], "a"),
    ("det(a)", {"a": torch.tensor([[[0.5, -1.25, 2], [3, 0.75, -0.5], [1, 2, -1.5]], [[2, 0.25, -1], [0.5, -3, 1], [-0.75, 1, 0.5]]],
                                  dtype=torch.float64)}, torch.linalg.det, "a"),
    ("singular_values(w) * s", arrays(w=(5, 3), s=(3,)), lambda w, s: torch.linalg.svdvals(w) * s, "w"),
    ("nuclear_norm(w)", arrays(w=(3, 5)), lambda w: torch.linalg.matrix_norm(w, "nuc"), "w"),
    ("spectral_norm(w)", arrays(w=(5, 3)), lambda w: torch.linalg.matrix_norm(w, 2), "w"),
    ("flip_labels(argmax(z), 100%) * s", {"z": TIED[:, 1:], "s": TARGETS.repeat(2)[:7]},
     lambda z, s: (1 - torch.tensor([0, 0, 0, 1, 1, 1, 1])) * s, "s"),
]
