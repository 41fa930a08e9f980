"""Trainings with data besides those of their epochs: the batches of each step, beside NumPy. Each `case_*` function takes the compiler
and raises Failure."""
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
from programs.cases import demand, events, folder, of_kind

sys.path[:0] = [str(Path(__file__).resolve().parent)]
import tensors

SHUFFLE, FURTHER = 0x7FFFFFF0, 0x7FFFFFEE  # streams of the runtime: of the epochs' rows, and of the first further data
SHAPES = {"net.a.weight": (2, 4), "net.a.bias": (4,), "net.b.weight": (4, 1), "net.b.bias": (1,)}
EPOCHS, SEED, RATE = 4, 5, 0.1


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def philox(counter, key):
    """Ten rounds of Philox4x32 (Salmon et al. 2011)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [q >> 32 ^ c[1] ^ k[0], q & 0xFFFFFFFF, p >> 32 ^ c[3] ^ k[1], p & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def permutation(stream, epoch, n):
    """Fisher and Yates from the end, of 64-bit draws."""
    out = list(range(n))
    for i in range(n - 1, 0, -1):
        word = philox((i, 0, stream, epoch), (SEED, 0))
        j = (word[1] << 32 | word[0]) * (i + 1) >> 64
        out[i], out[j] = out[j], out[i]
    return out


def numbers(n, columns, phase):
    return np.array([[round(math.sin(2.1 * i + 1.7 * k * k + k + phase), 3) for k in range(columns)] for i in range(n)])


TABLES = {"train": numbers(7, 3, 0), "valid": numbers(3, 3, 1), "more": numbers(5, 3, 2), "morev": numbers(2, 3, 3)}
START = {name: 0.5 * numbers(math.prod(s), 1, 4 + i).reshape(s) for i, (name, s) in enumerate(SHAPES.items())}
HEAD = """precision f64

data d = csv("train.csv", target: y) with valid = csv("valid.csv")
data more = csv("more.csv", target: y) with valid = csv("morev.csv")
model net(x: [2]) -> [1] = x |> dense(4) as a |> tanh |> dense(1) as b
fn apart(net, x) = mean((net(x) - net(0.5 * x))^2)
fn error(net, t) = mean((net(t.x)[.., 0] - t.y)^2)

"""
# `more` in batches of 4 of 5 rows, which go on into the next pass; a part; all rows of another one in each step.
CLAUSES = f"""
  loss     mean((net(x)[.., 0] - y)^2) + 0.7 * apart(net, u.x)
  penalize : 0.3 * error(net, v)
  penalize : 0.2 * mean(net(w.x))
  optimize sgd(lr: {RATE})
  batch    3
  epochs   {EPOCHS}
  seed     {SEED}
}}
"""
TRAIN = "train net on d, u = more(batch: 4), v = d.valid(batch: 2), w = more.valid as semi {" + CLAUSES


def literal(values):
    return str(np.asarray(values).tolist())


def placed(regc, text):
    where = folder(regc)
    for name, table in TABLES.items():
        (where / f"{name}.csv").write_text("p,q,y\n" + "".join(",".join(map(str, row)) + "\n" for row in table.tolist()))
    start = "".join(f"{name} <- {literal(values)}\n" for name, values in START.items())
    (where / "p.reg").write_text(HEAD + start + text)
    return where


# -- the same with NumPy

class Net:
    def __init__(self):
        self.w = {name: v.copy() for name, v in START.items()}

    def __call__(self, x):
        return np.tanh(x @ self.w["net.a.weight"] + self.w["net.a.bias"]) @ self.w["net.b.weight"] + self.w["net.b.bias"]

    def pull(self, into, x, g):
        """Adds the gradient of sum(g * net(x))."""
        h = np.tanh(x @ self.w["net.a.weight"] + self.w["net.a.bias"])
        inner = g @ self.w["net.b.weight"].T * (1 - h * h)
        for name, part in zip(SHAPES, (x.T @ inner, inner.sum(0), h.T @ g, g.sum(0))):
            into[name] = into.get(name, 0) + part

    def fit(self, into, rows, scale):
        x, far = rows[:, :2], self(rows[:, :2]) - rows[:, 2:]
        self.pull(into, x, scale * 2 * far / far.size)
        return scale * (far**2).mean()

    def apart(self, into, rows, scale):
        x = rows[:, :2]
        far = self(x) - self(0.5 * x)
        self.pull(into, x, scale * 2 * far / far.size)
        self.pull(into, 0.5 * x, -scale * 2 * far / far.size)
        return scale * (far**2).mean()


def stream(table, stream_, batch, step):
    """The batch of a step: rows of an order that is another one in each pass."""
    n = len(table)
    return table[[permutation(stream_, at // n, n)[at % n] for at in range(step * batch, (step + 1) * batch)]]


def expected():
    """Weights at the end, and the loss and the validation loss of each epoch."""
    net, step, told = Net(), 0, []
    train, more = TABLES["train"], TABLES["more"]
    for epoch in range(EPOCHS):
        order, losses = permutation(SHUFFLE, epoch, len(train)), []
        for at in range(0, len(train), 3):
            rows, g = train[order[at:at + 3]], {}
            loss = net.fit(g, rows, 1) + net.apart(g, stream(more, FURTHER, 4, step), 0.7)
            net.fit(g, stream(TABLES["valid"], FURTHER - 1, 2, step), 0.3)
            w = stream(TABLES["morev"], FURTHER - 2, 2, step)[:, :2]
            net.pull(g, w, np.full((2, 1), 0.2 / 2))
            losses += [loss] * len(rows)
            for name in SHAPES:
                net.w[name] = net.w[name] - RATE * g[name]
            step += 1
        # One batch of three rows; of `more` the two rows of its validation part, twice over.
        valid = net.fit({}, TABLES["valid"], 1) + net.apart({}, np.concatenate([TABLES["morev"]] * 2), 0.7)
        told.append((np.mean(losses), valid))
    return net.w, told


def weights(path):
    return {name: np.array(v[1]) for name, v in tensors.parse(path.read_bytes()).items()}


def case_further_data_beside_numpy(regc):
    where, (want, told) = placed(regc, TRAIN), expected()
    found = of_kind(events(regc, "--out", where / "out", where / "p.reg"), "epoch")
    for event, (loss, valid) in zip(found, told, strict=True):
        demand(abs(event["loss"] - loss) < 1e-12 and abs(event["valid"]["loss"] - valid) < 1e-12, f"{event}, not {loss}, {valid}")
    have = weights(where / "out" / "weights.safetensors")
    for name, value in want.items():
        demand(np.abs(have[name] - value.reshape(-1)).max() < 1e-12, f"{name}: {have[name]}, not {value}")


def case_further_data_have_the_same_bits_in_all_ways(regc):
    where = placed(regc, TRAIN + "evaluate net on d.valid { mse }\n")

    def end(out):
        return (where / out / "weights.safetensors").read_bytes(), (where / out / "predictions.csv").read_bytes()

    regc.ok("run", "--out", where / "whole", "--threads", "1", where / "p.reg")
    regc.ok("run", "--out", where / "two", "--threads", "2", where / "p.reg")
    for steps in (1, 2, 5, 8, 11):
        regc.ok("run", "--out", where / "parts", "--steps", str(steps), "--resume", where / "p.reg")
    regc.ok("run", "--out", where / "parts", "--resume", where / "p.reg")
    regc.ok("build", "-q", where / "p.reg", "-o", where / "program")
    subprocess.run([where / "program", "--quiet", "--progress", "none", "--out", where / "binary"], check=True, cwd=where, stdout=subprocess.DEVNULL)
    for way in ("two", "parts", "binary"):
        demand(end(way) == end("whole"), f"{way} ends elsewhere")
    (where / "more.csv").write_text("p,q,y\n" + "1,2,3\n" * 6)
    refused = subprocess.run([where / "program", "--quiet", "--out="], cwd=where, capture_output=True, text=True)
    demand(refused.returncode == 65 and "6 rows instead of 5" in refused.stderr, refused.stderr)


def case_further_data_in_a_loop_have_an_order_for_each_turn(regc):
    rest = """start = net.*
repeat 2 as i {
  net.* <- start
  """ + TRAIN.replace("\n", "\n  ").rstrip() + """
  report net.b.bias as "turn {i}"
}
"""
    where = placed(regc, rest)
    for threads in ("1", "2"):
        told = of_kind(events(regc, "--out=", "--threads", threads, where / "p.reg"), "report")
        first, second = [t["value"] for t in told]
        demand(first != second, "two turns with one order")
        if threads == "1":
            once = told
        demand([t["value"] for t in told] == [t["value"] for t in once], "two threads end elsewhere")


def case_the_size_of_further_batches_is_that_of_the_training(regc):
    where = placed(regc, TRAIN.replace("more(batch: 4)", "more"))
    lines = regc.ok("run", "--out=", "--quiet", "--summary", where / "p.reg")
    demand("  u: train of more, in batches of 3\n" in lines and "  w: valid of more, in batches of 2\n" in lines, lines)
    lines = regc.ok("run", "--out=", "--quiet", "--summary", "--batch", "6", where / "p.reg")
    demand("  u: train of more, in batches of 5\n" in lines and "  v: valid of d, in batches of 2\n" in lines, lines)


def case_a_recipe_and_a_procedure_take_further_data(regc):
    plain, whole = placed(regc, TRAIN), TRAIN.split("{", 1)
    recipe = "recipe semi_supervised(net, share: number = 0.1) {" + whole[1].replace("0.7", "share") + """
procedure twice(net, first, second) {
  train net on first, u = second(batch: 4), v = first.valid(batch: 2), w = second.valid with semi_supervised(share: 0.7) as semi
}
twice(net, d, more)
"""
    other = placed(regc, recipe)
    for where in (plain, other):
        regc.ok("run", "--out", where / "out", where / "p.reg")
    same = [(where / "out" / "weights.safetensors").read_bytes() for where in (plain, other)]
    demand(same[0] == same[1], "a procedure's training ends elsewhere")


def case_a_training_with_further_data_diverges_where_it_does(regc):
    """The steps that are made again find the same batches: the last good weights are those before the step."""
    where = placed(regc, TRAIN.replace("  batch    3\n", "  penalize : (if step >= 7 then log(0 * u.x[0, 0]) else 0)\n  batch    3\n"))
    ended = regc("run", "--quiet", "--out", where / "out", where / "p.reg")
    demand(ended.returncode == 3 and "diverged at step 7" in ended.stderr, f"{ended.returncode} {ended.stderr}")
    regc.ok("run", "--quiet", "--out", where / "seven", "--steps", "7", where / "p.reg")
    ends = [(where / way / "weights.safetensors").read_bytes() for way in ("out", "seven")]
    demand(ends[0] == ends[1], "other weights are kept than those before the step")


def case_further_data_at_the_prompt(regc):
    where = placed(regc, TRAIN)
    lines = [line for line in (where / "p.reg").read_text().splitlines() if line and not line.lstrip().startswith("#")]
    told = regc("repl", cwd=where, stdin="\n".join(lines) + "\nsemi.loss\nu.x\n")
    demand(f"{expected()[1][-1][0]:.6g}"[:7] in told.stdout, f"{told.stdout}\n{told.stderr}")
    demand("further data of a training have their name in its clauses; elsewhere they are `more`" in told.stderr, told.stderr)
