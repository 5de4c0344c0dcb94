r"""A step of the points preset's game with all gradients in closed form: the same step in half of the time.

For small networks autograd takes longer to find the gradients than the products of matrices do. This stepper knows one
game: a `mixture_prior` generator of points against a fully connected discriminator, the pairing objective, exact R1 and
R2, one update of each player with a shared batch, in turns, in one process. Its gradients are those of `game.step`, to
the order of float32 sums; a test compares the two. Every other game is left to `EagerStepper`.

With B pairs, margins :math:`m_i = l(x_i) - l(y_i)`, fakes of importance weights :math:`\omega_i = K \pi_{k_i}`, and
R1 and R2 of weights :math:`\gamma_1, \gamma_2`, the discriminator descends

.. math::
    \frac1B \sum_i \omega_i\, \mathrm{softplus}(-m_i) + \frac{\gamma_1}{2} |\nabla l(x_i)|^2
    + \frac{\gamma_2}{2} \omega_i |\nabla l(y_i)|^2

whose derivative in :math:`l(x_i)` is :math:`-\omega_i \sigma(-m_i) / B`, that in :math:`l(y_i)` the opposite. The
generator descends :math:`\frac1B \sum_i \omega_i\, \mathrm{softplus}(m_i)`. Its derivative in the share
:math:`\pi_k` is :math:`f_k = \frac{K}{B} \sum_{i: k_i = k} \mathrm{softplus}(m_i)`, and in the logit of that share
:math:`\pi_k (f_k - \sum_j \pi_j f_j)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from equipoise.augmentation import StepAugmentation
from equipoise.game.player import Player
from equipoise.game.step import Batch, StepReport
from equipoise.game.stepper import EagerStepper
from equipoise.networks.input_gradient import Layers, activations, backward_pass, input_gradient, weight_gradients
from equipoise.networks.mixture_prior import MixturePriorGenerator
from equipoise.networks.mlp import LEAK, MLPDiscriminator
from equipoise.objectives.relativistic import relativistic
from equipoise.penalties.r1_r2 import is_exact
from equipoise.shapes import precise
from equipoise.spaces import PointSpace

PENALTIES = {"r1": "real", "r2": "fake"}
SOURCE = relativistic().source


@dataclass(frozen=True)
class ClosedFormStepper(EagerStepper):
    """Makes the steps of the game in the head of this file in closed form, and all others as `EagerStepper` does."""

    def step(
        self,
        batches: Sequence[Batch],
        *,
        penalty_factor: float | Tensor = 1.0,
        augmentation: StepAugmentation | None = None,
        measure: bool = False,
    ) -> StepReport:
        """One step on these batches; the arguments are those of `train_step`."""
        if augmentation is not None or not self.is_known:
            return super().step(batches, penalty_factor=penalty_factor, augmentation=augmentation, measure=measure)
        return self._closed_form_step(batches[0], penalty_factor, measure=measure)

    @property
    def is_known(self) -> bool:
        """Whether the game is the one of the head of this file."""
        rule, generator, discriminator = self.update_rule, self.generator.network, self.discriminator.network
        return (
            rule.name == "alternating"
            and rule.shared_batch
            and self.group.is_single_process
            and (self.objective.name, self.objective.source) == ("relativistic", SOURCE)
            and type(generator) is MixturePriorGenerator
            and type(discriminator) is MLPDiscriminator
            and discriminator.has_closed_form
            and isinstance(generator.head.space, PointSpace)
            and generator.label_embedding is None
            and self.generator.autocast is None
            and self.discriminator.autocast is None
            and all(is_exact(each) for each in self.penalties)
        )

    @cached_property
    def _discriminator_layers(self) -> Layers:
        return _layers(self.discriminator.network)

    @cached_property
    def _generator_layers(self) -> Layers:
        return _layers(self.generator.network)

    @torch.no_grad()
    def _closed_form_step(self, batch: Batch, penalty_factor: float | Tensor, *, measure: bool) -> StepReport:
        norms: dict[str, Tensor] = {}
        made = _Made.of(self.generator.network, self._generator_layers, batch.latents)
        both = torch.cat([batch.real.flatten(start_dim=1), made.samples])
        layers, count = self._discriminator_layers, len(batch.real)
        hidden, output = activations(both, layers, leak=LEAK)
        backs, gradient = input_gradient(hidden, layers, leak=LEAK)
        logits = output.squeeze(1)
        margins = logits[:count] - logits[count:]
        weighed = torch.sigmoid(-margins).mul_(made.weights).div_(count)
        loss = (made.weights * softplus(-margins)).mean()
        tangent, terms = torch.zeros_like(gradient), {}
        for penalty in self.penalties:
            side = slice(0, count) if PENALTIES[penalty.name] == "real" else slice(count, None)
            squares = gradient[side].square().sum(dim=1) / 2
            own = gradient[side] * (penalty.factor(penalty_factor) / count)
            if PENALTIES[penalty.name] == "fake":
                squares, own = squares * made.weights, own * made.weights.unsqueeze(1)
            terms[penalty.name] = squares.mean()
            loss = loss + penalty.factor(penalty_factor) * terms[penalty.name]
            tangent[side] += own
        delta = torch.cat([-weighed, weighed]).unsqueeze(1)
        self._update(
            self.discriminator, weight_gradients(delta, tangent, hidden, backs, layers, leak=LEAK), norms, measure
        )
        fake_loss = self._generator_step(made, both, norms, measure=measure)
        if self.generator.average is not None:
            self.generator.average.update()
        return StepReport(
            real_logits=logits[:count],
            fake_logits=logits[count:],
            discriminator_loss=loss,
            generator_loss=fake_loss,
            penalties=terms,
            gradient_norms=norms,
            fake_weights=made.weights,
        )

    def _generator_step(self, made: _Made, both: Tensor, norms: dict[str, Tensor], *, measure: bool) -> Tensor:
        """The generator's update, at the discriminator that answers it; its loss."""
        layers, count = self._discriminator_layers, len(made.samples)
        hidden, output = activations(both, layers, leak=LEAK)
        logits = output.squeeze(1)
        margins = logits[count:] - logits[:count]
        terms = softplus(-margins)
        of_logits = torch.sigmoid(-margins).mul_(made.weights).div_(-count)
        _, gradient = input_gradient([entry[count:] for entry in hidden], layers, leak=LEAK)
        found = made.gradients(self.generator.network, gradient * of_logits.unsqueeze(1), terms / count)
        self._update(self.generator, found, norms, measure)
        return (made.weights * terms).mean()

    def _update(self, player: Player, gradients: Sequence[Tensor], norms: dict[str, Tensor], measure: bool) -> None:
        if any(_has_hooks(parameter) for parameter in player.parameters):
            # The engine puts gradients into weights, so that hooks on them are called as in any other step.
            torch.autograd.backward(list(player.parameters), list(gradients))
        else:
            for parameter, gradient in zip(player.parameters, gradients, strict=True):
                parameter.grad = gradient
        if measure:
            norms["discriminator" if player is self.discriminator else "generator"] = player.gradient_norm()
        player.update()


@dataclass(frozen=True)
class _Made:
    """Generated samples with what their gradients need; the names are those of `networks.mixture_prior`."""

    samples: Tensor
    weights: Tensor
    shares: Tensor
    chosen: Tensor
    normal: Tensor
    mixed: Tensor
    scales: Tensor
    hidden: list[Tensor]
    layers: Layers

    @classmethod
    def of(cls, network: MixturePriorGenerator, layers: Layers, latents: Tensor) -> _Made:
        quantiles = torch.special.ndtr(precise(latents[:, -1]))
        chosen = (network.components * quantiles).long().clamp_(0, network.components - 1)
        normal = mixed = latents[:, : network.latents]
        if network.scale_matrices is not None:
            turned = torch.bmm(network.scale_matrices.index_select(0, chosen), normal.unsqueeze(2)).squeeze(2)
            mixed = normal + turned
        scales = network.log_scales.exp().index_select(0, chosen)
        prior = torch.addcmul(network.means.index_select(0, chosen), scales, mixed)
        hidden, correction = activations(prior, layers, leak=LEAK)
        shares = network.shares
        return cls(
            samples=torch.addmm(correction, prior, network.linear.weight.t()),
            weights=network.components * shares.index_select(0, chosen),
            shares=shares,
            chosen=chosen,
            normal=normal,
            mixed=mixed,
            scales=scales,
            hidden=hidden,
            layers=layers,
        )

    def gradients(self, network: MixturePriorGenerator, of_samples: Tensor, of_weights: Tensor) -> list[Tensor]:
        """Derivatives in the parameters, in their order, of a loss with these derivatives in samples and weights."""
        of_prior, *of_body = backward_pass(of_samples, self.hidden, self.layers, leak=LEAK)
        of_prior = torch.addmm(of_prior, of_samples, network.linear.weight)
        scaled = of_prior * self.scales

        def by_component(rows: Tensor, like: Tensor) -> Tensor:
            return torch.zeros_like(like).index_add_(0, self.chosen, rows)

        found = [by_component(of_prior, network.means), by_component(scaled * self.mixed, network.log_scales)]
        if network.scale_matrices is not None:
            found.append(by_component(scaled.unsqueeze(2) * self.normal.unsqueeze(1), network.scale_matrices))
        of_shares = network.components * by_component(of_weights, network.weight_logits)
        found.append(self.shares * (of_shares - (self.shares * of_shares).sum()))
        return [*found, of_samples.t() @ self.hidden[0], *of_body]


def _has_hooks(parameter: nn.Parameter) -> bool:
    return bool(parameter._backward_hooks or parameter._post_accumulate_grad_hooks)


def _layers(network: nn.Module) -> Layers:
    linear = [layer for layer in network.body if isinstance(layer, nn.Linear)] + [network.output]
    return [(layer.weight, layer.bias) for layer in linear]
