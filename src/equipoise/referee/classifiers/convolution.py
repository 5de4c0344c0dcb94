"""A small convolutional network, trained from scratch: shapes and local texture of images."""

from __future__ import annotations

import numpy as np

from equipoise.data.judging import Rows
from equipoise.referee.base import Classifier, Scorer
from equipoise.referee.classifiers.snapshots import SNAPSHOTS, snapshot_logits, train_snapshots

_WIDTHS = (16, 32, 64)
_BATCH = 64
_EPOCHS, _MOST_SEEN = 12, 24_000
"""How often each image is shown, and images shown in all, of both sides together, at most: 12 epochs of 2 x 1,000."""
_LONGEST_SIDE = 64
"""Larger images are averaged down: this classifier is for shapes, and texture is read at full size elsewhere."""
_WEIGHT_DECAY = 1e-3


def fit_convolution(real: Rows, fake: Rows, seed: int) -> Scorer:
    """Three strided convolutions and a linear layer, Adam, as many real as generated images in each batch."""
    import torch

    shrink = _shrink(real.images.shape[2:])
    sides = [torch.from_numpy(shrink(side.images)) for side in (real, fake)]
    centre = sides[0].mean(dim=(0, 2, 3), keepdim=True)
    spread = sides[0].std(dim=(0, 2, 3), keepdim=True).clamp_min(1e-3)
    sides = [(side - centre) / spread for side in sides]
    stream = torch.Generator().manual_seed(seed % 2**63)
    network = _network(sides[0].shape[1:], stream)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, betas=(0.9, 0.99), weight_decay=_WEIGHT_DECAY)
    seen = min(_MOST_SEEN, 2 * _EPOCHS * min(map(len, sides)))
    steps = max(SNAPSHOTS, seen // _BATCH)
    snapshots = train_snapshots(network, sides, optimizer=optimizer, steps=steps, batch_size=_BATCH, stream=stream)

    def score(rows: Rows) -> np.ndarray:
        images = (torch.from_numpy(shrink(rows.images)) - centre) / spread
        return snapshot_logits(network, snapshots, images, at_once=512)

    return score


def _network(shape, stream):
    import torch
    from torch import nn

    layers: list[nn.Module] = []
    channels, height, width = shape
    for wide in _WIDTHS:
        stride = 2 if min(height, width) > 2 else 1
        layers += [nn.Conv2d(channels, wide, 3, stride=stride, padding=1), nn.GroupNorm(4, wide), nn.LeakyReLU(0.2)]
        channels, height, width = wide, -(-height // stride), -(-width // stride)
    layers += [nn.Flatten(), nn.Linear(channels * height * width, 1)]
    network = nn.Sequential(*layers)
    with torch.no_grad():
        for layer in network:
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                fan_in = layer.weight[0].numel()
                layer.weight.normal_(
                    0, (1.0 if isinstance(layer, nn.Linear) else 2.0) ** 0.5 / fan_in**0.5, generator=stream
                )
                layer.bias.zero_()
        network[-1].weight.mul_(0.1)
    return network


def _shrink(size: tuple[int, int]):
    """A function that averages images down by a whole factor until the longer side is at most `_LONGEST_SIDE`."""
    factor = -(-max(size) // _LONGEST_SIDE)

    def shrink(images: np.ndarray) -> np.ndarray:
        if factor == 1:
            return np.ascontiguousarray(images, dtype=np.float32)
        import torch

        return torch.nn.functional.avg_pool2d(torch.from_numpy(images), factor, ceil_mode=True).numpy()

    return shrink


CLASSIFIERS = {
    "convolution": Classifier(
        name="convolution",
        kinds=frozenset({"images"}),
        fit=fit_convolution,
        sees="shapes, strokes, local texture",
    )
}
