"""Train on synthetic rows, test on real ones: what is predicted, and what a set of rows is worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from equipoise.data.tables.classifier_inputs import measured
from equipoise.metrics.tables.sides import COPY, SYNTHETIC
from equipoise.metrics.tables.usefulness import as_target, detected_target, usefulness


@pytest.fixture
def stream():
    return np.random.default_rng(0)


def target_of(frame):
    found = detected_target(measured(pd.DataFrame(frame)))
    return None if found is None else (found.name, found.is_number)


def test_a_usual_name_is_the_target_wherever_it_stands():
    assert target_of({"Class": ["a", "b"], "x": [1.0, 2.0], "last": ["c", "d"]}) == ("Class", False)


def test_else_it_is_the_last_column_with_few_values_and_else_the_last_number_that_varies():
    numbers = np.arange(40.0)
    assert target_of({"few": numbers % 3, "many": numbers, "one": 1.0}) == ("few", False)
    assert target_of({"a": numbers, "b": numbers * 2, "one": 1.0}) == ("b", True)


def test_a_column_that_another_one_decides_is_no_detected_target_while_there_is_a_better_one():
    stream = np.random.default_rng(1)
    level = stream.integers(0, 4, 200)
    frame = {
        "bought": stream.integers(0, 2, 200),
        "level": level,
        "name": np.array(list("abcd"))[level],
        "id": range(200),
    }
    assert target_of(frame) == ("bought", False)
    # The identifier decides every column, and says nothing: none of its values comes again.
    assert target_of({key: frame[key] for key in ("bought", "id")}) == ("bought", False)
    assert target_of({key: frame[key] for key in ("level", "name")}) == ("name", False)
    assert target_of(frame | {"class": frame["name"]}) == ("class", False)


def test_a_table_of_constants_has_no_target():
    assert target_of({"a": [1.0, 1.0], "b": ["x", "x"]}) is None


def rows(stream, count, *, works=True):
    x = stream.normal(size=count)
    y = x + stream.normal(size=count) > 0
    label = np.where(y, "rare", "usual") if works else stream.permutation(np.where(y, "rare", "usual"))
    return pd.DataFrame({"x": x, "number": 3 * x + stream.normal(size=count), "label": label})


def tables(stream, *frames):
    table = measured(pd.concat(frames, ignore_index=True))
    ends = np.cumsum([len(frame) for frame in frames])
    return [table[np.arange(end - len(frame), end)] for frame, end in zip(frames, ends, strict=True)]


def test_rows_of_the_same_law_are_worth_the_same_and_shuffled_labels_are_worth_nothing(stream):
    real, train, good = tables(stream, *(rows(stream, 1500) for _ in range(3)))
    found = usefulness(real, {SYNTHETIC: good, COPY: train}, as_target(real, "label"), baseline=COPY, seed=0)
    assert found.metric == "AUC"
    assert found.scores[COPY].low > 0.7
    assert abs(found.differences[SYNTHETIC].value) < 0.05
    assert (found.differences[COPY].low, found.differences[COPY].high) == (0, 0)  # paired: the same model, row by row
    real, train, bad = tables(stream, rows(stream, 1500), rows(stream, 1500), rows(stream, 1500, works=False))
    found = usefulness(real, {SYNTHETIC: bad, COPY: train}, as_target(real, "label"), baseline=COPY, seed=0)
    assert found.differences[SYNTHETIC].high < -0.1


def test_a_number_is_predicted_with_its_share_of_variance(stream):
    real, train = tables(stream, rows(stream, 2000), rows(stream, 2000))
    found = usefulness(real, {COPY: train}, as_target(real, "number"), baseline=COPY, seed=0)
    assert found.metric == "R2"
    assert found.scores[COPY].value == pytest.approx(0.9, abs=0.06)  # 9 of the variance of 3 x + noise of 1


def test_a_constant_target_among_synthetic_rows_is_told_and_not_scored(stream):
    real, train, broken = tables(stream, rows(stream, 300), rows(stream, 300), rows(stream, 300).assign(label="rare"))
    found = usefulness(real, {SYNTHETIC: broken, COPY: train}, as_target(real, "label"), baseline=COPY, seed=0)
    assert SYNTHETIC not in found.scores
    assert "synthetic" in found.why_not
    assert "one value only" in found.why_not


def test_one_column_leaves_nothing_to_predict_from(stream):
    (real,) = tables(stream, rows(stream, 100)[["label"]])
    found = usefulness(real, {COPY: real}, as_target(real, "label"), baseline=COPY, seed=0)
    assert "one column only" in found.why_not
