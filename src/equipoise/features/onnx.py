"""Embeddings stored as ONNX models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from equipoise.errors import DataError, MissingExtra
from equipoise.features.model_input import fitted_to


def onnx_extractor(path: Path | str) -> Callable[[np.ndarray], np.ndarray]:
    """The first output of an ONNX model with one input of images, run by onnxruntime on the CPU, on one thread.

    The model gets pixels in [0, 1], float32, `(n, channels, height, width)`. What its input fixes is done for it:
    images are resized (bilinearly) to a fixed height and width, grey becomes red = green = blue for three channels,
    and a fixed number of images at a time is filled up and cut again. Any other scaling belongs into the model.

    Raises:
        MissingExtra: onnxruntime is not installed.
        DataError: the file is missing, is not a model that onnxruntime can read, or does not take images.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra("a feature extractor stored as ONNX", package="onnxruntime", extra="onnx") from error
    if not Path(path).is_file():
        raise DataError(str(path), "there is no such file.", "Expected an ONNX model.")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1  # sums in a fixed order: the same verdict on every call
    settings.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base class but this one
        first = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise DataError(str(path), f"onnxruntime cannot read it ({first}).", "Expected an ONNX model.") from error
    entries = session.get_inputs()
    if len(entries) != 1 or len(entries[0].shape) != 4 or entries[0].type != "tensor(float)":
        found = ", ".join(f"{entry.name}: {entry.type} {entry.shape}" for entry in entries)
        raise DataError(
            str(path),
            f"its inputs are {found}.",
            "Expected one input of images, tensor(float) with axes (n, channels, height, width).",
            "Export the model for pixels in [0, 1], with its own scaling inside.",
        )
    entry, result = entries[0].name, session.get_outputs()[0].name
    count, channels, *size = (length if isinstance(length, int) else None for length in entries[0].shape)

    def features(images: np.ndarray) -> np.ndarray:
        fitted = fitted_to(images, channels, size, str(path))
        if count is None:
            return session.run([result], {entry: fitted})[0]
        filled = np.concatenate([fitted, np.repeat(fitted[-1:], -len(fitted) % count, axis=0)])
        parts = [session.run([result], {entry: filled[at : at + count]})[0] for at in range(0, len(filled), count)]
        return np.concatenate(parts)[: len(images)]

    return features
