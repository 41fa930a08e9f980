"""`regc eval --step`: steps of optimizers on given arrays, against NumPy in float64, and in bits against themselves. Each `case_*`
function takes the compiler and raises Failure."""
import json
import re

import numpy as np
from programs.cases import DIGITS, ROOT, demand, folder

SHAPES = {"w": (3, 2), "b": (2,), "net.c": (4, 1, 2)}  # a tree whose order is not that of the names
COUNT = 5


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def arrays(where, dtype="f8"):
    """(parameters, gradients), in `where` as NAME.npy and grad.NAME.npy; dots and order are the tree's own."""
    random = np.random.default_rng(3)
    w = {name: random.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}
    g = {name: random.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}
    for name in w:
        np.save(where / f"{name}.npy", w[name])
        np.save(where / f"grad.{name}.npy", g[name])
    return w, g


def given(names, gradients=True):
    return [a for n in names for a in ("--in", f"{n}={n}.npy", *(("--in", f"grad.{n}=grad.{n}.npy") if gradients else ()))]


def sgd(w, g, s, t, lr=0.1):
    """Nesterov's momentum with coupled decay."""
    for k in w:
        d = g[k] + 0.01 * w[k]
        s[k] = 0.9 * s.get(k, 0) + d
        w[k] = w[k] - lr * (d + 0.9 * s[k])


def adam(w, g, s, t, lr=0.1, decay=0.0):
    for k in w:
        m, v = s.get(k, (0, 0))
        m, v = 0.9 * m + 0.1 * g[k], 0.99 * v + 0.01 * g[k] ** 2
        s[k] = m, v
        w[k] = w[k] * (1 - lr * decay) - lr * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.99**t)) + 1e-8)


def lion(w, g, s, t):
    for k in w:
        m = s.get(k, 0)
        w[k] = w[k] - 0.01 * (np.sign(0.9 * m + 0.1 * g[k]) + 0.5 * w[k])
        s[k] = 0.99 * m + 0.01 * g[k]


def clipped(w, g, s, t):
    length = np.sqrt(sum((x**2).sum() for x in g.values()))
    adam(w, {k: x * min(1, 0.5 / length) for k, x in g.items()}, s, t)


def lookahead(w, g, s, t):
    slow = s.setdefault("slow", dict(w))
    adam(w, g, s.setdefault("fast", {}), t)
    for k in w:
        if t % 2 == 0:
            slow[k] = w[k] = slow[k] + 0.5 * (w[k] - slow[k])


def accumulated(w, g, s, t):
    if t % 2 == 0:  # equal gradients are their own mean
        adam(w, g, s, t // 2)


def adam_at_half_time(w, g, s, t):
    adam(w, g, s, t, lr=0.05 * (1 + np.cos(np.pi * min(t - 1, 10) / 10)))


OPTIMIZERS = {"sgd(lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.01)": sgd, "adam(lr: 0.1, b2: 0.99)": adam,
              "adamw(lr: 0.1, b2: 0.99, weight_decay: 0.3)": lambda w, g, s, t: adam(w, g, s, t, decay=0.3),
              "lion(lr: 0.01, weight_decay: 0.5)": lion, "adam(lr: 0.1, b2: 0.99) |> clip_by_norm(0.5)": clipped,
              "lookahead(adam(lr: 0.1, b2: 0.99), every: 2)": lookahead, "adam(lr: 0.1, b2: 0.99) |> accumulate(every: 2)": accumulated,
              "adam(lr: cosine(0.1 -> 0, over: 10 steps), b2: 0.99)": adam_at_half_time}


def case_steps_are_those_of_numpy(regc):
    for text, update in OPTIMIZERS.items():
        where = folder(regc)
        w, g = arrays(where)
        told = json.loads(regc.ok("eval", "--dtype", "f64", "--step", text, *given(w), "--steps", COUNT, cwd=where))
        state = {}
        for t in range(1, COUNT + 1):
            update(w, g, state, t)
        demand(set(told["tree"]) == set(w) and told["step"]["values"] == [COUNT], told)
        for k in w:
            found = np.reshape(told["tree"][k]["values"], w[k].shape)
            demand(np.allclose(found, w[k], rtol=1e-12, atol=1e-13), f"{text}: {k} is {found}, not {w[k]}")


def case_sharpness_aware_steps_minimize_an_expression(regc):
    where = folder(regc)
    w, g = arrays(where)
    for name, x in (("x", g["w"].T), ("y", g["b"] * 3)):
        np.save(where / f"{name}.npy", x)
    x, y = np.load(where / "x.npy"), np.load(where / "y.npy")
    told = json.loads(regc.ok("eval", "sum((x @ w + b - y)^2)", "--dtype", "f64", "--step", "sam(rho: 0.2, base: sgd(lr: 0.01))", "--grad", "w,b",
                              *given(("w", "b", "x", "y"), False), "--steps", 3, cwd=where))

    def slope(p):
        r = 2 * (x @ p["w"] + p["b"] - y)
        return {"w": x.T @ r, "b": r.sum(axis=0)}
    now = {k: w[k] for k in ("w", "b")}
    for _ in range(3):
        first = slope(now)
        length = np.sqrt(sum((v**2).sum() for v in first.values())) + 1e-12
        second = slope({k: now[k] + 0.2 * first[k] / length for k in now})
        now = {k: now[k] - 0.01 * second[k] for k in now}
    for k in now:
        found = np.reshape(told["tree"][k]["values"], now[k].shape)
        demand(np.allclose(found, now[k], rtol=1e-11), f"{k} is {found}, not {now[k]}")


def case_what_one_call_leaves_the_next_goes_on_with(regc):
    """Every optimizer of the library: 2 steps and 3 more are 5, to the bit; those that ask for more than a gradient are told from them."""
    told = []
    for path in sorted((ROOT / "stdlib" / "optimizers").glob("*.reg")):
        name, text = path.stem, path.read_text()
        head = re.search(rf"^optimizer {name}\((.*)\) for", text, re.M)[1]
        more = ", every: 2" if "every" in head else ", limit: 0.1" if "limit" in head else ""
        call = f"{name}(adam(lr: 0.1){more})" if re.match(r"base[,)]", head) else f"{name}({'rank: 2' if 'rank' in head else ''})"
        where = folder(regc)
        w, _ = arrays(where, "f4")
        matrices = ["w"] if name in ("sink_gd", "cosine_adam") else list(w)
        done = regc("eval", "--step", call, *given(matrices), "--steps", COUNT, "--out", "all", cwd=where)
        if done.returncode:
            demand(done.returncode == 1 and "where gradients alone are given" in done.stderr, done.stderr)
            told.append(name)
            continue
        regc.ok("eval", "--step", call, *given(matrices), "--steps", 2, "--out", "first", cwd=where)
        regc.ok("eval", "--step", call, "--in", "first", *(a for n in matrices for a in ("--in", f"grad.{n}=grad.{n}.npy")), "--steps", 3, "--out", "last", cwd=where)
        names = sorted(f.name for f in (where / "all").iterdir())
        demand(names == sorted(f.name for f in (where / "last").iterdir()) and "step.npy" in names, names)
        for n in names:
            demand((where / "all" / n).read_bytes() == (where / "last" / n).read_bytes(), f"{call}: {n} differs")
    demand(told == ["amp", "flat_gradient", "glad", "sam"], told)


def case_steps_of_a_model_with_draws(regc):
    """A model's own parameters move, by the program's schedule; masks follow from seed and step."""
    where = folder(regc)
    regc.ok("eval", "net.*", "-f", DIGITS, "--out", "start", "--weights", weights(regc, where), cwd=where)
    loss = "cross_entropy(net(digits.valid.x, mode: train), digits.valid.label)"
    call = ["eval", loss, "-f", DIGITS, "--step", "adam(lr: cosine(1e-2 -> 0), b1: 0)", "--grad", "net.*.weight", "--weights", "run/weights.safetensors"]
    run = [regc.ok(*call, "--in", "start", "--threads", n, "--steps", 3, "--out", f"three{n}", cwd=where) for n in (1, 2)]
    demand(run[0].replace("three1", "three2") == run[1], "threads make a difference")
    regc.ok(*call, "--in", "start", "--out", "one", cwd=where)
    regc.ok(*call, "--in", "one", "--steps", 2, "--out", "two", cwd=where)
    moved = sorted(json.loads(run[0])["tree"])
    demand(moved and all(m.endswith(".weight") for m in moved), moved)
    for name in moved:
        demand((where / "three1" / f"{name}.npy").read_bytes() == (where / "two" / f"{name}.npy").read_bytes(), name)


def weights(regc, where):
    regc.ok("run", "--steps", 2, "--quiet", "--out", "run", DIGITS, cwd=where)
    return "run/weights.safetensors"


def case_misuses_of_steps(regc):
    where = folder(regc)
    arrays(where, "f4")
    np.save(where / "half.npy", np.float32(0.5))
    np.save(where / "whole.npy", np.arange(6, dtype="i4").reshape(3, 2))
    step = ["--step", "sgd(lr: 0.1)"]
    (where / "empty").mkdir()
    for more, code, said in (
            ([*step, *given(["w"]), "--in", "b=b.npy"], 2, "no state of the optimizer: `sgd.v w`"),
            (["--step", "sink_gd()", *given(["w"]), "--in", "b=b.npy"], 2, "which has none"),
            ([*step, *given(["w"]), "--in", "sgd.v w=b.npy"], 2, "the state is of floating-point numbers, [3, 2], the array has [2]"),
            ([*step, "--in", "w=w.npy", "--in", "grad.w=b.npy"], 2, "of the shape of `w`, [3, 2], is wanted"),
            ([*step, "--in", "w=whole.npy", "--in", "grad.w=whole.npy"], 2, "floating-point numbers"),
            ([*step, *given(["w"]), "--in", "step=half.npy"], 2, "a whole number of updates"),
            ([*step, "--in", "w=w.npy"], 2, "needs arrays with their gradients"),
            ([*step, "--in", "empty"], 2, "needs arrays with their gradients"),
            ([*step, "--in", "missing"], 2, "neither NAME=FILE nor a folder"),
            (["sum(w)", *step, "--in", "w=w.npy"], 2, "`--grad` tells"),
            (["sum(w)", *step, "--in", "w=w.npy", "--grad", "z*"], 2, "names no array"),
            (["sum(w)", *step, "--in", "w=whole.npy", "--grad", "w"], 2, "no floating-point numbers"),
            (["w", *step, "--in", "w=w.npy", "--grad", "w"], 1, "[not_scalar]"),
            (["2", *step, "--in", "w=w.npy", "--grad", "w"], 1, "[not_a_training_value]"),
            (["--step", "l2", *given(["w"])], 1, "expected an optimizer, found the penalty `l2`"),
            (["--step", "adam(", *given(["w"])], 1, "[unclosed]"),
            (["--step", "adam(lr: 1 + w)", *given(["w"])], 1, "[unknown_name]"),
            (["sum(w)", "--in", "w=w.npy", "--steps", "3"], 2, "those of an optimizer"),
            (["sum(net(digits.test.x))", *step, "--in", "net.hidden.weight=w.npy", "--grad", "net.hidden.weight", "-f", DIGITS], 1, "[shape_mismatch]"),
            ([*step], 2, "needs arrays"), ([], 2, "takes one expression")):
        done = regc("eval", *more, cwd=where)
        demand(done.returncode == code and said in done.stderr, f"{more}: {done.returncode}\n{done.stderr}")
    (where / "own.reg").write_text("## w: any. Polyak 1987.\noptimizer polyak() for w {\n  g = grad(objective, w)\n  w <- w - objective / norm(g)^2 * g\n}\n")
    done = regc("eval", "-f", "own.reg", "--step", "polyak()", *given(["w"]), cwd=where)
    demand(done.returncode == 1 and "where gradients alone are given" in done.stderr, done.stderr)
    regc.ok("eval", "sum(w^2)", "-f", "own.reg", "--step", "polyak()", "--in", "w=w.npy", "--grad", "w", cwd=where)
    graph = regc.ok("eval", *step, *given(["w"]), "--emit=graph", cwd=where)
    demand("value:w" in graph and "after:sgd.v w" in graph, graph)
    exact = json.loads(regc.ok("eval", *step, *given(["w"]), "--interpret", "--steps", 2, cwd=where))
    demand(np.allclose(exact["tree"]["w"]["values"], json.loads(regc.ok("eval", *step, *given(["w"]), "--steps", 2, cwd=where))["tree"]["w"]["values"], rtol=1e-6), exact)
