"""Writes what the trainer announces into a run folder: measured steps, sample grids, checkpoints, status."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import nn

from equipoise.data import PreparedData
from equipoise.errors import StorageError
from equipoise.files import remove
from equipoise.randomness import Stream
from equipoise.runfolder import RunFolder
from equipoise.spaces import sample_size
from equipoise.training.checkpoints import save_checkpoint
from equipoise.training.conditions import ClassLabels
from equipoise.training.events import CheckpointDue, Ended, Event, Measured, RolledBack, SamplesDue
from equipoise.training.progress import Progress
from equipoise.training.sampling import SUB_BATCH, joined, sample_batches
from equipoise.training.state import TrainingState

MOST_COMPARED, COMPARED_AT_ONCE = 20_000, 1_000
"""Training rows among which the nearest is looked for, and how many are in memory at once."""


def training_batches(data: PreparedData) -> Iterator[Any]:
    """Training samples among which the nearest is looked for; of more than `MOST_COMPARED` as many, spread evenly."""
    rows = data.split.train
    rows = rows[:: -(-len(rows) // MOST_COMPARED)]
    return (data.raw.rows(rows[at : at + COMPARED_AT_ONCE]).values for at in range(0, len(rows), COMPARED_AT_ONCE))


class SampleGrids:
    """Draws the same latents each time, so that one watches the same samples grow."""

    def __init__(self, folder: RunFolder, data: PreparedData, *, seed: int, conditional: bool) -> None:
        self.folder, self.data, self.seed, self.conditional = folder, data, seed, conditional

    def write_real(self) -> None:
        """`real.png`: training samples laid out like the generated ones, unless it is there."""
        if (self.folder.samples / "real.png").is_file():
            return
        domain = self.data.domain
        values = domain.shown(self.data.shown_part("train"), by_class=self.conditional)
        domain.save_shown(values, self.folder.samples / "real.png", values_are_real=True)

    def write(self, state: TrainingState) -> None:
        """The sample grid or plot of a step, and the numbers behind it for points and tables."""
        self.write_of(
            state.sampled_generator,
            state.step,
            latents=state.batches.latent_dimensions,
            device=state.batches.real.device,
        )

    def write_of(self, generator: nn.Module, step: int, *, latents: int, device: torch.device) -> None:
        """As `write`, of a generator that was loaded from the checkpoint of a step."""
        values = self._shown(generator, latents=latents, device=device)
        path = self.folder.sample_file(step, ".png")
        self.data.domain.save_shown(values, path, read_real=lambda: self.data.shown_part("train").values)

    def write_nearest(self, generator: nn.Module, *, latents: int, device: torch.device) -> None:
        """Samples of a generator beside the nearest training samples, where that can be shown."""
        values = self._shown(generator, latents=latents, device=device)
        self.data.domain.save_nearest(values, training_batches(self.data), self.folder.nearest)

    def _shown(self, generator: nn.Module, *, latents: int, device: torch.device) -> Any:
        domain = self.data.domain
        drawn = [
            joined(
                sample_batches(
                    generator,
                    count,
                    latent_dimensions=latents,
                    seed=self.seed,
                    purpose=Stream.SAMPLE_GRID,
                    sample_numbers=sample_size(self.data.space),
                    condition=self._asked(label),
                    device=device,
                    # Ten of each class in whole chunks are ten thousand: of small images that took most of a short run.
                    at_once=SUB_BATCH if count <= SUB_BATCH else None,
                )
            )[0].numpy()
            for count, label in domain.shown_draws(self.data.n_classes, by_class=self.conditional)
        ]
        return self.data.encoder.decode(np.concatenate(drawn))

    def _asked(self, label: int | None) -> ClassLabels | None:
        return ClassLabels(torch.from_numpy(self.data.class_shares), label) if self.conditional else None


class Recorder:
    """A handler that keeps a run folder up to date.

    Args:
        folder: where to write.
        grids: who draws the samples.
        progress: who is told.
        live: what else a progress display shows.
    """

    def __init__(
        self,
        folder: RunFolder,
        grids: SampleGrids,
        *,
        progress: Progress,
        live: Callable[[], dict[str, str]] = dict,
    ) -> None:
        self.folder = folder
        self.grids = grids
        self.progress = progress
        self.live = live
        self._values: deque[float] = deque(maxlen=20)
        self._flags: list[str] = []
        self._said: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Write what the event asks for."""
        if isinstance(event, Measured):
            self.folder.append(self.folder.metrics, event.row)
            if "saturation" in event.row:
                self._flag(event.row["saturation"]["flags"])
            self._tell(event)
        elif isinstance(event, SamplesDue):
            # Not before the first step: a picture of a table takes as long as a hundred of them.
            self.grids.write_real()
            self.grids.write(event.state)
        elif isinstance(event, CheckpointDue):
            save_checkpoint(self.folder.checkpoints, event.state)
            self.folder.write_status(state="training", step=event.step, steps=event.state.plan.steps)
        elif isinstance(event, Ended):
            self.grids.write_real()
            if event.is_complete:
                # A report of fewer steps would say that nothing is left to do.
                remove(self.folder.report)
            self.folder.write_status(state="finished" if event.is_complete else "stopped", step=event.step)

    def _flag(self, flags: list[str]) -> None:
        """Put the present signs of trouble into the status; tell the person about each kind once."""
        if flags != self._flags:
            self.folder.write_status(flags=flags, message=" ".join(flags))
            self._flags = flags
        for text in flags:
            if text not in self._said:
                self.progress.message(text)
            self._said.add(text)

    def _tell(self, event: Measured) -> None:
        if event.row["value"] is not None:
            self._values.append(event.row["value"])
        # Before the game there is no value of one: the stage's own loss is shown.
        shown = float(np.mean(self._values)) if self._values else event.row["negative_log_likelihood"]
        self.progress.update(
            event.step,
            {
                "value" if self._values else "negative_log_likelihood": shown,
                "steps_per_second": event.row["steps_per_second"],
                **self.live(),
            },
        )


class TensorBoardEvents:
    """A handler that writes TensorBoard events, when the package is installed."""

    def __init__(self, folder: RunFolder) -> None:
        from torch.utils.tensorboard import SummaryWriter

        _explain_refused_writes_once()
        self.folder = str(folder.path / "tensorboard")
        self.open = partial(SummaryWriter, self.folder)
        self.writer: SummaryWriter | None = None

    def __call__(self, event: Event) -> None:
        """Write the numbers of a measured step.

        Raises:
            StorageError: the file system refused.
        """
        try:
            if isinstance(event, Measured):
                self._write(event)
            elif isinstance(event, (RolledBack, Ended)) and self.writer is not None:
                self.writer.close()
                self.writer = None
        except OSError as error:
            raise StorageError.from_os_error(self.folder, error) from error

    def _write(self, event: Measured) -> None:
        if self.writer is None:
            # What an earlier file says of this step and later ones was said of training that was cut off or put back.
            self.writer = self.open(purge_step=event.step)
        for key, value in event.row.items():
            if key == "histogram" or value is None:
                continue
            entries = value.items() if isinstance(value, dict) else [(None, value)]
            for name, number in entries:
                if isinstance(number, (int, float)):
                    self.writer.add_scalar(key if name is None else f"{key}/{name}", number, event.step)


@cache
def _explain_refused_writes_once() -> None:
    """Keep TensorBoard's writing thread from printing a traceback when the file system refuses.

    The thread hands the same error to the next call of the writer, where it becomes a `StorageError`.
    """
    before = threading.excepthook

    def hook(event: threading.ExceptHookArgs) -> None:
        is_writer = type(event.thread).__module__.startswith("tensorboard")
        if not (is_writer and issubclass(event.exc_type, OSError)):
            before(event)

    threading.excepthook = hook
