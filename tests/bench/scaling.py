"""How time grows with depth, and what the default threads bring. In: compilers to compare, each under a name. Out: for `run` one
object and one text each. Compilers and settings alternate; of each the least wall time is kept, beside it the least processor time,
which other processes disturb little."""
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "examples" / "data" / "digits.csv"

LAYER = "dense(32) |> relu |> dropout(0.1)"
NET = """data digits = csv("{data}", target: label) |> scale(1/16) |> split(train: 70%, test: 30%, seed: 1)
{before}
model net(x: [64]) -> [10] {{
  {body}
}}
train net on digits {{
  loss cross_entropy(net(x), label)
  optimize {optimizer}
  batch {batch}
  epochs 1000
}}
"""
POWER = """fn power(x, w) {{
  z = x
  repeat {turns} {{ z = z @ w }}
  z
}}"""

SPECTRAL = """fn spectral(w: [i, o]) {
  v = ones([o])
  repeat 30 {
    u = w @ v / norm(w @ v)
    v = u @ w / norm(u @ w)
  }
  norm(w @ v)
}"""


def program(body, before="", optimizer="adamw(lr: 1e-3)", batch=64):
    return NET.format(data=DIGITS, before=before, body=body, optimizer=optimizer, batch=batch)


def layers(n):
    lines = ["h0 = x |> dense(32)", *(f"h{i + 1} = h{i} |> {LAYER}" for i in range(n)), f"h{n} |> dense(10)"]
    return program("\n  ".join(lines))


def turns(n):
    return program("power(x |> dense(32), 0.01 * ones([32, 32])) |> dense(10)", before=POWER.format(turns=n))


def norms(n):
    """So many layers, each with a loop in its penalty."""
    lines = ["h0 = x |> dense(32)", *(f"h{i + 1} = h{i} |> dense(32) |> relu" for i in range(n)), f"h{n} |> dense(10)"]
    penalties = "".join(f"  penalize w in net.dense{i + 2}.weight : 1e-3 * spectral(w)\n" for i in range(n))
    return program("\n  ".join(lines), before=SPECTRAL, optimizer="sgd(lr: 1e-3)\n" + penalties.rstrip())


def measure(command, **environment):
    """(wall time in ms, processor time in ms, largest memory in MB) of a process."""
    begin = time.perf_counter()
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **environment})
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    if status:
        raise SystemExit(f"tests/bench/run: {' '.join(map(str, command))} ended with {os.waitstatus_to_exitcode(status)}")
    return 1e3 * wall, 1e3 * (used.ru_utime + used.ru_stime), used.ru_maxrss / 1024


def least(commands, rounds, fresh_cache=False):
    """{name: least of each figure}; the commands alternate."""
    found = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            with tempfile.TemporaryDirectory() as cache:
                found[name].append(measure(command, **({"XDG_CACHE_HOME": cache} if fresh_cache else {})))
    return {name: [min(v) for v in zip(*figures)] for name, figures in found.items()}


FIRST_STEP = ["--steps", "1", "--quiet", "--out", ""]
GROWTH = [  # what, two programs, the arguments behind them, whether from a cold cache
    ("first step, cold, 5 and 100 equal layers", layers(5), layers(100), "run", FIRST_STEP, True),
    ("planning, 100 and 400 equal layers", layers(100), layers(400), "run", ["--emit=kernels"], False),
    ("first step, cold, repeat 10 and 640", turns(10), turns(640), "run", FIRST_STEP, True),
    ("first step, cold, 5 and 50 loops", norms(5), norms(50), "run", FIRST_STEP, True)]


def depth(compilers, rounds):
    result, lines = {"workload": "depth"}, []
    with tempfile.TemporaryDirectory() as folder:
        for what, small, large, command, arguments, cold in GROWTH:
            commands = {}
            for size, text in (("small", small), ("large", large)):
                path = Path(folder) / f"{size}.reg"
                path.write_text(text)
                commands |= {(name, size): [regc, command, path, *arguments] for name, regc in compilers.items()}
            found = least(commands, rounds, fresh_cache=cold)
            for name in compilers:
                s, l = found[name, "small"], found[name, "large"]
                ratios = [b / a for a, b in zip(s, l)]
                result[f"{what}, {name}"] = {"ms": [s[0], l[0]], "processor_ms": [s[1], l[1]], "mb": [s[2], l[2]], "ratios": ratios}
                lines.append(f"{'depth':14} {what}, {name}: {s[0]:.0f} and {l[0]:.0f} ms, ratio {ratios[0]:.1f}; processor {s[1]:.0f} and "
                             f"{l[1]:.0f} ms, {ratios[1]:.1f}; memory {s[2]:.0f} and {l[2]:.0f} MB, {ratios[2]:.2f}")
    return result, "\n".join(lines)


class Busy:
    """Another process that wants a processor all the time, or none."""

    def __init__(self, there):
        self.there = there

    def __enter__(self):
        self.process = subprocess.Popen(["yes"], stdout=subprocess.DEVNULL) if self.there else None

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()


def digits(compilers, rounds):
    """Whole runs of examples/digits.reg."""
    result, lines = {}, []
    for there in (False, True):
        commands = {(name, kind): [regc, "run", ROOT / "examples" / "digits.reg", "--quiet", "--out", "", *threads]
                    for name, regc in compilers.items() for kind, threads in (("default", []), ("one", ["--threads", "1"]))}
        with Busy(there):
            least(commands, 1)  # into the cache
            found = least(commands, 2 * rounds)
        where = "beside a busy process" if there else "alone"
        for name in compilers:
            a, b = found[name, "default"], found[name, "one"]
            result[f"digits {where}, {name}"] = {"default_ms": a[0], "one_ms": b[0], "processor_ms": [a[1], b[1]]}
            lines.append(f"{'threads':14} digits.reg {where}, {name}: default {a[0]:.0f} ms, one thread {b[0]:.0f} ms, "
                         f"{100 * (a[0] / b[0] - 1):+.0f} %; processor {a[1]:.0f} and {b[1]:.0f} ms")
    return result, lines


WIDTHS = [(16, 32), (32, 64), (64, 64), (128, 64), (256, 64), (512, 128)]  # of the layers, rows of a batch


def step_ms(regc, path, threads, steps):
    done = subprocess.run([regc, "run", path, "--json", "--profile", "--progress", "none", "--out", "", "--steps", str(steps), *threads],
                          capture_output=True, text=True, check=True)
    return next(e for e in map(json.loads, done.stdout.splitlines()) if e["event"] == "profile")["median_step_ms"]


def widths(compilers, rounds):
    """Median steps of two-layer networks of several widths."""
    result, lines = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for width, batch in WIDTHS:
            path = Path(folder) / f"net{width}.reg"
            path.write_text(program(f"x |> dense({width}) |> relu |> dense({width}) |> relu |> dense(10)", batch=batch))
            kinds = {(name, kind): (regc, threads) for name, regc in compilers.items()
                     for kind, threads in (("default", []), ("one", ["--threads", "1"]))}
            steps = max(200, 400000 // (width * batch // 32))
            found = {key: [] for key in kinds}
            for _ in range(rounds):
                for key, (regc, threads) in kinds.items():
                    found[key].append(step_ms(regc, path, threads, steps))
            for name in compilers:
                a, b = min(found[name, "default"]), min(found[name, "one"])
                result[f"width {width} batch {batch}, {name}"] = {"default_ms": a, "one_ms": b}
                lines.append(f"{'threads':14} step of two layers of {width}, batch {batch}, {name}: default {a:.4f} ms, one thread {b:.4f} ms, "
                             f"{100 * (a / b - 1):+.0f} %")
    return result, lines


def threads(compilers, rounds):
    whole, first = digits(compilers, rounds)
    step, second = widths(compilers, rounds)
    return {"workload": "threads"} | whole | step, "\n".join(first + second)
