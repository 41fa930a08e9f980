#!/usr/bin/env python3
"""Layers that look at images against PyTorch's, whose images have their channels first: values, and gradients of the sum of squares.
Run by hand (Debian's python3-torch), it writes images.json; the tests read that."""
import json
import math
from pathlib import Path

VALUES = Path(__file__).with_name("images.json")
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
    ("depthwise_conv(stride: 2)", [2, 5, 6, 3], {"weight": [3, 3, 3], "bias": [3]},
     lambda F, x, w, b: F.conv2d(x, w, b, padding=1, stride=2, groups=3)),
    ("conv_transpose(2)", [2, 3, 4, 3], {"weight": [3, 2, 2, 2], "bias": [2]}, lambda F, x, w, b: F.conv_transpose2d(x, w, b, stride=2)),
    ("conv_transpose(2, size: 3, stride: 1)", [1, 3, 4, 2], {"weight": [2, 3, 3, 2], "bias": [2]},
     lambda F, x, w, b: F.conv_transpose2d(x, w, b, stride=1, padding=1)),
    ("conv_transpose(1, size: 4, stride: 2)", [1, 3, 3, 2], {"weight": [2, 4, 4, 1], "bias": [1]},
     lambda F, x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1)),
    ("max_pool", [2, 5, 6, 2], {}, lambda F, x: F.max_pool2d(x, 2)),
    ("max_pool(size: 3, stride: 1)", [1, 5, 4, 2], {}, lambda F, x: F.max_pool2d(x, 3, stride=1)),
    ("mean_pool(size: 3, stride: 2)", [1, 7, 5, 2], {}, lambda F, x: F.avg_pool2d(x, 3, stride=2)),
    ("frame(1, 2, 1)", [1, 3, 4, 2], {}, lambda F, x: F.pad(x, (0, 0, 1, 2))),
    ("frame(1, 2, 2, border: \"edge\")", [1, 3, 4, 2], {}, lambda F, x: F.pad(x, (1, 2, 0, 0), mode="replicate")),
    ("patches(2)", [1, 3, 4, 2], {}, lambda F, x: F.unfold(F.pad(x, (0, 1, 0, 1)), 2).reshape(1, 2, 2, 2, 3, 4).permute(0, 4, 2, 5, 3, 1)),
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
    elif given:
        given[0] = given[0].permute(3, 2, 0, 1)
    y = theirs(F, x.permute(0, 3, 1, 2), *given)
    y = y.permute(0, 2, 3, 1) if y.dim() == 4 else y
    if layer == "global_pool":
        y = y.reshape(shape[0], shape[3])
    y.square().sum().backward()
    return {"shape": list(y.shape), "value": y.flatten().tolist(), "gradient": x.grad.flatten().tolist()}


if __name__ == "__main__":
    VALUES.write_text("{\n" + ",\n".join(f"{json.dumps(layer)}: {json.dumps(computed(layer, *more))}" for layer, *more in LAYERS) + "\n}\n")
