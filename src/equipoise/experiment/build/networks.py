"""The two networks of a configuration, with weights drawn from the run's seed."""

from __future__ import annotations

import torch
from torch import nn

import equipoise.networks as networks
from equipoise.errors import ConfigError
from equipoise.experiment.build.named import check_options, imported
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.out_of_memory import is_out_of_memory
from equipoise.randomness import Stream, derived_seed
from equipoise.spaces import Space


def build_networks(
    config: RunConfig, space: Space, classes: int, *, trusted: bool = True
) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of the family that a configuration names.

    Raises:
        ConfigError: there is no such family, it cannot play on these samples, or it refuses an option.
    """
    section = config.networks
    family = (
        imported(section.family, "networks.family", trusted=trusted)
        if ":" in section.family
        else networks.find(section.family)
    )
    if not family.supports(space):
        raise ConfigError(
            "networks.family",
            f"'{section.family}' cannot play on samples of shape {space.shape}.",
            f"Expected {family.limits}.",
            f"Available: {', '.join(sorted(networks.available()))}.",
        )
    made = []
    for role, factory, options in (
        ("generator", family.generator, {"latents": section.latents, **section.generator}),
        ("discriminator", family.discriminator, dict(section.discriminator)),
    ):
        where = f"networks.{role}"
        options["classes"] = classes
        check_options(factory, options, where, given=("space",))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(config.seed, Stream.WEIGHTS.format(role)))
            try:
                made.append(factory(space, **options))
            except (TypeError, ValueError, RuntimeError, ZeroDivisionError, IndexError) as error:
                if is_out_of_memory(error):
                    raise  # whoever builds says what to lower
                raise ConfigError(
                    where,
                    f"no network can be made of {options} ({error}).",
                    f"Expected options that the {role} of '{section.family}' can be made with.",
                    "Correct the option.",
                ) from error
    return made[0], made[1]
