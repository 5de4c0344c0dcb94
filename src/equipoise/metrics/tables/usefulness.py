r"""Whether a model that was trained on synthetic rows works on real ones: train-synthetic-test-real.

Boosted trees predict one column, the target, from the others. They are trained on as many synthetic rows as real ones,
and tested on the same real rows; the difference is resampled in pairs, test row by test row, 1,000 times. The score is
the area under the ROC curve for a target of two values, the share of right answers for up to 50, and
:math:`R^2 = 1 - \sum (y - \hat y)^2 / \sum (y - \bar y)^2` for a number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from equipoise.data.tables.classifier_inputs import LevelColumn, MeasuredTable, NumberColumn
from equipoise.metrics.tables.auc import RESAMPLES, UNKNOWN, Estimate, weighted_auc
from equipoise.metrics.tables.boosted_trees import boosted_trees, tree_inputs
from equipoise.metrics.tables.sides import gaps

USUAL_NAMES = ("target", "label", "labels", "class", "y", "outcome", "response")
MOST_CLASSES = 50
MOST_DETECTED = 20
FEWEST_ROWS = 50
"""Rows with a target, to learn from and to test on."""


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Attributes:
        name: of the column.
        is_number: whether it is a number with many values, to be predicted as such.
        was_detected: whether nobody named it.
    """

    name: str
    is_number: bool
    was_detected: bool


@dataclass(frozen=True)
class Usefulness:
    """What training on each set of rows is worth.

    Attributes:
        target: what is predicted; `None` where no column suits.
        metric: 'AUC', 'accuracy' or 'R2'.
        scores: on the same real rows, by the set that was trained on.
        differences: of each from what training on real rows scores.
        baseline: the set of real rows that is.
        trained_on, tested_on: rows.
        why_not: why nothing was measured, or some of it; '' where all was.
    """

    target: Target | None
    metric: str = ""
    scores: dict[str, Estimate] | None = None
    differences: dict[str, Estimate] | None = None
    baseline: str = ""
    trained_on: int = 0
    tested_on: int = 0
    why_not: str = ""


def detected_target(table: MeasuredTable) -> Target | None:
    """A column of a usual name ('target', 'label', 'class', ...), else the last one with 2 to 20 values that no other
    column decides, else the last one with so few, else the last number that varies."""
    counts = {name: values_of(column) for name, column in table.columns.items()}
    usual = [name for name in counts if name.lower() in USUAL_NAMES and 2 <= counts[name]]
    few = [name for name, count in counts.items() if 2 <= count <= MOST_DETECTED]
    open_ones = few if usual else [name for name in few if not is_decided(table, name)]
    numbers = [name for name, count in counts.items() if count > 1 and isinstance(table.columns[name], NumberColumn)]
    for found in (usual, open_ones, few, numbers):
        if found:
            return replace(as_target(table, found[-1]), was_detected=True)
    return None


def is_decided(table: MeasuredTable, name: str) -> bool:
    """Whether some other column, of which most values come again, decides this one: it is then predicted always."""
    target = np.unique(_as_values(table.columns[name]), return_inverse=True)[1]
    for other, column in table.columns.items():
        if other == name:
            continue
        codes = np.unique(_as_values(column), return_inverse=True)[1]
        count = int(codes.max(initial=-1)) + 1
        if 2 <= count <= len(table) / 2 and len(np.unique(codes * (target.max() + 1) + target)) == count:
            return True
    return False


def _as_values(column: NumberColumn | LevelColumn) -> np.ndarray:
    return column.values if isinstance(column, NumberColumn) else column.codes


def as_target(table: MeasuredTable, name: str) -> Target:
    """A named column as what is predicted: a number where it has more than 20 different ones."""
    column = table.columns[name]
    return Target(name, isinstance(column, NumberColumn) and values_of(column) > MOST_DETECTED, False)


def values_of(column: NumberColumn | LevelColumn) -> int:
    """How many different values a column has, missing ones left out."""
    return len(np.unique(_as_values(column)[~gaps(column)]))


def usefulness(
    real: MeasuredTable, sets: dict[str, MeasuredTable], target: Target | None, *, baseline: str, seed: int
) -> Usefulness:
    """Train on each set, test on `real`.

    Args:
        real: rows that are tested on.
        sets: what is trained on, by name, each with as many rows.
        target: what is predicted.
        baseline: the set of real rows that the others' scores are compared with.
        seed: of the trees and of the resampling.
    """
    if target is None:
        return Usefulness(None, why_not="No column has two values or more that could be predicted.")
    inputs = tuple(name for name in real.columns if name != target.name)
    if not inputs:
        return Usefulness(target, why_not="There is one column only: nothing is left to predict it from.")
    wanted, classes = _answers(real, sets, target)
    rows = {name: np.flatnonzero(np.isfinite(answer)) for name, answer in wanted.items()}
    test = rows.pop("")
    short = next((name for name in ("", baseline) if len(rows.get(name, test)) < FEWEST_ROWS), None)
    if short is not None:
        return Usefulness(target, why_not=f"Fewer than {FEWEST_ROWS} real rows have a value of '{target.name}'.")
    matrices, is_category = tree_inputs([real, *sets.values()], inputs)
    truth, tested = wanted[""][test], matrices[0][test]
    predictions, refused = {}, []
    for (name, answer), matrix in zip(((key, wanted[key]) for key in sets), matrices[1:], strict=True):
        if len(rows[name]) < FEWEST_ROWS or (not target.is_number and len(np.unique(answer[rows[name]])) < 2):
            refused.append(name)
            continue
        model = boosted_trees(is_number=target.is_number, is_category=is_category, seed=seed)
        model.fit(matrix[rows[name]], answer[rows[name]])
        predictions[name] = _predicted(model, tested, target, classes)
    metric = "R2" if target.is_number else "AUC" if classes == 2 else "accuracy"
    scores, differences = _resampled(truth, predictions, metric, baseline, seed=seed)
    why_not = "".join(
        f"The {name} have fewer than {FEWEST_ROWS} values of '{target.name}', or one value only. " for name in refused
    )
    return Usefulness(target, metric, scores, differences, baseline, len(rows[baseline]), len(test), why_not.strip())


def _answers(real: MeasuredTable, sets: dict[str, MeasuredTable], target: Target) -> tuple[dict[str, np.ndarray], int]:
    """The target of each set as float64, NaN where missing; classes are numbered by how rare they are in `real`."""
    columns = {"": real.columns[target.name], **{name: table.columns[target.name] for name, table in sets.items()}}
    values = {name: _values(column) for name, column in columns.items()}
    if target.is_number:
        return values, 0
    known, counts = np.unique(
        np.concatenate([found[np.isfinite(found)] for found in values.values()]), return_counts=True
    )
    own, own_counts = np.unique(values[""][np.isfinite(values[""])], return_counts=True)
    counts = np.zeros(len(known))
    counts[np.searchsorted(known, own)] = own_counts
    kept = known[np.argsort(-counts, kind="stable")]  # the rarest last: of two classes it is the one looked for
    place = {value: number for number, value in enumerate(kept)}
    coded = {
        name: np.array([place.get(value, np.nan) for value in found], dtype=np.float64)
        for name, found in values.items()
    }
    return coded, len(own)


def _values(column: NumberColumn | LevelColumn) -> np.ndarray:
    values = column.values if isinstance(column, NumberColumn) else column.codes.astype(np.float64)
    return np.where(gaps(column), np.nan, values)


def _predicted(model, inputs: np.ndarray, target: Target, classes: int) -> np.ndarray:
    """Numbers; of two classes the probability of the second; of more the likeliest."""
    if target.is_number or classes != 2:
        return model.predict(inputs)
    place = np.flatnonzero(model.classes_ == 1)
    return model.predict_proba(inputs)[:, place[0]] if len(place) else np.zeros(len(inputs))


def _resampled(
    truth: np.ndarray, predictions: dict[str, np.ndarray], metric: str, baseline: str, *, seed: int
) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Scores and differences from the baseline with percentile intervals; the same rows are drawn for all."""
    stream = np.random.default_rng(seed)
    score = {name: _score_of(truth, predicted, metric) for name, predicted in predictions.items()}
    count = len(truth)
    drawn = {name: np.empty(RESAMPLES) for name in predictions}
    for trial in range(RESAMPLES):
        weights = np.bincount(stream.integers(0, count, size=count), minlength=count).astype(np.float64)
        for name, scored in score.items():
            drawn[name][trial] = scored(weights)
    once = np.ones(count)
    scores = {name: _estimate(scored(once), drawn[name]) for name, scored in score.items()}
    if baseline not in scores:
        return scores, dict.fromkeys(scores, UNKNOWN)
    differences = {
        name: _estimate(scores[name].value - scores[baseline].value, drawn[name] - drawn[baseline]) for name in scores
    }
    return scores, differences


def _score_of(truth: np.ndarray, predicted: np.ndarray, metric: str):
    """A function from weights of the test rows to the score."""
    if metric == "AUC":
        order = np.argsort(predicted, kind="stable")
        ordered, is_positive = predicted[order], truth[order] == 1
        return lambda weights: weighted_auc(ordered, is_positive, weights[order])
    if metric == "accuracy":
        hits = (truth == predicted).astype(np.float64)
        return lambda weights: float((weights * hits).sum() / weights.sum())
    errors = np.square(truth - predicted)

    def r_squared(weights: np.ndarray) -> float:
        mean = (weights * truth).sum() / weights.sum()
        total = (weights * np.square(truth - mean)).sum()
        return float(1 - (weights * errors).sum() / total) if total > 0 else float("nan")

    return r_squared


def _estimate(value: float, drawn: np.ndarray) -> Estimate:
    known = drawn[np.isfinite(drawn)]
    if not len(known) or not np.isfinite(value):
        return UNKNOWN
    low, high = np.quantile(known, (0.025, 0.975))
    return Estimate(value, float(low), float(high))
