"""Whole programs: statements in their order, what is told apart by its name. Each `case_*` function takes the compiler and raises
Failure."""
import csv
import json
import re
import subprocess
import sys
from pathlib import Path

from programs.cases import demand, events, folder, of_kind, written
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


def case_lanes_go_on_from_batch_to_batch(regc):
    """Rows in order: five lanes of 23 rows, the first three a row longer; in evaluation and on a standalone binary too."""
    home = folder(regc)
    (home / "rows.csv").write_text("a,y\n" + "".join(f"{k},{k % 3}.5\n" for k in range(23)))
    (home / "p.reg").write_text("""data d = csv("rows.csv", target: y)
layer running(x: [n, i]) -> [n, 1] {
  param weight: [i, 1] = 1
  carry total: [n, 1] = 100 * weight[0]
  total <- total + stop(x @ weight)
  total
}
model net(x: [1]) -> [1] = x |> running as sums
train net on d {
  loss     mean(net(x)) / 1000 + 0 * sum(net(x))
  optimize sgd(lr: 1)
  batch    5
  epochs   2
  sample   in order
  seed     3
}
evaluate net on d { mse }
""")
    def outputs(out):
        return [float(r["output_0"]) for r in csv.DictReader(open(out / "predictions.csv", newline=""))]
    regc.ok("run", "--out", home / "whole", home / "p.reg")
    weight = read(home / "whole" / "weights.safetensors")["net.sums.weight"][0]
    lanes = [range(0, 5), range(5, 10), range(10, 15), range(15, 19), range(19, 23)]
    expected = [100 * weight + weight * sum(lane[:k + 1]) for lane in lanes for k in range(len(lane))]
    found = outputs(home / "whole")
    demand(all(abs(a - b) < 1e-3 for a, b in zip(found, expected)), f"{found}, expected {expected}")
    # Of 10 steps the first of each epoch has a gradient: the initial value's.
    demand(abs(weight - (1 - 2 * 0.1)) < 1e-5, f"the weight is {weight}")
    for steps in range(1, 10, 3):
        regc.ok("run", "--out", home / "parts", "--steps", str(steps), *(["--resume"] if steps > 1 else []), home / "p.reg")
    regc.ok("run", "--out", home / "parts", "--resume", home / "p.reg")
    demand(outputs(home / "parts") == found, "a run in pieces ends elsewhere")
    regc.ok("build", "-q", home / "p.reg", "-o", home / "program")
    subprocess.run([home / "program", "--quiet", "--out", home / "binary"], check=True, cwd=home, stdout=subprocess.DEVNULL)
    demand(outputs(home / "binary") == found, "the binary ends elsewhere")


def case_a_text_is_windows_in_order(regc):
    home = folder(regc)
    text = "caffè ☕\n" * 40
    (home / "t.txt").write_text(text)
    (home / "p.reg").write_text("""data t = text("t.txt", window: 7) |> split(train: 60%, valid: 20%, test: 20%)
model net(x: labels [n] of c) -> [n, c] = x |> embedding(8) |> gru(16) |> dense(c)
train net on t {
  loss     cross_entropy(net(x), next)
  optimize adam(lr: 0.02)
  batch    3
  epochs   40
  sample   in order
}
evaluate net on t.test { nll, accuracy }
""")
    found = events(regc, "--out", home / "run", home / "p.reg")
    start, measured = of_kind(found, "train_start")[0], of_kind(found, "evaluate")[0]["metrics"]
    demand(start["steps"] == 40 * 9, f"{start['steps']} steps: 45 windows of 7 in {len(text)} characters, 27 to train on")
    demand(measured["accuracy"] > 0.9 and measured["nll"] < 0.5, f"a text that repeats itself is learned: {measured}")
    demand(not (home / "run" / "predictions.csv").exists(), "a line for each window")


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


def case_one_row_leaves_running_statistics(regc):
    """Five rows in batches of four: the fifth, alone, says nothing about the variance of a column."""
    where, columns = folder(regc), [[1, -2], [3, 0], [-4, 1], [0, 5], [2, -1]]
    (where / "rows.csv").write_text("a,b,y\n" + "".join(f"{a},{b},0\n" for a, b in columns))
    (where / "one.reg").write_text("""
data rows = csv("rows.csv", target: y)
model net(x: [2]) -> [1] = x |> batch_norm as norm |> dense(1)
train net on rows {
  loss     mse(net(x), y)
  optimize sgd(lr: 0)
  batch    4
  epochs   2000
  allow(state_kept)
}
""")
    regc.ok("run", "--quiet", "--out", where / "run", where / "one.reg")
    for name, column in zip(("first", "second"), zip(*columns)):
        mean = sum(column) / 5
        variance, found = sum((v - mean) ** 2 for v in column) / 4, read(where / "run")["net.norm.running_variance"][name == "second"]
        demand(0.6 < found / variance < 1.5, f"the {name} column's running variance is {found}, its variance {variance}")


# -- trainings of one model

TWICE = DIGITS.replace("|> relu", "|> batch_norm as norm |> relu") + """
train net on digits as first {
  loss     cross_entropy(net(x), label)
  optimize adam(lr: 1e-2)
  batch    100
  epochs   4
  stop     when valid.loss stalls for 3 epochs, keep best
}
evaluate net on digits.test { nll }
train net on digits as second {
  loss     cross_entropy(net(x), label)
  penalize w in net.*.weight : 1e-4 * l1(w)
  optimize sgd(lr: RATE, momentum: 0.9)
  batch    64
  epochs   3
}
evaluate net on digits.test { nll }
evaluate net on digits.valid { accuracy }
"""


def twice(rate="0.05"):
    return TWICE.replace("RATE", rate)


def only(text, name):
    """The program with one of its trainings, and the evaluations behind it up to the next."""
    statements = re.split(r"^(?=train )", text, flags=re.M)
    return statements[0] + next(s for s in statements[1:] if f" as {name} " in s)


def files(out):
    """What a run leaves, but for times and starts."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    kept = [{k: v for k, v in e.items() if k != "seconds"} for e in lines if e["event"] != "train_start"]
    return {p.name: p.read_bytes() for p in out.iterdir() if p.name.startswith(("weights", "predictions"))} | {"events": kept}


def case_a_later_training_goes_on_with_the_weights(regc):
    """As the first by itself, and then a program that is given its weights; states of optimizers start anew."""
    out, first, second = folder(regc), folder(regc), folder(regc)
    regc.ok("run", "--quiet", "--out", out, written(regc, twice()))
    regc.ok("run", "--quiet", "--out", first, written(regc, only(twice(), "first")))
    regc.ok("run", "--quiet", "--out", second, "--weights", first, written(regc, only(twice(), "second")))
    demand((out / "weights-first.safetensors").read_bytes() == (first / "weights.safetensors").read_bytes(), "the first alone ends elsewhere")
    demand((out / "weights-second.safetensors").read_bytes() == (second / "weights.safetensors").read_bytes(), "the second starts elsewhere")
    demand(not (out / "weights.safetensors").exists(), "weights without a name")
    still = folder(regc)
    regc.ok("run", "--quiet", "--out", still, written(regc, twice("0")))
    ended, after = read(still / "weights-first.safetensors"), read(still / "weights-second.safetensors")
    demand(ended["net.hidden.weight"] == after["net.hidden.weight"], "a rate of 0 moves parameters")
    demand(ended["net.norm.running_mean"] != after["net.norm.running_mean"], "states of layers do not go on")


def case_an_evaluation_sees_what_is_there_at_that_moment(regc):
    out, alone = folder(regc), folder(regc)
    found = of_kind(events(regc, "--out", out, written(regc, twice())), "evaluate")
    first = of_kind(events(regc, "--out", alone, written(regc, only(twice(), "first"))), "evaluate")
    demand([e["train"] for e in found] == ["first", "second", "second"], f"{[e['train'] for e in found]}")
    demand(found[0]["metrics"] == first[0]["metrics"], f"between them {found[0]['metrics']}, alone {first[0]['metrics']}")
    demand(found[1]["metrics"] != found[0]["metrics"], "both evaluations see the same weights")
    demand((out / "predictions-1-digits.test.csv").read_bytes() == (alone / "predictions.csv").read_bytes(), "other predictions")
    text = regc.ok("run", "--quiet", "--out", "", written(regc, twice()))
    demand("(359 rows), after `first`\n" in text and "(359 rows), after `second`\n" in text, text)


def case_an_evaluation_before_training_sees_initial_values(regc):
    program = DIGITS + "evaluate net on digits.test { nll }\n" + only(twice(), "second").split("\n\n")[-1]
    still = DIGITS + "train net on digits {\n  loss cross_entropy(net(x), label)\n  optimize sgd(lr: 0)\n  epochs 1\n}\n"
    first, _ = of_kind(events(regc, "--out", "", written(regc, program.replace("\n  allow", "\n"))), "evaluate")[:2]
    initial = of_kind(events(regc, "--out", "", written(regc, still + "evaluate net on digits.test { nll }\n")), "evaluate")[0]
    demand(first["metrics"] == initial["metrics"], f"before training {first}, without {initial}")
    demand("train" not in first, f"{first}")


UNTRAINED = DIGITS.replace("|> relu", "|> batch_norm |> relu |> dropout(rate)") + """schedule rate = 0.2 until 1 epochs then 0
let teacher = ema(net, decay: 0.9)
repeat 2 {
  early = evaluate net on digits.test { accuracy, nll }
  follows = evaluate teacher on digits.test { nll }
  report early.nll
  train net on digits {
    loss     cross_entropy(net(x), label)
    optimize adam(lr: 1e-2)
    epochs   2
    allow(evaluates_untrained)
  }
}
net.head.* <- 0
z = evaluate net on digits.test { nll }
report z.nll
save teacher to "teacher.safetensors"
"""
ALONE = DIGITS.replace("|> relu", "|> batch_norm |> relu") + """let old = load("teacher.safetensors", as: net)
evaluate old on digits.test { nll }
e = evaluate net on digits.test { nll }
net.* <- 2 * net.*
evaluate net on digits.test { nll }
"""


def case_an_evaluation_sees_what_statements_left(regc):
    where = folder(regc)
    (where / "p.reg").write_text(UNTRAINED)
    (where / "alone.reg").write_text(ALONE)
    found = events(regc, "p.reg", "--out", "out", cwd=where)
    nll = [e["metrics"]["nll"] for e in of_kind(found, "evaluate")]
    demand(nll[0] == nll[1], f"before training the average is its model: {nll}")
    demand(nll[2] < 0.5 * nll[0] and nll[2] != nll[3], f"the second turn sees what the first has trained: {nll}")
    demand(abs(nll[4] - 2.302585) < 1e-5, f"what a statement set is not seen: {nll}")
    regc.ok("build", "p.reg", "-o", "p", cwd=where)
    binary = subprocess.run([where / "p", "--json", "--out="], capture_output=True, text=True, cwd=where)
    again = [json.loads(line) for line in binary.stdout.splitlines()]
    demand([e["metrics"] for e in of_kind(again, "evaluate")] == [e["metrics"] for e in of_kind(found, "evaluate")], binary.stdout + binary.stderr)
    old, initial, doubled = (e["metrics"]["nll"] for e in of_kind(events(regc, "alone.reg", "--out=", cwd=where), "evaluate"))
    demand(len({old, initial, doubled}) == 3, "three models, not three values")
    given = [e["metrics"]["nll"] for e in of_kind(events(regc, "alone.reg", "--out=", "--weights", "teacher.safetensors", cwd=where), "evaluate")]
    demand(given[0] == old and abs(given[1] - old) < 1e-6 < abs(given[2] - old), f"--weights where nothing is trained: {given}, {old}")


def case_saved_models_have_all_their_tensors(regc):
    where = folder(regc)
    (where / "p.reg").write_text("""data d = table(12) { x = normal([12, 2]); y = uniform(0 .. 1, [12]) }
model net(x: [2]) -> [1] = x |> dense(1)
layer scaled(w: [..]) { param s: [] = 0.5; w * s }
model tuned = net with w in net.*.weight as scaled(w)
model twice = tuned with w in net.*.bias as 2 * w
model two[2] = new net
train tuned on d { loss mse(tuned(x), y); optimize sgd(); epochs 1 }
save net to "net.safetensors"
save tuned to "tuned.safetensors"
save twice to "twice.safetensors"
save two to "two.safetensors"
save two[1] to "one.safetensors"
""")
    regc.ok("run", "p.reg", "--out=", "--quiet", cwd=where)
    names = {f: sorted(tensors.parse((where / f"{f}.safetensors").read_bytes())) for f in ("net", "tuned", "twice", "two", "one")}
    net = ["net.dense1.bias", "net.dense1.weight"]
    tuned = sorted([*net, "tuned.dense1.weight.s"])
    demand(names == {"net": net, "tuned": tuned, "twice": tuned, "two": [f"two[{k}].dense1.{p}" for k in range(2) for p in ("bias", "weight")],
                     "one": ["two[1].dense1.bias", "two[1].dense1.weight"]}, names)


def case_unnamed_trainings_have_numbers(regc):
    body = " { loss cross_entropy(net(x), label); optimize sgd(); epochs 1 }\n".replace("; ", "\n  ").replace("{ ", "{\n  ").replace(" }", "\n}")
    program = DIGITS + ("train net on digits" + body) + ("train net on digits as net2" + body) + 2 * ("train net on digits" + body)
    found = of_kind(events(regc, "--out", "", written(regc, program)), "train_end")
    demand([e["train"] for e in found] == ["net", "net2", "net3", "net4"], f"{[e['train'] for e in found]}")


def case_resume_works_across_trainings(regc):
    """Whatever the steps after which each start ends, the whole ends in the same bits."""
    program, whole, parts = written(regc, twice()), folder(regc), folder(regc)
    regc.ok("run", "--quiet", "--out", whole, program)
    for steps in (["--steps", "5"], ["--steps", "5"], ["--steps", "40"], []):
        regc.ok("run", "--quiet", "--resume", "--out", parts, *steps, program)
    a, b = files(whole), files(parts)
    order = lambda e: (e["event"] == "evaluate", e.get("train", ""))
    a["events"], b["events"] = sorted(a["events"], key=order), sorted(b["events"], key=order)
    for name in a:
        demand(a[name] == b[name], f"{name} differs")
    regc.ok("run", "--quiet", "--resume", "--out", parts, program)
    demand(sorted(files(parts)["events"], key=order) == a["events"], "resumed after its end, other lines")


def case_steps_are_those_of_a_whole_training(regc):
    program, out = written(regc, DIABETES + fit()), folder(regc)
    for _ in range(3):
        ended = of_kind(events(regc, "--out", out, "--resume", "--steps", "6", program), "train_end")[0]
        demand(ended["step"] == 6, f"ended after {ended['step']} steps")


def case_more_epochs_go_on_after_the_end(regc):
    """Where nothing follows the length of the training, to the bits of a training that was longer from the start."""
    program = DIGITS + """
train net on digits {
  loss     cross_entropy(net(x), label)
  optimize adam(lr: 1e-2)
  epochs   3
  stop     when valid.loss stalls for 9 epochs, keep best
}
"""
    source, out, whole = written(regc, program), folder(regc), folder(regc)
    regc.ok("run", "--quiet", "--out", out, source)
    found = events(regc, "--out", out, "--resume", "--epochs", "6", source)
    demand(of_kind(found, "train_start")[0].get("epochs_before") == 3, f"{of_kind(found, 'train_start')}")
    regc.ok("run", "--quiet", "--out", whole, "--epochs", "6", source)
    demand(files(out) == files(whole), "six epochs in two parts end elsewhere")
    refused = regc("run", "--out", out, "--resume", "--epochs", "4", source)
    demand(refused.returncode == 65 and "behind epoch 6, this training is for 4" in refused.stderr, refused.stderr)


def case_a_refused_resume_says_what_differs(regc):
    regc = regc.plain()
    program, out = written(regc, "let strength = 1e-3\n" + DIABETES + fit("mse(net(x), progression) + strength * sum(net.low.weight^2)")), folder(regc)
    regc.ok("run", "--quiet", "--steps", "4", "--out", out, program)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    for arguments, part in ((["--seed", "5"], "the seed (0 then, 5 now)"), (["-O0"], "the optimization (-O2 then, -O0 now)"),
                            (["--set", "strength=2e-3"], "`strength` (0.001 then, 0.002 now)"), (["--batch", "25"], "the batch (50 rows then, 25 now)"),
                            (["--seed", "5", "-O1"], "(-O2 then, -O1 now), the seed (0 then, 5 now)")):
        done = regc("run", "--quiet", "--resume", "--out", out, *arguments, program)
        demand(done.returncode == 65 and part in done.stderr, f"{arguments}: exit code {done.returncode}\n{done.stderr}")
        demand({p.name: p.read_bytes() for p in out.iterdir()} == before, f"{arguments}: the folder changed")


def case_a_binary_does_the_same_statements(regc):
    source, out, whole, parts = written(regc, twice()), folder(regc), folder(regc), folder(regc)
    regc.ok("build", "-q", source, "-o", out / "program")
    binary = type(regc)(out / "program", regc.scratch)
    expected = regc.ok("run", "--quiet", "--out", whole, source)
    demand(binary.ok("--quiet", "--out", parts) == expected, "other results")
    demand(files(parts) == files(whole), "other weights, predictions or events")
    demand(binary.ok("evaluate", "--weights", whole) == expected, "evaluate does not give each moment's weights")
    resumed = folder(regc)
    for steps in (["--steps", "30"], ["--steps", "44"], []):
        binary.ok("--quiet", "--out", resumed, "--resume", *steps)
    demand((resumed / "weights-second.safetensors").read_bytes() == (whole / "weights-second.safetensors").read_bytes(), "resumed elsewhere")
    again, given = folder(regc), folder(regc)
    binary.ok("--quiet", "--out", given, "--weights", whole / "weights-second.safetensors")
    regc.ok("run", "--quiet", "--out", again, "--weights", whole, source)
    demand(files(given) == files(again), "a run's folder does not stand for the weights of its last training")
    predicted = {name: binary.ok("predict", "--weights", whole, "--model", name, "--in", f"{ROOT}/examples/data/digits.csv") for name in ("first", "second")}
    demand(predicted["first"] != predicted["second"], "both trainings predict the same")


def case_the_prompt_runs_statements_in_their_order(regc):
    source = written(regc, twice())
    def alike(text):
        return re.sub(r", after `\w+`", "", text)

    told = alike(regc.ok("run", "--quiet", "--out", "", source))
    demand(alike(regc.ok("repl", source, stdin=":run\n")) == told, "`:run` does other statements than `regc run`")
    demand(alike(regc.ok("repl", stdin=twice())) == told, "typed one after the other, other results")
    parts = "train first\n:set steps=10\ntrain second\n:set steps=0\ntrain\nevaluate net on digits.valid { accuracy }\n"
    demand(told.endswith(alike(regc.ok("repl", source, stdin=parts))), "a training that was stopped and goes on ends elsewhere")


def case_a_loaded_model_in_a_metric_alone(regc):
    """Its tensors are those of a training that calls it; where none does, they are read all the same."""
    where = folder(regc)
    regc.ok("run", "--quiet", "--out", where / "big", written(regc, DIABETES.replace("net", "big") + fit().replace("net", "big")))
    program = DIABETES + DIABETES[DIABETES.index("\nmodel"):].replace("net", "big") + f'let teacher = load("{where}/big/weights.safetensors", as: big)\n'
    program += "metric far(pred, y) = mean(abs(teacher(pred + zeros([10]))))\n" + fit() + "evaluate net on table.test { far }\n"
    also = program.replace("mse(net(x), progression)", "mse(net(x), progression) + 0 * mean(teacher(x))")
    alone, called = (of_kind(events(regc, "--out=", written(regc, text)), "evaluate")[0]["metrics"]["far"] for text in (program, also))
    demand(abs(alone - called) <= 1e-5 * abs(called) and called > 0, f"{alone} where the metric alone calls it, {called} beside a loss")


RESULTS = """
best = 0
norms = zeros([3])
train net on digits as dense {
  loss     cross_entropy(net(x), label)
  optimize adam(lr: 3e-3)
  epochs   3
  each epoch {
    best = best + 1
    norms = put(norms, round(best) - 1, norm(net.*))
    e = evaluate net on digits.valid { accuracy, margin = mean(max(net(x), axis: 1)) }
    if e.accuracy > 0.5 { report e.margin as "margin {best}" }
  }
}
report dense.history.valid.accuracy as "accuracies"
assert dense.history.valid.accuracy[2] == dense.valid.accuracy
assert dense.epochs == 3
assert dense.steps == 3 * 34
assert abs(norms[2] - norm(net.*)) < 1e-6
report norms
f = evaluate net on digits.test { accuracy, wrong = mean(argmax(net(x), axis: 1) != label) }
assert abs(1 - f.accuracy - f.wrong) < 1e-6
"""


def case_results_of_trainings_and_evaluations(regc):
    """Statements behind every epoch, expressions over all rows, and what trainings leave, against the events of the run."""
    seen = events(regc, "--out", folder(regc) / "a", written(regc, DIGITS + RESULTS))
    epochs = of_kind(seen, "epoch")
    reports = {r["name"]: r["value"] for r in of_kind(seen, "report")}
    demand(reports["accuracies"] == [e["valid"]["accuracy"] for e in epochs], f"{reports} {epochs}")
    demand(all(b > a for a, b in zip(reports["norms"], reports["norms"][1:])), f"norms {reports['norms']} do not grow")
    high = [k for k, e in enumerate(of_kind(seen, "evaluate")[:3]) if e["metrics"]["accuracy"] > 0.5]
    demand([f"margin {k + 1}" for k in high] == [n for n in reports if n.startswith("margin")], f"{reports}")


def case_procedures_with_recipes(regc):
    """The same procedure with other models and recipes: each call has trainings, values and files of its own."""
    where = folder(regc)
    program = written(regc, DIGITS + """
model other = new net
recipe plain(net, lr: number = 1e-3) {
  loss     cross_entropy(net(x), label)
  optimize adam(lr: lr)
  epochs   1
}
procedure rounds_of(net, data, recipe, n: int 1.. = 2) {
  start = net.*
  model halved = net with w in net.*.weight as w / 2
  repeat n as r {
    train net on data with recipe as round
    report round.loss as "loss {r} of {n}"
  }
  e = evaluate halved on data.test { accuracy }
  net.* <- start
  (e.accuracy, norm(net.*))
}
a, before = rounds_of(net, digits, plain(lr: 3e-3))
b, after = rounds_of(net, digits, plain(lr: 3e-3), n: 1)
c, fresh = rounds_of(other, digits, plain)
assert before == after
report b
""")
    for threads in ("1", "2"):
        regc.ok("run", "-q", "--threads", threads, "--out", where / threads, program)
    regc.ok("build", "-q", program, "-o", where / "binary")
    subprocess.run([where / "binary", "-q", "--out", where / "b"], check=True, stdout=subprocess.DEVNULL)
    names = sorted(f.name for f in (where / "1").glob("weights*"))
    demand(len(names) >= 5, f"weights of five trainings: {names}")
    for other in ("2", "b"):
        for name in names:
            demand((where / "1" / name).read_bytes() == (where / other / name).read_bytes(), f"{other}: {name} differs")


def case_columns_of_data_between_trainings(regc):
    """Statements see columns of data, of a part and of all rows, as in a binary."""
    program = written(regc, DIGITS + """
grey = mean(digits.x)
threes = mean(digits.test.label == 3)
shades = max(digits.train.x, axis: 0)
report grey
report threes
save shades to "SHADES"
""".replace("SHADES", str(folder(regc) / "shades.safetensors")))
    with open(ROOT / "examples" / "data" / "digits.csv") as f:
        rows = list(csv.DictReader(f))
    greys = [float(v) / 16 for row in rows for name, v in row.items() if name != "label"]
    told = {r["name"]: r["value"] for r in of_kind(events(regc, "--out", "", program), "report")}
    demand(abs(told["grey"] - sum(greys) / len(greys)) < 1e-6, f"{told}")
    demand(0.08 < told["threes"] < 0.12, f"{told}")
    binary = folder(regc) / "binary"
    regc.ok("build", "-q", program, "-o", binary)
    again = subprocess.run([binary, "-q", "--out", ""], check=True, capture_output=True, text=True).stdout
    demand(again == regc.ok("run", "-q", "--out", "", program), again)


TIMED = DIGITS[:DIGITS.index("model net")] + """layer later(x: [n, c]) = x * (1 + progress + (epoch until 50% then 7) / 10 + step / total)
model net(x: [64]) -> [10] = x |> dense(8) |> relu |> dropout(ramp(0 -> 0.5, over: 3 epochs)) |> dense(10) |> later
metric size_of(logits: [n, c]) higher = mean(abs(logits))
train net on digits {
  loss     cross_entropy(net(x), label)
  optimize adam(lr: 1e-2)
  epochs   8
  stop     when epoch == 3
}
e = evaluate net on digits.test { size_of }
repeat 2 { assert abs(e.size_of - mean(abs(net(digits.test.x)))) < 1e-5 }
means = mean(net(digits.test.x), axis: 0)
save means to "mean.safetensors"
"""


def case_a_statement_calls_a_model_at_the_end_of_its_training(regc):
    """Its schedules have the values that an evaluation sees, in pieces and as a binary too."""
    home = folder(regc)
    (home / "program.reg").write_text(TIMED)
    regc.ok("run", "-q", "--out", home / "whole", home / "program.reg", cwd=home)
    expected = (home / "mean.safetensors").read_bytes()
    regc("run", "-q", "--steps", "40", "--resume", "--out", home / "pieces", home / "program.reg", cwd=home)
    regc.ok("run", "-q", "--resume", "--threads", "1", "--out", home / "pieces", home / "program.reg", cwd=home)
    demand((home / "mean.safetensors").read_bytes() == expected, "resumed: another value")
    regc.ok("build", "-q", home / "program.reg", "-o", home / "binary")
    binary = type(regc)(home / "binary", regc.scratch)
    binary.ok("-q", "--out", home / "standalone", cwd=home)
    demand((home / "mean.safetensors").read_bytes() == expected, "binary: another value")
    done = binary("-q", "--epochs", "4", "--out", home / "other", cwd=home)
    demand(done.returncode == 2 and "compiled in" in done.stderr, f"{done.returncode}\n{done.stderr}")
