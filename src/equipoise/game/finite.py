r"""From the first loss, gradient or weight that is infinite or NaN on, no player is updated, and nobody waits.

Before each optimizer step the player's gradients are checked; after a training step, both losses. The first number
that is not finite sets a mark that stays set, and from then on every update is skipped: the weights stay what they
were, so that nothing is lost by learning of it late.

- On the CPU numbers can be read at once: the mark is a Python value, and an update is simply not made.
- On a device the mark stays there. Optimizers that know `found_inf` (torch's fused ones, for the sake of its
  `GradScaler`) leave weights and moments alone where it is 1; the updates of others are undone by `torch.where`. An
  asynchronous copy of the mark is started after each step, and read when it has arrived, usually a step later.

Weights that are not finite by themselves (a broken memory, an update that overflows) give losses and gradients that
are not finite at the next update. Then the weights are named, as the cause.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

Kind = Literal["weight", "gradient", "loss"]
KINDS: tuple[Kind, ...] = ("weight", "gradient", "loss")
ROLES = ("discriminator", "generator")


class Guarded(Protocol):
    """What is watched of a player."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    parameters: tuple[nn.Parameter, ...]
    guard: FiniteUpdates | None


@dataclass(frozen=True)
class NonFinite:
    """The first number that was not finite.

    Attributes:
        step: in which it was, counted from 1.
        player: discriminator or generator.
        kind: a weight, a gradient or a loss.
        layer: name of the parameter; `None` for a loss.
    """

    step: int
    player: str
    kind: Kind
    layer: str | None = None

    def __str__(self) -> str:
        of = "" if self.layer is None else f" of '{self.layer}'"
        return f"the {self.player}'s {self.kind}{of} is infinite or NaN"


class FiniteUpdates:
    """Makes the updates of both players while everything is finite; each player's `guard` is set to it.

    Args:
        discriminator: a player.
        generator: the other.
        device: where the mark lives.
        reads_at_once: whether numbers can be read without waiting; by default on the CPU only.

    Attributes:
        step: the present training step, counted from 1; set by whoever trains.
    """

    def __init__(
        self, discriminator: Guarded, generator: Guarded, *, device: torch.device, reads_at_once: bool | None = None
    ) -> None:
        self.players = (discriminator, generator)
        self.device = device
        self.reads_at_once = device.type == "cpu" if reads_at_once is None else reads_at_once
        self.step = 1
        for player in self.players:
            player.guard = self
        self.reset()

    def reset(self) -> None:
        """Forget what was found: training goes on from another state."""
        self._found: NonFinite | None = None
        # The mark; step, role, kind, and the index of the number among all of the player's gradients.
        self._state = torch.zeros(5, dtype=torch.float64, device=self.device)
        self._mark = torch.zeros((), device=self.device)
        self._copy = AsyncCopy(self._state)

    def update(self, player: Guarded) -> None:
        """Make the player's optimizer step, unless something is or was not finite."""
        if not self.reads_at_once:
            self._update_unless_marked(player)
        elif self._found is None:
            # NaN and infinities pass through a sum; finite gradients whose sum overflows are of no use either.
            total = sum(parameter.grad.sum().item() for parameter in player.parameters if parameter.grad is not None)
            if math.isfinite(total):
                player.optimizer.step()
            else:
                broken = (name for name, weight in _weights(player) if not _is_finite(weight.grad))
                self._found = self._cause(player, "gradient", next(broken, None))

    def check_losses(self, discriminator_loss: Tensor, generator_loss: Tensor) -> None:
        """Check the losses of a step, and start a copy of the mark to the host."""
        losses = (discriminator_loss, generator_loss)
        if not self.reads_at_once:
            for role, loss in enumerate(losses):
                self._mark_unless(loss.isfinite(), role, "loss", torch.zeros_like(self._state[0]))
            self._copy.start()
            return
        for player, loss in zip(self.players, losses, strict=True):
            if self._found is None and not math.isfinite(loss.item()):
                self._found = self._cause(player, "loss", None)

    def is_known_nonfinite(self) -> bool:
        """Whether it has arrived here that something was not finite; never waits."""
        return self._found is not None if self.reads_at_once else self._copy.has_arrived_set()

    def first_nonfinite(self) -> NonFinite | None:
        """The first number that was not finite, known here yet or not; waits for the device."""
        if self.reads_at_once:
            return self._found
        mark, step, role, kind, index = self._state.tolist()
        if mark == 0.0:
            return None
        player = self.players[int(role)]
        layer = _owner(player, int(index)) if KINDS[int(kind)] == "gradient" else None
        self.step = int(step)
        return self._cause(player, KINDS[int(kind)], layer)

    def _cause(self, player: Guarded, kind: Kind, layer: str | None) -> NonFinite:
        """What was found, or its cause: weights that are not finite, of this player or of the other, come first."""
        for candidate in (player, *self.players):
            broken = next((name for name, weight in _weights(candidate) if not _is_finite(weight)), None)
            if broken is not None:
                return NonFinite(self.step, self._role(candidate), "weight", broken)
        return NonFinite(self.step, self._role(player), kind, layer)

    def _role(self, player: Guarded) -> str:
        return ROLES[0] if player is self.players[0] else ROLES[1]

    def _update_unless_marked(self, player: Guarded) -> None:
        gradients = [parameter.grad for parameter in player.parameters if parameter.grad is not None]
        if gradients:
            finite = torch.cat([gradient.reshape(-1) for gradient in gradients]).isfinite()
            first = torch.argmin(finite.to(torch.uint8))  # of equal ones the first
            self._mark_unless(finite.all(), ROLES.index(self._role(player)), "gradient", first)
        optimizer = player.optimizer
        if getattr(optimizer, "_step_supports_amp_scaling", False):  # what GradScaler asks before it does the same
            optimizer.grad_scale, optimizer.found_inf = None, self._mark
            optimizer.step()
            return
        before = _contents(optimizer)
        optimizer.step()
        is_marked = self._mark > 0
        with torch.no_grad():
            for tensor, content in before:
                tensor.copy_(torch.where(is_marked, content, tensor))

    def _mark_unless(self, is_finite: Tensor, role: int, kind: Kind, index: Tensor) -> None:
        numbers = (1.0, float(self.step), float(role), float(KINDS.index(kind)))
        # Filled there: nothing is sent to the device.
        filled = [torch.full((), number, dtype=torch.float64, device=self.device) for number in numbers]
        is_first = ~is_finite & (self._state[0] == 0)
        self._state.copy_(torch.where(is_first, torch.stack([*filled, index.to(torch.float64)]), self._state))
        self._mark.copy_(self._state[0])


class AsyncCopy:
    """Copies a small tensor to the host without waiting, one copy at a time.

    Args:
        source: on any device; its first entry is the mark, which stays set.
    """

    def __init__(self, source: Tensor) -> None:
        self.source = source
        self._is_cuda = source.device.type == "cuda"
        self._host = torch.zeros_like(source, device="cpu", pin_memory=self._is_cuda)
        self._arrival = torch.cuda.Event() if self._is_cuda else None
        self._is_under_way = self._is_set = False

    def start(self) -> None:
        """Start a copy, unless one is still under way: the mark stays set, so that the next copy shows it, too."""
        self.has_arrived_set()
        if self._is_under_way:
            return
        self._host.copy_(self.source, non_blocking=self._is_cuda)
        if self._arrival is not None:
            self._arrival.record()
        self._is_under_way = True

    def has_arrived_set(self) -> bool:
        """Whether the mark was set in a copy that has arrived."""
        if self._is_under_way and (self._arrival is None or self._arrival.query()):
            self._is_set = self._is_set or bool(self._host[0] > 0)
            self._is_under_way = False
        return self._is_set


def _is_finite(tensor: Tensor | None) -> bool:
    return tensor is None or bool(tensor.isfinite().all())


def _owner(player: Guarded, index: int) -> str | None:
    """The parameter that holds element `index` of all gradients in a row."""
    for name, weight in _weights(player):
        if index < weight.numel():
            return name
        index -= weight.numel()
    return None


def _weights(player: Guarded) -> list[tuple[str, Tensor]]:
    return [(name, weight) for name, weight in player.network.named_parameters() if weight.requires_grad]


def _contents(optimizer: torch.optim.Optimizer) -> Sequence[tuple[Tensor, Tensor]]:
    """The weights and moments that a step changes, each with a copy of what it holds now."""
    tensors = [weight for group in optimizer.param_groups for weight in group["params"]]
    tensors += [entry for state in optimizer.state.values() for entry in state.values() if isinstance(entry, Tensor)]
    return [(tensor, tensor.detach().clone()) for tensor in tensors]
