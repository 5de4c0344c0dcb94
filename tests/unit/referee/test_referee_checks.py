"""Checks find what was injected for them and are quiet where nothing was."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from equipoise.metrics.known import gaussian, grid25
from equipoise.referee import judge
from equipoise.referee.checks.collapse import NEAR_QUANTILE, near_repeat_shares, repeated_share
from equipoise.referee.checks.coverage import neighbourhood_scores
from equipoise.referee.checks.memorisation import copying_score
from equipoise.referee.classifiers import available


def problems(check: str, real, fake, *, kind: str = "points", **options) -> list[str]:
    quick = [available()["quadratic"]]
    verdict = judge(real, fake, kind=kind, checks=[check], classifiers=quick, **options)
    return [finding.statement for finding in verdict.findings if finding.is_problem and finding.check == check]


def grid(count: int, seed: int, distribution=None) -> np.ndarray:
    return (distribution or grid25()).sample(count, np.random.default_rng(seed))


@pytest.mark.parametrize("check", ["coverage", "collapse", "memorisation", "where"])
def test_checks_are_quiet_about_two_samples_of_one_distribution(check):
    assert problems(check, grid(3000, 0), grid(3000, 1)) == []


def test_a_missing_mode_is_found_by_coverage_with_its_share():
    found = problems("coverage", grid(6000, 0), grid(6000, 1, grid25().without_mode(3)))
    assert any("missing or nearly so" in statement for statement in found)


def test_coverage_of_two_samples_of_one_distribution_is_one_less_two_to_the_minus_five():
    scores = neighbourhood_scores(grid(2000, 0, gaussian(2)), grid(2000, 1, gaussian(2)))
    # Each of 5 neighbours' places is a fair coin; the deviation over 2,000 dependent samples is about 0.005.
    assert scores["coverage"] == pytest.approx(1 - 2**-5, abs=0.02)
    assert scores["density"] == pytest.approx(1.0, abs=0.06)


def test_a_generator_of_one_corner_has_precision_and_no_recall():
    scores = neighbourhood_scores(grid(1000, 0, gaussian(2)), 0.05 * grid(1000, 1, gaussian(2)))
    assert scores["precision"] == 1.0 and scores["recall"] < 0.05


def test_repeats_are_collapse_exact_or_nearly():
    fake = grid(3000, 1)
    assert problems("collapse", grid(3000, 0), fake[np.random.default_rng(0).integers(0, 200, 3000)])
    nudged = fake[np.random.default_rng(0).integers(0, 200, 3000)] + 1e-5 * grid(3000, 2, gaussian(2))
    assert any("near-copy" in statement for statement in problems("collapse", grid(3000, 0), nudged))


def test_shares_of_repeats_are_counted():
    assert repeated_share(np.array([1, 1, 2, 3])) == 0.5
    same = grid(1000, 0, gaussian(2))
    real_near, fake_near, crowded = near_repeat_shares(same, same)
    # By definition 1 % of real samples, up to the steps of a quantile of 1,000.
    assert real_near == fake_near <= crowded == pytest.approx(NEAR_QUANTILE, abs=0.002)


@pytest.mark.parametrize("axes", [1, 2, 8, 64])
@pytest.mark.parametrize("scale", [0.5, 0.9])
def test_samples_drawn_together_to_half_the_distances_of_the_data_are_no_repeats(axes, scale):
    real, fake = (np.random.default_rng(seed).normal(size=(400, axes)) for seed in (0, 1))
    # The law c d < q / 2 <=> d < q / (2 c), with 1 / (2 c) <= 1: at most the 1 % of the data, here of the same rows.
    assert near_repeat_shares(real, scale * real)[1] <= NEAR_QUANTILE
    assert problems("collapse", real, scale * fake) == []


def test_half_of_the_samples_on_few_points_are_repeats_also_where_the_other_half_covers_the_data():
    stream = np.random.default_rng(0)
    real, fake = (stream.normal(size=(1000, 28)) for _ in range(2))
    fake[::2] = fake[stream.integers(0, 20, 500)] + 0.02 * stream.normal(size=(500, 28))
    assert any("near-copy" in statement for statement in problems("collapse", real, fake))


def test_rows_of_few_levels_that_repeat_as_often_as_real_ones_by_law_are_no_collapse():
    # 200 rows of 300 equally likely levels: about half repeat, with a deviation of 3.5 % on either side.
    said = []
    for seed in range(20):
        rows = np.random.default_rng(seed).integers(0, 300, (2, 250, 1)).astype(float)
        said += problems("collapse", rows[0], rows[1])
    assert said == []


def test_a_copy_of_the_training_rows_is_found_and_fresh_samples_are_not():
    train = grid(4000, 0)
    assert any(
        "look copied" in statement for statement in problems("memorisation", grid(1500, 1), train, real_train=train)
    )
    assert problems("memorisation", grid(1500, 1), grid(4000, 2), real_train=train) == []


def test_narrow_modes_are_not_taken_for_copying():
    narrow = grid(4000, 1, grid25().widened(0.5))
    assert problems("memorisation", grid(1500, 0), narrow, real_train=grid(4000, 2)) == []


def test_the_copying_score_is_standard_normal_under_one_distribution():
    stream = np.random.default_rng(0)
    scores = [copying_score(stream.random(60), stream.random(90)) for _ in range(1000)]
    # Deviations of a mean and of a standard deviation over 1,000 draws are 0.032 and 0.022; four of them.
    assert np.mean(scores) == pytest.approx(0.0, abs=0.13)
    assert np.std(scores) == pytest.approx(1.0, abs=0.09)


def rows(count: int, seed: int) -> pd.DataFrame:
    stream = np.random.default_rng(seed)
    town = stream.integers(0, 4, count)
    return pd.DataFrame(
        {
            "town": np.array(["Oslo", "Bergen", "Moss", "Bodø"])[town],
            "rent": town * 2.0 + stream.standard_normal(count),
            "age": stream.integers(18, 90, count),
        }
    )


def test_the_column_that_gives_a_table_away_is_named_with_its_level():
    fake = rows(3000, 1)
    fake.loc[fake["town"] == "Moss", "town"] = "Oslo"
    verdict = judge(rows(3000, 0), fake, kind="table", checks=["where"], classifiers=[available()["quadratic"]])
    (columns,) = [each for each in verdict.findings if "by themselves" in each.statement]
    assert columns.rows[0]["column"] == "town" and columns.rows[0]["level"] in ("Moss", "Oslo")


def test_the_pair_whose_dependence_was_broken_is_named_and_no_column():
    fake = rows(3000, 1)
    fake["rent"] = np.random.default_rng(2).permutation(fake["rent"].to_numpy())
    (statement,) = problems("where", rows(3000, 0), fake, kind="table")
    assert "town with rent" in statement


def test_where_names_nothing_in_most_pairs_of_one_distribution():
    alarms = sum(
        bool(problems("where", rows(400, 2 * seed), rows(400, 2 * seed + 1), kind="table")) for seed in range(40)
    )
    # Two families of tests at a tenth of 5 % each: 0.4 expected in 40; four or more have a chance below 0.1 %.
    assert alarms <= 3


def test_the_class_that_gives_itself_away_is_named_and_an_absent_one_too():
    stream = np.random.default_rng(0)
    labels = [stream.integers(0, 3, 2000) for _ in range(2)]
    real, fake = (side[:, None] * np.array([4.0, 0.0]) + stream.standard_normal((2000, 2)) for side in labels)
    fake[labels[1] == 1, 1] += 1.5
    classifiers = [available()[name] for name in ("quadratic", "boosted trees")]
    options = {
        "kind": "points",
        "checks": ["classes"],
        "classifiers": classifiers,
        "label_names": ("ant", "bee", "cat"),
    }
    verdict = judge(real, fake, real_labels=labels[0], fake_labels=labels[1], **options)
    (told,) = [finding for finding in verdict.findings if finding.is_problem and finding.check == "classes"]
    assert told.statement == "1 of 3 classes are distinguished by themselves, most first: bee."
    kept = labels[1] != 2
    verdict = judge(real, fake[kept], real_labels=labels[0], fake_labels=labels[1][kept], **options)
    assert any("No generated sample was given for these classes: cat" in each.statement for each in verdict.findings)


@pytest.mark.parametrize("kind", ["points", "images"])
def test_the_plot_shows_the_most_discriminative_samples(kind):
    stream = np.random.default_rng(0)
    shape = (200, 2) if kind == "points" else (200, 3, 6, 6)
    sides = [stream.integers(0, 200, shape) + shift for shift in (0, 50)]
    sides = [side.astype(np.uint8 if kind == "images" else np.float64) for side in sides]
    figure = judge(*sides, kind=kind, classifiers=[available()["quadratic"]], checks=[]).plot()
    if kind == "points":
        assert len(figure.axes) >= 4
        return
    # Two rows of ten images of 6 x 6, each enlarged six times, with gaps of two pixels.
    (shown,) = [axes for axes in figure.axes if axes.images]
    assert shown.images[0].get_array().shape[:2] == (2 * 38 + 2, 10 * 38 + 2)
