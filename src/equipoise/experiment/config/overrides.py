"""Changes to a configuration: `--set key.path=value` texts as nested dictionaries, and how those are put in."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from equipoise.documents import parse_yaml
from equipoise.errors import ConfigError, OldName
from equipoise.old_names import in_words, standard_configuration


def read_settings(settings: Iterable[str]) -> dict[str, Any]:
    """`key.path=value` texts as nested dictionaries; values are read as YAML.

    Raises:
        ConfigError: a text without `=`, or a value that is not YAML.
    """
    result: dict[str, Any] = {}
    for setting in settings:
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
        path, value = _standard(setting, key.strip().split("."), value)
        branch = result
        for parent in path[:-1]:
            branch = branch.setdefault(parent, {})
            if not isinstance(branch, dict):
                raise ConfigError(
                    f"--set {setting}",
                    f"'{parent}' was set to a value before.",
                    "Expected one setting for each key.",
                    "Remove one of the two settings.",
                )
        branch[path[-1]] = value
    return result


def _standard(setting: str, path: list[str], value: Any) -> tuple[list[str], Any]:
    """The path and the value of a setting under today's names."""
    for key in reversed(path):
        value = {key: value}
    value, renamed = standard_configuration(value)
    if renamed:
        warnings.warn(OldName(f"--set {setting}: {in_words(renamed)}"), stacklevel=3)
    names = []
    for _ in path:
        ((name, value),) = value.items()
        names.append(name)
    return names, value


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the entries of `change` put in, section by section.

    Lists are replaced whole. Where a part's `name` or the networks' `family` changes, the options of the old one
    go: those of one factory mean nothing to another; neither do learning rates for groups of its parameters.
    """
    result = dict(base)
    if _family(change, _family(base)) != _family(base) and isinstance(base.get("optimizers"), Mapping):
        result["optimizers"] = {
            key: {**part, "groups": {}} if isinstance(part, Mapping) and "groups" in part else part
            for key, part in base["optimizers"].items()
        }
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


def _family(content: Mapping[str, Any], default: Any = None) -> Any:
    networks = content.get("networks")
    return networks.get("family", default) if isinstance(networks, Mapping) else default


def _number(text: str) -> Any:
    """YAML 1.1 reads `1e-3` as text, because it wants a point; people mean the number."""
    return float(text) if re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", text) else text
