"""Sweeps `by search` and `by halving`: what is chosen next depends on rounds that are over, and on nothing else."""
import csv
import json
import statistics
import textwrap

from programs.cases import demand, placed
from programs.standalone import build
from programs.sweeps import TABLE, killed, reports, swept, told_of, training


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


SEARCHED = """sweep seed in 1..20 as many {
  sweep a in log(1e-4 .. 1), b in -1.5 .. 1.5, k in 1..8, how in [once, twice], c in [1, 5, 2] by search(v, trials: 40) as t {
    v = (log(a) / log(10) + 2.6)^2 + (b - 0.4)^2 + 0.1 * (how(k) - 6)^2 + 0.2 * (c - 1)
    assert c < 5
  }
  least = min(select(t.v < 1e9, t.v, 1e9))
}
report mean(many.least) as "search"
"""
ONCE = "fn once(k) = k\nfn twice(k) = 2 * k\nfn select(c, a, b) = if c then a else b\n"


def case_a_search_finds_better_than_random_draws(regc):
    """A smooth function of five axes, of which two are things or lists without an order, and some runs fail; 40 trials, the mean of 20 seeds."""
    drawn = SEARCHED[SEARCHED.index("  sweep"):SEARCHED.index("  least")].replace("search(v, trials: 40)", "random(800)") + "report t.v\n"
    where = placed(regc, ONCE + textwrap.dedent(drawn), TABLE)
    values = next(e["value"] for e in map(json.loads, regc("run", "p.reg", "--json", "--out=", cwd=where).stdout.splitlines())
                  if e.get("name") == "t.v")
    control = statistics.mean(min(v for v in values[i:i + 40] if v is not None) for i in range(0, 800, 40))
    (where / "p.reg").write_text(ONCE + SEARCHED)
    outs = []
    for threads in "1", "2":
        regc("run", "p.reg", "--quiet", "--progress=none", "--threads", threads, "--out", threads, cwd=where)
        outs.append(told_of(where / threads))
    found = next(e["value"] for e in map(json.loads, outs[0]) if e.get("name") == "search")
    demand(outs[0] == outs[1], "another number of threads finds something else")
    demand(found < 0.75 * control, f"{found} by search, {control} by random draws")


def case_a_search_makes_no_combination_twice(regc):
    """Where all of them are made it ends; bits are those of the combination alone, on any number of threads, and gone on from a kill."""
    body = training().replace("l1(w)", "how(w)")
    text = swept("lambda in [0, 0.1, 0, 1e-3], seed in 3..5, how in [l1, l2] by search(e.mse, trials: 40)", body, "report s\nreport s.e.mse\n")
    where = placed(regc, text, TABLE)
    done = regc("run", "p.reg", "--out=a", "--threads=1", cwd=where)
    demand(done.returncode == 0 and done.stderr.count("has 40 trials, its axes have 18 combinations of values: each is made once [search_exhausts]") == 1, done.stderr)
    table = (where / "a/sweep-s.csv").read_text()
    rows = list(csv.DictReader(table.splitlines()))
    demand(len(rows) == 18 == len({(r["lambda"], r["seed"], r["how"]) for r in rows}), table)
    grid = {tuple(r[k] for k in ("lambda", "seed", "how")): r["e.mse"] for r in
            csv.DictReader(reports(regc, swept("lambda in [0, 0.1, 1e-3], seed in 3..5, how in [l1, l2]", body))[1].splitlines())}
    demand(all(grid[r["lambda"], r["seed"], r["how"]] == r["e.mse"] for r in rows), "a run is another one than in a grid")
    build(regc, where / "p.reg").ok("--out=b", "--threads=2", "--progress=none", cwd=where)
    demand((where / "b/sweep-s.csv").read_text() == table, "a binary on two threads searches something else")
    for trials, few in (17, "a in [1, 2, 3], b in 1..6, c in [true]"), (30, "a in 1..100000, b in [exp]"):
        told, table, _ = reports(regc, swept(f"{few} by search(v, trials: {trials})", "v = a\n" if "b in 1" not in few else "v = a * b + (if c then 1 else 0)\n").replace("v = a\n", "v = b(-a)\n"))
        rows = [tuple(r.values())[:-2] for r in csv.DictReader(table.splitlines())]
        demand(len(rows) == trials == len(set(rows)), table)


def case_draws_make_no_combination_twice(regc):
    """The first of many are those of fewer; a draw of a range makes each combination another one."""
    def drawn(axes, by, body="v = a + b + (if c then 1 else 0)\n", *more):
        told, table, _ = reports(regc, swept(f"{axes} by {by}", body), *more)
        return [tuple(r.values())[:3] for r in csv.DictReader(table.splitlines())]
    axes = "a in [1, 2, 3, 2], b in 1..6, c in [true, false]"
    for more in [], ["--seed", "7"]:
        rows = [drawn(axes, f"random({n})", "v = a + b + (if c then 1 else 0)\n", *more) for n in (5, 30, 36)]
        demand(all(len(set(r)) == len(r) == n for r, n in zip(rows, (5, 30, 36))), f"{rows}")
        demand(rows[0] == rows[2][:5] and rows[1] == rows[2][:30], "a trial depends on how many there are")
        demand(sorted(rows[2]) != rows[2], "they are made in the order of a grid")
    demand(drawn(axes, "halving(v, trials: 36)", "v = a + b + (if c then 1 else 0)\n", "--seed", "7") == rows[2], "halving has other values")
    mixed = drawn("a in [1, 2], b in 0.0 .. 1, c in [true]", "random(40)")
    demand(len(mixed) == 40 == len(set(mixed)), f"{mixed}")
    where = placed(regc, swept("a in [1, 2, 1], b in 1..2 by random(9)", "v = a + b\n"), TABLE)
    said = regc("check", "p.reg", cwd=where)
    demand(said.returncode == 0 and "the sweep has 9 trials, its axes have 4 combinations of values: each is made once [search_exhausts]" in said.stderr, said.stderr)
    demand(regc("run", "p.reg", "--out=o", cwd=where).returncode == 0 and len((where / "o/sweep-s.csv").read_text().splitlines()) == 5, "not four runs")
    demand(len(set(drawn("a in 1..1000000000, b in 1..3, c in [true]", "random(20)"))) == 20, "a range of many whole numbers")


def case_draws_of_few_values_that_were_killed_go_on(regc):
    text = swept("lambda in [0, 0.1, 0.01], seed in 1..3 by random(9)", training().replace("epochs   2", "epochs   40"), "report s.e.mse\n")
    killed(regc, text, 0)


HALVED = swept("rate in log(1e-4 .. 1), lambda in log(1e-5 .. 1e-2) by halving(e.mse, trials: 9)",
               training().replace("adam(lr: 0.02)", "adam(lr: cosine(rate -> 0))").replace("epochs   2", "epochs   18"), "report s.w\nreport best(s, by: e.mse)\n")


def case_halving_goes_on_with_the_better_ones(regc):
    told, table, all_events = reports(regc, HALVED)
    rows = list(csv.DictReader(table.splitlines()))
    epochs = sorted(int(row["net.epochs"]) for row in rows)
    demand(epochs == 6 * [2] + 2 * [6] + [18], f"{epochs}")
    demand([row["outcome"] for row in rows].count("finished") == 1 and sum("stopped after 0.111" in row["outcome"] for row in rows) == 6, table)
    first = {row["rate"]: float(row["e.mse"]) for row in rows if row["net.epochs"] == "2"}
    demand(min(first.values()) >= max(float(row["e.mse"]) for row in rows if row["net.epochs"] != "2") - 5, "the worse ones went on")
    full = reports(regc, HALVED.replace("halving(e.mse, trials: 9)", "random(9)"))
    best = [row["outcome"] for row in rows].index("finished")
    demand(all(told["s.w"][path][best] == full[0]["s.w"][path][best] for path in told["s.w"]), "the run that ended is another one than alone")
    where = placed(regc, HALVED, TABLE)
    done = [regc("run", "p.reg", "--quiet", "--progress=none", *more, cwd=where).stdout for more in (["--out=", "--threads=1"], ["--out=o", "--threads=2"])]
    demand(done[0] == done[1], "one thread without a folder gives something else")
    demand(next(e for e in all_events if e["event"] == "report" and "chosen" in e)["chosen"] == best, "the best is one that has stopped")


def case_halving_that_was_killed_goes_on(regc):
    killed(regc, HALVED.replace("epochs   18", "epochs   90").replace("report best", "report s.e.mse\nreport best"), 0)


def case_a_search_of_few_values_that_was_killed_goes_on(regc):
    text = swept("lambda in [0, 0.1, 0.01], seed in 1..3 by search(e.mse, trials: 9)", training().replace("epochs   2", "epochs   40"), "report s.e.mse\n")
    killed(regc, text, 0)
