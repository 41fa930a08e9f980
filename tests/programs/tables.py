"""Tables as people have them: other separators and marks, packed, without a header; columns by their roles. Each `case_*` function
takes the compiler and raises Failure."""
import csv
import datetime
import gzip
import json
import math
import random
import re
import resource
import statistics
import subprocess

from programs.cases import demand, events, folder, of_kind
from programs.standalone import build, refused, sanitizers
from programs.system import limited
from run import ROOT, Skip, need_packages

TAIL = """
model net(x: [2]) -> [2] = x |> dense(4) |> tanh |> dense(2)
train net on d {
  loss     mean(w * sum((net(x) - one_hot(kind, 2))^2, axis: 1)) + 0 * mean(score)
  optimize adam(lr: 0.05)
  epochs   3
  batch    8
}
evaluate net on d.test { accuracy, n = mean(score) }
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def rows(count):
    draw = random.Random(4)
    return [(f"p{i}", draw.gauss(0, 1), draw.gauss(0, 3), "low" if i % 3 else "high", 0.5 + i % 2, i / 4) for i in range(count)]


def number(x):
    return repr(x).replace(".", ",")


def case_table_forms_do_not_matter(regc):
    """One table in two forms gives the same weights, in binaries too; rows are called by their own ids."""
    where, table = folder(regc), rows(60)
    with open(where / "plain.csv", "w", newline="") as out:
        csv.writer(out).writerows([("patient no", "a", "b", "kind", "w", "score"), *table])
    lines = ["exported", "patient no\ta\tb\tnote\tkind\tw\tscore", "# by hand"]
    lines += ["\t".join([r[0], number(r[1]), number(r[2]), '"a\nb"', r[3], number(r[4]), number(r[5])]) for r in table]
    with gzip.open(where / "odd.tsv", "wt", newline="\r\n") as out:
        out.write("\n".join(lines))
    roles = 'target: [kind, score], weight: w, id: "patient no" as patient'
    split = " |> standardize |> split(train: 50%, test: 50%, seed: 2)\n"
    (where / "plain.reg").write_text(f'data d = csv("plain.csv", {roles}){split}{TAIL}')
    (where / "odd.reg").write_text(f'data d = csv("odd.tsv", {roles}, skip: 1, decimal: ",", comment: "#", columns: [a, "b"], separator: "\\t"){split}{TAIL}')
    for name in ("plain", "odd"):
        regc.ok("run", "-q", "--out", where / name, where / f"{name}.reg")
    weights = [(where / name / "weights.safetensors").read_bytes() for name in ("plain", "odd")]
    demand(weights[0] == weights[1], "other weights")
    found = (where / "odd" / "predictions.csv").read_text().splitlines()
    demand(found[0].startswith("patient,kind,predicted") and found[1].startswith("p"), f"{found[:2]}")
    binary = build(regc, where / "odd.reg")
    binary.ok("-q", "--out", where / "again")
    demand((where / "again" / "weights.safetensors").read_bytes() == weights[0], "the binary has other weights")
    predicted = binary.ok("predict", "--weights", where / "odd", "--in", where / "odd.tsv").splitlines()
    demand(len(predicted) == 61 and predicted[1].startswith("p0,"), f"{predicted[:2]}")


def case_table_from_standard_input(regc):
    where = folder(regc)
    (where / "p.reg").write_text(f'data d = csv("/dev/stdin", header: false, target: "2" as y)\nmodel net(x: [2]) -> [1] = x |> dense(1)\n'
                                 "train net on d { loss mse(net(x), y); optimize sgd(lr: 0.1); epochs 2 }\n")
    text = "".join(f"{i},{i * i},{3 * i}\n" for i in range(6))
    regc.ok("check", where / "p.reg", stdin=text)
    regc.ok("run", "-q", "--out", where / "out", where / "p.reg", stdin=text)


COLORS = ("blue", "green", "red")
MIXED = """data d = csv("mixed.csv", target: y)
  |> one_hot([color])
  |> ordinal(size)
  |> date_parts(when, [year, weekday, hour, time])
  |> impute(median, columns: age, flag: true)
  |> impute("none", columns: color)
  |> impute(mean)
  |> log1p(income)
  |> clamp(income, 0, 5)
  |> quantile_bins(4, score)
  |> FINISH
  |> split(train: 60%, test: 40%, seed: 3)
model net(x: [14]) -> [2] = x |> dense(2)
train net on d {
  loss     cross_entropy(net(x), y)
  optimize adam(lr: 1e-2)
  epochs   2
  batch    8
}
evaluate net on d.test { accuracy }
"""


def mixed_rows(count):
    draw, found = random.Random(7), []
    for i in range(count):
        day = datetime.datetime(2023, 12, 28) + datetime.timedelta(days=i, hours=i % 24)
        found.append({"age": None if i % 9 == 4 else draw.randrange(20, 60), "color": None if i % 11 == 5 else COLORS[(7 * i + i // 5) % 3],
                      "size": "lms"[i % 3], "when": day, "smoker": draw.random() < 0.5, "income": None if i % 13 == 1 else round(draw.expovariate(0.01), 2),
                      "score": draw.gauss(0, 1), "y": "ab"[draw.random() < 0.4]})
    return found


def write_mixed(path, found):
    day = {0: "%Y-%m-%d %H:%M", 1: "%Y/%m/%dT%H:%M:%SZ", 2: "%d.%m.%Y %H:%M"}
    with open(path, "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(found[0])
        for i, r in enumerate(found):
            writer.writerow([("NA", "")[i % 2] if v is None else v.strftime(day[i % 3]) if k == "when" else ("yes" if v else "No") if k == "smoker" else v
                             for k, v in r.items()])


def expected_mixed(found, train):
    """Rows of x before they are scaled, from what the rows `train` tell."""
    known = [found[i] for i in train]
    age = statistics.median(r["age"] for r in known if r["age"] is not None)
    income = statistics.fmean(r["income"] for r in known if r["income"] is not None)
    edges = statistics.quantiles([r["score"] for r in known], n=4, method="inclusive")
    colors = sorted({r["color"] for r in known if r["color"]} | {"none"})
    out = []
    for r in found:
        days = (r["when"] - datetime.datetime(1970, 1, 1)).total_seconds()
        out.append([age if r["age"] is None else r["age"], r["age"] is None, *((r["color"] or "none") == c for c in colors), "lms".index(r["size"]),
                    r["when"].year, r["when"].weekday(), r["when"].hour, days, r["smoker"],
                    min(5, math.log1p(income if r["income"] is None else r["income"])), sum(e <= r["score"] for e in edges)])
    return [list(map(float, r)) for r in out]


def near(a, b):
    return all(abs(x - y) <= 2e-6 * max(1, abs(x), abs(y)) for x, y in zip(a, b, strict=True))


def values(regc, program, text):
    return json.loads(regc.ok("eval", "-f", program, text))["values"]


def case_table_of_mixed_columns(regc):
    """Texts, dates, truth values and what is missing, as the training part tells; a binary predicts rows of a file alike."""
    where, found = folder(regc), mixed_rows(90)
    write_mixed(where / "mixed.csv", found)
    (where / "p.reg").write_text(MIXED.replace("FINISH", "scale(1)"))
    train = [int(i) for i in values(regc, where / "p.reg", "d.train.id")]
    test = [i for i in range(90) if i not in train]
    expected = expected_mixed(found, train)
    for k in (0, 4, 8, 30, 32):
        got = values(regc, where / "p.reg", f"d.test.x[{k}..{k + 4}]")
        want = [v for i in test[k:k + 4] for v in expected[i]]
        demand(near(got, want), f"rows {test[k:k + 4]}: {got} instead of {want}")
    (where / "p.reg").write_text(MIXED.replace("FINISH", "min_max"))
    low, high = ([f(expected[i][j] for i in train) for j in range(14)] for f in (min, max))
    got = values(regc, where / "p.reg", "d.test.x[0..4]")
    want = [(v - a) / (b - a if b > a else 1) for i in test[:4] for v, a, b in zip(expected[i], low, high)]
    demand(near(got, want), f"min_max: {got} instead of {want}")
    regc.ok("run", "-q", "--out", where / "out", where / "p.reg")
    binary = build(regc, where / "p.reg")
    binary.ok("-q", "--out", where / "again")
    demand((where / "again" / "weights.safetensors").read_bytes() == (where / "out" / "weights.safetensors").read_bytes(), "other weights")
    predicted = (where / "out" / "predictions.csv").read_text().splitlines()[1:]
    write_mixed(where / "new.csv", [{k: found[i][k] for k in reversed(found[i])} for i in test])
    rows_found = binary.ok("predict", "--weights", where / "out", "--in", where / "new.csv").splitlines()[1:]
    for row, kept in zip(rows_found, predicted, strict=True): # probabilities of what is kept as outputs
        scores = [math.exp(float(v)) for v in kept.split(",")[3:]]
        demand(row.split(",")[1] == kept.split(",")[2] and near([float(v) for v in row.split(",")[2:]], [v / sum(scores) for v in scores]),
               f"predict reads rows otherwise: {row}, {kept}")
    write_mixed(where / "new.csv", [{**found[0], "color": "teal"}])
    refused(binary, "new.csv:2:2: `teal` in column `color` is none of the 4 texts", "predict", "--weights", where / "out", "--in", where / "new.csv", code=65)


def case_a_column_without_values_fills_nothing(regc):
    where = folder(regc)
    (where / "t.csv").write_text("a,b,y\n1,,1\n2,NA,2\n3,,3\n")
    (where / "p.reg").write_text('data d = csv("t.csv", target: y) |> impute(mean)\n')
    done = regc("data", where / "p.reg")
    demand(done.returncode == 65 and "column `b` has no value" in done.stderr, done.stderr)


def case_table_is_shown(regc):
    where, found = folder(regc), mixed_rows(60)
    write_mixed(where / "mixed.csv", found)
    (where / "p.reg").write_text('data d = csv("mixed.csv", target: y, id: when) |> one_hot(color) |> ordinal(size) |> impute("none", columns: color) |> impute(median)\n'
                                 "  |> standardize |> split(train: 50%, test: 50%)\ndata cv = folds(d.train, 3)\n")
    text = regc.ok("data", where / "p.reg")
    for part in ("d: 60 rows", "  .train: 30 rows", "color (one_hot): 4 texts, `none` where it is missing", "color=blue", "y: 2 texts: a ("):
        demand(part in text, f"`{part}` is not in {text}")
    shown = [json.loads(line) for line in regc.ok("data", "--json", where / "p.reg").splitlines()]
    demand(shown[0]["parts"] == {"train": 30, "test": 30} and sum(shown[0]["fields"][0]["classes"].values()) == 60, f"{shown[0]}")
    score = next(c for c in shown[0]["columns"] if c["name"] == "score")
    low, high = (f(r["score"] for r in found) for f in (min, max))
    demand(near([score["min"], score["max"]], [low, high]) or abs(score["min"] - low) < 1e-5 > abs(score["max"] - high), f"{score}, not {low}..{high}")
    demand(sum(score["histogram"]) == 60, f"{score}")
    (where / "bad.reg").write_text('data d = csv("mixed.csv", target: z)\n')
    refused(regc, "has no column `z`", "data", where / "bad.reg", code=65)
    refused(regc, "needs a file", "data")
    (where / "none.reg").write_text("let k = 1\n")
    demand("it has no data" in regc("data", where / "none.reg").stderr, "no data")
    # Wide and long: x is an array, and nothing is a target.
    (where / "wide.reg").write_text("data t = table(4) { x = normal([4, 70]) }\n")
    text = regc.ok("data", where / "wide.reg")
    demand("  ... 67 more columns like these, to `69`\n" in text and "row 3" not in text, text)
    text = regc.ok("data", "--verbose", where / "wide.reg")
    demand("more columns" not in text and re.search(r"^  69 ", text, re.M), text)
    # Values of one column, other numbers in names, kinds that differ, other columns between; of a file and of a program.
    names = ["id", *(f"p{k}" for k in range(30)), *(f"p{k}" for k in range(31, 50)), "p07", "kind", "q1", "q3", *(f"r{k}" for k in range(9))]
    (where / "w.csv").write_text(",".join([*names, "y"]) + "\n" + "".join(",".join([f"{r}"] * 50 + ["x" if k == "p07" else f"v{r}" if k == "kind" else str(r % 3) for k in names[50:]] + [str(r % 2)]) + "\n" for r in range(20)))
    (where / "w.reg").write_text('data d = csv("w.csv", target: y, drop: p07) |> one_hot\n')
    for what in ("w.csv", "w.reg"):
        text = regc.ok("data", where / what)
        demand("  ... 46 more columns like these, to `p49`\n" in text, f"{what}: {text}")
        demand(all(re.search(rf"^  r{k} ", text, re.M) for k in range(9)) and re.search(r"^  q3 ", text, re.M), text)
    demand("  ... 17 more columns like these, to `kind=v9`\n" in text and text.count("more columns") == 2, text)


def case_table_without_rows_that_lack_values(regc):
    where, found = folder(regc), mixed_rows(40)
    write_mixed(where / "mixed.csv", found)
    (where / "p.reg").write_text('data d = csv("mixed.csv", target: y, drop: when) |> one_hot |> drop_missing\n')
    whole = [i for i, r in enumerate(found) if None not in r.values()]
    demand([int(i) for i in values(regc, where / "p.reg", "d.id")] == whole, "other rows")
    (where / "p.reg").write_text('data d = csv("mixed.csv", target: y, drop: when) |> ordinal |> impute(0) |> split(train: 50%, test: 50%)\n')
    refused(regc, "mixed.csv:7:2: column `color` has no value here", "check", where / "p.reg", code=65)
    (where / "p.reg").write_text('data d = csv("mixed.csv", target: y)\n')
    refused(regc, "mixed.csv:2:2: `blue` in column `color` is no number", "check", where / "p.reg", code=65)
    (where / "p.reg").write_text('data d = csv("mixed.csv", target: y, drop: [when, color, size])\n')
    refused(regc, "mixed.csv:6:1: `NA` in column `age` stands for a missing number; 4 of 40 rows lack it", "check", where / "p.reg", code=65)


HOSTILE = [
    (b"a,y\n1,2\n3,\0004\n", "", "t.csv:3:2: a zero byte"),
    (b"a,y\n1,2\n\0003,4\n", "", "t.csv:3:1: a zero byte"),
    (b"\0" * 4096, "", "t.csv:1:1: a zero byte"),
    ("a,y\n1,2\n".encode("utf-16-le"), "", "t.csv:1:1: a zero byte"),
    ("a,y\n1,2\n".encode("utf-16")[:-1], "", "UTF-16 and damaged: it ends within a character"),
    ("a,y\ncaf\u00e9,1\n".encode() + "th\u00e9,2\n".encode("latin-1"), " |> one_hot", "t.csv:3:1: the field is no UTF-8"),
    (b"a,y\n=1+1,2\n@SUM(A1),1\n", "", "a formula of a spreadsheet"),
    (b"a,y\n" + b"1" * 3_000_000 + b",2\n", "", "t.csv:2:1: a field of more than 1048576 bytes"),
    (b"a,y\n" + b"1," * 1_000_000 + b"2\n", "", "t.csv:2:3: more fields than the header's 2"),
    (b'a,y\n"' + b"1\n" * 1_000_000, "", "t.csv:2:1: a quoted field is not closed"),
    (b"k," * ((1 << 20) - 1) + b"y\n", "", "column `k` stands twice"),
    (b"a,y\n" + b"".join(b"t%d,1\n" % i for i in range(20000)), " |> one_hot", "column `a` has 20000 different texts"),
]


def case_hostile_tables_are_refused_or_read(regc):
    """With their places; tables of many columns or classes are read in time that grows as they do."""
    where = folder(regc)
    for i, (table, steps, message) in enumerate(HOSTILE):
        (where / "t.csv").write_bytes(table)
        (where / "p.reg").write_text(f'data d = csv("t.csv", target: y){steps}\n')
        done = regc("data", where / "p.reg")
        demand(done.returncode == 65 and message in done.stderr, f"table {i}: {done.stderr[:300]}")
    n = 20000
    (where / "t.csv").write_text(",".join(f"c{k}" for k in range(n)) + ",y\n" + "".join(",".join("ab"[(k + r) % 2] for k in range(n)) + ",1\n" for r in range(4)))
    (where / "p.reg").write_text('data d = csv("t.csv", target: y) |> one_hot\n')
    demand(f"... {2 * n - 3} more columns like these, to `c{n - 1}=b`" in regc.ok("data", where / "p.reg", timeout=30), "other columns")
    (where / "t.csv").write_text("a,y\n" + "".join(f"{k % 7},k{7919 * k % 100003}\n" for k in range(100000)))
    (where / "p.reg").write_text('data d = csv("t.csv", target: y)\n')
    demand("y: 100000 texts: k0 (1), k1 (1)" in regc.ok("data", where / "p.reg", timeout=30), "other classes")


def case_columns_without_a_name_of_their_own(regc):
    """What has no name, or one that stands twice, may be passed over and left alone by predictions; x takes none of them by itself."""
    where = folder(regc)
    program = where / "p.reg"
    tail = "\nmodel net(x: [1]) -> [1] = x |> dense(1)\ntrain net on d { loss mse(net(x), y); optimize sgd(lr: 0.1) }\n"
    (where / "t.csv").write_text(",a,z,z,y\n0,1,5,6,2\n1,2,7,8,4\n")
    for form, message in ((', drop: [z]', '1:1: column 1 has no name'), (', drop: ["unnamed 0"]', "1:4: column `z` stands twice in the header, first as column 3"),
                          (", columns: [a, z]", "1:4: column `z` stands twice"), (", columns: a, weight: z", "1:4: column `z` stands twice")):
        program.write_text(f'data d = csv("t.csv", target: y{form})\n')
        refused(regc, f"t.csv:{message}", "check", program, code=65)
    for form in (", columns: a", ', drop: ["unnamed 0", z]', ', id: "unnamed 0" as row, drop: z'):
        program.write_text(f'data d = csv("t.csv", target: y{form}){tail}')
        demand(values(regc, program, "flat(d.x)") == [1, 2], f"{form}: another x")
        regc.ok("run", "p.reg", "-q", "--out", "run", cwd=where)
    (where / "new.csv").write_text("b,b,,a,\n1,2,3,2,4\n")
    told = regc.ok("predict", "p.reg", "--weights", "run", "--in", "new.csv", cwd=where).splitlines()
    demand(len(told) == 2, f"predicted: {told}")
    (where / "new.csv").write_text("a,a\n1,2\n")
    refused(regc, "new.csv:1:2: column `a` stands twice", "predict", program, "--weights", where / "run", "--in", where / "new.csv", code=65)
    (where / "u.csv").write_text(",0,1\n0,5,6\n1,7,8\n")
    told = regc.ok("data", where / "u.csv")
    demand('csv("' in told and 'target: "1" as y, drop: "unnamed 0")' in told, f"of pandas: {told}")
    (where / "t.csv").write_text("a,b,y,\n1,2,3,\n2,3,4,\n")
    program.write_text('data d = csv("t.csv", target: y, columns: [a, "unnamed 3"])\n')
    refused(regc, '`drop: ["unnamed 3"]` leaves a column without values out', "check", program, code=65)


def case_data_with_mistakes_is_told(regc):
    """`regc data` shows what is right and tells what is wrong; each data set once, also where others are made of it."""
    where = folder(regc)
    program = where / "p.reg"
    (where / "t.csv").write_text("a,t,y\n" + "".join(f"{i},{i // 2},{i % 2}\n" for i in range(12)))
    for body, message in (("d where a > 5", "`a` is a column of x: `x[.., 0]`"), ("d where t > 50", "no_rows_left"), ("folds(d, 3)[3]", "whole number from 0 to 2, found 3"),
                          ("d[[30, 1]]", "30"), ("balance(d, t)", "its parts are made by split"), ("folds(d, 13)[0]", "12 rows are too few for 13 folds")):
        program.write_text(f'data d = csv("t.csv", target: y, group: t)\ndata e = {body}\n')
        done = regc("data", program)
        demand(done.returncode in (1, 65) and message in done.stderr and "d: 12 rows" in done.stdout, f"{body}: {done.returncode} {done.stderr[:300]}")
    program.write_text('data d = csv("t.csv", target: y, group: t) |> standardize\ndata e = d with z = t + y\n'
                       'data g = csv("t.csv", target: y, group: t)\ndata f = folds(g, 3, time: t)[0]\n')
    told = regc.ok("data", program)
    demand(told.count("d: 12 rows") == 1 and told.count("e: 12 rows") == 1 and "in no part: 6 rows" in told, told)
    demand("-0" not in told and "0.999" not in told, f"standardized numbers: {told}")


def case_divided_by_dates(regc):
    """`time` of a column of dates puts rows in their order, however they are written; a group need not be in the training file."""
    where = folder(regc)
    program = where / "p.reg"
    dates = ["2.3.2024", "2024-01-05", "1999/12/31 23:59", "2024-01-05T01:00", "2023-12-31"]
    (where / "t.csv").write_text("a,when,y\n" + "".join(f"{i},{when},{i % 2}\n" for i, when in enumerate(dates)))
    program.write_text('data d = csv("t.csv", target: y, group: when) |> split(train: 60%, test: 40%, time: when)\n')
    demand(values(regc, program, "d.train.id") == [1, 2, 4] and values(regc, program, "d.test.id") == [0, 3], "another order")
    (where / "u.csv").write_text("a,when,y\n7,1.1.2030,1\n8,2.3.2024,0\n")
    program.write_text('data d = csv("t.csv", target: y, group: when) with test = csv("u.csv")\n')
    demand("when: 6 texts" in regc.ok("data", program), "the classes of groups")
    for part, form, message in (("when", ", drop: when", "`when`: the data have no such field"), ("a", ", group: when", "`group: a` of csv(...) makes a field"), ("when", ", group: when", "`2024-02-30` names a day that the calendar does not have")):
        program.write_text(f'data d = csv("t.csv", target: y{form}) |> split(train: 60%, test: 40%, time: {part})\n')
        (where / "t.csv").write_text("a,when,y\n1,2024-02-30,1\n2,2024-02-01,0\n")
        done = regc("check", program)
        demand(done.returncode == 65 and message in done.stderr, f"{message}: {done.stderr}")


def case_listed_texts_stand_for_nothing(regc):
    """Where `missing:` lists a text, it is no class of a target or group either."""
    where = folder(regc)
    (where / "t.csv").write_text("a,g,y\n1,A,yes\n2,B,unknown\n3,unknown,no\n4,A,none\n")
    for step, code, message in (("", 65, "t.csv:3:3: `unknown` in column `y` stands for a missing value"), (" |> drop_missing", 0, "y: 2 texts: no (1), yes (1)"),
                                (" |> one_hot(h)", 65, "x is made of no column `h`")):
        column = "drop: g" if step == " |> drop_missing" else "group: g"
        (where / "p.reg").write_text(f'data d = csv("t.csv", target: y, {column if "one" not in step else "drop: g"}, missing: "unknown"){step}\n')
        done = regc("data", where / "p.reg")
        demand(done.returncode == code and message in done.stdout + done.stderr, f"{step}: {done.returncode} {done.stdout} {done.stderr}")


def case_table_larger_than_memory(regc):
    """200 MB, of which 130 are OpenBLAS's, are less than 360 MB of numbers need: they are in files, and the weights are the same."""
    if sanitizers(regc):
        raise Skip("the sanitizers have an allocator of their own")
    where, draw = folder(regc), random.Random(3)
    pool = [",".join(draw.choices("0123456789", k=120)) + draw.choice([",low\n", ",high\n"]) for _ in range(1000)]
    (where / "t.csv").write_text(",".join(f"c{k}" for k in range(120)) + ",y\n" + "".join(draw.choices(pool, k=250000)))
    (where / "p.reg").write_text("""data d = csv("t.csv", target: y) |> standardize |> split(train: 90%, test: 10%, stratify: y)
model net(x: [120]) -> [2] = x |> dense(2)
train net on d { loss cross_entropy(net(x), y); optimize sgd(lr: 0.1); epochs 2; batch 5000 }
""")
    command = [*regc.line("run", "p.reg", "-q"), "--out"]
    regc.ok("run", "p.reg", "-q", "--out", "much", cwd=where)
    done = limited(regc, [*command, "little"], where, resource.RLIMIT_DATA, 200_000_000)
    demand(done.returncode == 0, done.stderr)
    one, other = [(where / run / "weights.safetensors").read_bytes() for run in ("much", "little")]
    demand(one == other, "other weights where the table is in a file")
    # From a pipe, whose text is in a file too; with a batch whose rows are gathered from the table, for the rows ahead of it have no room. In doubles x alone is more than memory.
    (where / "p.reg").write_text("precision f64\n" + (where / "p.reg").read_text().replace('"t.csv"', '"/dev/stdin"').replace("batch 5000", "batch 14000"))
    for run, command in (("pipe", ["sh", "-c", 'cat t.csv | "$@"', "sh", *command]), ("file", [*command[:-1], "--data", "d=t.csv", "--out"])):
        done = limited(regc, [*command, run], where, resource.RLIMIT_DATA, 200_000_000 if run == "pipe" else 1 << 40)
        demand(done.returncode == 0, done.stderr)
    one, other = [(where / run / "weights.safetensors").read_bytes()[-1936:] for run in ("pipe", "file")]
    demand(one == other, "other weights of a pipe")


def case_table_larger_than_memory_is_prepared_and_shown(regc):
    """Learning, encoding, showing and predicting go through such a table in a few passes, in 260 MB as in all there is."""
    if sanitizers(regc):
        raise Skip("the sanitizers have an allocator of their own")
    where, draw = folder(regc), random.Random(4)
    pool = [",".join(draw.choices(["", *"123456789"], k=100)) + f",{draw.choice('uvw')},{draw.choice('01')}\n" for _ in range(1000)]
    (where / "t.csv").write_text(",".join(f"c{k}" for k in range(100)) + ",kind,y\n" + "".join(draw.choices(pool, k=180000)))
    (where / "p.reg").write_text("""data d = csv("t.csv", target: y) |> impute(median, columns: [c0, c1, c2]) |> impute(most_frequent, columns: [c3, c4]) |> impute(mean)
  |> one_hot(kind) |> quantile_bins(4, [c5, c6, c7]) |> log1p([c8, c9]) |> min_max |> split(train: 50%, test: 50%, stratify: y)
model net(x: [103]) -> [2] = x |> dense(2)
train net on d { loss cross_entropy(net(x), y); optimize sgd(lr: 0.1); epochs 1; batch 5000 }
evaluate net on d.test { accuracy }
""")
    made = []
    for most in (1 << 40, 260_000_000):
        out = []
        for command in (["run", "-q", "--out", f"r{most}", "p.reg"], ["data", "t.csv"], ["predict", "p.reg", "--weights", f"r{most}", "--in", "t.csv", "--out", "answers.csv"]):
            done = limited(regc, regc.line(*command), where, resource.RLIMIT_DATA, most)
            demand(done.returncode == 0, f"{command}: {done.stderr}")
            out.append(done.stdout)
        made.append((out, *((where / name).read_bytes() for name in (f"r{most}/weights.safetensors", f"r{most}/predictions.csv", "answers.csv"))))
    demand(made[0] == made[1], "another result where the table is in a file")
    # Neither memory nor disk for it.
    done = limited(regc, ["sh", "-c", 'ulimit -f 40000; exec "$@"', "sh", *regc.line("run", "-q", "--out", "none", "p.reg")], where, resource.RLIMIT_DATA, 260_000_000)
    demand(done.returncode == 70 and "TMPDIR may name a folder" in done.stderr, f"no disk: {done.stderr}")


def case_columns_larger_than_memory_together(regc):
    """Sixty columns of text, each a fortieth of what the process may have, or as much as all of it."""
    if sanitizers(regc):
        raise Skip("the sanitizers have an allocator of their own")
    where, draw = folder(regc), random.Random(5)
    names = ", ".join(f"g{k}" for k in range(60))
    pool = [",".join(draw.choices("pqrst", k=60)) + f",{draw.choice('0123')},{draw.choice('01')}\n" for _ in range(1000)]
    (where / "t.csv").write_text(names.replace(" ", "") + ",a,y\n" + "".join(draw.choices(pool, k=400000)))
    (where / "p.reg").write_text(f"""data d = csv("t.csv", target: y, group: [{names}])
model net(x: [1]) -> [2] = x |> dense(2)
train net on d {{ loss cross_entropy(net(x), y); optimize sgd(lr: 0.1); epochs 1; batch 5000 }}
""")
    for most in (1 << 40, 300_000_000):
        done = limited(regc, regc.line("run", "-q", "--out", f"r{most}", "p.reg"), where, resource.RLIMIT_DATA, most)
        demand(done.returncode == 0, done.stderr)
    demand(len({path.read_bytes() for path in where.glob("r*/weights.safetensors")}) == 1, "other weights where columns are in files")


def case_predictions_larger_than_memory(regc):
    """Those of millions of rows are written in 200 MB, of which 130 are OpenBLAS's."""
    if sanitizers(regc):
        raise Skip("the sanitizers have an allocator of their own")
    where = folder(regc)
    (where / "t.csv").write_text("a,y\n" + "1,2\n3,1\n2,2\n0,3\n" * 850000)
    (where / "p.reg").write_text("""data d = csv("t.csv", target: y) |> split(train: 1%, test: 99%)
model net(x: [1]) -> [1] = x |> dense(1)
train net on d { loss squared_error(net(x), y); optimize sgd(lr: 0.01); epochs 1; batch 1000 }
evaluate net on d.test { mse }
""")
    done = limited(regc, regc.line("run", "-q", "--out", "r", "p.reg"), where, resource.RLIMIT_DATA, 200_000_000)
    demand(done.returncode == 0, done.stderr)
    done = limited(regc, regc.line("predict", "p.reg", "--weights", "r", "--in", "t.csv", "--out", "answers.csv"), where, resource.RLIMIT_DATA, 200_000_000)
    demand(done.returncode == 0, done.stderr)
    for name, rows in (("r/predictions.csv", 3366000), ("answers.csv", 3400000)):
        with open(where / name) as lines:
            demand(sum(1 for _ in lines) == rows + 1, f"{name} lacks rows")


def case_table_in_several_files(regc):
    """A list, a pattern and a folder are one table, in the order of names; parts of several files; mistakes are told in the file that has them."""
    where, head = folder(regc), "a,kind,y\n"
    lines = [f"{i % 5}.{i % 7},{'uvw'[i % 3]},{'high' if i % 4 else 'low'}\n" for i in range(60)]
    (where / "in").mkdir()
    (where / "one.csv").write_text(head + "".join(lines[:40]))
    (where / "in" / "b.csv.gz").write_bytes(gzip.compress((head + "".join(lines[15:40])).encode()))
    (where / "in" / "a.csv").write_text(head + "".join(lines[:15]))
    (where / "in" / "notes.txt").write_text("no table\n")
    for k in range(2):
        (where / f"t{k}.csv").write_text("kind,a,y\n" + "".join(",".join((b, a, *c)) for a, b, *c in (line.split(",") for line in lines[40 + 10 * k:50 + 10 * k])))
    program = """data d = csv(SOURCE, target: y) |> one_hot |> standardize |> split(train: 75%, valid: 25%, seed: 1) with test = csv(TEST)
model net(x: [4]) -> [2] = x |> dense(2)
train net on d { loss cross_entropy(net(x), y); optimize sgd(lr: 0.1); epochs 2; batch 8 }
evaluate net on d.test { accuracy }
"""
    runs = []
    for source in ('"one.csv"', '["in/a.csv", "in/b.csv.gz"]', '"in/*.csv*"', '"in"'):
        (where / "p.reg").write_text(program.replace("SOURCE", source).replace("TEST", '"t[01].csv"' if len(runs) else '["t0.csv", "t1.csv"]'))
        out = where / f"run{len(runs)}"
        regc.ok("run", "p.reg", "-q", "--out", out, cwd=where)
        runs.append((out / "weights.safetensors").read_bytes())
    demand(len({weights[-40:] for weights in runs}) == 1, "other weights from several files")
    binary = build(regc, where / "p.reg")
    binary.ok("-q", "--out", where / "built")
    demand((where / "built" / "weights.safetensors").read_bytes()[-40:] == runs[0][-40:], "other weights of a binary")
    (where / "in" / "b.csv.gz").write_text(head + "1,u,low\n2,v\n")
    done = regc("check", "p.reg", cwd=where)
    demand(done.returncode == 65 and "in/b.csv.gz:3:3: 2 fields" in done.stderr, done.stderr)
    for source, what in (('"in/*.tsv"', "no file fits"), ('"none"', "cannot read"), ('["one.csv", 3]', "the path of a file")):
        (where / "p.reg").write_text(f"data d = csv({source}, target: y)\n")
        demand(what in regc("check", "p.reg", cwd=where).stderr, f"csv({source}) is not refused")


def case_table_between_spaces(regc):
    """Several separate as one does, and none do at a line's ends."""
    where = folder(regc)
    (where / "t.txt").write_text('a b  "c d" y\n1 2  3   low\n 4 5 6 "high one" \n  7   8\t9 low\n')
    (where / "p.reg").write_text('data d = csv("t.txt", separator: " ", target: y)\n')
    done = regc("data", "p.reg", cwd=where)
    demand(done.returncode == 65 and "t.txt:4:" in done.stderr, done.stderr)
    (where / "t.txt").write_text((where / "t.txt").read_text().replace("\t", "  "))
    shown = regc.ok("data", "p.reg", cwd=where)
    demand("3 rows" in shown and "c d" in shown and "high one" in shown, shown)


def has_figures(regc, name, expected, tolerance):
    """What scikit-learn and statsmodels find of the same rows (tests/reference/jobs.py)."""
    program = ROOT / "examples" / "jobs" / f"{name}.reg"
    need_packages(program)
    told = events(regc, "--out=", program)
    found = [v for e in told if e["event"] == "evaluate" for v in e["metrics"].values()]
    found += [float(str(v).strip("[]")) for e in told if e["event"] == "report" for v in e["values"].values()]
    demand(len(found) == len(expected) and all(math.isclose(a, b, rel_tol=tolerance) for a, b in zip(found, expected)), f"{name}: {found}")


def case_table_of_real_jobs(regc):
    """Files of Debian's packages as they are."""
    for name, expected in {"diabetes": [0.53861208, 3015.0953820], "iris": [0.98333333, 0.14979767], "engel": [95.48353902, 0.47410321], "fair": [0.54762523]}.items():
        has_figures(regc, name, expected, 2e-5)


def case_table_of_fashion_mnist(regc):
    """Trained, not solved: near the minimum."""
    has_figures(regc, "fashion", [0.8415, 0.4496315], 2e-3)


def case_a_series_of_one_column(regc):
    """A target alone, whose past is all that x is; a binary predicts the same."""
    where = folder(regc)
    (where / "s.csv").write_text("y\n" + "".join(f"{math.sin(i / 3):.5f}\n" for i in range(40)))
    (where / "p.reg").write_text("""data d = csv("s.csv", target: y) |> lag(2, y) |> split(train: 75%, test: 25%, time: id)
model net(x: [2]) -> [1] = x |> dense(1)
train net on d { loss squared_error(net(x), y); solve to gap 1e-9 }
e = evaluate net on d.test { r2 }
assert e.r2 > 0.999
""")
    regc.ok("run", "p.reg", "-q", "--out", "run", cwd=where)
    regc.ok("build", "p.reg", "-o", "p", cwd=where)
    told = regc.ok("predict", "p.reg", "--weights", "run", "--in", "s.csv", cwd=where)
    done = subprocess.run([where / "p", "predict", "--weights", "run", "--in", "s.csv"], capture_output=True, text=True, cwd=where)
    demand(done.stdout == told and told.splitlines()[1].startswith("2,0.6"), f"{told[:100]} {done}")
    (where / "p.reg").write_text('data d = csv("s.csv", target: y, missing: -9) |> lag(2, y)\n')
    refused(regc, 'what a file holds stands in quotes: "-9"', "check", where / "p.reg", code=1)


SERIES = """data d = csv("a.csv", target: sales) |> lag(2, [price, sales]) |> difference(price) |> one_hot(shop, unseen: zeros) |> impute(0, columns: price)
  |> standardize |> split(train: 75%, test: 25%, time: id) with valid = csv("b.csv")
model net(x: [WIDTH]) -> [1] = x |> dense(1)
train net on d { loss squared_error(net(x), sales); optimize adam(lr: 0.1); epochs 3; batch 8 }
evaluate net on d.test { mse }
"""


def case_series_with_lags(regc):
    """Rows before by columns of x and of the target; the same weights in a binary, which predicts rows of a file as the run did."""
    where, draw = folder(regc), random.Random(1)
    found = [(round(draw.gauss(3, 1), 3), "north" if i % 3 else "south", round(draw.gauss(0, 1), 3)) for i in range(40)]
    def write(name, table):
        (where / name).write_text("price,shop,sales\n" + "".join(f"{a},{b},{c}\n" for a, b, c in table))
    write("a.csv", found)
    write("b.csv", [(a, "east" if i % 2 else b, c) for i, (a, b, c) in enumerate(found[:9])])
    (where / "p.reg").write_text(SERIES.replace("WIDTH", "8").replace("|> standardize |>", "|>"))
    expected = [[found[i][0], *(float(found[i][1] == s) for s in ("north", "south")), found[i - 1][0], found[i - 2][0], found[i - 1][2], found[i - 2][2],
                 found[i][0] - found[i - 1][0]] for i in range(2, 40)]
    for part in (slice(0, 8), slice(30, 38)):
        demand(near(values(regc, where / "p.reg", f"d.x[{part.start}..{part.stop}]"), [v for row in expected[part] for v in row]), "other columns")
    demand(values(regc, where / "p.reg", "d.id[36..40]") == [38, 39, 42, 43] and values(regc, where / "p.reg", "d.valid.x[1, 1..3]") == [0, 0], "other rows")
    (where / "p.reg").write_text(SERIES.replace("WIDTH", "8"))
    regc.ok("run", "-q", "--out", where / "one", where / "p.reg")
    binary = build(regc, where / "p.reg")
    binary.ok("-q", "--out", where / "two")
    demand((where / "one/weights.safetensors").read_bytes() == (where / "two/weights.safetensors").read_bytes(), "the binary has other weights")
    again = [float(line.split(",")[-1]) for line in binary.ok("predict", "--weights", where / "one", "--in", where / "a.csv").splitlines()[1:]]
    test = [float(line.split(",")[-1]) for line in (where / "one/predictions.csv").read_text().splitlines()[1:]]
    demand(len(again) == 38 and near(again[-len(test):], test), f"{again[-3:]}, not {test[-3:]}")
    write("c.csv", [*found[:4], ("4", "west", "")])
    demand(len(binary.ok("predict", "--weights", where / "one", "--in", where / "c.csv").splitlines()) == 4, "the last row has no target")
    write("c.csv", [*found[:2], ("4", "west", ""), *found[:2]])
    refused(binary, "c.csv:5:3: column `sales lag 1` has no value", "predict", "--weights", where / "one", "--in", where / "c.csv", code=65)
    write("c.csv", found[:2])
    refused(binary, "2 rows are too few", "predict", "--weights", where / "one", "--in", where / "c.csv", code=65)


FOLDS = """data d = csv("plain.csv", target: kind, drop: ["patient no", w, score])
data cv = folds(d, 3, stratify: kind, seed: 1) |> standardize
model net(x: [2]) -> [2] = x |> dense(2)
for fold in cv {
  net.* <- init(net)
  train net on fold {
    loss     cross_entropy(net(x), kind)
    optimize adam(lr: 0.05)
    epochs   2
    batch    8
  }
  e = evaluate net on fold.test { accuracy }
  report e.accuracy as "fold"
  report max(abs(mean(fold.train.x, axis: 0))) as "mean"
}
save net to "last.safetensors"
"""


def case_table_in_folds(regc):
    """A block for each fold, standardized by its own training part; the same bits in a binary."""
    where = folder(regc)
    with open(where / "plain.csv", "w", newline="") as out:
        csv.writer(out).writerows([("patient no", "a", "b", "kind", "w", "score"), *rows(61)])
    (where / "p.reg").write_text(FOLDS)
    found = events(regc, "--out", where / "out", where / "p.reg", cwd=where)
    tested = [line.split(",")[0] for f in (where / "out").glob("predictions*.csv") for line in f.read_text().splitlines()[1:]]
    demand(sorted(map(int, tested)) == list(range(61)), f"not every row is tested once: {tested}")
    means = [e["value"] for e in of_kind(found, "report") if e["name"] == "mean"]
    demand(len(means) == 3 and max(means) < 1e-6, f"{means}")
    first = (where / "last.safetensors").read_bytes()
    build(regc, where / "p.reg").ok("-q", "--out", where / "again", cwd=where)
    demand((where / "last.safetensors").read_bytes() == first, "the binary has other weights")


def case_table_part_in_another_form(regc):
    where = folder(regc)
    (where / "a.csv").write_text("a,b,y\n1,2,3\n4,5,6\n")
    (where / "b.csv").write_text("y;b;more;a\n7;8;x;9\n")
    (where / "p.reg").write_text('data d = csv("a.csv", target: y) with test = csv("b.csv", separator: ";", drop: more)\n')
    demand('"values":[9,8]' in regc.ok("eval", "-f", where / "p.reg", "d.test.x"), "other columns")
    demand('"values":[7]' in regc.ok("eval", "-f", where / "p.reg", "d.test.y"), "another target")
