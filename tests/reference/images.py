#!/usr/bin/env python3
"""Layers that look at images against PyTorch's, whose images have their channels first: values, and gradients of the sum of squares.
Run by hand (Debian's python3-torch), it writes images.json; the tests read that."""
import json
import math
from pathlib import Path

VALUES = Path(__file__).with_name("images.json")


def grid(rows, columns, h, w):
    """Places in pixels as grid_sample counts them, for two images: from -1 to 1."""
    import torch
    place = torch.stack([2 * torch.tensor(columns) / (w - 1) - 1, 2 * torch.tensor(rows) / (h - 1) - 1], -1)
    return place.expand(2, *place.shape)


def turned(a, b, d, e, h, w):
    r, k = [[i - (h - 1) / 2] * w for i in range(h)], [[j - (w - 1) / 2 for j in range(w)]] * h
    at = [[[m * r[i][j] + n * k[i][j] + (s - 1) / 2 for j in range(w)] for i in range(h)] for m, n, s in ((a, b, h), (d, e, w))]
    return grid(*at, h, w)


# layer, shape of x, shapes of the parameters as they are here, what PyTorch calls it
LAYERS = [
    ("conv(4)", [2, 5, 6, 3], {"weight": [3, 3, 3, 4], "bias": [4]}, lambda F, x, w, b: F.conv2d(x, w, b, padding=1)),
    ("conv(2, size: 2, bias: false)", [2, 4, 4, 2], {"weight": [2, 2, 2, 2]}, lambda F, x, w: F.conv2d(F.pad(x, (0, 1, 0, 1)), w)),
    ("conv(3, stride: 2)", [1, 5, 6, 2], {"weight": [3, 3, 2, 3], "bias": [3]}, lambda F, x, w, b: F.conv2d(x, w, b, padding=1, stride=2)),
    ("conv(2, dilation: 2, border: \"none\")", [2, 6, 7, 2], {"weight": [3, 3, 2, 2], "bias": [2]},
     lambda F, x, w, b: F.conv2d(x, w, b, dilation=2)),
    ("conv(2, size: 5, border: \"reflect\")", [1, 6, 5, 1], {"weight": [5, 5, 1, 2], "bias": [2]},
     lambda F, x, w, b: F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), w, b)),
    ("conv(2, border: \"wrap\")", [1, 4, 5, 1], {"weight": [3, 3, 1, 2], "bias": [2]},
     lambda F, x, w, b: F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), w, b)),
    ("conv(2, border: \"edge\")", [1, 4, 5, 1], {"weight": [3, 3, 1, 2], "bias": [2]},
     lambda F, x, w, b: F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), w, b)),
    ("conv(6, groups: 2)", [2, 4, 5, 4], {"weight": [3, 3, 2, 6], "bias": [6]}, lambda F, x, w, b: F.conv2d(x, w, b, padding=1, groups=2)),
    ("conv(3, groups: 3, stride: 2, bias: false)", [1, 5, 5, 3], {"weight": [3, 3, 1, 3]}, lambda F, x, w: F.conv2d(x, w, padding=1, stride=2, groups=3)),
    ("group_norm(2)", [2, 3, 4, 4], {"scale": [4], "shift": [4]}, lambda F, x, w, b: F.group_norm(x, 2, w, b)),
    ("group_norm(1, eps: 0.1)", [2, 2, 3, 3], {"scale": [3], "shift": [3]}, lambda F, x, w, b: F.group_norm(x, 1, w, b, 0.1)),
    ("instance_norm(eps: 0.1)", [2, 3, 4, 2], {"groups.scale": [2], "groups.shift": [2]}, lambda F, x, w, b: F.instance_norm(x, None, None, w, b, eps=0.1)),
    ("warp(zeros([2, 2, 3]) + [[1.25, -0.5, 0], [2.75, 3.5, 1]], zeros([2, 2, 3]) + [[0.5, 1.5, -1.25], [2, 2.25, 3.5]])", [2, 4, 3, 2], {},
     lambda F, x: F.grid_sample(x, grid([[1.25, -0.5, 0], [2.75, 3.5, 1]], [[0.5, 1.5, -1.25], [2, 2.25, 3.5]], 4, 3), align_corners=True)),
    ("affine(0.75, -0.5, 0.25, 1.5)", [2, 4, 5, 2], {}, lambda F, x: F.grid_sample(x, turned(0.75, -0.5, 0.25, 1.5, 4, 5), align_corners=True)),
    ("conv(3, size: 5, stride: 3, dilation: 2)", [1, 13, 11, 2], {"weight": [5, 5, 2, 3], "bias": [3]},
     lambda F, x, w, b: F.conv2d(x, w, b, padding=4, stride=3, dilation=2)),
    ("conv(2, stride: 2, dilation: 2, border: \"none\")", [2, 8, 9, 3], {"weight": [3, 3, 3, 2], "bias": [2]},
     lambda F, x, w, b: F.conv2d(x, w, b, stride=2, dilation=2)),
    ("conv(2, size: 4, stride: 2, border: \"reflect\")", [2, 7, 8, 2], {"weight": [4, 4, 2, 2], "bias": [2]},
     lambda F, x, w, b: F.conv2d(F.pad(x, (1, 2, 1, 2), mode="reflect"), w, b, stride=2)),
    ("conv(6, groups: 2, stride: 2)", [2, 5, 6, 4], {"weight": [3, 3, 2, 6], "bias": [6]}, lambda F, x, w, b: F.conv2d(x, w, b, padding=1, stride=2, groups=2)),
    ("conv(3, size: 1, stride: 2, bias: false)", [2, 5, 6, 2], {"weight": [1, 1, 2, 3]}, lambda F, x, w: F.conv2d(x, w, stride=2)),
    ("depthwise_conv(stride: 2)", [2, 5, 6, 3], {"weight": [3, 3, 3], "bias": [3]},
     lambda F, x, w, b: F.conv2d(x, w, b, padding=1, stride=2, groups=3)),
    ("conv_transpose(2)", [2, 3, 4, 3], {"weight": [3, 2, 2, 2], "bias": [2]}, lambda F, x, w, b: F.conv_transpose2d(x, w, b, stride=2)),
    ("conv_transpose(2, size: 3, stride: 1)", [1, 3, 4, 2], {"weight": [2, 3, 3, 2], "bias": [2]},
     lambda F, x, w, b: F.conv_transpose2d(x, w, b, stride=1, padding=1)),
    ("conv_transpose(1, size: 4, stride: 2)", [1, 3, 3, 2], {"weight": [2, 4, 4, 1], "bias": [1]},
     lambda F, x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1)),
    ("conv_transpose(2, size: 3)", [2, 3, 4, 3], {"weight": [3, 3, 3, 2], "bias": [2]},
     lambda F, x, w, b: F.conv_transpose2d(x, w, b, stride=2)[..., :6, :8]),
    ("max_pool", [2, 5, 6, 2], {}, lambda F, x: F.max_pool2d(x, 2)),
    ("max_pool(size: 3, stride: 1)", [1, 5, 4, 2], {}, lambda F, x: F.max_pool2d(x, 3, stride=1)),
    ("mean_pool(size: 3, stride: 2)", [1, 7, 5, 2], {}, lambda F, x: F.avg_pool2d(x, 3, stride=2)),
    ("frame(1, 2, 1)", [1, 3, 4, 2], {}, lambda F, x: F.pad(x, (0, 0, 1, 2))),
    ("frame(1, 2, 2, border: \"edge\")", [1, 3, 4, 2], {}, lambda F, x: F.pad(x, (1, 2, 0, 0), mode="replicate")),
    ("patches(2)", [1, 3, 4, 2], {}, lambda F, x: F.unfold(F.pad(x, (0, 1, 0, 1)), 2).reshape(1, 2, 2, 2, 3, 4).permute(0, 4, 2, 5, 3, 1)),
    # Behind training, what changes pictures or leaves parts out is the identity.
    *((f"{call}", [2, 3, 4, 2], {}, lambda F, x: x) for call in ("random_crop(1)", "random_flip", "rotate", "shear", "color_jitter", "rand_augment", "spatial_dropout", "drop_path", "drop_block(size: 3)")),
    ("shake_shake(2 * x)", [2, 3, 4, 2], {}, lambda F, x: 1.5 * x),
    ("global_pool", [2, 3, 4, 2], {}, lambda F, x: F.adaptive_avg_pool2d(x, 1)),
]


def numbers(shape, start):
    """No two are equal nearby, and all can be written with few digits."""
    return [round(math.sin(1.7 * i + 0.3 * i * i + start), 3) for i in range(math.prod(shape))]


def program(layer, shape):
    return f"model net(x: {shape[1:]}) = x |> {layer} as f\n"


def weights(shapes):
    return {f"net.f.{name}": (shape, numbers(shape, k + 1)) for k, (name, shape) in enumerate(shapes.items())}


def computed(layer, shape, shapes, theirs):
    import torch
    from torch.nn import functional as F
    torch.set_default_dtype(torch.float64)
    x = torch.tensor(numbers(shape, 0)).reshape(shape).requires_grad_()
    given = [torch.tensor(v).reshape(s) for s, v in weights(shapes).values()]
    if "conv_transpose" in layer:
        given[0] = given[0].permute(0, 3, 1, 2)
    elif "depthwise" in layer:
        given[0] = given[0].permute(2, 0, 1)[:, None]
    elif given and given[0].dim() == 4:
        given[0] = given[0].permute(3, 2, 0, 1)
    y = theirs(F, x.permute(0, 3, 1, 2), *given)
    y = y.permute(0, 2, 3, 1) if y.dim() == 4 else y
    if layer == "global_pool":
        y = y.reshape(shape[0], shape[3])
    y.square().sum().backward()
    return {"shape": list(y.shape), "value": y.flatten().tolist(), "gradient": x.grad.flatten().tolist()}


# The workload cnn_dropblock of the bench without DropBlock, all rows in one batch: rows, side, units of the stages, steps. Of the full one the
# losses of PyTorch in single precision are up to 8e-4 away from its own in double: it is compared by hand, in double (`--dtype f64`).
NETS = {"small": (16, 12, (4, 8, 6), 20), "full": (64, 32, (32, 64, 128), 20)}
BENCH = Path(__file__).parents[1] / "bench" / "cnn_dropblock.reg"


def net_shapes(units):
    shapes, channels = {}, 3
    for k, u in enumerate(units):
        stage = f"net.stage{k + 1}"
        shapes |= {f"{stage}.conv1.weight": [3, 3, channels, u], f"{stage}.batch_norm1.scale": [u], f"{stage}.batch_norm1.shift": [u]}
        channels = u
    return {**shapes, "net.dense1.weight": [channels, 10], "net.dense1.bias": [10]}


def drawn(count, start, low, high):
    """Evenly between low and high, by the generator of ANSI C."""
    values = []
    for _ in range(count):
        start = (1103515245 * start + 12345) % 2**31
        values.append(low + (high - low) * (start >> 8) / 2**23)
    return values


def net_weights(units):
    """Matrices at random, as PyTorch starts them; scales are 1, shifts and biases 0."""
    start = {}
    for k, (name, shape) in enumerate(net_shapes(units).items()):
        bound, count = math.prod(shape[:-1]) ** -0.5, math.prod(shape)
        start[name] = drawn(count, k + 1, -bound, bound) if len(shape) > 1 else [float("scale" in name)] * count
    return start


def net_images(name):
    rows, side = NETS[name][:2]
    return drawn(rows * side * side * 3, 99, 0, 1)


def net_program(name, images, labels):
    rows, side, units, steps = NETS[name]
    text = BENCH.read_text().replace("../../build/bench-data/cnn_dropblock.idx", images).replace("../../build/bench-data/cnn_dropblock-labels.idx", labels)
    for old, new in [(" |> scale(1/255)", ""), ("[32, 32, 3]", f"[{side}, {side}, 3]"), ("batch    64", "batch    all"), ("epochs   1000", f"epochs   {steps}"),
                     *((f"stage({a})", f"stage({b})") for a, b in zip(NETS["full"][2], units))]:
        if old not in text:
            raise ValueError(f"{BENCH} has no {old}")
        text = text.replace(old, new)
    return text


def net_losses(name):
    """In single precision."""
    import torch
    from torch.nn import functional as F
    rows, side, units, steps = NETS[name]
    torch.set_default_dtype(torch.float32)
    shapes = net_shapes(units)
    given = {k: torch.tensor(v).reshape(shapes[k]).requires_grad_() for k, v in net_weights(units).items()}
    images, labels = torch.tensor(net_images(name)).reshape(rows, side, side, 3).permute(0, 3, 1, 2), torch.arange(rows) % 10
    optimizer, losses = torch.optim.SGD(given.values(), 0.1, momentum=0.9), []
    for _ in range(steps):
        optimizer.zero_grad()
        x = images
        for k in range(len(units)):
            part = [given[f"net.stage{k + 1}.{p}"] for p in ("conv1.weight", "batch_norm1.scale", "batch_norm1.shift")]
            x = F.conv2d(x, part[0].permute(3, 2, 0, 1), padding=1)
            x = F.max_pool2d(F.relu(F.batch_norm(x, None, None, part[1], part[2], training=True)), 2)
        loss = F.cross_entropy(x.mean((2, 3)) @ given["net.dense1.weight"] + given["net.dense1.bias"], labels)
        (loss + sum(0.5 * 5e-4 * (w * w).sum() for w in given.values() if w.dim() > 1)).backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    layers = [f"{json.dumps(layer)}: {json.dumps(computed(layer, *more))}" for layer, *more in LAYERS]
    VALUES.write_text("{\n" + ",\n".join(layers + [f'"net, {name}": {json.dumps(net_losses(name))}' for name in NETS if name != "full"]) + "\n}\n")
