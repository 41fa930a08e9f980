"""The commands that tell something: help, versions, documentation, explanations, completions, what a stage made."""
import json
import re
import struct
from pathlib import Path

from programs.cases import DIGITS, demand, events, folder, of_kind
from programs.standalone import npy, refused

STAGES = {"tokens": "keyword          train", "ast": "  TRAIN", "graph": "graph \"net step\"", "kernels": "function net step",
          "llvm": "define ", "asm": ".text"}


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def case_help_names_every_command_and_option(regc):
    overview = regc.ok("--help")
    commands = re.findall(r"^  (\w+)", overview.split("runs FILE):\n")[1].split("\n\n")[0], re.M)
    demand({"run", "build", "check", "fmt", "doc", "explain", "eval", "gradcheck", "completion", "doctor", "runs", "report"} <= set(commands), overview)
    for command in commands:
        text = regc.ok(command, "--help")
        demand(text.startswith(f"Usage: regc {command} "), text)
        demand(regc.ok(command, "-h") == text, f"{command} -h tells something else")
    demand(re.match(r"regc \d+\.\d+\.\d+\n", regc.ok("--version")), "no version")
    flags = set(re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.M)[1].split())
    kernels = re.search(r"^OpenBLAS .* (\S+) MAX_THREADS", regc.ok("--version"), re.M)[1]
    demand(kernels not in ("Prescott", "Nehalem") or not {"avx2", "fma"} <= flags, f"products by {kernels} on a processor that can more")
    for part in ("backend", "blas", "processor"):
        demand(part in regc.ok("doctor"), f"doctor lacks `{part}`")


def case_completions_know_the_commands(regc):
    for shell in ("bash", "zsh", "fish"):
        text = regc.ok("completion", shell)
        for word in ("gradcheck", "threads", "interpret"):
            demand(word in text, f"completion {shell} lacks `{word}`")
    refused(regc, "bash, zsh or fish", "completion", "ksh")


def case_what_is_misspelt_is_told_with_what_is_near(regc):
    refused(regc, "unknown command `chek`; did you mean `check`?", "chek", "x.reg")
    refused(regc, "unknown command `zzzzzz`", "zzzzzz")
    refused(regc, "did you mean `shape_mismatch`?", "explain", "shape_mismach")
    demand("Two shapes meet" in regc.ok("explain", "shape_mismatch"), "no explanation")
    demand("interrupted" in regc.ok("explain", "exit-codes"), "no exit codes")
    demand("builtin sum(" in regc.ok("doc", "sum") and "loss cross_entropy" in regc.ok("doc", "cross_entropy"), "no documentation")
    shown = re.findall(r"^example\n  (check huber\(.*) : (value == .*)$", regc.ok("doc", "huber"), re.M)
    demand(len(shown) == 1, regc.ok("doc", "huber"))
    regc.ok("gradcheck", "-", stdin=f"{shown[0][0]} : {shown[0][1]}\n")


def case_every_stage_can_be_seen(regc):
    for stage, part in STAGES.items():
        demand(part in regc.ok("run", DIGITS, f"--emit={stage}"), f"--emit={stage} lacks `{part}`")
        path = folder(regc) / stage
        regc.ok("run", DIGITS, f"--emit={stage}", "-o", path)
        demand(part in path.read_text(), f"the file of --emit={stage} lacks `{part}`")
    refused(regc, "takes one stage", "run", DIGITS, "--emit=ast,graph", "-o", folder(regc) / "x")
    refused(regc, "needs `-o PATH`", "run", DIGITS, "--emit=obj")


def case_events_of_a_rejected_program_end_with_the_error(regc):
    path = folder(regc) / "p.reg"
    path.write_text("train\n")
    done = regc("run", "--json", path)
    last = json.loads(done.stdout.splitlines()[-1])
    demand(done.returncode == 1 and last["event"] == "error" and last["name"] == "rejected", done.stdout)
    done = regc("run", "--json", folder(regc) / "none.reg")
    demand(done.returncode == 66 and json.loads(done.stdout.splitlines()[-1])["code"] == 66, done.stdout)


def case_diagnostics_as_json(regc):
    path = folder(regc) / "p.reg"
    path.write_text("let a = [1, 2] + [1, 2, 3]\ncheck sum(a) : value == 1\n")
    found = [json.loads(line) for line in regc("check", "--diagnostics=json", path).stderr.splitlines()]
    demand(found and found[0]["name"] == "shape_mismatch" and found[0]["line"] == 1, found)


def case_large_values_are_written_to_files(regc):
    out = folder(regc)
    for expression, dtype, sum_ in (("reshape(arange(6000), [60, 100])", "f4", 6000 * 5999 / 2), ("argsort(-arange(5000))", "i4", 5000 * 4999 / 2)):
        told = json.loads(regc.ok("eval", expression, "--out", out))
        head, values = npy(out / told["file"], dtype[0])
        demand(f"'<{dtype}'" in head and ", ".join(map(str, told["shape"])) in head and sum(values) == sum_, f"{expression}: {told}, {head}")


EXPRESSIONS = """data d = csv("d.csv", target: y) |> split(train: 50%, test: 50%, seed: 1)
model net(x: [2]) -> [1] = x |> dense(3) as hidden |> tanh |> batch_norm |> dense(1)
start = net.*
train net on d {
  loss     mse(net(x), y)
  optimize sgd(lr: 1e-2)
  batch    4
  epochs   2
}
evaluate net on d.test { mse }
check sum(net(d.train.x)^2) : gradient
check mean(d.y) : value == 5.5
check count(net.*) : value == 3 * 2 + 3 + 3 + 3 + 3 + 1
"""


def case_expressions_see_data_models_and_weights(regc):
    where = folder(regc)
    (where / "d.csv").write_text("a,b,y\n" + "".join(f"{k},{k * k % 7},{k}\n" for k in range(1, 11)))
    (where / "p.reg").write_text(EXPRESSIONS)
    regc.ok("gradcheck", "p.reg", cwd=where)
    metrics = of_kind(events(regc, "p.reg", "--out", "out", cwd=where), "evaluate")[0]["metrics"]

    def value(text, *more):
        return json.loads(regc.ok("eval", text, "-f", "p.reg", *more, cwd=where))
    trained = "--weights", "out/weights.safetensors"
    found = value("mse(net(d.test.x), d.test.y)", *trained)["values"][0]
    demand(abs(found - metrics["mse"]) < 1e-6 * metrics["mse"], f"mse of the weights is {found}, of the run {metrics['mse']}")
    demand(value("mse(net(d.test.x), d.test.y)")["values"][0] != found, "initial weights give what trained ones do")
    tree = value("net.*", *trained)["tree"]
    demand(sorted(tree) == sorted(value("net.*")["tree"]) and tree["net.hidden.weight"]["shape"] == [2, 3] and len(tree["net.hidden.weight"]["values"]) == 6, tree)
    for text, *more, name in (("start", "not_bound_yet"), ("mean(d.z)", "unknown_field"), ("1 + 1", *trained, "names no model"), ("net", "wrong_kind")):
        done = regc("eval", text, "-f", "p.reg", *more, cwd=where)
        demand(done.returncode in (1, 2) and name in done.stderr, f"{text}: {done.returncode}\n{done.stderr}")
    (where / "other.reg").write_text(EXPRESSIONS.replace("dense(3)", "dense(4)"))
    done = regc("eval", "norm(net.*)", "-f", "other.reg", *trained, cwd=where)
    demand(done.returncode == 65 and "net.hidden.weight" in done.stderr, done.stderr)


def case_schedules_at_a_step_and_steps_of_an_optimizer(regc):
    rates = [json.loads(regc.ok("eval", "cosine(3e-3 -> 0)", "-f", DIGITS, "--at", str(k)))["values"][0] for k in (0, 600, 1200)]
    demand(all(abs(a - b) < 1e-9 for a, b in zip(rates, (3e-3, 1.5e-3, 0))), rates)
    demand(json.loads(regc.ok("eval", "epoch", "-f", DIGITS, "--at", "100"))["values"] == [5], "20 steps are an epoch")
    where = folder(regc)
    for name, values in (("w", [1, 2, 3]), ("g", [0.5, -1, 2])):
        header = str({"descr": "<f4", "fortran_order": False, "shape": (3,)}).ljust(117) + "\n"
        (where / f"{name}.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack("<3f", *values))
    told = json.loads(regc.ok("eval", "minimize z from w by sgd(lr: 0.1, momentum: 0.9) for 3 steps : sum(g * z)", "--in", "w=w.npy", "--in", "g=g.npy", cwd=where))
    demand(all(abs(v - (w - 0.1 * 5.61 * g)) < 1e-6 for v, w, g in zip(told["values"], (1, 2, 3), (0.5, -1, 2))), told)
    done = regc("eval", "2 * w", "--in", "w=w.npy", "--grad", "w", cwd=where)
    demand(done.returncode == 1 and "must be a single number, found shape [3]" in done.stderr, done.stderr)


def case_check_has_no_false_alarm_where_values_overflow(regc):
    where = folder(regc)
    (where / "d.csv").write_text("a,y\n1,2\n2,3\n3,5\n")
    (where / "p.reg").write_text('data d = csv("d.csv", target: y)\nmodel net(x: [1]) -> [1] = x |> dense(1)\n'
                                 "train net on d {\n  loss mse(net(x), y) + 1e20 / sqrt(exp(100 + sum(x)))\n  optimize sgd(lr: 1e-2)\n  batch 3\n  epochs 3\n}\n")
    regc.ok("run", "p.reg", "--check", "--out=", "--progress", "none", cwd=where)
