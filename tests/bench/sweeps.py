"""Sweeps of small models: 32 strengths x 5 seeds on two threads, beside our own runs one after the other and PyTorch's in one process. In: the
compiler, a folder for programs. Out: for `run` one object and one text. Milliseconds of a run, by the clock and of processor time: where other
processes take the machine only the latter can be compared, and two threads take half of it. The least of the rounds counts."""
import os
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
AXES = "lambda in log(1e-6 .. 1e-2, 32), seed in 1..5"
RUNS = 160
ALONE = 8


def timed(command, runs, environment=None):
    """(milliseconds by the clock, of processor time) of each of so many runs"""
    before, begin = os.times(), time.perf_counter()
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True, env={**os.environ, **(environment or {})})
    wall, after = time.perf_counter() - begin, os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return 1e3 * wall / runs, 1e3 * spent / runs, done.stdout


def program(folder, name, seeds):
    """The workload with one strength and so many seeds, as far from the data as its own file."""
    text = (HERE / f"{name}.reg").read_text()
    assert AXES in text
    path = folder / f"{name}-{seeds}.reg"
    path.write_text(text.replace(AXES, f"lambda in [1e-4], seed in 1..{seeds}"))
    return path


def sweep(regc, folder, name, threads, rounds, peer):
    """`peer`: PyTorch's (milliseconds by the clock, of processor time) of a run on one thread; None where it is not installed."""
    run = [regc, "run", "-q", "--out", ""]
    one = program(folder, name, 1)
    times = {"sweep": [], "one after the other": [], "processes": [], "PyTorch": []}
    for _ in range(rounds):
        times["sweep"].append(timed([*run, "--threads", threads, HERE / f"{name}.reg"], RUNS))
        times["processes"].append(timed([*run, "--threads", threads, one], 1))
        times["one after the other"].append(timed([*run, "--threads", 1, program(folder, name, ALONE)], ALONE))
        if peer:
            times["PyTorch"].append(peer())
    least = {what: [min(t[k] for t in list_) for k in (0, 1)] for what, list_ in times.items() if list_}
    wall, spent = least["sweep"]
    result = {"workload": name, "threads": threads, "ms": least,
              "ratios": {what: [t[0] / wall, t[1] / (spent / threads)] for what, t in least.items() if what != "sweep"}}
    text = f"{name:14} {threads} threads: ms of a run by the clock (of processor time): sweep {wall:.3g} ({spent:.3g})"
    for what, ratio in result["ratios"].items():
        text += f"; {what} {least[what][0]:.3g} ({least[what][1]:.3g}), {ratio[0]:.2f} ({ratio[1]:.2f}) times as long"
    return result, text
