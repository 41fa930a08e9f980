"""Programs that are sequences: statements between trainings. Each `case_*` function takes the compiler and raises Failure."""
import json
import re
import subprocess
from pathlib import Path

from programs.cases import demand, events, folder, of_kind
from programs.tensors import parse
from reference import sequences
from run import ROOT

EXAMPLES = sorted(p for p in ROOT.glob("examples/*.reg") if re.search(r"^ *assert ", p.read_text(), re.M))


def all_cases():
    return [*((name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")),
            *((f"same bits: {p.stem}", lambda regc, p=p: same_bits(regc, p.read_text().replace('"data/', f'"{ROOT}/examples/data/')))
              for p in EXAMPLES),
            *((f"PyTorch: {name}", lambda regc, name=name: as_pytorch(regc, name)) for name in sequences.PROGRAMS)]


def written(regc, text):
    path = folder(regc) / "program.reg"
    path.write_text(text)
    return path


def files(out):
    """What a run leaves, but for times and starts."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    kept = [{k: v for k, v in e.items() if k != "seconds"} for e in lines if e["event"] != "train_start"]
    return {p.name: p.read_bytes() for p in out.iterdir() if p.name.startswith(("weights", "predictions"))} | {"events": kept}


def same_bits(regc, text):
    """With one thread, with two, and as a binary."""
    program, home = written(regc, text), folder(regc)
    regc.ok("run", "--quiet", "--threads", "1", "--out", home / "one", program, cwd=home)
    regc.ok("run", "--quiet", "--threads", "2", "--out", home / "two", program, cwd=home)
    regc.ok("build", "-q", program, "-o", home / "binary")
    subprocess.run([home / "binary", "--quiet", "--out", home / "built"], check=True, cwd=home, capture_output=True)
    one = files(home / "one")
    demand(len(one) > 1, f"a run left {sorted(one)}")
    for other in ("two", "built"):
        found = files(home / other)
        demand(sorted(found) == sorted(one), f"{other}: files {sorted(found)}, not {sorted(one)}")
        for name in one:
            demand(found[name] == one[name], f"{other}: {name} differs\n{found[name]}\n{one[name]}" if name == "events" else f"{other}: {name} differs")


# -- against PyTorch

def flat(values):
    return [v for part in values for v in flat(part)] if isinstance(values, list) else [values]


def as_pytorch(regc, name):
    """What is saved and reported, in doubles to their rounding and in single precision to its own."""
    known, reported = json.loads(sequences.VALUES.read_text())[name]
    for dtype, relative in (("f64", 1e-9), ("f32", 2e-4)):
        home = folder(regc)
        (home / "rows.csv").write_text(sequences.table())
        (home / "p.reg").write_text(sequences.program(name))
        found = events(regc, "--dtype", dtype, "--out", home / "run", home / "p.reg", cwd=home)
        pairs = [(f"report {k}", flat(e["value"]), flat(v)) for k, (e, v) in enumerate(zip(of_kind(found, "report"), reported, strict=True))]
        for file, tensors in known.items():
            there = {tensor: values for tensor, (_, values) in parse((home / f"{file}.safetensors").read_bytes()).items()}
            demand(sorted(there) == sorted(tensors), f"{file} has {sorted(there)}, not {sorted(tensors)}")
            pairs += [(tensor, there[tensor], values) for tensor, values in tensors.items()]
        for what, a, b in pairs:
            size = max(map(abs, b)) + 0.05
            demand(len(a) == len(b) and all(abs(p - q) <= relative * size for p, q in zip(a, b)), f"{dtype}: {what} is {a}, PyTorch gives {b}")
