"""The optimizers of a configuration."""

from __future__ import annotations

import inspect

import torch
from torch import nn

from equipoise.errors import ConfigError, nearest
from equipoise.experiment.build.named import check_options
from equipoise.experiment.build.python_parts import OptimizerFactory, PythonParts
from equipoise.experiment.config.schema import OptimizerConfig, OptimizersConfig
from equipoise.training.clipping import clip_gradients

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
    optimizer = _named(settings, network, f"optimizers.{role}") if factory is None else _made(factory, network, role)
    if settings.clip_norm is not None:
        clip_gradients(optimizer, settings.clip_norm)
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
    kind = kinds.get(section.name)
    if kind is None:
        raise ConfigError(
            f"{where}.name",
            f"torch.optim has no '{section.name}'.{nearest(section.name, kinds)}",
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
    try:
        return kind(network.parameters(), lr=section.learning_rate, **options)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ConfigError(
            f"{where}.options",
            f"torch refuses them: {error}",
            f"Expected options of torch.optim.{section.name}.",
            "Correct the option.",
        ) from error
