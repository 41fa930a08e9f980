"""Data computed by the language, against the same rows chosen in Python. Each `case_*` function takes the compiler and raises
Failure."""
import json
import random
import re
import statistics

from programs.cases import demand, events, folder, of_kind, weights
from programs.data import rows_of, written
from programs.standalone import build, refused

ROWS = 24
DATA = """data d = csv("t.csv", target: y) |> split(train: 50%, valid: 25%, test: 25%, seed: 3)
"""
TRAIN = """model net(x: [2]) -> [1] = x |> dense(4) |> tanh |> dense(1)
train net on all as t {
  loss     mse(net(x), y)
  optimize adam(lr: 0.05)
  batch    5
  epochs   4
}
evaluate net on all.test { mse }
"""
COMPUTED = """data noisy = d with y = y + 0.5 * normal(like: y) in train, x = x + 0.1 * normal(like: x)
data some = noisy where mod(id, 3) > 0
data drawn = table(9) { x = normal([9, 2]); y = sign(x[.., 0]) + 3 }
data shifted = some with y = y - mean(d.train.y)
data all = concat(some, (some with train = some.train[argsort(y)[0..5]])) with valid = drawn, x = x + mean(shifted.test.y)
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def table(where, name="t.csv", seed=1):
    draw = random.Random(seed)
    rows = [(draw.randrange(9), draw.randrange(9), draw.randrange(7)) for _ in range(ROWS)]
    written(where / name, ("a", "b", "y"), rows)
    return rows


def prepared(regc, text=DATA):
    where = folder(regc)
    rows = table(where)
    (where / "p.reg").write_text(text)
    return where, rows


def asked(regc, where, *questions, options=()):
    """What the prompt shows for each expression: lists of numbers."""
    out = []
    for question in questions:
        shown = regc.ok("repl", *options, where / "p.reg", stdin=question + "\n", cwd=where)
        lines = [line for line in shown.splitlines() if not line.startswith(("[", "min "))]
        out.append([float(n) for line in lines for n in re.findall(r"-?[\d.]+(?:e-?\d+)?", line)])
    return out


PARTS = ("train", "valid", "test")


def case_rows_are_those_for_which_the_condition_holds(regc):
    where, rows = prepared(regc)
    for part in PARTS:
        all_ids, ids, y, x = asked(regc, where, f"d.{part}.id", f"(d where y > 2 and x[.., 1] < 7).{part}.id",
                                   f"(d where y > 2 and x[.., 1] < 7).{part}.y", f"(d where y > 2 and x[.., 1] < 7).{part}.x")
        expected = [int(i) for i in all_ids if rows[int(i)][2] > 2 and rows[int(i)][1] < 7]
        demand(ids == expected and y == [rows[i][2] for i in expected], f"{part}: {ids}, not {expected}")
        demand(x == [v for i in expected for v in rows[i][:2]], f"{part}: {x}")


def case_columns_are_of_their_part(regc):
    where, rows = prepared(regc)
    for part in PARTS:
        ids, y, mean, old = asked(regc, where, f"d.{part}.id", f"(d with z = 2 * y + x[.., 0]).{part}.z",
                                  f"(d with z = mean(x, axis: 0)[0]).{part}.z", f"(d with y = 0 in valid).{part}.y")
        chosen = [rows[int(i)] for i in ids]
        demand(y == [2 * r[2] + r[0] for r in chosen], f"{part}: {y}")
        demand(all(abs(m - statistics.fmean(r[0] for r in chosen)) < 1e-4 for m in mean) and len(mean) == len(ids), f"{part}: {mean}")
        demand(old == ([0] * len(ids) if part == "valid" else [r[2] for r in chosen]), f"{part}: {old}")


def case_columns_of_one_part_serve_all(regc):
    where, rows = prepared(regc, DATA + "data c = d with z = y - mean(d.train.y), w = max(d.y)\n"
                           "data s = d with train = d.train[argsort(d.train.y)]\n")
    train, = asked(regc, where, "d.train.id")
    mean = statistics.fmean(rows[int(i)][2] for i in train)
    for part in PARTS:
        ids, z, w = asked(regc, where, f"d.{part}.id", f"c.{part}.z", f"c.{part}.w")
        demand(all(abs(a - (rows[int(i)][2] - mean)) < 1e-4 for a, i in zip(z, ids)) and len(z) == len(ids), f"{part}: {z}")
        demand(w == [max(r[2] for r in rows)] * len(ids), f"{part}: {w}")
    ids, = asked(regc, where, "s.train.id")
    demand(ids == sorted(train, key=lambda i: rows[int(i)][2]), f"{ids}")


def case_picked_rows_are_a_part(regc):
    where, rows = prepared(regc)
    train, test = asked(regc, where, "d.train.id", "d.test.id")
    for index, expected in (("0..3", train[:3]), ("[4, 1, 1]", [train[4], train[1], train[1]]), ("-1", train[-1:]),
                            ("where y < 3", [i for i in train if rows[int(i)][2] < 3]),
                            ("argsort(y)", sorted(train, key=lambda i: rows[int(i)][2]))):
        data = f"(d with train = d.train[{index}])"
        ids, y, kept = asked(regc, where, f"{data}.train.id", f"{data}.train.y", f"{data}.test.id")
        demand(ids == expected and y == [rows[int(i)][2] for i in expected] and kept == test, f"{index}: {ids}, not {expected}")
    ids, = asked(regc, where, "d.train[0..3].id")
    demand(ids == train[:3], f"{ids}")


def case_joined_rows_have_ids_of_their_own(regc):
    where, rows = prepared(regc)
    train, again = asked(regc, where, "d.train.id", "concat(d, d).train.id")
    demand(again == train + [i + ROWS for i in train], f"{again}")
    low, = asked(regc, where, "concat((d where y < 3), (d where y >= 3)).train.id")
    demand(sorted(low) == sorted(train), f"rows that do not clash have other ids: {low}")
    own, = asked(regc, where, "concat(d.test, d.valid).id")
    valid, test = asked(regc, where, "d.valid.id", "d.test.id")
    demand(own == test + valid, f"{own}")


def case_a_row_has_the_same_draws_wherever_it_lies(regc):
    where, _ = prepared(regc, DATA + "data n = d with z = normal(like: y), w = uniform(0..1, [size(y, 0), 2])\n"
                        "data late = n where y > 2\n")
    for part in PARTS:
        ids, z, w = asked(regc, where, f"n.{part}.id", f"n.{part}.z", f"n.{part}.w")
        kept, late = asked(regc, where, f"late.{part}.id", f"late.{part}.z")
        demand(late == [z[ids.index(i)] for i in kept], f"{part}: {late}")
        demand(len(set(z)) == len(z) and len(w) == 2 * len(z), f"{part}: {z} {w}")
    other, = asked(regc, where, "n.train.z", options=("--seed", "4"))
    demand(other != asked(regc, where, "n.train.z")[0], "another seed has the same draws")


def case_classes_stay_classes(regc):
    where = folder(regc)
    written(where / "t.csv", ("a", "kind"), [(i, "uvw"[i % 3]) for i in range(9)])
    (where / "p.reg").write_text('data d = csv("t.csv", target: kind)\n'
                                 "data o = d with was = kind, kind = kind[argsort(-x[.., 0])]\n"
                                 "data f = (d where x[.., 0] > 4) with kind = flip_labels(kind, 100%)\n")
    turned, was, flipped = asked(regc, where, "o.kind", "o.was", "f.kind")
    demand(was == [0, 1, 2] * 3 and turned == [2, 1, 0] * 3, f"{turned} {was}")
    demand(len(flipped) == 4 and all(f in (0, 1, 2) and f != i % 3 for f, i in zip(flipped, range(5, 9))), f"{flipped}")
    demand("text, 3 classes" in regc.ok("repl", where / "p.reg", stdin="f\n"), "the classes are others")


def case_integers_of_a_table_are_classes(regc):
    where = folder(regc)
    (where / "p.reg").write_text("data t = table(50) { x = normal([50, 2]); y = sign(x[.., 0]) } |> split(train: 80%, test: 20%)\n"
                                 "model net(x: [2]) -> [2] = x |> dense(2)\n"
                                 "train net on t { loss cross_entropy(net(x), y); optimize adam(lr: 0.1); epochs 20 }\n"
                                 "evaluate net on t.test { accuracy }\n")
    found = of_kind(events(regc, "--out", where / "out", where / "p.reg"), "evaluate")[0]["metrics"]
    demand(found["accuracy"] > 0.85, f"{found}")
    rows = rows_of(where / "out" / "predictions.csv")
    demand(len(rows) == 10 and {r["y"] for r in rows} == {"-1", "1"}, f"{rows}")


def case_statistics_come_from_the_training_part_alone(regc):
    where, rows = prepared(regc)
    for data in ("(d where y > 1 |> standardize)", "((csv(\"t.csv\", target: y) where y > 1) |> standardize |> split(train: 50%, test: 50%, seed: 2))"):
        ids, x, test_ids, test = asked(regc, where, f"{data}.train.id", f"{data}.train.x", f"{data}.test.id", f"{data}.test.x")
        for column in (0, 1):
            learned = [rows[int(i)][column] for i in ids]
            mean, deviation = statistics.fmean(learned), statistics.pstdev(learned)
            for chosen, found in ((ids, x), (test_ids, test)):
                expected = [(rows[int(i)][column] - mean) / deviation for i in chosen]
                demand(all(abs(a - b) < 2e-4 for a, b in zip(found[column::2], expected)), f"{data}: {found[column::2]}, not {expected}")
    refused(regc, "has learned from all rows", "run", "--out=", code=1, *[write(where, 'data all = (csv("t.csv", target: y) |> standardize where y > 1) |> split(train: 50%, test: 50%)\n' + TRAIN)])


def write(where, text):
    (where / "q.reg").write_text(text)
    return where / "q.reg"


def case_the_same_data_in_every_way_of_running(regc):
    where, _ = prepared(regc, DATA + COMPUTED + TRAIN)
    program = where / "p.reg"
    first = weights(regc, program=program)
    for options in (["--threads", "2"], ["-O0"], ["--seed", "0"]):
        demand(weights(regc, *options, program=program) == first, f"other weights with {options}")
    other = weights(regc, "--seed", "5", program=program)
    binary = build(regc, program)
    for options, expected in (([], first), (["--seed", "5"], other), (["--threads", "2"], first)):
        binary.ok("-q", "--out", where / "b", *options)
        demand((where / "b" / "weights.safetensors").read_bytes() == expected, f"the binary has other weights with {options}")
    table(where, "same.csv")
    binary.ok("-q", "--out", where / "b", "--data", f"d={where}/same.csv")
    demand((where / "b" / "weights.safetensors").read_bytes() == first, "the same file elsewhere gives other weights")
    (where / "q.reg").write_text(program.read_text().replace("mod(id, 3) > 0", "normal(like: y) > 0"))
    by_value = build(regc, where / "q.reg", name="q")
    written(where / "other.csv", ("a", "b", "y"), [(1, 2, 6)] * (ROWS - 4))
    refused(by_value, "is not what the program was compiled for", "--out=", "--data", f"d={where}/other.csv", code=65)
    found = [by_value("--out=", "-q", "--seed", str(seed)) for seed in range(5, 9)]
    demand(any(f.returncode == 65 and "with these files and this seed" in f.stderr for f in found), "other rows are taken")
    refused(binary, "no data `some`", "--data", f"some={where}/same.csv")
    regc.ok("run", "--dtype", "f64", "--out=", "--progress", "none", program)
    demand(regc.ok("fmt", "-", stdin=program.read_text()) == program.read_text(), "the formatter changes the program")


def case_numbers_of_computed_data_are_compiled_in(regc):
    where, _ = prepared(regc, "let least = 2\n" + DATA + "data all = d where y > least\n" + TRAIN)
    changed = of_kind(events(regc, "--out=", "--set", "least=3", where / "p.reg"), "evaluate")
    demand(changed, "no evaluation")
    refused(build(regc, where / "p.reg"), "least", "--out=", "--set", "least=3")


def case_a_saved_session_computes_the_same_data(regc):
    where, _ = prepared(regc, DATA + COMPUTED)
    regc.ok("repl", where / "p.reg", stdin=f":save {where}/q.reg\n", cwd=where)
    first, = asked(regc, where, "all.train.y")
    (where / "p.reg").write_text((where / "q.reg").read_text())
    demand(asked(regc, where, "all.train.y") == [first], "other rows after :save")
    changed = regc.ok("repl", where / "p.reg", cwd=where, stdin='some.train.y\ndata d = csv("t.csv", target: y) |> scale(2) |> split(train: 75%, test: 25%)\nsome\n')
    demand("valid" not in changed, "data made of data that changed is the old one")


# -- rows chosen by definitions of the library

def answered(regc, where, *questions, options=()):
    """What the prompt shows for each of several expressions, in one process: lists of numbers."""
    mark = "31415926"
    shown = regc.ok("repl", *options, where / "p.reg", stdin="".join(f"{q}\n{mark}\n" for q in questions), cwd=where)
    out = [[]]
    for line in shown.splitlines():
        if line == mark:
            out.append([])
        elif not line.startswith(("[", "min ")):
            out[-1] += [float(n) for n in re.findall(r"-?[\d.]+(?:e-?\d+)?", line)]
    demand(len(out) == len(questions) + 1, f"{len(out) - 1} of {len(questions)} answers")
    return out[:-1]


def case_windows_of_a_series(regc):
    where, rows = prepared(regc, 'data d = csv("t.csv", target: y) |> split(train: 50%, valid: 25%, test: 25%, time: id)\n'
                           "data gap = d where id != 4\n")
    starts = {"train": range(12), "valid": range(12, 18), "test": range(18, 24)}
    for part in PARTS:
        for data, length, horizon, stride, kept in (("d", 3, 1, 1, lambda i: True), ("d", 2, 2, 2, lambda i: True),
                                                    ("gap", 3, 0, 1, lambda i: i != 4)):
            series = [i for i in starts[part] if kept(i)]
            windows = [series[k:k + length + horizon] for k in range(0, len(series) - length - horizon + 1, stride)]
            windows = [w for w in windows if w[-1] - w[0] == length + horizon - 1]
            text = f"windows({data}, {length}, horizon: {horizon}, stride: {stride}).{part}"
            ids, y, x = answered(regc, where, f"{text}.id", f"{text}.y", f"flat({text}.x)")
            demand(ids == [w[-1] for w in windows] and y == [rows[w[-1]][2] for w in windows], f"{text}: {ids} {y}")
            demand(x == [v for w in windows for i in w[:length] for v in rows[i][:2]], f"{text}: {x}")
    ids, every = answered(regc, where, "windows(d, 2, horizon: 0, group: as_labels(y < 3, 2)).train.id", "d[[[0, 1], [2, 4]]].valid.y")
    demand(ids == [i for i in range(1, 12) if (rows[i][2] < 3) == (rows[i - 1][2] < 3)], f"{ids}")
    demand(every == [rows[i][2] for i in (12, 13, 14, 16)], f"{every}")


def case_rows_are_shuffled_and_drawn(regc):
    where, _ = prepared(regc, DATA + 'data all = csv("t.csv", target: y)\n')
    ids, mixed, again, other, test, drawn, left, more = answered(
        regc, where, "d.train.id", "shuffle(d).train.id", "(d |> shuffle(seed: 0)).train.id", "shuffle(d, seed: 1).train.id",
        "shuffle(d).test.id", "bootstrap(all).train.id", "bootstrap(all).test.id", "bootstrap(all, seed: 5).train.id")
    demand(sorted(mixed) == sorted(ids) == sorted(other) and ids != mixed != other and mixed == again, f"{mixed} {other}")
    demand(len(test) == 6, f"{test}")
    demand(len(drawn) == ROWS and set(left) == set(range(ROWS)) - set(drawn) and left == sorted(left), f"{drawn} {left}")
    demand(4 <= len(left) <= 14 and more != drawn, f"{left}")
    seeded, = answered(regc, where, "bootstrap(all).train.id", options=("--seed", "3"))
    demand(seeded != drawn, "another seed draws the same rows")


def case_classes_are_balanced_in_the_training_part(regc):
    where = folder(regc)
    written(where / "t.csv", ("a", "kind"), [(i, kind) for i, kind in enumerate("uuvuuuwuvu" "wuv")])
    (where / "p.reg").write_text('data d = csv("t.csv", target: kind) |> split(train: 10/13, test: 3/13, time: id)\n'
                                 "data one = d with train = d.train[[0, 0, 0]]\n")
    kinds, ids, more, more_ids, less, less_ids, test, kept, one = answered(
        regc, where, "d.train.kind", "d.train.id", "balance(d, kind).train.kind", "balance(d, kind).train.id",
        "balance(d, kind, under: true).train.kind", "(d |> balance(kind, under: true)).train.id", "d.test.id",
        "balance(d, kind).test.id", "balance(one, kind).train.id")
    often = {k: kinds.count(k) for k in set(kinds)}
    most, least = max(often.values()), min(often.values())
    demand(len(often) == 3 and all(more.count(k) == most and less.count(k) == least for k in often), f"{often} {more} {less}")
    for i, k in zip(ids, kinds):
        demand(more_ids.count(i) in (most // often[k], -(-most // often[k])), f"row {i} of class {k}: {more_ids.count(i)} times")
    demand(len(set(less_ids)) == len(less_ids) and less_ids == [i for i in ids if i in less_ids], f"{less_ids}")
    demand(test == kept and one == ids[:1] * 3, f"{kept} {one}")


def case_definitions_make_the_same_data_in_every_way_of_running(regc):
    where, _ = prepared(regc, 'data d = csv("t.csv", target: y) |> standardize |> split(train: 50%, valid: 25%, test: 25%, time: id)\n'
                        "data twice(d, y) = d with y = 2 * y + normal(like: y)\n"
                        "data all = d |> windows(2) |> balance(y) |> twice(y) |> shuffle\n"
                        + TRAIN.replace("x: [2]", "x: [2, 2]").replace("x |>", "reshape(x, [-1, 4]) |>"))
    program = where / "p.reg"
    first = weights(regc, program=program)
    demand(weights(regc, "--threads", "2", program=program) == first, "other weights on two threads")
    binary = build(regc, program)
    binary.ok("-q", "--out", where / "b", "--threads", "2")
    demand((where / "b" / "weights.safetensors").read_bytes() == first, "the binary has other weights")
    predictions = rows_of(where / "b" / "predictions.csv")
    written(where / "new.csv", ("a lag 1", "b lag 1", "a", "b"), [rows_with(where, int(r["id"])) for r in predictions])
    binary.ok("predict", "--weights", where / "b" / "weights.safetensors", "--in", where / "new.csv", "--out", where / "out.csv")
    told = [r["output_0"] for r in rows_of(where / "out.csv")]
    demand(all(abs(float(a) - float(b["output_0"])) < 1e-4 for a, b in zip(told, predictions)), f"{told}, not {predictions}")
    demand(regc.ok("fmt", "-", stdin=program.read_text()) == program.read_text(), "the formatter changes the program")


def rows_with(where, last):
    """Of the window that ends with the row before: what its columns hold."""
    rows = rows_of(where / "t.csv")
    return [int(rows[i][name]) for i in (last - 2, last - 1) for name in ("a", "b")]


def joined(regc):
    where = folder(regc)
    sales = [("north", 1, 3), ("south", 2, 4), ("north", 3, 5), ("east", 4, 1), ("south", 5, 2), ("west", 6, 9)]
    shops = [("south", 20, "n"), ("west", 30, "o"), ("north", 10, "n")]
    written(where / "sales.csv", ("shop", "price", "sold"), sales)
    written(where / "shops.csv", ("name", "size", "new"), shops)
    written(where / "lots.csv", ("lot", "size", "y"), [(7, 1, 2), (16777217, 3, 4), (9, 5, 6)])
    written(where / "of.csv", ("size2", "lot"), [(70, 7), (80, 16777216), (90, 16777217)])
    (where / "p.reg").write_text('data coded = csv("shops.csv", id: name) |> one_hot(new)\n'
                                 'data half = table(3) { x = normal([3, 1]); h = [2.5, 0.5, 1.5] }\n'
                                 'data tens = table(3) { z = [[10], [20], [30]]; h = [1.5, 2.5, 0.5] }\n'
                                 'data sales = csv("sales.csv", target: sold, group: shop)\n'
                                 'data shops = csv("shops.csv", id: name, target: new)\n'
                                 'data lots = csv("lots.csv", target: y, group: lot)\ndata of = csv("of.csv", id: lot)\n')
    return where, sales, {name: (size, new) for name, size, new in shops}


def case_tables_are_joined_by_a_key(regc):
    where, sales, shops = joined(regc)
    by = "join(sales, shops, shop, their: name, missing: {})"
    ids, x, new, sold, filled, part, lots = answered(
        regc, where, f"{by.format('drop')}.id", f"flat({by.format('drop')}.x)", f"{by.format('drop')}.new", f"{by.format('drop')}.sold",
        "flat(join(sales, (shops with new = 1), shop, their: name, missing: -1).x)",
        "(folds(sales, 3, time: id)[0] |> join(shops, shop, their: name, missing: drop)).test.id", "flat(join(lots, of, lot, missing: 0).x)")
    kept = [i for i, row in enumerate(sales) if row[0] in shops]
    demand(ids == kept and sold == [sales[i][2] for i in kept], f"{ids}")
    demand(x == [v for i in kept for v in (sales[i][1], shops[sales[i][0]][0])], f"{x}")
    demand(new == ["no".index(shops[sales[i][0]][1]) for i in kept], f"{new}")
    demand(filled == [v for s in sales for v in (s[1], shops[s[0]][0] if s[0] in shops else -1)], f"{filled}")
    demand(part and set(part) <= set(kept), f"{part}")
    tens, = answered(regc, where, "flat(join(half, tens, h).x[.., 1])")
    demand(tens == [20, 30, 10], f"{tens}")
    by_id, = answered(regc, where, "flat(join(half, table(2) { z = [[10], [20]] }, id, missing: -1).x[.., 1])")
    demand(by_id == [10, 20, -1], f"{by_id}")
    demand(lots == [1, 70, 3, 90, 5, 0], f"whole numbers are not compared exactly: {lots}")
    (where / "colours.csv").write_text("h,colour,v\n1,red,5\n2,blue,6\n3,red,7\n")
    (where / "sizes.csv").write_text("k,z\n1,10\n2,20\n3,30\n")
    (where / "coded.reg").write_text('data c = csv("colours.csv", target: h) |> one_hot(colour)\ndata z = csv("sizes.csv", target: k)\n')
    coded = json.loads(regc.ok("eval", "flat(join(c, z, h, their: k).x)", "-f", "coded.reg", cwd=where))["values"]
    demand(coded == [0, 1, 5, 10, 1, 0, 6, 20, 0, 1, 7, 30], f"columns of classes beside another table's: {coded}")


def case_joined_rows_are_predicted_from_one_file(regc):
    where, sales, shops = joined(regc)
    program = where / "q.reg"
    program.write_text((where / "p.reg").read_text().replace(", target: new", ", drop: [new]") +
                       "data all = sales |> join((shops |> standardize), shop, their: name, missing: drop) |> split(train: 60%, test: 40%, seed: 1)\n"
                       + TRAIN.replace("y)", "sold)"))
    first = weights(regc, program=program)
    binary = build(regc, program, name="q")
    binary.ok("-q", "--out", where / "b", "--threads", "2")
    demand((where / "b" / "weights.safetensors").read_bytes() == first, "the binary has other weights")
    predictions = rows_of(where / "b" / "predictions.csv")
    rows = [sales[int(r["id"])] for r in predictions]
    written(where / "new.csv", ("size", "price"), [(shops[r[0]][0], r[1]) for r in rows])
    binary.ok("predict", "--weights", where / "b" / "weights.safetensors", "--in", where / "new.csv", "--out", where / "out.csv")
    told = [r["output_0"] for r in rows_of(where / "out.csv")]
    demand(all(abs(float(a) - float(b["output_0"])) < 1e-4 for a, b in zip(told, predictions)), f"{told}, not {predictions}")


def case_windows_stay_in_a_group_of_texts(regc):
    where = folder(regc)
    written(where / "t.csv", ("a", "shop", "y"), [(i, "uuvvvu"[i], i) for i in range(6)])
    (where / "p.reg").write_text('data d = csv("t.csv", target: y, group: shop)\n')
    ids, = answered(regc, where, "windows(d, 2, horizon: 0, group: shop).id")
    demand(ids == [1, 3, 4], f"{ids}")


def case_what_cannot_be_joined_is_told(regc):
    where, *_ = joined(regc)
    for call, said in (("join(sales, shops, shop, their: name)", "key `east` of row 3 is not in `shops`"), ("join(shops, sales, name, their: shop)", "key `north` is in rows 0 and 2"),
                       ("join(sales, shops, shop)", "`shops` has no `shop`"), ("join(sales, shops, price, their: name)", "it is a column of x"),
                       ("join(sales, shops)", "needs `key`"), ("join(coded, shops, name)", "the column `size` is in both"),
                       ("join(sales, shops, shop, their: name, missing: 0)", "no text of `new`"), ("join(lots, shops, lot, their: name)", "key `7` of row 0 is not in")):
        shown = regc("repl", where / "p.reg", stdin=call + "\n", cwd=where)
        demand(said in shown.stdout + shown.stderr, f"{call}: {shown.stdout}{shown.stderr}")


def case_each_makes_several_data(regc):
    where, _ = prepared(regc, DATA + 'data all = csv("t.csv", target: y)\ndata cv = each i in 2..5 : bootstrap(all, seed: i)\n')
    one, other, shuffled = answered(regc, where, "cv[1].train.id", "bootstrap(all, seed: 3).train.id", "sort((cv |> shuffle)[1].train.id)")
    demand(one == other and shuffled == sorted(one), f"{one} {other}")
    shown = regc("repl", where / "p.reg", stdin="cv.train\n", cwd=where)
    demand("expected one data set" in shown.stderr + shown.stdout, shown.stderr)
    (where / "q.reg").write_text((where / "p.reg").read_text() + "model net(x: [2]) -> [1] = x |> dense(1)\nsweep b in cv as runs {\n"
                                 "  train net on b {\n    loss     mse(net(x), y)\n    optimize sgd(lr: 1e-3)\n    epochs   1\n  }\n"
                                 "  e = evaluate net on b.test { mse }\n}\nfor b in each i in 0..2 : (d where y > i) {\n  report mean(b.train.y)\n}\n")
    regc.ok("run", "--progress", "none", "--out", where / "out", where / "q.reg")
    demand(len(rows_of(where / "out" / "sweep-runs.csv")) == 3, "three runs")


def case_columns_by_models(regc):
    where, _ = prepared(regc, DATA + "model net(x: [2]) -> [1] = x |> dense(1)\nmodel other(x: [2]) -> [1] = x |> dense(1)\n")
    (where / "save.reg").write_text((where / "p.reg").read_text() + 'save net to "net.safetensors"\nassert size(d.x, 0) == 24\n')
    regc.ok("run", "--quiet", "--out=", where / "save.reg", cwd=where)
    program = where / "q.reg"
    program.write_text((where / "p.reg").read_text().replace("model other", 'let old = load("net.safetensors", as: net)\nmodel other')
                       + "data sure = (d with guess = old(x)[.., 0]) where old(x)[.., 0] == guess and guess > -100\n"
                       "assert max(abs(sure.train.guess - old(sure.train.x)[.., 0])) == 0\ntold = net(d.x)[.., 0]\n"
                       "train other on sure as t {\n  loss     mse(other(x), told[id]) + mse(other(x), guess)\n  optimize sgd(lr: 0)\n  epochs   1\n}\n"
                       "assert abs(t.loss - mean((other(d.train.x)[.., 0] - told[d.train.id])^2) - mean((other(sure.train.x)[.., 0] - sure.train.guess)^2)) < 1e-3 * t.loss\n")
    first = weights(regc, program=program)
    build(regc, program, name="q").ok("-q", "--out", where / "b", cwd=where)
    demand((where / "b" / "weights.safetensors").read_bytes() == first, "the binary has other weights")
