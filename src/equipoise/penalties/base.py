"""What a penalty is, and the discriminator's forward pass that it is computed from.

A penalty adds `weight * mean(per_sample(forward))` to the discriminator's loss. All penalties of one update share the
logits and input gradients of one forward pass, so R1 and R2 together cost one extra backward pass, not two.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from equipoise.distributed import SINGLE_PROCESS, ProcessGroup
from equipoise.distributed.process_group import FullBatchDraw
from equipoise.errors import ConfigError
from equipoise.shapes import Logits, PerSample, Samples, precise

Side = Literal["real", "fake"]
Discriminator = Callable[[Samples], Logits]


WithInputGradient = Callable[[Samples], tuple[Logits, Samples] | None]
"""A discriminator that knows its input gradient beside its logits, both differentiable in its weights; or `None`."""

ReadUnits = Callable[[Samples], Tensor]
"""A linear map of input gradients, sample by sample: see `networks.folding`."""


class ForwardPass:
    """The discriminator's forward pass on a real and a generated batch: their logits, and their input gradients.

    Args:
        discriminator: maps samples to logits; class labels are bound already. It must treat the samples
            of a batch independently (no batch normalisation) when `differentiate` is not empty.
        real: shape `(batch, *sample_shape)`.
        fake: the same shape; detached from the generator.
        differentiate: the sides at which some penalty needs the input gradient.
        randomness: the stream for penalties that draw random numbers; of several processes, each has the same.
        group: the processes that train together. Each holds its shard of the whole batch.
        fake_weights: importance weights of the generated samples. Shape `(batch,)`; `None` counts all the same.

    Attributes:
        to_read_units: from input gradients to the units in which the discriminator reads samples, where these are not
            the units of the samples.
    """

    group: ProcessGroup = SINGLE_PROCESS
    fake_weights: PerSample | None = None
    to_read_units: ReadUnits | None = None
    _gathered: tuple[Tensor, ...] | None = None

    def __init__(
        self,
        discriminator: Discriminator,
        real: Samples,
        fake: Samples,
        *,
        differentiate: frozenset[Side] = frozenset(),
        randomness: torch.Generator | None = None,
        group: ProcessGroup = SINGLE_PROCESS,
        fake_weights: PerSample | None = None,
        with_gradient: WithInputGradient | None = None,
    ) -> None:
        self.discriminator = discriminator
        self.group = group
        self.fake_weights = None if fake_weights is None else fake_weights.detach()
        self.randomness = randomness
        self._gradients: dict[Side, Samples] = {}
        self._both: Samples | None = None
        if differentiate == {"real", "fake"}:
            # One pass over both batches: with independent samples it equals two passes, and it is faster.
            self._both = torch.cat([real.detach(), fake.detach()])
            known = None if with_gradient is None else with_gradient(self._both)
            if known is None:
                logits = discriminator(self._both.requires_grad_(True))
            else:
                logits, gradient = known
                self._gradients = {"real": gradient[: len(real)], "fake": gradient[len(real) :]}
            self.real, self.fake = self._both[: len(real)], self._both[len(real) :]
            self.real_logits, self.fake_logits = logits[: len(real)], logits[len(real) :]
            self._logits = logits
        else:
            self.real = real.detach().requires_grad_("real" in differentiate)
            self.fake = fake.detach().requires_grad_("fake" in differentiate)
            self.real_logits = discriminator(self.real)
            self.fake_logits = discriminator(self.fake)

    @property
    def gathered_logits(self) -> tuple[Logits, Logits]:
        """Real and fake logits of the whole batch of all processes."""
        return self._all_gathered()[:2]  # type: ignore[return-value]

    @property
    def gathered_weights(self) -> PerSample | None:
        """Importance weights of the generated samples of all processes, in the order of their logits."""
        return None if self.fake_weights is None else self._all_gathered()[2]

    def _all_gathered(self) -> tuple[Tensor, ...]:
        if self._gathered is None:
            weights = () if self.fake_weights is None else (self.fake_weights,)
            self._gathered = self.group.all_gather(self.real_logits, self.fake_logits, *weights)
        return self._gathered

    def weigh(self, on_fake: PerSample) -> PerSample:
        """Numbers about the generated samples, each times its importance weight."""
        return on_fake if self.fake_weights is None else self.fake_weights[: len(on_fake)] * on_fake

    def draw(self, draw: FullBatchDraw, shape: tuple[int, ...]) -> Tensor:
        """Random numbers of `shape`, `(batch, ...)`, by `draw`, which draws them for the whole batch of all processes.

        So any number of processes draws the same numbers.
        """
        return self.group.shard(draw, shape)

    def input_gradient(self, side: Side) -> Samples:
        """Gradient of the logit with respect to each sample of one side, differentiable in the weights."""
        if side not in self._gradients:
            if self._both is not None:
                (gradient,) = torch.autograd.grad(self._logits.sum(), self._both, create_graph=True)
                count = len(self.real_logits)
                self._gradients = {"real": gradient[:count], "fake": gradient[count:]}
            else:
                points, logits = (self.real, self.real_logits) if side == "real" else (self.fake, self.fake_logits)
                (self._gradients[side],) = torch.autograd.grad(logits.sum(), points, create_graph=True)
        return self._gradients[side]

    def squared_gradient(self, side: Side) -> PerSample:
        """Squared length of each sample's input gradient, in the units in which the discriminator reads samples."""
        gradient = self.input_gradient(side)
        return squared_norm(gradient if self.to_read_units is None else self.to_read_units(gradient))


@dataclass(frozen=True)
class Penalty:
    """A term of the discriminator's loss that does not depend on the objective.

    Attributes:
        name: as written in a configuration.
        weight: its factor; a schedule may scale it during a run.
        per_sample: the penalty per sample, before the weight. Shape `(batch,)`. What it says of generated samples goes
            through `ForwardPass.weigh`.
        differentiates: sides at which `per_sample` reads the input gradient.
        is_per_sample: whether it assumes that samples of a batch do not influence each other, which
            batch normalisation breaks.
        gives_lipschitz_control: whether it bounds the discriminator's Lipschitz constant, as the Wasserstein objective
            needs.
        source: paper and equation.
        asks_for_gradient: whether all that it wants of the input gradient at both sides is what
            `ForwardPass.input_gradient` gives, so that the discriminator may compute it in its own way.
        heeds_fake_weights: whether it takes account of importance weights of generated samples, by
            `ForwardPass.weigh` or because it has nothing to do with them; without that it is refused beside a generator
            that gives some.
        decays: whether the decaying gamma of a run scales its weight. Zero-centred gradient penalties do: their
            weight is a squared resolution length. The others have no such meaning and keep their weight.
        draws: whether `per_sample` draws from the forward pass's `randomness`.
        draws_whole_batch: whether it does so by `ForwardPass.draw` only, so that any number of processes draws the
            same.
        state: what the penalty remembers from update to update, by name: a few small tensors, empty for
            most. A checkpoint stores them and copies them back in place.
        observe: called once after each update of the discriminator with its forward pass, to bring `state`
            up to date; `None` when there is no state. Of the batch it reads `gathered_logits` and `gathered_weights`
            only, so that the state is the same in every process.
    """

    name: str
    weight: float
    per_sample: Callable[[ForwardPass], PerSample]
    differentiates: frozenset[Side]
    is_per_sample: bool
    gives_lipschitz_control: bool
    source: str
    heeds_fake_weights: bool = False
    asks_for_gradient: bool = False
    decays: bool = False
    draws: bool = False
    draws_whole_batch: bool = False
    state: dict[str, Tensor] = field(default_factory=dict)
    observe: Callable[[ForwardPass], None] | None = None

    def factor(self, gamma: float | Tensor) -> float | Tensor:
        """The weight in effect when the run's factor on gamma is `gamma`."""
        return self.weight * gamma if self.decays else self.weight

    def place_state(self, device: torch.device | str) -> None:
        """Put the remembered tensors on the device of the networks."""
        for name, tensor in self.state.items():
            self.state[name] = tensor.to(device)


def input_gradient_at(discriminator: Discriminator, points: Samples) -> Samples:
    """Gradient of the logit with respect to each of some given points, differentiable in the weights.

    The discriminator must treat the samples of a batch independently: only then is the gradient of the
    summed logits the stack of per-sample gradients.
    """
    points = points.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
    return gradient


def squared_norm(gradient: Samples) -> PerSample:
    """Squared Euclidean length per sample, in float32 at least. Shape `(batch,)`."""
    return _rows(gradient).square().sum(dim=1)


def norm(gradient: Samples) -> PerSample:
    """Euclidean length per sample, in float32 at least. Shape `(batch,)`.

    Numerics:
        The square root has no derivative at 0. Here it is 0 there, a subgradient, so a discriminator that is
        flat at a sample gets no gradient from it, rather than NaN. A small number under the root would instead
        give a discriminator with gradients of norm 1 a penalty above 0.
    """
    return torch.linalg.vector_norm(_rows(gradient), dim=1)


def reject_negative_weight(name: str, weight: float) -> None:
    """Refuse a weight below 0 or that is not finite."""
    if not 0 <= weight < math.inf:
        raise ConfigError(
            f"penalties.{name}.weight",
            f"{weight} is not a weight.",
            "Expected a finite number of 0 or more.",
            f"A negative weight would reward what '{name}' penalises; leave the penalty out to switch it off.",
        )


def _rows(gradient: Samples) -> Tensor:
    return precise(gradient).flatten(start_dim=1)
