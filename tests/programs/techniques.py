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


def all_cases():
    return [("lr_range_test finds the rate by hand", lambda regc: regc.ok("run", "-", "--out", "", "--progress", "none", stdin=RANGE_TEST))]
