r"""Rejection: rows of a table are kept by how real a discriminator, fitted after the training, finds them.

Boosted trees tell training rows from as many generated ones. Their odds of "real" estimate r(x) = p(x) / q(x), and a
generated row is kept with the chance

.. math::
    a(x) = \min(1, r(x) / M), \qquad q'(x) = q(x) \, a(x) / E_q[a],

which for the true ratio and M no less than any r is p itself. M is a high quantile of r over generated rows that the
trees were not fitted to, or lower where fewer than `LEAST_KEPT` would be kept. Rows that are set aside decide how many
trees are taken, and none sees the selection and final parts of the data.

What is kept looks more real to trees than it did, first of all to these: a score of other trees on it is no measure of
the generator.

Reference:
    Azadi et al. 2019, "Discriminator Rejection Sampling", arXiv:1810.06758, section 3; there the ratio is that of the
    game's own discriminator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from equipoise.data import TableEncoder
from equipoise.data.tables.classifier_inputs import table_preparation
from equipoise.errors import DataError, InputError
from equipoise.experiment.judge.run import run_data
from equipoise.experiment.weighted_density import thinned_rows
from equipoise.metrics.tables.auc import auc
from equipoise.randomness import Stream, derived_seed, numpy_stream
from equipoise.runfolder import RunFolder

if TYPE_CHECKING:
    from equipoise.experiment.generator import Gan

MOST_ROWS, FEWEST_ROWS = 25_000, 200
"""Training rows that are taken, and without which trees learn nothing."""
SET_ASIDE = 0.2
"""Of the training rows: they decide how many trees are taken, and the area under the curve is told of them."""
ITERATIONS, LEARNING_RATE = 150, 0.05
QUANTILE = 0.98
"""Of the ratio among generated rows, that M is: a few rows in a hundred are kept less often than they should be."""
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
            f"Boosted trees fitted on {self.train_rows:,} training rows tell the generator's rows from others of them "
            f"with an AUC of {self.auc:.3f}; by them about {100 * self.kept:.0f} % of the rows are kept."
        )


def rejection_of(gan: Gan) -> Rejection:
    """Fit the discriminator of a run on a table; the same run gives the same one.

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
    fake = gan.sample_raw(len(rows) + round(SET_ASIDE * len(rows)), seed=seed).values
    real = data.raw.rows(rows).values[list(fake.columns)].reset_index(drop=True)
    return fitted(real, fake, seed=seed % 2**32)


def fitted(real: pd.DataFrame, fake: pd.DataFrame, *, seed: int) -> Rejection:
    """The discriminator of two tables.

    Args:
        real: training rows in random order.
        fake: generated rows, more of them: with as many the trees are fitted, M is chosen by the others.
        seed: of the trees.
    """
    aside = round(SET_ASIDE * len(real))
    learned = len(real) - aside
    prepare = table_preparation(real[:learned], fake[:learned])
    inputs = [prepare(rows[:learned]).mixed for rows in (real, fake)]
    unseen = [prepare(rows[learned:]).mixed for rows in (real, fake)]
    categories = list(prepare(real[:1]).is_category)
    trees = _best_trees(inputs, unseen, categories, seed=seed)

    def log_ratio(values: pd.DataFrame) -> np.ndarray:
        if trees is None or not len(values):
            return np.zeros(len(values))
        return np.clip(trees.decision_function(prepare(values[list(real.columns)]).mixed), -LOG_LIMIT, LOG_LIMIT)

    found = log_ratio(fake[learned:])
    limit = limit_of(found)
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
            categorical_features=categories,
            random_state=seed,
            max_iter=count,
            learning_rate=LEARNING_RATE,
            early_stopping=False,
        )
        return model.fit(np.concatenate(inputs), np.repeat([True, False], [len(side) for side in inputs]))

    found = trees(ITERATIONS)
    steps = zip(*(found.staged_decision_function(side) for side in unseen), strict=True)
    losses = [np.logaddexp(0, -real).mean() + np.logaddexp(0, fake).mean() for real, fake in steps]
    best = int(np.argmin(losses))
    return trees(best + 1) if losses[best] < 2 * np.log(2) else None


def chances(log_ratio: np.ndarray, log_limit: float) -> np.ndarray:
    """The chance to be kept of each row: min(1, r / M)."""
    return np.exp(np.minimum(0.0, log_ratio - log_limit))


def limit_of(log_ratio: np.ndarray) -> float:
    """log M for rows of the generator: the quantile, or the highest limit below it that keeps enough."""
    limit = float(np.quantile(log_ratio, QUANTILE))
    if chances(log_ratio, limit).mean() >= LEAST_KEPT:
        return limit
    low, high = float(log_ratio.min()), limit
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if chances(log_ratio, middle).mean() >= LEAST_KEPT else (low, middle)
    return low
