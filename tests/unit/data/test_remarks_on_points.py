"""What is said of coordinates that a network of real numbers learns badly."""

import numpy as np
import pytest

from equipoise.data.points.remarks import remarks
from equipoise.experiment.prepare import plan_run

NORMAL = np.random.default_rng(0).normal(size=(1000, 3))


def with_column(column):
    return np.column_stack([NORMAL[:, :2], column])


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (np.full(1000, 3.0), "x2 is constant"),
        (np.round(NORMAL[:, 2] * 2), "x2 is on a lattice of few values"),
        (5 - 2 * NORMAL[:, 0], "x0 and x2: the same coordinate"),
        (np.append(NORMAL[:999, 2], 1e6), "x2 has values a thousand times as far out as most"),
    ],
)
def test_it_is_said_of_the_coordinate(column, words):
    (said,) = remarks(with_column(column), ("x0", "x1", "x2"))
    assert words in said


def test_of_a_lattice_it_is_suggested_to_read_a_table():
    assert "data.kind=table" in remarks(np.round(NORMAL), ("a", "b", "c"))[0]


@pytest.mark.parametrize("values", [NORMAL, NORMAL[:1], NORMAL[:10], NORMAL[:, :1], np.exp(2 * NORMAL)])
def test_of_real_numbers_nothing_is_said(values):
    assert remarks(values, ()) == ()


@pytest.mark.parametrize("dimensions", [1, 2, 7, 64])
@pytest.mark.parametrize("rows", [10, 200])
@pytest.mark.parametrize("kind", ["normal", "constant", "lattice", "outlier", "copied"])
def test_points_of_every_kind_can_be_planned_and_trained_on(tmp_path, dimensions, rows, kind):
    from equipoise.experiment.build.trainer import build_trainer

    values = np.random.default_rng(0).normal(size=(rows, dimensions))
    if kind == "constant" and dimensions > 1:
        values[:, 0] = 1.0
    elif kind == "lattice":
        values = np.round(values * 2)
        values[:10, 0] = np.arange(10)  # ten different rows
    elif kind == "outlier":
        values[0] = 1e6
    elif kind == "copied":
        values[:, -1] = values[:, 0]
    planned = plan_run(values, steps=3, settings=["data.kind=points"])
    trainer = build_trainer(planned.config, planned.data)
    for _ in range(3):
        report = trainer.train_step()
    assert np.isfinite(float(report.generator_loss))
    # More training rows than components: with one on each row samples would repeat the rows.
    assert planned.config.networks.generator["components"] <= max(1, rows // 2)
