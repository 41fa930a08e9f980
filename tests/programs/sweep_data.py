"""Data of the runs of a sweep: what reads the values of a run is its own, and has the rows that it has alone; what does not fit them is a row."""
import csv
import json

from programs.cases import demand, placed
from programs.standalone import build
from programs.sweeps import TABLE, reports, training


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


LETS = """let share = 0.5
let which = 1
fn twice(k) = 2 * k * share
data rows = csv("t.csv", target: y)
data parts = rows |> split(train: share, valid: 1 - share, seed: 1)
data mixed = rows |> shuffle(seed: which)
data scaled = mixed[where x[.., 0] > which] |> scale(twice(2))
"""
VALUES = """n = size(parts.train.x, 0)
first = mixed.x[0]
middle = mean(scaled.x)
folded = size(folds(rows, which + 1)[0].test.x, 0)
picked = mean(rows[where uniform(like: id) < share].x)
data own = rows[where uniform(like: id) < 0.3 * which] |> shuffle(seed: which)
drawn = own.x[0]
"""


def case_data_that_read_an_axis_are_those_of_its_value(regc):
    """Of an axis in the place of a `let`, by its name, in data without a name, and in definitions of the block; before and behind the sweep they are as ever."""
    names = ["n", "first", "middle", "folded", "picked", "drawn"]
    outside = "".join(f"report {v} as \"{w} {v}\"\n" for w in ("before", "behind") for v in ("parts.train.x[0]", "mixed.x[0]", "mean(scaled.x)"))
    lines = outside.splitlines(keepends=True)
    runs = "sweep share in [0.5, 0.7], which in [1, 2] as s {\n" + "".join("  " + line + "\n" for line in VALUES.splitlines()) + "}\n"
    text = LETS + "".join(lines[:3]) + runs + "".join(f"report s.{n}\n" for n in names) + "".join(lines[3:])
    told = reports(regc, text, "--threads", "2")[0]
    for i, share in enumerate([0.5, 0.7]):
        for k, which in enumerate([1, 2]):
            one = LETS.replace("share = 0.5", f"share = {share}").replace("which = 1", f"which = {which}") + VALUES + "".join(f"report {n}\n" for n in names)
            alone = reports(regc, one)[0]
            for n in names:
                demand(told[f"s.{n}"][i][k] == alone[n], f"{n} with {share} and {which}: {told[f's.{n}'][i][k]}, alone {alone[n]}")
    demand(len({json.dumps(v) for row in told["s.first"] for v in row}) == 2, "a seed that is an axis draws the same")
    for v in ("parts.train.x[0]", "mixed.x[0]", "mean(scaled.x)"):
        demand(told[f"before {v}"] == told[f"behind {v}"], f"{v} is another one behind the sweep")
    where = placed(regc, text, TABLE)
    done = build(regc, where / "p.reg")("--json", "--progress", "none", "--out=", cwd=where)
    binary = {e["name"]: e.get("value") for e in map(json.loads, done.stdout.splitlines()) if e["event"] == "report"}
    demand(all(binary[f"s.{n}"] == told[f"s.{n}"] for n in names), "a binary has other data")


def case_a_seed_by_name_is_the_seed(regc):
    text = "let s = 3\ndata rows = csv(\"t.csv\", target: y)\ndata m = rows |> shuffle(seed: s)\ndata n = rows |> shuffle(seed: 4)\nreport m.x\nreport n.x\n"
    here, other = reports(regc, text)[0], reports(regc, text, "--set", "s=4")[0]
    demand(here["m.x"] != other["m.x"] == other["n.x"] == here["n.x"], "a seed that is set shuffles as before")
    said = regc("check", "p.reg", cwd=placed(regc, text, TABLE))
    demand(not said.stderr, said.stderr)
    said = regc("check", "p.reg", cwd=placed(regc, text.replace("shuffle(seed: s)", "scale(s)"), TABLE))
    demand(not said.stderr, said.stderr)


FITS = """data rows = csv("t.csv", target: y) |> split(train: 50%, valid: 50%, seed: 1)
model net(x: [4]) -> [1] = x |> dense(3) |> tanh |> dense(1)
sweep AXES as s {
  data fold = folds(OF, k)[0]
"""


def case_data_that_do_not_fit_are_a_row(regc):
    """In a grid as where values are drawn; where they fit no run, the program ends with the mistake."""
    body = "".join("  " + line + "\n" for line in training().replace("rows.valid", "fold.test").replace("on rows", "on fold").replace("lambda", "0").splitlines())
    text = FITS.replace("OF", "rows.train") + body + "}\nreport s.e.mse\nreport 1 as \"behind\"\n"
    for axes, order in ("k in [40, 3, 100, 2]", [40, 3, 100, 2]), ("k in [40, 3, 100, 2] by random(4)", None), ("k in [40, 3, 100, 2] by search(e.mse, trials: 4)", None):
        told, table, all_events = reports(regc, text.replace("AXES", axes), code=3)
        rows = list(csv.DictReader(table.splitlines()))
        demand(sorted(int(r["k"]) for r in rows) == [2, 3, 40, 100] and told["behind"] == 1, table)
        demand(order is None or [int(r["k"]) for r in rows] == order, table)
        for row, value in zip(rows, told["s.e.mse"]):
            bad = int(row["k"]) > 30
            reason = f"failed: p.reg:4:15: 30 rows are too few for {row['k']} folds"
            demand((value is None) == bad and row["outcome"] == (reason if bad else "finished"), f"{row}")
        demand(all_events[-1]["event"] == "error" and all_events[-1]["code"] == 3, f"{all_events[-1]}")
    alone = reports(regc, text.replace("AXES", "k in [2]"))[0]["s.e.mse"][0]
    demand(alone == told["s.e.mse"][[int(r["k"]) for r in rows].index(2)], "beside runs that fail one is another one")
    files = ("data here = csv(\"t.csv\", target: y)\ndata gone = csv(\"no.csv\", target: y)\n"
             "sweep d in [here, gone] as s { n = size(d.x, 0) }\nreport s.n\n")
    told, table, _ = reports(regc, files, code=3)
    demand(told["s.n"] == [60, None] and "failed: p.reg:2:13: cannot read `no.csv`" in table, f"{told}\n{table}")
    for wrong, code, reason in ((text.replace("AXES", "k in [40, 31]"), 65, "30 rows are too few for 40 folds [split_bad]"),
                                (text.replace("AXES", "k in [2, 3]").replace("target: y", "target: z"), 65, "has no column `z` [target_missing]"),
                                (text.replace("AXES", "k in [2, 3] by random(2)").replace("t.csv", "u.csv"), 66, "cannot read `u.csv`")):
        done = regc("run", "p.reg", "--out=", cwd=placed(regc, wrong, TABLE))
        demand(done.returncode == code and done.stderr.count("error:") == 1 and reason in done.stderr, f"{done.returncode}\n{done.stderr}")


def case_data_that_fail_leave_later_runs_their_message(regc):
    """What failed in one run is asked for anew in the next, and has its reason again."""
    text = ("data rows = csv(\"t.csv\", target: y)\nlet k = 2\ndata cv = folds(rows, k)\n"
            "sweep k in [2, 70, 80, 3, 90] as s { n = size(cv[0].test.x, 0) }\nreport s.n\n")
    table = reports(regc, text, code=3)[1]
    outcomes = [r["outcome"] for r in csv.DictReader(table.splitlines())]
    demand(outcomes == [f"failed: p.reg:4:47: 60 rows are too few for {k} folds" if k > 60 else "finished" for k in (2, 70, 80, 3, 90)], table)
