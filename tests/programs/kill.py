#!/usr/bin/env python3
"""Runs that are killed at any moment and go on to the same end.

    kill.py REGC [--kills N] [--seed N] [--only NAME] [--binary] [--ranks] [--mpirun] [--keep FOLDER]

Each round takes a program, starts it with --resume, sends SIGKILL after a random time, and starts it again until it ends by itself.
Then its weights, predictions and metrics are compared with those of a run that was left alone, bit by bit (times apart); after each
kill every checkpoint and weights file must be readable by a reader that shares no code with the compiler. Rounds are added until N
kills have hit a running process. With --ranks a sweep is shared by two or four processes, one of which is killed, or all of them;
--mpirun lets OpenMPI start them. Closes with `N kills, ...` and `N passed, N failed`."""
import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]
import tensors

ROOT = Path(__file__).resolve().parents[2]

HEAD = """data digits = csv("DATA/digits.csv", target: label)
  |> scale(1/16)
  |> split(train: 70%, valid: 15%, test: 15%, stratify: label, seed: 1)
"""

# Early stopping that keeps the best weights, dropout and a schedule: random draws and what watches them.
STOPPING = HEAD + """
schedule fade = 0.3 until 15 epochs then 0
model net(x: [64]) -> [10] = x |> dense(64) as hidden |> relu |> dropout(fade) |> dense(10) as head
train net on digits {
  loss     cross_entropy(net(x), label, smoothing: 0.1)
  penalize w in net.*.weight : ramp(0 -> 1e-3, over: 10 epochs) * l1(w)
  optimize adamw(lr: cosine(3e-3 -> 0), weight_decay: 0.01)
  batch    64
  epochs   60
  stop     when valid.loss stalls for 4 epochs, keep best
}
evaluate net on digits.test { accuracy, ece }
"""

# States of a layer beside those of the optimizer; the best epoch is not the last one.
LAYER_STATE = HEAD + """
model net(x: [64]) -> [10] = x |> dense(48) as hidden |> batch_norm as norm |> relu |> dropout(0.2) |> dense(10) as head
train net on digits {
  loss     cross_entropy(net(x), label)
  optimize sgd(lr: 0.05, momentum: 0.9)
  batch    100
  epochs   40
  seed     7
  stop     when valid.accuracy stalls for 30 epochs, keep best
}
evaluate net on digits.test { accuracy }
evaluate net on digits.valid { accuracy }
"""

# Several trainings in one program, one of them without validation in its stop, one with a last small batch.
SEVERAL = HEAD + """
model small(x: [64]) -> [10] = x |> dense(16) |> relu |> dense(10)
model wide(x: [64]) -> [10] = x |> dense(64) |> tanh |> dropout(0.1) |> dense(10)
train small on digits {
  loss     cross_entropy(small(x), label)
  optimize adam(lr: 1e-2) |> accumulate(every: 3) |> lookahead
  batch    128
  epochs   25
}
train wide on digits {
  loss     cross_entropy(wide(x), label)
  optimize lion(lr: 1e-3)
  batch    50
  epochs   20
  stop     when valid.loss stalls for 6 epochs, keep best
}
evaluate small on digits.test { accuracy }
evaluate wide on digits.test { accuracy }
"""

# A loaded teacher: tensors that are neither trained nor initialized.
TEACHER = HEAD + """
model big(x: [64]) -> [10] = x |> dense(48) as hidden |> batch_norm as norm |> relu |> dropout(0.2) |> dense(10) as head
let teacher = load("teacher/weights.safetensors", as: big)
model net(x: [64]) -> [10] = x |> dense(16) |> relu |> dense(10)
train net on digits {
  loss     kl(softmax(teacher(x) / 4), softmax(net(x) / 4))
  optimize adam(lr: 1e-2)
  batch    64
  epochs   30
}
evaluate net on digits.test { accuracy }
"""

# One model three times: the second goes on from the best weights of the first, the third from the last of the second; what is
# evaluated between them was right at that moment.
IN_ORDER = HEAD + """
model net(x: [64]) -> [10] = x |> dense(24) as hidden |> batch_norm as norm |> relu |> dropout(0.2) |> dense(10) as head
evaluate net on digits.test { nll }
train net on digits as first {
  loss     cross_entropy(net(x), label)
  optimize adam(lr: 1e-2)
  batch    128
  epochs   20
  stop     when valid.nll stalls for 3 epochs, keep best
  allow(evaluates_untrained)
}
evaluate net on digits.test { accuracy, nll }
train net on digits {
  loss     cross_entropy(net(x), label)
  optimize sgd(lr: 0.05, momentum: 0.9)
  batch    64
  epochs   15
  seed     3
}
evaluate net on digits.valid { nll }
train net on digits {
  loss     cross_entropy(net(x), label)
  penalize w in net.*.weight : 1e-4 * l1(w)
  optimize adamw(lr: cosine(1e-3 -> 0))
  batch    100
  epochs   15
  stop     when valid.loss stalls for 20 epochs, keep best
}
evaluate net on digits.test { accuracy, nll }
"""

# Rounds of two trainings with statements between them: draws that differ from turn to turn, weights that are changed, a loop in a loop,
# branches, what is measured and reported.
STAGES = HEAD + """
model net(x: [64]) -> [10] = x |> dense(24) as hidden |> batch_norm as norm |> relu |> dropout(0.2) |> dense(10) as head
start = net.*
kept = 0
repeat 5 as r {
  train net on digits as fit {
    loss     cross_entropy(net(x), label)
    optimize adam(lr: 1e-2)
    batch    128
    epochs   6
    stop     when valid.nll stalls for 2 epochs, keep best
  }
  evaluate net on digits.valid { accuracy, nll }
  noise = each w in net.*.weight : 0.05 * normal(like: w)
  net.*.weight <- each w, n in net.*.weight, noise : w + n
  turns = 0
  while turns < 3, up to 5 {
    train net on digits as again {
      loss     cross_entropy(net(x), label)
      optimize sgd(lr: 0.02, momentum: 0.9)
      batch    100
      epochs   2
    }
    turns = turns + 1
    if turns > r { net.*.bias <- each w in net.*.bias : 0.9 * w } else { kept = kept + norm(net.*) }
  }
  report kept as "kept in round {r}"
  evaluate net on digits.valid { nll }
}
assert kept > 0
report net.head.bias
net.* <- start
evaluate net on digits.test { accuracy, nll }
"""

# A state for each row, of losses, penalties and lines; what it says at last is in what is reported.
SAMPLES = HEAD + """
model net(x: [64]) -> [10] = x |> dense(48) as hidden |> relu |> dropout(0.2) |> dense(10) as head
repeat 2 {
  train net on digits as fit {
    state seen[sample]: [2] ~ normal_init(std: 1)
    seen <- seen + 1
    z = net(x)
    loss     own_past(z, label, share: 0.8 * progress)
    penalize : 2 * early_learning(z) + temporal_ensembling(z)
    penalize : 1e-4 * mean(seen[.., 0] * max(z, axis: -1))
    optimize adam(lr: 3e-3)
    batch    100
    epochs   25
    stop     when valid.loss stalls for 12 epochs, keep best
    each epoch { report mean(fit.seen, axis: 0) as "seen" }
  }
  report fit.early_learning.average[0]
}
evaluate net on digits.test { accuracy, nll }
"""

# Further data, whose passes end anywhere within an epoch of the first.
FURTHER = HEAD + """
data few = digits with train = digits.train[0..150]
data other = digits with train = digits.train[150..]
model net(x: [64]) -> [10] = x |> dense(48) as hidden |> relu |> dropout(0.2) |> dense(10) as head
fn agreement(net, x) = mean((softmax(net(x)) - softmax(net(x)))^2)
train net on few, u = other(batch: 90), v = digits.test(batch: 7) as semi {
  loss     cross_entropy(net(x), label) + 0.3 * agreement(net, u.x)
  penalize : 0.1 * agreement(net, v.x)
  optimize adam(lr: 3e-3)
  batch    32
  epochs   80
}
evaluate net on digits.test { accuracy }
"""

# Rows that passes take by what the weights were when they began, logs, constraints, conditions.
DRAWN = HEAD + """
model net(x: [64]) -> [10] = x |> dropout(0.2) |> dense(16) as hidden |> relu |> dense(10)

train net on digits as hard {
  loss      cross_entropy(net(x), label)
  penalize w in net.hidden.weight : 0.02 * l1(w) by prox
  constrain w in net.*.bias : nonnegative(w)
  optimize  sgd(lr: 0.2)
  log       slope = norm(grad(objective, net.*))
  sample    by cross_entropy(net(x), label, per_row: true), 700 rows
  stop      when slope < 1e-6
  batch     32
  epochs    10
}
train net on digits as sure {
  loss      cross_entropy(net(x), label)
  optimize  adam(lr: 1e-3)
  sample    where max(softmax(net(x)), axis: 1) > 0.3 + 0.05 * epoch
  batch     32
  epochs    8
}
evaluate net on digits.test { accuracy }
report sure.steps
"""

# Runs of a sweep end in any order; those that are over are not made again.
SWEEP = HEAD + """
model net(x: [64]) -> [10] = x |> dropout(0.2) |> dense(16) as hidden |> relu |> dense(10)
start = net.*
before = normal([3])
repeat 2 as round {
  sweep lambda in log(1e-4 .. 0.1, 4), seed in 1..3 as path {
    train net on digits as fit {
      loss      cross_entropy(net(x), label)
      penalize w in net.*.weight : lambda * l1(w) by prox
      optimize  sgd(lr: 0.2)
      batch     32
      epochs    4
    }
    e = evaluate net on digits.valid { accuracy }
    v = before + normal([3]) + round
    w = net.*
    report e.accuracy as "seed {seed}"
  }
  report path.fit.history.loss
  report path.v
  net.* <- each a, b in start, path.w : mean(mean(b, axis: 0), axis: 0)
}
report net.hidden.bias
"""

PROGRAMS = {"sweep": SWEEP, "drawn": DRAWN, "stages": STAGES, "in order": IN_ORDER, "stopping": STOPPING, "layer state": LAYER_STATE, "several": SEVERAL, "teacher": TEACHER,
            "further": FURTHER, "samples": SAMPLES,
            "double": "precision f64\n" + STOPPING}


class Broken(Exception):
    """A run does not end where it would have, or leaves something unreadable."""


class Scene:
    """The programs in a folder of their own, and what each leaves when nobody disturbs it."""

    def __init__(self, regc, folder, environment=None, names=tuple(PROGRAMS), binary=False):
        self.regc, self.folder, self.whole, self.seconds = str(Path(regc).resolve()), Path(folder), {}, {}
        self.names = names
        self.environment = environment or os.environ | {"XDG_CACHE_HOME": str(self.folder / "cache")}
        for name, text in PROGRAMS.items():
            self.path(name).write_text(text.replace("DATA", str(ROOT / "examples" / "data")))
        teacher = self.folder / "big.reg"
        teacher.write_text(self.path("layer state").read_text().replace("net", "big").replace("epochs   40", "epochs   5"))
        self.run(teacher, self.folder / "teacher")
        for name in names:
            if binary:
                subprocess.run([self.regc, "build", "-q", self.path(name), "-o", self.path(name).with_suffix(".bin")], check=True, env=self.environment)
            self.run(self.path(name), self.folder / "warm")  # fills the cache of compiled functions
            begin = time.monotonic()
            out = self.folder / f"{name} whole"
            self.run(self.path(name), out)
            self.whole[name], self.seconds[name] = result(out), time.monotonic() - begin

    def path(self, name):
        return self.folder / f"{name}.reg"

    def start(self, program, out, *more, before=(), environment=None):
        built = program.with_suffix(".bin")
        command = [built] if built.exists() else [self.regc, "run", program]
        return subprocess.Popen([*before, *command, "--progress", "none", "--out", out, *more], env=self.environment | (environment or {}),
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def run(self, program, out, *more):
        process = self.start(program, out, *more)
        error = process.communicate()[1].decode(errors="replace")
        if process.returncode:
            raise Broken(f"exit code {process.returncode}\n{error}")


def lines(path):
    """The events of metrics.jsonl without their times; a training that was started again says so once. Runs of a sweep, and what they
    report, come in the order in which they end."""
    found, of_runs = [], []
    for line in path.read_text().splitlines():
        event = json.loads(line)
        event.pop("seconds", None)
        if event["event"] == "train_start":
            continue
        if event["event"] == "run" or event.get("name", "").startswith("lambda = "):
            of_runs.append(json.dumps(event))
            continue
        found.append(event)
    return found + sorted(of_runs)


def result(out):
    files = {p.name: p.read_bytes() for p in out.iterdir() if p.name.startswith(("weights", "predictions", "sweep"))}
    return files | {"metrics.jsonl": lines(out / "metrics.jsonl")}


def inspect(out):
    """What a kill left: each file of tensors is whole. Returns how many checkpoints there are."""
    checkpoints = 0
    for path in out.glob("*.safetensors"):
        try:
            found = tensors.parse(path.read_bytes())
        except FileNotFoundError:  # a process that goes on has ended the run that it was of
            continue
        except tensors.Malformed as e:
            raise Broken(f"{path.name} after a kill: {e}") from e
        checkpoints += path.name.startswith("checkpoint")
        if path.name.startswith("checkpoint") and "meta" not in found:
            raise Broken(f"{path.name} has no meta")
    return checkpoints


def kill_until_done(scene, name, out, threads, rng, most):
    """Kills a run up to `most` times; returns (kills, kills that left a checkpoint)."""
    kills = with_checkpoint = 0
    while True:
        # At the ends of epochs, or within them.
        checkpoint = rng.choice(("0", "0.002", "0.02"))
        process = scene.start(scene.path(name), out, "--resume", "--threads", str(threads), "--checkpoint", checkpoint)
        try:
            if kills == most:
                process.wait()
            else:
                process.wait(rng.uniform(0, scene.seconds[name] * rng.choice((0.5, 1, 1.3))))
        except subprocess.TimeoutExpired:
            process.kill()
            if process.wait() == -9:
                kills += 1
                with_checkpoint += out.exists() and inspect(out) > 0
            process.stderr.close()
            continue
        error = process.communicate()[1].decode(errors="replace")
        if process.returncode:
            raise Broken(f"a resumed run ended with {process.returncode}\n{error}")
        return kills, with_checkpoint


def start_ranks(scene, program, out, number, job, mpirun):
    """So many processes that share a sweep, and what waits for them where that is none of them."""
    more = ["--resume", "--threads", "1", "--checkpoint", "0.002"]
    if not mpirun:
        who = {"OMPI_COMM_WORLD_SIZE": str(number), "PMIX_NAMESPACE": job}
        return [scene.start(program, out, *more, environment=who | {"OMPI_COMM_WORLD_RANK": str(i)}) for i in range(number)], None
    return [], scene.start(program, out, *more, before=["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", str(number)])


def children(parent):
    return [int(pid) for pid in Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()] if parent.poll() is None else []


def ranks_of(parent, number):
    """The processes that mpirun has started, as soon as they are there."""
    until = time.monotonic() + 60
    while len(found := children(parent)) < number and parent.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    return found


def await_end(pids):
    """Of processes whose parent is gone: they end by themselves."""
    until = time.monotonic() + 60
    for pid in pids:
        while Path(f"/proc/{pid}/exe").exists() and time.monotonic() < until:
            time.sleep(0.01)
    left = [pid for pid in pids if Path(f"/proc/{pid}/exe").exists()]
    if strike(left):
        raise Broken(f"{len(left)} processes go on without mpirun")


def strike(pids):
    hit = 0
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
            hit += 1
        except ProcessLookupError:
            pass
    return hit


def kill_ranks_until_done(scene, name, out, number, rng, most, mpirun):
    """As above, of processes that share the runs. Where the first lives, it ends as one that is alone does; mpirun ends all when one dies,
    and where it is killed itself, they end."""
    kills = with_checkpoint = job = 0
    while True:
        processes, parent = start_ranks(scene, scene.path(name), out, number, f"{out.name} {job}", mpirun)
        job += 1
        victims = []
        if kills < most:
            started = ranks_of(parent, number) if parent else []
            time.sleep(rng.uniform(0, scene.seconds[name] * rng.choice((0.3, 0.6, 1))))
            alive = children(parent) if parent else [p.pid for p in processes if p.poll() is None]
            victims = rng.sample(alive, rng.choice((1, 1, len(alive)))) if alive else []
            if victims and parent and rng.random() < 0.4:
                victims = [parent.pid]
            kills += strike(victims)
            if parent and parent.pid in victims:
                await_end(started)
            if processes and processes[0].pid in victims:  # the others make its runs as well, until they are ended
                time.sleep(rng.uniform(0, scene.seconds[name]))
                strike([p.pid for p in processes if p.poll() is None])
            with_checkpoint += bool(victims) and out.exists() and inspect(out) > 0
        ended = [parent] if parent else processes
        errors = [p.communicate()[1].decode(errors="replace") for p in ended]
        codes = [p.returncode for p in ended]
        if codes[0] == 0:
            return kills, with_checkpoint
        if not parent and set(codes) - {0, -9} or not victims:
            raise Broken(f"{number} processes ended with {codes}\n" + "\n".join(errors))


def compare(expected, found):
    for name in sorted(set(expected) | set(found)):
        if name not in found or name not in expected:
            raise Broken(f"{name} is there in one of the runs only")
        if expected[name] != found[name]:
            where = ""
            if name == "metrics.jsonl":
                pairs = list(zip(expected[name], found[name]))
                where = next((f"\n{a}\n{b}" for a, b in pairs if a != b), f": {len(expected[name])} and {len(found[name])} lines")
            raise Broken(f"{name} differs{where}")


def rounds(scene, kills, seed, ranks=False, mpirun=False):
    """(passed, failures, tally) of as many rounds as it takes."""
    rng, tally, passed, failures, number = random.Random(seed), Counter(), 0, [], 0
    names = ("sweep",) if ranks else scene.names
    while tally["kills"] < kills and number < 20 + 4 * kills:
        name, threads = names[number % len(names)], 1 + number // len(names) % 2
        out = scene.folder / f"round {number}{' of ranks' if ranks else ''}"
        number += 1
        try:
            most = rng.randint(1, 8)
            if ranks:
                hit, left = kill_ranks_until_done(scene, name, out, 2 * threads, rng, most, mpirun)
            else:
                hit, left = kill_until_done(scene, name, out, threads, rng, most)
            where = f"of {2 * threads} processes" if ranks else f"on {threads} threads"
            tally.update({"kills": hit, "with a checkpoint": left, name: hit, where: hit, "rounds": 1})
            leftover = [p.name for p in out.iterdir() if p.suffix == ".tmp"]
            if leftover:
                raise Broken(f"unfinished files stay: {leftover}")
            compare(scene.whole[name], result(out))
            passed += 1
        except Broken as e:
            failures.append(f"round {number - 1}, {name} on {threads} threads: {e}")
    return passed, failures, tally


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("regc")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=list(PROGRAMS), help="one of the programs")
    parser.add_argument("--binary", action="store_true", help="standalone binaries of the programs")
    parser.add_argument("--ranks", action="store_true", help="processes that share the runs of a sweep")
    parser.add_argument("--mpirun", action="store_true", help="--ranks, started by OpenMPI's mpirun")
    parser.add_argument("--keep", help="the folder to work in, kept afterwards")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reg-kill-") as scratch:
        folder = Path(a.keep or scratch).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        ranks = a.ranks or a.mpirun
        names = (a.only,) if a.only else ("sweep",) if ranks else tuple(PROGRAMS)
        passed, failures, tally = rounds(Scene(a.regc, folder, names=names, binary=a.binary), a.kills, a.seed, ranks, a.mpirun)
    for text in failures:
        print(text)
    print(f"{tally.pop('kills')} kills, " + ", ".join(f"{k}: {v}" for k, v in tally.items()))
    print(f"{passed} passed, {len(failures)} failed")
    sys.exit(bool(failures) or not passed)


if __name__ == "__main__":
    main()
