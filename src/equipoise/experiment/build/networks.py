"""The two networks of a configuration, with weights drawn from the run's seed."""

from __future__ import annotations

import torch
from torch import nn

import equipoise.networks as networks
from equipoise.errors import ConfigError
from equipoise.experiment.build.named import check_options, imported
from equipoise.experiment.build.own_networks import check_player, made_network, settle_latents
from equipoise.experiment.build.python_parts import ROLES, PythonParts, require_parts
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.out_of_memory import is_out_of_memory
from equipoise.networks import Family
from equipoise.randomness import Stream, derived_seed
from equipoise.spaces import ImageSpace, Space


def build_networks(
    config: RunConfig, space: Space, classes: int, *, parts: PythonParts = PythonParts(), trusted: bool = True
) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator: those given as objects, or of the family that a configuration names.

    Code of a person's own is tried on a few samples.

    Args:
        config: the complete configuration.
        space: what one sample is.
        classes: of a conditional game; 0 without labels.
        parts: what was given as objects.
        trusted: whether an import path may be imported.

    Raises:
        ConfigError: there is no such family, it cannot be used for these samples, it refuses an option, or a network of
            a person's own does not map latents to samples or samples to logits.
    """
    section = config.networks
    require_parts(config.python, parts, places=ROLES, call="equipoise.fit(DATA")
    family = None
    if not set(ROLES) <= set(parts.networks):
        family = _family(section.family, space, trusted=trusted)
    made = []
    for role in ROLES:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(config.seed, Stream.WEIGHTS.format(role)))
            if role in parts.networks:
                network = made_network(role, parts.networks[role], space, latents=section.latents, classes=classes)
            else:
                network = _family_network(role, family, config, space, classes)
        if role in parts.networks or ":" in section.family:
            if role == "generator":
                settle_latents(network, parts.networks.get(role), told=section.latents, asked=parts.latents)
            check_player(role, network, space, classes=classes, device=torch.device(config.runtime.device))
        made.append(network)
    return made[0], made[1]


def _family(name: str, space: Space, *, trusted: bool) -> Family:
    family = imported(name, "networks.family", trusted=trusted) if ":" in name else networks.find(name)
    if not family.supports(space):
        is_image = isinstance(space, ImageSpace)
        advice = "Give another size (--size, which is data.image_size), or other networks. " if is_image else ""
        raise ConfigError(
            "networks.family",
            f"'{name}' cannot be used for samples of shape {space.shape}.",
            f"Expected {family.limits}.",
            f"{advice}Available: {', '.join(sorted(networks.available()))}.",
        )
    return family


def _family_network(role: str, family: Family, config: RunConfig, space: Space, classes: int) -> nn.Module:
    section, where = config.networks, f"networks.{role}"
    options = {**getattr(section, role), "classes": classes}
    if role == "generator":
        options = {"latents": section.latents, **options}
    factory = getattr(family, role)
    check_options(factory, options, where, given=("space",))
    try:
        return factory(space, **options)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError, IndexError) as error:
        if is_out_of_memory(error):
            raise  # whoever builds says what to lower
        raise ConfigError(
            where,
            f"no network can be made of {options} ({error}).",
            f"Expected options that the {role} of '{section.family}' can be made with.",
            "Correct the option.",
        ) from error
