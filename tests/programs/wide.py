"""`regc eval --dtype f64`: arrays, constants and results have all digits of a double, whatever runs the expression."""
import json
import struct

from programs.cases import demand, folder
from programs.matrices import npy

A, B = [[1 / 3, 2.5e200], [1e-9, 1 + 2**-52]], [[0.1, 0.2], [0.3, 0.7]]


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def evaluate(regc, where, text, *more):
    return json.loads(regc.ok("eval", text, "--dtype", "f64", *more, cwd=where))


def close(found, wanted):
    return all(abs(f - w) <= 4e-16 * abs(w) for f, w in zip(found, wanted, strict=True))


def case_arrays_keep_their_digits(regc):
    where = folder(regc)
    (where / "a.npy").write_bytes(npy(A, wide=True))
    (where / "b.npy").write_bytes(npy(B, wide=True))
    files = ["--in", "a=a.npy", "--in", "b=b.npy"]
    product = [sum(A[i][k] * B[k][j] for k in range(2)) for i in range(2) for j in range(2)]
    for more in ([], ["--interpret"], ["--threads", "2"]):
        found = evaluate(regc, where, "a @ b", *files, *more)
        demand(found["dtype"] == "f64" and close(found["values"], product), f"{more}: {found}")
        found = evaluate(regc, where, "sum(a @ b)", "--grad", "b", *files, *more)
        demand(close(found["grad"]["b"]["values"], [A[0][k] + A[1][k] for k in range(2) for _ in range(2)]), f"{more}: {found}")
        found = evaluate(regc, where, "a[[1, 1, 0]] + 0.1", *files, *more)
        demand(found["values"] == [v + 0.1 for row in (A[1], A[1], A[0]) for v in row], f"{more}: {found}")
        found = evaluate(regc, where, "cumsum(sort(b, axis: 0, descending: true), axis: 0)", *files, *more)
        demand(found["values"] == [0.3, 0.7, 0.3 + 0.1, 0.7 + 0.2], f"{more}: {found}")
    done = regc("eval", "sum(a)", *files, cwd=where)
    demand(done.returncode == 65 and "too large for a 32-bit float" in done.stderr, f"{done.returncode}\n{done.stderr}")


def case_large_results_are_written_as_doubles(regc):
    where = folder(regc)
    evaluate(regc, where, "arange(100) / 3", "--out", "out")
    data = (where / "out" / "value.npy").read_bytes()
    demand(b"'<f8'" in data and struct.unpack("<100d", data[-800:]) == tuple(k / 3 for k in range(100)), "other values")


def case_what_a_range_leaves_out_has_no_gradient(regc):
    """At every level of optimization: half of a vector of eight doubles lies before the array of w."""
    where = folder(regc)
    w = [[1.5 + 4 * i + k for k in range(4)] for i in range(16)]
    (where / "p.reg").write_text("fn f(b, w) = grad(sum(b[6..22, 4..8] * w), b)\n")
    (where / "b.npy").write_bytes(npy([[0.5] * 17] * 22, wide=True))
    (where / "w.npy").write_bytes(npy(w, wide=True))
    padded = [0.0] * 6 * 17 + [v for row in w for v in [0.0] * 4 + row + [0.0] * 9]
    for level in "0123":
        evaluate(regc, where, "f(b, w)", "-f", "p.reg", f"-O{level}", "--in", "b=b.npy", "--in", "w=w.npy", "--out", f"out{level}")
        data = (where / f"out{level}" / "value.npy").read_bytes()
        demand(list(struct.unpack("<374d", data[-8 * 374:])) == padded, f"-O{level}: other values")


def case_draws_are_those_of_32_bits(regc):
    where = folder(regc)
    wide, narrow = evaluate(regc, where, "uniform(shape: [50])"), json.loads(regc.ok("eval", "uniform(shape: [50])", cwd=where))
    demand(all(abs(w - n) < 1e-8 for w, n in zip(wide["values"], narrow["values"], strict=True)), f"{wide}\n{narrow}")


def case_other_types_are_refused(regc):
    done = regc("eval", "1", "--dtype", "f16")
    demand(done.returncode == 2 and "f32|f64" in done.stderr, f"{done.returncode}\n{done.stderr}")
