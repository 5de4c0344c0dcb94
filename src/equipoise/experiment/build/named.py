"""A part that a configuration names: its factory is found by name or import path, and called with the options."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import equipoise.augmentation as augmentations
import equipoise.objectives as objectives
import equipoise.penalties as penalties
from equipoise.augmentation import Augmentation
from equipoise.errors import ConfigError, nearest
from equipoise.experiment.config.schema import PartConfig
from equipoise.objectives.base import Objective
from equipoise.penalties.base import Penalty


def build_objective(part: PartConfig, *, trusted: bool = True) -> Objective:
    """The objective that a configuration names."""
    return _made(part, objectives.find, "objective", Objective, trusted=trusted)


def build_augmentation(section: Mapping[str, Any], *, trusted: bool = True) -> Augmentation | None:
    """The augmentation that a configuration asks for, if any.

    Raises:
        ConfigError: there is no such augmentation, it refuses its options, or two are asked for.
    """
    asked = [PartConfig(name=name, options=options) for name, options in section.items() if options is not None]
    if len(asked) > 1:
        raise ConfigError(
            "augmentation",
            f"{' and '.join(part.name for part in asked)} are asked for.",
            "Expected one augmentation.",
            "Choose one, or write one that does both.",
        )
    return _made(asked[0], augmentations.find, "augmentation", Augmentation, trusted=trusted) if asked else None


def build_penalty(part: PartConfig, index: int, *, trusted: bool = True) -> Penalty:
    """The `index`-th penalty that a configuration names; an `augmentation` of it is a name or an import path."""
    name = part.options.get("augmentation")
    if isinstance(name, str):
        where = f"penalties.{index}.options.augmentation"
        found = imported(name, where, trusted=trusted) if ":" in name else augmentations.find(name, where=where)()
        part = part.model_copy(update={"options": {**part.options, "augmentation": found}})
    return _made(part, penalties.find, f"penalties.{index}", Penalty, trusted=trusted)


def check_options(
    factory: Callable[..., Any], options: Mapping[str, Any], where: str, given: tuple[str, ...] = ()
) -> None:
    """Refuse options that a factory does not have.

    Raises:
        ConfigError: names the first of them, and the nearest one that there is.
    """
    parameters = inspect.signature(factory).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = [name for name in parameters if name not in given]
    for name in options:
        if name not in known:
            raise ConfigError(
                f"{where}.{name}",
                f"no option is called '{name}'.{nearest(name, known)}",
                f"Available: {', '.join(known) or 'none'}.",
                "Correct or remove the option.",
            )


def imported(path: str, where: str, *, trusted: bool) -> Any:
    """The object at `package.module:attribute`, which is code of the person's own.

    Raises:
        ConfigError: it is not trusted, or there is no such object.
    """
    if not trusted:
        raise ConfigError(
            where,
            f"the configuration names code of its own: '{path}'.",
            "A run folder's code is run only if you say so.",
            "If you trust it, add --trust-code.",
        )
    module, _, attribute = path.partition(":")
    if not re.fullmatch(r"[\w.]+", module) or not attribute.isidentifier():
        raise ConfigError(where, f"'{path}' is no import path.", "Expected 'package.module:factory'.", "Correct it.")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            where,
            f"'{path}' cannot be imported ({error}).",
            "Expected 'package.module:factory'.",
            "Check the name, and that the module is on PYTHONPATH.",
        ) from error


def _made(part: PartConfig, find: Callable[[str], Any], where: str, kind: type, *, trusted: bool) -> Any:
    factory = imported(part.name, f"{where}.name", trusted=trusted) if ":" in part.name else find(part.name)
    check_options(factory, part.options, f"{where}.options")
    try:
        made = factory(**part.options)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{where}.options",
            f"'{part.name}' refuses them: {error}",
            "Expected options of that part.",
            "Correct the option.",
        ) from error
    if not isinstance(made, kind):
        raise ConfigError(
            f"{where}.name",
            f"'{part.name}' made a {type(made).__name__}.",
            f"Expected a factory of {kind.__name__}.",
            "Give the path of such a factory.",
        )
    return made
