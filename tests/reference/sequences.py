#!/usr/bin/env python3
"""Programs that are sequences, against PyTorch in double precision from equal weights and batches: co-teaching, pruning in rounds with
rewinding, a teacher and its student, a mean teacher, two stages, adaptation by a step. Run by hand (Debian's python3-torch), it writes
sequences.json: what each program saves and reports; the tests read that. `sample in order` with 8 of 24 rows: batch k has rows k, k + 3, ..."""
import json
import math
from pathlib import Path

VALUES = Path(__file__).with_name("sequences.json")
ROWS, BATCH = 24, 8
SHAPES = {"hidden.weight": [4, 5], "hidden.bias": [5], "out.weight": [5, 3], "out.bias": [3]}
NET = "model net(x: [4]) -> [3] = x |> dense(5) as hidden |> tanh |> dense(3) as out\n"
CLAUSES = "  batch    8\n  sample   in order\n"


def rows():
    """x of four numbers, and a class of three."""
    numbers = [[round(math.sin(1.7 * i + 2.3 * k * k + k), 3) for k in range(4)] for i in range(ROWS)]
    return [[*x, (i % 3 if i % 2 == 0 else 2 if x[0] + x[1] > 0.3 else 1 if x[2] > x[3] else 0)] for i, x in enumerate(numbers)]


def table():
    return "a,b,c,d,y\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows())


def start(seed, shapes=SHAPES):
    return {name: [round(0.7 * math.sin(seed + 3 * n + 1.3 * k), 3) for k in range(math.prod(shape))]
            for n, (name, shape) in enumerate(shapes.items())}


def nested(values, shape):
    return values if len(shape) == 1 else [values[k:k + shape[1]] for k in range(0, len(values), shape[1])]


def given(model, seed, shapes=SHAPES):
    return "".join(f"{model}.{name} <- {nested(values, shapes[name])}\n" for name, values in start(seed, shapes).items())


PROGRAMS = {
    "co-teaching": NET + """model other = new net
schedule kept = 1 - 0.5 * min(1, epoch / 3)
fn of_easy(own: [n], others: [n]) = mean(own, where: argsort(argsort(stop(others))) < kept * n)
fn wrong(m, x, y) = cross_entropy(m(x), y, per_row: true)
""" + given("net", 1) + given("other", 2) + """
train net, other on d as both {
  minimize of_easy(wrong(net, x, y), wrong(other, x, y)) over net.*,
           of_easy(wrong(other, x, y), wrong(net, x, y)) over other.* by adam(lr: 2e-2)
  epochs   6
""" + CLAUSES + """}
e = evaluate net on d { accuracy, nll }
f = evaluate other on d { accuracy, nll }
report [e.accuracy, e.nll, f.accuracy, f.nll] as "measured"
save net to "net.safetensors"
save other to "other.safetensors"
""",
    "pruning": NET + given("net", 3) + """
start = net.*
mask = each w in net.*.weight : ones(like: w)
model sparse = net with w, m in net.*.weight, mask as w * m
repeat 3 as round {
  net.* <- start
  train sparse on d {
    loss     cross_entropy(sparse(x), y)
    optimize adam(lr: 5e-2)
    epochs   4
""" + CLAUSES + """  }
  e = evaluate sparse on d { nll }
  report e.nll as "round {round}"
  least = quantile(flat(each w in net.*.weight : abs(w)), 30%, where: flat(mask) > 0)
  report least
  mask = each w, m in net.*.weight, mask : if abs(w) > least then m else 0
}
save net to "net.safetensors"
save mask to "mask.safetensors"
""",
    "the library's pruning": NET + """recipe plain(m, lr: number) {
  loss     cross_entropy(m(x), y)
  optimize adam(lr: lr)
  epochs   4
""" + CLAUSES + "}\n" + given("net", 3) + """
mask = lottery_ticket(net, d, plain(lr: 5e-2), rounds: 3, drop: 30%)
model sparse = net with w, m in net.*.weight, mask as w * m
e = evaluate sparse on d { nll }
report e.nll
save net to "net.safetensors"
save mask to "mask.safetensors"
""",
    "distillation": NET + """model student(x: [4]) -> [3] = x |> dense(3) as out
""" + given("net", 4) + "student.out.weight <- " + str(nested(start(5, {"w": [4, 3]})["w"], [4, 3])) + """
train net on d as teacher {
  loss     cross_entropy(net(x), y)
  penalize w in net.*.weight : 1e-3 * l2(w)
  optimize sgd(lr: 0.2, momentum: 0.9)
  epochs   10
""" + CLAUSES + """}
train student on d {
  loss     0.3 * cross_entropy(student(x), y) + 0.7 * 4 * kl(softmax(net(x) / 2), softmax(student(x) / 2))
  optimize adam(lr: 1e-2)
  epochs   5
""" + CLAUSES + """}
e = evaluate net on d { nll }
f = evaluate student on d { nll }
report e.nll
report f.nll
report teacher.loss
save net to "net.safetensors"
save student to "student.safetensors"
""",
    "mean teacher": NET + "let teacher = ema(net, decay: 0.9)\n" + given("net", 6) + """
train net on d {
  loss     cross_entropy(net(x[0..2]), y[0..2]) + 3 * mean((softmax(net(x)) - softmax(teacher(x)))^2)
  optimize adam(lr: 2e-2)
  epochs   4
""" + CLAUSES + """}
e = evaluate net on d { nll }
f = evaluate teacher on d { nll }
report [e.nll, f.nll] as "measured"
save net to "net.safetensors"
""",
    "two stages": NET + "data few = d where y != 2\n" + given("net", 7) + """
train net on d as first {
  loss     cross_entropy(net(x), y)
  optimize adam(lr: 2e-2)
  epochs   3
""" + CLAUSES + """}
e = evaluate net on few { nll }
train net on few as second {
  loss     cross_entropy(net(x), y)
  freeze   net.hidden.*
  optimize sgd(lr: 0.1, momentum: 0.9, nesterov: true)
  batch    100
  epochs   7
  sample   in order
}
f = evaluate net on few { nll }
report [e.nll, f.nll] as "measured"
report second.history.loss as "course"
save net to "net.safetensors"
""",
    "adaptation": """model line(u: [1]) -> [1] = u |> dense(5) as hidden |> tanh |> dense(1) as out
fn behind(u, v, steps) {
  w = line.*
  repeat steps { w = w - 0.1 * grad(mean(((line at w)(u[0..2]) - v[0..2])^2), w) }
  mean(((line at w)(u[2..4]) - v[2..4])^2)
}
fn of_tasks(x, y, steps) = mean(each u, k in x, y : behind(u[.., new], (1 + 0.5 * k) * sin(2 * u[.., new] + k), steps))
""" + given("line", 8, LINE := {"hidden.weight": [1, 5], "hidden.bias": [5], "out.weight": [5, 1], "out.bias": [1]}) + """
train line on d {
  loss     of_tasks(x, y, 2)
  optimize adam(lr: 1e-2)
  epochs   4
""" + CLAUSES + """}
u = [[-1], [0.5], [1], [0.2]]
v = [[0.3], [1.2], [-0.7], [0.4]]
report [behind(u, v, 0), behind(u, v, 1), behind(u, v, 3)] as "adapted"
save line to "line.safetensors"
""",
}


def program(name):
    return 'data d = csv("rows.csv", target: y)\n' + PROGRAMS[name]


# -- with PyTorch

def expected(name):
    """({file: {tensor: values}}, [what is reported, in order])."""
    import torch
    torch.set_default_dtype(torch.float64)
    f = torch.nn.functional
    data = torch.tensor([[float(v) for v in row] for row in rows()])
    x, y = data[:, :4], data[:, 4].long()
    batches = [(x[k::3], y[k::3]) for k in range(ROWS // BATCH)]

    def model(seed, shapes=SHAPES):
        return {n: torch.tensor(v).reshape(shapes[n]).requires_grad_() for n, v in start(seed, shapes).items()}

    def run(w, v):
        return torch.tanh(v @ w["hidden.weight"] + w["hidden.bias"]) @ w["out.weight"] + w["out.bias"]

    def saved(w, name):
        return {f"{name}.{k}": v.detach().reshape(-1).tolist() for k, v in w.items()}

    def fit(w, loss, make, epochs, of=batches, behind=lambda: None, seen=None):
        optimizer, losses = make(list(w.values())), []
        for epoch in range(epochs):
            total = 0.0
            for a, b in of:
                optimizer.zero_grad()
                value = loss(a, b)
                value.backward()
                optimizer.step()
                behind()
                total += float(seen(value) if seen else value) * len(b)
            losses.append(total / sum(len(b) for _, b in of))
        return losses

    def adam(lr):
        return lambda p: torch.optim.Adam(p, lr=lr)

    def nll(w, a=x, b=y):
        return float(f.cross_entropy(run(w, a), b))

    if name == "co-teaching":
        net, other = model(1), model(2)
        o, p = adam(2e-2)(net.values()), adam(2e-2)(other.values())
        for epoch in range(6):
            kept = 1 - 0.5 * min(1, epoch / 3)
            for a, b in batches:
                l, m = f.cross_entropy(run(net, a), b, reduction="none"), f.cross_entropy(run(other, a), b, reduction="none")
                n = math.ceil(kept * len(b) - 1e-12)
                easy_l, easy_m = l.detach().argsort()[:n], m.detach().argsort()[:n]
                o.zero_grad(), p.zero_grad()
                (l[easy_m].mean() + m[easy_l].mean()).backward()
                o.step(), p.step()

        def accuracy(w):
            return float((run(w, x).argmax(1) == y).double().mean())
        return {"net": saved(net, "net"), "other": saved(other, "other")}, [[accuracy(net), nll(net), accuracy(other), nll(other)]]
    if name in ("pruning", "the library's pruning"):
        first, told, seen = model(3), [], None
        mask = {k: torch.ones_like(v) for k, v in first.items() if k.endswith("weight")}
        for _ in range(3):
            net = {k: v.detach().clone().requires_grad_() for k, v in first.items()}

            def sparse():
                return {k: v * mask[k] if k in mask else v for k, v in net.items()}
            fit(net, lambda a, b: f.cross_entropy(run(sparse(), a), b), adam(5e-2), 4)
            told.append(nll(sparse()))
            seen = saved(sparse(), "net"), saved(mask, "mask net")
            kept = torch.cat([net[k].detach().abs()[mask[k] > 0] for k in mask])
            least = float(torch.quantile(kept, 0.3))
            told.append(least)
            mask = {k: m * (net[k].detach().abs() > least) for k, m in mask.items()}
        if name != "pruning":  # what the last round left, masked
            return {"net": seen[0], "mask": seen[1]}, told[-2:-1]
        return {"net": saved(net, "net"), "mask": saved(mask, "mask net")}, told
    if name == "distillation":
        net = model(4)
        student = {"out.weight": torch.tensor(start(5, {"w": [4, 3]})["w"]).reshape(4, 3).requires_grad_(), "out.bias": torch.zeros(3).requires_grad_()}

        def penalty():
            return 1e-3 * sum(v.pow(2).sum() / 2 for k, v in net.items() if k.endswith("weight"))
        last = []

        def loss(a, b):
            last[:] = [f.cross_entropy(run(net, a), b)]
            return last[0] + penalty()
        losses = fit(net, loss, lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.9), 10, seen=lambda _: last[0])

        def small(a):
            return a @ student["out.weight"] + student["out.bias"]

        def learned(a, b):
            p, q = f.softmax(run(net, a).detach() / 2, 1), f.log_softmax(small(a) / 2, 1)
            return 0.3 * f.cross_entropy(small(a), b) + 0.7 * 4 * (p * (p.log() - q)).sum(1).mean()
        fit(student, learned, adam(1e-2), 5)
        return {"net": saved(net, "net"), "student": saved(student, "student")}, [nll(net), float(f.cross_entropy(small(x), y)), losses[-1]]
    if name == "mean teacher":
        net = model(6)
        teacher = {k: v.detach().clone() for k, v in net.items()}

        def follow():
            for k, v in net.items():
                teacher[k] = 0.9 * teacher[k] + 0.1 * v.detach()
        fit(net, lambda a, b: f.cross_entropy(run(net, a[:2]), b[:2])
            + 3 * (f.softmax(run(net, a), 1) - f.softmax(run(teacher, a), 1)).pow(2).mean(), adam(2e-2), 4, behind=follow)
        return {"net": saved(net, "net")}, [[nll(net), nll(teacher)]]
    if name == "two stages":
        net, few = model(7), y != 2
        fit(net, lambda a, b: f.cross_entropy(run(net, a), b), adam(2e-2), 3)
        before = nll(net, x[few], y[few])
        head = {k: v for k, v in net.items() if k.startswith("out")}
        course = fit(head, lambda a, b: f.cross_entropy(run(net, a), b), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True), 7,
                     of=[(x[few], y[few])])
        return {"net": saved(net, "net")}, [[before, nll(net, x[few], y[few])], course]
    line = model(8, LINE)

    def behind(u, v, steps):
        w = line
        for _ in range(steps):
            g = torch.autograd.grad((run(w, u[:2]) - v[:2]).pow(2).mean(), list(w.values()), create_graph=True)
            w = {k: p - 0.1 * d for (k, p), d in zip(w.items(), g)}
        return (run(w, u[2:]) - v[2:]).pow(2).mean()

    def of_tasks(a, b):
        return torch.stack([behind(u[:, None], (1 + 0.5 * k) * torch.sin(2 * u[:, None] + k), 2) for u, k in zip(a, b)]).mean()
    fit(line, of_tasks, adam(1e-2), 4)
    u, v = torch.tensor([[-1], [0.5], [1], [0.2]]), torch.tensor([[0.3], [1.2], [-0.7], [0.4]])
    return {"line": saved(line, "line")}, [[float(behind(u, v, k)) for k in (0, 1, 3)]]


if __name__ == "__main__":
    VALUES.write_text(json.dumps({name: expected(name) for name in PROGRAMS}, indent=1) + "\n")
