"""A beam search and the network that it asks, written in plain Python from the papers: what is kept is a list for each beam, and a beam that is chosen takes its list with it.

Cho et al. 2014: the gated recurrent unit. Graves 2012, Sequence Transduction with Recurrent Neural Networks: the search."""
import math


def table(numbers, columns):
    return [numbers[i:i + columns] for i in range(0, len(numbers), columns)]


def product(x, weight, bias):
    return [b + sum(a * w[k] for a, w in zip(x, weight)) for k, b in enumerate(bias)]


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


class Recurrent:
    """An embedding, a gated recurrent unit, a linear map; `weights` by their paths in a model `net`."""

    def __init__(self, weights, units):
        self.units = units
        self.rows = table(weights["net.embedding1.weight"], units)
        self.weight, self.recurrent = (table(weights[f"net.gru1.cell.{k}"], 3 * units) for k in ("weight", "recurrent"))
        self.bias, self.recurrent_bias = weights["net.gru1.cell.bias"], weights["net.gru1.cell.recurrent_bias"]
        self.head, self.head_bias = table(weights["net.dense1.weight"], len(self.rows)), weights["net.dense1.bias"]

    def start(self):
        return [0.0] * self.units

    def step(self, token, h):
        """(logarithms of probabilities, what is kept)"""
        u = self.units
        a, b = product(self.rows[token], self.weight, self.bias), product(h, self.recurrent, self.recurrent_bias)
        reset, update = ([sigmoid(x + y) for x, y in zip(a[k * u:], b[k * u:(k + 1) * u])] for k in (0, 1))
        new = [math.tanh(x + r * y) for x, r, y in zip(a[2 * u:], reset, b[2 * u:])]
        h = [(1 - z) * n + z * old for z, n, old in zip(update, new, h)]
        logits = product(h, self.head, self.head_bias)
        top = max(logits)
        all_of = top + math.log(sum(math.exp(z - top) for z in logits))
        return [z - all_of for z in logits], h


def search(net, prompt, count, width):
    """[(continuation, logarithm of its probability)], the best first."""
    h = net.start()
    for token in prompt:
        said, h = net.step(token, h)
    beams = [((), 0.0, said, h)]
    for _ in range(count):
        grown = [(made + (k,), score + p, h) for made, score, said, h in beams for k, p in enumerate(said)]
        grown.sort(key=lambda beam: -beam[1])
        beams = [(made, score, *net.step(made[-1], h)) for made, score, h in grown[:width]]
    return [(list(made), score) for made, score, _, _ in beams]
