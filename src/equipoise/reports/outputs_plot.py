"""What the discriminator says of real and of generated samples: histograms, as probabilities only where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from equipoise.entries import finite, listed
from equipoise.plotting.curves import draw_histogram, series
from equipoise.plotting.number_text import number
from equipoise.plotting.style import (
    DASHES,
    FAKE_COLOUR,
    INK,
    MUTED,
    REAL_COLOUR,
    legend_key,
    page_figure,
    page_legend,
)
from equipoise.reports.plots import NOT_EVIDENCE, Line, Panel, Plot, curves
from equipoise.reports.reading import RunRecord

NO_PROBABILITY = {
    "log_odds_up_to_a_constant": (
        "No probability is shown: the outputs of this game are fixed only up to a constant, so their sigmoid is not "
        "the probability of being real."
    ),
    "other": (
        "No probability is shown: the outputs of this objective are not log-odds, so their sigmoid is not the "
        "probability of being real."
    ),
    "unknown": "No probability is shown: the run does not say what the outputs of its discriminator mean.",
}
SIDES = (("real", REAL_COLOUR), ("fake", FAKE_COLOUR))


def why_no_probability(run: RunRecord) -> str:
    """Why the sigmoid of this run's outputs is not shown."""
    return NO_PROBABILITY.get(run.logit_meaning, NO_PROBABILITY["unknown"])


def outputs_plot(run: RunRecord) -> Plot:
    """The discriminator's outputs on real and on generated samples, at the first, a middle and the last step."""
    probable = run.logit_meaning == "log_odds"
    usable = [
        (row["step"], histogram)
        for row in run.metrics
        if (histogram := histogram_of(row, allow_probability=probable)) is not None
    ]
    is_probability = bool(usable) and usable[-1][1]["what"] == "probability"
    usable = [entry for entry in usable if entry[1]["what"] == usable[-1][1]["what"]]
    plot = outputs_words(run, is_probability=is_probability)
    if not usable:
        return _logits_over_time(run, plot)
    shown = [usable[place] for place in sorted({0, len(usable) // 2, len(usable) - 1})]
    with page_figure(1.0 + 1.25 * len(shown)) as figure:
        panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (step, histogram) in zip(panels, shown, strict=True):
            for side, colour in SIDES:
                draw_histogram(axes, histogram[side] / histogram[side].sum(), histogram["edges"], colour)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            axes.set_title(f"step {step:,}", loc="left", color=MUTED)
            if probable:
                axes.axvline(0.5 if is_probability else 0.0, color=INK, linestyle=DASHES, linewidth=1.0)
        panels[-1].set_xlabel("D" if is_probability else "output (logit)")
        page_legend(figure, [legend_key("real", REAL_COLOUR), legend_key("generated", FAKE_COLOUR)])
    notes = (*plot.notes, "Heights are shares of the samples of each side.")
    return replace(
        plot,
        figure=figure,
        notes=(*notes, "The dashed line marks D = 1/2.") if probable else notes,
        header=("step", "mean on real", "mean on generated"),
        rows=tuple(_means(step, histogram) for step, histogram in shown),
    )


def outputs_words(run: RunRecord, *, is_probability: bool) -> Plot:
    """Title and reading of what the discriminator says on both sides, and why it is no probability where it is none."""
    what = "D, the probability of being real," if is_probability else "Output of the discriminator"
    chance = "; where D is 1/2 everywhere it is at chance level." if is_probability else "."
    return Plot(
        "outputs",
        f"{what} on real and on generated samples",
        f"The more the two colours overlap, the less this discriminator can distinguish them{chance}",
        notes=() if run.logit_meaning == "log_odds" else (why_no_probability(run),),
        label=NOT_EVIDENCE,
    )


def _logits_over_time(run: RunRecord, plot: Plot) -> Plot:
    """Mean outputs on each side with their spread, for a run without histograms."""
    lines = tuple(
        Line(
            name,
            colour,
            series(run.metrics, "logits", side, "mean"),
            errors=series(run.metrics, "logits", side, "std").mean,
            error_name="standard deviation",
        )
        for name, (side, colour) in zip(("real", "generated"), SIDES, strict=True)
    )
    absent = "No histogram was measured yet."
    if any(not line.values.is_empty for line in lines):
        plot = replace(plot, notes=(*plot.notes, f"{absent} Lines are means, and bands one standard deviation."))
    return curves(plot, [Panel(lines, "output (logit)")], absent=absent)


def histogram_of(row: Mapping[str, Any], *, allow_probability: bool) -> dict[str, Any] | None:
    """A well-formed histogram of this row, or None. A 'probability' of logits that are none is refused."""
    found = row.get("histogram")
    if not isinstance(found, Mapping) or found.get("what") not in ("probability", "logit"):
        return None
    if found["what"] == "probability" and not allow_probability:
        return None
    arrays: dict[str, Any] = {"what": found["what"]}
    for key in ("edges", "real", "fake"):
        numbers = [finite(entry) for entry in listed(found.get(key))]
        if not numbers or None in numbers:
            return None
        arrays[key] = np.array(numbers, dtype=np.float64)
    fits = len(arrays["edges"]) == len(arrays["real"]) + 1 == len(arrays["fake"]) + 1
    ascending = bool((np.diff(arrays["edges"]) > 0).all())
    return arrays if fits and ascending and min(arrays["real"].sum(), arrays["fake"].sum()) > 0 else None


def _means(step: int, histogram: Mapping[str, Any]) -> tuple[str, str, str]:
    middles = (histogram["edges"][1:] + histogram["edges"][:-1]) / 2
    means = [float((histogram[side] * middles).sum() / histogram[side].sum()) for side, _ in SIDES]
    return number(step, 6), number(means[0], 3), number(means[1], 3)
