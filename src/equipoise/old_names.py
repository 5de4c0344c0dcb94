"""The names of version 0.1.0 beside those of today: for files of format 1, and for people who still type the old
ones."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from equipoise.errors import OldName

Function = TypeVar("Function", bound=Callable[..., Any])

SECTIONS = {"play": "training", "optimisers": "optimizers", "averaging": "ema", "looks": "evaluations"}
"""Sections of a configuration."""
SETTINGS = {
    "training": {
        "order": "update_rule",
        "discriminator_turns": "n_critic",
        "generator_turns": "generator_updates",
    },
    "optimizers": {"course": "lr_schedule"},
    "ema": {"share": "relative_length"},
    "evaluations": {"members": "classifiers", "resolution": "sensitivity", "gap_steps": "duality_gap_steps"},
    "augmentation.instance_noise": {"share": "decay_fraction"},
}
"""Settings, by the section that holds them today."""
SENSITIVITIES = {"floor": "theoretical", "screen": "quick"}
"""How a verdict's minimum detectable effect is found."""
VALUES = {
    "training.update_rule": {"consensus_in_turns": "alternating_consensus"},
    "evaluations.sensitivity": SENSITIVITIES,
}
"""Values of settings."""
PENALTY_OPTIONS = {"consistency": {"change": "augmentation"}}
"""Options of penalties, by the penalty's name."""
VERDICT_KEYS = {
    "member": "classifier",
    "member_values": "classifier_values",
    "resolution_method": "sensitivity_method",
    "resolution_floor_nats": "sensitivity_theoretical_nats",
    "resolution_power": "sensitivity_power",
    "resolution_nats": "sensitivity_nats",
    "resolution_per_side": "sensitivity_per_side",
    "resolution_intervals_nats": "sensitivity_intervals_nats",
    "resolution_absent": "sensitivity_absent",
    "resolution_trials": "sensitivity_trials",
}
SENSITIVITY_METHODS = {"floor": "theoretical", "planted": "injected"}
FINDING_KEYS = {"told_apart": "distinguished", "is_told_apart": "is_distinguished"}
"""Keys of a finding's numbers and rows."""
AT_CHANCE_LEVEL = {"blind": "chance level"}
"""What stands for the classifier where none did better than guessing."""
PARTS = {"fit": "train", "choice": "validation", "score": "test"}
"""Parts of the samples that a verdict rests on."""


PYTHON_NAMES = {"play_step": "train_step", "Ramp": "Schedule", "WeightAverage": "AveragedWeights"}
"""Attributes of the package, which are no longer there; whoever asks for one is told today's."""


def with_old_keywords(function: Function) -> Function:
    """The same function, which also takes `resolution` for `sensitivity`, with a warning."""

    @functools.wraps(function)
    def accepting(*arguments: Any, **options: Any) -> Any:
        if "resolution" in options:
            value = options.pop("resolution")
            options["sensitivity"] = SENSITIVITIES.get(value, value)
            warnings.warn(
                OldName(f"resolution={value!r} is now sensitivity={options['sensitivity']!r}."),
                stacklevel=2,
            )
        return function(*arguments, **options)

    return accepting  # type: ignore[return-value]


def standard_configuration(content: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """A configuration, whole or in part, with today's names; and what was renamed, old path to new path.

    A name that is there under both forms is left alone: the schema then refuses the old one.
    """
    renamed: dict[str, str] = {}
    result: dict[str, Any] = {}
    for key, value in content.items():
        name = SECTIONS.get(key, key)
        if name != key and name in content:
            name = key
        if isinstance(value, Mapping):
            value = _standard_section(name, key, value, renamed)
        elif name == "penalties" and isinstance(value, list):
            value = [_standard_penalty(part, f"penalties.{index}", renamed) for index, part in enumerate(value)]
        if name != key:
            renamed[key] = name
        result[name] = value
    return result, renamed


def _standard_section(
    section: str, written: str, content: Mapping[str, Any], renamed: dict[str, str]
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in content.items():
        name = SETTINGS.get(section, {}).get(key, key)
        if name != key and name in content:
            name = key
        path, old = f"{section}.{name}", f"{written}.{key}"
        if old != path:
            renamed[old] = path
        if isinstance(value, Mapping):
            value = _standard_section(path, old, value, renamed)
        elif isinstance(value, str) and value in VALUES.get(path, {}):
            value = VALUES[path][value]
            renamed[f"{old}: {content[key]}"] = f"{path}: {value}"
        result[name] = value
    return result


def _standard_penalty(part: Any, path: str, renamed: dict[str, str]) -> Any:
    options = part.get("options") if isinstance(part, Mapping) else None
    if not isinstance(options, Mapping):
        return part
    names = PENALTY_OPTIONS.get(str(part.get("name")), {})
    names = {old: new for old, new in names.items() if old in options and new not in options}
    renamed |= {f"{path}.options.{old}": f"{path}.options.{new}" for old, new in names.items()}
    return {**part, "options": {names.get(key, key): value for key, value in options.items()}}


def in_words(renamed: Mapping[str, str]) -> str:
    """What was renamed, old path to new path, in a sentence; what follows from the name of a section goes without."""

    def follows(old: str, new: str) -> bool:
        section, _, key = old.rpartition(".")
        return section in renamed and new == f"{renamed[section]}.{key}"

    return "; ".join(f"'{old}' is now '{new}'" for old, new in renamed.items() if not follows(old, new)) + "."


def to_standard_words(document: str, content: dict[str, Any]) -> dict[str, Any]:
    """A document of format 1 in format 2: the same content under today's names."""
    if document in ("config", "sweep"):
        return standard_configuration(content)[0]
    if document == "run" and isinstance(content.get("config"), Mapping):
        config = {**standard_configuration(content["config"])[0], "format": 2}
        return {**content, "config": config}
    if document == "data" and "codec" in content:
        return {("encoder" if key == "codec" else key): value for key, value in content.items()}
    if document == "verdict":
        return _standard_verdict(content)
    if document in ("looks", "evaluations") and isinstance(content.get("resolution"), Mapping):
        return {**content, "resolution": standard_sensitivity(content["resolution"])}
    return content


def standard_sensitivity(state: Mapping[str, Any]) -> dict[str, Any]:
    """What was stored of a verdict's sensitivity, under today's names."""
    found = {("theoretical_nats" if key == "floor_nats" else key): value for key, value in state.items()}
    found["method"] = SENSITIVITY_METHODS.get(str(found.get("method")), found.get("method"))
    return found


def _standard_verdict(content: Mapping[str, Any]) -> dict[str, Any]:
    found = _renamed(content, VERDICT_KEYS)
    method = found.get("sensitivity_method")
    if isinstance(method, str):
        found["sensitivity_method"] = SENSITIVITY_METHODS.get(method, method)
    if isinstance(found.get("counts"), Mapping):
        found["counts"] = {_standard_count(str(key)): count for key, count in found["counts"].items()}
    if isinstance(found.get("classifier"), str):
        found["classifier"] = AT_CHANCE_LEVEL.get(found["classifier"], found["classifier"])
    if isinstance(found.get("findings"), (list, tuple)):
        found["findings"] = [_standard_finding(finding) for finding in found["findings"]]
    return found


def _standard_finding(finding: Any) -> Any:
    """A finding with today's keys; its statement stays as it was written."""
    if not isinstance(finding, Mapping):
        return finding
    found = dict(finding)
    if isinstance(found.get("numbers"), Mapping):
        found["numbers"] = _renamed(found["numbers"], FINDING_KEYS)
    if isinstance(found.get("rows"), (list, tuple)):
        found["rows"] = [_renamed(row, FINDING_KEYS) for row in found["rows"]]
    return found


def _renamed(content: Any, names: Mapping[str, str]) -> Any:
    return {names.get(key, key): value for key, value in content.items()} if isinstance(content, Mapping) else content


def _standard_count(key: str) -> str:
    side, _, part = key.partition("_")
    return f"{side}_{PARTS.get(part, part)}"
