r"""Several processes that play one game: each holds a share of every batch, and together they hold the joined batch.

Process r of P has the entries r, r + P, r + 2P, ... of the joined batch, of its latents and of everything random, so
that any number of processes plays the same game. Each computes its own part of a loss L that is a mean over samples or
pairs; where a sample's term depends on the whole batch, it computes L from gathered logits. The gradient of process r
flows through its own logits only, and the sum over processes is exact:

.. math::
    \nabla_w L(l_1, \dots, l_P) = \sum_r \Bigl(\frac{\partial l_r}{\partial w}\Bigr)^T \frac{\partial L}{\partial l_r}

`torchrun` says in the environment who is who. In one process everything here does nothing and costs nothing.
"""

from __future__ import annotations

from equipoise.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from equipoise.distributed.rendezvous import (
    TorchProcessGroup,
    existing_process_group,
    is_main_process,
    is_one_of_many,
    process_group,
    restarts,
)

__all__ = [
    "SINGLE_PROCESS",
    "ProcessGroup",
    "TorchProcessGroup",
    "existing_process_group",
    "is_main_process",
    "is_one_of_many",
    "process_group",
    "restarts",
]
