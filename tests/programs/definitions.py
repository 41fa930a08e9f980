"""Definitions and statements: what the names in a definition's text mean, where it stands and where it is used. Each `case_*` function
takes the compiler and raises Failure."""
from programs.cases import demand, events, folder, of_kind, written
from programs.stages import DIGITS, files, read


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def everywhere(regc, text, *pieces):
    """What a program reports: the same on one thread and two, as a binary, and in pieces of so many steps."""
    source, home = written(regc, text), folder(regc)
    told = regc.ok("run", "-q", "--threads", "1", "--out", home / "whole", source)
    demand(regc.ok("run", "-q", "--threads", "2", "--out", home / "two", source) == told, "two threads tell other results")
    regc.ok("build", "-q", source, "-o", home / "program")
    binary = type(regc)(home / "program", regc.scratch)
    demand(binary.ok("-q", "--out", home / "built") == told, "the binary tells other results")
    for steps in [["--steps", str(n)] for n in pieces] + [[]]:
        regc.ok("run", "-q", "--resume", "--checkpoint", "0", "--out", home / "parts", *steps, source)
    for other in ("two", "built", "parts"):
        demand(files(home / other) == files(home / "whole"), f"{other}: other files or events")
    return {e["name"]: e["value"] for e in of_kind(events(regc, "--out", "", source), "report")}


def case_names_in_a_definition_mean_what_they_mean_where_it_stands(regc):
    """Also in a procedure with a name of its own that is written alike; and their values are those of the moment."""
    found = everywhere(regc, """
model net(x: [2]) -> [1] = x |> dense(1) as hidden
net.* <- 1
mask = 0.5
model masked = net with w in net.*.weight as w * mask
fn times(x) = x * mask
procedure measured(m, f) {
  mask = 100
  report sum(seen(m).hidden.weight) as "seen"
  report f(1) as "given"
  (mask, f(1))
}
a = times(2)
mask = 2
b = times(2)
c, d = measured(masked, times)
net.* <- 3
e = norm(net.*)
net.* <- 4
report a
report b
report c + d as "c"
report norm(net.*) - e as "grown"
""")
    demand(found["a"] == 1 and found["b"] == 4, f"a name that is bound again: {found}")
    demand(found["seen"] == 4 and found["given"] == 2 and found["c"] == 102, f"a procedure's own name: {found}")
    demand(abs(found["grown"] - 3 ** 0.5) < 1e-6, f"parameters with other values: {found}")


def case_definitions_of_blocks_are_their_own(regc):
    """Models of two blocks that are called alike, and of each call of a procedure, have parameters of their own; all are computed by hand."""
    found = everywhere(regc, """
data rows = table(8) { x = ones([8, 1]); y = zeros([8, 1]) }
fn twice(x) = 2 * x
k = 0
repeat 2 as i {
  k = k + 1
  fn twice(x) = 20 * x * k
  model b(x: [1]) -> [1] {
    param w: [1] = 1
    w * x
  }
  train b on rows {
    loss     mean(b(x))
    optimize sgd(lr: 0.5)
    batch    8
    epochs   1
    each epoch {
      let half = 0.5
      b.w <- b.w * half * k
    }
  }
  report twice(1) as "twice {i}"
  report b.w[0] as "b {i}"
}
report twice(1) as "outside"
procedure moved(by: number) {
  if by > 0 {
    model b(x: [1]) -> [1] {
      param w: [1] = 10
      w * x
    }
    fn plus(x) = x + by
    b.w <- plus(b.w)
    b.w <- plus(b.w)
    report b.w[0] as "moved by {by}"
  }
}
moved(1)
moved(2)
""", 1)
    demand([found["twice 0"], found["twice 1"], found["outside"]] == [20, 40, 2], f"{found}")
    demand([found["b 0"], found["b 1"]] == [0.25, -0.25], f"a model of a loop goes on: {found}")
    demand([found["moved by 1"], found["moved by 2"]] == [12, 14], f"each call has its own: {found}")


def case_averages_without_a_name_are_those_with_one(regc):
    """In losses, recipes, procedures, evaluations: written alike they are one, with the bits of one that has a name."""
    text = DIGITS + """
NAMED
recipe settled(m) {
  loss     cross_entropy(m(x), label) + mean((softmax(m(x)) - softmax(ema(m, decay: 0.9)(x)))^2)
  optimize adam(lr: 1e-2)
  epochs   2
}
procedure trained(m, recipe) {
  train m on digits with recipe as pass
  e = evaluate ema(m, decay: 0.9) on digits.test { accuracy }
  report e.accuracy as "accuracy"
}
trained(net, settled)
report norm(ema(net, decay: 0.9).* - net.*) as "moved"
report max(flat(ema(net, decay: 0.9).*)) as "largest"
"""
    named = text.replace("ema(m, decay: 0.9)", "average").replace("ema(net, decay: 0.9)", "average").replace("NAMED", "let average = ema(net, decay: 0.9)")
    found, expected = everywhere(regc, text.replace("NAMED", ""), 3, 25), everywhere(regc, named)
    demand(found == expected and found["moved"] > 0, f"{found}, with a name {expected}")


NORMED = """data rows = table(40) { x = normal([40, 3]); y = sum(x^2, axis: 1) }
model net(x: [3]) -> [1] = x |> dense(4) as hidden |> batch_norm as norm |> tanh |> dense(1) as out
"""
NORMED_FIT = """  loss     mse(net(x), y)
  optimize sgd(lr: 0.05)
  batch    10
  seed     3
"""


def case_averages_have_states_of_layers_of_their_own(regc):
    """A snapshot has those of its moment, an average those behind the last step; a call in training mode moves none of them."""
    found = everywhere(regc, NORMED + """
let first = snapshot(net)
let late = snapshot(net, each: 7 steps)
let now = ema(net, decay: 0)
let slow = ema(net, decay: 0.9)
model slowly = net with w, a in net.*, slow.* as a
before = net(rows.x)
train net on rows {
FIT  epochs   3
  penalize : 0 * norm(slow(x, mode: train))
}
report max(abs(first(rows.x) - before)) as "first"
report max(abs(now(rows.x) - net(rows.x))) as "now"
report max(abs(slow(rows.x) - slowly(rows.x))) as "slow"
report max(abs(late(rows.x) - net(rows.x))) as "late"
save late to "LATE"
evaluate late on rows { mse }
""".replace("FIT", NORMED_FIT).replace("LATE", str(folder(regc) / "late.safetensors")), 5)
    demand(found["first"] == found["now"] == found["slow"] == 0 < found["late"], f"{found}")


def case_a_snapshot_is_what_a_shorter_training_leaves(regc):
    home = folder(regc)
    long = NORMED + "let late = snapshot(net, each: 7 steps)\ntrain net on rows {\n" + NORMED_FIT + "  steps 12\n}\nsave late to \"" + str(home / "late") + "\"\n"
    short = NORMED + "train net on rows {\n" + NORMED_FIT + "  steps 7\n}\n"
    regc.ok("run", "-q", "--out", home / "long", written(regc, long))
    regc.ok("run", "-q", "--out", home / "short", written(regc, short))
    late, weights = read(home / "late"), read(home / "short")
    names = [n for n in weights if n.startswith("net.")]
    demand(len(names) == 8 and "net.norm.running_mean" in names, f"{sorted(weights)}")
    for name in names:
        demand(late[name] == weights[name], f"{name}: {late[name]}, a shorter training {weights[name]}")


def case_statements_keep_models(regc):
    """`net at T`, snapshots and averages as they are when the statement acts, again in each turn, in blocks and procedures."""
    found = everywhere(regc, NORMED + """
model other = new net
recipe plain(m) {
FIT  epochs   2
}
fast = net at 0.5 * net.*
first = snapshot(net)
slow = ema(net, decay: 0.9)
at_first = net(rows.x)
halved = fast(rows.x)
train net on rows with plain
moved = norm(slow.* - first.*)
report max(abs(first(rows.x) - at_first)) as "first"
report max(abs(fast(rows.x) - (net at 0.5 * first.*)(rows.x))) as "fast"
model early = new net
procedure reborn(m, rounds: int) {
  repeat rounds as r {
    teacher = snapshot(m)
    slow = ema(m, decay: 0)
    net.* <- 0.5 * net.*
    train m on rows {
      loss     mse(m(x), y) + 0.1 * mean((m(x) - teacher(x))^2)
      optimize sgd(lr: 0.05)
      epochs   1
      each epoch {
        here = snapshot(m)
        fast = net at 3 * net.*
        report norm(seen(fast).*) / norm(net.*) as "three {r}"
        report max(abs(here(rows.x) - m(rows.x))) as "here {r}"
      }
    }
    report max(abs(slow(rows.x) - m(rows.x))) as "now {r}"
    report max(abs(teacher(rows.x) - m(rows.x))) > 0 as "moved {r}"
  }
  first = snapshot(m)
  m.* <- 2 * m.*
  share = norm(first.*) / norm(m.*)
  share
}
ratio = reborn(net, 2)
again = reborn(other, 1)
first = snapshot(net)
slow = ema(net, decay: 0.9)
report ratio
report again
report max(abs(first(rows.x) - net(rows.x))) as "taken"
report max(abs(slow(rows.x) - net(rows.x))) as "anew"
report moved
""".replace("FIT", NORMED_FIT.replace("net(x)", "m(x)")), 3, 11)
    zeros = ["first", "fast", "here 0", "here 1", "now 0", "now 1", "taken", "anew"]
    demand(all(found[name] == 0 for name in zeros), f"{found}")
    demand(found["moved 0"] and found["moved 1"] and found["moved"] > 0, f"{found}")
    demand(abs(found["ratio"] - 0.5) < 1e-6 and abs(found["again"] - 0.5) < 1e-6 and abs(found["three 1"] - 3) < 1e-6, f"{found}")


def case_losses_read_names_as_they_are_at_their_place(regc):
    """Also in what is made behind all statements, as norms of gradients: a later statement may give a name rows of a data set."""
    text = """
data d = table(12) {
  x = normal([12, 2])
  y = x[.., 0]
}
model net(x: [2]) -> [1] = x |> dense(1)
weights = ones([12])
factors = ones([12])
repeat 2 {
  train net on d {
    loss     mean(weights * factors * (net(x)[.., 0] - y) ^ 2)
    penalize w in net.*.weight : 0.1 * l2(w)
    optimize sgd
    batch    12
    epochs   2
    sample   in order
  }
  weights = NEW
  factors = d.x[.., 1] ^ 2
}
report mean(weights)
report norm(net.*)
"""
    plain = everywhere(regc, text.replace("NEW", "reshape(1 + abs(net(d.x)[.., 0] - d.y), [12])"), 3)
    rows = everywhere(regc, text.replace("NEW", "1 + abs(net(d.x)[.., 0] - d.y)"), 3)
    demand(rows == plain and rows["mean(weights)"] > 1, f"rows of data {rows}, elements {plain}")
