"""Large data stay on disk, and nothing that is computed depends on it."""

from __future__ import annotations

import json
import os
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from data_builders import mixed_frame, picture

from equipoise.data import PARTS, DataOptions, Dataset, PreparedData, load, prepare
from equipoise.data.store import cache as cache_module
from equipoise.data.store.arrow import OnDiskArray
from equipoise.data.store.tables import OnDiskTable
from equipoise.errors import ConfigError, DataError, StorageError
from equipoise.training.batches import BatchSource

ALWAYS, NEVER = "0", "1e9"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("EQUIPOISE_CACHE", str(folder))
    return folder


def table_of_every_type(rows: int = 3000) -> pd.DataFrame:
    random = np.random.default_rng(0)
    days = np.datetime64("2020-01-01") + random.integers(0, 900, rows)
    return mixed_frame(rows).assign(
        many=[f"value {number}" for number in random.geometric(0.01, rows)],
        date=pd.Series(days.astype("M8[D]").astype(object)).mask(random.random(rows) < 0.1, None),
        weight=random.random(rows),
        level=pd.Categorical(np.array(["low", "high"])[random.integers(0, 2, rows)], ["low", "high"]),
    )


def both(path: Path, monkeypatch: pytest.MonkeyPatch, **options: object) -> tuple[PreparedData, PreparedData]:
    """The data in memory and on disk; the second time from the cache, if it is there."""
    found = []
    for threshold in (NEVER, ALWAYS):
        monkeypatch.setenv("EQUIPOISE_MAP_ABOVE_MB", threshold)
        # Images that are in the cache are taken from there, whatever the threshold is by now.
        monkeypatch.setenv("EQUIPOISE_CACHE", str(path.parent / ("cache" if threshold == ALWAYS else "none")))
        found.append(prepare(load(path, options=DataOptions(**options)), seed=1))
    in_memory, on_disk = found
    assert in_memory.samples is None and on_disk.samples is not None
    return in_memory, on_disk


def assert_same_rows(one: Dataset, other: Dataset) -> None:
    if one.kind == "table":
        pd.testing.assert_frame_equal(one.values, other.values)
    else:
        assert one.values.dtype == other.values.dtype
        np.testing.assert_array_equal(one.values, other.values)
    for name in ("labels", "weights"):
        left, right = getattr(one, name), getattr(other, name)
        assert (left is None) == (right is None)
        if left is not None:
            np.testing.assert_array_equal(left, right)
    assert one.label_names == other.label_names and one.names == other.names


def assert_same(one: PreparedData, other: PreparedData) -> None:
    """The same split, encoder, fingerprint, rows and batches."""
    assert one.fingerprint == other.fingerprint
    assert one.split.describe() == other.split.describe()
    for name in PARTS:
        np.testing.assert_array_equal(one.split.part(name), other.split.part(name))
        assert_same_rows(one.part(name), other.part(name))
    assert json.dumps(one.encoder.state(), default=str) == json.dumps(other.encoder.state(), default=str)
    np.testing.assert_array_equal(one.class_shares, other.class_shares)
    sources = [
        BatchSource(
            data.encoded_train(),
            latent_dimensions=2,
            batch_size=257,
            updates_per_step=2,
            seed=5,
            labels=data.train_labels(),
            to_float=data.encoder.to_float,
            weights=data.train_weights(),
        )
        for data in (one, other)
    ]
    for step in (0, 7):
        for batch, same in zip(*(source.at(step) for source in sources), strict=True):
            assert batch.real.numpy().tobytes() == same.real.numpy().tobytes()
            assert (batch.labels is None) or (batch.labels == same.labels).all()


@pytest.mark.parametrize(
    "options",
    [{}, {"drop": ("many", "weight")}, {"labels": "level"}, {"labels": "many"}, {"sample_weight": "weight"}],
    ids=["plain", "drop", "category labels", "text labels", "weights"],
)
def test_a_parquet_table_on_disk_is_the_table_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, object]
) -> None:
    path = tmp_path / "table.parquet"
    table_of_every_type().to_parquet(path)
    for _ in ("made", "found"):
        in_memory, on_disk = both(path, monkeypatch, **options)
        assert isinstance(on_disk.raw.values, OnDiskTable)
        assert_same(in_memory, on_disk)


def test_points_of_a_parquet_file_on_disk_are_those_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "points.parquet"
    random = np.random.default_rng(0)
    pd.DataFrame({"a": random.normal(3, 2, 2000), "b": random.normal(size=2000).astype(np.float32)}).to_parquet(path)
    in_memory, on_disk = both(path, monkeypatch, kind="points")
    # The sums behind mean and spread are taken in another order, so an encoder may differ by rounding.
    for name in ("mean", "spread"):
        np.testing.assert_allclose(getattr(on_disk.encoder, name), getattr(in_memory.encoder, name), rtol=1e-13)
    assert on_disk.fingerprint == in_memory.fingerprint
    for name in PARTS:
        assert_same_rows(in_memory.part(name), on_disk.part(name))
    batch = on_disk.encoded_train()[np.arange(100)].numpy()
    np.testing.assert_allclose(batch, in_memory.encoded_train().numpy()[:100], rtol=1e-6, atol=1e-7)


def test_equal_rows_on_disk_fall_on_one_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "duplicates.parquet"
    frame = table_of_every_type()
    pd.concat([frame, frame.head(100)]).to_parquet(path, index=False)
    in_memory, on_disk = both(path, monkeypatch)
    assert on_disk.split.groups == len(frame) and on_disk.split.rule == in_memory.split.rule
    assert_same(in_memory, on_disk)


@pytest.mark.parametrize("damage", ["flip", "cut", "delete", "garble the list"])
def test_a_damaged_cache_is_made_again(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    path = tmp_path / "table.parquet"
    table_of_every_type().to_parquet(path)
    in_memory, _ = both(path, monkeypatch)
    for entry in list(own_cache.iterdir()):
        file = entry / "entry.json" if damage == "garble the list" else sorted(entry.glob("*.arrow"))[-1]
        content = bytearray(file.read_bytes())
        if damage == "flip":
            content[-1] ^= 1
        elif damage == "garble the list":
            content = bytearray(b'{"format": 2, "facts": [], "files": 7}')
        else:
            content = content[:-1]
        file.unlink()
        if damage != "delete":
            file.write_bytes(content)
    assert_same(in_memory, both(path, monkeypatch)[1])


def test_a_changed_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.parquet"
    frame = table_of_every_type()
    frame.to_parquet(path)
    before, _ = both(path, monkeypatch)
    frame.iloc[::-1].to_parquet(path)
    in_memory, on_disk = both(path, monkeypatch)
    assert in_memory.fingerprint != before.fingerprint
    assert_same(in_memory, on_disk)


def test_the_cache_is_used_again_and_told_of(tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.parquet"
    table_of_every_type().to_parquet(path)
    both(path, monkeypatch)
    made = {file: file.stat().st_mtime_ns for file in own_cache.rglob("*")}
    assert made
    _, on_disk = both(path, monkeypatch)
    assert {file: file.stat().st_mtime_ns for file in own_cache.rglob("*")} == made
    assert any(str(own_cache) in note for note in on_disk.describe()["notes"])


def test_what_cannot_be_kept_is_read_into_memory(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lists.parquet"
    monkeypatch.setenv("EQUIPOISE_MAP_ABOVE_MB", ALWAYS)
    pd.DataFrame({"a": np.arange(50.0), "b": [[1, 2]] * 50}).to_parquet(path)
    raw = load(path, options=DataOptions(drop=("b",), kind="table"))
    assert isinstance(raw.values, pd.DataFrame)
    assert list(own_cache.iterdir()) == []


def test_a_column_that_is_refused_in_memory_is_refused_on_disk_unless_it_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys.parquet"
    table_of_every_type().assign(key=lambda f: [*map(str, range(len(f) - 1)), "unknown"]).to_parquet(path)
    said = []
    for threshold in (NEVER, ALWAYS, ALWAYS):
        monkeypatch.setenv("EQUIPOISE_MAP_ABOVE_MB", threshold)
        with pytest.raises(DataError, match="as a key does") as caught:
            load(path)
        said.append(str(caught.value))
    assert said[0] == said[1] == said[2]
    assert "key" not in load(path, options=DataOptions(drop=("key",))).values.columns


def test_a_cache_that_does_not_fit_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.parquet"
    table_of_every_type().to_parquet(path)
    monkeypatch.setenv("EQUIPOISE_MAP_ABOVE_MB", ALWAYS)
    full = cache_module.shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(cache_module.shutil, "disk_usage", lambda path: full)
    with pytest.raises(StorageError, match="EQUIPOISE_CACHE"):
        load(path)


def test_a_threshold_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EQUIPOISE_MAP_ABOVE_MB", "much")
    with pytest.raises(ConfigError, match="EQUIPOISE_MAP_ABOVE_MB"):
        cache_module.map_above_bytes()


def noisy_images(count: int = 60, *, side: int = 20, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), dtype=np.uint8)


@pytest.mark.parametrize(
    ("values", "options"),
    [
        (noisy_images(), {}),
        (noisy_images(), {"image_size": 8}),
        (noisy_images().astype(np.uint16) * 257, {"image_size": 20}),
        (noisy_images().astype(np.float32).transpose(0, 3, 1, 2) / 255, {"image_size": (8, 12)}),
        (np.asfortranarray(noisy_images(side=16)[..., 0]), {}),
        (noisy_images() // 64 * 64, {}),
    ],
    ids=["colour", "scaled", "16 bits", "real and channels first", "grey, columns first", "few levels"],
)
def test_an_array_of_images_on_disk_is_the_array_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: np.ndarray, options: dict[str, object]
) -> None:
    path = tmp_path / "images.npy"
    np.save(path, values)
    monkeypatch.setattr("equipoise.data.store.arrow.CHUNK_BYTES", 5000)
    for _ in ("made", "found"):
        in_memory, on_disk = both(path, monkeypatch, **options)
        assert_same(in_memory, on_disk)
        assert set(in_memory.raw.notes) < set(on_disk.raw.notes)


def test_duplicate_images_on_disk_fall_on_one_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "images.npy"
    images = noisy_images(3000, side=16)
    np.save(path, np.concatenate([images, images[::10]]))
    in_memory, on_disk = both(path, monkeypatch)
    assert on_disk.split.groups == 3000
    assert_same(in_memory, on_disk)


def test_points_of_an_array_on_disk_are_those_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32))
    monkeypatch.setattr("equipoise.data.store.arrow.CHUNK_BYTES", 5000)
    in_memory, on_disk = both(path, monkeypatch)
    assert on_disk.fingerprint == in_memory.fingerprint
    for name in PARTS:
        assert_same_rows(in_memory.part(name), on_disk.part(name))


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize("mode", ["RGB", "L", "grey in colour", "opaque alpha", "alpha"])
def test_images_on_disk_are_those_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, mode: str
) -> None:
    folder = tmp_path / "pictures"
    for name in ("cats", "dogs"):
        for position in range(12):
            place = folder / name / f"{position}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            number = 100 * (name == "dogs") + position
            image = picture(number, mode=mode if mode in ("RGB", "L") else "RGBA" if mode == "alpha" else "L")
            image.convert({"grey in colour": "RGB", "opaque alpha": "RGBA"}.get(mode, image.mode)).save(place)
    (folder / "cats" / "broken.png").write_bytes(b"no picture")
    path = folder
    if kind == "zip":
        path = tmp_path / "pictures.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(folder.rglob("*.png")):
                archive.write(file, file.relative_to(folder))
    for _ in ("made", "found"):
        in_memory, on_disk = both(path, monkeypatch)
        assert_same(in_memory, on_disk)
        assert on_disk.raw.labels is not None and len(on_disk.raw) == 24
        assert set(in_memory.raw.notes) < set(on_disk.raw.notes)


def test_what_is_wrong_with_a_large_array_is_said_as_of_a_small_one(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = np.random.default_rng(0).normal(size=(500, 3))
    points[321, 1] = 1e200
    with_nan = noisy_images().astype(np.float32)
    with_nan[7, 3, 2, 1] = np.nan
    for name, values in {
        "large": points,
        "nan": with_nan,
        "axes": np.ones((9, 5, 5, 7)),
        "flat": np.ones((9, 8, 8)),
    }.items():
        path = tmp_path / f"{name}.npy"
        np.save(path, values)
        said = []
        for threshold in (NEVER, ALWAYS):
            monkeypatch.setenv("EQUIPOISE_MAP_ABOVE_MB", threshold)
            with pytest.raises(DataError) as caught:
                load(path)
            said.append(str(caught.value))
        assert said[0] == said[1]
    assert not own_cache.exists() or list(own_cache.iterdir()) == []


@pytest.mark.parametrize("index", [[5, 5, 0, 999, 17], list(range(1000)), [3], list(range(999, -1, -7))])
def test_rows_from_all_over_a_file_on_disk_are_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: list[int]
) -> None:
    values = np.random.default_rng(0).integers(0, 99, (1000, 5))
    np.save(tmp_path / "values.npy", values)
    monkeypatch.setattr("equipoise.data.store.arrow.RELEASE_BYTES", 1000)
    monkeypatch.setattr("equipoise.data.store.arrow.SCATTERED_ROWS", 3)
    mapped = OnDiskArray.of_npy(tmp_path / "values.npy")
    released = []
    monkeypatch.setattr(mapped, "release", lambda: released.append(1))
    np.testing.assert_array_equal(mapped[np.array(index)], values[index])
    # Rows that are far apart are read three at a time, and their pages handed back each time.
    assert len(released) == (-(-len(index) // 3) if max(index) - min(index) > 25 else 0)
    np.testing.assert_array_equal(mapped[100:300:2], values[100:300:2])
    np.testing.assert_array_equal(np.asarray(mapped), values)


def test_what_a_killed_process_left_is_cleared(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, age_seconds in (("old", 100_000), ("new", 100)):
        (own_cache / f".{name}-begun").mkdir(parents=True)
        (own_cache / f".{name}-begun" / "values.npy").write_bytes(b"some")
        then = time.time() - age_seconds
        for place in (own_cache / f".{name}-begun" / "values.npy", own_cache / f".{name}-begun"):
            os.utime(place, (then, then))
    path = tmp_path / "table.parquet"
    table_of_every_type().to_parquet(path)
    both(path, monkeypatch)
    assert [folder.name for folder in own_cache.glob(".*")] == [".new-begun"]


def test_plots_are_made_from_some_rows_of_large_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "images.npy"
    np.save(path, noisy_images(1000, side=8))
    monkeypatch.setattr(sys.modules["equipoise.data.prepare"], "MOST_NUMBERS_SHOWN", 100 * 8 * 8 * 3)
    in_memory, on_disk = both(path, monkeypatch)
    assert len(in_memory.shown_part("train")) == 800
    shown = on_disk.shown_part("train")
    assert len(shown) == 100
    np.testing.assert_array_equal(shown.values, in_memory.part("train").values[::8])


def test_pages_of_all_file_on_disks_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equipoise.data.store.arrow.RELEASE_BYTES", 10_000)
    released = []
    release = OnDiskArray.release
    monkeypatch.setattr(OnDiskArray, "release", lambda self: released.append(self) or release(self))
    np.save(tmp_path / "values.npy", np.arange(500))  # 4,000 bytes
    arrays = [OnDiskArray.of_npy(tmp_path / "values.npy") for _ in range(3)]
    for array in (arrays[0], arrays[0], arrays[1]):
        np.testing.assert_array_equal(array[np.array([0, 499])], [0, 499])
    assert released == []  # one file touched twice is in memory once
    np.testing.assert_array_equal(arrays[2][np.array([0, 499])], [0, 499])
    assert set(released) == set(arrays)
