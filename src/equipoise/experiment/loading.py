"""Opening a run folder or a pretrained one: the generator, and the discriminator, with the weights that are used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from torch import nn

from equipoise.data import PreparedData
from equipoise.errors import InputError, RunFolderError
from equipoise.experiment.build.networks import build_networks
from equipoise.experiment.build.python_parts import ROLES, NetworkFactory, PythonParts, require_parts, sort_parts
from equipoise.experiment.config.files import read_run_config, validated
from equipoise.experiment.generator import Gan
from equipoise.experiment.pretrained import CARD, CONFIG, REPOSITORY, WEIGHTS, hub, of_player, read_pretrained
from equipoise.experiment.stored_run import checkpoints_wanted, refuse_unexplained_size, stored_classes, stored_encoder
from equipoise.runfolder import open_run_folder
from equipoise.training.checkpoints import network_tensors, read_checkpoint


def load(
    folder: Path | str,
    *,
    checkpoint: Literal["best", "last"] | None = None,
    generator: nn.Module | NetworkFactory | None = None,
    discriminator: nn.Module | NetworkFactory | None = None,
    data: PreparedData | None = None,
    trust_code: bool = False,
) -> Gan:
    """The generator of a run folder, ready to sample; the data are not needed.

    Args:
        folder: a run folder.
        checkpoint: the best by the evaluations' estimate or the last; by default the best where the run keeps it.
        generator: the network of a run that was begun with a Python object, made as then; its weights are loaded.
        discriminator: the same for the other player.
        data: the prepared data, if the caller has them.
        trust_code: whether an import path in its configuration may be run.

    Raises:
        RunFolderError: the folder holds no whole checkpoint, or none that was kept as the best.
        ConfigError: the run was begun with networks that were given as objects, and they are not given now.
        InputError: `checkpoint` is neither.
    """
    parts, _ = sort_parts(generator=generator, discriminator=discriminator)
    return load_gan(folder, checkpoint=checkpoint, parts=parts, data=data, trust_code=trust_code)


def load_gan(
    folder: Path | str,
    *,
    checkpoint: Literal["best", "last"] | None = None,
    parts: PythonParts = PythonParts(),
    data: PreparedData | None = None,
    trust_code: bool = False,
) -> Gan:
    """As `load`, with everything that was given as Python objects in one record."""
    run = open_run_folder(folder)
    config = read_run_config(run)
    require_parts(config.python, parts, places=ROLES, call=f"equipoise.load({str(run.path)!r}")
    parts = replace(parts, latents=config.networks.latents)
    description = run.read_json(run.data)
    encoder = stored_encoder(description, where=str(run.data))
    names, shares = stored_classes(description, where=str(run.data))
    tensors, numbers, broken = read_checkpoint(checkpoints_wanted(run, config, checkpoint))
    classes = len(names) if config.networks.conditional else 0
    refuse_unexplained_size(config, encoder.space, classes, tensors, where=str(run.checkpoints), trusted=trust_code)
    generator, discriminator = build_networks(config, encoder.space, classes, parts=parts, trusted=trust_code)
    try:
        generator.load_state_dict(network_tensors("generator", tensors, average=True))
        discriminator.load_state_dict(network_tensors("discriminator", tensors))
    except RuntimeError as error:
        raise RunFolderError(
            str(run.checkpoints),
            "the checkpoint does not fit the networks of config.yaml.",
            "Expected the configuration that the run began with.",
            "Restore config.yaml.",
        ) from error
    return Gan(
        folder=run.path,
        config=config,
        encoder=encoder,
        generator=generator.eval().requires_grad_(False),
        label_names=names,
        class_shares=shares,
        step=numbers["step"],
        names=_names(description.get("names")),
        data=data,
        passed_over=tuple(broken),
        discriminator=discriminator.eval().requires_grad_(False),
        parts=parts,
    )


def from_pretrained(source: Path | str) -> Gan:
    """The generator of a folder that `save_pretrained` wrote, or of a repository `owner/name` of the Hugging Face hub.

    The download is a call of `huggingface_hub`, and was not tested against the network.

    Raises:
        RunFolderError: the folder is incomplete, contradicts itself or comes from a later version.
        InputError: there is neither a folder nor a name of a repository.
        MissingExtra: a repository is named, and `huggingface_hub` is not installed.
    """
    folder = Path(source)
    if not folder.is_dir():
        if not REPOSITORY.fullmatch(str(source)):
            raise InputError(
                str(source),
                "there is no such folder.",
                "Expected a folder that 'equipoise export --folder' wrote, or a repository 'owner/name'.",
                "Correct the name.",
            )
        folder = Path(hub().snapshot_download(str(source), allow_patterns=[WEIGHTS, CONFIG, CARD]))
    tensors, content = read_pretrained(folder)
    where = str(folder / CONFIG)
    config = validated(content["config"], where=where)
    encoder = stored_encoder(content, where=where)
    names, shares = stored_classes(content, where=where)
    classes = len(names) if config.networks.conditional else 0
    if config.python or ":" in config.networks.family:
        raise RunFolderError(where, "its networks are code.", "Expected a family of networks by name.", "Use the run.")
    refuse_unexplained_size(config, encoder.space, classes, tensors, where=where, trusted=False)
    generator, discriminator = build_networks(config, encoder.space, classes, trusted=False)
    try:
        for role, network in (("generator", generator), ("discriminator", discriminator)):
            network.load_state_dict(of_player(role, tensors))
    except RuntimeError as error:
        raise RunFolderError(
            str(folder / WEIGHTS),
            "the weights do not fit the networks of config.json.",
            "Expected the two files as they were written together.",
            "Restore them.",
        ) from error
    step, coordinates = content.get("step"), content.get("names")
    return Gan(
        folder=folder,
        config=config,
        encoder=encoder,
        generator=generator.eval().requires_grad_(False),
        label_names=names,
        class_shares=shares,
        step=step if isinstance(step, int) else 0,
        names=tuple(map(str, coordinates)) if isinstance(coordinates, list) else (),
        discriminator=discriminator.eval().requires_grad_(False),
    )


def _names(found: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in found) if isinstance(found, list) else ()
