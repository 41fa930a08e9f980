"""Clauses of a training: what acts behind updates. Each `case_*` function takes the compiler and raises Failure."""
from pathlib import Path

from programs.cases import demand, events, folder, of_kind, written
from programs.updates import DIGITS, in_parts_and_built, read


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


BEHIND = DIGITS + """
model net(x: [64]) -> [10] = x |> dense(24) as hidden |> relu |> dense(10) as out
recipe sparse(net, strength: number 0..) {
  loss      cross_entropy(net(x), label)
  penalize w in net.hidden.weight : 8 * ramp(0 -> strength, over: 1 epochs) * group_lasso(w, axis: 1) by prox
  penalize w in net.out.weight : strength / 2 * l1(w) by prox
  constrain w, m in net.hidden.weight, mask : w * m
  constrain w in net.*.bias : simplex(w)
  optimize  sgd(lr: cosine(0.2 -> 0), momentum: 0.5) each 2 steps
}
mask = each w in net.*.weight : if uniform(0 .. 1, like: w) < 0.8 then 1 else 0
train net on digits with sparse(strength: 0.03) as t {
  epochs 4
}
evaluate net on digits.test { accuracy }
"""


def case_behind_updates(regc):
    """Zeros are exact where penalty and mask want them; on one thread or two, in pieces and as a binary: the same bits."""
    program, home = written(regc, BEHIND), folder(regc)
    found = events(regc, "--out", home / "whole", "--threads", "1", program)
    regc.ok("run", "--out", home / "two", "--threads", "2", program)
    in_parts_and_built(regc, program, home, (3, 18, 30))
    for other in ("two", "parts", "built"):
        demand((home / other / "weights.safetensors").read_bytes() == (home / "whole" / "weights.safetensors").read_bytes(), f"{other} differs")
    w = read(home / "whole" / "weights.safetensors")
    hidden, out = w["net.hidden.weight"], w["net.out.weight"]
    rows = [hidden[24 * k:24 * k + 24] for k in range(64)]
    demand(0.15 < sum(v == 0 for v in hidden) / len(hidden) < 0.8, "few weights are masked")
    demand(any(not any(row) for row in rows) and not all(not any(row) for row in rows), "no pixel is left out")
    demand(sum(v == 0 for v in out) > 20, "no output weight is 0")
    demand(abs(sum(w["net.out.bias"]) - 1) < 1e-5 and min(w["net.out.bias"]) >= 0, "the biases are on no simplex")
    epoch = of_kind(found, "epoch")[-1]
    demand(abs(epoch["objective"] - epoch["loss"] - sum(epoch["terms"].values())) < 1e-4, f"the terms do not add up: {epoch}")
    demand(of_kind(found, "evaluate")[0]["metrics"]["accuracy"] > 0.3, "it learned little")


def case_behind_updates_at_the_prompt(regc):
    """A penalty of one's own, its operator in the place of another one, a training with both."""
    program = f"""data d = csv("{DIABETES}", target: progression) |> standardize
model net(x: [10]) -> [1] = x |> dense(1) as out
penalty half(w: [..]) = sum(abs(w)) / 2
prox half(w: [..], t: number 0..) = w
prox half(w: [..], t: number 0..) = prox l1(w, t / 2)
prox half([3, -1], 2)
train net on d {{
  loss squared_error(net(x), progression)
  penalize w in net.*.weight : 200 * half(w) by prox
  constrain w in net.out.bias : nonnegative(w)
  optimize sgd(lr: 0.01)
  epochs 3
}}
all(net.out.weight == 0)
"""
    out = regc("repl", "--quiet", stdin=program)
    demand("2 0" in " ".join(out.stdout.replace("-0", "0").split()) and "true" in out.stdout, out.stdout + out.stderr)


DIABETES = Path(__file__).resolve().parents[2] / "examples/data/diabetes.csv"
