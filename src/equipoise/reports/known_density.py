"""Runs on a toy density beside each other: their true distance from it, with the spread over seeds.

The scores are computed by whoever trained the run (`known_density.json`); here they are read and set in a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.documents import read_json
from equipoise.entries import number_at
from equipoise.errors import RunFolderError
from equipoise.migrations import upgraded
from equipoise.plotting.number_text import number, percent

FILE_NAME = "known_density.json"
TITLE = "Distance from the true density"
COLUMNS: tuple[tuple[str, str, str | float, Callable[[Any], str]], ...] = (
    ("JSD in bins, nats", "jsd_nats", "perfect_jsd_nats", lambda value: number(value, 3)),
    ("modes found", "modes_found", "modes", lambda value: number(value, 3)),
    ("within 3 sd of a mode", "high_quality_share", "perfect_high_quality_share", lambda value: percent(value, 1)),
    ("width ratio", "width_ratio", 1.0, lambda value: number(value, 3)),
)
"""Heading, key, the key or number of a perfect sampler, and how a value is written."""
HEADER = ("configuration", "runs", *(heading for heading, *_ in COLUMNS))
Limits = Callable[[np.ndarray], Sequence[Any]]
"""Median, lower and upper limit of one number per run."""


def read_scores(folder: Path) -> Mapping[str, Any]:
    """The scores of one run; empty where there are none or they cannot be read."""
    try:
        return upgraded("known_density", read_json(folder / FILE_NAME), where=str(folder / FILE_NAME))
    except (OSError, RunFolderError):
        return {}


def density_rows(groups: Sequence[tuple[str, Sequence[Mapping[str, Any]]]], limits: Limits) -> list[tuple[str, ...]]:
    """One row for each configuration that has scores, below a row for a perfect sampler.

    Args:
        groups: label and scores of the runs of each configuration.
        limits: how a spread is taken.
    """
    known = [(label, found) for label, scores in groups if (found := [score for score in scores if score])]
    if not known:
        return []
    first = known[0][1][0]
    perfect = (written(number_at(first, best) if isinstance(best, str) else best) for _, _, best, written in COLUMNS)
    rows: list[tuple[str, ...]] = [("a perfect sampler", "–", *perfect)]
    for label, scores in known:
        cells = (_cell([number_at(score, key) for score in scores], limits, written) for _, key, _, written in COLUMNS)
        rows.append((label, str(len(scores)), *cells))
    return rows


def _cell(values: Sequence[float | None], limits: Limits, written: Callable[[Any], str]) -> str:
    """'0.21 (0.19 to 0.24)': median and spread; the number alone when there is one run."""
    found = np.array([np.nan if value is None else value for value in values])
    if np.isnan(found).all():
        return "–"
    middle, low, high = (written(float(value)) for value in limits(found))
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"
