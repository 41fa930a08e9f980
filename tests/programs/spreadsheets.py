"""Tables as spreadsheets and offices leave them: titles and notes around them, sep= lines, UTF-16, separators at the ends of lines, decimal
commas between commas. Each `case_*` function takes the compiler and raises Failure."""
import gzip

from programs.cases import demand, folder
from programs.standalone import build, refused
from programs.tables import values


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


ROWS = [(i, i * 2 + 0.5, i % 2) for i in range(1, 9)]


def lines(separator=",", end="\n", decimal="."):
    return "".join(separator.join(str(v) for v in row).replace(".", decimal) + end for row in ROWS)


# What the file holds, and what `regc data` says beside its path.
FILES = (
    ("Report of sales 2024\n\na,b,y\n" + lines(), "skip: 2, target: y"), ("Report, of sales\n \n\na,b,y\n" + lines(), "skip: 3, target: y"),
    ("Report 2024,,\n,,\na,b,y\n" + lines(), "skip: 2, target: y"), ("2024\na,b,y\n" + lines(), "skip: 1, target: y"),
    ('Report "2024" of\nsales\na,b,y\n' + lines(), "skip: 2, target: y"), ("Bericht\n\na;b;y\n" + lines(";", decimal=","), 'separator: ";", decimal: ",", skip: 2, target: y'),
    ("a,b,y\n" + lines() + "Total,84,4\n", "skip_footer: 1, target: y"), ("a,b,y\n" + lines() + "Total,,\n", "skip_footer: 1, target: y"),
    ("a,b,y\n" + lines() + '\nSource: the "office"\n(c) 2024\n\n', "skip_footer: 2, target: y"),
    ("Bericht\n\na;b;y\n" + lines(";", decimal=",") + "Summe;84,0;4\n\nStand: heute\n", 'separator: ";", decimal: ",", skip: 2, skip_footer: 2, target: y'),
    ("sep=;\na;b;y\n" + lines(";"), "target: y"), ("\ufeff\"sep=|\"\r\na|b|y\r\n" + lines("|", "\r\n"), "target: y"), ("sep=\t\na\tb\ty\n" + lines("\t"), "target: y"),
    ("a,b,y,\n" + lines(end=",\n"), "target: y"), ("a,b,y\n" + lines(end=",\n"), "target: y"), ("a,b,y,\n" + lines(), "target: y"), ("a,b,y,,\n" + lines(end=",,\n"), "target: y"),
    ("a;b;y\n" + lines(";", ";\n"), 'separator: ";", target: y'), ("a,b,y\n" + "".join(f'{a},"{b}",{y}\n'.replace(".", ",") for a, b, y in ROWS), 'decimal: ",", target: y'),
    ("a,b,y\n" + lines(), "target: y"))


def case_tables_as_they_come(regc):
    """`regc data` finds what is around a table and how it is written, and its definition reads it; as UTF-8 and UTF-16, packed or not."""
    where = folder(regc)
    for text, form in FILES:
        for name, code, pack in (("t.csv", "utf-8", bytes), ("t.txt", "utf-16", bytes), ("t.csv.gz", "utf-16", gzip.compress)):
            (where / name).write_bytes(pack(text.encode(code)))
            shown = regc.ok("data", name, cwd=where)
            source = f'csv("{name}", {form})'
            demand(f" {source}\n" in shown and "8 rows, 3 columns" in shown and "one_hot" not in shown, f"{text[:60]}: {shown}")
            (where / "p.reg").write_text(f"precision f64\ndata d = {source}\n")
            demand(values(regc, where / "p.reg", "flat(d.x)") == [float(v) for row in ROWS for v in row[:2]], f"{text[:60]}: other numbers")
            demand(values(regc, where / "p.reg", "d.y") == [row[2] for row in ROWS], f"{text[:60]}: another target")


def case_tables_around_are_told(regc):
    """What is refused says the argument that reads it, and counts the lines that are passed over."""
    where = folder(regc)
    for text, form, message in (
            (FILES[0][0], "", "hint: the lines before line 3 have fewer fields than those below: `skip: 2` passes over them"), (FILES[2][0], "", "`skip: 2` passes over them"),
            (FILES[5][0], "", '`separator: ";", skip: 2` passes over them'), (FILES[4][0], "", "`skip: 2` passes over them"),
            (FILES[0][0].replace("3,6.5", "3,six"), ", skip: 2", "t.csv:6:2: `six` in column `b` is no number"), ("a,b\n1,2,3\n4,5,6\n".replace("b", "y"), "", "a name is missing in the header"),
            (FILES[6][0], "", "hint: it is the last line: `skip_footer: 1` passes over it, if it is no row"), (FILES[8][0], "", "`skip_footer: 2` passes over this line and those behind it"),
            (FILES[8][0], ", skip_footer: 1", "`skip_footer: 2` passes over it"), (FILES[6][0], ", skip_footer: 101", "a whole number from 0 to 100"),
            ("a,y\n1,2\n", ", skip_footer: 1", "t.csv:2:1: the file has a header and no rows"), ('a,y\n"1,5",2\n', "", 'hint: `decimal: ","` reads a comma'),
            ('a,y\n"1,500",2\n', "", 'hint: `thousands: ","` reads commas'), ('a,y\n"1.500,25",2\n', "", 'hint: `decimal: ",", thousands: "."` reads'),
            ("a,y\n1,2\n#DIV/0!,4\n", "", "hint: it seems to be an error of a spreadsheet: `missing: [...]`"), ("a,y\n#DIV/0!,4\n1,2\n", ', missing: "#DIV/0!"', "stands for a missing number"),
            ("a,y,\n1,2,\n3,4,5\n", "", "t.csv:1:3: column 3 has no name, and `5` in line 3")):
        (where / "t.csv").write_text(text)
        (where / "p.reg").write_text(f'data d = csv("t.csv", target: y{form})\n')
        done = regc("check", where / "p.reg")
        demand(done.returncode in (1, 65) and message in done.stderr, f"{text[:40]} {form}: {done.stderr}")
    (where / "t.csv").write_bytes("gr\u00f6\u00dfe,y\n1,2\n".encode("cp1252"))
    demand("the name of column 1 is no UTF-8" in (said := regc("data", where / "t.csv").stderr) and "`iconv -f WINDOWS-1252 -t UTF-8`" in said, said)
    for text, form in (("comment\nvery good; nice\nbad; ugly\nok; fine\nbad; so so\n", None), ("1,2,0,\n3,4,1,\n5,6,0,\n", 'header: false, target: "2" as y, drop: "3")')):
        (where / "t.csv").write_text(text)
        shown = regc.ok("data", where / "t.csv")
        demand(form in shown if form else "4 rows, 1 columns" in shown, shown)
    (where / "t.csv").write_text("shop,b,y\n" + "".join(f"s{a},{b},{y}\n" for a, b, y in ROWS) + f"all,{sum(r[1] for r in ROWS)},{sum(r[2] for r in ROWS)}\n")
    demand("the last row holds the sums of those above it: `skip_footer: 1` leaves it out" in regc.ok("data", where / "t.csv"), "sums are not told")


def case_rows_around_are_predicted(regc):
    """Rows to predict are read by the form of the training's file, by a binary too; lines that are no rows can be left out."""
    where = folder(regc)
    (where / "t.csv").write_text("Report\n\na,b,y\n" + lines(end=",\n") + "Total,84,4,\n")
    (where / "p.reg").write_text('data d = csv("t.csv", skip: 2, skip_footer: 1, target: y) |> standardize\nmodel net(x: [2]) -> [1] = x |> dense(1)\n'
                                 "train net on d { loss mse(net(x), y); optimize sgd(lr: 0.1); epochs 2; allow(evaluates_training_data) }\n")
    regc.ok("run", "p.reg", "-q", "--out", "out", cwd=where)
    binary = build(regc, where / "p.reg")
    (where / "in.csv").write_bytes(("Other\n\na,b\n" + "".join(f"{a},{b}\n" for a, b, _ in ROWS) + "Total,84\n").encode("utf-16"))
    (where / "bad.csv").write_text("Other\n\na,b\n" + "".join(f"{a},{b}\n" for a, b, _ in ROWS) + "Total,84\nnotes\n")
    (where / "plain.csv").write_text("a,b\n1,2\n3,4\n5,6\n")
    (where / "short.csv").write_text("a,b\n1,2\n")
    for way, more in (regc, (where / "p.reg",)), (binary, ()):
        for name in "plain.csv", "short.csv":
            refused(way, "`skip: 2` passes over 2 lines in front of this file too", "predict", *more, "--weights", where / "out", "--in", where / name, code=65)
        told = way.ok("predict", *more, "--weights", where / "out", "--in", where / "in.csv")
        demand(len(told.splitlines()) == 9, told)
        refused(way, "bad.csv:12:1: `Total` in column `a` is no number", "predict", *more, "--weights", where / "out", "--in", where / "bad.csv", code=65)
        left = way("predict", *more, "--weights", where / "out", "--in", where / "bad.csv", "--bad-rows=skip")
        demand(left.stdout == told and "bad.csv:12:1" in left.stderr, f"{left.returncode} {left.stdout} {left.stderr}")
