"""The judges of `benchmarks/images.py`: small classifiers, trained on pictures that no generator was given.

Three of each, of other weights and orders: what only one of them sees is one network's whim.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from images_data import Part
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

JUDGES = 3
EPOCHS = {"mnist": 40, "twemoji": 60}
FEATURES = 64
BATCH = 64
RATE = 4e-3
VERSION = 1
"""Raised when anything here changes what a judge is; stored in every line."""


class JudgeNetwork(nn.Module):
    """Three convolutions and 64 features; batches are normalised, since nothing is differentiated per sample here."""

    def __init__(self, channels: int, side: int, classes: int) -> None:
        super().__init__()

        def layer(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.BatchNorm2d(outputs), nn.ReLU()
            )

        left = math.ceil(side / 2) // 2 // 2
        self.features = nn.Sequential(
            layer(channels, 16, 5, 2),
            layer(16, 32, 3, 1),
            nn.MaxPool2d(2),
            layer(32, 64, 3, 1),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64 * left**2, FEATURES),
            nn.ReLU(),
        )
        self.output = nn.Sequential(nn.Dropout(0.3), nn.Linear(FEATURES, classes))

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the classes."""
        return self.output(self.features(images))


@dataclass(frozen=True)
class Judge:
    """A trained classifier."""

    network: JudgeNetwork

    @torch.no_grad()
    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features and class probabilities, float64 `(n, 64)` and `(n, classes)`."""
        found = [self.network.features(scaled(images[at : at + 500])) for at in range(0, len(images), 500)]
        features = torch.cat(found)
        return features.double().numpy(), self.network.output(features).double().softmax(dim=1).numpy()


def scaled(images: np.ndarray) -> Tensor:
    """Bytes to [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images)).float() / 127.5 - 1


def judges(name: str, part: Part, cache: Path) -> list[Judge]:
    """The three judges of a data set; trained once, and kept in `cache` under the hash of what they were trained on."""
    digest = hashlib.blake2b(part.images.tobytes() + part.labels.tobytes(), digest_size=6)
    digest.update(json.dumps([VERSION, EPOCHS[name], BATCH, RATE]).encode())
    made = []
    for number in range(JUDGES):
        network = JudgeNetwork(part.images.shape[1], part.images.shape[2], int(part.labels.max()) + 1)
        path = cache / f"{name}-{digest.hexdigest()}-{number}.safetensors"
        if path.is_file():
            network.load_state_dict(load_file(path))
        else:
            begun = time.process_time()
            network = _trained(part, EPOCHS[name], number)
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file(network.state_dict(), path)
            print(f"judge {number} of {name}: {time.process_time() - begun:.0f} CPU-s", flush=True)
        made.append(Judge(network.eval()))
    return made


def _trained(part: Part, epochs: int, number: int) -> JudgeNetwork:
    torch.manual_seed(number)
    stream = torch.Generator().manual_seed(number)
    network = JudgeNetwork(part.images.shape[1], part.images.shape[2], int(part.labels.max()) + 1)
    images, labels = scaled(part.images), torch.from_numpy(part.labels)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    batches = len(labels) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, epochs * batches)
    for _ in range(epochs):
        order = torch.randperm(len(labels), generator=stream)
        for at in range(batches):
            rows = order[at * BATCH : (at + 1) * BATCH]
            loss = cross_entropy(network(_varied(images[rows], stream)), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network


def _varied(images: Tensor, stream: torch.Generator) -> Tensor:
    """Turned, scaled and shifted a little, so that two thousand pictures are enough."""
    from equipoise.augmentation.differentiable import differentiable

    return differentiable(("translate", "rotate", "scale"), probability=0.7).apply(images, 0.7, stream)
