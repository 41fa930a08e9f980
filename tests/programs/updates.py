"""What stands in a `train`: several models, several updates. Each `case_*` function takes the compiler and raises Failure."""
import subprocess
import sys
from pathlib import Path

from programs.cases import demand, events, folder, of_kind, written
from run import ROOT

sys.path[:0] = [str(Path(__file__).resolve().parent)]
import tensors

DIGITS = f"""data digits = csv("{ROOT}/examples/data/digits.csv", target: label)
  |> scale(1/16)
  |> split(train: 60%, valid: 20%, test: 20%, stratify: label, seed: 1)
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def in_parts_and_built(regc, program, home, ends):
    """Runs a program once more to these steps and from each on, into `parts`, and as a binary, into `built`."""
    for steps in ends:
        regc.ok("run", "--out", home / "parts", "--steps", str(steps), *(["--resume"] if steps > ends[0] else []), program)
    regc.ok("run", "--out", home / "parts", "--resume", program)
    regc.ok("build", "-q", program, "-o", home / "binary")
    subprocess.run([home / "binary", "--quiet", "--out", home / "built"], check=True, cwd=home, stdout=subprocess.DEVNULL)


def read(path):
    return {name: values for name, (_, values) in tensors.parse(path.read_bytes()).items()}


TEACHER = DIGITS + """
model body(x: [64]) -> [16] = x |> dense(16) |> batch_norm as norm |> relu
model head(h: [16]) -> [10] = h |> dropout(0.2) |> dense(10) as out
model student(x: [64]) -> [10] = x |> dense(10) as out

train body, head on digits as teacher {
  loss     cross_entropy(head(body(x)), label)
  penalize w in *.weight : 1e-4 * l2(w)
  optimize sgd(lr: 0.1, momentum: 0.9)
  epochs   3
}
train student on digits {
  loss     kl(softmax(head(body(x))), softmax(student(x)))
  optimize adam(lr: 1e-2)
  epochs   3
}
evaluate student on digits.test { accuracy }
"""


def case_several_models_in_a_head(regc):
    """Trained together, in one file of weights; then frozen beside another one. In pieces and as a binary: the same bits."""
    program = written(regc, TEACHER)
    home = folder(regc)
    found = events(regc, "--out", home / "whole", program)
    teacher, student = (read(home / "whole" / f"weights-{name}.safetensors") for name in ("teacher", "student"))
    demand({n.split(".")[0] for n in teacher} == {"body", "head"}, f"the teacher's tensors: {sorted(teacher)}")
    demand(set(student) == {"student.out.weight", "student.out.bias"}, f"the student's tensors: {sorted(student)}")
    demand(of_kind(found, "evaluate")[0]["metrics"]["accuracy"] > 0.6, "the student learned little")
    loss = [e["loss"] for e in of_kind(found, "epoch")]
    demand(loss[2] < loss[1] < loss[0], f"the teacher's loss: {loss[:3]}")
    in_parts_and_built(regc, program, home, (40, 102, 130))
    for name in ("teacher", "student"):
        file = f"weights-{name}.safetensors"
        for other in ("parts", "built"):
            demand((home / other / file).read_bytes() == (home / "whole" / file).read_bytes(), f"{other}: {file} differs")
    # What the frozen models keep: parameters, running means, and their evaluation mode.
    kept = {n.split(" ", 2)[2]: v for n, (_, v) in tensors.parse((home / "whole" / "checkpoint.safetensors").read_bytes()).items() if n.startswith("store ")}
    for name, values in teacher.items():
        demand(kept[name] == values, f"{name} changed while the student was trained")


def case_weights_of_several_models(regc):
    """Each model goes on from the file of its last training; `load` takes its model's tensors out of a file of two."""
    program, home = written(regc, TEACHER), folder(regc)
    regc.ok("run", "--out", home / "first", program)
    regc.ok("run", "--out", home / "again", "--weights", home / "first", "--steps", "1", program)
    first, again = (read(home / run / "weights-teacher.safetensors") for run in ("first", "again"))
    near = max(abs(a - b) for n in first if n.startswith("head") for a, b in zip(first[n], again[n]))
    demand(near < 0.05, f"a step from the given weights moved by {near}")
    regc.ok("build", "-q", program, "-o", home / "binary")
    text = subprocess.run([home / "binary", "evaluate", "--weights", home / "first"], check=True, cwd=home, stdout=subprocess.PIPE, text=True).stdout
    demand("accuracy" in text, text)
    loaded = written(regc, TEACHER.split("train body")[0].replace("dropout(0.2) |> ", "") + f"""
let old = load("{home}/first/weights-teacher.safetensors", as: body)
train head on digits {{
  loss     cross_entropy(head(old(x)), label)
  optimize sgd(lr: 0)
  epochs   1
}}
""".replace("model student", "model unused"))
    regc.ok("run", "--quiet", "--out", "", loaded)


ADVERSARIAL = DIGITS + """
model net(z: [8]) -> [64] = z |> dense(32) |> batch_norm |> relu |> dense(64) |> sigmoid
model critic(x: [64]) -> [1] = x |> dense(32) |> relu |> dense(1)
fn noise(x) = normal([size(x, 0), 8])

train net, critic on digits as adversarial {
  minimize mean(softplus(critic(net(noise(x))))) + mean(softplus(-critic(x))) over critic.* by adam(lr: 2e-3, b1: 0.5)
  minimize mean(softplus(-critic(net(noise(x))))) over net.* by adam(lr: 2e-3, b1: 0.5) as player each 2 steps when epoch < 2
  epochs   3
  seed     4
}
"""


def case_an_adversarial_pair(regc):
    """Objectives are reported by name. In pieces, on one thread, as a binary: the same bits. From the third epoch on only one plays."""
    program, home = written(regc, ADVERSARIAL), folder(regc)
    epochs = of_kind(events(regc, "--out", home / "whole", program), "epoch")
    demand(all(set(e["terms"]) == {"critic", "player"} for e in epochs), f"terms {[e['terms'] for e in epochs]}")
    for e in epochs:
        demand(abs(e["loss"] - sum(e["terms"].values())) < 1e-5, f"the loss is the sum of what is minimized: {e}")
    demand(epochs[2]["terms"]["critic"] < epochs[0]["terms"]["critic"], "the critic learned nothing")
    file = "weights.safetensors"
    whole = (home / "whole" / file).read_bytes()
    for steps in (33, 67, 68, 99):
        regc.ok("run", "--out", home / "parts", "--steps", str(steps), *(["--resume"] if steps > 33 else []), program)
        if steps in (68, 99):
            kept = {n: v for n, v in read(home / "parts" / file).items() if n.startswith("net.") and "running" not in n}
            demand(steps == 68 or kept == before, "the second player moved when it should not")
            before = kept
    regc.ok("run", "--out", home / "parts", "--resume", program)
    regc.ok("run", "--out", home / "one", "--threads", "1", program)
    regc.ok("build", "-q", program, "-o", home / "binary")
    subprocess.run([home / "binary", "--quiet", "--out", home / "built"], check=True, cwd=home, stdout=subprocess.DEVNULL)
    for other in ("parts", "one", "built"):
        demand((home / other / file).read_bytes() == whole, f"{other}: other weights")
    regc.ok("run", "--check", "--steps", "3", "--out", "", program)


def case_updates_are_summarized(regc):
    text = regc.ok("run", "--dry-run", "--summary", written(regc, DIGITS + """
model net(x: [64]) -> [10] = x |> dense(16) as hidden |> relu |> dense(10) as head
train net on digits {
  loss     cross_entropy(net(x), label)
  optimize sgd(lr: 0.1) for net.*.weight
  minimize mean(net(x)^2) over net.head.bias, net.head.weight by adam(lr: 1e-3)
  freeze   net.hidden.bias
}
"""))
    rows = [line.split() for line in text.splitlines()]
    by = {r[0]: line for r, line in zip(rows, text.splitlines()) if r and r[0].startswith("net.")}
    demand("sgd(lr: 0.1), adam(lr: 1e-3)" in by["net.head.weight"] and "adam" not in by["net.hidden.weight"], text)
    demand("minimized net.head.bias: mean(net(x)^2) over net.head.bias" in text, text)


def case_steps_at_another_point_are_passes(regc):
    """Of the objective: of a sharpness-aware step two; what acts besides has passes of its own."""
    program = written(regc, DIGITS + """
model net(x: [64]) -> [10] = x |> dense(10)
model side(x: [64]) -> [10] = x |> dense(10)
train net, side on digits {
  loss     cross_entropy(net(x), label)
  optimize sam(base: sgd(lr: 0.1)) for net.*
  minimize kl(softmax(net(x)), softmax(side(x))) over side.* by sgd(lr: 0.1)
  epochs   1
}
""")
    said = regc.ok("run", "--summary", "--dry-run", "--out=", program)
    demand("passes forward in a step: net 3, side 1\n" in said, said)


def case_a_minimized_objective_that_is_no_number(regc):
    done = regc("run", "--out", "", "-", stdin=DIGITS + """
model net(x: [64]) -> [10] = x |> dense(10)
train net on digits {
  minimize mean(log(mean(net(x)^2) - step)) over net.* by sgd(lr: 0.1) as odd
  epochs 1
}
""")
    demand(done.returncode == 3 and "in term `odd`" in done.stderr, f"{done.returncode}\n{done.stderr}")


def case_a_recipe_is_its_clauses(regc):
    """A training with a recipe ends in the bits of the same clauses written out; lines are made once, with one draw."""
    start = DIGITS + "model net(x: [64]) -> [10] = x |> dense(16) |> relu |> dense(10)\n"
    recipe = """
recipe plain(m, lr: number 0.. = 1e-3, passes: int 1.. = 7) {
  x = if training then x + 0.1 * normal(like: x) else x
  scores = m(x)
  loss     cross_entropy(scores, label) + 0.01 * mean(scores^2)
  penalize w in m.*.weight : 1e-3 * l1(w)
  optimize adam(lr: cosine(lr -> 0))
  epochs   passes
  batch    50
}
train net on digits with plain(lr: 3e-3) as net {
  batch    64
  penalize w in net.*.bias : 1e-2 * l1(w)
  epochs   2
}
"""
    written_out = """
train net on digits {
  x = if training then x + 0.1 * normal(like: x) else x
  scores = net(x)
  loss     cross_entropy(scores, label) + 0.01 * mean(scores^2)
  penalize w in net.*.weight : 1e-3 * l1(w)
  optimize adam(lr: cosine(3e-3 -> 0))
  epochs   2
  batch    64
  penalize w in net.*.bias : 1e-2 * l1(w)
}
"""
    home = folder(regc)
    for name, text in (("recipe", recipe), ("written", written_out)):
        regc.ok("run", "--out", home / name, written(regc, start + text))
    one, other = ((home / name / "weights.safetensors").read_bytes() for name in ("recipe", "written"))
    demand(one == other, "other weights")


def case_a_number_of_steps(regc):
    """The last pass has fewer; it is reported, and is the end of a run in pieces and of a binary too."""
    program, home = written(regc, DIGITS + """
model net(x: [64]) -> [10] = x |> dense(16) |> relu |> dense(10)
train net on digits {
  loss     cross_entropy(net(x), label)
  optimize adam(lr: cosine(1e-2 -> 0))
  steps    80
}
"""), folder(regc)
    found = events(regc, "--out", home / "whole", program)
    epochs = of_kind(found, "epoch")
    demand([e["step"] for e in epochs] == [34, 68, 80], f"{[e['step'] for e in epochs]}")
    demand(of_kind(found, "train_start")[0]["steps"] == 80, "planned steps")
    for steps in (20, 68, 79, 80):
        regc.ok("run", "--out", home / "parts", "--steps", str(steps), *(["--resume"] if steps > 20 else []), program)
    for _ in range(2):
        regc.ok("run", "--out", home / "parts", "--resume", program)
    regc.ok("build", "-q", program, "-o", home / "binary")
    subprocess.run([home / "binary", "--quiet", "--out", home / "built"], check=True, cwd=home, stdout=subprocess.DEVNULL)
    for other in ("parts", "built"):
        demand((home / other / "weights.safetensors").read_bytes() == (home / "whole" / "weights.safetensors").read_bytes(), other)
    last = of_kind(events(regc, "--epochs", "1", "--out", "", program), "train_end")[-1]
    demand(last["step"] == 34, f"one epoch has {last['step']} steps")


def case_a_training_without_data(regc):
    """Gradient descent on a quadratic: as computed by hand; each of two trainings is reported ten times."""
    program, home = written(regc, """
layer point(x: [.., n]) -> [.., n] {
  param at: [n] = [3, -2]
  x + at
}
model place(x: [2]) -> [2] = x |> point as p
train place as search {
  minimize sum(2 * (place(zeros([1, 2])) - [[1, 2]])^2) over place.* by sgd(lr: 0.1)
  steps    35
}
train place {
  loss     sum((place(zeros([1, 2])) - 7)^2)
  optimize sgd(lr: 0.25)
  steps    100
}
"""), folder(regc)
    found = events(regc, "--out", home / "whole", program)
    demand(len(of_kind(found, "epoch")) == 9 + 10, f"{len(of_kind(found, 'epoch'))} reports")
    at = [3.0, -2.0]
    for _ in range(35):
        at = [v - 0.1 * 4 * (v - aim) for v, aim in zip(at, (1, 2))]
    search, place = (read(home / "whole" / f"weights-{name}.safetensors")["place.p.at"] for name in ("search", "place"))
    demand(all(abs(a - b) < 1e-5 for a, b in zip(search, at)), f"{search}, expected {at}")
    demand(place == (7.0, 7.0) or list(place) == [7.0, 7.0], f"{place}")
    in_parts_and_built(regc, program, home, (7, 20, 60))
    for other in ("parts", "built"):
        for name in ("search", "place"):
            demand(read(home / other / f"weights-{name}.safetensors") == read(home / "whole" / f"weights-{name}.safetensors"), other)


def case_a_recipe_given_to_a_procedure(regc):
    """Trains as the same training outside of it does, to the bit."""
    recipe = DIGITS + """
model net(x: [64]) -> [10] = x |> dense(16) |> relu |> dense(10)
recipe plain(m, lr: number 0.. = 1e-3) {
  loss     cross_entropy(m(x), label)
  optimize adam(lr: lr)
  epochs   2
}
"""
    procedure = """
procedure fit(model_of, rows, how) {
  train model_of on rows with how as net
}
fit(net, digits, plain(lr: 1e-2))
"""
    home = folder(regc)
    for name, text in (("inside", procedure), ("outside", "train net on digits with plain(lr: 1e-2)\n")):
        regc.ok("run", "--out", home / name, written(regc, recipe + text))
    one, other = ((home / name / "weights.safetensors").read_bytes() for name in ("inside", "outside"))
    demand(one == other, "other weights")


def case_parameters_of_their_own(regc):
    """Alternately down and up: a saddle's two sides, as computed by hand; one is frozen later."""
    program, home = written(regc, """
param low: [] = 1
param high: [2] = [2, -1]
train low, high as saddle {
  minimize low * sum(high) + low^2 over low by sgd(lr: 0.1)
  minimize -low * sum(high) + sum(high^2) over high by sgd(lr: 0.2) each 2 steps
  steps    21
}
train low {
  minimize (low - high[0])^2 over low by sgd(lr: 0.5)
  steps    1
}
"""), folder(regc)
    regc.ok("run", "--out", home / "whole", program)
    low, high = 1.0, [2.0, -1.0]
    for step in range(21):
        low -= 0.1 * (sum(high) + 2 * low)
        if step % 2:
            high = [h - 0.2 * (2 * h - low) for h in high]
    found = read(home / "whole" / "weights-saddle.safetensors")
    demand(abs(found["low.value"][0] - low) < 1e-5, f"{found}, expected {low}")
    demand(all(abs(a - b) < 1e-5 for a, b in zip(found["high.value"], high)), f"{found}, expected {high}")
    after = read(home / "whole" / "weights-low.safetensors")
    demand(set(after) == {"low.value"} and abs(after["low.value"][0] - high[0]) < 1e-5, f"{after}, expected {high[0]}")
    regc.ok("build", "-q", program, "-o", home / "binary")
    subprocess.run([home / "binary", "--quiet", "--out", home / "built"], check=True, cwd=home, stdout=subprocess.DEVNULL)
    demand(read(home / "built" / "weights-low.safetensors") == after, "the binary ends elsewhere")


def case_a_penalty_alone_may_read_a_parameter_of_its_own(regc):
    where = folder(regc)
    program = """data d = table(24) { x = normal([24, 2]); y = uniform(0 .. 1, [24]) }
model net(x: [2]) -> [1] = x |> dense(1)
param c: [2] = 0
train net, c on d {
  loss     mse(net(x), y)
  penalize : sum((c - 1)^2)
  optimize sgd(lr: 0.1)
  batch    24
  epochs   2
}
save c to "c.safetensors"
report c
"""
    (where / "p.reg").write_text(program)
    found = of_kind(events(regc, "p.reg", "--out=", cwd=where), "report")[0]["value"]
    demand(all(abs(v - 0.36) < 1e-6 for v in found), f"two steps of 0.2 (1 - c) from 0: {found}")
    (shape, values), = tensors.parse((where / "c.safetensors").read_bytes()).values()
    demand(shape == [2] and all(abs(v - w) < 1e-7 for v, w in zip(values, found, strict=True)), f"saved {values}")
    (where / "p.reg").write_text(program.replace("  penalize : sum((c - 1)^2)\n", ""))
    done = regc("check", "p.reg", cwd=where)
    demand(done.returncode == 1 and "nothing that is minimized depends on `c`" in done.stderr, done.stderr)


def case_a_recipe_takes_a_schedule(regc):
    """Given to a recipe it is what it is in the clause itself."""
    losses = []
    for head, share in (("with usual(share: 0.2 until 60% then 0) ", None), ("with usual(share: falling) ", None), ("", "0.2 until 60% then 0")):
        clauses = "  loss     cross_entropy(net(x), label, smoothing: share)\n  optimize adam(lr: 1e-2)\n  epochs   n\n"
        recipe = f"schedule falling = 0.2 until 60% then 0\nrecipe usual(net, share = 0, n: int = 3) {{\n{clauses}}}\n"
        text = DIGITS + "model net(x: [64]) -> [10] = x |> dense(8) |> relu |> dense(10)\n"
        text += f"train net on digits {{\n{clauses.replace('share', f'({share})').replace('   n', '   3')}}}\n" if share else recipe + f"train net on digits {head}\n"
        losses.append([e["loss"] for e in of_kind(events(regc, "--out=", written(regc, text)), "epoch")])
    demand(losses[0] == losses[1] == losses[2] and len(losses[0]) == 3, losses)
    text = recipe.replace("falling =", "rate =") + "train net on digits with usual(n: rate)\n"
    done = regc("check", written(regc, DIGITS + "model net(x: [64]) -> [10] = x |> dense(8) |> relu |> dense(10)\n" + text))
    demand(done.returncode == 1 and "not_a_training_value" in done.stderr, done.stderr)


def case_a_gradient_that_cancels_has_no_sign(regc):
    """Two rows pull with the same strength in opposite directions: the sign of their sum is 0, and lion makes no step."""
    program = written(regc, """
data d = table(2) { x = ones([2, 1]); y = 6 * arange(2) - 3 }
model net(x: [1]) -> [1] {
  param w: [1] = 1
  param by: [1] = -1
  w + by * x
}
train net on d {
  loss     huber(net(x)[.., 0], y, delta: 0.5) + 0.01 * sum(net.by)
  optimize lion(lr: 0.1)
  batch    2
  epochs   3
}
report net.w[0] as "w"
report net.by[0] as "by"
""")
    found = {e["name"]: e["value"] for e in of_kind(events(regc, "--out", "", program), "report")}
    demand(found["w"] == 1, f"a step by rounding: {found}")
    demand(abs(found["by"] + 1.3) < 1e-6, f"what is pulled moves: {found}")
