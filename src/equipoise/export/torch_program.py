"""A generator as a program of torch alone: `torch.export.load(path).module()` runs it where equipoise is not."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch

from equipoise.errors import ConfigError
from equipoise.export.natural import NaturalGenerator
from equipoise.export.onnx_model import cannot_be_traced
from equipoise.files import replacing


def write_program(network: NaturalGenerator, path: Path, *, classes: int, facts: Mapping[str, str]) -> float:
    """Write the program with its weights to one file, load it, and compare it with the network.

    The number of samples at once is free. Its extra file `equipoise.json` holds `facts`.

    Args:
        network: what is written.
        path: of the new file, which has to end in `.pt2`.
        classes: of a conditional generator.
        facts: names and values that whoever runs the program may want to know.

    Returns:
        The largest difference that was found; it is 0 but for the order of sums.

    Raises:
        ConfigError: the network cannot be traced, or the name ends otherwise.
        StorageError: the file system refused.
    """
    if path.suffix != ".pt2":
        raise ConfigError(
            f"--torch {path}",
            f"it ends in '{path.suffix}'.",
            "Expected '.pt2', as torch.export asks for.",
            "Rename it.",
        )
    inputs = network.example(classes)
    batch = torch.export.Dim("batch")
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.export.export(network, inputs, dynamic_shapes=[{0: batch}] * len(inputs))
    except Exception as error:  # a person's own network may do anything
        raise cannot_be_traced("--torch", network, error) from error
    with replacing(path) as temporary:
        torch.export.save(program, str(temporary), extra_files={"equipoise.json": json.dumps(dict(facts), indent=2)})
        loaded = torch.export.load(str(temporary)).module()
    with torch.no_grad():
        one = [tensor[:1] for tensor in inputs]
        return max(float((loaded(*given) - network(*given)).abs().max()) for given in (inputs, one))
