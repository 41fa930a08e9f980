"""Clauses of a training: what acts behind updates. Each `case_*` function takes the compiler and raises Failure."""
import json
import math
from pathlib import Path

from programs.cases import demand, events, folder, of_kind, placed, written
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


def case_behind_updates_in_the_summary(regc):
    """What acts behind updates, and what is logged, is told with the terms."""
    said = regc.ok("run", "--dry-run", "--summary", written(regc, BEHIND.replace("  optimize", "  log       size = norm(net.*)\n  optimize")))
    for line in ("  by prox: strength / 2 * l1(w) of net.out.weight", "  constrained net.*.bias: simplex(w)", "  log size: norm(net.*)"):
        demand(line in said, f"no line `{line}`: {said}")


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


LOGS = DIGITS + """
model net(x: [64]) -> [10] = x |> dropout(0.2) |> dense(16) as hidden |> batch_norm |> relu |> dense(10) as out
low = 0
recipe plain(net, limit: number 0..1) {
  loss     cross_entropy(net(x), label)
  penalize w in net.*.weight : 1e-3 * l2(w)
  optimize adam(lr: 1e-2)
  epochs   20
  stop     when valid.accuracy > limit
}
train net on digits with plain(limit: 0.9) as t {
  LOGS
  stop     when t_limit < epoch
  stop     when valid.loss stalls for 8 epochs, keep best
  each epoch { low = low + 1 }
}
"""
LOG_CLAUSES = """log      gradient = norm(grad(objective, net.*))
  log      hits = mean(argmax(net(x)) == label)
  log      l2 = 1e-3 * l2(net.*.weight)
  stop     when hits > 0.99"""


def gradients(run):
    """Of each epoch of the last act of a run's training, the norms of its gradients."""
    return [(e["epoch"], e["gradients"]) for e in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()) if "gradients" in e]


PULLS = """precision f64
data rows = csv("t.csv", target: y)
model line(x: [2]) -> [1] = x |> dense(1)
param c: [2] = 1
train line, c on rows {
  loss     squared_error(line(x), y)
  penalize w in line.*.weight : 0.02 * l2(w)
  penalize w in line.*.weight : 0.01 * l1(w) by prox
  optimize sgd(lr: 0.01) for line.*
  minimize 2 * sum((c - 3)^2) + mean(line(x)^2) over c by sgd(lr: 0.01) as game
  freeze   line.*.bias
  batch    all
  epochs   32
}
"""


def case_norms_of_gradients(regc):
    """Against derivatives by hand, at the weights that are left: of what is minimized over a part of the parameters too."""
    measured_by_hand(regc, 32)


def case_norms_of_gradients_of_a_short_training(regc):
    measured_by_hand(regc, 3)


def case_norms_of_gradients_of_a_solution(regc):
    """At the least objective the slopes of loss and penalty meet; in a loop, where solutions are cheap, nothing is measured."""
    solved = """precision f64
data rows = csv("t.csv", target: y)
model line(x: [2]) -> [1] = x |> dense(1)
train line on rows {
  loss     squared_error(line(x), y)
  penalize w in line.*.weight : 0.3 * l1(w)
  solve    to gap 1e-12
}
"""
    where = placed(regc, solved, PULLED)
    found = of_kind(events(regc, "--out", "out", "p.reg", cwd=where), "epoch")[0]["gradients"]
    w = read(where / "out/weights.safetensors")["line.dense1.weight"]
    demand(all(w) and abs(found["l1"] - 0.3 * math.sqrt(2)) < 1e-9 and abs(found["loss"] - found["l1"]) < 1e-5, f"{found}, {w}")
    head, training = solved.split("train", 1)
    (where / "p.reg").write_text(head + "repeat 2 {\n  train" + training.replace("\n", "\n  ") + "\n}\n")
    demand(not any("gradients" in e for e in events(regc, "--out", "out", "p.reg", cwd=where)), "measured in a loop")


PULLED = "a,b,y\n" + "".join(f"{i % 7 / 3},{i % 5 / 2},{i % 7 - 2 * (i % 5)}\n" for i in range(40))


def slope_of_pulled(w, b):
    slope = [0, 0]
    for i in range(40):
        x = (i % 7 / 3, i % 5 / 2)
        for k in range(2):
            slope[k] += 1 / 40 * (w[0] * x[0] + w[1] * x[1] + b - (i % 7 - 2 * (i % 5))) * x[k]
    return slope


def measured_by_hand(regc, last):
    where = placed(regc, PULLS.replace("epochs   32", f"epochs   {last}"), PULLED)
    told = [e for e in events(regc, "--out", "out", "p.reg", cwd=where) if e["event"] == "epoch"]
    demand([e["epoch"] for e in told if "gradients" in e] == [last], "measured in other epochs")
    left = read(where / "out/weights.safetensors")
    w, b, c = left["line.dense1.weight"], left["line.dense1.bias"][0], left["c.value"]
    slope = slope_of_pulled(w, b)
    expected = {"loss": math.hypot(*slope), "l2": 0.02 * math.hypot(*w), "l1": 0.01 * math.sqrt(sum(v != 0 for v in w)), "game": 4 * math.hypot(c[0] - 3, c[1] - 3)}
    found = told[-1]["gradients"]
    demand(found.keys() == expected.keys() and all(abs(found[k] - v) <= 1e-6 * abs(v) for k, v in expected.items()), f"{found}, not {expected}")


def case_logs(regc):
    """Logs are means over the rows of an epoch, change nothing, and are results; in parts, as a binary: the same."""
    home = folder(regc)
    program = written(regc, LOGS.replace("LOGS", LOG_CLAUSES).replace("t_limit", "30") + "report t.history.hits\nreport t.l2\nreport t.steps\nassert low == t.epochs")
    plain = written(regc, LOGS.replace("LOGS", "").replace("t_limit", "30"))
    found = events(regc, "--out", home / "whole", "--threads", "1", program)
    events(regc, "--out", home / "plain", plain)
    in_parts_and_built(regc, program, home, (5, 40, 99))
    regc.ok("run", "--out", home / "two", "--threads", "2", program)
    for other in ("plain", "two", "parts", "built"):
        demand((home / other / "weights.safetensors").read_bytes() == (home / "whole" / "weights.safetensors").read_bytes(), f"{other} differs")
    norms = gradients(home / "whole")
    demand(norms and all(gradients(home / other) == norms for other in ("two", "parts", "built")), "norms of gradients differ")
    demand(all((e["step"] // 32 > (e["step"] - 17) // 32) == ("gradients" in e) for e in of_kind(found, "epoch")), "measured in other epochs")
    epochs, end = of_kind(found, "epoch"), of_kind(found, "train_end")[0]
    demand(end["reason"] == "stopped" and epochs[-1]["valid"]["accuracy"] > 0.9, f"{end}")
    demand(all(e["valid"]["accuracy"] <= 0.9 for e in epochs[:-1]), "it stopped too late")
    demand(set(epochs[0]["logs"]) == {"gradient", "hits", "l2"} and set(epochs[0]["terms"]) == {"l2"}, f"{epochs[0]}")
    demand(all(abs(e["logs"]["l2"] - e["terms"]["l2"]) < 1e-5 * e["terms"]["l2"] for e in epochs), "the log is not the term")
    demand(epochs[0]["logs"]["hits"] < epochs[-1]["logs"]["hits"] <= 0.99, "hits do not rise")
    history, last, steps = (e["value"] for e in of_kind(found, "report"))
    near = [abs(a - e["logs"]["hits"]) < 1e-6 for a, e in zip(history, epochs)]
    demand(all(near) and abs(last - epochs[-1]["logs"]["l2"]) < 1e-8 and steps == epochs[-1]["step"], f"results: {history}, {last}, {steps}")
    said = regc("run", "--out=", "--progress", "plain", program).stderr
    demand("hits 0." in said and "stopped after" in said, said)


def case_stop_when(regc):
    """Of the epoch, the step, a value of statements, parameters; without data too; a condition that never holds."""
    program = written(regc, LOGS.replace("LOGS", "").replace("t_limit", "most").replace("limit: 0.9)", "limit: 1)").replace("low = 0", "low = 0\nmost = 2") + """
param place: [2] = 4
train place as way {
  minimize sum(place^2) over place by sgd(lr: 0.1)
  stop     when norm(place) < 1
  stop     when loss < 0
  steps    100
}
assert way.steps == 10 and norm(place) < 1 and low == 3
""")
    found = events(regc, "--out=", program)
    demand([e["reason"] for e in of_kind(found, "train_end")] == ["stopped", "stopped"], f"{of_kind(found, 'train_end')}")
    demand(of_kind(found, "train_end")[0]["epoch"] == 3, "the limit is not kept")


def case_batch_all(regc):
    """One batch of all rows: as with their number; `--batch` stands in its place."""
    program, home = LOGS.replace("LOGS", "batch BATCH").replace("t_limit", "3"), folder(regc)
    for name, size in (("all", "all"), ("number", "1078")):
        events(regc, "--out", home / name, written(regc, program.replace("BATCH", size)))
    demand((home / "all" / "weights.safetensors").read_bytes() == (home / "number" / "weights.safetensors").read_bytes(), "`batch all` is another batch")


SAMPLES = DIGITS + """
model net(x: [64]) -> [10] = x |> dropout(0.2) |> dense(16) as hidden |> relu |> dense(10) as out
recipe plain(net) {
  loss     cross_entropy(net(x), label)
  optimize adam(lr: 1e-2)
  log      nines = mean(label == 9)
  batch    32
  epochs   4
}
train net on digits with plain as hard { sample by cross_entropy(net(x), label, per_row: true)^2, 300 rows }
train net on digits with plain as easy { sample where max(softmax(net(x)), axis: 1) > quantile(max(softmax(net(x)), axis: 1), 60%) - 0.2 * epoch }
report hard.steps
report easy.steps
"""


def same_weights(home, folders, names):
    for name in names:
        file = f"weights-{name}.safetensors"
        for other in folders[1:]:
            demand((home / other / file).read_bytes() == (home / folders[0] / file).read_bytes(), f"{other}: {file} differs")


def case_samples_go_on(regc):
    """Rows drawn by what the weights were when an epoch began: with two threads, from the middle of epochs on, as a binary."""
    program, home = written(regc, SAMPLES), folder(regc)
    found = events(regc, "--out", home / "whole", "--threads", "1", program)
    regc.ok("run", "--out", home / "two", "--threads", "2", program)
    in_parts_and_built(regc, program, home, (4, 13, 23, 31))
    same_weights(home, ("whole", "two", "parts", "built"), ("hard", "easy"))
    hard, easy = (e["value"] for e in of_kind(found, "report"))
    demand(hard == 4 * 10 and 4 * 14 < easy < 4 * 34, f"{hard} and {easy} steps")
    ends = [e["step"] for e in of_kind(found, "epoch") if e["train"] == "easy"]
    demand(ends[0] < ends[3] - ends[2] and ends[-1] == easy, f"the epochs of the second end at {ends}")
    seeds = [events(regc, "--out=", "--seed", seed, program) for seed in ("1", "1", "2")]
    loss = [of_kind(f, "epoch")[0]["loss"] for f in seeds]
    demand(loss[0] == loss[1] != loss[2], f"seeds: {loss}")


ONE_PASS = DIGITS + """
data low = digits where label < 5
model net(x: [64]) -> [10] = x |> dense(16) |> relu |> dense(10)
train net on DATA {
  loss     cross_entropy(net(x), label)
  optimize sgd(lr: 0.05)
  batch    BATCH
  epochs   2
  SAMPLE
}
"""


def one_pass(regc, home, name, data="digits", batch="77", sample=""):
    program = ONE_PASS.replace("DATA", data).replace("BATCH", batch).replace("SAMPLE", sample)
    return events(regc, "--out", home / name, written(regc, program if data == "low" else program.replace("data low = digits where label < 5", "")))


def case_sample_where(regc):
    """Kept rows train as data of these rows alone does; all of them as without the clause. The last batch is filled up."""
    home = folder(regc)
    one_pass(regc, home, "plain")
    one_pass(regc, home, "all", sample="sample where label < 10")
    one_pass(regc, home, "low", data="low", batch="1")
    one_pass(regc, home, "kept", batch="1", sample="sample where label < 5")
    for a, b in (("plain", "all"), ("low", "kept")):
        demand((home / a / "weights.safetensors").read_bytes() == (home / b / "weights.safetensors").read_bytes(), f"{b} is not {a}")
    found = one_pass(regc, home, "few", batch="64", sample="sample where id < 70")
    demand([e["step"] for e in of_kind(found, "epoch")] == [1, 2], f"{of_kind(found, 'epoch')}")
    program = ONE_PASS.replace("epochs   2", "steps    41").replace("BATCH", "64").replace("DATA", "low").replace("SAMPLE", "sample where id < 300")
    found = events(regc, "--out=", written(regc, program))
    demand(of_kind(found, "train_end")[0]["step"] == 41 and of_kind(found, "epoch")[0]["step"] < 4, f"{found[-1]}")


def case_sample_by_weight(regc):
    """As often as their weights say, rows of weight 0 never; classes equally often."""
    home = folder(regc)
    program = DIGITS + """
model net(x: [64]) -> [10] = x |> dense(10)
data few = digits where label < 3 or (label == 9 and mod(id, 5) == 0)
recipe plain(net) {
  loss     cross_entropy(net(x), label)
  optimize sgd(lr: 0.01)
  log      nines = mean(label == 9)
  log      ones = mean(label == 1)
  batch    50
  epochs   1
}
let n = 5000
train net on few with plain as w { sample by if label == 9 then 1 else if label == 1 then 0 else 0.25, n rows }
train net on few with plain as b { sample balanced(label), 5000 rows }
report sum(few.train.label == 9) / (sum(few.train.label == 9) + 0.25 * sum(few.train.label == 0 or few.train.label == 2))
"""
    found = events(regc, "--out", home / "run", written(regc, program))
    w, b = (e["logs"] for e in of_kind(found, "epoch"))
    share = of_kind(found, "report")[0]["value"]
    demand(abs(w["nines"] - share) < 0.03 and w["ones"] == 0, f"{w}, a share of {share}")
    demand(abs(b["nines"] - 0.25) < 0.025 and abs(b["ones"] - 0.25) < 0.025, f"{b}")
    demand([e["step"] for e in of_kind(found, "epoch")] == [100, 100], "5000 rows are 100 batches")


def case_sample_by_states(regc):
    """A state of each row tells which rows are drawn, those that were seen least; schedules there and in `stop` are at the finished steps."""
    program = DIGITS + """
model net(x: [64]) -> [10] = x |> dense(10)
train net on digits as t {
  state    seen[sample] = 0
  seen <- seen + 1
  loss     cross_entropy(net(x), label) + 0 * mean(if training then seen else zeros(like: label))
  optimize sgd(lr: 0.01)
  sample   where t.seen == 0 and cumsum(t.seen == 0) <= (100 until 3 steps then 50)
  stop     when loss < (0 until 5 steps then 1e9)
  batch    50
  epochs   4
}
report sum(t.seen)
"""
    found = events(regc, "--out=", written(regc, program))
    demand(of_kind(found, "report")[0]["value"] == 250 and of_kind(found, "epoch")[-1]["step"] == 5, f"{found[-3:]}")


def case_sample_diverges(regc):
    """A step that diverges is made again from the rows of its epoch."""
    program = written(regc, f"""data d = csv("{DIABETES}", target: progression) |> standardize
model net(x: [10]) -> [1] = x |> dense(8) |> relu |> dense(1)
train net on d {{
  loss     squared_error(net(x), progression)
  optimize sgd(lr: 0.02)
  sample   where progression > 200 or epoch > 0
  batch    20
  log      size = norm(net.*)
}}
""")
    done = regc("run", "--out=", program)
    demand(done.returncode == 3 and "step" in done.stderr, f"{done.returncode}: {done.stderr[-600:]}")


def case_clauses_at_the_prompt(regc):
    """Logs, conditions and rows that a pass takes."""
    program = DIGITS.replace("\n  |>", " |>") + """model net(x: [64]) -> [10] = x |> dense(10)
train net on digits as t {
  loss cross_entropy(net(x), label)
  optimize sgd(lr: 0.1)
  log nines = mean(label == 9)
  sample where label > 6 or epoch > 0
  batch all
  stop when nines < 0.2
}
t.epochs
t.history.nines[0] > 0.25
"""
    out = regc("repl", "--quiet", stdin=program)
    demand(out.stdout.split()[-2:] == ["2", "true"], out.stdout + out.stderr)


DIABETES = Path(__file__).resolve().parents[2] / "examples/data/diabetes.csv"
