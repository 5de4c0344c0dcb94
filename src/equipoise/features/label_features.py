"""Features of a small classifier that is trained on the person's own labels: what tells their classes apart."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from equipoise.errors import DataError

FEATURES, BATCH, RATE = 64, 64, 2e-3
STEPS = 600
"""Batches that it is trained on: on 2,000 digits of 28 pixels eight CPU-seconds, after which the features bring 97 % of
other digits right (one run)."""
LEAST_ROWS, MOST_ROWS = 50, 10_000
SIDE = 8
"""Shortest side of an image that two halvings leave something of."""


class LabelClassifier(nn.Module):
    """Three convolutions, two halvings, 64 features, a class.

    Batches are normalised: no penalty differentiates a sample alone here, and few rows are then enough.
    """

    def __init__(self, channels: int, height: int, width: int, classes: int) -> None:
        super().__init__()

        def layer(inputs: int, outputs: int) -> nn.Sequential:
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())

        # Of large images squares of pixels are averaged first, so that a picture costs about as much as one of 32.
        shrink = max(1, min(height, width) // 32)
        cells = math.prod((side // shrink) // 4 for side in (height, width))
        self.body = nn.Sequential(
            nn.AvgPool2d(shrink),
            layer(channels, 16),
            nn.MaxPool2d(2),
            layer(16, 32),
            nn.MaxPool2d(2),
            layer(32, 32),
            nn.Flatten(),
            nn.Linear(32 * cells, FEATURES),
            nn.ReLU(),
        )
        self.output = nn.Sequential(nn.Dropout(0.3), nn.Linear(FEATURES, classes))

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the classes."""
        return self.output(self.body(images))


def label_features(
    images: np.ndarray, labels: np.ndarray, *, classes: int, seed: int, steps: int = STEPS
) -> Callable[[np.ndarray], np.ndarray]:
    """Train the classifier, and give the function from images to the 64 numbers before its last layer.

    Args:
        images: uint8 `(n, channels, height, width)`; none that is scored later.
        labels: of them, int64 `(n,)`.
        classes: how many there are.
        seed: of the weights and the batches.
        steps: batches.

    Raises:
        DataError: fewer than two classes or `LEAST_ROWS` images, or images that are too small.
    """
    if classes < 2 or len(images) < LEAST_ROWS or min(images.shape[2:]) < SIDE:
        raise DataError(
            "features 'labels'",
            f"{len(images)} images of {images.shape[3]}x{images.shape[2]} pixels in {classes} classes.",
            f"Expected {LEAST_ROWS} or more of {SIDE} pixels a side or more, in two classes or more.",
            "Take 'random', or an .onnx file.",
        )
    stream = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = LabelClassifier(*images.shape[1:], classes)
        optimizer = torch.optim.Adam(network.parameters(), RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
        targets = torch.from_numpy(np.asarray(labels, dtype=np.int64))
        for _ in range(steps):
            rows = torch.randint(len(images), (BATCH,), generator=stream)
            loss = cross_entropy(network(_scaled(images[rows.numpy()])), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    body = network.eval().body

    @torch.no_grad()
    def features(given: np.ndarray) -> np.ndarray:
        return body(torch.from_numpy(np.ascontiguousarray(given)) * 2 - 1).numpy()

    return features


def _scaled(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images).float() / 127.5 - 1
