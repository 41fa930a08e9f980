#!/usr/bin/env python3
"""What a state for each row costs: a step of a penalty that keeps averages of 60000 rows of 10 numbers, and of the same one without.

    samples.py REGC [--runs N]

Both run in turn, on one thread; of each the smallest median of all runs counts. Ends with 1 where it costs more than 5 %."""
import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

MOST = 1.05
PROGRAM = """
fn tenth(x: [n, i]) -> labels [n] of 10 = argmax(x[.., 0..10])
data made = table(60000) { x = normal([60000, 256]); label = tenth(x) }
model net(x: [256]) -> [10] = x |> dense(128) |> relu |> dense(128) |> relu |> dense(10)

penalty early(logits: [n, c], beta: rate = 0.7) {
  KEPT
  p = clamp(softmax(logits), 1e-4, 1 - 1e-4)
  now = beta * average + (1 - beta) * stop(p / sum(p, axis: -1, keep: true))
  ASSIGNED
  mean(log(1 - sum(p * now, axis: -1)))
}
train net on made {
  z = net(x)
  loss     cross_entropy(z, label)
  penalize : 3 * early(z)
  optimize sgd(lr: 0.01, momentum: 0.9)
  batch    64
  epochs   2
}
"""
PROGRAMS = {"with": PROGRAM.replace("KEPT", "state average[sample]: [c] = 0").replace("ASSIGNED", "average <- now"),
            "without": PROGRAM.replace("KEPT", "average = 0.05 * ones(like: logits)").replace("  ASSIGNED\n", "")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("regc", type=lambda p: str(Path(p).resolve()))
    parser.add_argument("--runs", type=int, default=8)
    options = parser.parse_args()
    best = dict.fromkeys(PROGRAMS, float("inf"))
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"XDG_CACHE_HOME": folder}
        for _ in range(options.runs):
            for name, text in PROGRAMS.items():
                done = subprocess.run([options.regc, "run", "-", "--quiet", "--out=", "--threads", "1", "--profile"], input=text,
                                      capture_output=True, text=True, check=True, env=environment)
                best[name] = min(best[name], float(re.search(r"median ([\d.]+) ms", done.stdout + done.stderr)[1]))
    ratio = best["with"] / best["without"]
    print(f"with a state for each row {best['with']:.4f} ms, without {best['without']:.4f} ms: {100 * (ratio - 1):+.1f} %")
    return ratio > MOST


if __name__ == "__main__":
    sys.exit(main())
