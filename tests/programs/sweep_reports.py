"""What is told of the runs of a sweep when it is over: what their trainings did epoch by epoch, which is what the same training tells alone;
reports; comparisons; what `regc runs` finds among them."""
import csv
import json
import math
import re
import resource
import statistics

from programs.cases import demand, of_kind, placed
from run import ROOT
from programs.sweeps import HEAD, RECIPES, TABLE, reports, swept

TRAINING = """train net on rows {
  loss     mse(net(x), y)
  penalize w in net.*.weight : lambda * l1(w)
  penalize w in net.*.weight : 1e-3 * l2(w)
  optimize adam(lr: 0.02)
  log      twice = 2 * lambda
  batch    8
  epochs   40
}
e = evaluate net on rows.valid { mse }
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def curves(told, run):
    return next(e for e in of_kind(told, "run") if e["run"] == run)["curves"]


def same(curve, epochs):
    """The curve is that of these events; at how many epochs."""
    at = {e["epoch"]: e for e in epochs}
    for i, number in enumerate(curve["epoch"]):
        e = at[number]
        demand(curve["loss"][i] == e["loss"] and curve["objective"][i] == e["objective"], f"epoch {number}: {curve['loss'][i]}, {e['loss']}")
        for part in "terms", "valid", "logs":
            demand({k: v[i] for k, v in curve.get(part, {}).items()} == e.get(part, {}), f"epoch {number}: {part}")
    for i, number in enumerate(curve.get("measured", [])):
        demand({k: v[i] for k, v in curve["gradients"].items()} == at[number]["gradients"], f"norms behind epoch {number}")
    return len(curve["epoch"])


def case_curves_of_runs_are_those_of_each_alone(regc):
    """A few dozen epochs are kept, the last among them; gradients are measured after 32 updates, 128, and at the end."""
    for epochs, kept in ((40, 40), (112, 28)):
        text = TRAINING.replace("epochs   40", f"epochs   {epochs}")
        told = reports(regc, swept("lambda in [0, 1e-2, 0.3], seed in 3..4", text))[2]
        for run, (value, seed) in enumerate((v, s) for v in ("0", "1e-2", "0.3") for s in (3, 4)):
            alone = reports(regc, HEAD + f"let lambda = {value}\n" + text, "--seed", str(seed))[2]
            curve, = curves(told, run)
            count = same(curve, of_kind(alone, "epoch"))
            demand(count == kept and curve["epoch"][-1] == epochs and curve["epoch"][0] == epochs // kept, f"{curve['epoch']}")
            demand(curve["measured"] == [8, 32, epochs] and set(curve["gradients"]) == {"loss", "l1", "l2"}, f"{curve['measured']}")
            demand(curve["train"] == "net" and set(curve["logs"]) == {"twice"} and set(curve["valid"]) == {"loss", "mse"}, f"{curve}")


def case_curves_of_runs_that_do_not_end(regc):
    body = TRAINING.replace("adam(lr: 0.02)", "sgd(lr: if step < 20 then 0.01 else rate)").replace("lambda", "0")
    told = reports(regc, swept("rate in [0.01, 1e30]", body), code=3)[2]
    curve, = curves(told, 1)
    demand(curve["epoch"] == [1, 2, 3, 4, 5] and "measured" not in curve and curve["loss"] == curves(told, 0)[0]["loss"][:5], f"{curve}")
    halved = swept("rate in log(1e-3 .. 0.1) by halving(e.mse, trials: 9)", TRAINING.replace("lambda", "0").replace("0.02", "rate").replace("epochs   40", "epochs   36"))
    told = reports(regc, halved)[2]
    ended = sorted(c["epoch"][-1] for e in of_kind(told, "run") for c in e["curves"])
    demand(ended == 6 * [4] + 2 * [12] + [36], f"{ended}")
    demand(all(c["epoch"] == list(range(1, len(c["epoch"]) + 1)) for e in of_kind(told, "run") for c in e["curves"]), "epochs are missing")


def case_curves_of_several_trainings_and_of_sweeps_in_runs(regc):
    body = TRAINING.replace("epochs   40", "epochs   2")
    inner = f"repeat 20 {{\n{body}}}\nsweep k in 1..2 as inner {{\n{body.replace('lambda', 'k * lambda')}}}\nm = mean(inner.e.mse)\n"
    told = reports(regc, swept("lambda in [0, 1e-2]", inner))[2]
    found = curves(told, 1)
    demand([c.get("act", 1) for c in found] == list(range(1, 17)) and all(c["epoch"] == [1, 2] for c in found), f"{found}")


def case_lines_of_folds_are_their_means(regc):
    """As those of seeds, and as `best` judges; where there is nothing else, each fold is a line."""
    body = TRAINING.replace("train net on rows", "train net on fold")
    for axes, note, names in (("fold in folds(rows.train, 3), lambda in [0, 0.1], seed in 1..2", "each line is the mean over fold and seeds", ["lambda 0", "lambda 0.1"]),
                              ("lambda in [0, 0.1], fold in folds(rows.train, 3)", "each line is the mean over fold", ["lambda 0", "lambda 0.1"]),
                              ("fold in folds(rows.train, 3)", None, ["fold 1", "fold 2", "fold 3"])):
        where = placed(regc, swept(axes, body if "lambda" in axes else body.replace("lambda", "0.1"), ""), TABLE)
        regc.ok("run", "p.reg", "--quiet", "--progress=none", "--out=out", cwd=where)
        regc.ok("report", "out", "-o", "r.html", cwd=where)
        told = regc.ok("report", "out", cwd=where).split("Sweep s: loss in net\n")[1].splitlines()
        demand(note is None or told[0].strip() == note, f"{told}")
        lines = [re.split(r"  +", line.strip())[0] for line in told[(note is not None):]]
        demand(lines[:len(names)] == names and lines[len(names):len(names) + 1] != ["fold"], f"{lines}")
        runs = [json.loads(line) for line in (where / "out/metrics.jsonl").read_text().splitlines()]
        runs = [e for e in runs if e["event"] == "run"]
        demand(all(e["repeats"] == ["fold"] for e in runs), f"{runs[0]}")
        last = [float(line.split()[-1]) for line in told[(note is not None):][:len(names)]]
        for name, value in zip(names, last):
            own = [e["curves"][0]["loss"][-1] for e in runs if name in [f"{k} {v:g}" if k == "lambda" else f"{k} {v}" for k, v in e["axes"].items()]]
            demand(math.isclose(value, sum(own) / len(own), rel_tol=1e-3), f"{name}: {value} and {own}")


def case_reports_tell_what_the_runs_of_a_sweep_did(regc):
    """Variants are compiled where they are first needed, on any thread; a sweep in a loop is told each time that it acts."""
    recipes = RECIPES.replace("HOW", "[plain, without sparse, with slow]").replace(" as s {", ", seed in 1..2 as s {").replace("epochs   2", "epochs   9")
    text = recipes + "repeat 2 {\n  sweep rate in [1e30, 0.01] as twice {\n    train net on rows with plain(rate: rate)\n    v = rate\n  }\n}\n"
    where = placed(regc, text, TABLE)
    done = regc("run", "p.reg", "--quiet", "--threads=2", "--out=out", cwd=where)
    demand(done.returncode == 3, done.stderr)
    told = regc.ok("report", "out", cwd=where)
    sections = re.split(r"^(?! )", told, flags=re.M)
    found = {s.splitlines()[0]: s.splitlines()[1:] for s in sections if s}
    for title, lines in (("Sweep s: loss in net", ["plain", "without sparse", "with slow"]), ("Sweep s: l1 in net", ["plain", "with slow"]),
                         ("Sweep s: gradient norm of loss in net", ["plain", "without sparse", "with slow"]), ("Sweep s: validation loss in net", ["plain", "without sparse", "with slow"])):
        demand(title in found and found[title][0].strip() == "each line is the mean over seeds", f"{title}: {told}")
        demand([re.split(r"  +", line.strip())[0] for line in found[title][1:]] == [f"how {name}" for name in lines], f"{found[title]}")
    demand("Sweep twice: loss in net2" in found and "Sweep twice #2: loss in net2" in found, told)
    rows = [line.split(maxsplit=3) for line in found["Sweep twice #2: runs"]]
    demand(rows[0][:3] == ["run", "rate", "net.loss"] and [r[1] for r in rows[1:]] == ["1e+30", "0.01"], f"{rows}")
    demand("diverged: " in found["Sweep twice #2: runs"][1] and found["Sweep twice #2: runs"][2].endswith("finished"), f"{rows}")
    demand(re.search(r"^ +0 +plain +1 +[\d.]+ .* finished$", told, re.M), told)


def case_lines_of_other_epochs_are_told_at_theirs(regc):
    """In the table behind a plot a run that ended early has no numbers further on, and thinned curves are where they are."""
    body = TRAINING.replace("adam(lr: 0.02)", "sgd(lr: if step < 20 then 0.01 else rate)").replace("lambda", "0").replace("epochs   40", "epochs   60")
    where = placed(regc, swept("rate in [1e30, 0.01]", body), TABLE)
    regc("run", "p.reg", "--quiet", "--out=out", cwd=where)
    regc.ok("report", "out", "-o", "r.html", cwd=where)
    page = (where / "r.html").read_text()
    section = page[page.index("<h2>Sweep s: loss in net"):]
    rows = [re.findall(r"<t[hd]>(.*?)</t[hd]>", line) for line in section[:section.index("</section>")].splitlines() if "<tr>" in line]
    demand(rows[0] == ["epoch", "rate 1e+30", "rate 0.01"] and [r[0] for r in rows[1:6]] == ["1", "2", "3", "4", "5"], f"{rows[:7]}")
    demand(all(bool(a) == (int(n) <= 5) and bool(b) == (int(n) % 2 == 0) for n, a, b in rows[1:]) and rows[-1][0] == "60", f"{rows}")


def case_values_that_are_compared_are_those_that_people_read(regc):
    """`1e-3` of log(1e-4 .. 0.1, 4) is 0.0010000000000000002; a name may stand for it."""
    text = "let base = 1e-3\nsweep lambda in log(1e-4 .. 0.1, 4), k in [1, 0.01], seed in 1..3 as s { v = lambda * k * seed }\n"
    for against in "1e-3", "0.1%", "base", "0.0010000001":
        rows = reports(regc, text + f"report compare(s, by: v, against: {against})\n")[2][-1]["rows"]
        demand([round(r["lambda"], 6) for r in rows] == [0.0001, 0.01, 0.1] and all(r["n"] == 6 for r in rows), f"{against}: {rows}")
    done = regc("run", "p.reg", "--quiet", "--out=", cwd=placed(regc, text + "report compare(s, by: v, against: base)\n", TABLE))
    demand("never used" not in done.stderr, done.stderr)


def case_runs_of_sweeps_are_found_by_conditions(regc):
    text = swept("lambda in log(1e-4 .. 0.1, 4), how in [tanh, exp], seed in 1..2", "v = how(lambda * 1000) * seed\nassert v < 1e9\n")
    where = placed(regc, text + "repeat 2 {\n  sweep k in 1..3 as inner { v = k }\n}\n", TABLE)
    demand(regc("run", "p.reg", "--quiet", cwd=where).returncode == 3, "no run fails")
    (where / "q.reg").write_text(text.replace("v < 1e9", "v < 1e99"))
    regc("run", "q.reg", "--quiet", cwd=where)

    def found(*conditions):
        return [json.loads(line) for line in regc.ok("runs", "list", "--json", *conditions, cwd=where).splitlines()]
    demand([r["name"] for r in found()] == ["p-1", "q-1"] == [r["name"] for r in found("outcome~i")], "runs of sweeps are listed without being asked for")
    rows = list(csv.DictReader((where / "runs/p-1/sweep-s.csv").open()))
    for conditions, expected in ((["sweep=s", "of=p-1"], range(16)), (["sweep=s", "of=p-1", "lambda=0.001"], range(4, 8)), (["of=p-1", "how=exp", "seed=2"], range(3, 16, 4)),
                                 (["sweep=s", "of=p-1", "outcome!=finished"], [i for i, r in enumerate(rows) if r["outcome"] != "finished"]),
                                 (["sweep=s", "program~p.reg", "v<0.5"], [i for i, r in enumerate(rows) if r["v"] and float(r["v"]) < 0.5])):
        demand([r["name"] for r in found(*conditions)] == [f"p-1:s:{i}" for i in expected], f"{conditions}: {found(*conditions)}")
    demand([r["name"] for r in found("sweep=inner")] == [f"p-1:inner{act}:{i}" for act in ("", "#2") for i in range(3)], f"{found('sweep=inner')}")
    failed = found("of=p-1", "outcome=failed")[0]
    demand("`v < 1e9` does not hold" in failed["error"] and failed["how"] == "exp" and "v" not in failed, f"{failed}")
    head = regc.ok("runs", "list", "sweep=s", "v>0", cwd=where).splitlines()[0].split()
    demand(head == ["name", "outcome", "how", "lambda", "seed", "sweep", "v"], f"{head}")
    compared = regc.ok("runs", "compare", "p-1:s:0", "p-1:s:1", cwd=where)
    demand(re.search(r"^seed +1 +2$", compared, re.M) and "how" not in compared, compared)
    exported = list(csv.DictReader(regc.ok("runs", "export", "sweep=s", "of=p-1", "v>0", cwd=where).splitlines()))
    demand([float(r["v"]) for r in exported] == [float(r["v"]) for r in rows if r["v"]], f"{exported}")
    for arguments, code, words in ((["delete", "p-1:s:0"], 2, "goes with the run"), (["delete", "--yes", "sweep=s"], 2, "goes with the run"),
                                   (["list", "lambda=0.1"], 0, "ask with `sweep=NAME`"), (["show", "p-1:s:99"], 66, "there is no run `p-1:s:99`")):
        done = regc("runs", *arguments, cwd=where)
        demand(done.returncode == code and words in done.stderr, f"{arguments}: {done}")
    regc.ok("runs", "delete", "p-1", cwd=where)
    demand({r["of"] for r in found("sweep!=none")} == {"q-1"}, "runs of a run that is gone")


TIES = """values = [[1, 2, 3, 4], [2, 3, 4, 5], [1, 2, 3, 4], [1, 3, 3, 5], [1.5, 2, 3, 4.25]]
sweep k in 0..4, seed in 0..3 as s { v = values[k][seed] }
sweep k in 0..2, seed in 0..1 as two { v = values[k + 2][seed] * (1 + 0.01 * k) }
sweep k in 0..2, seed in 0..0 as one { v = k }
sweep k in 0..3, seed in 0..3 as holes {
  assert k != 1
  v = if k == 2 and seed == 0 then 0.0 / 0.0 else values[k][seed] + 0.1 * k * seed
}
sweep lambda in [0.1, 1, 10, 100], seed in 0..2 as tied {
  v = [[1, 2, 3], [1, 2, 3], [3, 1, 2], [2, 2, 2]][round(log(lambda) / log(10)) + 1][seed]
  assert lambda < 50 or seed != 1
}
report compare(s, by: v, against: 0)
report compare(two, by: v, against: 0)
report compare(one, by: v, against: 0)
report compare(holes, by: v, against: 0)
report compare(holes, by: v, against: 1)
report best(tied, by: v)
report best(tied, by: v, rule: one_se)
"""


def case_pairs_that_are_tied_few_or_not_there(regc):
    """Numbers of scipy.stats.ttest_rel and t.interval, corrected as Holm 1979 says; a difference that is the same in all pairs has no spread:
    p is 0, and of none at all there is no p."""
    where = placed(regc, TIES, TABLE)
    done = regc("run", "p.reg", "--json", "--progress=none", "--out=", cwd=where)
    demand(done.returncode == 3, done.stderr)
    told = [e for e in map(json.loads, done.stdout.splitlines()) if e["event"] == "report"]
    expected = [[[4, 1, 1, 1, 0, 0], [4, 0, 0, 0, None, None], [4, 0.5, -0.418693, 1.41869, 0.18169, 0.36338], [4, 0.1875, -0.19337, 0.56837, 0.21517, 0.36338]],
                [[2, 0.52, -5.96016, 7.00016, 0.493819, 0.904088], [2, 0.285, -2.82802, 3.39802, 0.452044, 0.904088]],
                [[1, 1, None, None, None, None], [1, 2, None, None, None, None]],
                [[0] + 5 * [None], [3, 0.4, -0.0968275, 0.896828, 0.0741799, 0.14836], [4, 0.95, -0.365368, 2.26537, 0.105137, 0.14836]], 3 * [[0] + 5 * [None]]]
    for e, rows in zip(told, expected):
        for row, numbers in zip(e["rows"], rows, strict=True):
            found = [row[key] for key in ("n", "difference", "low", "high", "p", "corrected")]
            demand(all(a is b if a is None or b is None else math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-9) for a, b in zip(found, numbers)), f"{e['name']}: {row}")
    demand([e["chosen"] for e in told[5:]] == [0, 2], "of equal means the first one is the best, by one_se the simplest; one with a failed run is none")


def case_ranks_of_pairs_are_tested(regc):
    """W and p of scipy.stats.wilcoxon (reference/signed_ranks.py), exact for few pairs without ties and zeros; corrected as Holm 1979 says."""
    cases = json.loads((ROOT / "tests/reference/signed_ranks.json").read_text())
    text = "".join(f"sweep k in 0..1, seed in 0..{len(c['differences']) - 1} as s{i} {{ v = {c['differences']}[seed] * k }}\n"
                   f"report compare(s{i}, by: v, against: 0, along: k, test: wilcoxon)\n" for i, c in enumerate(cases))
    where = placed(regc, text, TABLE)
    told = [e for e in map(json.loads, regc.ok("run", "p.reg", "--json", "--progress=none", "--out=", cwd=where).splitlines()) if e["event"] == "report"]
    for e, c in zip(told, cases, strict=True):
        row, = e["rows"]
        demand(row["n"] == len(c["differences"]) and row["test"] == c["test"] and row["W"] == c["W"], f"{row}: {c}")
        demand(math.isclose(row["p"], c["p"], rel_tol=1e-9) and row["corrected"] == row["p"] and "low" not in row, f"{row}: {c}")
        demand(math.isclose(row["difference"], statistics.mean(c["differences"]), rel_tol=1e-9, abs_tol=1e-12), f"{row}: {c}")
    three = ("sweep k in 0..3, seed in 0..5 as s { v = [[0, 0, 0, 0, 0, 0], [1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 0, 0], [1, -2, 3, 3, 5, 6]][k][seed] }\n"
             "report compare(s, by: v, against: 0, along: k, test: wilcoxon)\nreport compare(s, by: v, against: 0, along: k, test: student)\n")
    told, _, all_events = reports(regc, three)
    rows = all_events[-2]["rows"]
    demand([r["W"] for r in rows] == [0, None, 2] and [r["test"] for r in rows] == ["exact", "normal", "normal"], f"{rows}")
    demand(rows[0]["p"] == 2 / 64 and rows[0]["corrected"] == 4 / 64 and rows[1]["p"] is None and rows[2]["p"] == rows[2]["corrected"], f"{rows}")
    demand("t" in all_events[-1]["rows"][0], f"{all_events[-1]}")
    where = placed(regc, three, TABLE)
    shown = regc("run", "p.reg", "--progress=none", "--out=o", cwd=where).stdout
    demand(re.search(r"pairs +difference +W +p +Holm\n", shown) and shown.count("  exact\n") == 1 and shown.count("  normal\n") == 2, shown)
    page = regc.ok("report", "o", cwd=where)
    demand(re.search(r" n +difference +error +W +p +corrected +test\n", page), page)


def case_many_runs_of_a_sweep_are_soon_found(regc):
    """No question about ten thousand runs takes much longer than reading them from their folder does."""
    where = placed(regc, "sweep a in 1..1000, b in 1..10 as s { v = a * b }\n", TABLE)
    regc.ok("run", "-q", "--progress=none", "--out", "runs/p", "p.reg", cwd=where)

    def timed(*question):
        begun = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        told = regc.ok("runs", *question, cwd=where)
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begun, told
    reading = timed("list")[0]
    for question in (["list"], ["list", "sweep=s"], ["list", "--json", "sweep=s", "v=1000"], ["export", "sweep=s"], ["show", "sweep=s"]):
        seconds, told = timed(*question)
        demand(seconds < 3 * reading + 0.2, f"{question}: {seconds} s, reading {reading} s")
        if question[0] == "export":
            rows = list(csv.DictReader(told.splitlines()))
            demand([(float(r["a"]), float(r["b"]), float(r["v"])) for r in rows] == [(a, b, a * b) for a in range(1, 1001) for b in range(1, 11)], told[:1000])


def case_numbers_of_several_types_are_numbers_of_all_runs(regc):
    """What a function gives may be whole in the runs of one function alone; a range with a point has all numbers, without one whole ones."""
    text = """fn whole(k) = 3 * k
sweep f in [relu, tanh, whole], k in 1..2 as t {
  v = f(k)
  b = f(k) > 1.5
}
sweep a in 0.0 .. 1.0, f in [relu, exp] by search(v, trials: 12) as u { v = f(a - 0.5) }
sweep a in 0.0 .. 1.0, b in -1 .. 3 by random(50) as drawn { v = a + b }
report t
report u.v
report drawn
report best(t, by: v)
"""
    told, _, all_events = reports(regc, text)
    expected = [[1, 2], [math.tanh(1), math.tanh(2)], [3, 6]]
    demand(all(math.isclose(a, b, rel_tol=1e-6) for x, y in zip(told["t"]["v"], expected, strict=True) for a, b in zip(x, y, strict=True)), f"{told['t']}")
    demand(told["t"]["b"] == [[False, True], [False, False], [True, True]] and all_events[-1]["chosen"] == 2, f"{told['t']}")
    demand(len(set(told["u.v"])) > 6 and len(set(told["drawn"]["a"])) == 50 and set(told["drawn"]["b"]) == {-1, 0, 1, 2, 3}, f"{told}")


def case_trainings_of_one_epoch_are_tables(regc):
    """A number is no curve: a row for each line."""
    where = placed(regc, swept("lambda in log(1e-4 .. 0.1, 4), seed in 1..2", TRAINING.replace("epochs   40", "epochs   1")), TABLE)
    regc.ok("run", "p.reg", "--quiet", "--out=out", cwd=where)
    told = regc.ok("report", "out", cwd=where)
    rows = told[told.index("Sweep s: l1 in net"):].splitlines()
    demand(rows[1].strip() == "each line is the mean over seeds" and rows[2].split() == ["runs", "value"] and len(rows[3].split()) == 3, told)
    demand([row.split()[:2] for row in rows[3:7]] == [["lambda", v] for v in ("0.0001", "0.001", "0.01", "0.1")], told)
    regc.ok("report", "out", "-o", "r.html", cwd=where)
    demand("<h2>Sweep s: l1 in net</h2>\n<p>each line is the mean over seeds</p>\n<div" in (where / "r.html").read_text(), "a plot of one epoch")
