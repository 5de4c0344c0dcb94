"""Planted defects: they are what they say, and the measured resolution is where the referee starts to see."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from equipoise.errors import ConfigError
from equipoise.metrics.known import gaussian
from equipoise.referee import Conclusion, judge
from equipoise.referee.members import available
from equipoise.referee.planting import defects_for


def quick():
    return [available()[name] for name in ("quadratic", "neighbour curves")]


def sides(kind: str, count: int):
    stream = np.random.default_rng(0)
    if kind == "points":
        return stream.standard_normal((count, 2))
    if kind == "images":
        return stream.integers(20, 236, (count, 1, 6, 6)).astype(np.uint8)
    return pd.DataFrame({"a": stream.normal(0, 5, count), "b": stream.choice(["x", "y", "z"], count),
                         "c": stream.integers(0, 9, count)})  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in ("points", "images", "table") for name in defects_for(kind, sides(kind, 50))],
)
def test_a_planted_defect_spoils_at_most_its_share_of_rows_and_keeps_their_form(kind, name):
    values = sides(kind, 400)
    spoilt = defects_for(kind, values)[name](values, 0.1, np.random.default_rng(1), np.random.default_rng(2))
    assert type(spoilt) is type(values) and spoilt.shape[1:] == values.shape[1:]
    assert 360 <= len(spoilt) <= 400
    if len(spoilt) == 400 and name != "duplicates":
        changed = np.asarray(spoilt != values).reshape(400, -1).any(axis=1)
        assert 0 < changed.sum() <= 40


def test_the_screen_gives_every_planted_kind_a_size_above_the_floor_and_is_kept(tmp_path):
    stream = np.random.default_rng(0)
    real, fake = gaussian(2).sample(1600, stream), gaussian(2).sample(800, stream)
    options = {"kind": "points", "members": quick(), "checks": [], "resolution": "screen", "cache": tmp_path}
    first = judge(real, fake, margin=0.3, **options)
    assert first.resolution.method == "planted" and first.resolution.per_side == 800
    for name, nats in first.resolution.by_defect_nats.items():
        low, high = first.resolution.intervals_nats[name]
        assert low <= nats <= high
    assert first.resolution.absent == ("broken dependence",)
    assert len(list(tmp_path.iterdir())) == 1
    again = judge(real, fake, margin=0.3, **options)
    assert again.resolution == first.resolution and again.seconds < first.seconds
    assert "measured by planting" in first.to_text().replace("\n  ", " ")


def test_equivalence_is_said_only_inside_a_margin_that_was_seen():
    stream = np.random.default_rng(3)
    real, fake = gaussian(2).sample(3000, stream), gaussian(2).sample(1500, stream)
    options = {"kind": "points", "members": [available()["quadratic"]], "checks": []}
    wide = judge(real, fake, margin=0.6, **options)
    narrow = judge(real, fake, margin=0.001, resolution=wide.resolution, **options)
    expected = Conclusion.EQUIVALENT if wide.resolution.coarsest_nats <= 0.6 else Conclusion.TOO_LITTLE_DATA
    assert wide.conclusion == expected
    assert narrow.conclusion == Conclusion.TOO_LITTLE_DATA
    assert math.isfinite(wide.resolution.floor_nats)


def test_an_unknown_plan_or_check_is_refused_with_the_nearest_name():
    real, fake = sides("points", 100), sides("points", 100)
    with pytest.raises(ConfigError, match="'screen'"):
        judge(real, fake, kind="points", resolution="scren")
    with pytest.raises(ConfigError, match="'coverage'"):
        judge(real, fake, kind="points", checks=["coverag"])
