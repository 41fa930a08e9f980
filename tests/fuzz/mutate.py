#!/usr/bin/env python3
"""Mutated programs through the whole front of the compiler: names, shapes, instantiation, graphs.

    mutate.py REGC [--seconds S] [--seed N] [--keep FOLDER]

Takes the programs of examples/, tests/ and the library apart into tokens, drops, doubles, exchanges and replaces some, and runs
`regc check` on each result. Any end but 0, 1, 65 and 66 (a crash, an internal error, a time-out) is a failure; the program is kept.
Closes with `N passed, N failed`."""
import argparse
import random
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOKEN = re.compile(r"##[^\n]*|#[^\n]*|\"[^\"\n]*\"|[A-Za-z_]\w*|\d[\w.%]*|\|>|->|<-|\.\.|[<>=!]=|\s+|.")
NUMBERS = ["0", "1", "-1", "2", "0.5", "1e30", "1e-30", "64", "7", "1000000", "3 epochs", "70%", "1e9", "9999999999999"]


def programs():
    for pattern in ("examples/*.reg", "tests/lang/good/*.reg", "tests/stdlib/*.reg", "tests/lang/bad/*.reg", "tests/fuzz/corpus/*.reg"):
        for path in sorted(ROOT.glob(pattern)):
            text = path.read_text(errors="replace")
            yield re.sub(r'csv\("(?:\.\./)*(?:examples/)?data/', f'csv("{ROOT}/examples/data/', text)


def mutate(rng, texts, words):
    tokens = TOKEN.findall(rng.choice(texts))
    for _ in range(rng.choice([1, 1, 2, 3, 5])):
        if not tokens:
            break
        at = rng.randrange(len(tokens))
        kind = rng.randrange(6)
        if kind == 0:
            del tokens[at]
        elif kind == 1:
            tokens.insert(at, tokens[at])
        elif kind == 2:
            other = rng.randrange(len(tokens))
            tokens[at], tokens[other] = tokens[other], tokens[at]
        elif kind == 3:
            places = [k for k, t in enumerate(tokens) if t[0].isdigit()]
            if places:
                tokens[rng.choice(places)] = rng.choice(NUMBERS)
        elif kind == 4:
            places = [k for k, t in enumerate(tokens) if t[0].isalpha()]
            if places:
                tokens[rng.choice(places)] = rng.choice(words)
        else:
            other = TOKEN.findall(rng.choice(texts))
            start = rng.randrange(len(other) + 1)
            tokens[at:at] = other[start:start + rng.randrange(1, 12)]
    return "".join(tokens)


def run(regc, text):
    try:
        done = subprocess.run([regc, "check", "-"], input=text, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr
    except subprocess.TimeoutExpired:
        return "time-out", ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("regc")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", default=str(ROOT / "build" / "fuzz-kept"))
    a = parser.parse_args()
    import time
    rng, texts = random.Random(a.seed), list(programs())
    words = sorted({t for text in texts for t in TOKEN.findall(text) if t[0].isalpha()})
    end, passed, failed = time.monotonic() + a.seconds, 0, 0
    with ThreadPoolExecutor(2) as pool:
        while time.monotonic() < end:
            batch = [mutate(rng, texts, words) for _ in range(32)]
            for text, (code, err) in zip(batch, pool.map(lambda t: run(a.regc, t), batch)):
                if code in (0, 1, 65, 66):
                    passed += 1
                    continue
                failed += 1
                Path(a.keep).mkdir(parents=True, exist_ok=True)
                path = Path(a.keep) / f"{a.seed}-{failed}.reg"
                path.write_text(text)
                tail = next((line for line in err.splitlines() if "error" in line), err[-200:])
                print(f"{path}: {code}: {tail}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
