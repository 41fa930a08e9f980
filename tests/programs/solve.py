"""`solve to gap G`: corners, bits, how it ends where there is no end. Each `case_*` function takes the compiler and raises Failure."""
import json
import math
import os
import signal
import subprocess
import time

from programs.cases import demand, events, folder, of_kind, written
from programs.updates import read


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def rows(home, n, p, y=None, name="rows.csv"):
    x = [[round(math.sin((1.3 + 0.7 * k) * i + k * k), 3) for k in range(p)] for i in range(n)]
    y = y or (lambda r, i: round(r[0] - 0.5 * r[-1] + 0.2 * math.sin(3.3 * i * i), 3))
    lines = [",".join([*(f"x{k}" for k in range(p)), "y"])] + [",".join(map(str, [*r, y(r, i)])) for i, r in enumerate(x)]
    (home / name).write_text("\n".join(lines) + "\n")
    return home / name


def program(data, p, loss="squared_error(line(x), y)", penalty="0.1 * l1(w)", gap="1e-10", head="precision f64\n", body=None):
    clause = f"  penalize w in line.*.weight : {penalty}\n" if penalty else ""
    return (f'{head}data d = csv("{data}", target: y)\nmodel line(x: [{p}]) -> [1] = {body or "x |> dense(1) as out"}\n'
            f"train line on d as t {{\n  loss {loss}\n{clause}  solve to gap {gap}\n}}\n"
            'report line.out.weight as "w"\nreport line.out.bias as "b"\n')


def solved(regc, text, home):
    found = events(regc, "--out", home, written(regc, text))
    values = {e["name"]: e["value"] for e in of_kind(found, "report")}
    return [r[0] for r in values["w"]], values["b"][0], of_kind(found, "epoch")[0]


def refused(regc, text, name, code):
    done = regc("run", "--json", "--out=", "-", stdin=text)
    last = json.loads(done.stdout.splitlines()[-1])
    demand(done.returncode == code and last.get("name") == name, f"{done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}")
    return last


def case_above_the_largest_strength(regc):
    """All weights are 0 and the bias is the mean; a little below, one is not 0."""
    home = folder(regc)
    data = rows(home, 30, 5)
    table = [list(map(float, line.split(","))) for line in data.read_text().split()[1:]]
    mean = sum(r[-1] for r in table) / len(table)
    most = max(abs(sum((r[-1] - mean) * r[k] for r in table)) / len(table) for k in range(5))
    w, b, _ = solved(regc, program(data, 5, penalty=f"{most * 1.0001} * l1(w)"), home / "above")
    demand(w == [0] * 5 and abs(b - mean) < 1e-12, f"{w} {b}, the mean is {mean}")
    w, _, _ = solved(regc, program(data, 5, penalty=f"{most * 0.999} * l1(w)"), home / "below")
    demand(sum(v != 0 for v in w) == 1, f"{w}")


def case_more_columns_than_rows(regc):
    """Any of the minima: the gap is reached, by products and without; and one row alone."""
    home = folder(regc)
    for n, p, penalty in ((12, 40, "0.02 * l1(w)"), (12, 40, "0.3 * l2(w)"), (5, 400, "0.02 * elastic_net(w, mix: 0.3)"), (4, 1600, "20 * l2(w)"), (1, 3, "0.1 * l1(w)"), (2, 2, "l2(w)")):
        _, _, epoch = solved(regc, program(rows(home, n, p), p, penalty=penalty), home / f"{n}{p}{penalty[:3]}")
        demand(epoch["gap"] <= 1e-10, f"{n} rows, {p} columns: {epoch}")


def case_many_columns(regc):
    """The working set grows over its first size: 700 columns, of which few matter."""
    home = folder(regc)
    w, _, epoch = solved(regc, program(rows(home, 80, 700), 700, penalty="0.01 * l1(w)"), home / "run")
    demand(epoch["gap"] <= 1e-10 and 2 < sum(v != 0 for v in w) <= 80, f"{epoch} {sum(v != 0 for v in w)}")
    w, _, epoch = solved(regc, program(rows(home, 60, 90), 90, loss="pinball(line(x), y, q: 0.3)", penalty="0.005 * l1(w)"), home / "bent")
    demand(epoch["gap"] <= 1e-10 and 2 < sum(v != 0 for v in w) <= 60, f"{epoch} {sum(v != 0 for v in w)}")


def case_many_groups(regc):
    """Of 150 columns few groups are not 0: the conditions of a minimum hold for all of them, in the set that was worked on or not."""
    home = folder(regc)
    data = rows(home, 60, 150)
    table = [list(map(float, line.split(","))) for line in data.read_text().split()[1:]]
    for penalty, absolute, norms, square in (("0.25 * group_lasso(w, axis: 1)", 0, 0.25, 0), ("0.08 * group_lasso(w, axis: 1)", 0, 0.08, 0),
                                             ("0.02 * l1(w) + 0.06 * group_lasso(w, axis: 1) + 0.01 * l2(w)", 0.02, 0.06, 0.01)):
        text = program(data, 150, loss="squared_error(line(x), stack(y, x[.., 3] + y^2, axis: 1))", penalty=penalty, body="x |> dense(2) as out").replace("-> [1]", "-> [2]")
        found = events(regc, "--out", home / "run", written(regc, text))
        told = {e["name"]: e["value"] for e in of_kind(found, "report")}
        w, b = told["w"], told["b"]
        active = sum(any(v) for v in w)
        demand(0 < active < 40, f"{active} groups")
        left = [[b[o] + sum(x * v[o] for x, v in zip(r, w) if v[o]) - t for o, t in enumerate((r[-1], r[3] + r[-1] ** 2))] for r in table]
        for j, v in enumerate(w):
            g = [sum(e[o] * r[j] for e, r in zip(left, table)) / 120 + square * v[o] for o in range(2)]
            pull = math.hypot(*(max(abs(x) - absolute, 0) if not y else x + math.copysign(absolute, y) for x, y in zip(g, v)))
            demand(pull <= norms + 1e-5 if not any(v) else abs(pull - norms) < 1e-5, f"column {j} of {penalty}: {pull}, {v}")


def case_ridge_of_many_columns(regc):
    """More columns than are factored: the normal equations hold."""
    home = folder(regc)
    data = rows(home, 40, 1700)
    table = [list(map(float, line.split(","))) for line in data.read_text().split()[1:]]
    w, b, epoch = solved(regc, program(data, 1700, penalty="0.5 * l2(w)"), home / "run")
    left = [b + sum(map(float.__mul__, r, w)) - r[-1] for r in table]
    worst = max(abs(sum(e * r[j] for e, r in zip(left, table)) / 40 + 0.5 * w[j]) for j in range(1700))
    demand(epoch["passes"] < 1000 and worst < 1e-6 and abs(sum(left)) < 1e-6, f"{worst} {sum(left)} {epoch}")


def case_nothing_to_fit(regc):
    """y is 0 everywhere: so are the parameters."""
    home = folder(regc)
    w, b, epoch = solved(regc, program(rows(home, 10, 3, lambda r, i: 0.0), 3), home / "run")
    demand(w == [0, 0, 0] and b == 0 and epoch["gap"] == 0, f"{w} {b} {epoch}")
    w, b, epoch = solved(regc, program(rows(home, 10, 3, lambda r, i: 0.0), 3, loss="absolute_error(line(x), y)"), home / "bent")
    demand(w == [0, 0, 0] and b == 0 and epoch["gap"] == 0, f"{w} {b} {epoch}")


def case_offset_and_two_features(regc):
    """What has no parameter is an offset: fitting y - 2 x0 is fitting y with 2 x0 added; and columns may be computed."""
    home = folder(regc)
    data = rows(home, 25, 4)
    a, b, _ = solved(regc, program(data, 4, loss="squared_error(line(x) + 2 * x[.., 0..1], y)"), home / "a")
    c, d, _ = solved(regc, program(data, 4, loss="squared_error(line(x), y - 2 * x[.., 0])"), home / "b")
    demand(all(abs(x - y) < 1e-8 for x, y in zip([*a, b], [*c, d])), f"{a} {b}, {c} {d}")
    text = program(data, 4, body="concat(x, x^2, axis: -1) |> dense(1) as out")
    w, _, epoch = solved(regc, text, home / "c")
    demand(len(w) == 8 and epoch["gap"] <= 1e-10, f"{w}")


def case_without_a_minimum(regc):
    """Classes that a plane separates, without a penalty: told, and with one solved."""
    home = folder(regc)
    data = rows(home, 20, 2, lambda r, i: int(r[0] > 0))
    loss = "binary_cross_entropy(line(x), y)"
    last = refused(regc, program(data, 2, loss=loss, penalty=None, gap="1e-6"), "no_minimum", 4)
    demand("l2" in last["hint"], last)
    _, _, epoch = solved(regc, program(data, 2, loss=loss, penalty="1e-3 * l2(w)"), home / "run")
    demand(epoch["gap"] <= 1e-10, epoch)


def case_too_few_passes(regc):
    """`at most N`: the gap that was reached is told."""
    data = rows(folder(regc), 30, 6)
    last = refused(regc, program(data, 6, gap="1e-12, at most 2"), "gap_not_reached", 4)
    demand("after 2 passes" in last["text"], last)


def case_numbers_that_are_none(regc):
    """A negative strength, a gap of 0: known only when it runs."""
    data = rows(folder(regc), 10, 3)
    head = "precision f64\nlet strength = {}\nlet gap = {}\n"
    refused(regc, program(data, 3, penalty="strength * l1(w)", head=head.format(-1, 1e-6)), "bad_strength", 65)
    refused(regc, program(data, 3, penalty="l1(w)", gap="gap", head=head.format(1, 0)), "bad_gap", 65)
    boxed = program(data, 3, penalty="l1(w)", head=head.format(1, 1e-6)).replace("  solve", "  constrain w in line.*.weight : max(w, log(-strength))\n  solve")
    refused(regc, boxed, "bad_box", 65)
    refused(regc, program(data, 3, penalty="l1(w)", body="x / 0 |> dense(1) as out"), "bad_design", 65)


PATH = """data d = csv("DATA", target: y) |> standardize |> split(train: 75%, valid: 25%, seed: 1)
model line(x: [COLUMNS]) -> [1] = x |> dense(1) as out
for strength in [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002] {
  train line on d as t {
    loss     LOSS
    penalize w in line.*.weight : strength * elastic_net(w, mix: 0.9)
    solve    to gap 1e-7
  }
  report t.valid.loss as "valid {strength}"
}
"""


def case_path_has_its_bits(regc):
    """On one thread or two, as a binary, and gone on from a kill in its middle: the same weights to the bit."""
    box = "\n    constrain w in line.*.weight : max(w, -0.4)"
    squares = "squared_error(line(x), y)"
    for name, loss, columns in (("squares", squares, 12), ("many", squares, 200), ("logistic", "binary_cross_entropy(line(x), y > 0)" + box, 12)):
        home = folder(regc)
        text = PATH.replace("DATA", str(rows(home, 400, columns))).replace("LOSS", loss).replace("COLUMNS", str(columns))
        path = written(regc, text)
        found = events(regc, "--out", home / "whole", "--threads", "1", path)
        demand(len(of_kind(found, "epoch")) == 8 and all(e["gap"] <= 1e-7 for e in of_kind(found, "epoch")), "a gap is not reached")
        regc.ok("run", "--out", home / "two", "--threads", "2", path)
        regc.ok("build", "-q", path, "-o", home / "binary")
        subprocess.run([home / "binary", "--quiet", "--out", home / "built"], check=True, cwd=home, stdout=subprocess.DEVNULL)
        run = subprocess.Popen(regc.line("run", "--quiet", "--checkpoint=0", "--out", home / "parts", path), stdout=subprocess.DEVNULL,
                               env=os.environ | regc.environment, stderr=subprocess.DEVNULL)
        file = home / "parts" / "metrics.jsonl"
        while run.poll() is None and not (file.exists() and file.read_text().count('"epoch"') > 2):
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)
        run.wait()
        regc.ok("run", "--out", home / "parts", "--resume", path)
        whole = read(home / "whole" / "weights-8.safetensors")
        for other in ("two", "built", "parts"):
            demand(read(home / other / "weights-8.safetensors") == whole, f"{name}: {other} differs")
        cold = path.parent / "cold.reg"
        cold.write_text(text.replace("0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002", "0.002"))
        regc.ok("run", "--out", home / "cold", cold)
        alone = read(home / "cold" / "weights.safetensors")
        demand(all(abs(a - b) < 2e-3 for k in whole for a, b in zip(whole[k], alone[k])), f"{name}: {whole}, without the path {alone}")


def case_a_loss_that_changes(regc):
    """A factor of the loss that is another one in each turn: the minimum is that of the penalty over it, and the loss is the one at these weights."""
    home = folder(regc)
    data = rows(home, 40, 4)
    table = [list(map(float, line.split(","))) for line in data.read_text().split()[1:]]
    head = ("precision f64\nloss scaled(pred: [..], y, k) is convex = k * (flat(pred) - flat(y))^2 / 2\n"
            "conjugate scaled(u: [..], y, k) = flat(u)^2 / (2 * k) + flat(u) * flat(y)\n")
    text = program(data, 4, loss="scaled(line(x), y, k)", penalty="0.2 * l1(w)", gap="1e-13", head=head)
    at = text.index("train")
    text = text[:at] + "for k in [1, 8, 2, 2] {\n" + text[at:] + "}\n"
    found = events(regc, "--out", home / "turns", written(regc, text))
    values, losses = of_kind(found, "report"), [e["loss"] for e in of_kind(found, "epoch")]
    for turn, k in enumerate((1, 8, 2, 2)):
        w, b = [r[0] for r in values[2 * turn]["value"]], values[2 * turn + 1]["value"][0]
        alone = solved(regc, program(data, 4, penalty=f"{0.2 / k} * l1(w)", gap="1e-13"), home / f"alone{turn}")
        demand(all(abs(x - y) < 1e-6 for x, y in zip([*w, b], [*alone[0], alone[1]])), f"{k}: {w} {b}, alone {alone}")
        loss = k * sum((b + sum(map(float.__mul__, r, w)) - r[-1]) ** 2 for r in table) / 2 / len(table)
        demand(abs(loss - losses[turn]) < 1e-12 * loss, f"{k}: loss {losses[turn]}, of the weights {loss}")
