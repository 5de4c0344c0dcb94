"""Points: what is done differently with real numbers in rows of one length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from equipoise.data.base import Domain, nothing_varies
from equipoise.data.dataset import Aligned, Dataset, unlike
from equipoise.data.duplicates import Groups, row_groups
from equipoise.data.points.encoder import PointEncoder, fit_points
from equipoise.data.points.judging import PointJudging, places_of_names
from equipoise.data.points.remarks import remarks
from equipoise.data.store.arrow import chunks_of, is_on_disk
from equipoise.data.store.cache import Entry
from equipoise.data.training_rows import TrainingRows
from equipoise.files import replacing
from equipoise.plotting.samples import plot_points
from equipoise.plotting.style import save_figure

CHUNK_ROWS = 100_000


class PointDomain(PointJudging, Domain):
    """See `Domain`."""

    kind = "points"
    phrase = "points"
    file_name = "samples.npy"

    def fit(self, raw: Dataset, rows: np.ndarray) -> PointEncoder:
        # On disk one coordinate at a time: the sums are then taken in another order, and differ by rounding.
        columns = coordinates(raw.values, rows) if is_on_disk(raw.values) else [raw.values[rows]]
        parts = [fit_points(column) for column in columns]
        encoder = PointEncoder(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ("mean", "spread"))
        )
        if not encoder.spread.any():
            raise nothing_varies(raw.source)
        return encoder

    def remarks(self, raw: Dataset) -> tuple[str, ...]:
        return () if is_on_disk(raw.values) else remarks(raw.values, raw.names)

    def encoder_from_state(self, state: dict[str, Any]) -> PointEncoder:
        return PointEncoder(np.array(state["mean"], dtype=np.float64), np.array(state["spread"], dtype=np.float64))

    def check_encoder(self, encoder: PointEncoder) -> None:
        if encoder.mean.ndim != 1 or encoder.mean.shape != encoder.spread.shape:
            raise ValueError(f"{encoder.mean.size} means and {encoder.spread.size} spreads")

    def groups(self, values: Any) -> Groups:
        # Adding zero turns -0.0, which equals 0.0, into it.
        return row_groups(pd.DataFrame(part + 0.0) for _, part in chunks_of(values))

    def training_rows(self, raw: Dataset, rows: np.ndarray, encoder: PointEncoder, entry: Entry) -> TrainingRows:
        del entry
        return TrainingRows(
            lambda index: encoder.encode(raw.values[rows[index]]),
            shape=(len(rows), *encoder.space.shape),
            dtype=torch.float32,
        )

    def aligned(self, real: Dataset, fake: Dataset) -> Aligned:
        if real.values.shape[1] != fake.values.shape[1]:
            found = f"has points of {fake.values.shape[1]} coordinates, {real.source} of {real.values.shape[1]}"
            raise unlike(real, fake, found)
        if not (real.names and fake.names):
            return Aligned(real.values, fake.values)
        places = places_of_names(real.names, fake.names)
        return Aligned(real.values, fake.values[:, places])

    def save_shown(
        self,
        values: np.ndarray,
        path: Path,
        *,
        read_real: Callable[[], np.ndarray] | None = None,
        values_are_real: bool = False,
    ) -> None:
        real = None if read_real is None else read_real()
        save_figure(plot_points(values, real, values_are_real=values_are_real), path)
        if not values_are_real:
            with replacing(path.with_suffix(".npy")) as temporary:
                np.save(temporary, values, allow_pickle=False)


def coordinates(values: Any, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Each coordinate of the rows with these numbers, float64 `(n, 1)`."""
    for place in range(values.shape[1]):
        parts = (values[rows[start : start + CHUNK_ROWS]][:, [place]] for start in range(0, len(rows), CHUNK_ROWS))
        yield np.concatenate(list(parts))


POINTS = PointDomain()
