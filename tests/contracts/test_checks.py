"""What every check of the referee must satisfy; finds new ones by itself."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from equipoise.files import plain
from equipoise.referee import judge
from equipoise.referee.bound import LOGIT_LIMIT
from equipoise.referee.checks import available
from equipoise.referee.classifiers import available as available_classifiers
from equipoise.referee.splits import split
from equipoise.referee.train_and_test import train_and_test


def sides(kind: str, count: int, seed: int):
    stream = np.random.default_rng(seed)
    if kind == "points":
        return stream.standard_normal((count, 2))
    if kind == "images":
        return stream.integers(0, 256, (count, 1, 6, 6)).astype(np.uint8)
    return pd.DataFrame({"a": stream.integers(0, 4, count), "b": stream.choice(["x", "y"], count)})


@pytest.mark.parametrize("name", available())
@pytest.mark.parametrize("kind", ["points", "images", "table"])
@pytest.mark.parametrize("count", [20, 300])
def test_every_check_speaks_in_sentences_and_plain_values_on_every_kind_of_data(name, kind, count):
    quick = [available_classifiers()["quadratic"]]
    verdict = judge(sides(kind, count, 0), sides(kind, count, 1), kind=kind, checks=[name], classifiers=quick)
    assert {finding.check for finding in verdict.findings} <= {name, "inputs"}
    for finding in verdict.findings:
        assert finding.statement.endswith(".")
        assert finding.statement[0].isupper() or finding.statement[0].isdigit()
        json.dumps(plain({"numbers": dict(finding.numbers), "rows": list(finding.rows)}), allow_nan=False)


@pytest.mark.parametrize("name", available_classifiers())
def test_every_classifier_fits_scores_in_rows_and_columns_and_depends_on_its_seed_alone(name):
    classifier = available_classifiers()[name]
    kind = sorted(classifier.kinds)[0]
    parts = split(sides(kind, 200, 0), sides(kind, 160, 1), seed=0)
    first, again = (train_and_test(parts, kind=kind, seed=5, classifiers=[classifier]) for _ in range(2))
    assert first.real_logits.shape == (80,) and first.fake_logits.shape == (64,)
    assert np.isfinite(first.real_logits).all() and np.abs(first.real_logits).max() <= LOGIT_LIMIT
    np.testing.assert_array_equal(first.fake_logits, again.fake_logits)
