"""The library against the values that PyTorch gave (values.json, made by make.py). Needs no PyTorch."""
import json
import struct
import tempfile
from pathlib import Path

from run import Failure

VALUES = Path(__file__).with_name("values.json")


def cases():
    values = json.loads(VALUES.read_text())
    return ([(c["expression"], ("expression", c)) for c in values["expressions"]]
            + [(c["optimizer"], ("optimizer", c)) for c in values["optimizers"]])


def run(regc, case):
    kind, values = case
    (check_expression if kind == "expression" else check_optimizer)(regc, values)


def shape_of(nested):
    return [len(nested), *shape_of(nested[0])] if isinstance(nested, list) else []


def flatten(nested):
    return [x for part in nested for x in flatten(part)] if isinstance(nested, list) else [nested]


def write_npy(path, nested, integers):
    """Version 1.0 of the format: magic, header length, a Python dictionary padded to 64 bytes, the values."""
    shape = shape_of(nested)
    header = str({"descr": "<i4" if integers else "<f4", "fortran_order": False, "shape": tuple(shape)})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    values = flatten(nested)
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
                     + struct.pack(f"<{len(values)}{'i' if integers else 'f'}", *values))


def demand_close(name, found, expected):
    scale = max(map(abs, expected), default=0)
    for k, (a, b) in enumerate(zip(found, expected, strict=True)):
        if not abs(a - b) <= 2e-5 * scale + 1e-6:
            raise Failure(f"{name}[{k}] is {a}, PyTorch gives {b}")


def check_expression(regc, case):
    with tempfile.TemporaryDirectory(dir=regc.scratch) as folder:
        files = []
        for name, values in case["inputs"].items():
            path = Path(folder) / f"{name}.npy"
            write_npy(path, values, name in case["integers"])
            files += ["--in", f"{name}={path}"]
        total = f"sum({case['expression']})" if case["shape"] else case["expression"]
        for more in ([], ["--interpret"]):
            result = json.loads(regc.ok("eval", case["expression"], *files, *more))
            if result["shape"] != case["shape"]:
                raise Failure(f"shape {result['shape']}, PyTorch gives {case['shape']}")
            demand_close("value", result["values"], case["value"])
            result = json.loads(regc.ok("eval", total, "--grad", ",".join(case["gradients"]), *files, *more))
            for name, gradient in case["gradients"].items():
                demand_close(f"gradient of {name}", result["grad"][name]["values"], gradient)


def check_optimizer(regc, case):
    """Ten steps on sum(scale (w - aim)^2). The one row of data makes every step the same; w starts at `start` by the
    column weights of a model that has no other parameter."""
    start, aim, scale = (", ".join(map(str, case[k])) for k in ("start", "aim", "scale"))
    program = f"""
data d = csv("one.csv", target: y)
layer free(x: [.., i]) -> [.., 4] {{
  param w: [4] ~ start_at()
  x @ zeros([i, 4]) + w
}}
fn start_at(like) = like * 0 + [{start}]
model net(x: [1]) -> [4] = x |> free as f
train net on d {{
  loss     sum([{scale}] * (net(x) - [{aim}])^2)
  optimize {case["optimizer"]}
  batch    1
  epochs   {case["steps"]}
}}
"""
    with tempfile.TemporaryDirectory(dir=regc.scratch) as folder:
        (Path(folder) / "one.csv").write_text("a,y\n1,0\n")
        regc.ok("run", "-", "--progress", "none", "--out", f"{folder}/run", stdin=program, cwd=folder)
        data = Path(folder, "run", "weights.safetensors").read_bytes()
    length, = struct.unpack("<Q", data[:8])
    begin, end = json.loads(data[8:8 + length])["net.f.w"]["data_offsets"]
    demand_close("weight", struct.unpack("<4f", data[8 + length + begin:8 + length + end]), case["weights"])
