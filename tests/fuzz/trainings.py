"""Random trainings: a model, a loss, penalties and an optimizer on a few rows; the weights after one to three steps, the loss before each
and a metric at the end against the reading."""
import json
import struct
import subprocess
from pathlib import Path

import numpy as np

from expressions import Grower
from reading.scope import Unread, World
from reading.syntax import Refused, parse_expression
from reading.training import Training
from reading.values import array
from tolerance import compare, tolerance

LAYERS = {
    "scaled": "layer scaled(x: [.., i]) -> [.., i] {\n  param gain: [i] = 1\n  x * gain\n}\n",
    "shifted": "layer shifted(x: [.., i], by: number = 1) {\n  param level: [i] = by\n  param slope: [i] = 0.5 if by > 1\n  tanh(x) + by * level + slope * x\n}\n",
    "mixed": "layer mixed(x: [.., i], units: int 1..) -> [.., units] {\n  h = x |> dense(units, bias: false) |> tanh\n  g = sigmoid(x |> dense(units) as gate)\n"
             "  repeat 2 { h = 0.5 * h + g * h }\n  h\n}\n",
    "shared": "layer shared(x: [.., i]) -> [.., i] {\n  param w: [i, i] ~ he_normal(fan: i)\n  repeat 2 { x = tanh(x @ w) }\n  x + x @ transpose(w)\n}\n",
}
OPTIMIZERS = {
    "clipped": "optimizer clipped(lr: number = 0.1, most = 1) for w {\n  g = grad(objective, w)\n  g = g * min(1, most / max(norm(g), 1e-6))\n  w <- w - lr * g\n}\n",
    "boxed": "optimizer boxed(lr: number = 0.1) for w {\n  g = clamp(grad(objective, w), -0.5, 0.5)\n  w <- max(w - lr * g, -1)\n  w <- if w > 1.5 then 1.5 else w\n}\n",
    "heavy": "optimizer heavy(lr: number = 0.1, m: rate = 90%) for w {\n  state v: like w = w\n  v <- m * v + (1 - m) * (w - lr * grad(objective, w))\n"
             "  repeat 2 { w <- 0.5 * (w + v) }\n}\n",
    "centred": "optimizer centred(lr: number = 0.1) for w {\n  g = grad(objective, w)\n  w <- w - lr * (g - mean(g)) / (1 + abs(g) / (max(abs(g)) + 0.1))\n}\n",
    "looking": "optimizer looking(lr: number = 0.1) for w {\n  g = grad(objective, w)\n  ahead = grad(objective at w - lr * g, w)\n  w <- w - lr * (g + ahead) / 2\n}\n",
}


class Program:
    """Pieces of which each may be left out."""
    def __init__(self, rng):
        self.rows, self.inputs = rng.choice([2, 3, 4]), rng.choice([1, 2, 3])
        self.classes = rng.choice([0, 0, 2, 3])
        self.rows = max(self.rows, self.classes)
        self.epochs, self.seed = rng.choice([1, 1, 2, 3]), rng.randrange(10**6)
        self.switch = ["(0.1 until 1 steps then 0.3)"] if self.epochs > 1 else []
        self.outputs = self.classes or rng.choice([1, 1, 2])
        self.stages = [self.stage(rng) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
        self.last = rng.choice([f"dense({self.outputs})", f"dense({self.outputs}) as head", f"dense({self.outputs}, bias: false) as head"])
        self.loss = self.loss_of(rng)
        self.penalties = [self.penalty(rng) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
        self.optimizer = self.optimizer_of(rng)

    def stage(self, rng):
        units = rng.choice([1, 2, 2, 3])
        return rng.choice([f"dense({units})", f"dense({units}) as hidden{rng.randrange(100)}", "tanh", "silu", "softplus", "gelu", "elu", "relu",
                           "sigmoid", "layer_norm", "rms_norm", "batch_norm(momentum: 0.5)", "scaled", "scaled as s1", "shifted(by: 2)",
                           "shifted", f"mixed({units})", "shared", "softmax", "dropout(p: 0%)", "leaky_relu(slope: 10%)"])

    def loss_of(self, rng):
        if self.classes:
            return rng.choice(["cross_entropy(net(x), y)", "cross_entropy(net(x), y, smoothing: 10%)", "focal(net(x), y, gamma: 2)",
                               "mse(softmax(net(x)), one_hot(y, count(net(x)) / size(net(x), 0)))", "-mean(take_along(log_softmax(net(x)), reshape(y, [count(y), 1])))"])
        if self.outputs > 1:
            return rng.choice(["mean((net(x)[.., 0] - y)^2)", "mean(abs(net(x)[.., -1] - y)^1.5)", "mean(sum(net(x), axis: 1)^2 * y^2)"])
        return rng.choice(["mse(net(x), y)", "squared_error(net(x), y)", "log_cosh(net(x), y)", "huber(net(x), y, delta: 0.5)",
                           "mean((flat(net(x)) - y)^2)", "pinball(net(x), y, q: 30%)", "binary_cross_entropy(net(x), sigmoid(y))"])

    def penalty(self, rng):
        over = rng.choice(["net.*", "net.*.weight", "net.head.*", "net.* except net.*.bias", "net.*.bias"])
        strength = rng.choice(["0.1", "1e-2", "50%", "linear(0.1 -> 0.2)", *self.switch])
        grower = Grower(rng, {}, grads=0)
        own = grower.unary((), 2)
        e = rng.choice(["l2(w)", "l1(w)", "elastic_net(w, mix: 20%)", "mcp(w)", "log_sum(w)", "smooth_l1(w, eps: 0.1)", "sum(tanh(w)^2)", "max(w)^2",
                        "norm(w)", "sum(softmax(flat(w))^2)", "sum(if w > 0 then w^2 else 0.1 * w)", "mean(cumsum(sort(w))^2)"])
        return rng.choice([f"penalize w in {over} : {strength} * {e}", f"penalize w in {over} : {strength} * {e}",
                           f"penalize : {strength} * mean(net(x)^2)", f"penalize : {strength} * norm(net.*)", f"penalize : {strength} * l2({over})",
                           f"penalize : 0.01 * sum(max(net.*, 0)) + {own.text()} * 0.01", "penalize : 0.05 * input_gradient(net, x)",
                           "penalize w in net.*.weight : 0.01 * orthogonality(w)", f"penalize : {strength} * sum(abs(net.* * net.*))"])

    def optimizer_of(self, rng):
        lr = rng.choice(["0.1", "0.05", "1%", "linear(0.1 -> 0.01)", "cosine(0.1 -> 0, over: 2 epochs)", *self.switch, "warmup(0.1, over: 2 steps)",
                         "0.1 * 0.5^step", "step_decay(0.1, every: 1 steps, factor: 50%)", "exponential(0.1 -> 0.01)"])
        return rng.choice([f"sgd(lr: {lr})", f"sgd(lr: {lr}, momentum: 0.9)", f"sgd(lr: {lr}, momentum: 0.8, nesterov: true, weight_decay: 0.1)",
                           f"sgdw(lr: {lr}, weight_decay: 0.1)", f"adam(lr: {lr})", f"adamw(lr: {lr}, weight_decay: 0.1)", f"rmsprop(lr: {lr})",
                           f"adagrad(lr: {lr})", f"lion(lr: {lr}, weight_decay: 0.1)", f"sam(rho: 0.05, base: sgd(lr: {lr}))", f"clipped(lr: {lr}, most: 0.5)",
                           f"boxed(lr: {lr})", f"heavy(lr: {lr})", f"centred(lr: {lr})", f"looking(lr: {lr})"])

    def text(self):
        used = " ".join([*self.stages, self.optimizer])
        parts = [v for k, v in {**LAYERS, **OPTIMIZERS}.items() if k in used]
        metric = "accuracy, nll" if self.classes else "mse, mae" if self.outputs == 1 else ""
        return "".join(parts) + 'data d = csv("d.csv", target: y)\n' + \
            f"model net(x: [{self.inputs}]) -> [{self.outputs}] = {' |> '.join(['x', *self.stages, self.last])}\n" + \
            "train net on d {\n  loss " + self.loss + "\n" + "".join(f"  {p}\n" for p in self.penalties) + \
            f"  optimize {self.optimizer}\n  batch {self.rows}\n  epochs {self.epochs}\n  allow(coupled_l2_adaptive)\n}}\n" + \
            (f"evaluate net on d {{ {metric} }}\n" if metric else "")

    def smaller(self):
        for k in range(len(self.penalties)):
            yield self.with_(penalties=self.penalties[:k] + self.penalties[k + 1:])
        for k in range(len(self.stages)):
            yield self.with_(stages=self.stages[:k] + self.stages[k + 1:])
        for k, more in [*([] if self.switch else [("epochs", 1)]), ("optimizer", "sgd(lr: 0.1)"), ("last", f"dense({self.outputs})"), ("rows", max(2, self.classes)), ("inputs", 1)]:
            if getattr(self, k) != more:
                yield self.with_(**{k: more})

    def with_(self, **changed):
        new = object.__new__(Program)
        new.__dict__.update({**self.__dict__, **changed})
        return new

    def fields(self):
        draw = np.random.default_rng(self.seed)
        x = draw.standard_normal((self.rows, self.inputs)).astype(np.float32)
        y = np.arange(self.rows) % self.classes if self.classes else draw.standard_normal(self.rows).astype(np.float32)
        return x, y

    def start(self):
        draw = np.random.default_rng(self.seed + 1)
        return lambda path, shape: np.abs(0.7 * draw.standard_normal(shape).astype(np.float32)) + 0.5 if "variance" in path else \
            0.7 * draw.standard_normal(shape).astype(np.float32)


def write_safetensors(path, tensors):
    header, data = {}, b""
    for k, v in tensors.items():
        raw = np.ascontiguousarray(v, dtype="<f4").tobytes()
        header[k] = {"dtype": "F32", "shape": list(np.shape(v)), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    data = Path(path).read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    return {k: np.frombuffer(data, "<f4", (t["data_offsets"][1] - t["data_offsets"][0]) // 4, start + t["data_offsets"][0]).reshape(t["shape"]).astype(float)
            for k, t in header.items() if k != "__metadata__"}


def read(program, noise):
    """(weights at the start, {name: values}, error) of the reading."""
    x, y = program.fields()
    fields = {"x": x.astype(np.float64), "y": np.asarray(y, np.int64 if program.classes else np.float64)}
    t = Training(program.text(), fields, program.start(), noise)
    start, found = {k: v.astype(np.float32) for k, v in t.weights().items()}, {}
    for k in range(program.epochs):
        loss, objective = t.step()
        found[f"loss {k + 1}"], found[f"objective {k + 1}"] = np.array(loss), np.array(objective)
    found.update(t.weights())
    t.scope.mode = False
    if program.classes or program.outputs == 1:
        for m in ("accuracy", "nll") if program.classes else ("mse", "mae"):
            found[f"metric {m}"] = array(t.reader.value(parse_expression(f"{m}(net(x), y)"), t.scope, World())).astype(float)
    if t.reader.beyond:
        raise Unread("more than a 32-bit float holds")
    return start, found, t.reader.error


def run(path, program, folder, environment, start):
    """(exit code, message, {name: values}) of regc from the given weights."""
    weights = []
    if start:
        write_safetensors(f"{folder}/start.safetensors", start)
        weights = ["--weights", f"{folder}/start.safetensors"]
    command = [path, "run", f"{folder}/p.reg", *weights, "--out", f"{folder}/run", "--json", "--progress=none"]
    subprocess.run(["rm", "-rf", f"{folder}/run"], check=True)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    except subprocess.TimeoutExpired:
        return "time-out", "no end within 60 s", {}
    if done.returncode:
        return done.returncode, done.stderr, {}
    found = read_safetensors(f"{folder}/run/weights.safetensors")
    for line in done.stdout.splitlines():
        e = json.loads(line)
        if e["event"] == "epoch":
            found[f"loss {e['epoch']}"], found[f"objective {e['epoch']}"] = np.array(float(e["loss"])), np.array(float(e["objective"]))
        if e["event"] == "evaluate":
            found.update({f"metric {m}": np.array(float(v)) for m, v in e["metrics"].items()})
    return 0, "", found


def nudged(start, seed):
    """The same weights but for their last bits."""
    draw = np.random.default_rng(seed)
    return {k: (v * (1 + 2.0 ** -22 * draw.uniform(-1, 1, np.shape(v)))).astype(np.float32) for k, v in start.items()}


def judge(path, program, folder, environment):
    """(outcome, reason)."""
    try:
        start, want, error = read(program, None)
        why = None
    except Refused as reason:
        start, want, why = {}, None, reason
    except Unread:
        return "skip", "kink"
    x, y = program.fields()
    Path(folder, "d.csv").write_text(",".join([*(f"c{k}" for k in range(program.inputs)), "y"]) + "\n" +
                                     "".join(",".join([*(repr(float(v)) for v in row), repr(float(t)) if not program.classes else str(int(t))]) + "\n" for row, t in zip(x, y)))
    Path(folder, "p.reg").write_text(program.text())
    code, message, found = run(path, program, folder, environment, start)
    if code not in (0, 1, 3):
        return "differs", f"exit code {code}\n{message[:1000]}"
    checked = subprocess.run([path, "check", f"{folder}/p.reg"], capture_output=True, timeout=60, env=environment).returncode
    if checked != (code == 1):
        return "differs", f"`check` ends with {checked}, `run` with {code}\n{message[:1000]}"
    if code == 1:
        if "error" not in message:
            return "differs", "exit code 1 without a message"
        return ("same", "") if why else ("differs", f"refused\n{message[:1000]}")
    if why:
        return "differs", f"accepted: the reading refuses: {why}"
    if code == 3:
        return ("same", "") if not all(np.isfinite(v).all() for v in want.values()) else ("differs", f"diverged\n{message[:500]}")
    if set(found) != set(want):
        return "differs", f"names: {sorted(set(found) ^ set(want))}"
    try:
        noisy = [read(program, seed)[1] for seed in (1,)]
    except Unread:
        return "skip", "kink near"
    outcome, reason = compared(found, want, noisy, error)
    if outcome == "differs":
        # A gradient whose terms cancel is off by more than its value's noise tells: what last bits of the start change, says it.
        moved = [run(path, program, folder, environment, nudged(start, seed))[2] for seed in (1, 2, 3)]
        if all(set(m) == set(want) for m in moved):
            spread = {k: 8 * np.max([np.abs(m[k] - found[k]) for m in moved], axis=0) for k in want}
            outcome, reason = compared(found, want, noisy, error, spread)
            outcome = "skip" if outcome == "same" else outcome
        write_safetensors(f"{folder}/start.safetensors", start)
    return outcome, reason


def compared(found, want, noisy, error, spread=None):
    outcome = "same"
    for name in want:
        allowed = tolerance(want[name], [n[name] for n in noisy], error) + (2e-5 * abs(want[name]) if " " in name else 0)
        one, reason = compare(found[name], want[name], allowed + (np.max(spread[name], initial=0) if spread else 0))
        if one == "differs":
            return "differs", f"{name}: {reason}"
        outcome = one if one == "skip" else outcome
    return outcome, ""
