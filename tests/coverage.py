#!/usr/bin/env python3
"""What the tests execute: coverage.py BUILD, after tests in a build with -DREG_COVERAGE=ON.

Prints the share of executed lines of each room (gcov), and the functions that nothing executed. Exit code 1 if one of those is in a room
of WHOLE."""
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WHOLE = ("compiler/lower", "compiler/driver", "runtime")  # rooms of which each function has a test that comes by it
# Reached by a mistake of the compiler alone, or where memory or disk runs out: tests of the release build see to those, for which the
# sanitizers have no room.
APART = {"tell_violation", "slot_nameless", "on_abort", "on_illegal", "say", "out_of_memory", "reg_no_memory", "cannot_write", "room_for",
         "store_refused", "failed_round", "cannot_read",
         "point_reg_known"}  # the last one: a binary finds no sizes
APART_FILES = {"runtime/train/reach.c", "runtime/large.c"}


def room_of(path):
    parts = Path(path).parts
    return "/".join(parts[:2] if parts[0] == "compiler" else parts[:1])


def counted(build):
    """{(file, line): times}, {(file, function): (line, times)}, over all objects that a source or header went into."""
    lines, functions = defaultdict(int), {}
    files = [str(f) for f in Path(build).rglob("*.gcda")]
    done = subprocess.run(["gcov", "--json-format", "--stdout", *files], capture_output=True, text=True, check=True)
    for text in done.stdout.splitlines():
        for source in json.loads(text)["files"]:
            path = Path(ROOT, source["file"]).resolve()
            if not path.is_relative_to(ROOT) or path.relative_to(ROOT).parts[0] not in ("compiler", "runtime"):
                continue
            name = path.relative_to(ROOT).as_posix()
            for line in source["lines"]:
                lines[name, line["line_number"]] += line["count"]
            for f in source["functions"]:
                before = functions.get((name, f["name"]), (0, 0))[1]
                functions[name, f["name"]] = f["start_line"], before + f["execution_count"]
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
    return any(room_of(name) in WHOLE and function not in APART and name not in APART_FILES for name, _, function in never)


if __name__ == "__main__":
    sys.exit(main())
