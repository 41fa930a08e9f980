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


def all_cases():
    return [("lr_range_test finds the rate by hand", lambda regc: regc.ok("run", "-", "--out", "", "--progress", "none", stdin=RANGE_TEST)),
            ("greedy_soup takes in what helps", lambda regc: regc.ok("run", "-", "--out", "", "--progress", "none", stdin=SOUP))]
