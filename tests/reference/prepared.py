"""Columns as scikit-learn and pandas prepare them, from tables that are made here: prepared.json, made by prepared.py. compare.py has regc
prepare the same tables. All in doubles; `scale` is that of the first rows, which train."""
import csv
import io
import json
import random
from pathlib import Path

VALUES = Path(__file__).with_name("prepared.json")
ROWS = 60


def table():
    """Rows of a panel: shops mixed, the last one with a single row; numbers, a text, what is missing."""
    draw = random.Random(5)
    rows = [["day", "shop", "price", "visits", "weather", "sales"]]
    for i in range(ROWS):
        shop = "far" if i == 37 else draw.choice(["north", "south", "west, old", "9"])
        rows.append([i // 4, shop, round(draw.gauss(3, 1), 3), draw.randrange(50), draw.choice(["dry", "wet", "snow"]), round(draw.gauss(10, 4), 2)])
    return rows


def text():
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(table())
    return out.getvalue()


TAIL = ' |> split(train: 75%, test: 25%, time: id)\n'
SOURCE = 'data d = csv("t.csv", target: sales, drop: [%s])'
PROGRAMS = {
    "interactions": SOURCE % "day, shop" + " |> one_hot(weather) |> interactions |> standardize",
    "interactions of some": SOURCE % "day, shop" + " |> one_hot(weather) |> log1p(visits) |> interactions(weather, by: visits) |> standardize",
    "squares": SOURCE % "day, shop, weather" + " |> interactions(squares: true) |> standardize",
}


def expected(name):
    import numpy
    import pandas
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler
    frame = pandas.read_csv(io.StringIO(text()))
    train = int(ROWS * 0.75)

    def scaled(x):
        return StandardScaler().fit(x[:train]).transform(x)
    if name == "interactions":
        x = pandas.get_dummies(frame[["price", "visits", "weather"]], columns=["weather"], prefix_sep="=")
        made = PolynomialFeatures(2, interaction_only=True, include_bias=False).fit(x)
        names = list(made.get_feature_names_out())
        kept = [i for i, n in enumerate(names) if n.count("weather=") < 2]
        return {"columns": [names[i].replace(" ", " x ") for i in kept], "x": scaled(made.transform(x)[:, kept]).tolist()}
    if name == "interactions of some":
        x = pandas.get_dummies(frame[["price", "visits", "weather"]], columns=["weather"], prefix_sep="=")
        x["visits"] = numpy.log1p(x["visits"])
        for kind in ("dry", "snow", "wet"):
            x[f"weather={kind} x visits"] = x[f"weather={kind}"] * x["visits"]
        return {"columns": list(x.columns), "x": scaled(x.to_numpy(float)).tolist()}
    x = frame[["price", "visits"]]
    made = PolynomialFeatures(2, include_bias=False).fit(x)
    names = [n.replace(" ", " x ") if " " in n else f"{n[:-2]} x {n[:-2]}" if n.endswith("^2") else n for n in made.get_feature_names_out()]
    return {"columns": names, "x": scaled(made.transform(x)).tolist()}


if __name__ == "__main__":
    VALUES.write_text(json.dumps({name: expected(name) for name in PROGRAMS}) + "\n")
