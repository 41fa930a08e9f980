"""Checks that check: what `regc gradcheck` must find wrong, and what it must not."""
import json

from programs.cases import demand, folder

HALVES = """# Gradients that are wrong on purpose: what stands in `stop` does not count.
fn half(x) = stop(x) * x
layer scaled(x: [n, i]) -> [n, i] {
  param w: [i] = 2
  stop(w) * w * x
}
layer shifted(x: [n, i]) -> [n, i] {
  param b: [i] ~ normal_init(1)
  x + b * stop(b) * stop(sum(b))
}
model net(x: [3]) -> [3] = x |> shifted |> shifted as second
"""
WRONG = ["half([1, 2])", "sum(half([1, 2]))", "sum(half([1, 2])) + sum(floor([1, 2.5]))", "sum(half([0.5, 1.25, 3]) + floor([0.5, 1, 3]))", "sum(3 * half(normal([2, 2])) + 1)", "half(uniform(1 .. 2, [3]))",
         "sum(scaled([[1, 2]])^2)", "mean(net(normal([2, 3]))^2)", "sum([1, 2] * half(ones([2])))", "half(v)", "half(made())",
         "[1, 2] |> half |> sum", "-half([1, 2])", "half([1, 2])[0]", "if sum([3, 4]) > 1 then sum(half([1, 2])) else 0"]
RIGHT = ["sum(abs([-1, 0, 1]))", "max([1, 1, 0.5])", "sum(relu([0, -1, 1]))", "sum(max([1, 2], [1, 3]))", "sum(clamp([0, 1, 2], 0, 1))",
         "sum(gather([1, 2, 3], [2, 0]))", "cross_entropy(normal([2, 3]), [0, 2])", "sum(sqrt([0, 1, 4]))", "sum(round([0.2, 1.7]) * [1, 2])",
         "sum(sort(normal([6])) * normal([6]))", "sum(1e-6 * sin(normal([3])))", "sum(1e6 * sin(normal([3])))", "sum(dense(normal([2, 3]), 4))",
         "mean(layer_norm(normal([2, 3])))", "sum(if [1, 2] == [1, 3] then [4, 5] else 0)", "sum(floor([1, 2, 2.5]) * [1, 2, 3])"]
EQUAL = ["1e-6 : value == 1.000001e-6", "[1, 2] : value == [1, 2.00001]", "mean(normal([100]) - 0.3) + 0.3 - mean(normal([100])) : value < 1",
         "sum([0.1, 0.2, -0.3]) : value == 0", "[1e-20, 1] : value == [1e-20, 1]", "1e-6 : value != 5e-6", "log_softmax([[0, 0]]) : exp(value) == 0.5",
         "argmax([[1, 2], [3, 1]]) : value == [1, 0]", "[2, 3] > 2 : value == [0, 1]"]
UNEQUAL = ["1e-6 : value == 5e-6", "1e-6 : value == -1e-6", "0.001 : value == 0.00101", "1e-30 : value == 1e-20", "[1, 1e-7] : value == [1, 2e-7]",
           "1e-6 : value == 0", "0 : value == 1e-9", "sum([0.1, 0.2, -0.2999]) : value == 0", "[1, 2] : value != [1, 2]",
           "1000 : value == 1000.1", "[1, 0/0] : value == [1, 0/0]"]


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def outcomes(regc, checks):
    where = folder(regc)
    text = HALVES + "let v = [1, 2]\nfn made() = [3, 4]\n" + "".join(f"check {c}\n" for c in checks)
    (where / "c.reg").write_text(text)
    done = regc("gradcheck", "c.reg", "--json", cwd=where)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    demand(len(found) == len(checks), f"{len(found)} of {len(checks)} checks\n{done.stderr}")
    return done.returncode, [(c, f["ok"], f) for c, f in zip(checks, found)]


def case_checks_find_wrong_gradients(regc):
    code, found = outcomes(regc, [f"{e} : gradient" for e in WRONG])
    for text, ok, event in found:
        demand(not ok, f"{text}: {event}")
    demand(code == 4, f"exit code {code}")


def case_checks_accept_right_gradients(regc):
    code, found = outcomes(regc, [f"{e} : gradient" for e in RIGHT])
    for text, ok, event in found:
        demand(ok, f"{text}: {event}")
    demand(code == 0, f"exit code {code}")


def case_equality_is_relative(regc):
    for text, ok, event in outcomes(regc, EQUAL)[1]:
        demand(ok, f"{text}: {event}")
    for text, ok, event in outcomes(regc, UNEQUAL)[1]:
        demand(not ok, f"{text}: {event}")


def stepped(regc, loss, rows="1,2,0\n-1,0.5,1\n3,1e-39,2\n0.5,1,1\n", optimizer="sgd(lr: 0.1)"):
    where = folder(regc)
    (where / "d.csv").write_text("a,b,y\n" + rows)
    (where / "p.reg").write_text(f"""data d = csv("d.csv", target: y)
model net(x: [2]) -> [3] = x |> dense(4) |> leaky_relu |> dropout(0.3) |> dense(3)
train net on d {{
  loss     {loss}
  optimize {optimizer}
  batch    4
  epochs   30
}}
""")
    return regc("run", "p.reg", "--check", "--steps", "20", "--out=", "--progress", "none", cwd=where)


def case_checked_steps_have_no_false_alarms(regc):
    fit = "cross_entropy(net(x), y)"
    for loss in (f"{fit} + sum(if normal([1]) < [1] then ones([3]) else zeros([3]))",                # truth values stretched
                 f"{fit} + mean(transpose(if net(x) > 0 then 1 else 0) @ net(x))",
                 f"{fit} + sum(if reshape(net(x), [12]) < reshape(x[[0, 1, 2, 3, 0, 1]], [12]) then net(x) |> flat else 0)",
                 f"{fit} + mean(reshape(argsort(net(x)), [2, 6]) * 0.1)",                          # integers
                 f"{fit} + mean(gather(net(x), argmax(net(x), axis: 0)))",
                 f"{fit} + mean(one_hot(argmax(net(x)), 3) * sort(net(x)))",
                 f"{fit} + mean(if x > 0 then 1 / (x[.., 1..] * 1e-10 + 1) else 1e-42)",            # below what float32 holds
                 f"{fit} + mean((net(x) * 1e-30) * (net(x) * 1e-30)) * 1e30"):
        done = stepped(regc, loss)
        demand(done.returncode == 0, f"{loss}: {done.returncode}\n{done.stderr}")


def case_a_checked_step_that_overflows_diverges(regc):
    for loss, optimizer in (("poisson(sum(net(x), axis: -1), y)", "sgd(lr: 1e30)"), ("mean(exp(net(x)^4 * 1e3))", "sgd(lr: 1e3)"),
                            ("cross_entropy(net(x), y) + mean(net(x)^4)", "sgd(lr: 1e15, momentum: 0.9)")):
        done = stepped(regc, loss, optimizer=optimizer)
        demand(done.returncode == 3, f"{loss}: {done.returncode}\n{done.stderr}")
