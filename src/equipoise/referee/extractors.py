"""Frozen feature extractors of images as classifiers: a quadratic on the main directions of the features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from equipoise.data.judging import Rows
from equipoise.features.embedding import KINDS, Embedding, Extractor, embedding_of
from equipoise.referee.base import Classifier, Scorer
from equipoise.referee.classifiers.quadratic import fit_quadratic
from equipoise.spaces import SpaceKind

_COMPONENTS = 64


def extractor_classifier(name: str, features: Callable[[np.ndarray], np.ndarray]) -> Classifier:
    """A classifier that reads the main directions of frozen features with a quadratic.

    Hand it to `judge(classifiers=[*classifiers_for("images"), extractor_classifier(...)])`.

    Args:
        name: as the verdict should call it.
        features: from images, float32 in [0, 1], `(n, channels, height, width)`, to numbers `(n, features)`. It must
            not have been fitted on the samples that are judged.
    """
    return _classifier_on(Embedding(name, features))


def classifiers_of(extractor: Extractor | Sequence[Extractor], kind: SpaceKind) -> tuple[Classifier, ...]:
    """One classifier for each extractor: a function, the path of an ONNX file, or a well-known name.

    Raises:
        ConfigError: the data are no images, or a name is not known.
        DataError: an ONNX file cannot be used.
        MissingExtra: what would run it is not installed.
    """
    given = [extractor] if callable(extractor) or isinstance(extractor, (str, Path)) else list(extractor)
    return tuple(_classifier_on(embedding_of(each, kind, where="judge, extractor")) for each in given)


def _classifier_on(embedding: Embedding) -> Classifier:
    def fit(real: Rows, fake: Rows, seed: int) -> Scorer:
        fitted = [embedding(side.images) for side in (real, fake)]
        pooled = np.concatenate(fitted)
        centre = pooled.mean(axis=0)
        _, sizes, vectors = np.linalg.svd(pooled - centre, full_matrices=False)
        kept = max(1, min(_COMPONENTS, int((sizes > 1e-6 * sizes[0]).sum())))
        directions = vectors[:kept].T * (np.sqrt(len(pooled)) / np.maximum(sizes[:kept], 1e-12))

        def with_numbers(rows: Rows, found: np.ndarray) -> Rows:
            return replace(rows, numbers=(found - centre) @ directions)

        score = fit_quadratic(with_numbers(real, fitted[0]), with_numbers(fake, fitted[1]), seed)
        return lambda rows: score(with_numbers(rows, embedding(rows.images)))

    return Classifier(
        name=embedding.name,
        kinds=KINDS,
        fit=fit,
        sees="what the extractor was trained to see",
        identity=embedding.identity,
    )
