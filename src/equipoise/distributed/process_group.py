"""A process group as one of its processes sees it, and the arithmetic of a batch that the processes share."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from equipoise.errors import ConfigError
from equipoise.shapes import precise

FullBatchDraw = Callable[[tuple[int, ...]], Tensor]
Value = TypeVar("Value")


class ProcessGroup:
    """The processes that train together; this base class is a single process.

    Attributes:
        rank: number of this process, from 0.
        world_size: number of processes.
        local_rank: number of this process on its machine.
        local_world_size: number of processes on this machine.
        stop_requested: set it to tell the others, with the next sum of gradients, that training should end.
    """

    def __init__(
        self, rank: int = 0, world_size: int = 1, *, local_rank: int | None = None, local_world_size: int | None = None
    ) -> None:
        self.rank = rank
        self.world_size = world_size
        self.local_rank = rank if local_rank is None else local_rank
        self.local_world_size = world_size if local_world_size is None else local_world_size
        self.stop_requested = False
        self._flag: Tensor | None = None
        self._previous_flag: tuple[Tensor, torch.cuda.Event] | None = None

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes, prints and judges."""
        return self.rank == 0

    @property
    def is_single_process(self) -> bool:
        """Whether there is one process only."""
        return self.world_size == 1

    def shard(self, draw: FullBatchDraw, shape: tuple[int, ...]) -> Tensor:
        """This process's entries of random numbers for the whole batch.

        Args:
            draw: makes numbers of a given shape, e.g. `lambda shape: torch.randn(shape, generator=stream)`. It is
                called with the shape of the whole batch, in every process alike.
            shape: of this process's batch. Shape `(batch, ...)`.
        """
        if self.world_size == 1:
            return draw(shape)
        return self.shard_rows(draw((shape[0] * self.world_size, *shape[1:])))

    def shard_rows(self, batch: Tensor) -> Tensor:
        """This process's rows of a whole batch."""
        return batch if self.world_size == 1 else batch[self.rank :: self.world_size].contiguous()

    def apply_to_shard(self, transform: Callable[[Tensor], Tensor], samples: Tensor) -> Tensor:
        """A random transformation of this process's samples that draws for the whole batch, as one process would.

        `transform` treats each sample independently. Zeros stand in for the samples of the other processes, and their
        results are dropped.
        """
        if self.world_size == 1:
            return transform(samples)
        batch = samples.new_zeros((len(samples) * self.world_size, *samples.shape[1:]))
        batch[self.rank :: self.world_size] = samples
        return self.shard_rows(transform(batch))

    def all_gather(self, *sides: Tensor) -> tuple[Tensor, ...]:
        """Per-sample numbers of the whole batch from those of each process; a gradient flows to this process's own.

        Args:
            sides: tensors of shape `(batch,)`; all are gathered at once.

        Returns:
            As many tensors of shape `(batch * processes,)`, in the order of the whole batch, in float32 at least.
        """
        if self.world_size == 1:
            return sides
        rows = torch.stack([precise(side) for side in sides])
        return tuple(_Gather.apply(rows, self).unbind(0))

    def shard_of_mean(self, mean: Tensor) -> Tensor:
        """This process's part of a mean over the whole batch; the parts of all processes add up to the mean."""
        return mean if self.world_size == 1 else mean / self.world_size

    def all_reduce(self, parameters: Sequence[torch.nn.Parameter], numbers: Sequence[Tensor] = ()) -> list[Tensor]:
        """Sum the parameters' gradients over all processes, in place, and some numbers with them.

        One flat message carries everything, `stop_requested` too.

        Args:
            parameters: whose gradients; the same ones have a gradient in every process.
            numbers: scalars. Shape `()`.

        Returns:
            The sums of the numbers, the same in every process.
        """
        if self.world_size == 1:
            return list(numbers)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        first = gradients[0] if gradients else torch.zeros((), device=numbers[0].device if numbers else "cpu")
        flag = torch.full((1,), float(self.stop_requested), dtype=first.dtype, device=first.device)
        scalars = [number.detach().to(first.dtype) for number in numbers]
        *sums, flags = self.all_reduce_tensors([*gradients, *scalars, flag])
        for gradient, total in zip(gradients, sums[: len(gradients)], strict=True):
            gradient.copy_(total)
        self._flag = flags[0]
        return sums[len(gradients) :]

    def all_reduce_tensors(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The sum over processes of each of some tensors, in one message. The same shapes."""
        if self.world_size == 1:
            return list(tensors)
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        self._sum(flat)
        pieces = flat.split([tensor.numel() for tensor in tensors])
        return [piece.view(tensor.shape) for piece, tensor in zip(pieces, tensors, strict=True)]

    def any_stop_requested(self) -> bool:
        """Whether any process had set `stop_requested` by the last sum of gradients; the same answer in every process.

        On a GPU it is the answer of the call before, which has arrived by now: nothing waits for the device.
        """
        if self._flag is None:
            return False
        if self._flag.device.type != "cuda":
            return bool(self._flag > 0)
        copy = torch.empty((), dtype=self._flag.dtype, pin_memory=True)
        copy.copy_(self._flag, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        before, self._previous_flag = self._previous_flag, (copy, event)
        if before is None:
            return False
        before[1].synchronize()
        return bool(before[0] > 0)

    def broadcast_object(self, value: Value) -> Value:
        """The first process's value in every process; plain values as JSON knows them. All processes call it alike."""
        return value if self.world_size == 1 else self.all_gather_object(value if self.is_main else None)[0]

    def all_gather_object(self, value: Value) -> list[Value]:
        """The values of all processes in order; plain values as JSON knows them."""
        if self.world_size == 1:
            return [value]
        content = json.dumps(value).encode()
        lengths = [int(row[0]) for row in self._gather_plain(torch.tensor([len(content)], dtype=torch.int64))]
        padded = torch.zeros(max(lengths), dtype=torch.uint8)
        padded[: len(content)] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        rows = self._gather_plain(padded)
        return [json.loads(row[:length].numpy().tobytes()) for row, length in zip(rows, lengths, strict=True)]

    def barrier(self) -> None:
        """Wait until every process has called this."""
        self.all_gather_object(None)

    def on_main(self, work: Callable[[], Value]) -> Value:
        """What `work` gives in the first process, which alone does it; plain values as JSON knows them.

        The others wait for it as long as it takes. When it fails, they fail, too.
        """
        return self.broadcast_object(work() if self.is_main else None)  # type: ignore[arg-type]

    def require_same(self, what: str, value: str, *, advice: str) -> None:
        """Refuse processes that differ in what has to be the same.

        Raises:
            ConfigError: they differ; names which.
        """
        if self.world_size == 1:
            return
        found = self.all_gather_object(value)
        others = [str(rank) for rank, entry in enumerate(found) if entry != found[0]]
        if others:
            raise ConfigError(
                what,
                f"process {', '.join(others)} of {self.world_size} differs from process 0.",
                "Expected the same in every process.",
                advice,
            )

    def assign_device(self, device: torch.device) -> torch.device:
        """The device of this process when training is on `device`; all processes call it alike.

        Raises:
            ConfigError: this machine has fewer GPUs than processes.
        """
        return device

    def reports(self, error: BaseException) -> bool:
        """Whether this process is the one to show an error to the person; it shares the error with the others."""
        del error
        return True

    def _sum(self, flat: Tensor) -> None:
        """Replace a vector by its sum over processes."""
        raise NotImplementedError

    def _gather(self, rows: Tensor) -> Tensor:
        """The tensors of all processes. Shape `(processes, *rows.shape)`."""
        raise NotImplementedError

    def _gather_plain(self, values: Tensor) -> Tensor:
        """As `_gather`, for tensors on the CPU, with a long timeout."""
        return self._gather(values)


class _Gather(torch.autograd.Function):
    """`(k, batch)` of each process to `(k, batch * processes)` in the order of the whole batch; backward, own entries.

    `_TakeOwn` is its adjoint, and the reverse, so that gradients of gradients are exact as well.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group = group
        return group._gather(rows.contiguous()).permute(1, 2, 0).reshape(len(rows), -1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _TakeOwn.apply(gradient, ctx.group), None


class _TakeOwn(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, batch: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group = group
        return batch[:, group.rank :: group.world_size].contiguous()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Gather.apply(gradient, ctx.group), None


SINGLE_PROCESS = ProcessGroup()
"""The group of one process alone."""
