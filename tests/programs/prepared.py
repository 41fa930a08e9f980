"""Steps that make columns of columns, as a user meets them: products, series in groups. Each `case_*` function takes the compiler and
raises Failure."""
import csv
import json
import math
import random
import struct
import subprocess

from programs.cases import demand, folder
from programs.standalone import build, refused
from programs.tables import values


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def near(a, b, by=1e-5):
    return len(a) == len(b) and all(abs(x - y) <= by * max(1, abs(x), abs(y)) for x, y in zip(a, b))


def predicted(text):
    return {row[0]: float(row[-1]) for row in csv.reader(text.splitlines()[1:])}


def evaluated(run):
    return predicted((run / "predictions.csv").read_text())


PRODUCTS = """data d = csv("t.csv", target: y) |> one_hot(color) |> impute(median, columns: age) |> log1p(income) |> interactions |> standardize
  |> split(train: 75%, test: 25%, seed: 1)
model net(x: [12]) -> [1] = x |> dense(1)
train net on d { loss squared_error(net(x), y); optimize adam(lr: 0.05); epochs 4; batch 8 }
evaluate net on d.test { mse }
"""


def write_colors(path, rows, columns=("age", "income", "color", "y")):
    names = ("age", "income", "color", "y")
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([columns, *([row[names.index(c)] for c in columns] for row in rows)])


def case_products_of_columns(regc):
    """They are made again of rows of a file by its columns, in any order; of an array, which lacks them; by a binary; what is no number is told."""
    where, draw = folder(regc), random.Random(3)
    rows = [("" if i % 9 == 4 else round(draw.gauss(40, 9), 2), round(draw.expovariate(0.1), 3), draw.choice(["red", "green", "sea, blue"]), round(draw.gauss(0, 1), 3))
            for i in range(60)]
    write_colors(where / "t.csv", rows)
    (where / "p.reg").write_text(PRODUCTS)
    regc.ok("run", "-q", "--out", where / "run", where / "p.reg")
    binary, expected = build(regc, where / "p.reg"), evaluated(where / "run")
    write_colors(where / "in.csv", rows, ("color", "income", "age"))
    for way in (regc, ("predict", where / "p.reg")), (binary, ("predict",)):
        found = predicted(way[0].ok(*way[1], "--weights", where / "run", "--in", where / "in.csv"))
        demand(len(found) == 60 and near([found[i] for i in expected], list(expected.values())), f"{found}, not {expected}")
    # The array has the five columns that files have encoded; the others are made of them.
    median = sorted(r[0] for i, r in enumerate(rows) if r[0] != "" and str(i) not in expected)
    median = (median[(len(median) - 1) // 2] + median[len(median) // 2]) / 2
    numbers = [v for a, b, c, _ in rows for v in (a or median, b, c == "green", c == "red", c == "sea, blue")]
    header = str({"descr": "<f8", "fortran_order": False, "shape": (60, 5)}).ljust(117) + "\n"
    (where / "in.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack("<300d", *numbers))
    demand(near(list(predicted(binary.ok("predict", "--weights", where / "run", "--in", where / "in.npy")).values()), list(found.values())), "an array is predicted otherwise")
    regc.ok("build", where / "p.reg", "--model-only", "--weights", where / "run", "-q", "-o", where / "net.o")
    demand("INPUTS = 5," in (where / "net.h").read_text(), (where / "net.h").read_text())
    write_colors(where / "in.csv", [*rows[:2], (3e38, 3e38, "red", 0), rows[3]])
    refused(binary, "column `age x income` is no finite number", "predict", "--weights", where / "run", "--in", where / "in.csv", code=65)
    left = predicted(binary.ok("predict", "--weights", where / "run", "--in", where / "in.csv", "--bad-rows=skip"))
    demand(list(left) == ["0", "1", "3"] and near(list(left.values()), [found[i] for i in left]), f"{left}")
    write_colors(where / "t.csv", [*rows, (1e200, 1e200, "red", 1)])
    (where / "p.reg").write_text("precision f64\n" + PRODUCTS.replace("|> log1p(income) ", ""))
    refused(regc, "t.csv:62: column `age x income` is too large for a number", "check", where / "p.reg", code=65)


def case_products_in_tables_that_are_joined(regc):
    """Each table's own products; a file with the columns of both is predicted as the run did."""
    where, draw = folder(regc), random.Random(4)
    other = [(k, draw.randrange(1, 9), draw.randrange(1, 9)) for k in range(4)]
    rows = [(round(draw.gauss(3, 1), 3), round(draw.gauss(9, 1), 3), i % 4, round(draw.gauss(0, 1), 3)) for i in range(60)]
    (where / "a.csv").write_text("sold,price,key,y\n" + "".join(",".join(map(str, r)) + "\n" for r in rows))
    (where / "b.csv").write_text("key,h,w\n" + "".join(",".join(map(str, r)) + "\n" for r in other))
    (where / "both.csv").write_text("w,sold,price,h\n" + "".join(f"{other[k][2]},{a},{b},{other[k][1]}\n" for a, b, k, _ in rows))
    (where / "p.reg").write_text("""data b = csv("b.csv", group: key) |> interactions
data a = csv("a.csv", target: y, group: key) |> interactions
data d = a |> join(b, key) |> split(train: 60%, test: 40%, seed: 1)
model net(x: [6]) -> [1] = x |> dense(1)
train net on d { loss squared_error(net(x), y); optimize adam(lr: 0.05); epochs 4 }
evaluate net on d.test { mse }
""")
    regc.ok("run", "-q", "--out", where / "run", where / "p.reg")
    found = predicted(regc.ok("predict", where / "p.reg", "--weights", where / "run", "--in", where / "both.csv"))
    demand(all(near([found[i]], [v]) for i, v in evaluated(where / "run").items()), "other predictions")


def case_products_are_bounded(regc):
    """Of 400 columns there are 79800: more than are made; those of some are."""
    where = folder(regc)
    (where / "t.csv").write_text(",".join(f"c{i}" for i in range(400)) + ",y\n" + "".join(",".join(str(i + k) for i in range(401)) + "\n" for k in range(3)))
    (where / "p.reg").write_text('data d = csv("t.csv", target: y) |> interactions\n')
    refused(regc, "more than 65536 columns", "check", where / "p.reg", code=65)
    (where / "p.reg").write_text('data d = csv("t.csv", target: y) |> interactions(c7, by: [c3, c399, c7]) |> interactions([c0, c1], squares: true)\n')
    names = [c["name"] for c in json.loads(regc.ok("data", "--json", where / "p.reg"))["columns"]][400:]
    demand(names == ["c7 x c3", "c7 x c399", "c0 x c0", "c0 x c1", "c1 x c1"], names)


PANEL = """data d = csv(["a.csv", "b.csv"], target: sales, GROUP, id: "day no" as day) |> lag(2, sales, group: shop) |> difference(price, group: shop) |> rolling(2, price, by: max, group: shop)
  |> one_hot |> standardize |> split(train: 75%, test: 25%, time: id)
model net(x: [WIDTH]) -> [1] = x |> dense(1)
train net on d { loss squared_error(net(x), sales); optimize adam(lr: 0.05); epochs 3; batch 8 }
evaluate net on d.test { mse }
"""


def case_series_in_groups(regc):
    """The past of a row is that of its shop in both files; files are predicted as the run did, by it and by a binary, in any order of columns."""
    where, draw = folder(regc), random.Random(6)
    def write(name, rows, columns=("day no", "price", "shop", "sales")):
        names = ("day no", "price", "shop", "sales")
        with open(where / name, "w", newline="") as file:
            csv.writer(file).writerows([columns, *([row[names.index(c)] for c in columns] for row in rows)])
    rows = [(f"d{i}", round(draw.gauss(3, 1), 3), draw.choice(['the "first"', "2", "x, y"]), round(draw.gauss(0, 1), 3)) for i in range(60)]
    for group, width in (('group: "shop"', 5), ("drop: []", 8), ('group: shop as place', 5)):
        write("a.csv", [*rows[:40], ("d40", 1, "alone", 2)])
        write("b.csv", rows[40:])
        text = PANEL.replace("GROUP", group).replace("WIDTH", str(width)).replace("drop: [], ", "")
        (where / "p.reg").write_text(text.replace("group: shop)", "group: place)") if " as " in group else text)
        past = [[i for i in range(k) if rows[i][2] == rows[k][2]] for k in range(60)]
        kept, there = [k for k in range(60) if len(past[k]) >= 2], [k for k in range(40, 60) if sum(i >= 40 for i in past[k]) >= 2]
        past = [past[k] for k in kept]
        columns = [c["name"] for c in json.loads(regc.ok("data", "--json", where / "p.reg"))["columns"]]
        demand(columns[-4:] == ["sales lag 1", "sales lag 2", "price difference", "price max 2"] and len(columns) == width, columns)
        (where / "q.reg").write_text((where / "p.reg").read_text().replace("|> standardize ", ""))
        want = [v for k, p in zip(kept, past) for v in (rows[p[-1]][3], rows[p[-2]][3], rows[k][1] - rows[p[-1]][1], max(rows[p[-1]][1], rows[p[-2]][1]))]
        found = [v for at in range(0, len(kept), 10) for v in json.loads(regc.ok("eval", "-f", where / "q.reg", f"d.x[{at}..{min(at + 10, len(kept))}, {width - 4}..{width}]"))["values"]]
        demand(near(found, want), f"{found}, not {want}")
        regc.ok("run", "-q", "--out", where / "run", where / "p.reg")
        binary, expected = build(regc, where / "p.reg"), evaluated(where / "run")
        for order in (("day no", "price", "shop", "sales"), ("sales", "shop", "day no", "price")):
            write("b.csv", rows[40:], order)
            for way in (regc, ("predict", where / "p.reg")), (binary, ("predict",)):
                told = predicted(way[0].ok(*way[1], "--weights", where / "run", "--in", where / "b.csv"))
                demand(list(told) == [rows[k][0] for k in there] and all(near([told[d]], [v]) for d, v in expected.items() if d in told), f"{told}, not {expected}")
        new = [*rows[40:], ("next", 2, rows[59][2], "")]
        write("b.csv", new)
        demand(list(predicted(binary.ok("predict", "--weights", where / "run", "--in", where / "b.csv")))[-1] == "next", "a row without a target is not predicted")
        write("b.csv", rows[40:], ("day no", "price", "sales"))
        refused(binary, "1 of the 3 columns that the model reads: shop" if width == 8 else "lacks the column `shop`", "predict", "--weights", where / "run", "--in", where / "b.csv", code=65)
        write("b.csv", [*rows[40:50], ("d50", 1, "", 2), *rows[50:]])
        refused(binary, "b.csv:12:3: column `shop` has no value here", "predict", "--weights", where / "run", "--in", where / "b.csv", code=65)
        write("b.csv", [(a, b, str(i), c) for i, (a, b, _, c) in enumerate(rows[:8])])
        refused(binary, "8 rows are too few: a row needs 2 before it that have its `shop`", "predict", "--weights", where / "run", "--in", where / "b.csv", code=65)


def case_names_of_columns_are_whole(regc):
    """`price` is not `price.1`, as pandas calls a second one: only columns that a step made of it are meant besides."""
    where = folder(regc)
    (where / "t.csv").write_text("price,price.1,price=x,day,y\n" + "".join(f"{i},{i},{i},2024-0{i}-01,{i}\n" for i in range(1, 7)))
    (where / "p.reg").write_text('data d = csv("t.csv", target: y) |> date_parts(day, [month, year]) |> log1p(price) |> clamp(day, 2, 3)\n')
    (where / "q.reg").write_text('data d = csv("t.csv", target: y, drop: day) |> standardize(price)\n')
    found = {c["name"]: (c["min"], c["max"]) for c in json.loads(regc.ok("data", "--json", where / "p.reg"))["columns"]}
    demand(found == found | {"price.1": (1, 6), "price=x": (1, 6), "day.month": (2, 3), "day.year": (3, 3)} and found["price"][1] < 2, found)
    found = json.loads(regc.ok("eval", "-f", where / "q.reg", "d.x[5]"))["values"]
    demand(near(found, [5 / 35**0.5 * 3**0.5, 6, 6]), found)


def case_data_that_are_made_otherwise_are_read_again(regc):
    """At the prompt, whatever is changed of a step, of a file, or of data that are joined."""
    where = folder(regc)
    (where / "t.csv").write_text("a,b,k,y\n1,2,0,3\n4,5,1,6\n7,9,0,1\n2,2,1,3\n")
    (where / "u.csv").write_text("a,b,k,y\n8,2,0,3\n")
    (where / "o.csv").write_text("k,h\n0,5\n1,6\n")
    steps = {'csv("t.csv", target: y) |> lag(1, a)': "4 5 1 1", 'csv("t.csv", target: y) |> lag(2, a)': "7 9 0 4 1", 'csv("t.csv", target: y) |> rolling(2, a, by: min)': "7 9 0 1",
             'csv("t.csv", target: y) |> rolling(2, a, by: max)': "7 9 0 4", 'csv("t.csv", target: y) |> lag(1, a, group: k)': "7 9 0 1",
             'csv("t.csv", target: y) |> interactions(a, by: k)': "1 2 0 0", 'csv("t.csv", target: y) |> interactions(a, by: b)': "1 2 0 2",
             'csv("t.csv", target: y) |> interactions(a, by: a, squares: true)': "1 2 0 1", 'csv(["u.csv", "t.csv"], target: y)': "8 2 0", 'csv(["t.csv", "u.csv"], target: y)': "1 2 0"}
    typed = "".join(f"data d = {step}\nd.x[0]\n" for step in steps)
    typed += 'data o = csv("o.csv", group: k)\ndata j = csv("t.csv", target: y, group: k) |> join(o, k)\nj.x[0]\ndata o = csv("o.csv", group: k) |> scale(10)\nj.x[0]\n'
    told = [" ".join(line.split()) for line in regc.ok("repl", stdin=typed, cwd=where).splitlines()]
    demand(told == [*steps.values(), "1 2 5", "1 2 50"], f"{told}")


def case_series_in_groups_of_two_columns(regc):
    """One a field of its own, the other in x as texts; a run, its predictions of the file and those of a binary agree."""
    where, draw = folder(regc), random.Random(8)
    rows = [(draw.choice("ab"), draw.choice(["wet", "dry"]), round(draw.gauss(0, 1), 3)) for _ in range(50)]
    (where / "t.csv").write_text("shop,weather,y\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))
    (where / "p.reg").write_text("""data d = csv("t.csv", target: y, group: shop as store) |> lag(1, y, group: [store, weather]) |> rolling(2, y, group: weather) |> one_hot
  |> split(train: 60%, test: 40%, time: id)
model net(x: [4]) -> [1] = x |> dense(1)
train net on d { loss squared_error(net(x), y); optimize adam(lr: 0.1); epochs 3 }
evaluate net on d.test { mse }
""")
    regc.ok("run", "-q", "--out", where / "run", where / "p.reg")
    (where / "in.csv").write_text("y,weather,shop\n" + "".join(f"{c},{b},{a}\n" for a, b, c in rows))
    told, expected = predicted(regc.ok("predict", where / "p.reg", "--weights", where / "run", "--in", where / "in.csv")), evaluated(where / "run")
    kept = [k for k, r in enumerate(rows) if any(q[:2] == r[:2] for q in rows[:k]) and sum(q[1] == r[1] for q in rows[:k]) >= 2]
    demand(list(told) == [str(k) for k in kept] and len(expected) > 10 and all(near([told[i]], [v]) for i, v in expected.items()), f"{told}, not {expected}")
    binary = build(regc, where / "p.reg")
    demand(predicted(binary.ok("predict", "--weights", where / "run", "--in", where / "in.csv")) == told, "a binary predicts otherwise")


def case_curves_without_names_are_for_numbers(regc):
    """Not for what is made of texts, dates and flags, which may be named; products of numbers are meant; a binary does the same; of no numbers it is told."""
    where = folder(regc)
    rows = [(i % 5 + 1.0, "" if i % 7 == 3 else i * 2.0, "red" if i % 3 else "green", f"2024-0{i % 9 + 1}-01", "no" if i % 2 else "yes", i) for i in range(10)]
    (where / "t.csv").write_text("a,b,color,day,kind,y\n" + "".join(",".join(str(v) for v in row) + "\n" for row in rows))
    steps = "one_hot(color) |> ordinal(kind) |> date_parts(day, month) |> impute(0, columns: b, flag: true) |> interactions(a, by: [b, color])"
    for step, curve in (("log1p", math.log1p), ("clamp(low: 2, high: 20)", lambda v: min(max(v, 2), 20)), ("clamp(color, 2, 3)", None)):
        (where / "p.reg").write_text(f'precision f64\ndata d = csv("t.csv", target: y) |> {steps} |> {step}\n')
        expected = []
        for a, b, color, day, kind, _ in rows:
            missing, b, green, red = float(b == ""), b or 0.0, float(color == "green"), float(color == "red")
            made = [a, b, missing, green, red, float(day[5:7]), float(kind == "yes"), a * b, a * green, a * red]
            expected += [curve(v) if curve and k in (0, 1, 7) else 2 if not curve and k in (3, 4) else v for k, v in enumerate(made)]
        for k in range(10):
            demand(near(values(regc, where / "p.reg", f"d.x[.., {k}]"), expected[k::10], 1e-12), f"{step}: another column {k}")
    (where / "p.reg").write_text('data d = csv("t.csv", target: y, columns: color) |> one_hot |> quantile_bins(3)\n')
    refused(regc, "without names are for columns of numbers: x has none", "check", where / "p.reg", code=65)
    (where / "p.reg").write_text(f'data d = csv("t.csv", target: y) |> {steps} |> log1p |> standardize\nmodel net(x: [10]) -> [1] = x |> dense(1)\n'
                                 "train net on d { loss mse(net(x), y); optimize sgd(lr: 0.1); epochs 2; allow(evaluates_training_data) }\nevaluate net on d { mse }\n")
    regc.ok("run", "p.reg", "-q", "--out", "out", cwd=where)
    for way, more in (regc, (where / "p.reg",)), (build(regc, where / "p.reg"), ()):
        told = way.ok("predict", *more, "--weights", where / "out", "--in", where / "t.csv")
        demand(near(list(predicted(told).values()), list(evaluated(where / "out").values())), "other predictions")


def case_a_column_called_id(regc):
    """Rows are called by it, its field is `row`; what else may not be called so is told as ever."""
    where = folder(regc)
    (where / "t.csv").write_text("id,a,y\n" + "".join(f"u{i},{i},{i % 2}\n" for i in range(6)))
    for source in ("id: id", 'id: "id"', "id: id as row"):
        (where / "p.reg").write_text(f'data d = csv("t.csv", target: y, {source})\nmodel net(x: [1]) -> [1] = x |> dense(1)\n'
                                     "train net on d { loss mse(net(x), y); optimize sgd(lr: 0.1); allow(evaluates_training_data) }\nevaluate net on d { mse }\n")
        regc.ok("run", "p.reg", "-q", "--out", "out", cwd=where)
        demand([line.split(",")[0] for line in (where / "out" / "predictions.csv").read_text().splitlines()] == ["row"] + [f"u{i}" for i in range(6)], f"{source}: other names")
        demand(values(regc, where / "p.reg", "d.id") == list(range(6)), f"{source}: other numbers of rows")
    for source, what in (("group: id", "no field can be called `id`"), ("id: x", "no field can be called `x`"), ("id: id, group: a as row", "`row` is defined twice")):
        (where / "p.reg").write_text(f'data d = csv("t.csv", target: y, {source})\n')
        refused(regc, what, "check", where / "p.reg", code=1)


def case_series_go_on_over_files(regc):
    """With groups the files of a source are as one, in their order; without, and in a part of its own, a series ends with its files."""
    where, draw = folder(regc), random.Random(8)
    (where / "in").mkdir()
    rows = [(round(draw.gauss(3, 1), 3), "abc"[draw.randrange(2 if i < 20 else 3)], round(draw.gauss(0, 1), 3)) for i in range(48)]
    def write(name, part):
        (where / name).write_text("price,shop,y\n" + "".join(f"{a},{b},{c}\n" for a, b, c in part))
    parts = (0, 20, 21, 46, 48)  # one file has no row with a past of its own
    for k, at in enumerate(parts[:-1]):
        write(f"in/{k}.csv", rows[at:parts[k + 1]])
    write("one.csv", rows)
    steps = "lag(2, [price, y], group: shop) |> difference(price, group: shop) |> rolling(3, price, by: mean, group: shop)"
    past = [[i for i in range(k) if rows[i][1] == rows[k][1]][::-1] for k in range(48)]
    kept = [k for k in range(48) if len(past[k]) >= 3]
    expected = [[rows[k][0], rows[p[0]][0], rows[p[1]][0], rows[p[0]][2], rows[p[1]][2], rows[k][0] - rows[p[0]][0], sum(rows[i][0] for i in p[:3]) / 3] for k in kept for p in [past[k]]]
    for source in ('"in"', '"in/*.csv"', '["in/0.csv", "in/1.csv", "in/2.csv", "in/3.csv"]', '"one.csv"'):
        (where / "p.reg").write_text(f"precision f64\ndata d = csv({source}, target: y, group: shop) |> {steps}\n")
        demand(values(regc, where / "p.reg", "d.id") == kept, f"{source}: other rows")
        for x in range(7):
            demand(near(values(regc, where / "p.reg", f"d.x[.., {x}]"), [row[x] for row in expected], 1e-12), f"{source}: another column {x}")
    (where / "p.reg").write_text('data d = csv(["in/0.csv", "in/2.csv"], target: y, group: shop) |> lag(1, price)\n')
    demand(values(regc, where / "p.reg", "d.id") == [*range(1, 20), *range(21, 45)], "without groups the series ends with its file")
    (where / "p.reg").write_text('data d = csv(["in/0.csv", "in/1.csv"], target: y, group: shop) |> lag(1, price) |> lag(1, y, group: shop)\n')
    refused(regc, "in/1.csv: 1 rows are too few: a row needs 1 before it", "check", where / "p.reg", code=65)
    (where / "p.reg").write_text('data d = csv("in/0.csv", target: y, group: shop) |> lag(1, price, group: shop) with test = csv(["in/1.csv", "in/2.csv"])\n')
    demand(values(regc, where / "p.reg", "d.test.id") == [k for k in range(20, 46) if past[k][:1] >= [20]], "a part of its own has a past in the training's files")
    (where / "p.reg").write_text('data d = csv("in", target: y, group: shop) |> lag(40, price, group: shop)\n')
    refused(regc, "in/3.csv: 48 rows are too few: a row needs 40 before it that have its `shop`", "check", where / "p.reg", code=65)
