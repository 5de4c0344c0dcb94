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


def train_and_test(parts: Parts, *, kind: SpaceKind, seed: int, classifiers: Sequence[Classifier]) -> Outcome:
    """Train every classifier, select one on the validation part, test it once.

    Its logits on the test part are clipped to the range that they have on the validation part. A classifier that may
    not say more than it was seen to say there loses next to nothing, and its worst logit is known before a sample is
    tested, which the bound on the distance needs.
    """
    prepare = domain_of(kind).preparation(parts.real_train, parts.fake_train)
    train: list[Rows] = [prepare(parts.real_train), prepare(parts.fake_train)]
    # Trained scorers read all four remaining parts in one pass; the test part's columns are opened only once selected.
    others = [
        prepare(part) for part in (parts.real_validation, parts.fake_validation, parts.real_test, parts.fake_test)
    ]

    def scored_by(classifier: Classifier) -> list[np.ndarray]:
        scorer = classifier.fit(*train, derived_seed(seed, Stream.REFEREE_CLASSIFIER.format(classifier.name)))
        return [scorer(rows) for rows in others]

    # What a caller brought, such as an extractor, may not be made for threads.
    known = available()
    ours = [classifier for classifier in classifiers if known.get(classifier.name) is classifier]
    found = side_by_side([partial(scored_by, classifier) for classifier in ours])
    scores = {classifier.name: each for classifier, each in zip(ours, found, strict=True)}
    scores |= {classifier.name: scored_by(classifier) for classifier in classifiers if classifier.name not in scores}
    by_part = [{classifier.name: scores[classifier.name][place] for classifier in classifiers} for place in range(4)]
    selected = select(by_part[0], by_part[1])
    logits = [selected.logits(scored) for scored in by_part]
    limits = min(side.min() for side in logits[:2]), max(side.max() for side in logits[:2])
    real_logits, fake_logits = (np.clip(side, *limits) for side in logits[2:])
    return Outcome(selected, real_logits, fake_logits, limits, *others[2:], *train)
