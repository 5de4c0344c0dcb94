"""The state of training after a step: what handlers read and checkpoints store, once all of it is known to be finite.

A gradient that is finite may still have a square that is not: an optimizer's moments can become infinite while losses
and weights are not. Such a state is never stored, because whoever resumes from it trains on with a dead weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.augmentation import Augmentation, StepAugmentation
from equipoise.errors import PlayDiverged
from equipoise.game.player import Player
from equipoise.objectives.base import Objective
from equipoise.penalties.base import Penalty
from equipoise.training.batches import BatchSource
from equipoise.training.plan import Plan


@dataclass(frozen=True)
class TrainingState:
    """Training after a step. The players are those that train: whoever reads them must not change them.

    Attributes:
        step: steps taken so far.
        seconds: training time so far, without what handlers do.
        memories: what penalties and the augmentation remember from step to step, by their names in a checkpoint.
        learning_rate: factor on both players' learning rates in the step taken last.
        gamma: factor on the weight of the zero-centred penalties in that step.
        lr_backoff: factor on both learning rates for the rest of the run; each rollback lowers it.
        rollbacks: a record of each time that training was put back to a checkpoint.
    """

    step: int
    seconds: float
    plan: Plan
    discriminator: Player
    generator: Player
    objective: Objective
    batches: BatchSource
    penalties: Sequence[Penalty]
    augmentation: Augmentation | None
    memories: Mapping[str, Mapping[str, Tensor]]
    learning_rate: float
    gamma: float
    lr_backoff: float
    rollbacks: Sequence[Mapping[str, Any]]

    @property
    def players(self) -> dict[str, Player]:
        """Both players by their names."""
        return {"discriminator": self.discriminator, "generator": self.generator}

    @property
    def sampled_generator(self) -> nn.Module:
        """The network that samples are drawn from: the averaged weights, where they are kept."""
        average = self.generator.average
        return self.generator.network if average is None else average.network

    def augmentation_with(self, seed: int) -> StepAugmentation | None:
        """The augmentation as in the step taken last, with randomness of another seed; `None` without one."""
        if self.augmentation is None:
            return None
        return StepAugmentation(
            self.augmentation,
            seed=seed,
            step=max(self.step - 1, 0),
            total=self.plan.scheduled_steps,
            device=self.batches.real.device,
        )


def tensors_of(player: Player) -> dict[str, Tensor]:
    """What a player holds: weights, the memory of its update rule, moments of its optimizer, averaged weights."""
    tensors = {**player.network.state_dict(), **prefixed("memory", player.memory)}
    for index, entries in player.optimizer.state_dict()["state"].items():
        numbers = {key: torch.as_tensor(value) for key, value in entries.items()}
        tensors.update(prefixed(f"optimiser.{index}", numbers))
    if player.average is not None:
        tensors.update(prefixed("average", player.average.network.state_dict()))
    return tensors


def require_finite(players: Mapping[str, Player], memories: Mapping[str, Mapping[str, Tensor]], *, step: int) -> None:
    """Make sure that a state may be stored; waits for the device, once.

    Many processes hold the same state and call this alike: all of them raise, or none.

    Args:
        players: by their names.
        memories: what penalties and the augmentation remember, by their names in a checkpoint.
        step: that was taken last.

    Raises:
        PlayDiverged: a tensor is infinite or NaN; names the player and the parameter it belongs to.
    """
    states = {name: tensors_of(player) for name, player in players.items()}
    states |= {owner: dict(memory) for owner, memory in memories.items()}
    # In order of the names, so that the weights themselves come before what is computed from them.
    marks = [(owner, name, _is_finite(tensor)) for owner, state in states.items() for name, tensor in state.items()]
    if not marks or bool(torch.stack([mark.to(marks[0][2].device) for *_, mark in marks]).all()):
        return
    broken = [(owner, name) for owner, name, mark in marks if not bool(mark)]
    owner, name = broken[0]
    player = players.get(owner)
    layer = None if player is None else _layer(player, name)
    others = f", and so {'is' if len(broken) == 2 else 'are'} {len(broken) - 1} more" if len(broken) > 1 else ""
    of = "" if layer is None or layer in name else f" of '{layer}'"
    raise PlayDiverged(
        f"step {step}",
        f"the {owner}'s '{name}'{of} is infinite or NaN{others}.",
        "Expected finite numbers: such a state is not stored.",
        "The last checkpoint is intact. Train again with a lower learning rate, "
        "e.g. --set optimizers.generator.learning_rate=0.0005.",
        step=step,
        player=owner if player is not None else None,
        layer=layer,
    )


def prefixed(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors with a word and a dot before their names."""
    return {f"{prefix}.{name}": tensor for name, tensor in state.items()}


def _is_finite(tensor: Tensor) -> Tensor:
    return torch.isfinite(tensor.detach()).all()


def _layer(player: Player, name: str) -> str | None:
    """The parameter that a tensor is or belongs to; `None` where it belongs to none."""
    weights = [weight for weight, parameter in player.network.named_parameters() if parameter.requires_grad]
    kind, _, rest = name.partition(".")
    if kind == "optimiser":
        index = int(rest.partition(".")[0])
        return weights[index] if index < len(weights) else None
    if kind == "average":
        return rest
    return name if name in weights else None
