r"""The offset that turns relativistic logits into log-odds, as well as one number can.

A pairing game fixes its logits up to a constant only: `sigmoid(l)` is no probability until the constant is known.
"""

from __future__ import annotations

import torch
from torch import Tensor

from equipoise.errors import DataError
from equipoise.objectives.base import Objective
from equipoise.shapes import Logits

# Halvings of the bracket; 100 reach the last digit of float64 from any bracket that float64 can hold.
_HALVINGS = 100


def log_odds_offset(real_logits: Logits, fake_logits: Logits) -> float:
    r"""The c that maximises the minimax value of `l - c`.

    .. math::
        \hat c = \arg\max_c \frac1m \sum_i \log \sigma(l_i - c) + \frac1n \sum_j \log(1 - \sigma(l_j - c))

    For `l = log(p/q) + const` it tends to that constant. Fit it on other samples than those that V or D is then
    reported on: on its own samples the value is flattered, and `(V + log 4)/2` bounds no divergence.

    Args:
        real_logits: shape `(m,)`.
        fake_logits: shape `(n,)`.

    Returns:
        c, in nats. The value is concave in c, so bisection of its derivative, `mean sigmoid(l_fake - c) -
        mean sigmoid(c - l_real)`, cannot miss it; where the derivative is 0 in float64 over a stretch (sides that
        are far apart), c is one point of it.
    """
    real, fake = (side.detach().cpu().double() for side in (real_logits, fake_logits))
    if min(len(real), len(fake)) == 0 or not bool(torch.isfinite(torch.cat([real, fake])).all()):
        raise DataError(
            "fitting the offset of logits",
            f"{len(real)} real and {len(fake)} generated logits, of which some may not be finite.",
            "Expected at least one finite logit on each side, and no other.",
            "Check that training has not diverged.",
        )
    both = torch.cat([real, fake])
    # Each sigmoid ranges over (0, 1): 40 + log of the counts beyond the extremes the derivative has a known sign.
    margin = 40.0 + float(torch.log(torch.tensor(float(len(both)))))
    low, high = float(both.min()) - margin, float(both.max()) + margin
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        derivative = torch.sigmoid(fake - middle).mean() - torch.sigmoid(middle - real).mean()
        low, high = (middle, high) if float(derivative) > 0 else (low, middle)
    return (low + high) / 2


def as_log_odds(objective: Objective, logits: Logits, *, offset: float | Tensor) -> Logits | None:
    """Logits whose sigmoid is a probability of being real: `l`, `l - offset`, or `None` where there is none.

    Args:
        objective: whose logits they are.
        logits: shape `(batch,)`.
        offset: from `log_odds_offset` on other samples; used where the logits have no zero of their own.
    """
    if objective.logit_meaning == "log_odds":
        return logits
    return logits - offset if objective.logit_meaning == "log_odds_up_to_a_constant" else None
