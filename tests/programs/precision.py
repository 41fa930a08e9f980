"""Programs in double precision: `precision f64` and --dtype. Each `case_*` function takes the compiler and raises Failure."""
import csv
import random
import struct
import subprocess
import sys
from pathlib import Path

from programs.cases import demand, events, folder, of_kind
from programs.standalone import build, link
from run import ROOT

sys.path[:0] = [str(Path(__file__).resolve().parent)]
import tensors

ROWS, INPUTS, UNITS, STEPS = 37, 5, 7, 20
STRENGTH, LR = 0.013, 0.031
SMALL = f"""precision f64
data d = csv("train.csv", target: y)
  with test = csv("test.csv")
model net(x: [{INPUTS}]) -> [1] = x |> dense({UNITS}) as hidden |> tanh |> dense(1) as head
train net on d {{
  loss     squared_error(net(x), y)
  penalize w in net.*.weight : {STRENGTH} * l2(w)
  optimize adam(lr: {LR})
  batch    {ROWS}
  epochs   {STEPS}
  allow(coupled_l2_adaptive)
}}
evaluate net on d.test {{ mse }}
"""
DIGITS = f"""data digits = csv("{ROOT}/examples/data/digits.csv", target: label)
  |> standardize
  |> split(train: 70%, valid: 15%, test: 15%, stratify: label, seed: 1)
model net(x: [64]) -> [10] = x |> dense(24) as hidden |> batch_norm as norm |> relu |> dropout(0.2) |> dense(10) as head
train net on digits {{
  loss     cross_entropy(net(x), label)
  penalize w in net.*.weight : ramp(0 -> 1e-3, over: 50%) * l1(w)
  optimize adamw(lr: cosine(1e-2 -> 0))
  batch    64
  epochs   4
  stop     when valid.nll stalls for 9 epochs, keep best
}}
evaluate net on digits.test {{ accuracy, nll }}
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def written(where, text, name="program.reg"):
    path = where / name
    path.write_text(text)
    return path


def given(seed, scale=1.0):
    """Weights of SMALL: doubles that no float has."""
    draw = random.Random(seed)
    shapes = {"net.hidden.weight": [INPUTS, UNITS], "net.hidden.bias": [UNITS], "net.head.weight": [UNITS, 1], "net.head.bias": [1]}
    return {n: (s, [scale * draw.gauss(0, 0.5) for _ in range(s[0] * (s[1] if len(s) > 1 else 1))]) for n, s in shapes.items()}


def saved(where, weights, dtype="F64", name="given.safetensors"):
    path = where / name
    path.write_bytes(tensors.build([(n, dtype, s, v) for n, (s, v) in weights.items()]))
    return path


def prepared(regc):
    """A folder with SMALL and its tables; the rows of both."""
    where, draw, tables = folder(regc), random.Random(5), []
    for name, rows in (("train", ROWS), ("test", 11)):
        table = [[draw.gauss(0, 1) for _ in range(INPUTS + 1)] for _ in range(rows)]
        with open(where / f"{name}.csv", "w", newline="") as out:
            csv.writer(out).writerows([["a", "b", "c", "d", "e", "y"], *([repr(v) for v in row] for row in table)])
        tables.append(table)
    written(where, SMALL)
    return where, tables


def trained(tables, weights):
    """The training of SMALL in NumPy: (weights at the end, loss of each step, predictions of the test rows, their mean squared error)."""
    import numpy as np

    x, y = np.array(tables[0])[:, :-1], np.array(tables[0])[:, -1:]
    w = {n: np.array(v).reshape(s) for n, (s, v) in weights.items()}
    m, v = ({n: np.zeros_like(a) for n, a in w.items()} for _ in range(2))
    losses = []
    for t in range(1, STEPS + 1):
        h = np.tanh(x @ w["net.hidden.weight"] + w["net.hidden.bias"])
        r = h @ w["net.head.weight"] + w["net.head.bias"] - y
        losses.append(float(np.mean(r**2) / 2))
        back = r / len(y)
        inner = back @ w["net.head.weight"].T * (1 - h * h)
        g = {"net.head.weight": h.T @ back, "net.head.bias": back.sum(0), "net.hidden.weight": x.T @ inner, "net.hidden.bias": inner.sum(0)}
        for n in w:
            if n.endswith("weight"):
                g[n] = g[n] + STRENGTH * w[n]
            m[n] = 0.9 * m[n] + 0.1 * g[n]
            v[n] = 0.999 * v[n] + 0.001 * g[n]**2
            w[n] = w[n] - LR * (m[n] / (1 - 0.9**t)) / (np.sqrt(v[n] / (1 - 0.999**t)) + 1e-8)
    test = np.array(tables[1])
    out = np.tanh(test[:, :-1] @ w["net.hidden.weight"] + w["net.hidden.bias"]) @ w["net.head.weight"] + w["net.head.bias"]
    return {n: a.ravel().tolist() for n, a in w.items()}, losses, out.ravel().tolist(), float(np.mean((out - test[:, -1:])**2))


def near(found, expected, what, bound=1e-12):
    worst = max(abs(a - b) / (1 + abs(b)) for a, b in zip(found, expected, strict=True))
    demand(worst < bound, f"{what}: off by {worst}")


def case_equals_numpy_in_double(regc):
    """20 steps of an MLP with adam and l2: weights, losses, predictions and the metric to 1e-12."""
    where, tables = prepared(regc)
    weights, losses, predictions, error = trained(tables, given(1))
    found = events(regc, "--weights", saved(where, given(1)), "--out", where / "out", where / "program.reg")
    data = (where / "out" / "weights.safetensors").read_bytes()
    demand(data.count(b'"F64"') == 4, f"the weights are not F64: {data[:200]}")
    for name, (_, values) in tensors.parse(data).items():
        near(values, weights[name], name)
    near([e["loss"] for e in of_kind(found, "epoch")], losses, "losses")
    near([of_kind(found, "evaluate")[0]["metrics"]["mse"]], [error], "the metric")
    with open(where / "out" / "predictions.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    near([float(r["output_0"]) for r in rows], predictions, "predictions")
    demand([float(r["y"]) for r in rows] == [row[-1] for row in tables[1]], "the targets were rounded")
    # In single precision the same program is as far away as floats are.
    regc.ok("run", "--quiet", "--dtype", "f32", "--weights", where / "given.safetensors", "--out", where / "f32", where / "program.reg")
    single = tensors.parse((where / "f32" / "weights.safetensors").read_bytes())
    off = max(abs(a - b) for n in weights for a, b in zip(single[n][1], weights[n]))
    demand(1e-9 < off < 1e-4, f"--dtype f32 is off by {off}")


def case_the_same_bits_everywhere(regc):
    """Threads, a run in pieces, a binary, --dtype: one end in the same bits."""
    home = folder(regc)
    program, plain = written(home, "precision f64\n" + DIGITS), written(home, DIGITS, "plain.reg")
    regc.ok("run", "--quiet", "--threads", "1", "--out", home / "whole", program)
    regc.ok("run", "--quiet", "--threads", "2", "--out", home / "threads", program)
    regc.ok("run", "--quiet", "--dtype", "f64", "--out", home / "option", plain)
    for steps in ("30", "57"):
        regc.ok("run", "--quiet", "--resume", "--steps", steps, "--out", home / "pieces", program)
    regc.ok("run", "--quiet", "--resume", "--threads", "2", "--out", home / "pieces", program)
    made = build(regc, program)
    made.ok("--quiet", "--out", home / "binary")
    for name in ("threads", "option", "pieces", "binary"):
        for file in ("weights.safetensors", "predictions.csv"):
            demand((home / name / file).read_bytes() == (home / "whole" / file).read_bytes(), f"{name}: {file} differs")
    regc.ok("run", "--quiet", "--dtype", "f32", "--out", home / "single", program)
    regc.ok("run", "--quiet", "--out", home / "f32", plain)
    demand((home / "single" / "weights.safetensors").read_bytes() == (home / "f32" / "weights.safetensors").read_bytes(), "--dtype f32 differs")
    done = regc("run", "--resume", "--dtype", "f32", "--out", home / "whole", program)
    demand(done.returncode == 65 and "the precision (f64 then, f32 now)" in done.stderr, done.stderr)


def case_steps_pass_their_inspection(regc):
    done = regc("run", "--check", "--steps", "12", "--out", "", written(folder(regc), "precision f64\n" + DIGITS))
    demand(done.returncode == 0 and "of what float64 rounding allows" in done.stderr, done.stderr)


def case_draws_are_those_of_single_precision(regc):
    home, first = folder(regc), {}
    still = written(home, DIGITS.replace("cosine(1e-2 -> 0)", "0").replace("epochs   4", "epochs   1"))
    for dtype in ("f32", "f64"):
        regc.ok("run", "--quiet", "--dtype", dtype, "--out", home / dtype, still)
        first[dtype] = tensors.parse((home / dtype / "weights.safetensors").read_bytes())["net.hidden.weight"][1]
    off = max(abs(a - b) for a, b in zip(*first.values()))
    demand(0 < off < 1e-5, f"initial values differ by {off}")


def case_weights_of_another_precision(regc):
    """Floats widen without loss; doubles are rounded to the nearest float, which is told, and refused beyond the range of floats."""
    import numpy as np

    where, _ = prepared(regc)
    still = written(where, SMALL.replace(f"lr: {LR}", "lr: 0").replace(f"epochs   {STEPS}", "epochs   1"), "still.reg")
    for dtype, held in (("f64", "F32"), ("f64", "F16"), ("f64", "F64"), ("f32", "F64")):
        weights = given(2)
        done = regc("run", "--quiet", "--dtype", dtype, "--weights", saved(where, weights, held), "--out", where / dtype, still)
        demand(done.returncode == 0 and ("warning: " in done.stderr and "[weights_rounded]" in done.stderr) == (held == "F64" and dtype == "f32"), done.stderr)
        kind, width = {"F32": ("f", 4), "F16": ("e", 2), "F64": ("d", 8)}[held if dtype == "f64" else "F32"]
        for name, (_, values) in tensors.parse((where / dtype / "weights.safetensors").read_bytes()).items():
            rounded = [struct.unpack(kind, struct.pack(kind, v))[0] for v in weights[name][1]]
            demand(values == rounded, f"{held} in a program of {dtype}: {name} differs ({width} bytes a number)")
    for call in (["run", "--quiet", "--out", "", still], ["eval", "norm(net.*)", "-f", still]):
        for more, told in (([], True), (["-W", "no-weights_rounded"], False), (["--dtype", "f64"], False)):
            done = regc(*call, "--dtype", "f32", "--weights", saved(where, given(2)), *more)
            demand(done.returncode == 0 and ("[weights_rounded]" in done.stderr) == told, f"{call} {more}: {done.returncode}\n{done.stderr}")
    floats = {n: (s, [float(np.float32(v)) for v in values]) for n, (s, values) in given(2).items()}
    done = regc("eval", "norm(net.*)", "-f", still, "--dtype", "f32", "--weights", saved(where, floats))
    demand(not done.stderr, f"doubles that are floats lose nothing: {done.stderr}")
    large = saved(where, given(2, 1e300))
    done = regc("run", "--dtype", "f32", "--weights", large, "--out", "", still)
    demand(done.returncode == 65 and "too large for a 32-bit float" in done.stderr, done.stderr)
    done = regc("run", "--weights", large, "--out", "", still)
    demand("too large" not in done.stderr, done.stderr)


def case_a_loaded_model_in_double(regc):
    where, tables = prepared(regc)
    import numpy as np

    saved(where, given(3))
    text = SMALL.replace("train net", 'let old = load("given.safetensors", as: net)\ntrain net').replace("squared_error(net(x), y)", "mse(net(x), old(x))")
    text = text.replace(f"lr: {LR}", "lr: 0").replace(f"epochs   {STEPS}", "epochs   1")
    start = given(4)
    found = events(regc, "--weights", saved(where, start, name="start.safetensors"), "--out", "", written(where, text, "loaded.reg"))

    def outputs(weights):
        w = {n: np.array(v).reshape(s) for n, (s, v) in weights.items()}
        x = np.array(tables[0])[:, :-1]
        return np.tanh(x @ w["net.hidden.weight"] + w["net.hidden.bias"]) @ w["net.head.weight"] + w["net.head.bias"]

    near([of_kind(found, "epoch")[0]["loss"]], [float(np.mean((outputs(start) - outputs(given(3)))**2))], "the loss", 1e-14)


def case_binaries_predict_in_double(regc):
    """Predictions of a binary, and of the model embedded in C, are those of the run."""
    where, tables = prepared(regc)
    program = where / "program.reg"
    regc.ok("run", "--quiet", "--out", where / "out", program)
    with open(where / "out" / "predictions.csv", newline="") as f:
        expected = [float(r["output_0"]) for r in csv.DictReader(f)]
    made = build(regc, program)
    made.ok("predict", "--weights", where / "out", "--in", where / "test.csv", "--out", where / "y.npy")
    data = (where / "y.npy").read_bytes()
    demand(b"'<f8'" in data[:80], f"{data[:80]}")
    near(struct.unpack(f"<{len(expected)}d", data[-8 * len(expected):]), expected, "y.npy", 1e-15)
    made.ok("predict", "--weights", where / "out", "--in", where / "test.csv", "--out", where / "y.csv")
    with open(where / "y.csv", newline="") as f:
        near([float(r["y"]) for r in csv.DictReader(f)], expected, "y.csv", 1e-15)
    regc.ok("build", "-q", program, "--model-only", "--weights", where / "out", "-o", where / "net.o")
    x = ", ".join(repr(v) for row in tables[1] for v in row[:-1])
    (where / "main.c").write_text(f"""#include "net.h"
#include <stdio.h>
int main(void) {{
  static const double x[] = {{{x}}};
  double y[{len(expected)}];
  if (net_predict_double(x, {len(expected)}, y)) return 1;
  for (int i = 0; i < {len(expected)}; i++) printf("%.17g\\n", y[i]);
  return 0;
}}
""")
    link(regc, "-I", where, where / "main.c", where / "net.o", "-o", where / "predict")
    found = subprocess.run([where / "predict"], check=True, capture_output=True, text=True).stdout
    near([float(v) for v in found.split()], expected, "the embedded model", 1e-15)


def case_divergence_is_explained(regc):
    text = SMALL.replace("|> tanh |> dense(1)", "|> exp |> dense(1)").replace(f"lr: {LR}", "lr: 1000")
    where, _ = prepared(regc)
    done = regc("run", "--out", "", written(where, text, "wild.reg"))
    demand(done.returncode == 3 and "first in" in done.stderr and "program.reg" not in done.stderr, done.stderr)
    demand(" at step " in done.stderr, done.stderr)
