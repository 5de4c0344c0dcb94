r"""Has the discriminator saturated the generator? Measured now and then during training, outside its steps.

The gradients of the two generator losses in a generated sample have the same direction, that of the logit's input
gradient, and different lengths (THEORY, section 3): with `l = log D/(1 - D)` of a generated sample,

.. math::
    \frac{d}{dl}\bigl(-\mathrm{softplus}(l)\bigr) = -\sigma(l), \qquad
    \frac{d}{dl}\,\mathrm{softplus}(-l) = -\sigma(-l)

When the discriminator wins, the first goes to 0. Both gradients of the generator's weights come from one forward pass
of each network and one input gradient. The most robust sign is the fraction of generated samples with D < 0.01.

A measurement costs about as much as one training step, and up to four where a step takes 2 ms. It is made every
`SPACING_STEPS` steps or less often, hence in at most 1 % of the time of a run; the plan says when, never the clock, so
that a repeated run measures at the same steps. A run shorter than that is measured once, after its last step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.augmentation import StepAugmentation
from equipoise.entries import finite
from equipoise.game.player import Player, total_norm
from equipoise.game.step import Batch, augmented
from equipoise.objectives import find
from equipoise.objectives.base import Objective
from equipoise.objectives.log_odds import as_log_odds, log_odds_offset
from equipoise.objectives.value import value_function
from equipoise.shapes import Labels, Latents, Logits, PerSample, Samples, precise

SPACING_STEPS = 500
"""Fewest steps between two measurements. One costs, in steps of the presets on one CPU thread: points 3.3 (0.7 % of
the time; most of it fits the offset), small images 0.9, tables 0.7."""
SURE = 0.01
"""D below which the discriminator counts as sure: the saturating loss has a hundredth of the gradient there."""
SATURATED_FRACTION = 0.5
"""Fraction of samples with such a D above which the generator counts as saturated. Arbitrary, between the few percent
of healthy training and the 100 % of a discriminator that is trained alone."""
EXPLODED_GRADIENT = 1000.0
"""Mean norm of the input gradient, in logits per unit of the encoded samples, above which it counts as exploded: a
thousandth of the data's width then multiplies the odds by e. Modes of a deviation of 0.02 widths need about 100."""

SATURATED = (
    "The discriminator has saturated the generator: D is below 0.01 on more than half of the generated samples. "
    "Raise the weight of r1 and r2, lower the discriminator's learning rate, or give the generator more updates."
)
EXPLODED = (
    "The discriminator's input gradient has exploded: the logit changes by more than 1,000 per unit of the samples. "
    "Raise the weight of r1 and r2, or lower the discriminator's learning rate."
)


def measure_saturation(
    discriminator: Player,
    generator: Player,
    *,
    objective: Objective,
    batch: Batch,
    other: Batch,
    augmentation: StepAugmentation | None = None,
) -> dict[str, Any]:
    """The generator's gradient by either loss, and how sure the discriminator is, on one batch.

    Both networks are in evaluation mode meanwhile: nothing that they keep (power iterations, running statistics)
    changes, and the samples of a batch do not influence each other.

    Args:
        discriminator: the player that maximises the value.
        generator: the player that answers.
        objective: whose logits these are; only log-odds have probabilities.
        batch: what is measured on.
        other: where the offset of relativistic logits is fitted; another batch, or the value would be flattered.
        augmentation: what is done to the samples of both batches before the discriminator sees them.

    Returns:
        Plain values for the key `saturation` of a measured row. Entries that need probabilities are `None` for an
        objective whose logits are not log-odds (least squares, hinge, Wasserstein, relativistic average).

        - `saturating_norm`, `nonsaturating_norm`: norm of the gradient of the generator's weights by each loss;
          `ratio`: the second over the first, `None` when the first is 0 in float32.
        - `share_below_001`: fraction of generated samples with D < 0.01.
        - `mean_probability_real`, `mean_probability_fake`: mean D on each side.
        - `offset`: c, where D is the sigmoid of `l - c`; `None` where logits have a zero of their own. In a
          conditional game each class has a c of its own, and this is their mean over the batch.
        - `minimax_value`, `minimax_value_standard_error`: of `l - c`, whose equilibrium is -log 4; `None` where the
          objective's own value says it.
        - `input_gradient_norm`: mean over both sides of the norm of the logit's gradient at a sample.
        - `flags`: a sentence for each thing that looks wrong.
    """
    with _in_evaluation(discriminator.network, generator.network):
        (batch, other), generate = augmented((batch, other), generator, augmentation)
        fake = generate(batch.latents, batch.labels)
        logits, gradients = _logits_and_input_gradients(discriminator, batch.real, fake, batch.labels)
        gradient_norm = torch.linalg.vector_norm(gradients.flatten(start_dim=1), dim=1).mean()
        count = len(batch.real)
        offset, shift = None, torch.zeros(())
        if objective.logit_meaning == "log_odds_up_to_a_constant":
            shift, offset = _offsets(*_logits(discriminator, generate, other), batch=batch, other=other)
        odds = as_log_odds(objective, logits, offset=shift)
        found = (
            _without_probabilities()
            if odds is None
            else _probabilities(odds[:count], odds[count:], fake=fake, gradients=gradients[count:], generator=generator)
        )
    found |= {"offset": offset, "input_gradient_norm": finite(float(gradient_norm))}
    if offset is not None and odds is not None:
        estimate = value_function(find("minimax")(), odds[:count], odds[count:], where="measuring saturation")
        found |= {"minimax_value": estimate.value, "minimax_value_standard_error": estimate.standard_error}
    return {**found, "flags": flags(found)}


def _offsets(real: Logits, fake: Logits, *, batch: Batch, other: Batch) -> tuple[Tensor, float]:
    """The c of every logit of `batch` (both sides) from logits of `other`, and their mean.

    Without labels one number. A conditional pairing game fixes its logits up to one constant per class; a class that
    `other` lacks takes the constant of all classes together.
    """
    overall = log_odds_offset(real, fake)
    if batch.labels is None or other.labels is None:
        return torch.tensor(overall, device=real.device), overall
    per_sample = torch.full((len(batch.labels),), overall, device=real.device)
    for label in torch.unique(batch.labels):
        among = other.labels == label
        if bool(among.any()):
            per_sample[batch.labels == label] = log_odds_offset(real[among], fake[among])
    return torch.cat([per_sample, per_sample]), float(per_sample.mean())


def flags(found: dict[str, Any]) -> list[str]:
    """A sentence for each sign of trouble in a measurement."""
    said = []
    if found["share_below_001"] is not None and found["share_below_001"] > SATURATED_FRACTION:
        said.append(SATURATED)
    if found["input_gradient_norm"] is None or found["input_gradient_norm"] > EXPLODED_GRADIENT:
        said.append(EXPLODED)
    return said


def _logits_and_input_gradients(
    discriminator: Player, real: Samples, fake: Samples, labels: Labels | None
) -> tuple[Logits, Samples]:
    """Logits of both sides, real first, and the gradient of each at its sample; detached, in float32 at least."""
    samples = torch.cat([real, fake.detach().to(real.dtype)]).requires_grad_(True)
    logits = discriminator(samples, None if labels is None else torch.cat([labels, labels]))
    (gradients,) = torch.autograd.grad(logits.sum(), samples)
    return precise(logits.detach()), precise(gradients)


def _probabilities(
    real: Logits, fake_odds: Logits, *, fake: Samples, gradients: Samples, generator: Player
) -> dict[str, Any]:
    """What follows from log-odds of both sides and the input gradients at the generated samples."""
    saturating = _generator_norm(generator, fake, gradients, torch.sigmoid(fake_odds), keep=True)
    nonsaturating = _generator_norm(generator, fake, gradients, torch.sigmoid(-fake_odds), keep=False)
    is_sure = (torch.sigmoid(fake_odds) < SURE).float().mean()
    means = [torch.sigmoid(side).mean() for side in (real, fake_odds)]
    # Read at once: each reading waits for the device.
    numbers = torch.stack([entry.float() for entry in (saturating, nonsaturating, is_sure, *means)]).tolist()
    low, high = finite(numbers[0]), finite(numbers[1])
    return {
        "saturating_norm": low,
        "nonsaturating_norm": high,
        "ratio": finite(high / low) if low and high is not None else None,
        "share_below_001": numbers[2],
        "mean_probability_real": finite(numbers[3]),
        "mean_probability_fake": finite(numbers[4]),
        "minimax_value": None,
        "minimax_value_standard_error": None,
    }


def _without_probabilities() -> dict[str, Any]:
    keys = (
        "saturating_norm",
        "nonsaturating_norm",
        "ratio",
        "share_below_001",
        "mean_probability_real",
        "mean_probability_fake",
        "minimax_value",
        "minimax_value_standard_error",
    )
    return dict.fromkeys(keys)


def _generator_norm(generator: Player, fake: Samples, gradients: Samples, scale: PerSample, *, keep: bool) -> Tensor:
    """Norm of the generator's gradient by a mean loss whose derivative in each logit is `scale` in size."""
    in_samples = gradients * (scale / len(scale)).reshape(-1, *[1] * (gradients.ndim - 1))
    in_weights = torch.autograd.grad(
        fake, generator.parameters, grad_outputs=in_samples.to(fake.dtype), retain_graph=keep, allow_unused=True
    )
    return total_norm([gradient for gradient in in_weights if gradient is not None])


@torch.no_grad()
def _logits(
    discriminator: Player, generate: Callable[[Latents, Labels | None], Samples], batch: Batch
) -> tuple[Logits, Logits]:
    fake = generate(batch.latents, batch.labels)
    return discriminator(batch.real, batch.labels), discriminator(fake, batch.labels)


@contextlib.contextmanager
def _in_evaluation(*networks: nn.Module) -> Iterator[None]:
    were_training = [[module for module in network.modules() if module.training] for network in networks]
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for modules in were_training:
            for module in modules:
                module.training = True
