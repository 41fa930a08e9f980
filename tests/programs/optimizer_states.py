"""States of optimizers by the names of their clauses: in a step, between epochs, behind the training. Each `case_*` function takes the
compiler and raises Failure."""
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
from programs.cases import demand, events, folder, of_kind

sys.path[:0] = [str(Path(__file__).resolve().parent)]
import tensors

ROWS = [[round(math.sin(1.9 * i + k), 3) for k in range(4)] for i in range(6)]
START = [[0.3], [-0.2], [0.1]]
HEAD = """precision f64

data d = csv("rows.csv", target: y)
model net(x: [3]) -> [1] = x |> dense(1) as out
net.out.weight <- [[0.3], [-0.2], [0.1]]
net.out.bias <- 0.05
"""
# Weights are held back where the gradient was large so far; `opt.v` is what the step finds.
CLAUSES = """
  scale = 1 + norm(opt.m)
  loss     mean((net(x)[.., 0] - y)^2)
  penalize w, v in net.*, opt.v : 0.1 * scale * sum(w^2 * sqrt(v + 0.01))
  optimize adam(lr: 0.05) as opt
  batch    6
  epochs   5
"""
TRAIN = "train net on d as first {" + CLAUSES + "  each epoch { report norm(opt.m); report opt.v as \"v\" }\n}\n"
BEHIND = "report norm(first.opt.m) as \"m\"\n"


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def placed(regc, text):
    where = folder(regc)
    (where / "rows.csv").write_text("a,b,c,y\n" + "".join(",".join(map(str, row)) + "\n" for row in ROWS))
    (where / "p.reg").write_text(HEAD + text)
    return where


def expected():
    """Of each epoch the norm of m and the tensors of v; and the weights."""
    table = np.array(ROWS)
    x, y = table[:, :3], table[:, 3:]
    w, b1, b2, told = [np.array(START), np.array([0.05])], 0.9, 0.999, []
    m, v = ([np.zeros_like(p) for p in w] for _ in range(2))
    for step in range(1, 6):
        far = x @ w[0] + w[1] - y
        scale = 1 + math.sqrt(sum((a**2).sum() for a in m))
        g = [x.T @ far * 2 / 6, far.sum(0) * 2 / 6]
        g = [a + 0.2 * scale * p * np.sqrt(s + 0.01) for a, p, s in zip(g, w, v)]
        m = [b1 * a + (1 - b1) * k for a, k in zip(m, g)]
        v = [b2 * a + (1 - b2) * k * k for a, k in zip(v, g)]
        w = [p - 0.05 * (a / (1 - b1**step)) / (np.sqrt(s / (1 - b2**step)) + 1e-8) for p, a, s in zip(w, m, v)]
        told.append((math.sqrt(sum((a**2).sum() for a in m)), v))
    return told, w


def near(a, b):
    return np.abs(np.ravel(a) - np.ravel(b)).max() < 1e-12


def case_optimizer_states_beside_numpy(regc):
    where, (told, weights) = placed(regc, TRAIN + BEHIND), expected()
    found = of_kind(events(regc, "--out", where / "out", where / "p.reg"), "report")
    for (norm, v), size, tree in zip(told, found[0:10:2], found[1:10:2], strict=True):
        demand(near(size["value"], norm), f"{size}, not {norm}")
        demand(all(near(tree["values"][f"net.out.{k}"], part) for k, part in zip(("weight", "bias"), v)), f"{tree}, not {v}")
    demand(near(found[10]["value"], told[-1][0]), f"behind the training {found[10]}")
    have = tensors.parse((where / "out" / "weights.safetensors").read_bytes())
    demand(near(have["net.out.weight"][1], weights[0]) and near(have["net.out.bias"][1], weights[1]), f"{have}, not {weights}")


def case_optimizer_states_have_the_same_bits_in_all_ways(regc):
    again = "repeat 2 as i {\n  " + (TRAIN + BEHIND.replace("m\"", "m {i}\"")).replace("\n", "\n  ").rstrip() + "\n}\n"
    where = placed(regc, again)

    def told(*options):
        return [e for e in events(regc, *options, where / "p.reg") if e["event"] == "report"]

    once = told("--out", where / "whole", "--threads", "1")
    demand(told("--out=", "--threads", "2") == once, "two threads end elsewhere")
    for steps in (1, 2, 3, 4, 5):
        regc.ok("run", "--quiet", "--out", where / "parts", "--steps", str(steps), "--resume", where / "p.reg")
    regc.ok("run", "--quiet", "--out", where / "parts", "--resume", where / "p.reg")
    regc.ok("build", "-q", where / "p.reg", "-o", where / "program")
    subprocess.run([where / "program", "--quiet", "--progress", "none", "--out", where / "binary"], check=True, cwd=where,
                   stdout=subprocess.DEVNULL)
    ends = [[p.read_bytes() for p in sorted((where / way).glob("weights*"))] for way in ("whole", "parts", "binary")]
    demand(len(ends[0]) == 2 and ends[0] == ends[1] == ends[2], "a run in pieces or a binary ends elsewhere")
    # Each act starts anew: the first step of the second one finds states of 0.
    fresh = placed(regc, "net.out.weight <- net.out.weight\n" + TRAIN.replace("as first", "as before") + TRAIN + BEHIND)
    second = [e for e in events(regc, "--out=", fresh / "p.reg") if e["event"] == "report"][-1]
    demand(near(second["value"], once[-1]["value"]), f"{second} behind a training of its own, {once[-1]} behind the second act")


def case_a_name_of_an_optimizer_changes_no_bits(regc):
    plain = "  loss mean((net(x)[.., 0] - y)^2)\n  optimize adam(lr: 0.05){}\n  batch 4\n  epochs 3\n}}\n"
    ends = []
    for name in ("", " as opt"):
        where = placed(regc, "train net on d as first {\n" + plain.format(name))
        regc.ok("run", "--quiet", "--out", where / "out", where / "p.reg")
        ends.append((where / "out" / "weights.safetensors").read_bytes())
    demand(ends[0] == ends[1], "a name changes the weights")


def case_a_penalty_goes_through_a_tree_beside_parameters(regc):
    """Towards the start: the same as by `each`, by paths, where the tree has more of them than the penalty's parameters."""
    ends = []
    for penalty in ("penalize w, a in net.out.weight, start : 0.5 * sum((w - a)^2)", "penalize : 0.5 * sum((net.out.weight - before)^2)"):
        where = placed(regc, f"""start = net.*
before = net.out.weight
train net on d as first {{
  loss     mean((net(x)[.., 0] - y)^2)
  {penalty}
  optimize sgd(lr: 0.1)
  epochs   3
}}
""")
        regc.ok("run", "--quiet", "--out", where / "out", where / "p.reg")
        ends.append(tensors.parse((where / "out" / "weights.safetensors").read_bytes()))
    demand(all(near(ends[0][k][1], ends[1][k][1]) for k in ends[0]), f"{ends}")


def case_states_of_several_optimizers(regc):
    where = placed(regc, """
optimizer counted(lr: number 0.. = 1e-3) for w {
  state turns = 0
  state m: like w = 0
  turns <- turns + 1
  m <- 0.5 * m + grad(objective, w)
  apply adam(lr: lr) with m
}
train net on d as first {
  seen = opt.turns
  loss     mean((net(x)[.., 0] - y)^2)
  penalize : 1e-3 * seen * norm(opt.adam.m) * norm(net.*)
  minimize 1e-3 * norm(opt.counted.m) * norm(net.*) + 1e-3 * seen over net.out.weight by sgd(lr: 0.1, momentum: 0.5)
  optimize counted(lr: 1e-2) for net.* as opt
  batch    4
  epochs   3
}
train net on d as second {
  minimize mean((net(x)[.., 0] - y)^2) over net.out.weight, mean(abs(net(x)[.., 0] - y)) over net.out.bias by adam(lr: 1e-2) as both
  batch    4
  epochs   1
}
assert first.opt.turns == first.steps and first.opt.turns == 6
assert count(second.both.m) == 4 and norm(first.opt.v) > 0
report first.opt.adam.m as "m"
""")
    found = of_kind(events(regc, "--out=", where / "p.reg"), "report")[0]["values"]
    demand(sorted(found) == ["net.out.bias", "net.out.weight"], f"{found}")


def case_states_at_the_prompt(regc):
    where = placed(regc, "")
    lines = [line for line in (HEAD + TRAIN + "first.opt.m.*\nnorm(first.opt.m)\nreport mean(flat(first.opt.v))\n").splitlines() if line]
    told = regc("repl", cwd=where, stdin="\n".join(lines) + "\n")
    norm = expected()[0][-1][0]
    demand(f"{norm:.6g}"[:7] in told.stdout, f"{told.stdout}\n{told.stderr}")
