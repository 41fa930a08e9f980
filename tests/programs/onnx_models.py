"""`regc export --onnx`: models read back with Debian's onnx (parser, checker, shapes), evaluated with NumPy from the operators' own
descriptions, and compared with the predictions that regc makes of the same rows."""
import json
import math


import numpy as np

from programs.cases import demand, placed
from run import ROOT

TYPES = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_, 11: np.float64}


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def conv(x, w, kernel_shape, strides, dilations):
    n, _, height, width = x.shape
    reach = [(k - 1) * d + 1 for k, d in zip(kernel_shape, dilations)]
    rows, columns = [(size - r) // s + 1 for size, r, s in zip((height, width), reach, strides)]
    out = np.zeros((n, w.shape[0], rows, columns), x.dtype)
    for a in range(kernel_shape[0]):
        for b in range(kernel_shape[1]):
            part = x[:, :, a * dilations[0]:, b * dilations[1]:][:, :, :(rows - 1) * strides[0] + 1:strides[0], :(columns - 1) * strides[1] + 1:strides[1]]
            out += np.einsum("ncij,uc->nuij", part, w[:, :, a, b])
    return out


def conv_back(x, w, kernel_shape, strides, dilations, pads, output_padding):
    n, _, height, width = x.shape
    rows, columns = [(size - 1) * s + (k - 1) * d + 1 + more for size, s, k, d, more in zip((height, width), strides, kernel_shape, dilations, output_padding)]
    out = np.zeros((n, w.shape[1], rows, columns), x.dtype)
    for a in range(kernel_shape[0]):
        for b in range(kernel_shape[1]):
            down, across = a * dilations[0], b * dilations[1]
            out[:, :, down:down + height * strides[0]:strides[0], across:across + width * strides[1]:strides[1]] += np.einsum("ncij,cu->nuij", x, w[:, :, a, b])
    return out[:, :, pads[0]:rows - pads[2], pads[1]:columns - pads[3]]


def sliced(x, starts, ends, axes, steps):
    cut = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):
        cut[axis] = slice(int(start), None if step < 0 and end < -x.shape[axis] else int(end), int(step))
    return x[tuple(cut)]


def scattered(x, index, updates, reduction, axis=None):
    out = x.copy()
    demand(reduction == b"add", "another reduction")
    if axis is None:
        np.add.at(out, tuple(np.moveaxis(index, -1, 0)), updates)
    else:
        where = list(np.indices(index.shape))
        where[axis] = index
        np.add.at(out, tuple(where), updates)
    return out


def running(x, axis, reverse):
    flip = (lambda v: np.flip(v, int(axis))) if reverse else (lambda v: v)
    return flip(np.cumsum(flip(x), int(axis), dtype=x.dtype))


def padded(x, pads):
    half = len(pads) // 2
    demand(all(p >= 0 for p in pads), "a pad that cuts")
    return np.pad(x, list(zip(pads[:half], pads[half:])))


def lowest(x, k, largest, axis=-1):
    demand(largest == 0 and axis == -1 and k[0] == x.shape[-1], "another TopK")
    order = np.argsort(x, axis=-1, kind="stable")
    return np.take_along_axis(x, order, -1), order


OPERATORS = {
    "Neg": np.negative, "Abs": np.abs, "Sign": np.sign, "Floor": np.floor, "Round": np.round, "Exp": np.exp, "Log": np.log, "Sqrt": np.sqrt, "Tanh": np.tanh,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)), "Softplus": lambda x: np.logaddexp(x, 0), "Erf": lambda x: np.vectorize(math.erf, otypes=[x.dtype])(x),
    "Sin": np.sin, "Cos": np.cos, "Sinh": np.sinh, "Cosh": np.cosh, "Asin": np.arcsin, "Acos": np.arccos, "Atan": np.arctan, "Asinh": np.arcsinh,
    "Acosh": np.arccosh, "Atanh": np.arctanh, "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Mod": np.mod, "Pow": np.power,
    "Min": np.minimum, "Max": np.maximum, "Where": np.where, "Less": np.less, "LessOrEqual": np.less_equal, "Equal": np.equal, "And": np.logical_and,
    "Or": np.logical_or, "Not": np.logical_not, "MatMul": np.matmul, "Identity": lambda x: x, "Reshape": lambda x, s, allowzero: x.reshape(s),
    "Expand": lambda x, s: np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(s))), "Cast": lambda x, to: x.astype(TYPES[to]),
    "Transpose": lambda x, perm: x.transpose(perm), "Concat": lambda *xs, axis: np.concatenate(xs, axis), "Slice": sliced, "Pad": padded,
    "ReduceSum": lambda x, axes, keepdims: x.sum(tuple(axes), dtype=x.dtype), "ReduceMax": lambda x, axes, keepdims: x.max(tuple(axes)),
    "ArgMax": lambda x, axis, keepdims: x.argmax(axis), "CumSum": running, "TopK": lowest, "Conv": conv, "ConvTranspose": conv_back,
    "Gather": lambda x, i, axis: np.take(x, i, axis), "GatherElements": lambda x, i, axis: np.take_along_axis(x, i, axis),
    "ScatterND": scattered, "ScatterElements": scattered,
}


def evaluated(path, **inputs):
    """The model's output, and which operators it has."""
    import onnx
    from onnx import helper, numpy_helper
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    demand(model.opset_import[0].version == 17 and model.producer_name == "regc", "opset 17, by regc")
    values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for port in model.graph.input:
        shape = [d.dim_value for d in port.type.tensor_type.shape.dim]
        values[port.name] = inputs[port.name].astype(TYPES[port.type.tensor_type.elem_type]).reshape(shape)
    for node in model.graph.node:
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        found = OPERATORS[node.op_type](*(values[name] for name in node.input), **given)
        for name, value in zip(node.output, found if node.op_type == "TopK" else (found,)):
            values[name] = value
    return values[model.graph.output[0].name], {n.op_type for n in model.graph.node}, {p.key: p.value for p in model.metadata_props}


def same(regc, where, source, x, expected, *options):
    """The model of a run of `source`, exported for len(x) rows, makes of x what the run predicted."""
    regc.ok("export", "--onnx", source, "--weights", where / "run", "-o", where / "m.onnx", "--batch", str(len(x)), *options, cwd=where)
    found, operators, properties = evaluated(str(where / "m.onnx"), x=x)
    off = np.abs(found.reshape(len(x), -1) - expected).max()
    demand(off < 1e-5 * max(1, np.abs(expected).max()), f"{source}: off by {off}")
    return operators, properties


def outputs(path):
    import csv
    with open(path, newline="") as f:
        rows = list(csv.DictReader(f))
    return [int(r["id"]) for r in rows], np.array([[float(v) for k, v in r.items() if k.startswith("output_")] for r in rows])


def case_onnx_predicts_digits(regc):
    where = placed(regc, "", "")
    regc.ok("run", "-q", "--steps", "40", "--out", where / "run", ROOT / "examples/digits.reg")
    ids, expected = outputs(where / "run/predictions.csv")
    pixels = np.loadtxt(ROOT / "examples/data/digits.csv", delimiter=",", skiprows=1)[:, :64]
    operators, properties = same(regc, where, ROOT / "examples/digits.reg", pixels[ids], expected)
    demand("MatMul" in operators and properties["x"] == "as in the files" and json.loads(properties["classes"]) == [str(i) for i in range(10)], f"{properties}")
    demand(len(json.loads(properties["columns"])) == 64, f"{properties}")
    for arguments, code, words in ((["--weights", where / "run", "-o", "x"], 2, "needs the form"), (["--onnx", "-o", "x"], 2, "needs `--weights`"),
                                   (["--onnx", "--weights", where / "run"], 2, "needs `-o PATH`"), (["--onnx", "--weights", where / "none", "-o", "x"], 66, ""),
                                   (["--onnx", "--weights", where / "run", "-o", where / "no/x"], 73, ""), (["--onnx", "--weights", where / "run", "-o", "x", "--model", "n"], 2, "no training `n`")):
        done = regc("export", ROOT / "examples/digits.reg", *arguments, cwd=where)
        demand(done.returncode == code and words in done.stderr, f"{arguments}: {done}")


TRAINED = """data rows = csv("t.csv", target: kind) |> standardize |> split(train: 50%, test: 50%, seed: 1)
MODEL
train net on rows { loss cross_entropy(net(x), kind); optimize adam(lr: 0.01); batch 16; epochs 2 }
evaluate net on rows.test { accuracy }
"""

MODELS = {
    "convolutions": ("model net(x: [36]) -> [3] = reshape(x, [-1, 6, 6, 1]) |> conv(4, 3) |> relu |> conv(4, 3, groups: 2) |> batch_norm |> max_pool(2) |> reshape([-1, 36]) |> dense(3)", {"Conv", "GatherElements"}),
    "convolutions and back": ("""model net(x: [36]) -> [3] {
  image = reshape(x, [-1, 6, 6, 1])
  wide = image |> conv(4, 3, stride: 2) |> relu |> conv_transpose(3, size: 3)
  around = grad(sum(conv(wide, 5, stride: 2, size: 4)^2), wide)
  reshape(wide + around / 50, [-1, 108]) |> dense(3)
}""", {"Conv", "ConvTranspose"}),
    "a transformer": ("model net(x: [36]) -> [3] = mean(reshape(x, [-1, 6, 6]) |> dense(8) |> transformer(depth: 2, heads: 2), axis: 1) |> dense(3)", {"MatMul", "Exp", "ReduceMax"}),
    "a recurrence": ("model net(x: [36]) -> [3] = (reshape(x, [-1, 36, 1]) |> gru(5))[.., -1, ..] |> dense(3)", {"Gather", "Tanh"}),
    "indices": ("""model net(x: [36]) -> [3] {
  param table: [4, 3] ~ normal_init(std: 1)
  order = sort(x, axis: 1)
  h = table[clamp(floor(abs(x[.., 0])), 0, 3)] + cumsum(order, axis: 1)[.., 0..3] + log1p(abs(order[.., 3..6]))
  places = clamp(floor(abs(x[.., 1])), 0, 3)
  turned = grad(sum(sort(x, axis: 1)^3 * arange(36)), x)[.., 0..3] / 100 + grad(sum(table[places]^2), table)[0, ..]
  side = if sum(table) > 0 then x[.., 0..4] @ table else x[.., 4..8] @ table
  param all: [36, 3] ~ normal_init(std: 0.1)
  ends = tanh(grad(sum(x[.., 2..9]^2), x)) @ all
  h + turned + side + ends + erf(x[.., 0..3]) * (if x[.., 1..4] > 0 then 1 else 2) |> dense(3)
}""", {"Gather", "TopK", "CumSum", "ScatterElements", "ScatterND", "Pad"}),
}


def case_onnx_predicts_what_models_do(regc):
    generator = np.random.default_rng(3)
    x = generator.normal(1, 2, (48, 36)).round(3)
    table = ",".join(f"c{i}" for i in range(36)) + ",kind\n" + "".join(",".join(map(str, row)) + f",{'abc'[i % 3]}\n" for i, row in enumerate(x))
    for name, (model, wanted) in MODELS.items():
        where = placed(regc, TRAINED.replace("MODEL", model), table)
        regc.ok("run", "-q", "p.reg", "--out", "run", cwd=where)
        ids, expected = outputs(where / "run/predictions.csv")
        operators, _ = same(regc, where, "p.reg", x[ids], expected)
        demand(wanted <= operators, f"{name}: {operators}")
    where = placed(regc, TRAINED.replace("MODEL", MODELS["convolutions"][0]), table)
    regc.ok("run", "-q", "p.reg", "--dtype", "f64", "--out", "run", cwd=where)
    ids, expected = outputs(where / "run/predictions.csv")
    same(regc, where, "p.reg", x[ids], expected, "--dtype", "f64")


def case_onnx_refuses_by_name(regc):
    table = "a,b,kind\n" + "".join(f"{i % 5},{i % 7},{'pq'[i % 2]}\n" for i in range(40))
    where = placed(regc, TRAINED.replace("MODEL", "model net(x: [2]) -> [2] = transpose(solve([[2, 1], [1, 3]], transpose(x))) |> dense(2)"), table)
    regc.ok("run", "-q", "p.reg", "--out", "run", cwd=where)
    done = regc("export", "--onnx", "p.reg", "--weights", "run", "-o", "m.onnx", cwd=where)
    demand(done.returncode == 1 and "ONNX has no form" in done.stderr and "`solve`" in done.stderr and "p.reg:2:" in done.stderr, f"{done}")
    demand(not (where / "m.onnx").exists(), "a file all the same")
