#!/usr/bin/env python3
"""Random programs: compiled code, the interpreter and the reading of tests/reference must agree.

    random_programs.py REGC [--seconds S | --batches B] [--seed N] [--jobs J] [--keep FOLDER]

Each batch is a program of definitions, applied to random arrays. The tolerance follows from 32-bit rounding at every operation (see
tests/reference/reading/evaluate.py). What differs is made smaller and kept. Closes with `N passed, N failed, N skipped`; skipped are cases
at a kink, or so sensitive to rounding that they say nothing. Needs NumPy: where this interpreter lacks it, /usr/bin/python3 takes over."""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, wait, FIRST_COMPLETED
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("tests/fuzz", "tests/reference", "tests")]
import with_numpy  # first: it may start another interpreter
import numpy as np
from expressions import Grower, grow_body, literal, smaller
from reading.evaluate import Reader
from reading.scope import Unread
from reading.syntax import Refused
from reading.values import array
from sanitizers import environment
from tolerance import compare, tolerance
import trainings

ENVIRONMENT = environment(XDG_CACHE_HOME="/dev/null", LC_ALL="C")


class Case:
    """One definition over the batch's inputs. `how` says how its parameters are declared."""
    def __init__(self, body, shape, how, helpers):
        self.body, self.shape, self.how, self.helpers = body, shape, how, helpers

    def definition(self, name, inputs):
        parameters = ", ".join(f"{n}: {self.how[n]}" if self.how[n] else n for n in inputs)
        return f"fn {name}({parameters}) {self.body.text()}\n"

    def call(self, name, inputs):
        return f"{name}({', '.join(inputs)})"


def make_inputs(rng, seed):
    """{name: (array, kind)}: numbers of several shapes, classes."""
    draw = np.random.default_rng(seed)
    shapes = {"a": (rng.choice([1, 2, 3, 5]), rng.choice([2, 3, 4])), "v": (rng.choice([1, 2, 3, 4]),), "s": ()}
    n, m = shapes["a"]
    shapes["b"] = rng.choice([(m,), (n, 1), (m, n), (n, m)])
    shapes["c"] = rng.choice([(2, n, m), (m, m), (1, m), (2, 2, 1, 2), (n,), (3, 1, 2)])
    inputs = {k: (draw.standard_normal(s).astype(np.float32), "f") for k, s in shapes.items()}
    inputs["y"] = (draw.integers(0, m, n).astype(np.int32), f"i{m}")
    inputs["k"] = (draw.integers(0, 2, rng.choice([2, 3])).astype(np.int32), "i2")
    return inputs


def dimension(n):
    """The name of a size; a named size of 1 would be a dimension that does not stretch."""
    return f"d{n}" if n > 1 else "1"


def declared(rng, inputs):
    how = {}
    for name, (v, kind) in inputs.items():
        way = rng.randrange(5)
        how[name] = "labels" if kind != "f" and way < 3 else "" if kind != "f" or way == 0 else "[..]" if way == 1 else \
            literal(v.shape) if way == 2 else "[" + ", ".join(map(dimension, v.shape)) + "]" if way == 3 or not v.shape else \
            "[.., " + f"{dimension(v.shape[-1])}]"
    return how


def make_case(rng, inputs):
    names = {n: (v.shape, kind) for n, (v, kind) in inputs.items()}
    grower = Grower(rng, names, grads=rng.choice([0, 1, 1, 2]))
    shape = rng.choice([(), (), (3,), (2, 2), rng.choice([v.shape for v, k in inputs.values() if k == "f"])])
    return Case(grow_body(grower, shape, rng.choice([2, 3, 3, 4])), shape, declared(rng, inputs), ())


def program_of(cases, inputs):
    return "".join(c.definition(f"case{k}", inputs) for k, c in enumerate(cases))


class Regc:
    """Evaluates on saved arrays."""
    def __init__(self, path, folder, inputs):
        self.path, self.folder = path, folder
        self.files = []
        for name, (v, _) in inputs.items():
            np.save(f"{folder}/{name}.npy", v)
            self.files += ["--in", f"{name}={folder}/{name}.npy"]

    def eval(self, program, expression, *more):
        """(exit code, values or the message)."""
        Path(self.folder, "program.reg").write_text(program)
        try:
            done = subprocess.run([self.path, "eval", "-f", f"{self.folder}/program.reg", *self.files, "--out", self.folder, *more, "--",
                                   expression], capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
        except subprocess.TimeoutExpired:
            return "time-out", "no end within 60 s"
        if done.returncode:
            return done.returncode, done.stderr
        result = json.loads(done.stdout)
        if "file" in result:
            return 0, np.load(result["file"] if os.path.isabs(result["file"]) else f"{self.folder}/{result['file']}").astype(float)
        return 0, np.array([float(v) for v in result["values"]]).reshape(result["shape"])


def read(program, expression, inputs, noise):
    arrays = {n: v.astype(np.float64) if kind == "f" else v.astype(np.int64) for n, (v, kind) in inputs.items()}
    reader = Reader(program, arrays, noise)
    value = array(reader.read(expression)).astype(np.float64)
    if reader.beyond:
        raise Unread("more than a 32-bit float holds")
    return value, reader.error


def judge(regc, program, expression, inputs, found=None):
    """(outcome, reason): same, skip or differs. found: values of compiled code and interpreter where they are known already."""
    try:
        exact, error = read(program, expression, inputs, None)
        why = None
    except Refused as reason:
        why = str(reason)
    except Unread as reason:
        why = reason
    except RecursionError:
        return "skip", "too deep"
    if found is None:
        found = [regc.eval(program, expression), regc.eval(program, expression, "--interpret")]
    for name, (code, value) in zip(("compiled", "interpreted"), found):
        if code not in (0, 1) or (code == 1 and "error:" not in value):
            return "differs", f"{name}: exit code {code}\n{value}"
    if isinstance(why, Unread):
        return "skip", f"kink {why}"
    if why is not None:
        return ("same", "refused") if all(code == 1 for code, _ in found) else ("differs", f"accepted, the reading refuses: {why}")
    if any(code for code, _ in found):
        return "differs", f"refused\n{found[0][1] if found[0][0] else found[1][1]}"
    try:
        noisy = [read(program, expression, inputs, seed)[0] for seed in (1, 2)]
    except (Unread, Refused):
        return "skip", "kink near"
    allowed = tolerance(exact, noisy, error)
    for name, (_, value) in zip(("compiled", "interpreted"), found):
        outcome, reason = compare(value, exact, allowed)
        if outcome != "same":
            return outcome, f"{name}: {reason}"
    return "same", ""


def minimized(regc, case, inputs, reason, seconds):
    """The smallest case found that still differs in the same way."""
    kind, end = reason.split("\n")[0].split(" is ")[0][:24], time.monotonic() + seconds
    again = True
    while again and time.monotonic() < end:
        again = False
        for body in smaller(case.body):
            if body.size() >= case.body.size() or time.monotonic() > end:
                continue
            new = Case(body, case.shape, case.how, case.helpers)
            outcome, why = judge(regc, new.definition("case0", inputs), new.call("case0", inputs), inputs)
            if outcome == "differs" and why.split("\n")[0].split(" is ")[0][:24] == kind:
                case, reason, again = new, why, True
                break
    return case, reason


def run_batch(path, seed, keep):
    """Counts and messages of one batch."""
    rng = random.Random(seed)
    inputs = make_inputs(rng, rng.randrange(2**32))
    cases = [make_case(rng, inputs) for _ in range(rng.choice([1, 4, 8, 8]))]
    count, told = {"same": 0, "skip": 0, "differs": 0}, []
    with tempfile.TemporaryDirectory(prefix="reg-random-") as folder:
        regc = Regc(path, folder, inputs)
        program = program_of(cases, inputs)
        calls = [c.call(f"case{k}", inputs) for k, c in enumerate(cases)]
        joined = f"concat({', '.join(f'flat({c})' for c in calls)}, axis: 0)" if len(calls) > 1 else calls[0]
        whole = [regc.eval(program, joined), regc.eval(program, joined, "--interpret")]
        sizes = [int(np.prod(c.shape)) for c in cases]
        for k, case in enumerate(cases):
            found = None
            if all(code == 0 and np.size(v) == sum(sizes) for code, v in whole):  # otherwise one has another shape than it was made for
                start = sum(sizes[:k])
                found = [(0, np.ravel(v)[start:start + sizes[k]].reshape(case.shape)) for _, v in whole]
            alone = case.definition("case0", inputs), case.call("case0", inputs)
            outcome, reason = judge(regc, *alone, inputs, found)
            count[outcome] += 1
            if outcome != "differs":
                continue
            by_itself, why = judge(regc, *alone, inputs)
            text = alone[0]
            if by_itself == "differs":
                case, reason = minimized(regc, case, inputs, why, 20)
                text = case.definition("case0", inputs)
            else:
                reason, text = f"only together with others: {reason}", program
            told.append(f"seed {seed!r}, case {k}: {reason}\n{text}" + save(keep, seed, k, text, alone[1], inputs, reason))
    return count, told


def run_training(path, seed, keep):
    """Counts and messages of one training."""
    count = {"same": 0, "skip": 0, "differs": 0}
    with tempfile.TemporaryDirectory(prefix="reg-random-") as folder:
        program = trainings.Program(random.Random(seed))
        outcome, reason = trainings.judge(path, program, folder, ENVIRONMENT)
        count[outcome] += 1
        if outcome != "differs":
            return count, []
        end, again = time.monotonic() + 30, True
        while again and time.monotonic() < end:
            again = False
            for new in program.smaller():
                outcome, why = trainings.judge(path, new, folder, ENVIRONMENT)
                if outcome == "differs" and why[:30] == reason[:30]:
                    program, reason, again = new, why, True
                    break
        trainings.judge(path, program, folder, ENVIRONMENT)
        place = Path(keep) / seed
        place.mkdir(parents=True, exist_ok=True)
        for name in ("p.reg", "d.csv", "start.safetensors"):
            if Path(folder, name).exists():
                (place / name).write_bytes(Path(folder, name).read_bytes())
        return count, [f"seed {seed!r}: {reason}\n{program.text()}regc run {place}/p.reg --weights {place}/start.safetensors --json --out=\n"]


def run_one(path, seed, keep):
    return (run_training if seed.startswith("t") else run_batch)(path, seed, keep)


def save(keep, seed, k, text, call, inputs, reason):
    """Writes what is needed to see the difference again, says how."""
    folder = Path(keep) / f"{seed}-{k}".replace(" ", "")
    folder.mkdir(parents=True, exist_ok=True)
    used = [n for n in inputs if f" {n}" in call or f"({n}" in call]
    for n in used:
        np.save(folder / f"{n}.npy", inputs[n][0])
    (folder / "program.reg").write_text("".join(f"# {line}\n" for line in reason.splitlines()) + text)
    return f"regc eval '{call}' -f {folder}/program.reg " + " ".join(f"--in {n}={folder}/{n}.npy" for n in used) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("regc")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--batches", type=int, help="so many instead of so long: the same ones on every machine")
    parser.add_argument("--seed", default="1", help="a word")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", default=str(ROOT / "build" / "fuzz-kept"))
    parser.add_argument("--only", choices=["t", "e"], help="trainings or expressions only")
    parser.add_argument("--batch", help="one batch again: its seed, as it was told")
    a = parser.parse_args()
    total, end, k = {"same": 0, "skip": 0, "differs": 0}, time.monotonic() + a.seconds, 0

    def more():
        return k < a.batches if a.batches else time.monotonic() < end
    if a.batch:
        count, told = run_one(a.regc, a.batch, a.keep)
        print(*told, sep="\n")
        return count["differs"] > 0
    with ProcessPoolExecutor(a.jobs) as pool:
        running = set()
        while running or more():
            while len(running) < a.jobs and more():
                kind = a.only or ("t" if k % 3 == 0 else "e")
                running.add(pool.submit(run_one, a.regc, f"{kind}{a.seed}-{k}", a.keep))
                k += 1
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                count, told = future.result()
                for name in total:
                    total[name] += count[name]
                for text in told:
                    print(text, flush=True)
    print(f"{total['same']} passed, {total['differs']} failed, {total['skip']} skipped")
    return total["differs"] > 0 or not total["same"]


if __name__ == "__main__":
    sys.exit(main())
