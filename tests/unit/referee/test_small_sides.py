"""Pointers at a small side: what hardly any of so few samples would have is not held against them."""

import numpy as np
import pandas as pd
import pytest

from equipoise.data.domain import domain_of
from equipoise.referee.checks.differences import _excess_jsd
from equipoise.referee.first_findings import first_findings


def table(count, seed, *, gaps=0.0, others=0.1):
    stream = np.random.default_rng(seed)
    frame = pd.DataFrame({"size": stream.normal(size=count), "kind": np.where(stream.random(count) < others, "b", "a")})
    return frame.mask(pd.DataFrame({"size": stream.random(count) < gaps, "kind": False}))


def statements(real, fake):
    return [finding.statement for finding in first_findings(real, fake, domain_of("table")) if finding.is_problem]


def test_thirty_rows_without_what_two_in_a_hundred_have_are_no_finding():
    real = table(1500, 0, gaps=0.02, others=0.01)
    fake = table(30, 1, gaps=0.0, others=0.0)
    assert fake["kind"].nunique() == 1 and fake["size"].notna().all()
    assert statements(real, fake) == []


def test_a_thousand_rows_without_it_are():
    real = table(1500, 0, gaps=0.02, others=0.02)
    fake = table(1000, 1, gaps=0.0, others=0.0)
    found = statements(real, fake)
    assert any("Column size has missing" in text for text in found) and any("never change" in text for text in found)
    assert any("Column size has missing" in text for text in statements(fake, real))


@pytest.mark.parametrize("counts", [(600, 12), (600, 60), (2000, 2000), (12, 12)])
def test_columns_of_one_distribution_are_distinguished_at_most_as_often_as_the_level_says(counts):
    """Forty levels, most of them rare: the chi-square distribution holds for none of these cells by itself."""
    shares = 0.5 ** np.arange(1, 41)
    shares /= shares.sum()
    stream = np.random.default_rng(0)
    alarms = sum(
        _excess_jsd(*(stream.choice(40, size, p=shares) for size in counts), tests=1, confidence=0.95)[1]
        for _ in range(1000)
    )
    # 5 % of 1,000, and three standard errors of that count; the smallest tables have a distribution of few steps.
    assert alarms <= 50 + 3 * np.sqrt(1000 * 0.05 * 0.95)
