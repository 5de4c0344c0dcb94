"""equipoise's side of `tables_speed.py`: CTGAN's game on the same encoded rows, by `equipoise.fit` with own modules.

    python benchmarks/tables_speed_ours.py --encoded encoded.npz --parts loop

The game is the one that ctgan's authors describe (Xu et al. 2019, arXiv:1907.00503, Section 4): conditions drawn by the
logarithm of their frequency, rows drawn to fit them, Gumbel-softmax blocks, the cross-entropy of the asked block in the
generator's loss, packs of rows (Lin et al. 2018, arXiv:1712.04086), Wasserstein with gradient penalty.

A condition is a class label here, and its one-hot vector a part of the sample, so that the gradient penalty sees it as
ctgan's does. Every row stands in the data once for each of its discrete columns, with the weight of that condition.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tables_speed_worker import own_channel, rounds
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gumbel_softmax

from equipoise.penalties.base import ForwardPass, Penalty, input_gradient_at, norm

LATENTS, WIDTH, BATCH, PAC, TEMPERATURE = 128, 256, 500, 10, 0.2
PLANNED_STEPS = 8_000
"""200 epochs of 20,000 rows: a default run of this length measures every 20 steps. One of ctgan's 300 epochs would do
so every 30, and a request of 40 steps is no multiple of that."""
Layout = Sequence[Sequence[tuple[str, int]]]
"""Of each column its blocks: their activation, `tanh` or `softmax`, and their width."""


@dataclass(frozen=True)
class Conditions:
    """What may be asked of a row: one value of one discrete column, the class label of the game.

    Attributes:
        columns: first entry and width of each discrete column in an encoded row.
    """

    columns: tuple[tuple[int, int], ...]

    @property
    def width(self) -> int:
        """Values of all discrete columns together."""
        return sum(width for _, width in self.columns)


def conditions_of(layout: Layout) -> Conditions:
    """The discrete columns: those with one block, of `softmax`."""
    columns, start = [], 0
    for column in layout:
        if len(column) == 1 and column[0][0] == "softmax":
            columns.append((start, column[0][1]))
        start += sum(width for _, width in column)
    return Conditions(tuple(columns))


def with_conditions(encoded: np.ndarray, conditions: Conditions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each row once for each discrete column: row and one-hot condition, label, and how often it is to be drawn.

    The column is drawn evenly, its value in proportion to log(1 + rows that have it), and the row evenly among these.
    """
    samples, labels, weights, first = [], [], [], 0
    for start, width in conditions.columns:
        values = encoded[:, start : start + width].argmax(axis=1)
        condition = np.zeros((len(encoded), conditions.width), dtype=np.float32)
        condition[np.arange(len(encoded)), first + values] = 1
        counts = np.bincount(values, minlength=width)
        chances = np.log1p(counts) / np.log1p(counts).sum()
        samples.append(np.concatenate([encoded, condition], axis=1))
        labels.append(first + values)
        weights.append(chances[values] / counts[values])
        first += width
    return np.concatenate(samples), np.concatenate(labels), np.concatenate(weights)


class Residual(nn.Module):
    """A linear layer, batch normalisation and ReLU, beside its input."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(inputs, WIDTH), nn.BatchNorm1d(WIDTH), nn.ReLU())

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.cat([self.body(inputs), inputs], dim=1)


class Generator(nn.Module):
    """Latents and a condition to an encoded row with its condition, standardised as equipoise reads points.

    Args:
        layout: of an encoded row.
        mean: of each coordinate of row and condition.
        spread: their standard deviations, 0 for a constant one.
    """

    latent_dimensions = LATENTS

    def __init__(self, layout: Layout, *, mean: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.blocks = [block for column in layout for block in column]
        self.conditions = conditions_of(layout)
        width = sum(size for _, size in self.blocks)
        inputs = LATENTS + self.conditions.width
        self.body = nn.Sequential(Residual(inputs), Residual(inputs + WIDTH), nn.Linear(inputs + 2 * WIDTH, width))
        owner = np.repeat(np.arange(len(self.conditions.columns)), [size for _, size in self.conditions.columns])
        place = np.concatenate([np.arange(size) for _, size in self.conditions.columns])
        is_asked = np.arange(len(self.conditions.columns)) == owner[:, None]
        self.register_buffer("is_asked", torch.from_numpy(is_asked).float())
        self.register_buffer("values", torch.from_numpy(np.where(is_asked, place[:, None], 0)))
        self.register_buffer("one_hot", torch.eye(self.conditions.width))
        self.register_buffer("mean", mean)
        self.register_buffer("divisor", torch.where(spread > 0, spread, 1))

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        condition = self.one_hot[labels]
        logits = self.body(torch.cat([latents, condition], dim=1))
        parts, start = [], 0
        for activation, width in self.blocks:
            block = logits[:, start : start + width]
            parts.append(torch.tanh(block) if activation == "tanh" else gumbel_softmax(block, tau=TEMPERATURE))
            start += width
        samples = (torch.cat([*parts, condition], dim=1) - self.mean) / self.divisor
        if self.training and torch.is_grad_enabled():
            return AddedLoss.apply(samples, self.cross_entropy(logits, labels))
        return samples

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of the block that was asked for, in nats."""
        values, is_asked = self.values[labels], self.is_asked[labels]
        terms = [
            cross_entropy(logits[:, start : start + width], values[:, column], reduction="none")
            for column, (start, width) in enumerate(self.conditions.columns)
        ]
        return (torch.stack(terms, dim=1) * is_asked).sum() / len(logits)


class AddedLoss(torch.autograd.Function):
    """Samples as they are; whoever takes a gradient through them also descends a loss of the generator's own."""

    @staticmethod
    def forward(context: Any, samples: Tensor, loss: Tensor) -> Tensor:
        del context, loss
        return samples.view_as(samples)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        del context
        return gradient, gradient.new_ones(())


class Discriminator(nn.Module):
    """One logit for each pack of rows, given to each of its rows; it reads rows as ctgan's does, not standardised."""

    def __init__(self, *, mean: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(PAC * len(mean), WIDTH),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.5),
            nn.Linear(WIDTH, WIDTH),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.5),
            nn.Linear(WIDTH, 1),
        )
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        del labels  # they are in the samples
        rows = torch.addcmul(self.mean, samples, self.spread)
        if missing := -len(rows) % PAC:  # only where a few samples are tried
            rows = torch.cat([rows, rows[:1].expand(missing, -1)])
        logits = self.body(rows.reshape(len(rows) // PAC, -1)).squeeze(1)
        return logits.repeat_interleave(PAC)[: len(samples)]


def packed_wgan_gp(*, spread: Tensor, weight: float = 10.0) -> Penalty:
    """WGAN-GP (arXiv:1704.00028, Eq. 3) of packs: a point between two packs, and the norm of all rows' gradients."""
    divisor = PAC * torch.where(spread > 0, spread, 1)  # each row of a pack has the pack's logit; rows in ctgan's units

    def per_pack(forward: ForwardPass) -> Tensor:
        real, fake = forward.real.detach(), forward.fake.detach()
        fraction = torch.rand(len(real) // PAC, generator=forward.randomness).repeat_interleave(PAC)
        points = torch.lerp(fake, real, fraction[:, None])
        gradient = input_gradient_at(forward.discriminator, points) / divisor
        return (norm(gradient.reshape(len(real) // PAC, -1)) - 1).square()

    return Penalty(
        name="packed_wgan_gp",
        weight=weight,
        per_sample=per_pack,
        differentiates=frozenset(),
        is_per_sample=True,
        gives_lipschitz_control=True,
        source="arXiv:1704.00028, Eq. 3, and arXiv:1712.04086",
        draws=True,
    )


PARTS = {
    "loop": ["outputs.measure_every=40", f"outputs.checkpoint_every={PLANNED_STEPS}", "outputs.samples=1"],
    "default": [],
}
"""Beside the steps: as little as a run can do, which is the averaged weights and the watch over finite numbers; or what
a run of this length does unless told: measured steps, sample plots and checkpoints as well."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoded", type=Path, required=True, help="what `tables_speed_ctgan.py` stored")
    parser.add_argument("--parts", choices=list(PARTS), required=True)
    arguments = parser.parse_args()
    answer = own_channel()
    torch.set_num_threads(1)
    import equipoise as eq
    from equipoise.data import DataOptions, load, prepare
    from equipoise.training import Measured

    began = time.process_time()
    stored = np.load(arguments.encoded)
    layout, encoded = json.loads(str(stored["layout"])), stored["encoded"]
    samples, labels, weights = with_conditions(encoded, conditions_of(layout))
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "conditioned.npz"
        np.savez(source, samples=samples, labels=labels, weights=weights)
        options = {"kind": "points", "sample_weight": "weights", "labels": "labels"}
        encoder = prepare(load(source, options=DataOptions(**options)), seed=0).encoder
        mean, spread = (torch.from_numpy(each).float() for each in (encoder.mean, encoder.spread))
        torch.manual_seed(0)
        generator = Generator(layout, mean=mean, spread=spread)
        discriminator = Discriminator(mean=mean, spread=spread)
        facts: dict[str, Any] = {
            "torch": torch.__version__,
            "row_width": encoded.shape[1],
            "condition_width": conditions_of(layout).width,
            "generator_weights": sum(weight.numel() for weight in generator.parameters()),
            "discriminator_weights": sum(weight.numel() for weight in discriminator.parameters()),
        }
        harness = time.process_time() - began
        requests, taken, target = None, 0, 0

        def pause(event: Any) -> None:
            nonlocal requests, taken, target
            if not isinstance(event, Measured):
                return
            if requests is None:
                facts["setup_cpu_seconds"] = time.process_time() - harness
                requests = rounds(answer, facts)
            while event.step >= target:
                target += next(requests)

        adam = {"name": "Adam", "learning_rate": 2e-4, "options": {"betas": [0.5, 0.9], "weight_decay": 1e-6}}
        eq.fit(
            str(source),
            generator=generator,
            discriminator=discriminator,
            objective="wasserstein",
            penalties=[packed_wgan_gp(spread=spread)],
            optimizers=adam,
            callbacks=[pause],
            steps=PLANNED_STEPS,
            outdir=Path(place) / "run",
            device="cpu",
            settings=[
                *(f"data.{name}={value}" for name, value in options.items()),
                f"training.batch_size={BATCH}",
                "optimizers.lr_schedule={shape: constant}",
                "runtime.threads=1",
                "evaluations.count=0",
                *PARTS[arguments.parts],
            ],
        )


if __name__ == "__main__":
    main()
