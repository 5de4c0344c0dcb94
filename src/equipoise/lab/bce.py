r"""Why is it binary cross-entropy, and what are the labels?

A classifier told "1" for real and "0" for generated samples, both equally many, has the cross-entropy

    J(D) = -1/2 E_p[log D(x)] - 1/2 E_q[log(1 - D(y))] = -V / 2.

The labels are not in the data: they say which side a sample came from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from equipoise import objectives
from equipoise.lab.base import Result, drawn, table_of, text_table
from equipoise.networks.mlp import MLPDiscriminator
from equipoise.plotting.style import FAKE_COLOUR, PALETTE, REAL_COLOUR, REFERENCE_LINE, label_axes
from equipoise.randomness import torch_stream
from equipoise.spaces import PointSpace

SHOWN = 4


@dataclass(frozen=True)
class LabelledSample:
    """One sample as the classifier sees it."""

    side: str
    label: int
    logit: float
    probability: float
    cross_entropy: float


@dataclass(frozen=True)
class BceResult(Result):
    """The identity, numerically, on one batch of a small network.

    Attributes:
        samples: a few samples of each side with their labels.
        value: V_hat from the objective.
        one_batch: cross-entropy with real and generated samples in one batch.
        two_batches: half the cross-entropy of the real batch plus half that of the generated one.
        gradient_gap_one: largest difference, over all weights, between the gradient of -V/2 and that of one batch.
        gradient_gap_two: the same for two batches.
        uneven_one_batch: cross-entropy of one batch of 64 real and 16 generated samples.
        uneven_minus_half_value: -V_hat/2 of the same 80 samples: not the same, because that batch tells the
            classifier that four samples in five are real.
        uneven_two_batches: half and half of the two means, which restores the equality.
    """

    experiment: ClassVar[str] = "bce"
    question: ClassVar[str] = "Why is it binary cross-entropy? What are the labels?"

    samples: tuple[LabelledSample, ...]
    value: float
    one_batch: float
    two_batches: float
    gradient_gap_one: float
    gradient_gap_two: float
    uneven_one_batch: float
    uneven_minus_half_value: float
    uneven_two_batches: float

    def to_text(self) -> str:
        """Samples with labels, then the identity."""
        columns = {
            "side": "{.side}",
            "label": "{.label}",
            "logit": "{.logit:+.4f}",
            "D(x)": "{.probability:.4f}",
            "-log(chance given to the label)": "{.cross_entropy:.4f}",
        }
        identity = [
            ["-V_hat / 2, from objectives.minimax", f"{-self.value / 2:.12f}", ""],
            ["J(D), one batch of real and generated", f"{self.one_batch:.12f}", f"{self.gradient_gap_one:.1e}"],
            ["J(D), half of each of two batches", f"{self.two_batches:.12f}", f"{self.gradient_gap_two:.1e}"],
        ]
        uneven = [
            ["-V_hat / 2", f"{self.uneven_minus_half_value:.6f}"],
            ["half of each of two batches", f"{self.uneven_two_batches:.6f}"],
            ["one batch (prior 0.8 real: another quantity)", f"{self.uneven_one_batch:.6f}"],
        ]
        return "\n".join(
            [
                "Samples and their labels (the first of each side):",
                "",
                table_of(self.samples, columns),
                "",
                text_table(["64 real and 64 generated samples", "nats", "largest gap of the gradient"], identity),
                "",
                text_table(["64 real and 16 generated samples", "nats"], uneven),
                "",
                f"At D = 1/2 everywhere: V = -log 4 = {-math.log(4):.6f}, J = log 2 = {math.log(2):.6f}.",
            ]
        )

    @drawn(8.6, 3.7, title="Cross-entropy with labels: real 1, generated 0")
    def figure(self, figure: Figure) -> None:
        """The two branches of the cross-entropy with samples on them, and the identity as bars."""
        logits = torch.linspace(-4, 4, 161, dtype=torch.float64)
        left, right = figure.subplots(1, 2, width_ratios=[1.6, 1])
        for side, number, colour in (("real", 1.0, REAL_COLOUR), ("generated", 0.0, FAKE_COLOUR)):
            target = torch.full_like(logits, number)
            curve = binary_cross_entropy_with_logits(logits, target, reduction="none")
            name = "label 1: -log D(x)" if number else "label 0: -log(1 - D(x))"
            left.plot(logits, curve, color=colour, label=name)
            own = [sample for sample in self.samples if sample.side == side]
            left.plot([s.logit for s in own], [s.cross_entropy for s in own], "o", color=colour, markersize=5)
        left.legend(loc="upper center")
        label_axes(left, "One sample's part of J (dots: samples of the batch)", x="logit l = log D/(1 - D)", y="nats")
        heights = (-self.value / 2, self.one_batch, self.two_batches)
        right.bar(range(3), heights, color=(PALETTE[6], PALETTE[2], PALETTE[4]), width=0.6)
        right.axhline(math.log(2), **REFERENCE_LINE)
        right.text(-0.62, math.log(2) + 0.01, "log 2", va="bottom", fontsize=8, color="#5b626b")
        for place, height in enumerate(heights):
            right.text(place, height + 0.01, f"{height:.6f}", ha="center", va="bottom", fontsize=8)
        right.set(xlim=(-0.65, 2.5), ylim=(0, 1.15 * max(*heights, math.log(2))))
        right.set_xticks(range(3), ["-V/2", "J, one\nbatch", "J, two\nbatches"])
        label_axes(right, "The same number", x="", y="nats")


def bce(*, seed: int = 0) -> BceResult:
    """Compute J and V, and their gradients, of one small network on one batch.

    Args:
        seed: of the network and of the samples.
    """
    torch_state = torch_stream(seed, "lab bce")
    network = MLPDiscriminator(PointSpace(2), width=32, depth=2).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch_state, dtype=torch.float64) * 0.35)
    real = torch.randn(64, 2, generator=torch_state, dtype=torch.float64)
    fake = torch.randn(64, 2, generator=torch_state, dtype=torch.float64) * 0.7 + 1.2
    objective = objectives.find("minimax")()

    minus_half = objective.discriminator_loss(network(real), network(fake)) / 2
    together = one_batch(network, real, fake)
    apart = two_batches(network, real, fake)
    few = fake[:16]
    return BceResult(
        samples=tuple(_labelled(network, real[:SHOWN], "real", 1) + _labelled(network, fake[:SHOWN], "generated", 0)),
        value=-2 * float(minus_half.detach()),
        one_batch=float(together.detach()),
        two_batches=float(apart.detach()),
        gradient_gap_one=_gradient_gap(network, minus_half, together),
        gradient_gap_two=_gradient_gap(network, minus_half, apart),
        uneven_one_batch=float(one_batch(network, real, few).detach()),
        uneven_minus_half_value=float(objective.discriminator_loss(network(real), network(few)).detach()) / 2,
        uneven_two_batches=float(two_batches(network, real, few).detach()),
    )


def one_batch(network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Mean cross-entropy over real samples (label 1) and generated ones (label 0) in one batch."""
    labels = torch.cat([torch.ones(len(real), dtype=real.dtype), torch.zeros(len(fake), dtype=fake.dtype)])
    return binary_cross_entropy_with_logits(network(torch.cat([real, fake])), labels)


def two_batches(network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Half the mean cross-entropy of each side: prior 1/2, whatever the counts."""
    on_real = binary_cross_entropy_with_logits(network(real), torch.ones(len(real), dtype=real.dtype))
    on_fake = binary_cross_entropy_with_logits(network(fake), torch.zeros(len(fake), dtype=fake.dtype))
    return (on_real + on_fake) / 2


def _gradient_gap(network: nn.Module, first: Tensor, second: Tensor) -> float:
    weights = tuple(network.parameters())
    gradients = (torch.autograd.grad(loss, weights, retain_graph=True) for loss in (first, second))
    return max(float((a - b).abs().max()) for a, b in zip(*gradients, strict=True))


@torch.no_grad()
def _labelled(network: nn.Module, samples: Tensor, side: str, number: int) -> list[LabelledSample]:
    logits = network(samples)
    losses = binary_cross_entropy_with_logits(logits, torch.full_like(logits, number), reduction="none")
    return [
        LabelledSample(side, number, float(logit), float(torch.sigmoid(logit)), float(loss))
        for logit, loss in zip(logits, losses, strict=True)
    ]


EXPERIMENTS = {"bce": bce}
