"""A path of 100 lassos, 5000 rows and 1000 columns, beside glmnet (Debian's r-cran-glmnet) on one thread. In: the compiler. Out: for `run`
one object and one text: seconds of the solutions alone on both sides, without reading the table; how far the last coefficients are apart, and
whether their zeros are the same. glmnet: thresh 1e-14, fdev 0, standardize FALSE, so that its strength is ours. The least of the rounds counts."""
import json
import math
import random
import shutil
import struct
import subprocess

ROWS, COLUMNS, STRENGTHS = 5000, 1000, 100
PEER = """suppressMessages(library(glmnet))
d <- as.matrix(read.csv("path.csv")); x <- d[, 1:%d]; y <- d[, %d]; l <- scan("path.lambda", quiet = TRUE)
glmnet.control(fdev = 0)
for (i in 1:%d) for (how in c("covariance", "naive")) {
  t <- system.time(f <- glmnet(x, y, thresh = 1e-14, lambda = l, type.gaussian = how, standardize = FALSE, maxit = 1e7))
  cat(t[["elapsed"]], t[["user.self"]], "\\n")
}
write(as.vector(f$beta[, %d]), "path.beta", ncolumns = 1)
"""


def make(folder):
    """The table, the strengths, and a program; from the strength that leaves nothing to a ten-thousandth of it."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "path.csv"
    if not table.exists():
        rng = random.Random(0)
        truth = [rng.gauss(0, 1) for _ in range(50)]
        rows = []
        for _ in range(ROWS):
            x = [round(rng.gauss(0, 1), 4) for _ in range(COLUMNS)]
            rows.append([*x, round(sum(a * b for a, b in zip(truth, x)) + rng.gauss(0, 3), 4)])
        unfinished = table.with_suffix(".part")
        unfinished.write_text(",".join([*(f"x{k}" for k in range(COLUMNS)), "y"]) + "\n" + "".join(",".join(map(str, r)) + "\n" for r in rows))
        unfinished.rename(table)
    strengths = [3 * math.exp(math.log(1e-4) * k / (STRENGTHS - 1)) for k in range(STRENGTHS)]
    (folder / "path.lambda").write_text("\n".join(map(repr, strengths)) + "\n")
    (folder / "path.reg").write_text(f"""precision f64
data d = csv("path.csv", target: y)
model line(x: [{COLUMNS}]) -> [1] = x |> dense(1) as out
for strength in [{", ".join(map(repr, strengths))}] {{
  train line on d as t {{
    loss     squared_error(line(x), y)
    penalize w in line.*.weight : strength * l1(w)
    solve    to gap 1e-10
  }}
}}
save line to "path.safetensors"
""")


def coefficients(path):
    raw = path.read_bytes()
    n = struct.unpack("<Q", raw[:8])[0]
    begin, end = json.loads(raw[8:8 + n])["line.out.weight"]["data_offsets"]
    return struct.unpack(f"<{(end - begin) // 8}d", raw[8 + n + begin:8 + n + end])


def path(regc, folder, rounds):
    make(folder)
    ours = []
    for _ in range(rounds):
        out = subprocess.run([regc, "run", "--threads", "1", "--json", "--out=", "path.reg"], cwd=folder, check=True, capture_output=True, text=True).stdout
        ours.append(sum(e["seconds"] for e in map(json.loads, out.splitlines()) if e["event"] == "train_end"))
    result = {"workload": "path", "seconds": min(ours)}
    text = f"{'path':14} {min(ours):.2f} s"
    if not shutil.which("Rscript"):
        return result, text + "; no Rscript (Debian: r-cran-glmnet) beside it"
    (folder / "path.R").write_text(PEER % (COLUMNS, COLUMNS + 1, rounds, STRENGTHS))
    done = subprocess.run(["Rscript", "path.R"], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        return result, text + "; glmnet is not installed (Debian: r-cran-glmnet)"
    peer = min(float(line.split()[0]) for line in done.stdout.splitlines())
    w, beta = coefficients(folder / "path.safetensors"), [float(v) for v in (folder / "path.beta").read_text().split()]
    apart, same = max(abs(a - b) for a, b in zip(w, beta)), all((a == 0) == (b == 0) for a, b in zip(w, beta))
    result |= {"peer_seconds": peer, "ratio": peer / min(ours), "apart": apart, "same_zeros": same}
    return result, f"{text}, glmnet {peer:.2f} s, ratio {peer / min(ours):.2f}; coefficients apart by {apart:.1g}, zeros {'the same' if same else 'differ'}"
