#!/usr/bin/env python3
"""Checks what the compiler cannot: each room includes only headers of rooms that it may know, no file is longer than the
house allows, and every library file opens with documentation. In: the sources. Out: one line a violation, exit code 1."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What a room may include besides itself: the links of CMakeLists.txt, and the rooms those may include.
LINKS = {
    "runtime/text": [],
    "runtime/math": [],
    "compiler/base": ["runtime/text"],
    "compiler/syntax": ["compiler/base", "grammar"],
    "compiler/graph": ["compiler/base", "runtime/math"],
    "compiler/ad": ["compiler/graph"],
    "compiler/passes": ["compiler/graph"],
    "compiler/loops": ["compiler/graph", "runtime/include"],
    "compiler/sema": ["compiler/syntax"],
    "compiler/lower": ["compiler/sema", "compiler/ad", "runtime/include"],
    "compiler/backend": ["compiler/loops", "runtime/kernels"],
    "compiler/driver": ["compiler/lower", "compiler/passes", "compiler/backend", "runtime/include"],
    "runtime/kernels": ["runtime/include", "runtime/math"],
    "runtime": ["runtime/kernels", "runtime/text"],
}
LONGEST = 600


def may_know(room):
    known = {room}
    for other in LINKS.get(room, []):
        known |= may_know(other)
    return known


def room_of(path):
    name = path.relative_to(ROOT).as_posix()
    rooms = [*LINKS, "runtime/include", "grammar"]
    return max((r for r in rooms if name.startswith(r + "/")), key=len, default=None)


def resolve(source, header):
    """The file that an #include of our own means, or None for a header of the system or of the build folder."""
    for base in (source.parent, ROOT, ROOT / "runtime/include", ROOT / "runtime", ROOT / "grammar", ROOT / "compiler/syntax"):
        if (base / header).is_file():
            return (base / header).resolve()
    return None


def check_includes(source):
    room, text = room_of(source), source.read_text()
    for number, line in enumerate(text.splitlines(), 1):
        m = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if not m:
            continue
        place = f"{source.relative_to(ROOT)}:{number}"
        if m[2].startswith("llvm") and source.parent != ROOT / "compiler/backend/llvm":
            yield f"{place}: LLVM is included outside compiler/backend/llvm"
        target = resolve(source, m[2]) if m[1] == '"' else None
        other = room_of(target) if target else None
        if other and other not in may_know(room):
            yield f"{place}: {room} may not include {m[2]} of {other}"


def check_length(source):
    lines = source.read_text(errors="replace").splitlines()
    if len(lines) > LONGEST:
        yield f"{source.relative_to(ROOT)}: {len(lines)} lines; the ceiling is {LONGEST}"


def check_library(source):
    if not source.read_text().startswith("## "):
        yield f"{source.relative_to(ROOT)}: opens without documentation"


def main():
    code = [f for folder in ("compiler", "runtime") for f in sorted((ROOT / folder).rglob("*.[ch]"))]
    texts = code + sorted((ROOT / "grammar").glob("*.[ly]")) + sorted((ROOT / "tests").rglob("*.[ch]"))
    texts += sorted((ROOT / "tests").rglob("*.py"))
    found = [v for f in code for v in check_includes(f)] + [v for f in texts for v in check_length(f)]
    found += [v for f in sorted((ROOT / "stdlib").rglob("*.reg")) for v in check_library(f)]
    print("\n".join(found) or f"{len(texts)} files keep to the plan")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
