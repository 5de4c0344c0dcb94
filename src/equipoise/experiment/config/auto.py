"""Settings that the data decide, turned into plain ones when a run is planned, so that they are stored as numbers."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import numpy as np
import torch

from equipoise.data import PreparedData
from equipoise.data.tables.rules.dependences import find_dependences
from equipoise.errors import ConfigError
from equipoise.experiment.build.likelihood import training_chunks
from equipoise.experiment.build.named import build_penalty
from equipoise.experiment.config.schema import PartConfig, TrainingConfig, WarmStartConfig
from equipoise.experiment.config.tables_preset import COLUMNWISE
from equipoise.game.update_rules import SHARING_RULES
from equipoise.networks.columnwise_dependences import one_hot_columns
from equipoise.penalties import automatic_gamma
from equipoise.randomness import Stream, numpy_stream

AUTOMATIC = "auto"
REACHED_AT = 0.9
"""Share of the planned steps after which gamma has its final value: the rest of the run settles there."""
FEWEST_STAGE_STEPS = 300
"""A small table is passed over more often: with fewer steps nothing is learned, however few rows there are."""
ROWS_LOOKED_AT = 4096
"""Training rows from which gamma is chosen: the mean variance over them is within a few percent."""


def resolved(content: Mapping[str, Any], data: PreparedData, *, given: Container[int] = ()) -> dict[str, Any]:
    """A configuration with `gamma: auto` and the default augmentation of the consistency penalty written out.

    Args:
        content: nested dictionaries.
        data: the prepared data.
        given: places among the penalties that hold an object, which stays as it is.

    Raises:
        ConfigError: gamma is to be automatic, and no penalty has one.
    """
    made = with_found_dependences(content, data)
    parts = made.get("penalties")
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, (str, Mapping)) for part in parts):
        return made  # the schema says what is wrong with it
    made["penalties"] = [
        part if index in given else with_default_augmentation(part, data) for index, part in enumerate(parts)
    ]
    return with_automatic_gamma(made, data, given=given) if made.get("gamma") == AUTOMATIC else made


def with_stage_steps(content: Mapping[str, Any], *, rows: int, given: bool) -> dict[str, Any]:
    """The steps of the stage before the game written out, from its share of the run and passes over the training rows.

    Args:
        content: nested dictionaries that the schema accepts.
        rows: for training.
        given: whether a person has said how many steps the stage has.
    """
    section = content.get("warm_start")
    if section is None or given:
        return dict(content)
    stage = WarmStartConfig.model_validate({"name": section} if isinstance(section, str) else section)
    training = TrainingConfig.model_validate(content["training"])
    a_step = training.batch_size * training.rule.updates_per_step
    shared = round(stage.share * training.steps)
    most = shared if stage.passes is None else max(FEWEST_STAGE_STEPS, round(stage.passes * rows / a_step))
    steps = max(1, min(shared, most))
    return {**content, "warm_start": {**stage.model_dump(mode="json"), "steps": steps}}


def with_found_dependences(content: Mapping[str, Any], data: PreparedData) -> dict[str, Any]:
    """The columns that the column-by-column generator looks up, written out, where nobody has said which."""
    made, networks = dict(content), content.get("networks")
    if not isinstance(networks, Mapping) or networks.get("family") != COLUMNWISE:
        return made
    options = networks.get("generator", {})
    if not isinstance(options, Mapping) or options.get("dependences", AUTOMATIC) != AUTOMATIC:
        return made
    found = dependences_of(data) if data.space.kind == "table" else {}
    return {**made, "networks": {**networks, "generator": {**options, "dependences": found}}}


def dependences_of(data: PreparedData) -> dict[str, str]:
    """For each column of few values that another such one decides in every training row, that other one."""
    blocks = one_hot_columns(data.space)
    codes: dict[str, list[np.ndarray]] = {name: [] for name in blocks}
    for rows in training_chunks(data):
        for name, (start, block) in blocks.items():
            codes[name].append(rows[:, start : start + block.width].argmax(dim=1).numpy())
    if not blocks:
        return {}
    found = find_dependences({name: np.concatenate(parts) for name, parts in codes.items()})
    return {str(each.dependent): str(each.determinant) for each in found}


def with_augmentation_asked_for(
    content: Mapping[str, Any], asked: Mapping[str, Any], *, is_given: bool = False
) -> dict[str, Any]:
    """The augmentation that a person asks for in place of the preset's; an empty section asks for none.

    Args:
        content: nested dictionaries.
        asked: what the person asked for. Its options are not mixed with the preset's: a probability that is asked for
            would then still adapt.
        is_given: whether the person gave one as a Python object.
    """
    wanted = asked.get("augmentation", {} if is_given else None)
    if not isinstance(wanted, Mapping):
        return dict(content)
    return {**content, "augmentation": dict(wanted)}


def with_rule_asked_for(content: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Batches of their own for both players, where a person asks for an update rule that cannot share the preset's.

    Args:
        content: nested dictionaries.
        asked: what the person asked for; a shared batch among it stays, and is refused with a reason.
    """
    training, wishes = content.get("training"), asked.get("training")
    if not isinstance(training, Mapping) or not isinstance(wishes, Mapping) or "shared_batch" in wishes:
        return dict(content)
    updates = [training.get("n_critic"), training.get("generator_updates")]
    if training.get("update_rule") in SHARING_RULES and updates == [1, 1]:
        return dict(content)
    return {**content, "training": {**training, "shared_batch": False}}


def with_default_augmentation(part: str | Mapping[str, Any], data: PreparedData) -> str | Mapping[str, Any]:
    """A consistency penalty on images shifts them, unless another augmentation is named."""
    name = part if isinstance(part, str) else part.get("name")
    augmentation = data.domain.consistency_augmentation
    if name != "consistency" or augmentation is None:
        return part
    options = {} if isinstance(part, str) else part.get("options", {})
    if not isinstance(options, Mapping) or "augmentation" in options:
        return part
    return {"name": name, "options": {"augmentation": augmentation, **options}}


def with_automatic_gamma(
    content: Mapping[str, Any], data: PreparedData, *, given: Container[int] = ()
) -> dict[str, Any]:
    """The configuration with the weights of r1 and r2, and their decay, from the spread of the training data."""
    rows = len(data.split.train)
    chosen = numpy_stream(0, Stream.GAMMA_ROWS, rows).permutation(rows)[:ROWS_LOOKED_AT]
    samples = data.encoder.to_float(data.encoded_train()[torch.from_numpy(chosen)])
    found = automatic_gamma(samples)
    parts, is_used = [], False
    for index, part in enumerate(content["penalties"]):
        written = {"name": part} if isinstance(part, str) else dict(part)
        if index not in given and build_penalty(PartConfig.model_validate(written), index).decays:
            written["options"] = {**written.get("options", {}), "weight": found.start}
            is_used = True
        parts.append(written)
    if not is_used:
        raise ConfigError(
            "gamma",
            f"'{AUTOMATIC}' chooses the weight of r1 and r2, and the game has neither.",
            "Expected one of them among the penalties.",
            "Add them, e.g. --set 'penalties=[r1, r2]', or give gamma a shape.",
        )
    schedule = {"shape": "geometric", "final": found.end / found.start, "reached_at": REACHED_AT}
    return {**content, "penalties": parts, "gamma": schedule}
