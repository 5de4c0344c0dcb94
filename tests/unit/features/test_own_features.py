"""Features that need nobody else's network: random convolutions, and a classifier of the person's own labels."""

import numpy as np
import pytest

from equipoise.errors import ConfigError, DataError
from equipoise.experiment.measure import measure
from equipoise.features import label_features, random_features
from equipoise.features.embedding import embedding_of

STREAM = np.random.default_rng(0)


def bars(count, stream):
    """Upright bars are class 0, level ones class 1, at a random place and with noise."""
    images, labels = stream.integers(0, 60, (count, 1, 12, 12)), stream.integers(0, 2, count)
    for image, label, place in zip(images, labels, stream.integers(1, 11, count), strict=True):
        image[0, :, place] += 150 * (label == 0)
        image[0, place, :] += 150 * (label == 1)
    return images.astype(np.uint8), labels


def test_random_features_are_the_same_ones_always_and_one_row_an_image():
    images = STREAM.random((5, 3, 16, 10)).astype(np.float32)
    found = random_features(images)
    assert found.shape == (5, 128) and np.array_equal(found, random_features(images))
    assert np.allclose(found[2:3], random_features(images[2:3]), atol=1e-6)
    assert "version 1" in embedding_of("random", "images", where="here").name


def test_random_features_tell_a_texture_from_noise_of_the_same_pixels():
    noise = STREAM.random((200, 1, 16, 16)).astype(np.float32)
    sorted_rows = np.sort(noise, axis=3)
    first, second = random_features(noise), random_features(sorted_rows)
    apart = np.abs(first.mean(0) - second.mean(0)) / (first.std(0) + 1e-6)
    assert apart.max() > 5


def test_a_classifier_of_labels_has_features_in_which_the_classes_lie_apart():
    images, labels = bars(300, STREAM)
    features = label_features(images, labels, classes=2, seed=0, steps=120)
    others, kinds = bars(200, STREAM)
    found = features(others.astype(np.float32) / 255)
    centres = [found[kinds == kind].mean(axis=0) for kind in (0, 1)]
    nearest = np.linalg.norm(found[:, None] - np.stack(centres), axis=2).argmin(axis=1)
    # Pixels alone do not tell them: the mean picture of both classes is the same.
    assert (nearest == kinds).mean() > 0.9


def test_a_wrong_class_is_seen_by_labels_and_named_with_what_was_trained(tmp_path):
    images, labels = bars(400, STREAM)
    level, _ = bars(2000, STREAM)[0], None
    only = level[bars_are_level(level)][:200]
    found = measure((images, labels), only, features="labels", metrics=["precision_recall"], interval=False)
    assert "classifier of 2 classes, trained on 200 real images" in found.compared
    shares = found["precision_recall"]
    assert shares.values["recall"] < shares.between_real_sets["recall"] - 0.2
    assert shares.real_samples <= 100  # two halves of what the classifier has not seen


def bars_are_level(images):
    rows, columns = images[:, 0].mean(axis=2).max(axis=1), images[:, 0].mean(axis=1).max(axis=1)
    return rows > columns


def test_labels_are_refused_where_there_are_none_and_names_that_nobody_knows_too():
    images = STREAM.integers(0, 256, (80, 1, 8, 8), dtype=np.uint8)
    with pytest.raises(ConfigError, match="without classes"):
        measure(images, images, features="labels")
    with pytest.raises(DataError, match="two classes or more"):
        label_features(images[:20], np.zeros(20), classes=1, seed=0)
    with pytest.raises(ConfigError, match="random"):
        measure(images, images, features="ramdon")
