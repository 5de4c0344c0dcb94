"""Frozen feature extractors as members: a function of images, yours or one stored as ONNX, and a quadratic on top."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from equipoise.errors import DataError, MissingExtra
from equipoise.referee.base import Member, Rows, Scorer
from equipoise.referee.members.quadratic import fit_quadratic

_COMPONENTS = 64
_CHUNK = 256


def extractor_member(name: str, features: Callable[[np.ndarray], np.ndarray]) -> Member:
    """A member that reads the main directions of frozen features with a quadratic discriminator.

    Hand it to `judge(members=[*members_for("images"), extractor_member(...)])`.

    Args:
        name: as the verdict should call it.
        features: from images, float32 in [0, 1], `(n, channels, height, width)`, to numbers `(n, features)`. It must
            not have been fitted on the samples that are judged.
    """

    def fit(real: Rows, fake: Rows, seed: int) -> Scorer:
        fitted = [_in_chunks(features, side.images, name) for side in (real, fake)]
        pooled = np.concatenate(fitted)
        centre = pooled.mean(axis=0)
        _, sizes, vectors = np.linalg.svd(pooled - centre, full_matrices=False)
        kept = max(1, min(_COMPONENTS, int((sizes > 1e-6 * sizes[0]).sum())))
        directions = vectors[:kept].T * (np.sqrt(len(pooled)) / np.maximum(sizes[:kept], 1e-12))

        def with_numbers(rows: Rows, found: np.ndarray) -> Rows:
            return replace(rows, numbers=(found - centre) @ directions)

        score = fit_quadratic(with_numbers(real, fitted[0]), with_numbers(fake, fitted[1]), seed)
        return lambda rows: score(with_numbers(rows, _in_chunks(features, rows.images, name)))

    return Member(name=name, kinds=frozenset({"images"}), fit=fit, sees="what the extractor was trained to see")


def onnx_extractor(path: Path | str) -> Callable[[np.ndarray], np.ndarray]:
    """The first output of an ONNX model with one input of images, run by onnxruntime on the CPU.

    Raises:
        MissingExtra: onnxruntime is not installed.
        DataError: the file is not a model that onnxruntime can read.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra("a feature extractor stored as ONNX", package="onnxruntime", extra="onnx") from error
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base class but this one
        raise DataError(str(path), f"onnxruntime cannot read it ({error}).", "Expected an ONNX model.") from error
    entry, result = session.get_inputs()[0].name, session.get_outputs()[0].name
    return lambda images: session.run([result], {entry: images})[0]


def _in_chunks(features: Callable[[np.ndarray], np.ndarray], images: np.ndarray, name: str) -> np.ndarray:
    parts = [np.asarray(features(images[at : at + _CHUNK]), dtype=np.float64) for at in range(0, len(images), _CHUNK)]
    found = np.concatenate([part.reshape(len(part), -1) for part in parts])
    if len(found) != len(images) or not np.isfinite(found).all():
        raise DataError(
            f"feature extractor '{name}'",
            f"it returned {len(found)} rows for {len(images)} images"
            if len(found) != len(images)
            else "it returned NaN",
            "Expected one row of finite numbers for each image.",
        )
    return found
