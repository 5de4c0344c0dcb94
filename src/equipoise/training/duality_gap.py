r"""The local duality gap: how much could either player gain alone, against the other as it stands?

At an equilibrium neither can, whatever the samples look like. With V the objective's own value,

.. math::
    g_D = V(D', G) - V(D, G), \qquad g_G = V(D, G) - V(D, G'), \qquad \text{gap} = g_D + g_G

where D' and G' are copies that went on alone for a stated number of steps against the other held fixed, by the game's
own losses and penalties on training batches. A copy that does not do better than the player itself on other training
batches stays where the player is: its gain is 0. V is measured on selection rows, the same ones and the same latents
before and after, so that the difference has a small standard error.

What differs from the source. There, both responses are optimised until they stop improving; here they make few
steps, so that the gap is *local*: it finds play that has not settled (circling, a player that fell behind), and a
gap of zero says that no few steps help, not that nothing would. The copies start from the player that is judged, as
there, with the game's optimiser moments; their learning rate falls linearly to 0 from the geometric mean of the game's
rate before any decay and at present: by the first alone a late copy loses what was learned with small steps, by the
second alone it does not get anywhere. A negative gain is a response that fits training rows and not selection rows. The
live generator takes part, not the average: D has played against that one. Whatever the game's order of turns, a copy
descends plainly.

Reference:
    Grnarova et al. 2019, "A Domain Agnostic Measure for Monitoring and Evaluating GANs", arXiv:1811.05512, section 3.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from equipoise.game.player import Player
from equipoise.game.step import Batch, discriminator_loss, generator_loss
from equipoise.objectives.value_change import Influences, change_of_value, influences, standard_error
from equipoise.randomness import Stream, derived_seed, torch_stream
from equipoise.training.clipping import clip_gradients
from equipoise.training.instance_noise import InstanceNoiseStream
from equipoise.training.loop import Trainer

PIECE = 256
"""Selection rows that are scored at once; it bounds the memory."""
CHECKED_BATCHES = 4
"""Training batches on which it is decided whether a copy stays."""
FIRST_DRAW = 1 << 36
"""Batches of the copies are numbered from here on: the game never comes to them, so no batch is played twice."""


def duality_gap(
    trainer: Trainer, *, steps: int, real: Tensor, labels: Tensor | None = None, seed: int
) -> dict[str, Any]:
    """Gains of both players' copies after `steps` steps alone; the game itself is not touched.

    Args:
        trainer: the game as it stands.
        steps: how long each copy goes on, 1 or more.
        real: selection rows as the players see them. Shape `(rows, *sample_shape)`.
        labels: class of each, in a conditional game. Shape `(rows,)`.
        seed: of the whole run.

    Returns:
        Plain values: `steps`, `rows`, the objective's `value` there, and `discriminator_gain`, `generator_gain` and
        `gap` with their standard errors; `None` for what is not finite (a copy that left the finite numbers).
    """
    game = _copies(trainer, seed)
    base = _positions(trainer, game, real, labels, seed=seed)
    discriminator, generator = _copies(trainer, seed)
    for rate, batch in _batches(trainer, generator, steps):
        loss = discriminator_loss(
            discriminator,
            generator,
            objective=trainer.objective,
            batch=batch,
            penalties=trainer.penalties,
            penalty_factor=trainer.gamma.at(max(trainer.step - 1, 0), trainer.plan.course),
        )[1]
        _descend(discriminator, loss, rate)
    stronger = base
    if _on_training(trainer, (discriminator, game[1]), steps, seed) > _on_training(trainer, game, steps, seed):
        stronger = _positions(trainer, (discriminator, game[1]), real, labels, seed=seed)
    discriminator, generator = _copies(trainer, seed)
    for rate, batch in _batches(trainer, generator, steps):
        loss = generator_loss(discriminator, generator, objective=trainer.objective, batch=batch)
        _descend(generator, loss, rate)
    weaker = base
    if _on_training(trainer, (game[0], generator), steps, seed) < _on_training(trainer, game, steps, seed):
        weaker = _positions(trainer, (game[0], generator), real, labels, seed=seed)
    gains = {
        "discriminator_gain": change_of_value(base, stronger),
        "generator_gain": change_of_value(weaker, base),
        "gap": change_of_value(weaker, stronger),
    }
    row: dict[str, Any] = {"steps": steps, "rows": len(real), "value": _finite(base.value)}
    row["value_standard_error"] = _finite(standard_error([base.real, base.fake]))
    for name, (gain, error) in gains.items():
        row |= {name: _finite(gain), f"{name}_standard_error": _finite(error)}
    return row


def _copies(trainer: Trainer, seed: int) -> tuple[Player, Player]:
    """Both players anew, with optimisers of their own; nothing that they do reaches the game."""
    discriminator, generator = _copied(trainer.discriminator), _copied(trainer.generator)
    if trainer.fog is not None:
        # A fog of their own: the game's has a stream that a draw would move on.
        generator.fog = InstanceNoiseStream(
            trainer.fog.noise, seed=derived_seed(seed, Stream.DUALITY_GAP_NOISE, trainer.step)
        )
    return discriminator, generator


def _copied(player: Player) -> Player:
    network, optimizer = copy.deepcopy((player.network, player.optimizer))  # at once: the optimiser is over the copy
    duplicate = copy.copy(player)
    duplicate.network, duplicate.optimizer, duplicate.average, duplicate.memory = network, optimizer, None, {}
    duplicate.parameters = tuple(parameter for parameter in network.parameters() if parameter.requires_grad)
    duplicate.scale_learning_rate(1.0)
    norm = getattr(player.optimizer, "largest_norm", None)
    if norm is not None:
        clip_gradients(optimizer, norm)  # a copied optimiser has lost its hooks
    return duplicate


def _batches(trainer: Trainer, generator: Player, steps: int) -> Iterator[tuple[float, Batch]]:
    """Batches that the game never plays, through the copies' own fog, and the factor on the base learning rate."""
    start = math.sqrt(trainer.lr_backoff * trainer.learning_rate.at(max(trainer.step - 1, 0), trainer.plan.course))
    for place in range(steps):
        yield start * (1 - place / steps), _fogged(trainer, generator, _apart(trainer, steps, place))


def _apart(trainer: Trainer, steps: int, place: int) -> Batch:
    return trainer.batches.batch(FIRST_DRAW + trainer.step * (steps + CHECKED_BATCHES) + place)


def _on_training(trainer: Trainer, players: tuple[Player, Player], steps: int, seed: int) -> float:
    """V on training batches that no copy has descended on."""
    batches = [_apart(trainer, steps, steps + place) for place in range(CHECKED_BATCHES)]
    real = torch.cat([batch.real for batch in batches])
    labels = None if batches[0].labels is None else torch.cat([batch.labels for batch in batches])
    return _positions(trainer, players, real, labels, seed=derived_seed(seed, Stream.DUALITY_GAP_TRAINING)).value


def _fogged(trainer: Trainer, generator: Player, batch: Batch) -> Batch:
    fog = getattr(generator, "fog", None)
    if fog is None:
        return batch
    return fog.over([batch], step=max(trainer.step - 1, 0), total=trainer.plan.course)[0]


def _descend(player: Player, loss: Tensor, rate: float) -> None:
    """One step of a copy, past whatever a game of many processes does with its players' gradients."""
    player.scale_learning_rate(rate)
    gradients = torch.autograd.grad(loss, player.parameters, allow_unused=True)
    for parameter, gradient in zip(player.parameters, gradients, strict=True):
        parameter.grad = gradient
    player.optimizer.step()
    player.optimizer.zero_grad(set_to_none=True)


@torch.no_grad()
def _positions(
    trainer: Trainer, players: tuple[Player, Player], real: Tensor, labels: Tensor | None, *, seed: int
) -> Influences:
    """V and its influences on these rows and as many generated samples, from the same latents every time."""
    discriminator, generator = players
    for network in (discriminator.network, generator.network):
        network.eval()
    stream = torch_stream(seed, Stream.DUALITY_GAP_LATENTS, trainer.step)
    latents = torch.randn(len(real), trainer.batches.latent_dimensions, generator=stream).to(real.device)
    whole = _fogged(trainer, generator, Batch(real, latents, labels))
    logits: tuple[list[Tensor], list[Tensor]] = ([], [])
    for start in range(0, len(real), PIECE):
        piece = slice(start, start + PIECE)
        classes = None if labels is None else labels[piece]
        logits[0].append(discriminator(whole.real[piece], classes))
        logits[1].append(discriminator(generator(latents[piece], classes), classes))
    sides = [torch.cat(side) for side in logits]
    return influences(trainer.objective, *sides, in_pairs=labels is not None)


def _finite(number: float | None) -> float | None:
    """The number, or `None` where JSON has no word for it."""
    return None if number is None or not math.isfinite(number) else number
