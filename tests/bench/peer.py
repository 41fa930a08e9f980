#!/usr/bin/python3
"""The bench's workloads in PyTorch: model, batch, regularizers and optimizer as in the .reg file of the same name.

    peer.py WORKLOAD THREADS SECONDS

Prints the median time of a whole training step (forward, regularizers, backward, update) in milliseconds, that of the fastest tenth, and the least processor time. Of
`sweep` and `sweep_tiny` whole runs take the place of steps."""
import itertools
import math
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F


def batches(rows, size):
    while True:
        order = torch.randperm(rows)
        for start in range(0, rows - size + 1, size):
            yield order[start:start + size]


def classifier(sizes, drop):
    parts = []
    for k in range(len(sizes) - 1):
        parts.append(nn.Linear(sizes[k], sizes[k + 1]))
        if k + 2 < len(sizes):
            parts += [nn.ReLU(), nn.Dropout(drop)]
    return nn.Sequential(*parts)


def classification(rows, sizes, drop, batch, l1, l2):
    """One step a turn of the generator."""
    x, y = torch.rand(rows, sizes[0]), torch.randint(0, sizes[-1], (rows,))
    net = classifier(sizes, drop)
    matrices = [p for p in net.parameters() if p.dim() == 2]
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for index in batches(rows, batch):
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(net(x[index]), y[index], label_smoothing=0.1)
        for w in matrices:
            if l1:
                loss = loss + l1 * w.abs().sum()
            loss = loss + 0.5 * l2 * (w * w).sum()
        loss.backward()
        optimizer.step()
        yield


def mlp_sam():
    """Sharpness-aware steps around SGD, the ball's norm over all parameters."""
    x, y = torch.rand(10000, 784), torch.randint(0, 10, (10000,))
    net = classifier([784, 512, 512, 10], 0.0)
    parameters = list(net.parameters())
    optimizer = torch.optim.SGD(parameters, 0.1, momentum=0.9)

    def gradients(index):
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(net(x[index]), y[index])
        for w in parameters:
            if w.dim() == 2:
                loss = loss + 0.5 * 1e-4 * (w * w).sum()
        loss.backward()

    for index in batches(len(x), 128):
        gradients(index)
        with torch.no_grad():
            norm = torch.norm(torch.stack([p.grad.norm() for p in parameters]))
            moved = torch._foreach_mul([p.grad for p in parameters], (0.05 / (norm + 1e-12)).item())
            torch._foreach_add_(parameters, moved)
        gradients(index)
        with torch.no_grad():
            torch._foreach_sub_(parameters, moved)
        optimizer.step()
        yield


def grad_penalty():
    x = torch.randn(8192, 64)
    y = torch.sin(x.sum(1, keepdim=True))
    net = nn.Sequential(nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, 1))
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for index in batches(8192, 256):
        inputs = x[index].requires_grad_(True)
        optimizer.zero_grad(set_to_none=True)
        out = net(inputs)
        slope, = torch.autograd.grad(out.sum(), inputs, create_graph=True)
        (F.mse_loss(out, y[index]) + 0.1 * slope.pow(2).sum(1).mean()).backward()
        optimizer.step()
        yield


def lstm_zaremba():
    """A state that goes on from batch to batch, and begins anew with the text."""
    text = torch.randint(0, 96, (32, 127 * 64 + 1))
    embedding, rnn, head = nn.Embedding(96, 256), nn.LSTM(256, 256, 2, dropout=0.5, batch_first=True), nn.Linear(256, 96)
    parameters = [*embedding.parameters(), *rnn.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parameters, 1.0)
    while True:
        state = None
        for at in range(0, text.shape[1] - 1, 64):
            window = text[:, at:at + 65]
            optimizer.zero_grad(set_to_none=True)
            h, state = rnn(F.dropout(embedding(window[:, :-1]), 0.5), state)
            state = tuple(s.detach() for s in state)
            F.cross_entropy(head(F.dropout(h, 0.5)).reshape(-1, 96), window[:, 1:].reshape(-1)).backward()
            nn.utils.clip_grad_norm_(parameters, 5.0)
            optimizer.step()
            yield


class Block(nn.Module):
    def __init__(self, width, heads, drop):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.heads, self.drop = heads, drop

    def path(self, x):
        return F.dropout(x, self.drop) * (torch.rand(len(x), 1, 1) >= self.drop).float() / (1 - self.drop)

    def forward(self, x, mask):
        n, t, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        weights = F.dropout((q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5 + mask).softmax(-1), self.drop)
        x = x + self.path(self.out((weights @ v).transpose(1, 2).reshape(n, t, width)))
        return x + self.path(self.down(F.gelu(self.up(self.norm2(x)))))


def transformer_droppath():
    text = torch.randint(0, 96, (2032 * 128 + 1,))
    embedding, place, blocks = nn.Embedding(96, 128), nn.Embedding(128, 128), nn.ModuleList(Block(128, 4, 0.1) for _ in range(4))
    norm, head = nn.LayerNorm(128), nn.Linear(128, 96)
    model = nn.ModuleList([embedding, place, blocks, norm, head])
    optimizer = torch.optim.AdamW(model.parameters(), 3e-4, weight_decay=0.1)
    mask = torch.full((128, 128), -float("inf")).triu(1)
    for index in batches(2032, 16):
        window = text[index[:, None] * 128 + torch.arange(129)]
        optimizer.zero_grad(set_to_none=True)
        x = embedding(window[:, :-1]) + place.weight
        for block in blocks:
            x = block(x, mask)
        F.cross_entropy(head(norm(x)).reshape(-1, 96), window[:, 1:].reshape(-1), label_smoothing=0.1).backward()
        optimizer.step()
        yield


def drop_block(x, p, size):
    h, w = x.shape[2:]
    seeds = torch.rand_like(x) < p / size**2 * (h * w) / ((h - size + 1) * (w - size + 1))
    keep = 1 - F.max_pool2d(seeds.float(), size, stride=1, padding=size // 2)
    return x * keep * (keep.numel() / keep.sum())


def cnn_dropblock():
    """Images of bytes, channels first; the mean of each channel before the last layer."""
    images, labels = torch.rand(4096, 3, 32, 32), torch.randint(0, 10, (4096,))
    convolutions = [nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in [(3, 32), (32, 64), (64, 128)]]
    norms, last = [nn.BatchNorm2d(c.out_channels) for c in convolutions], nn.Linear(128, 10)
    parameters = [p for part in [*convolutions, *norms, last] for p in part.parameters()]
    optimizer = torch.optim.SGD(parameters, 0.1, momentum=0.9)
    for index in batches(len(images), 64):
        optimizer.zero_grad(set_to_none=True)
        x = images[index]
        for convolution, norm in zip(convolutions, norms):
            x = F.relu(norm(convolution(x)))
            if convolution is not convolutions[-1]:
                x = drop_block(x, 0.1, 5)
            x = F.max_pool2d(x, 2)
        loss = F.cross_entropy(last(x.mean((2, 3))), labels[index])
        for w in parameters:
            if w.dim() > 1:
                loss = loss + 0.5 * 5e-4 * (w * w).sum()
        loss.backward()
        optimizer.step()
        yield


class Residual(nn.Module):
    def __init__(self, before, units):
        super().__init__()
        self.first, self.second = nn.Conv2d(before, units, 3, 2, 1, bias=False), nn.Conv2d(units, units, 3, 1, 1, bias=False)
        self.around = nn.Conv2d(before, units, 1, 2, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(units) for _ in range(3))

    def forward(self, x):
        y = self.norms[1](self.second(F.relu(self.norms[0](self.first(x)))))
        return F.relu(y + self.norms[2](self.around(x)))


def fashion():
    """examples/images/fashion_mnist.reg: each picture is moved and turned by itself."""
    images, labels = torch.rand(60000, 1, 28, 28), torch.randint(0, 10, (60000,))
    net = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), Residual(32, 64), Residual(64, 128),
                        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))
    weights = [p for p in net.parameters() if p.dim() > 1]
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, nesterov=True)
    places = torch.arange(28)
    for index in batches(len(images), 128):
        optimizer.zero_grad(set_to_none=True)
        x, n = F.pad(images[index], (2, 2, 2, 2)), len(index)
        down, across = torch.randint(0, 5, (n, 1)) + places, torch.randint(0, 5, (n, 1)) + places
        across = torch.where(torch.rand(n, 1) < 0.5, across.flip(1), across)
        x = x[torch.arange(n)[:, None, None], :, down[:, :, None], across[:, None, :]].permute(0, 3, 1, 2)
        loss = F.cross_entropy(net(x), labels[index], label_smoothing=0.05)
        for w in weights:
            loss = loss + 0.5 * 5e-4 * (w * w).sum()
        loss.backward()
        optimizer.step()
        yield


def digits(seed=1):
    """examples/data/digits.csv as examples/digits.reg divides it: rows of 70, 15 and 15 %."""
    path = Path(__file__).resolve().parents[2] / "examples" / "data" / "digits.csv"
    table = torch.tensor([[float(v) for v in line.split(",")] for line in path.read_text().splitlines()[1:]])
    table = table[torch.randperm(len(table), generator=torch.Generator().manual_seed(seed))]
    return [(part[:, :-1] / 16, part[:, -1].long()) for part in table.split([1258, 270, 269])]


def calibration(probability, label):
    """Expected calibration error in 15 bins."""
    sure, guess = probability.max(1)
    right, bin_of = (guess == label).float(), (sure * 15).long().clamp(max=14)
    return (torch.zeros(15).index_add_(0, bin_of, right - sure)).abs().sum() / len(label)


def sweep():
    """Whole runs of examples/digits.reg without its stop, one after the other: one a turn of the generator."""
    (x, y), valid, test = digits()
    for seed in itertools.count(1):
        torch.manual_seed(seed)
        rate, hidden, dense, head = nn.Dropout(0.3), nn.Linear(64, 128), nn.Linear(128, 64), nn.Linear(64, 10)
        net = nn.Sequential(hidden, nn.ReLU(), rate, dense, nn.ReLU(), rate, head)
        matrices = [hidden.weight, dense.weight, head.weight]
        optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=0.01, foreach=True)
        step, steps = 0, 60 * (len(x) // 64)
        for epoch in range(60):
            rate.p = 0.3 if epoch < 20 else 0.0
            net.train()
            order = torch.randperm(len(x))
            for start in range(0, len(x) // 64 * 64, 64):
                index = order[start:start + 64]
                optimizer.param_groups[0]["lr"] = 1.5e-3 * (1 + math.cos(math.pi * step / steps))
                optimizer.zero_grad(set_to_none=True)
                loss = F.cross_entropy(net(x[index]), y[index], label_smoothing=0.1)
                for w in matrices:
                    loss = loss + 0.5e-4 * (w * w).sum()
                loss = loss + 1e-3 * min(step / 190, 1) * hidden.weight.norm(dim=0).sum()
                loss.backward()
                optimizer.step()
                step += 1
            net.eval()
            with torch.no_grad():
                out = net(valid[0])
                F.cross_entropy(out, valid[1], label_smoothing=0.1).item()
                (out.argmax(1) == valid[1]).float().mean().item(), calibration(out.softmax(1), valid[1]).item()
        with torch.no_grad():
            out = net(test[0])
            (out.argmax(1) == test[1]).float().mean().item(), calibration(out.softmax(1), test[1]).item()
            torch.zeros(10, 10).index_put_((test[1], out.argmax(1)), torch.ones(len(out)), accumulate=True)
        yield


def sweep_tiny():
    """Whole runs of the model of tiny_mlp.reg, of 60 epochs."""
    for seed in itertools.count(1):
        torch.manual_seed(seed)
        for _ in itertools.islice(classification(1437, [64, 32, 10], 0.2, 32, 0, 1e-4), 60 * (1437 // 32)):
            pass
        yield


WORKLOADS = {
    "tiny_mlp": lambda: classification(1437, [64, 32, 10], 0.2, 32, 0, 1e-4),
    "mlp_elastic": lambda: classification(10000, [784, 512, 512, 10], 0.5, 128, 1e-5, 1e-4),
    "mlp_sam": mlp_sam,
    "grad_penalty": grad_penalty,
    "lstm_zaremba": lstm_zaremba,
    "transformer_droppath": transformer_droppath,
    "cnn_dropblock": cnn_dropblock,
    "fashion": fashion,
    "sweep": sweep,
    "sweep_tiny": sweep_tiny,
}


def main():
    name, threads, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    steps = WORKLOADS[name]()
    warm = time.perf_counter() + min(1, seconds)
    while time.perf_counter() < warm:
        next(steps)
    times, spent, end = [], [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start, used = time.perf_counter(), time.process_time()
        next(steps)
        spent.append(time.process_time() - used)
        times.append(time.perf_counter() - start)
    print(1e3 * statistics.median(times), 1e3 * statistics.quantiles(times, n=10)[0], 1e3 * min(spent))


main()
