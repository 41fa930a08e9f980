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
            + [(c["optimizer"], ("optimizer", c, values["tree"])) for c in values["optimizers"]])


def run(regc, case):
    kind, *values = case
    (check_expression if kind == "expression" else check_optimizer)(regc, *values)


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


def demand_close(name, found, expected, relative=2e-5):
    scale = max(map(abs, expected), default=0)
    for k, (a, b) in enumerate(zip(found, expected, strict=True)):
        if not abs(a - b) <= relative * (scale + 0.05):
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


def check_optimizer(regc, case, tree):
    """Steps on sum(scale (w - aim)^2) + sum(w)^2 / 10 over a tree of tensors. The one row of data makes every step the same; the
    tensors start as given, and nothing else is a parameter."""
    names = list(tree["start"])
    tensors = "\n".join(f"  param {k}: {shape_of(v)} ~ start_{k}()" for k, v in tree["start"].items())
    starts = "\n".join(f"fn start_{k}(like) = like * 0 + {v}" for k, v in tree["start"].items())
    own = " + ".join(f"sum({tree['scale'][k]} * ({k} - {tree['aim'][k]})^2)" for k in names)
    program = f"""
data d = csv("one.csv", target: y)
{starts}
layer free(x: [.., i]) -> [.., 1] {{
{tensors}
  x @ zeros([i, 1]) + {own} + 0.1 * ({" + ".join(f"sum({k})" for k in names)})^2
}}
model net(x: [1]) -> [1] = x |> free as f
train net on d {{
  loss     mean(net(x))
  optimize {case["optimizer"]}
  batch    1
  epochs   {tree["steps"]}
}}
"""
    with tempfile.TemporaryDirectory(dir=regc.scratch) as folder:
        (Path(folder) / "one.csv").write_text("a,y\n1,0\n")
        regc.ok("run", "-", "--progress", "none", "--out", f"{folder}/run", stdin=program, cwd=folder)
        data = Path(folder, "run", "weights.safetensors").read_bytes()
    length, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    for name, expected in case["weights"].items():
        begin, end = header[f"net.f.{name}"]["data_offsets"]
        demand_close(name, struct.unpack(f"<{len(expected)}f", data[8 + length + begin:8 + length + end]), expected, 2e-6)
