"""Data from IDX files: images with labels, other arrays, compressed or not, and files that are damaged. Each `case_*` function takes
the compiler and raises Failure."""
import gzip
import io
import json
import math
import struct
import subprocess
import zipfile

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
                             ("train.gz", b"\0\0\x07\1" + good[4:], "no numbers"), ("train.gz", b"\0\0\x08\xff" + good[4:], "more than 4"), ("train.gz", idx([0, 4, 3], []), "no elements"),
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


def npy(shape, numbers, kind="<f8", fortran=False):
    """As numpy.save writes it; `numbers` in the order in which they lie in the file, or their bytes."""
    head = f"{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': ({''.join(f'{n}, ' for n in shape)}), }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    if isinstance(numbers, bytes):
        return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + numbers
    code = {"f8": "d", "f4": "f", "u1": "B", "i2": "h", "u4": "I", "i8": "q"}[kind[1:]]
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + struct.pack(f"<{len(numbers)}{code}", *numbers)


def npz(**arrays):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for i, (name, data) in enumerate(arrays.items()):
            z.writestr(f"{name}.npy", data, zipfile.ZIP_DEFLATED if i % 2 else zipfile.ZIP_STORED)
    return out.getvalue()


NPY = """data d = npy("x.npy", target: "y.npy") |> standardize |> split(train: 75%, test: 25%, seed: 1)
data z = npz("d.npz", target: t as label) with test = npz("d.npz", x: more, target: u)
data e = (z with label = label) |> standardize
fn in_line(x: [n, a, b]) = reshape(x, [n, a * b])
model net(x: [2, 2]) -> [3] = x |> in_line |> dense(3)
train net on d { loss cross_entropy(net(x), label); optimize adam(lr: 0.1); epochs 2; batch 4 }
evaluate net on d.test { accuracy }
"""


def case_arrays_of_numpy(regc):
    """Types, orders and archives; the same bits in a binary, also where it predicts an array."""
    where, x = folder(regc), [((5 * i * i + i) % 23) / 4 for i in range(32)]
    by_column = [x[4 * r + 2 * a + b] for b in range(2) for a in range(2) for r in range(8)]
    (where / "x.npy").write_bytes(npy([8, 2, 2], by_column, fortran=True))
    (where / "y.npy").write_bytes(npy([8], [k % 3 for k in range(8)], "|u1"))
    (where / "d.npz").write_bytes(npz(x=npy([8, 2, 2], x), t=npy([8], [300 * k - 900 for k in range(8)], "<i2"), more=npy([3, 2, 2], x[:12], "<f4"),
                                      u=npy([3, 1], [3 * 10**9, 0, 5], "<u4")))
    (where / "p.reg").write_text(NPY)
    demand(values(regc, where, "z.x")["values"] == x + x[:12], "other numbers")
    demand(values(regc, where, "z.label")["values"] == [*range(-900, 1201, 300), 3 * 10**9, 0, 5], "other targets")
    rows = values(regc, where, "d.train.id")["values"]
    means = [math.fsum(x[4 * r + k] for r in rows) / len(rows) for k in range(4)]
    spread = [math.sqrt(math.fsum((x[4 * r + k] - means[k]) ** 2 for r in rows) / len(rows)) for k in range(4)]
    found = values(regc, where, "d.x")["values"]
    demand(all(math.isclose(v, (x[i] - means[i % 4]) / spread[i % 4], rel_tol=1e-5, abs_tol=1e-6) for i, v in enumerate(found)), f"{found}")
    regc.ok("run", "p.reg", "-q", "--out", "one", cwd=where)
    regc.ok("build", "p.reg", "-o", "p", cwd=where)
    subprocess.run([where / "p", "-q", "--out", "two"], check=True, cwd=where)
    demand((where / "one/weights.safetensors").read_bytes() == (where / "two/weights.safetensors").read_bytes(), "the binary has other weights")
    good = (where / "d.npz").read_bytes()
    at = good.index(b"t.npy")
    for data, told in ((good[:-30], "no .npz archive"), (good.replace(b"t.npy", b"s.npy"), "has no array `t`"), (good[:at + 20] + b"\xff" + good[at + 21:], "damaged"),
                       (npz(x=npy([8, 2, 2], [math.nan, *x[1:]]), t=b""), "row 0 has an element that is NaN"), (npz(x=npy([], [1.0]), t=b""), "without an axis"),
                       (npz(x=npy([8, 2, 2], x), t=npy([7], range(7), "<i8")), "7 labels"), (npz(x=npy([2, 1, 1, 1, 1, 1], [0, 0])), "more than 4 axes"),
                       (npz(x=npy([8, 2, 2], x), t=npy([4, 2], range(8), "<i8")), "one number"), (npz(x=npy([0, 2, 2], [])), "no elements"),
                       (npz(x=npy([8, 2, 2], x).replace(b"<f8", b"<c8")), "the element type"), (b"PK\5\6", "no .npz archive")):
        (where / "d.npz").write_bytes(data)
        done = regc("eval", "z.x", "-f", "p.reg", cwd=where)
        demand(done.returncode in (1, 65) and told in done.stderr, f"{told}: {done.returncode}\n{done.stderr}")


def case_labels_of_numpy(regc):
    """Texts, and whole numbers that doubles cannot hold, are classes as they are."""
    where = folder(regc)
    texts = ["low", "\u00e9", "\U0001d11ex", "low"]
    wide = b"".join(t.encode("utf-32-le").ljust(12, b"\0") for t in texts)
    arrays = {"x": npy([4, 1], range(4)), "wide": npy([4], wide, "<U3"), "narrow": npy([4], b"abc" b"d\0\0" b"abc" b"xy\0", "|S3"),
              "big": npy([4], [2**53 + 1, 2**53, -(2**53) - 1, 2**53], "<i8"), "none": npy([4], struct.pack("<4I", 65, 0x110000, 66, 67), "<U1"),
              "latin": npy([4], b"a\xe9bc", "|S1")}
    (where / "d.npz").write_bytes(npz(**arrays))
    for name, shown in (("wide", "3 texts: low (2), \u00e9 (1), \U0001d11ex (1)"), ("narrow", "3 texts: abc (2), d (1), xy (1)"),
                        ("big", "3 whole numbers: -9007199254740993 (1), 9007199254740992 (2), 9007199254740993 (1)")):
        (where / "p.reg").write_text(f'data d = npz("d.npz", target: {name})\n')
        told = regc.ok("data", "p.reg", cwd=where)
        demand(f"{name}: {shown}" in told, told)
    for form, told in (("target: none", "d.npz, `none`: the label of row 1 is no UTF-8"), ("target: latin", "d.npz, `latin`: the label of row 1 is no UTF-8"),
                       ("x: wide", "d.npz, `wide`: its elements are texts")):
        (where / "p.reg").write_text(f'data d = npz("d.npz", {form})\n')
        done = regc("check", "p.reg", cwd=where)
        demand(done.returncode == 65 and told in done.stderr, f"{told}: {done.returncode}\n{done.stderr}")
