"""Embeddings: frozen functions from images to numbers, for metrics and the referee alike."""

from equipoise.features.embedding import Embedding, embedding_of
from equipoise.features.label_features import label_features
from equipoise.features.onnx import onnx_extractor
from equipoise.features.pretrained import WELL_KNOWN, pretrained_extractor
from equipoise.features.random_features import random_features

__all__ = [
    "WELL_KNOWN",
    "Embedding",
    "embedding_of",
    "label_features",
    "onnx_extractor",
    "pretrained_extractor",
    "random_features",
]
