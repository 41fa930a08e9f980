"""What the trainings of a sweep's runs did, epoch by epoch: in the events it is what the same training tells alone, and reports show it."""
import re

from programs.cases import demand, of_kind, placed
from programs.sweeps import HEAD, RECIPES, TABLE, reports, swept

TRAINING = """train net on rows {
  loss     mse(net(x), y)
  penalize w in net.*.weight : lambda * l1(w)
  penalize w in net.*.weight : 1e-3 * l2(w)
  optimize adam(lr: 0.02)
  log      twice = 2 * lambda
  batch    8
  epochs   40
}
e = evaluate net on rows.valid { mse }
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def curves(told, run):
    return next(e for e in of_kind(told, "run") if e["run"] == run)["curves"]


def same(curve, epochs):
    """The curve is that of these events; at how many epochs."""
    at = {e["epoch"]: e for e in epochs}
    for i, number in enumerate(curve["epoch"]):
        e = at[number]
        demand(curve["loss"][i] == e["loss"] and curve["objective"][i] == e["objective"], f"epoch {number}: {curve['loss'][i]}, {e['loss']}")
        for part in "terms", "valid", "logs":
            demand({k: v[i] for k, v in curve.get(part, {}).items()} == e.get(part, {}), f"epoch {number}: {part}")
    for i, number in enumerate(curve.get("measured", [])):
        demand({k: v[i] for k, v in curve["gradients"].items()} == at[number]["gradients"], f"norms behind epoch {number}")
    return len(curve["epoch"])


def case_curves_of_runs_are_those_of_each_alone(regc):
    """A few dozen epochs are kept, the last among them; gradients are measured after 32 updates, 128, and at the end."""
    for epochs, kept in ((40, 40), (112, 28)):
        text = TRAINING.replace("epochs   40", f"epochs   {epochs}")
        told = reports(regc, swept("lambda in [0, 1e-2, 0.3], seed in 3..4", text))[2]
        for run, (value, seed) in enumerate((v, s) for v in ("0", "1e-2", "0.3") for s in (3, 4)):
            alone = reports(regc, HEAD + f"let lambda = {value}\n" + text, "--seed", str(seed))[2]
            curve, = curves(told, run)
            count = same(curve, of_kind(alone, "epoch"))
            demand(count == kept and curve["epoch"][-1] == epochs and curve["epoch"][0] == epochs // kept, f"{curve['epoch']}")
            demand(curve["measured"] == [8, 32, epochs] and set(curve["gradients"]) == {"loss", "l1", "l2"}, f"{curve['measured']}")
            demand(curve["train"] == "net" and set(curve["logs"]) == {"twice"} and set(curve["valid"]) == {"loss", "mse"}, f"{curve}")


def case_curves_of_runs_that_do_not_end(regc):
    body = TRAINING.replace("adam(lr: 0.02)", "sgd(lr: if step < 20 then 0.01 else rate)").replace("lambda", "0")
    told = reports(regc, swept("rate in [0.01, 1e30]", body), code=3)[2]
    curve, = curves(told, 1)
    demand(curve["epoch"] == [1, 2, 3, 4, 5] and "measured" not in curve and curve["loss"] == curves(told, 0)[0]["loss"][:5], f"{curve}")
    halved = swept("rate in log(1e-3 .. 0.1) by halving(e.mse, trials: 9)", TRAINING.replace("lambda", "0").replace("0.02", "rate").replace("epochs   40", "epochs   36"))
    told = reports(regc, halved)[2]
    ended = sorted(c["epoch"][-1] for e in of_kind(told, "run") for c in e["curves"])
    demand(ended == 6 * [4] + 2 * [12] + [36], f"{ended}")
    demand(all(c["epoch"] == list(range(1, len(c["epoch"]) + 1)) for e in of_kind(told, "run") for c in e["curves"]), "epochs are missing")


def case_curves_of_several_trainings_and_of_sweeps_in_runs(regc):
    body = TRAINING.replace("epochs   40", "epochs   2")
    inner = f"repeat 20 {{\n{body}}}\nsweep k in 1..2 as inner {{\n{body.replace('lambda', 'k * lambda')}}}\nm = mean(inner.e.mse)\n"
    told = reports(regc, swept("lambda in [0, 1e-2]", inner))[2]
    found = curves(told, 1)
    demand([c.get("act", 1) for c in found] == list(range(1, 17)) and all(c["epoch"] == [1, 2] for c in found), f"{found}")


def case_reports_tell_what_the_runs_of_a_sweep_did(regc):
    """Variants are compiled where they are first needed, on any thread; a sweep in a loop is told each time that it acts."""
    recipes = RECIPES.replace("HOW", "[plain, without sparse, with slow]").replace(" as s {", ", seed in 1..2 as s {").replace("epochs   2", "epochs   9")
    text = recipes + "repeat 2 {\n  sweep rate in [1e30, 0.01] as twice {\n    train net on rows with plain(rate: rate)\n    v = rate\n  }\n}\n"
    where = placed(regc, text, TABLE)
    done = regc("run", "p.reg", "--quiet", "--threads=2", "--out=out", cwd=where)
    demand(done.returncode == 3, done.stderr)
    told = regc.ok("report", "out", cwd=where)
    sections = re.split(r"^(?! )", told, flags=re.M)
    found = {s.splitlines()[0]: s.splitlines()[1:] for s in sections if s}
    for title, lines in (("Sweep s: loss in net", ["plain", "without sparse", "with slow"]), ("Sweep s: l1 in net", ["plain", "with slow"]),
                         ("Sweep s: gradient norm of loss in net", ["plain", "without sparse", "with slow"]), ("Sweep s: validation loss in net", ["plain", "without sparse", "with slow"])):
        demand(title in found and found[title][0].strip() == "each line is the mean over seeds", f"{title}: {told}")
        demand([re.split(r"  +", line.strip())[0] for line in found[title][1:]] == [f"how {name}" for name in lines], f"{found[title]}")
    demand("Sweep twice: loss in net2" in found and "Sweep twice #2: loss in net2" in found, told)
    rows = [line.split(maxsplit=3) for line in found["Sweep twice #2: runs"]]
    demand(rows[0][:3] == ["run", "rate", "net.loss"] and [r[1] for r in rows[1:]] == ["1e+30", "0.01"], f"{rows}")
    demand("diverged: " in found["Sweep twice #2: runs"][1] and found["Sweep twice #2: runs"][2].endswith("finished"), f"{rows}")
    demand(re.search(r"^ +0 +plain +1 +[\d.]+ .* finished$", told, re.M), told)


def case_lines_of_other_epochs_are_told_at_theirs(regc):
    """In the table behind a plot a run that ended early has no numbers further on, and thinned curves are where they are."""
    body = TRAINING.replace("adam(lr: 0.02)", "sgd(lr: if step < 20 then 0.01 else rate)").replace("lambda", "0").replace("epochs   40", "epochs   60")
    where = placed(regc, swept("rate in [1e30, 0.01]", body), TABLE)
    regc("run", "p.reg", "--quiet", "--out=out", cwd=where)
    regc.ok("report", "out", "-o", "r.html", cwd=where)
    page = (where / "r.html").read_text()
    section = page[page.index("<h2>Sweep s: loss in net"):]
    rows = [re.findall(r"<t[hd]>(.*?)</t[hd]>", line) for line in section[:section.index("</section>")].splitlines() if line.startswith("<tr>")]
    demand(rows[0] == ["epoch", "rate 1e+30", "rate 0.01"] and [r[0] for r in rows[1:6]] == ["1", "2", "3", "4", "5"], f"{rows[:7]}")
    demand(all(bool(a) == (int(n) <= 5) and bool(b) == (int(n) % 2 == 0) for n, a, b in rows[1:]) and rows[-1][0] == "60", f"{rows}")
