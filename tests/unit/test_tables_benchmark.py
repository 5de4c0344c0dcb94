"""What `benchmarks/tables.py` plans, and what it says that the game adds."""

import json
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from equipoise.cli.main import main
from equipoise.experiment.config.schema import CHOSEN_AT_START

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import attempts
import tables
import tables_contestants
from tables_data import Table
from tables_scores import usefulness


def line(contestant, seed, auc):
    return {
        "data": "fair",
        "contestant": contestant,
        "seed": seed,
        "quick_auc": auc,
        "cpu_seconds": 10,
        "seconds": 20,
        "commit": "c",
        "is_quick": True,
    }


ROW = {
    "name": "game adds: fair",
    "data": "fair",
    "seconds": 20,
    "seeds": 10,
    "measure": "quick_auc",
    "against": ["with_game", "no_game"],
}


def test_what_the_game_adds_is_the_mean_of_paired_differences_with_their_interval():
    falls = [-0.01, -0.02, -0.03]
    lines = [line("no_game", seed, 0.6) for seed in range(4)]  # the last one has no partner
    lines += [line("with_game", seed, 0.6 + fall) for seed, fall in enumerate(falls)]
    (found,) = tables.what_it_adds(ROW, lines)
    assert found["repeats"] == 3 and found["mean"] == pytest.approx(-0.02)
    # Student's t with 2 degrees of freedom: 4.3027 standard errors of 0.01 / sqrt(3).
    assert [found["low"], found["high"]] == pytest.approx([-0.02 - 0.024841, -0.02 + 0.024841], abs=1e-5)


def test_the_default_is_paired_with_the_same_steps_without_the_game():
    row = {"name": "fair 120", "data": "fair", "seconds": 120, "seeds": 3, "contestants": dict.fromkeys(tables.PAIR, 9)}
    lines = [
        {"data": "fair", "seconds": 120, "contestant": name, "seed": seed, "commit": "c", "cpu_seconds": 9}
        | {"hgb_auc": auc + seed / 100, "nearer_to_training": near}
        for name, auc, near in (("default", 0.53, 0.50), ("likelihood_alone", 0.55, 0.56))
        for seed in range(2)
    ]
    found = {each["measure"]: each for each in tables.what_it_adds(row, lines)}
    assert found["hgb_auc"]["mean"] == pytest.approx(-0.02) and found["hgb_auc"]["repeats"] == 2
    assert found["nearer_to_training"]["values"] == pytest.approx([-0.06, -0.06])
    assert tables.what_it_adds({**row, "contestants": {"default": 9}}, lines) == []


def test_three_more_tables_are_planned_under_the_commit_of_their_own_settings():
    planned = list(tables.planned("a", only="txhousing 120", own={tables.GAME_SETTINGS: "b"}))
    contestants = {"default", "sixty_passes", "likelihood_alone"}
    assert {(each.contestant, each.seed) for each in planned} == {
        (name, seed) for name in contestants for seed in range(3)
    }
    assert len(planned) == 9 and {each.commit for each in planned} == {"b"}


def test_rows_without_a_target_are_no_part_of_how_useful_rows_are():
    stream = np.random.default_rng(0)
    rows = pd.DataFrame({"x": stream.normal(size=300)})
    rows["y"] = rows["x"].where(rows.index % 3 > 0)
    found = usefulness(Table(rows[:100], rows[100:200], rows[200:], "y", None), rows[200:])
    train, test, made = (rows[start : start + 100].dropna() for start in (0, 100, 200))
    same = usefulness(Table(train, test, rows[200:], "y", None), made)
    assert found == same


def test_one_pair_has_no_interval():
    assert tables.what_it_adds(ROW, [line("no_game", 0, 0.6), line("with_game", 0, 0.5)]) == []


def test_a_row_with_an_opponent_is_played_by_both_with_the_same_seeds_and_scored_quickly():
    planned = list(tables.planned("a commit", only="game adds"))
    assert len(planned) == 6 * 2 * 10 and all(each.is_quick for each in planned)
    seeds = {name: [(each.data, each.seed) for each in planned if each.contestant == name] for name in ROW["against"]}
    assert seeds["with_game"] == seeds["no_game"]
    assert not any(each.is_quick for each in tables.planned("a commit", only="adult 60"))


def test_an_attempt_that_was_stored_is_not_made_again():
    wanted = next(tables.planned("a commit", only="adult 60"))
    stored = {name: getattr(wanted, name) for name in ("data", "contestant", "seconds", "steps", "seed", "commit")}
    assert attempts.key_of(stored) == wanted.key  # a line of before there were quick ones, and `more` left out


@pytest.mark.parametrize("contestant", ["default", "game_alone"])
def test_the_command_of_a_stored_attempt_gives_its_rows_number_for_number(contestant, tmp_path, monkeypatch):
    stream = np.random.default_rng(0)
    group = stream.choice(["a", "b", "c"], 1200)
    rows = pd.DataFrame({"x": stream.normal(size=1200), "group": group, "count": stream.integers(0, 9, 1200)})
    small = [
        "evaluations.count=2",
        "evaluations.samples=60",
        "training.batch_size=32",
    ]  # what is left out, a clock decides
    made, facts = tables_contestants.trained(rows, contestant, steps=6, seed=3, count=50, more=small)
    monkeypatch.chdir(tmp_path)
    rows.to_csv("rows.csv", index=False)
    typed = [*shlex.split(facts["command"])[1:], "--outdir", "run", "--quiet", "--set", "outputs.final_verdict=false"]
    for words in (typed, ["sample", "run", "-n", "50", "--seed", "3", "-o", "made.csv"]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert not stopped.value.code
    pd.testing.assert_frame_equal(pd.read_csv("made.csv"), made.reset_index(drop=True), check_dtype=False)
    evaluations = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["evaluations"]
    assert None not in [evaluations[name] for name in CHOSEN_AT_START]
    assert all(f"evaluations.{name}=" in facts["command"] for name in CHOSEN_AT_START)


def test_an_attempt_that_was_late_is_null_in_the_summary_which_is_json():
    late = {"data": "diamonds", "seconds": 120, "contestant": "default", "cpu_seconds": 133, "hgb_auc": 0.6, "seed": 0}
    (row,) = tables.summarised([late | {"commit": "c", "steps": 2200}])
    assert json.loads(json.dumps(attempts.finite(row), allow_nan=False))["values"] == [None]
    (row,) = tables.summarised([late | {"commit": "c", "steps": 2200, "cpu_seconds": 131}])
    assert attempts.finite(row)["values"] == [0.6]
