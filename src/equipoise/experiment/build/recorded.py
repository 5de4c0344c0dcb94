"""What a run's configuration records of the parts that were given as Python objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from equipoise.data import PreparedData
from equipoise.experiment.build.networks import build_networks
from equipoise.experiment.build.optimizers import build_optimizer
from equipoise.experiment.build.own_networks import takes_labels, was_told_latents
from equipoise.experiment.build.python_parts import PYTHON, ROLES, PythonParts
from equipoise.experiment.config.schema import RunConfig


def with_python_parts(
    content: dict[str, Any], parts: PythonParts, *, asked: Mapping[str, Any], classes: int
) -> tuple[dict[str, Any], PythonParts]:
    """The configuration with a note in each place that holds an object, and the objects with the latents asked for.

    Args:
        content: the complete configuration, as nested dictionaries.
        parts: the objects.
        asked: what the person asked for.
        classes: of the data; the game has labels where both players take them, unless the person says so.
    """
    if not parts.places:
        return content, parts
    wishes = asked.get("networks") if isinstance(asked.get("networks"), Mapping) else {}
    networks = {**content["networks"], **{role: {} for role in parts.networks}}
    if set(parts.networks) == set(ROLES):
        networks["family"] = PYTHON
    if "conditional" not in wishes:
        networks["conditional"] = classes > 0 and all(map(takes_labels, parts.networks.values()))
    optimizers = {
        role: {**section, "name": PYTHON, "options": {}} if role in parts.optimizers else section
        for role, section in content["optimizers"].items()
    }
    for role in {*parts.networks, *parts.optimizers} & optimizers.keys():
        # Whose parameters have other groups, or whose optimizer has rates of its own making.
        optimizers[role] = {key: value for key, value in optimizers[role].items() if key != "groups"}
    found = {**content, "networks": networks, "optimizers": optimizers, "python": parts.places}
    if parts.objective is not None:
        found["objective"] = {"name": parts.objective.name, "options": {}}
    return found, replace(parts, latents=wishes.get("latents"))


def with_findings(content: dict[str, Any], config: RunConfig, data: PreparedData, parts: PythonParts) -> dict[str, Any]:
    """The configuration with what only the objects can say: the width of the latents, and the learning rates.

    Raises:
        ConfigError: a network does not fit the data, or a factory makes no optimizer.
    """
    classes = data.n_classes if config.networks.conditional else 0
    made = dict(zip(ROLES, build_networks(config, data.space, classes, parts=parts), strict=True))
    networks, optimizers = dict(content["networks"]), dict(content["optimizers"])
    if "generator" in parts.networks and not was_told_latents(parts.networks["generator"]):
        networks["latents"] = made["generator"].latent_dimensions
    for role in parts.optimizers:
        optimizer = build_optimizer(config.optimizers, role, made[role], parts=parts)
        optimizers[role] = {**optimizers[role], "learning_rate": float(optimizer.param_groups[0]["lr"])}
    return {**content, "networks": networks, "optimizers": optimizers}
