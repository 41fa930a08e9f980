"""Whole programs: what a run must reproduce, report and write. Each `case_*` function takes the compiler and raises
Failure; names are the functions' names."""
import csv
import json
import math
import random
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from run import ROOT, Failure

sys.path[:0] = [str(Path(__file__).resolve().parent)]
import tensors

DIGITS = ROOT / "examples" / "digits.reg"


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def folder(regc):
    return Path(tempfile.mkdtemp(dir=regc.scratch))


def written(regc, text):
    """A program in a folder of its own."""
    path = folder(regc) / "program.reg"
    path.write_text(text)
    return path


def events(regc, *arguments, **options):
    """The events of a run with --json, as dictionaries."""
    out = regc.ok("run", "--json", "--progress", "none", *arguments, **options)
    return [json.loads(line) for line in out.splitlines()]


def placed(regc, text, table):
    """A folder of its own with the program p.reg and its table t.csv."""
    where = folder(regc)
    (where / "t.csv").write_text(table)
    (where / "p.reg").write_text(text)
    return where


def run_ends(regc, where, ended, name, code, good):
    """A run of p.reg ends with this code in every way of running, and leaves no weights; with a good table it does not."""
    for more in ([], ["--check"], ["--threads", "2"]):
        ended(regc("run", "p.reg", "--progress", "none", "--out", "out", *more, cwd=where))
        demand(not (where / "out" / "weights.safetensors").exists(), "weights were written")
    last = json.loads(regc("run", "p.reg", "--json", "--out=", cwd=where).stdout.splitlines()[-1])
    demand(last["event"] == "error" and last["name"] == name and last["code"] == code, f"{last}")
    (where / "t.csv").write_text(good)
    regc.ok("run", "p.reg", "--progress", "none", "--out=", "--check", cwd=where)


def binary_ends(regc, where, build, ended, bad):
    """A binary of p.reg runs with the table that is there, and ends with another one, also where it predicts."""
    binary = build(regc, where / "p.reg")
    binary.ok("-q", "--out", where / "run", cwd=where)
    (where / "t.csv").write_text(bad)
    ended(binary("-q", "--out=", "--data", f"t={where / 't.csv'}", cwd=where))
    ended(binary("predict", "--weights", where / "run", "--in", where / "t.csv", cwd=where))


def of_kind(all_events, kind):
    found = [e for e in all_events if e["event"] == kind]
    if not found:
        raise Failure(f"the run reported no `{kind}` event")
    return found


def demand(condition, text):
    if not condition:
        raise Failure(text)


def weights(regc, *arguments, program=DIGITS, **environment):
    """The bytes of the weights that a run leaves."""
    out = folder(regc)
    regc.ok("run", "--progress", "none", "--out", out, *arguments, program, **environment)
    return (out / "weights.safetensors").read_bytes()


def predictions(path):
    """Class and outputs of each row of predictions.csv."""
    with open(path, newline="") as f:
        rows = list(csv.DictReader(f))
    outputs = [k for k in rows[0] if k.startswith("output_")]
    return [(int(r["label"]), [float(r[k]) for k in outputs]) for r in rows]


def softmax(scores):
    top = max(scores)
    e = [math.exp(s - top) for s in scores]
    return [v / sum(e) for v in e]


def case_digits_learns_and_reports_what_its_predictions_say(regc):
    out = folder(regc)
    evaluation = of_kind(events(regc, "--seed", "1", "--out", out, DIGITS), "evaluate")[-1]["metrics"]
    rows = predictions(out / "predictions.csv")
    n, bins, confusion = len(rows), [[0, 0.0, 0.0] for _ in range(15)], [[0] * 10 for _ in range(10)]
    for label, scores in rows:
        p = softmax(scores)
        guess = scores.index(max(scores))
        confusion[label][guess] += 1
        bin_ = bins[min(max(math.ceil(p[guess] * 15) - 1, 0), 14)]
        bin_[0] += 1
        bin_[1] += guess == label
        bin_[2] += p[guess]
    accuracy = sum(confusion[k][k] for k in range(10)) / n
    ece = sum(abs(b[1] - b[2]) for b in bins) / n
    demand(abs(evaluation["accuracy"] - accuracy) < 1e-5, f"accuracy {evaluation['accuracy']}, from predictions {accuracy}")
    demand(abs(evaluation["ece"] - ece) < 1e-4, f"ece {evaluation['ece']}, from predictions {ece}")
    demand([[round(v) for v in row] for row in evaluation["confusion"]] == confusion,
           f"confusion {evaluation['confusion']}, from predictions {confusion}")


def case_digits_accuracy_over_five_seeds(regc):
    """The same experiment in PyTorch gives 0.9756, and 0.967 without the regularizers."""
    found = [of_kind(events(regc, "--seed", seed, "--out", "", DIGITS), "evaluate")[-1]["metrics"]["accuracy"]
             for seed in range(1, 6)]
    demand(sum(found) / 5 >= 0.970, f"mean test accuracy {sum(found) / 5:.4f} of {found} is below 0.970")
    demand(len(set(found)) > 1, f"five seeds give one accuracy: {found}")


def case_same_weights_for_any_number_of_threads_and_from_the_cache(regc):
    cache = str(folder(regc))
    short = ("--seed", "3", "--steps", "60")
    cold = weights(regc, *short, "--threads", "1", XDG_CACHE_HOME=cache)
    demand(any(Path(cache).rglob("*")), "nothing was written to the object cache")
    warm = weights(regc, *short, "--threads", "1", XDG_CACHE_HOME=cache)
    two = weights(regc, *short, "--threads", "2")
    demand(cold == warm, "weights differ between a cold run and one from the cache")
    demand(cold == two, "weights differ between one thread and two")
    demand(cold != weights(regc, "--seed", "4", "--steps", "60"), "another seed gives the same weights")


def case_compiled_steps_agree_with_the_interpreter(regc):
    done = regc("run", "--check", "--steps", "6", "--out", "", "--progress", "none", DIGITS)
    demand(done.returncode == 0, f"exit code {done.returncode}\n{done.stderr}")


def case_gradient_penalty_agrees_with_the_interpreter(regc):
    done = regc("run", "--check", "--steps", "6", "--out", "", "--progress", "none",
                ROOT / "examples" / "gradient_penalty.reg")
    demand(done.returncode == 0, f"exit code {done.returncode}\n{done.stderr}")


def case_gradient_penalty_learns(regc):
    evaluation = of_kind(events(regc, "--seed", "1", "--out", "", ROOT / "examples" / "gradient_penalty.reg"), "evaluate")
    demand(evaluation[-1]["metrics"]["r2"] > 0.3, f"r2 on new data is {evaluation[-1]['metrics']['r2']}")


def case_own_parts_learn(regc):
    evaluation = of_kind(events(regc, "--seed", "1", "--out", "", ROOT / "examples" / "own_parts.reg"), "evaluate")
    demand(evaluation[-1]["metrics"]["accuracy"] > 0.93, f"accuracy is {evaluation[-1]['metrics']['accuracy']}")


def least_squares(rows, targets):
    """Mean squared residual of the best linear model with a constant, by the normal equations of standardized columns."""
    n, columns = len(rows), []
    for column in zip(*rows):
        centre = sum(column) / n
        spread = math.sqrt(sum((v - centre) ** 2 for v in column) / n)
        columns.append([(v - centre) / spread for v in column])
    centre = sum(targets) / n
    y = [t - centre for t in targets]
    m = [[sum(p * q for p, q in zip(a, b)) for b in columns] + [sum(p * q for p, q in zip(a, y))] for a in columns]
    for k in range(len(m)):
        best = max(range(k, len(m)), key=lambda i: abs(m[i][k]))
        m[k], m[best] = m[best], m[k]
        m = [row if i == k else [v - row[k] / m[k][k] * w for v, w in zip(row, m[k])] for i, row in enumerate(m)]
    weights_ = [m[k][-1] / m[k][k] for k in range(len(m))]
    return sum((y[i] - sum(w * c[i] for w, c in zip(weights_, columns))) ** 2 for i in range(n)) / n


def case_linear_agrees_with_the_closed_form(regc):
    """Without penalty and with whole batches, descent reaches the least-squares solution of the training part."""
    program = """
data d = csv("diabetes.csv", target: progression) |> standardize |> split(train: 80%, test: 20%, seed: 1)
model line(x: [10]) -> [1] = x |> dense(1) as out
train line on d {
  loss     squared_error(line(x), progression)
  optimize sgd(lr: 0.3, momentum: 0.95)
  batch    500
  epochs   3000
  allow(evaluates_training_data)
}
evaluate line on d.train { mse }
"""
    out, source = folder(regc), ROOT / "examples" / "data"
    found = of_kind(events(regc, "--out", out, "-", stdin=program, cwd=source), "evaluate")[-1]["metrics"]["mse"]
    with open(source / "diabetes.csv", newline="") as f:
        table = [[float(v) for v in row] for row in list(csv.reader(f))[1:]]
    with open(out / "predictions.csv", newline="") as f:
        part = [table[int(row["id"])] for row in csv.DictReader(f)]
    expected = least_squares([row[:-1] for row in part], [row[-1] for row in part])
    demand(abs(found / expected - 1) < 1e-4, f"training mse {found}, least squares {expected} on {len(part)} rows")


def case_epochs_report_terms_apart(regc):
    epochs = of_kind(events(regc, "--seed", "1", "--steps", "80", "--out", "", DIGITS), "epoch")
    terms = epochs[0]["terms"]
    demand(set(terms) >= {"l2", "group_lasso"}, f"terms of an epoch: {sorted(terms)}")
    demand(all(math.isfinite(v) and v >= 0 for v in terms.values()), f"terms {terms}")
    demand("loss" in epochs[0]["valid"], f"validation part of an epoch: {epochs[0].get('valid')}")


def case_run_folder_tells_the_run(regc):
    out = folder(regc)
    regc.ok("run", "--steps", "30", "--progress", "none", "--out", out, DIGITS)
    demand((out / "program.reg").read_text() == DIGITS.read_text(), "program.reg is not the program")
    demand("seed" in (out / "run.json").read_text(), "run.json does not tell the seed")
    for line in (out / "metrics.jsonl").read_text().splitlines():
        json.loads(line)
    data = (out / "weights.safetensors").read_bytes()
    header = json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])
    demand(header["net.hidden.weight"]["shape"] == [64, 128], f"net.hidden.weight is {header.get('net.hidden.weight')}")


def case_set_replaces_a_definition(regc):
    program = "let strength = 2\npenalty p(w: [..]) = strength * sum(w)\ncheck p([1, 2]) : value == 15\n"
    path = folder(regc) / "set.reg"
    path.write_text(program)
    demand(regc("gradcheck", path).returncode == 4, "a check that is false does not end with 4")
    regc.ok("gradcheck", "--set", "strength=5", path)


def case_divergence_names_its_place(regc):
    program = re.sub(r"adamw\(.*\)", "sgd(lr: 1e30)", DIGITS.read_text())
    program = program.replace("  allow(coupled_l2_adaptive)", "  seed 1  #").replace('"data/', f'"{ROOT}/examples/data/')
    path = folder(regc) / "diverge.reg"
    path.write_text(program)
    done = regc("run", "--progress", "none", "--out", "", path)
    demand(done.returncode == 3, f"exit code {done.returncode}\n{done.stderr}")
    demand(re.search(r"step \d+", done.stderr), f"the message names no step\n{done.stderr}")


def case_words_of_others_on_the_command_line(regc):
    for arguments, hint in ((("eval", "-mean([1, 2])"), "regc eval -- '-mean([1, 2])'"), (("doc", "AdamW"), "did you mean `adamw`?"),
                            (("doc", "where"), "if c then a else b"), (("check", "-W", "no-shape_mismatch", "-"), "no-shape_mismatch")):
        done = regc(*arguments)
        demand(done.returncode == 2 and hint in done.stderr, f"{arguments}: {done.returncode}\n{done.stderr}")
    demand('"values":[-1.5]' in regc.ok("eval", "--", "-mean([1, 2])"), "an expression that starts with a minus")


def case_library_is_documented(regc):
    sources = {path.stem: path.read_text() for path in sorted((ROOT / "stdlib").rglob("*.reg"))}
    names = {stem: re.search(r"^(?:layer|fn|penalty|loss|schedule|optimizer|metric|let|procedure|recipe|data) (\w+)", text, re.M)[1]
             for stem, text in sources.items()}
    shown, listed = regc.ok("doc", *names.values()), regc.ok("doc")
    for stem, text in sources.items():
        first = text.splitlines()[0].removeprefix("## ").split(".")[0][:40]
        demand(first in shown, f"`regc doc {names[stem]}` does not show its documentation")
        demand(re.search(rf"^  {names[stem]} +{re.escape(first)}", listed, re.M), f"`regc doc` does not list {names[stem]}")


def case_sam_without_a_radius_is_its_base(regc):
    """`apply base with …` makes the base's step: with rho 0 the gradient is the objective's own."""
    source = DIGITS.read_text().replace('"data/', f'"{ROOT}/examples/data/')
    programs = []
    for k, optimizer in enumerate(["sgdw(lr: 0.1, momentum: 0.9)", "sam(rho: 0, base: sgdw(lr: 0.1, momentum: 0.9))", "sam(rho: 0.1)"]):
        programs.append(folder(regc) / f"sam{k}.reg")
        programs[-1].write_text(re.sub(r"adamw\(.*\)", optimizer, source))
    base, still, moved = (weights(regc, "--steps", "50", program=p) for p in programs)
    demand(base == still, "sam(rho: 0) and its base leave different weights")
    demand(base != moved, "sam(rho: 0.1) leaves the weights of its base")


def long_program(regc, epochs):
    """examples/digits.reg without early stopping, for `epochs` passes."""
    source = DIGITS.read_text().replace('"data/', f'"{ROOT}/examples/data/').replace("epochs   60", f"epochs   {epochs}")
    source = source.replace("until 20 epochs", "until 2 epochs")
    path = folder(regc) / "long.reg"
    path.write_text(re.sub(r"\n  stop .*", "", source))
    return path


def case_killed_runs_resume_in_the_same_bits(regc):
    program, whole, killed = long_program(regc, 700), folder(regc), folder(regc)
    regc.ok("run", "--progress", "none", "--out", whole, program)
    kills, rng = 0, random.Random(3)
    while True:
        run = regc.start("run", "--progress", "none", "--resume", "--out", killed, program)
        try:
            code = run.wait(rng.uniform(0.2, 1.5) * (1 + kills / 20))
            break
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
            kills += 1
            demand(kills < 100, "the run does not get on")
    demand(code == 0, f"the resumed run ended with {code}")
    for name in ("weights.safetensors", "predictions.csv"):
        demand((whole / name).read_bytes() == (killed / name).read_bytes(), f"{name} differs after {kills} kills")
    epochs = [e["epoch"] for e in map(json.loads, (killed / "metrics.jsonl").read_text().splitlines()) if e["event"] == "epoch"]
    demand(epochs == list(range(1, 701)), "metrics.jsonl has epochs twice or not at all")


def case_resume_goes_on_after_an_end_of_steps(regc):
    program, whole, parts = long_program(regc, 9), folder(regc), folder(regc)
    regc.ok("run", "--progress", "none", "--out", whole, program)
    for steps in (["--steps", "3"], ["--steps", "51"], ["--steps", "120"], []):
        regc.ok("run", "--progress", "none", "--resume", "--out", parts, *steps, program)
    demand((whole / "weights.safetensors").read_bytes() == (parts / "weights.safetensors").read_bytes(), "weights differ")


def case_resume_goes_on_within_an_epoch(regc):
    out, short = folder(regc), ("--seed", "1", "--epochs", "21", "--out")
    regc.ok("run", "-q", *short, out, "--steps", "30", DIGITS)  # an epoch has 20 steps
    resumed = events(regc, *short, out, "--resume", "--profile", DIGITS)
    demand(of_kind(resumed, "profile")[0]["steps"] == 390, f"the resumed run took {of_kind(resumed, 'profile')[0]['steps']} of 420 steps")
    whole = [e for e in events(regc, *short, "", DIGITS) if e["event"] == "epoch"]
    for a, b in zip([e for e in resumed if e["event"] == "epoch"], whole[1:]):
        demand(a | {"seconds": 0} == b | {"seconds": 0}, f"means of an epoch that was left differ:\n{a}\n{b}")


def case_a_wrong_checkpoint_is_refused(regc):
    program, out = long_program(regc, 3), folder(regc)
    regc.ok("run", "--progress", "none", "--out", out, program)
    checkpoint = out / "checkpoint.safetensors"
    good = checkpoint.read_bytes()

    def refused(what, *arguments, program=program):
        done = regc("run", "--progress", "none", "--resume", "--out", out, *arguments, program)
        demand(done.returncode == 65, f"{what}: exit code {done.returncode}, expected 65\n{done.stderr}")
        demand("checkpoint.safetensors" in done.stderr, f"{what}: the message does not name the file\n{done.stderr}")

    refused("another seed", "--seed", "5")
    refused("another program", program=long_program(regc, 4))
    rng = random.Random(1)
    for k in range(12):  # fuzz_weights damages more of them
        broken = bytearray(good)
        if k % 2:
            del broken[rng.randrange(len(broken)):]
        else:
            for _ in range(3):
                broken[rng.randrange(min(len(broken), 3000))] ^= 1 << rng.randrange(8)
        checkpoint.write_bytes(broken)
        done = regc("run", "--progress", "none", "--resume", "--out", out, program)
        demand(done.returncode in (0, 65), f"a broken checkpoint: exit code {done.returncode}\n{done.stderr}")
    checkpoint.write_bytes(b"no tensors at all")
    refused("another format")


def case_time_is_counted_in_double(regc):
    """A step decay falls after the very step that is a multiple of `every`; Adam's first step is as long as `lr`."""
    where = folder(regc)
    (where / "line.csv").write_text("x,y\n" + "".join(f"{i / 8},{i / 3}\n" for i in range(8)))
    every = (41, 47, 55, 61, 82)
    text = "let tenth = 0.1\n" + "".join(
        f"schedule rate{k} = step_decay(1, every: {k} steps, factor: 50%)\n" for k in every)
    (where / "decay.reg").write_text(text + f"""schedule shares = floor(now / (30 * tenth))
data line = csv("line.csv", target: y)
model net(x: [1]) -> [1] = x |> dense(1)
train net on line {{
  loss mse(net(x), y)
  optimize sgd(lr: 1e-6 * ({" + ".join(f"rate{k}" for k in every)} + shares))
  batch 8
  epochs 100
}}
""")
    for e in of_kind(events(regc, "--out", "", where / "decay.reg"), "epoch"):
        before, found = e["step"] - 1, e["schedules"]
        for k in every:
            demand(found[f"rate{k}"] == 0.5 ** (before // k), f"step {before}, every {k}: {found[f'rate{k}']}")
        demand(found["shares"] == before // 3, f"step {before}: {found['shares']} thirds")
    for b2 in ("0.99", "0.9999", "0.999999"):
        (where / "adam.reg").write_text(f"""data line = csv("line.csv", target: y)
layer fixed(x: [n, i]) -> [n, i] {{
  param weight: [i] = 0.25
  x * weight
}}
model net(x: [1]) -> [1] = x |> fixed as out
train net on line {{
  loss mse(net(x), y)
  optimize adam(lr: 0.5, b2: {b2})
  batch 8
  epochs 1
}}
""")
        regc.ok("run", "--progress", "none", "--out", where / b2, where / "adam.reg")
        weight = tensors.parse((where / b2 / "weights.safetensors").read_bytes())["net.out.weight"][1][0]
        demand(abs(weight - 0.75) < 5e-7, f"b2 {b2}: the first step goes from 0.25 to {weight}, not 0.75")


def case_selectors_take_what_they_say(regc):
    summary = regc.ok("run", "--summary", "--dry-run", ROOT / "tests/lang/good/selectors.reg")
    touched = dict(re.findall(r"^  (net\S+) .*?\d  (\S.*)$", summary, re.M))
    expected = {"net.dense1.weight": "term net.dense[1].*", "net.dense1.bias": "term net.dense[1].*", "net.dense2.weight": "l1, log_sum", "net.dense2.bias": "-",
                "net.top.weight": "-", "net.top.bias": "-", "net.dense3.weight": "l1, log_sum", "net.dense3.bias": "-",
                "net.dense4.weight": "l1", "net.dense4.bias": "-"}
    demand(touched == expected, f"the penalties touch {touched}")
