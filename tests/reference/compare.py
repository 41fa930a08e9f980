"""The library against the values that PyTorch gave (values.json, made by make.py; techniques.json and the literature's, by make_techniques.py). Needs no
PyTorch."""
import csv
import json
import re
import struct
import tempfile
from pathlib import Path

from run import ROOT, Failure

from . import clauses, images, language_model, paths, prepared, samples, solve, updates

STDLIB, VALUES = ROOT / "stdlib", [Path(__file__).with_name(name) for name in ("values.json", "techniques.json", "literature.json", "literature2.json", "stage_techniques.json", "image_techniques.json", "sequence_layers.json", "sequence_techniques.json", "generation_techniques.json")]


def cases():
    values, *more = [json.loads(path.read_text()) for path in VALUES]
    tree = values["tree"]
    models = [(f"language model, {m['language model']}", (check_language_model, m, None))
              for m in values["language_models"] if "full" not in m["language model"]]
    found = [(c[kind], (check, c, given)) for v in (values, *more) for kind, check, given in (
        ("expression", check_expression, v["program"]), ("optimizer", check_optimizer, (tree, v["program"])), ("layer", check_layer, None),
        ("schedule", check_schedule, None), ("step", check_steps, v["program"])) for c in v.get(f"{kind}s", [])]
    updates_found = [(f"updates: {name}", (check_updates, (updates.CLAUSES, updates.VALUES, name), None)) for name in updates.CLAUSES]
    behind = json.loads(clauses.VALUES.read_text())
    found += [(c["expression"], (check_expression, c, "")) for c in behind["operators"]]
    updates_found += [(f"clauses: {name}", (check_updates, (clauses.TRAININGS, clauses.VALUES, name), None)) for name in clauses.TRAININGS]
    updates_found += [(f"lasso by {name}", (check_lasso, behind["lasso"], how)) for name, how in clauses.LASSO_WAYS.items()]
    updates_found += [(f"solved: {name}", (check_solved, name, json.loads(solve.VALUES.read_text())[name])) for name in solve.CASES]
    updates_found += [(f"path: {name}", (check_path, name, json.loads(paths.VALUES.read_text())[name])) for name in paths.PATHS]
    updates_found += [(f"prepared: {name}", (check_prepared, name, json.loads(prepared.VALUES.read_text())[name])) for name in prepared.PROGRAMS]
    updates_found.append(("path: one standard error", (check_choice, json.loads(paths.VALUES.read_text()), None)))
    samples_found = [(f"samples: {name}", (check_samples, name, None)) for name in samples.CLAUSES]
    found += [(layer, (check_images, (layer, shape, shapes), json.loads(images.VALUES.read_text())[layer])) for layer, shape, shapes, _ in images.LAYERS]
    found.append(("net of images, small", (check_net, "small", json.loads(images.VALUES.read_text())["net, small"])))
    texts = [name for name, _ in [*found, *samples_found]]
    return [*found, *models, *updates_found, *samples_found, ("every definition of the library has a value", (check_all_there, [*texts, *(v["program"] for v in more)], None))]


def of_literature():
    """Names of the cases that are the library's definitions from the literature, which come by the same code as others."""
    return {c[kind] for path in VALUES[2:] for kind in ("expression", "optimizer", "layer", "schedule", "step")
            for c in json.loads(path.read_text()).get(f"{kind}s", [])}


def run(regc, case):
    check, values, more = case
    with tempfile.TemporaryDirectory(dir=regc.scratch) as folder:
        check(regc, Path(folder), values, more)


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


def read_npy(path):
    data = path.read_bytes()
    begin = 10 + struct.unpack("<H", data[8:10])[0]
    return struct.unpack(f"<{(len(data) - begin) // 4}f", data[begin:])


def write_weights(path, tensors):
    """The .safetensors format: header length, header in JSON, the values."""
    header, data = {}, b""
    for name, nested in tensors.items():
        values = flatten(nested)
        begin, data = len(data), data + struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape_of(nested), "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_weights(path):
    data = path.read_bytes()
    length, = struct.unpack("<Q", data[:8])
    header, begin = json.loads(data[8:8 + length]), 8 + length
    places = {k: v["data_offsets"] for k, v in header.items() if k != "__metadata__"}
    return {k: struct.unpack(f"<{(b - a) // 4}f", data[begin + a:begin + b]) for k, (a, b) in places.items()}


def demand_close(name, found, expected, relative=5e-6):
    scale = max(map(abs, expected), default=0)
    for k, (a, b) in enumerate(zip(found, expected, strict=True)):
        if not abs(a - b) <= relative * (scale + 0.05):
            raise Failure(f"{name}[{k}] is {a}, PyTorch gives {b}")


def check_all_there(regc, folder, texts, _):
    """Initializers and layers of weights apart, which tests/stdlib measures, functions that others of the library are made of, and
    products with Jacobians and Hessians, beside whose matrices tests/stdlib/products.reg puts them, and what goes on with texts, whose
    values in tests/stdlib/sequences.reg are whole numbers, what tests/stdlib/image_techniques.reg draws, rows that are chosen, in
    tests/stdlib/rows.reg, and what stands in tests/stdlib/stage_techniques.reg with values by hand."""
    texts = [*texts, *((ROOT / f"tests/stdlib/{name}.reg").read_text() for name in ("products", "sequences", "image_techniques", "rows", "stage_techniques"))]
    used = {f.stem for f in STDLIB.glob("fn/*.reg") if any(re.search(rf"\b{f.stem}\(", g.read_text()) for g in STDLIB.glob("*/*.reg") if g != f)}
    defined = {m for f in STDLIB.glob("*/*.reg") if f.parent.name != "init"
               for m in re.findall(r"^(?:fn|loss|penalty|metric|layer|optimizer|schedule) (\w+)(?!\w|\(w: \[.., i)", f.read_text(), re.M)}
    if missing := defined - used - set(re.findall(r"\w+", " ".join(texts))):
        raise Failure(f"make.py has no case for {', '.join(sorted(missing))}")


def check_expression(regc, folder, case, program):
    (folder / "p.reg").write_text(program)
    files = ["-f", folder / "p.reg"]
    for name, values in case["inputs"].items():
        write_npy(folder / f"{name}.npy", values, name in case["integers"])
        files += ["--in", f"{name}={folder / name}.npy"]
    total = f"sum({case['expression']})" if case["shape"] else case["expression"]
    for more in ([], ["--interpret"]):
        result = json.loads(regc.ok("eval", case["expression"], *files, *more))
        if result["shape"] != case["shape"]:
            raise Failure(f"shape {result['shape']}, PyTorch gives {case['shape']}")
        demand_close("value", result["values"], case["value"])
        if case["gradients"]:
            result = json.loads(regc.ok("eval", total, "--grad", ",".join(case["gradients"]), *files, *more))
        for name, gradient in case["gradients"].items():
            demand_close(f"gradient of {name}", result["grad"][name]["values"], gradient)


def check_optimizer(regc, folder, case, more):
    """Steps on sum(scale (w - aim)^2) + sum(w)^2 / 10 over a tree of tensors. The one row of data makes every step the same; the
    tensors start as given, and nothing else is a parameter."""
    tree, own_definitions = more
    names = list(tree["start"])
    tensors = "\n".join(f"  param {k}: {shape_of(v)} ~ start_{k}()" for k, v in tree["start"].items())
    starts = "\n".join(f"fn start_{k}(like) = like * 0 + {v}" for k, v in tree["start"].items())
    own = " + ".join(f"sum({tree['scale'][k]} * ({k} - {tree['aim'][k]})^2)" for k in names)
    (folder / "one.csv").write_text("a,y\n1,0\n")
    program = f"""
data d = csv("one.csv", target: y)
{own_definitions}
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
  epochs   {case["steps"]}
}}
"""
    regc.ok("run", "-", "--progress", "none", "--out", folder / "run", stdin=program, cwd=folder)
    found = read_weights(folder / "run" / "weights.safetensors")
    for name, expected in case["weights"].items():
        demand_close(name, found[f"net.f.{name}"], expected, 2e-6)


def check_layer(regc, folder, case, _):
    """One step from given weights, then the layer in evaluation mode on the same rows."""
    inputs = len(case["rows"][0])
    (folder / "rows.csv").write_text(",".join(f"a{k}" for k in range(inputs)) + ",y\n" + "".join(",".join(map(repr, row)) + ",0\n" for row in case["rows"]))
    width = len(case["out"]) // len(case["rows"])
    states = {"running_mean": [0.0] * width, "running_variance": [1.0] * width} if "batch_norm" in case["layer"] else {}
    states |= case.get("states", {})
    for norm in case.get("norms", []):
        n = len(case["before"][f"{norm}.scale"])
        states |= {f"{norm}.running_mean": [0.0] * n, f"{norm}.running_variance": [1.0] * n}
    write_weights(folder / "start.safetensors", {f"net.f.{k}": v for k, v in (case["before"] | states).items()})
    program = f"""
data d = csv("rows.csv", target: y)
model net(x: [{inputs}]) -> [{width}] {case["model"]}
train net on d {{
  loss     sum(({case["factor"]} * net(x))^2) / 2
  optimize sgd(lr: 1)
  batch    {len(case["rows"])}
  epochs   1
  sample   in order
}}
metric all(pred: [n, c], y) = pred
evaluate net on d {{ all }}
"""
    out = regc.ok("run", "-", "--json", "--weights", folder / "start.safetensors", "--out", folder / "run", stdin=program, cwd=folder)
    events = [json.loads(line) for line in out.splitlines()]
    demand_close("loss", [e["loss"] for e in events if e["event"] == "epoch"], [case["loss"]])
    found = read_weights(folder / "run" / "weights.safetensors")
    for name, expected in case["after"].items():
        demand_close(name, found[f"net.f.{name}"], expected)
    rows = [[float(v) for k, v in row.items() if k.startswith("output_")]
            for row in csv.DictReader((folder / "run" / "predictions.csv").open(newline=""))]
    demand_close("output", flatten(rows), case["out"])


def check_images(regc, folder, case, expected):
    """A layer with given weights, on given images: value and gradient of the sum of squares."""
    layer, shape, shapes = case
    (folder / "p.reg").write_text(images.program(layer, shape))
    write_npy(folder / "x.npy", reshaped(images.numbers(shape, 0), shape), False)
    write_weights(folder / "w.safetensors", {name: reshaped(v, s) for name, (s, v) in images.weights(shapes).items()})
    files = ["-f", folder / "p.reg", "--in", f"x={folder / 'x.npy'}", *(["--weights", folder / "w.safetensors"] if shapes else [])]

    def values(result, name):
        return result.get("values") or read_npy(folder / f"{name}.npy")
    for more in ([], ["--interpret"]):
        result = json.loads(regc.ok("eval", "net(x)", "--out", folder, *files, *more))
        if result["shape"] != expected["shape"]:
            raise Failure(f"{layer}: shape {result['shape']}, PyTorch gives {expected['shape']}")
        demand_close(layer, values(result, "value"), expected["value"])
        result = json.loads(regc.ok("eval", "sum(net(x)^2)", "--grad", "x", "--out", folder, *files, *more))
        demand_close(f"gradient through {layer}", values(result["grad"]["x"], "grad_x"), expected["gradient"])


def check_net(regc, folder, name, expected):
    """Training losses of a net from given weights, a step an epoch."""
    rows, side, units, _ = images.NETS[name]
    values, shape = images.net_images(name), [rows, side, side, 3]
    (folder / "x.idx").write_bytes(struct.pack(">HBB4I", 0, 13, 4, *shape) + struct.pack(f">{len(values)}f", *values))
    (folder / "y.idx").write_bytes(struct.pack(">HBBI", 0, 8, 1, rows) + bytes(k % 10 for k in range(rows)))
    (folder / "p.reg").write_text(images.net_program(name, "x.idx", "y.idx"))
    shapes, given = images.net_shapes(units), images.net_weights(units)
    states = {f"net.stage{k + 1}.batch_norm1.{s}": [v] * u for k, u in enumerate(units) for s, v in (("running_mean", 0.0), ("running_variance", 1.0))}
    write_weights(folder / "w.safetensors", {k: reshaped(v, shapes[k]) for k, v in given.items()} | states)
    out = regc.ok("run", folder / "p.reg", "--set", "rate=0", "--json", "--weights", folder / "w.safetensors", "--out", "", cwd=folder)
    found = [e["loss"] for e in map(json.loads, out.splitlines()) if e["event"] == "epoch"]
    for k, (a, b) in enumerate(zip(found, expected, strict=True)):
        if not abs(a - b) <= 1e-4:
            raise Failure(f"the loss of step {k} is {a}, PyTorch gives {b}")


def check_lasso(regc, folder, expected, how):
    batch, epochs, rate, near = how
    text = clauses.LASSO.replace("DATA", str(ROOT / "examples/data/diabetes.csv")).replace("BATCH", str(batch)).replace("EPOCHS", str(epochs)).replace("RATE", rate)
    regc.ok("run", "-", "--progress", "none", "--out", folder / "run", stdin=text, cwd=folder)
    found = read_weights(folder / "run" / "weights.safetensors")
    if batch == 442 and [w == 0 for w in found["line.out.weight"]] != [w == 0 for w in expected["weight"]]:
        raise Failure(f"zeros differ: {found['line.out.weight']}, scikit-learn has {expected['weight']}")
    demand_close("weight", found["line.out.weight"], expected["weight"], near)
    demand_close("bias", found["line.out.bias"], expected["bias"], 2 * near)


def check_solved(regc, folder, name, expected):
    """Where columns are equal, the sum of their weights is what the minimum has. The gap that the run tells is one by these
    weights too, where the penalty is simple enough to say it here."""
    (folder / "rows.csv").write_text(solve.table())
    text = solve.program(name) + 'report line.out.weight as "w"\nreport line.out.bias as "b"\n'
    found = [json.loads(line) for line in regc.ok("run", "--json", "--out=", "-", stdin=text, cwd=folder).splitlines()]
    epoch = [e for e in found if e["event"] == "epoch"][0]
    w, b = ([e["value"] for e in found if e.get("name") == n][0] for n in "wb")
    if not epoch["gap"] <= solve.gap_of(name) or epoch["gaps"][-1] != epoch["gap"]:
        raise Failure(f"{name}: the gap is {epoch['gap']}, of {epoch['gaps']}")
    if epoch["active"] != sum(v != 0 for v in [*flatten(w), *b]):
        raise Failure(f"{name}: {epoch['active']} parameters that are not 0 are told, and there are others")
    for merged, wanted in zip(map(solve.merged, (w, expected["weight"])), (1, 0)):
        if wanted and any((x == 0) != (abs(y) < 1e-9) for x, y in zip(flatten(merged), flatten(solve.merged(expected["weight"])))):
            raise Failure(f"{name}: zeros differ: {merged}")
    demand_close(f"{name}: weight", flatten(solve.merged(w)), flatten(solve.merged(expected["weight"])), 1e-6)
    demand_close(f"{name}: bias", b, expected["bias"], 1e-6)
    gap = solve.lasso_gap(name, [row[0] for row in w], b[0])
    if gap is not None and not -1e-15 < gap < 1e-12:
        raise Failure(f"{name}: the gap of these weights is {gap}")


def check_path(regc, folder, name, expected):
    """Coefficients and zeros at every strength. Biases of classes are alike but for one number in all of them."""
    found = [json.loads(line) for line in regc.ok("run", "--json", "--out=", "-", stdin=paths.program(name), cwd=paths.DATA).splitlines()]
    told = [flatten(e["value"]) for e in found if e["event"] == "report"]
    each = len(told) // len(expected)
    for k, wanted in enumerate(expected):
        w = [v for part in told[k * each:(k + 1) * each] for v in part]
        if name == "multinomial":
            w, wanted = w[:-3], wanted[:-3]
        if zeros := [i for i, (a, b) in enumerate(zip(w, wanted)) if (a == 0) != (b == 0)]:
            raise Failure(f"{name}, strength {k}: zeros differ at {zeros}: {w}, {wanted}")
        demand_close(f"{name}, strength {k}", w, wanted, 1e-6)


def check_choice(regc, folder, expected, _):
    """The least mean over folds, and the largest strength within one standard error of it."""
    found = [json.loads(line) for line in regc.ok("run", "--json", "--out=", "-", stdin=paths.choosing(), cwd=paths.DATA).splitlines()]
    least, simplest = (next(e for e in found if e.get("name") == n) for n in ("least", "simplest"))
    for i, (row, (mean, error)) in enumerate(zip(least["rows"], expected["choices"])):
        demand_close(f"strength {i}", [row["mean"], row["error"]], [mean, error], 1e-6)
    chosen = [paths.CHOICES[e["chosen"]] for e in (least, simplest)]
    if chosen != expected["chosen"][0]:
        raise Failure(f"chosen are {chosen}, glmnet's are {expected['chosen'][0]}")


def check_steps(regc, folder, case, functions):
    """Steps of one layer on batches of rows in order, with a loss that keeps something from step to step."""
    (folder / "rows.csv").write_text("a,b,c,y\n" + "".join(",".join(map(repr, [*row, y])) + "\n" for row, y in zip(case["rows"], case["y"])))
    write_weights(folder / "start.safetensors", {f"net.f.{k}": v for k, v in case["before"].items()})
    program = f"""
{functions}
data d = csv("rows.csv", target: y)
model net(x: [3]) -> [3] = x |> dense(3) as f
train net on d {{
  loss     {case["step"]}
  optimize sgd(lr: {case["rate"]})
  batch    {case["batch"]}
  epochs   1
  sample   in order
}}
"""
    regc.ok("run", "-", "--progress", "none", "--weights", folder / "start.safetensors", "--out", folder / "run", stdin=program, cwd=folder)
    found = read_weights(folder / "run" / "weights.safetensors")
    for name, expected in case["after"].items():
        demand_close(name, found[f"net.f.{name}"], expected, 2e-5)


def check_updates(regc, folder, case, _):
    programs, file, name = case
    (folder / "rows.csv").write_text("a,b,c,d,e,y\n" + "".join(",".join(map(repr, row)) + "\n" for row in updates.rows()))
    write_weights(folder / "start.safetensors", {k: reshaped(v, updates.SHAPES[k]) for k, v in updates.start().items()})
    text = updates.program(programs[name])
    regc.ok("run", "-", "--progress", "none", "--weights", folder / "start.safetensors", "--out", folder / "run", stdin=text, cwd=folder)
    found = read_weights(folder / "run" / "weights.safetensors")
    values = json.loads(file.read_text())
    for tensor, values in values.get("trainings", values)[name].items():
        demand_close(tensor, found[tensor], values, 2e-5)


def check_samples(regc, folder, name, _):
    (folder / "rows.csv").write_text("a,b,y\n" + "".join(",".join(map(repr, row)) + "\n" for row in samples.rows()))
    write_weights(folder / "start.safetensors", {k: reshaped(v, samples.SHAPES[k]) for k, v in samples.start().items()})
    (folder / "p.reg").write_text(samples.program(name))
    regc.ok("run", "p.reg", "--progress", "none", "--weights", folder / "start.safetensors", "--out", folder / "run", cwd=folder)
    found = read_weights(folder / "run" / "weights.safetensors")
    for state in samples.STATES[name]:
        found[state], = read_weights(folder / f"{state}.safetensors").values()
    for tensor, values in json.loads(samples.VALUES.read_text())[name].items():
        demand_close(tensor, found[tensor], values, 2e-5)


def check_prepared(regc, folder, name, expected):
    (folder / "t.csv").write_text(prepared.text())
    (folder / "p.reg").write_text(prepared.PROGRAMS[name] + prepared.TAIL)
    told = json.loads(regc.ok("data", "--json", "p.reg", cwd=folder))
    columns = [c["name"] for c in told["columns"]]
    if columns != expected["columns"]:
        raise Failure(f"columns {columns}, not {expected['columns']}")
    regc.ok("eval", "-f", "p.reg", "concat(d.train.x, d.test.x, axis: 0)", "--out", ".", cwd=folder)
    demand_close(name, read_npy(folder / "value.npy"), flatten(expected["x"]))
    if "ids" in expected:
        rows = [json.loads(regc.ok("eval", "-f", "p.reg", f"d.id[{at}..{min(at + 50, len(expected['ids']))}]", cwd=folder))["values"] for at in range(0, len(expected["ids"]), 50)]
        if flatten(rows) != expected["ids"]:
            raise Failure(f"rows {flatten(rows)}, not {expected['ids']}")


def check_language_model(regc, folder, case, _):
    """One step a run, the others from its checkpoint: what lanes carry is in it."""
    s = language_model.SIZES[case["language model"]]
    (folder / "tokens.txt").write_text(language_model.text(s))
    (folder / "p.reg").write_text(language_model.program(s, "tokens.txt", -(-s.steps // s.batches)))
    given = language_model.weights(s)
    write_weights(folder / "start.safetensors", {k: reshaped(given[k], shape) for k, shape in s.shapes.items()})
    found, before = [], 0.0
    for step in range(1, s.steps + 1):
        how = ["--resume"] if step > 1 else ["--weights", folder / "start.safetensors"]
        out = regc.ok("run", folder / "p.reg", "--set", "rate=0", "--json", "--steps", str(step), "--out", folder / "run", *how)
        events = [json.loads(line) for line in out.splitlines()]
        epochs = [e for e in events if e["event"] == "epoch"]
        within = (step - 1) % s.batches + 1
        mean = (epochs or [e for e in events if e["event"] == "train_end"])[-1]["loss"]
        found.append(mean * within - before)
        before = 0.0 if within == s.batches else mean * within
    for k, (a, b) in enumerate(zip(found, case["losses"], strict=True)):
        if not abs(a - b) <= 1e-4:
            raise Failure(f"the loss of step {k} is {a}, PyTorch gives {b}")


def reshaped(values, shape):
    each = len(values) // shape[0]
    return values if len(shape) == 1 else [reshaped(values[k:k + each], shape[1:]) for k in range(0, len(values), each)]


def check_schedule(regc, folder, case, _):
    """Twelve epochs of three steps; an optimizer of our own writes each step's rate into an element of its own."""
    (folder / "rows.csv").write_text("a,y\n" + "1,0\n" * 3)
    steps = len(case["values"])
    program = f"""
data d = csv("rows.csv", target: y)
schedule rate = {case["schedule"]}
layer free(x: [n, i]) -> [n, 1] {{
  param w: [{steps}] = 0
  x + 0 * sum(w)
}}
optimizer record(lr: number) for w {{ w <- w + lr * one_hot(step, {steps}) }}
model net(x: [1]) -> [1] = x |> free as f
train net on d {{
  loss     mean(net(x))
  optimize record(lr: rate)
  batch    1
  epochs   {steps // 3}
}}
"""
    regc.ok("run", "-", "--progress", "none", "--out", folder / "run", stdin=program, cwd=folder)
    demand_close("rate", read_weights(folder / "run" / "weights.safetensors")["net.f.w"], case["values"], 2e-7)
