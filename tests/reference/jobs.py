"""scikit-learn's figures for examples/breast_cancer.reg, wine.reg and randhie.reg, on the rows that regc puts into the test parts, and
statsmodels' for sunspots.reg; both for those of examples/jobs, whose files are those of Debian's packages:
jobs.py REGC; for that of Fashion-MNIST, which takes minutes, jobs.py fashion. They stand in the examples' comments; nothing runs this in the tests. Last, a table of two million rows that is made here: both mean losses on the
quarter that was not fitted, with the seconds of processor from the files to there."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from statsmodels.tsa.ar_model import AutoReg

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def ids(regc, program, data):
    """Row numbers of a part, by pieces of at most 64, which `regc eval` prints."""
    out, size = [], json.loads(subprocess.run([regc, "eval", "-f", program, f"size({data}.id, 0)"], capture_output=True, text=True, check=True).stdout)["values"][0]
    for at in range(0, int(size), 50):
        text = f"{data}.id[{at}..{min(at + 50, int(size))}]"
        out += json.loads(subprocess.run([regc, "eval", "-f", program, text], capture_output=True, text=True, check=True).stdout)["values"]
    return [int(i) for i in out]


def accuracy(regc, program, data, table):
    train, test = (ids(regc, program, f"{data}.{part}") for part in ("train", "test"))
    x, y = table[:, :-1], table[:, -1].astype(int)
    scale = StandardScaler().fit(x[train])
    model = LogisticRegression(C=1 / (1e-2 * len(train)), multi_class="multinomial", max_iter=10000, tol=1e-10).fit(scale.transform(x[train]), y[train])
    return (model.predict(scale.transform(x[test])) == y[test]).mean()


def visits(regc):
    """The mean loss of a Poisson regression on the test rows; what is learned (texts, means, deviations) is the training rows'."""
    import pandas
    from sklearn.linear_model import PoissonRegressor
    program = EXAMPLES / "randhie.reg"
    train, test = (ids(regc, program, f"visits.{part}") for part in ("train", "test"))
    table = pandas.read_csv(EXAMPLES / "data" / "randhie.csv")
    table["health"] = table["health"].fillna(table["health"].iloc[train].mode()[0])
    table = pandas.get_dummies(table.replace({"yes": 1, "no": 0}), columns=["health"])
    table = table.fillna(table.iloc[train].mean())
    x, y = table.drop(columns="mdvis").to_numpy(float), table["mdvis"].to_numpy(float)
    scale = StandardScaler().fit(x[train])
    model = PoissonRegressor(alpha=1e-2, tol=1e-10, max_iter=10000).fit(scale.transform(x[train]), y[train])
    mean = model.predict(scale.transform(x[test]))
    return (mean - y[test] * np.log(mean)).mean()


LARGE = """data d = csv("train.csv", target: y) |> one_hot(kind) |> standardize with test = csv("test.csv")
model line(x: [..]) -> [1] = x |> dense(1)
train line on d {
  loss     binary_cross_entropy(line(x), y)
  penalize w in line.*.weight : 1e-3 * l2(w)
  solve    to gap 1e-8
}
e = evaluate line on d.test { nll = binary_cross_entropy(line(x), y) }
report e.nll
"""


def large(regc, folder, n=2_000_000):
    import resource
    import time
    import pandas
    from sklearn.metrics import log_loss
    rng = np.random.default_rng(0)
    d = pandas.DataFrame({"a": rng.normal(size=n).round(3), "b": rng.normal(size=n).round(3), "c": rng.integers(0, 100, n), "kind": np.array(["red", "green", "blue"])[rng.integers(0, 3, n)]})
    d["y"] = (rng.random(n) < 1 / (1 + np.exp(-(d.a - 0.5 * d.b + 0.01 * d.c - 0.5 + (d.kind == "red"))))).astype(int)
    at = n * 3 // 4
    d[:at].to_csv(folder / "train.csv", index=False)
    d[at:].to_csv(folder / "test.csv", index=False)
    out = subprocess.run([regc, "run", "--json", "--out=", "-"], input=LARGE, cwd=folder, capture_output=True, text=True, check=True).stdout
    ours = next(e["value"] for e in map(json.loads, out.splitlines()) if e["event"] == "report")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.process_time()
    train, test = (pandas.get_dummies(pandas.read_csv(folder / f"{part}.csv"), columns=["kind"]) for part in ("train", "test"))
    y, truth = train.pop("y"), test.pop("y")
    scale = StandardScaler().fit(train)
    model = LogisticRegression(C=1 / (1e-3 * at), tol=1e-8).fit(scale.transform(train), y)
    theirs = log_loss(truth, model.predict_proba(scale.transform(test))[:, 1])
    return ours, used.ru_utime + used.ru_stime, theirs, time.process_time() - begin


SKLEARN, STATSMODELS = (Path("/usr/lib/python3/dist-packages") / name / "datasets" for name in ("sklearn", "statsmodels"))


def diabetes(regc):
    """r2 and mean squared error of the part that was not fitted."""
    from sklearn.linear_model import Ridge
    x, y = (np.loadtxt(SKLEARN / "data" / f"diabetes_{name}.csv.gz") for name in ("data_raw", "target"))
    train, test = (ids(regc, EXAMPLES / "jobs" / "diabetes.reg", f"diabetes.{part}") for part in ("train", "test"))
    scale = StandardScaler().fit(x[train])
    model = Ridge(alpha=1e-2 * len(train), tol=1e-12).fit(scale.transform(x[train]), y[train])
    return model.score(scale.transform(x[test]), y[test]), ((model.predict(scale.transform(x[test])) - y[test]) ** 2).mean()


def iris(regc):
    """Accuracy and mean negative log likelihood."""
    from sklearn.metrics import log_loss
    table = np.loadtxt(SKLEARN / "data" / "iris.csv", delimiter=",", skiprows=1)
    x, y = table[:, :4], table[:, 4].astype(int)
    train, test = (ids(regc, EXAMPLES / "jobs" / "iris.reg", f"iris.{part}") for part in ("train", "test"))
    scale = StandardScaler().fit(x[train])
    model = LogisticRegression(C=1 / (1e-2 * len(train)), multi_class="multinomial", max_iter=10000, tol=1e-10).fit(scale.transform(x[train]), y[train])
    return model.score(scale.transform(x[test]), y[test]), log_loss(y[test], model.predict_proba(scale.transform(x[test])))


def engel():
    """Intercept and slope of the first quartile."""
    import pandas
    from statsmodels.formula.api import quantreg
    return quantreg("foodexp ~ income", pandas.read_csv(STATSMODELS / "engel" / "engel.csv")).fit(q=0.25, max_iter=10000, p_tol=1e-12).params


def fair(regc):
    """The mean negative log likelihood of the part that was not fitted."""
    import pandas
    from statsmodels.api import Logit, add_constant
    table = pandas.read_csv(STATSMODELS / "fair" / "fair.csv")
    had, x = (table.pop("affairs") > 0).to_numpy(float), add_constant(table.to_numpy(float))
    train, test = (ids(regc, EXAMPLES / "jobs" / "fair.reg", f"survey.{part}") for part in ("train", "test"))
    p = Logit(had[train], x[train]).fit(disp=0, tol=1e-12).predict(x[test])
    return -np.log(np.where(had[test] == 1, p, 1 - p)).mean()


def fashion():
    """Accuracy and mean negative log likelihood on the test images, passes, seconds of processor."""
    import gzip
    import time
    from sklearn.metrics import log_loss
    def idx(name):
        data = gzip.open(f"/usr/share/datasets/fashion-mnist/{name}.gz").read()
        return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(np.frombuffer(data, ">i4", data[3], 4))
    (x, y), (test, truth) = ((idx(f"{part}-images-idx3-ubyte").reshape(-1, 784) / 255, idx(f"{part}-labels-idx1-ubyte")) for part in ("train", "t10k"))
    begin = time.process_time()
    model = LogisticRegression(C=1 / (1e-3 * len(x)), multi_class="multinomial", max_iter=2000).fit(x, y)
    return model.score(test, truth), log_loss(truth, model.predict_proba(test)), model.n_iter_[0], time.process_time() - begin


def series(table, lags=9):
    y, train = table[:, 1], lags + (len(table) - lags) * 4 // 5
    fitted = AutoReg(y[:train], lags=lags, trend="ct").fit()
    ahead = AutoReg(y, lags=lags, trend="ct").predict(fitted.params, start=train, end=len(y) - 1)
    return ((ahead - y[train:]) ** 2).mean()


if __name__ == "__main__":
    if sys.argv[1] == "fashion":
        print(*(f"{value:.7g}" for value in fashion()))
        sys.exit()
    tables = {name: np.loadtxt(EXAMPLES / "data" / f"{name}.csv", delimiter=",", skiprows=1) for name in ("breast_cancer", "wine_data")}
    print(f"{accuracy(sys.argv[1], EXAMPLES / 'breast_cancer.reg', 'cancer', tables['breast_cancer']):.4f}")
    print(" ".join(f"{accuracy(sys.argv[1], EXAMPLES / 'wine.reg', f'cv[{k}]', tables['wine_data']):.4f}" for k in range(5)))
    print(f"{visits(sys.argv[1]):.4f}")
    print(f"{series(np.loadtxt(EXAMPLES / 'data' / 'sunspots.csv', delimiter=',', skiprows=1)):.2f}")
    for job in (lambda: diabetes(sys.argv[1]), lambda: iris(sys.argv[1]), engel, lambda: [fair(sys.argv[1])]):
        print(*(f"{value:.6g}" for value in job()))
    with tempfile.TemporaryDirectory() as folder:
        print("%.5f in %.1f s, scikit-learn %.5f in %.1f s" % large(str(Path(sys.argv[1]).resolve()), Path(folder)))
