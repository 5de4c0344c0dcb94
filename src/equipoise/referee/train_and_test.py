"""One judgement without its conclusion: train every classifier, select one, test it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from equipoise.data.domain import domain_of
from equipoise.data.judging import Rows
from equipoise.randomness import Stream, derived_seed
from equipoise.referee.base import Classifier
from equipoise.referee.bound import log_e_value
from equipoise.referee.classifiers import available
from equipoise.referee.model_selection import SelectedClassifier, select
from equipoise.referee.parallel import side_by_side
from equipoise.referee.splits import Parts
from equipoise.spaces import SpaceKind


@dataclass(frozen=True)
class Outcome:
    """The selected classifier, its clipped logits on the test part, and the prepared rows behind them.

    `limits` are the lowest and highest logit that the selected classifier may give: see `train_and_test`.
    """

    selected: SelectedClassifier
    real_logits: np.ndarray
    fake_logits: np.ndarray
    limits: tuple[float, float]
    real: Rows
    fake: Rows
    real_train: Rows
    fake_train: Rows

    @property
    def log_e_value(self) -> float:
        """Evidence against "one distribution", in nats."""
        return log_e_value(self.real_logits, self.fake_logits)


def train_and_test(parts: Parts, *, kind: SpaceKind, seed: int, classifiers: Sequence[Classifier]) -> Outcome:
    """Train every classifier, select one on the validation part, test it once.

    Its logits on the test part are clipped to the range that they have on the validation part. A classifier that may
    not say more than it was seen to say there loses next to nothing, and its worst logit is known before a sample is
    tested, which the bound on the distance needs.
    """
    domain = domain_of(kind)
    measured = Parts(*map(domain.measured, vars(parts).values()))
    prepare = domain.preparation(measured.real_train, measured.fake_train)
    train: list[Rows] = [prepare(measured.real_train), prepare(measured.fake_train)]
    # Trained scorers read all four remaining parts in one pass; the test part's columns are opened only once selected.
    others = [prepare(part) for name, part in vars(measured).items() if not name.endswith("_train")]
    scores = fit_and_score(train, others, seed=seed, classifiers=classifiers)
    by_part = [{name: each[place] for name, each in scores.items()} for place in range(4)]
    selected = select(by_part[0], by_part[1])
    logits = [selected.logits(scored) for scored in by_part]
    limits = min(side.min() for side in logits[:2]), max(side.max() for side in logits[:2])
    real_logits, fake_logits = (np.clip(side, *limits) for side in logits[2:])
    return Outcome(selected, real_logits, fake_logits, limits, *others[2:], *train)


def fit_and_score(
    train: Sequence[Rows], others: Sequence[Rows], *, seed: int, classifiers: Sequence[Classifier]
) -> dict[str, list[np.ndarray]]:
    """Each classifier's logits of the other parts, in the classifiers' order, all classifiers side by side.

    Args:
        train: rows of the first side (its logits are positive) and of the second.
        others: parts to score.
        seed: of the classifiers.
        classifiers: to train.
    """

    def scored_by(classifier: Classifier) -> list[np.ndarray]:
        scorer = classifier.fit(*train, derived_seed(seed, Stream.REFEREE_CLASSIFIER.format(classifier.name)))
        return [scorer(rows) for rows in others]

    # What a caller brought, such as an extractor, may not be made for threads.
    known = available()
    ours = [classifier for classifier in classifiers if known.get(classifier.name) is classifier]
    found = side_by_side([partial(scored_by, classifier) for classifier in ours])
    scores = {classifier.name: each for classifier, each in zip(ours, found, strict=True)}
    scores |= {classifier.name: scored_by(classifier) for classifier in classifiers if classifier.name not in scores}
    return {classifier.name: scores[classifier.name] for classifier in classifiers}
