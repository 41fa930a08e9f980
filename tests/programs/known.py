"""`k = known(e, most: N)`: what is behind it is compiled for what was found. Each `case_*` function takes the compiler and raises Failure."""
import json
import math
import os
import signal
import subprocess
import time

from programs.cases import demand, events, folder, of_kind, written
from programs.updates import read


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


PROGRAM = """use "own.reg"
data d = csv("DATA", target: y) |> split(train: 75%, valid: 25%, seed: 1)
model mlp(x: [4], width: int 1.. = 12) -> [1] = x |> dense(width) as hidden |> relu |> dense(1) as head
train mlp on d as wide {
  loss     squared_error(mlp(x), y)
  penalize w in mlp.head.weight : 0.03 * group_lasso(w, axis: 1) by prox
  optimize sgd(lr: 0.1)
  batch    20
  epochs   60
}
alive = living(mlp.head.weight)
k = known(sum(alive), most: 12)
order = argsort(alive, descending: true)[0..k]
model small = new mlp(width: k)
small.hidden.weight <- mlp.hidden.weight[.., order]
small.hidden.bias <- mlp.hidden.bias[order]
small.head.weight <- mlp.head.weight[order]
small.head.bias <- mlp.head.bias
report k as "left"
report sum(alive) as "units {k}"
report max(abs(small(d.valid.x) - mlp(d.valid.x))) as "apart"
save small to "small.safetensors"
train small on d as more {
  loss     squared_error(small(x), y)
  optimize adam(lr: 1e-3)
  batch    20
  epochs   MORE
}
twice = known(2 * k, most: 24)
model last = new mlp(width: twice)
evaluate last on d.valid { mse }
report size(last.hidden.weight, 1) as "twice"
"""


def program(home, more=6):
    rows = [[round(math.sin((1.3 + 0.7 * k) * i + k * k), 3) for k in range(4)] for i in range(80)]
    lines = ["a,b,c,e,y"] + [",".join(map(str, [*r, round(abs(r[0]) - 0.5 * r[1], 3)])) for r in rows]
    (home / "rows.csv").write_text("\n".join(lines) + "\n")
    (home / "own.reg").write_text("## Units with a weight that is not 0. w: [u, o].\nfn living(w: [u, o]) = norm(w, axis: 1) > 0\n")
    return PROGRAM.replace("own.reg", str(home / "own.reg")).replace("DATA", str(home / "rows.csv")).replace("MORE", str(more))


def reports(found):
    return {e["name"]: e["value"] for e in of_kind(found, "report")}


def case_network_gets_smaller(regc):
    """Its tensors and its file are of the units that are left, and it predicts the same; each training acts once. Without a folder, too."""
    home = folder(regc)
    path = written(regc, program(home))
    for out in (home / "run", ""):
        done = regc("run", "--json", f"--out={out}", path, cwd=home)
        demand(done.returncode == 0, done.stderr)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        told = reports(found)
        demand(0 < told["left"] < 12 and told["apart"] < 1e-5 and told["twice"] == 2 * told["left"], f"{told}")
        small = read(home / "small.safetensors")
        demand(len(small["small.hidden.weight"]) == 4 * told["left"], f"{ {k: len(v) for k, v in small.items()} }")
        demand(len(of_kind(found, "train_start")) == 2 == len(of_kind(found, "train_end")), f"{[e['event'] for e in found]}")
    lines = [json.loads(line)["event"] for line in (home / "run" / "metrics.jsonl").read_text().splitlines()]
    demand(lines.count("epoch") == 66 and lines.count("report") == 4, f"{lines}")
    demand(json.loads((home / "run" / "run.json").read_text())["outcome"] == "finished", "the run is not finished")


def case_known_has_its_bits(regc):
    """On one thread or two, and gone on from kills before and behind the number: the same weights to the bit."""
    home = folder(regc)
    path = written(regc, program(home, 2000))
    regc.ok("run", "--quiet", "--out", home / "whole", "--threads", "1", path, cwd=home)
    regc.ok("run", "--quiet", "--out", home / "two", "--threads", "2", path, cwd=home)
    for seen in (4, 300):
        run = subprocess.Popen(regc.line("run", "--quiet", "--checkpoint=0", "--out", home / "parts", *(["--resume"] if seen > 4 else []), path), stdout=subprocess.DEVNULL,
                               env=os.environ | regc.environment, stderr=subprocess.DEVNULL, cwd=home)
        file = home / "parts" / "metrics.jsonl"
        while run.poll() is None and not (file.exists() and file.read_text().count('"epoch"') > seen):
            time.sleep(0.005)
        run.send_signal(signal.SIGKILL)
        run.wait()
    regc.ok("run", "--quiet", "--out", home / "parts", "--resume", path, cwd=home)
    whole = read(home / "whole" / "weights-more.safetensors")
    for other in ("two", "parts"):
        demand(read(home / other / "weights-more.safetensors") == whole, f"{other} differs")


def case_known_is_given(regc):
    """--set gives the number: nothing is found, and a binary can be built, which does the same."""
    home = folder(regc)
    path = written(regc, program(home))
    left = reports(events(regc, "--out=", path, cwd=home))["left"]
    given = events(regc, "--out", home / "given", "--set", f"k={left}", path, cwd=home)
    told = reports(given)
    demand(told["left"] == left and told["twice"] == 2 * left and told["apart"] < 1e-5, f"{told}")
    regc.ok("build", "-q", "--set", f"k={left}", path, "-o", home / "binary", cwd=home)
    subprocess.run([home / "binary", "--quiet", "--out", home / "built"], cwd=home, check=True, stdout=subprocess.DEVNULL)
    demand(read(home / "built" / "weights-more.safetensors") == read(home / "given" / "weights-more.safetensors"), "a binary has other weights")
    demand(reports(events(regc, "--out=", "--set", "k=2", path, cwd=home))["left"] == 2, "another number")
    done = regc("run", "--out=", "--set", "k=13", path, cwd=home)
    demand(done.returncode == 1 and "a whole number from 1 to 12, found 13" in done.stderr, f"{done}")


def case_known_is_read_from_the_run(regc):
    """Predictions, evaluations and exports with a run's weights need no --set: its folder says what was found, and is asked by a file in it too."""
    home = folder(regc)
    path = written(regc, program(home))
    left = reports(events(regc, "--out", home / "run", path, cwd=home))["left"]
    demand(json.loads((home / "run" / "run.json").read_text())["known"] == {"k": left}, "the run does not say it")
    common = ("--model", "more", "--in", home / "rows.csv")
    told = regc.ok("predict", path, "--weights", home / "run", "--set", f"k={left}", *common)
    for weights in (home / "run", home / "run" / "weights-more.safetensors"):
        demand(regc.ok("predict", path, "--weights", weights, *common) == told, f"{weights}: other predictions")
    demand("mse" in regc.ok("evaluate", path, "--weights", home / "run"), "not evaluated")
    (home / "apart").mkdir()
    alone = home / "apart" / "w.safetensors"
    alone.write_bytes((home / "run" / "weights-more.safetensors").read_bytes())
    done = regc("predict", path, "--weights", alone, *common)
    demand(done.returncode == 65 and "of another shape" in done.stderr and "`--set k=" in done.stderr, f"{done}")
    demand(regc.ok("predict", path, "--weights", alone, "--set", f"k={left}", *common) == told, "other predictions")
    for text in ("no JSON", '{"known":{"k":99}}', '{"known":{"k":-1,"j":3}}', '{"known":[1]}'):
        (home / "apart" / "run.json").write_text(text)
        done = regc("predict", path, "--weights", alone, *common)
        demand(done.returncode == 65 and "of another shape" in done.stderr, f"{text}: {done}")


def case_known_refused(regc):
    """A number that is none, a binary, the prompt, and what is wrong only with the number that was found."""
    home = folder(regc)
    done = regc("build", "-q", written(regc, program(home)), "-o", home / "binary")
    demand(done.returncode == 2 and "`k`" in done.stderr and not (home / "binary").exists(), f"{done}")
    for text, name, code in (("k = known(sum([1, 2]) - 3, most: 3)\n", "known_bad", 4), ("k = known(sum([1, 2]) / 2, most: 3)\n", "known_bad", 4),
                             ("k = known(sum([1, 2]), most: 2)\n", "known_bad", 4), ("k = known(sum([1, 2]), most: 4)\nreport ones([2, 2]) @ ones([k / 2])\n", "rejected", 1)):
        done = regc("run", "--json", "--out=", "-", stdin=text)
        last = json.loads(done.stdout.splitlines()[-1])
        demand(done.returncode == code and last.get("name") == name, f"{text}: {done}")
    done = regc("repl", "--quiet", stdin="k = known(3, most: 4)\n")
    demand("`known` is not allowed at the prompt" in done.stderr + done.stdout, f"{done}")
