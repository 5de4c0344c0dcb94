"""What a run folder says of itself, checked before it is believed: the encoding, the classes, the size of the networks.

A run folder may come from a stranger, or have been edited by hand. Whatever it says, opening it takes no more memory
than its files explain, and ends with a generator or with an error that names the file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.data import Encoder, domain_of, encoder_from_state
from equipoise.errors import InputError, RunFolderError
from equipoise.experiment.build.networks import build_networks
from equipoise.experiment.config.schema import RunConfig
from equipoise.runfolder import RunFolder
from equipoise.spaces import Space, sample_size
from equipoise.training.checkpoints import checkpoint_files

ROWS_TO_TRY = 3
LAYER_COUNTS = ("depth", "blocks")


def stored_encoder(description: Mapping[str, Any], *, where: str) -> Encoder:
    """The encoding in `data.json`, after it has decoded a few rows.

    Raises:
        RunFolderError: it is incomplete, contradicts itself or decodes nothing.
    """
    try:
        encoder = encoder_from_state(description["encoder"])
        space = encoder.space
        size = sample_size(space)
        if size < 1 or not isinstance(size, int):
            raise ValueError(f"a sample of {size} numbers")
        domain_of(space.kind).check_encoder(encoder)
        # Encoded rows of standard size and far outside; what decodes them decodes all that a generator makes.
        tried = np.multiply.outer([0.0, 1.0, -9.0][:ROWS_TO_TRY], np.ones(space.shape)).astype(np.float32)
        encoder.decode(tried)
        return encoder
    except Exception as error:  # the encoders were written for what they wrote themselves: anything may go wrong here
        raise _incomplete(where, error) from error


def stored_classes(description: Mapping[str, Any], *, where: str) -> tuple[tuple[str, ...], Tensor | None]:
    """Names and shares of the classes in `data.json`; none and `None` without labels.

    Raises:
        RunFolderError: names and shares do not fit together.
    """
    try:
        labels = description.get("labels") or {}
        names = tuple(str(name) for name in labels.get("names", ()))
        if not names:
            return (), None
        shares = torch.tensor(labels["shares"], dtype=torch.float64)
        if shares.shape != (len(names),) or not bool((shares >= 0).all()) or not 0 < float(shares.sum()) < math.inf:
            raise ValueError(f"{len(names)} classes with the shares {labels['shares']!s:.80}")
        return names, shares
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
        raise _incomplete(where, error) from error


def refuse_unexplained_size(
    config: RunConfig, space: Space, classes: int, tensors: Mapping[str, Tensor], *, where: str, trusted: bool
) -> None:
    """Refuse a configuration whose networks are larger than what the checkpoint holds, before they are made.

    Raises:
        RunFolderError: they would be.
        ConfigError: no networks can be made of it at all.
    """
    sections = {role: dict(getattr(config.networks, role)) for role in ("generator", "discriminator")}
    for role, options in sections.items():
        options.pop("spectral", None)  # it computes with the weights, which have no values here
        layers = max(
            (value for key, value in options.items() if key in LAYER_COUNTS and isinstance(value, int)), default=0
        )
        if layers > len(tensors):
            raise _unfit(where, f"{layers:,} layers in the {role}, and the checkpoint holds {len(tensors)} tensors")
    if ":" in config.networks.family or config.python:  # the person's own code, which they trust or which is refused
        return
    plain = config.model_copy(update={"networks": config.networks.model_copy(update=sections)})
    held = _numbers(tensors)
    with torch.device("meta"):  # shapes without memory
        networks = build_networks(plain, space, classes, trusted=trusted)
    needed = sum(_numbers(network.state_dict()) for network in networks)
    if needed > held:
        raise _unfit(where, f"{needed:,} numbers in the networks, and the checkpoint holds {held:,} numbers")


def _numbers(tensors: Mapping[str, Tensor]) -> int:
    """How many there are that are no whole ones: weights, and curves of differences."""
    return sum(tensor.numel() for tensor in tensors.values() if tensor.is_floating_point())


def checkpoints_wanted(run: RunFolder, config: RunConfig, wanted: str | None) -> Path:
    """The folder of the checkpoint to use: the best one where it is kept, unless the last is asked for.

    A run with no evaluation so far, or of an earlier version that was not asked to keep the best, has the last one.

    Raises:
        RunFolderError: the best is asked for, and there is none.
        InputError: neither is asked for.
    """
    if wanted not in (None, "best", "last"):
        raise InputError("checkpoint", f"it is {wanted!r}.", "Expected 'best' or 'last'.", "Leave it out for either.")
    has_best = bool(checkpoint_files(run.best))
    if wanted == "best" and not has_best:
        raise RunFolderError(
            str(run.path),
            "the run has kept no best checkpoint.",
            "Expected one that keeps it (evaluations.keep_best) and has had an interim evaluation.",
            "Ask for the last one.",
        )
    uses_best = wanted == "best" or (wanted is None and config.evaluations.keep_best is not False and has_best)
    return run.best if uses_best else run.checkpoints


def _unfit(where: str, found: str) -> RunFolderError:
    return RunFolderError(
        where,
        f"config.yaml asks for {found}: the checkpoint does not fit the networks.",
        "Expected the configuration that the run began with.",
        "Restore config.yaml.",
    )


def _incomplete(where: str, error: Exception) -> RunFolderError:
    return RunFolderError(
        where,
        f"the description of the data is incomplete or wrong ({str(error)[:200] or type(error).__name__}).",
        "Expected a data.json that equipoise wrote.",
        "Restore it from a copy.",
    )
