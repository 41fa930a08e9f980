#!/usr/bin/env python3
"""Mutated programs through the whole compiler, and what it takes through its code.

    mutate.py REGC [--seconds S] [--seed N] [--keep FOLDER]

Takes the programs of examples/, tests/ and the library apart into tokens, drops, doubles, exchanges and replaces some. `regc check` must
end with 0, or with 1, 65 or 66 and a message. What it takes is run: `train` for two steps, some with --check, `check` statements with
gradcheck. A crash, an internal error, a sanitizer's report, a time-out, a silent refusal, and a program that only `run` rejects are failures;
the program is kept. Closes with `N passed, N failed`."""
import argparse
import random
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests")]

from sanitizers import environment  # noqa: E402: found by the line above

ENVIRONMENT = environment(XDG_CACHE_HOME="/dev/null")
TOKEN = re.compile(r"##[^\n]*|#[^\n]*|\"[^\"\n]*\"|[A-Za-z_]\w*|\d[\w.%]*|\|>|->|<-|\.\.|[<>=!]=|\s+|.")
NUMBERS = ["0", "1", "-1", "2", "0.5", "1e30", "1e-30", "64", "7", "1000000", "3 epochs", "70%", "1e9", "9999999999999"]


# Words that may stand for each other, so that the result is often a program again.
FAMILIES = [words.split() for words in (
    "relu tanh sigmoid gelu silu elu selu softplus mish softmax log_softmax layer_norm rms_norm batch_norm dropout gaussian_noise abs exp sin erf sort cumsum",
    "cross_entropy focal hinge nll accuracy brier ece top_k confusion", "mse squared_error absolute_error huber log_cosh pinball poisson binary_cross_entropy mae rmse r2",
    "l1 l2 elastic_net mcp scad log_sum smooth_l1 group_lasso sparse_group_lasso orthogonality total_variation activity_l1 confidence",
    "sgd sgdw adam adamw rmsprop adagrad lion sam", "linear cosine ramp exponential polynomial cosine_restarts step_decay one_cycle warmup constant",
    "sum mean max min norm argmax", "zeros ones normal uniform he_normal glorot_uniform", "+ - * / ^ @", "< <= > >= == !=", "epochs batch seed steps", "true false training",
    "train valid test", "weight bias scale shift *")]
STAGES = ["tanh", "relu", "dense(3)", "dense(3) as extra", "softmax", "layer_norm", "batch_norm", "dropout(p: 0.3)", "sort", "cumsum", "abs", "stop", "rms_norm", "gaussian_noise"]


def programs(*patterns):
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            text = path.read_text(errors="replace")
            yield re.sub(r'csv\("(?:\.\./)*(?:examples/)?data/', f'csv("{ROOT}/examples/data/', text)


def mildly(rng, texts):
    """A program with few changes, each of which may well leave it one."""
    text = rng.choice(texts)
    for _ in range(rng.choice([1, 1, 2, 3])):
        tokens, lines = TOKEN.findall(text), text.split("\n")
        kind = rng.randrange(6)
        if kind == 0:
            places = [k for k, t in enumerate(tokens) if t[0].isdigit()]
            if places:
                k = rng.choice(places)
                tokens[k] = rng.choice([rng.choice(NUMBERS), "3", "5", "2", "0.3", "50%", str(rng.randrange(9))])
                text = "".join(tokens)
        elif kind == 1:
            places = [(k, f) for k, t in enumerate(tokens) for f in FAMILIES if t in f]
            if places:
                k, family = rng.choice(places)
                tokens[k] = rng.choice(family)
                text = "".join(tokens)
        elif kind == 2:
            places = [k for k, t in enumerate(tokens) if t == "|>"]
            if places:
                k = rng.choice(places)
                tokens[k:k] = ["|>", " ", rng.choice(STAGES), " "]
                text = "".join(tokens)
        else:
            a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
            if kind == 3:
                del lines[a]
            elif kind == 4:
                lines.insert(a, lines[a])
            else:
                lines[a], lines[b] = lines[b], lines[a]
            text = "\n".join(lines)
    return text


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


def start(regc, text, *arguments):
    try:
        done = subprocess.run([regc, *arguments, "-"], input=text, capture_output=True, text=True, errors="replace", timeout=120, env=ENVIRONMENT)
        return done.returncode, done.stderr
    except subprocess.TimeoutExpired:
        return "time-out", ""


def run(regc, text, draw):
    """(what went wrong or None, messages). draw: a number 0..1 that decides what is done beside the check."""
    code, messages = start(regc, text, "check")
    if code != 0:
        told = code in (1, 65, 66) and "error:" in messages
        return (None if told else f"check: {code}"), messages
    if re.search(r"^train\b", text, re.M):
        more = ["--check"] if draw < 0.15 else ["--threads", "1"] if draw < 0.5 else []
        code, messages = start(regc, text, "run", "--steps", "2", "--out=", "--progress=none", *more)
        told = code in (0, 3, 4, 65) or code == 1 and "[too_large]" in messages
        if not told or code and "error:" not in messages:
            return f"run {' '.join(more)}: {code}", messages
    if re.search(r"^check\b", text, re.M):
        code, messages = start(regc, text, "gradcheck")
        if code not in (0, 4, 65) or code == 65 and "error:" not in messages:
            return f"gradcheck: {code}", messages
    return None, messages


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("regc")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", default=str(ROOT / "build" / "fuzz-kept"))
    a = parser.parse_args()
    rng = random.Random(a.seed)
    sound = list(programs("examples/*.reg", "tests/lang/good/*.reg", "tests/stdlib/*.reg"))
    texts = sound + list(programs("tests/lang/bad/*.reg", "tests/fuzz/corpus/*.reg"))
    words = sorted({t for text in texts for t in TOKEN.findall(text) if t[0].isalpha()})
    end, passed, failed = time.monotonic() + a.seconds, 0, 0
    with ThreadPoolExecutor(2) as pool:
        while time.monotonic() < end:
            batch = [(mildly(rng, sound) if rng.random() < 0.6 else mutate(rng, texts, words), rng.random()) for _ in range(32)]
            for (text, _), (wrong, messages) in zip(batch, pool.map(lambda t: run(a.regc, *t), batch)):
                if wrong is None:
                    passed += 1
                    continue
                failed += 1
                Path(a.keep).mkdir(parents=True, exist_ok=True)
                path = Path(a.keep) / f"{a.seed}-{failed}.reg"
                path.write_text(text)
                tail = next((line for line in messages.splitlines() if "error" in line), messages[-200:])
                print(f"{path}: {wrong}: {tail}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
