r"""Gradient clipping: a step is never made with a gradient longer than a given norm.

.. math::
    g \leftarrow g \cdot \min(1, c / |g|)
"""

from __future__ import annotations

from typing import Any

import torch


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
