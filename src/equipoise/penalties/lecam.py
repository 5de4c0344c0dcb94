r"""LeCam regularisation: the logits of each side are pulled to where the other side's have recently been.

.. math::
    \lambda \left( E_{x \sim p}(l(x) - \alpha_F)^2 + E_{y \sim q}(l(y) - \alpha_R)^2 \right)

with the anchors :math:`\alpha_R, \alpha_F` running means of the logits on real and on generated samples.
"""

from __future__ import annotations

import torch
from torch import Tensor

from equipoise.errors import ConfigError
from equipoise.penalties.base import ForwardPass, Penalty, reject_negative_weight
from equipoise.shapes import Logits, PerSample, Scalar, normalised_mean, precise


def lecam(weight: float = 0.1, *, decay: float = 0.99) -> Penalty:
    """Pull real logits to the running mean of fake ones, and the reverse; for little data.

    The running means are the penalty's `state`: `sums`, shape `(2,)`, holds the discounted sum of mean logits on
    real and on fake, `weights`, shape `()`, the discounted count of updates. Their quotient is an average of
    the updates so far from the first one on, without a warm-up. At the first update, before anything was
    observed, the anchors are the batch's own means.

    Args:
        weight: lambda; the paper uses 0.1 to 0.5 with a hinge game, later 0.001 and less.
        decay: how much of a running mean is kept per update.

    Reference:
        Tseng et al. 2021, arXiv:2104.03310, the regulariser R_LC.
    """
    reject_negative_weight("lecam", weight)
    if not 0 <= decay < 1:
        raise ConfigError(
            "penalties.lecam.decay",
            f"{decay} is not a decay.",
            "Expected a number from 0 up to, and without, 1.",
            "0.99 averages the last hundred updates.",
        )
    state = {"sums": torch.zeros(2), "weights": torch.zeros(())}

    def per_sample(forward: ForwardPass) -> PerSample:
        real, fake = forward.gathered_logits
        current = _means(real, fake, forward.gathered_weights)
        # An elementwise choice, so that the device is not asked whether this is the first update.
        is_first = state["weights"] == 0
        anchors = torch.where(is_first, current.to(state["sums"].dtype), state["sums"] / state["weights"])
        return squared_distance_to_anchors(
            forward.real_logits,
            forward.fake_logits,
            real_anchor=anchors[0],
            fake_anchor=anchors[1],
            fake_weights=forward.fake_weights,
        )

    def observe(forward: ForwardPass) -> None:
        with torch.no_grad():
            real, fake = (side.float() for side in forward.gathered_logits)
            _discount(state["sums"], _means(real, fake, forward.gathered_weights), decay)
            _discount(state["weights"], torch.ones_like(state["weights"]), decay)

    return Penalty(
        name="lecam",
        weight=weight,
        per_sample=per_sample,
        differentiates=frozenset(),
        is_per_sample=False,
        gives_lipschitz_control=False,
        source="arXiv:2104.03310, R_LC",
        heeds_fake_weights=True,
        state=state,
        observe=observe,
    )


def squared_distance_to_anchors(
    real_logits: Logits,
    fake_logits: Logits,
    *,
    real_anchor: Scalar,
    fake_anchor: Scalar,
    fake_weights: PerSample | None = None,
) -> PerSample:
    r"""(l(x) - alpha_F)^2 + (l(y) - alpha_R)^2 for each real x and the fake y beside it.

    Args:
        real_logits: shape `(batch,)`.
        fake_logits: shape `(batch,)`, the same length.
        real_anchor: alpha_R, a mean of logits on real samples.
        fake_anchor: alpha_F, a mean of logits on generated samples.
        fake_weights: importance weights of the generated samples, which their terms are multiplied by.

    Returns:
        Shape `(batch,)`, in squared logits.
    """
    on_fake = (precise(fake_logits) - real_anchor).square()
    return (precise(real_logits) - fake_anchor).square() + (on_fake if fake_weights is None else fake_weights * on_fake)


def _means(real_logits: Logits, fake_logits: Logits, fake_weights: PerSample | None) -> Tensor:
    """Mean logit of each side, generated samples by their importance weights. Shape `(2,)`."""
    weights = None if fake_weights is None else fake_weights.detach()
    return torch.stack([real_logits.detach().mean(), normalised_mean(fake_logits.detach(), weights)])


def _discount(total: Tensor, new: Tensor, decay: float) -> None:
    """total <- decay total + (1 - decay) new, in place, so that a checkpoint's tensors stay the penalty's own."""
    total.mul_(decay).add_(new, alpha=1 - decay)


PENALTIES = {"lecam": lecam}
