"""`regc predict` and `regc evaluate`, and those of binaries: what predictions mean, rows that cannot be read. Each `case_*` function takes the
compiler and raises Failure."""
import csv
import io
import json
import math
import subprocess

from programs.cases import demand, events, folder, of_kind

DATA = """data d = csv("rows.csv", target: kind, id: who) |> one_hot(color) |> date_parts(day, [weekday]) |> impute(mean, columns: size)
  |> log1p(weight) |> standardize |> split(train: 80%, test: 20%, stratify: kind, seed: 1)
"""
KINDS = DATA + """model net(x: [..]) -> [3] = x |> dense(3)
train net on d {
  loss     cross_entropy(net(x), kind)
  penalize w in net.*.weight : 1e-2 * l2(w)
  solve    to gap 1e-9
}
evaluate net on d.test { accuracy }
"""
# Losses, what their model gives, and what is to be predicted of it: the header, and numbers by a row's output.
UNITS = {
    "squared_error(net(x), y)": ("y", lambda z: z),
    "squared_error(net(x), (y - 3) / 2)": ("y", lambda z: 2 * z + 3),
    "squared_error(net(x), 1 - scale * log(y))": ("y", lambda z: math.exp((1 - z) / 2)),
    "squared_error(net(x), y |> log1p) + 0 * mean(net(x)^2)": ("y", math.expm1),
    "squared_error(net(x), 2 / exp(0.1 * y))": ("y", lambda z: math.log(2 / z) / 0.1),
    "squared_error(z, target)": ("y", lambda z: z * 4),
    "squared_error(net(x), y^2)": ("output_0", lambda z: z),
    "squared_error(net(x), y * sure)": ("output_0", lambda z: z),
    "poisson(net(x), y)": ("y", math.exp),
    "binary_cross_entropy(net(x), sure)": ("predicted,probability_1", lambda z: 1 / (1 + math.exp(-z))),
    "binary_cross_entropy(net(x), y > 5)": ("probability_0", lambda z: 1 / (1 + math.exp(-z))),
    "seen_as(net(x), y)": ("y", lambda z: z ** 3),
}


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def rows(home):
    lines = ["who,color,day,size,weight,kind"]
    for i in range(60):
        lines.append(f"r{i},{'red green blue'.split()[i % 3]},2024-03-{1 + i % 28:02},{round(math.sin(i), 3) if i % 7 else ''},{i % 9},{'abc'[(i + i // 5) % 3]}")
    (home / "rows.csv").write_text("\n".join(lines) + "\n")
    (home / "p.reg").write_text(KINDS)


def case_rows_that_cannot_be_read(regc):
    """The first one is refused, or all are told with their lines and left out; the others have the id of their own column, or their place."""
    home = folder(regc)
    rows(home)
    found = events(regc, "--out", home / "run", home / "p.reg")
    told = regc.ok("evaluate", home / "p.reg", "--weights", home / "run", "--json", cwd=home)
    demand(json.loads(told.splitlines()[1])["metrics"] == of_kind(found, "evaluate")[0]["metrics"], f"evaluate: {told}")
    whole = table((home / "run" / "predictions.csv").read_text())
    regc.ok("build", "-q", home / "p.reg", "-o", home / "p")
    lines = (home / "rows.csv").read_text().splitlines()
    bad = [lines[0], lines[1], lines[2].replace("green", "mauve"), lines[3].replace("2024-03-03", "2024-33-03"), '"r9","red', "r10,red,2024-03-01,1",
           lines[4].replace(",3,", ",three,"), lines[5].replace(",4,", ",-4,"), lines[6].replace(",5,", ",,"), 'q"x,red,2024-03-01,1,1,a', lines[7], lines[8]]
    (home / "in.csv").write_text("\n".join(bad) + "\n")
    run = ("--weights", home / "run", "--in", home / "in.csv")
    done = regc("predict", home / "p.reg", *run, cwd=home)
    demand(done.returncode == 65 and "in.csv:5:2: misplaced quote" in done.stderr and not done.stdout, done.stderr)
    done = regc("predict", home / "p.reg", *run, "--bad-rows=skip", cwd=home)
    places = [line.split("in.csv:")[1].split(":")[0] for line in done.stderr.splitlines()[:-1]]
    demand(done.returncode == 0 and sorted(places, key=int) == list("3456789") + ["10"], done.stderr)
    demand(done.stderr.splitlines()[-1] == "8 rows left out", done.stderr)
    good = table(done.stdout)
    demand([r["who"] for r in good] == ["r0", "r6", "r7"] and list(good[0])[1:] == ["predicted", *(f"probability_{k}" for k in "abc")], done.stdout)
    binary = subprocess.run([home / "p", "predict", *run, "--bad-rows=skip", "--out", home / "y.csv"], cwd=home, capture_output=True, text=True)
    demand((binary.returncode, binary.stderr, (home / "y.csv").read_text()) == (0, done.stderr, done.stdout), f"the binary: {binary.stderr}")
    (home / "in.csv").write_text("\n".join(line.partition(",")[2] for line in bad) + "\n")
    nameless = table(regc.ok("predict", home / "p.reg", *run, "--bad-rows=skip", cwd=home))
    demand([r["id"] for r in nameless] == ["0", "8", "9", "10"], f"{nameless}")
    (home / "in.csv").write_text("\n".join(bad[:1] + bad[5:6]) + "\n")
    done = regc("predict", home / "p.reg", *run, "--bad-rows=skip", cwd=home)
    demand(done.returncode == 65 and "1 row left out" in done.stderr, done.stderr)
    predicted = {r["who"]: r for r in table(regc.ok("predict", home / "p.reg", "--weights", home / "run", "--in", home / "rows.csv", cwd=home))}
    for r in whole:  # softmax of what the run wrote
        scores = [math.exp(float(r[f"output_{k}"])) for k in "abc"]
        other = predicted[r["who"]]
        demand(other["predicted"] == r["predicted"] and all(abs(s / sum(scores) - float(other[f"probability_{k}"])) < 1e-5 for s, k in zip(scores, "abc")), f"{r} {other}")


def case_numbers_have_their_unit(regc):
    """By the loss's response, and the inverse of what it makes of the target; of another form predictions are the model's outputs."""
    home = folder(regc)
    lines = [f"{round(math.sin(1.7 * i), 3)},{i % 2},{1 + i % 8}" for i in range(40)]
    (home / "rows.csv").write_text("a,sure,y\n" + "\n".join(lines) + "\n")
    (home / "new.csv").write_text("a\n0.5\n-2\n")
    text = ('let scale = 2\ndata d = csv("rows.csv", target: [y, sure])\nmodel net(x: [1]) -> [1] = 3 + x |> dense(1) |> softplus\n'
            "loss seen_as(z: [..], y) = (flat(z)^3 - flat(y))^2\nresponse seen_as(z: [..]) = z^3\n")
    for k, loss in enumerate(UNITS):
        lines = "  z = net(x)\n  target = y / 4\n" if "target" in loss else ""
        text += f"train net on d as t{k} {{\n{lines}  loss     {loss}\n  optimize sgd(lr: 1e-3)\n  epochs   1\n}}\n"
    (home / "p.reg").write_text(text)
    regc.ok("run", "--quiet", "--out", home / "run", home / "p.reg", cwd=home)
    for k, (loss, (header, unit)) in enumerate(UNITS.items()):
        weights = home / "run" / f"weights-t{k}.safetensors"
        found = regc.ok("predict", home / "p.reg", "--model", f"t{k}", "--weights", weights, "--in", home / "new.csv", cwd=home).splitlines()
        z = [float(v) for v in eval_values(regc, home, weights)]
        demand(found[0] == f"id,{header}", f"{loss}: {found[0]}")
        demand(all(abs(float(row.split(",")[-1]) - unit(v)) < 2e-5 * (1 + abs(unit(v))) for row, v in zip(found[1:], z)), f"{loss}: {found}, outputs {z}")


def eval_values(regc, home, weights):
    return json.loads(regc.ok("eval", "net([[0.5], [-2]])", "-f", home / "p.reg", "--weights", weights, cwd=home))["values"]


def case_what_is_asked_for_is_there(regc):
    home = folder(regc)
    rows(home)
    for what, *arguments in (("needs `--in", "predict", "p.reg"), ("needs `--weights", "predict", "p.reg", "--in", "rows.csv"), ("needs `--weights", "evaluate", "p.reg"),
                             ("one file", "evaluate"), ("no `evaluate`", "evaluate", "q.reg", "--weights", "run"), ("which model?", "predict", "q.reg", "--weights", "run", "--in", "rows.csv")):
        (home / "q.reg").write_text(KINDS[:KINDS.index("evaluate")] + "train net on d as more {\n  loss     cross_entropy(net(x), kind)\n  optimize sgd(lr: 1)\n}\n")
        done = regc(*arguments, cwd=home)
        demand(done.returncode == 2 and what in done.stderr, f"{arguments}: {done.stderr}")


SERIES = {  # steps of the series, how windows are made of it, the shape of x, columns of a file with the series alone
    "plain": ("|> standardize |> split(train: 60%, test: 40%, time: id)", "d |> windows(4, horizon: 2)", "[4, 2]", ("sold", "price")),
    "now": ("|> one_hot(weather) |> log1p(price) |> min_max |> split(train: 60%, test: 40%, time: id)", "d |> windows(3, horizon: 0) |> shuffle", "[3, 4]",
            ("sold", "price", "weather")),
    "products": ("|> interactions |> standardize |> split(train: 60%, test: 40%, time: id)", "d |> windows(3)", "[3, 3]", ("sold", "price")),
    "groups": ("|> standardize |> split(train: 60%, test: 40%, time: id)", "windows(d, 3, group: shop) with z = 1", "[3, 2]", ("sold", "price", "shop")),
    "lagged": ("|> lag(2, sold) |> split(train: 60%, test: 40%, time: id)", "d |> windows(2)", "[2, 4]", ("sold", "price")),
}


def case_windows_of_a_series_are_made_again(regc):
    """A model of windows predicts from a file with a row for each time: what an evaluation gave, also for times behind the last row; from a file, standard input and by
    a binary; windows lie within a group and lack no row."""
    home = folder(regc)
    rows = [(f"t{i}", round(math.sin(i / 3), 3), 1 + i * i % 7, "sun" if i % 3 else "rain", "north" if i < 40 else "south") for i in range(80)]

    def table(name, columns, of=rows):
        names = ("day", "sold", "price", "weather", "shop")
        with open(home / name, "w", newline="") as file:
            csv.writer(file).writerows([columns, *([row[names.index(c)] for c in columns] for row in of)])

    def told(name, way, *more):
        data = (home / name).read_bytes()
        found = [subprocess.run([*way, "--weights", home / "run", "--in", source, *more], capture_output=True, input=data) for source in (home / name, "-")]
        demand(found[0].returncode == found[1].returncode == 0 and found[0].stdout == found[1].stdout, f"{way[0]} of {name}: {found[0].stderr.decode()} {found[1].stderr.decode()}")
        return [row for row in csv.reader(found[0].stdout.decode().splitlines())]

    table("t.csv", ("day", "sold", "price", "weather", "shop"))
    for name, (steps, windows, shape, columns) in SERIES.items():
        x = ["sold", "price", "weather"] if "one_hot" in steps else ["sold", "price"]
        table("t.csv", ("day", "sold", "price", "weather", "shop"))
        text = (home / "t.csv").read_text().splitlines()
        (home / "t.csv").write_text("\n".join([text[0] + ",y", *(f"{line},{row[1] + row[2]}" for line, row in zip(text[1:], rows))]) + "\n")
        (home / "p.reg").write_text(f"""data d = csv("t.csv", target: y, columns: {x}, group: shop, id: day) {steps}
data w = {windows}
model net(x: {shape}) -> [1] = reshape(x, [size(x, 0), -1]) |> dense(1)
train net on w {{ loss squared_error(net(x), y); optimize adam(lr: 1e-2); epochs 2 }}
evaluate net on w.test {{ rmse }}
""".replace("'", ""))
        regc.ok("run", "-q", "--out", home / "run", home / "p.reg")
        regc.ok("build", "-q", home / "p.reg", "-o", home / "binary")
        ways = (regc.line("predict", home / "p.reg"), [home / "binary", "predict"])
        found = told("t.csv", ways[0])
        demand(found == told("t.csv", ways[1]), f"{name}: a binary predicts something else")
        by_day = {day: value for day, value in found[1:]}
        with open(home / "run" / "predictions.csv") as file:
            evaluated = list(csv.DictReader(file))
        for row in evaluated:
            demand(abs(float(by_day[row["day"]]) - float(row["output_0"])) < 1e-5, f"{name}: {row['day']} is {by_day[row['day']]}, in the evaluation {row['output_0']}")
        days = [day for day, _ in found[1:]]
        length, horizon = int(shape[1]), {"plain": 2, "now": 0}.get(name, 1)
        first = length - 1 + horizon + 2 * (name == "lagged")
        parts = [range(40), range(40, 80)] if name == "groups" else [range(80)]
        want = [day for part in parts for day in (*(f"t{i}" for i in part[first:]), *(f"t{part[-1]} + {k + 1}" for k in range(horizon)))]
        demand(days == want, f"{name}: predicted are {days}")
        # The series alone, without names and target; one row that cannot be read leaves a gap.
        table("alone.csv", columns)
        for way in ways:
            plain = told("alone.csv", way)
            demand([value for _, value in plain[1:]] == [value for _, value in found[1:]], f"{name}: other predictions without names")
            demand(plain[0][0] == "id" and plain[1][0] == str(first) and plain[-1][0] == (f"79 + {horizon}" if horizon else "79"), f"{name}: {plain[1]} {plain[-1]}")
        table("short.csv", columns, rows[:first - horizon])
        for way in ways:
            few = subprocess.run([*way, "--weights", home / "run", "--in", home / "short.csv"], capture_output=True, text=True)
            demand(few.returncode == 65 and ("a row for each time" in few.stderr or "too few" in few.stderr), f"{name}: {few.returncode} {few.stderr}")
        if name == "plain":
            table("gap.csv", columns, [*rows[:10], ("", 1, "?", "", ""), *rows[11:20]])
            gap = told("gap.csv", ways[1], "--bad-rows=skip")
            demand([day for day, _ in gap[1:]] == ["5", "6", "7", "8", "9", "10", "11", "16", "17", "18", "19", "19 + 1", "19 + 2"], f"{gap}")
            # Windows themselves, as columns.
            with open(home / "windows.csv", "w", newline="") as file:
                csv.writer(file).writerows([[f"{c} lag {k}" if k else c for k in (3, 2, 1, 0) for c in ("sold", "price")],
                                            *([v for i in range(k - 5, k - 1) for v in rows[i][1:3]] for k in range(5, 20))])
            whole = [float(v) for _, v in told("windows.csv", ways[1])[1:]]
            demand(all(abs(a - float(b)) < 1e-5 for a, (_, b) in zip(whole, found[1:16], strict=True)), "windows as columns are predicted otherwise")


def case_a_series_of_one_column(regc):
    """Windows of the column that is told of: it is called as in the file, unless it was computed."""
    home = folder(regc)
    (home / "t.csv").write_text("time,sales\n" + "".join(f"{i},{i * i % 11}\n" for i in range(40)))
    for of, called in (("y[.., new]", "sales"), ("y[.., new] * 2", "0"), ("time[.., new]", "0")):
        source = 'csv("t.csv", target: sales as y)' if "time" not in of else '(csv("t.csv", target: sales as y) with time = 2 * y)'
        (home / "p.reg").write_text(f"""data all = {source} |> split(train: 60%, test: 40%, time: id)
data d = (all with x = {of}) |> standardize
model net(x: [3, 1]) -> [1] = x[.., 0] |> dense(1)
train net on windows(d, 3) {{ loss squared_error(net(x), y); optimize sgd(lr: 0.01); steps 3 }}
evaluate net on windows(d, 3).test {{ rmse }}
""")
        regc.ok("run", "-q", "--out", home / "run", home / "p.reg")
        regc.ok("build", "-q", home / "p.reg", "-o", home / "binary")
        (home / "in.csv").write_text((home / "t.csv").read_text().replace("sales", called))
        for way in (regc.line("predict", home / "p.reg"), [home / "binary", "predict"]):
            found = subprocess.run([*way, "--weights", home / "run", "--in", home / "in.csv"], capture_output=True, text=True)
            demand(found.returncode == 0 and found.stdout.splitlines()[-1].startswith("39 + 1,"), f"{of}: {found.returncode} {found.stderr}")
        if called == "sales":
            told = {row["id"]: float(row["y"]) for row in csv.DictReader(io.StringIO(found.stdout))}
            with open(home / "run" / "predictions.csv") as file:
                demand(all(abs(told[row["id"]] - float(row["output_0"])) < 1e-5 for row in csv.DictReader(file)), "an evaluation predicts something else")
