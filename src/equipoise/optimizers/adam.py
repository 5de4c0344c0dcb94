"""torch's Adam and AdamW, number for number, without torch's compiler: importing that takes a second.

torch imports `torch._dynamo` when an optimizer is made, and again at its first step, so that a compiler that traces the
step knows where to stop. Nothing here is compiled; the functions behind these wrappers are torch's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch


class Adam(torch.optim.Adam):
    """`torch.optim.Adam`."""

    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    state_dict = inspect.unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.Optimizer.load_state_dict)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of all weights that have a gradient."""
        return _ADAM_STEP(self, closure)


class AdamW(torch.optim.AdamW):
    """`torch.optim.AdamW`."""

    add_param_group = Adam.add_param_group
    state_dict = Adam.state_dict
    load_state_dict = Adam.load_state_dict

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of all weights that have a gradient."""
        return _ADAM_STEP(self, closure)


# The function itself: torch wraps `step` in hooks once an instance of that very class exists, and the hooks of these
# classes would run twice in a process that has also made one of torch's.
_ADAM_STEP = inspect.unwrap(torch.optim.Adam.step)

OPTIMIZERS = {"Adam": Adam, "AdamW": AdamW}
