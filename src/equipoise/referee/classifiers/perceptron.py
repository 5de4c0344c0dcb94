"""A small multilayer perceptron on standardised numbers: smooth differences that involve many coordinates at once."""

from __future__ import annotations

import numpy as np

from equipoise.referee.base import Classifier, Rows, Scorer

_HIDDEN = 64
_BATCH = 256
_STEPS = 800
_SNAPSHOTS = 4
"""States kept along the way; each is a candidate, and the choosing part picks one, which is early stopping."""


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
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, betas=(0.9, 0.99), weight_decay=1e-2, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, _STEPS, eta_min=3e-5)
    labels = torch.cat([torch.ones(_BATCH // 2), torch.zeros(_BATCH // 2)])
    snapshots = []
    for step in range(1, _STEPS + 1):
        batch = torch.cat([side[torch.randint(len(side), (_BATCH // 2,), generator=stream)] for side in sides])
        loss = nn.functional.binary_cross_entropy_with_logits(network(batch).squeeze(1), labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % (_STEPS // _SNAPSHOTS) == 0:
            snapshots.append({name: tensor.detach().clone() for name, tensor in network.state_dict().items()})

    def score(rows: Rows) -> np.ndarray:
        numbers = torch.from_numpy(rows.numbers.astype(np.float32))
        columns = []
        with torch.no_grad():
            for snapshot in snapshots:
                network.load_state_dict(snapshot)
                columns.append(network(numbers))
        return torch.cat(columns, dim=1).numpy().astype(np.float64)

    return score


CLASSIFIERS = {
    "perceptron": Classifier(
        name="perceptron",
        kinds=frozenset({"points"}),
        fit=fit_perceptron,
        sees="smooth differences across many coordinates",
    )
}
