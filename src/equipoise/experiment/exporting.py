"""Exports of a trained generator, with what whoever runs them has to know."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from equipoise.errors import ConfigError, InputError
from equipoise.experiment.trained import Trained
from equipoise.export import LATENTS_LAW, NaturalGenerator, write_onnx, write_program

Form = Literal["onnx", "torch"]
WRITERS = {"onnx": write_onnx, "torch": write_program}


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: of the file.
        difference: the largest one from the network's own samples: of ONNX relative to the largest value.
        facts: what the file says of itself.
    """

    path: Path
    difference: float
    facts: dict[str, str]


def export(gan: Trained, path: Path | str, *, form: Form | None = None) -> Exported:
    """Write the generator as an ONNX model or as a torch program, and check that it makes the same samples.

    Args:
        gan: of images or points; rows of a table are decoded by rules that no graph of tensors holds.
        path: of the new file.
        form: `onnx` or `torch`; by default what the ending says, `.onnx` or `.pt2`.

    Raises:
        InputError: a table, or something is at `path` already.
        ConfigError: the ending says nothing, or the network cannot be written down as a graph.
        MissingExtra: a package of the extra `onnx` is missing.
    """
    target = Path(path)
    form = form or {".onnx": "onnx", ".pt2": "torch"}.get(target.suffix.lower())
    if form not in WRITERS:
        raise ConfigError(
            str(target), f"the ending '{target.suffix}' says no format.", "Expected .onnx or .pt2.", "Choose one."
        )
    if target.exists():
        raise InputError(str(target), "something is there already.", "Expected a new file.", "Choose another name.")
    network, facts = natural(gan), facts_of(gan)
    classes = len(gan.label_names) if gan.config.networks.conditional else 0
    return Exported(target, WRITERS[form](network, target, classes=classes, facts=facts), facts)


def natural(gan: Trained) -> NaturalGenerator:
    """The generator with natural values as output.

    Raises:
        InputError: it makes rows of a table.
    """
    kind, state = gan.space.kind, gan.encoder.state()
    conditional = gan.config.networks.conditional
    if kind == "table":
        raise InputError(
            "export",
            "the run is on a table.",
            "Expected images or points: categories, dates and missing values are no tensors.",
            "Write rows with 'equipoise sample', or the run as a folder with 'equipoise export --folder'.",
        )
    if kind == "images":
        return NaturalGenerator(gan.generator, has_alpha=bool(state["premultiplied"]), conditional=conditional)
    mean, spread = (torch.tensor(state[name], dtype=torch.float64) for name in ("mean", "spread"))
    return NaturalGenerator(gan.generator, mean=mean, spread=spread, conditional=conditional)


def facts_of(gan: Trained) -> dict[str, str]:
    """What an exported file says of itself, as text by name."""
    from equipoise import __version__

    output = {
        "images": "float32 in [0, 1], (batch, channels, height, width); channels are "
        + {1: "grey", 3: "red, green, blue", 4: "red, green, blue, alpha"}.get(gan.space.shape[0], "as in the data"),
        "points": "float64 in the units of the data, (batch, coordinates)",
    }
    facts = {
        "made_by": f"equipoise {__version__}",
        "latents": f"{gan.generator.latent_dimensions} {LATENTS_LAW}, (batch, {gan.generator.latent_dimensions})",
        "samples": output.get(gan.space.kind, ""),
        "step": str(gan.step),
    }
    if gan.config.networks.conditional:
        facts["labels"] = "numbers of classes, int64, (batch,)"
        facts["classes"] = json.dumps(list(gan.label_names))
    if gan.names:
        facts["coordinates"] = json.dumps(list(gan.names))
    return facts
