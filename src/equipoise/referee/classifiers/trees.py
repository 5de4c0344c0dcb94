"""Boosted trees on the columns as they are, categories in their native form: point masses, gaps, rounding,
interactions."""

from __future__ import annotations

import numpy as np

from equipoise.data.judging import Rows
from equipoise.referee.base import Classifier, Scorer

_STAGES = (10, 30, 80, 160)
"""Numbers of trees; each is a candidate, and the validation part picks one, so no training rows are spent on
stopping."""
_MANY = 6_000
"""Samples of both sides below which the longest boosting is left out: it only learns them by heart."""
_FEATURES_PER_SPLIT = 100
"""With more features than this each split tries a random choice of so many: the cost grows with their number."""


def fit_trees(real: Rows, fake: Rows, seed: int) -> Scorer:
    """Boosted trees on `mixed`."""
    return boosted(real.mixed, fake.mixed, seed=seed, is_category=real.is_category, of=lambda rows: rows.mixed)


def boosted(real, fake, *, seed, of, is_category=None, leaves=31, stages=_STAGES) -> Scorer:
    """Histogram boosting of scikit-learn, its logits brought to even odds; one candidate per number of trees.

    Args:
        real: features. Shape `(n_real, features)`; NaN marks gaps.
        fake: features. Shape `(n_fake, features)`.
        seed: of the boosting.
        of: from `Rows` to the features.
        is_category: which features are codes; none when left out.
        leaves: most leaves of one tree.
        stages: numbers of trees, rising.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    features = np.concatenate([real, fake])
    if len(features) < _MANY:
        stages = stages[:-1]
    labels = np.concatenate([np.ones(len(real)), np.zeros(len(fake))])
    forest = HistGradientBoostingClassifier(
        max_iter=stages[-1],
        learning_rate=0.1,
        max_leaf_nodes=leaves,
        min_samples_leaf=max(5, min(20, len(features) // 50)),
        l2_regularization=1.0,
        early_stopping=False,
        max_features=min(1.0, _FEATURES_PER_SPLIT / max(1, features.shape[1])),
        categorical_features=None if is_category is None or not any(is_category) else np.array(is_category),
        random_state=seed % 2**31,
    ).fit(features, labels)
    # Prior odds of unequal counts leave the logits as a constant; weighted rows would make scikit-learn's binning, of
    # every feature, some hundred times slower.
    prior = np.log(len(real) / len(fake))
    wanted = {stage - 1 for stage in stages}

    def score(rows: Rows) -> np.ndarray:
        staged = enumerate(forest.staged_decision_function(of(rows)))
        return np.stack([logits.ravel() - prior for stage, logits in staged if stage in wanted], axis=1)

    return score


CLASSIFIERS = {
    "boosted trees": Classifier(
        name="boosted trees",
        kinds=frozenset({"points", "images", "table"}),
        fit=fit_trees,
        sees="point masses, gaps, rounding, missing levels, interactions",
    )
}
