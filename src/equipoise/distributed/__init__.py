r"""Several processes that train together: each has a shard of every batch.

Process r of P has the entries r, r + P, r + 2P, ... of the whole batch, of its latents and of everything random, so
that any number of processes trains in the same way. Each computes its own part of a loss L that is a mean over samples
or pairs; where a sample's term depends on the whole batch, it computes L from gathered logits. The gradient of process
r flows through its own logits only, and the sum over processes is exact:

.. math::
    \nabla_w L(l_1, \dots, l_P) = \sum_r \Bigl(\frac{\partial l_r}{\partial w}\Bigr)^T \frac{\partial L}{\partial l_r}

The processes are those that `torchrun` started. In one process everything here does nothing and costs nothing.
"""

from __future__ import annotations

from equipoise.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from equipoise.distributed.rendezvous import (
    current_process_group,
    is_distributed,
    is_main_process,
    process_group,
    restart_count,
)
from equipoise.distributed.torch_group import TorchProcessGroup

__all__ = [
    "SINGLE_PROCESS",
    "ProcessGroup",
    "TorchProcessGroup",
    "current_process_group",
    "is_distributed",
    "is_main_process",
    "process_group",
    "restart_count",
]
