"""The plots of held-out evidence: the referee's bound at each evaluation, and the duality gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np

from equipoise.entries import number_at
from equipoise.plotting.curves import TABLE_ROWS, draw_band, series, steps_axis
from equipoise.plotting.number_text import number
from equipoise.plotting.style import (
    AXIS,
    DISCRIMINATOR_COLOUR,
    GENERATOR_COLOUR,
    INK,
    MUTED,
    legend_key,
    page_axes,
    page_legend,
)
from equipoise.referee.verdict_text import LOG_2, NO_VERDICT, conclusion_of
from equipoise.reports.plots import EVIDENCE, Line, Panel, Plot, curves
from equipoise.reports.reading import RunRecord

_95_PERCENT = 1.96


def referee_plot(run: RunRecord) -> Plot:
    """The referee's lower bound on the JSD at each interim evaluation and at the final verdict."""
    plot = Plot(
        "referee",
        "The referee's lower bound on the distance (JSD)",
        "Each point was measured by a classifier of the referee's own, on data that nobody trained on; above zero it "
        "proves, at its confidence, a difference of at least that size, and at zero it proves nothing.",
        label=EVIDENCE,
    )
    rows = [
        row
        for row in run.verdicts
        if number_at(row, "step") is not None and number_at(row, "jsd_lower_bound_nats") is not None
    ]
    if not rows:
        why = f"{NO_VERDICT}." if not run.verdicts else "No evaluation gave a bound."
        return replace(plot, notes=(why,))
    steps, bounds, estimates = (
        np.array([np.nan if (found := number_at(row, key)) is None else found for row in rows])
        for key in ("step", "jsd_lower_bound_nats", "jsd_estimate_nats")
    )
    tops = np.array([top_of_band(row) for row in rows])
    is_final = np.array([row.get("part") == "final" for row in rows])
    is_descriptive = np.array([row.get("is_descriptive") is True for row in rows])
    with page_axes() as (figure, axes):
        handles = []
        has_band = np.isfinite(tops)
        axes.vlines(steps[has_band], bounds[has_band], tops[has_band], color=INK, alpha=0.35, linewidth=3)
        if (~is_final).sum() > 1:
            draw_band(axes, steps[~is_final], bounds[~is_final], tops[~is_final], INK, alpha=0.1)
            axes.plot(steps[~is_final], bounds[~is_final], color=INK, linewidth=1.2)
        for mask, marker, text in (
            (~is_final & ~is_descriptive, "o", "interim evaluation"),
            (~is_final & is_descriptive, "x", "descriptive evaluation"),
            (is_final, "D", "final verdict"),
        ):
            if mask.any():
                axes.plot(steps[mask], bounds[mask], marker=marker, color=INK, linestyle="none", markersize=5)
                handles.append(legend_key(text, INK, marker=marker, style="none"))
        if np.isfinite(estimates).any():
            axes.plot(steps, estimates, marker="_", color=MUTED, linestyle="none", markersize=9)
            handles.append(legend_key("its estimate", MUTED, marker="_", style="none"))
        drawn = np.concatenate([bounds, tops, estimates, [0.0, 0.02]])
        top = float(np.nanmax(drawn))
        axes.set_ylim(float(np.nanmin(drawn)) - 0.05 * top, min(1.15 * top, LOG_2 * 1.05))
        axes.axhline(0.0, color=AXIS, linewidth=0.8)
        axes.set_ylabel("nats")
        steps_axis(axes, last=float(max(steps.max(), run.step)))
        page_legend(figure, handles)
    notes = ["A distance of 0 is equality; log 2 = 0.693 nats is the largest there is."]
    if has_band.any():
        notes.append("The band reaches from the bound to as far above the estimate; the true distance may be larger.")
    if is_descriptive.any():
        notes.append(
            "A cross: training had been changed because of an evaluation, so that its confidence does not hold."
        )
    if np.isfinite(estimates).any():
        notes.append("The estimate makes no allowance for chance and may be negative.")
    table = [
        (
            number(number_at(row, "step"), 6),
            "final" if row.get("part") == "final" else "selection",
            *(number(number_at(row, key)) for key in ("jsd_lower_bound_nats", "jsd_estimate_nats")),
            conclusion_of(row) + (" (descriptive)" if row.get("is_descriptive") is True else ""),
        )
        for row in rows[-TABLE_ROWS:]
    ]
    header = ("step", "part", "bound (nats)", "estimate (nats)", "conclusion")
    return replace(plot, figure=figure, notes=tuple(notes), header=header, rows=tuple(table))


def top_of_band(row: Mapping[str, Any]) -> float:
    """As far above the estimate as a one-sided bound at the evaluation's confidence lies below it; NaN without one."""
    estimate, error, confidence = (
        number_at(row, key) for key in ("jsd_estimate_nats", "value_standard_error", "confidence")
    )
    if estimate is None or error is None or confidence is None or not 0 < confidence < 1:
        return float("nan")
    return estimate + NormalDist().inv_cdf(confidence) * error / 2


def duality_gap_plot(run: RunRecord) -> Plot:
    """What either player could still gain alone, at each interim evaluation."""
    rows = [row for row in run.interim_evaluations if number_at(row, "duality_gap", "gap") is not None]
    steps_alone = number_at(rows[-1], "duality_gap", "steps") if rows else None
    count = "a few" if steps_alone is None else f"{int(steps_alone)}"
    plot = Plot(
        "gap",
        "How much either player could still gain (duality gap)",
        f"A copy of one player goes on alone for {count} steps while the other stands still; at equilibrium neither "
        "gains, so that the lines lie at 0. They say whether the game has settled, not whether the samples are good.",
        notes=("The band is 95 %, from paired differences on held-out rows.",) if rows else (),
        label=EVIDENCE,
    )
    gap = Line(
        "gap",
        INK,
        series(rows, "duality_gap", "gap"),
        marker="o",
        errors=series(rows, "duality_gap", "gap_standard_error").mean,
        error_name="standard error of the gap",
        reach=_95_PERCENT,
    )
    gains = [
        Line(f"{player}'s gain", colour, series(rows, "duality_gap", f"{player}_gain"), style=style)
        for player, colour, style in (
            ("discriminator", DISCRIMINATOR_COLOUR, (0, (5, 1.5))),
            ("generator", GENERATOR_COLOUR, (0, (2, 1.5))),
        )
    ]
    panel = Panel((gap, *gains), "the objective's own units", reference=(0.0, "equilibrium"))
    return curves(plot, [panel], absent="The duality gap was not measured in this run.", last=float(run.step))
