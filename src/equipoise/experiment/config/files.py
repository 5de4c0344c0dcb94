"""Configuration files and `--set` settings to nested dictionaries, with errors that name file, line and key."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from equipoise.documents import parse_yaml, read_text
from equipoise.errors import ConfigError, OldName, nearest
from equipoise.experiment.config.schema import RunConfig
from equipoise.migrations import upgraded
from equipoise.old_names import standard_configuration, standard_setting
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
        warnings.warn(OldName(f"{path}: {old_names(renamed)}"), stacklevel=2)
    for old, new in renamed.items():
        if old in lines:
            lines[new] = lines[old]
    return upgraded(document, content, where=str(path)), lines


def old_names(renamed: Mapping[str, str]) -> str:
    """What was renamed, old path to new path, in words."""
    return "; ".join(f"'{old}' is now '{new}'" for old, new in renamed.items()) + "."


def read_run_config(run: RunFolder) -> RunConfig:
    """The configuration stored in a run folder."""
    content, lines = read_config(run.config)
    return validated(content, where=str(run.config), lines=lines)


def read_settings(settings: Iterable[str]) -> dict[str, Any]:
    """`key.path=value` texts as nested dictionaries; values are read as YAML.

    Raises:
        ConfigError: a text without `=`, or a value that is not YAML.
    """
    result: dict[str, Any] = {}
    for written in settings:
        setting, renamed = standard_setting(written)
        if renamed:
            warnings.warn(OldName(f"--set {written}: {old_names(renamed)}"), stacklevel=2)
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise ConfigError(
                f"--set {setting}",
                "no 'key=value'.",
                "Expected, for example, --set training.batch_size=256.",
                "Write the key, an equals sign and the value without spaces.",
            )
        try:
            value = parse_yaml(text)
        except yaml.YAMLError as error:
            raise ConfigError(
                f"--set {setting}",
                "the value is not readable as YAML.",
                "Expected a number, a word, or a list such as [0.0, 0.99].",
                "Quote it if it holds special characters.",
            ) from error
        if isinstance(value, str) and value == text.strip():  # a quoted value stays text
            value = _number(value)
        branch = result
        *parents, last = key.strip().split(".")
        for parent in parents:
            branch = branch.setdefault(parent, {})
            if not isinstance(branch, dict):
                raise ConfigError(
                    f"--set {setting}",
                    f"'{parent}' was set to a value before.",
                    "Expected one setting for each key.",
                    "Remove one of the two settings.",
                )
        branch[last] = value
    return result


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the entries of `change` put in, section by section.

    Lists are replaced whole. Where a part's `name` or the networks' `family` changes, the options of the old one
    go: those of one factory mean nothing to another.
    """
    result = dict(base)
    if "family" in change and change["family"] != base.get("family"):
        result.update(generator={}, discriminator={})
    if "name" in change and "options" in base and change["name"] != base.get("name"):
        result["options"] = {}
    for key, value in change.items():
        before = result.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            result[key] = merged(before, value)
        else:
            result[key] = value
    return result


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
    if first["type"] == "extra_forbidden":
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
    model: Any = RunConfig
    for part in path:
        field = model.model_fields.get(part) if isinstance(model, type) and issubclass(model, BaseModel) else None
        if field is None:
            return []
        # A section that may be null is a union of the section and None.
        choices = [field.annotation, *get_args(field.annotation)]
        model = next((kind for kind in choices if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _number(text: str) -> Any:
    """YAML 1.1 reads `1e-3` as text, because it wants a point; people mean the number."""
    return float(text) if re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", text) else text
