"""The tables of hints say what is: each name that stands for a word of another tool exists, and each piece of code in a hint is
of the language."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STRING = r'"((?:[^"\\]|\\.)*)"'
# Where a piece of code may stand.
AROUND = ["let a = {}", "{}", "fn f(x) {{\n  {}\n  x\n}}", "train m on d {{\n  {}\n}}", "fn f(x) = x |> {}", "let a = f({})",
          "evaluate m on d {}", "let a = if c then x {} b then y else z", "layer f(x) {{\n  {}\n  x\n}}"]


def rows(path, macro):
    return re.findall(rf"^{macro}\((.*)\)$", (ROOT / path).read_text(), re.M)


def pieces(sentence):
    """The code in a hint: between backquotes, and behind a colon at its end."""
    sentence = sentence.replace('\\"', '"')
    found = re.findall(r"`([^`]+)`", sentence)
    if "`" not in sentence:
        found += re.findall(r"[a-z]: (.+)$", sentence)
    return [p for p in found if re.search(r"\w.*\W|\W.*\w", p) and not re.search(r"…|%[bwnr]|\b[A-Z]{2,}\b", p)]


def hints():
    for row in rows("compiler/base/words.def", "SAY"):
        yield re.findall(STRING, row)[1]
    for row in rows("grammar/hints.def", "HINT"):
        yield re.findall(STRING, row)[-1]
    for row in rows("grammar/foreign.def", "FOREIGN"):
        yield re.findall(STRING, row)[-1]


def check(regc, failure):
    listed = set(re.findall(r"^  (\w+)", regc.ok("doc"), re.M))
    for row in rows("compiler/base/words.def", "SAME"):
        places, (_, here) = row.split(",")[0], re.findall(STRING, row)
        if re.search(r"CALL|METRIC|OPTIMIZER|DATA", places) and here not in listed:
            raise failure(f"`{here}` is in words.def and not in the library")
    stale = [w for row in rows("compiler/base/words.def", "SA(?:ME|Y)") if "CALL" in row.split(",")[0]
             for w in re.findall(STRING, row)[0].split() if w in listed]
    if stale:
        raise failure(f"words.def speaks of {stale} as if they were not in the library")
    wrong = [p for p in sorted({p for h in hints() for p in pieces(h)})
             if all(regc("fmt", "-", stdin=text.format(p) + "\n").returncode for text in AROUND)]
    if wrong:
        raise failure(f"these pieces of hints are not of the language: {wrong}")
