#!/usr/bin/env python3
"""What the tests execute: coverage.py BUILD, after tests in a build with -DREG_COVERAGE=ON.

Prints the share of executed lines of each room (gcovr), and the functions that nothing executed. Exit code 1 if one of those is in a room
whose functions all have a caller in a test."""
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WHOLE = ("compiler/lower", "compiler/driver", "runtime")


def room_of(path):
    parts = Path(path).parts
    return "/".join(parts[:2] if parts[0] == "compiler" else parts[:1])


def main():
    done = subprocess.run(["gcovr", "--root", ROOT, "--filter", "compiler/", "--filter", "runtime/", "-j", "2", "--json", "-", sys.argv[1]],
                          cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    lines, never = defaultdict(lambda: [0, 0]), []
    for file in json.loads(done.stdout)["files"]:
        room = room_of(file["file"])
        for line in file["lines"]:
            lines[room][0] += line["count"] > 0
            lines[room][1] += 1
        never += [(room, file["file"], f["lineno"], f["name"]) for f in file["functions"] if not f["execution_count"]]
    for room, (executed, all_) in sorted(lines.items()):
        print(f"{executed / all_:6.1%} of {all_:6} lines  {room}")
    executed, all_ = (sum(v[k] for v in lines.values()) for k in (0, 1))
    for room, file, line, name in never:
        print(f"{file}:{line}: nothing executes {name}")
    print(f"coverage: {executed / all_:.1%} of {all_} lines, {len(never)} functions that nothing executes")
    return any(room in WHOLE for room, *_ in never)


if __name__ == "__main__":
    sys.exit(main())
