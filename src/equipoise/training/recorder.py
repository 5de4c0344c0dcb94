"""Writes what the trainer announces into a run folder: measured steps, pictures of samples, checkpoints, status."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Protocol

import numpy as np
import torch

from equipoise.data import PreparedData
from equipoise.errors import StorageError
from equipoise.randomness import Stream
from equipoise.runfolder import RunFolder
from equipoise.spaces import sample_size
from equipoise.training.checkpoints import save_checkpoint
from equipoise.training.events import CheckpointDue, Ended, Event, Measured, RolledBack, SamplesDue
from equipoise.training.loop import Trainer
from equipoise.training.sampling import draw_samples


class Progress(Protocol):
    """Who is told how far a run has come; the command line shows a bar."""

    def start(self, total_steps: int, start_step: int, description: str) -> None: ...

    def update(self, step: int, fields: dict[str, Any]) -> None: ...

    def message(self, text: str) -> None: ...

    def close(self) -> None: ...


class SampleGrids:
    """Draws the same latents at every look, so that one watches the same samples grow."""

    def __init__(self, folder: RunFolder, data: PreparedData, *, seed: int, conditional: bool) -> None:
        self.folder = folder
        self.data = data
        self.seed = seed
        self.conditional = conditional

    def write_real(self) -> None:
        """`real.png`: training samples laid out like the generated ones."""
        domain = self.data.domain
        values = domain.shown(self.data.shown_part("train"), by_class=self.conditional)
        domain.save_shown(values, self.folder.samples / "real.png", values_are_real=True)

    def write(self, trainer: Trainer, step: int) -> None:
        """The sample grid or plot of `step`, and the numbers behind it for points and tables."""
        average = trainer.generator.average
        network = trainer.generator.network if average is None else average.network
        domain = self.data.domain
        drawn = [
            draw_samples(
                network,
                count,
                latent_dimensions=trainer.batches.latent_dimensions,
                seed=self.seed,
                purpose=Stream.SAMPLE_GRID,
                sample_numbers=sample_size(self.data.space),
                class_shares=torch.from_numpy(self.data.class_shares) if self.conditional else None,
                label=label,
                device=trainer.batches.real.device,
            )[0].numpy()
            for count, label in domain.shown_draws(self.data.n_classes, by_class=self.conditional)
        ]
        values = self.data.encoder.decode(np.concatenate(drawn))
        path = self.folder.sample_file(step, ".png")
        domain.save_shown(values, path, read_real=lambda: self.data.shown_part("train").values)


class Recorder:
    """A handler that keeps a run folder up to date.

    Args:
        folder: where to write.
        sheets: who draws the pictures.
        progress: who is told, or `None`.
    """

    def __init__(self, folder: RunFolder, grids: SampleGrids, *, progress: Progress | None = None) -> None:
        self.folder = folder
        self.grids = grids
        self.progress = progress
        self.trainer: Trainer | None = None
        self.live: Callable[[], dict[str, str]] = dict  # what else a progress display shows
        self._values: deque[float] = deque(maxlen=20)
        self._flags: list[str] = []
        self._said: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Write what the event asks for."""
        assert self.trainer is not None, "give the recorder its trainer before play begins"
        if isinstance(event, Measured):
            self.folder.append(self.folder.metrics, event.row)
            if "saturation" in event.row:
                self._flag(event.row["saturation"]["flags"])
            self._tell(event)
        elif isinstance(event, SamplesDue):
            self.grids.write(self.trainer, event.step)
        elif isinstance(event, CheckpointDue):
            save_checkpoint(self.folder.checkpoints, self.trainer)
            self.folder.write_status(state="training", step=event.step, steps=self.trainer.plan.steps)
        elif isinstance(event, Ended):
            self.folder.write_status(state="finished" if event.is_complete else "stopped", step=event.step)

    def _flag(self, flags: list[str]) -> None:
        """Put the present signs of trouble into the status; tell the person about each kind once."""
        if flags != self._flags:
            self.folder.write_status(flags=flags, message=" ".join(flags))
            self._flags = flags
        for text in flags:
            if text not in self._said and self.progress is not None:
                self.progress.message(text)
            self._said.add(text)

    def _tell(self, event: Measured) -> None:
        if self.progress is None:
            return
        self._values.append(event.row["value"])
        self.progress.update(
            event.step,
            {
                "value": float(np.mean(self._values)),
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
            # What an earlier file says of this step and later ones was said of play that was cut off or put back.
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
