"""`sweep`: the same statements many times. Each run has the bits that it has alone, on any number of threads and in a binary; what is
kept of all runs, and the table, are what single runs report."""
import csv
import json
import math
import os
import re
import statistics
import subprocess
import textwrap
import time

from programs.cases import demand, events, placed
from run import ROOT
from programs.standalone import build

HEAD = """data rows = csv("t.csv", target: y) |> split(train: 50%, valid: 50%, seed: 1)
model net(x: [4], width: int = 3) -> [1] = x |> dense(width) as hidden |> tanh |> dropout(0.1) |> dense(1)
"""
TRAINING = """train MODEL on rows {
  loss     mse(MODEL(x), y)
  penalize w in MODEL.*.weight : lambda * l1(w)
  optimize adam(lr: 0.02)
  batch    8
  epochs   2
}
e = evaluate MODEL on rows.valid { mse }
w = each p in MODEL.* : p + 0.1 * normal(like: p)
"""


TABLE = "a,b,c,d,y\n" + "".join(f"{i % 7 - 3},{i % 5 / 2},{i % 11 / 5 - 1},{(i * i) % 13 / 6 - 1},{i % 7 + i % 5 - (i * i) % 13 / 6}\n"
                                for i in range(60))


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def training(model="net"):
    return TRAINING.replace("MODEL", model)


def swept(axes, body, behind="", name="s"):
    return HEAD + f"sweep {axes} as {name} {{\n{textwrap.indent(body, '  ')}}}\n{behind}"


def reports(regc, text, *more, code=0):
    """What a program reports, by name; the table of its sweep `s`; all events."""
    where = placed(regc, text, TABLE)
    done = regc("run", "p.reg", "--json", "--progress", "none", "--out", "out", *more, cwd=where)
    demand(done.returncode == code, f"{done.returncode}\n{done.stderr}")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    table = where / "out" / "sweep-s.csv"
    found = {e["name"]: e.get("value", e.get("values")) for e in told if e["event"] == "report"}
    return found, table.read_text() if table.exists() else "", told


def alone(regc, model, value, seed, *more):
    told = reports(regc, HEAD + f"let lambda = {value}\n" + (f"model {model} = new net(width: {more[0]})\n" if more else "")
                   + training(model) + "report e.mse\nreport w\n", "--seed", str(seed))[0]
    return told["e.mse"], [told["w"][path] for path in sorted(told["w"])]


SWEEP = swept("lambda in [0, 1e-2, 0.3], seed in 3..4", training(), "report s.e.mse\nreport s.w\n")


def case_each_run_has_the_bits_that_it_has_alone(regc):
    told, table, _ = reports(regc, SWEEP, "--threads", "1")
    demand(reports(regc, SWEEP, "--threads", "2")[:2] == (told, table), "two threads give something else")
    for i, value in enumerate([0, 1e-2, 0.3]):
        for k, seed in enumerate([3, 4]):
            error, weights = alone(regc, "net", value, seed)
            demand(told["s.e.mse"][i][k] == error, f"lambda {value}, seed {seed}: {told['s.e.mse'][i][k]} and {error}")
            demand([told["s.w"][path][i][k] for path in sorted(told["s.w"])] == weights, f"weights of lambda {value}, seed {seed}")


def case_draws_that_are_made_once_are_those_of_each_run(regc):
    """Few of them are made before the step, many in it; the first run of the sweep ends before the others."""
    body = """train net on rows {
  loss     mse(net(x + 0.1 * uniform(like: x)), y) + 1e-3 * mean(uniform(shape: [COUNT]))
  penalize w in net.*.weight : lambda * l2(w)
  optimize adam(lr: 0.2)
  batch    8
  epochs   40
  stop     when valid.loss stalls for 1 epochs
}
w = net.*
"""
    for count, apart in (10, True), (70000, False):
        each = body.replace("COUNT", str(count))
        told, table, _ = reports(regc, swept("lambda in [30, 1e-2, 0]", each, "report s.w\n"), "--threads", "1")
        demand(len({row["net.epochs"] for row in csv.DictReader(table.splitlines())}) > 1, table)
        for i, value in enumerate([30, 1e-2, 0]):
            single = HEAD + f"let lambda = {value}\n" + each + "report w\n"
            weights = reports(regc, single)[0]["w"]
            demand(all(told["s.w"][path][i] == weights[path] for path in weights), f"weights of lambda {value} with {count} draws")
        where = placed(regc, single, TABLE)
        kernels = regc("run", "p.reg", "--emit=kernels", cwd=where).stdout
        demand(("step_draws" in kernels) == apart, f"{count} draws: {kernels[:300]}")


def case_a_binary_sweeps(regc):
    where = placed(regc, SWEEP, TABLE)
    build(regc, where / "p.reg").ok("--out", "out", "--progress", "none", "--threads", "2", cwd=where)
    demand((where / "out" / "sweep-s.csv").read_text() == reports(regc, SWEEP)[1], "the table of the binary is another one")
    said = regc("run", "p.reg", "--out=", "--progress", "plain", cwd=where).stderr
    demand(said.count("lambda ") >= 6 and "6 runs" in said, said)
    live = regc("run", "p.reg", "--out=", "--progress", "bar", cwd=where).stderr.replace("\r\033[K", "")
    demand(" s: 0 of 6 runs" in live and "\n  lambda " in live and "  net epoch 0/" in live and "6 runs" in live.splitlines()[-1], live)


def case_a_run_plots_a_sweep_of_its_own(regc):
    told = reports(regc, "sweep a in [1, 2] as outer {\n  sweep k in [1, 2, 3] as inner { v = a * k }\n  report plot(inner, v, over: k) as \"own\"\n}\n")[2]
    plots = {e["name"]: (e["x"], e["paths"]["value"]) for e in told if e["event"] == "report"}
    demand(plots == {"a = 1: own": ([1, 2, 3], [1, 2, 3]), "a = 2: own": ([1, 2, 3], [2, 4, 6])}, f"{plots}")


def case_an_axis_stands_for_a_let(regc):
    told = reports(regc, "let k = 5\nfn twice() = 2 * k\nsweep k in [1, 2] as s { v = twice() }\nreport s.v\nreport twice() as \"outside\"\n")[0]
    demand(told == {"s.v": [2, 4], "outside": 10}, f"{told}")


def case_a_value_more_changes_no_other_run(regc):
    few, many = "lambda in [1e-2], seed in 4..4", "lambda in [1e-2, 0.3, 1], seed in 4..6"
    one = reports(regc, swept(few, training(), "report s.w\n"))[0]["s.w"]
    more = reports(regc, swept(many, training(), "report s.w\n"))[0]["s.w"]
    demand(all(one[path][0][0] == more[path][0][0] for path in one), "a run is another one beside others")


def case_sizes_are_compiled_for_each_value(regc):
    body = "model m = new net(width: k)\n" + training("m") + "n = size(m.hidden.bias, 0)\n"
    told, table, _ = reports(regc, swept("k in [2, 5], lambda in [0, 0.1]", body, "report s.e.mse\nreport s.n\n"))
    demand(told["s.n"] == [[2, 2], [5, 5]], f"{told['s.n']}")
    for i, width in enumerate([2, 5]):
        for k, value in enumerate([0, 0.1]):
            demand(told["s.e.mse"][i][k] == alone(regc, "m", value, 0, width)[0], f"width {width}, lambda {value}")
    demand(table.startswith("k,lambda,m.loss,m.valid.loss,m.epochs,e.mse,n,outcome\n"), table)


RECIPES = HEAD + """recipe plain(m, rate: number = 0.02) {
  loss     mse(m(x), y)
  penalize w in m.*.weight : 1e-2 * l1(w) as sparse
  penalize w in m.*.weight : 1e-2 * l2(w)
  optimize sgd(lr: rate)
  batch    8
  epochs   2
}
recipe slow(m, share: number = 0.5) { optimize sgd(lr: share * 0.02) }
recipe plain_without_sparse(m) {
  loss     mse(m(x), y)
  penalize w in m.*.weight : 1e-2 * l2(w)
  optimize sgd(lr: 0.02)
  batch    8
  epochs   2
}
recipe slowly(m) {
  loss     mse(m(x), y)
  penalize w in m.*.weight : 1e-2 * l1(w)
  penalize w in m.*.weight : 1e-2 * l2(w)
  optimize sgd(lr: 0.005)
  batch    8
  epochs   2
}
sweep how in HOW as s {
  train net on rows with how
  e = evaluate net on rows.valid { mse }
}
report s.e.mse
"""


def case_variants_of_a_recipe_are_recipes(regc):
    def losses(how):
        return reports(regc, RECIPES.replace("HOW", how))[0]["s.e.mse"]
    found = losses("[plain, without sparse, without l2, with slow(share: 0.25), with slow, plain(rate: 0.01)]")
    demand(found[0] == losses("[plain]")[0] and found[1:2] == losses("[plain_without_sparse]"), f"{found}")
    demand(found[3:4] == losses("[slowly]") and found[4] == found[5] and found[2] not in (found[0], found[1]), f"{found}")


def case_values_of_all_runs_have_an_axis_for_each_axis(regc):
    body = """sweep j in 1..3 as inner {
  v = [100 * i + j, k]
}
total = sum(inner.v)
both = inner.v
"""
    told, table, _ = reports(regc, swept("i in 1..2, k in [7, 8]", body, "report s.both\nreport s.i\nreport s.total\n"))
    demand(told["s.both"] == [[[[100 * i + j, k] for j in (1, 2, 3)] for k in (7, 8)] for i in (1, 2)], f"{told['s.both']}")
    demand(told["s.i"] == [1, 2] and told["s.total"] == [[300 * i + 6 + 3 * k for k in (7, 8)] for i in (1, 2)], f"{told}")
    demand(table.splitlines()[0] == "i,k,total,outcome" and table.splitlines()[4] == "2,8,630,finished", table)


def case_folds_are_repetitions(regc):
    body = "model m = new net\n" + training("m").replace("rows.valid", "fold.test").replace("on rows", "on fold")
    text = swept("fold in folds(rows.train, 3, seed: 2), lambda in strengths", body, "report s.e.mse\nreport best(s, by: e.mse)\n")
    told, table, all_events = reports(regc, text.replace("sweep", "let strengths = [0, 0.1]\nsweep", 1))
    for i in range(3):
        one = HEAD + f"let lambda = 0.1\ndata cv = folds(rows.train, 3, seed: 2)\ndata fold = cv[{i}]\n" + body + "report e.mse\n"
        demand(reports(regc, one)[0]["e.mse"] == told["s.e.mse"][i][1], f"fold {i}")
    rows = all_events[-1]["rows"]
    demand([r["n"] for r in rows] == [3, 3] and abs(rows[1]["mean"] - sum(v[1] for v in told["s.e.mse"]) / 3) < 1e-6, f"{rows}")
    demand([line.split(",")[:2] for line in table.splitlines()[1:3]] == [["1", "0"], ["1", "0.1"]], table)


def case_draws_at_random(regc):
    def trials(n):
        return reports(regc, swept(f"a in log(1e-4 .. 1), b in -1 .. 0.5, c in 2..4, d in [0.5, 7] by random({n})",
                                   "v = a + b + c + d\n", "report s\n"))[0]["s"]
    few, many = trials(4), trials(400)
    demand(all(many[key][:4] == few[key] for key in few), "a trial depends on how many there are")
    demand(all(1e-4 <= a <= 1 and -1 <= b <= 0.5 for a, b in zip(many["a"], many["b"])), "out of its range")
    demand(set(many["c"]) == {2, 3, 4} and set(many["d"]) == {0.5, 7}, "not all values, or others")
    share = sum(a < 1e-2 for a in many["a"]) / 400
    demand(0.4 < share < 0.6 and abs(sum(many["b"]) / 400 + 0.25) < 0.08, f"{share}")


def case_what_is_outside_stays_as_it_is(regc):
    text = HEAD + """start = net.*
a = 3
sweep lambda in [0, 1] as s {
""" + textwrap.indent(training(), "  ") + """  a2 = a + lambda
}
report norm(net.* - start) as "moved"
report s.a2
train net on rows {
  loss     mse(net(x), y)
  optimize sgd(lr: 0.01)
  epochs   1
}
report net.hidden.bias as "later"
"""
    told = reports(regc, text)[0]
    demand(told["moved"] == 0 and told["s.a2"] == [3, 4], f"{told}")
    without = text[:text.index("sweep")] + text[text.index("train net on rows {\n  loss     mse(net(x), y)\n  optimize sgd"):]
    demand(reports(regc, without)[0]["later"] == told["later"], "the training behind it is another one")


def case_a_run_that_diverges_is_a_row(regc):
    text = swept("rate in [0.01, 1e30, 0.02]", training().replace("lambda", "0").replace("adam(lr: 0.02)", "sgd(lr: rate)"),
                 "report s.e.mse\n")
    told, table, all_events = reports(regc, text, code=3)
    good = reports(regc, text.replace(", 1e30", ""))[0]["s.e.mse"]
    demand([told["s.e.mse"][0], told["s.e.mse"][2]] == good and told["s.e.mse"][1] is None, f"{told}")
    rows = list(csv.DictReader(table.splitlines()))
    demand([r["outcome"] for r in rows][::2] == ["finished"] * 2 and rows[1]["outcome"].startswith("diverged: net at step "), table)
    demand(rows[1]["e.mse"] == "" and float(rows[0]["e.mse"]) == told["s.e.mse"][0], table)
    run = next(e for e in all_events if e["event"] == "run" and e["outcome"] == "diverged")
    demand(run["axes"] == {"rate": 1e30} and "diverged at step" in run["reason"] and "values" not in run, f"{run}")
    demand(all_events[-1]["event"] == "error" and all_events[-1]["code"] == 3, f"{all_events[-1]}")
    demand(next(e for e in all_events if e["event"] == "sweep")["diverged"] == 1, "the sweep tells another number")


def case_runs_that_are_trained_together_leave_when_they_end(regc):
    """Of one seed all are made step by step together: some stop early, one diverges in the middle, the last batch is a smaller one."""
    body = """train net on rows as fit {
  loss     mse(net(x + 0.1 * normal(like: x)), y)
  penalize w in net.*.weight : rate * (l1(w) + l2(w))
  optimize adamw(lr: if step < 9 then 0.02 else rate)
  batch    8
  epochs   12
  stop     when valid.loss stalls for 1 epochs, keep best
}
w = each p in net.* : p + 0.1 * normal(like: p)
"""
    rates, behind = [1e-3, 0.3, 1e30, 0.02, 0.5], "report s.fit.epochs\nreport s.w\n"
    told, table, _ = reports(regc, swept(f"rate in {rates}, seed in 3..4", body, behind), "--threads", "1", code=3)
    demand(reports(regc, swept(f"rate in {rates}, seed in 3..4", body, behind), "--threads", "2", code=3)[:2] == (told, table), "two threads")
    demand(len({e for row in told["s.fit.epochs"] for e in row}) > 2, f"all stop at once: {told['s.fit.epochs']}")
    demand(table.count(",diverged: fit at step 9") == 2, table)
    for i in (0, 1, 3, 4):
        single = reports(regc, HEAD + f"let rate = {rates[i]}\n" + body + "report fit.epochs\nreport w\n", "--seed", "4")[0]
        demand(single["fit.epochs"] == told["s.fit.epochs"][i][1], f"epochs of rate {rates[i]}")
        demand(all(told["s.w"][path][i][1] == single["w"][path] for path in single["w"]), f"weights of rate {rates[i]}")


def case_products_of_runs_that_are_trained_together_are_those_alone(regc):
    """Few columns and a last batch of odd length: a product by another of the library's kernels would differ."""
    text = f"""data digits = csv("{ROOT}/examples/data/digits.csv", target: label) |> scale(1/16) |> split(train: 10%, valid: 5%, test: 85%, stratify: label, seed: 1)
model small(x: [64]) -> [10] = x |> dropout(0.2) |> dense(8) |> relu |> dense(10)
"""
    text += """sweep rate in RATES, seed in [2] as s {
  train small on digits {
    loss     cross_entropy(small(x), label, smoothing: 0.1)
    optimize sgd(lr: rate)
    batch    32
    epochs   4
  }
  w = small.*
}
report s.w
"""
    both, one = (reports(regc, text.replace("RATES", rates), "--threads", "1")[0]["s.w"] for rates in ("[0.1, 0.2]", "[0.2]"))
    demand(all(both[path][1] == one[path][0] for path in one), "other bits than alone")


def case_a_run_that_fails_is_a_row(regc):
    text = swept("k in 1..4, rate in [0.5, 1e30]", """c = rows.train.x[0]
train net on rows {
  loss     mse(net(x), y)
  optimize sgd(lr: rate)
  epochs   2
}
assert k < 3
v = k
picked = c[argmax(rows.train.x[.., 0]) * (k - 1)]
""", "report 1 as \"behind\"\nreport s.v\n")
    told, table, all_events = reports(regc, text, "--threads", "1", code=3)
    outcomes = [row["outcome"] for row in csv.DictReader(table.splitlines())]
    demand(outcomes[0] == "finished" and all(o.startswith("diverged: net at step ") for o in outcomes[1::2]), table)
    demand(outcomes[2].startswith("failed: p.reg:") and "out of range" in outcomes[2], table)
    demand(all("`k < 3` does not hold: `k` is " in o for o in outcomes[4::2]), table)
    demand(told["behind"] == 1 and told["s.v"] == [[1, None]] + 3 * [[None, None]], f"{told}")
    demand([e["outcome"] for e in all_events if e["event"] == "run"] == ["finished", "diverged"] + 3 * ["failed", "diverged"], f"{all_events}")
    done = next(e for e in all_events if e["event"] == "sweep")
    demand((done["diverged"], done["failed"]) == (4, 3) and all_events[-1]["name"] == "runs_failed", f"{all_events[-1]}")
    demand(all_events[-1]["text"] == f"7 runs of a sweep failed; the first of `s` (k = 1, rate = 1e+30) {outcomes[1]}", f"{all_events[-1]}")
    demand(sum(e["event"] == "error" for e in all_events) == 1, "one fault has several messages")


def case_runs_of_a_sweep_in_another_one(regc):
    """What trains in the inner one is no number of the outer one's runs; its failed runs are told at the end."""
    text = swept("rate in [0.01, 1e30]", "sweep seed in 1..2 as inner {\n" + training().replace("lambda", "0").replace("adam(lr: 0.02)", "sgd(lr: rate)")
                 + "}\ntrain net on rows as own {\n  loss mse(net(x), y)\n  optimize sgd(lr: 1e-3)\n  epochs 1\n}\nv = mean(inner.e.mse)\n", "report s.own.loss\n")
    told, table, all_events = reports(regc, text, code=3)
    rows = list(csv.DictReader(table.splitlines()))
    demand({"own.loss", "v"} <= set(rows[0]) and not any(k.startswith("net.") for k in rows[0]), table)
    demand(rows[0]["v"] and not rows[1]["v"] and [r["outcome"] for r in rows] == 2 * ["finished"], table)
    demand(all_events[-1]["text"] == "2 runs of a sweep failed in runs of another one", f"{all_events[-1]}")


def case_the_name_of_a_sweep_may_stand_behind_each(regc):
    body = training().replace("rows.valid", "b.test").replace("on rows", "on b").replace("lambda", "0")
    named = swept("b in each i in 0..3 : bootstrap(rows.train, seed: i)", body, "report s.e.mse\n")
    apart = named.replace("each i in 0..3 : bootstrap(rows.train, seed: i)", "(each i in 0..3 : bootstrap(rows.train, seed: i))")
    told = reports(regc, named)[0]
    demand(len(told["s.e.mse"]) == 3 and told == reports(regc, apart)[0], f"{told}")


def case_folds_that_cannot_be_made_are_told_once(regc):
    for loop in "for fold in folds(rows.train, 40) {\n", "sweep fold in folds(rows.train, 40) as s {\n":
        done = regc("run", "p.reg", "--out=", cwd=placed(regc, HEAD + loop + training().replace("on rows", "on fold").replace("lambda", "0") + "}\n", TABLE))
        demand(done.returncode == 65 and done.stderr.count("error:") == 1 and "30 rows are too few for 40 folds [split_bad]" in done.stderr, done.stderr)


def case_a_draw_that_does_not_fit_is_a_row(regc):
    """Of a grid it is a mistake of the program, and so it is where no draw fits."""
    body, behind = "v = a * [10, 20, 30][k]\nsweep j in 1..2 as inner { u = j + v }\nw = sum(inner.u)\nreport v as \"value\"\n", "report s.v\nreport 1 as \"behind\"\n"
    text = swept("k in 0..5, a in [1, 2] by random(12)", body, behind)
    told, table, all_events = reports(regc, text, code=3)
    rows = list(csv.DictReader(table.splitlines()))
    fits = [int(row["k"]) < 3 for row in rows]
    demand(sum(fits) == 6 == len({(row["k"], row["a"]) for row, good in zip(rows, fits) if good}) and told["behind"] == 1, table)
    for row, value, good in zip(rows, told["s.v"], fits):
        reason = f"index {row['k']} is out of range for size 3"
        demand(value == (float(row["a"]) * (10, 20, 30)[int(row["k"])] if good else None), f"{row}: {value}")
        demand(row["outcome"] == "finished" if good else row["outcome"].startswith("failed: p.reg:") and reason in row["outcome"], f"{row}")
    demand(sum(e["event"] == "run" and e["outcome"] == "failed" for e in all_events) == 12 - sum(fits), f"{all_events}")
    searched = reports(regc, swept("k in 0..5, a in [1, 2] by search(v, trials: 14)", body.replace("[10, 20, 30]", "[30, 20, 10]"), behind), code=3)[1]
    demand({int(r["k"]) < 3 for r in csv.DictReader(searched.splitlines()) if r["outcome"] == "finished"} == {True}, searched)
    for wrong in (text.replace(" by random(12)", ""), text.replace("0..5", "3..5")):
        where = placed(regc, wrong, TABLE)
        done = regc("run", "p.reg", "--out=", cwd=where)
        demand(done.returncode == 1 and "out of range for size 3 [bad_index]" in done.stderr, done.stderr)


LONG = swept("lambda in [0, 0.1], seed in 1..2", training().replace("epochs   2", "epochs   120") + "report w\nreport e.mse as \"error\"\n"
             + "sweep k in 1..2 as inner { v = k + lambda }\nreport best(inner, by: v)\n", "report s.e.mse\n")


def told_of(out):
    """What is in metrics.jsonl but for times, in no order: runs end when they end."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return sorted(json.dumps({k: v for k, v in e.items() if k != "seconds"}) for e in lines)


def case_a_run_that_was_killed_goes_on_in_its_middle(regc):
    killed(regc, LONG, 2)


def killed(regc, text, damaged):
    where = placed(regc, text, TABLE)
    command = ["run", "p.reg", "--progress=none", "--threads=2", "--checkpoint=0"]
    regc(*command, "--out=whole", cwd=where)
    for kill in range(6):
        process = subprocess.Popen(regc.line(*command, "--out=out", "--resume"), cwd=where, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until = time.monotonic() + 0.1 + 0.1 * (kill % 3)
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        process.kill()
        process.communicate()
        files = sorted((where / "out").glob("checkpoint-s-1-?.safetensors"))
        if process.returncode == 0:
            break
        if files and kill < damaged:
            whole = files[-1].read_bytes()
            files[-1].write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
            done = regc(*command, "--out=out", "--resume", cwd=where)
            demand(done.returncode == 65 and "checkpoint_bad" in done.stderr, f"a damaged checkpoint of a run: {done.returncode} {done.stderr}")
            files[-1].write_bytes(whole)
    if process.returncode:
        demand(regc(*command, "--out=out", "--resume", cwd=where).returncode == 0, "it does not end")
    demand((where / "out/sweep-s.csv").read_text() == (where / "whole/sweep-s.csv").read_text(), "another table")
    demand(told_of(where / "out") == told_of(where / "whole"), "other events")
    demand(not sorted((where / "out").glob("checkpoint-*")), "checkpoints of runs are left")


RANKED = swept("rate in [0.01, 1e30, 0.7], seed in 1..2", training().replace("adam(lr: 0.02)", "sgd(lr: rate)").replace("lambda", "0")
               + "assert rate < 0.5\nreport e.mse as \"error\"\nsweep k in 1..2 as inner { v = k + rate }\nreport best(inner, by: v)\n",
               "sweep rate in log(1e-3 .. 0.1) by search(e.mse, trials: 11) as b {\n  TRAIN\n}\nsweep rate in log(1e-3 .. 0.1) by halving(e.mse, trials: 5) as c {\n"
               "  TRAIN\n}\nreport c.e.mse\nreport s.w\n").replace("TRAIN", training().replace("adam(lr: 0.02)", "sgd(lr: rate)").replace("lambda", "0").replace("epochs   2", "epochs   12"))


def ranks(regc, where, number, kill=None, job="a", out=None, checkpoint=0):
    """The codes of so many processes, as mpirun starts them; `kill`: which of them, after how many seconds."""
    started = [subprocess.Popen(regc.line("run", "p.reg", "--quiet", "--progress=none", "--threads=1", f"--checkpoint={checkpoint}", "--out", out or f"r{number}", "--resume"),
                                cwd=where, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                env=os.environ | {"OMPI_COMM_WORLD_RANK": str(i), "OMPI_COMM_WORLD_SIZE": str(number), "PMIX_NAMESPACE": job})
               for i in range(number)]
    if kill:
        time.sleep(kill[1])
        for i in kill[0]:
            started[i].kill()
    return [process.wait(timeout=120) for process in started]


def case_processes_share_the_runs(regc):
    where = placed(regc, RANKED, TABLE)
    demand(regc("run", "p.reg", "--quiet", "--progress=none", "--out=r1", cwd=where).returncode == 3, "alone")

    def same(number):
        files = ["sweep-s.csv", "sweep-b.csv", "sweep-c.csv"]
        demand(all((where / f"r{number}" / f).read_bytes() == (where / "r1" / f).read_bytes() for f in files), f"{number} processes have other tables")
        demand(told_of(where / f"r{number}") == told_of(where / "r1"), f"{number} processes tell something else")
        demand(not sorted((where / f"r{number}").glob("checkpoint-*")), "files of runs are left")
    demand(ranks(regc, where, 2) == [3, 0], "two processes")
    same(2)
    codes = ranks(regc, where, 4, kill=([1, 2], 0.6))
    demand(codes[0] == 3, f"the others do not go on: {codes}")
    same(4)
    for again in range(1):
        codes = ranks(regc, where, 3, kill=([0, 1, 2], 0.5 + 0.3 * again), job=f"b{again}")
    demand(codes[0] == 3 or ranks(regc, where, 3, job="c")[0] == 3, "resumed")
    same(3)


def case_processes_end_with_what_started_them(regc):
    """Where mpirun itself is killed, nobody tells the processes; they leave a checkpoint that another job goes on from."""
    regc = regc.plain()  # 20000 epochs are not what should take the least of LLVM
    text = swept("lambda in [0, 0.1], seed in 1..2", training().replace("epochs   2", "epochs   20000"), "report s.w\n")
    where = placed(regc, text, TABLE)
    command = " ".join(regc.line("run", "p.reg", "--quiet", "--progress=none", "--threads=1", "--checkpoint=0.02", "--out", "r", "--resume"))
    each = " ".join(f"OMPI_COMM_WORLD_RANK={i} {command} & echo $!;" for i in range(2))
    shell = subprocess.Popen(["sh", "-c", each + " wait"], cwd=where, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                             env=os.environ | {"OMPI_COMM_WORLD_SIZE": "2", "PMIX_NAMESPACE": "a"})
    started = [int(shell.stdout.readline()) for _ in range(2)]
    until = time.monotonic() + 60
    while not list((where / "r").glob("checkpoint-s-1-*")) and time.monotonic() < until:
        time.sleep(0.01)
    alive = [pid for pid in started if os.path.exists(f"/proc/{pid}/exe")]
    shell.kill()
    until = time.monotonic() + 60
    while any(os.path.exists(f"/proc/{pid}/exe") for pid in started) and time.monotonic() < until:
        time.sleep(0.05)
    left = [pid for pid in started if os.path.exists(f"/proc/{pid}/exe")]
    for pid in left:
        os.kill(pid, 9)
    shell.communicate()
    demand(len(alive) == 2 and not left, f"of {alive} there are {left}")
    demand(list((where / "r").glob("checkpoint-s-1-*")) and not (where / "r/sweep-s.csv").exists(), "they have ended by themselves")
    again = ranks(regc, where, 2, job="b", out="r", checkpoint=60)
    whole = regc("run", "p.reg", "--quiet", "--progress=none", "--out=whole", cwd=where)
    demand(again == [0, 0] and whole.returncode == 0, f"{again}")
    demand(told_of(where / "r") == told_of(where / "whole"), "another end")


def case_reports_of_a_run_say_which(regc):
    told = reports(regc, swept("k in 1..2, on in [true, false]", "v = if on then k else -k\nreport v as \"value\"\n"))[0]
    demand(told == {"k = 1, on = true: value": 1, "k = 1, on = false: value": -1, "k = 2, on = true: value": 2,
                    "k = 2, on = false: value": -2}, f"{told}")


def case_procedures_and_definitions_read_its_numbers(regc):
    body = """let double = 2 * k
fn plus(a) = a + double
model m(x: [4]) -> [1] = x |> scaled(k) |> dense(1)
z = m(rows.valid.x)
v = plus(1)
t = times(k, 3)
u = times(k + 1, n: 2)
"""
    extra = "layer scaled(x: [..], by: number) = by * x\nprocedure times(a: number, n: int) {\n  r = 0\n  repeat n { r = r + a }\n  r\n}\n"
    text = swept("k in [1, 2.5]", body, "report s.v\nreport s.t\nreport s.u\nreport norm(s.z[1] - 2.5 * s.z[0])\n")
    told = reports(regc, HEAD + extra + text[len(HEAD):])[0]
    demand(told["s.v"] == [3, 6] and told["s.t"] == [3, 7.5] and told["s.u"] == [4, 7], f"{told}")
    demand(told["norm(s.z[1] - 2.5 * s.z[0])"] < 1e-5, f"{told}")


def case_it_acts_again_in_a_loop(regc):
    text = HEAD + "best = 0\nrepeat 3 as r {\n  sweep k in 1..2 as s { v = k * r + best }\n  best = max(s.v)\n}\nreport best\n"
    where = placed(regc, text, TABLE)
    told = events(regc, "p.reg", "--out", "out", cwd=where)
    demand(told[-1]["value"] == 6 and [e.get("act", 1) for e in told if e["event"] == "sweep"] == [1, 2, 3], f"{told}")
    demand((where / "out" / "sweep-s-3.csv").read_text() == "k,v,outcome\n1,4,finished\n2,6,finished\n", "the last table")


def case_the_prompt_sweeps(regc):
    done = regc("repl", "--progress=none", stdin="sweep k in 1..3 as s {\n  v = [k, 2 * k]\n  u = k\n}\ns.u\nsum(s.v)\n")
    demand(done.stdout.split() == ["1", "2", "3", "18"], f"{done.stdout}{done.stderr}")


JUDGED = """values = [[0.91, 0.88, 0.93, 0.90, 0.87, 0.92], [0.93, 0.90, 0.92, 0.94, 0.88, 0.95], [0.90, 0.85, 0.93, 0.86, 0.86, 0.90], [0.91, 0.89, 0.92, 0.90, 0.88, 0.91]]
sweep k in 0..3, seed in 0..5 as s {
  v = values[k][seed]
}
"""


def case_pairs_are_compared_as_scipy_does(regc):
    """scipy.stats.ttest_rel, t.interval and Holm's correction."""
    where = placed(regc, JUDGED + "report compare(s, by: v, against: 1)\n", TABLE)
    rows = events(regc, "p.reg", "--out=", cwd=where)[-1]["rows"]
    expected = [[0, -0.018333325783411663, 0.007031673785970911, -0.036408818698628484, -0.00025783286819483844, -2.6072491900845844, 0.04782847913572236],
                [2, -0.036666661500930786, 0.012560958383930343, -0.06895563297313576, -0.004377690028725817, -2.9190974430613257, 0.0330483759567409],
                [3, -0.018333325783411663, 0.007490733621169938, -0.03758886957291046, 0.0009222180060871332, -2.4474673257101194, 0.05811716898427807]]
    for row, (k, *numbers) in zip(rows, expected, strict=True):
        found = [row[key] for key in ("difference", "error", "low", "high", "t", "p")]
        # scipy 1.10 has the quantile of 5 degrees of freedom to 4e-10
        demand(row["k"] == k and row["n"] == 6 and all(math.isclose(a, b, rel_tol=1e-10, abs_tol=1e-10) for a, b in zip(found, numbers)),
               f"{row}")
        demand(math.isclose(row["corrected"], 0.0991451278702227, rel_tol=1e-10), f"{row}")
    done = regc("run", "p.reg", "--quiet", "--out=", cwd=where)
    demand("pairs difference        low       high          p       Holm" in done.stdout and "0.03305    0.09915" in done.stdout, done.stdout)
    built = build(regc, where / "p.reg").ok("--quiet", "--out=", cwd=where)
    demand(built == done.stdout, f"a binary reports {built}")


def case_the_best_is_the_simplest_within_one_standard_error(regc):
    """The rule of glmnet's lambda.1se: mean and standard error over repetitions, the largest strength that is not worse than the best
    by more than the best's own error."""
    text = """values = [[3.0, 3.4, 2.8], [2.0, 2.6, 2.3], [2.1, 2.5, 2.4], [2.3, 2.6, 2.45], [2.9, 3.5, 3]]
sweep lambda in [1e-3, 0.01, 0.1, 1, 10], seed in 0..2 as s {
  k = round(log(lambda) / log(10)) + 3
  v = values[k][seed]
  a = -v
}
report best(s, by: v, rule: one_se) as "simplest"
report best(s, by: v) as "best"
report best(s, by: a, rule: one_se, along: lambda, higher: true) as "highest"
"""
    where = placed(regc, text, TABLE)
    told = {e["name"]: e for e in events(regc, "p.reg", "--out=", cwd=where) if e["event"] == "report"}
    values = [[3.0, 3.4, 2.8], [2.0, 2.6, 2.3], [2.1, 2.5, 2.4], [2.3, 2.6, 2.45], [2.9, 3.5, 3]]
    means = [statistics.mean(v) for v in values]
    errors = [statistics.stdev(v) / math.sqrt(3) for v in values]
    chosen = max(i for i in range(5) if means[i] <= means[1] + errors[1])
    demand(chosen == 3 and [told[n]["chosen"] for n in ("simplest", "best", "highest")] == [3, 1, 3], f"{told}")
    for row, mean, error in zip(told["best"]["rows"], means, errors, strict=True):
        demand(math.isclose(row["mean"], mean, rel_tol=1e-6) and math.isclose(row["error"], error, rel_tol=1e-5) and row["n"] == 3, f"{row}")
    done = regc("run", "p.reg", "--quiet", "--out=", cwd=where)
    demand(re.search(r"^  1 +3 +2.45 +0.08\w+  best$", done.stdout, re.M), done.stdout)


def case_runs_that_diverged_are_judged_by_nothing(regc):
    body = training().replace("lambda", "0").replace("adam(lr: 0.02)", "sgd(lr: rate)")
    behind = "report best(s, by: e.mse)\nreport compare(s, by: e.mse, against: 0.01)\n"
    told = reports(regc, swept("rate in [1e30, 0.01, 0.02], seed in 1..2", body, behind), code=3)[2]
    best, compared = [e for e in told if e["event"] == "report"]
    demand(best["rows"][0]["mean"] is None and best["chosen"] in (1, 2), f"{best}")
    demand([r["n"] for r in compared["rows"]] == [0, 2] and compared["rows"][0]["p"] is None, f"{compared}")
