"""A player of the game: a network, its optimizer, and (for the generator) the EMA of its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.game.ema import AveragedWeights
from equipoise.game.finite import FiniteUpdates
from equipoise.shapes import Generated, Labels, Latents, precise


@dataclass
class Player:
    """One of the two players.

    Attributes:
        network: a generator, called as `network(latents)` or `network(latents, labels)`, or a discriminator,
            called as `network(samples)` or `network(samples, labels)` and returning logits of shape `(batch,)`.
            A generator may have a method `weighted_samples` of the same arguments; see `generate`.
        optimizer: any torch optimizer over the network's parameters.
        average: the EMA of the weights, which samples are drawn from; `None` keeps none.
        autocast: run the network's forward pass in this precision (bf16 on a GPU); losses stay in float32.
        memory: what an update rule remembers from step to step, by name; empty for most. A checkpoint stores it.
        guard: skips updates from the first infinity or NaN on; `None` never skips one.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    average: AveragedWeights | None = None
    autocast: torch.dtype | None = None
    memory: dict[str, Tensor] = field(default_factory=dict)
    guard: FiniteUpdates | None = field(default=None, repr=False, compare=False)
    parameters: tuple[nn.Parameter, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.parameters = tuple(parameter for parameter in self.network.parameters() if parameter.requires_grad)
        self._base_rates = tuple(group["lr"] for group in self.optimizer.param_groups)

    def __call__(self, inputs: Tensor, labels: Tensor | None = None) -> Tensor:
        """The network's output for a batch, given class labels if the game is conditional."""
        return self._called(self.network, inputs, labels)

    def generate(self, latents: Latents, labels: Labels | None = None) -> Generated:
        """A generator's samples as its losses take them.

        A generator that has the method `weighted_samples` may draw samples as it likes to be trained, each with an
        importance weight; called as a function, it draws them by its own density.
        """
        return self._called(getattr(self.network, "weighted_samples", self.network), latents, labels)

    def _called(self, network: Callable[..., Any], inputs: Tensor, labels: Tensor | None) -> Any:
        arguments = (inputs,) if labels is None else (inputs, labels)
        if self.autocast is None:
            return network(*arguments)
        with torch.autocast(inputs.device.type, dtype=self.autocast):
            return network(*arguments)

    def with_input_gradient(self, samples: Tensor) -> tuple[Tensor, Tensor] | None:
        """A discriminator's logits and their gradients in the samples, if its network knows them; see
        `networks.input_gradient`."""
        known = getattr(self.network, "with_input_gradient", None)
        return None if known is None or self.autocast is not None else known(samples)

    @property
    def to_read_units(self) -> Callable[[Tensor], Tensor] | None:
        """From a discriminator's input gradients to the units in which it reads samples, if its network has some."""
        return getattr(self.network, "to_read_units", None)

    def update(self) -> None:
        """Apply the gradients that are there, then forget them."""
        lay_out_like_weights(self.parameters)
        if self.guard is None:
            self.optimizer.step()
        else:
            self.guard.update(self)
        for parameter in self.parameters:  # what zero_grad does, without its bookkeeping
            parameter.grad = None

    def scale_learning_rate(self, decay: float, *, scale: float = 1.0) -> None:
        """Set each parameter group's learning rate to a multiple of the one it was made with.

        Args:
            decay: of a schedule; a group whose `floor` is higher stays at that.
            scale: a factor on the rates of all groups, floors included: a warm-up, or the caution after a rollback.
        """
        for group, base in zip(self.optimizer.param_groups, self._base_rates, strict=True):
            rate = base * (max(decay, group.get("floor", 0.0)) * scale)
            if isinstance(group["lr"], Tensor):  # a compiled or captured optimizer keeps it on the device
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    @property
    def learning_rate(self) -> float:
        """The learning rate of the first parameter group, as it is now."""
        return float(self.optimizer.param_groups[0]["lr"])

    def gradient_norm(self) -> Tensor:
        """Euclidean norm of the gradients that are there, float32, as a tensor on the device."""
        return total_norm([parameter.grad for parameter in self.parameters if parameter.grad is not None])


def lay_out_like_weights(parameters: Sequence[nn.Parameter]) -> None:
    """Give every gradient the memory layout of its weight, by a copy where it has another.

    A fused optimizer on the CPU walks through both in the order of memory (seen in torch 2.13): a gradient with other
    strides then moves other weights than its own, and nothing is said. `backward` lays gradients out like their
    weights; `torch.autograd.grad` does not, as after double backward through a linear layer, nor does code of a
    person's own that sets `.grad`.
    """
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is not None and gradient.stride() != parameter.stride():
            parameter.grad = torch.empty_like(parameter).copy_(gradient)


def total_norm(tensors: Sequence[Tensor]) -> Tensor:
    """Euclidean norm of several tensors taken as one vector, in float32 at least; 0 for none."""
    if not tensors:
        return torch.zeros(())
    return torch.stack([torch.linalg.vector_norm(precise(tensor)) for tensor in tensors]).norm()
