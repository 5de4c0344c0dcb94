"""`judge` on sides with next to nothing in them: one row repeated, all values tied, more columns than rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.filterwarnings("error:.*(invalid value|divide by zero).*:RuntimeWarning")


def people(count, seed):
    stream = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": stream.integers(18, 90, count),
            "town": stream.choice(["Oslo", "Moss"], count),
            "pay": stream.normal(10, 2, count).round(2),
        }
    )


def wide(seed, shift=0.0):
    """More columns than rows."""
    values = np.random.default_rng(seed).normal(shift, 1.0, (60, 90))
    return pd.DataFrame(values, columns=[f"c{place}" for place in range(90)])


@pytest.fixture
def judged(equipoise, tmp_path):
    """Judge two frames as files."""

    def run(real, fake):
        for name, frame in (("real", real), ("fake", fake)):
            frame.to_csv(tmp_path / f"{name}.csv", index=False)
        outcome = equipoise("judge", tmp_path / "real.csv", tmp_path / "fake.csv", "--folds", 1, "--json")
        assert "Traceback" not in outcome.err and "Warning" not in outcome.err
        return outcome

    return run


def statements(outcome):
    return " ".join(finding["statement"] for finding in outcome.json["findings"])


def test_a_side_that_repeats_one_row_is_distinguished_and_said_to_never_change(judged):
    real = people(120, 0)
    repeated = real.iloc[[0] * 120]
    outcome = judged(real, repeated)
    assert outcome.code == 10
    assert "These columns never change on the generated side, and do on the real side" in statements(outcome)
    assert judged(repeated, real).code == 10


@pytest.mark.parametrize("turned", [False, True])
def test_a_column_that_varies_on_one_side_alone_about_the_same_mean_is_named_without_a_ratio(turned, judged):
    sides = [pd.DataFrame({"a": values, "b": np.arange(100) % 7}) for values in ([0.0] * 100, [-1.0, 1.0] * 50)]
    outcome = judged(*sides[:: -1 if turned else 1])
    varies, never = ("real", "generated") if turned else ("generated", "real")
    assert (
        f"`a` never changes on the {never} side, and varies on the {varies} one: standard deviation 1."
        in statements(outcome)
    )


def test_two_sides_that_repeat_the_same_row_are_no_evidence(judged):
    repeated = people(120, 0).iloc[[0] * 120]
    outcome = judged(repeated, repeated.iloc[:80])
    # A classifier may bet on a trace of the counts, 120 and 80; with one value there is nothing that it could win.
    assert outcome.code in (0, 11) and -0.5 < outcome.json["log_e_value"] <= 1e-9
    assert outcome.json["jsd_lower_bound_nats"] == 0.0


@pytest.mark.parametrize(("value", "code"), [(1.0, 0), (2.0, 10)], ids=["at one value", "at two values"])
def test_sides_of_tied_values_differ_exactly_if_the_values_do(value, code, judged):
    real = pd.DataFrame({"a": np.full(150, 1.0), "b": ["x"] * 150})
    fake = pd.DataFrame({"a": np.full(100, value), "b": ["x"] * 100})
    outcome = judged(real, fake)
    assert outcome.code == code


def test_more_columns_than_rows_are_judged_and_only_a_difference_is_found(judged):
    alike = judged(wide(0), wide(1))
    assert alike.code == 11  # 48 scored samples could miss anything
    assert judged(wide(0), wide(1, shift=1.0)).code == 10
