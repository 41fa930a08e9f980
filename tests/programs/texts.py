"""Texts as words, pieces of words and lines, against the same written once more in Python. Each `case_*` function takes the compiler and raises Failure."""
import re
from collections import Counter

from programs.cases import demand, events, folder, of_kind
from programs.sequences import same_bits
from run import ROOT

SHOWN = """
fn numbers(y: labels [n, t] of c) = one_hot(y, c) @ arange(c)
report numbers(d.train.x)
report numbers(d.test.next)
report decode(d.train.x, d.x) as "text"
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def pieces(text):
    """(where it begins, piece): a run of letters or one other character, with the space before it."""
    return [(m.start(), m[0]) for m in re.finditer(r" (?=[^ \t\r\f\v\n])(?:[\w'\x80-\U0010ffff]+|.)|[\w'\x80-\U0010ffff]+|.", text, re.S)]


def of_words(text, learned, most):
    tokens = [(at, p.removeprefix(" ") or " ") for at, p in pieces(text)]
    tokens = [(at, p, at + len(p) + (text[at] == " ")) for at, p in tokens if p not in " \t\r"]
    times = Counter(p for at, p, end in tokens if end <= learned)
    known = sorted(times, key=lambda p: (-times[p], p.encode()))[:most]
    return [(at, known.index(p) + 1 if p in known else 0) for at, p, _ in tokens]


def of_merges(text, learned, merges):
    """Sennrich et al. 2016, algorithm 1, with symbols as texts."""
    types = {p: list(p) for _, p in pieces(text)}
    times = Counter(p for at, p in pieces(text) if at + len(p) <= learned)
    names = ["?", *sorted({c for p in times for c in p})]
    for _ in range(merges):
        pairs = Counter()
        for p, n in times.items():
            for a, b in zip(types[p], types[p][1:]):
                pairs[a, b] += n
        best = min(pairs, key=lambda q: (-pairs[q], names.index(q[0]), names.index(q[1])))
        if pairs[best] < 2:
            break
        names += ["".join(best)] if "".join(best) not in names else []
        for p, symbols in types.items():
            k = 0
            while k + 1 < len(symbols):
                if (symbols[k], symbols[k + 1]) == best:
                    symbols[k:k + 2] = ["".join(best)]
                k += 1
    tokens = []
    for at, p in pieces(text):
        for s in types[p]:
            tokens.append((at, names.index(s) if s in names else 0))
            at += len(s)
    return tokens


def learned_from(tokenize, text, share, window):
    """Tokens learned from no more than the training part, and how many rows that has."""
    learned = int(share * len(text))
    while True:
        tokens = tokenize(learned)
        rows = (len(tokens) - 1) // window
        end = tokens[int(share * rows * (1 - 1e-12)) * window][0]
        if end >= learned:
            return [k for _, k in tokens], rows
        learned = end


def case_tokens_are_learned_from_the_training_part(regc):
    text = (ROOT / "docs/stages.md").read_text().encode("ascii", "ignore").decode()[:9000]
    for form, tokenize in (("words: 150", lambda n: of_words(text, n, 150)), ("merges: 120", lambda n: of_merges(text, n, 120))):
        home = folder(regc)
        (home / "t.txt").write_text(text)
        (home / "p.reg").write_text(f'data d = text("t.txt", window: 10, {form}) |> split(train: 70%, test: 30%)' + SHOWN)
        reports = of_kind(events(regc, "--out=", home / "p.reg"), "report")
        tokens, rows = learned_from(tokenize, text, 0.7, 10)
        train, test = (r["value"] for r in reports[:2])
        first = len(train) * 10
        demand(len(train) + len(test) == rows and abs(len(train) - 0.7 * rows) <= 1, f"{form}: {len(train)} and {len(test)} rows of {rows}")
        demand([k for row in train for k in row] == tokens[:first], f"{form}: other tokens")
        demand([k for row in test for k in row] == tokens[first + 1:rows * 10 + 1], f"{form}: other tokens behind")
        demand(0 in tokens[first:], "nothing is unknown in the other part")


def case_lines_are_rows_with_a_length(regc):
    home = folder(regc)
    (home / "t.txt").write_bytes(b"\n\nthe cat sat\r\n  \nthe dog, the cat\nzebras\n\xc3\xa9t\xc3\xa9")
    (home / "p.reg").write_text('data d = text("t.txt", lines: 5, words: 9) |> split(train: 50%, test: 50%)' + SHOWN + "report d.test.length\n")
    x, behind, _, length = (r["value"] for r in of_kind(events(regc, "--out=", home / "p.reg"), "report"))
    demand(x == [[1, 2, 3, 4, 1], [1, 2, 0, 0, 2]] or x == [[1, 4, 2, 3, 1], [1, 4, 0, 0, 4]], f"{x}")
    demand(length == [2, 2] and behind == [[0, 1, 1, 1, 1]] * 2, f"{length}, {behind}")


def case_texts_that_are_none(regc):
    home = folder(regc)
    for form in ("window: 3", "lines: 3"):
        for tokens in ("", ", words: 5", ", merges: 5"):
            (home / "p.reg").write_text(f'data d = text("t.txt", {form}{tokens}) |> split(train: 50%, test: 50%)\nreport size(d.train.id, 0)\n')
            for data, said in ((b"ab\xff cd\nef\n", "byte 3 is no UTF-8"), (b"", ""), (b"\n\n\n", ""), (b"a", "")):
                (home / "t.txt").write_bytes(data)
                result = regc("run", "p.reg", "--out=", cwd=home)
                fine = form[0] == "w" and data == b"\n\n\n"
                demand(result.returncode == 65 and said in result.stderr or fine, f"{form}{tokens} of {data}: {result.returncode} {result.stderr}")
    for tokens in ("words: 5", "merges: 5"):
        (home / "t.txt").write_bytes(b"a b c\0d e f\n" * 9)
        (home / "p.reg").write_text(f'data d = text("t.txt", window: 3, {tokens})\nreport size(d.all.id, 0)\n')
        result = regc("run", "p.reg", "--out=", cwd=home)
        demand(result.returncode == 65 and "byte 6 is 0" in result.stderr, f"{tokens}: {result.stderr}")
        (home / "t.txt").write_text("a b c d e f\n" * 9)
        for divided, code, at in (('folds(text("t.txt", window: 3, TOKENS), 3)', 1, "[0]"), ('text("t.txt", window: 3, TOKENS) |> split(train: 50%, test: 50%, time: id)', 65, "")):
            (home / "p.reg").write_text(f"data d = {divided.replace('TOKENS', tokens)}\nreport size(d{at}.train.id, 0)\n")
            result = regc("run", "p.reg", "--out=", cwd=home)
            demand(result.returncode == code and "learned" in result.stderr, f"{divided}: {result.returncode} {result.stderr}")


def case_same_bits_of_tokens(regc):
    for form in ("lines: 12, words: 100", "window: 12, merges: 60"):
        same_bits(regc, f"""data d = text("{ROOT}/docs/repl.md", {form}) |> split(train: 80%, test: 20%)
model net(x: labels [t] of c) -> [t, c] = x |> embedding(8, drop: 10%) |> gru(8, recurrent_drop: 20%) |> dense(c)
train net on d {{
  loss     cross_entropy(net(x), next, where: within(length_of(x), 12))
  optimize adam(lr: 1e-2)
  epochs   2
}}
evaluate net on d.test {{ nll(weight: within(length_of(x), 12)) }}
""")
