"""Procedures of techniques: what they leave and give, told by the programs' own assertions."""

# By hand: each step of gradient descent on w^2 multiplies w by 1 - 2 lr, so that of rates 0.05, 0.5, 5 the second is best.
RANGE_TEST = """
data one = table(4) { x = ones([4, 1]); y = zeros([4]) }
model net(x: [1]) -> [1] = x |> dense(1, bias: false) as f
net.f.weight <- 2
recipe plain(m, lr = 0.1) {
  loss     mean(m(x)^2)
  optimize sgd(lr: lr)
  batch    4
  steps    5
}
rate = lr_range_test(net, one, plain, low: 0.05, high: 5, tries: 3)
report rate
assert abs(rate - 0.25) < 1e-6 and net.f.weight[0, 0] == 2
"""

# Nets of one weight each, of which a negative one is right: 1 is the start, with -2 the mean is right, and with -3 no better.
SOUP = """
data d = table(8) { x = reshape(arange(8) - 3.5, [8, 1]); label = 1 * (arange(8) > 3) } |> split(train: 50%, valid: 50%)
model net(x: [1]) -> [2] = concat(x |> dense(1, bias: false) as f, 0 * x, axis: 1)
taken = greedy_soup(net, d, [[1.0], [-2.0], [-3.0]])
report taken
assert taken == 2 and abs(net.f.weight[0, 0] + 0.5) < 1e-6
"""

# Two rows have labels; the nearer of the others to them are the surer ones. A recipe that a procedure is given takes names of its own.
CURRICULUM = """
data d = table(8) { x = reshape(arange(8) - 3.5, [8, 1]); label = 1 * (arange(8) > 3) }
model net(x: [1]) -> [2] = concat(x |> dense(1, bias: false) as f, 0 * x, axis: 1)
recipe taught(m, target: labels, kept: [k]) {
  loss     cross_entropy(m(x), target[id])
  sample   where kept[id]
  optimize sgd(lr: 1)
  batch    all
  steps    20
}
right = curriculum_labeling(net, d, taught, d.x, arange(8) == 0 or arange(8) == 7, d.label, rounds: 2)
report right
assert right == 1 and net.f.weight[0, 0] < -1
"""

# Of four weights the one changes most that sees the row: it alone moves, also under decay.
SPARSE = """
data d = table(4) { x = reshape(ones([4, 1]) @ [[1, 0.1, 0, 0]], [4, 4]); y = ones([4]) }
model net(x: [4]) -> [1] = x |> dense(1, bias: false) as f
net.f.weight <- [[0.5], [0.25], [0.125], [0.75]]
recipe plain(m) {
  loss     mean((m(x)[.., 0] - y)^2)
  optimize sgd(lr: 0.1, weight_decay: 0.1)
  batch    all
  steps    5
}
change = sparse_tuning(net, d, plain, keep: 25%)
report change.f.weight
assert change.f.weight[0, 0] > 0.1 and all(change.f.weight[1..] == 0) and all(net.f.weight == [[0.5], [0.25], [0.125], [0.75]])
"""

# `init` of a derived model draws what its own layers have, too.
DERIVED = """
model net(x: [3]) -> [2] = x |> dense(2) as f
model tuned = net with w in net.*.weight as lora(w, rank: 2)
before = tuned.*
tuned.* <- init(tuned)
report norm(tuned.f.weight.a)
assert norm(tuned.f.weight.a) > 0 and norm(tuned.f.weight.a - before.f.weight.a) > 0.01 and norm(tuned.f.weight.b) == 0
"""

# With a gradient of 0 only the decay moves: by 1 - 0.1 * 0.5 in each of two steps, of b alone.
DECAYED = """
data d = table(4) { x = ones([4, 3]); y = zeros([4]) }
model net(x: [3]) -> [2] = x |> dense(2) as f
model tuned = net with w in net.*.weight as lora(w, rank: 2)
tuned.f.weight.b <- 2
before = tuned.*
train tuned on d {
  loss     mean(0 * tuned(x))
  freeze   net.f.bias
  optimize adamw(lr: 0.1, weight_decay: 0.5, decay: tuned.*.b)
  batch    all
  steps    2
}
report tuned.f.weight.b
assert all(tuned.f.weight.a == before.f.weight.a) and max(abs(tuned.f.weight.b - 2 * 0.95^2)) < 1e-6
"""


def all_cases():
    names = {"curriculum_labeling takes in the surest first": CURRICULUM, "sparse_tuning holds all but what changed most": SPARSE,
             "initial values of a derived model": DERIVED, "decay of one side of a low-rank change": DECAYED}
    return [*[(name, lambda regc, text=text: regc.ok("run", "-", "--out", "", "--progress", "none", stdin=text)) for name, text in names.items()],
            ("lr_range_test finds the rate by hand", lambda regc: regc.ok("run", "-", "--out", "", "--progress", "none", stdin=RANGE_TEST)),
            ("greedy_soup takes in what helps", lambda regc: regc.ok("run", "-", "--out", "", "--progress", "none", stdin=SOUP))]
