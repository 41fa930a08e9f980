"""Dates and times as columns have them. Each `case_*` function takes the compiler and raises Failure."""
import json
import math
import subprocess

from programs.cases import demand, folder
from programs.standalone import build, refused
from run import ROOT

PARTS = "[year, month, day, weekday, yearday, hour, minute, second, time]"
NET = """model net(x: [3]) -> [1] = x |> dense(1)
train net on d { loss mse(net(x), y); optimize sgd(lr: 0.1); epochs 2 }
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def table(where, texts, name="t.csv", more=""):
    (where / name).write_text(f"when{more and ',a'},y\n" + "".join(f'"{t}"{more},{k % 2}\n' for k, t in enumerate(texts)))


def program(where, body):
    (where / "p.reg").write_text(body)
    return where / "p.reg"


def case_dates_as_python_reads_them(regc):
    where = folder(regc)
    for column in json.loads((ROOT / "tests/reference/dates.json").read_text()):
        order = f", order: {column['order']}" if column["order"] else ""
        table(where, column["texts"])
        p = program(where, f'precision f64\ndata d = csv("t.csv", target: y) |> date_parts(when, {PARTS}{order})\n')
        rows = len(column["texts"])  # seven of them have as many numbers as are shown
        found = [float(v) for k in range(0, rows, 7) for v in json.loads(regc.ok("eval", "-f", p, f"d.x[{k}..{min(k + 7, rows)}]"))["values"]]
        for k, (text, wanted) in enumerate(zip(column["texts"], column["parts"], strict=True)):
            got = found[9 * k:9 * k + 9]
            demand(all(math.isclose(a, b, rel_tol=1e-15, abs_tol=1e-9) for a, b in zip(got, wanted, strict=True)), f"{column['form']}: `{text}` is {got}, not {wanted}")
        if order and "/" in column["form"]:
            p = program(where, f'data d = csv("t.csv", target: y) |> date_parts(when, {PARTS})\n')
            refused(regc, "can be month first or day first, and no other row tells", "check", p, code=65)


def case_dates_that_are_none(regc):
    """Each is told with its line and column, and what is wrong with it."""
    where = folder(regc)
    for texts, line, message in (
            (["2023-02-30"], 2, "names a day that the calendar does not have"), (["30/02/2023"], 2, "names a day that the calendar does not have"),
            (["1/28/2023", "2/30/2023"], 3, "names a day that the calendar does not have"), (["20230931"], 2, "names a day that the calendar does not have"),
            (["31.4.2023"], 2, "names a day that the calendar does not have"), (["Feb 29, 2023"], 2, "names a day that the calendar does not have"),
            (["3.28.2024", "28.3.2024"], 3, "has day and month in another order than `3.28.2024`"), (["1/28/2024", "28/1/2024"], 3, "has day and month in another order than `1/28/2024`"),
            (["1/28/2024", "2.1.2024"], 3, "has day and month in another order than `1/28/2024`"), (["01/02/03", "28/02/03"], 2, "can be month first or day first"),
            (["2024-03-01 25:00"], 2, "has no time"), (["2024-03-01 13:00 PM"], 2, "has no time"), (["2024-03-01 00:30 AM"], 2, "has no time"), (["2024-03-01 10:60"], 2, "has no time"),
            (["2024-03-01T10:00 CET"], 2, "has a zone that is none of Z, UTC, GMT"), (["2024-03-01T10:00+24:00"], 2, "has a zone"), (["2024-03-01T10:00:00x"], 2, "has a zone"),
            (["2024-03-01 10:00 1"], 2, "goes on behind"), (["Sat, 01 Mar 2024"], 2, "is not on the weekday that it names"), (["1/28/2024", "Mai 1, 2024"], 3, "is no date such as"),
            (["202403011"], 2, "is no date such as"), (["1 Mar 024"], 2, "is no date such as"), (["2024-3-1-2"], 2, "has no time"), (["13/13/2024"], 2, "names a day")):
        table(where, texts)
        p = program(where, f'data d = csv("t.csv", target: y) |> date_parts(when, {PARTS})\n')
        refused(regc, f"t.csv:{line}:1: `{texts[line - 2]}` in column `when` {message}", "check", p, code=65)
    table(where, ["28/02/2023"])
    for order, code, message in (("mdy", 65, "is no date with the month first"), ("ymd", 65, "is no date with the year first"), ("ydm", 1, "expected mdy, dmy or ymd, found ydm")):
        refused(regc, message, "check", program(where, f'data d = csv("t.csv", target: y) |> date_parts(when, [day], order: {order})\n'), code=code)


def case_the_order_of_a_column_is_learned(regc):
    """`predict` and binaries read other rows by it, also those that tell nothing, and refuse what goes against it."""
    where = folder(regc)
    table(where, ["01/02/2024", "02/28/2024", "03/04/2024", "04/05/2024"])
    p = program(where, f'data d = csv("t.csv", target: y) |> date_parts(when, [month, day, year])\n{NET}')
    regc.ok("run", p, "-q", "--out", where / "run")
    binary = build(regc, p)
    table(where, ["05/06/2024", "13/12/2024", "06/07/2024"], "new.csv")
    table(where, ["May 6, 2024", "2024-06-07"], "same.csv")
    wanted = [line.split(",")[1] for line in regc.ok("predict", p, "--weights", where / "run", "--in", where / "same.csv").splitlines()[1:]]
    for start in (("predict", p), None):
        def predict(*more):
            arguments = ("--weights", where / "run", "--in", where / "new.csv", *more)
            return regc(*start, *arguments) if start else binary("predict", *arguments)
        done = predict()
        demand(done.returncode == 65 and "new.csv:3:1: `13/12/2024` in column `when` is no date with the month first" in done.stderr, f"{start}: {done.stderr}")
        done = predict("--bad-rows=skip")
        demand(done.returncode == 0 and [line.split(",")[1] for line in done.stdout.splitlines()[1:]] == wanted, f"{start}: {done.stdout} {done.stderr} instead of {wanted}")
    table(where, ["2024-01-02", "2024-02-28"])
    regc.ok("run", p, "-q", "--out", where / "run")
    refused(regc, "new.csv:2:1: `05/06/2024` in column `when` can be month first or day first", "predict", p, "--weights", where / "run", "--in", where / "new.csv", code=65)


def case_divided_by_dates_of_an_order(regc):
    where = folder(regc)
    dates = ["02/03/24", "01/04/24", "12/01/23", "03/02/24"]
    table(where, dates, more=",1")
    for order, last in (("mdy", 3), ("dmy", 1), ("ymd", 2)):
        p = program(where, f'data g = csv("t.csv", target: y, group: when)\n'
                    f"data d = g |> split(train: 75%, test: 25%, time: when, order: {order})\ndata f = folds(g, 3, time: when, order: {order})[2]\n")
        for part in ("d", "f"):
            found = json.loads(regc.ok("eval", "-f", p, f"{part}.test.id"))["values"]
            demand([int(i) for i in found] == [last], f"{order}: {part}.test has {found}")
    for how, code, message in (("time: when", 65, "`01/04/24` can be month first or day first"), ("order: mdy", 1, "`split` needs `time`"), ("time: when, order: 3", 1, "expected mdy, dmy or ymd")):
        refused(regc, message, "check", program(where, f'data d = csv("t.csv", target: y, group: when) |> split(train: 75%, test: 25%, {how})\n'), code=code)
    table(where, ["2024-01-03T10:00:00+02:00", "2024-01-03 09:00", "Jan 3, 2024 8:30 AM"], more=",1")
    found = regc.ok("eval", "-f", program(where, 'data d = csv("t.csv", target: y, group: when) |> split(train: 67%, test: 33%, time: when)\n'), "d.train.id")
    demand(json.loads(found)["values"] == [0, 2], f"times of zones: {found}")


def case_dates_are_shown(regc):
    """`regc data` of a file finds them, and what it suggests can be read."""
    where = folder(regc)
    for text, piece in (("03/28/2024", "date_parts(when, [year, month, weekday])"), ("03/04/2024", "date_parts(when, [year, month, weekday], order: mdy)"), ("20240304", "date_parts(when, [year"),
                        ("Mar 4, 2024", "date_parts(when, [year, month, weekday])"), ("2024-03-04T10:00:00Z", "date_parts(when, [year")):
        (where / "t.csv").write_text("when,y\n" + f'"{text}",1\n' * 6 + f'"{text}",0\n' * 6)
        shown = regc.ok("data", "t.csv", cwd=where)
        definition = shown.partition("is what is predicted:\n\n")[2]
        demand(piece in definition and " date " in shown, f"{text}: {shown}")
        done = subprocess.run(regc.line("data", "-"), input=definition, capture_output=True, text=True, cwd=where)
        demand(done.returncode == 0, f"{text}: {definition}{done.stderr}")
