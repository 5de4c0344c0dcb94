r"""Rows that belong together, such as the visits of one patient: a whole group counts as one sample.

Rows of one group depend on each other; groups are independent. A group therefore lies in one chunk, and is one unit of
evidence: its D is the mean over its rows,

.. math::
    \bar D_g = \frac{1}{|g|} \sum_{i \in g} D(x_i), \qquad E = \prod_g 4 \, \bar D_g \, (1 - \bar D_{g'}) .

If groups of both sides come from one law, :math:`\bar D_g` has one distribution, and a pair of groups has expectation
4 m (1 - m) <= 1 with m its mean: the e-value is exact, whatever goes on within a group, and for groups of any size. By
Jensen's inequality log of a mean is at least the mean of logs, so that a group makes at least as much as one row of it
drawn at random would, in expectation.

The distance is that of rows, each group weighing the same: the mean over a group of log D (of log(1 - D) on the
generated side) is one term of V, whose standard error is then that of independent terms.
"""

from __future__ import annotations

import numpy as np

from equipoise.data.judging import JUDGING
from equipoise.errors import ConfigError, DataError
from equipoise.referee.base import Finding

Groups = tuple[np.ndarray, np.ndarray]
"""For each row of the real and of the generated side the number of its group, from 0. A number that is on both sides
stands for two groups. Shapes `(n_real,)` and `(n_fake,)`, int64."""


def checked_groups(groups: Groups, counts: tuple[int, int], *, has_training_part: bool = False) -> Groups:
    """The groups of both sides, numbered from 0.

    Raises:
        ConfigError: there is a training part, whose groups are not known, or a side has another number of samples.
        DataError: all samples of a side are of one group, which leaves nothing to compare.
    """
    if has_training_part:
        raise ConfigError(
            "judge, groups",
            "they are given beside a training part of its own.",
            "Expected groups for two sets alone.",
            "Judge two sets, or leave the groups out.",
        )
    for name, side, count in zip(("real", "generated"), groups, counts, strict=True):
        if len(side) != count:
            raise ConfigError(
                "judge, groups",
                f"{len(side):,} are given for {count:,} {name} samples.",
                "Expected one for each sample.",
                "Give an array as long as the side.",
            )
        if len(np.unique(side)) == 1:
            raise DataError(
                JUDGING,
                f"all {count:,} {name} samples are of one group.",
                "Expected many groups on each side: a group counts as one sample.",
                "Group by what is repeated, such as a person, or leave the groups out if rows are independent.",
            )
    return group_numbers(groups[0]), group_numbers(groups[1])


def grouped(groups: Groups) -> Finding:
    """How many groups there are, and what they mean for the verdict."""
    counts = [np.bincount(side) for side in groups]
    said = " and ".join(
        f"{len(each):,} {name} groups of {each.min():,} to {each.max():,}"
        for each, name in zip(counts, ("real", "generated"), strict=True)
    )
    return Finding(
        "inputs",
        f"Samples of one group may depend on each other, so each group counts as one: {said} samples. Accuracy and the "
        "checks look at one sample of each.",
        numbers={"real_groups": len(counts[0]), "fake_groups": len(counts[1])},
    )


def group_numbers(names: np.ndarray) -> np.ndarray:
    """Groups numbered in the order in which they are met. Shape `(n,)`, int64."""
    _, first, inverse = np.unique(names, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return rank[inverse.reshape(-1)]


def logits_of_means(logits: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """The logit of each group's mean of D, groups in the order in which they are met.

    Args:
        logits: of the rows. Shape `(n,)` or `(n, settings)`.
        groups: of each row; `None` where each row stands for itself.

    Numerics:
        Means of D and of 1 - D are both taken as log-sum-exp: neither cancels.
    """
    if groups is None:
        return logits
    return _sums(-np.logaddexp(0.0, -logits), groups, np.logaddexp) - _sums(
        -np.logaddexp(0.0, logits), groups, np.logaddexp
    )


def logits_of_log_means(logits: np.ndarray, groups: np.ndarray | None, *, is_real: bool) -> np.ndarray:
    """The logit at which log D (of generated groups: log(1 - D)) is its mean over the group.

    Args:
        logits: of the rows. Shape `(n,)`.
        groups: of each row; `None` where each row stands for itself.
        is_real: whether the rows are of the real side.
    """
    if groups is None:
        return logits
    sign = 1.0 if is_real else -1.0
    terms = -np.logaddexp(0.0, -sign * logits)
    means = _sums(terms, groups, np.add) / np.bincount(group_numbers(groups))
    # log D = m at the logit m - log(1 - exp(m)).
    return sign * (means - np.log(-np.expm1(np.minimum(means, -1e-12))))


def one_of_each(groups: np.ndarray) -> np.ndarray:
    """Places of the first row of each group, in their order: of rows in random order, one drawn at random."""
    return np.sort(np.unique(groups, return_index=True)[1])


def _sums(terms: np.ndarray, groups: np.ndarray, add: np.ufunc) -> np.ndarray:
    """`add` over the rows of each group, groups in the order in which they are met."""
    numbers = group_numbers(groups)
    order = np.argsort(numbers, kind="stable")
    starts = np.concatenate([[0], 1 + np.flatnonzero(np.diff(numbers[order]))])
    return add.reduceat(terms[order], starts, axis=0)
