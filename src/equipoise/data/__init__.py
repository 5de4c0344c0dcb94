"""Data of three kinds: read, split once, encoded for the players, and written again."""

from equipoise.data.builtin import BUILTIN
from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.encoders import Encoder, ImageEncoder, PointEncoder, TableEncoder, encoder_from_state
from equipoise.data.format import DataFormat, available_formats
from equipoise.data.prepare import PreparedData, prepare
from equipoise.data.sampler import WeightedDraws, balancing_weights, batch_indices
from equipoise.data.source import load
from equipoise.data.splits import PARTS, Part, Split
from equipoise.data.writing import write_samples

__all__ = [
    "BUILTIN",
    "PARTS",
    "DataFormat",
    "DataOptions",
    "Dataset",
    "Encoder",
    "ImageEncoder",
    "Part",
    "PointEncoder",
    "PreparedData",
    "Split",
    "TableEncoder",
    "WeightedDraws",
    "available_formats",
    "balancing_weights",
    "batch_indices",
    "encoder_from_state",
    "load",
    "prepare",
    "write_samples",
]
