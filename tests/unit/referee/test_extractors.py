"""Frozen feature extractors: a function, or an ONNX file, sees for the referee what it was made to see."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_models import stored_model

from equipoise.errors import ConfigError, DataError
from equipoise.referee import Conclusion, judge
from equipoise.referee.classifiers import available
from equipoise.referee.extractors import classifiers_of

QUICK = [available()["neighbour curves"]]


def speckled(count: int, seed: int, *, speckle: int = 0) -> np.ndarray:
    """Noise images of 6 x 6; `speckle` moves the mean of every other pixel up and of the others down."""
    signs = np.where(np.add.outer(np.arange(6), np.arange(6)) % 2 == 0, 1, -1)
    images = np.random.default_rng(seed).integers(60, 190, (count, 1, 6, 6)) + speckle * signs
    return images.astype(np.uint8)


def chequered(images: np.ndarray) -> np.ndarray:
    """How strongly each image has the pattern of a chequerboard."""
    signs = np.where(np.add.outer(np.arange(6), np.arange(6)) % 2 == 0, 1.0, -1.0)
    return (images * signs).mean(axis=(1, 2, 3))[:, None]


def test_a_function_sees_what_the_others_do_not():
    real, fake = speckled(600, 0), speckled(600, 1, speckle=6)
    # The companion counts such specks, too, among its statistics of texture.
    options = {"kind": "images", "classifiers": QUICK, "checks": [], "companion": False}
    assert judge(real, fake, **options).conclusion != Conclusion.DISTINGUISHED
    seen = judge(real, fake, extractor=chequered, **options)
    assert seen.conclusion == Conclusion.DISTINGUISHED
    assert {"neighbour curves", "chequered"} == set(seen.classifier_values)


def test_the_verdict_of_an_onnx_file_is_that_of_the_same_function(tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime comes with the extra 'onnx'")
    path = stored_model(tmp_path / "means.onnx", shape=["n", 1, 6, 6])
    real, fake = speckled(300, 0), np.clip(speckled(300, 1) + 12, 0, 255).astype(np.uint8)
    (classifier,) = classifiers_of(path, "images")
    assert classifier.name == "means.onnx" and classifier.identity == classifiers_of([str(path)], "images")[0].identity
    verdict = judge(real, fake, kind="images", classifiers=[], extractor=str(path), checks=[])
    assert verdict.conclusion == Conclusion.DISTINGUISHED and set(verdict.classifier_values) == {"means.onnx"}


def test_files_that_are_no_usable_model_are_refused_with_what_was_found(tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime comes with the extra 'onnx'")
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    with pytest.raises(DataError, match=r"broken\.onnx.*cannot read"):
        classifiers_of(tmp_path / "broken.onnx", "images")
    with pytest.raises(DataError, match="no such file"):
        classifiers_of(tmp_path / "missing.onnx", "images")
    with pytest.raises(DataError, match=r"its inputs are images: tensor\(float\) \['n', 1, 6\]"):
        classifiers_of(stored_model(tmp_path / "rows.onnx", shape=["n", 1, 6]), "images")


def test_extractors_are_for_images_and_unknown_names_list_the_known_ones():
    with pytest.raises(ConfigError, match="the data are points"):
        judge(np.zeros((50, 2)), np.zeros((50, 2)), kind="points", extractor=chequered)
    with pytest.raises(ConfigError, match="resnet-50"):
        classifiers_of("resnet50", "images")


def test_an_extractor_that_returns_nonsense_is_named():
    with pytest.raises(DataError, match=r"'wrong'.*1 rows for"):

        def wrong(images):
            return np.zeros((1, 3))

        judge(speckled(60, 0), speckled(60, 1), kind="images", classifiers=[], extractor=wrong)
