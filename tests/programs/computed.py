"""Data computed by the language, against the same rows chosen in Python. Each `case_*` function takes the compiler and raises
Failure."""
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
