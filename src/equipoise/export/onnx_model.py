"""A generator as an ONNX model: inputs `latents` and, with classes, `labels`; output `samples`."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from equipoise.errors import ConfigError, MissingExtra
from equipoise.export.natural import NaturalGenerator
from equipoise.files import replacing

TOLERANCE = 1e-4
"""Largest difference between what the file and the network make of the same latents, in units of the largest value."""


def write_onnx(network: NaturalGenerator, path: Path, *, classes: int, facts: Mapping[str, str]) -> float:
    """Write the model to one file, run it with onnxruntime, and compare it with the network.

    The number of samples at once is free. The model's metadata hold `facts`.

    Args:
        network: what is written.
        path: of the new file.
        classes: of a conditional generator.
        facts: names and values that whoever runs the model may want to know.

    Returns:
        The largest difference that was found, relative to the largest value.

    Raises:
        MissingExtra: onnx, onnxscript or onnxruntime is not installed.
        ConfigError: the network does something that ONNX has no word for, or the model makes something else than it.
        StorageError: the file system refused.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra("an export to ONNX", package=package, extra="onnx")
    inputs = network.example(classes)
    names = ["latents", "labels"][: len(inputs)]
    batch = torch.export.Dim("batch")
    try:
        with _in_silence():
            program = torch.onnx.export(
                network,
                inputs,
                input_names=names,
                output_names=["samples"],
                dynamic_shapes=[{0: batch}] * len(inputs),
                dynamo=True,
                verbose=False,
            )
        assert program is not None
    except Exception as error:  # a person's own network may do anything, and torch's own exceptions share no base class
        raise cannot_be_traced("--onnx", network, error) from error
    program.model.metadata_props.update(facts)
    content = program.model_proto.SerializeToString()
    found = _difference(content, network, names, inputs)
    if not found <= TOLERANCE:
        raise ConfigError(
            "--onnx",
            f"the model's samples differ from the network's by {found:.1e} of the largest value.",
            f"Expected at most {TOLERANCE:.0e}.",
            "Use --torch; and please report it, with the configuration of the run.",
        )
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return found


def cannot_be_traced(where: str, network: NaturalGenerator, error: Exception) -> ConfigError:
    """The error of a network that cannot be written down as a graph."""
    first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return ConfigError(
        where,
        f"{type(network.generator).__name__} cannot be traced ({first.strip()[:200]}).",
        "Expected a network of operations on tensors, the same ones for every batch.",
        "Keep branches that look at values, and len() of a batch, out of its forward; or use the run from Python.",
    )


def _difference(content: bytes, network: NaturalGenerator, names: list[str], inputs: tuple[torch.Tensor, ...]) -> float:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
    largest = 0.0
    for rows in (slice(None), slice(1)):  # another number at once than it was traced with
        given = [tensor[rows] for tensor in inputs]
        with torch.no_grad():
            wanted = network(*given).numpy()
        made = session.run(["samples"], dict(zip(names, (tensor.numpy() for tensor in given), strict=True)))[0]
        scale = max(float(np.abs(wanted).max()), 1e-12)
        largest = max(largest, float(np.abs(made - wanted).max()) / scale)
    return largest


@contextlib.contextmanager
def _in_silence() -> Iterator[None]:
    """Without torch's progress and its warnings on packages that are not there."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
