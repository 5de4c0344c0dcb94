"""What a verdict says of pairs whose answer is known, and how bad input is answered."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from equipoise.data.domain import domain_of
from equipoise.errors import ConfigError, DataError
from equipoise.metrics.known import gaussian
from equipoise.referee import Conclusion, judge
from equipoise.referee.detectable_effect import Sensitivity, theoretical_nats
from equipoise.referee.splits import split
from equipoise.referee.two_sample_test import samples_needed
from equipoise.referee.verdict import conclude


def table(count: int, seed: int) -> pd.DataFrame:
    stream = np.random.default_rng(seed)
    amount = stream.gamma(2.0, 10.0, count).round(2)
    return pd.DataFrame(
        {
            "amount": amount,
            "age": stream.integers(18, 90, count),
            "town": pd.Categorical(stream.choice(["Oslo", "Bergen", "Moss"], count, p=[0.5, 0.3, 0.2])),
            "member": stream.random(count) < 0.4,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(stream.integers(0, 1000, count), unit="D"),
            "note": np.where(stream.random(count) < 0.1, None, "ok"),
        }
    )


def blobs(count: int, seed: int) -> np.ndarray:
    stream = np.random.default_rng(seed)
    centre = stream.uniform(2, 6, (count, 2, 1, 1))
    rows, columns = np.mgrid[:8, :8]
    blob = np.exp(-((rows - centre[:, 0]) ** 2 + (columns - centre[:, 1]) ** 2) / 4)
    return (blob * 255).astype(np.uint8)[:, None]


def points(count: int, seed: int) -> np.ndarray:
    return gaussian(3).sample(count, np.random.default_rng(seed))


MAKERS = {"points": points, "images": blobs, "table": table}


@pytest.mark.parametrize("kind", MAKERS)
def test_two_samples_of_one_distribution_are_not_distinguished(kind):
    # A pair like this is called distinguished once in 20 times at most; these seeds are not among them.
    verdict = judge(MAKERS[kind](1500, 2), MAKERS[kind](1500, 3), kind=kind)
    assert verdict.conclusion == Conclusion.NOT_DISTINGUISHED
    assert verdict.exit_code == 0
    assert verdict.jsd_lower_bound_nats == 0.0


def test_shifted_points_are_distinguished_with_a_bound_below_the_truth():
    real = points(2000, 0)
    verdict = judge(real, points(2000, 1) + np.array([0.5, 0, 0]), kind="points")
    assert verdict.conclusion == Conclusion.DISTINGUISHED
    assert verdict.exit_code == 10
    # JSD of N(0, 1) and N(0.5, 1): d^2 / 8 - d^4 / 64 = 0.0303 to within 1 %.
    assert 0.01 < verdict.jsd_lower_bound_nats < 0.0303
    assert verdict.value == pytest.approx(-math.log(4) + 2 * verdict.jsd_estimate_nats, rel=1e-12)
    assert verdict.accuracy.low < verdict.accuracy.estimate < verdict.accuracy.high


def test_blurred_images_are_distinguished():
    fake = blobs(1000, 1).astype(float)
    fake[..., 1:] = (fake[..., 1:] + fake[..., :-1]) / 2
    assert judge(blobs(1000, 0), fake.astype(np.uint8), kind="images").conclusion == Conclusion.DISTINGUISHED


def test_columns_drawn_from_their_own_marginals_are_distinguished():
    stream = np.random.default_rng(5)
    first = stream.integers(0, 5, 3000)
    real = pd.DataFrame({"a": first, "b": (first + stream.integers(0, 2, 3000)) % 5})
    fake = pd.DataFrame({name: stream.permutation(real[name].to_numpy()) for name in real})
    verdict = judge(real[:1500], fake[1500:], kind="table")
    assert verdict.conclusion == Conclusion.DISTINGUISHED


def test_the_same_seed_gives_the_same_verdict_and_another_seed_another_split():
    real, fake = points(400, 0), points(400, 1) + 0.2
    first, again, other = (judge(real, fake, kind="points", seed=seed) for seed in (3, 3, 4))
    assert first.value == again.value
    assert first.value != other.value


def test_a_training_part_of_its_own_leaves_all_real_samples_to_be_scored():
    verdict = judge(points(300, 0), points(1000, 1), kind="points", real_train=points(700, 2))
    assert verdict.counts.real_test == 300 and verdict.counts.fake_test == 400
    assert verdict.counts.real_train == 525 and verdict.counts.real_validation == 175


def test_beside_a_training_part_of_its_own_a_table_is_read_into_arrays_once_a_side(monkeypatch):
    kind, read = type(domain_of("table")), []
    seen = kind.measured
    monkeypatch.setattr(kind, "measured", lambda self, values: read.append(type(values)) or seen(self, values))
    judge(table(300, 0), table(1000, 1), kind="table", real_train=table(700, 2), checks=[], companion=False)
    assert read.count(pd.DataFrame) == 3


def test_the_three_parts_share_no_sample_and_lose_none():
    real, fake = np.arange(100.0)[:, None], np.arange(57.0)[:, None]
    parts = split(real, fake, seed=0)
    assert sorted(np.concatenate([parts.real_train, parts.real_validation, parts.real_test]).ravel()) == list(
        range(100)
    )
    assert sorted(np.concatenate([parts.fake_train, parts.fake_validation, parts.fake_test]).ravel()) == list(range(57))


def test_one_sample_is_too_little_data_and_says_how_many_are_needed():
    verdict = judge(points(1, 0), points(500, 1), kind="points")
    assert verdict.conclusion == Conclusion.TOO_LITTLE_DATA
    assert verdict.exit_code == 11
    assert str(samples_needed(0.95)) in verdict.to_text()
    json.dumps(verdict.to_json(), allow_nan=False)
    assert verdict.plot() is not None


def test_more_confidence_needs_more_samples():
    assert samples_needed(1 - 1e-12) > samples_needed(0.95) == 20


def test_few_samples_are_too_little_data_because_even_a_perfect_observer_would_miss_much():
    verdict = judge(points(60, 0), points(60, 1), kind="points")
    assert verdict.conclusion == Conclusion.TOO_LITTLE_DATA
    # Twice the least of the two tests: a smooth difference of .05 would be missed.
    assert verdict.sensitivity.coarsest_nats > 0.05


def test_the_theoretical_sensitivity_of_sensitivity_is_where_a_perfect_observer_has_the_stated_power():
    # A region of mass f that each side has to itself, the rest in common: log E is log 2 for each sample in it, and
    # almost 0 for the others; JSD = f log 2. Both counts are binomial.
    count = 3000
    share = theoretical_nats(count, count, confidence=0.95) / math.log(2)
    stream = np.random.default_rng(0)
    own = stream.binomial(count, share, (2, 100_000)).sum(axis=0)
    found = own * math.log(2) >= math.log(20)
    # The count is whole and the formula takes it as normal: 0.02 of power; 4 binomial deviations are 0.003.
    assert found.mean() == pytest.approx(0.95, abs=0.023)


def test_a_smooth_difference_needs_nearly_twice_the_theoretical_sensitivity():
    # log E of n pairs is then about normal with mean mu = 2 n JSD and variance 2 mu.
    mean = 2 * 3000 * 2 * theoretical_nats(3000, 3000, confidence=0.95)
    stream = np.random.default_rng(0)
    found = stream.normal(mean, math.sqrt(2 * mean), 100_000) >= math.log(20)
    assert 0.95 < found.mean() < 0.99


def test_equivalence_needs_a_margin_and_a_measured_resolution():
    injected = Sensitivity("injected", 0.002, by_defect_nats={"shift": 0.01}, intervals_nats={"shift": (0.008, 0.015)})
    assert conclude(rejects=False, margin_nats=None, sensitivity=injected) == Conclusion.NOT_DISTINGUISHED
    assert conclude(rejects=False, margin_nats=0.02, sensitivity=injected) == Conclusion.EQUIVALENT
    assert conclude(rejects=False, margin_nats=0.012, sensitivity=injected) == Conclusion.TOO_LITTLE_DATA
    assert conclude(rejects=True, margin_nats=0.02, sensitivity=injected) == Conclusion.DISTINGUISHED
    theoretical = Sensitivity("theoretical", 0.002)
    assert conclude(rejects=False, margin_nats=0.02, sensitivity=theoretical) == Conclusion.NOT_DISTINGUISHED


def test_a_verdict_becomes_plain_json_a_page_a_plot_and_html():
    verdict = judge(points(400, 0), points(300, 1) + 1, kind="points")
    stored = json.loads(json.dumps(verdict.to_json(), allow_nan=False))
    assert stored["conclusion"] == "distinguished"
    assert stored["equilibrium_value"] == pytest.approx(-math.log(4))
    text = verdict.to_text()
    assert "Sensitivity: what would have been found" in text and "What this cannot say" in text
    assert max(len(line) for line in text.splitlines()) <= 96
    assert len(verdict.plot().axes) >= 2
    assert verdict._repr_html_().startswith("<div>")


def test_different_columns_are_listed():
    with pytest.raises(DataError, match=r"only in the real table: age.*only in the generated table: years"):
        judge(table(50, 0), table(50, 1).rename(columns={"age": "years"}), kind="table")


def test_columns_of_different_types_are_listed():
    fake = table(50, 1).assign(age="old")
    with pytest.raises(DataError, match=r"age \(int64 and"):
        judge(table(50, 0), fake, kind="table")


def test_columns_in_another_order_are_compared_by_name():
    fake = table(1500, 1)
    assert judge(table(1500, 0), fake[fake.columns[::-1]], kind="table").conclusion == Conclusion.NOT_DISTINGUISHED


def test_images_of_different_size_and_type_are_refused_by_name():
    with pytest.raises(DataError, match=r"\(1, 8, 8\).*\(1, 4, 4\)"):
        judge(blobs(50, 0), blobs(50, 1)[:, :, :4, :4], kind="images")
    with pytest.raises(DataError, match="uint8"):
        judge(blobs(50, 0), blobs(50, 1) / 255, kind="images")


def test_an_empty_side_an_unknown_kind_and_bad_options_are_refused():
    with pytest.raises(DataError, match="generated side is empty"):
        judge(points(50, 0), points(0, 1), kind="points")
    with pytest.raises(DataError, match="'sound'"):
        judge(points(50, 0), points(50, 1), kind="sound")
    with pytest.raises(ConfigError, match="confidence"):
        judge(points(50, 0), points(50, 1), kind="points", confidence=1.0)
    with pytest.raises(ConfigError, match="margin"):
        judge(points(50, 0), points(50, 1), kind="points", margin=0.0)


@pytest.mark.parametrize("kind", ["points", "table"])
def test_missing_values_on_one_side_are_a_finding_and_give_it_away(kind):
    real, fake = MAKERS[kind](800, 0), MAKERS[kind](800, 1)
    if kind == "points":
        fake[:80, 1] = np.nan
    else:
        fake["amount"] = fake["amount"].where(np.arange(800) >= 80)
    verdict = judge(real, fake, kind=kind)
    assert any("on the generated side only (10.0%)" in finding.statement for finding in verdict.findings)
    assert verdict.conclusion == Conclusion.DISTINGUISHED


@pytest.mark.parametrize("kind", MAKERS)
def test_the_same_set_twice_is_said(kind):
    same = MAKERS[kind](300, 0)
    verdict = judge(same, same, kind=kind)
    assert "exactly the same samples" in verdict.to_text().replace("\n   ", "")
    assert verdict.conclusion != Conclusion.DISTINGUISHED


def test_a_subset_and_an_overlap_are_said():
    real = points(600, 0)
    subset = judge(real, real[:200], kind="points")
    assert any("one side is part of the other" in finding.statement for finding in subset.findings)
    mixed = judge(real, np.concatenate([real[:60], points(240, 1)]), kind="points")
    assert any("20.0% of the generated samples repeat" in finding.statement for finding in mixed.findings)


def test_rows_that_coincide_by_nature_are_no_overlap():
    stream = np.random.default_rng(0)
    real, fake = (pd.DataFrame({"die": stream.integers(1, 7, 400)}) for _ in range(2))
    assert not [finding for finding in judge(real, fake, kind="table").findings if finding.is_problem]


def test_constant_columns_are_named_and_harmless():
    real, fake = (table(500, seed).assign(country="NO") for seed in (0, 1))
    verdict = judge(real, fake, kind="table")
    assert any("never change on either side: country" in finding.statement for finding in verdict.findings)
    collapsed = judge(real, fake.assign(age=40), kind="table")
    assert any("never change on the generated side" in finding.statement for finding in collapsed.findings)
    assert collapsed.conclusion == Conclusion.DISTINGUISHED
