#!/usr/bin/env python3
"""What the tests execute: coverage.py BUILD, after tests in a build with -DREG_COVERAGE=ON.

Prints the share of executed lines of each room (llvm-cov), and the functions that nothing executed. Exit code 1 if one of those is in a room
of WHOLE."""
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WHOLE = ("compiler/lower", "compiler/driver", "runtime")  # rooms of which each function has a test that comes by it
# Reached by a mistake of the compiler alone, or where memory or disk runs out: tests of the release build see to those, for which the
# sanitizers have no room.
APART = {"tell_violation", "slot_nameless", "on_abort", "on_illegal", "say", "out_of_memory", "reg_no_memory", "cannot_write", "room_for",
         "store_refused", "failed_round", "cannot_read",
         "point_reg_known",  # a binary finds no sizes
         "multiply", "reg_vphilox512"}  # the one or the other, as the processor has it
APART_FILES = {"runtime/train/reach.c", "runtime/large.c"}


def is_apart(name, function):
    return function in APART or name in APART_FILES or name.endswith(".def")  # passes over tables of structures need not use all of them


def room_of(path):
    parts = Path(path).parts
    return "/".join(parts[:2] if parts[0] == "compiler" else parts[:1])


def counted(build):
    """{(file, line): times}, {(file, function): (line, times)}, over all objects that a source or header went into."""
    lines, functions = defaultdict(int), {}
    profiles = [str(f) for f in Path(build, "profiles").glob("*.profraw")]
    objects = [f"--object={f}" for f in Path(build, "CMakeFiles").rglob("*.c.o") if b"__llvm_covmap" in f.read_bytes()]
    if not profiles or not objects:
        return lines, functions
    with tempfile.NamedTemporaryFile(suffix=".profdata") as merged:
        subprocess.run(["llvm-profdata-19", "merge", "-sparse", *profiles, "-o", merged.name], check=True)
        done = subprocess.run(["llvm-cov-19", "export", "--format=lcov", f"--instr-profile={merged.name}", *objects], capture_output=True, text=True, check=True)
    inside, starts = None, {}
    for kind, _, rest in (line.partition(":") for line in done.stdout.splitlines()):
        if kind == "SF":
            path = Path(rest).resolve()
            inside = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""
            starts = {}
            if not inside.startswith(("compiler/", "runtime/")):
                inside = None
        elif inside and kind == "FN":
            line, name = rest.split(",", 1)
            starts[name] = int(line)
        elif inside and kind == "FNDA":
            times, name = rest.split(",", 1)
            own = name.split(":")[-1]  # behind the file that a function of a header was compiled in
            before = functions.get((inside, own), (0, 0))[1]
            functions[inside, own] = starts[name], before + int(times)
        elif inside and kind == "DA":
            line, times = rest.split(",")[:2]
            lines[inside, int(line)] += int(times)
    return lines, functions


def main():
    lines, functions = counted(sys.argv[1])
    if not lines:
        sys.exit(f"coverage: no counts in {sys.argv[1]}")
    rooms = defaultdict(lambda: [0, 0])
    for (name, _), times in lines.items():
        rooms[room_of(name)][0] += times > 0
        rooms[room_of(name)][1] += 1
    for room, (executed, all_) in sorted(rooms.items()):
        print(f"{executed / all_:6.1%} of {all_:6} lines  {room}")
    never = sorted((name, line, function) for (name, function), (line, times) in functions.items() if not times)
    for name, line, function in never:
        print(f"{name}:{line}: nothing executes {function}")
    executed, all_ = (sum(v[k] for v in rooms.values()) for k in (0, 1))
    print(f"coverage: {executed / all_:.1%} of {all_} lines, {len(never)} of {len(functions)} functions never executed")
    return any(room_of(name) in WHOLE and not is_apart(name, function) for name, _, function in never)


if __name__ == "__main__":
    sys.exit(main())
