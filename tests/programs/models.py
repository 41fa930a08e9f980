"""Models that are made of models. Each `case_*` function takes the compiler and raises Failure."""
import json
import subprocess

from programs.cases import demand, events, folder, of_kind, placed, written
from programs.standalone import build
from programs.sweeps import TABLE, reports
from reference.compare import demand_close, flatten, read_weights, write_weights
from run import ROOT

REFERENCE = json.loads((ROOT / "tests/reference/models.json").read_text())


def all_cases():
    trained = [(f"models: {c['name']} as in PyTorch", lambda regc, c=c: as_in_torch(regc, c)) for c in REFERENCE["cases"]]
    return trained + [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def as_in_torch(regc, case):
    """From equal weights, after equal steps: equal to rounding."""
    home = folder(regc)
    rows = [[*x, y] for x, y in zip(*REFERENCE["data"].values(), strict=True)]
    lines = ["a,b,c,y", *(",".join(f"{v:.17g}" for v in row) for row in rows)]
    (home / "rows.csv").write_text("\n".join(lines) + "\n")
    (home / "program.reg").write_text('data rows = csv("rows.csv", target: y)\n' + case["program"])
    write_weights(home / "start.safetensors", case["start"])
    regc.ok("run", "--progress", "none", "--weights", home / "start.safetensors", "--out", home / "out", home / "program.reg")
    found = read_weights(home / "out/weights.safetensors")
    demand(set(found) == set(case["end"]), f"the tensors are {sorted(found)}")
    for name, nested in case["end"].items():
        demand_close(f"{case['name']}: {name}", found[name], flatten(nested))


FOLLOWED = f"""data digits = csv("{ROOT}/examples/data/digits.csv", target: label)
  |> scale(1/16)
  |> split(train: 60%, valid: 20%, test: 20%, stratify: label, seed: 1)
model mlp(x: [64], width: int) -> [10] = x |> dense(width) as hidden |> batch_norm |> relu |> dropout(0.2) |> dense(10)
model net = new mlp(width: 16)
model pair[2] = new mlp(width: 8)
model mean_of(x: [64]) -> [10] = mean(each m in pair : m(x), axis: 0)
layer scaled(w: [i, o]) {{
  param by: [o] = 1
  by * w
}}
model tuned = net with w in net.*.weight as scaled(w)
let average = ema(net, decay: 0.95)
let last = snapshot(net, each: epoch)

train net on digits {{
  loss     cross_entropy(net(x), label) + 0.1 * mean((softmax(net(x)) - softmax(average(x)))^2)
  penalize : 1e-3 * norm(net.* - last.*)
  optimize adam(lr: 1e-2)
  epochs   3
}}
train tuned on digits {{
  loss     cross_entropy(tuned(x), label)
  optimize sgd(lr: 0.05)
  epochs   2
}}
train mean_of on digits {{
  loss     kl(softmax(average(x)), softmax(mean_of(x)))
  optimize adam(lr: 3e-2) |> clip_by_norm(1) |> accumulate(every: 2) |> lookahead
  epochs   2
}}
evaluate average on digits.test {{ accuracy }}
evaluate tuned on digits.test {{ accuracy }}
evaluate pair[1] on digits.test {{ accuracy }}
evaluate mean_of on digits.test {{ accuracy }}
"""


def case_models_of_models_have_the_same_bits(regc):
    """In pieces, on one thread, as a binary: the same weights and predictions, those of followers among them."""
    home = folder(regc)
    (home / "program.reg").write_text(FOLLOWED)
    whole = home / "whole"
    found = events(regc, "--out", whole, "--threads", "2", home / "program.reg")
    demand(all(e["metrics"]["accuracy"] > 0.4 for e in of_kind(found, "evaluate")), "little was learned")
    for steps in ("20", "60", "110", "150"):
        regc("run", "--progress", "none", "--steps", steps, "--resume", "--out", home / "pieces", home / "program.reg")
    regc.ok("run", "--progress", "none", "--resume", "--threads", "1", "--out", home / "pieces", home / "program.reg")
    regc.ok("build", home / "program.reg", "-o", home / "binary")
    subprocess.run([home / "binary", "--out", home / "binary-out"], check=True, capture_output=True, cwd=home)
    names = [f.name for f in sorted(whole.iterdir()) if f.suffix in (".safetensors", ".csv") and "checkpoint" not in f.name]
    demand(len(names) == 7, f"the run left {names}")
    for other in ("pieces", "binary-out"):
        for name in names:
            demand((whole / name).read_bytes() == (home / other / name).read_bytes(), f"{other}: {name} differs")
    held = set(read_weights(whole / "weights-net.safetensors"))
    demand({"average.hidden.weight", "last.hidden.bias", "net.hidden.weight"} <= held, f"the weights of net are {sorted(held)}")
    held = set(read_weights(whole / "weights-mean_of.safetensors"))
    demand({name.split(".")[0] for name in held} == {"pair[0]", "pair[1]"}, f"the weights of mean_of are {sorted(held)}")


def case_models_of_models_are_loaded(regc):
    """Each in another program, from what its training left: derived ones, and those that call others. Equal predictions."""
    home = folder(regc)
    (home / "program.reg").write_text(FOLLOWED)
    first = of_kind(events(regc, "--out", home / "out", home / "program.reg"), "evaluate")
    (home / "again.reg").write_text(FOLLOWED[:FOLLOWED.index("let average")] + """
model other(x: [64]) -> [10] = x |> dense(10)
let old_tuned = load("out/weights-tuned.safetensors", as: tuned)
let old_mean = load("out/weights-mean_of.safetensors", as: mean_of)
model halved = old_tuned with w in net.hidden.weight as 0.5 * w
evaluate old_tuned on digits.test { accuracy }
train other on digits {
  loss     kl(softmax(old_mean(x)), softmax(other(x)))
  optimize adam(lr: 1e-2)
  epochs   1
}
evaluate old_tuned on digits.test { accuracy }
evaluate load("out/weights-mean_of.safetensors", as: mean_of) on digits.test { accuracy }
evaluate halved on digits.test { accuracy }
""")
    again = of_kind(events(regc, "--out", home / "again", home / "again.reg"), "evaluate")
    tuned, mean = first[1]["metrics"], first[3]["metrics"]
    demand([e["metrics"] for e in again[:3]] == [tuned, tuned, mean], f"{[e['metrics'] for e in again]}, {tuned}, {mean}")
    rows = [[float(v) for line in (home / name).read_text().splitlines()[1:] for v in line.split(",")]
            for name in ("out/predictions-2-digits.test.csv", "again/predictions-1-digits.test.csv")]
    demand_close("predictions", rows[1], rows[0])  # known numbers are put together before anything runs
    regc.ok("build", "-q", home / "again.reg", "-o", home / "binary")
    subprocess.run([home / "binary", "--out", home / "binary-out"], check=True, capture_output=True, cwd=home)
    for n in range(1, 5):
        name = f"predictions-{n}-digits.test.csv"
        demand((home / "again" / name).read_bytes() == (home / "binary-out" / name).read_bytes(), f"binary: {name} differs")


def case_models_of_one_structure_start_alike_or_not(regc):
    """In trainings of their own they start at equal weights, so that what differs is what the program says; with a seed of its own, or in one training, at others."""
    text = f"""data d = csv("{ROOT}/examples/data/diabetes.csv", target: progression) |> standardize |> split(train: 80%, test: 20%, seed: 1)
model a(x: [10]) -> [1] = x |> dense(2) |> dense(1)
model b(x: [10]) -> [1] = x |> dense(2) |> dense(1)
model e[2] = new a
train a on d {{ loss squared_error(a(x), progression); optimize sgd(lr: 0); steps 1 }}
train b on d {{ loss squared_error(b(x), progression); optimize sgd(lr: 0); steps 1SEED }}
train e on d {{ loss squared_error(e[0](x), progression) + squared_error(e[1](x), progression); optimize sgd(lr: 0); steps 1 }}
report norm(a.dense1.weight - b.dense1.weight)
report norm(e[0].dense1.weight - e[1].dense1.weight)
"""
    for seed, equal in (("", True), ("; seed 2", False)):
        apart, within = (r["value"] for r in of_kind(events(regc, "--out=", written(regc, text.replace("SEED", seed))), "report"))
        demand((apart == 0) == equal and within > 0.1, f"{seed}: {apart}, in one training {within}")


def case_metrics_name_other_models_before_any_training(regc):
    """Themselves or by a function, these have their initial values."""
    program = """data d = table(8) { x = normal([8, 4]); y = normal([8]) }
model net(x: [4]) -> [3] = x |> dense(3)
model other = new net
model third = new net
fn of_third(x) = norm(third(x))
e = evaluate net on d { own = norm(other(x)), told = of_third(x) }
report e
assert e.own > 0 and e.own == norm(other(d.x)) and e.told == norm(third(d.x))
"""
    regc.ok("run", "-", "--out", "", "--progress", "none", stdin=program)


BESIDE = """data rows = csv("t.csv", target: y) |> split(train: 50%, valid: 50%, seed: 1)
model net(x: [4]) -> [1] = x |> dense(1)
model other(x: [4]) -> [1] = x |> dense(3) |> batch_norm |> tanh |> dense(1)
train net on rows {
  loss mse(net(x), y)
  optimize sgd(lr: 0.1)
  epochs 2
}
OTHER
e = evaluate net on rows.valid { mse, apart = mean((other(x) - net(x))^2), own = mse(other(x), y) }
f = evaluate other on rows.valid { mse, apart = mean((other(x) - net(x))^2), own = mse(net(x), y) }
report e.apart
report e.own
report e.mse
report f.apart
report f.own
report f.mse
"""


def case_an_evaluation_asks_other_models(regc):
    """What another model gives behind a training of this one is what it gives when it is evaluated itself, trained or as it begins."""
    trained = BESIDE[BESIDE.index("train net"):BESIDE.index("OTHER")].replace("net", "other")
    for other in trained, "":
        text = BESIDE.replace("OTHER\n", other)
        told = reports(regc, text)[0]
        demand(told["e.apart"] == told["f.apart"] and told["e.own"] == told["f.mse"] and told["f.own"] == told["e.mse"], f"{told}")
        where = placed(regc, text, TABLE)
        done = build(regc, where / "p.reg")("--json", "--progress", "none", "--out=", cwd=where)
        demand({e["name"]: e["value"] for e in map(json.loads, done.stdout.splitlines()) if e["event"] == "report"} == told, "a binary tells something else")
        swept = text[:text.index("train net")] + "sweep seed in [0] as s {\n" + "".join("  " + line + "\n" for line in text[text.index("train net"):text.index("report")].splitlines()) + "}\nreport s.e.own\n"
        demand(reports(regc, swept)[0]["s.e.own"] == [told["e.own"]], "a run of a sweep tells something else")
