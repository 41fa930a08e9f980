"""Models that are made of models. Each `case_*` function takes the compiler and raises Failure."""
import json

from programs.cases import demand, folder
from reference.compare import demand_close, flatten, read_weights, write_weights
from run import ROOT

REFERENCE = json.loads((ROOT / "tests/reference/models.json").read_text())


def all_cases():
    trained = [(f"models: {c['name']} as in PyTorch", lambda regc, c=c: as_in_torch(regc, c)) for c in REFERENCE["cases"]]
    return trained + [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def as_in_torch(regc, case):
    """From equal weights, after equal steps: equal to rounding."""
    home = folder(regc)
    rows = [[*x, y] for x, y in zip(*REFERENCE["data"].values(), strict=True)]
    lines = ["a,b,c,y", *(",".join(f"{v:.17g}" for v in row) for row in rows)]
    (home / "rows.csv").write_text("\n".join(lines) + "\n")
    (home / "program.reg").write_text('data rows = csv("rows.csv", target: y)\n' + case["program"])
    write_weights(home / "start.safetensors", case["start"])
    regc.ok("run", "--progress", "none", "--weights", home / "start.safetensors", "--out", home / "out", home / "program.reg")
    found = read_weights(home / "out/weights.safetensors")
    demand(set(found) == set(case["end"]), f"the tensors are {sorted(found)}")
    for name, nested in case["end"].items():
        demand_close(f"{case['name']}: {name}", found[name], flatten(nested))
