r"""Update rules: in which order the players are updated, and what they do with their gradients.

`alternating` updates the discriminator `n_critic` times, then the generator; `simultaneous` updates both from
gradients at the same weights. Beyond these two, write `w` for both players' weights and `v(w)` for the gradient of
each player's loss in its own weights. No function has `v` as its gradient, so following it circles the equilibrium
instead of going there (THEORY, section 4). With step size `h`:

- extragradient takes the gradient at extrapolated weights: `w - h v(w - h v(w))`;
- optimistic makes twice the present update less the one before: `w - 2 h v(w) + h v(w_before)`;
- consensus also descends the squared gradient norm: `w - h (v + kappa grad |v|^2 / 2)`.

The updates are made by each player's own optimizer, whatever it is; `h v` stands for its update.
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
from equipoise.penalties.base import ForwardPass
from equipoise.shapes import Logits, PerSample, Samples, Scalar

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
        shared_batch: whether the generator's update is made with the batch of the discriminator's: the same real
            samples, and the same generated ones, which are made once. For `alternating` and `simultaneous`, with one
            update of each player: the other rules make their samples again at other weights, or from two batches.
    """

    name: UpdateRuleName = "alternating"
    n_critic: int = 1
    generator_updates: int = 1
    consensus_weight: float = 1.0
    shared_batch: bool = False

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
        if self.name not in ALTERNATING_RULES and self.n_critic + self.generator_updates != 2:
            raise ConfigError(
                "training",
                f"{self.name} updates with {self.n_critic} discriminator and {self.generator_updates} generator "
                "updates in a step.",
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
        if self.shared_batch and (self.name not in SHARING_RULES or self.n_critic + self.generator_updates != 2):
            raise ConfigError(
                "training.shared_batch",
                f"{self.name} updates with {self.n_critic} discriminator and {self.generator_updates} generator "
                "updates in a step cannot share a batch.",
                f"Expected one update of each player, and one of the rules {', '.join(sorted(SHARING_RULES))}.",
                "Set training.shared_batch to false, or 'update_rule: alternating' with n_critic and "
                "generator_updates 1.",
            )

    @property
    def updates_per_step(self) -> int:
        """Batches that one step needs: one for each update, or one for both players."""
        return 1 if self.shared_batch else self.n_critic + self.generator_updates


UPDATE_RULES: tuple[str, ...] = get_args(UpdateRuleName)
ALTERNATING_RULES = frozenset({"alternating", "alternating_consensus"})
SHARING_RULES = frozenset({"alternating", "simultaneous"})

PREVIOUS_UPDATE = "previous_update."
"""Prefix of the entries that optimistic updates keep in `Player.memory`, before the parameter's name."""


class AttachedForwardPass(ForwardPass):
    """A forward pass on samples that are not detached from the generator, as second derivatives in both players need.

    Args:
        discriminator: maps samples to logits; class labels are bound already.
        real: shape `(batch, *sample_shape)`.
        fake: the same shape, not detached.
        randomness: the stream for penalties that draw random numbers.
        group: the processes that train together.
        fake_weights: importance weights of the generated samples, not detached either.

    Penalties at points between or around detached samples (WGAN-GP, DRAGAN) do not depend on the generator here, as
    with every other update rule.
    """

    def __init__(
        self,
        discriminator: Callable[[Samples], Logits],
        real: Samples,
        fake: Samples,
        *,
        randomness: torch.Generator | None = None,
        group: ProcessGroup = SINGLE_PROCESS,
        fake_weights: PerSample | None = None,
    ) -> None:
        self.discriminator = discriminator
        self.group = group
        self.fake_weights = fake_weights
        self.randomness = randomness
        self.real = real.detach().requires_grad_(True)
        self.fake = fake
        self.real_logits = discriminator(self.real)
        self.fake_logits = discriminator(fake)
        self._gradients: dict[str, Samples] = {}
        self._both = None


def extrapolate(players: Sequence[Player]) -> list[list[Tensor]]:
    """Update every player with the gradients that are there; the weights that all had before.

    The optimizers' own state (moments, momentum) is updated here and again in the real update, as in the source's
    Algorithm 4.

    Reference:
        Korpelevich 1976; Gidel et al. 2019, arXiv:1802.10551, Algorithm 4.
    """
    weights = [[parameter.detach().clone() for parameter in player.parameters] for player in players]
    for player in players:
        player.update()
    return weights


@torch.no_grad()
def restore(players: Sequence[Player], weights: Sequence[Sequence[Tensor]]) -> None:
    """Give every player the weights that `extrapolate` returned; the gradients that are there stay."""
    for player, values in zip(players, weights, strict=True):
        for parameter, value in zip(player.parameters, values, strict=True):
            parameter.copy_(value)


@torch.no_grad()
def optimistic_update(player: Player) -> None:
    r"""Update by twice the optimizer's update less its previous one, and remember this one.

    .. math::
        w \leftarrow w + 2 u_t - u_{t-1}, \qquad u_t = \text{the optimizer's update, e.g. } -h\, v(w_t)

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
    r"""Each player's gradient plus that of the squared norm of both gradients.

    .. math::
        v_i + \kappa \nabla_{w_i} \tfrac12 |v|^2, \qquad v_i = \nabla_{w_i} L_i

    Args:
        players: discriminator and generator.
        losses: theirs, differentiable in the weights of both (see `AttachedForwardPass`).
        weight: kappa.
        group: the processes that train together.

    Returns:
        One tensor per parameter, for each player; of several processes, each gets its part of the sum.

    Reference:
        Mescheder, Nowozin, Geiger 2017, arXiv:1705.10461, Algorithm 2.
    """
    gradients = [
        torch.autograd.grad(loss, player.parameters, create_graph=True, allow_unused=True, materialize_grads=True)
        for player, loss in zip(players, losses, strict=True)
    ]
    both = (*gradients[0], *gradients[1])
    if group.is_single_process:
        penalty = weight / 2 * sum(part.square().sum() for part in both)
    else:
        # Half the gradient of |v|^2 is that of v . v_fixed; each process holds its part of v, and all know the sum.
        sums = group.all_reduce_tensors([part.detach() for part in both])
        penalty = weight * sum((part * whole).sum() for part, whole in zip(both, sums, strict=True))
    parameters = (*players[0].parameters, *players[1].parameters)
    if isinstance(penalty, Tensor) and penalty.requires_grad:
        corrections = torch.autograd.grad(penalty, parameters, allow_unused=True, materialize_grads=True)
    else:  # gradients that do not depend on the weights
        corrections = tuple(torch.zeros_like(parameter) for parameter in parameters)
    summed = [own.detach() + correction for own, correction in zip(both, corrections, strict=True)]
    count = len(players[0].parameters)
    return summed[:count], summed[count:]


def set_gradients(player: Player, gradients: Sequence[Tensor]) -> None:
    """Give the player's weights these gradients."""
    for parameter, gradient in zip(player.parameters, gradients, strict=True):
        parameter.grad = gradient
