r"""Training rules beyond plain descent: what the players do with the gradients that they met.

Write `w` for both players' parameters and `v(w)` for the gradient of each player's loss with respect to its own
parameters. No function has `v` as its gradient, so following it turns around the equilibrium instead of going there
(THEORY, section 4). With step size `h`:

- extragradient looks ahead, then moves from where it stood: `w - h v(w - h v(w))`;
- optimistic play moves by twice the present update less the one before: `w - 2 h v(w) + h v(w_before)`;
- consensus optimisation also descends the disagreement: `w - h (v + kappa grad |v|^2 / 2)`.

The moves are made by each player's own optimiser, whatever it is; `h v` stands for its update.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from equipoise.distributed import SINGLE_PROCESS, ProcessGroup
from equipoise.errors import ConfigError, unknown_name
from equipoise.game.player import Player
from equipoise.penalties.base import Position
from equipoise.shapes import Logits, Samples, Scalar

UpdateRuleName = Literal[
    "alternating", "simultaneous", "extragradient", "optimistic", "consensus", "alternating_consensus"
]


@dataclass(frozen=True)
class UpdateRule:
    """How both players are updated within a step, and what they do with their gradients.

    Attributes:
        name: with `alternating` the generator's gradient is taken at the updated discriminator; so it is with
            `alternating_consensus`, where both players also follow the consensus gradient. With the others both are
            updated once, from gradients at the same weights: `simultaneous` by plain updates, `extragradient`,
            `optimistic` and `consensus` as described above.
        n_critic: updates of the discriminator per step.
        generator_updates: updates of the generator per step.
        consensus_weight: kappa, the weight of the consensus gradient; read by the two consensus rules only.
    """

    name: UpdateRuleName = "alternating"
    n_critic: int = 1
    generator_updates: int = 1
    consensus_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in UPDATE_RULES:
            raise unknown_name("training.update_rule", "update rule", self.name, UPDATE_RULES)
        if min(self.n_critic, self.generator_updates) < 1:
            raise ConfigError(
                "training",
                f"{self.n_critic} discriminator and {self.generator_updates} generator updates in a step.",
                "Expected at least 1 update of each player.",
                "Set n_critic and generator_updates to 1 or more.",
            )
        if self.name not in ALTERNATING_RULES and self.updates_per_step != 2:
            raise ConfigError(
                "training",
                f"{self.name} updates with {self.n_critic} discriminator and {self.generator_updates} generator updates "
                "in a step.",
                f"The rule '{self.name}' updates both players once, from gradients at the same weights.",
                "Set n_critic and generator_updates to 1, or 'update_rule: alternating'.",
            )
        if not 0 <= self.consensus_weight < math.inf:
            raise ConfigError(
                "training.consensus_weight",
                f"{self.consensus_weight} is not a weight.",
                "Expected a finite number of 0 or more.",
                "A negative weight would increase the disagreement.",
            )

    @property
    def updates_per_step(self) -> int:
        """Batches that one step needs: one for each update."""
        return self.n_critic + self.generator_updates


UPDATE_RULES: tuple[str, ...] = get_args(UpdateRuleName)
ALTERNATING_RULES = frozenset({"alternating", "alternating_consensus"})

PREVIOUS_UPDATE = "previous_update."
"""Prefix of the entries that optimistic play keeps in `Player.memory`, before the parameter's name."""


class LivePosition(Position):
    """A position whose generated samples still hang on the generator, so that a gradient's slope reaches both players.

    Args:
        discriminator: maps samples to logits; class labels are bound already.
        real: shape `(batch, *sample_shape)`.
        fake: the same shape, not detached.
        randomness: the stream that penalties which draw points draw from.
        group: the processes that play together.

    Penalties that take points between or around detached samples (WGAN-GP, DRAGAN) count as independent of the
    generator here, as they do in every other turn.
    """

    def __init__(
        self,
        discriminator: Callable[[Samples], Logits],
        real: Samples,
        fake: Samples,
        *,
        randomness: torch.Generator | None = None,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        self.discriminator = discriminator
        self.group = group
        self.randomness = randomness
        self.real = real.detach().requires_grad_(True)
        self.fake = fake
        self.real_logits = discriminator(self.real)
        self.fake_logits = discriminator(fake)
        self._gradients: dict[str, Samples] = {}
        self._joined = None


def extrapolate(players: Sequence[Player]) -> list[list[Tensor]]:
    """Let every player's optimiser make its move with the gradients that are there; where they all stood before.

    The optimisers' own state (moments, momentum) is brought up to date here and again in the real move, as in the
    source's Algorithm 4.

    Reference:
        Korpelevich 1976; Gidel et al. 2019, arXiv:1802.10551, Algorithm 4.
    """
    stood = [[parameter.detach().clone() for parameter in player.parameters] for player in players]
    for player in players:
        player.update()
    return stood


@torch.no_grad()
def go_back(players: Sequence[Player], stood: Sequence[Sequence[Tensor]]) -> None:
    """Put every player where it stood; the gradients that are there stay."""
    for player, places in zip(players, stood, strict=True):
        for parameter, place in zip(player.parameters, places, strict=True):
            parameter.copy_(place)


@torch.no_grad()
def optimistic_update(player: Player) -> None:
    r"""Move by twice the optimiser's update less its previous one, and remember this one.

    .. math::
        w \leftarrow w + 2 u_t - u_{t-1}, \qquad u_t = \text{the optimiser's update, e.g. } -h\, v(w_t)

    The first step, which has no predecessor, is the plain update. `player.memory` holds `u_t` per parameter, under
    `previous_update.<name>`; a checkpoint has to store it.

    Numerics:
        `u_t` is the difference of two parameters, so it carries their rounding error: in float32 1e-7 of the weight.

    Reference:
        Daskalakis et al. 2018, arXiv:1711.00141, Eq. 3 and Algorithm 1 (optimistic Adam).
    """
    named = {name: parameter for name, parameter in player.network.named_parameters() if parameter.requires_grad}
    before = {name: parameter.clone() for name, parameter in named.items()}
    player.update()
    for name, parameter in named.items():
        update = parameter - before[name]
        previous = player.memory.get(PREVIOUS_UPDATE + name, update)
        parameter.add_(update - previous)
        player.memory[PREVIOUS_UPDATE + name] = update


def consensus_gradients(
    players: tuple[Player, Player],
    losses: tuple[Scalar, Scalar],
    *,
    weight: float,
    group: ProcessGroup = SINGLE_PROCESS,
) -> tuple[list[Tensor], list[Tensor]]:
    r"""Each player's gradient plus that of the disagreement, which both share.

    .. math::
        v_i + \kappa \nabla_{w_i} \tfrac12 |v|^2, \qquad v_i = \nabla_{w_i} L_i

    Args:
        players: discriminator and generator.
        losses: theirs, differentiable in the parameters of both (see `LivePosition`).
        weight: kappa.
        group: the processes that play together.

    Returns:
        One tensor per parameter, for each player; of several processes, each gets its part of the sum.

    Reference:
        Mescheder, Nowozin, Geiger 2017, arXiv:1705.10461, Algorithm 2.
    """
    fields = [
        torch.autograd.grad(loss, player.parameters, create_graph=True, allow_unused=True, materialize_grads=True)
        for player, loss in zip(players, losses, strict=True)
    ]
    if group.is_single_process:
        disagreement = weight / 2 * sum(part.square().sum() for part in (*fields[0], *fields[1]))
    else:
        # Half the slope of |v|^2 is that of v . v_fixed; each process holds its part of v, and all know the sum.
        parts = (*fields[0], *fields[1])
        sums = group.all_reduce_tensors([part.detach() for part in parts])
        disagreement = weight * sum((part * whole).sum() for part, whole in zip(parts, sums, strict=True))
    everything = (*players[0].parameters, *players[1].parameters)
    if isinstance(disagreement, Tensor) and disagreement.requires_grad:
        slopes = torch.autograd.grad(disagreement, everything, allow_unused=True, materialize_grads=True)
    else:  # a field that is the same everywhere has no slope
        slopes = tuple(torch.zeros_like(parameter) for parameter in everything)
    summed = [own.detach() + slope for own, slope in zip((*fields[0], *fields[1]), slopes, strict=True)]
    count = len(players[0].parameters)
    return summed[:count], summed[count:]


def set_gradients(player: Player, gradients: Sequence[Tensor]) -> None:
    """Give the player's optimiser these gradients."""
    for parameter, gradient in zip(player.parameters, gradients, strict=True):
        parameter.grad = gradient
