"""Indices that are only known when a program runs: one out of range ends it with 65, with place, value and size, whatever
runs it; nothing is written as if it had been trained."""

from programs.cases import binary_ends, demand, folder, placed, run_ends
from programs.standalone import build

LOOKUP = """data t = csv("t.csv", target: y)
layer lookup(k: [n]) -> [n, 1] {
  param table: [3, 1] = 0
  table[k]
}
model net(x: [2]) -> [1] = lookup(x[.., 0]) + 0 * x[.., 1..]
train net on t {
  loss     mse(net(x), y)
  optimize sgd(lr: 0.1)
  batch    2
  epochs   3
}
"""
GOOD, BAD = "k,z,y\n0,1,1.5\n2,0.5,2\n1,2,0\n2,1,1\n", "k,z,y\n0,1,1.5\n2,0.5,2\n1,2,0\n3,1,1\n"
MESSAGE = "p.reg:4:9: the index 3 is out of range for size 3 [bad_index]"


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def refused(message):
    def judge(done):
        demand(done.returncode == 65 and message in done.stderr, f"{done.returncode}\n{done.stderr}")
    return judge


def case_an_index_of_the_data_stops_the_run(regc):
    run_ends(regc, placed(regc, LOOKUP, BAD), refused(MESSAGE), "bad_index", 65, GOOD)


def case_an_index_stops_a_binary(regc):
    binary_ends(regc, placed(regc, LOOKUP, GOOD), build, refused(MESSAGE[5:]), BAD)


def case_an_index_stops_expressions_and_checks(regc):
    found = "round(uniform(shape: [4])) + 5"
    for more in ([], ["--interpret"]):
        for text, place, value in ((f"gather([1, 2, 3], {found})", "1:19", r"is out of range for size 3"),
                                   (f"one_hot({found}, 4)", "1:9", r"is out of range for size 4"),
                                   (f"take_along([1, 2, 3], {found})", "1:23", "is out of range for size 3"),
                                   ("eye(3)[uniform(shape: [2])]", "1:8", "is no whole number")):
            done = regc("eval", text, *more)
            demand(done.returncode == 65 and f"<expression>:{place}: the index" in done.stderr and value in done.stderr,
                   f"{text}: {done.returncode}\n{done.stderr}")
    where = folder(regc)
    (where / "c.reg").write_text(f"fn f(k) = gather([1, 2, 3], {found} + k)\ncheck sum(f(0)) : value == 1\n")
    done = regc("gradcheck", "c.reg", cwd=where)
    demand(done.returncode == 65 and "c.reg:1:29: the index" in done.stderr, f"{done.returncode}\n{done.stderr}")
    done = regc("repl", stdin=f"gather([1, 2, 3], {found})\n1 + 1\n")
    demand("the index" in done.stderr and done.stdout.strip().endswith("2"), f"{done.stdout}{done.stderr}")


def case_indices_that_cannot_be_wrong_cost_no_check(regc):
    for text in ("gather(x, argsort(x[0]))", "take_along(x, argsort(x))", "one_hot(argmax(x), size(x, -1))", "x[[0, 1]]"):
        where = folder(regc)
        (where / "p.reg").write_text(f"fn f(x) = {text}\n")
        graph = regc.ok("eval", "f(normal([3, 3]))", "-f", "p.reg", "--emit=graph", cwd=where)
        demand("= index(" not in graph, f"{text}\n{graph}")


def case_the_best_weights_outlive_a_bad_index(regc):
    """An index of the epoch fails late: what was the best until then is there."""
    where = placed(regc, LOOKUP, GOOD)
    (where / "p.reg").write_text(LOOKUP.replace('target: y)', 'target: y) |> split(train: 75%, valid: 25%)')
                                 .replace("mse(net(x), y)", "mse(net(x), y) + 0 * gather([1, 2, 3], epoch)")
                                 .replace("epochs   3", "epochs   9\n  stop when valid.loss stalls for 8 epochs, keep best"))
    done = regc("run", "p.reg", "--progress", "none", "--out", "out", cwd=where)
    demand(done.returncode == 65 and "the index 3 is out of range for size 3" in done.stderr, f"{done.returncode}\n{done.stderr}")
    demand((where / "out" / "weights.safetensors").exists(), "the best weights were not written")
