"""scikit-learn's figures for examples/breast_cancer.reg, wine.reg and randhie.reg, on the rows that regc puts into the test parts:
jobs.py REGC. They stand in the examples' comments; nothing runs this in the tests."""
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

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


if __name__ == "__main__":
    tables = {name: np.loadtxt(EXAMPLES / "data" / f"{name}.csv", delimiter=",", skiprows=1) for name in ("breast_cancer", "wine_data")}
    print(f"{accuracy(sys.argv[1], EXAMPLES / 'breast_cancer.reg', 'cancer', tables['breast_cancer']):.4f}")
    print(" ".join(f"{accuracy(sys.argv[1], EXAMPLES / 'wine.reg', f'cv[{k}]', tables['wine_data']):.4f}" for k in range(5)))
    print(f"{visits(sys.argv[1]):.4f}")
