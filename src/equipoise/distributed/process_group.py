"""One process's view of those that play with it, and the arithmetic of the joined batch."""

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
    """The processes that play one game together, seen from one of them; this base class is one process alone.

    Attributes:
        rank: number of this process, from 0.
        processes: how many there are.
        local_rank: number of this process on its machine.
        local_processes: how many there are on its machine.
        notice: set it to tell the others something with the next sum of gradients: that play should end.
    """

    def __init__(
        self, rank: int = 0, processes: int = 1, *, local_rank: int | None = None, local_processes: int | None = None
    ) -> None:
        self.rank = rank
        self.processes = processes
        self.local_rank = rank if local_rank is None else local_rank
        self.local_processes = processes if local_processes is None else local_processes
        self.notice = False
        self._heard: Tensor | None = None
        self._heard_before: tuple[Tensor, torch.cuda.Event] | None = None

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes, prints and judges."""
        return self.rank == 0

    @property
    def is_single_process(self) -> bool:
        """Whether there is one process only."""
        return self.processes == 1

    def shard(self, draw: FullBatchDraw, shape: tuple[int, ...]) -> Tensor:
        """This process's entries of a draw for the joined batch.

        Args:
            draw: makes numbers of a given shape, e.g. `lambda shape: torch.randn(shape, generator=stream)`. It is
                called with the shape of the joined batch, in every process alike.
            shape: of this process's batch. Shape `(batch, ...)`.
        """
        if self.processes == 1:
            return draw(shape)
        return self.shard_rows(draw((shape[0] * self.processes, *shape[1:])))

    def shard_rows(self, joined: Tensor) -> Tensor:
        """This process's rows of a joined batch."""
        return joined if self.processes == 1 else joined[self.rank :: self.processes].contiguous()

    def apply_to_shard(self, transform: Callable[[Tensor], Tensor], samples: Tensor) -> Tensor:
        """A random transformation of this process's samples that draws for the whole batch, as one process would.

        `transform` treats each sample independently. Zeros stand in for the samples of the other processes, and their
        results are dropped.
        """
        if self.processes == 1:
            return transform(samples)
        batch = samples.new_zeros((len(samples) * self.processes, *samples.shape[1:]))
        batch[self.rank :: self.processes] = samples
        return self.shard_rows(transform(batch))

    def all_gather(self, *sides: Tensor) -> tuple[Tensor, ...]:
        """Per-sample numbers of the joined batch from those of each process; a gradient flows to one's own.

        Args:
            sides: tensors of shape `(batch,)`; all are gathered at once.

        Returns:
            As many tensors of shape `(batch * processes,)`, in the order of the joined batch, in float32 at least.
        """
        if self.processes == 1:
            return sides
        rows = torch.stack([precise(side) for side in sides])
        return tuple(_Gather.apply(rows, self).unbind(0))

    def mean_shard(self, mean: Tensor) -> Tensor:
        """This process's part of a mean over the joined batch, whose sum over processes is that mean."""
        return mean if self.processes == 1 else mean / self.processes

    def all_reduce(self, parameters: Sequence[torch.nn.Parameter], numbers: Sequence[Tensor] = ()) -> list[Tensor]:
        """Sum the parameters' gradients over all processes, in place, and some numbers with them.

        One flat message carries everything, `notice` too.

        Args:
            parameters: whose gradients; the same ones have a gradient in every process.
            numbers: scalars. Shape `()`.

        Returns:
            The sums of the numbers, the same in every process.
        """
        if self.processes == 1:
            return list(numbers)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        first = gradients[0] if gradients else torch.zeros((), device=numbers[0].device if numbers else "cpu")
        notice = torch.full((1,), float(self.notice), dtype=first.dtype, device=first.device)
        scalars = [number.detach().reshape(1).to(first.dtype) for number in numbers]
        flat = torch.cat([*(gradient.reshape(-1) for gradient in gradients), *scalars, notice])
        self._sum(flat)
        *pieces, rest = flat.split([*(gradient.numel() for gradient in gradients), len(numbers) + 1])
        for gradient, piece in zip(gradients, pieces, strict=True):
            gradient.copy_(piece.view(gradient.shape))
        self._heard = rest[-1]
        return list(rest[:-1].unbind(0))

    def all_reduce_tensors(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The sum over processes of each of some tensors, in one message. The same shapes."""
        if self.processes == 1:
            return list(tensors)
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        self._sum(flat)
        pieces = flat.split([tensor.numel() for tensor in tensors])
        return [piece.view(tensor.shape) for piece, tensor in zip(pieces, tensors, strict=True)]

    def any_noticed(self) -> bool:
        """Whether any process had set `notice` by the last sum of gradients; the same answer in every process.

        On a GPU it is the answer of the call before, which has arrived by now: nothing waits for the device.
        """
        if self._heard is None:
            return False
        if self._heard.device.type != "cuda":
            return bool(self._heard > 0)
        copy = torch.empty((), dtype=self._heard.dtype, pin_memory=True)
        copy.copy_(self._heard, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        before, self._heard_before = self._heard_before, (copy, event)
        if before is None:
            return False
        before[1].synchronize()
        return bool(before[0] > 0)

    def broadcast_object(self, value: Value) -> Value:
        """What the first process decided; plain values as JSON knows them. Every process must ask at the same place."""
        return value if self.processes == 1 else self.all_gather_object(value if self.is_main else None)[0]

    def all_gather_object(self, value: Value) -> list[Value]:
        """The values of all processes in order; plain values as JSON knows them."""
        if self.processes == 1:
            return [value]
        content = json.dumps(value).encode()
        lengths = [int(row[0]) for row in self._gather_plain(torch.tensor([len(content)], dtype=torch.int64))]
        padded = torch.zeros(max(lengths), dtype=torch.uint8)
        padded[: len(content)] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        rows = self._gather_plain(padded)
        return [json.loads(row[:length].numpy().tobytes()) for row, length in zip(rows, lengths, strict=True)]

    def wait(self) -> None:
        """Wait until every process has come here."""
        self.all_gather_object(None)

    def on_main(self, work: Callable[[], Value]) -> Value:
        """What `work` gives in the first process, which alone does it; plain values as JSON knows them.

        The others wait for it as long as it takes. When it fails, they end too.
        """
        return self.broadcast_object(work() if self.is_main else None)  # type: ignore[arg-type]

    def require_same(self, what: str, value: str, *, advice: str) -> None:
        """Refuse processes that differ in what has to be the same.

        Raises:
            ConfigError: they differ; names which.
        """
        if self.processes == 1:
            return
        found = self.all_gather_object(value)
        others = [str(rank) for rank, entry in enumerate(found) if entry != found[0]]
        if others:
            raise ConfigError(
                what,
                f"process {', '.join(others)} of {self.processes} differs from process 0.",
                "Expected the same in every process.",
                advice,
            )

    def place(self, device: torch.device) -> torch.device:
        """Where this process computes when the game is played on `device`; all processes call it alike.

        Raises:
            ConfigError: this machine has fewer GPUs than processes.
        """
        return device

    def tells(self, error: BaseException) -> bool:
        """Whether it is up to this process to tell the person about an error; the others then know it, too."""
        del error
        return True

    def _sum(self, flat: Tensor) -> None:
        """Replace a vector by its sum over processes."""
        raise NotImplementedError

    def _gather(self, rows: Tensor) -> Tensor:
        """The tensors of all processes. Shape `(processes, *rows.shape)`."""
        raise NotImplementedError

    def _gather_plain(self, values: Tensor) -> Tensor:
        """As `_gather`, for tensors on the CPU, and with patience."""
        return self._gather(values)


class _Gather(torch.autograd.Function):
    """`(k, batch)` of each process to `(k, batch * processes)` in joined order; backward, one's own entries.

    `_Own` is its adjoint among functions of the joined batch, and the reverse, so that gradients of gradients that
    pass through here are exact as well.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group = group
        return group._gather(rows.contiguous()).permute(1, 2, 0).reshape(len(rows), -1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Own.apply(gradient, ctx.group), None


class _Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, joined: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group = group
        return joined[:, group.rank :: group.processes].contiguous()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Gather.apply(gradient, ctx.group), None


SINGLE_PROCESS = ProcessGroup()
"""The only process there is."""
