"""Metrics of some rows, `where: c`, and of rows by weights: in evaluations, in what early stopping watches, in binaries. Each `case_*`
function takes the compiler and raises Failure."""
import csv
import json

from programs.cases import demand, events, folder, of_kind
from programs.standalone import DATA, build

PROGRAM = f"""data digits = csv("{DATA}", target: label) |> scale(1/16) |> split(train: 70%, valid: 15%, test: 15%, stratify: label, seed: 1)
model net(x: [64]) -> [10] = x |> dense(16) |> relu |> dense(10)
train net on digits as t {{
  loss     cross_entropy(net(x), label)
  optimize adam(lr: 1e-2)
  epochs   3
  stop     when valid.accuracy(where: label < 5) > 0.999
  stop     when valid.nll(where: id >= 0) stalls for 2 epochs
}}
evaluate net on digits.test {{ accuracy, accuracy(where: label < 5), auc(where: label < 3), ece(where: label == 7), confusion(where: label > 7), nll(where: label > 10), accuracy(weight: if label < 5 then 1 else 0) }}
"""


FALLING = f"""data digits = csv("{DATA}", target: label) |> scale(1/16) |> split(train: 70%, valid: 15%, test: 15%, stratify: label, seed: 1)
model net(x: [64]) -> [10] = x |> dense(16) as hidden |> relu |> dense(10)
let mean = ema(net, decay: swa(from: 60%, every: 2 epochs))
fall = plateau(0.1)
seen = 0 * net.hidden.weight
train net on digits as t {{
  loss     cross_entropy(net(x), label)
  optimize adam(lr: fall[0])
  log      rate = fall[0]
  epochs   10
  each epoch {{
    fall = plateau(fall, t.valid.loss, factor: 50%, patience: 1)
    seen = if t.epochs == 6 or t.epochs == 8 or t.epochs == 10 then seen + net.hidden.weight / 3 else seen
  }}
}}
assert norm(mean.hidden.weight - seen) < 1e-5 * norm(seen)
report fall
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def case_metrics_of_some_rows(regc):
    where = folder(regc)
    (where / "p.reg").write_text(PROGRAM)
    told = events(regc, "p.reg", "--out", "out", cwd=where)
    found = of_kind(told, "evaluate")[0]["metrics"]
    rows = list(csv.DictReader((where / "out" / "predictions.csv").open()))
    right = [(int(r["label"]), r["label"] == r["predicted"]) for r in rows]
    low = [hit for label, hit in right if label < 5]
    demand(abs(found["accuracy(where: label < 5)"] - sum(low) / len(low)) < 1e-6, found)
    demand(found["accuracy(weight: if label < 5 then 1 else 0)"] == found["accuracy(where: label < 5)"] != found["accuracy"], found)
    demand(0.5 < found["auc(where: label < 3)"] <= 1 and found["nll(where: label > 10)"] is None, found)
    demand(sum(map(sum, found["confusion(where: label > 7)"])) == sum(label > 7 for label, _ in right), found)
    epoch = of_kind(told, "epoch")[-1]["valid"]
    demand({"accuracy(where: label < 5)", "nll(where: id >= 0)"} <= set(epoch) and abs(epoch["nll(where: id >= 0)"] - epoch["loss"]) < 1e-5, epoch)
    binary = build(regc, where / "p.reg")
    again = [json.loads(line) for line in binary.ok("--json", "--threads", 2, "--out", where / "again", cwd=where).splitlines()]
    demand(of_kind(again, "evaluate")[0]["metrics"] == found, "the binary measures something else")


def case_a_field_may_be_called_as_a_metric_is(regc):
    where = folder(regc)
    (where / "d.csv").write_text("a,mse\n" + "".join(f"{k},{2 * k}\n" for k in range(10)))
    (where / "p.reg").write_text("""data d = csv("d.csv", target: mse) |> split(train: 50%, test: 50%, seed: 1)
model net(x: [1]) -> [1] = x |> dense(1)
evaluate net on d.test { mse, mse(where: mse > 100), mae(where: mse >= 0), mae }
""")
    found = of_kind(events(regc, "p.reg", "--out", "", cwd=where), "evaluate")[0]["metrics"]
    demand(found["mse"] > 0 and found["mae"] == found["mae(where: mse >= 0)"], found)


def case_rates_fall_where_validation_stalls_and_weights_are_averaged(regc):
    where = folder(regc)
    (where / "p.reg").write_text(FALLING)
    told = events(regc, "p.reg", "--out", "out", cwd=where)
    best, waited, rate = 1e30, 0, 0.1
    for epoch in of_kind(told, "epoch"):
        demand(abs(epoch["logs"]["rate"] - rate) < 1e-6, epoch)
        better = epoch["valid"]["loss"] < best * (1 - 1e-4)
        best, waited = (epoch["valid"]["loss"], 0) if better else (best, waited + 1)
        if waited > 1:
            rate, waited = rate / 2, 0
    demand(rate < 0.1, "the rate never fell: the case shows nothing")
    for steps in (130, 260):
        regc("run", "p.reg", "--quiet", "--out", "parts", "--resume", "--steps", steps, "--threads", 2, cwd=where)
    regc.ok("run", "p.reg", "--quiet", "--out", "parts", "--resume", cwd=where)
    demand((where / "parts/weights.safetensors").read_bytes() == (where / "out/weights.safetensors").read_bytes(), "a run in parts ends elsewhere")
