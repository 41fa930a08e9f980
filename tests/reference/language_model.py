"""Language models as their two sides see them: the text, the weights that training starts from, and the program. Needs
nothing but Python; make.py trains the same with PyTorch. One is recurrent, the other attends to all characters before:

Zaremba, Sutskever & Vinyals 2014, Recurrent Neural Network Regularization: two LSTM layers, dropout between them but not from step
to step, truncated back-propagation with a state that goes on from batch to batch, a limited norm of the gradient.
Vaswani et al. 2017, Attention Is All You Need: blocks that are normalized first."""
from array import array
from dataclasses import dataclass

CHARACTERS = "\n" + "".join(map(chr, range(32, 127)))


HEADS = 4


def attention_shapes(d):
    return {"qkv.weight": (d, 3 * d), "qkv.bias": (3 * d,), "out.weight": (d, d), "out.bias": (d,)}


def transformer_shapes(d, depth):
    norm = {"scale": (d,), "shift": (d,)}
    parts = {"norm1": norm, "attention": attention_shapes(d), "norm2": norm, "up": {"weight": (d, 4 * d), "bias": (4 * d,)},
             "down": {"weight": (4 * d, d), "bias": (d,)}}
    blocks = {f"block[{i}].{part}.{k}": s for i in range(depth) for part, shapes in parts.items() for k, s in shapes.items()}
    return {**blocks, **{f"norm.{k}": s for k, s in norm.items()}}


@dataclass
class Sizes:
    units: int
    window: int  # steps of back-propagation
    batch: int
    batches: int  # of an epoch
    depth: int = 0  # blocks of attention; 0: recurrent
    steps: int = 20
    vocabulary: int = len(CHARACTERS)

    @property
    def shapes(self):
        u, v = self.units, self.vocabulary
        if self.depth:
            return {"net.place": (self.window, u), "net.embedding1.weight": (v, u), "net.head.weight": (u, v), "net.head.bias": (v,),
                    **{f"net.blocks.{k}": s for k, s in transformer_shapes(u, self.depth).items()}}
        cell = {"weight": (u, 4 * u), "recurrent": (u, 4 * u), "bias": (4 * u,), "recurrent_bias": (4 * u,)}
        return {"net.embedding1.weight": (v, u), **{f"net.{layer}.cell.{k}": s for layer in ("first", "second") for k, s in cell.items()},
                "net.dense1.weight": (u, v), "net.dense1.bias": (v,)}


FULL = Sizes(units=256, window=64, batch=32, batches=127)
SIZES = {"small": Sizes(units=24, window=12, batch=4, batches=8), "full": FULL,
         "attention": Sizes(units=16, window=12, batch=4, batches=8, depth=2),
         "full attention": Sizes(units=128, window=128, batch=16, batches=127, depth=4)}


def numbers(seed):
    """Whole numbers below 2^31 (the generator of ANSI C)."""
    while True:
        seed = (1103515245 * seed + 12345) % 2**31
        yield seed


def tokens(s):
    """Classes of the text's characters: first each of them once, so that all are there."""
    n, source = s.batch * s.batches * s.window + 1, numbers(1)
    return [*range(s.vocabulary), *((next(source) >> 12) % s.vocabulary for _ in range(n - s.vocabulary))]


def text(s):
    return "".join(CHARACTERS[t] for t in tokens(s))


def weights(s):
    """Flat lists of 32-bit floats between -1 / sqrt(units) and 1 / sqrt(units), as PyTorch starts its LSTM."""
    source, bound = numbers(2), s.units ** -0.5
    def draw(shape):
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        return array("f", ((next(source) / 2**30 - 1) * bound for _ in range(count))).tolist()
    return {name: draw(shape) for name, shape in s.shapes.items()}


def program(s, path, epochs=1):
    return (attention if s.depth else recurrent)(s, path, epochs)


def attention(s, path, epochs):
    return f"""data tokens = text("{path}", window: {s.window})

let rate = 0.1

model net(x: labels [t] of c) -> [t, c] {{
  param place: [t, {s.units}] ~ normal_init(1)
  (x |> embedding({s.units})) + place |> transformer(depth: {s.depth}, heads: {HEADS}, where: causal(t), drop: rate, path: rate) as blocks |> dense(c) as head
}}

train net on tokens {{
  loss     cross_entropy(net(x), next, smoothing: 0.1)
  optimize adamw(lr: 3e-4, weight_decay: 0.1)
  batch    {s.batch}
  epochs   {epochs}
  sample   in order
}}
"""


def recurrent(s, path, epochs):
    return f"""data tokens = text("{path}", window: {s.window})

## A step against the gradient, whose norm over all parameters is limited. Pascanu et al. 2013.
optimizer clipped(lr: number 0.., most: number 0..) for w {{
  g = grad(objective, w)
  w <- w - lr * min(1, most / (norm(g) + 1e-6)) * g
}}

let rate = 0.5

model net(x: labels [t] of c) -> [t, c] = x
  |> embedding({s.units})
  |> dropout(rate)
  |> lstm({s.units}, second_bias: true) as first
  |> dropout(rate)
  |> lstm({s.units}, second_bias: true) as second
  |> dropout(rate)
  |> dense(c)

train net on tokens {{
  loss     cross_entropy(net(x), next)
  optimize clipped(lr: 1, most: 5)
  batch    {s.batch}
  epochs   {epochs}
  sample   in order
}}
"""
