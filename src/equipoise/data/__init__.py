"""Data of three kinds: read, split once, encoded for the players, and written again."""

from equipoise.data.builtin import BUILTIN
from equipoise.data.codecs import Codec, ImageCodec, PointCodec, TableCodec, codec_from_state
from equipoise.data.format import DataFormat, available_formats
from equipoise.data.loading import load
from equipoise.data.preparing import PreparedData, prepare
from equipoise.data.raw import DataOptions, RawData
from equipoise.data.sampling import WeightedDraws, balancing_weights, batch_indices
from equipoise.data.split import PARTS, Part, Split
from equipoise.data.writing import image_sheet, save_picture, write_samples

__all__ = [
    "BUILTIN",
    "PARTS",
    "Codec",
    "DataFormat",
    "DataOptions",
    "ImageCodec",
    "Part",
    "PointCodec",
    "PreparedData",
    "RawData",
    "Split",
    "TableCodec",
    "WeightedDraws",
    "available_formats",
    "balancing_weights",
    "batch_indices",
    "codec_from_state",
    "image_sheet",
    "load",
    "prepare",
    "save_picture",
    "write_samples",
]
