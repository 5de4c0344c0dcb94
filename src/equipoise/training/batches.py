"""The batches of a run as a pure function of (seed, step): nothing to store, nothing to rewind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from equipoise.data.sampler import DRAWN_AHEAD, StratifiedDraws, WeightedDraws, batch_indices, epoch_entries
from equipoise.data.training_rows import TrainingRows
from equipoise.distributed import SINGLE_PROCESS, ProcessGroup
from equipoise.game.step import Batch
from equipoise.randomness import Stream, numpy_stream, torch_stream


class BatchSource:
    """Real samples, labels and latents for every update of every step.

    Args:
        real: every training sample. Shape `(rows, *sample_shape)`; float32, or uint8 with `to_float`. A tensor, or
            `TrainingRows` of data on disk, which are read a batch at a time.
        latent_dimensions: width of the latents.
        batch_size: samples of each side in one update, of all processes together.
        updates_per_step: batches per step.
        seed: of the whole run.
        labels: class of each training sample. Shape `(rows,)`.
        to_float: turns a stored batch into what the networks see.
        weights: chance of each row, up to a factor; `None` visits every row once per epoch.
        needs_randomness: whether a penalty draws points; each batch then carries a stream of its own.
        antithetic: whether samples i and i + batch/2 of a batch have the latents eps and -eps: each has the law that it
            has without, and whatever is odd in the latents cancels from every mean over the batch.
        components: of a generator with a mixture prior, which reads them off the last latent; each then comes equally
            often, in a random order that goes through all of them before one comes again. `None`: there are none.
        order: of the rows, along which a batch takes one row from each of as many equal stretches; see
            `data.kd_order`. `None` takes them in a random order.
        mirrored: whether each real image of a batch is mirrored, left to right, with chance 1/2.
        withheld: share of the rows that no batch has, drawn from the seed; `withheld_batch` has them.
        group: the processes that train together; each is given its shard of a batch.
    """

    def __init__(
        self,
        real: Tensor | TrainingRows,
        *,
        latent_dimensions: int,
        batch_size: int,
        updates_per_step: int,
        seed: int,
        labels: Tensor | None = None,
        to_float: Callable[[Tensor], Tensor] | None = None,
        weights: np.ndarray | None = None,
        needs_randomness: bool = False,
        antithetic: bool = False,
        components: int | None = None,
        order: np.ndarray | None = None,
        mirrored: bool = False,
        withheld: float = 0.0,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        self.withheld, self._used = withheld_rows(len(real), share=withheld, seed=seed, labels=labels)
        if self._used is not None:
            weights = None if weights is None else weights[self._used]
            order = None if order is None else np.searchsorted(self._used, order[np.isin(order, self._used)])
        self.real = real
        self.labels = labels
        self.latent_dimensions = latent_dimensions
        self.batch_size = batch_size
        self.updates_per_step = updates_per_step
        self.seed = seed
        self.to_float = to_float
        self.weighted = None if weights is None else WeightedDraws(weights, seed=seed)
        self.antithetic, self.components = antithetic, components
        self._stratified = None if order is None else StratifiedDraws(order, weights=weights, seed=seed)
        self._importance = None if weights is None else importance_weights(weights)
        self._ahead: tuple[int, Tensor] | None = None
        self.needs_randomness = needs_randomness
        self.mirrored = mirrored
        self.group = group

    def at(self, step: int, *, joined: bool = False) -> list[Batch]:
        """This process's part of the batches of `step`, one per update; or the whole of them, `joined`."""
        group = SINGLE_PROCESS if joined else self.group
        first = step * self.updates_per_step
        return [self.batch(first + index, group) for index in range(self.updates_per_step)]

    def batch(self, draw: int, group: ProcessGroup = SINGLE_PROCESS) -> Batch:
        """The batch with global number `draw`, or one process's part of it."""
        device = self.real.device
        rows = torch.from_numpy(self.rows(draw)[group.rank :: group.world_size])
        read = None if isinstance(self.real, Tensor) else self.real[rows]  # by numbers that the CPU has
        if device.type != "cpu":
            rows = rows.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else rows.to(device)
        real = self.real.index_select(0, rows) if read is None else read
        if self.mirrored:
            coins = torch.rand(self.batch_size, generator=torch_stream(self.seed, Stream.MIRRORED_ROWS, draw)) < 0.5
            real = torch.where(group.shard_rows(coins).to(device)[:, None, None, None], real.flip(3), real)
        return Batch(
            real=real if self.to_float is None else self.to_float(real),
            latents=group.shard_rows(self.latents(draw)),
            labels=None if self.labels is None else self.labels[rows],
            randomness=torch_stream(self.seed, Stream.PENALTIES, draw, device=device)
            if self.needs_randomness
            else None,
        )

    def latents(self, draw: int) -> Tensor:
        """The latents of the whole batch with global number `draw`, float32 `(batch, latent_dimensions)`.

        Each column is standard normal. With components, the last one is the normal quantile of (k + u) / K, for the
        component k of K and a uniform u that stays off the borders by a twentieth, which float32 tells apart.
        """
        if self.components is not None:
            block, place = divmod(draw, DRAWN_AHEAD)
            if self._ahead is None or self._ahead[0] != block:
                self._ahead = block, self._latents_of_components(block).to(self.real.device)
            return self._ahead[1][place]
        device = self.real.device
        stream = torch_stream(self.seed, Stream.LATENTS, draw, device=device)
        fresh = -(-self.batch_size // 2) if self.antithetic else self.batch_size
        drawn = torch.randn(fresh, self.latent_dimensions, generator=stream, device=device)
        return torch.cat([drawn, -drawn])[: self.batch_size] if self.antithetic else drawn

    def _latents_of_components(self, block: int) -> Tensor:
        """The latents of as many draws as are made ahead, float32 `(draws, batch, latent_dimensions)`.

        They are few numbers, drawn on the CPU whatever the device: some devices know no float64.
        """
        assert self.components is not None
        stream = torch_stream(self.seed, Stream.LATENTS, block)
        fresh = -(-self.batch_size // 2) if self.antithetic else self.batch_size
        drawn = torch.randn(DRAWN_AHEAD, fresh, self.latent_dimensions, generator=stream)
        count = DRAWN_AHEAD * fresh
        entries = epoch_entries(
            seed=self.seed, purpose=Stream.COMPONENTS, start=block * count, count=count, length=self.components
        )
        within = 0.05 + 0.9 * torch.rand(count, generator=stream, dtype=torch.float64)
        quantiles = (torch.from_numpy(entries) + within) / self.components
        drawn[:, :, -1] = torch.special.ndtri(quantiles).reshape(DRAWN_AHEAD, fresh).to(drawn.dtype)
        if not self.antithetic:
            return drawn
        opposite = -drawn
        opposite[:, :, -1] = drawn[:, :, -1]
        return torch.cat([drawn, opposite], dim=1)[:, : self.batch_size]

    def rows(self, draw: int) -> np.ndarray:
        """Which training rows make the batch with global number `draw`, int64 `(batch,)`."""
        places = self._places(draw)
        return places if self._used is None else self._used[places]

    def _places(self, draw: int) -> np.ndarray:
        """The same as places among the rows that batches are made of."""
        if self._stratified is not None:
            return self._stratified.indices(draw=draw, batch_size=self.batch_size)
        if self.weighted is not None:
            return self.weighted.indices(draw=draw, batch_size=self.batch_size)
        rows = len(self.real) if self._used is None else len(self._used)
        return batch_indices(seed=self.seed, draw=draw, batch_size=self.batch_size, rows=rows)

    def withheld_batch(self, look: int) -> tuple[Tensor, Tensor | None]:
        """Real samples that no batch has, for the `look`-th look at them, and their labels; at most a batch."""
        count = min(self.batch_size, len(self.withheld))
        entries = epoch_entries(
            seed=self.seed, purpose=Stream.WITHHELD_ROWS, start=look * count, count=count, length=len(self.withheld)
        )
        rows = torch.from_numpy(self.withheld[entries])
        rows = rows if isinstance(self.real, TrainingRows) else rows.to(self.real.device)
        real = self.real[rows]
        labels = None if self.labels is None else self.labels[rows.to(self.labels.device)]
        return real if self.to_float is None else self.to_float(real), labels

    @property
    def leaves_rows_out(self) -> bool:
        """Whether some training rows are never drawn, because their weight is 0."""
        return self._importance is not None and not self._importance.all()

    def importance(self, draw: int) -> Tensor | None:
        """The known weights that bring a mean over that batch back to the data, `(batch,)`; `None` for even draws."""
        return None if self._importance is None else torch.from_numpy(self._importance[self._places(draw)])


def withheld_rows(
    rows: int, *, share: float, seed: int, labels: Tensor | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Row numbers that no batch has, and those that batches are made of, ascending int64; `None` stands for all.

    At least one row is withheld where a share above 0 is, and of every class one is left to learn from: of classes with
    one row each, none is withheld.
    """
    if share <= 0:
        return np.empty(0, dtype=np.int64), None
    classes = np.zeros(rows, dtype=np.int64) if labels is None else labels.cpu().numpy()
    order = numpy_stream(seed, Stream.WITHHELD_ROWS).permutation(rows)
    _, last = np.unique(classes[order][::-1], return_index=True)  # the last of each class in this order
    may_go = np.ones(rows, dtype=bool)
    may_go[rows - 1 - last] = False
    chosen = order[may_go][: max(1, round(share * rows))]
    return np.sort(chosen), np.setdiff1d(np.arange(rows), chosen)


def importance_weights(weights: np.ndarray) -> np.ndarray:
    """Mean weight over weight, float64 `(n,)`: 1/w with its constant known, over the rows that can be drawn.

    Under draws in proportion to `weights` its expectation is 1. Rows of weight 0 are never drawn and get 0.
    """
    positive = weights > 0
    # In units of the largest weight, so that no sum overflows.
    shares = np.asarray(weights, dtype=np.float64) / np.max(weights)
    return np.divide(shares[positive].mean(), shares, out=np.zeros(len(shares)), where=positive)
