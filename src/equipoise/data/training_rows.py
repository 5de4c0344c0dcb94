"""The training part of data on disk, from which batches are taken: rows are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch


class TrainingRows:
    """Training samples that are read when they are indexed; in place of a tensor of all of them.

    Attributes:
        shape, dtype: what the tensor would have.
        device: where indexed rows go.
    """

    def __init__(
        self,
        read: Callable[[np.ndarray], np.ndarray],
        *,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> None:
        self._read = read
        self.shape, self.dtype, self.device = shape, dtype, torch.device(device)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: torch.Tensor | np.ndarray | slice) -> torch.Tensor:
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        elif isinstance(rows, torch.Tensor):
            rows = rows.cpu().numpy()
        found = torch.from_numpy(self._read(rows))
        if self.device.type == "cuda":
            return found.pin_memory().to(self.device, non_blocking=True)
        return found.to(self.device)

    def to(self, device: torch.device | str) -> TrainingRows:
        """The same rows for a player on `device`."""
        return TrainingRows(self._read, shape=self.shape, dtype=self.dtype, device=device)
