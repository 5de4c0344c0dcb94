"""The density that a generator's samples are meant to follow, when training drew rows by weight.

A referee that compared a weighted generator with the bare data would find the weighting and call it a failure. So
rows of the data are thinned: row i stays with probability `w_i / max(w)`. What stays are independent rows of the
weighted density, each at most once; drawing with repetition instead would give the referee copies to find.

Rows of one group (`data.group`: the visits of a patient) depend on each other. Of each group that is held out one row,
drawn at random, is tested on: these are independent, and every group counts the same. Training keeps all rows.
"""

from __future__ import annotations

import numpy as np

from equipoise.data import PreparedData
from equipoise.data.dataset import Dataset
from equipoise.data.splits import Part
from equipoise.experiment.config.schema import RunConfig
from equipoise.randomness import Stream, numpy_stream


def sampled_weights(config: RunConfig, data: PreparedData) -> np.ndarray | None:
    """How often each row of the data belongs to the density of `Gan.sample`, float64 `(rows,)`; `None` is evenly.

    - Without classes asked for, samples follow the density of training: the sample weights, and, where classes are
      balanced, equal shares of the classes.
    - With them, samples come with the data's own shares of the classes, so only the sample weights within each class
      count. Balancing then changes how well the rare classes are learned, not what is sampled.

    Totals over classes are those of the training part, which is what the generator saw.
    """
    own, labels = data.raw.weights, data.raw.labels
    is_balanced = config.data.balance == "classes"
    if own is None and (config.networks.conditional or not is_balanced):
        return None
    weights = np.ones(len(data.raw)) if own is None else own
    if labels is None or not (config.networks.conditional or is_balanced):
        return weights
    train = data.split.train
    totals = np.bincount(labels[train], weights=weights[train], minlength=data.n_classes)
    wanted = data.class_shares if config.networks.conditional else np.ones(data.n_classes)
    return weights * np.divide(wanted, totals, out=np.zeros(data.n_classes), where=totals > 0)[labels]


def thinned_part(config: RunConfig, data: PreparedData, name: Part) -> Dataset:
    """One part of the data, thinned to the density of `Gan.sample`; the whole part where rows were drawn evenly.

    The same configuration and data keep the same rows.
    """
    return data.raw.rows(thinned_rows(config, data, name))


def thinned_rows(config: RunConfig, data: PreparedData, name: Part) -> np.ndarray:
    """Numbers of the rows of `thinned_part`, int64, ascending."""
    weights = sampled_weights(config, data)
    rows = data.split.part(name)
    stream = numpy_stream(config.seed, Stream.THINNED_ROWS.format(name))
    if weights is not None:
        uniform = stream.random(len(rows))
        rows = rows[uniform * weights.max() < weights[rows]]
    if data.raw.groups is None or name == "train":
        return rows
    # Tests need independent rows: one of each group, drawn at random.
    order = stream.permutation(len(rows))
    return np.sort(rows[order[np.unique(data.raw.groups[rows][order], return_index=True)[1]]])
