"""Generators as files that other programs run: an ONNX model, or a program of torch alone."""

from __future__ import annotations

from equipoise.export.natural import LATENTS_LAW, NaturalGenerator
from equipoise.export.onnx_model import write_onnx
from equipoise.export.torch_program import write_program

__all__ = ["LATENTS_LAW", "NaturalGenerator", "write_onnx", "write_program"]
