"""What images, tables and points have in common: every domain answers every question, on disk as in memory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from equipoise.data import DataOptions, Dataset, aligned, aligned_values, domain_of, encoder_from_state, load, prepare
from equipoise.data.base import Domain
from equipoise.data.domain import DOMAINS
from equipoise.errors import DataError, InputError

KINDS = sorted(DOMAINS)
QUESTIONS = [name for name in (*vars(Domain), *Domain.__annotations__) if not name.startswith("_")]


def dataset(kind: str, rows: int = 60) -> Dataset:
    numbers = np.random.default_rng(0)
    if kind == "points":
        return load(numbers.normal(size=(rows, 3)))
    if kind == "images":
        return load((numbers.integers(0, 256, (rows, 8, 8), dtype=np.uint8), np.arange(rows) % 3))
    frame = pd.DataFrame({"number": numbers.normal(size=rows), "class": [f"c{k % 3}" for k in range(rows)]})
    return load(frame, options=DataOptions(labels="class"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_domain_answers_every_question(kind):
    domain = domain_of(kind)
    assert domain.kind == kind and kind in (domain.phrase, domain.phrase.removeprefix("a "))
    assert all(hasattr(domain, name) for name in QUESTIONS)


def test_a_kind_that_is_unknown_is_refused():
    with pytest.raises(InputError, match="'sounds'"):
        domain_of("sounds")


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_comes_back_from_its_state(kind):
    raw = dataset(kind)
    encoder = domain_of(kind).fit(raw, np.arange(50))
    domain_of(kind).check_encoder(encoder)
    again = encoder_from_state(json.loads(json.dumps(encoder.state())))
    assert again.space == encoder.space and again.space.kind == kind
    rows = raw.rows(np.arange(50, 60)).values
    np.testing.assert_array_equal(again.encode(rows), encoder.encode(rows))


@pytest.mark.parametrize("kind", KINDS)
def test_the_training_part_as_it_is_held_becomes_what_the_encoder_makes(kind):
    raw = dataset(kind)
    domain = domain_of(kind)
    encoder = domain.fit(raw, np.arange(50))
    stored = domain.stored(encoder, raw.values)
    assert stored.element_size() == domain.bytes_per_number
    seen = encoder.to_float(stored)
    assert seen.dtype == torch.float32 and seen.shape == (60, *encoder.space.shape)
    # Bytes become numbers by one multiplication there and a division here: two float32 roundings near 1.
    np.testing.assert_allclose(seen.numpy(), encoder.encode(raw.values), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_samples_are_one_group(kind):
    raw = dataset(kind)
    twice = raw.rows(np.array([*range(60), 7]))
    groups = domain_of(kind).groups(twice.values)
    assert groups.of_row[60] == groups.of_row[7] and groups.count == 60


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_set_is_aligned_with_the_first(kind):
    raw = dataset(kind)
    found = aligned(raw, raw.rows(np.arange(20)))
    assert found.notes == () and found.misfits == ()
    real, fake = aligned_values(raw, raw.rows(np.arange(20)))
    assert len(real) == 60 and len(fake) == 20
    other = dataset(KINDS[KINDS.index(kind) - 1])
    with pytest.raises(DataError, match=f"holds {domain_of(other.kind).phrase}, while"):
        aligned_values(raw, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by_class", [False, True])
def test_samples_are_shown_and_saved(kind, by_class, tmp_path: Path):
    raw = dataset(kind)
    domain = domain_of(kind)
    path = tmp_path / "shown.png"
    domain.save_shown(domain.shown(raw, by_class=by_class and kind == "images"), path, values_are_real=True)
    assert path.read_bytes().startswith(b"\x89PNG")
    draws = domain.shown_draws(3, by_class=by_class)
    assert all(count > 0 for count, _ in draws)
    assert [label for _, label in draws] == ([0, 1, 2] if by_class and kind == "images" else [None])
    path.unlink()
    domain.save_shown(raw.values, path, read_real=lambda: raw.values)
    assert path.is_file()


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_presented_with_all_their_samples(kind):
    raw = dataset(kind)
    assert len(domain_of(kind).presented(raw.values)) == 60
    classes = ["c1"] * 60
    values = domain_of(kind).with_classes(raw.rows(np.arange(60)).values, "class", classes)
    assert kind != "table" or values["class"].tolist() == classes


@pytest.mark.parametrize("kind", KINDS)
def test_data_in_memory_and_on_disk_are_prepared_by_one_path(kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "cache"))
    raw = dataset(kind)
    path = tmp_path / ("data.parquet" if kind == "table" else "data.npy")
    if kind == "table":
        raw.values.to_parquet(path)
    else:
        np.save(path, raw.values)
    found = []
    for threshold in ("1e9", "0"):
        monkeypatch.setenv("EQUIPOISE_MAP_ABOVE_MB", threshold)
        found.append(prepare(load(path), seed=2))
    one, other = found
    assert one.samples is None and other.samples is not None
    assert one.fingerprint == other.fingerprint and one.split.describe() == other.split.describe()
    assert one.encoder.space == other.encoder.space
    held, read = one.encoded_train(), other.encoded_train()
    assert held.dtype == read.dtype and tuple(held.shape) == tuple(read.shape)
    # Sums behind a point's mean are taken in another order on disk; all else is equal to the bit.
    tolerance = 1e-6 if kind == "points" else 0
    np.testing.assert_allclose(read[np.arange(len(held))].numpy(), held.numpy(), rtol=0, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_decoded_in_batches_are_those_decoded_at_once(kind):
    raw = dataset(kind)
    if kind == "table":  # so many categories that the rare ones share an entry, and are drawn
        shares = 1 / np.arange(1, 401)
        rows = np.random.default_rng(0).choice(400, 20_000, p=shares / shares.sum())
        raw = load(pd.DataFrame({"rare": [f"c{number}" for number in rows]}))
    encoder = domain_of(kind).fit(raw, np.arange(len(raw)))
    samples = encoder.encode(raw.values)
    whole = encoder.decode(samples)
    parts = [encoder.decode(samples[start : start + 7], offset=start) for start in range(0, 56, 7)]
    if kind == "table":
        pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole.head(56))
    else:
        np.testing.assert_array_equal(np.concatenate(parts), whole[:56])
