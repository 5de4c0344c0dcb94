"""The optimizers of a configuration, and the learning rates of each group of parameters."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import torch
from torch import nn

import equipoise.optimizers as own
from equipoise.errors import ConfigError, nearest
from equipoise.experiment.build.named import check_options
from equipoise.experiment.build.python_parts import OptimizerFactory, PythonParts
from equipoise.experiment.config.schema import OptimizerConfig, OptimizersConfig, ParameterGroupConfig
from equipoise.training.clipping import clip_gradients, clip_growth

UNUSABLE_OPTIMIZERS = ("Optimizer", "LBFGS", "SparseAdam")
"""The base class; one that wants to call the loss again; one for sparse gradients, which no network here has."""


def build_optimizer(
    section: OptimizersConfig, role: str, network: nn.Module, *, parts: PythonParts = PythonParts()
) -> torch.optim.Optimizer:
    """One player's optimizer: made by a factory that was given, or of the class of `torch.optim` that is named.

    Raises:
        ConfigError: there is no such class, torch refuses its options, or a factory makes no optimizer of the network.
    """
    settings: OptimizerConfig = getattr(section, role)
    factory = parts.optimizers.get(role)
    if factory is not None and settings.groups:
        raise ConfigError(
            f"optimizers.{role}.groups",
            f"the {role}'s optimizer is made by a function.",
            "Expected groups beside an optimizer that the configuration names.",
            "Let the function make groups of its own, or leave groups out.",
        )
    optimizer = _named(settings, network, f"optimizers.{role}") if factory is None else _made(factory, network, role)
    if settings.clip_norm is not None:
        clip_gradients(optimizer, settings.clip_norm)
    if settings.clip_growth is not None:
        clip_growth(optimizer, settings.clip_growth)
    return optimizer


def _made(factory: OptimizerFactory, network: nn.Module, role: str) -> torch.optim.Optimizer:
    made = factory(network.parameters())
    if not isinstance(made, torch.optim.Optimizer) or type(made).__name__ in UNUSABLE_OPTIMIZERS:
        raise ConfigError(
            f"optimizers.{role}",
            f"the factory made a {type(made).__name__}.",
            "Expected a torch optimizer whose step needs no closure.",
            "Give a function such as: lambda parameters: torch.optim.Adam(parameters, lr=1e-3, betas=(0.0, 0.99))",
        )
    own = set(map(id, network.parameters()))
    if any(id(weight) not in own for group in made.param_groups for weight in group["params"]):
        raise ConfigError(
            f"optimizers.{role}",
            "the factory's optimizer holds parameters that are not the network's.",
            f"Expected those that it was given: the {role}'s.",
            "Let the factory use its argument; a network that is passed to fit is copied.",
        )
    return made


def _named(section: OptimizerConfig, network: nn.Module, where: str) -> torch.optim.Optimizer:
    kinds = {
        name: kind
        for name, kind in vars(torch.optim).items()
        if inspect.isclass(kind) and issubclass(kind, torch.optim.Optimizer) and name not in UNUSABLE_OPTIMIZERS
    }
    kinds |= {name: own.find(name) for name in own.available()}
    kind = kinds.get(section.name)
    if kind is None:
        raise ConfigError(
            f"{where}.name",
            f"no optimizer is called '{section.name}'.{nearest(section.name, kinds)}",
            f"Available: {', '.join(sorted(kinds))}.",
            "Write one of these.",
        )
    # YAML has lists where torch wants tuples, and torch refuses betas of mixed int and float.
    options = {
        key: tuple(float(v) for v in value) if isinstance(value, list) else value
        for key, value in section.options.items()
    }
    check_options(kind, {"lr": section.learning_rate, **options}, f"{where}.options", given=("params",))
    if "fused" in inspect.signature(kind).parameters:
        options.setdefault("fused", True)  # one pass over the weights in place of a dozen
    groups = parameter_groups(section, network, where=f"{where}.groups")
    try:
        return kind(groups, lr=section.learning_rate, **options)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ConfigError(
            f"{where}.options",
            f"torch refuses them: {error}",
            f"Expected options of {section.name}.",
            "Correct the option.",
        ) from error


def parameter_groups(section: OptimizerConfig, network: nn.Module, *, where: str) -> list[Any]:
    """The network's parameters, in groups with a learning rate and a floor each where the configuration names groups.

    A network names its groups by a method `parameter_groups() -> Mapping[str, Sequence[nn.Parameter]]`. Parameters stay
    in the order that the network gives them, so that what an optimizer remembers keeps its place.

    Raises:
        ConfigError: the network has no group of that name.
    """
    if not section.groups:
        return list(network.parameters())
    named = network.parameter_groups() if hasattr(network, "parameter_groups") else {}
    for name in section.groups:
        if name not in named:
            raise ConfigError(
                f"{where}.{name}",
                f"the network has no group of parameters called '{name}'.{nearest(name, named)}",
                f"Available: {', '.join(named) or 'none'}.",
                "Correct the name, or leave the group out.",
            )
    owner = {id(parameter): name for name, parameters in named.items() for parameter in parameters}
    runs = itertools.groupby(network.parameters(), key=lambda parameter: owner.get(id(parameter), ""))
    groups = []
    for name, parameters in runs:
        own_rate = section.groups.get(name, ParameterGroupConfig())
        rate = section.learning_rate * own_rate.factor
        groups.append({"params": list(parameters), "lr": rate, "floor": own_rate.floor})
    return groups
