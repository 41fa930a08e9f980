"""Programs with factorizations: the penalties on singular values train as NumPy says, a matrix that cannot be factored ends the
run with 65, place and shape, whatever runs it; the bits are the same for any number of threads.

`cd tests && python3 -m programs.matrices` (with NumPy) prints TRAINED anew."""
import json
import struct

from programs.cases import demand, events, folder, of_kind
from programs.standalone import build

X = [[((7 * i + 3 * j) % 11 - 5) / 4 + (i * j % 3) / 8 for j in range(4)] for i in range(12)]
Y = [1.5 * x[0] - x[1] + 0.25 * x[2] * x[3] for x in X]
A = [[0.5, -0.25, 1], [0.75, 0.5, -0.5], [-1, 0.25, 0.125], [0.25, 1, 0.5]]
B = [[0.5], [-0.75], [1]]
LR, STRENGTH, STEPS = 0.02, 0.1, 12
# After 1, 6 and 12 steps: the loss and the norm that the step saw.
TRAINED = {
    "nuclear_norm": [(1, 0.353790283203125, 3.7634662002027564), (6, 0.12672218606501404, 3.731351546189434), (12, 0.039213993270081106, 3.7068852703583324)],
    "spectral_norm": [(1, 0.353790283203125, 1.4182205586338648), (6, 0.12561836153660058, 1.3961428331926802), (12, 0.037705293836954895, 1.3804225951845093)],
}
PROGRAM = f"""data t = csv("t.csv", target: y)
layer linear(x: [n, 4]) -> [n, 1] {{
  param a: [4, 3] = {A}
  param b: [3, 1] = {B}
  x @ a @ b
}}
model net(x: [4]) -> [1] = x |> linear as two
train net on t {{
  loss     mse(net(x), y)
  penalize w in net.two.a : {STRENGTH} * PENALTY(w)
  optimize sgd(lr: {LR})
  batch    12
  epochs   {STEPS}
}}
"""


def trained(penalty):
    """The same training in NumPy, in double: (loss, norm) of each step."""
    import numpy as np

    x, y, a, b = (np.array(v) for v in (X, Y, A, B))
    seen = []
    for _ in range(STEPS):
        u, s, vt = np.linalg.svd(a, full_matrices=False)
        r = (x @ a @ b)[:, 0] - y
        nuclear = penalty == "nuclear_norm"
        seen.append((float(np.mean(r * r)), float(s.sum() if nuclear else s[0])))
        g = 2 / len(y) * x.T @ r[:, None]
        pull = u @ vt if nuclear else np.outer(u[:, 0], vt[0])
        a, b = a - LR * (g @ b.T + STRENGTH * pull), b - LR * a.T @ g
    return seen


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def table(regc, rows):
    where = folder(regc)
    (where / "t.csv").write_text("a,b,c,d,y\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows))
    return where


def case_norms_of_singular_values_train(regc):
    where = table(regc, [[*x, y] for x, y in zip(X, Y)])
    for penalty, values in TRAINED.items():
        (where / "p.reg").write_text(PROGRAM.replace("PENALTY", penalty))
        found = of_kind(events(regc, "--out", where / penalty, where / "p.reg"), "epoch")
        for step, loss, norm in values:
            epoch = found[step - 1]
            term = epoch["terms"][penalty] / STRENGTH
            demand(abs(epoch["loss"] - loss) < 1e-4 * loss and abs(term - norm) < 1e-4 * norm,
                   f"{penalty}, step {step}: {epoch['loss']}, {term}; NumPy says {loss}, {norm}")
        regc.ok("run", "--check", "--steps", "2", "--out=", "p.reg", cwd=where)


def case_equal_bits_for_any_number_of_threads(regc):
    where = folder(regc)
    (where / "p.reg").write_text("""fn f(x) {
  u, s, v = svd(x)
  w, e = eigh(x @ transpose(x))
  q, r = qr(x)
  sum(u) + sum(s^2) + sum(v) + sum(w * e[.., 0]) + sum(q) + sum(r) + sum(inverse(x @ transpose(x) + eye(8)))
}
fn g(x) = sum(grad(f(x), x)^2) + f(x)
""")
    texts = {regc.ok("eval", "g(normal([40, 8, 9]))", "-f", "p.reg", "--threads", n, cwd=where) for n in ("1", "2", "5")}
    demand(len(texts) == 1, f"{texts}")


REFUSED = [("cholesky(m - 3 * eye(2))", "the matrix [2, 2] is not positive definite"), ("solve(m - m, [1, 2])", "the matrix [2, 2] is singular"),
           ("solve([[1, 2, 3], [4, 5, 6], [7, 8, 9]], [1, 2, 3])", "the matrix [3, 3] is singular"),
           ("solve_triangular([[1, 0], [1, 0]], [1, 2])", "the matrix [2, 2] is singular"), ("sum(singular_values(m / 0))", "the matrix [2, 2] has an element that is infinite or NaN"),
           ("logdet(log(-m))", "the matrix [2, 2] has an element that is infinite or NaN"), ("nuclear_norm(m / 0)", "the matrix [2, 2] has an element that is infinite or NaN"),
           ("solve(m, [1, 1 / 0])", "the matrix [2, 2] has an element that is infinite or NaN"),
           ("inverse(stack(m, m - m, m))", "matrix 1 of 3 of shape [2, 2] is singular")]


def case_what_cannot_be_factored_is_told(regc):
    where = folder(regc)
    (where / "m.npy").write_bytes(npy([[2, 1], [1, 2]]))
    for text, message in REFUSED:
        for more in ([], ["--interpret"]):
            done = regc("eval", text, "--in", "m=m.npy", *more, cwd=where)
            demand(done.returncode == 65 and f"<expression>:1:" in done.stderr and f"{message} [bad_matrix]" in done.stderr,
                   f"{text} {more}: {done.returncode}\n{done.stdout}{done.stderr}")
    (where / "c.reg").write_text("fn f(x) = cholesky(x)\ncheck sum(f([[1, 2], [2, 1]])) : value == 1\n")
    done = regc("gradcheck", "c.reg", cwd=where)
    demand(done.returncode == 65 and "c.reg:1:11: the matrix [2, 2] is not positive definite" in done.stderr, f"{done.returncode}\n{done.stderr}")


def case_a_matrix_stops_a_training_and_a_binary(regc):
    where = table(regc, [[*x, y] for x, y in zip(X, Y)])
    (where / "p.reg").write_text(PROGRAM.replace("PENALTY(w)", "sum(cholesky(transpose(w) @ w - 1.2 * eye(3)))"))
    message = "p.reg:10:39: the matrix [3, 3] is not positive definite"
    done = regc("run", "--progress", "none", "--out", "out", "p.reg", cwd=where)
    demand(done.returncode == 65 and message in done.stderr, f"{done.returncode}\n{done.stderr}")
    demand(not (where / "out" / "weights.safetensors").exists(), "weights were written")
    last = json.loads(regc("run", "p.reg", "--json", "--out=", cwd=where).stdout.splitlines()[-1])
    demand(last["event"] == "error" and last["name"] == "bad_matrix" and last["code"] == 65, f"{last}")
    done = build(regc, where / "p.reg")("-q", "--out=", cwd=where)
    demand(done.returncode == 65 and message[5:] in done.stderr, f"{done.returncode}\n{done.stderr}")


def npy(rows, wide=False):
    """A matrix in NumPy's format."""
    header = str({"descr": "<f8" if wide else "<f4", "fortran_order": False, "shape": (len(rows), len(rows[0]))})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    values = [v for row in rows for v in row]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}{'d' if wide else 'f'}", *values)


if __name__ == "__main__":
    for name in ("nuclear_norm", "spectral_norm"):
        print(f'    "{name}": {[(k, *trained(name)[k - 1]) for k in (1, 6, 12)]},')
