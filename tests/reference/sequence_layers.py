"""Layers and functions of sequences, with PyTorch's own where it has them: read by make_techniques.py."""
import language_model
import torch
from make import GATES, GRU, SEQUENCES, attention_of, gru, inner, lstm, of_cell, of_places, part_of
from techniques import arrays
from torch.nn import functional as F
from torch.nn.utils.stateless import functional_call

PROGRAM = """fn counting(x: labels [n, t] of 5, at) = one_hot(mod(x + 1, 5), 5)
fn known(x, c) = as_labels(x, c)
"""
OPTIMIZERS, SCHEDULES, STEPS = [], [], []


def rotary(x, first=0, base=10000.0):
    """As products of complex numbers."""
    t, d = x.shape[-2:]
    angle = torch.outer(torch.arange(first, first + t), base ** (-torch.arange(0, d, 2) / d))
    return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (d // 2, 2))) * torch.polar(torch.ones_like(angle), angle)).flatten(-2)


def wavelengths(t, d, first=0):
    angle = torch.outer(torch.arange(first, first + t), 10000.0 ** (-torch.arange(0, d, 2) / d))
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(-2)


def turned_attention(x, heads, causal, p):
    n, t, d = x.shape
    q, k, v = (x @ p["qkv.weight"] + p["qkv.bias"]).view(n, t, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
    scores = rotary(q) @ rotary(k).transpose(-1, -2) / (d // heads) ** 0.5 + torch.full((t, t), -torch.inf).triu(1) * causal
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, d) @ p["out.weight"] + p["out.bias"]


CROSS = {"q.weight": (4, 4), "q.bias": (4,), "kv.weight": (3, 8), "kv.bias": (8,), "out.weight": (4, 4), "out.bias": (4,)}


def cross(x, heads, hidden=None, **p):
    """A row is three places of width 4 and two of width 3 behind them."""
    q, memory = x[:, :12].reshape(-1, 3, 4).transpose(0, 1), x[:, 12:].reshape(-1, 2, 3).transpose(0, 1)
    k, v = p["kv.weight"].T.chunk(2)
    y, _ = F.multi_head_attention_forward(
        q, memory, memory, 4, heads, None, torch.cat([p["q.bias"], p["kv.bias"]]), None, None, False, 0.0, p["out.weight"].T, p["out.bias"],
        key_padding_mask=hidden, use_separate_proj_weight=True, q_proj_weight=p["q.weight"].T, k_proj_weight=k, v_proj_weight=v)
    return y.transpose(0, 1).reshape(-1, 12)


def decoder_shapes(depth):
    norms = {f"norm{k}.{s}": (4,) for k in (1, 2, 3) for s in ("scale", "shift")}
    looking = {**CROSS, "kv.weight": (4, 8)}
    block = {**norms, **{f"attention.{k}": s for k, s in language_model.attention_shapes(4).items()}, **{f"looking.{k}": s for k, s in looking.items()},
             "up.weight": (4, 16), "up.bias": (16,), "down.weight": (16, 4), "down.bias": (4,)}
    return {**{f"block[{i}].{k}": s for i in range(depth) for k, s in block.items()}, "norm.scale": (4,), "norm.shift": (4,)}


def decoder(x, depth, heads, **p):
    """PyTorch's own, with this one's parameters. A row is three places of width 4 and two of the memory."""
    net = torch.nn.TransformerDecoder(torch.nn.TransformerDecoderLayer(4, heads, 16, 0.0, F.gelu, batch_first=True, norm_first=True), depth, torch.nn.LayerNorm(4))
    theirs = {"norm.weight": p["norm.scale"], "norm.bias": p["norm.shift"]}
    for i in range(depth):
        b, at = part_of(p, f"block[{i}]"), f"layers.{i}"
        for k in (1, 2, 3):
            theirs |= {f"{at}.norm{k}.weight": b[f"norm{k}.scale"], f"{at}.norm{k}.bias": b[f"norm{k}.shift"]}
        for name, weight, bias in (("self_attn", b["attention.qkv.weight"], b["attention.qkv.bias"]),
                                   ("multihead_attn", torch.cat([b["looking.q.weight"], b["looking.kv.weight"]], 1), torch.cat([b["looking.q.bias"], b["looking.kv.bias"]]))):
            theirs |= {f"{at}.{name}.in_proj_weight": weight.T, f"{at}.{name}.in_proj_bias": bias}
        for theirs_name, name in (("self_attn.out_proj", "attention.out"), ("multihead_attn.out_proj", "looking.out"), ("linear1", "up"), ("linear2", "down")):
            theirs |= {f"{at}.{theirs_name}.weight": b[f"{name}.weight"].T, f"{at}.{theirs_name}.bias": b[f"{name}.bias"]}
    y = functional_call(net, theirs, (x[:, :12].reshape(-1, 3, 4), x[:, 12:].reshape(-1, 2, 4), torch.full((3, 3), -torch.inf).triu(1)))
    return y.reshape(-1, 12)


def both_ways(x, **p):
    x, h = x.reshape(-1, 3, 3), torch.zeros(2, len(x), 2)
    flat = [w for side in ("forward", "backward") for w in (p[f"{side}.cell.weight"].T, p[f"{side}.cell.recurrent"].T, p[f"{side}.cell.bias"], torch.zeros(8))]
    return torch._VF.lstm(x, (h, h), flat, True, 1, 0.0, False, True, True)[0].reshape(-1, 12)


def without(name, f):
    return lambda x, **p: f(x, **{k: 0 * v if k == name else v for k, v in p.items()})


def nothing_new(x, **p):
    return 0 * sum(v.sum() for v in p.values()) + torch.zeros(len(x), 6)


def distances(x, weight):
    """Two heads, three queries and keys, distances up to 1."""
    return x + torch.stack([torch.stack([weight[max(-1, min(1, j - i)) + 1] for j in range(3)]) for i in range(3)]).permute(2, 0, 1).reshape(-1)


def of_paths(scores, moves):
    """What each sequence of tags gets, one by one: [n, c^t], and the sequences."""
    n, t, c = scores.shape
    paths = torch.cartesian_prod(*[torch.arange(c)] * t)
    return scores[:, torch.arange(t), paths].sum(-1) + moves[paths[:, :-1], paths[:, 1:]].sum(-1), paths


def crf(scores, y, moves, length):
    rows = []
    for s, tags, l in zip(scores, y, length):
        all_of, paths = of_paths(s[None, :l], moves)
        rows.append(all_of[0].logsumexp(0) - all_of[0, (paths == tags[:l]).all(1).nonzero()[0, 0]])
    return torch.stack(rows)


def viterbi(scores, moves):
    all_of, paths = of_paths(scores, moves)
    return paths[all_of.argmax(1)].double()


LOOKED = "= reshape(reshape(x[.., 0..12], [-1, 3, 4]) |> {call} as f, [-1, 12])"
EXPRESSIONS = [
    ("rotary(x) * s", arrays(x=(2, 3, 4), s=(3, 4)), lambda x, s: rotary(x) * s, "x"),
    ("rotary(x, first: 5, base: 100) * s", arrays(x=(3, 6), s=(3, 6)), lambda x, s: rotary(x, 5, 100.0) * s, "x"),
    ("wavelengths(4, 6) * s", arrays(s=(4, 6)), lambda s: wavelengths(4, 6) * s, "s"),
    ("wavelengths(2, 4, first: 3) * s", arrays(s=(2, 4)), lambda s: wavelengths(2, 4, 3) * s, "s"),
    ("embedded(argmax(z), w, drop: 0) * s", arrays(z=(3, 2, 4), w=(4, 3), s=(3,)), lambda z, w, s: w[z.argmax(-1)] * s, "w"),
    ("tied(h, w, bias: false) * s", arrays(h=(3, 2, 4), w=(5, 4), s=(5,)), lambda h, w, s: h @ w.T * s, "h,w"),
    ("1 * word_dropout(known(argmax(z), 4), 1, by: 2)", arrays(z=(3, 4)), lambda z: z.argmax(-1).double(), ""),
    ("1 * word_dropout(known(argmax(z), 4), 0)", arrays(z=(3, 4)), lambda z: z.argmax(-1).double(), ""),
    ("1 * continued(counting, known(argmax(z), 5), 3, pick: most_likely)", arrays(z=(2, 3, 5)),
     lambda z: (z[:, -1:].argmax(-1) + torch.arange(1, 4)).remainder(5).double(), ""),
    ("crf(s, argmax(z), m)", arrays(s=(3, 4, 3), z=(3, 4, 3), m=(3, 3)), lambda s, z, m: crf(s, z.argmax(-1), m, [4] * 3).mean(), "s,m"),
    ("crf(s, argmax(z), m, length: [4, 2, 3], per_row: true)", arrays(s=(3, 4, 3), z=(3, 4, 3), m=(3, 3)), lambda s, z, m: crf(s, z.argmax(-1), m, [4, 2, 3]), "s,m"),
    ("1 * viterbi(s, m)", arrays(s=(5, 4, 3), m=(3, 3)), viterbi, ""),
]
LAYERS = [
    ("cross_attention(reshape(x[.., 12..], [-1, 2, 3]), 2)", CROSS, lambda x, **p: cross(x, 2, **p), None, LOOKED, (2, 18), 0.5),
    ("cross_attention(reshape(x[.., 12..], [-1, 2, 3]), 1, where: reshape(x[.., 12], [-1, 1, 1, 1]) > 0 or arange(2) == 0)", CROSS,
     lambda x, **p: cross(x, 1, torch.stack([x[:, 0] > 1e9, x[:, 12] <= 0], 1), **p), None, LOOKED, (4, 18), 0.5),
    ("decoder(reshape(x[.., 12..], [-1, 2, 4]), 2, 2)", decoder_shapes(2), lambda x, **p: decoder(x, 2, 2, **p), None, LOOKED, (2, 20), 0.5),
    ("self_attention(2, where: causal(3), rotated: true)", language_model.attention_shapes(4), of_places(turned_attention, 2, True), None,
     LOOKED.replace("[.., 0..12]", ""), (2, 12), 0.5),
    ("self_attention(2, kept: 3)", language_model.attention_shapes(4), of_places(attention_of, 2, True), None, LOOKED.replace("[.., 0..12]", ""), (2, 12), 0.5),
    ("relative_bias(2, 3, most: 1)", {"weight": (3, 2)}, distances, None, "= x + reshape({call} as f, [18])", (2, 18)),
    ("bidirectional(lstm(_, 2))", {f"{side}.{k}": v for side in ("forward", "backward") for k, v in inner(GATES).items()}, both_ways, None,
     SEQUENCES.replace("6]", "12]"), (2, 9)),
    ("lstm(2, recurrent_drop: 1)", inner(GATES), without("cell.recurrent", of_cell(lstm)), of_cell(lstm), SEQUENCES, (2, 9)),
    ("lstm(2, new_drop: 1)", inner(GATES), nothing_new, of_cell(lstm), SEQUENCES, (2, 9)),
    ("gru(2, recurrent_drop: 1)", inner(GRU), without("cell.recurrent", of_cell(gru)), of_cell(gru), SEQUENCES, (2, 9)),
    ("gru(2, new_drop: 1)", inner(GRU), nothing_new, of_cell(gru), SEQUENCES, (2, 9)),
    ("tied([[1, 0.5, -2], [0.25, 1, 3]])", {"bias": (2,)}, lambda x, bias: x @ torch.tensor([[1, 0.25], [0.5, 1], [-2, 3]]) + bias, None),
    ("embedding(2, drop: 1)", {"weight": (3, 2)}, lambda x, weight: 0 * weight[x.argmax(-1)], lambda x, weight: weight[x.argmax(-1)], "= argmax(x) |> {call} as f"),
]
