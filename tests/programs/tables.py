"""Tables as people have them: other separators and marks, packed, without a header; columns by their roles. Each `case_*` function
takes the compiler and raises Failure."""
import csv
import gzip
import random

from programs.cases import demand, events, folder, of_kind
from programs.standalone import build

TAIL = """
model net(x: [2]) -> [2] = x |> dense(4) |> tanh |> dense(2)
train net on d {
  loss     mean(w * sum((net(x) - one_hot(kind, 2))^2, axis: 1)) + 0 * mean(score)
  optimize adam(lr: 0.05)
  epochs   3
  batch    8
}
evaluate net on d.test { accuracy, n = mean(score) }
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def rows(count):
    draw = random.Random(4)
    return [(f"p{i}", draw.gauss(0, 1), draw.gauss(0, 3), "low" if i % 3 else "high", 0.5 + i % 2, i / 4) for i in range(count)]


def number(x):
    return repr(x).replace(".", ",")


def case_table_forms_do_not_matter(regc):
    """One table in two forms gives the same weights, in binaries too; rows are called by their own ids."""
    where, table = folder(regc), rows(60)
    with open(where / "plain.csv", "w", newline="") as out:
        csv.writer(out).writerows([("patient no", "a", "b", "kind", "w", "score"), *table])
    lines = ["exported", "patient no\ta\tb\tnote\tkind\tw\tscore", "# by hand"]
    lines += ["\t".join([r[0], number(r[1]), number(r[2]), '"a\nb"', r[3], number(r[4]), number(r[5])]) for r in table]
    with gzip.open(where / "odd.tsv", "wt", newline="\r\n") as out:
        out.write("\n".join(lines))
    roles = 'target: [kind, score], weight: w, id: "patient no" as patient'
    split = " |> standardize |> split(train: 50%, test: 50%, seed: 2)\n"
    (where / "plain.reg").write_text(f'data d = csv("plain.csv", {roles}){split}{TAIL}')
    (where / "odd.reg").write_text(f'data d = csv("odd.tsv", {roles}, skip: 1, decimal: ",", comment: "#", columns: [a, "b"], separator: "\\t"){split}{TAIL}')
    for name in ("plain", "odd"):
        regc.ok("run", "-q", "--out", where / name, where / f"{name}.reg")
    weights = [(where / name / "weights.safetensors").read_bytes() for name in ("plain", "odd")]
    demand(weights[0] == weights[1], "other weights")
    found = (where / "odd" / "predictions.csv").read_text().splitlines()
    demand(found[0].startswith("patient,kind,predicted") and found[1].startswith("p"), f"{found[:2]}")
    binary = build(regc, where / "odd.reg")
    binary.ok("-q", "--out", where / "again")
    demand((where / "again" / "weights.safetensors").read_bytes() == weights[0], "the binary has other weights")
    predicted = binary.ok("predict", "--weights", where / "odd", "--in", where / "odd.tsv").splitlines()
    demand(len(predicted) == 61 and predicted[1].startswith("0,"), f"{predicted[:2]}")


def case_table_from_standard_input(regc):
    where = folder(regc)
    (where / "p.reg").write_text(f'data d = csv("/dev/stdin", header: false, target: "2" as y)\nmodel net(x: [2]) -> [1] = x |> dense(1)\n'
                                 "train net on d { loss mse(net(x), y); optimize sgd(lr: 0.1); epochs 2 }\n")
    text = "".join(f"{i},{i * i},{3 * i}\n" for i in range(6))
    regc.ok("check", where / "p.reg", stdin=text)
    regc.ok("run", "-q", "--out", where / "out", where / "p.reg", stdin=text)


FOLDS = """data d = csv("plain.csv", target: kind, drop: ["patient no", w, score])
data cv = folds(d, 3, stratify: kind, seed: 1) |> standardize
model net(x: [2]) -> [2] = x |> dense(2)
for fold in cv {
  net.* <- init(net)
  train net on fold {
    loss     cross_entropy(net(x), kind)
    optimize adam(lr: 0.05)
    epochs   2
    batch    8
  }
  e = evaluate net on fold.test { accuracy }
  report e.accuracy as "fold"
  report max(abs(mean(fold.train.x, axis: 0))) as "mean"
}
save net to "last.safetensors"
"""


def case_table_in_folds(regc):
    """A block for each fold, standardized by its own training part; the same bits in a binary."""
    where = folder(regc)
    with open(where / "plain.csv", "w", newline="") as out:
        csv.writer(out).writerows([("patient no", "a", "b", "kind", "w", "score"), *rows(61)])
    (where / "p.reg").write_text(FOLDS)
    found = events(regc, "--out", where / "out", where / "p.reg", cwd=where)
    tested = [line.split(",")[0] for f in (where / "out").glob("predictions*.csv") for line in f.read_text().splitlines()[1:]]
    demand(sorted(map(int, tested)) == list(range(61)), f"not every row is tested once: {tested}")
    means = [e["value"] for e in of_kind(found, "report") if e["name"] == "mean"]
    demand(len(means) == 3 and max(means) < 1e-6, f"{means}")
    first = (where / "last.safetensors").read_bytes()
    build(regc, where / "p.reg").ok("-q", "--out", where / "again", cwd=where)
    demand((where / "last.safetensors").read_bytes() == first, "the binary has other weights")


def case_table_part_in_another_form(regc):
    where = folder(regc)
    (where / "a.csv").write_text("a,b,y\n1,2,3\n4,5,6\n")
    (where / "b.csv").write_text("y;b;more;a\n7;8;x;9\n")
    (where / "p.reg").write_text('data d = csv("a.csv", target: y) with test = csv("b.csv", separator: ";", drop: more)\n')
    demand('"values":[9,8]' in regc.ok("eval", "-f", where / "p.reg", "d.test.x"), "other columns")
    demand('"values":[7]' in regc.ok("eval", "-f", where / "p.reg", "d.test.y"), "another target")
