"""Whole programs: statements in their order, what is told apart by its name. Each `case_*` function takes the compiler and raises
Failure."""
import csv
import json
import random
import re
import sys
from pathlib import Path

from programs.cases import demand, events, folder, of_kind
from run import ROOT

sys.path[:0] = [str(Path(__file__).resolve().parent)]
import tensors

DIGITS = f"""data digits = csv("{ROOT}/examples/data/digits.csv", target: label)
  |> scale(1/16)
  |> split(train: 60%, valid: 20%, test: 20%, stratify: label, seed: 1)
model net(x: [64]) -> [10] = x |> dense(16) as hidden |> relu |> dense(10) as head
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def written(regc, text):
    path = folder(regc) / "program.reg"
    path.write_text(text)
    return path


def case_metrics_are_told_apart_by_their_arguments(regc):
    program = written(regc, DIGITS + """
train net on digits {
  loss     cross_entropy(net(x), label)
  optimize adam(lr: 1e-2)
  epochs   2
  stop     when valid.top_k(k: 2) stalls for 5 epochs, keep best
}
evaluate net on digits.test { accuracy, top_k(k: 1), top_k(k: 10), accuracy, confusion, top_k(k: 2) }
""")
    out = folder(regc)
    found = events(regc, "--out", out, program)
    metrics, epoch = of_kind(found, "evaluate")[0]["metrics"], of_kind(found, "epoch")[0]
    demand(list(metrics) == ["accuracy", "top_k(k: 1)", "top_k(k: 10)", "accuracy 2", "confusion", "top_k(k: 2)"], f"{list(metrics)}")
    demand(metrics["top_k(k: 10)"] == 1, f"top 10 of 10 classes is {metrics['top_k(k: 10)']}")
    demand(metrics["accuracy"] == metrics["accuracy 2"] == metrics["top_k(k: 1)"], f"one measure thrice: {metrics}")
    demand(metrics["top_k(k: 1)"] < metrics["top_k(k: 2)"] < 1, f"top 1 and 2: {metrics}")
    demand(set(epoch["valid"]) == {"loss", "accuracy", "top_k(k: 1)", "top_k(k: 2)", "top_k(k: 10)"}, f"validation of {epoch['valid']}")
    rows = list(csv.DictReader(open(out / "predictions.csv", newline="")))
    scores = [([float(r[f"output_{k}"]) for k in range(10)], int(r["label"])) for r in rows]
    top2 = sum(sum(s > row[label] for s in row) < 2 for row, label in scores) / len(scores)
    demand(abs(top2 - metrics["top_k(k: 2)"]) < 1e-6, f"top 2 is {metrics['top_k(k: 2)']}, from predictions {top2}")
    text = regc.ok("run", "--quiet", "--out", "", program)
    demand(re.search(r"^  top_k\(k: 10\) +1\.0000$", text, re.M), f"no row of its own\n{text}")


def case_terms_are_told_apart_by_their_arguments(regc):
    program = written(regc, DIGITS + """
train net on digits {
  loss     cross_entropy(net(x), label)
  penalize w in net.hidden.weight : 1e-3 * mcp(w, lambda: 0.1, gamma: 2)
  penalize w in net.hidden.weight : 1e-3 * mcp(w, lambda: 0.1, gamma: 3)
  penalize w in net.hidden.weight : 1e-4 * l2(w)
  penalize w in net.head.weight : 1e-4 * l2(w)
  penalize w in net.*.weight : 1e-4 * (w |> l1)
  optimize sgd()
  epochs   1
}
""")
    terms = list(of_kind(events(regc, "--out", "", program), "epoch")[0]["terms"])
    demand(terms == ["mcp(lambda: 0.1, gamma: 2)", "mcp(lambda: 0.1, gamma: 3)", "l2 net.hidden.weight", "l2 net.head.weight", "l1"],
           f"terms are called {terms}")


DIABETES = f"""data table = csv("{ROOT}/examples/data/diabetes.csv", target: progression)
  |> standardize
  |> split(train: 75%, test: 25%, seed: 1)
model net(x: [10]) -> [1] = x |> dense(3) as low |> tanh |> dense(1)
"""
FIT = """
train net on table {
  loss     LOSS
  optimize OPTIMIZER
  batch    50
  epochs   3
}
"""


def fit(loss="mse(net(x), progression)", optimizer="sgd(lr: 1e-3)"):
    return FIT.replace("LOSS", loss).replace("OPTIMIZER", optimizer)


def read(folder_or_file):
    """Name -> values of a weights file, or of the one in a run's folder."""
    path = folder_or_file / "weights.safetensors" if folder_or_file.is_dir() else folder_or_file
    return {name: tuple(values) for name, (_, values) in tensors.parse(path.read_bytes()).items()}


def final(regc, text, *arguments):
    """The weights that a program leaves, by name."""
    out = folder(regc)
    regc.ok("run", "--quiet", "--out", out, *arguments, written(regc, text))
    return read(out)


def case_parameters_may_be_named_before_the_call_of_their_model(regc):
    last = final(regc, DIABETES + fit("mse(net(x), progression) + 0.1 * sum(net.low.weight^2) + 0.1 * sum(net.dense.bias^2)"))
    first = final(regc, DIABETES + fit("0.1 * sum(net.low.weight^2) + 0.1 * sum(net.dense.bias^2) + mse(net(x), progression)"))
    for name in last:
        demand(all(abs(a - b) < 1e-4 for a, b in zip(last[name], first[name])), f"{name}: {last[name]}, {first[name]}")


def case_metrics_may_be_of_parameters(regc):
    program = DIABETES + "metric size(pred, y) = norm(net.low.weight)\n" + fit() + "evaluate net on table.test { size, mse }\n"
    out = folder(regc)
    found = of_kind(events(regc, "--out", out, written(regc, program)), "evaluate")[0]["metrics"]["size"]
    weight = read(out)["net.low.weight"]
    expected = sum(v * v for v in weight) ** 0.5
    demand(abs(found / expected - 1) < 1e-6, f"norm {found}, of the weights {expected}")


def case_states_start_from_the_parameters_there_are(regc):
    """An optimizer that puts back what it started with leaves the initial weights, or those it was given."""
    still = "optimizer still for w {\n  state kept: like w = w\n  w <- w - 1e-3 * grad(objective, w)\n  w <- kept\n}\n"
    given, out = folder(regc), folder(regc)
    regc.ok("run", "--quiet", "--out", given, written(regc, DIABETES + fit(optimizer="sgd(lr: 1e-2)")))
    moved, initial = read(given), final(regc, DIABETES + fit(optimizer="sgd(lr: 0)"))
    demand(moved["net.low.weight"] != initial["net.low.weight"], "training moves nothing")
    program = DIABETES + still + fit(optimizer="still")
    demand(final(regc, program) == initial, "the state did not start from the initial weights")
    regc.ok("run", "--quiet", "--weights", given, "--out", out, written(regc, program))
    demand(read(out) == moved, "the state did not start from the weights that were given")


def case_initial_values_may_follow_others(regc):
    layer = "layer twice(x: [.., i]) {\n  state start: [i] = 3\n  param a: [i] = start + 1\n  param b: [i] = 2 * a\n  a * x + b\n}\n"
    program = DIABETES.replace("x |> dense(3)", "x |> twice as own |> dense(3)").replace("model", layer + "model")
    found = final(regc, program + fit(optimizer="sgd(lr: 0)"))
    demand(found["net.own.a"] == (4.0,) * 10 and found["net.own.b"] == (8.0,) * 10, f"a {found['net.own.a']}, b {found['net.own.b']}")
