#!/usr/bin/env python3
"""Paths of penalized regressions against glmnet, and where it lacks the form (groups of inputs), against block coordinate descent in NumPy.
Run by hand, `paths.py REGC` (Debian's r-cran-glmnet), it writes paths.json: the coefficients at every strength, and what one standard error
chooses of a path by five folds. The tests read that.

glmnet: fdev 0, lambda given, so that no strength is left out, and thresh 1e-22: with 1e-14 its coefficients are up to 4e-4 of 40 from these, for
columns of diabetes are nearly dependent, and come nearer with each digit. Its `standardize` divides columns by the standard deviation with 1/n,
as `standardize` of the data does; its coefficients are those of the columns as they were, here multiplied by the deviations. Its gaussian
objective is sum((y - z)^2) / 2n + lambda (alpha |w|_1 + (1 - alpha) / (2 sd(y)) |w|^2), for it divides y by its deviation before: the square's
strength is the one number that differs. Of several outputs its square is summed over them, `squared_error` is their mean: the strength is
lambda / outputs."""
import csv
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
VALUES = HERE / "paths.json"
DATA = HERE.parents[1] / "examples" / "data"
DIABETES = ('csv("diabetes.csv", target: progression) |> standardize', '[10]')
GROUPS = ("first", "second", "third")


def falling(most, least, n):
    return [float(f"{most * (least / most) ** (k / (n - 1)):.6g}") for k in range(n)]


# Name -> (data, shape of x, model, loss, penalties, strengths).
PATHS = {
    "lasso": (*DIABETES, "[1] = x |> dense(1) as out", "squared_error(line(x), progression)", ["s * l1(w)"], falling(44, 4e-3, 30)),
    "elastic net": (*DIABETES, "[1] = x |> dense(1) as out", "squared_error(line(x), progression)",
                    ["s * (0.4 * l1(w) + 0.6 / std(progression) * l2(w))"], falling(100, 1e-2, 20)),
    "logistic": ('csv("breast_cancer.csv", skip: 1, header: false, target: "30" as benign) |> standardize', "[30]", "[1] = x |> dense(1) as out",
                 "binary_cross_entropy(line(x), benign)", ["s * l1(w)"], falling(0.37, 2e-3, 20)),
    "multinomial": ('csv("wine_data.csv", skip: 1, header: false, target: "13" as kind) |> standardize', "[13]", "[3] = x |> dense(3) as out",
                    "cross_entropy(line(x), kind)", ["s * l1(w)"], falling(0.3, 5e-3, 10)),
    "groups of outputs": ('csv("diabetes.csv", target: [s5, s6, progression]) |> standardize', "[8]", "[3] = x |> dense(3) as out",
                          "squared_error(line(x), stack(s5, s6 / 20, progression / 50, axis: 1))", ["s / 3 * group_lasso(w, axis: 1)"], falling(0.9, 1e-3, 12)),
    "groups of inputs": (*DIABETES, "[1] = (x[.., 0..2] |> dense(1) as first) + (x[.., 2..4] |> dense(1, bias: false) as second) + "
                         "(x[.., 4..] |> dense(1, bias: false) as third)", "squared_error(line(x), progression)",
                         ["s * sqrt(size(w, 0)) * group_lasso(w, axis: 0)"], falling(36, 1e-2, 15)),
}
FOLDS = "data cv = folds((diabetes where id < 440), 5, seed: 1) |> standardize\n"
CHOICES = falling(44, 4e-2, 25)


def program(name):
    data, shape, model, loss, penalties, strengths = PATHS[name]
    parts = GROUPS if name == "groups of inputs" else ("out",)
    reports = "".join(f"  report line.{p}.weight as \"w\"\n" for p in parts) + f"  report line.{parts[0]}.bias as \"b\"\n"
    clauses = "".join(f"    penalize w in line.*.weight : {p}\n" for p in penalties)
    return (f"precision f64\ndata diabetes = {data}\nmodel line(x: {shape}) -> {model}\n"
            f"for s in [{', '.join(map(repr, strengths))}] {{\n  train line on diabetes as t {{\n    loss {loss}\n{clauses}    solve to gap 1e-13\n  }}\n{reports}}}\n")


def choosing():
    return (f"precision f64\ndata diabetes = csv(\"diabetes.csv\", target: progression)\n{FOLDS}model line(x: [10]) -> [1] = x |> dense(1) as out\n"
            f"sweep fold in cv, s in [{', '.join(map(repr, CHOICES))}] as path {{\n  train line on fold {{\n    loss squared_error(line(x), progression)\n"
            "    penalize w in line.*.weight : s * l1(w)\n    solve to gap 1e-12\n  }\n  e = evaluate line on fold.test { mse }\n}\n"
            "report best(path, by: e.mse) as \"least\"\nreport best(path, by: e.mse, rule: one_se) as \"simplest\"\n")


# -- by hand

GLMNET = """suppressMessages(library(glmnet))
glmnet.control(fdev = 0)
tell <- function(name, k, w, b) cat(paste(c(name, k, sprintf("%.12g", c(w, b))), collapse = "\\t"), "\\n", sep = "")
sd1 <- function(x) apply(x, 2, function(v) sqrt(mean((v - mean(v))^2)))
fit <- function(...) glmnet(..., thresh = 1e-22, maxit = 1e8, standardize = TRUE)
d <- as.matrix(read.csv("diabetes.csv")); x <- d[, 1:10]; y <- d[, 11]; m <- colMeans(x)
for (a in c(1, 0.4)) {
  l <- scan(if (a == 1) "lasso" else "elastic net", quiet = TRUE)
  f <- fit(x, y, lambda = l, alpha = a)
  for (k in seq_along(l)) tell(if (a == 1) "lasso" else "elastic net", k, f$beta[, k] * sd1(x), f$a0[k] + sum(f$beta[, k] * m))
}
l <- scan("groups of outputs", quiet = TRUE)
x <- d[, c(1:8)]; y <- cbind(d[, 9], d[, 10] / 20, d[, 11] / 50)
f <- fit(x, y, family = "mgaussian", lambda = l)
for (k in seq_along(l)) {
  w <- sapply(f$beta, function(b) b[, k]); b <- f$a0[, k] + colSums(w * colMeans(x))
  tell("groups of outputs", k, as.vector(t(w * sd1(x))), b)
}
d <- as.matrix(read.csv("breast_cancer.csv", header = FALSE, skip = 1)); x <- d[, 1:30]; y <- d[, 31]
l <- scan("logistic", quiet = TRUE)
f <- fit(x, y, family = "binomial", lambda = l)
for (k in seq_along(l)) tell("logistic", k, f$beta[, k] * sd1(x), f$a0[k] + sum(f$beta[, k] * colMeans(x)))
d <- as.matrix(read.csv("wine_data.csv", header = FALSE, skip = 1)); x <- d[, 1:13]; y <- d[, 14]
l <- scan("multinomial", quiet = TRUE)
f <- fit(x, y, family = "multinomial", lambda = l)
for (k in seq_along(l)) {
  w <- sapply(f$beta, function(b) b[, k])
  tell("multinomial", k, as.vector(t(w * sd1(x))), f$a0[, k] + colSums(w * colMeans(x)))
}
d <- as.matrix(read.csv("diabetes.csv"))[1:440, ]; l <- scan("choices", quiet = TRUE); folds <- scan("folds", quiet = TRUE)
c <- cv.glmnet(d[, 1:10], d[, 11], lambda = l, foldid = folds, thresh = 1e-22, standardize = TRUE)
for (k in seq_along(l)) tell("choices", k, c$cvm[k], c$cvsd[k])
tell("chosen", 1, c$lambda.min, c$lambda.1se)
"""


def by_blocks(strengths):
    """The least squares of diabetes with groups of inputs: each group in turn to its own minimum, by bisection of its norm."""
    import numpy as np
    table = np.loadtxt(DATA / "diabetes.csv", delimiter=",", skiprows=1)
    x, y = table[:, :10], table[:, 10]
    x = (x - x.mean(0)) / x.std(0)
    middle, y = y.mean(), y - y.mean()
    n, groups = len(y), [slice(0, 2), slice(2, 4), slice(4, 10)]
    parts = [np.linalg.eigh(x[:, g].T @ x[:, g] / n) for g in groups]
    w, out = np.zeros(10), []
    for s in strengths:
        for _ in range(100000):
            before = w.copy()
            for g, (values, vectors) in zip(groups, parts):
                t = s * math.sqrt(g.stop - g.start)
                r = y - x @ w + x[:, g] @ w[g]
                c = vectors.T @ (x[:, g].T @ r) / n
                low, high = 0.0, np.linalg.norm(c) / values[0]
                if np.linalg.norm(c) <= t:
                    w[g] = 0
                    continue
                for _ in range(200):  # the norm h of the group's part: h = |c / (values + t / h)|
                    h = (low + high) / 2
                    low, high = (h, high) if np.linalg.norm(c / (values + t / h)) > h else (low, h)
                w[g] = vectors @ (c / (values + t / h))
            if np.abs(w - before).max() < 1e-13:
                break
        out.append([*w, middle])
    return out


def make(regc):
    import numpy as np
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for f in DATA.glob("*.csv"):
            (home / f.name).write_bytes(f.read_bytes())
        for name, (*_, strengths) in PATHS.items():
            (home / name).write_text("\n".join(map(repr, strengths)))
        (home / "choices").write_text("\n".join(map(repr, CHOICES)))
        (home / "folds.reg").write_text(f"data diabetes = csv(\"diabetes.csv\", target: progression)\n{FOLDS}")
        fold = [0] * 440
        for k in range(5):
            subprocess.run([regc, "eval", "-f", "folds.reg", f"cv[{k}].test.id", "--out", "ids"], cwd=home, check=True, stdout=subprocess.DEVNULL)
            for i in np.load(home / "ids" / "value.npy"):
                fold[int(i)] = k + 1
        (home / "folds").write_text("\n".join(map(str, fold)))
        (home / "paths.R").write_text(GLMNET)
        told = subprocess.run(["Rscript", "paths.R"], cwd=home, check=True, capture_output=True, text=True).stdout
    out = {name: [] for name in PATHS} | {"choices": [], "chosen": []}
    for row in csv.reader(told.splitlines(), delimiter="\t"):
        out[row[0]].append([float(v) for v in row[2:]])
    out["groups of inputs"] = [[float(f"{v:.12g}") for v in row] for row in by_blocks(PATHS["groups of inputs"][-1])]
    VALUES.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in out.items()) + "\n}\n")
    print({k: len(v) for k, v in out.items()})


if __name__ == "__main__":
    make(str(Path(sys.argv[1]).resolve()))
