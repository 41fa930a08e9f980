#!/usr/bin/env python3
"""The techniques of the literature: list.tsv has their names and papers, examples/techniques/NAME.reg their demonstrations. Runs
these, prints claim and outcome side by side with a time for each, and ends with 1 if one failed: its assertions hold on every seed
what shows on every seed.

  run.py REGC [--only TEXT] [--seeds N] [--share K/N] [--keep]   --share: of the demonstrations each N-th from the K-th on, K a
                                                                 number, or `commit`: by the hash of HEAD; --keep stores outcomes
  run.py --page [--check]                                        writes docs/techniques.md; --check only says whether it is up to date"""
import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "tests"))
import share  # noqa: E402: found by the line above
DEMONSTRATIONS, PAGE = ROOT / "examples/techniques", ROOT / "docs/techniques.md"
OUTCOMES, LIST = Path(__file__).with_name("outcomes.json"), Path(__file__).with_name("list.tsv")
KEYS = ("Uses", "Claim", "Seen")
LONGEST_LINES, LONGEST_SECONDS = 40, 20


def titles():
    return dict(line.split("\t") for line in LIST.read_text().splitlines()[1:])


def told(path):
    """What the leading comment says: {key: text} of the lines `# Key: text`, each with the comment lines behind it."""
    found, key = {}, None
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        text = line.lstrip("# ")
        if m := re.match(rf"({'|'.join(KEYS)}): (.*)", text):
            key = m[1]
            found[key] = m[2]
        elif key:
            found[key] += " " + text
    return found


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def run(regc, path, seed, cache):
    """One run: its reports, seconds, and why it failed."""
    start = time.monotonic()
    environment = os.environ | {"XDG_CACHE_HOME": cache}
    try:
        done = subprocess.run([regc, "run", "--json", "--progress", "none", "--out=", "--threads", "1", "--seed", str(seed), str(path)], capture_output=True,
                              text=True, timeout=300, env=environment)
    except subprocess.TimeoutExpired:
        return {"seed": seed, "seconds": 300.0, "reports": {}, "failure": "no end within 300 seconds"}
    events = [json.loads(line) for line in done.stdout.splitlines()]
    reports = {e["name"]: e["value"] for e in events if e["event"] == "report" and "value" in e}
    failure = None
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if ": error: " in line or line.startswith("error: ")]
        failure = "; ".join(told[:2]) or f"exit code {done.returncode}"
    elif not reports:
        failure = "nothing is reported"
    return {"seed": seed, "seconds": round(time.monotonic() - start, 1), "reports": reports, "failure": failure}


def short(value):
    return ("[" + ", ".join(map(short, value)) + "]") if isinstance(value, list) else f"{value:.3g}" if isinstance(value, float) else str(value)


def show(name, about, runs):
    times = ", ".join(f"{r['seconds']:.1f} s" for r in runs)
    print(f"== {name}  ({times})")
    left = textwrap.wrap("claim: " + about.get("Claim", "none"), 60) + [""] + textwrap.wrap("seen: " + about.get("Seen", "nothing"), 60)
    right = [f"{key}: " + " | ".join(short(r["reports"][key]) if key in r["reports"] else "-" for r in runs)
             for key in dict.fromkeys(k for r in runs for k in r["reports"])]
    right += [f"FAILED with seed {r['seed']}: {r['failure']}" for r in runs if r["failure"]]
    right = [line for text in right for line in textwrap.wrap(text, 76, subsequent_indent="  ")]
    for k in range(max(len(left), len(right))):
        print(f"  {left[k] if k < len(left) else '':60}  {right[k] if k < len(right) else ''}".rstrip())


def demonstrate(options):
    paths = sorted(DEMONSTRATIONS.glob("*.reg"))
    if unknown := [p.stem for p in paths if p.stem not in titles()]:
        print(f"list.tsv has no {', '.join(unknown)}")
        return 1
    chosen = share.share([p for p in paths if options.only in p.stem], options.share)
    stored, count = json.loads(OUTCOMES.read_text()) if OUTCOMES.exists() else {}, {"passed": 0, "failed": 0}
    with tempfile.TemporaryDirectory(prefix="reg-techniques-") as cache, ThreadPoolExecutor(2) as pool:
        started = {p: [pool.submit(run, str(Path(options.regc).resolve()), p, seed, cache) for seed in range(1, options.seeds + 1)] for p in chosen}
        for path, futures in started.items():
            runs = [f.result() for f in futures]
            about = told(path)
            show(path.stem, about, runs)
            wrong = [f"its leading comment has no `{key}:`" for key in KEYS if key not in about]
            if len(path.read_text().splitlines()) > LONGEST_LINES:
                wrong.append(f"it has more than {LONGEST_LINES} lines")
            for text in wrong:
                print(f"  FAILED: {text}")
            failed = bool(wrong or any(r["failure"] for r in runs))
            count["failed" if failed else "passed"] += 1
            if not failed:
                stored[path.stem] = {"text": digest(path), "seconds": max(r["seconds"] for r in runs),
                                     "reports": {k: [r["reports"].get(k) for r in runs] for k in runs[0]["reports"]}}
            elif path.stem in stored:
                del stored[path.stem]
    if options.keep:
        names = {p.stem for p in paths}
        OUTCOMES.write_text("{\n" + ",\n".join(f'"{k}": {json.dumps(v)}' for k, v in sorted(stored.items()) if k in names) + "\n}\n")
        write_page()
    print(f"{count['passed']} passed, {count['failed']} failed, 0 skipped")
    return 1 if count["failed"] else 0


def definitions():
    """Of each name that the library defines: its file's path."""
    return {m: f.relative_to(ROOT).as_posix() for f in sorted(ROOT.glob("stdlib/*/*.reg"))
            for m in re.findall(r"^(?:fn|loss|penalty|metric|layer|optimizer|schedule|recipe|procedure) (\w+)", f.read_text(), re.M)}


def tested():
    """All words of the reference values, of the library's checks and of the tests of whole programs."""
    def texts(value):
        if isinstance(value, (dict, list)):
            for part in [*value, *value.values()] if isinstance(value, dict) else value:
                yield from texts(part)
        elif isinstance(value, str):
            yield value

    told = [t for f in ROOT.glob("tests/reference/*.json") for t in texts(json.loads(f.read_text()))]
    return set(re.findall(r"\w+", " ".join(told + [f.read_text() for p in ("tests/stdlib/*.reg", "tests/programs/*.py") for f in ROOT.glob(p)])))


def page():
    defined, words, stored, rows, works = definitions(), tested(), json.loads(OUTCOMES.read_text()), [], 0
    for name, title in titles().items():
        path = DEMONSTRATIONS / f"{name}.reg"
        title = title.replace("|", "\\|")
        if not path.exists():
            rows.append(f"| `{name}` | {title} | missing: definition, test, example, outcome | | | |")
            continue
        about = told(path)
        names = [n.strip() for n in about["Uses"].split(",")]
        lacking = [f"definition of {n}" for n in names if n not in defined] + [f"test of {n}" for n in names if n in defined and n not in words]
        if stored.get(name, {}).get("text") != digest(path):
            lacking.append("outcome")
        works += not lacking
        seen = "; ".join(f"{k}: {', '.join(map(short, v))}" for k, v in stored.get(name, {}).get("reports", {}).items())
        links = ", ".join(f"[{n}](../{defined[n]})" if n in defined else n for n in names)
        rows.append(f"| [`{name}`](../examples/techniques/{name}.reg) | {title} | {'missing: ' + ', '.join(lacking) if lacking else 'works'} | {links} "
                    f"| {about['Claim']} | {about['Seen']} ({seen}) |".replace("\n", " "))
    return f"""# Techniques

The literature that the language exists for: {len(rows)} techniques, of which {works} work: their definitions are in the library and tested against
values computed independently, and a demonstration on a small scale was run on three seeds. Its program states the claim; the last
column has what was seen, and what the program reported on each seed. `tests/techniques/run.py build/release/regc` runs the demonstrations,
`--keep` stores what came out, and this page is made of that, the library and the programs by `tests/techniques/run.py --page`.

| technique | paper | state | definitions | claim | seen |
| --- | --- | --- | --- | --- | --- |
""" + "\n".join(rows) + "\n"


def write_page():
    PAGE.write_text(page())


def page_is_current():
    return PAGE.exists() and PAGE.read_text() == page()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("regc", nargs="?")
    parser.add_argument("--only", default="", help="demonstrations whose name contains this")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--share", metavar="K/N", help=share.HELP)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.page:
        if options.check:
            return 0 if page_is_current() else 1
        return write_page()
    if not options.regc or not os.access(options.regc, os.X_OK):
        parser.error("the first argument is the path of regc")
    return demonstrate(options)


if __name__ == "__main__":
    sys.exit(main())
