"""Parts of a game that are given as Python objects, and what a configuration says of them in their place.

A configuration cannot make such a part again. Its section `python` therefore lists the places that hold one, with what
was given there as information, and whoever goes on with the run or opens it gives the objects again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.augmentation import Augmentation
from equipoise.errors import ConfigError
from equipoise.objectives.base import Objective
from equipoise.penalties.base import Penalty
from equipoise.training import Handler

NetworkFactory = Callable[..., nn.Module]
OptimizerFactory = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
ROLES = ("generator", "discriminator")
PYTHON = "python"
"""What stands in a configuration in the place of a name."""


@dataclass(frozen=True)
class PythonParts:
    """What a person gives as objects; whatever is missing comes from the configuration.

    Attributes:
        networks: a module, or a factory of one, by role.
        latents: the width of the generator's latents, for a module that does not say it; `None` is not known.
        objective: the two losses.
        penalties: by their place among the penalties.
        augmentation: what both players see in place of the bare samples.
        optimizers: a factory of an optimizer from parameters, by role.
        callbacks: told of the trainer's events. They decide nothing that a run folder would have to know.
        states: what stateful parts remembered when they were given, by their place: each run starts from it.
    """

    networks: Mapping[str, nn.Module | NetworkFactory] = field(default_factory=dict)
    latents: int | None = None
    objective: Objective | None = None
    penalties: Mapping[int, Penalty] = field(default_factory=dict)
    augmentation: Augmentation | None = None
    optimizers: Mapping[str, OptimizerFactory] = field(default_factory=dict)
    callbacks: tuple[Handler, ...] = ()
    states: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)

    @property
    def places(self) -> dict[str, str]:
        """Every place that holds an object, and what it is: the section `python` of the configuration."""
        found = {role: qualified_name(network) for role, network in self.networks.items()}
        if self.objective is not None:
            found["objective"] = self.objective.name
        found |= {f"penalties.{index}": penalty.name for index, penalty in self.penalties.items()}
        if self.augmentation is not None:
            found["augmentation"] = self.augmentation.name
        return found | {f"optimizers.{role}": qualified_name(factory) for role, factory in self.optimizers.items()}

    def penalty(self, index: int) -> Penalty | None:
        """The penalty given for a place, with the state that it had when it was given; `None` if there is none."""
        return _as_given(self.penalties.get(index), self.states.get(f"penalties.{index}", {}))

    def fresh_augmentation(self) -> Augmentation | None:
        """The augmentation with the state that it had when it was given; `None` if there is none."""
        return _as_given(self.augmentation, self.states.get("augmentation", {}))


def sort_parts(
    *,
    generator: Any = None,
    discriminator: Any = None,
    latents: int | None = None,
    objective: Any = None,
    penalties: Sequence[Any] | None = None,
    augmentation: Any = None,
    optimizers: Any = None,
    callbacks: Sequence[Handler] = (),
) -> tuple[PythonParts, dict[str, Any]]:
    """The objects among the arguments of `equipoise.fit`, and settings for those that have a name.

    Raises:
        ConfigError: an argument is neither an object of its kind, nor a factory, nor a name.
    """
    settings: dict[str, Any] = {}
    networks = {role: part for role, part in zip(ROLES, (generator, discriminator), strict=True) if part is not None}
    for role, network in networks.items():
        if not callable(network) or (inspect.isclass(network) and not issubclass(network, nn.Module)):
            raise _unusable(role, network, "a torch module, or a factory of one: (space, *, classes, latents)")
    if latents is not None:
        settings["networks"] = {"latents": latents}
    if objective is not None and not isinstance(objective, Objective):
        settings["objective"] = _named("objective", objective, "an Objective, or the name of one")
    objects: dict[int, Penalty] = {}
    if penalties is not None:
        if isinstance(penalties, (str, Penalty)) or not isinstance(penalties, Sequence):
            raise _unusable("penalties", penalties, "a list of Penalty objects and names")
        objects = {index: part for index, part in enumerate(penalties) if isinstance(part, Penalty)}
        settings["penalties"] = [
            {"name": part.name}
            if isinstance(part, Penalty)
            else _named(f"penalties[{index}]", part, "a Penalty, or the name of one")
            for index, part in enumerate(penalties)
        ]
    if augmentation is not None and not isinstance(augmentation, Augmentation):
        given = {augmentation: {}} if isinstance(augmentation, str) else augmentation
        settings["augmentation"] = _section("augmentation", given, "an Augmentation, or the name of one")
    factories, sections = _sorted_optimizers(optimizers)
    if sections:
        settings["optimizers"] = sections
    if isinstance(callbacks, str) or not isinstance(callbacks, Sequence) or not all(map(callable, callbacks)):
        raise _unusable("callbacks", callbacks, "a list of functions of one event")
    parts = PythonParts(
        networks=networks,
        latents=latents,
        objective=objective if isinstance(objective, Objective) else None,
        penalties=objects,
        augmentation=augmentation if isinstance(augmentation, Augmentation) else None,
        optimizers=factories,
        callbacks=tuple(callbacks),
    )
    remembering = {f"penalties.{index}": penalty for index, penalty in objects.items()}
    if parts.augmentation is not None:
        remembering["augmentation"] = parts.augmentation
    states = {
        place: {name: tensor.clone() for name, tensor in part.state.items()} for place, part in remembering.items()
    }
    return PythonParts(**{**vars(parts), "states": states}), settings


def require_parts(stored: Mapping[str, str], parts: PythonParts, *, places: Iterable[str], call: str) -> None:
    """Refuse to go on without an object that a run was begun with, or with one that it did not have.

    Args:
        stored: the section `python` of the run's configuration.
        parts: what is given now.
        places: those that matter for what is to be done.
        call: the call that takes the objects, for the message.

    Raises:
        ConfigError: names what is missing, and the call that goes on with it.
    """
    wanted = set(places)
    missing = {place: what for place, what in stored.items() if place in wanted and place not in parts.places}
    if missing:
        names = dict.fromkeys(place.partition(".")[0] for place in stored if place in wanted)
        raise ConfigError(
            ", ".join(missing),
            f"given as Python objects ({', '.join(missing.values())}), which a configuration cannot make again.",
            "Expected the same objects again.",
            f"Go on from Python: {call}, {', '.join(f'{name}=...' for name in names)})",
        )
    added = [place for place in parts.places if place not in stored]
    if added:
        raise ConfigError(
            ", ".join(added),
            "given as a Python object, and the run was begun with a part that has a name.",
            "Expected the parts that the run was begun with.",
            "Leave it out, or train a new run.",
        )


def qualified_name(part: Any) -> str:
    """What an object is, as information: its class, or a function's own name."""
    named = part if inspect.isclass(part) or inspect.isroutine(part) else type(part)
    return f"{named.__module__}.{named.__qualname__}"


def _sorted_optimizers(given: Any) -> tuple[dict[str, OptimizerFactory], dict[str, Any]]:
    """Factories by role, and settings by role for what has a name."""
    expected = "a factory from parameters to an optimizer, a name, or settings, for both players or by role"
    if given is None:
        return {}, {}
    by_role = given if isinstance(given, Mapping) and set(given) <= set(ROLES) else dict.fromkeys(ROLES, given)
    factories = {role: part for role, part in by_role.items() if callable(part)}
    sections = {
        role: {"name": part} if isinstance(part, str) else _section(f"optimizers.{role}", part, expected)
        for role, part in by_role.items()
        if role not in factories
    }
    return factories, sections


def _named(place: str, part: Any, expected: str) -> dict[str, Any]:
    """A part's name, or its name with options, as a section of the configuration."""
    return {"name": part, "options": {}} if isinstance(part, str) else _section(place, part, expected)


def _section(place: str, part: Any, expected: str) -> dict[str, Any]:
    if not isinstance(part, Mapping):
        raise _unusable(place, part, expected)
    return dict(part)


def _unusable(place: str, part: Any, expected: str) -> ConfigError:
    return ConfigError(
        place,
        f"{str(part)[:60]!r} of type {type(part).__name__} is given.",
        f"Expected {expected}.",
        "The documentation of equipoise.fit says what each part may be.",
    )


def _as_given(part: Any, state: Mapping[str, Tensor]) -> Any:
    for name, tensor in state.items():
        part.state[name] = tensor.clone()
    return part
