"""The training picture nearest to each of some images, for a person who wants to see whether they are copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from equipoise.errors import InputError
from equipoise.experiment.generator import Gan
from equipoise.experiment.judge.run import run_data
from equipoise.runfolder import RunFolder
from equipoise.training.recorder import training_batches


def require_images(gan: Gan) -> None:
    """Refuse samples that are no images.

    Raises:
        InputError: they are points or rows.
    """
    if gan.space.kind != "images":
        raise InputError(
            "--nearest",
            f"the samples are {gan.space.kind}.",
            "Expected a generator of images.",
            "Leave it out; for a table 'equipoise report-table RUN' says how near its rows are to training rows.",
        )


def save_nearest(gan: Gan, images: Any, path: Path) -> None:
    """Write pairs, a PNG: some of the images, and the training picture nearest to each, in pixels at 32 a side.

    Args:
        gan: that made them.
        images: `(n, channels, height, width)`, bytes; of more than fit on a grid the first ones are shown.
        path: of the PNG.

    Raises:
        RunFolderError: the data have changed since the run began, or are not part of the folder.
    """
    data = gan.data if gan.data is not None else run_data(gan, RunFolder(gan.folder))
    data.domain.save_nearest(np.asarray(images), training_batches(data), path)
