"""`regc runs`: what the folders of runs hold, in a store that any number of processes may bring up to date."""
import csv
import html.parser
import json
import re
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
report 2 * e.mse as "error"
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
                                 (["line.loss<1e9", "line.epoch<=2", "line.epoch>=2"], ["p-1", "p-2", "p-3"]), (["nowhere=1"], []), (["error~diverged"], ["bad-1"]),
                                 (["rows.test.mse < 1e9"], ["p-1", "p-2", "p-3"]), (["mae<1e9", "rate = 0.01"], ["p-1"]), (["finished > 2020-01-01"], names),
                                 (["finished<2020"], []), (["mae>abc"], []), (["error #2 > 0"], ["p-1", "p-2", "p-3"])):
        demand([r["name"] for r in found(regc, where, *conditions)] == expected, f"{conditions}")
    unclear = regc("runs", "list", "loss<1", cwd=where)
    demand(unclear.returncode == 2 and "`line.loss` or `line.valid.loss`" in unclear.stderr, f"{unclear}")
    demand("no run has `set.rte`; did you mean `set.rate`?" in regc("runs", "list", "set.rte=1", cwd=where).stderr, "no suggestion")
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
    demand(run["rows.test.mse"] == evaluated["mse"] == run["error"] and abs(run["error #2"] - 2 * run["error"]) <= 1e-6 * run["error"] and run["rows.test.mae"] == evaluated["mae"], f"{run}")
    demand(run["threads"] >= 1 and run["seed.line"] == 5 and run["set.rate"] == 0.02 and "line.dense1.weight" not in run, f"{run}")
    shown = dict(line.split(maxsplit=1) for line in regc.ok("runs", "show", "p-3", cwd=where).splitlines() if " " in line)
    demand(shown["name"] == "p-3" and abs(float(shown["line.loss"]) - last["loss"]) < 1e-6 * abs(last["loss"]), f"{shown}")
    demand(json.loads(regc.ok("runs", "show", "--json", "p-3", cwd=where)) == run, "show tells something else")
    compared = [line.split() for line in regc.ok("runs", "compare", "p-1", "p-3", cwd=where).splitlines()]
    demand(compared[0] == ["name", "p-1", "p-3"] and ["set.rate", "0.01", "0.02"] in compared and not any(row[0] == "program" for row in compared), f"{compared}")
    rows = list(csv.DictReader(regc.ok("runs", "export", cwd=where).splitlines()))
    demand([r["name"] for r in rows] == ["p-1", "p-2", "p-3", "bad-1"] and rows[3]["rows.test.mse"] == "" and float(rows[0]["set.rate"]) == 0.01 and
           float(rows[2]["rows.test.mse"]) == run["rows.test.mse"], f"{rows}")
    regc.ok("runs", "export", "outcome=finished", "-o", "out.csv", cwd=where)
    demand(len((where / "out.csv").read_text().splitlines()) == 4, "the file has other rows")


def case_folders_are_what_counts(regc):
    where = made(regc)
    demand(len(found(regc, where)) == 4, "four runs")
    regc.ok("run", "-q", "p.reg", "--out", "runs/p-1", "--epochs", "3", cwd=where)
    demand(found(regc, where, "name=p-1")[0]["line.epoch"] == 3, "a run that was made again has old numbers")
    regc.ok("runs", "delete", "p-2", "bad-1", cwd=where)
    demand(not (where / "runs/p-2").exists() and [r["name"] for r in found(regc, where)] == ["p-3", "p-1"], f"{found(regc, where)}")
    done = regc("runs", "delete", "set.rate=0.02", cwd=where)
    demand(done.returncode == 2 and done.stdout == "p-3\n" and "--yes" in done.stderr and (where / "runs/p-3").exists(), f"{done}")
    (where / "runs/p-3/run.json").write_text("{")
    done = regc("runs", cwd=where)
    demand(done.returncode == 0 and "`runs/p-3` cannot be read" in done.stderr and "p-1" in done.stdout, done.stderr)
    regc.ok("runs", "delete", "epoch=3", "--yes", cwd=where)
    demand(not (where / "runs/p-1").exists(), "it is still there")


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
    regc.ok("run", "-q", "p.reg", cwd=where)
    (where / "runs/p-2/notes.txt").touch()
    done = regc("runs", "delete", "p-1", "p-2", cwd=where)
    demand(done.returncode == 73 and "it holds `notes.txt`, which no run has left there" in done.stderr and (where / "runs/p-1/weights.safetensors").exists(), f"{done}")
    (where / "runs/p-2").rename(where / "elsewhere")
    (where / "runs/p-2").symlink_to(where / "elsewhere")
    (where / "elsewhere/notes.txt").unlink()
    done = regc("runs", "delete", "p-2", cwd=where)
    demand(done.returncode == 73 and (where / "elsewhere/run.json").exists(), f"{done}")


class Page(html.parser.HTMLParser):
    """What a report's page holds: its headings, tables by heading, polylines, and whatever would need a network."""

    def __init__(self, text):
        super().__init__()
        self.open, self.headings, self.tables, self.lines, self.circles, self.foreign = [], [], {}, {}, {}, []
        self.feed(text)
        demand(not self.open, f"left open: {self.open}")

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.foreign += [f"{tag} {key}" for key in given if key in ("src", "href", "srcset")]
        if tag not in ("meta", "path", "circle", "polyline", "rect"):
            self.open.append(tag)
        if tag == "polyline" and "li" not in self.open:
            self.lines.setdefault(self.headings[-1], []).append([tuple(map(float, p.split(","))) for p in given["points"].split()])
        if tag == "circle" and "li" not in self.open:
            self.circles[self.headings[-1]] = self.circles.get(self.headings[-1], 0) + 1
        if tag == "h2":
            self.headings.append("")
        if tag == "tr":
            self.tables.setdefault(self.headings[-1], []).append([])
        if tag in ("td", "th"):
            self.tables[self.headings[-1]][-1].append("")

    def handle_endtag(self, tag):
        if tag not in ("path", "circle", "polyline", "rect"):
            demand(self.open and self.open.pop() == tag, f"`{tag}` is closed and was not open")

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.headings[-1] += data
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[self.headings[-1]][-1][-1] += data


REPORTED = PROGRAM.replace("epochs   2", "epochs   7\n  log      size = norm(line.*)").replace('as "error"', 'as "<b>&\\"error\\""') + """
sweep strength in log(1e-4 .. 1, 5), seed in 1..3 as path {
  v = strength + seed
  w = [[strength, seed], [2, strength * seed]]
}
report best(path, by: v, rule: one_se)
report compare(path, by: v, against: 1e-4)
report plot(path, w, over: strength) as "the path"
report plot(path, v, over: seed)
"""


def case_a_report_is_one_page(regc):
    where = placed(regc, REPORTED, TABLE)
    regc.ok("run", "-q", "p.reg", "--out", "here", cwd=where)
    regc.ok("report", "here", "-o", "r.html", cwd=where)
    text = (where / "r.html").read_text()
    page = Page(text)
    demand(not page.foreign and "://" not in text and "<script" not in text, f"{page.foreign}")
    told = [json.loads(line) for line in (where / "here/metrics.jsonl").read_text().splitlines()]
    epochs = [e for e in told if e["event"] == "epoch"]
    table = page.tables["Training line: loss"]
    demand(table[0] == ["epoch", "loss", "objective", "validation"] and len(table) == 8, f"{table}")
    for row, e in zip(table[1:], epochs, strict=True):
        demand(row[0] == str(e["epoch"]) and all(abs(float(a) - b) <= 1e-5 * abs(b) for a, b in
               zip(row[1:], (e["loss"], e["objective"], e["valid"]["loss"]))), f"{row}")
    lines = page.lines["Training line: loss"]
    lowest, highest = [f(v for e in epochs for v in (e["loss"], e["objective"], e["valid"]["loss"])) for f in (min, max)]
    demand([len(line) for line in lines] == [7, 7, 7] and all(abs(y - (222 - (e["loss"] - lowest) / (highest - lowest) * 208)) < 0.11
                                                             for (_, y), e in zip(lines[0], epochs)), f"{lines[0]}")
    demand(page.tables["Training line: logs"][0] == ["epoch", "size"] and page.tables["Training line: terms"][0] == ["epoch", "l2"], f"{page.headings}")
    demand(page.circles["Sweep path: v by strength"] == 15 and len(page.lines["Sweep path: v by strength"][0]) == 5, f"{page.circles}")
    demand(len(page.tables["Sweep path: runs"]) == 16 and page.tables["Evaluations"][1][3] == "mse", f"{page.tables['Evaluations']}")
    best = page.tables["best(path, by: v, rule: one_se)"]
    demand(best[0] == ["strength", "n", "mean", "error", ""] and sum(row[-1] == "best" for row in best) == 1, f"{best}")
    demand(len(page.tables["compare(path, by: v, against: 1e-4)"]) == 5 and page.tables["Reports"][1][0] == '<b>&"error"', f"{page.tables['Reports']}")
    demand(all(re.search(r"</svg>\s*(<ul.*</ul>\s*)?<details>", part, re.S) for part in text.split("<svg viewBox=\"0 0 560")[1:]), "a plot without numbers")
    shown = regc.ok("report", "here", cwd=where)
    path = page.tables["the path"]
    demand(path[0] == ["strength", "[0, 0]", "[0, 1]", "[1, 0]", "[1, 1]"] and len(page.lines["the path"]) == 4, f"{path}")
    demand(all(abs(float(v) - w) < 1e-6 for row in path[1:] for s in [float(row[0])] for v, w in zip(row[1:], (s, 2, 2, 2 * s), strict=True)), f"{path}")
    seeds = page.tables["plot(path, v, over: seed)"]
    demand(seeds[0] == ["seed", "value"] and [round(float(r[1]) - float(r[0]), 4) for r in seeds[1:]] == [0.2222] * 3, f"{seeds}")
    dots = page.tables["predictions: predictions"]
    demand(dots[0] == ["y", "rows"] and len(dots) == 9, f"{dots}")
    demand("Training line: loss" in shown and "Sweep path: runs" in shown and re.search("loss +[▁-█]{7}  ", shown), shown)
    demand(re.search(r"loss +[_.,~+*#-]{7}  ", regc.ok("report", "here", cwd=where, LC_ALL="C")), "no blocks without UTF-8")


CLASSES = """data rows = csv("t.csv", target: kind) |> split(train: 50%, test: 50%, stratify: kind, seed: 1)
model net(x: [2]) -> [3] = x |> dense(8) |> tanh |> dense(3)
train net on rows {
  loss     cross_entropy(net(x), kind)
  optimize adam(lr: 0.05)
  epochs   5
}
evaluate net on rows.test { accuracy, confusion, ece(bins: 10), reliability }
"""


def case_a_report_tells_what_predictions_and_weights_say(regc):
    kinds = ['"a, ""b"""', "<i>", "a class with a rather long name"]
    where = placed(regc, CLASSES, "a,b,kind\n" + "".join(f"{i % 7},{i % 5},{kinds[(i % 7 + i % 4) % 3]}\n" for i in range(120)))
    regc.ok("run", "-q", "p.reg", "--out", "here", cwd=where)
    regc.ok("report", "here", "-o", "r.html", cwd=where)
    page = Page((where / "r.html").read_text())
    measured = json.loads((where / "here/metrics.jsonl").read_text().splitlines()[-1])["metrics"]
    with open(where / "here/predictions.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    table = page.tables["net on rows.test: confusion"]
    names = table[0][1:]
    counts = [[sum(r["kind"] == actual and r["predicted"] == given for r in rows) for given in names] for actual in names]
    demand(sorted(names) == ["<i>", 'a class with a rather long name', 'a, "b"'] and [r[0] for r in table[1:]] == names and [[float(v) for v in r[1:]] for r in table[1:]] == counts, f"{table}")
    demand(not any("predictions: confusion" in h for h in page.headings), "the confusion is told twice")
    bins = page.tables["predictions: reliability"][1:]
    shares = [[float(r[2]) / len(rows), float(r[3]), float(r[4])] for r in bins]
    expected = [r for r in measured["reliability"] if r[0] > 0]
    demand(all(abs(a - b) < 1e-4 for r, e in zip(shares, expected, strict=True) for a, b in zip(r, e)), f"{shares} {expected}")
    demand(len(page.tables["net on rows.test: reliability"]) == 11, "other tables of metrics are shown as they are")
    shown = regc.ok("report", "here", cwd=where)
    demand(f"expected calibration error {measured['ece(bins: 10)']:.4f}" in shown, f"{measured['ece(bins: 10)']}: {shown}")
    data = page.tables["net.dense1.weight [2, 8]"]
    demand(data[0] == ["from", "to", "elements"] and sum(float(r[2]) for r in data[1:]) == 16, f"{data}")
    tensors = page.tables["weights"]
    demand([r[:2] for r in tensors[1:]] == [["net.dense1.weight", "[2, 8]"], ["net.dense1.bias", "[8]"], ["net.dense2.weight", "[8, 3]"], ["net.dense2.bias", "[3]"]], f"{tensors}")
    demand(float(data[1][0]) == float(f"{float(data[1][0]):.6g}") and abs(float(tensors[1][4]) - float(data[1][0])) < 1e-3, f"{tensors[1]}")
    (where / "here/weights.safetensors").write_bytes(b"none")
    with (where / "here/predictions.csv").open("a") as f:
        f.write('1,"x\n')
    (where / "here/predictions-2-none.csv").write_text("")
    regc.ok("report", "here", cwd=where)


def case_reports_of_what_is_not_whole(regc):
    where = made(regc)
    text = regc.ok("report", "bad-1", cwd=where)
    demand("diverged at step" in text and "Training line: loss" in text, text)
    demand(regc("report", "runs/p-1", cwd=where).stdout == regc("report", "p-1", cwd=where).stdout, "a folder and a name")
    with (where / "runs/p-1/metrics.jsonl").open("a") as f:
        f.write('{"event":"epo')
    regc.ok("report", "p-1", cwd=where)
    with (where / "runs/p-1/metrics.jsonl").open("a") as f:
        f.write('ch"\n')
    for arguments, code, words in ((["p-1"], 65, "cannot be read"), (["nowhere"], 66, "no folder of a run"), ([], 2, "the folder of one run"),
                                   (["p-2", "-o", "no/where.html"], 73, "")):
        done = regc("report", *arguments, cwd=where)
        demand(done.returncode == code and words in done.stderr, f"{arguments}: {done}")
