"""Files that state kinds of columns, as `--columns` names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from equipoise.data.tables.overrides import kinds_from
from equipoise.documents import parse_yaml, read_text
from equipoise.errors import ConfigError


def columns_from(file: Path | None) -> dict[str, Any]:
    """What a file of kinds of columns sets, as `kinds_in` reads it."""
    return {} if file is None else {"data": {"columns": kinds_in(file)}}


def kinds_in(file: Path | None) -> dict[str, str]:
    """Kinds of columns by name, from a file of `--columns`; none without one.

    Raises:
        ConfigError: it cannot be read, or states something else.
    """
    if file is None:
        return {}
    try:
        content = parse_yaml(read_text(file, most="config_bytes", kind=ConfigError))  # JSON is YAML, too
    except OSError as error:
        raise ConfigError(
            f"--columns {file}", f"{(error.strerror or str(error)).lower()}.", "Expected a file.", "Correct the name."
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(
            f"--columns {file}", "it is neither YAML nor JSON.", "Expected a mapping of columns.", "Correct it."
        ) from error
    return kinds_from(content, where=f"--columns {file}")
