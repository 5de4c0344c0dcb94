"""A small multilayer perceptron on standardised numbers: smooth differences that involve many coordinates at once."""

from __future__ import annotations

import numpy as np

from equipoise.data.judging import Rows
from equipoise.referee.base import Classifier, Scorer
from equipoise.referee.classifiers.snapshots import snapshot_logits, train_snapshots

_HIDDEN = 64
_BATCH = 256
_MOST_STEPS, _FEWEST_STEPS, _SAMPLES_A_STEP = 400, 100, 10
"""A step for every so many samples of a side, within these limits: what few samples say is soon learned by heart."""


def fit_perceptron(real: Rows, fake: Rows, seed: int) -> Scorer:
    """Two hidden layers of 64, AdamW, as many real as generated samples in each batch."""
    import torch
    from torch import nn

    stream = torch.Generator().manual_seed(seed % 2**63)
    sides = [torch.from_numpy(side.numbers.astype(np.float32)) for side in (real, fake)]
    network = nn.Sequential(
        nn.Linear(real.numbers.shape[1], _HIDDEN),
        nn.SiLU(),
        nn.Linear(_HIDDEN, _HIDDEN),
        nn.SiLU(),
        nn.Linear(_HIDDEN, 1),
    )
    with torch.no_grad():
        for layer in network[::2]:
            layer.weight.normal_(0, layer.in_features**-0.5, generator=stream)
            layer.bias.normal_(0, 0.5 if layer.out_features > 1 else 0.0, generator=stream)
        network[-1].weight.mul_(0.1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, betas=(0.9, 0.99), weight_decay=1e-2, fused=True)
    steps = min(_MOST_STEPS, max(_FEWEST_STEPS, min(map(len, sides)) // _SAMPLES_A_STEP))
    snapshots = train_snapshots(network, sides, optimizer=optimizer, steps=steps, batch_size=_BATCH, stream=stream)

    def score(rows: Rows) -> np.ndarray:
        numbers = torch.from_numpy(rows.numbers.astype(np.float32))
        return snapshot_logits(network, snapshots, numbers, at_once=len(numbers))

    return score


CLASSIFIERS = {
    "perceptron": Classifier(
        name="perceptron",
        kinds=frozenset({"points"}),
        fit=fit_perceptron,
        sees="smooth differences across many coordinates",
    )
}
