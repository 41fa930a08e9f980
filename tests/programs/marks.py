"""How files write numbers: marks between thousands, units. Each `case_*` function takes the compiler and raises Failure."""
from programs.cases import demand, folder
from programs.standalone import build, refused
from programs.tables import values


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def case_marks_and_units_of_numbers(regc):
    """Thousands, percents and currencies, also of targets and in rows that are predicted; `regc data` finds them."""
    where = folder(regc)
    for text, form, numbers in (
            ('a,b,y\n"1,234.5",2,0\n"-12,345,678",4,1\n7,6,0\n', 'thousands: ","', [1234.5, -12345678, 7]), ("a;b;y\n1.234;2,5;0\n12.000,25;4;1\n7;6;0\n", 'separator: ";", decimal: ",", thousands: "."', [1234, 12000.25, 7]),
            ("a;b;y\n1 234,5;2;0\n12\u00a0000;4;1\n1\u202f234\u202f567;6;0\n", 'separator: ";", decimal: ",", thousands: " "', [1234.5, 12000, 1234567]), ("a,b,y\n12%,2,0\n-3.5 %,4,1\n1e2%,6,0\n", 'units: ["%"]', [12, -3.5, 100]),
            ('a,b,y\n"$1,000.00",2,0\n-$3,4,1\n$ -5,6,0\n', 'thousands: ",", units: ["$"]', [1000, -3, -5]), ("a;b;y\n12,50 \u20ac;2;0\nEUR 3;4;1\n1.000,00 \u20ac;6;0\n", 'units: ["\u20ac", "EUR"]', [12.5, 3, 1000])):
        (where / "t.csv").write_text(text)
        definition = regc.ok("data", "t.csv", cwd=where).partition("is what is predicted:\n\n")[2]
        demand(form in definition and "one_hot" not in definition, f"{form}: {definition}")
        source = definition.partition("\n")[0].replace("data t", "data d")
        (where / "p.reg").write_text(f"precision f64\n{source.strip()}\n")
        demand(values(regc, where / "p.reg", "d.x[.., 0]") == numbers, f"{form}: {source}")
        (where / "p.reg").write_text(f"precision f64\n{source.strip().replace('target: y', 'target: a, drop: y')}\n")
        demand(values(regc, where / "p.reg", "d.a") == numbers, f"{form}: a target")
    for a, form in (("1,23", ""), ("12,3456", ""), (",123", ""), ("1234,567", ""), ("1,234,", ""), ("--1", ""), ("$$1", ', units: "$"'), ("-$-1", ', units: "$"'), ("$", ', units: "$"'), ("%1", "")):
        (where / "t.csv").write_text(f'a,y\n"{a}",1\n1,0\n')
        (where / "p.reg").write_text(f'data d = csv("t.csv", target: y, thousands: ","{form})\n')
        refused(regc, f"t.csv:2:1: `{a}` in column `a` is no number", "check", where / "p.reg", code=65)
    (where / "p.reg").write_text('data d = csv("t.csv", target: y, thousands: ".")\n')
    refused(regc, "`.` between thousands is not allowed where it is the decimal mark", "check", where / "p.reg", code=1)
    (where / "t.csv").write_text('a,y\n' + '"1,000",1\n"3,000",0\n' * 4)
    (where / "p.reg").write_text('data d = csv("t.csv", target: y, thousands: ",") |> standardize\nmodel net(x: [1]) -> [1] = x |> dense(1)\n'
                                 "train net on d { loss mse(net(x), y); optimize sgd(lr: 0.1); epochs 2; allow(evaluates_training_data) }\n")
    regc.ok("run", where / "p.reg", "-q", "--out", where / "out")
    binary = build(regc, where / "p.reg")
    (where / "plain.csv").write_text("a\n1000\n3000\n")
    told = [b("predict", *more, "--weights", where / "out", "--in", where / name).stdout for name in ("plain.csv", "t.csv") for b, more in ((regc, (where / "p.reg",)), (binary, ()))]
    demand(told[0] and all(t.splitlines()[:3] == told[0].splitlines() for t in told), f"{told}")
