"""How a generator covers the modes of a known mixture, and whether its modes have the right width.

Modes found and the share of high quality are the scores of the literature, and they hide width: a
generator whose modes are much too narrow has both of them perfect. The width ratio shows it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from equipoise.metrics.base import Metric
from equipoise.metrics.known import Mixture

HIGH_QUALITY_RADIUS = 3.0
"""In standard deviations of a mode; VEEGAN and PacGAN count a sample within it as of high quality."""


@dataclass(frozen=True)
class ModeScores:
    """Scores of `samples` points against a mixture of `modes` modes.

    Attributes:
        modes_found: modes that at least one sample of high quality belongs to.
        modes: modes there are.
        high_quality_share: share of samples within three standard deviations of the nearest mode.
        perfect_high_quality_share: what a perfect sampler scores; 0.9889 in two dimensions.
        width_ratio: median distance to the nearest mode over the same median of a perfect sampler; 1 is right, below
            1 too narrow. The median keeps stray samples from hiding narrow modes.
        reverse_kl_nats: KL of the shares of the modes among all samples against the true shares.
        perfect_reverse_kl_nats: what a perfect sampler scores on average with as many samples, (modes - 1) / (2 n).
        samples: how many points were scored.
    """

    modes_found: int
    modes: int
    high_quality_share: float
    perfect_high_quality_share: float
    width_ratio: float
    reverse_kl_nats: float
    perfect_reverse_kl_nats: float
    samples: int


def mode_scores(samples: np.ndarray, mixture: Mixture) -> ModeScores:
    """Modes found, share of high quality, width ratio and reverse KL over modes.

    Args:
        samples: points. Shape `(n, dimensions)`; points that are not finite count as of low quality.
        mixture: the distribution that they should follow.

    Reference:
        Srivastava et al. 2017, arXiv:1705.07761, section 5.1 (modes, high quality); Lin et al. 2018, arXiv:1712.04086.
    """
    from scipy.stats import chi

    count = len(samples)
    finite = np.asarray(samples)[np.isfinite(samples).all(axis=1)]
    squares = mixture.squared_distances(finite)
    nearest = squares.argmin(axis=1)
    distances = np.sqrt(squares.min(axis=1)) / mixture.standard_deviation
    is_good = distances <= HIGH_QUALITY_RADIUS
    distribution = chi(mixture.dimensions)
    return ModeScores(
        modes_found=len(np.unique(nearest[is_good])),
        modes=mixture.modes,
        high_quality_share=float(is_good.sum() / count),
        perfect_high_quality_share=float(distribution.cdf(HIGH_QUALITY_RADIUS)),
        width_ratio=float(np.median(distances) / distribution.median()) if len(finite) else math.nan,
        reverse_kl_nats=kl_to_shares(np.bincount(nearest, minlength=mixture.modes), mixture.weights),
        perfect_reverse_kl_nats=(mixture.modes - 1) / (2 * count),
        samples=count,
    )


def kl_to_shares(counts: np.ndarray, shares: np.ndarray) -> float:
    r"""KL of the observed shares against the true ones, :math:`\sum_k \hat q_k \log(\hat q_k / w_k)`, in nats.

    Over K equally likely modes a perfect sampler scores about `(K - 1) / (2 n)` and not 0: 0.0195 with K = 1000 and
    n = 25,600.

    Args:
        counts: samples of each mode. Shape `(modes,)`.
        shares: true share of each. Shape `(modes,)`.
    """
    observed = counts / max(counts.sum(), 1)
    present = observed > 0
    return float(np.sum(observed[present] * np.log(observed[present] / shares[present])))


def _values(mixture: Mixture, samples: np.ndarray) -> Mapping[str, float]:
    scores = mode_scores(samples, mixture)
    names = ("modes_found", "high_quality_share", "width_ratio", "reverse_kl_nats")
    return {name: float(getattr(scores, name)) for name in names}


METRICS = {
    "modes": Metric(
        "modes",
        "Modes",
        _values,
        "Modes found and the share of high quality are better when higher; the width ratio is 1 when modes are as wide "
        "as they should be; the KL over modes, in nats, is better when lower.",
        "Srivastava et al. 2017, arXiv:1705.07761; Lin et al. 2018, arXiv:1712.04086",
        kinds=("points",),
        needs_density=True,
        most=200_000,
    )
}
