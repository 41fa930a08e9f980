#!/usr/bin/env python3
"""A walk over what the compiler provides: every function with every kind of value at each of its parameters, every operator with every
pair of kinds, and the functions of numbers at their kinks.

    walk.py REGC [--all] [--share K/N] [--dtype f64] [--show N]

What tests/reference/reading refuses must be refused with a message and exit code 1; what it takes must have its value, compiled and
interpreted. Without --all a part of the pairs is taken, the same each time. Closes with `N passed, N failed, N skipped`."""
import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/reference"), str(ROOT / "tests")]
import with_numpy  # first: it may start another interpreter
import numpy as np
from kinks import KINKS, ROWS
from reading import functions
from reading.evaluate import Reader
from reading.syntax import Refused, Stops
from reading.values import array
from sanitizers import environment
from share import HELP, share
from tolerance import compare, tolerance

DEFINITIONS = """
layer holder(x: [..]) {
  param a: [2, 3] = [[-2, 1, 3], [4, -5, 0.25]]
  param b: [3] = [-1, 2, -3]
  param c: [2] = [0.5, 0]
  x
}
layer single(x: [..]) {
  param a: [2, 3] = [[1, -1, 0], [2, -2, 3]]
  x
}
fn number() = zeros([1])[0] - 1.5
fn vector() = zeros([3]) + [1, -2, 0.5]
fn matrix() = zeros([2, 3]) + [[1, -2, 3], [0.25, 0, -4]]
fn three() = reshape(arange(12) * 0.5 - 2, [2, 2, 3])
fn four() = reshape(arange(12) * 0.5 - 2, [1, 2, 2, 3])
fn integers() = argsort([1, 2, 0])
fn integer() = argmax([0, 1])
fn several() = argsort([[1, 2, 0], [2, 1, 0]])
fn none() = zeros([2, 0])
model net(x: [1]) -> [1] = x |> holder as h
model one(x: [1]) -> [1] = x |> single as h
"""
INPUTS = {
    "s": np.float32(-1.5), "v": np.array([1, -2, 0.5], np.float32), "a": np.array([[1, -2, 3], [0.25, 0, -4]], np.float32),
    "c": np.linspace(-2, 3.5, 12, dtype=np.float32).reshape(2, 2, 3), "d": np.linspace(-2, 3.5, 12, dtype=np.float32).reshape(1, 2, 2, 3),
    "k": np.array([2, 0, 1], np.int32), "j": np.int32(1), "m": np.array([[2, 0, 1], [2, 1, 0]], np.int32),
    "w": np.zeros((2, 0), np.float32),
}
MADE = dict(zip(INPUTS, ["number", "vector", "matrix", "three", "four", "integers", "integer", "several", "none"]))
LINES = 4 + len(INPUTS)  # of a case
KINDS = {
    "number": "2", "a negative number": "-1.5", "zero": "0", "share": "50%", "steps": "10 steps", "epochs": "2 epochs", "true": "true",
    "comparison of numbers": "(1 < 2)", "list": "[1, -2, 0.5]", "list of whole numbers": "[2, 0, 1]", "nested list": "[[1, 2, 3], [-4, 5, 6]]",
    "empty list": "[]", "nothing": "w", "no rows": "transpose(w)", "no truth values": "(w > 0)", "rank 0": "s", "rank 1": "v", "rank 2": "a", "rank 3": "c", "rank 4": "d", "integers": "k", "an integer": "j",
    "matrix of integers": "m", "truth values": "(v > 0)", "matrix of truth values": "(a > 0)", "a truth value": "(s > 0)",
    "tree of one": "one.*", "tree of three": "net.*", "tensor of a tree": "net.h.a", "text": '"a"', "definition": "l1", "function": "exp",
    "model": "net", "range": "(1..3)", "arrow": "(1 -> 2)", "list of tensors": "[v, v]", "list with a tensor": "[1, s, 2]",
}
NOTHING = ["[]", "w", "transpose(w)", "(w > 0)"]
# Proper arguments; what a parameter is tried with beside the kinds.
USUAL = {"a": "[[2, 1], [1, -3]]", "b": "a", "upper": "true", "x": "a", "y": "a", "axis": "0", "keep": "true", "low": "-1", "high": "1", "index": "[1, 0]", "n": "3", "shape": "[3, 2]",
         "perm": "[1, 0]", "xs": "a, a", "like": "a", "p": "0.5", "range": "0 .. 1", "e": "sum(a)", "q": "0.25",
         "k": "1", "by": "1", "where": "(a > 0)", "sample": "true", "reverse": "true", "descending": "true", "before": "1",
         "after": "2", "value": "3", "v": "2", "axes": '"ij->ji"', "mode": '"edge"', "stride": "2", "dilation": "1", "size": "2"}
USUAL_OF = {("cholesky", "x"): "(a @ transpose(a) + [[1, 2], [0, 1]])", ("one_hot", "y"): "k", ("take_along", "index"): "m", ("gather", "index"): "[1, 0]", ("einsum", "xs"): "a", ("put", "index"): "[2, 0]", ("fold", "x"): "c", ("fold", "size"): "3", ("fold", "axis"): "1", ("fold", "stride"): "1", ("zeros", "shape"): "[2]",
            ("ones", "shape"): "[2]"}
MORE = {"a": ["eye(2)", "(a @ transpose(a))", "zeros([2, 2])", "[[1, 2], [2, 4]]", "[[0, 2], [1, 0]]", "c[.., 0..2]", "[[1, 2], [3, 4]] / 0"],
        "b": ["[1, 2]", "[1, 2, 3]", "[[1], [-2]]", "c[.., 0..1]", "[1, 1 / 0]"], "upper": ["false", "1"],
        "mode": ['"reflect"', '"wrap"'], "size": ["1", "3", "4", "0"], "stride": ["1", "3", "0"], "dilation": ["2", "0", "0.5"], "before": ["0", "-1"], "value": ["0.5", "-1"], "v": ["[1, 2]", "[[1], [2]]", "[1, 2, 3]"], "axes": ['"ij->"', '"ij->i"', '"ii->i"', '"ij,jk->ik"', '"ij"', '"ij->ii"', '"i->i"'],
        "where": ["[true, false, true]", "[false, false, false]", "[0, 1, 0]"], "q": ["0", "1", "0.5", "2"], "k": ["3", "4", "0"], "by": ["-1", "5", "0"],
        "axis": ["1", "-1", "-2", "2", "-3", "[0, 1]", "[1, 0]", "[0, 0]", "[0, -2]", "0.5", "[[0], [1]]", "0..1", "0..-1", "0..2", "-1..1", "0..0", "1..3"], "keep": ["false", "1"],
        "index": ["[0, 1, 1]", "[2]", "[-1]", "[0.5]", "[[1, 0], [0, 1]]", "1", "argsort(v)", "[2, 1, 0]", "[1, 3]", "(a > 0)"],
        "n": ["1", "-1", "0.5", "2", "1000"], "shape": ["[6]", "6", "[1, 2, 3]", "[2, -3]", "[6.0]", "[2.5, 2]", "[4]", "[0, 6]"],
        "perm": ["[0, 1]", "[-1, 0]", "[0, 0]", "[0]", "[0, 2]"], "xs": ["a", "a, v", "v, v", "a, a > 0", "k, v", "net.*, net.*", "2, 3"],
        "like": ["2"], "p": ["0", "1", "2", "-0.1", "v"], "range": ["-1 .. 1", "2 .. 1", "1 .. 1", "s .. 2", "3"], "low": ["v", "2", "a"],
        "high": ["v", "-2", "a"], "x": ["zeros([1])", "zeros([2, 1])", "-a"], "y": ["zeros([1])", "[[1], [2]]", "2 * a"]}
# Known to training alone, or with a test of their own.
APART = {"pi", "step", "now", "epoch", "progress", "total", "training", "objective", "sample", "grad", "stop", "load", "ema", "snapshot",
         "decode", "carried", "seen", "init", "known", "unflat", "only", "weights", "biases", "norms", "csv", "text", "idx", "npy", "npz", "images", "scale", "standardize",
         "split", "date_parts", "quantile_bins", "impute", "lag", "difference", "rolling", "interactions", "drop_missing", "tokenize", "folds", "join", "min_max", "ordinal", "ragged", "near"}
OPERATORS = ["{0} + {1}", "{0} - {1}", "{0} * {1}", "{0} / {1}", "{0} ^ {1}", "{0} @ {1}", "{0} < {1}", "{0} == {1}", "{0} and {1}",
             "if {0} then {1} else 2", "if {0} then 3 else {1}", "if v > 0 then {0} else {1}", "max({0}, {1})", "min({0}, {1})",
             "[{0}, {1}]", "concat({0}, {1}, axis: 0)", "clamp({0}, -1, {1})", "({0})[{1}]", "{0} |> max({1})", "one_hot({0}, {1})",
             "gather({0}, {1})", "take_along({0}, {1})", "reshape({0}, {1})", "sum({0}, axis: {1})", "not {0} or {1}"]
ENVIRONMENT = environment(XDG_CACHE_HOME="/dev/null", LC_ALL="C")


def calls():
    """Expressions with what they show."""
    for name, (signature, _) in functions.TABLE.items():
        if name == "only":  # the reading knows it for optimizers; tests/stdlib/trees.reg has it
            continue
        parameters = signature.replace(";", "").split()
        last = (signature.split(";")[0] if ";" in signature else signature).split()
        for tried in parameters:
            p = tried.rstrip("?*")
            for value in [*KINDS.values(), *MORE.get(p, [])]:
                if p == "where" and value == KINDS["a truth value"]:  # a false one: an error where it is a constant, NaN of an input
                    continue
                call = with_argument(name, parameters, p, value)
                yield name, call
                if value in NOTHING:
                    yield name, f"size({call}, 0)"
                    yield name, f"size({call}, -1)"
        full = [p.rstrip("?*") for p in last]
        yield name, f"{name}()"
        yield name, f"{name}({', '.join([USUAL.get(full[0], 'a')] * 5)})"
        yield name, f"{name}({argument(name, full[0])}, nothing: 1)"
        yield name, f"{name}({', '.join(argument(name, p) for p in full)})"


def argument(name, p):
    return USUAL_OF.get((name, p), USUAL[p])


def with_argument(name, parameters, p, value):
    """A call with the value at parameter p, what must be there at the others."""
    given = []
    for q in parameters:
        bare = q.rstrip("?*")
        if bare != p and (q.endswith("?") and not (name in ("zeros", "ones", "normal", "uniform", "bernoulli") and bare == "shape" and p != "like")):
            continue
        text = value if bare == p else argument(name, bare)
        given.append(text if not q.endswith("?") or bare == "y" or q.endswith("*") else f"{bare}: {text}")
    return f"{name}({', '.join(given)})"


def pairs(everything):
    rng = random.Random(7)
    for form in OPERATORS:
        for x in KINDS.values():
            for y in KINDS.values():
                if "%" in x + y and "steps" in x + y:  # a share beside a time is one of the training
                    continue
                if everything or rng.random() < 0.12:
                    yield form, form.format(x, y)
    for x in KINDS.values():
        for form in ["-{0}", "not {0}", "[{0}]", "{0}[0]", "{0}[..]", "{0}[0..1]", "{0}[1..1]", "{0}[.., 0..+0]", "each x in {0} : sum(x) + 1", "size(each x in {0} : [x], -1)", "{0}[.., 0]", "{0}[.., j]", "{0}[.., new]", "{0}[new, ..]", "{0}[.., k]", "{0}[j..+1]", "{0}[.., j..+2]", "{0}[1..+2]", "{0}[m, ..]", "sort({0}[where v > 0])[0]", "sum({0}[where v])", "sum({0}[where v > 0])", "mean({0}[.., where v > 0], axis: -1)", "a[.., where {0}][.., 0]", "sum(v[where {0}])",
                     "max({0}[.., where v > -9], axis: -1)", "flat({0})", "softmax({0})", "l2({0})", "mean({0}) + {0}", "({0})"]:
            yield form, form.format(x)


def flat(e):
    return f"reshape({e}, [count({e})])"


class Walk:
    def __init__(self, regc, folder, show, dtype):
        self.regc, self.folder, self.show, self.compiled = regc, folder, show, ["--dtype", dtype]
        self.passed, self.skipped, self.failures = 0, 0, []
        for name, v in INPUTS.items():
            np.save(f"{folder}/{name}.npy", v)

    def fail(self, what, expression, why):
        self.failures.append((what, expression, why))

    def expected(self, expression):
        """(value, None) or (None, why it is refused)."""
        arrays = {n: np.asarray(v, np.float64 if v.dtype == np.float32 else np.int64) for n, v in INPUTS.items()}
        reader = Reader(DEFINITIONS, arrays)
        try:
            reader.read("net([1])"), reader.read("one([1])")
            with np.errstate(all="ignore"):
                return array(reader.read(flat(expression))).astype(np.float64), None
        except Refused as why:
            return None, why

    def program(self, expressions):
        """Each case a definition over the inputs, and one that makes them itself, with a check on it."""
        names = ", ".join(INPUTS)
        return DEFINITIONS + "".join(f"fn case{k}({names}) {{\n  z = net([1])\n  o = one([1])\n  {flat(e)}\n}}\n"
                                     for k, e in enumerate(expressions))

    def checks(self, expressions):
        made = "".join(f"  {n} = {f}()\n" for n, f in MADE.items())
        return DEFINITIONS + "".join(f"fn case{k}() {{\n  z = net([1]) + one([1])\n{made}  {flat(e)}\n}}\n" for k, e in enumerate(expressions)) + \
            "".join(f"check case{k}() : value == 0\n" for k in range(len(expressions)))

    def call(self, count):
        each = [f"case{k}({', '.join(INPUTS)})" for k in range(count)]
        return f"concat({', '.join(each)}, axis: 0)" if count > 1 else each[0]

    def check(self, expressions, number):
        path = f"{self.folder}/c{number}.reg"
        Path(path).write_text(self.checks(expressions))
        done = subprocess.run([self.regc, "check", "--diagnostics=json", path], capture_output=True, text=True, env=ENVIRONMENT, timeout=120)
        return done.returncode, done.stderr

    def eval(self, expressions, number, *more):
        path = f"{self.folder}/p{number}.reg"
        Path(path).write_text(self.program(expressions))
        files = [x for n in INPUTS for x in ("--in", f"{n}={self.folder}/{n}.npy")]
        out = f"{self.folder}/out{number}"
        done = subprocess.run([self.regc, "eval", "-f", path, *files, "--out", out, "--diagnostics=json", *more, "--",
                               self.call(len(expressions))], capture_output=True, text=True, env=ENVIRONMENT, timeout=120)
        if done.returncode:
            return done.returncode, done.stderr
        result = json.loads(done.stdout)
        if "file" in result:
            name = result["file"]
            return 0, np.load(name if os.path.isabs(name) else f"{out}/{name}").astype(float)
        return 0, np.array([float(v) for v in result["values"]])

    def run(self, cases):
        """Splits what is taken from what is refused by reading the messages, then compares values in groups."""
        cases = list(dict.fromkeys(cases))
        wants = {c: self.expected(c[1]) for c in cases}
        cases.sort(key=lambda c: wants[c][0] is None)
        with ThreadPoolExecutor(2) as pool:
            taken = [c for group in pool.map(lambda k: self.taken(k, cases[k:k + 100], wants), range(0, len(cases), 100)) for c in group]
            list(pool.map(lambda k: self.values(k, taken[k:k + 40], wants), range(0, len(taken), 40)))

    def taken(self, number, cases, wants):
        """Those that regc and the reading take; counts and tells the others."""
        code, messages = self.check([e for _, e in cases], number)
        if code not in (0, 1):
            if len(cases) == 1:
                self.fail(*cases[0], f"exit code {code}: {messages.strip().splitlines()[0] if messages.strip() else ''}")
                return []
            half = len(cases) // 2
            return self.taken(f"{number}a", cases[:half], wants) + self.taken(f"{number}b", cases[half:], wants)
        told, both = self.refused_lines(messages, len(cases)), []
        if told:  # mistakes of one stage hide those of the next
            self.tell([cases[k] for k in told], told.values(), wants)
            return self.taken(f"{number}c", [c for k, c in enumerate(cases) if k not in told], wants) if len(told) < len(cases) else []
        if code == 1:
            self.fail(*cases[0], f"exit code 1 without a place: {messages[:300]}")
            return []
        for c in cases:
            value, why = wants[c]
            if isinstance(why, Stops):
                code, message = self.eval([c[1]], f"{number}s{cases.index(c)}")
                self.fail(*c, f"exit code {code} {message}; the reading stops: {why}") if code not in (1, 65) else self.count()
            elif value is None:
                self.fail(*c, f"taken; the reading refuses: {why}")
            else:
                both.append(c)
        return both

    def count(self):
        self.passed += 1

    def tell(self, cases, messages, wants):
        for c, message in zip(cases, messages):  # what has no value is NaN where only the run knows it
            if wants[c][0] is None or (wants[c][0].size and np.isnan(wants[c][0]).all()):
                self.passed += 1
            else:
                self.fail(*c, f"refused: {message}")

    def refused_lines(self, messages, count):
        """{case: message}: the place in the program, or that of a note."""
        told, before = {}, DEFINITIONS.count("\n")
        for line in messages.splitlines():
            try:
                m = json.loads(line)
            except ValueError:
                continue
            for place in [m, *m.get("notes", [])]:
                if str(place.get("file", "")).endswith(".reg") and place["line"] > before:
                    k = (place["line"] - before - 1) // LINES
                    k = k if k < count else place["line"] - before - 1 - LINES * count
                    if k < count and m.get("severity") == "error":
                        told.setdefault(k, m["message"])
                        break
        return told

    def values(self, number, cases, wants):
        if not cases:
            return
        (code, compiled), (also, interpreted) = (self.eval([e for _, e in cases], f"{number}{more}", *more) for more in (self.compiled, ["--interpret"]))
        if code or also:
            if len(cases) == 1:
                return self.fail(*cases[0], f"exit code {code or also}: {(compiled if code else interpreted)[:300]}")
            half = len(cases) // 2
            self.values(f"{number}a", cases[:half], wants)
            return self.values(f"{number}b", cases[half:], wants)
        start = 0
        for c in cases:
            want = wants[c][0]
            part = slice(start, start + want.size)
            start += want.size
            why = "shape" if start > compiled.size else None
            for name, values in (("compiled", compiled), ("interpreted", interpreted)):
                if why is None and not self.random(c):
                    outcome, reason = compare(values[part], want, tolerance(want, [want], 0))
                    why = f"{name}: {reason}" if outcome == "differs" else None
            if why:
                self.fail(*c, why)
            else:
                self.passed += 1

    @staticmethod
    def random(case):
        return re.search(r"\b(normal|uniform|bernoulli)\(", case[1])


    # Known values at kinks: of an array and of constants, with first and second derivatives.

    def kinks(self):
        def cases():
            for e, x, y, value, first, second in KINKS:
                given = {"x": x, **({"y": y} if y else {})}
                yield e, e, given, value
                for k, (derivative, form) in enumerate(((first, "grad(sum({}), x)"), (second, "grad(sum(grad(sum({}), x)), x)"))):
                    if derivative is not None:
                        yield form.format(e), form.format(e), given, derivative
            for e, x, value, first, y in ROWS:
                yield e, f"flat({e})", {"x": x}, value
                if first is not None:
                    yield f"grad(sum({e} * {y}), x)", f"grad(sum({e} * {y}), x)", {"x": x}, first
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda c: self.kink(*c[1], c[0]), enumerate(cases())))

    def kink(self, what, expression, given, want, number):
        folder = f"{self.folder}/k{number}"
        os.makedirs(folder)
        files = []
        for n, v in given.items():
            np.save(f"{folder}/{n}.npy", np.array(v, np.float32))
            files += ["--in", f"{n}={folder}/{n}.npy"]
        Path(f"{folder}/p.reg").write_text(f"fn array(x, y) = {expression}\nfn constant() {{\n" + "".join(
            f"  {n} = {constant(v)}\n" for n, v in given.items()) + f"  {expression}\n}}\n")
        of_array = f"concat(array(x, {'y' if 'y' in given else 0}), constant(), axis: 0)"
        for more in ([], ["--interpret"]):
            done = subprocess.run([self.regc, "eval", "-f", f"{folder}/p.reg", *files, *more, "--", of_array], capture_output=True, text=True,
                                  env=ENVIRONMENT, timeout=60)
            if done.returncode:
                return self.fail("kink", expression, f"exit code {done.returncode}: {done.stderr[:200]}")
            values = [float(v) for v in json.loads(done.stdout)["values"]]
            half = len(values) // 2
            for name, found in (("", values[:half]), ("as constants ", values[half:])):
                wrong = [(k, f, w) for k, (f, w) in enumerate(zip(found, want)) if w is not None and not near(f, w)]
                if wrong or len(found) != len(want):
                    told = "; ".join(f"at {', '.join(f'{n} = {v[k]:g}' for n, v in given.items() if k < len(v))}: {f:g}, expected {w:g}" for k, f, w in wrong[:4])
                    return self.fail("kink", expression, f"{name}{' '.join(more)} {told or found}")
        self.count()


def constant(values):
    """A list of constants; infinities and NaN have no literal."""
    return "[" + ", ".join("0 / 0" if v != v else "1 / 0" if v == float("inf") else "-1 / 0" if v == -float("inf") else repr(v) for v in values) + "]"


def near(found, want):
    return found == want or (found != found and want != want) or abs(found - want) <= 2e-6 * abs(want) + 1e-9


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("regc")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--share", metavar="K/N", help=HELP)
    parser.add_argument("--dtype", choices=["f32", "f64"], default="f32", help="of the compiled code")
    parser.add_argument("--kinks", action="store_true", help="the known values only")
    parser.add_argument("--show", type=int, default=60, metavar="N", help="failures that are told")
    a = parser.parse_args()
    rows = re.findall(r'^BUILTIN\(\w+,\s*"(\w+)"', (ROOT / "compiler/sema/builtins.def").read_text(), re.M)
    with tempfile.TemporaryDirectory(prefix="reg-walk-") as folder:
        walk = Walk(a.regc, folder, a.show, a.dtype)
        for name in set(rows) - set(functions.TABLE) - APART:
            walk.fail("table", name, "the reading does not know this function")
        walk.kinks()
        if not a.kinks:
            walk.run(share([*calls(), *pairs(a.all)], a.share))
    for what, expression, why in walk.failures[:a.show]:
        print(f"FAILED {expression}\n    {why}")
    if len(walk.failures) > a.show:
        print(f"and {len(walk.failures) - a.show} more")
    print(f"{walk.passed} passed, {len(walk.failures)} failed, {walk.skipped} skipped")
    return bool(walk.failures) or not walk.passed


if __name__ == "__main__":
    sys.exit(main())
