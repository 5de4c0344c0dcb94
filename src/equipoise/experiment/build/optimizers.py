"""The optimizers of a configuration."""

from __future__ import annotations

import inspect

import torch
from torch import nn

from equipoise.errors import ConfigError, nearest
from equipoise.experiment.build.named import check_options
from equipoise.experiment.config.schema import OptimizerConfig
from equipoise.training.clipping import clip_gradients

UNUSABLE_OPTIMIZERS = ("Optimizer", "LBFGS", "SparseAdam")
"""The base class; one that wants to call the loss again; one for sparse gradients, which no network here has."""


def build_optimizer(section: OptimizerConfig, network: nn.Module, *, where: str) -> torch.optim.Optimizer:
    """The optimizer of `torch.optim` that a configuration names, over a network's weights.

    Raises:
        ConfigError: there is none, or torch refuses its options.
    """
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
        optimizer = kind(network.parameters(), lr=section.learning_rate, **options)
        if section.clip_norm is not None:
            clip_gradients(optimizer, section.clip_norm)
        return optimizer
    except (ValueError, TypeError, RuntimeError) as error:
        raise ConfigError(
            f"{where}.options",
            f"torch refuses them: {error}",
            f"Expected options of torch.optim.{section.name}.",
            "Correct the option.",
        ) from error
