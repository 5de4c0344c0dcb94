"""A run on data that stay on disk is the run on the same data in memory; only its memory differs."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from equipoise.data import load, prepare
from equipoise.experiment.judge.datasets import drawn, judge_sources, most_samples
from equipoise.experiment.judge.run_folder import judge_run
from equipoise.experiment.resume import resume
from equipoise.experiment.train import fit
from equipoise.training.checkpoints import read_checkpoint

pytestmark = pytest.mark.usefixtures("undrawn")
ALWAYS, NEVER = "0", "1e9"
SETTINGS = ("outputs.final_verdict=false", "outputs.samples=1", "training.batch_size=32", "runtime.threads=1")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "cache"))


def hold(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, data are held on disk or in memory."""
    monkeypatch.setenv("EQUIPOISE_MAP_ABOVE_MB", ALWAYS if where == "disk" else NEVER)


def frame(rows: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            **{f"number {place}": random.normal(size=rows) for place in range(5)},
            "count": random.integers(0, 10_000, rows),
            "text": np.array([f"kind {number}" for number in range(20)])[random.integers(0, 20, rows)],
            "flag": random.random(rows) < 0.2,
        }
    )


def written(tmp_path: Path, kind: str) -> Path:
    if kind == "table":
        frame(600).to_parquet(path := tmp_path / "table.parquet")
        return path
    path = tmp_path / "images.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (400, 8, 8), dtype=np.uint8))
    return path


@pytest.mark.parametrize("kind", ["table", "images"])
def test_training_and_resuming_on_disk_are_those_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = written(tmp_path, kind)
    for where in ("memory", "disk"):
        hold(where, monkeypatch)
        fit(path, outdir=tmp_path / where, steps=6, settings=SETTINGS)
    hold("disk", monkeypatch)
    resume(tmp_path / "memory", steps=9)
    hold("memory", monkeypatch)
    resume(tmp_path / "disk", steps=9)
    one, other = (read_checkpoint(tmp_path / where / "checkpoints")[0] for where in ("memory", "disk"))
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert tensor.numpy().tobytes() == other[name].numpy().tobytes(), name


def test_a_verdict_on_disk_is_that_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "table")
    hold("disk", monkeypatch)
    fit(path, outdir=tmp_path / "run", steps=3, settings=SETTINGS)
    found = []
    for where in ("disk", "memory"):
        hold(where, monkeypatch)
        found.append((judge_run(tmp_path / "run").to_json(), judge_sources(path, path).to_json()))
    for one, other in zip(*found, strict=True):
        for each in (one, other):  # the second verdict on a run says that it is the second
            each["findings"] = [found for found in each["findings"] if "earlier_verdicts" not in found["numbers"]]
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_no_more_rows_are_read_than_a_verdict_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "table")
    hold("disk", monkeypatch)
    monkeypatch.setattr("equipoise.experiment.judge.datasets.MOST_SAMPLES", 150)
    raw = load(path)
    read = []
    rows = type(raw.values).__getitem__
    monkeypatch.setattr(
        type(raw.values), "__getitem__", lambda self, index: read.append(len(index)) or rows(self, index)
    )
    judge_sources(path, path)
    assert read == [150, 150]
    numbers = np.arange(1000) * 3
    few = drawn(numbers, 100, seed=4)
    assert len(np.unique(few)) == 100 and (np.diff(few) > 0).all() and np.isin(few, numbers).all()


def test_memory_grows_by_a_few_bytes_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # In small steps, as rows are here: with the usual ones, 50,000 rows would be a single step.
    monkeypatch.setattr("equipoise.data.store.tables.CHUNK_ROWS", 5_000)
    held, peak = {}, {}
    for rows in (50_000, 200_000):
        path = tmp_path / f"{rows}.parquet"
        frame(rows).to_parquet(path)
        for where in ("memory", "disk", "disk again"):
            hold(where.split()[0], monkeypatch)
            gc.collect()
            tracemalloc.start()
            data = prepare(load(path), seed=0)
            batch = data.encoded_train()
            gc.collect()
            held[where, rows], peak[where, rows] = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            del data, batch
    # 64 bits per row for the split; everything else stays on disk. In memory there are seven columns and their codes.
    grown = {where: (held[where, 200_000] - held[where, 50_000]) / 150_000 for where in ("memory", "disk")}
    assert grown["disk"] < 12 < 60 < grown["memory"]
    # The first time, single columns and the hashes of all rows are in memory; later only the split is.
    assert peak["disk", 200_000] < 0.6 * peak["memory", 200_000]
    assert peak["disk again", 200_000] < 0.2 * peak["memory", 200_000]


def test_a_verdict_takes_fewer_large_images() -> None:
    assert most_samples(2) == 40_000
    assert most_samples(3 * 32 * 32) * 3 * 32 * 32 <= 60_000_000 < (most_samples(3 * 32 * 32) + 1) * 3 * 32 * 32


def test_a_run_says_what_was_found_in_the_data_and_where_they_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Listener:
        said: ClassVar[list[str]] = []

        def message(self, text: str) -> None:
            self.said.append(text)

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *given, **named: None

    hold("disk", monkeypatch)
    fit(written(tmp_path, "images"), outdir=tmp_path / "run", steps=1, settings=SETTINGS, progress=Listener())
    assert any(str(tmp_path / "cache") in text for text in Listener.said)
