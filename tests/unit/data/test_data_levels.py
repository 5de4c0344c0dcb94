"""Images of few brightness levels keep to them, as a table keeps to its categories."""

import numpy as np
import torch

from equipoise.data import encoder_from_state, load, prepare
from equipoise.data.dataset import Dataset


def prepared(values):
    return prepare(Dataset("images", values, source="pictures"), seed=0)


def test_no_brightness_level_of_the_digits_is_invented():
    data = prepare(load("digits"), seed=0)
    anything = torch.rand(50, *data.space.shape) * 2 - 1
    assert set(np.unique(data.encoder.decode(anything))) <= set(np.unique(data.part("train").values))


def test_each_number_goes_to_the_nearest_level():
    rng = np.random.default_rng(0)
    encoder = prepared(rng.choice(np.array([0, 100, 255], dtype=np.uint8), size=(40, 1, 4, 4))).encoder
    numbers = np.array([0, 49, 51, 177, 178, 255]) / 127.5 - 1
    samples = np.zeros((6, 1, 4, 4)) + numbers[:, None, None, None]
    assert encoder.decode(samples)[:, 0, 0, 0].tolist() == [0, 0, 100, 100, 255, 255]


def test_images_of_many_levels_may_take_any_byte():
    rng = np.random.default_rng(0)
    encoder = prepared((rng.integers(0, 128, size=(40, 1, 8, 8)) * 2).astype(np.uint8)).encoder
    assert encoder.levels == ()
    assert encoder.decode(np.full((1, 1, 8, 8), 1 / 127.5 - 1)).max() == 1  # an odd byte, which never occurred


def test_the_levels_survive_in_the_description_of_the_data():
    data = prepare(load("digits"), seed=0)
    again = encoder_from_state(data.describe()["encoder"])
    assert again == data.encoder
    assert len(again.levels) == 17
