"""Conditions that a rule of the table leaves no row for are refused at once, and those that it does are not."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

from equipoise.errors import InputError
from equipoise.experiment.conditional_sampling import wanted_rows
from equipoise.experiment.train import fit

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    numbers = np.random.default_rng(0)
    came = [datetime.date(2024, 1, 1) + datetime.timedelta(days=int(days)) for days in numbers.integers(0, 300, 600)]
    went = pd.to_datetime(pd.Series(came)) + pd.to_timedelta(numbers.integers(0, 900, 600), unit="h")
    low, paid = numbers.integers(0, 50, 600), numbers.random(600).round(2)
    frame = pd.DataFrame({"came": came, "went": went, "low": low, "high": low + numbers.integers(1, 9, 600)})
    frame["paid"], frame["owed"] = paid, (paid + numbers.random(600)).round(2)
    frame["any"] = numbers.integers(0, 50, 600)
    rules = "data.rules=['came <= went', 'low < high', 'paid <= owed']"
    settings = ["evaluations.count=0", "outputs.final_verdict=false", "training.batch_size=16", rules]
    return fit(frame, steps=1, seed=0, settings=settings, outdir=tmp_path_factory.mktemp("rules") / "run").encoder


@pytest.mark.parametrize(
    ("where", "rule"),
    [
        ("came > '2024-06-01' and went < '2024-05-01'", "came <= went"),
        ("came == '2024-06-01' and went < '2024-06-01 00:00:00'", "came <= went"),
        ("low >= 20 and high in [3, 20]", "low < high"),
        ("low == 20 and high == 20", "low < high"),
        ("paid > 0.6 and owed <= 0.5", "paid <= owed"),
    ],
)
def test_what_a_rule_excludes_is_refused_with_the_rule(encoder, where, rule):
    with pytest.raises(InputError) as refusal:
        wanted_rows(encoder, where=where)
    assert f"no row can have what is asked: in every row {rule}" in str(refusal.value)


@pytest.mark.parametrize(
    "where",
    [
        "came == '2024-06-01' and went == '2024-06-01 00:00:00'",
        "came > '2024-06-01' and went < '2024-06-03'",
        "low >= 20 and high in [3, 21]",
        "paid >= 0.5 and owed <= 0.5",
        "low >= 20 and any <= 3",
        "low >= 20 and (high <= 3 or any <= 3)",
        "low > 40",
    ],
)
def test_what_it_leaves_room_for_is_not(encoder, where):
    assert wanted_rows(encoder, where=where).condition is not None


def test_a_name_in_backticks_is_called_by_its_name(encoder):
    with pytest.raises(InputError, match="it is compared with '`high`', which is no value"):
        wanted_rows(encoder, where="low < `high`")
