"""How images are judged: by pixels, texture and outlines, and region by region."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from equipoise.data.images.classifier_inputs import MeasuredImages, flat_pixels, image_preparation, measured
from equipoise.data.images.corruptions import image_corruptions, swapped_halves
from equipoise.data.judging import JUDGING, Corruption, Preparation, Values, array_keys, refuse_other_shape
from equipoise.errors import DataError
from equipoise.plotting.samples import surest_grid
from equipoise.plotting.style import PALETTE

_SHOWN = 10
"""Images of each side in a verdict's plot."""


class ImageJudging:
    """What `equipoise.data.judging.Judging` asks, for images."""

    columns_name = "statistics of an image"
    quick_classifiers = ("boosted trees", "neighbour curves", "quadratic")
    many_samples = 2_500
    sensitivity_cost = 30
    one_column_corruptions: frozenset[str] = frozenset()
    compared_as = "pixels, averaged to 32 a side at most"
    row_keys = staticmethod(array_keys)

    def checked_sides(self, real: Any, fake: Any) -> tuple[Values, Values]:
        real, fake = _checked(real, "real"), _checked(fake, "generated")
        refuse_other_shape(
            real, fake, axes="channels, height, width", remedy="Bring both to one size and one number of channels."
        )
        return real, fake

    def columns(self, values: Values) -> None:
        del values

    def measured(self, values: Values) -> MeasuredImages:
        return measured(values)

    def preparation(self, real: Values, fake: Values) -> Preparation:
        return image_preparation(real, fake)

    def compared(self, real: Values, fake: Values) -> tuple[np.ndarray, np.ndarray]:
        return flat_pixels(real).astype(np.float64), flat_pixels(fake).astype(np.float64)

    def corruptions(self, values: Values) -> Mapping[str, Corruption]:
        del values
        return image_corruptions()

    def independent(self, values: Values, stream: np.random.Generator) -> Values:
        return swapped_halves(values, stream)

    def described(self, values: Values, place: int) -> dict[str, object]:
        del values, place
        return {}

    def draw_differences(
        self,
        scored: tuple[Values, Values],
        scores: tuple[np.ndarray, np.ndarray],
        findings: Sequence[Mapping[str, Any]],
    ) -> Callable[[Any], None]:
        regions = next((finding["rows"] for finding in findings if finding["check"] == "regions"), ())

        def draw(panel: Any) -> None:
            """The images of each side that the classifier was surest of, and the map of regions where that was made."""
            shown, map_panel = panel.subfigures(1, 2, width_ratios=[3, 1]) if regions else (panel, None)
            axes = shown.subplots()
            axes.imshow(np.asarray(surest_grid(scored, scores, columns=_SHOWN)), cmap="gray", vmin=0, vmax=255)
            axes.set_axis_off()
            axes.set_title("above: surest real; below: surest generated", loc="left")
            if map_panel is not None:
                _draw_regions(map_panel.subplots(), regions)

        return draw


def _draw_regions(axes: Any, regions: Sequence[Mapping[str, Any]]) -> None:
    """Each cell of the images by what its own classifier proved; cells that are distinguished are framed."""
    from matplotlib.patches import Rectangle

    height, width = (max(row[end] for row in regions) for end in ("bottom", "right"))
    seen = np.zeros((height, width))
    for row in regions:
        seen[row["top"] : row["bottom"], row["left"] : row["right"]] = max(0.0, row["jsd_estimate_nats"])
    shown = axes.imshow(
        seen, cmap="magma", vmin=0, vmax=max(0.01, seen.max()), interpolation="nearest", extent=(0, width, height, 0)
    )
    for row in regions:
        if row["is_distinguished"]:
            size = (row["right"] - row["left"], row["bottom"] - row["top"])
            axes.add_patch(Rectangle((row["left"], row["top"]), *size, fill=False, edgecolor=PALETTE[4], linewidth=1.5))
    axes.set_title("regions, nats")
    axes.tick_params(labelsize=7)
    axes.figure.colorbar(shown, ax=axes)


def _checked(values: Any, side: str) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 4 or array.dtype != np.uint8:
        raise DataError(
            JUDGING,
            f"the {side} images are an array of type {array.dtype} and shape {array.shape}.",
            "Expected bytes (uint8) of shape (samples, channels, height, width).",
            "Scale values to 0..255, convert them to uint8 and add the axis of channels.",
        )
    return array
