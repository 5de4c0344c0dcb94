"""`judge REAL FAKE`: two sets of any origin, brought to one form."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from equipoise.data import DataOptions, Dataset, aligned_values, load, write_samples
from equipoise.errors import DataError, StorageError
from equipoise.experiment.judge.datasets import judge_sources, options_like, traced
from equipoise.referee import Verdict, judge

ROWS = 400


@pytest.fixture
def numbers():
    return np.random.default_rng(7)


def images(numbers, channels, side):
    return numbers.integers(0, 256, (30, channels, side, side), dtype=np.uint8)


@pytest.mark.slow
def test_the_exit_code_is_the_conclusion(equipoise, numbers, tmp_path):
    for name, shift in (("real", 0.0), ("same", 0.0), ("other", 3.0)):
        np.save(tmp_path / f"{name}.npy", numbers.normal(shift, 1.0, (ROWS, 2)))
    few = tmp_path / "few.npy"
    np.save(few, numbers.normal(0.0, 1.0, (10, 2)))
    told_apart = equipoise("judge", tmp_path / "real.npy", tmp_path / "other.npy", "--json")
    assert (told_apart.code, told_apart.json["conclusion"]) == (10, "distinguished")
    # Means 3 sqrt(2) standard deviations apart have a JSD of 0.648 nats (quadrature). From 120 scored samples a side a
    # bound may be well below; half of it says that the right two things were compared.
    assert told_apart.json["jsd_lower_bound_nats"] > 0.3
    assert equipoise("judge", tmp_path / "real.npy", few).code == 11
    same = equipoise("judge", tmp_path / "real.npy", tmp_path / "same.npy")
    assert same.code in (0, 11)
    assert same.err == ""


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_a_reader_that_leaves_does_not_change_the_exit_code(form, numbers, tmp_path):
    """As in `equipoise judge real.npy few.npy | head -0`."""
    for name, count in (("real", ROWS), ("few", 10)):
        np.save(tmp_path / f"{name}.npy", numbers.normal(0.0, 1.0, (count, 2)))
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "equipoise", "judge", str(tmp_path / "real.npy"), str(tmp_path / "few.npy"), *form]
    outcome = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (outcome.returncode, outcome.stderr) == (11, "")


def test_a_missing_side_is_bad_input(equipoise, tmp_path):
    np.save(tmp_path / "real.npy", np.zeros((5, 2)))
    outcome = equipoise("judge", tmp_path / "real.npy", tmp_path / "nothing.npy")
    assert outcome.code == 2
    assert "nothing.npy" in outcome.err and "Traceback" not in outcome.err


def test_judging_a_folder_that_is_no_run_is_bad_input(equipoise, tmp_path):
    outcome = equipoise("judge", tmp_path)
    assert outcome.code == 2
    assert "config.yaml" in outcome.err


def test_generated_images_are_read_at_the_size_of_the_real_ones(numbers, tmp_path):
    write_samples(images(numbers, 1, 16), tmp_path / "fake")
    real = load(images(numbers, 1, 8))
    fake = load(tmp_path / "fake", options=options_like(real, DataOptions()))
    assert fake.values.shape[2:] == (8, 8)


def test_grey_and_colour_meet_in_colour(numbers):
    real, fake = (Dataset("images", images(numbers, channels, 8), source="s") for channels in (1, 3))
    real_values, fake_values = aligned_values(real, fake)
    assert real_values.shape == fake_values.shape == (30, 3, 8, 8)
    assert (real_values[:, 0] == real_values[:, 2]).all()


def test_transparency_on_one_side_only_is_refused(numbers):
    real, fake = (Dataset("images", images(numbers, channels, 8), source="s") for channels in (3, 4))
    with pytest.raises(DataError, match="4 channels"):
        aligned_values(real, fake)


def test_columns_are_matched_by_name_not_by_place():
    real = Dataset("table", pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), source="real")
    fake = Dataset("table", pd.DataFrame({"b": ["y", "y"], "a": [3, 4]}), source="fake")
    assert list(aligned_values(real, fake)[1].columns) == ["a", "b"]


def test_coordinates_are_matched_by_name_not_by_place():
    real = Dataset("points", np.zeros((2, 2)), names=("a", "b"), source="real")
    fake = Dataset("points", np.array([[1.0, 2.0]]), names=("b", "a"), source="fake")
    assert aligned_values(real, fake)[1].tolist() == [[2.0, 1.0]]


def test_a_column_that_is_missing_is_named():
    real = Dataset("table", pd.DataFrame({"a": [1], "b": ["x"]}), source="real.csv")
    fake = Dataset("table", pd.DataFrame({"a": [1], "c": ["x"]}), source="fake.csv")
    with pytest.raises(DataError, match=r"fake\.csv: lacks the column 'b' and has the column 'c' besides"):
        aligned_values(real, fake)


def test_points_of_another_dimension_are_refused():
    with pytest.raises(DataError, match="points of 3 coordinates"):
        judge_sources(np.zeros((5, 2)) + np.arange(5)[:, None], np.ones((5, 3)) + np.arange(5)[:, None])


def test_points_and_images_are_not_judged_against_each_other(numbers):
    real = Dataset("points", np.zeros((5, 2)), source="points")
    with pytest.raises(DataError, match="holds images, while points holds points"):
        aligned_values(real, Dataset("images", images(numbers, 1, 8), source="images"))


def test_a_generator_that_gives_one_colour_or_no_value_is_distinguished_not_refused(numbers, tmp_path):
    verdict = judge_sources(images(numbers, 1, 8).repeat(4, axis=0), np.zeros((120, 1, 8, 8), dtype=np.uint8))
    assert verdict.conclusion == "distinguished"
    real = pd.DataFrame({"size": numbers.normal(size=ROWS), "kind": numbers.choice(list("xyz"), ROWS)})
    real.to_csv(tmp_path / "real.csv", index=False)
    real.assign(size=np.nan).to_csv(tmp_path / "fake.csv", index=False)
    verdict = judge_sources(tmp_path / "real.csv", tmp_path / "fake.csv")
    assert verdict.conclusion == "distinguished"
    assert any("Column size has missing or infinite values" in finding.statement for finding in verdict.findings)


def test_one_row_is_told_how_many_a_verdict_needs(equipoise, numbers, tmp_path):
    frame = pd.DataFrame({"size": numbers.normal(size=50), "kind": "x"})
    frame.to_csv(tmp_path / "real.csv", index=False)
    frame[:1].to_csv(tmp_path / "one.csv", index=False)
    for sides in (("real.csv", "one.csv"), ("one.csv", "real.csv")):
        outcome = equipoise("judge", *(tmp_path / side for side in sides))
        assert outcome.code == 11 and "at least 20" in " ".join(outcome.out.split())


def test_what_was_skipped_or_changed_while_reading_is_in_the_verdict(numbers, tmp_path):
    write_samples(images(numbers, 1, 8), tmp_path / "real")
    write_samples(images(numbers, 3, 16), tmp_path / "fake")
    sorted((tmp_path / "fake").glob("0*.png"))[2].write_bytes(b"no image")
    verdict = judge_sources(tmp_path / "real", tmp_path / "fake")
    said = [finding.statement for finding in verdict.findings if finding.check == "inputs"]
    assert any("Generated side: Skipped 1 of 30" in text for text in said)
    assert any("Generated side: Scaled to 8x8; the short sides were 16 pixels." in text for text in said)
    assert any("The real images are grey" in text for text in said)


@pytest.mark.slow
def test_the_conclusion_is_the_same_whatever_the_cache_holds(numbers, tmp_path):
    """Injected for a margin, the sensitivity is in the cache; a verdict without one shows it and goes by the
    theoretical one."""
    real, fake = (
        pd.DataFrame({"size": numbers.normal(size=ROWS), "kind": numbers.choice(list("xyz"), ROWS)}) for _ in range(2)
    )
    before = judge_sources(real, fake, cache=tmp_path)
    asked = judge_sources(real, fake, cache=tmp_path, margin=0.05)
    after = judge_sources(real, fake, cache=tmp_path)
    assert (before.sensitivity.method, asked.sensitivity.method) == ("theoretical", "injected")
    assert after.sensitivity == asked.sensitivity
    assert asked.conclusion == "too_little_data" and after.conclusion == before.conclusion == "not_distinguished"


def test_a_folder_that_cannot_be_made_is_refused_before_the_work(equipoise, numbers, tmp_path):
    np.save(tmp_path / "real.npy", numbers.normal(size=(50, 2)))
    for out in ("real.npy", "real.npy/below"):
        outcome = equipoise("judge", tmp_path / "real.npy", tmp_path / "real.npy", "--out", tmp_path / out)
        assert (outcome.code, outcome.out) == (2, "") and "--out" in outcome.err


def test_a_verdict_that_cannot_be_stored_is_printed_all_the_same(equipoise, numbers, tmp_path, monkeypatch):
    np.save(tmp_path / "real.npy", numbers.normal(size=(10, 2)))

    def full(self, folder):
        raise StorageError(str(folder), "No space left on device.")

    monkeypatch.setattr(Verdict, "save", full)
    outcome = equipoise("judge", tmp_path / "real.npy", tmp_path / "real.npy", "--out", tmp_path / "out", "--json")
    assert outcome.code == 1 and outcome.json["conclusion"] == "too_little_data" and "No space" in outcome.err


def test_one_set_of_data_and_checkpoints_of_two_sets_are_refused(equipoise, tmp_path):
    np.save(tmp_path / "real.npy", np.zeros((5, 2)))
    outcome = equipoise("judge", tmp_path / "real.npy")
    assert outcome.code == 2 and "one set of data" in outcome.err
    outcome = equipoise("judge", tmp_path / "real.npy", tmp_path / "real.npy", "--last")
    assert outcome.code == 2 and "--last" in outcome.err


def test_a_distance_is_measured_by_as_many_classifiers_as_were_asked_for(equipoise, numbers, tmp_path):
    for name, centre in (("real", 0.0), ("fake", 3.0)):
        np.save(tmp_path / f"{name}.npy", numbers.normal(centre, size=(100, 2)))
    sides = (tmp_path / "real.npy", tmp_path / "fake.npy", "--json")
    found = [equipoise("judge", *sides, *more).json for more in ([], ["--folds", "2"])]
    assert [(each["folds"], each["measured_real"]) for each in found] == [(3, 100), (2, 100)]
    refused = equipoise("judge", *sides, "--folds", "0")
    assert refused.code == 2 and "folds" in refused.err and "from 1 to 20" in refused.err
    refused = equipoise("judge", tmp_path, "--folds", "5")
    assert refused.code == 2 and "--folds" in refused.err and "final part" in refused.err


def test_samples_that_give_a_side_away_are_named_by_their_files(numbers, tmp_path):
    """A file that cannot be read is passed over, and the names of those after it still fit their images."""
    dark, bright = (numbers.integers(low, low + 100, (120, 1, 8, 8), dtype=np.uint8) for low in (0, 150))
    for name, side in (("real", dark), ("fake", bright)):
        write_samples(side, tmp_path / name)
    sorted((tmp_path / "real").glob("0*.png"))[2].write_bytes(b"no image")
    verdict = judge_sources(tmp_path / "real", tmp_path / "fake")
    rows = [row for finding in verdict.findings for row in finding.rows if "sample" in row]
    assert len(rows) == 12 and {row["side"] for row in rows} == {"real", "generated"}
    real, fake = load(tmp_path / "real"), load(tmp_path / "fake")
    for row in rows:
        side, folder = (real, "real") if row["side"] == "real" else (fake, "fake")
        with Image.open(tmp_path / folder / row["file"]) as image:
            np.testing.assert_array_equal(np.asarray(image), side.values[row["sample"], 0])


def test_of_a_part_of_the_data_the_numbers_are_those_in_the_source(numbers):
    values = numbers.normal(size=(300, 2))
    part = load(values).rows(np.arange(299, 99, -1)).rows(np.arange(10, 200))
    verdict = traced(judge(part.values, values + 5, kind="points", checks=["where"]), part, load(values + 5))
    rows = [row for finding in verdict.findings for row in finding.rows if "sample" in row]
    for row in rows:
        assert (values if row["side"] == "real" else values + 5)[row["sample"]][0] == row["x0"]


def test_columns_that_are_called_as_what_describes_a_sample_do_not_hide_it(numbers):
    real, fake = (pd.DataFrame({"side": numbers.normal(mean, 1, ROWS), "sample": "a"}) for mean in (0, 3))
    verdict = judge_sources(real, fake)
    rows = [row for finding in verdict.findings for row in finding.rows if "log_odds_of_real" in row]
    for row in rows:
        frame = real if row["side"] == "real" else fake
        assert frame["side"].iloc[row["sample"]] == row["column side"] and row["column sample"] == "a"
