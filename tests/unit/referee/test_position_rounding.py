"""What a classifier reads of a sample depends on the sample alone, not on how many others are read with it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from equipoise.data.domain import domain_of
from equipoise.referee.classifiers import classifiers_for


def rows_of_few_levels(count: int, seed: int) -> pd.DataFrame:
    stream = np.random.default_rng(seed)
    levels = [[f"{name}{place}" for place in range(count)] for name, count in (("a", 6), ("b", 14), ("c", 2))]
    return pd.DataFrame({str(place): stream.choice(each, count) for place, each in enumerate(levels)})


@pytest.mark.parametrize("classifier", classifiers_for("table"), ids=lambda classifier: classifier.name)
def test_equal_samples_get_equal_logits_in_batches_of_any_size(classifier):
    # Matrix products round by the shape of the batch: with sides of unlike sizes, trees told them apart by that alone.
    real, fake = rows_of_few_levels(225, 0), rows_of_few_levels(4500, 1)
    prepare = domain_of("table").preparation(real, fake)
    score = classifier.fit(prepare(real), prepare(fake), 0)
    scored = rows_of_few_levels(3643, 2)
    whole, part = score(prepare(scored)), score(prepare(scored.iloc[:177]))
    assert (
        np.abs(whole[:177] - part).max() < 1e-6
    )  # rounding of sums in linear classifiers; a step of a tree is far larger
