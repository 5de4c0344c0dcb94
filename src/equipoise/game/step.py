"""One step of play: the only place where the two players meet.

A step is `n_critic` turns of the discriminator, each on a fresh batch, and `generator_updates`
turns of the generator. In a discriminator turn the real batch and a batch of generated samples go through
the same network and into one loss, `-V + penalties`; in a generator turn the gradient flows through the
discriminator, whose weights stay as they are, into the generator. The rules beyond plain descent are in
`game.rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from equipoise.augmentation import StepAugmentation
from equipoise.distributed import SINGLE_PROCESS, ProcessGroup
from equipoise.game.player import Player
from equipoise.game.update_rules import (
    ALTERNATING_RULES,
    LivePosition,
    UpdateRule,
    consensus_gradients,
    extrapolate,
    go_back,
    optimistic_update,
    set_gradients,
)
from equipoise.objectives.base import Objective
from equipoise.penalties.base import Penalty, Position, Side
from equipoise.shapes import Labels, Latents, Logits, Samples, Scalar

Generate = Callable[[Latents, Labels | None], Samples]
"""The generator as a function of latents and labels (`None` in an unconditional game); a `Player` is one."""


@dataclass(frozen=True)
class Batch:
    """What one turn is played with; of several processes, each has its own rows of the joined batch.

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

    Logits, losses and penalties are those of the last discriminator turn, before its update; of several processes, all
    report the joined batch, except that the logits are a process's own unless the step was measured.
    """

    real_logits: Logits
    fake_logits: Logits
    discriminator_loss: Scalar
    generator_loss: Scalar
    penalties: Mapping[str, Scalar] = field(default_factory=dict)
    gradient_norms: Mapping[str, Scalar] = field(default_factory=dict)


def train_step(
    discriminator: Player,
    generator: Player,
    *,
    objective: Objective,
    batches: Sequence[Batch],
    penalties: Sequence[Penalty] = (),
    penalty_factor: float | Tensor = 1.0,
    update_rule: UpdateRule = UpdateRule(),
    augmentation: StepAugmentation | None = None,
    measure: bool = False,
    group: ProcessGroup = SINGLE_PROCESS,
) -> StepReport:
    """Play one step and return what happened.

    Args:
        discriminator: the player that maximises the value.
        generator: the player that answers.
        objective: the two losses.
        batches: one batch a turn, `schedule.turns` of them: the discriminator's first.
        penalties: terms added to the discriminator's loss.
        penalty_factor: scales the weight of the penalties that decay; a decaying gamma comes in here.
        update_rule: how both players are updated.
        augmentation: what is done to real and generated samples before the discriminator sees them.
        measure: also measure the norm of both players' gradients, which costs a pass over them, and bring together the
            logits of all processes, which costs a message.
        group: the processes that play together; each plays its own rows of the joined batch.

    Returns:
        Detached tensors; nothing in here waits for the device.
    """
    assert len(batches) == update_rule.updates_per_step, (
        f"{update_rule.updates_per_step} turns need as many batches, not {len(batches)}"
    )
    batches, generate = augmented(batches, generator, augmentation)
    game = _Game(discriminator, generator, generate, objective, penalties, penalty_factor, update_rule, measure, group)
    outcome = game.update_in_turns(batches) if update_rule.name in ALTERNATING_RULES else game.update_together(*batches)
    position, loss, terms, answer, norms = outcome
    if augmentation is not None and augmentation.observe is not None:
        augmentation.observe(*(side.detach() for side in position.gathered_logits))
    logits = position.gathered_logits if measure else (position.real_logits, position.fake_logits)
    real_logits, fake_logits = logits
    return StepReport(
        real_logits=real_logits.detach(),
        fake_logits=fake_logits.detach(),
        discriminator_loss=loss.detach(),
        generator_loss=answer.detach(),
        penalties=terms,
        gradient_norms=norms,
    )


def augmented(
    batches: Sequence[Batch], generator: Generate, augmentation: StepAugmentation | None
) -> tuple[Sequence[Batch], Generate]:
    """Batches and generator as the discriminator sees them: real and generated samples are augmented alike."""
    if augmentation is None:
        return batches, generator
    return [replace(batch, real=augmentation(batch.real, "real")) for batch in batches], augmentation.generator(
        generator
    )


_Outcome = tuple[Position, Scalar, dict[str, Scalar], Scalar, dict[str, Scalar]]


@dataclass(frozen=True)
class _Game:
    """The arguments of `train_step`, and the two ways to spend them."""

    discriminator: Player
    generator: Player
    generate: Generate
    objective: Objective
    penalties: Sequence[Penalty]
    penalty_factor: float | Tensor
    update_rule: UpdateRule
    measure: bool
    group: ProcessGroup

    def update_in_turns(self, batches: Sequence[Batch]) -> _Outcome:
        """The discriminator's turns, then the generator's; each turn answers the position that the one before left."""
        has_consensus = self.update_rule.name == "alternating_consensus"
        turns = self.update_rule.n_critic
        norms: dict[str, Scalar] = {}
        for batch in batches[:turns]:
            position, loss, terms = self._discriminator_gradients(batch, has_consensus=has_consensus)
            self._note_norm(norms, "discriminator", self.discriminator)
            self.discriminator.update()
            self._observe(position)
        for batch in batches[turns:]:
            answer = self._generator_gradients(batch, has_consensus=has_consensus)
            self._note_norm(norms, "generator", self.generator)
            self.generator.update()
            self._average()
        return position, loss, terms, answer, norms

    def update_together(self, first: Batch, second: Batch) -> _Outcome:
        """Both players move once from the same position; extragradient meets twice, on the same batches."""
        order, players = self.update_rule.name, (self.discriminator, self.generator)
        if order == "consensus":
            (position, loss, terms), answer = self._losses(first, second)
            self._set_consensus((loss, answer), players)
            loss, terms = self._all_reduce_discriminator(position, loss, terms)
            answer = self._all_reduce_generator(answer)
        else:
            position, loss, terms = self._discriminator_gradients(first)
            answer = self._generator_gradients(second)
        norms: dict[str, Scalar] = {}
        self._note_norm(norms, "discriminator", self.discriminator)
        self._note_norm(norms, "generator", self.generator)
        if order == "extragradient":
            stood = extrapolate(players)
            self._discriminator_gradients(first)
            self._generator_gradients(second)
            go_back(players, stood)
        for player in players:
            if order == "optimistic":
                optimistic_update(player)
            else:
                player.update()
        self._observe(position)
        self._average()
        return position, loss, terms, answer, norms

    def _discriminator_gradients(
        self, batch: Batch, *, has_consensus: bool = False
    ) -> tuple[Position, Scalar, dict[str, Scalar]]:
        if has_consensus:
            (position, loss, terms), answer = self._losses(batch, batch)
            self._set_consensus((loss, answer), (self.discriminator,))
        else:
            position, loss, terms = discriminator_loss(
                self.discriminator,
                self.generate,
                objective=self.objective,
                batch=batch,
                penalties=self.penalties,
                penalty_factor=self.penalty_factor,
                group=self.group,
            )
            loss.backward(inputs=self.discriminator.parameters)
        return position, *self._all_reduce_discriminator(position, loss, terms)

    def _generator_gradients(self, batch: Batch, *, has_consensus: bool = False) -> Scalar:
        if has_consensus:
            (_, loss, _), answer = self._losses(batch, batch)
            self._set_consensus((loss, answer), (self.generator,))
        else:
            answer = generator_loss(
                self.discriminator, self.generate, objective=self.objective, batch=batch, group=self.group
            )
            answer.backward(inputs=self.generator.parameters)
        return self._all_reduce_generator(answer)

    def _all_reduce_generator(self, answer: Scalar) -> Scalar:
        """Sum the generator's gradients over processes; its loss on the joined batch."""
        if self.objective.is_joint:
            self.group.all_reduce(self.generator.parameters)
            return answer
        return self.group.all_reduce(self.generator.parameters, [answer])[0]

    def _all_reduce_discriminator(
        self, position: Position, loss: Scalar, terms: dict[str, Scalar]
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """Sum the discriminator's gradients over processes; its loss and the penalties' means on the joined batch."""
        if self.group.is_single_process:
            return loss, terms
        if not self.objective.is_joint:
            loss, *means = self.group.all_reduce(self.discriminator.parameters, [loss, *terms.values()])
            return loss, dict(zip(terms, means, strict=True))
        means = self.group.all_reduce(self.discriminator.parameters, list(terms.values()))
        with torch.no_grad():
            loss = self.objective.discriminator_loss(*position.gathered_logits)
            for penalty, mean in zip(self.penalties, means, strict=True):
                loss = loss + penalty.factor(self.penalty_factor) * mean
        return loss, dict(zip(terms, means, strict=True))

    def _losses(self, first: Batch, second: Batch) -> tuple[tuple[Position, Scalar, dict[str, Scalar]], Scalar]:
        """Both losses, differentiable in the parameters of both players."""
        outcome = discriminator_loss(
            self.discriminator,
            self.generate,
            objective=self.objective,
            batch=first,
            penalties=self.penalties,
            penalty_factor=self.penalty_factor,
            is_live=True,
            group=self.group,
        )
        return outcome, generator_loss(
            self.discriminator, self.generate, objective=self.objective, batch=second, is_live=True, group=self.group
        )

    def _set_consensus(self, losses: tuple[Scalar, Scalar], movers: Sequence[Player]) -> None:
        players = (self.discriminator, self.generator)
        gradients = consensus_gradients(players, losses, weight=self.update_rule.consensus_weight, group=self.group)
        for player, own in zip(players, gradients, strict=True):
            if any(player is mover for mover in movers):
                set_gradients(player, own)

    def _note_norm(self, norms: dict[str, Scalar], name: str, player: Player) -> None:
        if self.measure:
            norms[name] = player.gradient_norm()

    def _observe(self, position: Position) -> None:
        for penalty in self.penalties:
            if penalty.observe is not None:
                penalty.observe(position)

    def _average(self) -> None:
        if self.generator.average is not None:
            self.generator.average.update()


def discriminator_loss(
    discriminator: Player,
    generate: Generate,
    *,
    objective: Objective,
    batch: Batch,
    penalties: Sequence[Penalty] = (),
    penalty_factor: float | Tensor = 1.0,
    is_live: bool = False,
    group: ProcessGroup = SINGLE_PROCESS,
) -> tuple[Position, Scalar, dict[str, Scalar]]:
    """-V plus the weighted penalties on one batch, ready for `backward`; also the position and each penalty's mean.

    The generator is out of reach of this loss, unless `is_live`, which consensus optimisation and the lab ask for.
    Of several processes each gets its own part of a loss that is a mean over samples or pairs: the parts and their
    gradients add up to those of the joined batch, and no logits travel. Where a term depends on the whole batch (see
    `Objective.is_joint`) each gets the objective on the joined batch with its own part of the penalties' means: the
    gradients add up to those of the joined loss, while the losses themselves do not.
    """
    bound = _bind_labels(discriminator, batch.labels)
    if is_live:
        fake = generate(batch.latents, batch.labels)
        position: Position = LivePosition(bound, batch.real, fake, randomness=batch.randomness, group=group)
    else:
        with torch.no_grad():
            fake = generate(batch.latents, batch.labels)
        sides: frozenset[Side] = frozenset().union(*(penalty.differentiates for penalty in penalties))
        position = Position(bound, batch.real, fake, differentiate=sides, randomness=batch.randomness, group=group)
    if objective.is_joint:
        loss = objective.discriminator_loss(*position.gathered_logits)
    else:
        loss = group.mean_shard(objective.discriminator_loss(position.real_logits, position.fake_logits))
    terms: dict[str, Scalar] = {}
    for penalty in penalties:
        mean = group.mean_shard(penalty.per_sample(position).mean())
        loss = loss + penalty.factor(penalty_factor) * mean
        terms[penalty.name] = mean.detach()
    return position, loss, terms


def generator_loss(
    discriminator: Player,
    generate: Generate,
    *,
    objective: Objective,
    batch: Batch,
    is_live: bool = False,
    group: ProcessGroup = SINGLE_PROCESS,
) -> Scalar:
    """The generator's loss on one batch, ready for `backward` into the generator's parameters only.

    With `is_live` it can be differentiated in the discriminator's parameters too, on both sides. Of several processes
    each gets its part, as in `discriminator_loss`.
    """
    fake_logits = discriminator(generate(batch.latents, batch.labels), batch.labels)
    if objective.generator_uses_real:
        with torch.set_grad_enabled(is_live):
            real_logits = discriminator(batch.real, batch.labels)
    else:
        real_logits = fake_logits.detach()  # not read: the loss does not depend on real logits
    if objective.is_joint:
        return objective.generator_loss(*group.all_gather(real_logits, fake_logits))
    return group.mean_shard(objective.generator_loss(real_logits, fake_logits))


def _bind_labels(discriminator: Player, labels: Labels | None) -> Callable[[Samples], Logits]:
    """The discriminator with its class labels fixed; a joined batch of real and fake samples repeats them."""
    if labels is None:
        return discriminator
    return lambda samples: discriminator(samples, labels.repeat(len(samples) // len(labels)))
