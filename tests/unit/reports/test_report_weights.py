"""A run says which weights are used: the kept ones, those of the last step, and why."""

from dataclasses import replace
from pathlib import Path

import pytest

from equipoise.reports.reading import RunRecord
from equipoise.reports.sample_grids import sample_rows
from equipoise.reports.weights import kept_step, stages_sentence, weights_phrase, weights_sentence
from equipoise.runfolder import RunFolder


def record(*, keep_best=True, best=None, evaluations=3, count=3, state="finished", folder="run"):
    status = {"state": state, "step": 900} | ({} if best is None else {"best": {"step": best}})
    rows = [{"part": "selection", "step": 300 * (place + 1), "conclusion": "distinguished"} for place in range(count)]
    return RunRecord(
        folder=RunFolder(Path(folder)),
        config={"evaluations": {"keep_best": keep_best, "count": evaluations}},
        config_text="",
        data={},
        metadata={},
        status=status,
        metrics=(),
        verdicts=tuple(rows),
        troubles=(),
    )


def test_kept_weights_are_named_with_their_step_and_the_way_to_the_others():
    run = record(best=300)
    assert kept_step(run) == 300
    assert weights_phrase(run) == "of step 300, the best of 3 interim evaluations (--last: of step 900)"
    assert "Samples come from step 300" in weights_sentence(run, None)
    assert weights_sentence(run, {"part": "final", "step": 300}).endswith("This verdict is about it.")
    assert weights_sentence(run, {"part": "final", "step": 900}).endswith("This verdict is about another one.")


def test_the_last_weights_are_said_to_be_the_best_where_they_are():
    assert weights_phrase(record(best=900)) == "of the last step, 900, the best of 3 interim evaluations"


def test_one_interim_evaluation_is_called_the_best_of_nothing():
    assert weights_phrase(record(best=900, count=1)) == "of the last step, 900, where the one interim evaluation was"


def test_a_run_without_evaluations_says_that_it_has_the_last_weights_and_why():
    run = record(keep_best=False, evaluations=0, count=0)
    assert kept_step(run) is None
    assert weights_phrase(run) == "of the last step, 900: no interim evaluation was made"
    assert "too short for them, had too few held-out rows, or was asked to have none" in weights_sentence(run, None)


@pytest.mark.parametrize("best", [None, 300])
def test_a_run_that_was_not_to_keep_the_best_says_nothing_of_it(best):
    run = record(keep_best=False, best=best)
    assert (kept_step(run), weights_phrase(run), weights_sentence(run, None)) == (None, "", "")


def test_rows_on_the_page_are_those_of_the_kept_weights(tmp_path):
    (tmp_path / "samples").mkdir()
    for step in (300, 900):
        (tmp_path / "samples" / f"step-{step:08d}.csv").write_text("x\n1\n")
        (tmp_path / "samples" / f"step-{step:08d}.png").touch()
    assert [rows.title for rows in sample_rows(record(best=300, folder=tmp_path))] == ["Generated rows, step 300"]
    assert [rows.title for rows in sample_rows(record(folder=tmp_path))] == ["Generated rows, step 900"]


@pytest.mark.parametrize(("best", "whose"), [(300, "the likelihood stage"), (900, "the game")])
def test_a_run_in_two_stages_says_what_was_estimated_after_each_and_of_which_the_weights_are(best, whose):
    run = record(best=best)
    rows = [dict(row, jsd_estimate_nats=0.1 / (place + 1)) for place, row in enumerate(run.verdicts)]
    config = {**run.config, "warm_start": {"name": "likelihood", "steps": 300}}
    told = stages_sentence(replace(run, config=config, verdicts=tuple(rows)))
    assert "after the likelihood stage (step 300) it was 0.1000 nats" in told
    assert "after the game (step 900) it was 0.0333 nats" in told
    assert told.endswith(f"The weights used are of {whose}.")
    assert stages_sentence(run) == ""
