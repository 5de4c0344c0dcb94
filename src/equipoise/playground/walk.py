"""One iteration, walked: every box of one real step with its shapes, its numbers, and the formula they go into.

Hooks on the networks and optimizers of a game record one `train_step` as it happens; nothing is computed again. A step
is a list of passes: in each, samples are made, scored and turned into a loss. Then comes an update, of one player or of
both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor

from equipoise.game import Player
from equipoise.objectives.base import Objective
from equipoise.penalties.base import ForwardPass, Penalty

ROWS = 8
"""Samples of a batch whose numbers are shown; the others are only counted."""
Role = Literal["discriminator", "generator"]


@dataclass
class Pass:
    """Samples through both networks into one loss.

    Attributes:
        player: whose loss it is.
        latents: shape `(batch, latents)`.
        fake: shape `(batch, 2)`.
        fake_is_attached: whether a gradient can flow into the generator.
        real: shape `(batch, 2)`; `None` where the loss has no real sample in it.
        real_logits: shape `(batch,)`.
        fake_logits: shape `(batch,)`.
        terms: by name (real, fake, generator), what the objective made of each sample's margin.
        penalties: mean of each penalty by name, and its weight.
        to_samples: the loss's gradient in each generated sample, as it flowed back. Shape `(batch, 2)`.
    """

    player: Role = "discriminator"
    latents: Tensor | None = None
    fake: Tensor | None = None
    fake_is_attached: bool = False
    real: Tensor | None = None
    real_logits: Tensor | None = None
    fake_logits: Tensor | None = None
    terms: dict[str, Tensor] = field(default_factory=dict)
    penalties: dict[str, tuple[float, float]] = field(default_factory=dict)
    to_samples: Tensor | None = None


@dataclass(frozen=True)
class Layer:
    """A weight matrix or bias, and the length of its gradient."""

    name: str
    shape: tuple[int, ...]
    gradient_norm: float


@dataclass(frozen=True)
class Update:
    """An optimizer step.

    Attributes:
        player: whose weights moved.
        layers: with their gradients.
        learning_rate: in use.
        change: distance between the weights before and after.
        change_of_other: the same for the other player during this update: 0.
    """

    player: Role
    layers: tuple[Layer, ...]
    learning_rate: float
    change: float
    change_of_other: float


class Recorder:
    """Collects passes and updates, in their order, while a step is made inside `recording`."""

    def __init__(self) -> None:
        self.events: list[Pass | Update] = []

    @property
    def current(self) -> Pass:
        """The pass that is being made."""
        for event in reversed(self.events):
            if isinstance(event, Pass):
                return event
        raise AssertionError("no pass has begun")

    @contextmanager
    def recording(self, discriminator: Player, generator: Player) -> Iterator[None]:
        """Hooks on both players, taken off at the end whatever happens."""
        handles = [
            generator.network.register_forward_hook(self._made),
            discriminator.network.register_forward_hook(self._scored),
        ]
        roles: tuple[tuple[Role, Player, Player], ...] = (
            ("discriminator", discriminator, generator),
            ("generator", generator, discriminator),
        )
        for role, own, other in roles:
            before, after = self._update_hooks(role, own, other)
            handles += [own.optimizer.register_step_pre_hook(before), own.optimizer.register_step_post_hook(after)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def objective(self, objective: Objective) -> Objective:
        """The same objective, whose terms are recorded."""

        def recorded(name: str, player: Role, term: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
            def compute(margins: Tensor) -> Tensor:
                result = term(margins)
                self.current.player = player
                self.current.terms[name] = result.detach()
                return result

            return compute

        def optional(name: str, player: Role, term: Callable[[Tensor], Tensor] | None) -> Any:
            return None if term is None else recorded(name, player, term)

        return replace(
            objective,
            real_term=recorded("real", "discriminator", objective.real_term),
            fake_term=optional("fake", "discriminator", objective.fake_term),
            generator_fake_term=recorded("generator", "generator", objective.generator_fake_term),
            generator_real_term=optional("generator_real", "generator", objective.generator_real_term),
        )

    def penalty(self, penalty: Penalty) -> Penalty:
        """The same penalty, whose mean is recorded."""

        def per_sample(forward: ForwardPass) -> Tensor:
            result = penalty.per_sample(forward)
            self.current.penalties[penalty.name] = (float(result.detach().mean()), penalty.weight)
            return result

        return replace(penalty, per_sample=per_sample)

    def _made(self, module: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        del module
        begun = Pass(latents=inputs[0].detach(), fake=output.detach(), fake_is_attached=output.requires_grad)
        self.events.append(begun)
        if output.requires_grad:

            def flowed(gradient: Tensor) -> None:
                begun.to_samples = gradient.detach().clone()

            output.register_hook(flowed)

    def _scored(self, module: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        del module
        made, samples, logits = self.current, inputs[0].detach(), output.detach()
        assert made.fake is not None
        count = len(made.fake)
        if len(samples) == 2 * count and made.fake_logits is None:
            made.real, made.real_logits, made.fake_logits = samples[:count], logits[:count], logits[count:]
        elif made.fake_logits is None and torch.equal(samples, made.fake):
            made.fake_logits = logits
        elif made.real_logits is None:
            made.real, made.real_logits = samples, logits

    def _update_hooks(self, role: Role, own: Player, other: Player) -> tuple[Callable[..., None], Callable[..., None]]:
        held: list[Any] = []

        def before(*_: object) -> None:
            layers = tuple(
                Layer(name, tuple(weight.shape), float(torch.linalg.vector_norm(weight.grad)))
                for name, weight in own.network.named_parameters()
                if weight.grad is not None
            )
            held[:] = [layers, _weights(own), _weights(other)]

        def after(*_: object) -> None:
            layers, own_before, other_before = held
            change = float((_weights(own) - own_before).norm())
            change_of_other = float((_weights(other) - other_before).norm())
            self.events.append(Update(role, layers, own.learning_rate, change, change_of_other))

        return before, after


def _weights(player: Player) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in player.parameters]).clone()
