#!/usr/bin/env python3
"""Makes techniques.json, literature.json, literature2.json, stage_techniques.json, image_techniques.json, sequence_layers.json, sequence_techniques.json and generation_techniques.json with PyTorch, in double precision, of
the cases in the files of these names, or of those that are named: as make.py makes values.json. Run by hand when a case is added."""
import json
import sys
from pathlib import Path

import generation_techniques
import image_techniques
import literature
import literature2
import make
import sequence_layers
import sequence_techniques
import stage_techniques
import techniques
import torch


ROWS, BATCH, STEPS, RATE = 16, 4, 4, 0.1


def steps_case(text, loss):
    """Rows lie as `sample in order` takes them: the k-th of each batch in a run of its own."""
    given = techniques.arrays(x=(ROWS, 3), weight=(3, 3), bias=(3,))
    y = torch.tensor([0, 1, 1, 2, 2, 0, 1, 0, 0, 1, 0, 0, 2, 1, 0, 1])
    w, b = (given[k].clone().requires_grad_() for k in ("weight", "bias"))
    kept, order = {}, torch.arange(ROWS).reshape(BATCH, STEPS).T
    for t in range(STEPS):
        slopes = torch.autograd.grad(loss(t, w, b, given["x"][order[t]], y[order[t]], kept), [w, b], allow_unused=True)
        with torch.no_grad():
            for tensor, slope in zip((w, b), slopes):
                tensor -= RATE * slope if slope is not None else 0
    return {"step": text, "rows": given["x"].tolist(), "y": y.tolist(), "batch": BATCH, "rate": RATE,
            "before": {k: given[k].tolist() for k in ("weight", "bias")}, "after": {"weight": w.flatten().tolist(), "bias": b.tolist()}}


def main():
    for module in (techniques, literature, literature2, stage_techniques, image_techniques, sequence_layers, sequence_techniques, generation_techniques):
        if sys.argv[1:] and module.__name__ not in sys.argv:
            continue
        result = {"program": module.PROGRAM, "expressions": [make.expression_case(*c) for c in module.EXPRESSIONS],
                  "optimizers": [make.optimizer_case(*c) for c in module.OPTIMIZERS], "layers": [make.layer_case(*c) for c in module.LAYERS],
                  "schedules": [make.schedule_case(*c) for c in module.SCHEDULES], "steps": [steps_case(*c) for c in module.STEPS]}
        Path(__file__).with_name(f"{module.__name__}.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
