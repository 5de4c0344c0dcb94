"""Embeddings: frozen functions from images to numbers, for metrics and the referee alike."""

from equipoise.features.embedding import Embedding, embedding_of
from equipoise.features.onnx import onnx_extractor
from equipoise.features.pretrained import WELL_KNOWN, pretrained_extractor

__all__ = ["WELL_KNOWN", "Embedding", "embedding_of", "onnx_extractor", "pretrained_extractor"]
