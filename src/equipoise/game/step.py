"""One training step: the only place where the two players meet.

A step is `n_critic` updates of the discriminator, each on a fresh batch, and `generator_updates` updates of the
generator. For an update of the discriminator, a real batch and a batch of generated samples go through the same network
and into one loss, `-V + penalties`. For an update of the generator, the gradient flows through the discriminator, whose
weights stay as they are, into the generator. `game.update_rules` has the rules that are not described here.
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
    AttachedForwardPass,
    UpdateRule,
    consensus_gradients,
    extrapolate,
    optimistic_update,
    restore,
    set_gradients,
)
from equipoise.objectives.base import Objective
from equipoise.penalties.base import ForwardPass, Penalty, Side
from equipoise.shapes import Generated, Labels, Latents, Logits, PerSample, Samples, Scalar, samples_and_weights

Generate = Callable[[Latents, Labels | None], Generated]
"""The generator as a function of latents and labels (`None` in an unconditional game); `Player.generate` is one, and a
`Player` stands for it. Samples with importance weights enter every mean with them."""


@dataclass(frozen=True)
class Batch:
    """What one update is made with; of several processes, each has its shard of the whole batch.

    Attributes:
        real: shape `(batch, *sample_shape)`.
        latents: generator input. Shape `(batch, latent_dimensions)`.
        labels: class of each real sample, also asked of the generator. Shape `(batch,)`, or `None`.
        randomness: the stream for penalties that draw random numbers.
    """

    real: Samples
    latents: Latents
    labels: Labels | None = None
    randomness: torch.Generator | None = None


@dataclass(frozen=True)
class StepReport:
    """What happened in a step, as detached tensors; reading a number from them waits for the device.

    Logits, losses and penalties are those of the last discriminator update, before it was applied. Of several
    processes, all report the whole batch, except that the logits are a process's own unless the step was measured.
    `fake_weights` are the importance weights of the generated samples, `None` where all count the same.
    """

    real_logits: Logits
    fake_logits: Logits
    discriminator_loss: Scalar
    generator_loss: Scalar
    penalties: Mapping[str, Scalar] = field(default_factory=dict)
    gradient_norms: Mapping[str, Scalar] = field(default_factory=dict)
    fake_weights: PerSample | None = None


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
    """Update both players by one step and return what happened.

    Args:
        discriminator: the player that maximises the value.
        generator: its opponent.
        objective: the two losses.
        batches: one for each update, `update_rule.updates_per_step` of them: the discriminator's first. A single one,
            if both players share it.
        penalties: terms added to the discriminator's loss.
        penalty_factor: scales the weight of the penalties that decay; a decaying gamma comes in here.
        update_rule: how both players are updated.
        augmentation: what is done to real and generated samples before the discriminator sees them.
        measure: also measure the norm of both players' gradients, which costs a pass over them, and gather the logits
            of all processes, which costs a message.
        group: the processes that train together; each has its shard of every batch.

    Returns:
        Detached tensors; nothing in here waits for the device.
    """
    assert len(batches) == update_rule.updates_per_step, (
        f"this update rule needs {update_rule.updates_per_step} batches, not {len(batches)}"
    )
    batches, generate = augmented(batches, generator.generate, augmentation)
    step = _Step(discriminator, generator, generate, objective, penalties, penalty_factor, update_rule, measure, group)
    if update_rule.shared_batch:
        outcome, fake_loss = step.shared(batches[0])
    elif update_rule.name in ALTERNATING_RULES:
        outcome, fake_loss = step.alternating(batches)
    else:
        outcome, fake_loss = step.simultaneous(*batches)
    forward, loss, terms = outcome
    if augmentation is not None and augmentation.observe is not None:
        augmentation.observe(*(side.detach() for side in forward.gathered_logits))
    real_logits, fake_logits = forward.gathered_logits if measure else (forward.real_logits, forward.fake_logits)
    fake_weights = forward.gathered_weights if measure else forward.fake_weights
    return StepReport(
        real_logits=real_logits.detach(),
        fake_logits=fake_logits.detach(),
        discriminator_loss=loss.detach(),
        generator_loss=fake_loss.detach(),
        penalties=terms,
        gradient_norms=step.norms,
        fake_weights=None if fake_weights is None else fake_weights.detach(),
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


DiscriminatorLoss = tuple[ForwardPass, Scalar, dict[str, Scalar]]
"""The discriminator's forward pass, its loss, and the mean of each penalty by name."""


@dataclass(frozen=True)
class _Step:
    """The arguments of `train_step`, and the two orders in which the players are updated."""

    discriminator: Player
    generator: Player
    generate: Generate
    objective: Objective
    penalties: Sequence[Penalty]
    penalty_factor: float | Tensor
    update_rule: UpdateRule
    measure: bool
    group: ProcessGroup
    norms: dict[str, Scalar] = field(default_factory=dict)

    def alternating(self, batches: Sequence[Batch]) -> tuple[DiscriminatorLoss, Scalar]:
        """The discriminator's updates, then the generator's, each with gradients at the weights of that moment."""
        is_consensus = self.update_rule.name == "alternating_consensus"
        n_critic = self.update_rule.n_critic
        for batch in batches[:n_critic]:
            if is_consensus:
                outcome, _ = self._consensus(batch, batch, updates=(True, False))
            else:
                outcome = self._discriminator_gradients(batch)
            self._measure_norm("discriminator", self.discriminator)
            self.discriminator.update()
            self._observe(outcome[0])
        for batch in batches[n_critic:]:
            if is_consensus:
                _, fake_loss = self._consensus(batch, batch, updates=(False, True))
            else:
                fake_loss = self._generator_gradients(batch)
            self._measure_norm("generator", self.generator)
            self.generator.update()
            self._average()
        return outcome, fake_loss

    def simultaneous(self, first: Batch, second: Batch) -> tuple[DiscriminatorLoss, Scalar]:
        """One update of both players with gradients at the same weights; extragradient takes gradients twice."""
        rule, players = self.update_rule.name, (self.discriminator, self.generator)
        if rule == "consensus":
            outcome, fake_loss = self._consensus(first, second, updates=(True, True))
        else:
            outcome, fake_loss = self._discriminator_gradients(first), self._generator_gradients(second)
        self._measure_norm("discriminator", self.discriminator)
        self._measure_norm("generator", self.generator)
        if rule == "extragradient":
            weights = extrapolate(players)
            self._discriminator_gradients(first)
            self._generator_gradients(second)
            restore(players, weights)
        for player in players:
            if rule == "optimistic":
                optimistic_update(player)
            else:
                player.update()
        self._observe(outcome[0])
        self._average()
        return outcome, fake_loss

    def shared(self, batch: Batch) -> tuple[DiscriminatorLoss, Scalar]:
        """One update of both players with the same real and the same generated samples, which are made once."""
        fake = self.generate(batch.latents, batch.labels)
        outcome = self._discriminator_gradients(batch, fake=fake)
        self._measure_norm("discriminator", self.discriminator)
        if self.update_rule.name == "alternating":
            self.discriminator.update()
        fake_loss = self._generator_gradients(batch, fake=fake)
        self._measure_norm("generator", self.generator)
        if self.update_rule.name != "alternating":
            self.discriminator.update()
        self.generator.update()
        self._observe(outcome[0])
        self._average()
        return outcome, fake_loss

    def _discriminator_gradients(self, batch: Batch, *, fake: Generated | None = None) -> DiscriminatorLoss:
        outcome = self._discriminator_loss(batch, fake=fake)
        outcome[1].backward(inputs=self.discriminator.parameters)
        return self._reduced_discriminator(outcome)

    def _generator_gradients(self, batch: Batch, *, fake: Generated | None = None) -> Scalar:
        loss = self._generator_loss(batch, fake=fake)
        loss.backward(inputs=self.generator.parameters)
        return self._reduced_generator(loss)

    def _consensus(
        self, first: Batch, second: Batch, *, updates: tuple[bool, bool]
    ) -> tuple[DiscriminatorLoss, Scalar]:
        """Set the consensus gradients of the players to update (discriminator, generator); the two losses."""
        players = (self.discriminator, self.generator)
        outcome = self._discriminator_loss(first, is_attached=True)
        fake_loss = self._generator_loss(second, is_attached=True)
        losses = (outcome[1], fake_loss)
        gradients = consensus_gradients(players, losses, weight=self.update_rule.consensus_weight, group=self.group)
        for player, own, is_updated in zip(players, gradients, updates, strict=True):
            if is_updated:
                set_gradients(player, own)
        if updates[0]:
            outcome = self._reduced_discriminator(outcome)
        return outcome, self._reduced_generator(fake_loss) if updates[1] else fake_loss

    def _reduced_generator(self, loss: Scalar) -> Scalar:
        """Sum the generator's gradients over processes; its loss on the whole batch."""
        if self.objective.is_joint:
            self.group.all_reduce(self.generator.parameters)
            return loss
        return self.group.all_reduce(self.generator.parameters, [loss])[0]

    def _reduced_discriminator(self, outcome: DiscriminatorLoss) -> DiscriminatorLoss:
        """Sum the discriminator's gradients over processes; its loss and the penalties' means on the whole batch."""
        if self.group.is_single_process:
            return outcome
        forward, loss, terms = outcome
        if not self.objective.is_joint:
            loss, *means = self.group.all_reduce(self.discriminator.parameters, [loss, *terms.values()])
            return forward, loss, dict(zip(terms, means, strict=True))
        means = self.group.all_reduce(self.discriminator.parameters, list(terms.values()))
        with torch.no_grad():
            loss = self.objective.discriminator_loss(*forward.gathered_logits, forward.gathered_weights)
            for penalty, mean in zip(self.penalties, means, strict=True):
                loss = loss + penalty.factor(self.penalty_factor) * mean
        return forward, loss, dict(zip(terms, means, strict=True))

    def _discriminator_loss(
        self, batch: Batch, *, is_attached: bool = False, fake: Generated | None = None
    ) -> DiscriminatorLoss:
        return discriminator_loss(
            self.discriminator,
            self.generate,
            objective=self.objective,
            batch=batch,
            penalties=self.penalties,
            penalty_factor=self.penalty_factor,
            is_attached=is_attached,
            fake=fake,
            group=self.group,
        )

    def _generator_loss(self, batch: Batch, *, is_attached: bool = False, fake: Generated | None = None) -> Scalar:
        return generator_loss(
            self.discriminator,
            self.generate,
            objective=self.objective,
            batch=batch,
            is_attached=is_attached,
            fake=fake,
            group=self.group,
        )

    def _measure_norm(self, name: str, player: Player) -> None:
        if self.measure:
            self.norms[name] = player.gradient_norm()

    def _observe(self, forward: ForwardPass) -> None:
        for penalty in self.penalties:
            if penalty.observe is not None:
                penalty.observe(forward)

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
    is_attached: bool = False,
    fake: Generated | None = None,
    group: ProcessGroup = SINGLE_PROCESS,
) -> DiscriminatorLoss:
    """-V plus the weighted penalties on one batch, ready for `backward`.

    Generated samples are detached from the generator, unless `is_attached`: consensus gradients need the loss as a
    function of both players' weights. `fake` are samples that `generate` has made from this batch already.

    Of several processes each gets its own part of a loss that is a mean over samples or pairs: the parts and their
    gradients add up to those of the whole batch, and no logits travel. Where a term depends on the whole batch (see
    `Objective.is_joint`) each gets the objective on the whole batch with its own part of the penalties' means: the
    gradients add up to those of the whole loss, while the losses themselves do not.
    """
    bound = _bind_labels(discriminator, batch.labels)
    with torch.set_grad_enabled(is_attached and torch.is_grad_enabled()):
        samples, weights = _generated(generate, batch, fake)
    shared = {"randomness": batch.randomness, "group": group, "fake_weights": weights}
    if is_attached:
        forward: ForwardPass = AttachedForwardPass(bound, batch.real, samples, **shared)
    else:
        sides: frozenset[Side] = frozenset().union(*(penalty.differentiates for penalty in penalties))
        # Class labels are bound in a function of our own, which knows no gradient.
        knows = bound is discriminator and all(each.asks_for_gradient for each in penalties if each.differentiates)
        gradient = discriminator.with_input_gradient if knows else None
        forward = ForwardPass(bound, batch.real, samples, differentiate=sides, with_gradient=gradient, **shared)
    forward.to_read_units = discriminator.to_read_units
    if objective.is_joint:
        loss = objective.discriminator_loss(*forward.gathered_logits, forward.gathered_weights)
    else:
        value_loss = objective.discriminator_loss(forward.real_logits, forward.fake_logits, forward.fake_weights)
        loss = group.shard_of_mean(value_loss)
    terms: dict[str, Scalar] = {}
    for penalty in penalties:
        mean = group.shard_of_mean(penalty.per_sample(forward).mean())
        loss = loss + penalty.factor(penalty_factor) * mean
        terms[penalty.name] = mean.detach()
    return forward, loss, terms


def generator_loss(
    discriminator: Player,
    generate: Generate,
    *,
    objective: Objective,
    batch: Batch,
    is_attached: bool = False,
    fake: Generated | None = None,
    group: ProcessGroup = SINGLE_PROCESS,
) -> Scalar:
    """The generator's loss on one batch, ready for `backward` into the generator's parameters only.

    With `is_attached` it is a function of the discriminator's weights on both sides, too. `fake` are samples that
    `generate` has made from this batch already. Of several processes each gets its part, as in `discriminator_loss`.
    """
    samples, weights = _generated(generate, batch, fake)
    fake_logits = discriminator(samples, batch.labels)
    if objective.generator_uses_real:
        with torch.set_grad_enabled(is_attached):
            real_logits = discriminator(batch.real, batch.labels)
    else:
        real_logits = fake_logits.detach()  # not read: the loss does not depend on real logits
    if objective.is_joint:
        return objective.generator_loss(
            *group.all_gather(real_logits, fake_logits, *(() if weights is None else (weights,)))
        )
    return group.shard_of_mean(objective.generator_loss(real_logits, fake_logits, weights))


def _generated(generate: Generate, batch: Batch, made: Generated | None) -> tuple[Samples, PerSample | None]:
    """Generated samples of a batch, made already or now, and their importance weights or `None`."""
    if made is None:
        made = (generate.generate if isinstance(generate, Player) else generate)(batch.latents, batch.labels)
    return samples_and_weights(made)


def _bind_labels(discriminator: Player, labels: Labels | None) -> Callable[[Samples], Logits]:
    """The discriminator with its class labels fixed; real and fake samples in one batch repeat them."""
    if labels is None:
        return discriminator
    return lambda samples: discriminator(samples, labels.repeat(len(samples) // len(labels)))
