"""How much of a file is read before it is refused: small files can promise any size, and no reader believes them.

Each limit has a default far above honest data. Another one is taken from the environment:
`EQUIPOISE_MOST_COLUMNS=50000` raises `columns`. The limits bound memory and time for files from strangers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from equipoise.errors import ConfigError, DataError

VARIABLE = "EQUIPOISE_MOST_"


@dataclass(frozen=True)
class Limit:
    """The largest value that is accepted, and what it counts."""

    default: int
    meaning: str


LIMITS = {
    "config_bytes": Limit(1_000_000, "bytes of a YAML file"),
    "yaml_depth": Limit(50, "levels of nesting in a YAML file"),
    "json_bytes": Limit(1 << 28, "bytes of a JSON file of a run folder"),
    "log_bytes": Limit(1 << 30, "bytes of a file of JSON lines"),
    "log_line_bytes": Limit(1 << 24, "bytes of one of its lines"),
    "columns": Limit(20_000, "columns of a table"),
    "line_bytes": Limit(1 << 26, "bytes of one line of a CSV file"),
    "zip_entries": Limit(5_000_000, "files in a zip"),
    "picture_bytes": Limit(1 << 28, "bytes of one image in a zip, unpacked"),
    "pixels": Limit(64_000_000, "pixels of one image; decoding one takes 256 MB at most"),
    "memory_bytes": Limit(1 << 50, "bytes of memory that a run may take; unset, what is left counts"),
    "expanded_bytes": Limit(1 << 36, "bytes that a compressed file becomes in all"),
    "expansion": Limit(1000, "bytes that one stored byte may become, in files that become 1 GiB or more"),
}
# Below this an expansion is harmless whatever its ratio: blank images and constant columns are honest data.
HARMLESS_BYTES = 1 << 30


def limit(name: str) -> int:
    """The limit called `name`: the default, or what the environment says.

    Raises:
        ConfigError: the environment holds something else than a whole number above 0.
    """
    variable = VARIABLE + name.upper()
    text = os.environ.get(variable)
    if text is None:
        return LIMITS[name].default
    if not text.strip().isascii() or not text.strip().isdigit() or not 0 < len(text.strip()) <= 18 or int(text) == 0:
        raise ConfigError(
            variable,
            f"'{text[:40]}' is no limit.",
            f"Expected a whole number above 0: {LIMITS[name].meaning}.",
            f"Unset it for the default, {LIMITS[name].default}.",
        )
    return int(text)


def refuse_expansion(where: str, *, stored: int, expanded: int) -> None:
    """Refuse a compressed file that becomes too large, by its own account, before anything is unpacked.

    Args:
        where: the file.
        stored: its bytes on the disk.
        expanded: the bytes that it says it becomes.

    Raises:
        DataError: more than the limits `expanded_bytes` or `expansion` allow.
    """
    if expanded > limit("expanded_bytes"):
        name, found = "expanded_bytes", f"it would become {expanded:,} bytes."
    elif expanded > HARMLESS_BYTES and expanded > limit("expansion") * max(1, stored):
        name, found = "expansion", f"its {stored:,} bytes would become {expanded:,}."
    else:
        return
    raise DataError(
        where,
        found,
        f"Expected at most {limit(name):,} {LIMITS[name].meaning}.",
        raise_it(name),
    )


def raise_it(name: str) -> str:
    """The advice for a person whose honest file is above a limit."""
    return f"If you trust the file, raise the limit: {VARIABLE}{name.upper()}={2 * limit(name)}"
