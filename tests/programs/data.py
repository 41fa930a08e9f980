"""Data from whole programs: parts in files of their own, classes and statistics of the training part, names of columns. Each
`case_*` function takes the compiler and raises Failure."""
import csv
import gzip
import json
import math
import random
import statistics
import subprocess

from programs.cases import demand, events, folder, of_kind
from programs.standalone import build, link, refused

KINDS = ("low", "mid", "high")
PROGRAM = """data d = csv("train.csv", target: "kind of thing" as kind)
  |> standardize
  |> split(train: 80%, valid: 20%, stratify: kind, seed: 1)
  with test = csv("test.csv")
model net(x: [2]) -> [3] = x |> dense(8) |> tanh |> dense(3)
train net on d {
  loss     cross_entropy(net(x), kind)
  optimize adam(lr: 0.05)
  epochs   20
}
evaluate net on d.test { accuracy, confusion }
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def things(count, start, draw):
    """Rows of seconds since 1970, a size, and the kind of thing that has this size."""
    kinds = [KINDS[i % 3] for i in range(count)]
    return [(1700000000 + start + i, round(KINDS.index(k) + draw.gauss(0, 0.2), 3), k) for i, k in enumerate(kinds)]


def written(path, header, rows):
    with open(path, "w", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows([header, *rows])


def prepared(regc, text=PROGRAM):
    """A folder with program.reg and both files; the test file has other places and fewer classes."""
    where, draw = folder(regc), random.Random(1)
    written(where / "train.csv", ("seconds", "size", "kind of thing"), things(60, 0, draw))
    written(where / "test.csv", ("kind of thing", "size", "seconds"), [r[::-1] for r in things(18, 60, draw) if r[2] != "low"])
    (where / "program.reg").write_text(text)
    return where


def rows_of(path):
    with open(path, newline="") as text:
        return list(csv.DictReader(text))


def case_a_part_has_a_file_of_its_own(regc):
    where = prepared(regc)
    found = events(regc, "--out", where / "out", where / "program.reg")
    metrics = of_kind(found, "evaluate")[0]["metrics"]
    demand(metrics["accuracy"] > 0.8 and metrics["confusion"][sorted(KINDS).index("low")] == [0, 0, 0], f"{metrics}")
    predicted, test = rows_of(where / "out" / "predictions.csv"), rows_of(where / "test.csv")
    demand([int(r["id"]) for r in predicted] == list(range(60, 60 + len(test))), "ids do not go on behind the first file's")
    demand([r["kind"] for r in predicted] == [r["kind of thing"] for r in test], "other rows than those of the file")
    binary = build(regc, where / "program.reg")
    binary.ok("-q", "--out", where / "again")
    same = (where / "again" / "predictions.csv").read_text() == (where / "out" / "predictions.csv").read_text()
    demand(same, "the binary predicts other values")
    found = binary.ok("predict", "--weights", where / "out", "--in", where / "test.csv").splitlines()[1:]
    for line, r in zip(found, predicted, strict=True):
        scores = [math.exp(float(r[f"output_{k}"])) for k in sorted(KINDS)]
        given = line.split(",")[1:]
        demand(given[0] == r["predicted"] and all(abs(float(p) - s / sum(scores)) < 1e-6 for p, s in zip(given[1:], scores)), "predict scales its rows otherwise")


def case_statistics_come_from_the_training_part(regc):
    where = prepared(regc, PROGRAM[:PROGRAM.index("model net")].replace("  |> split(train: 80%, valid: 20%, stratify: kind, seed: 1)\n", ""))
    session = (where / "program.reg").read_text().replace("train.csv", f"{where}/train.csv").replace("test.csv", f"{where}/test.csv")
    (where / "program.reg").write_text(session)
    sizes = [float(r["size"]) for r in rows_of(where / "train.csv")]
    mean, deviation = statistics.fmean(sizes), statistics.pstdev(sizes)
    expected = [(float(r["size"]) - mean) / deviation for r in rows_of(where / "test.csv")]
    for k in (0, 5, 11):
        got = float(regc.ok("repl", where / "program.reg", stdin=f"d.test.x[{k}, 1]\n"))
        demand(abs(got - expected[k]) < 1e-4, f"row {k}: {got}, not {expected[k]}")
        got = float(regc.ok("repl", where / "program.reg", stdin=f"d.test.x[{k}, 0]\n"))
        seconds = int(rows_of(where / "test.csv")[k]["seconds"]) - 1700000000
        demand(abs(got - (seconds - 29.5) / statistics.pstdev(range(60))) < 1e-4, f"row {k}: {got}")


def case_files_of_parts_are_named_on_the_command_line(regc):
    where = prepared(regc)
    written(where / "other.csv", ("seconds", "size", "kind of thing"), things(12, 90, random.Random(3)))
    written(where / "class.csv", ("seconds", "size", "kind of thing"), [(1, 2, "huge")] * 12)
    written(where / "named.csv", ("seconds", "length", "kind of thing"), [(1, 2, "low")] * 12)
    found = events(regc, "--out", where / "out", "--data", f"d.test={where}/other.csv", where / "program.reg")
    first = of_kind(found, "evaluate")[0]["metrics"]
    binary = build(regc, where / "program.reg")
    done = binary("--data", f"d.test={where}/other.csv", "--out", "", "-q")
    demand(done.returncode == 0 and f"{first['accuracy']:.4f}" in done.stdout, f"{done.returncode} {done.stdout}{done.stderr}")
    refused(binary, "no class `huge`", "--data", f"d.test={where}/class.csv", "--out", "", code=65)
    refused(binary, "lacks 1 of the 2 columns", "--data", f"d.test={where}/named.csv", "--out", "", code=65)
    refused(binary, "no data `d.valid`", "--data", f"d.valid={where}/other.csv")
    refused(regc, "no such part", "run", "--data", f"d.valid={where}/other.csv", where / "program.reg")
    demand("d.test: " in binary.ok("--help"), "the part's file is not listed")
    (where / "unused.reg").write_text('data d = csv("train.csv", target: "kind of thing" as kind) with test = csv("gone.csv")\n')
    regc.ok("check", "--data", f"d.test={where}/train.csv", where / "unused.reg")
    refused(regc, "no such part", "check", "--data", f"d.valid={where}/test.csv", "--data", f"d.test={where}/train.csv", where / "unused.reg")
    refused(regc, "gone", "check", "--data", f"d.test={where}/gone2.csv", where / "unused.reg", code=66)
    (where / "test.csv").unlink()
    refused(binary, "--data d.test=PATH", "--out", "", code=66)


def case_a_saved_session_finds_all_files(regc):
    where = prepared(regc)
    (where / "deep").mkdir()
    regc.ok("repl", where / "program.reg", stdin=f":save {where}/deep/p.reg\n")
    text = (where / "deep" / "p.reg").read_text()
    demand(text.count(f'csv("{where}/') == 2, text)
    regc.ok("check", where / "deep" / "p.reg")


def case_a_number_of_the_target_need_not_be_a_class(regc):
    """A binary reads any integers where its program reads numbers."""
    where = folder(regc)
    rows = [(i, 3 * i + 1) for i in range(20)]
    written(where / "a.csv", ("a", "y"), rows)
    written(where / "b.csv", ("a", "y"), [(a, 7 * y) for a, y in rows])
    (where / "p.reg").write_text("""data d = csv("a.csv", target: y)
model net(x: [1]) -> [1] = x |> dense(1)
train net on d {
  loss     mse(net(x), y)
  optimize sgd(lr: 1e-4)
  epochs   2
}
""")
    binary = build(regc, where / "p.reg")
    binary.ok("-q", "--out", "", "--data", f"d={where}/b.csv")


def case_two_classes_of_four_rows_are_learned(regc):
    where = folder(regc)
    written(where / "xor.csv", ("a", "b", "y"), [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)])
    (where / "p.reg").write_text("""data d = csv("xor.csv", target: y)
model net(x: [2]) -> [2] = x |> dense(8) |> tanh |> dense(2)
train net on d {
  loss     cross_entropy(net(x), y)
  optimize adam(lr: 0.05)
  batch    4
  epochs   200
  allow(evaluates_training_data)
}
evaluate net on d { accuracy }
""")
    metrics = of_kind(events(regc, "--out", "", where / "p.reg"), "evaluate")[0]["metrics"]
    demand(metrics["accuracy"] == 1, f"{metrics}")


def case_doubles_are_scaled_before_they_are_rounded(regc):
    where = prepared(regc)
    regc.ok("run", where / "program.reg", "-q", "--out", where / "out")
    regc.ok("build", where / "program.reg", "--model-only", "--weights", where / "out", "-q", "-o", where / "net.o")
    first = rows_of(where / "test.csv")[0]
    (where / "main.c").write_text('#include "net.h"\n#include <stdio.h>\nint main(void) {\n'
                                  f'  double x[2] = {{{first["seconds"]}, {first["size"]}}}, w[2] = {{1e300, 1}};\n'
                                  '  float y[3];\n  if (net_predict_double(x, 1, y)) return 1;\n'
                                  '  printf("%.9g,%.9g,%.9g\\n", y[0], y[1], y[2]);\n  return net_predict_double(w, 1, y) != 65;\n}\n')
    link(regc, where / "main.c", where / "net.o", "-o", where / "main")
    done = subprocess.run([where / "main"], capture_output=True, text=True)
    expected = rows_of(where / "out" / "predictions.csv")[0]
    wanted = ",".join(expected[f"output_{k}"] for k in sorted(KINDS))
    demand(done.returncode == 0 and done.stdout.strip() == wanted, f"{done.returncode}: {done.stdout} instead of {wanted}")


# Name, text, what is shown of it: (columns, their types, missing ones), a piece of the definition.
TABLES = [
    ("plain.csv", "size,kind of thing\n1,a\n2.5,b\n,a\n4,b\n", (["size", "kind of thing"], ["number", "text"], [1, 0]), 'target: "kind of thing" as y'),
    ("euro.csv", "preis;stück;farbe;y\n1,5;3;rot;1\n2,25;4;;0\n3;5;blau;1\n4;5;blau;0\n",
     (["preis", "stück", "farbe", "y"], ["number", "integer", "text", "integer"], [0, 0, 1, 0]), 'separator: ";", decimal: ","'),
    ("tabs.tsv", "a\tb\n" + "1\t2\n3\t4\n" * 10, (["a", "b"], ["integer", "integer"], [0, 0]), "stratify: b"),
    ("bare.csv", "5.1,3.5,setosa\n4.9,3,virginica\n4.9,3.5,setosa\n5,3,virginica\n", (["0", "1", "2"], ["number", "number", "text"], [0, 0, 0]), "header: false"),
    ("sizes.csv", "3,2,no,yes\n1,2,0\n1,3,1\n2,4,1\n", (["0", "1", "2"], ["integer"] * 3, [0, 0, 0]), 'skip: 1, header: false, target: "2" as y'),
    ("numbers.csv", "0;1,5;2\n1;7;1\n2;8;2\n", (["0", "1", "2"], ["integer", "number", "integer"], [0, 0, 0]), 'target: "2" as y'),
    ("days.csv", "when,note,sold\n" + "".join(f"2024-01-{d:02},the {d} th of the month,{d * d}.5\n" for d in range(1, 29)),
     (["when", "note", "sold"], ["date", "text", "number"], [0, 0, 0]), "date_parts(when, [year, month, weekday])"),
    ("bars.csv", "a|b\n1|x\n|y\nNA|x\n3|y\n", (["a", "b"], ["integer", "text"], [2, 0]), 'separator: "|"'),
    ("empty.csv", "a,b,y\n,1,1\n,2,0\n,3,1\n,4,0\n", (["a", "b", "y"], ["number", "integer", "integer"], [4, 0, 0]), "drop: a"),
    ("ids.csv", "who,y\n" + "".join(f"p{i},{i % 2}\n" for i in range(30)), (["who", "y"], ["text", "integer"], [0, 0]), None),
    ("people.csv", "valid,PersonId,other_id,y\n" + "".join(f"{i % 3},{100 + i},{i},{i % 2}\n" for i in range(30)),
     (["valid", "PersonId", "other_id", "y"], ["integer"] * 4, [0] * 4), "target: y, id: PersonId, drop: other_id)"),
    ("id.csv", "id,a,y\nu7,1,1\nu3,2,0\nu8,4,1\n", (["id", "a", "y"], ["text", "integer", "integer"], [0] * 3), "target: y, id: id)"),
    ("twice.csv", "id,a,y\n7,1,1\n7,2,0\n8,4,1\n", (["id", "a", "y"], ["integer"] * 3, [0] * 3), "target: y)"),
    ("one.csv", "a\n1\n2\n", (["a"], ["integer"], [0]), None),
]


def case_a_table_is_shown_before_a_program_is_written(regc):
    """What stands in it, and a definition that can be read."""
    where = folder(regc)
    packed = [("packed.tsv.gz", *row[1:3], 'separator: "\\t"') for row in TABLES if row[0] == "tabs.tsv"]
    for name, text, (columns, types, missing), piece in TABLES + packed:
        (where / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        found = json.loads(regc.ok("data", "--json", name, cwd=where))["columns"]
        demand([[c[k] for c in found] for k in ("name", "type", "missing")] == [columns, types, missing], f"{name}: {found}")
        shown = regc.ok("data", name, cwd=where)
        definition = shown.partition("to begin with, where the last column is what is predicted:\n\n")[2]
        demand((piece or "rows") in (definition or shown), f"{name}: {shown}")
        demand(bool(piece) == bool(definition), f"{name}: {shown}")
        if piece:
            done = regc("data", "-", stdin=definition, cwd=where)
            demand(done.returncode == 0, f"{name}: {definition}{done.stderr}")
    whole = json.loads(regc.ok("data", "--json", "days.csv", cwd=where))
    sold = whole["columns"][2]
    demand(whole["rows"] == 28 and (sold["min"], sold["max"]) == (1.5, 784.5) and sum(sold["histogram"]) == 28 and sold["histogram"][-1] == 2, f"{sold}")
    few = json.loads(regc.ok("data", "--json", "ids.csv", cwd=where))["columns"]
    demand(few[0]["values"] == 30 and few[1]["values"] == 2 and list(few[0]["most_frequent"].items())[0] == ("p0", 1), f"{few}")
    refused(regc, "broken.csv:2:", "data", (where / "broken.csv").write_text("a,b\n1\n2\n") and where / "broken.csv", code=65)
    refused(regc, "no rows", "data", (where / "names.csv").write_text("a,b\n") and where / "names.csv", code=65)
    refused(regc, "none.csv", "data", where / "none.csv", code=66)


def case_rows_that_lack_values_are_left_out_in_the_order_of_steps(regc):
    """What `impute` fills before `drop_missing` is no reason to leave a row out; of columns that a step does not name each hole is told."""
    where = folder(regc)
    cells = [[f"{i}" if i % 3 else "", f"{i % 5}" if i % 4 else "NA", "uv"[i % 2] if i % 5 else "", "pq"[i % 2] if i % 7 else ""] for i in range(60)]
    (where / "t.csv").write_text("a,b,c,y\n" + "".join(",".join(row) + "\n" for row in cells))
    a, b, c, y = ([bool(row[k]) and row[k] != "NA" for row in cells] for k in range(4))
    for steps, kept in (("drop_missing", [a, b, c, y]), ("impute(median) |> drop_missing", [y]), ("impute(median, columns: a) |> drop_missing", [b, c, y]),
                        ("impute(0) |> drop_missing", [c, y]), ('impute("w") |> impute(0) |> drop_missing', [y]), ('impute("w") |> drop_missing', [a, b, y]), ("drop_missing |> impute(median)", [a, b, c, y]),
                        ("drop_missing(y) |> impute(median)", [y]), ("drop_missing([a, y]) |> impute(median)", [a, y]),
                        ("drop_missing(y) |> drop_missing(c) |> impute(mean)", [c, y])):
        (where / "p.reg").write_text(f'data d = csv("t.csv", target: y) |> one_hot(c) |> {steps}\n')
        found = [int(i) for i in json.loads(regc.ok("eval", "d.id", "-f", where / "p.reg"))["values"]]
        demand(found == [i for i in range(60) if all(k[i] for k in kept)], f"{steps}: {found}")
    for steps, place in (("drop_missing(y)", "t.csv:5:1: column `a` has no value here"), ("drop_missing(a) |> impute(mean)", "t.csv:9:4: column `y` has no value here"),
                         ("drop_missing(z)", "x is made of no column `z`")):
        (where / "p.reg").write_text(f'data d = csv("t.csv", target: y) |> one_hot(c) |> {steps}\n')
        refused(regc, place, "check", where / "p.reg", code=65)


def case_a_field_that_columns_name_too_is_both(regc):
    """The same bits as of a file that has the column twice; a target is never one of x."""
    where = folder(regc)
    rows = [("uvw"[k % 3], (k * k) % 11, (5 * k) % 13) for k in range(30)]
    (where / "t.csv").write_text("shop,n,y\n" + "".join(f"{shop},{n},{y}\n" for shop, n, y in rows))
    (where / "twice.csv").write_text("there,shop,n,n2,y\n" + "".join(f"{shop},{shop},{n},{n},{y}\n" for shop, n, y in rows))
    for name, file, group in (("both", "t", "[shop, n]"), ("twice", "twice", "[there as place, n2 as m]")):
        (where / f"{name}.reg").write_text(f"""data d = csv("{file}.csv", target: y, group: {group}, columns: [n, shop]) |> one_hot(shop)
  |> split(train: 60%, test: 40%, stratify: {"shop" if name == "both" else "place"}, seed: 1)
model net(x: [4]) -> [1] = x |> dense(1)
train net on d {{ loss mean((1 + {"n" if name == "both" else "m"})[.., new] * (net(x) - y[.., new])^2); optimize sgd(lr: 0.001); epochs 3 }}
""")
        regc.ok("run", f"{name}.reg", "-q", "--out", name, cwd=where)
    demand((where / "both/weights.safetensors").read_bytes() == (where / "twice/weights.safetensors").read_bytes(), "other weights")
    demand(regc.ok("predict", "both.reg", "--weights", "both", "--in", "t.csv", cwd=where) == regc.ok("predict", "twice.reg", "--weights", "twice", "--in", "twice.csv", cwd=where), "other predictions")
    (where / "p.reg").write_text('data d = csv("t.csv", target: y, columns: [n, y])\n')
    refused(regc, "t.csv:1:3: column `y` is taken twice", "check", where / "p.reg", code=65)


def case_some_columns_are_scaled(regc):
    """`standardize` and `min_max` of some columns, or of what one became, learned from the training part; predictions do the same, in binaries too."""
    where = folder(regc)
    rows = [(k % 7 + 0.5, (k * k) % 11, "uvw"[k * k % 3], (5 * k) % 13) for k in range(30)]
    (where / "t.csv").write_text("a,b,c,y\n" + "".join(f"{a},{b},{c},{y}\n" for a, b, c, y in rows))
    (where / "p.reg").write_text("""precision f64
data d = csv("t.csv", target: y) |> one_hot(c) |> scale(2) |> standardize([a, c]) |> min_max(columns: b) |> split(train: 60%, test: 40%, time: id)
model net(x: [4]) -> [1] = x |> dense(1)
train net on d { loss squared_error(net(x), y); optimize sgd(lr: 0.1); epochs 3 }
""")
    levels = sorted({c for _, _, c, _ in rows})
    x = [[a, b, *(float(c == level) for level in levels)] for a, b, c, _ in rows]
    wanted = []
    for k, column in enumerate(zip(*x)):
        part = column[:18]
        mean = math.fsum(part) / 18
        shift, spread = (min(part), max(part) - min(part)) if k == 1 else (mean, math.sqrt(math.fsum((v - mean) ** 2 for v in part) / 18))
        wanted.append([(v - shift) / spread for v in column])
    width = len(wanted)
    found = json.loads(regc.ok("eval", "reshape(d.x[0..3], [12])", "-f", "p.reg", cwd=where))["values"]
    demand(width == 4 and all(math.isclose(float(v), wanted[i % 4][i // 4], rel_tol=1e-9, abs_tol=1e-12) for i, v in enumerate(found)), f"{found}")
    regc.ok("run", "p.reg", "-q", "--out", "run", cwd=where)
    regc.ok("build", "p.reg", "-o", "p", cwd=where)
    told = regc.ok("predict", "p.reg", "--weights", "run", "--in", "t.csv", cwd=where)
    done = subprocess.run([where / "p", "predict", "--weights", "run", "--in", "t.csv"], capture_output=True, text=True, cwd=where)
    demand(done.stdout == told and len(told.splitlines()) == 31, f"the binary predicts otherwise: {done.stdout[:200]} {done.stderr}")
    one = json.loads(regc.ok("eval", "reshape(net(d.x), [30])", "-f", "p.reg", "--weights", "run/weights.safetensors", cwd=where))["values"]
    demand(all(math.isclose(float(line.split(",")[1]), float(v), rel_tol=1e-6, abs_tol=1e-9) for line, v in zip(told.splitlines()[1:], one)), "other predictions")
    for step, code, message in (("standardize(z)", 65, "x is made of no column `z`"), ("min_max([a, y])", 65, "x is made of no column `y`"), ("standardize(a) |> standardize([b, a])", 0, "standardized_twice")):
        (where / "q.reg").write_text(f'data d = csv("t.csv", target: y, drop: c) |> {step}\n')
        done = regc("check", "q.reg", cwd=where)
        demand(done.returncode == code and message in done.stderr, f"{step}: {done.returncode} {done.stderr}")
