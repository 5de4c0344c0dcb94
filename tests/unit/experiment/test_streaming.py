"""Samples a batch at a time are the samples all at once; what a generator is asked for is an object."""

import numpy as np
import pandas as pd
import pytest
import torch

import equipoise as eq
from equipoise.errors import InputError
from equipoise.training.conditions import ClassLabels
from equipoise.training.sampling import CHUNK, SUB_BATCH

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = ["training.batch_size=8", "outputs.final_verdict=false", "evaluations.count=0", "runtime.threads=1"]
NARROW = [*SMALL, "networks.generator.width=4", "networks.discriminator.width=4"]


def points(rng):
    return rng.normal(size=(60, 2)), NARROW


def table(rng):
    frame = pd.DataFrame(
        {
            "amount": rng.normal(size=60).round(1),
            "count": rng.integers(0, 5, 60),
            "kind": rng.choice(["a", "b"], 60),
            "paid": rng.choice([True, False], 60),
        }
    )
    return frame, [*NARROW, "data.labels=kind"]


def images(rng):
    return (rng.integers(0, 256, (60, 8, 8), dtype=np.uint8), rng.integers(0, 3, 60)), NARROW


def large_images(rng):
    pixels = rng.integers(0, 256, (20, 40, 40), dtype=np.uint8)
    return pixels, [*SMALL, "networks.family=mlp", "data.image_size=40", *NARROW[-2:]]


@pytest.fixture(scope="module")
def gans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    made = {}
    for make in (points, table, images, large_images):
        data, settings = make(np.random.default_rng(0))
        made[make.__name__] = eq.fit(data, steps=2, outdir=folder / make.__name__, settings=settings)
    return made


@pytest.mark.parametrize("name", ["points", "table", "images", "large_images"])
@pytest.mark.parametrize("count", [1, SUB_BATCH + 3, CHUNK + SUB_BATCH + 5])
def test_all_batches_one_after_the_other_are_the_samples_of_the_same_seed(gans, name, count):
    batches = list(gans[name].stream(count, seed=7))
    whole = gans[name].sample(count, seed=7)
    if isinstance(whole, pd.DataFrame):
        pd.testing.assert_frame_equal(pd.concat(batches, ignore_index=True), whole)
    else:
        assert np.array_equal(np.concatenate(batches), whole) and batches[0].dtype == whole.dtype


def test_a_batch_is_a_chunk_and_fewer_of_large_samples(gans):
    assert [len(batch) for batch in gans["points"].stream(CHUNK + 1, seed=0)] == [CHUNK, 1]
    assert [len(batch) for batch in gans["large_images"].stream(SUB_BATCH + 1, seed=0)] == [SUB_BATCH, 1]


def test_a_stream_without_a_seed_is_new_each_time(gans):
    first, second = (next(gans["points"].stream(3)) for _ in range(2))
    assert not np.array_equal(first, second)


def test_a_class_label_is_the_simplest_condition(gans):
    gan = gans["images"]
    by_label = gan.sample(9, seed=1, label="2")
    by_object = gan.sample(9, seed=1, condition=ClassLabels(gan.class_shares, only=2))
    assert np.array_equal(by_label, by_object)
    assert np.array_equal(np.concatenate(list(gan.stream(9, seed=1, label="2"))), by_label)


def test_a_condition_of_ones_own_is_drawn_for_every_sample(gans):
    class Alternating:
        def draw(self, count, randomness):
            return torch.arange(count) % 2

    raw = gans["images"].sample_raw(5, seed=1, condition=Alternating())
    assert raw.labels.tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("points", {"label": "a"}, "trained without classes"),
        ("points", {"condition": ClassLabels(torch.ones(2))}, "the generator was trained without any"),
        ("images", {"label": "7"}, "no class is called '7'"),
        ("images", {"label": "1", "condition": ClassLabels(torch.ones(3))}, "label and condition are given"),
        ("points", {"n": 0}, "0 samples were asked for"),
        ("points", {"n": 2.5}, "2.5 samples were asked for"),
        ("points", {"n": True}, "True samples were asked for"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_at_once(gans, name, arguments, said):
    wanted = {"n": 3, **arguments}
    with pytest.raises(InputError, match=said):
        gans[name].sample(**wanted)
    with pytest.raises(InputError, match=said):
        gans[name].stream(**wanted)
