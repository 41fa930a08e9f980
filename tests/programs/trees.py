"""Whole trees of parameters in penalties, picked rows of fields in a loss, and a metric of several numbers, recomputed from the weights."""
import csv
import math
import random

from programs import tensors
from programs.cases import demand, events, folder, of_kind
from programs.updates import DIGITS, in_parts_and_built, read

PROGRAM = """metric sides(pred, y: [..]) = [mean(y, where: y < 0), mean(y, where: y > 0)]
model net(x: [2]) -> [1] = x |> dense(3) as hidden |> tanh |> dense(1)
data d = csv("d.csv", target: y)
train net on d {
  loss     mse(net(x[where y > 0]), y[where y > 0])
  penalize : sum(flat(net.*)^2) / count(net.*)
  penalize : sum(each w, v in net.*.weight, net.*.weight : sum(w * v))
  optimize sgd(lr: 0)
  batch    8
  epochs   1
}
evaluate net on d { sides, mse }
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def case_trees_rows_and_lists_are_recomputed(regc):
    where, rng = folder(regc), random.Random(3)
    rows = [[rng.uniform(-1, 1) for _ in range(3)] for _ in range(8)]
    with open(where / "d.csv", "w", newline="") as f:
        csv.writer(f).writerows([["a", "b", "y"], *rows])
    (where / "p.reg").write_text(PROGRAM)
    found = events(regc, "--out", where / "o", "p.reg", cwd=where)
    epoch = next(e for e in found if e["event"] == "epoch")
    w = {name: values for name, (_, values) in tensors.parse((where / "o" / "weights.safetensors").read_bytes()).items()}
    every = [v for values in w.values() for v in values]
    hidden = lambda x, k: math.tanh(x[0] * w["net.hidden.weight"][k] + x[1] * w["net.hidden.weight"][3 + k] + w["net.hidden.bias"][k])  # noqa: E731
    output = lambda x: sum(hidden(x, k) * w["net.dense1.weight"][k] for k in range(3)) + w["net.dense1.bias"][0]  # noqa: E731
    picked = [r for r in rows if r[2] > 0]
    near(epoch["loss"], sum((output(r) - r[2]) ** 2 for r in picked) / len(picked), "the loss of picked rows")
    near(epoch["terms"]["term"], sum(v * v for v in every) / len(every), "the mean square of all parameters")
    near(epoch["terms"]["term 2"], sum(v * v for name in ("net.hidden.weight", "net.dense1.weight") for v in w[name]), "the sum over a tree")
    below = [r[2] for r in rows if r[2] < 0]
    sides = of_kind(found, "evaluate")[0]["metrics"]["sides"]
    near(sides[0], sum(below) / len(below), "a metric of two numbers")
    told = regc.ok("run", "--progress", "none", "--out=", "p.reg", cwd=where)
    demand(f"sides        {sides[0]:.4g} {sides[1]:.4g}" in told, told)


STACKED = DIGITS + """
model net(x: [64]) -> [10] {
  x = x |> dense(16)
  stack width, p in [16, 12], [0.1, 0.2] as block {
    x = x |> dense(width) as d |> batch_norm as norm |> relu |> dropout(p)
  }
  x |> dense(10) as out
}
train net on digits {
  near = minimize z from x by adam(lr: 0.05) for 12 steps : cross_entropy(net(z, mode: evaluation), label) + mean((z - x)^2)
  loss     cross_entropy(net(x), label) + 0.1 * cross_entropy(net(stop(near)), label)
  optimize adam(lr: 1e-2) for weights(net), biases(net)
  optimize sgd(lr: 1e-2) for norms(net)
  epochs   2
}
evaluate net on digits.test { accuracy }
"""


def case_a_stack_with_a_problem_in_its_step_has_the_same_bits(regc):
    """On one thread and two, in parts, as a binary. Each turn has tensors of its own; the optimizer inside of a step leaves none behind."""
    home = folder(regc)
    (home / "p.reg").write_text(STACKED)
    for threads in ("1", "2"):
        regc.ok("run", "--threads", threads, "--out", home / f"whole{threads}", home / "p.reg")
    in_parts_and_built(regc, home / "p.reg", home, (1, 30, 70))
    whole = (home / "whole1/weights.safetensors").read_bytes()
    for other in ("whole2", "parts", "built"):
        demand((home / other / "weights.safetensors").read_bytes() == whole, f"{other} differs")
    found = read(home / "whole1/weights.safetensors")
    turns = {f"net.block[{i}].{name}" for i in (0, 1) for name in ("d.weight", "d.bias", "norm.scale", "norm.shift", "norm.running_mean", "norm.running_variance")}
    demand(set(found) == turns | {"net.dense1.weight", "net.dense1.bias", "net.out.weight", "net.out.bias"}, f"{sorted(found)}")
    states = set(read(home / "whole1/checkpoint.safetensors"))
    demand(not any(" z" in name or name.startswith("z.") for name in states), f"{sorted(states)}")


def case_passes_are_summarized(regc):
    """Calls of each model, in turns as often as there are turns; a value used twice is one."""
    home = folder(regc)
    (home / "p.reg").write_text(DIGITS + """
model net(x: [64]) -> [10] = x |> dense(16) as hidden |> relu |> dense(10)
let teacher = ema(net, decay: 0.9)
train net on digits {
  z = net(x)
  loss     cross_entropy(z, label) + 0.1 * cross_entropy(net(x), label)
  penalize : 1e-3 * mean(z.hidden^2) + 1e-3 * mean(repeat 20 { mean((teacher(x) - z)^2) })
  optimize adam(lr: 1e-2)
  steps    1
}
""")
    told = regc.ok("run", "--summary", "--progress", "none", "--out=", home / "p.reg")
    demand("\n  passes forward in a step: net 2, teacher 20\n" in told, told)


def near(found, expected, what):
    demand(abs(found - expected) <= 2e-6 * max(1, abs(expected)), f"{what}: {found}, expected {expected}")
