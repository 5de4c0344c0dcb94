r"""Wasserstein game: the largest difference of the two means of a 1-Lipschitz function.

.. math::
    V = E_p[l] - E_q[l], \qquad L_G = -E_q[l]
"""

from __future__ import annotations

from equipoise.objectives.base import Objective


def wasserstein() -> Objective:
    r"""Difference of mean logits; the earth mover's distance when the discriminator is 1-Lipschitz.

    .. math::
        V = \mathbb{E}_p[l] - \mathbb{E}_q[l] \;\le\; W_1(p, q) \quad\text{for every 1-Lipschitz } l

    Without control of the Lipschitz constant V has no upper bound, which is why `needs_lipschitz_control` is set.
    It is 0 at p = q for every discriminator, in units of the data's distance.

    Reference:
        Arjovsky, Chintala, Bottou 2017, arXiv:1701.07875, Eq. 2.
    """
    return Objective(
        name="wasserstein",
        form="separable",
        real_term=lambda logits: logits,
        fake_term=lambda logits: -logits,
        generator_fake_term=lambda logits: -logits,
        generator_real_term=None,
        best_logits=None,
        equilibrium_value=0.0,
        divergence="W1(p, q), over 1-Lipschitz discriminators",
        logit_meaning="other",
        finite_range=1e30,
        is_zero_sum=True,
        source="arXiv:1701.07875, Eq. 2",
        needs_lipschitz_control=True,
    )


OBJECTIVES = {"wasserstein": wasserstein}
