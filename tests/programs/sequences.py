"""Programs that are sequences: statements between trainings. Each `case_*` function takes the compiler and raises Failure."""
import json
import math
import re
import subprocess
from pathlib import Path

from programs.cases import demand, events, folder, of_kind, written
from programs.tensors import parse
from reference import sequences
from run import ROOT

EXAMPLES = sorted(p for p in ROOT.glob("examples/*.reg") if re.search(r"^ *assert ", p.read_text(), re.M))


def all_cases():
    return [*((name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")),
            *((f"same bits: {p.stem}", lambda regc, p=p: same_bits(regc, re.sub(r'"((?:data|[.][.])/)', rf'"{ROOT}/examples/\1', p.read_text())))
              for p in EXAMPLES),
            *((f"PyTorch: {name}", lambda regc, name=name: as_pytorch(regc, name)) for name in sequences.PROGRAMS)]


def files(out):
    """What a run leaves, but for times and starts."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    kept = [{k: v for k, v in e.items() if k != "seconds"} for e in lines if e["event"] != "train_start"]
    return {p.name: p.read_bytes() for p in out.iterdir() if p.name.startswith(("weights", "predictions"))} | {"events": kept}


def same_bits(regc, text):
    """With one thread, with two, and as a binary."""
    program, home = written(regc, text), folder(regc)
    regc.ok("run", "--quiet", "--threads", "1", "--out", home / "one", program, cwd=home)
    regc.ok("run", "--quiet", "--threads", "2", "--out", home / "two", program, cwd=home)
    regc.ok("build", "-q", program, "-o", home / "binary")
    subprocess.run([home / "binary", "--quiet", "--out", home / "built"], check=True, cwd=home, capture_output=True)
    one = files(home / "one")
    demand(len(one) > 1, f"a run left {sorted(one)}")
    for other in ("two", "built"):
        found = files(home / other)
        demand(sorted(found) == sorted(one), f"{other}: files {sorted(found)}, not {sorted(one)}")
        for name in one:
            demand(found[name] == one[name], f"{other}: {name} differs\n{found[name]}\n{one[name]}" if name == "events" else f"{other}: {name} differs")


# -- against PyTorch

def flat(values):
    return [v for part in values for v in flat(part)] if isinstance(values, list) else [values]


def as_pytorch(regc, name):
    """What is saved and reported, in doubles to their rounding and in single precision to its own."""
    known, reported = json.loads(sequences.VALUES.read_text())[name]
    for dtype, relative in (("f64", 1e-9), ("f32", 2e-4)):
        home = folder(regc)
        (home / "rows.csv").write_text(sequences.table())
        (home / "p.reg").write_text(sequences.program(name))
        found = events(regc, "--dtype", dtype, "--out", home / "run", home / "p.reg", cwd=home)
        pairs = [(f"report {k}", flat(e["value"]), flat(v)) for k, (e, v) in enumerate(zip(of_kind(found, "report"), reported, strict=True))]
        for file, tensors in known.items():
            there = {tensor: values for tensor, (_, values) in parse((home / f"{file}.safetensors").read_bytes()).items()}
            demand(sorted(there) == sorted(tensors), f"{file} has {sorted(there)}, not {sorted(tensors)}")
            pairs += [(tensor, there[tensor], values) for tensor, values in tensors.items()]
        for what, a, b in pairs:
            size = max(map(abs, b)) + 0.05
            demand(len(a) == len(b) and all(abs(p - q) <= relative * size for p, q in zip(a, b)), f"{dtype}: {what} is {a}, PyTorch gives {b}")


# -- statements

def case_statements_compute_what_they_say(regc):
    """Loops in loops, conditions, names that go on from turn to turn, as Python has it."""
    home = folder(regc)
    text = (ROOT / "tests/lang/good/statements.reg").read_text()
    (home / "p.reg").write_text(text)
    found = of_kind(events(regc, "--out", home / "run", home / "p.reg", cwd=home), "report")
    number, truth, whole, inner = 1, True, [1, 2, 3], []
    for i in range(2):
        for a, b in zip([1, 2, 3], [4, 5, 6]):
            for c in ([1, 3], [2, 4]):
                number += a * b * sum(c)
            if a == 2 and not truth:
                whole = [v + 1 for v in whole]
            elif i == 1:
                truth = not truth
            else:
                truth = a < b
    for _ in range(4):
        if number > 100:
            number /= 2
            half = number
            while half > 1:
                half /= 2
            inner.append((f"inner of {number:g}", half))
    demand([e["value"] for e in found[:3]] == whole, f"whole numbers {found[:3]}, not {whole}")
    demand(found[3]["value"] == found[4]["value"] > 0, "a copy of a model that nothing trained has the initial values of that model")
    demand([(e["name"], e["value"]) for e in found[5:8]] == inner, f"{found[5:8]}, not {inner}")
    left, soft, empty, tree = found[8:12]
    demand(left["value"] == [1, 2] and empty["value"] == [], f"{left}, {empty}")
    demand(all(abs(a - b) < 1e-6 for a, b in zip(soft["value"], (-math.log(1 + math.e), -math.log(1 + 1 / math.e)), strict=True)), f"{soft}")
    saved = parse((home / "tree.safetensors").read_bytes())
    demand(list(saved) == ["tree net.hidden.weight", "tree net.out.weight"] and saved["tree net.hidden.weight"][0] == [2, 3], f"saved {saved}")
    for name, (_, values) in saved.items():
        shown = flat(tree["values"][name[5:]])
        demand(len(shown) == len(values) and all(abs(a - b) <= 1e-6 * b for a, b in zip(shown, values)), f"{name}: {shown}, saved {values}")
    fits = [e["values"] for e in found if e["name"] == "fit"]
    epochs = of_kind([json.loads(line) for line in (home / "run" / "metrics.jsonl").read_text().splitlines()], "epoch")
    history = [v for f in fits for v in f["history.loss"]]
    demand(all(abs(a - e["loss"]) < 1e-8 for a, e in zip(history, epochs, strict=True)), f"histories {fits}")
    same_bits(regc, text)


def case_values_of_every_kind_are_told_and_saved(regc):
    home = folder(regc)
    (home / "p.reg").write_text("""
let most = 50%
number = 0.1
share = most
truth, truths = (1 < 2, [1, 0, 3] > 0)
whole = [3, -1, 2]
far = [1 / 0.0, log(-1.0), -1 / 0.0, 16777216.0]
nothing = zeros([0, 3])
matrix = [[1, 2], [3, 4.5]]
report number
report share
report truth
report truths
report whole
report far
report nothing
report matrix as "m {number} {whole[1]} {truth} {far[1]} { no place"
save whole to "whole.safetensors"
save truths to "truths.safetensors"
save matrix to "matrix.safetensors"
save nothing to "nothing.safetensors"
save number to "number.safetensors"
save far to "far.safetensors"
save whole to "whole.safetensors"
""")
    found = of_kind(events(regc, "--out", "", home / "p.reg", cwd=home), "report")
    expected = [0.1, 0.5, True, [True, False, True], [3, -1, 2], [None, None, None, 16777216], [], [[1, 2], [3, 4.5]]]
    for e, v in zip(found, expected, strict=True):
        near = flat([e["value"]])
        demand(all(a is b or (a == b and type(a) is type(b)) or (b is not None and abs(a - b) < 1e-7) for a, b in zip(near, flat([v]), strict=True)), f"{e}, not {v}")
    demand(found[-1]["name"] == "m 0.1 -1 1 nan { no place", found[-1]["name"])
    shown = regc.ok("run", "--quiet", "--out", "", home / "p.reg", cwd=home)
    demand("far [4] inf nan -inf 1.67772e+07\n" in shown and "truths [3] true false true\n" in shown, shown)
    saved = {name: parse((home / f"{name}.safetensors").read_bytes())[name] for name in ("whole", "matrix", "nothing", "number", "far")}
    demand(saved["whole"] == ([3], [3, -1, 2]) and saved["matrix"] == ([2, 2], [1, 2, 3, 4.5]) and saved["nothing"] == ([0, 3], []), f"{saved}")
    demand(saved["number"][0] == [] and abs(saved["number"][1][0] - 0.1) < 1e-8, f"{saved['number']}")
    demand(str(saved["far"][1]).replace("-nan", "nan") == "[inf, nan, -inf, 16777216.0]", f"{saved['far']}")


COPIES = """
model net(x: [2]) -> [1] = x |> dense(3) as hidden |> tanh |> dense(1) as out
model half = net with w in net.*.weight as w / 2
fn loss_at(w) = mean(((net at w)(ones([3, 2])))^2)

start = net.*
x = start.hidden.weight
size = norm(x)
start = 2 * start
assert norm(x) == size
assert abs(norm(start.*.weight) - 2 * norm(net.*.weight)) < 1e-5
y = x
y = y + 1
a, b = (x, y)
a, b = (b, a)
assert a[0, 0] == b[0, 0] + 1
seen = half(ones([1, 2]))
net.hidden.weight <- 2 * net.hidden.weight
net.out.weight <- 0
assert all(half(ones([1, 2])) == net.out.bias)
net.out.* <- start.out.*
w = net.*
repeat 30 { w = w - 0.1 * grad(loss_at(w), w) }
assert loss_at(w) < 1e-8
assert loss_at(net.*) > 1e-3
g = grad(sum(w.hidden.weight^2), w)
assert norm(g.hidden.weight - 2 * w.hidden.weight) < 1e-6
assert norm(g.out.weight) == 0
k = 0
if k > 0 { k = 5; z = 1 } else if k == 0 { z = 2 } else { z = 3 }
assert z == 2
"""


def case_copies_are_copies_and_definitions_see_what_there_is(regc):
    program = written(regc, COPIES)
    regc.ok("run", "--out", "", program)
    regc.ok("run", "--dtype", "f64", "--out", "", program)
