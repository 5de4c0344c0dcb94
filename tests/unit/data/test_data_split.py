from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from data_builders import mixed_frame, picture, picture_folder

from equipoise.data import PARTS, Dataset, domain_of, encoder_from_state, load, prepare
from equipoise.data.duplicates import Groups, difference_hashes, image_groups
from equipoise.data.fingerprint import fingerprint
from equipoise.data.splits import SHARE, small_share, split_groups, unseen_nats
from equipoise.errors import DataError
from equipoise.files import plain


def points(rows=200, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, 2))


def test_the_parts_are_every_row_once_in_shares_of_eight_one_and_one():
    split = prepare(load(points(1000)), seed=0).split
    assert [len(split.part(name)) for name in PARTS] == [800, 100, 100]
    assert sorted(np.concatenate([split.part(name) for name in PARTS])) == list(range(1000))


def test_the_seed_alone_decides_the_split():
    one, same, other = (prepare(load(points()), seed=seed).split for seed in (0, 0, 1))
    assert (one.final == same.final).all() and not np.array_equal(one.final, other.final)


def test_ten_samples_give_three_parts():
    split = prepare(load(points(10)), seed=0).split
    assert [len(split.part(name)) for name in PARTS] == [8, 1, 1]


def test_equal_rows_fall_on_one_side():
    values = points(1000)
    values[500:540] = values[:40]
    prepared = prepare(load(values), seed=0)
    for row in range(40):
        sides = [name for name in PARTS for other in (row, 500 + row) if other in prepared.split.part(name)]
        assert sides[0] == sides[1]
    assert prepared.split.groups == 960


def test_equal_rows_of_a_table_fall_on_one_side_whatever_their_types():
    frame = pd.concat([mixed_frame(300), mixed_frame(300).head(10)], ignore_index=True)
    groups = domain_of("table").groups(load(frame).values)
    assert groups.count == 300 and (groups.of_row[300:] == groups.of_row[:10]).all()


def test_rows_stay_single_where_repetition_belongs_to_the_distribution():
    prepared = prepare(load(pd.DataFrame({"a": np.arange(500) % 3, "b": np.arange(500) % 2})), seed=0)
    assert prepared.split.groups == 500 and "belongs to the distribution" in prepared.describe()["split"]["rule"]


def test_equal_images_fall_on_one_side_at_any_size():
    images = np.random.default_rng(0).integers(0, 256, (50, 1, 8, 8), dtype=np.uint8)
    groups = image_groups(np.concatenate([images, images[:5]]))
    assert groups.count == 50 and (groups.of_row[50:] == groups.of_row[:5]).all()


def smooth_images(count=50, side=32):
    """Blurred noise: images with large structures, as photographs have."""
    from PIL import Image

    small = np.random.default_rng(0).integers(0, 256, (count, 6, 6), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(image).resize((side, side))) for image in small])[:, None]


def test_an_image_that_was_saved_again_falls_on_the_side_of_its_original():
    images = smooth_images()
    noise = np.random.default_rng(1).integers(-1, 2, images.shape)
    again = np.clip(images.astype(int) + noise, 0, 255).astype(np.uint8)
    groups = image_groups(np.concatenate([images, again]))
    joined = (groups.of_row[50:] == groups.of_row[:50]).mean()
    # A brightness step within the noise of its threshold may flip; most images have none.
    assert joined > 0.7 and groups.count >= 50


def test_flat_images_are_grouped_by_their_pixels_only():
    images = np.stack([np.full((1, 16, 16), level, dtype=np.uint8) for level in range(40)])
    assert image_groups(images).count == 40


def test_the_difference_hash_is_that_of_its_definition():
    image = np.asarray(picture(0, mode="L", size=(90, 80)))[None, None]
    cells = image[0, 0].astype(np.float64).reshape(8, 10, 9, 10).mean(axis=(1, 3))
    bits = (np.diff(cells, axis=1) > 1).reshape(-1)
    expected = sum(int(bit) << (63 - position) for position, bit in enumerate(bits))
    assert int(difference_hashes(image)[0][0]) == expected


def test_groups_join_by_either_rule():
    images = smooth_images(4)
    brighter = np.minimum(images[:1].astype(int) + 3, 255).astype(np.uint8)  # another image with the same steps
    groups = image_groups(np.concatenate([images, brighter, brighter]))
    assert groups.count == 4 and set(groups.of_row[[0, 4, 5]]) == {0}


@pytest.mark.parametrize("sizes", [[95, 3, 2], [1, 1, 98], [50, 50, 1], [34, 33, 33]])
def test_no_part_is_empty_however_large_the_groups_are(sizes):
    for seed in range(5):
        split = split_groups(Groups(np.repeat([0, 1, 2], sizes), "test"), seed=seed, source="test")
        assert all(len(split.part(name)) for name in PARTS)


def test_equal_images_only_are_refused():
    with pytest.raises(DataError, match="1 different sample cannot be split"):
        images = np.tile(np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8), (20, 1, 1, 1))
        prepare(load(images), seed=0)


def test_the_fingerprint_follows_the_values_and_nothing_else(tmp_path):
    for name in ("one", "two"):
        picture_folder(tmp_path / name, count=12)
    one, two = load(tmp_path / "one"), load(tmp_path / "two")
    assert fingerprint(one) == fingerprint(two)
    changed = one.values.copy()
    changed[5, 0, 3, 3] ^= 1
    assert fingerprint(Dataset("images", changed)) != fingerprint(one)


def test_the_fingerprint_of_known_data_never_changes():
    # Computed once with this code; a change would cut every stored run off from its data.
    assert fingerprint(load("digits")) == "e9bde0ef5a806f43d9df1e9f2ae0dcde"


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.iloc[::-1].reset_index(drop=True),
        lambda frame: frame[frame.columns[::-1]],
        lambda frame: frame.rename(columns={"count": "counts"}),
        lambda frame: frame.astype({"count": "int32"}),
        lambda frame: frame.assign(text=frame["text"].where(frame.index != 3, "b?")),
        lambda frame: frame.assign(real=frame["real"].where(frame.index != 3, 0.5)),
        lambda frame: frame.assign(grade=frame["grade"].cat.set_categories(["low", "mid", "high"], ordered=False)),
    ],
)
def test_the_fingerprint_of_a_table_notices_every_change(change):
    frame = mixed_frame(100)
    assert fingerprint(load(frame)) == fingerprint(load(frame.copy()))
    assert fingerprint(load(change(frame))) != fingerprint(load(frame))


def test_labels_are_part_of_the_fingerprint():
    values = points(20)
    assert fingerprint(load((values, [0, 1] * 10))) != fingerprint(load((values, [1, 0] * 10)))


def test_points_come_back_from_their_encoding():
    values = points() * [1e-30, 1e60] + [1e-29, 0]
    prepared = prepare(load(np.column_stack([values, np.full(200, 3.0)])), seed=0)
    encoded = prepared.encoded_train()
    # Standardised in float64 and rounded to float32.
    assert np.abs(encoded.numpy()[:, :2].mean(axis=0)).max() < 1e-6
    assert np.abs(encoded.numpy()[:, :2].std(axis=0) - 1).max() < 1e-6
    decoded = encoder_from_state(prepared.encoder.state()).decode(encoded)
    part = prepared.part("train").values
    # Half a float32 step of numbers below 8.
    assert (np.abs(decoded - part) <= 8 * 2**-24 * part.std(axis=0) + 1e-15 * np.abs(part)).all()
    assert (decoded[:, 2] == 3.0).all()


def test_images_come_back_from_their_encoding_as_the_same_bytes():
    prepared = prepare(load("digits"), seed=0)
    stored = prepared.encoded_train()
    batch = prepared.encoder.to_float(stored)
    assert stored.dtype.is_floating_point is False and batch.min() == -1 and batch.max() == 1
    assert (prepared.encoder.decode(batch) == prepared.part("train").values).all()
    assert np.abs(prepared.encoder.encode(prepared.part("train").values) - batch.numpy()).max() < 1e-6
    assert prepared.train_labels().bincount().sum() == len(stored) and prepared.n_classes == 10
    assert prepared.class_shares.sum() == pytest.approx(1)


def test_training_rows_are_encoded_once_for_all_who_ask(monkeypatch):
    prepared = prepare(load(points()), seed=0)
    once = prepared.encoded_train()
    monkeypatch.setattr(type(prepared.domain), "stored", lambda *_: pytest.fail("encoded again"))
    assert prepared.encoded_train() is once


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_refused(bad):
    encoder = prepare(load(points()), seed=0).encoder
    with pytest.raises(DataError, match="1 of 3 samples hold NaN or infinity"):
        encoder.decode(np.array([[0, 0], [0, bad], [0, 0]]))
    with pytest.raises(DataError, match=r"Expected \(n, 2\)"):
        encoder.decode(np.zeros((3, 3)))


@pytest.mark.parametrize("source", ["digits", points(), mixed_frame()], ids=["images", "points", "table"])
def test_the_description_is_json_and_names_the_split(source):
    prepared = prepare(load(source), seed=5)
    described = json.loads(json.dumps(plain(prepared.describe()), allow_nan=False))
    assert described["fingerprint"] == prepared.fingerprint and described["split"]["seed"] == 5
    assert sum(described["split"][name] for name in PARTS) == described["rows"] == len(prepared.raw)
    assert encoder_from_state(described["encoder"]).space == prepared.space
    assert prepared.fingerprint in prepared._repr_html_()


def test_the_parts_never_share_a_row_with_training():
    prepared = prepare(load(mixed_frame()), seed=0)
    real = {name: set(prepared.part(name).values["real"].dropna()) for name in PARTS}
    assert not real["train"] & (real["selection"] | real["final"]) and not real["selection"] & real["final"]


def small_images(count):
    return np.random.default_rng(0).integers(0, 256, (count, 1, 8, 8), dtype=np.uint8)


@pytest.mark.parametrize(("count", "parts"), [(20, [16, 2, 2]), (100, [90, 5, 5]), (1000, [800, 100, 100])])
def test_of_few_images_less_is_kept_from_training(count, parts):
    split = prepare(load(small_images(count)), seed=0).split
    assert [len(split.part(name)) for name in PARTS] == parts


@pytest.mark.parametrize("rows", [10, 49, 50, 99, 100, 500, 999, 1000, 10**6])
def test_a_small_share_is_five_samples_or_a_twentieth_and_never_above_a_tenth(rows):
    share = small_share(rows)
    assert 0.05 <= share <= SHARE
    assert rows < 50 or round(share * rows) >= 5


def test_few_images_come_with_what_a_verdict_on_them_cannot_see():
    notes = " ".join(prepare(load(small_images(100)), seed=0).raw.notes)
    assert "5 are kept for the final verdict" in notes and "below 0.30 nats" in notes
    assert not prepare(load(small_images(1000)), seed=0).raw.notes


def test_the_perfect_bet_on_sides_that_share_nothing_needs_as_many_samples_as_the_formula_says():
    # Each sample doubles the wealth: after n of them 2^n >= 20, so n = 5, and log 2 >= log(20) / n.
    assert unseen_nats(2) > np.log(2) >= unseen_nats(3)  # 4 samples and 6


def test_a_run_splits_its_images_as_it_began_and_runs_that_tell_no_share_had_a_tenth():
    from equipoise.experiment.prepare import plan_run, prepare_data

    images = small_images(100)
    section = plan_run(images, steps=1).config.data
    now = prepare_data(images, section, 0).describe()
    assert now["split"]["held_out_share"] == 0.05
    assert len(prepare_data(images, section, 0, stored=now).split.final) == 5
    del now["split"]["held_out_share"]
    then = prepare_data(images, section, 0, stored=now)
    assert len(then.split.final) == 10 and not then.raw.notes
