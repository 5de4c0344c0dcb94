r"""A weight for R1 and R2 from the scale of the data, so that nobody has to guess it.

Logits have no unit and their gradients are per unit of the samples, so :math:`\gamma` in
:math:`\frac{\gamma}{2} E|\nabla l|^2` is a squared length: multiply the data by s and the same game needs
:math:`s^2 \gamma`. Which length it is shows near the equilibrium. There, for a logistic or a pairing game and to
second order in the logit, on a stretch where the density is about :math:`\rho`,

.. math::
    V + \text{const} = \int \tfrac12 (p - q)\, l - \tfrac14 \rho\, l^2 - \gamma \rho\, |\nabla l|^2,
    \qquad \hat l(k) = \frac{\widehat{(p - q)}(k)}{\rho\,(1 + 4 \gamma k^2)}

with R1 and R2 together (R1 alone: :math:`2 \gamma k^2`). The discriminator sees differences of wavenumber k at full
strength while :math:`k \ll 1/(2\sqrt\gamma)`, and smooths away finer ones: :math:`2 \sqrt\gamma` is its
resolution as a length. Training should begin with a resolution of the order of the data's own width, so that
the gradient is defined everywhere, and end with one as fine as the detail that is wanted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from equipoise.errors import DataError
from equipoise.shapes import Samples

# Times the mean variance per coordinate. Measured, not derived: on 2-D mixtures of unit variance 0.1 decaying
# to 1e-3 finds all modes; that is a resolution of 0.63, then 0.063 standard deviations.
START_PER_VARIANCE = 0.1
END_PER_VARIANCE = 1e-3


@dataclass(frozen=True)
class GammaRange:
    """Where gamma starts and ends, with what each means.

    Attributes:
        start: gamma in the first step, in squared units of the samples.
        end: gamma in the last step.
        start_resolution: 2 sqrt(start): finer differences are smoothed away, in units of the samples.
        end_resolution: 2 sqrt(end).
    """

    start: float
    end: float

    @property
    def start_resolution(self) -> float:
        """Length below which the discriminator smooths at the start of training."""
        return 2 * math.sqrt(self.start)

    @property
    def end_resolution(self) -> float:
        """Length below which the discriminator smooths at the end of training."""
        return 2 * math.sqrt(self.end)


def automatic_gamma(
    samples: Samples, *, start: float = START_PER_VARIANCE, end: float = END_PER_VARIANCE
) -> GammaRange:
    """Gamma for R1 and R2 from the mean variance per coordinate of encoded real samples.

    Scaling the samples by s scales both ends by s^2; shifting them changes nothing. Constant coordinates (the
    black border of images) have no width and are left out of the mean.

    Args:
        samples: encoded real samples, a few thousand are enough. Shape `(batch, *sample_shape)`.
        start: gamma of the first step for data of unit variance.
        end: gamma of the last step for data of unit variance.

    Raises:
        DataError: fewer than two samples, or all alike.
    """
    variance = samples.detach().double().flatten(start_dim=1).var(dim=0) if len(samples) > 1 else torch.zeros(1)
    varying = variance[variance > 0]
    if len(varying) == 0:
        raise DataError(
            "choosing gamma from the data",
            f"the {len(samples)} sample(s) do not vary.",
            "Expected at least two different samples.",
            "Set the weights of r1 and r2 by hand, or check the data.",
        )
    mean_variance = float(varying.mean())
    return GammaRange(start=start * mean_variance, end=end * mean_variance)
