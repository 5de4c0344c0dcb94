r"""Rejection: rows of a table are kept by how real a discriminator, fitted after the training, finds them.

Boosted trees tell training rows from generated ones. Their odds of "real" over those of the numbers of rows estimate
r(x) = p(x) / q(x), and a generated row is kept with the chance

.. math::
    a(x) = \min(1, r(x) / M), \qquad q'(x) = q(x) \, a(x) / E_q[a],

which for the true ratio and M no less than any r is p itself. M is a high quantile of r under p, estimated on generated
rows that the trees were not fitted to, or lower where fewer than `LEAST_KEPT` would be kept. Further trees are fitted
to what the first ones would keep, and their ratio multiplies. Rows that are set aside decide how many trees are taken,
and none sees the selection and final parts of the data.

What is kept looks more real to trees than it did, first of all to these: a score of other trees on it is no measure of
the generator.

Reference:
    Azadi et al. 2019, "Discriminator Rejection Sampling", arXiv:1810.06758, section 3; there the ratio is that of the
    game's own discriminator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from equipoise.data import TableEncoder
from equipoise.data.tables.classifier_inputs import table_preparation
from equipoise.errors import DataError, InputError
from equipoise.experiment.conditional_sampling import Wanted
from equipoise.experiment.judge.run import run_data
from equipoise.experiment.weighted_density import thinned_rows
from equipoise.metrics.tables.auc import auc
from equipoise.randomness import Stream, derived_seed, numpy_stream
from equipoise.runfolder import RunFolder
from equipoise.spaces import sample_size

MOST_ROWS, FEWEST_ROWS = 25_000, 200
"""Training rows that are taken, and without which trees learn nothing."""
SET_ASIDE = 0.2
"""Of the training rows: they decide how many trees are taken, and the area under the curve is told of them."""
FAKES, ROUNDS = 2, 2
"""Generated rows for each training row; and fits, each to the rows that the fits before it would keep."""
ITERATIONS = 150
TREES = {"learning_rate": 0.06, "max_leaf_nodes": 24, "min_samples_leaf": 40, "l2_regularization": 2.0}
MASS = 0.95
"""Of the real law, as estimated, that lies where r is at most M; the rest is kept less often than it should be."""
LEAST_KEPT = 0.25
"""Without a floor the trees of a poor generator keep next to nothing."""
LOG_LIMIT = 20.0


@dataclass(frozen=True)
class Rejection:
    """A fitted discriminator and its limit.

    Attributes:
        log_ratio: the logarithm of the estimated r of rows of a frame.
        log_limit: the logarithm of M.
        kept: share of the generator's rows that is kept, estimated on rows that no tree was fitted to.
        auc: of the trees on training rows that were set aside, against fresh generated ones.
        train_rows: that the trees were fitted to.
    """

    log_ratio: Callable[[pd.DataFrame], np.ndarray]
    log_limit: float
    kept: float
    auc: float
    train_rows: int

    def places(self, values: pd.DataFrame, *, seed: int, source: int, batch: int) -> np.ndarray:
        """Which rows of a batch are kept.

        Args:
            values: the batch.
            seed: of the sample.
            source: number of the law that the batch is drawn from, where there are several.
            batch: its number among those.
        """
        chance = numpy_stream(seed, Stream.REJECTION, source, batch).random(len(values))
        return np.flatnonzero(chance < chances(self.log_ratio(values), self.log_limit))

    def text(self) -> str:
        """What a person is told."""
        return (
            f"Boosted trees fitted on {self.train_rows:,} training rows tell the generator's rows from training rows "
            f"that they have not seen with an AUC of {self.auc:.3f}; by them about {100 * self.kept:.0f} % of the rows "
            "are kept."
        )


def rejection_of(gan: Any) -> Rejection:
    """Fit the discriminator of a run on a table, a `Gan`; the same run gives the same one.

    Raises:
        InputError: the samples are no rows of a table, or the generator is asked for classes.
        DataError: there are fewer than `FEWEST_ROWS` training rows.
        RunFolderError: the data have changed since the run began, or are not part of the folder.
    """
    if not isinstance(gan.encoder, TableEncoder) or gan.config.networks.conditional:
        is_table = isinstance(gan.encoder, TableEncoder)
        raise InputError(
            "rejection",
            "the generator is asked for classes (data.labels)."
            if is_table
            else f"it was asked for of samples that are {gan.encoder.space.kind}.",
            "Expected a generator of all columns of a table.",
            "Leave it out.",
        )
    data = gan.data if gan.data is not None else run_data(gan, RunFolder(gan.folder))
    rows = thinned_rows(gan.config, data, "train")
    if len(rows) < FEWEST_ROWS:
        raise DataError(
            str(gan.config.data.source),
            f"there are {len(rows):,} training rows.",
            f"Expected at least {FEWEST_ROWS} for rejection: trees learn nothing from fewer.",
            "Leave it out.",
        )
    seed = derived_seed(gan.config.seed, Stream.REJECTION, gan.step)
    rows = numpy_stream(seed, Stream.REJECTION).permutation(rows)[:MOST_ROWS]
    columns = list(gan.encoder.decode(np.zeros((1, sample_size(gan.space)), dtype=np.float32)).columns)
    real = data.raw.rows(rows).values[columns].reset_index(drop=True)

    def draw(count: int, number: int) -> pd.DataFrame:
        # Of single rows: of many more than training rows, no two of which may share values, there might not be as many.
        return gan.sample_raw(count, seed=derived_seed(seed, Stream.REJECTION, number), wanted=Wanted()).values

    return fitted(real, draw, seed=seed % 2**32)


def fitted(real: pd.DataFrame, draw: Callable[[int, int], pd.DataFrame], *, seed: int) -> Rejection:
    """The discriminator of training rows and a generator.

    Args:
        real: training rows in random order.
        draw: makes so many rows of the generator's; another number gives others.
        seed: of the trees, and of the rows that are kept between the rounds.
    """
    aside = round(SET_ASIDE * len(real))
    learned = len(real) - aside
    asked = FAKES * learned
    fakes, fresh = draw(asked, 0), draw(FAKES * aside, 1)
    prepare = table_preparation(real[:learned], fakes)
    inputs = lambda rows: prepare(rows[list(real.columns)]).mixed  # noqa: E731
    categories = list(prepare(real[:1]).is_category)
    rounds: list[tuple[Any, float]] = []

    def log_ratio(values: pd.DataFrame) -> np.ndarray:
        if not rounds or not len(values):
            return np.zeros(len(values))
        read = inputs(values)
        return np.clip(sum(trees.decision_function(read) - base for trees, base in rounds), -LOG_LIMIT, LOG_LIMIT)

    limit = 0.0
    for number in range(ROUNDS):
        if number:
            fakes = draw(asked, 2)
        stream = numpy_stream(seed, Stream.REJECTION, number)
        kept = [rows[stream.random(len(rows)) < chances(log_ratio(rows), limit)] for rows in (fakes, fresh)]
        sides = [inputs(real[:learned]), inputs(kept[0])]
        trees = _best_trees(sides, [inputs(real[learned:]), inputs(kept[1])], categories, seed=seed)
        if trees is None:
            break
        rounds.append((trees, np.log(len(sides[0]) / len(sides[1]))))
        limit = limit_of(log_ratio(fresh))
    found = log_ratio(fresh)
    return Rejection(
        log_ratio,
        limit,
        kept=float(chances(found, limit).mean()),
        auc=auc(log_ratio(real[learned:]), found),
        train_rows=learned,
    )


def _best_trees(inputs: list[np.ndarray], unseen: list[np.ndarray], categories: list[bool], *, seed: int) -> Any:
    """As many trees as tell unseen rows best, by their logarithmic loss; `None` where that is none."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    def trees(count: int) -> Any:
        model = HistGradientBoostingClassifier(
            categorical_features=categories, random_state=seed, max_iter=count, early_stopping=False, **TREES
        )
        return model.fit(np.concatenate(inputs), np.repeat([True, False], [len(side) for side in inputs]))

    found = trees(ITERATIONS)
    steps = zip(*(found.staged_decision_function(side) for side in unseen), strict=True)
    # The sides in the numbers in which they were fitted; without any tree the odds are those of the numbers.
    shares = np.array([len(side) for side in inputs]) / sum(map(len, inputs))
    losses = [shares @ [np.logaddexp(0, -real).mean(), np.logaddexp(0, fake).mean()] for real, fake in steps]
    best = int(np.argmin(losses))
    return trees(best + 1) if losses[best] < -float(shares @ np.log(shares)) else None


def chances(log_ratio: np.ndarray, log_limit: float) -> np.ndarray:
    """The chance to be kept of each row: min(1, r / M)."""
    return np.exp(np.minimum(0.0, log_ratio - log_limit))


def limit_of(log_ratio: np.ndarray) -> float:
    """log M for rows of the generator: where `MASS` of the real law lies below, or lower where too few are kept."""
    ascending = np.sort(log_ratio)
    mass = np.cumsum(np.exp(ascending))
    limit = float(ascending[np.searchsorted(mass, MASS * mass[-1])])
    if chances(log_ratio, limit).mean() >= LEAST_KEPT:
        return limit
    low, high = float(ascending[0]), limit
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if chances(log_ratio, middle).mean() >= LEAST_KEPT else (low, middle)
    return low
