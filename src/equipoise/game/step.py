"""One step of play: the only place where the two players meet.

A step is `discriminator_turns` turns of the discriminator, each on a fresh batch, and `generator_turns`
turns of the generator. In a discriminator turn the real batch and a batch of generated samples go through
the same network and into one loss, `-V + penalties`; in a generator turn the gradient flows through the
discriminator, whose weights stay as they are, into the generator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from equipoise.errors import ConfigError
from equipoise.game.player import Player
from equipoise.objectives.base import Objective
from equipoise.penalties.base import Penalty, Position, Side
from equipoise.shapes import Labels, Latents, Logits, Samples, Scalar


@dataclass(frozen=True)
class Schedule:
    """The order of turns within a step.

    Attributes:
        order: `alternating` lets the generator answer the updated discriminator; `simultaneous` lets both move
            from the same position.
        discriminator_turns: updates of the discriminator per step.
        generator_turns: updates of the generator per step.
    """

    order: Literal["alternating", "simultaneous"] = "alternating"
    discriminator_turns: int = 1
    generator_turns: int = 1

    def __post_init__(self) -> None:
        if min(self.discriminator_turns, self.generator_turns) < 1:
            raise ConfigError("play", "a player has no turn.", "Expected at least 1 turn of each player in a step.",
                              "Set discriminator_turns and generator_turns to 1 or more.")
        if self.order == "simultaneous" and self.turns != 2:
            raise ConfigError(
                "play", f"simultaneous play with {self.discriminator_turns} discriminator and {self.generator_turns} "
                "generator turns.", "Simultaneous play means that both players move once, from the same position.",
                "Set both numbers of turns to 1, or 'order: alternating'.")

    @property
    def turns(self) -> int:
        """Batches that one step needs: one for each turn."""
        return self.discriminator_turns + self.generator_turns


@dataclass(frozen=True)
class Batch:
    """What one turn is played with.

    Attributes:
        real: shape `(batch, *sample_shape)`.
        latents: generator input. Shape `(batch, latent_dimensions)`.
        labels: class of each real sample, also asked of the generator. Shape `(batch,)`, or `None`.
        randomness: the stream that penalties which draw points draw from.
    """

    real: Samples
    latents: Latents
    labels: Labels | None = None
    randomness: torch.Generator | None = None


@dataclass(frozen=True)
class StepReport:
    """What happened in a step, as detached tensors; reading a number from them waits for the device.

    Logits, value and penalties are those of the last discriminator turn, before its update.
    """

    real_logits: Logits
    fake_logits: Logits
    discriminator_loss: Scalar
    generator_loss: Scalar
    penalties: Mapping[str, Scalar] = field(default_factory=dict)
    gradient_norms: Mapping[str, Scalar] = field(default_factory=dict)


def play_step(
    discriminator: Player,
    generator: Player,
    *,
    objective: Objective,
    batches: Sequence[Batch],
    penalties: Sequence[Penalty] = (),
    penalty_factor: float | Tensor = 1.0,
    schedule: Schedule = Schedule(),
    measure: bool = False,
) -> StepReport:
    """Play one step and return what happened.

    Args:
        discriminator: the player that maximises the value.
        generator: the player that answers.
        objective: the two losses.
        batches: one batch a turn, `schedule.turns` of them: the discriminator's first.
        penalties: terms added to the discriminator's loss.
        penalty_factor: scales every penalty's weight; a decaying gamma comes in here.
        schedule: the order of turns.
        measure: also measure the norm of both players' gradients, which costs a pass over them.

    Returns:
        Detached tensors; nothing in here waits for the device.
    """
    assert len(batches) == schedule.turns, f"{schedule.turns} turns need as many batches, not {len(batches)}"
    turns = schedule.discriminator_turns
    norms: dict[str, Scalar] = {}
    for batch in batches[:turns]:
        position, loss, terms = discriminator_loss(
            discriminator, generator, objective=objective, batch=batch, penalties=penalties,
            penalty_factor=penalty_factor,
        )
        loss.backward(inputs=discriminator.parameters)
        if measure:
            norms["discriminator"] = discriminator.gradient_norm()
        if schedule.order == "alternating":
            discriminator.descend()
    for batch in batches[turns:]:
        answer = generator_loss(discriminator, generator, objective=objective, batch=batch)
        answer.backward(inputs=generator.parameters)
        if measure:
            norms["generator"] = generator.gradient_norm()
        if schedule.order == "simultaneous":
            discriminator.descend()
        generator.descend()
        if generator.average is not None:
            generator.average.update()
    return StepReport(
        real_logits=position.real_logits.detach(),
        fake_logits=position.fake_logits.detach(),
        discriminator_loss=loss.detach(),
        generator_loss=answer.detach(),
        penalties=terms,
        gradient_norms=norms,
    )


def discriminator_loss(
    discriminator: Player,
    generator: Player,
    *,
    objective: Objective,
    batch: Batch,
    penalties: Sequence[Penalty] = (),
    penalty_factor: float | Tensor = 1.0,
) -> tuple[Position, Scalar, dict[str, Scalar]]:
    """-V plus the weighted penalties on one batch, ready for `backward`; also the position and each penalty's mean."""
    with torch.no_grad():
        fake = generator(batch.latents, batch.labels)
    sides: frozenset[Side] = frozenset().union(*(penalty.differentiates for penalty in penalties))
    position = Position(
        _bind_labels(discriminator, batch.labels), batch.real, fake, differentiate=sides, randomness=batch.randomness
    )
    loss = objective.discriminator_loss(position.real_logits, position.fake_logits)
    terms: dict[str, Scalar] = {}
    for penalty in penalties:
        mean = penalty.per_sample(position).mean()
        loss = loss + penalty.weight * penalty_factor * mean
        terms[penalty.name] = mean.detach()
    return position, loss, terms


def generator_loss(discriminator: Player, generator: Player, *, objective: Objective, batch: Batch) -> Scalar:
    """The generator's loss on one batch, ready for `backward` into the generator's parameters only."""
    fake_logits = discriminator(generator(batch.latents, batch.labels), batch.labels)
    if objective.generator_uses_real:
        with torch.no_grad():
            real_logits = discriminator(batch.real, batch.labels)
    else:
        real_logits = fake_logits.detach()  # not read: the loss does not depend on real logits
    return objective.generator_loss(real_logits, fake_logits)


def _bind_labels(discriminator: Player, labels: Labels | None) -> Callable[[Samples], Logits]:
    """The discriminator with its class labels fixed; a joined batch of real and fake samples repeats them."""
    if labels is None:
        return discriminator
    return lambda samples: discriminator(samples, labels.repeat(len(samples) // len(labels)))
