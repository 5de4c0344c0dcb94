r"""Gradient clipping: a step is never made with a gradient longer than a given norm, or than recent ones.

.. math::
    g \leftarrow g \cdot \min(1, c / |g|), \qquad
    g_i \leftarrow g_i \cdot \min\!\left(1, d \sqrt{\bar v_i} / \sqrt{\overline{g_i^2}}\right)

The first holds for all weights together. The second holds for each tensor of weights: its gradient's root mean square
is at most d times that of recent ones, which Adam keeps as its second moment v.

Adam needs the second in games. Without momentum its update is g / sqrt(v): where gradients have been small for a while
and then grow, weights move by up to 1 / sqrt(1 - beta2) = 10 learning rates in one step (beta2 = 0.99). The opponent's
gradient grows with it, and within ten steps both players are lost. Measured on 28-pixel digits at a constant rate of
4e-3, 800 steps: both seeds ended so without it (gradients of 2e4 and 9e5, Frechet distances of 440 and 480), none of
three with d = 1.5 (below 1.4; 14, 11 and 11).
"""

from __future__ import annotations

from typing import Any

import torch

from equipoise.errors import ConfigError

WITH_SECOND_MOMENTS = ("Adam", "AdamW", "NAdam", "RAdam")
UNKNOWN_STEPS = 10
"""Steps after which a second moment is known to a third or so; until then nothing is clipped by it."""
LEAST_NORM = 1e-30
"""Of a gradient that is divided by, so that one of 0 stays 0; a tensor whose gradients have all been 0 takes no step at
first."""


def clip_gradients(optimizer: torch.optim.Optimizer, largest_norm: float) -> None:
    """Let `optimizer` shorten the joint gradient of its parameters to `largest_norm` before each of its steps.

    The norm that a report gives is measured before, and shows how often it is longer.

    Args:
        optimizer: over one player's parameters.
        largest_norm: c, above 0. With Adam, which divides by the gradients' own size, clipping matters only for
            gradients that are far longer than the recent ones.

    Reference:
        Pascanu, Mikolov, Bengio 2013, arXiv:1211.5063, Algorithm 1.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def clip(optimizer: torch.optim.Optimizer, arguments: Any, keywords: Any) -> None:
        del optimizer, arguments, keywords
        torch.nn.utils.clip_grad_norm_(parameters, largest_norm)

    optimizer.register_step_pre_hook(clip)
    optimizer.largest_norm = largest_norm  # for whoever copies the optimizer, which does not copy hooks


def clip_growth(optimizer: torch.optim.Optimizer, most: float) -> None:
    """Let `optimizer` shorten the gradient of each tensor to `most` times the root mean square of its recent ones.

    Args:
        optimizer: one of `WITH_SECOND_MOMENTS`, or made from one.
        most: d, above 1. Gradients of one tensor vary by a fifth or so from batch to batch.

    Raises:
        ConfigError: the optimizer keeps no second moments.

    Numerics:
        Everything stays on the device: nothing is read.

    Reference:
        Shazeer & Stern 2018, arXiv:1804.04235, section 6 (there the update is clipped, here the gradient, so that a
        single long one does not slow down the steps that follow).
    """
    if not any(kind.__name__ in WITH_SECOND_MOMENTS for kind in type(optimizer).__mro__):
        raise ConfigError(
            "optimizers, clip_growth",
            f"{type(optimizer).__name__} keeps no second moments of its gradients.",
            f"Expected one of {', '.join(WITH_SECOND_MOMENTS)}.",
            "Choose one of them, clip with clip_norm, or set clip_growth to null.",
        )

    @torch.no_grad()
    def clip(optimizer: torch.optim.Optimizer, arguments: Any, keywords: Any) -> None:
        del arguments, keywords
        for group in optimizer.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None and optimizer.state.get(weight)]
            if not weights:
                continue
            known = [optimizer.state[weight] for weight in weights]
            found = torch.stack([torch.linalg.vector_norm(weight.grad) for weight in weights])
            recent = torch.stack([entry["exp_avg_sq"].sum() for entry in known])
            steps = torch.stack([entry["step"] for entry in known]).to(found.device)
            most_norm = most * (recent / (1 - group["betas"][1] ** steps)).sqrt()
            factors = (most_norm / found.clamp(min=LEAST_NORM)).clamp(max=1.0)
            for weight, factor in zip(weights, torch.where(steps < UNKNOWN_STEPS, 1.0, factors).unbind(), strict=True):
                weight.grad.mul_(factor)

    optimizer.register_step_pre_hook(clip)
    optimizer.largest_growth = most  # as above


def clip_like(optimizer: torch.optim.Optimizer, other: torch.optim.Optimizer) -> None:
    """Clip the gradients of an optimizer as those of another: a copied optimizer has lost its hooks."""
    norm, growth = getattr(other, "largest_norm", None), getattr(other, "largest_growth", None)
    if norm is not None:
        clip_gradients(optimizer, norm)
    if growth is not None:
        clip_growth(optimizer, growth)
