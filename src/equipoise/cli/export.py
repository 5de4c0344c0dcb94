"""`equipoise export`: a trained generator as a file or a folder that others can use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from equipoise.cli.options import AsJson, Last, RunPath, TrustCode
from equipoise.cli.terminal import note, print_json
from equipoise.errors import InputError


def export(
    run: RunPath,
    onnx: Annotated[
        Path | None,
        typer.Option("--onnx", metavar="FILE.onnx", help="An ONNX model: latents, and class numbers, to samples."),
    ] = None,
    torch: Annotated[
        Path | None,
        typer.Option("--torch", metavar="FILE.pt2", help="A program for torch.export.load, without equipoise."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", metavar="DIR", help="Weights, configuration and a model card, for equipoise.from_pretrained."
        ),
    ] = None,
    last: Last = False,
    trust_code: TrustCode = False,
    as_json: AsJson = False,
) -> None:
    """Write a trained generator for other programs.

    A model gives images in [0, 1] as (batch, channels, height, width), or points in their own units; it is run and
    compared with the network before it is written. The latents are standard normal numbers.

    \b
    Example: a model for onnxruntime; a folder to publish, with the verdict in its card.
      equipoise export runs/cats --onnx cats.onnx
      equipoise export runs/cats --folder cats-generator
    """
    if not (onnx or torch or folder):
        raise InputError(
            "export", "nothing is asked for.", "Expected --onnx, --torch or --folder.", "Name what is to be written."
        )
    from equipoise.experiment.loading import load

    gan = load(run, checkpoint="last" if last else None, trust_code=trust_code)
    for text in gan.passed_over:
        note(text)
    written = []
    for path, form in ((onnx, "onnx"), (torch, "torch")):
        if path is not None:
            made = gan.export(path, form=form)
            written.append({"path": str(path), "form": form, "difference": made.difference, "facts": made.facts})
    if folder is not None:
        written.append({"path": str(gan.save_pretrained(folder)), "form": "folder"})
    if as_json:
        print_json({"run": str(run), "step": gan.step, "files": written})
        return
    for entry in written:
        checked = f", differs from the network by {entry['difference']:.1e} at most" if "difference" in entry else ""
        print(f"{entry['form']}: {entry['path']}{checked}")
