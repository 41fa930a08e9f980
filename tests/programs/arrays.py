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
    subprocess.run([where / "p", "-q", "--out", "two"], check=True, cwd=where, stdout=subprocess.DEVNULL)
    demand((where / "one/weights.safetensors").read_bytes() == (where / "two/weights.safetensors").read_bytes(), "the binary has other weights")
    good = (where / "d.npz").read_bytes()
    at = good.index(b"t.npy")
    for data, told in ((good[:-30], "no .npz archive"), (good.replace(b"t.npy", b"s.npy"), "has no array `t`"), (good[:at + 20] + b"\xff" + good[at + 21:], "damaged"),
                       (npz(x=npy([8, 2, 2], [math.nan, *x[1:]]), t=b""), "row 0 has an element that is NaN"), (npz(x=npy([], [1.0]), t=b""), "without an axis"),
                       (npz(x=npy([8, 2, 2], x), t=npy([7], range(7), "<i8")), "7 labels"), (npz(x=npy([2, 1, 1, 1, 1, 1], [0, 0])), "more than 4 axes"),
                       (npz(x=npy([8, 2, 2], x), t=npy([4, 2], range(8), "<i8")), "one number"), (npz(x=npy([0, 2, 2], [])), "no elements"),
                       (npz(x=npy([8, 2, 2], x).replace(b"<f8", b"<c8")), "complex numbers"), (b"PK\5\6", "no .npz archive")):
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


def of_numpy(where, name, **arrays):
    import numpy
    numpy.savez_compressed(where / name, **arrays)


def case_types_of_numpy(regc):
    """What NumPy writes is read as NumPy has it, or refused with what to do."""
    import numpy as np
    where, draw = folder(regc), np.random.default_rng(5)
    x = np.round(draw.normal(size=(4, 3)) * 40, 2)
    whole = np.array([[0, 1, 255], [7, 100, 3]])
    arrays = {"f2": x.astype("<f2"), "tiny": np.array([[2.0**-24, -(2.0**-15), 65504]], "<f2"), "f4": x.astype(">f4"), "f8": x.astype(">f8"), "f2b": x.astype(">f2"),
              "i2": (whole - 100).astype(">i2"), "i4": (whole - 7 * 10**8).astype(">i4"), "i8": (whole - 2**40).astype(">i8"), "u2": whole.astype(">u2"), "u4": (whole + 4 * 10**9).astype(">u4"),
              "u8": (whole + 2**63).astype("<u8"), "u8b": (whole + 2**63).astype(">u8"), "i1": (whole - 128).astype("i1"), "truth": whole > 5, "order": np.asfortranarray(x.astype(">f4")),
              "cut": np.ascontiguousarray(x[::2, 1:]), "flat": x[:, 0]}
    times = np.array(["2024-03-01T10:00:00.250", "1969-12-31T23:59:59.5"])
    for unit in ("s", "ms", "us", "ns", "m", "h", "D", "W"):
        arrays["t" + unit] = times.astype(f"datetime64[{unit}]")
    arrays["ticks"], arrays["swapped"] = times.astype("datetime64[25s]"), times.astype(">M8[ns]")
    arrays["length"] = np.array([90, -30], "timedelta64[m]")
    of_numpy(where, "d.npz", **arrays)
    for name, a in arrays.items():
        (where / "p.reg").write_text(f'precision f64\ndata d = npz("d.npz", x: {name})\n')
        seconds = {"M": "datetime64[ns]", "m": "timedelta64[ns]"}.get(a.dtype.kind)
        wanted = np.array([int(v) / 10**9 for v in a.astype(seconds).astype("<i8")]) if seconds else a.astype("<f8")
        wanted = wanted.reshape(len(a), -1)
        found = values(regc, where, "d.x")
        demand(found["shape"] == list(wanted.shape) and [float(v) for v in found["values"]] == wanted.ravel().tolist(), f"{name}: {found}, not {wanted}")
    bad = {"c": (x + 1j, "complex numbers", "x.real"), "o": (np.array([["a", 1]], dtype=object), "Python objects", "astype(float)"), "s": (np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), "structured", "dtype.names"),
           "v": (np.zeros((2, 2), "V2"), "bytes without a meaning", "astype"), "g": (x.astype("longdouble"), "the element type is none of", "astype"), "t": (np.array([["a", "b"]]), "its elements are texts", "astype(float)"),
           "y": (np.array(["2024-01"], "datetime64[M]"), "in months", 'astype("datetime64[s]")'), "n": (np.array(["NaT"], "datetime64[s]"), "row 0 has an element that is NaN", ""),
           "i": (np.array([[1, np.inf]]), "row 0 has an element that is infinite", ""), "e": (np.zeros((0, 3)), "no elements", "")}
    of_numpy(where, "d.npz", **{k: v[0] for k, v in bad.items()})
    for name, (_, told, hint) in bad.items():
        (where / "p.reg").write_text(f'data d = npz("d.npz", x: {name})\n')
        done = regc("check", "p.reg", cwd=where)
        demand(done.returncode == 65 and told in done.stderr and hint in done.stderr, f"{name}: {done.returncode} {done.stderr}")


FIELDS = """data d = npz("d.npz", x: a, target: [kind, size], weight: w, group: when, id: who) |> standardize |> split(train: 75%, test: 25%, time: when)
model net(x: [3]) -> [2] = x |> dense(2)
train net on d { loss mean(w * cross_entropy(net(x), kind)) + 0 * mean(size); optimize sgd(lr: 0.1); epochs 3 }
evaluate net on d.test { accuracy }
"""


def case_fields_of_numpy(regc):
    """Several targets, weights, groups and names of rows beside x; the same in files of their own, and in parts."""
    import numpy as np
    where, draw = folder(regc), np.random.default_rng(6)
    x = draw.normal(size=(40, 3))
    fields = {"kind": (x[:, 0] > 0).astype(">i8"), "size": x[:, 1].astype("f2"), "w": draw.uniform(1, 2, 40).astype(">f4"), "who": np.array([f"r{i}\u00e9" for i in range(40)], ">U6"),
              "when": np.array([1709251200 + 60 * (39 - i) for i in range(40)], "datetime64[s]")} # floats have every 128th second
    of_numpy(where, "d.npz", a=x, **fields)
    (where / "p.reg").write_text(FIELDS)
    demand(values(regc, where, "d.test.id")["values"] == list(range(10)), "the latest rows")
    demand(values(regc, where, "d.w[0..3]")["values"] == [float(f"{v:.9g}") for v in fields["w"][:3]], "weights")
    regc.ok("run", "p.reg", "-q", "--out", "run", cwd=where)
    regc.ok("build", "p.reg", "-q", "-o", "p", cwd=where)
    subprocess.run([where / "p", "-q", "--out", "again"], check=True, cwd=where, stdout=subprocess.DEVNULL)
    demand((where / "run/weights.safetensors").read_bytes() == (where / "again/weights.safetensors").read_bytes(), "the binary has other weights")
    kept = (where / "run/predictions.csv").read_text().splitlines()
    demand(kept[0].startswith("who,kind,predicted") and kept[1].startswith("r0\u00e9,"), f"{kept[:2]}")
    np.save(where / "x.npy", x[:5])
    of_numpy(where, "few.npz", a=np.asfortranarray(x[:5]), who=fields["who"][:5])
    of_numpy(where, "bare.npz", a=x[:5])
    told = {}
    for name in ("few.npz", "bare.npz", "x.npy"):
        told[name] = regc.ok("predict", "p.reg", "--weights", "run", "--in", name, cwd=where)
        done = subprocess.run([where / "p", "predict", "--weights", "run", "--in", name], capture_output=True, text=True, cwd=where)
        demand(done.stdout == told[name], f"{name}: the binary predicts otherwise: {done.stdout} {done.stderr}")
    demand(told["bare.npz"] == told["x.npy"] and told["bare.npz"].startswith("id,predicted"), told["bare.npz"])
    demand([line.split(",")[0] for line in told["few.npz"].splitlines()] == ["who", *(f"r{i}\u00e9" for i in range(5))], told["few.npz"])
    demand([line.split(",")[1:] for line in told["few.npz"].splitlines()] == [line.split(",")[1:] for line in told["x.npy"].splitlines()], "other predictions")
    broken = x[:5].copy()
    broken[1, 2], broken[3, 0] = np.nan, np.inf
    of_numpy(where, "broken.npz", a=broken, who=fields["who"][:5])
    np.save(where / "broken.npy", broken)
    for name, left in (("broken.npz", ["r0\u00e9", "r2\u00e9", "r4\u00e9"]), ("broken.npy", ["0", "2", "4"])):
        done = regc("predict", "p.reg", "--weights", "run", "--in", name, cwd=where)
        demand(done.returncode == 65 and f"{name}: row 1: column `2` is no finite number" in done.stderr, done.stderr)
        done = regc("predict", "p.reg", "--weights", "run", "--in", name, "--bad-rows=skip", cwd=where)
        demand(done.returncode == 0 and [line.split(",")[0] for line in done.stdout.splitlines()[1:]] == left and "2 rows left out" in done.stderr, f"{done.stdout} {done.stderr}")
    of_numpy(where, "short.npz", a=x[:5], who=fields["who"][:4])
    done = regc("predict", "p.reg", "--weights", "run", "--in", "short.npz", cwd=where)
    demand(done.returncode == 65 and "short.npz, `who`: 4 labels, there are 5 rows" in done.stderr, done.stderr)
    # In files of their own, and parts, whose fields are called as those of the first.
    for name, a in {"x": x, **fields}.items():
        np.save(where / f"{name}.npy", a)
    files = 'npy("x.npy", target: ["kind.npy" as kind, "size.npy" as size], weight: "w.npy" as w, group: "when.npy" as when, id: "who.npy" as who)'
    (where / "q.reg").write_text(FIELDS.replace('npz("d.npz", x: a, target: [kind, size], weight: w, group: when, id: who)', files))
    regc.ok("run", "q.reg", "-q", "--out", "files", cwd=where)
    demand((where / "files/weights.safetensors").read_bytes() == (where / "run/weights.safetensors").read_bytes(), "other weights of files")
    of_numpy(where, "e.npz", a=x[:4], kind=fields["kind"][:4], size=fields["size"][:4], w=fields["w"][:4], other=fields["w"][4:8], when=fields["when"][:4], who=fields["who"][:4])
    first = 'npz("d.npz", x: a, target: [kind, size], weight: w, group: when, id: who)'
    for part, wanted in (('npz("e.npz")', "w"), ('npz("e.npz", weight: other, group: when)', "other"), (files.replace("w.npy", "size.npy").replace(" as w,", ","), None)):
        source = first if wanted else files
        (where / "p.reg").write_text(f"data d = {source} with test = {part}\n")
        found = values(regc, where, "d.test.w[0..4]")["values"]
        with_name = {"w": fields["w"][:4], "other": fields["w"][4:8], None: fields["size"][:4]}[wanted]
        demand(found == [float(f"{v:.9g}") for v in with_name], f"{part}: {found}")
    for form, code, message in ((f'{first} with test = npz("e.npz", weight: w)', 1, "expected 2 arrays as in the first file, found 1"), (f'{files} with test = npy("x.npy", target: "kind.npy")', 1, "expected 2 arrays as"),
                                ('npy("x.npy", weight: "w.npy")', 1, "no field can be called `w.npy`"), ('npy("x.npy", weight: w)', 1, "expected the path of a file, found w"), ('npz("d.npz", x: a, weight: [w, w])', 1, "w"),
                                ('npz("d.npz", x: a, target: a)', 65, "a label is one number"), ('npz("d.npz", x: a, group: nothing)', 65, "has no array `nothing`")):
        (where / "p.reg").write_text(f"data d = {form}\n")
        done = regc("check", "p.reg", cwd=where)
        demand(done.returncode == code and message in done.stderr, f"{form}: {done.returncode} {done.stderr}")


def case_the_prompt_tells_plans_apart(regc):
    """Data that are said otherwise are read anew: arrays of an archive, lags, fields, files beside the first."""
    import numpy as np
    where = folder(regc)
    of_numpy(where, "d.npz", u=np.arange(4.0), v=np.arange(4.0) + 10, s=np.arange(4) + 20, t=np.arange(4) + 30)
    (where / "l.csv").write_text("s,y\n" + "".join(f"{i},{i * i}\n" for i in range(5)))
    (where / "m.csv").write_text("s,y\n7,7\n")
    entries = ['data a = npz("d.npz", x: u, target: s)', "a.x[0]", 'data b = npz("d.npz", x: v, target: s)', "b.x[0]", 'data c = npz("d.npz", x: v, target: t as s)', "c.s[0]",
               'data e = csv("l.csv", target: y) |> lag(1, s)', "e.x[0]", 'data f = csv("l.csv", target: y) |> lag(2, s)', "f.x[0]",
               'data g = csv("l.csv", target: y)', "size(g.x, 0)", 'data h = csv(["l.csv", "m.csv"], target: y)', "size(h.x, 0)"]
    found = regc.ok("repl", cwd=where, stdin="\n".join(entries) + "\n").split("\n")
    demand([line.split() for line in found if line] == [["0"], ["10"], ["30"], ["1", "0"], ["2", "1", "0"], ["5"], ["6"]], f"{found}")
