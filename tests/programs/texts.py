"""Texts as words, pieces of words and lines, against the same written once more in Python. Each `case_*` function takes the compiler and raises Failure."""
import csv
import json
import re
import subprocess
from collections import Counter

from programs.cases import demand, events, folder, of_kind, written
from programs.further import philox
from programs.sequences import same_bits
from reference import beams, compare
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


def learned_merges(text, learned, merges):
    """Sennrich et al. 2016, algorithm 1, with symbols as texts: classes' names, merged pairs in their order, the symbols of each piece."""
    types = {p: list(p) for _, p in pieces(text)}
    times = Counter(p for at, p in pieces(text) if at + len(p) <= learned)
    names, made = ["?", *sorted({c for p in times for c in p})], []
    for _ in range(merges):
        pairs = Counter()
        for p, n in times.items():
            for a, b in zip(types[p], types[p][1:]):
                pairs[a, b] += n
        best = min(pairs, key=lambda q: (-pairs[q], names.index(q[0]), names.index(q[1])))
        if pairs[best] < 2:
            break
        made.append(best)
        names += ["".join(best)] if "".join(best) not in names else []
        for p, symbols in types.items():
            k = 0
            while k + 1 < len(symbols):
                if (symbols[k], symbols[k + 1]) == best:
                    symbols[k:k + 2] = ["".join(best)]
                k += 1
    return names, made, types


def of_merges(text, learned, merges):
    names, _, types = learned_merges(text, learned, merges)
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
    for encoding, said in (("utf-16", "the file is UTF-16"), ("utf-16-be", "is no UTF-8, in line 1"), ("latin-1", "byte 4 is no UTF-8"), ("utf-8-sig", None)):
        (home / "t.txt").write_bytes("ach\u00e9 ete\n".encode(encoding))
        (home / "p.reg").write_text('data d = text("t.txt", lines: 9)\nfn numbers(y: labels [n, t] of c) = one_hot(y, c) @ arange(c)\nreport numbers(d.x)\n')
        result = regc("run", "p.reg", "--out=", "--json", cwd=home)
        demand(result.returncode == 65 and said in result.stderr if said else "[[0" in result.stdout.replace(" ", ""), f"{encoding}: {result.returncode} {result.stderr} {result.stdout}")
    (home / "t.txt").write_bytes(b"\xef\xbb\xbfab\r\n\r\ncd\xff\r\n")
    result = regc("run", "p.reg", "--out=", cwd=home)
    demand("byte 12 is no UTF-8, in line 3" in result.stderr, f"a byte is told as if marks and line ends were not there: {result.stderr}")
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


PIECES = 0x7FFFFFF2  # the stream of draws by which merges are passed over


def passed_over(piece, made, drop, draws):
    """Provilkov, Emelianenko & Voita 2020, algorithm 1: of the merges that are possible each is left out with probability `drop`."""
    symbols = list(piece)
    while True:
        found = [(made.index(pair), k) for k, pair in enumerate(zip(symbols, symbols[1:])) if pair in made and next(draws) >= drop]
        if not found:
            return symbols
        k = min(found)[1]
        symbols[k:k + 2] = ["".join(symbols[k:k + 2])]


def draws_of(row, step, seed=1):
    count = 0
    while True:
        yield from ((word >> 8) * 2.0**-24 for word in philox((count, row, PIECES, step), (seed, 0)))
        count += 1


def case_merges_are_passed_over_anew_in_each_step(regc):
    """Steps see other pieces of the same texts, by draws of seed, step and row; what is evaluated are those that were learned."""
    lines = [line for line in (ROOT / "docs/stages.md").read_text().encode("ascii", "ignore").decode().splitlines() if line.strip()][:24]
    text = "".join(line + "\n" for line in lines)
    for rows in ("lines: 16", "window: 9"):
        home = folder(regc)
        (home / "t.txt").write_text(text)
        (home / "p.reg").write_text(f"""data d = text("t.txt", {rows}, merges: 90, drop: 30%)
model net(x: labels [t] of c) -> [t, c] = x |> embedding(2) |> dense(c)
fn numbers(y: labels [n, t] of c) = one_hot(y, c) @ arange(c)
train net on d as t {{
  state    seen[sample]: [{rows.split()[1]}] = 0
  state    behind[sample]: [{rows.split()[1]}] = 0
  state    places[sample] = 0
  seen <- numbers(x)
  behind <- numbers(next)
  places <- {"length" if rows[0] == "l" else "id"}
  loss     cross_entropy(net(x), next)
  optimize sgd(lr: 0)
  batch    all
  steps    3
  seed     1
}}
report t.seen
report t.behind
report t.places
report numbers(d.x)
""")
        seen, behind, places, fixed = (r["value"] for r in of_kind(events(regc, "--out=", home / "p.reg"), "report"))
        names, made, types = learned_merges(text, len(text), 90)
        at = 0
        for row, tokens in enumerate(seen):
            draws, room = draws_of(row, 2), len(tokens)
            rest = lines[row] if rows[0] == "l" else text[at:]
            cut = [s for _, piece in pieces(rest[:300]) for s in passed_over(piece, made, 0.3, draws)]
            end = names.index("\n")
            want = [names.index(s) for s in cut[:room + 1]]
            if rows[0] == "l":
                want = ([end, *want] + [end] * room)[:room + 1]
                demand(places[row] == min(len(cut) + 1, room), f"row {row} has {places[row]} places, not {len(cut) + 1}")
            demand(tokens == want[:room] and behind[row] == want[1:room + 1], f"{rows}, row {row}: {tokens} and {behind[row]}, not {want}")
            at += sum(len(names[int(k)]) for k in fixed[row])
        demand(seen != fixed, "nothing was passed over")
        plain = [[names.index(s) for _, piece in pieces(line) for s in types[piece]] for line in lines]
        demand(rows[0] == "w" or all(row[1:] == ([*p, *[end] * 16])[:15] for row, p in zip(fixed, plain)), "other pieces than were learned")


REVIEWS = [("a lovely, lovely day", 30, "good"), ("dreadful and sad", 41, "bad"), ("lovely music", 22, "good"), ("sad, sad end", 35, "bad"),
           ("good and lovely", 51, "good"), ("", 19, "bad"), ("dreadful\nnoise", 28, "bad"), ("a good end; \u00e9t\u00e9", 33, "good")]


def case_columns_of_texts(regc):
    """Tokens and lengths of a column are those of its texts as lines; `predict` gives what an evaluation gives, also from a binary and for words never seen."""
    for form, tokenize in (("words: 6", lambda t: of_words(t, len(t), 6)), ("merges: 9", lambda t: of_merges(t, len(t), 9)), ("", lambda t: of_merges(t, len(t), 0))):
        home = folder(regc)
        with open(home / "t.csv", "w", newline="") as file:
            csv.writer(file).writerows([("review text", "age", "mood"), *REVIEWS])
        (home / "p.reg").write_text(f"""data d = csv("t.csv", target: mood) |> tokenize("review text" as review, 7{", " + form if form else ""}) |> standardize |> split(train: 75%, test: 25%, seed: 3)
model net(review: labels [t] of c, x: [1], review_length: []) -> [2] = concat(last_of(review |> embedding(3) |> gru(4), review_length), x, axis: -1) |> dense(2)
fn numbers(y: labels [n, t] of c) = one_hot(y, c) @ arange(c)
train net on d {{
  loss     cross_entropy(net(review, x, review_length), mood)
  optimize adam(lr: 0.05)
  epochs   4
}}
evaluate net on d.test {{ accuracy }}
report numbers(d.train.review)
report d.train.review_length
report d.train.id
report d.test.id
report numbers(d.test.review)
""")
        tokens, length, rows, others, other_tokens = (r["value"] for r in of_kind(events(regc, "--out", home / "run", home / "p.reg"), "report"))
        text = "".join(REVIEWS[int(i)][0] + "\n" for i in rows)
        known, at, end = tokenize(text), 0, None
        for row, i in enumerate(rows):
            n = len(REVIEWS[int(i)][0])
            own = [k for where, k in known if at <= where + (text[where] == " ") < at + n + 1]
            end = own[-1]
            demand(tokens[row] == [end, *own[:-1], *[end] * 7][:7] and length[row] == min(len(own), 7), f"{form}: row {i} is {tokens[row]} of {length[row]}, not {own}")
            at += n + 1
        demand(form[:1] != "w" or any(0 in row for row in other_tokens), f"{form}: nothing is unknown in the test part: {other_tokens}")
        regc.ok("build", "-q", home / "p.reg", "-o", home / "binary")
        (home / "t.npy").write_bytes(b"")
        for predict in (regc.line("predict", home / "p.reg"), [home / "binary", "predict"]):
            subprocess.run([*predict, "--weights", home / "run", "--in", home / "t.csv", "--out", home / "out.csv"], check=True, capture_output=True)
            with open(home / "out.csv") as file:
                found = list(csv.DictReader(file))
            with open(home / "run" / "predictions.csv") as file:
                for line in csv.DictReader(file):
                    demand(found[int(line["id"])]["predicted"] == line["predicted"], f"{predict[1]}: row {line['id']} is {found[int(line['id'])]}, not {line}")
            refused = subprocess.run([*predict, "--weights", home / "run", "--in", home / "t.npy", "--out", home / "out.csv"], capture_output=True, text=True)
            demand(refused.returncode == 65 and ".csv" in refused.stderr, f"{refused.returncode} {refused.stderr}")
        alone = regc("build", "--model-only", home / "p.reg", "--weights", home / "run", "-o", home / "net.o")
        demand(alone.returncode == 2 and "texts" in alone.stderr, f"{alone.returncode} {alone.stderr}")
    demand(sorted(map(int, [*rows, *others])) == list(range(8)), "rows are lost")


def case_texts_alone_are_what_a_model_reads(regc):
    """A table that has nothing but texts and classes; its steps pass over merges, its bits are one, rows that are no UTF-8 are told."""
    table = "mood,review\n" + "".join(f'{mood},"{text}"\n' for text, _, mood in 3 * REVIEWS)
    home = folder(regc)
    (home / "t.csv").write_text(table)
    text = f"""data d = csv("{home / 't.csv'}", target: mood) |> tokenize(review, 9, merges: 20, drop: 20%) |> split(train: 75%, test: 25%, stratify: mood, seed: 3)
model net(review: labels [t] of c) -> [2] = mean(review |> embedding(3), axis: 1) |> dense(2)
train net on d {{
  loss     cross_entropy(net(review), mood)
  optimize adam(lr: 0.05)
  batch    4
  epochs   3
}}
evaluate net on d.test {{ accuracy }}
evaluate net on (d where review_length > 3).test {{ accuracy }}
"""
    same_bits(regc, text)
    (home / "p.reg").write_text(text)
    demand("review: 9 places of" in regc.ok("data", home / "p.reg") and "20 % of merges" in regc.ok("data", home / "p.reg"), "`regc data` does not tell of tokens")
    for steps in ("2", "7", None):
        more = ["--steps", steps] if steps else []
        regc.ok("run", "-q", "--resume", "--checkpoint", "0", "--out", home / "parts", *more, home / "p.reg")
    regc.ok("run", "-q", "--out", home / "whole", home / "p.reg")
    demand((home / "parts/weights.safetensors").read_bytes() == (home / "whole/weights.safetensors").read_bytes(), "a resumed run ends in other bits")
    (home / "bad.csv").write_bytes(b'review\nlovely\n"a \xff"\n,\n')
    for more, code in (((), 65), (("--bad-rows=skip",), 0)):
        result = regc("predict", home / "p.reg", "--weights", home / "whole", "--in", home / "bad.csv", *more)
        demand(result.returncode == code and "bad.csv:3:1" in result.stderr and "UTF-8" in result.stderr, f"{result.returncode} {result.stderr}")
    data, model = text[:text.index("train net")], "  train net on d { loss cross_entropy(net(review), mood); optimize adam(lr: rate); batch 4; epochs 2 }\n  e = evaluate net on d.test { nll }\n"
    (home / "p.reg").write_text(data + "sweep rate in [0.05, 0.1] as runs {\n" + model + "}\nreport runs.e.nll\n")
    together = of_kind(events(regc, "--out=", home / "p.reg"), "report")[0]["value"]
    for rate, value in zip((0.05, 0.1), together):
        (home / "p.reg").write_text(f"{data}let rate = {rate}\n{model}report e.nll\n")
        alone = of_kind(events(regc, "--out=", home / "p.reg"), "report")[0]["value"]
        demand(alone == value, f"a run of a sweep ends at {value}, alone at {alone}")
    for steps, said in (("|> standardize", "no column"), ('|> tokenize(mood, 3)', "two fields")):
        (home / "p.reg").write_text(f'data d = csv("t.csv", target: mood) |> tokenize(review, 9) {steps}\nreport size(d.id, 0)\n')
        result = regc("run", home / "p.reg", "--out=")
        demand(result.returncode == 65 and said in result.stderr, f"{steps}: {result.returncode} {result.stderr}")


def case_binaries_refuse_other_tokens(regc):
    """A file whose words are others is not what a binary was compiled for, in a text as in a column; standard input is that of the run."""
    home = folder(regc)
    (home / "text.txt").write_text("the cat sat\nthe dog\n" * 4)
    (home / "column.csv").write_text("a,y\n" + "the cat,1\nthe dog,2\n" * 4)
    sources = {"text.txt": ('text("text.txt", lines: 4, words: 9)', "x"), "column.csv": ('csv("column.csv", target: y) |> tokenize(a, 4, words: 9)', "a"),
               "/dev/stdin": ('text("/dev/stdin", lines: 4, words: 9)', "x")}
    for name, (source, field) in sources.items():
        (home / "p.reg").write_text(f"data d = {source}\nreport decode(d.{field}, d.{field})\n")
        read = {"input": (home / "text.txt").read_text()} if name[0] == "/" else {}
        subprocess.run(regc.line("build", "-q", "p.reg", "-o", "binary"), cwd=home, check=True, text=True, **read)
        same = subprocess.run([home / "binary", "-q"], cwd=home, capture_output=True, text=True, **read)
        demand(same.returncode == 0 and "the cat" in same.stdout, f"{name}: {same.returncode} {same.stderr}")
        if read:
            other = subprocess.run([home / "binary", "-q"], cwd=home, capture_output=True, text=True, input=read["input"].replace("cat", "cow"))
        else:
            (home / "other").write_text((home / name).read_text().replace("cat", "cow"))
            other = subprocess.run([home / "binary", "-q", "--data", "d=other"], cwd=home, capture_output=True, text=True)
        demand(other.returncode == 65 and f"`{field}` has a class ` cow` instead of ` cat`" in other.stderr, f"{name}: {other.returncode} {other.stderr} {other.stdout}")


def case_what_cannot_be_predicted(regc):
    """Why a model of a text does not predict rows of a file; a file of which no row can be read; no row; from a file and standard input, by regc and a binary."""
    home = folder(regc)
    (home / "t.txt").write_text("the cat sat\nthe dog\n" * 9)
    (home / "t.csv").write_text("a,y\n" + "the cat,good\nthe dog,bad\n" * 4)
    models = {"text": """data d = text("t.txt", lines: 4, words: 9)
model net(x: labels [<=4] of c) -> [<=4, c] = x |> embedding(4) |> gru(4) |> dense(c)
train net on d { loss cross_entropy(net(x), ragged(next, length)); optimize sgd(lr: 0.1); steps 1 }
""", "column": """data d = csv("t.csv", target: y) |> tokenize(a, 4, words: 9)
model net(a: labels [<=4] of c) -> [2] = mean(a |> embedding(4), axis: 1) |> dense(2)
train net on d { loss cross_entropy(net(a), y); optimize sgd(lr: 0.1); steps 1 }
"""}
    for name, text in models.items():
        (home / f"{name}.reg").write_text(text)
        regc.ok("run", "-q", "--out", home / name, home / f"{name}.reg", cwd=home)
        regc.ok("build", "-q", home / f"{name}.reg", "-o", home / f"{name}.bin", cwd=home)
    for name, data, more, code, said in (
            ("text", b"the cat\n", (), 2, "reads a text"), ("column", b"", (), 65, "the file is empty"), ("column", b"a\n", (), 65, "a header and no rows"),
            ("column", b"b\nthe cat\n", (), 65, "no column `a`"), ("column", b'a\n"x\xff"\n', (), 65, "2:1: the field is no UTF-8"),
            ("column", b'a\n"x\xff"\n', ("--bad-rows=skip",), 65, "no row of the file can be read"), ("column", "a\nthe\n".encode("utf-16")[:-1], (), 65, "UTF-16 and damaged"),
            ("column", b'a\n""\nzebra\n' + b"the cat " * 99 + b"\n", (), 0, "")):
        (home / "in.csv").write_bytes(data)
        for way in (regc.line("predict", home / f"{name}.reg"), [home / f"{name}.bin", "predict"]):
            for source in (home / "in.csv", "-"):
                found = subprocess.run([*way, "--weights", home / name, "--in", source, *more], cwd=home, capture_output=True, input=data)
                demand(found.returncode == code and said in found.stderr.decode(), f"{way[0]} of {data}: {found.returncode} {found.stderr.decode()}")
                demand(code or len(found.stdout.splitlines()) == 4, f"{way[0]}: {found.stdout}")


def case_lengths_that_cannot_be(regc):
    """A length that is none of the places' ends a run, with what lengths may be; of no place everything is nothing."""
    for length, said in (("[7, 2]", "lengths are 0 to 6 here: the index 7"), ("[-1, 2]", "lengths are 0 to 6 here: the index -1"), ("[1.5, 2]", "1.5 is no whole number"),
                         ("[3, 2, 1]", "do not fit"), ("[0, 6]", "")):
        result = regc("run", "--out=", "--json", written(regc, f"report sum(ragged(arange(6) + zeros([2, 6]), {length}), axis: 1)\n"))
        demand(result.returncode in (1, 65) and said in result.stderr if said else "[0.0,15.0]" in result.stdout, f"{length}: {result.returncode} {result.stderr}{result.stdout}")


def case_generated_texts_are_one(regc):
    """What a program writes, drawn, place by place with what is kept, or searched: the same with one thread, two and as a binary; another seed writes another text."""
    text = f"""data d = text("{ROOT}/docs/repl.md", window: 12)
model net(x: labels [t] of c, at = 0, kept: int 0.. = 0) -> [t, c] = (x |> embedding(8)) + wavelengths(t, 8, first: at) |> transformer(depth: 1, heads: 2, where: causal(t), kept: kept, at: at) |> dense(c)
fn one(x, at) = net(x, at, kept: 40)
fn careful(z) = categorical(top_k_only(z / 0.8, 20))
fn warm(z) = categorical(z / 0.7)
fn nucleus(z) = categorical(top_p_only(z / 0.9, 90%))
train net on d {{
  loss     cross_entropy(net(x), next)
  optimize adam(lr: 1e-2)
  steps    3
}}
report decode(generate(net, d.x[0..2], 20, pick: careful), d.x) as "drawn"
report decode(continued(one, d.x[0..2], 20, pick: careful), d.x) as "kept"
best, score = beam(net, d.x[0..1], 4, width: 3)
report decode(best, d.x) as "searched"
report score
MODES
further, behind = continued_beam(one, d.x[0..1], 4, width: 3)
report decode(further, d.x) as "searched with what is kept"
report behind
"""
    text = text.replace("MODES", "\n".join(f'report decode({how}, d.x[0..2], 9, pick: {pick}), d.x) as "{how[:9]} {pick}"' for how in ("generate(net", "continued(one")
                                           for pick in ("most_likely", "categorical", "warm", "nucleus")))
    same_bits(regc, text)
    told = [[r.get("text", r["value"]) for r in of_kind(events(regc, "--out=", "--seed", seed, written(regc, text)), "report")] for seed in ("5", "6")]
    demand(told[0][0] != told[1][0] and told[0][1] != told[1][1], f"two seeds write one text: {told[0]}")


def case_beams_as_in_python(regc):
    """What a search finds, and how probable that is: as a search in Python finds it from the same weights, from `regc run` and from a binary."""
    home, units = folder(regc), 12
    text = f"""data d = text("{ROOT}/docs/repl.md", window: 12)
model net(x: labels [t] of c, at = 0) -> [t, c] = x |> embedding({units}) |> gru({units}) |> dense(c)
train net on d {{ loss cross_entropy(net(x), next); optimize adam(lr: 1e-2); epochs 2 }}
save net to "net.safetensors"
fn given(x: labels [n, t] of c) = one_hot(x, c) @ arange(c)
report given(d.x[0..3])
y, score = continued_beam(net, d.x[0..3], 15, width: 4)
report y
report score
"""
    (home / "p.reg").write_text(text)
    regc.ok("build", "-q", home / "p.reg", "-o", home / "binary")
    runs = [regc.ok("run", "--json", "--out=", home / "p.reg", cwd=home), subprocess.run([home / "binary", "--json"], check=True, cwd=home, capture_output=True, text=True).stdout]
    prompts, found, scores = ([e["value"] for e in map(json.loads, runs[0].splitlines()) if e["event"] == "report"])
    demand([json.loads(line)["value"] for line in runs[1].splitlines() if '"report"' in line] == [prompts, found, scores], "a binary finds something else")
    net = beams.Recurrent(compare.read_weights(home / "net.safetensors"), units)
    for i, row in enumerate(prompts):
        for k, (made, score) in enumerate(beams.search(net, [int(t) for t in row], 15, 4)):
            demand(found[i][k] == made, f"row {i}, beam {k}: {found[i][k]}, in Python {made}")
            demand(abs(scores[i][k] - score) < 1e-4, f"row {i}, beam {k}: {scores[i][k]}, in Python {score}")


def case_batches_of_near_lengths(regc):
    """Rows of different lengths in batches of nearly the same: each row once a pass, the same bits in every way of running, padding out of sight."""
    home = folder(regc)
    text = f"""data d = text("{ROOT}/docs/repl.md", lines: 20, merges: 60, drop: 10%)
model net(x: labels [<=20] of c) -> [<=20, c] = x |> embedding(4) |> dropout(0.1) |> gru(4) |> dense(c)
train net on d as t {{
  state    seen[sample] = 0
  seen <- seen + 1
  loss     cross_entropy(net(x), ragged(next, length))
  optimize adam(lr: 1e-2)
  log      spread = max(length_of(x)) - min(length_of(x))
  batch    4
  epochs   3
  HOW
}}
evaluate net on d {{ nll(weight: within(length, 20)) }}
report t.seen
"""
    spread = {}
    for how in ("sample near(length)", "seed 2"):
        found = events(regc, "--out=", written(regc, text.replace("HOW", how)))
        demand(set(of_kind(found, "report")[0]["value"]) == {3}, f"{how}: rows were taken {of_kind(found, 'report')[0]['value']} times")
        spread[how[:4]] = of_kind(found, "epoch")[-1]["logs"]["spread"]
    demand(spread["samp"] < 0.6 * spread["seed"], f"lengths in a batch differ by {spread}")
    near = text.replace("HOW", "sample near(length)")
    same_bits(regc, near)
    (home / "p.reg").write_text(near)
    for steps in ("3", "41", None):
        regc.ok("run", "-q", "--resume", "--checkpoint", "0", "--out", home / "parts", *(["--steps", steps] if steps else []), home / "p.reg")
    regc.ok("run", "-q", "--out", home / "whole", home / "p.reg")
    demand((home / "parts/weights.safetensors").read_bytes() == (home / "whole/weights.safetensors").read_bytes(), "a resumed run ends in other bits")
    (home / "p.reg").write_text(near.replace("near(length)", "near(length / 0 - length / 0)"))
    result = regc("run", home / "p.reg", "--out=")
    demand(result.returncode == 65 and "sample near" in result.stderr, f"{result.returncode} {result.stderr}")


def case_rows_of_different_lengths_alone(regc):
    """Losses and gradients of ragged rows are those of each row by itself, in its own size."""
    home = folder(regc)
    rows = ["ab", "abcabcab", "cabb", "bacabacabac"]
    body = "x |> embedding(3) |> bidirectional(lstm(_, 4)) |> self_attention(heads: 2) |> layer_norm |> dense(c)"
    (home / "t.txt").write_text("".join(row + "\n" for row in rows))
    (home / "p.reg").write_text(f"""precision f64
data d = text("t.txt", lines: 12)
model net(x: labels [<=12] of c) -> [<=12, c] = {body}
save net to "start.safetensors"
train net on d {{
  loss     cross_entropy(net(x), ragged(next, length))
  optimize sgd(lr: 0.5)
  batch    all
  steps    1
}}
report mean(net(d.x)[.., 0, 0])
""")
    found = events(regc, "--out", home / "run", home / "p.reg", cwd=home)
    want = of_kind(found, "epoch")[0]["loss"] * sum(len(row) + 1 for row in rows)
    total = 0
    for row in rows:
        (home / "one.txt").write_text(row + "\nabc\n")
        text = (home / "p.reg").read_text().replace('"t.txt", lines: 12', f'"one.txt", lines: {len(row) + 1}').replace("<=12", "t")
        text = text[:text.index("save")] + f'let known = load("start.safetensors", as: net)\nreport sum(cross_entropy(known(d.x[0..1]), d.next[0..1], per_row: true)) as "one"\n'
        (home / "q.reg").write_text(text)
        total += of_kind(events(regc, "--out=", home / "q.reg", cwd=home), "report")[0]["value"]
    demand(abs(total - want) < 1e-9 * want, f"rows alone have a loss of {total}, together of {want}")
