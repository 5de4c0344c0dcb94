"""Data of three kinds: read, split once, encoded for the players, and written again."""

from equipoise.data.base import Domain, Encoder
from equipoise.data.builtin import BUILTIN
from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.domain import aligned, aligned_values, domain_of, encoder_from_state
from equipoise.data.formats.format import DataFormat, available_formats
from equipoise.data.images.encoder import ImageEncoder
from equipoise.data.points.encoder import PointEncoder
from equipoise.data.prepare import PreparedData, prepare
from equipoise.data.sampler import WeightedDraws, balancing_weights, batch_indices
from equipoise.data.source import load
from equipoise.data.splits import PARTS, Part, Split
from equipoise.data.tables.encoder import TableEncoder
from equipoise.data.writing import write_batches, write_samples

__all__ = [
    "BUILTIN",
    "PARTS",
    "DataFormat",
    "DataOptions",
    "Dataset",
    "Domain",
    "Encoder",
    "ImageEncoder",
    "Part",
    "PointEncoder",
    "PreparedData",
    "Split",
    "TableEncoder",
    "WeightedDraws",
    "aligned",
    "aligned_values",
    "available_formats",
    "balancing_weights",
    "batch_indices",
    "domain_of",
    "encoder_from_state",
    "load",
    "prepare",
    "write_batches",
    "write_samples",
]
