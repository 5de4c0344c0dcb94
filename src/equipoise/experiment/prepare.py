"""From what a person gives (a path, a name, an array) to prepared data and a complete configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from equipoise.data import DataOptions, PreparedData
from equipoise.errors import ConfigError, Interrupted, RunFolderError
from equipoise.experiment.build.python_parts import PYTHON, PythonParts
from equipoise.experiment.build.recorded import with_findings, with_python_parts
from equipoise.experiment.column_kinds import columns_from
from equipoise.experiment.config.auto import (
    resolved,
    with_augmentation_asked_for,
    with_rule_asked_for,
    with_stage_steps,
)
from equipoise.experiment.config.files import read_config, validated
from equipoise.experiment.config.overrides import merged, read_settings
from equipoise.experiment.config.points_preset import is_short_run
from equipoise.experiment.config.presets import cadence, preset
from equipoise.experiment.config.schema import DataConfig, RunConfig
from equipoise.experiment.image_size import refusal, require_makeable_size
from equipoise.experiment.init_from import networks_like, weights_in
from equipoise.experiment.memory_estimate import require_room
from equipoise.experiment.out_of_memory import explaining_memory, explaining_memory_of_data
from equipoise.experiment.planned import Planned
from equipoise.experiment.run_length import require_one_budget, steps_waited_for, steps_within
from equipoise.experiment.signals import before_the_run, stopping_at_once
from equipoise.experiment.stored_data import read_and_split
from equipoise.experiment.stored_run import stored_encoder
from equipoise.experiment.threads import are_open, available_threads, timed_threads


def plan_run(
    source: Any,
    *,
    config_file: Path | None = None,
    settings: Sequence[str] = (),
    columns_file: Path | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    seed: int | None = None,
    device: str = "auto",
    preset_wanted: str | None = None,
    most_minutes: float | None = None,
    like: Planned | None = None,
    parts: PythonParts = PythonParts(),
    named: Mapping[str, Any] | None = None,
) -> Planned:
    """Read the data, choose a preset, put the person's settings in, and turn minutes into steps.

    `like` is an earlier plan for the same source: where it reads them in the same way, its data are taken. `parts` are
    the objects among the arguments of `fit`, and `named` are settings for those arguments that have a name. A run on a
    CPU whose length nobody has said has the steps of its preset, and no more than fit into `most_minutes`.

    Raises:
        ConfigError: a setting is unknown or does not fit.
        DataError: the data cannot be read.
        OutOfMemory: the data, or a step that is timed for `minutes`, do not fit into memory.
    """
    require_one_budget(steps, minutes)
    content, lines = read_config(config_file) if config_file else ({}, {})
    changes = merged(read_settings(settings), columns_from(columns_file))
    asked = merged(merged(content, changes), named or {})
    for section in ("data", "outputs", "runtime", "evaluations"):
        _require_section(asked, section, where=str(config_file) if config_file else "configuration")
    if seed is not None:
        asked["seed"] = seed
    asked = _with_networks_of_source(asked)
    where = str(config_file) if config_file else "configuration"
    data_section = _data_section(asked, source, where)
    chosen_seed = _seed(asked)
    require_makeable_size(
        data_section,
        networks_asked=asked.get("networks"),
        preset_wanted=preset_wanted or asked.get("preset"),
        has_own_networks=bool(parts.networks),
    )
    if like is not None and (like.config.data, like.config.seed) == (data_section, chosen_seed):
        data = like.data
    else:
        data = prepare_data(source if source is not None else data_section.source, data_section, chosen_seed)
    name = str(preset_wanted or asked.get("preset") or data.domain.preset_name(data.space))
    asked["preset"] = name
    asked["data"] = data_section.model_dump(mode="json")
    wants = asked.get("runtime", {}).get("device")
    chosen_device = choose_device(device if device != "auto" else wants or "auto")
    base = preset(
        name,
        source=data_section.source,
        space=data.space,
        rows=len(data.split.train),
        classes=data.n_classes,
        device=chosen_device,
        threads=available_threads(),
        family=_family_wanted(asked, parts),
        is_short=is_short_run(steps, minutes),
    )
    full = with_rule_asked_for(merged(base, asked), asked)
    full = with_augmentation_asked_for(full, asked, is_given=parts.augmentation is not None)
    full = resolved(full, data, given=parts.penalties)
    full["runtime"] = {**full["runtime"], "device": chosen_device}
    full, parts = with_python_parts(full, parts, asked=asked, classes=data.n_classes)
    config = validated(full, where=where, lines=lines)
    if config.networks.conditional and not data.n_classes:
        raise ConfigError(
            "networks.conditional",
            "the data have no class labels.",
            "Expected labels, for a conditional game.",
            "Set networks.conditional to false, or give data with labels.",
        )
    if config.data.balance == "classes" and not data.n_classes:
        raise ConfigError(
            "data.balance",
            "the data have no class labels to balance.",
            "Expected labels: subfolders of images, a label array, or a column named by data.labels.",
            "Leave --balance out, or name the labels, e.g. --set data.labels=COLUMN.",
        )
    if parts.places:
        full = with_findings(full, config, data, parts)
        config = validated(full, where=where, lines=lines)
    if are_open(asked, config):
        if like is not None and like.config.preset == name and like.data is data:
            threads = like.config.runtime.threads
        else:
            require_room(Planned(config, data, parts), doing="timing threads")
            with explaining_memory(config, doing="timing threads", is_playing=False), stopping_at_once(before_the_run):
                threads = timed_threads(config, data, parts=parts)
        full["runtime"] = {**full["runtime"], "threads": threads}
        config = validated(full, where=where, lines=lines)
    remark = ""
    if minutes is not None:
        steps = steps_within(minutes, Planned(config, data, parts))
    elif most_minutes is not None and steps is None and not _says_steps(asked) and chosen_device == "cpu":
        shorter = steps_waited_for(most_minutes, Planned(config, data, parts))
        steps, remark = (None, "") if shorter is None else shorter
    # How often things are written follows the length of the run, unless the person set it for this very run.
    if steps is not None or "outputs" not in content:
        full["training"] = {**full["training"], "steps": steps or config.training.steps}
        full["outputs"] = {**full["outputs"], **cadence(steps or config.training.steps), **changes.get("outputs", {})}
    if steps is not None and "evaluations" in content:
        # Another length has room for other evaluations: what was chosen for the stored one is chosen again.
        stored = content["evaluations"]
        wishes = {key: stored[key] for key in ("confidence", "until", "margin", "keep_best") if key in stored}
        if not stored.get("count", 1) and not wishes.get("keep_best"):
            wishes.pop("keep_best", None)  # nobody's wish: there were no evaluations to keep the best of
        full["evaluations"] = {**wishes, **changes.get("evaluations", {})}
    stage = asked.get("warm_start")
    says_steps = isinstance(stage, Mapping) and stage.get("steps") is not None
    full = with_stage_steps(full, rows=len(data.split.train), given=says_steps)
    return Planned(validated(full, where=where, lines=lines), data, parts, remark)


def _says_steps(asked: Mapping[str, Any]) -> bool:
    """Whether a file or a setting says how long the run is."""
    training = asked.get("training")
    return isinstance(training, Mapping) and training.get("steps") is not None


def _with_networks_of_source(asked: dict[str, Any]) -> dict[str, Any]:
    """Settings in which the networks are like those of the run that is fine-tuned, where the person leaves them out."""
    training, networks = asked.get("training"), asked.get("networks", {})
    source = training.get("init_from") if isinstance(training, Mapping) else None
    if not isinstance(source, str) or not isinstance(networks, Mapping):
        return asked
    return merged({"networks": networks_like(weights_in(source), networks)}, asked)


def _family_wanted(asked: Mapping[str, Any], parts: PythonParts) -> str | None:
    """Which networks a preset has to suit; `None` leaves them to it."""
    networks = asked.get("networks")
    named = networks.get("family") if isinstance(networks, Mapping) else None
    if parts.networks:
        return PYTHON
    # A person's own penalty may know nothing of importance weights: then the networks that give none.
    is_heedless = any(not penalty.heeds_fake_weights for penalty in parts.penalties.values())
    return "mlp" if named is None and is_heedless else named


def prepare_data(
    source: Any, section: DataConfig, seed: int, *, stored: Mapping[str, Any] | None = None
) -> PreparedData:
    """Read, split and encode.

    Args:
        source: of the data.
        section: how they are read.
        seed: decides the split.
        stored: what `data.json` says of a run that began with these data: they are read as they were then, also by a
            version that would read them differently today.

    Raises:
        DataError: the data cannot be read.
        OutOfMemory: they do not fit into memory.
    """
    options = data_options(section)
    encoder = None if stored is None or "encoder" not in stored else stored_encoder(stored, where="data.json")
    if encoder is not None and encoder.space.kind in ("points", "table"):
        made_up = getattr(encoder, "made_up", ())
        options = replace(options, kind=encoder.space.kind, stored=getattr(encoder, "types", ()), made_up=made_up)
        if encoder.space.kind == "table" and encoder.rules is None:  # a run of a version that looked for none
            options = replace(options, rules=(), dependences=False)
    elif encoder is not None and options.image_size is None:  # versions choose different sizes
        options = replace(options, image_size=(encoder.space.height, encoder.space.width))
    with explaining_memory_of_data(section), stopping_at_once(partial(_while_reading, source)):
        found = read_and_split(source, options, seed=seed, stored=stored)
    is_same = stored is not None and stored.get("fingerprint") == found.fingerprint and found.samples is None
    return replace(found, encoder=encoder) if is_same and encoder is not None and found.raw.kind == "table" else found


def inspect_data(source: str, *, settings: Sequence[str], columns_file: Path | None = None) -> PreparedData:
    """Data as `train` would read them.

    Raises:
        ConfigError: a setting is unknown or does not fit.
        DataError: the data cannot be read.
    """
    asked = merged(read_settings(settings), columns_from(columns_file))
    _require_section(asked, "data", where="configuration")
    section = _data_section(asked, source, "configuration")
    found = prepare_data(source, section, _seed(asked))
    warning = refusal(section) if found.raw.kind == "images" else None
    if warning is None:
        return found
    return replace(found, raw=found.raw.with_notes(f"train refuses this size: {warning.found} {warning.expected}"))


def data_options(section: DataConfig) -> DataOptions:
    """How a run reads its data."""
    return DataOptions(**section.model_dump(exclude={"source", "balance"}))


def _while_reading(source: Any, by: str) -> Interrupted:
    name = source if isinstance(source, (str, Path)) else f"a {type(source).__name__}"
    return Interrupted(f"reading {name}", f"stopped by {by}.", "", "Nothing has changed. Give the same command again.")


FROM_PYTHON = "given from Python"


def is_from_python(config: RunConfig) -> bool:
    """Whether the data of a run have neither a path nor a name."""
    return config.data.source.endswith(FROM_PYTHON)


def require_path(config: RunConfig, *, where: str) -> None:
    """Refuse a run whose data were given from Python: they cannot be read again.

    Raises:
        RunFolderError: the data have neither a path nor a name.
    """
    if is_from_python(config):
        raise RunFolderError(
            where,
            f"the run was started with {config.data.source}.",
            "Expected a run whose data have a path or a name.",
            "Give them again: equipoise.resume(folder, data=...); or save them to a file and train on that.",
        )


def choose_device(wanted: str) -> str:
    """`auto` is a CUDA GPU when there is one, else the CPU; Apple's mps has to be asked for (it is untested).

    Raises:
        ConfigError: the device that was asked for is not there.
    """
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted not in there:
        raise ConfigError(
            "--device", f"no device is called '{wanted}'.", "Expected auto, cpu, cuda or mps.", "Choose one."
        )
    if not there[wanted]:
        names = ", ".join(name for name, is_there in there.items() if is_there)
        raise ConfigError(
            "--device",
            f"there is no {wanted} device here.",
            f"Available: {names}.",
            "'equipoise doctor' shows what torch sees.",
        )
    return wanted


def _seed(asked: dict[str, Any]) -> int:
    seed = asked.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ConfigError("seed", f"{seed!r} is not a seed.", "Expected a whole number of 0 or more.", "Correct it.")
    return seed


def _require_section(asked: dict[str, Any], name: str, *, where: str) -> None:
    if not isinstance(asked.get(name, {}), dict):
        raise ConfigError(
            f"{where}, {name}",
            f"{asked[name]!r} is no section.",
            f"Expected settings below '{name}'.",
            f"'equipoise train DATA --dry-run' prints them; set one of them, such as --set {name}.KEY=VALUE.",
        )


def _data_section(asked: dict[str, Any], source: Any, where: str) -> DataConfig:
    section = asked.get("data") or {}
    if not isinstance(section, dict):
        raise ConfigError(
            f"{where}, data",
            f"{section!r} is no section.",
            "Expected settings such as data.source.",
            "Write 'data:' and below it 'source: PATH'.",
        )
    if source is not None:
        name = source if isinstance(source, (str, Path)) else f"a {type(source).__name__} {FROM_PYTHON}"
        section = {**section, "source": str(name)}
    if "source" not in section:
        raise ConfigError(
            "DATA",
            "no data are named.",
            "Expected a path or a built-in name such as digits.",
            "Give it on the command line or as data.source in the configuration.",
        )
    skeleton = {
        "preset": "points",
        "data": section,
        "networks": {"family": "mlp", "latents": 1},
        "objective": "relativistic",
        "training": {"batch_size": 1, "steps": 1},
        "outputs": {"measure_every": 1, "checkpoint_every": 1},
        "optimizers": {"generator": {"learning_rate": 1}, "discriminator": {"learning_rate": 1}},
        "runtime": {"threads": 1},
    }
    return validated(skeleton, where=where).data
