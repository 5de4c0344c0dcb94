"""Configuration files to nested dictionaries and to a checked whole, with errors that name file, line and key."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from equipoise.documents import parse_yaml, read_text
from equipoise.errors import ConfigError, OldName, nearest
from equipoise.experiment.config.schema import RunConfig
from equipoise.migrations import upgraded
from equipoise.old_names import in_words, standard_configuration
from equipoise.runfolder import RunFolder


def read_config(path: Path, *, document: str = "config") -> tuple[dict[str, Any], dict[str, int]]:
    """A configuration file as nested dictionaries in the present format, and the line of each key.

    Args:
        path: the file.
        document: what it is, for the migrations: config or sweep.

    Raises:
        ConfigError: no such file, not YAML, too large, nested too deeply, or using YAML aliases.
        NewerFormat: a later version of equipoise wrote it.
    """
    expected = "Expected a YAML file as 'equipoise train ... --dry-run' prints it."
    lines: dict[str, int] = {}
    try:
        content = parse_yaml(read_text(path, most="config_bytes", kind=ConfigError), lines=lines)
    except OSError as error:
        raise ConfigError(str(path), f"{error.strerror}.", expected, "Check the path given to --config.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(where, f"not readable as YAML ({problem}).", expected, "Correct that line.") from error
    if not isinstance(content, dict):
        raise ConfigError(str(path), f"holds a {type(content).__name__}.", expected, "Give the configuration file.")
    strange = next((key for key in content if not isinstance(key, str)), None)
    if strange is not None:
        raise ConfigError(str(path), f"the key {str(strange)[:60]!r} is no text.", expected, "Correct the key.")
    content, renamed = standard_configuration(content) if "format" not in content else (content, {})
    if renamed:
        warnings.warn(OldName(f"{path}: {in_words(renamed)}"), stacklevel=2)
    for old, new in renamed.items():
        if old in lines:
            lines[new] = lines[old]
    return upgraded(document, content, where=str(path)), lines


def read_run_config(run: RunFolder) -> RunConfig:
    """The configuration stored in a run folder."""
    content, lines = read_config(run.config)
    return validated(content, where=str(run.config), lines=lines)


def validated(content: Mapping[str, Any], *, where: str, lines: Mapping[str, int] | None = None) -> RunConfig:
    """The configuration, checked.

    Raises:
        ConfigError: names the first key that is wrong and, in a file, its line.
    """
    try:
        return RunConfig.model_validate(content)
    except ValidationError as error:
        raise _explained(error, where, lines or {}) from error


def _explained(error: ValidationError, where: str, lines: Mapping[str, int]) -> ConfigError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key = ".".join(path)
    line = lines.get(key)
    place = f"{where}, line {line}, {key}" if line else f"{where}, {key}" if key else where
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _fields_at(path[:-1])
        return ConfigError(
            place,
            f"no setting is called '{path[-1]}'.{nearest(path[-1], known)}",
            f"Available here: {', '.join(sorted(known))}.",
            "'equipoise train DATA --dry-run' prints every setting.",
        )
    if first["type"] == "missing":
        return ConfigError(
            place,
            "the setting is missing.",
            "Expected a complete section.",
            "Remove the section to take the preset's, or add the setting.",
        )
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return ConfigError(place, f"{first['input']!r} does not fit.", f"Expected: {message}.", "Correct this setting.")


def _fields_at(path: list[str]) -> list[str]:
    """Names of the settings in the section at `path`; none where there is no section."""
    model: Any = RunConfig
    for part in path:
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            return []
        # A section that may be null is a union of the section and None.
        choices = [field.annotation, *get_args(field.annotation)]
        model = next((kind for kind in choices if is_dataclass(kind) or hasattr(kind, "model_fields")), None)
    return [field.name for field in fields(model)] if is_dataclass(model) else list(getattr(model, "model_fields", ()))
