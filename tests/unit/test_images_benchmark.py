"""What `benchmarks/images.py` makes of stored attempts, and the measures of its own."""

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import images
from images_data import pictures
from images_scores import off_centre


def line(commit, seed, **values):
    return {
        "data": "mnist",
        "contestant": "default",
        "seconds": 150,
        "steps": 2100,
        "seed": seed,
        "commit": commit,
        "cpu_seconds": 150.0,
        **values,
    }


def test_a_row_is_made_of_the_latest_settings_and_counts_the_attempts_before():
    lines = [line("old", 0, recall=0.1), line("new", 0, recall=0.8), line("new", 1, recall=0.9)]
    (row,) = images.summarised(lines)
    assert (row["repeats"], row["earlier_attempts"], row["commit"]) == (2, 1, "new")
    assert row["values"]["recall"] == [0.8, 0.9] and row["medians"]["recall"] == pytest.approx(0.85)
    assert row["marks"]["recall"]["is_met"]


def test_an_attempt_that_came_late_or_failed_meets_no_mark():
    (late,) = images.summarised([line("new", 0, recall=0.9, cpu_seconds=200.0)])
    (failed,) = images.summarised([line("new", 0, recall=0.9), line("new", 1, error="killed")])
    assert not late["marks"]["recall"]["is_met"] and not failed["marks"]["recall"]["is_met"]


def test_the_ink_of_digits_that_are_shifted_is_off_centre_by_the_shift():
    digit = np.zeros((400, 1, 28, 28), dtype=np.uint8)
    digit[:, :, 10:18, 12:16] = 255
    assert off_centre(digit) == pytest.approx(0, abs=1e-6)
    shifts = np.array([(-2, 0), (2, 0), (0, -2), (0, 2)] * 100)
    moved = np.stack([np.roll(one, shift, axis=(1, 2)) for one, shift in zip(digit, shifts, strict=True)])
    assert off_centre(moved) == pytest.approx(2)


def test_a_hundred_emoji_are_drawn_from_those_that_all_contestants_learn_from(tmp_path):
    with zipfile.ZipFile(tmp_path / "twemoji64.zip", "w") as archive:
        for k in range(240):
            content = io.BytesIO()
            Image.new("RGBA", (64, 64), (k, 255 - k, 7, 255)).save(content, format="PNG")
            archive.writestr(f"{0x1F300 + k:x}.png", content.getvalue())
    every = set(map(bytes, pictures("twemoji", tmp_path, 0).generator.images))
    first, again, other = (pictures("twemoji100", tmp_path, seed) for seed in (1, 1, 2))
    hundred = set(map(bytes, first.generator.images))
    assert len(hundred) == 100 and hundred < every
    assert np.array_equal(first.generator.images, again.generator.images)
    assert hundred != set(map(bytes, other.generator.images))
