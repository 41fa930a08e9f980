#!/usr/bin/env python3
"""Wilcoxon's signed-rank test by scipy.stats.wilcoxon (1.10.1), two-sided, zeros left out, without a correction for continuity: exact up to 50
differences without zeros and ties, else by the normal approximation. Run by hand (Debian's python3-scipy), it writes signed_ranks.json; the tests
read that. The differences are whole numbers of sixteenths, exact in single precision."""
import json
import random
from pathlib import Path

from scipy.stats import wilcoxon

VALUES = Path(__file__).with_name("signed_ranks.json")


def differences(rng, n, kind, shift):
    if kind == "plain":
        sizes = rng.sample(range(1, 40 * n), n)
        return [(v if rng.random() < shift else -v) / 16 for v in sizes]
    least = 0 if kind == "zeros" else 1
    return [(rng.randint(least, max(3, n // 3)) * (1 if rng.random() < shift else -1)) / 16 for _ in range(n)]


def main():
    rng, cases = random.Random(5), []
    for n in (1, 2, 3, 5, 8, 12, 20, 34, 49, 50, 51, 80):
        for kind in ("plain", "ties", "zeros"):
            for shift in (0.5, 0.85):
                d = differences(rng, n, kind, shift)
                if not any(d):
                    continue
                exact = n <= 50 and 0 not in d and len({abs(v) for v in d}) == n
                found = wilcoxon(d, zero_method="wilcox", correction=False, method="exact" if exact else "approx")
                cases.append({"differences": d, "W": float(found.statistic), "p": float(found.pvalue), "test": "exact" if exact else "normal"})
    VALUES.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


if __name__ == "__main__":
    main()
