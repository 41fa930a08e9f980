"""Data from IDX files: images with labels, other arrays, compressed or not, and files that are damaged. Each `case_*` function takes
the compiler and raises Failure."""
import gzip
import json
import math
import struct
import subprocess

from programs.cases import demand, events, folder, of_kind

TYPES = {"B": 8, "b": 9, "h": 11, "i": 12, "f": 13, "d": 14}
PROGRAM = """data d = idx("train.gz", labels: "train-labels") |> scale(1/10) |> split(train: 75%, valid: 25%, seed: 1)
  with test = idx("test", labels: "test-labels.gz")
model net(x: [4, 3, 1]) -> [3] = x |> conv(2) |> relu |> global_pool |> dense(3)
train net on d {
  loss     cross_entropy(net(x), label)
  optimize adam(lr: 1e-2)
  batch    4
  epochs   2
}
evaluate net on d.test { accuracy }
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def idx(shape, values, kind="B"):
    return bytes([0, 0, TYPES[kind], len(shape)]) + b"".join(struct.pack(">I", n) for n in shape) + struct.pack(f">{len(values)}{kind}", *values)


def pixels(rows):
    return [(7 * i * i + 3 * i) % 256 for i in range(rows * 12)]


def prepared(regc):
    where = folder(regc)
    (where / "train.gz").write_bytes(gzip.compress(idx([8, 4, 3], pixels(8))))
    (where / "train-labels").write_bytes(idx([8], [k % 3 for k in range(8)]))
    (where / "test").write_bytes(idx([3, 4, 3], pixels(3)))
    (where / "test-labels.gz").write_bytes(gzip.compress(idx([3], [2, 0, 1])))
    (where / "p.reg").write_text(PROGRAM)
    return where


def values(regc, where, expression):
    return json.loads(regc.ok("eval", expression, "-f", "p.reg", cwd=where))


def case_images_and_labels(regc):
    where = prepared(regc)
    found = values(regc, where, "d.x[0..4]")
    demand(found["shape"] == [4, 4, 3, 1] and all(math.isclose(a, b / 10, rel_tol=1e-6) for a, b in zip(found["values"], pixels(4))), found)
    demand(values(regc, where, "d.test.x[.., 0]")["shape"] == [3, 4, 3], "the test part")
    demand(values(regc, where, "d.label")["values"] == [k % 3 for k in range(8)] + [2, 0, 1], "labels of all files")
    run = of_kind(events(regc, "p.reg", "--out=", cwd=where), "evaluate")
    regc.ok("build", "p.reg", "-o", "p", cwd=where)
    binary = subprocess.run([where / "p", "--json", "--out="], capture_output=True, text=True, cwd=where)
    again = [json.loads(line) for line in binary.stdout.splitlines()]
    demand([e["metrics"] for e in of_kind(again, "evaluate")] == [e["metrics"] for e in run], binary.stdout + binary.stderr)


def case_arrays_of_all_types(regc):
    where = folder(regc)
    for kind, numbers in (("B", [0, 255, 7, 8]), ("b", [-128, 127, 0, 1]), ("h", [-300, 300, 0, 1]), ("i", [-70000, 70000, 0, 1]),
                          ("f", [0.5, -1.25, 3e8, 0]), ("d", [0.5, -1.25, 1e-30, 0])):
        (where / "a").write_bytes(idx([2, 2], numbers, kind))
        (where / "p.reg").write_text('data d = idx("a")\n')
        found = values(regc, where, "d.x")
        demand(found["shape"] == [2, 2] and all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(found["values"], numbers)), f"{kind}: {found}")
    (where / "a").write_bytes(idx([2, 1, 2, 2], range(8)))
    demand(values(regc, where, "d.x")["shape"] == [2, 1, 2, 2], "channels that the file has")
    (where / "a").write_bytes(idx([3], [5, 6, 7]))
    demand(values(regc, where, "d.x") == {"shape": [3, 1], "dtype": "f32", "values": [5, 6, 7]}, "one number a row")


def case_damaged_files_are_told(regc):
    good = idx([8, 4, 3], pixels(8))
    for name, data, told in (("train.gz", b"a,b\n1,2\n", "no IDX file"), ("train.gz", b"", "no IDX file"), ("train.gz", good[:50], "ends before"),
                             ("train.gz", gzip.compress(good)[:-20], "ends before"), ("train.gz", good + b"\0", "goes on"), ("train.gz", good[:9], "within its header"),
                             ("train.gz", b"\0\0\x07\1" + good[4:], "no numbers"), ("train.gz", idx([0, 4, 3], []), "no elements"),
                             ("train.gz", b"\0\0\x08\3" + b"\x7f\xff\xff\xff" * 3, "more than"), ("train.gz", b"\0\0\x08\2\x7f\xff\xff\xff\0\0\0\1", "ends before"),
                             ("train-labels", idx([7], range(7)), "7 labels"), ("train-labels", idx([8], [0.5] * 8, "f"), "one whole number"),
                             ("train-labels", idx([4, 2], range(8)), "one whole number"), ("test", idx([3, 3, 4], pixels(3)), "another shape"),
                             ("test-labels.gz", idx([3], [0, 1, 9]), "not among those of the training data")):
        where = prepared(regc)
        (where / name).write_bytes(data)
        done = regc("check", "p.reg", cwd=where)
        demand(done.returncode == (1 if "among" in told else 65) and told in done.stderr, f"{name}: {told}: {done.returncode}\n{done.stderr}")
    where = prepared(regc)
    (where / "test").unlink()
    done = regc("check", "p.reg", cwd=where)
    demand(done.returncode == 66 and "No such file" in done.stderr, done.stderr)


def case_the_prompt_keeps_paths(regc):
    where = prepared(regc)
    (where / "sub").mkdir()
    done = regc("repl", "p.reg", cwd=where, stdin=":save sub/q.reg\n")
    demand(done.returncode == 0, done.stderr)
    text = (where / "sub/q.reg").read_text()
    demand(f'idx("{where}/train.gz", labels: "{where}/train-labels")' in text and f'labels: "{where}/test-labels.gz"' in text, text)
    regc.ok("check", "sub/q.reg", cwd=where)
