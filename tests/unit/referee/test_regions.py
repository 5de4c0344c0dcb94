"""Where images differ: a defect in one corner is placed there, and none is placed where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from equipoise.referee import judge
from equipoise.referee.checks.regions import grid_of_cells
from equipoise.referee.classifiers import available


def blobs(count: int, seed: int, *, side: int = 16, channels: int = 1) -> np.ndarray:
    stream = np.random.default_rng(seed)
    centre = stream.uniform(0.2 * side, 0.8 * side, (count, 2, 1, 1))
    rows, columns = np.mgrid[:side, :side]
    blob = np.exp(-((rows - centre[:, 0]) ** 2 + (columns - centre[:, 1]) ** 2) / side)
    images = 200 * blob[:, None] + stream.uniform(0, 30, (count, channels, side, side))
    return images.astype(np.uint8)


def regions(real, fake):
    verdict = judge(real, fake, kind="images", classifiers=[available()["quadratic"]], checks=["regions"])
    (found,) = [finding for finding in verdict.findings if finding.check == "regions"]
    return found, verdict


@pytest.mark.parametrize("channels", [1, 3])
def test_a_square_injected_into_a_tenth_of_the_corners_is_placed_there_and_nowhere_else(channels):
    fake = blobs(2500, 1, channels=channels)
    fake[::10, :, 12:14, 0:2] = 120
    found, verdict = regions(blobs(2500, 0, channels=channels), fake)
    named = [row for row in found.rows if row["is_distinguished"]]
    assert [(row["top"], row["bottom"], row["left"], row["right"]) for row in named] == [(12, 14, 0, 2)]
    assert found.is_problem and "rows 12 to 13, columns 0 to 1" in found.statement
    # A tenth of the images carry a mark that no real one has: JSD at most h(0.1) = 0.0363. The bound holds for all 64
    # regions at 99.5 %: 3.8 standard errors, and room for about nine of 1,000 samples on the wrong side.
    assert 0.0002 < named[0]["jsd_lower_bound_nats"] < 0.0363
    assert any("regions" in axes.get_title() for axes in verdict.plot().axes)


def test_no_region_is_named_in_most_pairs_of_one_distribution():
    alarms = sum(
        regions(blobs(200, 2 * seed, side=8), blobs(200, 2 * seed + 1, side=8))[0].is_problem for seed in range(12)
    )
    # A level of 0.5 % each: one alarm in 12 has a chance of 6 %, two of 0.2 %.
    assert alarms <= 1


def test_a_region_of_large_images_is_named_in_their_own_pixels():
    stream = np.random.default_rng(0)
    real, fake = (stream.integers(0, 256, (200, 1, 130, 70)).astype(np.uint8) for _ in range(2))
    fake[:, :, :20, 50:] //= 2
    found, _ = regions(real, fake)
    assert found.is_problem
    for row in found.rows:
        assert 0 <= row["top"] < row["bottom"] <= 130 and 0 <= row["left"] < row["right"] <= 70
        if row["is_distinguished"]:
            assert row["top"] < 21 and row["right"] > 49


@pytest.mark.parametrize("size", [(1, 1), (5, 4), (8, 8), (17, 30), (28, 28), (64, 64)])
def test_the_cells_cover_each_pixel_once(size):
    covered = np.zeros(size, dtype=int)
    for top, bottom, left, right in grid_of_cells(*size):
        covered[top:bottom, left:right] += 1
    assert (covered == 1).all()
    assert len(grid_of_cells(*size)) <= 64
