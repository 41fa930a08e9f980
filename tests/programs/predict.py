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
