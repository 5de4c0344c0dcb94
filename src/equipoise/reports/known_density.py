"""Runs on a toy density beside each other: their true distance from it, with the spread over seeds.

The scores are computed by whoever played the run (`known_density.json`); here they are read and set in a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.documents import read_json
from equipoise.errors import RunFolderError
from equipoise.migrations import upgraded
from equipoise.plotting.number_text import number

FILE_NAME = "known_density.json"
TITLE = "Distance from the true density"
Limits = Callable[[np.ndarray], tuple[float, float, float]]
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
    known = [(label, [score for score in scores if score]) for label, scores in groups]
    first = next((scores[0] for _, scores in known if scores), None)
    if first is None:
        return []
    perfect = (
        "a perfect sampler",
        "–",
        number(_at(first, "perfect_jsd_nats"), 3),
        f"{_at(first, 'modes'):.0f}",
        f"{100 * _at(first, 'perfect_high_quality_share'):.1f} %",
        "1",
    )
    return [
        perfect,
        *(
            (
                label,
                str(len(scores)),
                _cell(scores, "jsd_nats", limits),
                _cell(scores, "modes_found", limits),
                _cell(scores, "high_quality_share", limits, percent=True),
                _cell(scores, "width_ratio", limits),
            )
            for label, scores in known
            if scores
        ),
    ]


HEADER = ("configuration", "runs", "JSD in bins, nats", "modes found", "within 3 sd of a mode", "width ratio")


def _at(score: Mapping[str, Any], key: str) -> float:
    value = score.get(key)
    return float(value) if isinstance(value, (int, float)) else float("nan")


def _cell(scores: Sequence[Mapping[str, Any]], key: str, limits: Limits, *, percent: bool = False) -> str:
    """'0.21 (0.19 to 0.24)': median and spread; the number alone when there is one run."""
    values = np.array([_at(score, key) for score in scores])
    if np.isnan(values).all():
        return "–"
    middle, low, high = (f"{100 * value:.1f} %" if percent else number(value, 3) for value in limits(values))
    return middle if len(scores) == 1 else f"{middle} ({low} to {high})"
