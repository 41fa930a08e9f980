#!/usr/bin/env python3
"""Definitions with a state for each row of the training data, against PyTorch: three epochs in batches of known rows, of which the last
is smaller. Run by hand (Debian's python3-torch), it writes samples.json: weights and states behind the last step; the tests read that."""
import json
import math
from pathlib import Path

VALUES = Path(__file__).with_name("samples.json")
ROWS, BATCH, EPOCHS = 23, 5, 3
SHAPES = {"net.hidden.weight": [2, 4], "net.hidden.bias": [4], "net.out.weight": [4, 3], "net.out.bias": [3]}
PROGRAM = """data d = csv("rows.csv", target: y)
model net(x: [2]) -> [3] = x |> dense(4) as hidden |> tanh |> dense(3) as out

train net on d as t {
%s
  batch    5
  epochs   3
  sample   in order
}
%s
"""
CLAUSES = {
    "early_learning": """
  loss     cross_entropy(net(x), y)
  penalize : 3 * early_learning(net(x), beta: 0.6)
  optimize sgd(lr: 0.2, momentum: 0.9)
""",
    "temporal_ensembling": """
  loss     cross_entropy(net(x), y)
  penalize : (2 + epoch) * temporal_ensembling(net(x))
  optimize sgd(lr: 0.2, momentum: 0.9)
""",
    "own_past": """
  loss     own_past(net(x), y, share: 0.8 * (epoch + 1) / 3)
  optimize sgd(lr: 0.2, momentum: 0.9)
""",
}
STATES = {"early_learning": {"early_learning.average": [ROWS, 3]},
          "temporal_ensembling": {"temporal_ensembling.average": [ROWS, 3], "temporal_ensembling.weight": [ROWS, 1]},
          "own_past": {"own_past.past": [ROWS, 3], "own_past.seen": [ROWS, 1]}}


def rows():
    """Two numbers and a class."""
    return [[round(math.sin(1.7 * i + 2.3 * k * k + k), 3) for k in range(2)] + [(i * i + i // 3) % 3] for i in range(ROWS)]


def start():
    return {name: [round(0.6 * math.sin(3 * n + 1.3 * k + 0.4), 3) for k in range(math.prod(shape))]
            for n, (name, shape) in enumerate(SHAPES.items())}


def program(name):
    kept = "".join(f'state{k} = t.{state}\nsave state{k} to "{state}.safetensors"\n' for k, state in enumerate(STATES[name]))
    return PROGRAM % (CLAUSES[name].strip("\n"), kept)


def batches():
    """Of each lane the next row; the first lanes have one more."""
    lengths = [ROWS // BATCH + (lane < ROWS % BATCH) for lane in range(BATCH)]
    starts = [sum(lengths[:lane]) for lane in range(BATCH)]
    return [[s + k for s, n in zip(starts, lengths) if k < n] for k in range(max(lengths))]


def expected(name):
    import torch
    torch.set_default_dtype(torch.float64)
    table = torch.tensor([r[:2] for r in rows()])
    classes = torch.tensor([r[2] for r in rows()])
    w = {n: torch.tensor(v).reshape(SHAPES[n]).requires_grad_() for n, v in start().items()}
    state = {n: torch.zeros(shape) for n, shape in STATES[name].items()}
    optimizer = torch.optim.SGD(w.values(), lr=0.2, momentum=0.9)
    for epoch in range(EPOCHS):
        for batch in batches():
            logits = torch.tanh(table[batch] @ w["net.hidden.weight"] + w["net.hidden.bias"]) @ w["net.out.weight"] + w["net.out.bias"]
            p = torch.softmax(logits, -1)
            loss = torch.nn.functional.cross_entropy(logits, classes[batch])
            if name == "early_learning":
                q = torch.clamp(p, 1e-4, 1 - 1e-4)
                average = state["early_learning.average"]
                average[batch] = 0.6 * average[batch] + 0.4 * (q / q.sum(-1, keepdim=True)).detach()
                loss = loss + 3 * torch.log(1 - (q * average[batch].clone()).sum(-1)).mean()
            elif name == "temporal_ensembling":
                average = state["temporal_ensembling.average"]
                if epoch:
                    target = average[batch] / (1 - 0.6 ** epoch)
                    loss = loss + (2 + epoch) * (p - target).pow(2).mean()
                average[batch] = 0.6 * average[batch] + 0.4 * p.detach()
                state["temporal_ensembling.weight"][batch] = 1 - 0.6 ** (epoch + 1)
            else:
                one = torch.nn.functional.one_hot(classes[batch], 3).double()
                share, past = 0.8 * (epoch + 1) / 3, state["own_past.past"]
                target = (1 - share) * one + share * past[batch] if epoch else one
                past[batch] = p.detach()
                state["own_past.seen"][batch] = 1
                loss = -(target * torch.log_softmax(logits, -1)).sum(-1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {n: v.detach().reshape(-1).tolist() for n, v in {**w, **state}.items()}


if __name__ == "__main__":
    VALUES.write_text(json.dumps({name: expected(name) for name in CLAUSES}, indent=1) + "\n")
