r"""When has D lost, and when may training stop? The training discriminator, the truth, and a fresh referee's bound.

The data are a density in closed form, so the true JSD is known at every evaluation. The training discriminator's
logits, measured on fresh samples, imply `(V + log 4)/2`: a lower bound too, but that of a discriminator that the
generator was trained to fool. A referee is fitted afresh to samples and scored on others.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure

from equipoise import objectives
from equipoise.game import AveragedWeights, Batch, train_step
from equipoise.lab.base import Result, drawn, table_of
from equipoise.lab.toy import fresh, player
from equipoise.metrics.histogram import histogram_jsd
from equipoise.metrics.known import ring8
from equipoise.metrics.modes import mode_scores
from equipoise.networks.mlp import MLPDiscriminator, MLPGenerator
from equipoise.objectives.value import value_function
from equipoise.penalties.r1_r2 import r1, r2
from equipoise.plotting.style import FAKE_COLOUR, PALETTE, REAL_COLOUR, REFERENCE_LINE, label_axes
from equipoise.randomness import derived_seed, numpy_stream, torch_stream
from equipoise.referee import judge
from equipoise.spaces import PointSpace

STEPS = 3000
EVALUATIONS = 6
BATCH_SIZE = 128
LATENTS = 2
SCALE = math.sqrt(2)
"""Standard deviation of each coordinate of the data, by which the networks get it divided, as in a run."""
PER_SIDE = 5000
"""Samples of each side that a referee is given, and on which the training discriminator is evaluated."""
TRUTH_SAMPLES = 200_000


@dataclass(frozen=True)
class Evaluation:
    """Training after some step.

    Attributes:
        step: after which.
        own_value: V of the pairing game that the training discriminator maximises, on fresh samples; -log 2 at p = q.
        implied_jsd: what that discriminator implies: (V + log 4)/2 of its logits minus an offset fitted on others.
        true_jsd: between the generator's density and the data's, in bins of half a mode's standard deviation.
        referee_bound: lower confidence bound (95 %) of a fresh referee.
        conclusion: the referee's.
        modes_found: of 8.
        width_ratio: of the modes; 1 is right.
    """

    step: int
    own_value: float
    implied_jsd: float
    true_jsd: float
    referee_bound: float
    conclusion: str
    modes_found: int
    width_ratio: float


@dataclass(frozen=True)
class StoppingResult(Result):
    """All evaluations.

    Attributes:
        evaluations: in order.
        perfect_jsd: what a perfect sampler scores in the same bins with as many samples.
        real: some real points, for the figure. Pairs of coordinates.
        generated: as many of the last evaluation.
    """

    experiment: ClassVar[str] = "stopping"
    question: ClassVar[str] = "When has the discriminator lost? When do I stop?"

    evaluations: tuple[Evaluation, ...]
    perfect_jsd: float
    real: tuple[tuple[float, float], ...]
    generated: tuple[tuple[float, float], ...]

    def to_text(self) -> str:
        """One row for each evaluation."""
        columns = {
            "step": "{.step}",
            "V of the game": "{.own_value:.4f}",
            "JSD that D implies": "{.implied_jsd:.4f}",
            "true JSD": "{.true_jsd:.4f}",
            "referee: at least": "{.referee_bound:.4f}",
            "conclusion": "{.conclusion}",
            "modes": "{.modes_found} of 8",
            "width ratio": "{.width_ratio:.2f}",
        }
        return "\n".join(
            [
                f"ring8, RpGAN + R1 + R2; {PER_SIDE} samples a side for the referee; JSD in nats, 0.693 is nothing in "
                "common.",
                "",
                table_of(self.evaluations, columns),
                "",
                f"V of the game is -log 2 = {-math.log(2):.4f} when the discriminator has lost. A perfect sampler "
                f"scores {self.perfect_jsd:.4f} in place of 0 as true JSD, in these bins with {TRUTH_SAMPLES} samples.",
            ]
        )

    @drawn(10.4, 3.9, title="What the training discriminator says, and what is true")
    def figure(self, figure: Figure) -> None:
        """The game's value, the three distances over the steps, and the last samples."""
        steps = [found.step for found in self.evaluations]
        left, middle, right = figure.subplots(1, 3, width_ratios=[1, 1.25, 1])
        left.axhline(-math.log(2), **REFERENCE_LINE)
        left.plot(steps, [found.own_value for found in self.evaluations], "o-", color=PALETTE[6], markersize=3.5)
        label_axes(left, "V of the game (dashed: -log 2)", x="step", y="nats")
        for key, colour, name in (
            ("true_jsd", "#22262b", "true JSD"),
            ("referee_bound", PALETTE[2], "fresh referee: at least"),
            ("implied_jsd", PALETTE[1], "implied by the training D"),
        ):
            values = [getattr(found, key) for found in self.evaluations]
            middle.plot(steps, values, "o-", color=colour, markersize=3.5, label=name)
        middle.axhline(0.0, **REFERENCE_LINE)
        middle.set_ylim(top=0.75)
        middle.legend(loc="upper right", fontsize=7.5)
        label_axes(middle, "Distance from the data", x="step", y="JSD, nats")
        for points, colour, size in ((self.real, REAL_COLOUR, 5), (self.generated, FAKE_COLOUR, 3)):
            right.scatter(*np.array(points).T, s=size, color=colour, alpha=0.5, linewidths=0)
        right.set_aspect("equal", adjustable="datalim")
        label_axes(right, "Real (blue), generated at the end", x="x0", y="x1")


@torch.enable_grad()
def stopping(
    *, seed: int = 0, steps: int = STEPS, evaluations: int = EVALUATIONS, per_side: int = PER_SIDE
) -> StoppingResult:
    """Train the default game on ring8, and evaluate it in three ways.

    Args:
        seed: of networks, data and latents.
        steps: of training.
        evaluations: evenly spread; the last is at the end.
        per_side: samples on each side of a referee.
    """
    space, networks = PointSpace(2), {"width": 64, "depth": 3}
    generator = player(fresh(MLPGenerator(space, latents=LATENTS, **networks), seed=seed, name="generator"), 3e-3)
    discriminator = player(fresh(MLPDiscriminator(space, **networks), seed=seed, name="discriminator"), 3e-3)
    average = AveragedWeights(generator.network, relative_length=0.05)
    objective, penalties = objectives.find("relativistic")(), (r1(0.1), r2(0.1))
    data, stream = ring8(), torch_stream(seed, "lab stopping, play")
    numbers = numpy_stream(seed, "lab stopping, data")

    def batch() -> Batch:
        real = torch.from_numpy(data.sample(BATCH_SIZE, numbers) / SCALE).float()
        return Batch(real=real, latents=torch.randn(BATCH_SIZE, LATENTS, generator=stream))

    found = []
    when = {math.ceil(steps * (index + 1) / evaluations) for index in range(evaluations)}
    for step in range(1, steps + 1):
        progress = step / steps
        for one in (discriminator, generator):
            one.scale_learning_rate(0.5 * (1 + math.cos(math.pi * progress)) + 0.01)
        train_step(
            discriminator,
            generator,
            objective=objective,
            batches=[batch(), batch()],
            penalties=penalties,
            penalty_factor=1e-3**progress,
        )
        average.update()
        if step in when:
            found.append(_evaluate(step, average.network, copy.deepcopy(discriminator.network).eval(), seed, per_side))
    shown = _samples(average.network, 800, torch_stream(seed, "lab stopping, shown"))
    perfect = histogram_jsd(data.sample(TRUTH_SAMPLES, numbers), data).perfect_nats
    return StoppingResult(tuple(found), perfect, _pairs(data.sample(800, numbers)), _pairs(shown))


def _evaluate(
    step: int, generator: torch.nn.Module, discriminator: torch.nn.Module, seed: int, per_side: int
) -> Evaluation:
    # The labels of the streams are older than the word evaluation, and frozen.
    data, stream = ring8(), torch_stream(seed, "lab stopping, look", step)
    numbers = numpy_stream(seed, "lab stopping, real of a look", step)
    real, fake = data.sample(2 * per_side, numbers), _samples(generator, 2 * per_side, stream)
    with torch.no_grad():
        real_logits, fake_logits = (
            discriminator(torch.from_numpy(side / SCALE).float()).double() for side in (real, fake)
        )
    first, second = slice(None, per_side), slice(per_side, None)
    offset = objectives.log_odds_offset(real_logits[first], fake_logits[first])
    minimax, pairing = objectives.find("minimax")(), objectives.find("relativistic")()
    value = value_function(minimax, real_logits[second] - offset, fake_logits[second] - offset).value
    verdict = judge(
        real[second],
        fake[second],
        kind="points",
        checks=[],
        sensitivity="theoretical",
        seed=derived_seed(seed, "lab stopping, referee", step),
    )
    many = _samples(generator, TRUTH_SAMPLES, stream)
    scores = mode_scores(many, data)
    return Evaluation(
        step=step,
        own_value=float(pairing.value(real_logits[second], fake_logits[second])),
        implied_jsd=(value + math.log(4)) / 2,
        true_jsd=histogram_jsd(many, data).jsd_nats,
        referee_bound=verdict.jsd_lower_bound_nats,
        conclusion=str(verdict.conclusion),
        modes_found=scores.modes_found,
        width_ratio=scores.width_ratio,
    )


def _samples(generator: torch.nn.Module, count: int, stream: torch.Generator) -> np.ndarray:
    with torch.no_grad():
        points = generator(torch.randn(count, LATENTS, generator=stream))
    return points.double().numpy() * SCALE


def _pairs(points: np.ndarray) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in points)


EXPERIMENTS = {"stopping": stopping}
