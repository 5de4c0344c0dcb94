"""Where an objective's numbers stop being finite, and the error that says so.

The step itself does not check: reading a number from the device would make it wait. The trainer calls `check_finite`
with the numbers of a report that it reads anyway.
"""

from __future__ import annotations

import math

import torch

from equipoise.errors import PlayDiverged
from equipoise.objectives.base import Objective
from equipoise.shapes import Logits, Scalar


def largest_logit(real_logits: Logits, fake_logits: Logits) -> Scalar:
    """Largest |logit| on either side, on the device and detached; NaN if any logit is NaN."""
    return torch.maximum(real_logits.detach().abs().max(), fake_logits.detach().abs().max()).float()


def check_finite(objective: Objective, *, value: float, largest_logit: float, where: str = "training") -> None:
    """Raise `PlayDiverged` when a value is not finite, or logits have left the range where it must be.

    Args:
        objective: whose value it is.
        value: V, or a loss, as read from a report.
        largest_logit: largest |logit| of the same report; see `largest_logit`.
        where: the activity, with its step, as the message should begin.
    """
    advice = (
        "Lower the learning rate, or raise the weight of a gradient penalty (r1, r2); the last checkpoint is intact."
    )
    # Written so that NaN, which compares as false with everything, fails the test too.
    if not largest_logit <= objective.finite_range:
        raise PlayDiverged(
            where,
            f"the discriminator's largest logit is {largest_logit:.6g}, outside the range of the "
            f"objective '{objective.name}'.",
            f"Its values and gradients are finite in float32 up to |logit| = {objective.finite_range:.3g}.",
            advice,
            player="discriminator",
        )
    if not math.isfinite(value):
        raise PlayDiverged(
            where,
            f"the objective '{objective.name}' has the value {value}, with logits up to {largest_logit:.6g}.",
            "Expected a finite value.",
            advice,
        )
