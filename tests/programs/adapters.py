"""Low-rank adapters on a trained net. Each `case_*` function takes the compiler and raises Failure."""
import csv
import random
import signal
import time

from programs.cases import demand, events, folder, of_kind
from programs.standalone import build
from reference.compare import demand_close, read_weights
from run import ROOT

HEAD = f"""data digits = csv("{ROOT}/examples/data/digits.csv", target: label)
  |> scale(1/16)
  |> split(train: 80%, test: 20%, stratify: label, seed: 1)
data turned = digits with x = reshape(flip(reshape(x, [-1, 8, 8]), axis: 1), [-1, 64])
model net(x: [64]) -> [10] = x |> dense(64) as hidden |> relu |> dense(10) as out
"""

# The weights are held by `stop` inside of `lora`; decay must not reach them either.
ADAPTED = HEAD + """
model tuned = net with w in net.*.weight as lora(w, rank: 3)
recipe usual(m) {
  loss     cross_entropy(m(x), label)
  optimize adamw(lr: 4e-3, weight_decay: 0.1)
}
train net on digits with usual as base { epochs 10 }
train tuned on turned with usual as adapt {
  freeze   biases(net)
  epochs   20
}
a = evaluate tuned on turned.test { accuracy }
save net to "held.safetensors"
net.* <- seen(tuned)
b = evaluate net on turned.test { accuracy }
save net to "merged.safetensors"
"""

LOADED = HEAD + """
let merged = load("merged.safetensors", as: net)
evaluate merged on turned.test { accuracy }
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def scores(path):
    """The numbers of a table of predictions, row by row."""
    with open(path) as file:
        return [float(v) for row in list(csv.reader(file))[1:] for v in row]


def case_adapters_alone_have_states_and_merge_into_a_plain_net(regc):
    home = folder(regc)
    (home / "program.reg").write_text(ADAPTED)
    done = of_kind(events(regc, "--out", home / "out", home / "program.reg", cwd=home), "evaluate")
    accuracy = [e["metrics"]["accuracy"] for e in done]
    demand(accuracy[0] > 0.75 and accuracy[0] == accuracy[1], f"adapted and merged: {accuracy}")

    adapters = {f"tuned.{layer}.weight.{part}" for layer in ("hidden", "out") for part in "ab"}
    kept = read_weights(home / "out/checkpoint.safetensors")
    states = {name: values for name, values in kept.items() if name.startswith("state ")}
    demand(set(states) == {f"state adamw.{s} {path}" for s in "mv" for path in adapters}, f"states: {sorted(states)}")
    numbers = sum(map(len, states.values()))
    demand(numbers == 2 * 3 * (64 + 64 + 64 + 10), f"{numbers} numbers of the optimizer")

    before, held = read_weights(home / "out/weights-base.safetensors"), read_weights(home / "held.safetensors")
    demand(set(before) == set(held) and all(before[k] == held[k] for k in before), "the net that was adapted has changed")
    merged = read_weights(home / "merged.safetensors")
    demand(set(merged) == set(before) and merged["net.hidden.weight"] != before["net.hidden.weight"], "what is merged is no plain net")
    expected = scores(home / "out/predictions-1-turned.test.csv")
    demand_close("merged predictions", scores(home / "out/predictions-2-turned.test.csv"), expected, 1e-5)

    (home / "plain.reg").write_text(LOADED)
    regc.ok("run", "--progress", "none", "--out", home / "plain", home / "plain.reg")
    demand_close("loaded predictions", scores(home / "plain/predictions.csv"), expected, 1e-5)


def case_a_killed_binary_adapts_in_the_same_bits(regc):
    home = folder(regc)
    (home / "program.reg").write_text("".join(line for line in ADAPTED.splitlines(True) if not line.startswith("save")))
    regc.ok("run", "--progress", "none", "--threads", "2", "--out", home / "whole", home / "program.reg")
    binary = build(regc, home / "program.reg")
    delays = random.Random(5)
    for _ in range(4):
        running = binary.start("-q", "--threads", "1", "--out", home / "killed", "--resume", "--checkpoint", "0")
        time.sleep(delays.uniform(0.02, 0.25))
        running.send_signal(signal.SIGKILL)
        running.wait()
    binary.ok("-q", "--threads", "1", "--out", home / "killed", "--resume", "--checkpoint", "0")
    for name in ("weights-base.safetensors", "weights-adapt.safetensors", "predictions-1-turned.test.csv", "predictions-2-turned.test.csv"):
        demand((home / "whole" / name).read_bytes() == (home / "killed" / name).read_bytes(), f"{name} differs")
