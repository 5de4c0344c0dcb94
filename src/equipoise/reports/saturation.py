"""Has the discriminator saturated the generator? The monitor's figures and flags, from the rows it wrote."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from equipoise.entries import entry_at
from equipoise.plotting.curves import (
    NOISY_BINS,
    draw_line,
    error_of_bin_means,
    log_if_positive,
    note_on_bins,
    picked_bins,
    series,
    steps_axis,
    zoom,
)
from equipoise.plotting.number_text import number
from equipoise.plotting.style import (
    DISCRIMINATOR_COLOUR,
    FAKE_COLOUR,
    GENERATOR_COLOUR,
    INK,
    LINE_COLOURS,
    REAL_COLOUR,
    legend_key,
    page_axes,
    page_figure,
    page_legend,
)
from equipoise.reports.figures import NO_PROBABILITY, NOT_EVIDENCE, Plot
from equipoise.reports.reading import RunRecord

LOG_4 = math.log(4)
MOST_FLAGS = 10
RELATIVISTIC = "log_odds_up_to_a_constant"


def flag_sentences(run: RunRecord) -> list[str]:
    """What the monitor found wrong, each sentence once, with the steps at which it was first and last so."""
    seen: dict[str, list[int]] = {}
    measured: list[int] = []
    for row in run.metrics:
        found = entry_at(row, "saturation", "flags")
        if isinstance(found, (list, tuple)):
            measured.append(row["step"])
            for text in found:
                if isinstance(text, str):
                    seen.setdefault(text[:400], []).append(row["step"])
    sentences = []
    for text, steps in list(seen.items())[:MOST_FLAGS]:
        until = "now" if steps[-1] == measured[-1] else f"step {steps[-1]:,}"
        count = f"{len(steps)} of {len(measured)} times that it was looked at"
        sentences.append(f"{text} (Found {count}, from step {steps[0]:,} until {until}.)")
    return sentences


def monitored(run: RunRecord) -> list[dict[str, Any]]:
    """The measurements alone, each with its step: most measured steps have none, and lines would break there."""
    return [
        {"step": row["step"], **found} for row in run.metrics if isinstance(found := row.get("saturation"), Mapping)
    ]


def saturation_plot(run: RunRecord) -> Plot:
    """What either generator loss would do, how sure the discriminator is, and how steep."""
    title = "Saturation: can the generator still learn from this discriminator?"
    slope = series(monitored(run), "input_gradient_norm", most=NOISY_BINS)
    low = series(monitored(run), "saturating_norm", most=NOISY_BINS)
    high = series(monitored(run), "nonsaturating_norm", most=NOISY_BINS)
    has_probabilities = not (low.is_empty and high.is_empty)
    reading = (
        "As long as the two gradients above are of one size and few generated samples are dismissed (D below 0.01), "
        "the generator can learn; a slope that shoots up means that the discriminator is breaking away."
        if has_probabilities
        else "A slope that stays of one size is healthy; one that shoots up means that the discriminator is breaking "
        "away."
    )
    if slope.is_empty and not has_probabilities:
        return Plot("saturation", title, reading, None, ("Saturation was not measured yet.",), NOT_EVIDENCE)
    notes = list(note_on_bins(slope))
    if run.logit_meaning == RELATIVISTIC and has_probabilities:
        notes.append("D is the sigmoid of the output less one offset, which was fitted on another batch.")
    elif not has_probabilities:
        notes.append(NO_PROBABILITY.get(run.logit_meaning, NO_PROBABILITY["unknown"]))
    sides = [
        ("mean D on real", "mean_probability_real", REAL_COLOUR),
        ("mean D on generated", "mean_probability_fake", FAKE_COLOUR),
        ("share with D < 0.01", "share_below_001", INK),
    ]
    columns = [(text, series(monitored(run), key, most=NOISY_BINS), colour) for text, key, colour in sides]
    with page_figure(6.0 if has_probabilities else 2.6) as figure:
        panels = figure.subplots(3 if has_probabilities else 1, 1, sharex=True, squeeze=False)[:, 0]
        handles = []
        if has_probabilities:
            losses = (("saturating loss", low, LINE_COLOURS[1]), ("non-saturating loss", high, GENERATOR_COLOUR))
            for text, values, colour in losses:
                draw_line(panels[0], values, colour, band=False)
                handles.append(legend_key(text, colour))
            log_if_positive(panels[0], [low, high])
            panels[0].set_ylabel("gradient norm")
            for text, values, colour in columns:
                draw_line(panels[1], values, colour, band=False, style=(0, (5, 2)) if colour == INK else "-")
                handles.append(legend_key(text, colour, style=(0, (4, 2)) if colour == INK else "-"))
            panels[1].set_ylim(-0.03, 1.03)
            panels[1].set_ylabel("D")
        draw_line(panels[-1], slope, DISCRIMINATOR_COLOUR, band=False)
        handles.append(legend_key("slope of the output", DISCRIMINATOR_COLOUR))
        log_if_positive(panels[-1], [slope])
        panels[-1].set_ylabel("slope")
        for axes in panels:
            axes.grid(True)
        steps_axis(panels[-1])
        page_legend(figure, handles, across=2)
    shown = [("saturating", low), ("non-saturating", high), *((text, values) for text, values, _ in columns)]
    shown = [*(shown if has_probabilities else []), ("slope", slope)]
    basis = slope if not slope.is_empty else low
    rows = tuple(
        (number(basis.steps[i], 6), *(number(float(values.mean[i]), 3) for _, values in shown))
        for i in picked_bins(basis)
    )
    return Plot(
        "saturation", title, reading, figure, tuple(notes), NOT_EVIDENCE, ("step", *(text for text, _ in shown)), rows
    )


def minimax_plot(run: RunRecord) -> Plot:
    """The minimax value of a relativistic game's outputs less their offset, with its own line at -log 4."""
    title = "Minimax value V of the outputs less one offset"
    reading = (
        "The outputs of this game have no zero of their own; with one offset c, fitted on another batch, l - c has a "
        "minimax value, which lies on the dashed line at equilibrium, and also where this discriminator is too weak."
    )
    value = series(monitored(run), "minimax_value", most=NOISY_BINS)
    if value.is_empty:
        return Plot("minimax", title, reading, None, ("The offset was not fitted yet.",), NOT_EVIDENCE)
    errors = error_of_bin_means(monitored(run), "minimax_value_standard_error", most=NOISY_BINS)
    notes = list(note_on_bins(value))
    with page_axes() as (figure, axes):
        if np.isfinite(errors).any():
            axes.fill_between(
                value.steps,
                value.mean - errors,
                value.mean + errors,
                color=DISCRIMINATOR_COLOUR,
                alpha=0.25,
                linewidth=0,
            )
            notes.append("The band is one standard error on either side.")
        draw_line(axes, value, DISCRIMINATOR_COLOUR, band=False)
        axes.axhline(-LOG_4, color=INK, linestyle=(0, (5, 3)), linewidth=1.1)
        notes += zoom(axes, value, extra=(-LOG_4,))
        steps_axis(axes)
        page_legend(
            figure,
            [
                legend_key("V of l - c", DISCRIMINATOR_COLOUR),
                legend_key("at equilibrium: -log 4 = -1.386", INK, style=(0, (4, 2))),
            ],
        )
    offsets = series(monitored(run), "offset", most=NOISY_BINS)
    rows = tuple(
        (
            number(value.steps[i], 6),
            number(float(value.mean[i])),
            number(float(errors[i]), 2),
            number(float(offsets.mean[i]), 3),
        )
        for i in picked_bins(value)
    )
    return Plot(
        "minimax",
        title,
        reading,
        figure,
        tuple(notes),
        NOT_EVIDENCE,
        ("step", "V of l - c", "standard error", "offset c"),
        rows,
    )


def saturation_plots(run: RunRecord) -> tuple[Callable[[RunRecord], Plot], ...]:
    """The figures that suit this run's objective."""
    return (minimax_plot, saturation_plot) if run.logit_meaning == RELATIVISTIC else (saturation_plot,)
