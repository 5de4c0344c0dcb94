r"""No player moves on a loss, a gradient or weights that are infinite or NaN, and nobody waits for the device to know.

Each turn, before the optimiser moves, the gradients of the player are looked at; after a step, both losses are. The
first thing that is not finite sets a mark that stays set, and from then on no player moves: the weights stay what they
were when it happened, so that nothing is lost by learning of it late.

- On the CPU numbers are at hand: the mark is a Python value, and a masked move is simply not made.
- On a device the mark stays there. Optimisers that know `found_inf` (torch's fused ones, for the sake of its
  `GradScaler`) leave weights and moments alone where it is 1; the moves of others are taken back by `torch.where`. A
  copy of the mark starts on its way to the host after each step, and is read when it has arrived, usually a step later.

Weights that are not finite by themselves (a broken memory, an update that overflows) give losses and gradients that
are not finite in the next turn; when that happens, weights are looked at first: the cause is named, not its effect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from equipoise.game.player import Player

Kind = Literal["weight", "gradient", "loss"]
KINDS: tuple[Kind, ...] = ("weight", "gradient", "loss")
ROLES = ("discriminator", "generator")
_CLEAR = (0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class NonFinite:
    """The first thing that was not finite.

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
    """Watches both players' moves; attach it by making it, with `player.moves` of both set to it.

    Args:
        discriminator: a player.
        generator: the other.
        device: where the mark lives.
        reads_at_once: whether numbers are at hand; by default on the CPU only.
    """

    def __init__(
        self, discriminator: Player, generator: Player, *, device: torch.device, reads_at_once: bool | None = None
    ) -> None:
        self.players = (discriminator, generator)
        self.device = device
        self.reads_at_once = device.type == "cpu" if reads_at_once is None else reads_at_once
        self.step = 1
        self._trouble: NonFinite | None = None
        # Step, role, kind, index of the element among all of the player's gradients; behind the mark itself.
        self._state = torch.tensor(_CLEAR, dtype=torch.float64, device=device)
        self._mark = torch.zeros((), device=device)
        self._courier = AsyncCopy(self._state)
        for player in self.players:
            player.moves = self

    def clear(self) -> None:
        """Forget what was found: play goes on from another state."""
        self._trouble = None
        self._state.zero_()
        self._mark.zero_()
        self._courier = AsyncCopy(self._state)

    def move(self, player: Player) -> None:
        """Let the player's optimiser move, unless something is or was not finite."""
        if not self.reads_at_once:
            self._move_unless_marked(player)
        elif self._trouble is None:
            # NaN and infinities pass through a sum; finite gradients whose sum overflows are of no use either.
            total = sum(parameter.grad.sum().item() for parameter in player.parameters if parameter.grad is not None)
            if math.isfinite(total):
                player.optimizer.step()
            else:
                self._trouble = self._found(player, "gradient", _first_bad_gradient(player))

    def watch(self, discriminator_loss: Tensor, generator_loss: Tensor) -> None:
        """Look at the losses of a step, and let what was found set out for the host."""
        losses = (discriminator_loss, generator_loss)
        if self.reads_at_once:
            if self._trouble is None:
                for player, loss in zip(self.players, losses, strict=True):
                    if not math.isfinite(loss.item()):
                        self._trouble = self._found(player, "loss", None)
                        return
            return
        for role, loss in enumerate(losses):
            self._mark_unless(loss.isfinite(), role, "loss", self._constant(0.0))
        self._courier.send()

    def noticed(self) -> bool:
        """Whether it is known here that something was not finite. Never waits."""
        return self._trouble is not None if self.reads_at_once else self._courier.has_brought_bad_news()

    def trouble(self) -> NonFinite | None:
        """The first thing that was not finite, with what has not arrived yet; waits for the device."""
        if self.reads_at_once:
            return self._trouble
        mark, step, role, kind, index = self._state.tolist()
        if mark == 0.0:
            return None
        player = self.players[int(role)]
        layer = _owner(player, int(index)) if KINDS[int(kind)] == "gradient" else None
        self.step = int(step)
        return self._found(player, KINDS[int(kind)], layer)

    def _found(self, player: Player, kind: Kind, layer: str | None) -> NonFinite:
        """The trouble with its cause: weights that are not finite, of this player or of the other, come first."""
        for candidate in (player, *self.players):
            broken = next((name for name, weight in _weights(candidate) if not bool(weight.isfinite().all())), None)
            if broken is not None:
                return NonFinite(self.step, self._role(candidate), "weight", broken)
        return NonFinite(self.step, self._role(player), kind, layer)

    def _role(self, player: Player) -> str:
        return ROLES[0] if player is self.players[0] else ROLES[1]

    def _move_unless_marked(self, player: Player) -> None:
        gradients = [parameter.grad for parameter in player.parameters if parameter.grad is not None]
        if gradients:
            finite = torch.cat([gradient.reshape(-1) for gradient in gradients]).isfinite()
            role = ROLES.index(self._role(player))
            first = torch.argmin(finite.to(torch.uint8))  # of equal ones the first
            self._mark_unless(finite.all(), role, "gradient", first)
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

    def _mark_unless(self, is_fine: Tensor, role: int, kind: Kind, index: Tensor) -> None:
        numbers = (1.0, float(self.step), float(role), float(KINDS.index(kind)))
        found = torch.stack([*(self._constant(number) for number in numbers), index.to(torch.float64)])
        is_news = ~is_fine & (self._state[0] == 0)
        self._state.copy_(torch.where(is_news, found, self._state))
        self._mark.copy_(self._state[0])

    def _constant(self, number: float) -> Tensor:
        return torch.full((), number, dtype=torch.float64, device=self.device)  # filled there: nothing is sent


class AsyncCopy:
    """Brings a small tensor to the host without anybody waiting: one copy is under way at a time.

    Args:
        source: on any device. What was under way when it last arrived is what is known.
    """

    def __init__(self, source: Tensor) -> None:
        self.source = source
        self._is_cuda = source.device.type == "cuda"
        self._host = torch.zeros_like(source, device="cpu", pin_memory=self._is_cuda)
        self._arrival = torch.cuda.Event() if self._is_cuda else None
        self._is_under_way = self._is_bad = False

    def send(self) -> None:
        """Start a copy, unless one is still under way: the mark stays set, so that the next one brings it too."""
        if not self._receives():
            return
        self._host.copy_(self.source, non_blocking=self._is_cuda)
        if self._arrival is not None:
            self._arrival.record()
        self._is_under_way = True

    def has_brought_bad_news(self) -> bool:
        """Whether what has arrived says that the mark is set."""
        self._receives()
        return self._is_bad

    def _receives(self) -> bool:
        """Read what has arrived, if anything has; whether nothing is under way."""
        if self._is_under_way and self._has_arrived():
            self._is_bad = self._is_bad or bool(self._host[0] > 0)
            self._is_under_way = False
        return not self._is_under_way

    def _has_arrived(self) -> bool:
        return self._arrival is None or self._arrival.query()


def _first_bad_gradient(player: Player) -> str | None:
    found = (name for name, weight in _weights(player) if weight.grad is not None and not weight.grad.isfinite().all())
    return next(found, None)


def _owner(player: Player, index: int) -> str | None:
    """The parameter that holds element `index` of all gradients in a row."""
    for name, weight in _weights(player):
        if index < weight.numel():
            return name
        index -= weight.numel()
    return None


def _weights(player: Player) -> list[tuple[str, Tensor]]:
    return [(name, weight) for name, weight in player.network.named_parameters() if weight.requires_grad]


def _contents(optimizer: torch.optim.Optimizer) -> Sequence[tuple[Tensor, Tensor]]:
    """The weights and moments that a move changes, each with a copy of what it holds now."""
    tensors = [weight for group in optimizer.param_groups for weight in group["params"]]
    tensors += [entry for state in optimizer.state.values() for entry in state.values() if isinstance(entry, Tensor)]
    return [(tensor, tensor.detach().clone()) for tensor in tensors]
