"""A size of images that a person asks for, held against what the networks can make, before any image is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equipoise.networks as networks
from equipoise.data.images.domain import ImageDomain
from equipoise.errors import ConfigError
from equipoise.experiment.config.presets import preset
from equipoise.experiment.config.schema import DataConfig
from equipoise.spaces import ImageSpace

SETTING = "data.image_size (--size)"


def require_makeable_size(
    section: DataConfig, *, networks_asked: Any, preset_wanted: str | None, has_own_networks: bool
) -> None:
    """Refuse a size that the networks of the run cannot make, where the source can only hold images.

    Other sources wait until they are read: a table has no size, whatever the setting says.

    Args:
        section: of the data, with the size that is asked for.
        networks_asked: the section of the networks, as far as it is given.
        preset_wanted: the preset that is asked for; `None` leaves it to the data.
        has_own_networks: whether the networks are objects of the person's own.

    Raises:
        ConfigError: the size is none of the family's.
    """
    if section.image_size is None or has_own_networks or not _holds_images(section):
        return
    family = networks_asked.get("family") if isinstance(networks_asked, Mapping) else None
    said = refusal(section, family=family if isinstance(family, str) else None, preset_wanted=preset_wanted)
    if said is not None:
        raise said


def refusal(section: DataConfig, *, family: str | None = None, preset_wanted: str | None = None) -> ConfigError | None:
    """Why images of the size that is asked for cannot be made; `None` where they can, or where nobody can tell."""
    if section.image_size is None or (family is not None and family not in networks.available()):
        return None
    size = section.image_size
    height, width = (size, size) if isinstance(size, int) else size
    space = ImageSpace(1, height, width)  # grey, which any family makes that makes colours
    if family is None:
        name = preset_wanted or ImageDomain().preset_name(space)
        made = preset(name, source=section.source, space=space, rows=1000, classes=0, device="cpu", threads=1)
        family = made["networks"]["family"]
    known = networks.find(family)
    if known.supports(space):
        return None
    return ConfigError(
        SETTING,
        f"the networks '{family}' cannot make images of {height}x{width} pixels.",
        f"Expected {known.limits}.",
        "Give another size, or other networks: 'networks.family', or an import path of your own.",
    )


def _holds_images(section: DataConfig) -> bool:
    path = Path(section.source)
    return section.kind == "images" or (section.kind is None and (path.is_dir() or path.suffix.lower() == ".zip"))
