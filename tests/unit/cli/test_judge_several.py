"""`judge REAL FAKE1 FAKE2 ...`: the error is shared out, the nearest comes first, and each has its own files."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from equipoise.errors import ConfigError, InputError
from equipoise.experiment.judge.several import _names, judge_several
from equipoise.referee import Conclusion, Verdict, judge
from equipoise.referee.classifiers import available
from equipoise.referee.ranking import _folder_names, ranking_of, shared_confidence

ROWS = 400


def drawn(shift, seed):
    return np.random.default_rng(seed).normal(shift, 1.0, (ROWS, 2))


@pytest.fixture(scope="module")
def verdicts():
    """By name, on generated sides that lie further and further away."""
    used = {"kind": "points", "classifiers": [available()["quadratic"]], "checks": []}
    return {
        name: judge(drawn(0.0, 0), drawn(shift, seed), confidence=shared_confidence(0.95, 3), **used)
        for seed, (name, shift) in enumerate([("far", 3.0), ("same", 0.0), ("near", 1.0)], start=1)
    }


def test_generated_sides_are_ranked_by_estimate_with_intervals_that_hold_together(verdicts):
    ranking = ranking_of("real", verdicts, confidence=0.95)
    assert [each.name for each in ranking.ranked] == ["same", "near", "far"]
    assert ranking.each_confidence == pytest.approx(1 - 0.05 / 3)
    reach = NormalDist().inv_cdf(1 - 0.05 / 3 / 2)
    for each in ranking.ranked:
        middle = (each.estimate_low_nats + each.estimate_high_nats) / 2
        assert middle == pytest.approx(each.verdict.jsd_estimate_nats)
        assert each.estimate_high_nats - middle == pytest.approx(reach * each.verdict.value_standard_error / 2)
    # Means 3 sqrt(2) and sqrt(2) deviations apart: .648 and .21 nats (quadrature); the sides are told apart and so are
    # their distances.
    assert "no other's interval reaches its own" in ranking.sentence
    assert "2 of 3 generated sides are distinguished from real" in ranking.sentence


def test_sides_whose_intervals_overlap_are_said_to_have_no_established_order(verdicts):
    far = verdicts["far"]
    twin = replace(far, jsd_estimate_nats=far.jsd_estimate_nats + 0.001)
    ranking = ranking_of("real", {"far": far, "twin": twin}, confidence=0.95)
    assert "another may be nearer" in ranking.sentence
    assert "not established, as their intervals overlap: far and twin." in ranking.to_text()


@pytest.mark.parametrize(
    ("conclusions", "code"),
    [
        (("not_distinguished", "equivalent"), 0),
        (("not_distinguished", "too_little_data"), 11),
        (("too_little_data", "distinguished", "equivalent"), 10),
    ],
)
def test_the_exit_code_is_that_of_the_worst(conclusions, code, verdicts):
    found = {name: replace(verdicts["same"], conclusion=Conclusion(name)) for name in conclusions}
    assert ranking_of("real", found, confidence=0.95).exit_code == code


def test_a_side_without_an_estimate_is_last(verdicts):
    nothing = replace(verdicts["same"], jsd_estimate_nats=math.nan, value_standard_error=math.nan)
    ranking = ranking_of("real", {"few": nothing, **verdicts}, confidence=0.95)
    assert ranking.ranked[-1].name == "few"
    assert ranking.to_json()["ranked"][-1]["estimate_low_nats"] is None
    assert ranking.plot() is not None and "few" in ranking.to_text()


def test_sides_are_named_by_what_tells_their_paths_apart_and_their_folders_never_collide():
    assert _names(["a/one.csv", "b/two.csv"]) == ["one.csv", "two.csv"]
    assert _names(["a/one.csv", "b/one.csv", np.zeros(2)]) == ["a/one.csv", "b/one.csv", "generated 3"]
    assert _names(["one.csv", "one.csv"]) == ["one.csv (1)", "one.csv (2)"]
    assert _folder_names(["a/b.csv", "a b.csv", "../..", "A-B.csv"]) == [
        "a-b.csv",
        "a-b.csv-2",
        "generated",
        "A-B.csv-3",
    ]


def test_fewer_than_two_sides_and_a_confidence_out_of_range_are_refused():
    with pytest.raises(InputError, match="1 generated side is given"):
        judge_several(drawn(0, 0), {"one": drawn(0, 1)})
    # Shared among three, 0.4 would become 0.8, which is in range.
    with pytest.raises(ConfigError, match=r"it is 0\.4"):
        judge_several(drawn(0, 0), [drawn(0, 1)] * 3, confidence=0.4)


def test_the_command_ranks_and_writes_a_folder_for_each(equipoise, tmp_path):
    for name, shift, seed in (("real", 0.0, 0), ("far", 3.0, 1), ("near", 1.0, 2)):
        np.save(tmp_path / f"{name}.npy", drawn(shift, seed))
    paths = [tmp_path / f"{name}.npy" for name in ("real", "far", "near")]
    outcome = equipoise("judge", *paths, "--folds", 1, "--out", tmp_path / "out", "--json")
    assert outcome.code == 10 and [each["name"] for each in outcome.json["ranked"]] == ["near.npy", "far.npy"]
    assert json.loads((tmp_path / "out" / "ranking.json").read_text()) == outcome.json
    for each in outcome.json["ranked"]:
        folder = tmp_path / "out" / each["name"]
        stored = json.loads((folder / "verdict.json").read_text())
        assert {key: stored[key] for key in each["verdict"]} == each["verdict"]
        assert stored["confidence"] == pytest.approx(0.975)
        assert Verdict.from_json(stored).conclusion == "distinguished"
        assert (folder / "verdict.png").stat().st_size > 0
    assert (tmp_path / "out" / "ranking.png").stat().st_size > 0
    assert "near.npy" in (tmp_path / "out" / "ranking.txt").read_text()


def test_a_run_among_several_sources_is_sent_to_compare(equipoise, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").touch()
    np.save(tmp_path / "real.npy", drawn(0, 0))
    outcome = equipoise("judge", tmp_path / "run", tmp_path / "real.npy", tmp_path / "real.npy")
    assert outcome.code == 2 and "is a run folder" in outcome.err and "equipoise compare" in outcome.err
