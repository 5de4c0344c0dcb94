"""Writes what the trainer announces into a run folder: measured steps, pictures of samples, checkpoints, status."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Protocol

import numpy as np
import torch

from equipoise.data import PreparedData, write_samples
from equipoise.errors import StorageError
from equipoise.files import replacing
from equipoise.plotting.samples import image_grid, plot_points, plot_table
from equipoise.plotting.style import save_figure
from equipoise.randomness import Stream
from equipoise.runfolder import RunFolder
from equipoise.spaces import sample_size
from equipoise.training.checkpoints import save_checkpoint
from equipoise.training.events import CheckpointDue, Ended, Event, Measured, RolledBack, SamplesDue
from equipoise.training.loop import Trainer
from equipoise.training.sampling import draw_samples

GRID_CLASSES = 10
GRID_COLUMNS = 12
DRAWN_SAMPLES = 2000
"""Points and rows that each picture shows; the points are stored beside it."""
TABLE_ROWS = 100
"""Rows of a table stored beside each picture, and of the real table beside `real.png`."""


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
        part = self.data.shown_part("train")
        path = self.folder.samples / "real.png"
        if part.kind == "images":
            rows = (
                np.concatenate([np.flatnonzero(part.labels == c)[:GRID_COLUMNS] for c in self._classes()])
                if self.conditional
                else np.arange(min(len(part), GRID_COLUMNS * GRID_CLASSES))
            )
            self._write_grid(part.values[rows], path)
        elif part.kind == "points":
            save_figure(plot_points(part.values, values_are_real=True), path)
        else:
            save_figure(plot_table(part.values, values_are_real=True), path)
            write_samples(part.values.head(TABLE_ROWS), self.folder.samples / "real.csv")

    def write(self, trainer: Trainer, step: int) -> None:
        """The picture of `step`, and the numbers behind it for points and tables."""
        average = trainer.generator.average
        network = trainer.generator.network if average is None else average.network
        kind = self.data.space.kind
        shares = torch.from_numpy(self.data.class_shares) if self.conditional else None
        common = {
            "latent_dimensions": trainer.batches.latent_dimensions,
            "seed": self.seed,
            "purpose": Stream.SAMPLE_GRID,
            "sample_numbers": sample_size(self.data.space),
            "device": trainer.batches.real.device,
        }
        if kind == "images":
            if shares is None:
                samples = draw_samples(network, GRID_COLUMNS * GRID_CLASSES, **common)[0].numpy()
            else:
                samples = np.concatenate(
                    [
                        draw_samples(network, GRID_COLUMNS, class_shares=shares, label=c, **common)[0].numpy()
                        for c in self._classes()
                    ]
                )
            self._write_grid(self.data.encoder.decode(samples), self.folder.sample_file(step, ".png"))
            return
        samples = draw_samples(network, DRAWN_SAMPLES, class_shares=shares, **common)[0].numpy()
        values = self.data.encoder.decode(samples)
        real = self.data.shown_part("train").values
        if kind == "points":
            save_figure(plot_points(values, real), self.folder.sample_file(step, ".png"))
            with replacing(self.folder.sample_file(step, ".npy")) as temporary:
                np.save(temporary, values, allow_pickle=False)
        else:
            save_figure(plot_table(values, real), self.folder.sample_file(step, ".png"))
            write_samples(values.head(TABLE_ROWS), self.folder.sample_file(step, ".csv"))

    def _classes(self) -> range:
        return range(min(GRID_CLASSES, self.data.n_classes))

    def _write_grid(self, images: np.ndarray, path: Any) -> None:
        save_figure(image_grid(images, columns=GRID_COLUMNS), path)


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
