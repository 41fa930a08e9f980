"""`while c, at most n`: where c still holds after n turns the run ends with 4, whatever runs it, with place and value. And the
memory of long loops."""
import json
import math
import re

from programs import tensors
from programs.cases import binary_ends, demand, folder, placed, run_ends
from programs.standalone import build

PROGRAM = """data t = csv("t.csv", target: y)
fn root(a) {
  r = a
  while abs(r^2 - a) > 1e-4, at most 8 { r = (r + a / r) / 2 }
  r
}
layer scaled(x: [..]) {
  param gain: [1] = 1
  gain * sum(x, axis: -1, keep: true) / root(max(x))
}
model net(x: [2]) -> [1] = scaled(x)
train net on t {
  loss     mse(net(x), y)
  optimize sgd(lr: 0.0001)
  batch    1
  epochs   2
}
"""
GOOD, BAD = "k,z,y\n4,1,1.5\n2,0.5,2\n", "k,z,y\n4,1,1.5\n2,1000000,2\n"
PLACE = "p.reg:4:3: after 8 turns `abs(r^2 - a)` is "


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def exceeded(done):
    demand(done.returncode == 4 and "and the loop would go on [turns_exceeded]" in done.stderr,
           f"{done.returncode}\n{done.stderr}")
    demand("`abs(r^2 - a)` is " in done.stderr, done.stderr)


def exceeded_there(done):
    exceeded(done)
    demand(PLACE in done.stderr, done.stderr)


def case_a_run_ends(regc):
    run_ends(regc, placed(regc, PROGRAM, BAD), exceeded_there, "turns_exceeded", 4, GOOD)


def case_a_binary_ends(regc):
    binary_ends(regc, placed(regc, PROGRAM, GOOD), build, exceeded, BAD)


def case_expressions_checks_and_the_prompt_end(regc):
    where = placed(regc, PROGRAM, GOOD)
    for more in ([], ["--interpret"]):
        exceeded(regc("eval", "root(1e6 + uniform(shape: [1])[0])", "-f", "p.reg", *more, cwd=where))
        regc.ok("eval", "root(4 + uniform(shape: [1])[0])", "-f", "p.reg", *more, cwd=where)
    (where / "c.reg").write_text(PROGRAM[PROGRAM.index("fn"):PROGRAM.index("layer")] + "check root(1e6) : value == 1e3\n")
    exceeded(regc("gradcheck", "c.reg", cwd=where))
    body = PROGRAM[PROGRAM.index("fn"):PROGRAM.index("layer")]
    done = regc("repl", stdin=body + "root(1e6)\n1 + 1\n")
    demand("after 8 turns `abs(r^2 - a)` is" in done.stderr and done.stdout.strip().endswith("2"), f"{done.stdout}{done.stderr}")


LONG = """fn long_way(x, n) {
  h = x * ones([8192])
  repeat n { h = 0.9995 * h + x / 1000 }
  mean(h)
}
fn slope(x, n) = grad(long_way(x, n), x)
"""


def case_the_gradient_of_a_long_loop_keeps_segments(regc):
    """2,200 turns carry 72 MB; the gradient is that of the geometric series."""
    where = folder(regc)
    (where / "p.reg").write_text(LONG)
    call = ["eval", "slope(uniform(shape: [1])[0], 2200)", "-f", "p.reg"]
    slope = json.loads(regc.ok(*call, cwd=where))["values"][0]
    power = 0.9995**2200
    demand(math.isclose(slope, power + (1 - power) / (0.0005 * 1000), rel_tol=1e-4), f"{slope}")
    scratch = int(re.search(r"([0-9]+) bytes of scratch", regc.ok(*call, "--emit=kernels", cwd=where))[1])
    demand(scratch < 10e6, f"{scratch} bytes")


CHOSEN = """data t = csv("t.csv", target: y)
layer counted(x: [.., i]) -> [.., i] {
  param w: [i, i] = 1
  state n: [1] = 0
  n <- n + 1
  x @ w + 0 * n
}
layer chosen(x: [.., i]) -> [.., i] {
  if sum(x) > 0 then counted(x) else sin(x)
}
model net(x: [2]) -> [1] = chosen(x) |> dense(1)
train net on t {
  loss     mse(net(x), y)
  optimize sgd(lr: 0.0001)
  batch    1
  epochs   3
}
"""


def case_a_state_moves_where_its_side_is_taken(regc):
    where = placed(regc, CHOSEN, "k,z,y\n1,2,1\n-1,-2,2\n3,1,3\n-3,-1,2\n")
    regc.ok("run", "p.reg", "--progress", "none", "--out", "out", "--check", cwd=where)
    found = tensors.parse((where / "out" / "weights.safetensors").read_bytes())["net.chosen1.counted1.n"]
    demand(list(found[-1]) == [6.0], f"{found}")
