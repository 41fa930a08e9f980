#!/usr/bin/env python3
"""What takes rows that are picked when the program runs, compared with the same of rows that are there from the start.

    counts.py REGC [--show N]

A walk over the compiler's table of built-in functions and over library definitions: each, of `x[where m]` and of the rows that m picks
gathered beforehand, must have one value, one gradient and one second gradient, compiled and interpreted. Rows that are not picked hold NaN and
labels out of range: no result may see them. A function that has no case here and is not among those that are refused fails the test.
Closes with `N passed, N failed, N skipped`."""
import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/reference"), str(ROOT / "tests")]
import with_numpy  # first: it may start another interpreter
import numpy as np
from sanitizers import environment

ENVIRONMENT = environment(XDG_CACHE_HOME="/dev/null", LC_ALL="C")
ELEMENTWISE = ["abs", "sign", "floor", "round", "exp", "expm1", "log1p_exp", "tanh", "sigmoid", "erf", "sin", "cos", "sinh", "cosh", "atan", "asinh",
               "erfc", "log_ndtr", "stop"]
OF_POSITIVE = ["log", "log1p", "sqrt", "log2", "log10", "lgamma"]
OF_UNIT = ["erfinv", "asin", "acos", "atanh"]
# Expressions over p [n, c], r [n] and y [n] (labels), of which the rows may be picked, and over w [c, 2] and v [n, c], which is p once more.
CASES = {
    **{f: [f"{f}(p)", f"{f}(r)"] for f in ELEMENTWISE},
    **{f: [f"{f}(abs(p) + 0.5)"] for f in OF_POSITIVE},
    **{f: [f"{f}(0.5 * sin(p))"] for f in OF_UNIT},
    "acosh": ["acosh(abs(p) + 1.5)"],
    "atan2": ["atan2(p, v + 3)"], "mod": ["mod(p, 0.7)"], "polygamma": ["polygamma(abs(p) + 1, 1)"], "xmul": ["xmul(p, log(abs(p) + 1))"],
    "max": ["max(p)", "max(p, axis: 0)", "max(p, axis: 1)", "max(r, keep: true)", "max(p, 0)", "max(p, v)"],
    "min": ["min(p)", "min(p, axis: 0)", "min(p, 0.1)", "min(r)"],
    "clamp": ["clamp(p, -0.5, 0.5)"],
    "sum": ["sum(p)", "sum(p, axis: 0)", "sum(p, axis: 1)", "sum(p, axis: 0, keep: true)", "sum(p, where: p > 0)", "sum(p, axis: 0, where: p > 0)"],
    "mean": ["mean(p)", "mean(p, axis: 0)", "mean(p, axis: [0, 1], keep: true)", "mean(p, axis: 1)", "mean(p, where: p < 5)"],
    "norm": ["norm(p)", "norm(p, axis: 0)", "norm(p, axis: 1)"],
    "prod": ["prod(p)", "prod(p, axis: 0)", "prod(r)"],
    "var": ["var(p)", "var(p, axis: 0)", "var(p, sample: true)"], "std": ["std(p)", "std(p, axis: 0, sample: true)"],
    "quantile": ["quantile(p, 0.3)", "quantile(p, 0.6, axis: 0)", "quantile(r, 1)"], "median": ["median(p)", "median(p, axis: 0)", "median(r)"],
    "any": ["p * any(p > 1, axis: 0)", "r * any(r > 0)"], "all": ["p * all(p > -9, axis: 0)", "r * all(r > -9)"],
    "argmin": ["r * argmin(r)", "p * argmin(p, axis: 0)"], "argmax": ["r * argmax(r)", "p * argmax(p, axis: 0)", "r * argmax(p)"],
    "count": ["p / count(p)", "count(r) * sum(r)"], "size": ["p / size(p, 0)", "sum(p) * size(r, 0)"],
    "cumsum": ["cumsum(p, axis: 0)", "cumsum(p, axis: 0, reverse: true)", "cumsum(p)"],
    "cumprod": ["cumprod(p, axis: 0)", "cumprod(p, axis: 0, reverse: true)"],
    "logcumsumexp": ["logcumsumexp(p, axis: 0)", "logcumsumexp(r, reverse: true)"],
    "sort": ["sort(p, axis: 0)", "sort(p, axis: 0, descending: true)", "sort(p)", "sort(r)"],
    "argsort": ["r * argsort(r)", "p * argsort(p, axis: 0, descending: true)"],
    "topk": ["topk(p, 2, axis: 0)", "topk(r, 1)", "topk(p, 2)"],
    "flip": ["flip(p, axis: 0)", "flip(r)", "flip(p)"], "roll": ["roll(p, 1, axis: 0)", "roll(r, -2)", "roll(p, 1)"],
    "gather": ["gather(p, [0, 0])", "gather(w, y)", "gather(p, argsort(r))"],
    "take_along": ["take_along(r, argsort(r))", "take_along(p, argsort(p))", "w2(take_along(transpose(p), argsort(transpose(p))))"],
    "one_hot": ["one_hot(y, 3) * p"],
    "reshape": ["reshape(p, [size(p, 0), 1, 3])", "reshape(r, [-1, 1]) * p", "reshape(p, [count(p)])", "reshape(p, [-1])"],
    "transpose": ["w2(transpose(p))", "w2(transpose(p, [1, 0]))"],
    "concat": ["concat(p, v, axis: 0)", "concat(p, v, axis: 1)", "concat(p, w[..2, ..] @ [[1, 2, 3], [4, 5, 6]], axis: 0)", "concat(p, v, p, axis: 0)"],
    "stack": ["w3(stack(p, v))", "stack(p, 2 * v, axis: 1)", "stack(r, r, axis: 1)"],
    "split": ["split(p, 3)[1]"], "pad": ["pad(p, 1, 2)", 'pad(p, 1, 0, mode: "edge")'],
    "window": ["window(p, 2)"], "fold": ["fold(window(p, 2), 3)"],
    "tril": ["tril(p)"], "triu": ["triu(p, 1)"], "diag": ["diag(stack(p, p, axis: 1)[.., .., 0..2])", "w2(diag(r))", "diag(p)", "diag(p @ transpose(p))", "w2(diag(r) @ p)"],
    "put": ["put(p, [0, 1], 7, axis: 0)", "put(p, 0, r[0], axis: 0)", "put(r, [1, 1], [2, r[0]])", "put(p, [0, 2], r[.., new])", "put(p, 1, r)", "put(p, 0, [5, 6, 7], axis: 0)"],
    "scatter_add": ["scatter_add(p, y, 3)", "scatter_add(r, y, 4)"],
    "einsum": ['einsum("ij,ij->", p, v)', 'einsum("ij,ik->jk", p, v)', 'einsum("ij->i", p)', 'einsum("ij,jk->ik", p, w)', 'w2(einsum("ij->ji", p))'],
    "zeros": ["p + zeros([size(p, 0), 1])", "p + zeros(like: p)"], "ones": ["p * sum(ones(like: p))", "p + ones([size(p, 0), 3])"],
    "eye": ["eye(size(p, 0)) @ p"], "arange": ["arange(size(p, 0)) * r"],
    "grad": ["grad(sum(p^3), p)", "grad(sum(sin(r)), r)"],
}
REFUSED = {"cholesky": "cholesky(p @ transpose(p))", "qr": "qr(p)", "eigh": "eigh(p)", "svd": "svd(p)", "solve": "solve(eye(6), p)",
           "solve_triangular": "solve_triangular(eye(6), p)", "ragged": "ragged(p, 1 + y)"}  # tests/stdlib/ragged.reg has it
REFUSED_ALONG = ["split(p, 2, axis: 0)", "pad(p, 1, 1, axis: 0)", "window(p, 2, axis: 0)", "put(p, argsort(r), 1, axis: 0)", "put(zeros([6, 3]), [0, 1, 2], p, axis: 1)", "reshape(p, [3, -1])", "reshape(p, [3, 2, 3])",
                 "[p, p]", "if r > 0 then zeros([6]) else 1", "p + zeros([6, 3])", "zeros([6]) @ p"]
RANDOM = {"normal", "uniform", "integers", "bernoulli"}  # draws are of places: see tests/stdlib/counts.reg
OF_COLUMNS = {"decode"}  # see examples/characters.reg
OF_MODELS = {"seen", "unflat", "init", "weights", "biases", "norms", "only"}  # and their trees: see tests/lang/good/models.reg
OF_STATEMENTS = {"known"}  # see tests/programs/known.py
OF_TURNS = {"carried"}  # see tests/stdlib/sequences.reg
OTHER = ["p + v", "p * r[.., new]", "p^2", "p @ w", "transpose(p) @ v", "r @ p", "p / (1 + r[.., new]^2)", "if p > 0 then p else 2 * p", "p > 0 and v > 0", "p[0]", "p[-1]",
         "p[1..]", "p[..-1]", "p[-2..]", "p[..2]", "p[0..+1]", "p[.., 1]", "p[.., 0..2]", "r[-1] * p", "p[where r > -9]", "w2(p[where r > -9, where [true, false, true]])",
         "softmax(p)", "softmax(p, axis: 0)", "log_softmax(p, axis: 0)", "logsumexp(p)", "logsumexp(p, axis: 0)", "unit(p)", "unit(p, axis: 0)", "flat(p)", "w2(outer(r, r))",
         "pairwise_distances(p, w[..2, ..] @ [[1, 2, 3], [4, 5, 6]])", "cosine_similarity(p, v + 1)", "entropy(p)", "group_sum(p, y, 3)", "ceil(p)", "tan(p / 9)",
         "cross_entropy(p, y)", "cross_entropy(p, y, smoothing: 0.1, per_row: true)", "focal(p, y)", "hinge(p, y)", "kl(softmax(p), softmax(v * 2))", "soft_cross_entropy(p, softmax(v))",
         "squared_error(r, v[.., 0] * 2)", "absolute_error(p, v * 2)", "huber(r, 2 * r)", "log_cosh(r, 3 * r)", "pinball(r, 2 * r, q: 0.3)", "poisson(r, abs(r))",
         "binary_cross_entropy(r, y)", "p |> dense(2)", "p |> batch_norm", "p |> layer_norm", "p |> rms_norm", "p |> gelu |> dense(3) |> softplus", "l2(p)", "group_lasso(p)",
         "accuracy(p, y) * p", "top_k(p, y, k: 2) * p", "brier(p, y)", "nll(p, y)", "ece(p, y, bins: 3) * p", "mse(r, 2 * r)", "rmse(r, 3 * r)", "mae(r, 0 * r)", "r2(r, r^2)", "confusion(p, y) * sum(p)", "each a in p : sum(a^2)",
         "each a, b in p, r : a * sin(b)", "for a in p along 1 { sort(a) }", "each i in 0..size(r, 0) : r[i]^2 * i", "sum(p) + rows_in_turn(p)", "recurrent(p)", "halved(p)"]

DEFINITIONS = """
fn recurrent(p: [n, c]) {
  h = 0.1 * p[0]
  y = for a in p along 0 {
    h = tanh(a + 0.5 * h)
    h
  }
  y * sum(h)
}
fn rows_in_turn(p: [n, c]) {
  s = 0
  repeat 9 as i {
    p = 0.9 * p + 0.01 * mean(p)
    s = s + p
  }
  sum(s * p)
}
fn halved(p: [n, c]) {
  y = while norm(p) > 0.1, up to 30 {
    p = 0.7 * p
    sum(p, axis: 0)
  }
  y
}
fn weigh(v: [..]) = sum(flat(v) * sin(arange(count(v)) + 1))
fn w2(v: [n, c]) = sum(v * sin(2 * reshape(arange(n), [n, 1]) + arange(c) + 1))
fn w3(v: [n, c, d]) = sum(v * sin(2 * reshape(arange(n), [n, 1, 1]) + 3 * reshape(arange(c), [c, 1]) + arange(d) + 1))
"""
GROUP = 8  # expressions of one program
PICKS = {"some": [1, 0, 1, 1, 0, 1], "the last": [0, 0, 0, 1, 1, 1], "two": [0, 1, 0, 0, 1, 0], "all": [1] * 6}
EMPTY = {"sum(p)": 0, "prod(p)": 1, "norm(p)": 0, "size(p, 0)": 0, "count(p)": 0, "sum(one_hot(y, 3))": 0, "sum(cumsum(p, axis: 0))": 0, "sum(transpose(p) @ p)": 0,
         "sum(sort(p, axis: 0))": 0, "sum(topk(r, 2))": 0, "sum(concat(p, zeros([2, 3]) + 1, axis: 0))": 6, "if any(r > 0) then 1 else 0": 0, "if all(r > 0) then 1 else 0": 1,
         "mean(p)": np.nan, "max(p)": np.nan, "min(r)": np.nan, "var(p)": np.nan, "median(p)": np.nan, "quantile(r, 0.2)": np.nan, "cross_entropy(p, y)": np.nan,
         "if size(p, 0) > 0 then mean(p) else 3": 3, "sum(softmax(p, axis: 0))": 0, "sum(take_along(r, argsort(r)))": 0, "sum(p[1..])": 0, "sum(flip(r))": 0,
         "sum(p |> batch_norm)": 0, "sum(scatter_add(p, y, 3))": 0}


def builtins():
    text = (ROOT / "compiler/sema/builtins.def").read_text()
    rows = re.findall(r'^BUILTIN\(\w+, "(\w+)", ("[^"]*"|NULL), (\w+)', text, re.M)
    return [name for name, signature, function in rows if signature != "NULL" and function != "elsewhere"]


class Test:
    def __init__(self, regc, folder):
        self.regc, self.folder, self.passed, self.failures = regc, folder, 0, []

    def check(self, good, what, why=""):
        if good:
            self.passed += 1
        else:
            self.failures.append(f"{what}: {why}")

    def run(self, definitions, expression, arrays, *more):
        """(values, None) or (None, message)."""
        files = []
        for name, array in arrays.items():
            np.save(f"{self.folder}/{name}.npy", array)
            files += ["--in", f"{name}={self.folder}/{name}.npy"]
        Path(f"{self.folder}/p.reg").write_text(definitions)
        done = subprocess.run([self.regc, "eval", "-f", f"{self.folder}/p.reg", *files, "--out", f"{self.folder}/out", *more, "--", expression], capture_output=True,
                              text=True, env=ENVIRONMENT, timeout=120)
        if done.returncode:
            return None, f"exit code {done.returncode}: {done.stderr.strip()[:400]}"
        result = json.loads(done.stdout)
        if "file" in result:
            return np.load(result["file"]).astype(float), None
        return np.array([float(v) for v in result["values"]]), None


def definitions(expressions):
    """The value of each expression and of its gradient, and the gradients of both by x: of rows x, or of those that m picks."""
    text = DEFINITIONS
    for i, e in enumerate(expressions):
        text += f"""
fn f{i}(a, b, y, w) {{
  p = sin(a) + a
  r = sin(b) + b
  v = sin(a) + a
  weigh(({e}) * 1)
}}
fn g{i}(a, b, y, w) {{
  d = grad(f{i}(a, b, y, w) + 0 * sum(a^2), a)
  sum(sin(d)) + sum(sin(a) * sin(a + d))
}}
fn gathered{i}(x, z, y, w) {{
  s = f{i}(x, z, y, w)
  t = g{i}(x, z, y, w)
  concat(reshape(s, [1]), reshape(t, [1]), flat(grad(s + 0 * sum(x^2), x)), flat(grad(t, x)), axis: 0)
}}
fn picked{i}(x, z, y, w, m) {{
  k = m > 0
  s = f{i}(x[where k], z[where k], y[where k], w)
  t = g{i}(x[where k], z[where k], y[where k], w)
  concat(reshape(s, [1]), reshape(t, [1]), flat(grad(s + 0 * sum(if x == x then x^2 else 0), x)), flat(grad(t, x)), axis: 0)
}}
"""
    return text


def call(name, arguments, count):
    return f"concat({', '.join(f'{name}{i}({arguments})' for i in range(count))}, axis: 0)"


def compare(test, expressions, pick, mask, forms):
    rng = np.random.default_rng(3)
    mask = np.array(mask)
    x, z = rng.normal(size=(6, 3)).astype(np.float32), rng.normal(size=6).astype(np.float32)
    y, w = np.array([0, 2, 1, 2, 0, 1], np.int32), rng.normal(size=(3, 2)).astype(np.float32)
    rows = mask > 0
    hidden = {"x": np.where(rows[:, None], x, np.nan).astype(np.float32), "z": np.where(rows, z, np.nan).astype(np.float32),
              "y": np.where(rows, y, 99).astype(np.int32), "w": w, "m": mask.astype(np.float32)}
    program, n = definitions(expressions), len(expressions)
    results = [test.run(program, call("gathered", "x, z, y, w", n), {"x": x[rows], "z": z[rows], "y": y[rows], "w": w}, "--interpret"),
               *(test.run(program, call("picked", "x, z, y, w, m", n), hidden, *form) for form in forms)]
    wrong = next((why for values, why in results if values is None), None)
    if wrong and n > 1:
        for e in expressions:
            compare(test, [e], pick, mask, forms)
        return
    if wrong:
        return test.check(False, f"{expressions[0]} [{pick}]", wrong)
    want = results[0][0].reshape(n, -1)
    k = 3 * int(rows.sum())
    for form, (values, _) in zip(forms, results[1:]):
        for e, got, must in zip(expressions, values.reshape(n, -1), want):
            first, second = np.zeros((6, 3)), np.zeros((6, 3))
            first[rows], second[rows] = must[2:2 + k].reshape(-1, 3), must[2 + k:].reshape(-1, 3)
            for name, a, b in (("value", got[:2], must[:2]), ("gradient", got[2:20], first.ravel()), ("second gradient", got[20:], second.ravel())):
                near = np.allclose(a, b, rtol=2e-4, atol=2e-5 * (1 + np.abs(b).max(initial=0)), equal_nan=True)
                test.check(near, f"{e} [{pick}] {name} {' '.join(form)}", f"{a} instead of {b}")


def walk(test):
    covered = {*CASES, *REFUSED, *RANDOM, *OF_MODELS, *OF_COLUMNS, *OF_STATEMENTS, *OF_TURNS}
    for name in builtins():
        test.check(name in covered, name, "no case says how it takes rows that are picked when the program runs")
    for name in covered:
        test.check(name in builtins(), name, "is no built-in function")
    every = [*(e for es in CASES.values() for e in es), *OTHER]
    for pick, mask in PICKS.items():
        some = every if pick in ("some", "two") else every[::5]
        for k in range(0, len(some), GROUP):
            compare(test, some[k:k + GROUP], pick, mask, [[], ["--interpret"]] if pick == "some" else [[]])


def refusals(test):
    arrays = {"x": np.ones((6, 3), np.float32), "z": np.ones(6, np.float32), "y": np.zeros(6, np.int32)}
    for expression in [*REFUSED.values(), *REFUSED_ALONG]:
        program = f"fn f(x: [n, c], z: [n], y: [n]) {{\n  m = z > 0\n  p = x[where m]\n  r = z[where m]\n  sum({expression})\n}}\n"
        values, why = test.run(program, "f(x, z, y)", arrays)
        test.check(values is None and why.startswith("exit code 1") and ("[counted]" in why or "[count_mismatch]" in why), expression, why or values)


def empty(test):
    arrays = {"x": np.full((6, 3), np.nan, np.float32), "z": np.full(6, np.nan, np.float32), "y": np.full(6, 99, np.int32), "m": np.zeros(6, np.float32)}
    names = "".join(f"fn e{k}(p, r, y) = {e}\n" for k, e in enumerate(EMPTY))
    calls = ", ".join(f"reshape(e{k}(p, r, y) * 1, [1])" for k in range(len(EMPTY)))
    program = names + f"fn all_of_them(x, z, y, m) {{\n  k = m > 0\n  p = x[where k]\n  r = z[where k]\n  y = y[where k]\n  concat({calls}, axis: 0)\n}}\n"
    for form in ([], ["--interpret"]):
        got, why = test.run(program, "all_of_them(x, z, y, m)", arrays, *form)
        for k, (e, want) in enumerate(EMPTY.items()):
            test.check(got is not None and np.array_equal(got[k], want, equal_nan=True), f"{e} of no rows{' interpreted' if form else ''}",
                       why or f"{got[k]} instead of {want}")
    for e in ("r[0]", "p[-1]", "p[2]", "gather(p, [0])", "r[y]", "p[0..+2]"):
        values, why = test.run(f"fn f(x, z, y, m) {{\n  k = m > 0\n  p = x[where k]\n  r = z[where k]\n  sum({e})\n}}\n", "f(x, z, y, m)", {**arrays, "y": np.zeros(2, np.int32)})
        test.check(values is None and why.startswith("exit code 65") and "out of range for size" in why, f"{e} of no rows", why or values)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("regc")
    parser.add_argument("--show", type=int, default=40)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        test = Test(o.regc, folder)
        walk(test), refusals(test), empty(test)
    for f in test.failures[:o.show]:
        print(f"FAILED {f}")
    print(f"{test.passed} passed, {len(test.failures)} failed, 0 skipped")
    sys.exit(bool(test.failures))


if __name__ == "__main__":
    main()
