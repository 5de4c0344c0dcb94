"""Has the discriminator saturated the generator? The monitor's plots and flags, from the rows it wrote."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from equipoise.entries import entry_at, listed
from equipoise.plotting.curves import NOISY_BINS, error_of_bin_means, series
from equipoise.plotting.style import (
    DISCRIMINATOR_COLOUR,
    FAKE_COLOUR,
    GENERATOR_COLOUR,
    INK,
    LINE_COLOURS,
    REAL_COLOUR,
)
from equipoise.reports.outputs_plot import why_no_probability
from equipoise.reports.plots import NOT_EVIDENCE, Line, Panel, Plot, curves, note_on_errors
from equipoise.reports.reading import RunRecord

LOG_4 = math.log(4)
MOST_FLAGS = 10
RELATIVISTIC = "log_odds_up_to_a_constant"
STEEPNESS_READING = (
    "An input gradient that stays of one size is healthy; one that shoots up means that the discriminator is breaking "
    "away."
)
SATURATION_READING = (
    "As long as the two gradients above are of one size and few generated samples are dismissed (D below 0.01), the "
    "generator can learn; an input gradient that shoots up means that the discriminator is breaking away."
)


def flag_sentences(run: RunRecord) -> list[str]:
    """What the monitor found wrong, each sentence once, with the steps at which it was first and last so."""
    seen: dict[str, list[int]] = {}
    measured: list[int] = []
    for row in run.metrics:
        found = entry_at(row, "saturation", "flags")
        if isinstance(found, (list, tuple)):
            measured.append(row["step"])
        for text in listed(found):
            if isinstance(text, str):
                seen.setdefault(text[:400], []).append(row["step"])
    sentences = []
    for text, steps in list(seen.items())[:MOST_FLAGS]:
        until = "now" if steps[-1] == measured[-1] else f"step {steps[-1]:,}"
        count = f"{len(steps)} of {len(measured)} times that this was measured"
        sentences.append(f"{text} (Found {count}, from step {steps[0]:,} until {until}.)")
    return sentences


def saturation_plots(run: RunRecord) -> list[Plot]:
    """The plots that suit this run's objective."""
    # The measurements alone, each with its step: most measured steps have none, and lines would break there.
    rows = [
        {"step": row["step"], **found} for row in run.metrics if isinstance(found := row.get("saturation"), Mapping)
    ]
    return [*([_minimax_plot(rows)] if run.logit_meaning == RELATIVISTIC else []), _saturation_plot(run, rows)]


def _saturation_plot(run: RunRecord, rows: list[dict[str, Any]]) -> Plot:
    """What either generator loss would do, how sure the discriminator is, and how steep."""

    def line(name: str, key: str, colour: str, **options: Any) -> Line:
        return Line(name, colour, series(rows, key, most=NOISY_BINS), **options)

    gradients = (
        line("saturating loss", "saturating_norm", LINE_COLOURS[1]),
        line("non-saturating loss", "nonsaturating_norm", GENERATOR_COLOUR),
    )
    probabilities = (
        line("mean D on real", "mean_probability_real", REAL_COLOUR),
        line("mean D on generated", "mean_probability_fake", FAKE_COLOUR),
        line("share with D < 0.01", "share_below_001", INK, style=(0, (5, 2))),
    )
    steepness = line("input gradient of the output", "input_gradient_norm", DISCRIMINATOR_COLOUR)
    panels = [Panel((steepness,), "input gradient", "log")]
    reading = STEEPNESS_READING
    notes: tuple[str, ...] = (why_no_probability(run),)
    if not all(entry.values.is_empty for entry in gradients):
        panels = [Panel(gradients, "gradient norm", "log"), Panel(probabilities, "D", "probability"), *panels]
        reading = SATURATION_READING
        offset = "D is the sigmoid of the output less one offset, which was fitted on another batch."
        notes = (offset,) if run.logit_meaning == RELATIVISTIC else ()
    plot = Plot(
        "saturation",
        "Saturation: can the generator still learn from this discriminator?",
        reading,
        notes=() if steepness.values.is_empty and len(panels) == 1 else notes,
        label=NOT_EVIDENCE,
    )
    return curves(plot, panels, absent="Saturation was not measured yet.")


def _minimax_plot(rows: list[dict[str, Any]]) -> Plot:
    """The minimax value of a relativistic game's outputs less their offset, with its own line at -log 4."""
    value = series(rows, "minimax_value", most=NOISY_BINS)
    errors = error_of_bin_means(rows, "minimax_value_standard_error", most=NOISY_BINS)
    plot = Plot(
        "minimax",
        "Minimax value V of the outputs less one offset",
        "The outputs of this game have no zero of their own; with one offset c, fitted on another batch, l - c has a "
        "minimax value, which lies on the dashed line at equilibrium, and also where this discriminator is too weak.",
        notes=note_on_errors(value, errors),
        label=NOT_EVIDENCE,
    )
    line = Line("V of l - c", DISCRIMINATOR_COLOUR, value, errors=errors, error_name="standard error")
    panel = Panel((line,), reference=(-LOG_4, "at equilibrium: -log 4 = -1.386"))
    columns = [("offset c", series(rows, "offset", most=NOISY_BINS))]
    return curves(plot, [panel], columns=columns, absent="The offset was not fitted yet.")
