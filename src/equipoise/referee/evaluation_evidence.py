r"""The evidence of a run's interim evaluations together: how large an e-value an evaluation needs, given earlier ones.

Evaluation i has the null :math:`H_i`, "the generator of its step has the distribution of the data", an e-value
:math:`E_i` against it, and a weight :math:`w_i` that was planned before the first evaluation, its planned level over
the level alpha of the run: :math:`\sum_i w_i \le 1` over all that may ever take place. The evaluations score the same
held-out rows, each for another generator. Products of their e-values are therefore no e-values. Sums are, however they
depend on each other: if every :math:`H_i` is true,

.. math::
    E\Big[\sum_i w_i E_i\Big] = \sum_i w_i \, E[E_i] \le 1, \qquad
    P\Big(\sum_i w_i E_i \ge \tfrac1\alpha\Big) \le \alpha .

The sum never falls, so that it may be looked at after each evaluation. But a run begins with generators that anybody
can tell from the data, which take the sum beyond :math:`1 / \alpha` once and for all. For evaluation k to speak of its
own generator, no earlier one may count for more than it takes to be distinguished. Evaluation k says "distinguished" if

.. math::
    w_k E_k + \sum_{i < k} w_i \min(E_i, \tfrac1\alpha) \ge \tfrac1\alpha .

**The chance that it is said of any perfect generator is at most alpha**, whichever of the others are perfect. Given the
training, the generators are fixed; let N be the evaluations with a perfect one, and let it be said at a k in N. Then

.. math::
    \sum_{i \in N} w_i E_i \ge w_k E_k + \sum_{i \in N, i < k} w_i \min(E_i, \tfrac1\alpha)
    \ge \tfrac1\alpha - \sum_{i \notin N, i < k} \tfrac{w_i}\alpha
    \ge \tfrac1\alpha \sum_{i \in N} w_i ,

since the weights of N and the others sum to at most 1. The left side has an expectation of at most
:math:`\sum_{i \in N} w_i`, and by Markov's inequality it comes that far with a chance of at most alpha.

**It finds whatever Bonferroni's rule finds**, which compares :math:`E_k` with :math:`1 / (\alpha w_k)`: then
:math:`w_k E_k \ge 1 / \alpha` already, and the other terms are not negative. And it finds more: what an earlier
evaluation did not need comes back. With all earlier generators distinguished, the last of ten evaluations needs
:math:`\alpha E \ge 1 + w_{reserve} / w_{10}`, a log E of 3.8 instead of 4.9 at 5 %.

What it needs: the steps and weights are fixed before the first evaluation, and no evaluation has changed the training
(it may end a run, and may choose which checkpoint is kept). Once one has, later generators depend on the held-out rows:
their evaluations have no e-values and describe only. An evaluation that did not take place counts as :math:`E_i = 0`.

References: Vovk and Wang 2021, "E-values: calibration, combination and applications", Annals of Statistics 49(3),
sections 3 and 6 (the mean of e-values; closed testing with it). Holm 1979 has the same return of unused level for
p-values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping


def log_e_needed(step: int, earlier: Mapping[int, float], *, levels: Mapping[int, float], level: float) -> float:
    r"""The least log e-value at which the evaluation of a step says "distinguished",

    .. math::
        \log \frac{1 - \sum_{i < k} w_i \min(1, \alpha E_i)}{\alpha\, w_k} .

    Between log(1 / alpha), when nothing else is left to pay for, and Bonferroni's log(1 / (alpha w_k)), when no earlier
    evaluation has taken place.

    Args:
        step: of the evaluation; a planned one.
        earlier: log e-value by step of evaluations before it, in any order; those of steps that were not planned, and
            of later ones, are passed over.
        levels: planned level by step, in the order of steps: alpha w_k.
        level: alpha, of the whole run; the planned ones sum to at most this.

    Numerics:
        Each term is exp of min(0, log alpha + log E): no e-value is too large. Terms are added in the order of the
        steps, so that a run that was stopped and resumed needs the same to the last bit.
    """
    log_level = math.log(level)
    spent = sum(
        its_level / level * math.exp(min(0.0, log_level + earlier[planned]))
        for planned, its_level in levels.items()
        if planned < step and planned in earlier
    )
    # The weights of a plan sum to 1 but for rounding: whatever is spent, an evaluation never needs less than 1 / alpha.
    return max(math.log1p(-spent) - math.log(levels[step]) if spent < 1 else 0.0, -log_level)
