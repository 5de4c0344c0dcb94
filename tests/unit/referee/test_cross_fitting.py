"""The distance measured by cross-fitting: who scores what, what is left out, and what a verdict says of it."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from equipoise.data.judging import Rows
from equipoise.data.points.domain import POINTS
from equipoise.errors import ConfigError
from equipoise.experiment.judge.datasets import judge_sources
from equipoise.metrics.known import gaussian
from equipoise.referee import Verdict, judge
from equipoise.referee.base import Classifier
from equipoise.referee.classifiers import available
from equipoise.referee.cross_fitting import LEAST_OF_A_PIECE, cross_fitted, left_out_of, measured_once
from equipoise.referee.first_findings import duplicates_of
from equipoise.referee.splits import split_indices
from equipoise.referee.train_and_test import train_and_test

QUADRATIC = [available()["quadratic"]]


class Spy:
    """A classifier that keeps the rows that it is fitted to and asked about; samples are distinguished by their
    value."""

    def __init__(self) -> None:
        self.fits: list[dict[str, list[np.ndarray]]] = []

    def classifier(self) -> Classifier:
        return Classifier("spy", frozenset({"points"}), self.fit, sees="nothing")

    def fit(self, real: Rows, fake: Rows, seed: int):
        del seed
        kept = {"fitted": [real.mixed[:, 0], fake.mixed[:, 0]], "asked": []}
        self.fits.append(kept)

        def score(rows: Rows) -> np.ndarray:
            kept["asked"].append(rows.mixed[:, 0])
            return rows.mixed[:, :1] / 100

        return score


def cross(real, fake, *, folds, classifiers, seed=0, met=None):
    where = split_indices(len(real), len(fake), seed=seed, duplicates=met)
    first = train_and_test(where.taken_from(real, fake), kind="points", seed=seed, classifiers=classifiers)
    asked = {"kind": "points", "seed": seed, "classifiers": classifiers, "duplicates": met}
    whole = split_indices(len(real), len(fake), seed=seed)
    scored = measured_once(first, left_out=left_out_of(whole, first.real, first.fake))
    return cross_fitted(real, fake, scored, whole, folds=folds, **asked)


@pytest.mark.parametrize("folds", [1, 2, 3, 5])
def test_every_sample_is_scored_once_by_a_classifier_that_has_not_seen_it(folds):
    real, fake, spy = np.arange(200.0)[:, None], 1000 + np.arange(90.0)[:, None], Spy()
    measured = cross(real, fake, folds=folds, classifiers=[spy.classifier()])
    assert measured.folds == folds == len(spy.fits)
    scored: list[list[float]] = [[], []]
    for kept in spy.fits:
        # It is asked about the validation part, then about the test part.
        choice, score = kept["asked"][:2], kept["asked"][2:]
        for side in range(2):
            seen = np.concatenate([kept["fitted"][side], choice[side]])
            assert not np.isin(score[side], seen).any()
            scored[side] += score[side].tolist()
    everything = [side[:, 0].tolist() for side in (real, fake)]
    if folds == 1:
        assert [len(side) for side in scored] == [80, 36]
    else:
        assert [sorted(side) for side in scored] == everything
        assert measured.counts == (200, 90)


def test_a_fold_is_trained_to_everything_else():
    spy = Spy()
    cross(np.arange(200.0)[:, None], 1000 + np.arange(100.0)[:, None], folds=3, classifiers=[spy.classifier()])
    for kept in spy.fits[1:]:
        parts = [*kept["fitted"], *kept["asked"][:2]]
        assert sum(map(len, parts)) + sum(map(len, kept["asked"][2:])) == 300
        assert sum(map(len, kept["fitted"])) == pytest.approx(3 * sum(map(len, kept["asked"][:2])), abs=3)


def test_few_samples_get_fewer_folds():
    # 20 a side: 12 are for training and validation, two pieces of six.
    real, fake = np.arange(20.0)[:, None], 1000 + np.arange(20.0)[:, None]
    assert LEAST_OF_A_PIECE == 6
    assert [cross(real, fake, folds=n, classifiers=QUADRATIC).folds for n in (1, 2, 3, 20)] == [1, 2, 3, 3]


def test_no_fold_scores_a_value_that_it_was_trained_to():
    stream = np.random.default_rng(0)
    pool = np.arange(400.0)[:, None]
    real, fake, spy = pool[stream.integers(0, 400, 200)], pool[stream.integers(0, 400, 200)], Spy()
    met = duplicates_of(POINTS.row_keys(real), POINTS.row_keys(fake))
    assert met is not None
    measured = cross(real, fake, folds=3, classifiers=[spy.classifier()], met=met)
    for kept in spy.fits:
        seen = np.concatenate([*kept["fitted"], *kept["asked"][:2]])
        assert not np.isin(np.concatenate(kept["asked"][2:]), seen).any()
    # Those that are not asked about count as abstained: nobody is lost.
    assert measured.counts == (200, 200)
    asked = [sum(len(kept["asked"][2 + side]) for kept in spy.fits) for side in range(2)]
    assert [int((side == 0).sum()) for side in (measured.real_logits, measured.fake_logits)] >= [200 - n for n in asked]
    assert 0 < asked[0] < 200


def test_one_fold_gives_the_figures_of_the_later_half_and_leaves_the_decision_alone():
    stream = np.random.default_rng(0)
    real, fake = gaussian(2).sample(500, stream), gaussian(2, mean=1.0).sample(400, stream)
    one, three = (judge(real, fake, kind="points", classifiers=QUADRATIC, folds=folds) for folds in (1, 3))
    # Four chunks after a fifth: two grow it to .2 ** .5 = .447 of a side, and the rest is the later half.
    assert (one.folds, one.measured) == (1, (276, 221))
    assert (three.folds, three.measured) == (3, (500, 400))
    for name in ("conclusion", "log_e_value", "accuracy", "auc", "counts", "classifier", "findings"):
        assert getattr(one, name) == getattr(three, name)
    assert three.jsd_lower_bound_nats > one.jsd_lower_bound_nats > 0
    assert three.value_standard_error < one.value_standard_error
    assert three.jsd_estimate_nats == pytest.approx((three.value + np.log(4)) / 2)
    assert 0 < three.jsd_lower_bound_nats < three.jsd_estimate_nats


def test_the_sentence_says_what_the_distance_was_measured_on():
    stream = np.random.default_rng(0)
    real, fake = gaussian(2).sample(500, stream), gaussian(2, mean=1.5).sample(400, stream)
    verdict = judge(real, fake, kind="points", classifiers=QUADRATIC)
    text = " ".join(verdict.to_text().split())
    assert (
        "(measured by cross-fitting on 500 real and 400 generated samples, each scored by the one of 3 classifiers"
        in text
    )
    single = judge(real, fake, kind="points", classifiers=QUADRATIC, folds=1)
    assert "cross-fitting" not in single.to_text()
    again = Verdict.from_json(verdict.to_json())
    assert (again.folds, again.measured) == (3, (500, 400))


def test_files_from_before_there_were_folds_are_read():
    stream = np.random.default_rng(0)
    verdict = judge(
        gaussian(2).sample(100, stream), gaussian(2).sample(100, stream), kind="points", classifiers=QUADRATIC
    )
    state = verdict.to_json()
    for name in ("folds", "measured_real", "measured_fake"):
        del state[name]
    old = Verdict.from_json(state)
    assert (old.folds, old.measured) == (1, (verdict.counts.real_test, verdict.counts.fake_test))


def test_sides_that_are_not_distinguished_are_measured_once_and_so_is_a_run():
    stream = np.random.default_rng(0)
    real, fake, train = (gaussian(2, mean=mean).sample(300, stream) for mean in (0.0, 2.0, 0.0))
    alike = judge(real, train, kind="points", classifiers=QUADRATIC)
    assert alike.conclusion != "distinguished" and alike.folds == 1
    run = judge(real, fake, kind="points", classifiers=QUADRATIC, real_train=train, folds=5)
    assert run.conclusion == "distinguished" and run.folds == 1


@pytest.mark.parametrize(("slow", "told"), [(0.0, [1, 2]), (1e9, [])])
def test_a_person_is_told_of_classifiers_that_take_long(monkeypatch, slow, told):
    stream, found = np.random.default_rng(0), []
    monkeypatch.setattr(sys.modules[judge.__module__], "_SLOW_SECONDS", slow)
    sides = gaussian(2).sample(100, stream), gaussian(2, mean=3.0).sample(100, stream)
    judge(*sides, kind="points", classifiers=QUADRATIC, tell=lambda what, before: found.append((what, before)))
    assert found == [("the distance, by cross-fitting", before) for before in told]


@pytest.mark.parametrize("folds", [0, -1, 21, 2.5, "3"])
def test_a_number_of_folds_out_of_range_is_refused(folds):
    with pytest.raises(ConfigError, match=rf"(?s)folds.*it is {folds}\..*from 1 to 20"):
        judge(np.zeros((50, 1)), np.ones((50, 1)), kind="points", folds=folds)


def test_two_classifiers_of_one_name_are_refused():
    with pytest.raises(ConfigError, match=r"2 of them are called 'quadratic'"):
        judge(np.zeros((50, 1)), np.ones((50, 1)), kind="points", classifiers=[*QUADRATIC, *QUADRATIC])


def test_folds_reach_the_referee_from_the_public_function():
    stream = np.random.default_rng(0)
    real = pd.DataFrame(stream.normal(size=(150, 2)), columns=["a", "b"])
    found = [
        judge_sources(real, real * 3 + 1e-3, folds=folds, sensitivity="theoretical").folds for folds in (None, 1, 4)
    ]
    assert found == [3, 1, 4]
