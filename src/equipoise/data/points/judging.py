"""How points are judged: their coordinates are the columns of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from equipoise.data.judging import (
    JUDGING,
    Corruption,
    Preparation,
    Rows,
    Values,
    array_keys,
    refuse_other_shape,
)
from equipoise.data.points.corruptions import point_corruptions
from equipoise.data.tables.classifier_inputs import MeasuredTable, measured_points, table_preparation
from equipoise.data.tables.differences_plot import draw_columns
from equipoise.errors import DataError

_MOST_DESCRIBED = 6
_MOST_SHOWN_LOGIT = 2.0
"""Log-odds at which the colour of a point is full."""


class PointJudging:
    """What `equipoise.data.judging.Judging` asks, for points."""

    columns_name = "coordinates"
    quick_classifiers = ("neighbour curves", "quadratic")
    many_samples = 10_000
    sensitivity_cost = 25
    one_column_corruptions: frozenset[str] = frozenset()
    compared_as = "coordinates"
    row_keys = staticmethod(array_keys)

    def checked_sides(self, real: Any, fake: Any) -> tuple[Values, Values]:
        if isinstance(real, pd.DataFrame) and isinstance(fake, pd.DataFrame):
            fake = fake.iloc[:, places_of_names(tuple(map(str, real.columns)), tuple(map(str, fake.columns)))]
        real, fake = _checked(real, "real"), _checked(fake, "generated")
        refuse_other_shape(real, fake, axes="coordinates", remedy="Bring both to one size and order.")
        return real, fake

    def columns(self, values: Values) -> pd.DataFrame:
        return pd.DataFrame(values).add_prefix("x")

    def measured(self, values: Values) -> MeasuredTable:
        return measured_points(values)

    def preparation(self, real: Values | MeasuredTable, fake: Values | MeasuredTable) -> Preparation:
        prepare = table_preparation(measured_points(real), measured_points(fake))

        def prepare_points(values: Values | MeasuredTable) -> Rows:
            return prepare(measured_points(values))

        return prepare_points

    def compared(self, real: Values, fake: Values) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(real, dtype=np.float64), np.asarray(fake, dtype=np.float64)

    def corruptions(self, values: Values) -> Mapping[str, Corruption]:
        return point_corruptions(values, preparation=self.preparation, columns=self.columns)

    def independent(self, values: Values, stream: np.random.Generator) -> np.ndarray:
        return np.stack([stream.permutation(column) for column in np.asarray(values, dtype=np.float64).T], axis=1)

    def described(self, values: Values, place: int) -> dict[str, object]:
        return {f"x{axis}": float(value) for axis, value in enumerate(values[place][:_MOST_DESCRIBED])}

    def draw_differences(
        self,
        scored: tuple[Values, Values],
        scores: tuple[np.ndarray, np.ndarray],
        findings: Sequence[Mapping[str, Any]],
    ) -> Callable[[Any], None] | None:
        if scored[0].shape[1] < 2:
            return draw_columns(findings)

        def draw(panel: Any) -> None:
            """Both sides in their first two coordinates, coloured by the classifier's logit."""
            for axes, points, logits, name in zip(
                panel.subplots(1, 2, sharex=True, sharey=True), scored, scores, ("real", "generated"), strict=True
            ):
                drawn = axes.scatter(
                    points[:, 0],
                    points[:, 1],
                    c=logits,
                    s=3,
                    cmap="coolwarm_r",
                    vmin=-_MOST_SHOWN_LOGIT,
                    vmax=_MOST_SHOWN_LOGIT,
                )
                axes.set_title(f"{name}: red looks generated, blue looks real")
            panel.colorbar(drawn, ax=panel.axes, label="log-odds of being real")

        return draw


def places_of_names(real: Sequence[str], fake: Sequence[str]) -> list[int]:
    """Where each column of the real side is on the generated one.

    Raises:
        DataError: the columns have other names.
    """
    missing, extra = ([name for name in one if name not in other] for one, other in ((real, fake), (fake, real)))
    if missing or extra or len(set(fake)) < len(fake):
        parts = [f"only on the real side: {', '.join(missing)}"] if missing else []
        parts += [f"only on the generated side: {', '.join(extra)}"] if extra else []
        raise DataError(
            JUDGING,
            f"the columns of the points differ; {'; '.join(parts) or 'a name is there twice'}.",
            "Expected the same columns on both sides, in any order.",
            "Rename them, or save both sides without names to compare them by their places.",
        )
    return [list(fake).index(name) for name in real]


def _checked(values: Any, side: str) -> np.ndarray:
    array = values.to_numpy() if isinstance(values, pd.DataFrame) else np.asarray(values)
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool):
        raise DataError(
            JUDGING,
            f"the {side} points are of type {array.dtype}.",
            "Expected real numbers.",
            "Judge rows with text or dates as a table.",
        )
    array = array.astype(np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise DataError(JUDGING, f"the {side} points have shape {array.shape}.", "Expected (samples, coordinates).")
    return array
