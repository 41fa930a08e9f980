#!/usr/bin/env python3
"""Tests of the compiler as a program. In: the path of regc and names of suites (all by default). Out: one line and the
reason for each failure, then `N passed, N failed, N skipped`; the exit code is 1 if anything failed.

  run.py REGC [SUITE...] [--only TEXT] [--promote]    --promote rewrites the expected messages in tests/lang/bad
  run.py --summarize JUNIT.xml... [--also-failed N]    adds up what ctest wrote, Criterion's and this runner's counts
"""
import with_numpy  # noqa: F401 (first: it may start another interpreter)
import argparse
import difflib
import importlib
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

import sanitizers  # noqa: E402: found by the line above


class Failure(Exception):
    """A test's expectation does not hold; the text says which and how."""


class Skip(Exception):
    """A test cannot be made here; the text says what is missing."""


COMPILE = {"run", "eval", "gradcheck", "build", "predict", "evaluate"}  # commands with `--optimize`


class Regc:
    """The compiler under test, with a cache of its own so that a run neither sees nor leaves anything. `options`: of what compiles."""

    def __init__(self, path, scratch, options=()):
        self.path, self.scratch, self.options = str(Path(path).resolve()), Path(scratch), options
        self.environment = {k: v for k, v in sanitizers.environment().items() if not k.startswith(("NO_COLOR", "CLICOLOR"))}
        self.environment |= {"XDG_CACHE_HOME": str(self.scratch / "cache"), "LC_ALL": "C.UTF-8", "TERM": "dumb"}

    def line(self, *arguments):
        """The command line, for what starts it by itself."""
        command, *rest = map(str, arguments)
        return [self.path, command, *(self.options if command in COMPILE else ()), *rest]

    def plain(self):
        """Without options of its own, for what looks at those of a run."""
        return Regc(self.path, self.scratch)

    def __call__(self, *arguments, cwd=ROOT, stdin="", timeout=300, **environment):
        done = subprocess.run(self.line(*arguments), cwd=cwd, input=stdin, capture_output=True, text=True,
                              timeout=timeout, env=self.environment | environment, errors="replace")
        if done.returncode < 0 or done.returncode in sanitizers.CODES:
            raise Failure(f"regc {' '.join(map(str, arguments))} crashed ({done.returncode})\n{done.stderr[-4000:]}")
        return done

    def start(self, *arguments):
        """The running process, its output thrown away."""
        return subprocess.Popen([self.path, *map(str, arguments)], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, env=self.environment)

    def ok(self, *arguments, **options):
        """Runs and demands exit code 0; returns what was written to standard output."""
        done = self(*arguments, **options)
        if done.returncode:
            raise Failure(f"regc {' '.join(map(str, arguments))} ended with {done.returncode}\n{done.stderr[-3000:]}"
                          f"{done.stdout[-1000:]}")
        return done.stdout


def difference(expected, found, name):
    return "".join(line if line.endswith("\n") else line + "\n" for line in difflib.unified_diff(
        expected.splitlines(keepends=True), found.splitlines(keepends=True), name, "found"))


# Expectations in comments of a .reg file.
EXPECTED = re.compile(r"#\s*(error|warning): (\w+)(?: at (\d+):(\d+))?(?: ~ (.+))?\s*$")
REPORTED = re.compile(r"^(?:.*?:(\d+):(\d+): |.*: )?(error|warning): .*\[(\w+)\]$")


def directives(text):
    """(expected diagnostics, {exit, args, run}) from the comments of a test."""
    expected, options = [], {}
    for line in text.splitlines():
        if m := EXPECTED.match(line):
            expected.append(m.groups())
        elif m := re.match(r"#\s*(exit|args):\s*(.*)$", line):
            options[m[1]] = m[2].strip()
        elif re.match(r"#\s*run\s*$", line):
            options["run"] = True
    return expected, options


def reported(text):
    """Diagnostics in what regc wrote: (severity, name, line, column, all lines up to the next one)."""
    found = []
    for line in text.splitlines():
        if m := REPORTED.match(line):
            found.append([m[3], m[4], m[1], m[2], line])
        elif found:
            found[-1][4] += "\n" + line
    return found


def test_bad(regc, path, promote):
    expected, options = directives(path.read_text(errors="replace"))
    if not expected:
        raise Failure("the file states no `# error:` or `# warning:`")
    command = ["run", "--out", "", "--progress", "none"] if options.get("run") else ["check"]
    done = regc(*command, *options.get("args", "").split(), path.name, cwd=path.parent)
    default = 1 if any(e[0] == "error" for e in expected) else 0
    if done.returncode != int(options.get("exit", default)):
        raise Failure(f"exit code {done.returncode}, expected {options.get('exit', default)}\n{done.stderr}")
    found = reported(done.stderr)
    if len(found) != len(expected):
        raise Failure(f"{len(found)} diagnostics, expected {len(expected)}\n{done.stderr}")
    for want, got in zip(expected, found):
        severity, name, line, column, part = want
        same = (severity, name) == (got[0], got[1]) and (line is None or (line, column) == (got[2], got[3]))
        if not same or (part and part not in got[4]):
            raise Failure(f"expected {want}\n{got[4]}")
    golden = path.with_suffix(".txt")
    text = re.sub(r"this machine has [0-9.]+ [kMGT]B", "this machine has 8 GB", done.stderr)
    if promote:
        golden.write_text(text)
    elif not golden.exists():
        raise Failure(f"{golden.name} is missing; `tests/run.py REGC bad --promote` writes it")
    elif golden.read_text() != text:
        raise Failure(difference(golden.read_text(), text, golden.name))


def test_messages():
    """Each row of diag.def is shown by a file of tests/lang/bad."""
    rows = re.findall(r"^DIAG\((\w+)", (ROOT / "compiler/base/diag.def").read_text(), re.M)
    shown = {n for f in ROOT.glob("tests/lang/bad/*.txt") for n in re.findall(r"\[(\w+)\]$", f.read_text(), re.M)}
    missing = [n for n in rows if n not in shown]
    if missing:
        raise Failure(f"no file shows {', '.join(missing)}")


def need_packages(path):
    """Programs with data of Debian's packages, their own or the library's, need them: without them a test is skipped, or fails where REG_NEEDS_DATA
    is set."""
    text = path.read_text()
    for definition in (ROOT / "stdlib/data").glob("*.reg"):
        if re.search(rf"\b{definition.stem}\b", text):
            text += definition.read_text()
    for file in re.findall(r'"(/usr/[^"]+)"', text):
        if not Path(file).exists():
            raise (Failure if os.environ.get("REG_NEEDS_DATA") else Skip)(f"{file} is missing: a file of a Debian package")


def test_good(regc, path):
    need_packages(path)
    done = regc("check", path.name, cwd=path.parent)
    if done.returncode or reported(done.stderr):
        raise Failure(f"exit code {done.returncode}\n{done.stderr}")


def test_checks(regc, path, *more):
    out = regc.ok("gradcheck", path, *more)
    if not any(line.startswith("ok") for line in out.splitlines()):
        raise Failure(f"no check was made\n{out}")


def test_example(regc, path):
    if re.search(r"^check ", path.read_text(), re.M):
        test_checks(regc, path)
    if re.search(r"^train ", path.read_text(), re.M):
        whole = re.search(r"^ *assert ", path.read_text(), re.M)  # small, and it tells what must come of it
        out = regc.ok("run", *([] if whole else ["--steps", "30"]), "--out", "", "--progress", "none", path)
        if not out.strip():
            raise Failure("the run reported no evaluation")


def test_format(regc, paths):
    """What was formatted once stays as it is. All files in one run, in a folder of their own."""
    with tempfile.TemporaryDirectory(dir=regc.scratch) as folder:
        files = [Path(folder) / f"{i}.reg" for i in range(len(paths))]
        for path, file in zip(paths, files):
            file.write_bytes(path.read_bytes())
        regc.ok("fmt", *files)
        once = [file.read_text() for file in files]
        regc.ok("fmt", *files)
        for path, text, file in zip(paths, once, files):
            if file.read_text() != text:
                raise Failure(difference(text, file.read_text(), f"{path}, formatted once"))


def fenced(path, language):
    """(line, text) of the fenced blocks of one language in a Markdown file."""
    return [(path.read_text()[:m.start()].count("\n") + 1, m[1])
            for m in re.finditer(rf"^```{language}\n(.*?)^```", path.read_text(), re.M | re.S)]


def test_program_in_text(regc, text):
    done = regc("check", "-", cwd=ROOT / "examples", stdin=text)
    if done.returncode or reported(done.stderr):
        raise Failure(f"exit code {done.returncode}\n{done.stderr}")


def same_but_numbers(expected, found):
    """Equal line by line, numbers apart; `...` stands for any lines."""
    def plain(line):
        return re.sub(r"\s+", " ", re.sub(r"[·.]?\d[\d.e+-]*|·", "0", line)).strip()

    pattern = "".join(r"(?:.*\n)*?" if line.strip() == "..." else re.escape(plain(line)) + "\n"
                      for line in expected.splitlines())
    return re.fullmatch(pattern, "".join(plain(line) + "\n" for line in found.splitlines())) is not None


def clone(folder):
    """A folder that looks like a clone of the repository and takes what its sessions write."""
    for entry in ROOT.iterdir():
        if entry.name not in (".git", "runs"):
            (folder / entry.name).symlink_to(entry)


def session(regc, text, folder):
    """Lines that start with `$ ` are commands, the lines below one its standard output."""
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, _, expected = part.partition("\n")
        if re.match(r"(git|cd|sudo|\./bootstrap (test|build|deps|package))\b", command):
            continue
        command = re.sub(r"^\./bootstrap run", "regc run", command)
        command = re.sub(r"(?<![\w/.])build/release/", f"{Path(regc.path).parent}/", command)
        command = re.sub(r"(?<![\w/.])regc(?=\s)", regc.path, command)
        done = subprocess.run(["sh", "-c", command], cwd=folder, env=regc.environment, capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"{command}: exit code {done.returncode}\n{done.stderr}")
        if expected.strip() and not same_but_numbers(expected.rstrip() + "\n", done.stdout):
            raise Failure(f"{command}\n{difference(expected, done.stdout, 'text')}")


def test_session(regc, text):
    """A shell session in a clone."""
    with tempfile.TemporaryDirectory(dir=regc.scratch) as folder:
        clone(Path(folder))
        session(regc, text, folder)


def test_chapter(regc, page):
    """A chapter of the tutorial, from its first line to its last in one clone: programs become the files that stand before
    them, `NAME.reg`:, and nothing is reported of them; sessions go on where those before ended."""
    with tempfile.TemporaryDirectory(dir=regc.scratch) as folder:
        clone(Path(folder))
        for name, language, text in re.findall(r"(?:^`(\S+\.reg)`:\n\n)?^```(reg|sh)\n(.*?)^```", page.read_text(), re.M | re.S):
            if language == "sh":
                session(regc, text, folder)
                continue
            (Path(folder) / name).write_text(text)
            done = regc("check", name, cwd=folder)
            if done.returncode or reported(done.stderr):
                raise Failure(f"exit code {done.returncode}\n{done.stderr}")


def test_conversation(regc, text):
    """A session of `regc repl`, typed into a terminal: what follows a prompt is typed, and the screen looks as shown."""
    import programs.repl_cases as repl
    command, _, shown = text.partition("\n")
    with repl.Terminal(regc, *command.split()[3:]) as screen:
        for line in re.findall(r"^(?:reg|\.\.\.)> (.+)$", shown, re.M):
            screen.type(line + repl.ENTER)
            screen.expect(r"^(reg|\.\.\.)> ")
        found = screen.text[:screen.text.rindex("reg> ")]
    if not same_but_numbers(shown, found):
        raise Failure(difference(shown, found, "screen"))


def test_page_of_techniques():
    if subprocess.run([sys.executable, ROOT / "tests/techniques/run.py", "--page", "--check"]).returncode:
        raise Failure("tests/techniques/run.py --page writes it")


def test_page_of_library():
    import library_page
    if library_page.PAGE.read_text() != library_page.page():
        raise Failure("tests/library_page.py writes it")
    if alone := re.findall(r"^### (\w+)\n\n```text\n(?!data ).*\n```", library_page.PAGE.read_text(), re.M):
        raise Failure(f"no test uses {', '.join(alone)}: there is no example to show")


def collect(regc, quick, promote):
    """{suite: [(name, test)]}: every file of a folder is a test. `quick`: the compiler where it need not be as it is by itself."""
    def files(pattern):
        return sorted(ROOT.glob(pattern))

    def each(pattern, function, *more, by=regc):
        return [(str(f.relative_to(ROOT)), lambda f=f: function(by, f, *more)) for f in files(pattern)]

    import lang.words as words
    import programs.repl_cases as repl
    import reference.compare as reference
    programs = [m for m in (importlib.import_module(f"programs.{f.stem}") for f in files("tests/programs/*.py"))
                if hasattr(m, "all_cases") and m is not repl]
    pages = [ROOT / "README.md", *files("docs/*.md")]
    return {
        "bad": [*each("tests/lang/bad/*.reg", test_bad, promote), ("every message has a test", test_messages),
                (HINTS, lambda: words.check(regc, Failure))],
        "good": each("tests/lang/good/*.reg", test_good) + each("examples/**/*.reg", test_good),
        "stdlib": [*each("tests/stdlib/*.reg", test_checks, by=quick),
                   *((f"{name} in doubles", f) for name, f in each("tests/stdlib/*.reg", test_checks, "--dtype", "f64", by=quick))],
        "examples": each("examples/*.reg", test_example, by=quick),
        "format": [(p, lambda p=p: test_format(regc, files(p)))
                   for p in ("examples/**/*.reg", "stdlib/**/*.reg", "tests/lang/good/*.reg", "tests/stdlib/*.reg")],
        "docs": [(f"{p.name}:{line}", lambda t=text, f=f, by=by: f(by, t)) for p in pages
                 for language, f, by in (("reg", test_program_in_text, quick), ("sh", test_session, regc))
                 for line, text in fenced(p, language)] +
                [(f"{p.name}:{line}", lambda t=text: test_conversation(regc, t)) for p in pages
                 for line, text in fenced(p, "text") if re.match(r"\$ (build/release/)?regc repl", text)] +
                each("docs/tutorial/*.md", test_chapter) +
                [("library.md is what the library and its tests say", test_page_of_library)] +
                [("techniques.md is what the demonstrations and the library say", test_page_of_techniques)],
        "reference": [(name, lambda c=case: reference.run(quick, c)) for name, case in reference.cases()],
        "programs": [(name, lambda f=f, by=regc if m.__name__.split(".")[-1] in BY_THEMSELVES else quick: f(by)) for m in programs
                     for name, f in m.all_cases()],
        "repl": [(name, lambda f=f: f(regc)) for name, f in repl.all_cases()],
    }


# Modules of tests/programs that start the compiler in ways of their own, or look at how much it takes.
BY_THEMSELVES = ("memory", "weights")
HINTS = "hints say what is"  # it only reads texts, by a thousand starts of `regc fmt`
AGAIN = ("same bits: ", "PyTorch: ", "table_of_fashion_mnist", "reports_in_a_browser", "digits_accuracy_over_five_seeds", "compiled_steps_agree_with_the_interpreter")


def brief(suites):
    """Without what comes by the same code as other tests: for builds that are slow. There LLVM, which no sanitizer looks into, also does
    the least, which is a third of the time of a short run."""
    import reference.compare as reference
    again = reference.of_literature()
    return suites | {"bad": [t for t in suites["bad"] if t[0] != HINTS],
                     "reference": [t for t in suites["reference"] if t[0] not in again],
                     "good": [t for t in suites["good"] if not t[0].startswith("examples/techniques/")],
                     "stdlib": [t for t in suites["stdlib"] if not t[0].endswith(" in doubles")],
                     "programs": [t for t in suites["programs"] if not t[0].startswith(AGAIN)],
                     "examples": [t for t in suites["examples"] if t[0] != "examples/characters.reg"]}


def run_one(name, test, seconds):
    start = time.perf_counter()
    try:
        test()
        return name, "passed", ""
    except Skip as reason:
        return name, "skipped", str(reason)
    except Failure as reason:
        return name, "failed", str(reason)
    except subprocess.TimeoutExpired as reason:
        return name, "failed", str(reason)
    except Exception:  # a mistake of the test itself is a failure too, with its place
        return name, "failed", traceback.format_exc()
    finally:
        seconds[name] = time.perf_counter() - start


def tell(count):
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] or not count["passed"] else 0


def summarize(paths, also_failed):
    """Counts inside each test's output where it has any, else the test as one. `also_failed`: steps that failed without
    any test of theirs being counted."""
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for case in (c for p in paths for c in xml.etree.ElementTree.parse(p).getroot().iter("testcase")):
        text = case.findtext("system-out") or ""
        own = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", text, re.M)
        unit = re.findall(r"Tested: \d+ \| Passing: (\d+) \| Failing: (\d+) \| Crashing: (\d+)",
                          re.sub(r"\x1b\[[\d;]*m", "", text))
        failed = case.find("failure") is not None
        if own:
            passed, bad, skipped = map(int, own[-1])
        elif unit:
            passed, bad, skipped = int(unit[-1][0]), int(unit[-1][1]) + int(unit[-1][2]), 0
        else:
            passed, bad, skipped = int(not failed), int(failed), 0
        count["passed"] += passed
        count["failed"] += max(bad, int(failed))
        count["skipped"] += skipped
        if failed:
            print(f"failed: {case.get('name')}")
    count["failed"] = max(count["failed"], also_failed)
    return tell(count)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("regc", nargs="?")
    parser.add_argument("suites", nargs="*")
    parser.add_argument("--only", default="", help="tests whose name contains this")
    parser.add_argument("--promote", action="store_true")
    parser.add_argument("--slowest", type=int, default=0, metavar="N", help="the seconds of the N slowest tests, at the end")
    parser.add_argument("--summarize", metavar="JUNIT", nargs="+")
    parser.add_argument("--also-failed", type=int, default=0, metavar="N", help="steps that failed, for --summarize")
    options = parser.parse_args()
    if options.summarize:
        return summarize(options.summarize, options.also_failed)
    if not options.regc or not os.access(options.regc, os.X_OK):
        parser.error("the first argument is the path of regc")
    count, seconds = {"passed": 0, "failed": 0, "skipped": 0}, {}
    with tempfile.TemporaryDirectory(prefix="reg-test-") as scratch, ThreadPoolExecutor(2) as pool:
        is_brief = bool(os.environ.get("REG_BRIEF"))
        suites = collect(Regc(options.regc, scratch), Regc(options.regc, scratch, ("-O", "0") if is_brief else ()), options.promote)
        if is_brief:
            suites = brief(suites)
        if unknown := set(options.suites) - set(suites):
            parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(suites)}")
        tests = [(f"{suite}: {name}", test) for suite in options.suites or suites for name, test in suites[suite]
                 if options.only in name]
        for name, outcome, reason in pool.map(lambda t: run_one(*t, seconds), tests):
            count[outcome] += 1
            if outcome != "passed":
                print(f"{outcome.upper()} {name}\n    " + reason.strip().replace("\n", "\n    "), flush=True)
    for name in sorted(seconds, key=seconds.get, reverse=True)[:options.slowest]:
        print(f"{seconds[name]:8.1f} s  {name}")
    return tell(count)


if __name__ == "__main__":
    sys.modules["run"] = sys.modules["__main__"]  # suites raise this module's Failure
    sys.exit(main())
