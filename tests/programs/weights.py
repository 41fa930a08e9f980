"""Weights as other programs see them: what a run writes is enough to predict by, what others write is read, what does not fit is
named. The arithmetic and the file format are this folder's own (tensors.py)."""
import csv
import json
import math
import os
import random
import re
import signal
import sys
import tempfile
import time
from pathlib import Path

from run import ROOT, Failure

sys.path[:0] = [str(Path(__file__).resolve().parent)]
import kill
import tensors

DATA = ROOT / "examples" / "data"
PROGRAM = f"""data digits = csv("{DATA}/digits.csv", target: label)
  |> scale(1/16)
  |> split(train: 70%, valid: 15%, test: 15%, stratify: label, seed: 1)
model net(x: [64]) -> [10] = x |> dense(32) as hidden |> batch_norm(momentum: MOMENTUM) as norm |> relu |> dropout(0.3) |> dense(10) as head
train net on digits {{
  loss     cross_entropy(net(x), label)
  optimize sgd(lr: RATE)
  batch    64
  epochs   EPOCHS
}}
evaluate net on digits.test {{ accuracy }}
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def folder(regc):
    return Path(tempfile.mkdtemp(dir=regc.scratch))


def demand(condition, text):
    if not condition:
        raise Failure(text)


def program(regc, momentum=0.9, rate=0.1, epochs=5):
    path = folder(regc) / "net.reg"
    path.write_text(PROGRAM.replace("MOMENTUM", str(momentum)).replace("RATE", str(rate)).replace("EPOCHS", str(epochs)))
    return path


def predict(weights, rows):
    """The model of PROGRAM in evaluation, in double precision."""
    def dense(x, name):
        (_, units), w = weights[f"net.{name}.weight"]
        return [math.fsum(v * w[i * units + j] for i, v in enumerate(x)) + b for j, b in enumerate(weights[f"net.{name}.bias"][1])]

    mean, variance, scale, shift = (weights[f"net.norm.{k}"][1] for k in ("running_mean", "running_variance", "scale", "shift"))
    outputs = []
    for x in rows:
        h = dense(x, "hidden")
        h = [max(0, (v - m) / math.sqrt(s + 1e-5) * a + b) for v, m, s, a, b in zip(h, mean, variance, scale, shift)]
        outputs.append(dense(h, "head"))
    return outputs


def check_predictions(out, weights):
    """predictions.csv of a run against the model's arithmetic on the data's own rows."""
    with open(DATA / "digits.csv", newline="") as f:
        table = list(csv.reader(f))
    target = table[0].index("label")
    with open(out / "predictions.csv", newline="") as f:
        written = list(csv.DictReader(f))
    rows = [[float(v) / 16 for k, v in enumerate(table[1 + int(r["id"])]) if k != target] for r in written]
    demand(len(rows) > 200, f"{len(rows)} predictions")
    for line, expected in zip(written, predict(weights, rows)):
        found = [float(line[f"output_{j}"]) for j in range(10)]
        worst = max(abs(a - b) / (1 + abs(b)) for a, b in zip(found, expected))
        demand(worst < 1e-4, f"row {line['id']}: {found}, from the weights {expected}")


def made_up(seed):
    """Tensors for PROGRAM that no training made, each exactly representable in 16 bits."""
    rng = random.Random(seed)
    shapes = {"net.head.bias": [10], "net.norm.running_variance": [32], "net.hidden.weight": [64, 32], "net.norm.shift": [32],
              "net.norm.scale": [32], "net.head.weight": [32, 10], "net.norm.running_mean": [32], "net.hidden.bias": [32]}
    return {name: (shape, [(rng.randint(1, 255) if "variance" in name else rng.randint(-127, 127)) / 64
                           for _ in range(math.prod(shape))]) for name, shape in shapes.items()}


def case_weights_are_enough_to_predict(regc):
    out = folder(regc)
    regc.ok("run", "--progress", "none", "--out", out, program(regc))
    weights = tensors.parse((out / "weights.safetensors").read_bytes())
    demand(sorted(weights) == sorted(made_up(0)), f"the file holds {sorted(weights)}")
    demand({n: s for n, (s, _) in weights.items()} == {n: s for n, (s, _) in made_up(0).items()}, "shapes differ")
    demand(any(weights["net.norm.running_mean"][1]), "the running means are those of the start")
    check_predictions(out, weights)


def case_files_of_others_are_read(regc):
    """Other orders, types and metadata; a training that changes nothing shows what was read."""
    still, given = program(regc, momentum=1, rate=0, epochs=1), made_up(1)
    for k, types in enumerate((["F32"], ["F64"], ["F16"], ["BF16"], ["F16", "F64", "F32", "BF16"])):
        order = random.Random(k).sample(sorted(given), len(given))
        data = tensors.build([(n, types[i % len(types)], *given[n]) for i, n in enumerate(order)],
                             {"format": "pt", "by": "another program"} if k % 2 else None)
        out, path = folder(regc), folder(regc) / "others.safetensors"
        path.write_bytes(data)
        regc.ok("run", "--progress", "none", "--out", out, "--weights", path, still)
        written = tensors.parse((out / "weights.safetensors").read_bytes())
        demand(written == given, f"{types}: the weights that were read are not those of the file")
        check_predictions(out, given)


def case_resuming_takes_the_checkpoint_before_weights(regc):
    source, given, out = program(regc, epochs=4), folder(regc) / "given.safetensors", folder(regc)
    given.write_bytes(tensors.build([(n, "F32", *v) for n, v in made_up(5).items()]))
    regc.ok("run", "--progress", "none", "--out", out / "whole", "--weights", given, source)
    regc.ok("run", "--progress", "none", "--out", out / "fresh", source)
    regc.ok("run", "--progress", "none", "--resume", "--out", out / "parts", "--weights", given, "--steps", "45", source)
    given.unlink()
    regc.ok("run", "--progress", "none", "--resume", "--out", out / "parts", "--weights", given, source)
    whole, fresh, parts = ((out / n / "weights.safetensors").read_bytes() for n in ("whole", "fresh", "parts"))
    demand(whole == parts, "the weights differ from those of one run")
    demand(whole != fresh, "--weights changes nothing")


def case_weights_that_do_not_fit_are_named(regc):
    source, path, given = program(regc), folder(regc) / "w.safetensors", made_up(2)

    def refused(code, name, *parts):
        done = regc("run", "--progress", "none", "--out", "", "--weights", path, source)
        demand(done.returncode == code and f"[{name}]" in done.stderr, f"exit code {done.returncode}, expected {code}\n{done.stderr}")
        missing = [p for p in parts if p not in done.stderr]
        demand(not missing, f"the message lacks {missing}\n{done.stderr}")

    refused(66, "weights_missing", "w.safetensors")
    listed = [(n, "F32", *v) for n, v in given.items() if n not in ("net.norm.shift", "net.hidden.bias")]
    listed = [(n, t, [10, 32], v) if n == "net.head.weight" else (n, t, s, v) for n, t, s, v in listed]
    whole = tensors.build([*listed, *((f"more{k}", "F32", [2], [0, 0]) for k in range(9))])
    path.write_bytes(whole)
    refused(65, "weights_bad", "missing: `net.hidden.bias` [32], `net.norm.shift` [32]",
            "`net.head.weight` is [10, 32], expected [32, 10]", "not in the model: `more0` [2]", "and 6 more")
    good = tensors.build([(n, "F32", *v) for n, v in given.items()])
    for length in (0, 7, 8, 30, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:length])
        refused(65, "weights_bad", "w.safetensors")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    refused(65, "weights_bad")
    path.write_bytes(good.replace(b"F32", b"F31", 1))
    refused(65, "weights_bad", "type")


def case_a_loaded_model_evaluates_its_file(regc):
    """A student that starts from the teacher's own tensors agrees with it in evaluation, and the teacher stays."""
    here, given = folder(regc), made_up(3)
    (here / "big.safetensors").write_bytes(tensors.build([(n.replace("net", "big"), "F32", *v) for n, v in given.items()]))
    (here / "net.safetensors").write_bytes(tensors.build([(n, "F32", *v) for n, v in given.items()]))
    text = program(regc, momentum=1, rate=0, epochs=2).read_text()
    model = re.search(r"^model net.*$", text, re.M)[0]
    text = text.replace(model, f'{model.replace("model net", "model big")}\n{model}\nlet teacher = load("big.safetensors", as: big)')
    text = text.replace("cross_entropy(net(x), label)", "mse(net(x), stop(teacher(x)))")
    (here / "student.reg").write_text(text)
    out = regc.ok("run", "--json", "--out", here / "run", "--weights", here / "net.safetensors", here / "student.reg")
    epochs = [e for e in map(json.loads, out.splitlines()) if e["event"] == "epoch"]
    demand(all(e["valid"]["loss"] == 0 for e in epochs), f"the teacher differs from its own weights: {epochs[0]['valid']}")
    demand(all(e["loss"] > 0.01 for e in epochs), "training had neither dropout nor batch statistics")
    names = set(tensors.parse((here / "run" / "weights.safetensors").read_bytes()))
    demand(names == set(given), f"the student's weights hold {sorted(names ^ set(given))}")
    checked = regc("run", "--check", "--steps", "4", "--out", "", "--progress", "none", here / "student.reg")
    demand(checked.returncode == 0, f"--check ends with {checked.returncode}\n{checked.stderr}")


def case_a_loaded_model_stands_inside_another(regc):
    """Layers before and after it keep names of their own, and only they are trained."""
    here = folder(regc)
    given = [(n.replace("net", "big"), "F32", *v) for n, v in made_up(4).items()]
    (here / "big.safetensors").write_bytes(tensors.build(given))
    text = program(regc, rate=1e-3, epochs=2).read_text()
    model = re.search(r"^model net.*$", text, re.M)[0]
    text = text.replace(model, f'{model.replace("model net", "model big")}\nlet features = load("big.safetensors", as: big)\n'
                               "model net(x: [64]) -> [10] = features(x |> dense(64)) |> dense(10)")
    (here / "net.reg").write_text(text)
    regc.ok("run", "--progress", "none", "--out", here / "run", here / "net.reg")
    shapes = {n: s for n, (s, _) in tensors.parse((here / "run" / "weights.safetensors").read_bytes()).items()}
    demand(shapes == {"net.dense1.weight": [64, 64], "net.dense1.bias": [64], "net.dense2.weight": [10, 10], "net.dense2.bias": [10]},
           f"the weights hold {shapes}")
    kept = {n[6:]: v for n, (_, v) in tensors.parse((here / "run" / "checkpoint.safetensors").read_bytes()).items()}
    demand(all(kept[n.replace("big", "features")] == v for n, _, _, v in given), "training changed the loaded tensors")


def case_distillation_learns_from_soft_targets(regc):
    here = folder(regc)
    (here / "teacher.reg").write_text(program(regc, epochs=12).read_text().replace("net", "big"))
    regc.ok("run", "--progress", "none", "--out", here / "teacher", here / "teacher.reg")
    text = program(regc, epochs=12).read_text()
    model = re.search(r"^model net.*$", text, re.M)[0]
    text = text.replace(model, f'{model.replace("model net", "model big")}\nlet teacher = load("teacher/weights.safetensors", as: big)\n'
                               "model net(x: [64]) -> [10] = x |> dense(16) |> relu |> dense(10)")
    text = text.replace("cross_entropy(net(x), label)", "kl(softmax(teacher(x) / 2), softmax(net(x) / 2))").replace("lr: 0.1", "lr: 1")
    (here / "student.reg").write_text(text)
    out = regc.ok("run", "--json", "--out", "", here / "student.reg")
    accuracy = [e["metrics"]["accuracy"] for e in map(json.loads, out.splitlines()) if e["event"] == "evaluate"][-1]
    demand(accuracy > 0.9, f"a student that never saw a label has accuracy {accuracy}")


def case_a_signal_asks_for_a_checkpoint(regc):
    source, out, whole = program(regc, epochs=400), folder(regc), folder(regc)
    regc.ok("run", "--progress", "none", "--out", whole, source)
    checkpoint = out / "checkpoint.safetensors"
    run = regc.start("run", "--progress", "none", "--checkpoint", "1000", "--out", out, source)

    def wait_for(ready, what):
        end = time.monotonic() + 60
        while not ready():
            demand(run.poll() is None, f"the run ended before {what}")
            demand(time.monotonic() < end, f"no {what} within a minute")
            time.sleep(0.002)

    wait_for(lambda: (out / "metrics.jsonl").exists() and (out / "metrics.jsonl").read_text().count("epoch\"") > 5, "the first epochs")
    demand(not checkpoint.exists(), "there is a checkpoint although none was asked for")
    run.send_signal(signal.SIGUSR1)
    wait_for(checkpoint.exists, "checkpoint")
    demand("meta" in tensors.parse(checkpoint.read_bytes()), "the checkpoint cannot be read")
    demand(run.poll() is None and not (out / "weights.safetensors").exists(), "the signal ended the run")
    run.terminate()
    demand(run.wait() == 143, "the run was over before it was ended")
    regc.ok("run", "--progress", "none", "--resume", "--out", out, source)
    for name in ("weights.safetensors", "predictions.csv"):
        demand((out / name).read_bytes() == (whole / name).read_bytes(), f"{name} differs")


def case_parts_of_a_run_keep_the_best_and_the_last(regc):
    """Each part ends within an epoch or at an epoch's end (20 steps), where best and last weights differ."""
    source, whole, parts = folder(regc) / "parts.reg", folder(regc), folder(regc)
    source.write_text(kill.STOPPING.replace("DATA", str(DATA)))
    regc.ok("run", "--progress", "none", "--out", whole, source)
    for steps in (["--steps", "7"], ["--steps", "200"], ["--steps", "400"], ["--steps", "405"], ["--steps", "420"], []):
        regc.ok("run", "--progress", "none", "--resume", "--out", parts, *steps, source)
    for name in ("weights.safetensors", "predictions.csv"):
        demand((whole / name).read_bytes() == (parts / name).read_bytes(), f"{name} differs")
    demand(kill.lines(whole / "metrics.jsonl") == kill.lines(parts / "metrics.jsonl"), "metrics.jsonl differs")


def case_kills_at_any_moment_change_nothing(regc):
    """Twenty kills, fewer in slow builds, and some of processes that share a sweep; `tests/programs/kill.py REGC --kills 200` makes more, `--ranks` of the latter."""
    try:
        scene = kill.Scene(regc.path, folder(regc), regc.environment)
        kills = 8 if os.environ.get("REG_BRIEF") else 20
        passed, failures, tally = kill.rounds(scene, kills, seed=1)
        failures += kill.rounds(scene, 2, seed=2, ranks=True)[1]
    except kill.Broken as e:
        raise Failure(str(e)) from e
    demand(not failures, "\n".join(failures))
    demand(passed and tally["kills"] >= kills and tally["with a checkpoint"] > kills // 4, f"{dict(tally)}")


def case_evaluating_saves_nothing(regc):
    """`save` writes what a run has trained; weights that are only evaluated do not take the place of that file, nor make one."""
    path = program(regc)
    path.write_text(path.read_text() + 'save net to "kept.safetensors"\n')
    for run in ("one", "other"):
        regc.ok("run", "-q", "--out", run, path, "--seed", "1" if run == "one" else "2", cwd=path.parent)
    saved = path.parent / "kept.safetensors"
    kept = saved.read_bytes()
    regc.ok("evaluate", path, "--weights", "one", cwd=path.parent)
    demand(saved.read_bytes() == kept, "the file has other weights")
    saved.unlink()
    regc.ok("evaluate", path, "--weights", "one", cwd=path.parent)
    demand(not saved.exists(), "a file was made")
