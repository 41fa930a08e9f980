"""Programs that are long or deep: what is a list, however it is nested in the tree, has no depth; what has no end is told. Each
`case_*` function takes the compiler and raises Failure."""
import re

from programs.cases import demand, folder

SECONDS = 60  # far more than any of these takes


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def holds(regc, text):
    """The program's checks hold, it formats to itself."""
    path = folder(regc) / "program.reg"
    path.write_text(text)
    done = regc("gradcheck", path, timeout=SECONDS)
    demand(done.returncode == 0, f"exit code {done.returncode}\n{done.stderr[:400]}")
    once = regc.ok("fmt", "-", stdin=text)
    demand(regc.ok("fmt", "-", stdin=once) == once, "the formatted text is formatted to another one")


def refused(regc, text, name):
    path = folder(regc) / "program.reg"
    path.write_text(text)
    done = regc("check", path, timeout=SECONDS)
    demand(done.returncode == 1 and re.findall(r"\[(\w+)\]$", done.stderr, re.M) == [name], done.stderr[:400])


def case_sums_of_ten_thousand_terms(regc):
    holds(regc, "let a = " + " + ".join(["1"] * 10000) + "\ncheck a : value == 10000\n")
    holds(regc, "fn f(x: [3]) = " + " + ".join(["x"] * 1000) + "\ncheck sum(f([1, 2, 3])) : value == 6000\n")


def case_pipes_of_thousands_of_stages(regc):
    holds(regc, "let a = 2 " + "|> abs |> sign " * 4000 + "\ncheck a : value == 1\n")


def case_hundreds_of_layers(regc):
    program = folder(regc) / "program.reg"
    (program.parent / "d.csv").write_text("a,b,y\n" + "".join(f"{i},{i % 3},{i % 2}\n" for i in range(20)))
    program.write_text("model net(x: [2]) -> [1] = x " + "|> dense(2) |> tanh " * 200 + '|> dense(1)\ndata d = csv("d.csv", target: y)\n'
                       "train net on d {\n  loss squared_error(net(x), y)\n  optimize sgd\n  epochs 1\n}\n")
    done = regc("check", program, timeout=SECONDS)
    demand(done.returncode == 0, done.stderr[:400])


def case_thousands_of_branches(regc):
    cases = " else ".join(f"if x == {i} then {i + 1}" for i in range(5000))
    holds(regc, f"fn f(x) = {cases} else 0\ncheck f(4000) : value == 4001\n")
    cases = " else ".join(f"if x == {i} then {i + 1}" for i in range(100))
    holds(regc, f"fn f(x: [2]) = {cases} else 0\ncheck f([40, 300]) : value == [41, 0]\n")


def case_lists_of_a_hundred_thousand_numbers(regc):
    holds(regc, "let a = [" + ", ".join(str(i % 10) for i in range(100000)) + "]\ncheck sum(a) : value == 450000\n")
    row = "[" + ", ".join(str(i % 10) for i in range(100)) + "]"
    holds(regc, "let a = [" + ", ".join([row] * 1000) + "]\ncheck sum(a) : value == 450000\n")


def case_chains_of_definitions(regc):
    for n in (300, 5000):
        holds(regc, "let a0 = 1\n" + "".join(f"let a{i} = a{i - 1} + 1\n" for i in range(1, n)) +
              f"check a{n - 1} : value == {n}\n")
    n = 200000
    refused(regc, "let a0 = 1\n" + "".join(f"let a{i} = a{i - 1} + 1\n" for i in range(1, n)) + f"check a{n - 1} : value == {n}\n",
            "nesting_too_deep")


def case_fifty_thousand_definitions(regc):
    holds(regc, "".join(f"let a{i} = {i}\n" for i in range(50000)) + "check a3 + a49999 : value == 50002\n")


def case_calls_in_calls(regc):
    """Expressions and calls nested together: 60 definitions of 240 levels each."""
    nested = "".join(f"fn f{i}(x) = {'sin(' * 240}f{i - 1}(x){')' * 240}\n" for i in range(1, 61))
    path = folder(regc) / "program.reg"
    path.write_text(f"fn f0(x) = x\n{nested}check f60(1) : value < 1\n")
    done = regc("check", path, timeout=SECONDS)
    demand(done.returncode == 0 or "[nesting_too_deep]" in done.stderr, f"exit code {done.returncode}\n{done.stderr[:400]}")


def case_calls_without_end(regc):
    refused(regc, "fn f(g) = g(g)\ncheck f(f) : value == 1\n", "nesting_too_deep")
    refused(regc, "fn f(g) = g(g) + g(g)\ncheck f(f) : value == 1\n", "nesting_too_deep")
