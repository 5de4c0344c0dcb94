"""What a sweep consists of: every combination of the values asked for, each a complete configuration with a short name.

All of them are resolved and built once before the first run starts, so that a misspelt name in the last combination
does not show itself in the night.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from equipoise.documents import parse_yaml
from equipoise.errors import ConfigError
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.planned import Planned
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.threads import available_threads

LONGEST_NAME = 80
"""Letters of a folder's name; what is longer is cut, and distinguished by a digest."""
TIMES_ARE_NOT_SETTINGS = ("runtime.threads",)
"""Settings that a sweep chooses by --jobs: a run finished with other ones is still the run that was asked for."""


@dataclass(frozen=True)
class Axis:
    """One setting and the values it takes.

    Attributes:
        key: as in `--set`, e.g. `objective` or `training.batch_size`.
        values: plain values, each once.
    """

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class SweepRun:
    """One run of a sweep.

    Attributes:
        name: of its folder.
        settings: what sets it apart, by key.
        config: the complete configuration.
    """

    name: str
    settings: Mapping[str, Any]
    config: RunConfig


def read_axes(over: Sequence[str]) -> tuple[Axis, ...]:
    """`key=value,value` texts as axes; the values are the entries of a YAML list, so that each may be a list itself.

    `penalties=[r1, r2],[r1],[]` has three values, and `penalties=r1,lecam` means `[r1],[lecam]`.

    Raises:
        ConfigError: no `=`, no value, no YAML, or a key twice.
    """
    found: dict[str, Sequence[Any]] = {}
    for text in over:
        key, equals, listed = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise ConfigError(
                f"--over {text}",
                "no 'key=value,value'.",
                "Expected, for example, --over objective=minimax,hinge.",
                "Write the key, an equals sign, and the values with commas between them.",
            )
        try:
            values = parse_yaml(f"[{listed}]")
        except yaml.YAMLError as error:
            raise ConfigError(
                f"--over {text}",
                "the values are not readable as a YAML list.",
                "Expected values with commas between them, such as r1,r2 or [r1, r2],[r1].",
                "Put the whole option in single quotes, and close every bracket.",
            ) from error
        if key in found:
            raise ConfigError(
                "--over",
                f"'{key}' is given more than once.",
                "Expected each key once.",
                "Give all its values together, with commas between them.",
            )
        found[key] = values
    return checked_axes(found)


def checked_axes(over: Mapping[str, Sequence[Any]]) -> tuple[Axis, ...]:
    """Axes from a mapping of keys to values.

    Raises:
        ConfigError: an axis without values or with one twice, the seed as an axis, or one axis inside another.
    """
    axes = []
    for key, values in over.items():
        where = f"--over {key}"
        if key == "seed":
            raise ConfigError(where, "seeds are not an axis.", "Expected a number of seeds.", "Use --seeds 5.")
        if isinstance(values, (str, bytes)) or not isinstance(values, Sequence) or not values:
            raise ConfigError(
                where,
                f"{values!r} is no list of values.",
                "Expected one value or more.",
                "Write, for example, --over objective=minimax,hinge.",
            )
        listed = [[value] if key == "penalties" and not isinstance(value, list) else _number(value) for value in values]
        written = [json.dumps(value, sort_keys=True, default=str) for value in listed]
        twice = next((text for text in written if written.count(text) > 1), None)
        if twice is not None:
            raise ConfigError(
                where,
                f"the value {twice} is given more than once.",
                "Expected each value once.",
                "Leave the second one out; --seeds repeats a configuration.",
            )
        axes.append(Axis(key, tuple(listed)))
    for one, other in itertools.permutations(axes, 2):
        if other.key.startswith(f"{one.key}."):
            raise ConfigError(
                f"--over {one.key}, --over {other.key}",
                "the second is a part of the first.",
                "Expected settings that do not contain each other.",
                f"Write both into --over {one.key}, as mappings with name and options.",
            )
    return tuple(axes)


def plan_sweep(
    source: str | None,
    *,
    axes: Sequence[Axis],
    seeds: int,
    jobs: int,
    config_file: Path | None = None,
    settings: Sequence[str] = (),
    steps: int | None = None,
    minutes: float | None = None,
    steps_of: Mapping[str, int] | None = None,
    device: str = "auto",
    preset: str | None = None,
) -> list[SweepRun]:
    """All runs, each checked by building its players; seeds vary slowest, so that one whole grid is finished first.

    Args:
        source: a path or a built-in name; None takes the one of `config_file`.
        axes: what varies.
        seeds: each combination is trained with the seeds 0 to `seeds - 1`.
        jobs: processes at once; the threads of this machine are split between them.
        config_file: a configuration to start from.
        settings: changes that hold for all runs.
        steps: length of every run; or
        minutes: the same as a time.
        device: auto, cpu, cuda or mps.
        preset: the complete configuration to start from.
        steps_of: steps that an earlier call made of `minutes`, by name of the combination.

    Raises:
        ConfigError: a setting is unknown or does not fit, in any combination.
        DataError: the data cannot be read.
    """
    _refuse_clashes(axes, settings)
    combinations = []
    planned: Planned | None = None
    for values in itertools.product(*(axis.values for axis in axes)):
        chosen = {axis.key: value for axis, value in zip(axes, values, strict=True)}
        name = combination_name(chosen)
        known = (steps_of or {}).get(name) if minutes is not None else None
        try:
            planned = plan_run(
                source,
                config_file=config_file,
                settings=[*settings, *(f"{key}={json.dumps(value, default=str)}" for key, value in chosen.items())],
                steps=steps if known is None else known,
                minutes=minutes if known is None else None,
                seed=0,
                device=device,
                preset_wanted=preset,
                like=planned,
            )
            planned = Planned(_with_threads(planned.config, jobs), planned.data)
            build_trainer(planned.config, planned.data)
        except ConfigError as error:
            if not axes:
                raise
            raise ConfigError(f"{said(chosen)}: {error.where}", error.found, error.expected, error.advice) from error
        combinations.append((name, chosen, planned.config))
    _refuse_equal_names([name for name, _, _ in combinations])
    return [
        SweepRun(f"{name}-seed{seed}", chosen, config.model_copy(update={"seed": seed}))
        for seed in range(seeds)
        for name, chosen, config in combinations
    ]


def combination_name(chosen: Mapping[str, Any]) -> str:
    """A short name for a folder: `hinge-r1+r2`, `minimax-no_penalties`, `hinge-batch_size64`; `run` without axes.

    Where letters had to be replaced or cut, six digits of a digest of the settings keep names apart.
    """
    text = "-".join(_short(key, value) for key, value in chosen.items()) or "run"
    name = re.sub(r"[^A-Za-z0-9._+=]+", "-", text).strip("-.")[:LONGEST_NAME]
    if name == text:
        return name
    digest = hashlib.sha256(json.dumps(dict(chosen), sort_keys=True, default=str).encode()).hexdigest()[:6]
    return f"{name}-{digest}" if name else digest


def said(chosen: Mapping[str, Any]) -> str:
    """'objective=hinge, penalties=["r1"]', for messages."""
    return ", ".join(f"{k}={v if isinstance(v, str) else json.dumps(v, default=str)}" for k, v in chosen.items())


def first_difference(
    stored: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = ""
) -> tuple[str, Any, Any] | None:
    """Key and both values of the first setting that two configurations do not share; None when they agree."""
    for key in [*asked, *(key for key in stored if key not in asked)]:
        path = f"{prefix}.{key}" if prefix else str(key)
        before, now = stored.get(key), asked.get(key)
        if path in TIMES_ARE_NOT_SETTINGS or before == now:
            continue
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            found = first_difference(before, now, path)
            if found is not None:
                return found
            continue
        return path, before, now
    return None


def _number(value: Any) -> Any:
    """YAML 1.1 reads `1e-3` as text, because it wants a point; people mean the number."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _short(key: str, value: Any) -> str:
    last = key.removesuffix(".name").rsplit(".", 1)[-1]
    if isinstance(value, list):
        return "+".join(_word(entry) for entry in value) if value else f"no_{last}"
    if isinstance(value, (str, Mapping)):
        return _word(value)
    return f"{last}{'_none' if value is None else str(value).lower() if isinstance(value, bool) else value}"


def _word(value: Any) -> str:
    """A part's name with its options' values: `r1`, `r1_weight10`."""
    if isinstance(value, Mapping):
        options = value.get("options") or {}
        rest = {key: entry for key, entry in value.items() if key not in ("name", "options")}
        pairs = {**rest, **(options if isinstance(options, Mapping) else {"": options})}
        return "_".join([str(value.get("name", "")), *(f"{key}{entry}" for key, entry in pairs.items())]).strip("_")
    return str(value)


def _with_threads(config: RunConfig, jobs: int) -> RunConfig:
    threads = min(config.runtime.threads, max(1, available_threads() // jobs))
    return config.model_copy(update={"runtime": config.runtime.model_copy(update={"threads": threads})})


def _refuse_clashes(axes: Sequence[Axis], settings: Sequence[str]) -> None:
    fixed = {setting.partition("=")[0].strip() for setting in settings}
    for axis in axes:
        for key in fixed:
            if key == axis.key or key.startswith(f"{axis.key}.") or axis.key.startswith(f"{key}."):
                raise ConfigError(
                    f"--set {key}, --over {axis.key}",
                    "both decide the same setting.",
                    "Expected one of them.",
                    "Leave --set out, or --over.",
                )


def _refuse_equal_names(names: Sequence[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(
            "--over",
            f"two combinations would share the folder '{twice}'.",
            "Expected values whose names differ.",
            "Sweep one of them in a folder of its own.",
        )
