r"""Adam whose memory of squared gradients is a share of the run so far, in place of a fixed number of steps.

.. math::
    v_t = v_{t-1} + \frac{g_t^2 - v_{t-1}}{m_t}, \qquad
    w_t = w_{t-1} - h\, \frac{g_t}{\sqrt{v_t} + \epsilon}, \qquad
    m_t = \min(t, \max(m_0, s\,t))

with the shortest memory :math:`m_0` (100 steps) and the share s (0.2). Up to step :math:`m_0`, v is the plain mean of
all squares, so no bias has to be corrected. Once :math:`s\,t > m_0` the square of step k counts in proportion to
:math:`k^{1/s - 1}`, up to a relative O(1/k): the average that `game.ema` takes of weights. For gradients of constant
size c it is :math:`v_t = c^2` from the first step on, and each update has the length h.

A fixed :math:`\beta_2 = 0.99` remembers 100 steps. Near an equilibrium gradients are mostly noise, whose size over 100
steps varies by several percent: a learning rate that jitters. A memory that grows averages that away, as far as the run
is long enough to know.

Reference:
    Adam: Kingma & Ba 2015, arXiv:1412.6980, Algorithm 1; :math:`\beta_2 = 1 - 1/m_t`. That a growing :math:`\beta_2`
    is what convergence needs: Reddi, Kale, Kumar 2018, arXiv:1904.09237, Corollary 2 (there 1 - 1/t, the share 1).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from typing import Any

import torch

SHORTEST_MEMORY = 100
"""Steps; as beta2 = 0.99 has."""
SHARE = 0.2
"""Measured on the 25-grid with a share of 0.2 only; arbitrary within 0.05 to 0.5."""


class GrowingAdam(torch.optim.Adam):
    """Adam without bias correction of the second moment, whose memory grows with the run.

    Args:
        params: weights, or groups of them.
        lr: h, the length of an update at gradients of constant size.
        shortest: m_0, in steps.
        share: s, of the steps so far, above 0 and at most 1.
        beta1: memory of the gradient itself, as Adam has it; 0 is none, which games want.
        eps: added to the root of v.
        fused: one pass over all weights.

    Attributes:
        updates: so far.

    Raises:
        ValueError: a memory shorter than a step, a share outside of (0, 1].

    Numerics:
        Adam's own step is used with another beta2 each time; learning rate and eps are divided by the factor that it
        would correct by. The result is that of the formula to a few units in the last place.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        *,
        shortest: int = SHORTEST_MEMORY,
        share: float = SHARE,
        beta1: float = 0.0,
        eps: float = 1e-8,
        fused: bool | None = None,
    ) -> None:
        if not 1 <= shortest < math.inf:
            raise ValueError(f"a memory has at least 1 step, not shortest={shortest}")
        if not 0 < share <= 1:
            raise ValueError(f"a share of the run is above 0 and at most 1, not share={share}")
        self.updates = 0
        super().__init__(params, lr=lr, betas=(float(beta1), 0.0), eps=eps, fused=fused)
        for group in self.param_groups:  # here, because a copied optimizer keeps its groups and nothing else
            group["shortest"], group["share"] = shortest, share

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # of a copy or a checkpoint: the count is in it
        self.updates = max((int(entry["step"]) for entry in self.state.values() if "step" in entry), default=0)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of all weights that have a gradient."""
        self.updates += 1
        if closure is None and self._is_plain():
            for group in self.param_groups:
                self._plain_step(group)
            return None
        kept = [(group["betas"], group["lr"], group["eps"]) for group in self.param_groups]
        for group in self.param_groups:
            beta2, correction = self._memory_of(group)
            group["betas"] = (group["betas"][0], beta2)
            group["lr"], group["eps"] = group["lr"] / correction, group["eps"] / correction
        try:
            return _ADAM_STEP(self, closure)
        finally:
            for group, (betas, rate, eps) in zip(self.param_groups, kept, strict=True):
                group["betas"], group["lr"], group["eps"] = betas, rate, eps

    def _memory_of(self, group: dict[str, Any]) -> tuple[float, float]:
        """beta2 of this update, and the factor that Adam would correct by."""
        beta2 = 1 - 1 / memory(self.updates, shortest=group["shortest"], share=group["share"])
        return beta2, math.sqrt(1 - beta2**self.updates)

    def _is_plain(self) -> bool:
        """Whether Adam's own step would do no more than call the fused kernel of the CPU on weights that it knows."""
        return getattr(self, "found_inf", None) is None and all(
            group["fused"]
            and not (group["amsgrad"] or group["differentiable"] or group["capturable"])
            and isinstance(group["lr"], float)
            and all(weight.grad is not None and weight.is_cpu and weight in self.state for weight in group["params"])
            for group in self.param_groups
        )

    def _plain_step(self, group: dict[str, Any]) -> None:
        """That kernel, with the arguments that Adam's own step calls it with.

        For weights as small as those of points, what torch does around the kernel takes five times as long as it does.
        """
        beta2, correction = self._memory_of(group)
        weights = group["params"]
        states = [self.state[weight] for weight in weights]
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            weights,
            [weight.grad for weight in weights],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            amsgrad=False,
            lr=group["lr"] / correction,
            beta1=group["betas"][0],
            beta2=beta2,
            weight_decay=group["weight_decay"],
            eps=group["eps"] / correction,
            maximize=group["maximize"],
            grad_scale=None,
            found_inf=None,
        )


def memory(step: int, *, shortest: float = SHORTEST_MEMORY, share: float = SHARE) -> float:
    """m_t, the memory in steps at update `step`, counted from 1."""
    return float(min(step, max(shortest, share * step)))


# The function itself: torch wraps `step` in hooks once an instance of that very class exists, and the hooks of this
# class would run twice in a process that has also made a plain Adam.
_ADAM_STEP = inspect.unwrap(torch.optim.Adam.step)

OPTIMIZERS = {"GrowingAdam": GrowingAdam}
