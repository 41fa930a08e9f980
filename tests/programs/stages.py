"""Whole programs: statements in their order, what is told apart by its name. Each `case_*` function takes the compiler and raises
Failure."""
import csv
import json
import random
import re

from programs.cases import demand, events, folder, of_kind
from run import ROOT

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
