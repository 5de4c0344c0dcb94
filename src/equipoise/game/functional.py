"""Both players' gradients as pure functions of their weights: the form that `torch.compile` turns into one graph.

Formulas are those of `game.step`: the same objective, the same penalties, another derivative back end. A test compares
the two to 1e-5. A network here is a pure function of weights and samples: one that updates buffers in its
forward pass (batch statistics, power iterations) has no such form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn
from torch.func import functional_call, grad_and_value

from equipoise.objectives.base import Objective
from equipoise.penalties.base import Penalty, Side
from equipoise.penalties.functional import FunctionalForwardPass
from equipoise.shapes import Generated, Logits, PerSample, Samples, Scalar, samples_and_weights

Weights = Mapping[str, Tensor]
Gradients = dict[str, Tensor]


def discriminator_gradients(
    network: nn.Module, objective: Objective, penalties: Sequence[Penalty] = ()
) -> Callable[..., tuple[Gradients, Scalar]]:
    """A function of (weights, real, fake, penalty factor) that gives -V plus penalties and its gradient in the weights.

    Importance weights of the generated samples may follow as a fifth argument.

    Args:
        network: the discriminator, called as `network(samples)`; only its structure is used.
        objective: the two losses.
        penalties: those that draw no points (r1, r2 in their exact form, lecam).

    Returns:
        A function to call as it is or through `torch.compile`; it gives gradients by parameter name and the loss.
    """
    sides: frozenset[Side] = frozenset().union(*(penalty.differentiates for penalty in penalties))

    def loss(
        weights: Weights, real: Samples, fake: Samples, factor: float | Tensor, fake_weights: PerSample | None = None
    ) -> Scalar:
        def discriminator(samples: Samples) -> Logits:
            return functional_call(network, dict(weights), (samples,))

        forward = FunctionalForwardPass(discriminator, real, fake, differentiate=sides, fake_weights=fake_weights)
        forward.to_read_units = getattr(network, "to_read_units", None)
        total = objective.discriminator_loss(forward.real_logits, forward.fake_logits, fake_weights)
        for penalty in penalties:
            total = total + penalty.factor(factor) * penalty.per_sample(forward).mean()
        return total

    return grad_and_value(loss)


def generator_gradients(
    generator: nn.Module, discriminator: nn.Module, objective: Objective
) -> Callable[[Weights, Weights, Tensor, Samples], tuple[Gradients, Scalar]]:
    """A function of (generator's weights, discriminator's weights, latents, real) to the gradients in the first, and
    the loss.

    Args:
        generator: called as `generator(latents)`, or by its method `weighted_samples` if it has one; only its
            structure is used.
        discriminator: called as `discriminator(samples)`; only its structure is used.
        objective: the two losses.
    """

    training = _Training(generator)

    def loss(weights: Weights, opponent: Weights, latents: Tensor, real: Samples) -> Scalar:
        own = {f"generator.{name}": weight for name, weight in weights.items()}
        fake, fake_weights = samples_and_weights(functional_call(training, own, (latents,)))
        fake_logits = functional_call(discriminator, dict(opponent), (fake,))
        # Objectives that do not use real logits are given constants, as in `game.step`.
        has_real = objective.generator_uses_real
        real_logits = functional_call(discriminator, dict(opponent), (real,)) if has_real else fake_logits.detach()
        return objective.generator_loss(real_logits, fake_logits, fake_weights)

    return grad_and_value(loss)


class _Training(nn.Module):
    """A generator whose call gives samples as its losses take them: `functional_call` knows no other method."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, latents: Tensor) -> Generated:
        return getattr(self.generator, "weighted_samples", self.generator)(latents)


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """The network's trainable weights by name, detached: what the functions above take."""
    return {name: weight.detach() for name, weight in network.named_parameters() if weight.requires_grad}


def assign_gradients(network: nn.Module, gradients: Mapping[str, Tensor]) -> None:
    """Give the network's weights these gradients, for an optimizer to step with."""
    for name, weight in network.named_parameters():
        if name in gradients:
            weight.grad = gradients[name].to(weight.dtype) if gradients[name].dtype != weight.dtype else gradients[name]
