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
        rows.append([i // 4, shop, round(draw.gauss(3, 1), 3), draw.randrange(12), draw.choice(["dry", "wet", "snow"]), round(draw.gauss(10, 4), 2)])
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
    "lags in groups": SOURCE.replace("drop: [%s]", "group: shop, columns: price") + " |> lag(3, sales, group: shop) |> lag(1, price, group: shop) |> difference(price, group: shop)",
    "lags in groups of x": SOURCE % "day, weather" + " |> one_hot(shop) |> lag(2, [sales, price], group: shop)",
    "lags in groups of numbers": SOURCE % "shop, weather" + " |> lag(2, sales, group: visits) |> difference(price, group: visits)",
    "lags of two kinds": SOURCE.replace("drop: [%s]", "group: [shop, weather], columns: price") + " |> lag(1, price, group: shop) |> difference(price) |> lag(2, sales, group: weather)",
    "lags in groups of two": SOURCE.replace("drop: [%s]", "group: shop, drop: day") + " |> lag(1, [price, sales], group: [shop, weather]) |> one_hot",
    "rolling": SOURCE % "day, shop, weather" + " |> rolling(4, sales) |> rolling(3, [price, visits], by: min) |> rolling(5, visits, by: max)",
    "rolling in groups": SOURCE % "day, weather" + " |> rolling(3, sales, group: shop) |> rolling(2, price, by: max, group: shop) |> ordinal(shop)",
}


def lagged(frame, column, by, groups):
    return (frame.groupby(groups)[column] if groups else frame[column]).shift(by)


def rolled(frame, column, k, how, groups=None):
    """Of the rows before, so of a column that is moved by one."""
    moved = frame.assign(moved=lagged(frame, column, 1, groups))
    if not groups:
        return getattr(moved["moved"].rolling(k), how)()
    return getattr(moved.groupby(groups)["moved"].rolling(k), how)().reset_index(level=0, drop=True)


SERIES = {
    "lags in groups": lambda f, _: f[["price"]].assign(**{f"sales lag {k}": lagged(f, "sales", k, "shop") for k in (1, 2, 3)}, **{
        "price lag 1": lagged(f, "price", 1, "shop"), "price difference": f.groupby("shop")["price"].diff()}),
    "lags in groups of x": lambda f, pd: pd.get_dummies(f[["shop", "price", "visits"]], columns=["shop"], prefix_sep="=")[
        [*(f"shop={s}" for s in sorted(f["shop"].unique()) if s != "far"), "price", "visits"]].assign(
            **{f"{c} lag {k}": lagged(f, c, k, "shop") for c in ("sales", "price") for k in (1, 2)}),
    "lags in groups of numbers": lambda f, _: f[["day", "price", "visits"]].assign(
        **{f"sales lag {k}": lagged(f, "sales", k, "visits") for k in (1, 2)}, **{"price difference": f.groupby("visits")["price"].diff()}),
    "lags of two kinds": lambda f, _: f[["price"]].assign(**{
        "price lag 1": lagged(f, "price", 1, "shop"), "price difference": f["price"].diff(),
        **{f"sales lag {k}": lagged(f, "sales", k, "weather") for k in (1, 2)}}),
    "lags in groups of two": lambda f, pd: pd.get_dummies(f[["price", "visits", "weather"]], columns=["weather"], prefix_sep="=").assign(
        **{f"{c} lag 1": lagged(f, c, 1, ["shop", "weather"]) for c in ("price", "sales")}),
    "rolling": lambda f, _: f[["price", "visits"]].assign(**{
        "sales mean 4": rolled(f, "sales", 4, "mean"), "price min 3": rolled(f, "price", 3, "min"), "visits min 3": rolled(f, "visits", 3, "min"),
        "visits max 5": rolled(f, "visits", 5, "max")}),
    "rolling in groups": lambda f, _: f[["shop", "price", "visits"]].assign(
        shop=lambda g: g["shop"].map({s: i for i, s in enumerate(sorted(s for s in g["shop"].unique() if s != "far"))}), **{
            "sales mean 3": rolled(f, "sales", 3, "mean", "shop"), "price max 2": rolled(f, "price", 2, "max", "shop")}),
}


def expected(name):
    import numpy
    import pandas
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler
    frame = pandas.read_csv(io.StringIO(text()))
    if name in SERIES:
        made = SERIES[name](frame, pandas).dropna().astype(float)
        return {"columns": list(made.columns), "x": made.to_numpy().tolist(), "ids": made.index.tolist()}
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
