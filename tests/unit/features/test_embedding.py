"""Embeddings: a function, an ONNX file or a well-known name gives the same kind of thing, held to what it promises."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from onnx_models import stored_model

from equipoise.errors import ConfigError, DataError, MissingExtra
from equipoise.features import WELL_KNOWN, Embedding, embedding_of, onnx_extractor


def brightness(images: np.ndarray) -> np.ndarray:
    return images.mean(axis=(1, 2, 3))


def test_bytes_and_numbers_in_the_unit_range_have_the_same_features():
    images = np.random.default_rng(0).integers(0, 256, (5, 1, 4, 4)).astype(np.uint8)
    embedding = embedding_of(brightness, "images", where="here")
    assert embedding.name == "brightness" and embedding.identity is None
    np.testing.assert_array_equal(embedding(images), embedding(images.astype(np.float32) / 255.0))
    assert embedding(images).shape == (5, 1) and embedding(images).dtype == np.float64


def test_images_are_asked_about_in_batches_and_come_back_in_order():
    asked = []

    def first_pixel(images):
        asked.append(len(images))
        return images[:, 0, 0, 0]

    images = np.zeros((600, 1, 2, 2), dtype=np.float32)
    images[:, 0, 0, 0] = np.arange(600)
    np.testing.assert_array_equal(Embedding("first pixel", first_pixel)(images)[:, 0], np.arange(600))
    assert max(asked) < 600 == sum(asked)


@pytest.mark.parametrize(
    ("function", "found"),
    [(lambda images: np.zeros((1, 3)), "1 rows for 4 images"), (lambda images: np.full((4, 2), np.nan), "NaN")],
)
def test_nonsense_is_refused_with_what_was_found(function, found):
    with pytest.raises(DataError, match=f"'mine'.*{found}"):
        Embedding("mine", function)(np.zeros((4, 1, 2, 2), dtype=np.uint8))


def test_the_weights_of_a_stored_model_identify_it(tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime comes with the extra 'onnx'")
    paths = [stored_model(tmp_path / f"{n}.onnx", shape=["n", n, 6, 6], channels=n) for n in (1, 3)]
    found = [embedding_of(path, "images", where="here").identity for path in (*paths, str(paths[0]))]
    assert found[0] == found[2] != found[1]


def test_other_data_and_unknown_names_are_refused_at_the_place_that_asked():
    with pytest.raises(ConfigError, match=r"--features: the data are points.\n.*Expected images"):
        embedding_of(brightness, "points", where="--features")
    with pytest.raises(ConfigError, match="resnet-50"):
        embedding_of("resnet50", "images", where="--features")


def test_an_onnx_file_gives_the_features_that_it_computes(tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime comes with the extra 'onnx'")
    features = onnx_extractor(stored_model(tmp_path / "means.onnx", shape=["n", 1, "h", "w"]))
    images = np.random.default_rng(0).random((5, 1, 6, 6)).astype(np.float32)
    means = images.mean(axis=(1, 2, 3))
    # One float32 sum of 36 terms.
    np.testing.assert_allclose(features(images), np.stack([means, 2 * means], axis=1), rtol=1e-5)


def test_a_model_of_fixed_size_batch_and_channels_gets_what_it_asks_for(tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime comes with the extra 'onnx'")
    features = onnx_extractor(stored_model(tmp_path / "fixed.onnx", shape=[4, 3, 12, 12], channels=3))
    images = np.full((6, 1, 6, 6), 0.25, dtype=np.float32)
    np.testing.assert_allclose(features(images), np.repeat([[0.25] * 3 + [0.5] * 3], 6, axis=0), rtol=1e-5)
    with pytest.raises(DataError, match="3 channels"):
        features(np.zeros((2, 4, 6, 6), dtype=np.float32))


def test_a_missing_package_names_the_extra_that_brings_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match=r"equipoise\[onnx\]"):
        onnx_extractor(tmp_path / "any.onnx")
    monkeypatch.setitem(sys.modules, "timm", None)
    for name in WELL_KNOWN:
        with pytest.raises(MissingExtra, match=r"equipoise\[extractors\]"):
            embedding_of(name, "images", where="here")
