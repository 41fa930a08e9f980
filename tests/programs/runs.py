"""`regc runs`: what the folders of runs hold, in a store that any number of processes may bring up to date."""
import csv
import json
import sqlite3
import subprocess

from programs.cases import demand, placed

TABLE = "a,b,y\n" + "".join(f"{i % 7},{i % 5},{i % 7 - 2 * (i % 5)}\n" for i in range(40))
PROGRAM = """data rows = csv("t.csv", target: y) |> split(train: 60%, valid: 20%, test: 20%, seed: 1)
model line(x: [2]) -> [1] = x |> dense(1)
let rate = 0.01
train line on rows {
  loss     mse(line(x), y)
  penalize w in line.*.weight : 1e-3 * l2(w)
  optimize sgd(lr: rate)
  epochs   2
}
e = evaluate line on rows.test { mse, mae }
report e.mse as "error"
report line.dense1.weight
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def made(regc):
    """Three runs of one program and one that diverges."""
    where = placed(regc, PROGRAM, TABLE)
    (where / "bad.reg").write_text(PROGRAM.replace("0.01", "1e20"))
    for rate, seed in ((0.01, 0), (0.02, 0), (0.02, 5)):
        regc.ok("run", "-q", "p.reg", "--set", f"rate={rate}", "--seed", str(seed), cwd=where)
    demand(regc("run", "-q", "bad.reg", cwd=where).returncode == 3, "it does not diverge")
    return where


def found(regc, where, *conditions):
    return [json.loads(line) for line in regc.ok("runs", "list", "--json", *conditions, cwd=where).splitlines()]


def case_runs_are_listed_by_conditions(regc):
    where = made(regc)
    names = [r["name"] for r in found(regc, where)]
    demand(names == ["p-1", "p-2", "p-3", "bad-1"], f"{names}")
    for conditions, expected in ((["outcome=finished"], ["p-1", "p-2", "p-3"]), (["outcome!=finished"], ["bad-1"]), (["set.rate=0.02"], ["p-2", "p-3"]),
                                 (["set.rate>0.015", "seed.line=5"], ["p-3"]), (["program~bad"], ["bad-1"]), (["name=p-2"], ["p-2"]),
                                 (["line.loss<1e9", "line.epoch<=2", "line.epoch>=2"], ["p-1", "p-2", "p-3"]), (["nowhere=1"], []), (["error~diverged"], ["bad-1"])):
        demand([r["name"] for r in found(regc, where, *conditions)] == expected, f"{conditions}")
    text = regc.ok("runs", "list", "set.rate=0.02", cwd=where).splitlines()
    demand(text[0].split() == ["name", "outcome", "finished", "program", "set.rate"] and text[1].split()[0] == "p-2" and text[1].split()[-1] == "0.02", f"{text}")
    demand(regc.ok("runs", cwd=where).splitlines()[1:] == regc.ok("runs", "list", cwd=where).splitlines()[1:], "`regc runs` is `list`")


def case_a_run_has_what_its_files_say(regc):
    where = made(regc)
    run = found(regc, where, "name=p-3")[0]
    told = [json.loads(line) for line in (where / "runs/p-3/metrics.jsonl").read_text().splitlines()]
    last = [e for e in told if e["event"] == "epoch"][-1]
    evaluated = next(e for e in told if e["event"] == "evaluate")["metrics"]
    demand(run["line.loss"] == last["loss"] and run["line.l2"] == last["terms"]["l2"] and run["line.valid.loss"] == last["valid"]["loss"], f"{run}")
    demand(run["rows.test.mse"] == evaluated["mse"] == run["error"] and run["rows.test.mae"] == evaluated["mae"], f"{run}")
    demand(run["threads"] >= 1 and run["seed.line"] == 5 and run["set.rate"] == 0.02 and "line.dense1.weight" not in run, f"{run}")
    shown = dict(line.split(maxsplit=1) for line in regc.ok("runs", "show", "p-3", cwd=where).splitlines() if " " in line)
    demand(shown["name"] == "p-3" and abs(float(shown["line.loss"]) - last["loss"]) < 1e-6 * abs(last["loss"]), f"{shown}")
    demand(json.loads(regc.ok("runs", "show", "--json", "p-3", cwd=where)) == run, "show tells something else")
    compared = [line.split() for line in regc.ok("runs", "compare", "p-1", "p-3", cwd=where).splitlines()]
    demand(compared[0] == ["name", "p-1", "p-3"] and ["set.rate", "0.01", "0.02"] in compared and not any(row[0] == "program" for row in compared), f"{compared}")
    rows = list(csv.DictReader(regc.ok("runs", "export", cwd=where).splitlines()))
    demand([r["name"] for r in rows] == ["p-1", "p-2", "p-3", "bad-1"] and rows[3]["rows.test.mse"] == "" and float(rows[0]["set.rate"]) == 0.01, f"{rows}")
    regc.ok("runs", "export", "outcome=finished", "-o", "out.csv", cwd=where)
    demand(len((where / "out.csv").read_text().splitlines()) == 4, "the file has other rows")


def case_folders_are_what_counts(regc):
    where = made(regc)
    demand(len(found(regc, where)) == 4, "four runs")
    regc.ok("run", "-q", "p.reg", "--out", "runs/p-1", "--epochs", "3", cwd=where)
    demand(found(regc, where, "name=p-1")[0]["line.epoch"] == 3, "a run that was made again has old numbers")
    regc.ok("runs", "delete", "p-2", "bad-1", cwd=where)
    demand(not (where / "runs/p-2").exists() and [r["name"] for r in found(regc, where)] == ["p-3", "p-1"], f"{found(regc, where)}")
    (where / "runs/p-3/run.json").write_text("{")
    done = regc("runs", cwd=where)
    demand(done.returncode == 0 and "`runs/p-3` cannot be read" in done.stderr and "p-1" in done.stdout, done.stderr)


def case_many_read_at_once(regc):
    where = made(regc)
    (where / "runs/runs.sqlite").unlink(missing_ok=True)
    many = [subprocess.Popen([regc.path, "runs", "list", "--json"], cwd=where, env=regc.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(8)]
    outputs = {p.communicate()[0] for p in many}
    demand(len(outputs) == 1 and len(outputs.pop().splitlines()) == 4 and all(p.returncode == 0 for p in many), "they see different runs")
    store = sqlite3.connect(where / "runs/runs.sqlite")
    demand(store.execute("PRAGMA journal_mode").fetchone() == ("wal",) and store.execute("SELECT count(*) FROM runs").fetchone() == (4,), "the store")


def case_mistakes_of_runs(regc):
    where = placed(regc, PROGRAM, TABLE)
    for arguments, code, text in ((["runs"], 66, "there is no folder `runs`"), (["runs", "--out", "t.csv"], 66, "there is no folder `t.csv`")):
        done = regc(*arguments, cwd=where)
        demand(done.returncode == code and text in done.stderr, f"{done}")
    regc.ok("run", "-q", "p.reg", cwd=where)
    for arguments, code, text in ((["lst"], 2, "did you mean `list`?"), (["everything"], 2, "list, show, compare"), (["list", "p-1"], 2, "`p-1` is no condition"),
                                  (["show"], 2, "takes a run or several"), (["compare", "p-1"], 2, "takes two runs"), (["delete", "p-7"], 66, "no run `p-7`"),
                                  (["export", "x"], 2, "no condition"), (["export", "-o", "no/where.csv"], 73, "")):
        done = regc("runs", *arguments, cwd=where)
        demand(done.returncode == code and text in done.stderr, f"{arguments}: {done}")
    (where / "runs/p-1/mine").mkdir()
    done = regc("runs", "delete", "p-1", cwd=where)
    demand(done.returncode == 73 and "cannot be removed" in done.stderr and (where / "runs/p-1/mine").exists(), f"{done}")
