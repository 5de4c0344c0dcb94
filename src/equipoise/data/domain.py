"""What images, tables and points do differently, one object for each kind of data, found by `domain_of`.

Whatever works on samples of any kind (the trainer, the referee, reports) asks the domain instead of testing the kind.
A domain is in `images/domain.py`, `tables/domain.py` or `points/domain.py`, and has every attribute of `Domain`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from equipoise.data.dataset import Dataset, unlike
from equipoise.data.digest import Digest
from equipoise.data.duplicates import Groups
from equipoise.data.encoder import Encoder
from equipoise.data.images.domain import IMAGES
from equipoise.data.judging import Judging
from equipoise.data.points.domain import POINTS
from equipoise.data.store.cache import Draft, Entry
from equipoise.data.tables.domain import TABLE
from equipoise.data.training_rows import TrainingRows
from equipoise.errors import InputError


class Domain(Judging, Protocol):
    """One kind of data; how it is judged is in `Judging`.

    Attributes:
        kind: its name, as in `Dataset.kind` and `Space.kind`.
        phrase: what a source of it holds, for messages: 'points', 'images' or 'a table'.
        bytes_per_number: memory of one number of a sample, as the training part is held.
        file_name: the file that `write_samples` puts into a folder; '' where every sample has a file of its own.
    """

    kind: str
    phrase: str
    bytes_per_number: int
    file_name: str

    def fit(self, raw: Dataset, rows: np.ndarray) -> Encoder:
        """The encoder, fitted on the rows with these numbers alone.

        Raises:
            DataError: a column cannot be learned, or nothing varies.
        """

    def encoder_from_state(self, state: dict[str, Any]) -> Encoder:
        """The encoder that `state()` described."""

    def check_encoder(self, encoder: Any) -> None:
        """Look at an encoder that came from a file.

        Raises:
            ValueError: it contradicts itself.
        """

    def stored(self, encoder: Encoder, values: Any) -> torch.Tensor:
        """Natural values as the training part is held: `encoder.to_float` makes of a batch what the players see."""

    def keep_rows(self, draft: Draft, raw: Dataset, rows: np.ndarray, encoder: Encoder) -> None:
        """Put into a draft what the training rows of data on disk are read from, where it is not the data themselves."""

    def training_rows(self, raw: Dataset, rows: np.ndarray, encoder: Encoder, entry: Entry) -> TrainingRows:
        """The rows with these numbers of data on disk, as `stored` gives them, read when they are drawn.

        Args:
            raw: the data.
            rows: numbers of the training rows.
            encoder: fitted on them.
            entry: that `keep_rows` wrote.
        """

    def groups(self, values: Any) -> Groups:
        """Which samples are the same thing twice."""

    def add_to(self, digest: Digest, values: Any) -> None:
        """Put the values into the data's fingerprint."""

    def aligned(self, real: Dataset, fake: Dataset) -> tuple[Any, Any]:
        """Both sides' values with the same axes, channels and columns.

        Raises:
            DataError: they differ in number of coordinates, in columns or in transparency.
        """

    def size_of(self, values: Any) -> tuple[int, int] | None:
        """Height and width, which another source has to be read at; `None` where there is no such thing."""

    def remarks(self, real: Any, fake: Any) -> Sequence[str]:
        """What a person should know of how two sides were brought to one form."""

    def presented(self, values: Any) -> Any:
        """Natural values as people hold them: images with their channels last."""

    def with_classes(self, values: Any, column: str | None, classes: Sequence[str]) -> Any:
        """Generated values whose column of labels, where there is one, says the class that each was asked for."""

    def shown(self, part: Dataset, *, by_class: bool) -> Any:
        """Values of a part that a sample grid or plot shows."""

    def shown_draws(self, classes: int, *, by_class: bool) -> Sequence[tuple[int, int | None]]:
        """How many samples are drawn for a sample grid or plot, and of which class; `None` is any."""

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


DOMAINS: dict[str, Domain] = {domain.kind: domain for domain in (POINTS, IMAGES, TABLE)}


def domain_of(kind: str) -> Domain:
    """The domain called `kind`.

    Raises:
        InputError: there is none.
    """
    if kind not in DOMAINS:
        raise InputError("data.json, encoder", f"the encoder is of kind '{kind}'.", "Expected points, images or table.")
    return DOMAINS[kind]


def encoder_from_state(state: dict[str, Any]) -> Encoder:
    """The encoder that `state()` described; enough to decode samples without the data."""
    return domain_of(str(state.get("kind"))).encoder_from_state(state)


def aligned_values(real: Dataset, fake: Dataset) -> tuple[Any, Any]:
    """Both sides' values in one form.

    Raises:
        DataError: they differ in kind, or as `Domain.aligned` says.
    """
    refuse_other_kind(real, fake)
    return domain_of(real.kind).aligned(real, fake)


def refuse_other_kind(real: Dataset, fake: Dataset) -> None:
    """Refuse two sides of which one holds another kind of data.

    Raises:
        DataError: they do.
    """
    if real.kind != fake.kind:
        phrases = [domain_of(side.kind).phrase for side in (fake, real)]
        raise unlike(real, fake, f"holds {phrases[0]}, while {real.source} holds {phrases[1]}")
