"""What every kind of data answers: how its samples become numbers and back, and whatever else differs by kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equipoise.data.dataset import Aligned, Dataset
from equipoise.data.digest import Digest
from equipoise.data.duplicates import Groups
from equipoise.data.judging import Judging
from equipoise.data.splits import SHARE
from equipoise.data.store.cache import Draft, Entry
from equipoise.data.training_rows import TrainingRows
from equipoise.errors import DataError
from equipoise.spaces import Space

SHOWN_SAMPLES = 2000
"""Points and rows of a table in one plot."""


class Encoder(ABC):
    """Turns natural values into samples for the players, and back.

    Attributes:
        space: what one encoded sample is.
    """

    space: Space

    @abstractmethod
    def encode(self, values: Any) -> np.ndarray:
        """Float32 `(n, *space.shape)` from values in their natural form."""

    @abstractmethod
    def decode(self, samples: np.ndarray | torch.Tensor, *, offset: int = 0) -> Any:
        """Natural values from `(n, *space.shape)`, of which `offset` others came before: a draw may depend on it."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Plain values from which `domain.encoder_from_state` makes an equal encoder."""

    def to_float(self, batch: torch.Tensor) -> torch.Tensor:
        """A batch as it is stored, on any device, as what the players see; float32 that is stored stays as it is."""
        return batch


class Domain(Judging):
    """One kind of data; how it is judged is in `Judging`.

    Attributes:
        kind: its name, as in `Dataset.kind` and `Space.kind`.
        phrase: what a source of it holds, for messages: 'points', 'images' or 'a table'.
        bytes_per_number: memory of one number of a sample, as the training part is held.
        file_name: the file that `write_samples` puts into a folder; '' where every sample has a file of its own.
        consistency_augmentation: what a consistency penalty does to samples where nobody says it; `None` is nothing.
    """

    kind: str
    phrase: str
    bytes_per_number = 4
    file_name = ""
    consistency_augmentation: str | None = None

    def preset_name(self, space: Space) -> str:
        """The preset that suits samples of a space."""
        del space
        return self.kind

    def held_out_share(self, rows: int) -> float:
        """Share of so many rows that each held-out part gets."""
        del rows
        return SHARE

    @abstractmethod
    def fit(self, raw: Dataset, rows: np.ndarray) -> Encoder:
        """The encoder, fitted on the rows with these numbers alone.

        Raises:
            DataError: a column cannot be learned, or nothing varies.
        """

    def remarks(self, raw: Dataset) -> tuple[str, ...]:
        """Sentences on what about the data will be learned badly as it is; none for most."""
        del raw
        return ()

    @abstractmethod
    def encoder_from_state(self, state: dict[str, Any]) -> Encoder:
        """The encoder that `state()` described; an incomplete or wrong state raises whatever it leads to."""

    def check_encoder(self, encoder: Any) -> None:
        """Look at an encoder that came from a file.

        Raises:
            ValueError: it contradicts itself.
        """

    def stored(self, encoder: Encoder, values: Any) -> torch.Tensor:
        """Natural values as the training part is held: `encoder.to_float` makes of a batch what the players see."""
        return torch.from_numpy(encoder.encode(values))

    def keep_rows(self, draft: Draft, raw: Dataset, rows: np.ndarray, encoder: Any) -> None:
        """Put into a draft what training rows of data on disk are read from, where it is not the data themselves."""

    @abstractmethod
    def training_rows(self, raw: Dataset, rows: np.ndarray, encoder: Any, entry: Entry) -> TrainingRows:
        """The rows with these numbers of data on disk, as `stored` gives them, read when they are drawn.

        Args:
            raw: the data.
            rows: numbers of the training rows.
            encoder: fitted on them.
            entry: that `keep_rows` wrote.
        """

    @abstractmethod
    def groups(self, values: Any) -> Groups:
        """Which samples are the same thing twice."""

    def add_to(self, digest: Digest, values: Any) -> None:
        """Put the values into the data's fingerprint."""
        digest.add_array(values)

    @abstractmethod
    def aligned(self, real: Dataset, fake: Dataset) -> Aligned:
        """Both sides' values with the same axes, channels and columns.

        Raises:
            DataError: they differ in number of coordinates, in columns or in transparency.
        """

    def size_of(self, values: Any) -> tuple[int, int] | None:
        """Height and width, which another source has to be read at; `None` where there is no such thing."""

    def presented(self, values: Any) -> Any:
        """Natural values as people hold them: images with their channels last."""
        return values

    def with_classes(self, values: Any, column: str | None, classes: Sequence[str]) -> Any:
        """Generated values whose column of labels, where there is one, says the class that each was asked for."""
        del column, classes
        return values

    def shown(self, part: Dataset, *, by_class: bool) -> Any:
        """Values of a part that a sample grid or plot shows."""
        del by_class
        return part.values

    def shown_draws(self, classes: int, *, by_class: bool) -> Sequence[tuple[int, int | None]]:
        """How many samples are drawn for a sample grid or plot, and of which class; `None` is any."""
        del classes, by_class
        return ((SHOWN_SAMPLES, None),)

    def save_nearest(self, values: Any, batches: Iterable[Any], path: Path) -> None:
        """Write generated samples with the nearest training sample beside each, where that can be seen: of images.

        Args:
            values: generated ones, as `shown_draws` orders them.
            batches: training rows in natural values, a few at a time; read only where they are wanted.
            path: of the PNG.
        """
        del values, batches, path

    @abstractmethod
    def save_shown(
        self,
        values: Any,
        path: Path,
        *,
        read_real: Callable[[], Any] | None = None,
        values_are_real: bool = False,
    ) -> None:
        """Write a sample grid or plot, a PNG, and the numbers behind it beside it.

        Args:
            values: what to show.
            path: of the PNG.
            read_real: gives values of the training part to show beside them; images are shown alone.
            values_are_real: whether `values` are themselves real.
        """

    def save_most_discriminative(
        self, scored: tuple[Any, Any], scores: tuple[np.ndarray, np.ndarray], path: Path
    ) -> None:
        """Write the samples that a classifier was surest of, a PNG, where they are something to look at.

        Args:
            scored: test samples of the real and of the generated side.
            scores: the classifier's logits of them.
            path: of the PNG.
        """


def checked_samples(samples: np.ndarray | torch.Tensor, space: Space) -> np.ndarray:
    """Samples as a numpy array.

    Raises:
        DataError: their shape is not that of the space, or some are not finite.
    """
    found = samples.detach().float().cpu().numpy() if isinstance(samples, torch.Tensor) else np.asarray(samples)
    if found.shape[1:] != space.shape:
        raise DataError(
            "decoding samples",
            f"they have the shape {found.shape}.",
            f"Expected (n, {', '.join(str(size) for size in space.shape)}).",
        )
    if not np.isfinite(found).all():
        bad = int((~np.isfinite(found).reshape(len(found), -1).all(axis=1)).sum())
        raise DataError(
            "decoding samples",
            f"{bad} of {len(found)} samples hold NaN or infinity.",
            "Expected finite numbers.",
            "The generator has diverged; use an earlier checkpoint.",
        )
    return found


def nothing_varies(source: str) -> DataError:
    """The refusal of rows that are all the same."""
    return DataError(
        source,
        "every row is the same.",
        "Expected rows that differ.",
        "There is nothing to learn; check that the right file was read.",
    )
