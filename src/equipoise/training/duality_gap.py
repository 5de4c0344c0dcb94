r"""The local duality gap: how much could either player gain alone, against the other as it stands?

At an equilibrium neither can, whatever the samples look like. With V the objective's own value,

.. math::
    g_D = V(D', G) - V(D, G), \qquad g_G = V(D, G) - V(D, G'), \qquad \text{gap} = g_D + g_G

where D' and G' are copies that are trained alone for a stated number of steps against the other held fixed, by the
game's own losses and penalties on training batches. A copy that does no better than the player itself on other training
batches is dropped: its gain is 0. V is measured on validation rows, the same ones and the same latents before and
after, so that the difference has a small standard error.

What differs from the source. There, both responses are optimised until they stop improving; here they make few
steps, so that the gap is *local*: it finds training that has not settled (circling, a player that fell behind), and a
gap of zero says that no few steps help, not that nothing would. The copies start from the player that is measured, as
there, with its optimizer's moments; their learning rate falls linearly to 0 from the geometric mean of the game's
rate before any decay and at present: with the first alone a late copy loses what was learned with small steps, with the
second alone it does not get anywhere. A negative gain is a response that fits training rows and not validation rows.
The live generator takes part, not its EMA: the discriminator was trained against the live one. Whatever the game's
update rule, a copy takes plain optimizer steps.

Reference:
    Grnarova et al. 2019, "A Domain Agnostic Measure for Monitoring and Evaluating GANs", arXiv:1811.05512, section 3.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from equipoise.entries import finite
from equipoise.game.player import Player, lay_out_like_weights
from equipoise.game.step import Batch, Generate, augmented, discriminator_loss, generator_loss
from equipoise.objectives.value_change import Influences, change_of_value, influences, standard_error
from equipoise.randomness import Stream, derived_seed, torch_stream
from equipoise.training.clipping import clip_like
from equipoise.training.state import TrainingState

CHUNK = 256
"""Validation rows that are evaluated at once; it bounds the memory."""
CHECKED_BATCHES = 4
"""Training batches on which it is decided whether a copy is kept."""
FIRST_DRAW = 1 << 36
"""Batches of the copies are numbered from here on: the game never comes to them, so no batch is used twice."""


def duality_gap(
    state: TrainingState, *, steps: int, real: Tensor, labels: Tensor | None = None, seed: int
) -> dict[str, Any]:
    """Gains of both players' copies after `steps` steps alone; the game itself is not touched.

    Args:
        state: of training.
        steps: how many steps each copy makes, 1 or more.
        real: validation rows as the players see them. Shape `(rows, *sample_shape)`.
        labels: class of each, in a conditional game. Shape `(rows,)`.
        seed: of the whole run.

    Returns:
        Plain values: `steps`, `rows`, the objective's `value` there, and `discriminator_gain`, `generator_gain` and
        `gap` with their standard errors; `None` for what is not finite (a copy that left the finite numbers).
    """
    device = state.batches.real.device
    real, labels = real.to(device), None if labels is None else labels.to(device)
    responses = _Responses(state, steps, seed)
    discriminator, generator = _copies(state)

    def measured(players: tuple[Player, Player]) -> Influences:
        return responses.value(players, real, labels, seed=seed)

    base = measured((discriminator, generator))
    base_training = responses.training_value((discriminator, generator))
    better = responses.discriminator(), generator
    stronger = measured(better) if responses.training_value(better) > base_training else base
    better = discriminator, responses.generator()
    weaker = measured(better) if responses.training_value(better) < base_training else base
    gains = {
        "discriminator_gain": change_of_value(base, stronger),
        "generator_gain": change_of_value(weaker, base),
        "gap": change_of_value(weaker, stronger),
    }
    row: dict[str, Any] = {"steps": steps, "rows": len(real), "value": finite(base.value)}
    row["value_standard_error"] = finite(standard_error([base.real, base.fake]))
    for name, (gain, error) in gains.items():
        row |= {name: finite(gain), f"{name}_standard_error": finite(error)}
    return row


@dataclass(frozen=True)
class _Responses:
    """Trains copies of both players alone, and measures V with them."""

    state: TrainingState
    steps: int
    seed: int

    def discriminator(self) -> Player:
        """A copy of the discriminator, trained against the generator as it is."""
        state = self.state
        discriminator, generator = _copies(state)
        for rate, batch, generate in self._batches(generator):
            _, loss, _ = discriminator_loss(
                discriminator,
                generate,
                objective=state.objective,
                batch=batch,
                penalties=state.penalties,
                penalty_factor=state.gamma,
            )
            _update(discriminator, loss, rate)
        return discriminator

    def generator(self) -> Player:
        """A copy of the generator, trained against the discriminator as it is."""
        discriminator, generator = _copies(self.state)
        for rate, batch, generate in self._batches(generator):
            loss = generator_loss(discriminator, generate, objective=self.state.objective, batch=batch)
            _update(generator, loss, rate)
        return generator

    def training_value(self, players: tuple[Player, Player]) -> float:
        """V on training batches that no copy was trained on."""
        batches = [self._batch(self.steps + place) for place in range(CHECKED_BATCHES)]
        real = torch.cat([batch.real for batch in batches])
        labels = None if batches[0].labels is None else torch.cat([batch.labels for batch in batches])
        return self.value(players, real, labels, seed=derived_seed(self.seed, Stream.DUALITY_GAP_TRAINING)).value

    @torch.no_grad()
    def value(self, players: tuple[Player, Player], real: Tensor, labels: Tensor | None, *, seed: int) -> Influences:
        """V and its influences on these rows and as many generated samples, from the same latents every time."""
        discriminator, generator = players
        for network in (discriminator.network, generator.network):
            network.eval()
        stream = torch_stream(seed, Stream.DUALITY_GAP_LATENTS, self.state.step)
        latents = torch.randn(len(real), self.state.batches.latent_dimensions, generator=stream).to(real.device)
        # By the generator's own density, whatever importance weights it is trained with.
        whole, generate = self._augmented(generator, Batch(real, latents, labels))
        real_logits, fake_logits = [], []
        for start in range(0, len(real), CHUNK):
            chunk = slice(start, start + CHUNK)
            classes = None if labels is None else labels[chunk]
            real_logits.append(discriminator(whole.real[chunk], classes))
            fake_logits.append(discriminator(generate(latents[chunk], classes), classes))
        sides = torch.cat(real_logits), torch.cat(fake_logits)
        return influences(self.state.objective, *sides, in_pairs=labels is not None)

    def _batches(self, generator: Player) -> Iterator[tuple[float, Batch, Generate]]:
        """Factors on the base learning rate, batches that the game never uses, and the generator to use with each."""
        start = math.sqrt(self.state.learning_rate)
        for place in range(self.steps):
            yield start * (1 - place / self.steps), *self._augmented(generator.generate, self._batch(place))

    def _batch(self, place: int) -> Batch:
        return self.state.batches.batch(FIRST_DRAW + self.state.step * (self.steps + CHECKED_BATCHES) + place)

    def _augmented(self, generator: Generate, batch: Batch) -> tuple[Batch, Generate]:
        """As the discriminator sees them; the randomness is not that of the game."""
        seed = derived_seed(self.seed, Stream.DUALITY_GAP_NOISE, self.state.step)
        (batch,), generate = augmented([batch], generator, self.state.augmentation_with(seed))
        return batch, generate


def _copies(state: TrainingState) -> tuple[Player, Player]:
    """Copies of both players with optimizers of their own, so that training them leaves the game as it is."""
    return _copied(state.discriminator), _copied(state.generator)


def _copied(player: Player) -> Player:
    network, optimizer = copy.deepcopy((player.network, player.optimizer))  # together: the optimizer is over the copy
    duplicate = copy.copy(player)
    duplicate.network, duplicate.optimizer, duplicate.average, duplicate.memory = network, optimizer, None, {}
    duplicate.parameters = tuple(parameter for parameter in network.parameters() if parameter.requires_grad)
    duplicate.scale_learning_rate(1.0)
    clip_like(optimizer, player.optimizer)
    return duplicate


def _update(player: Player, loss: Tensor, rate: float) -> None:
    """One optimizer step of a copy, in this process alone."""
    player.scale_learning_rate(1.0, scale=rate)
    gradients = torch.autograd.grad(loss, player.parameters, allow_unused=True)
    for parameter, gradient in zip(player.parameters, gradients, strict=True):
        parameter.grad = gradient
    lay_out_like_weights(player.parameters)
    player.optimizer.step()
    player.optimizer.zero_grad(set_to_none=True)
