"""The figures of a report: from measured rows to pictures, each with one sentence on how to read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.entries import entry_at, finite, number_at
from equipoise.plotting.curves import (
    NOISY_BINS,
    TABLE_ROWS,
    draw_line,
    error_of_bin_means,
    log_if_positive,
    names_under,
    note_on_bins,
    note_on_missing,
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
from equipoise.referee.verdict_text import LOG_2, NO_VERDICT, conclusion_of
from equipoise.reports.reading import RunRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOT_EVIDENCE = "the training discriminator's own view, which is not evidence"
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

PLAYERS = (("discriminator", DISCRIMINATOR_COLOUR), ("generator", GENERATOR_COLOUR))


@dataclass(frozen=True)
class Plot:
    """One figure of a report.

    Attributes:
        name: identifier on the page.
        title: what it shows.
        reading: one sentence on how to read it.
        figure: None when there is nothing to draw; `notes` then say why.
        notes: sentences on what was joined or left out.
        label: written above the figure, where it needs a warning.
        header, rows: the same numbers as a short table.
    """

    name: str
    title: str
    reading: str
    figure: Figure | None
    notes: tuple[str, ...] = ()
    label: str = ""
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def value_plot(run: RunRecord) -> Plot:
    """The objective's own value with its standard error, against its own value at equilibrium."""
    line = run.equilibrium_value
    value = series(run.metrics, "value")
    errors = error_of_bin_means(run.metrics, "value_standard_error")
    title = f"Value of the objective '{run.objective}'"
    reading = (
        "The solid line is how well the discriminator being trained does on the batches of that moment; at equilibrium "
        "it lies on the dashed line, but it also comes to lie there when this discriminator is merely too weak."
    )
    if value.is_empty:
        return _nothing("value", title, reading, label=NOT_EVIDENCE)
    notes = [*note_on_density(run), *note_on_bins(value), *note_on_missing(value)]
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
            of = "of that mean" if value.per_bin > 1 else "of one batch"
            notes.append(f"The band is one standard error {of} on either side.")
        draw_line(axes, value, DISCRIMINATOR_COLOUR, band=False)
        handles = [legend_key("value", DISCRIMINATOR_COLOUR)]
        if line is not None:
            axes.axhline(line, color=INK, linestyle=(0, (5, 3)), linewidth=1.1)
            handles.append(legend_key(f"at equilibrium: {line:.4g}", INK, style=(0, (4, 2))))
        else:
            notes.append("The run does not say what the value is at equilibrium.")
        notes += zoom(axes, value, extra=() if line is None else (line,))
        steps_axis(axes)
        page_legend(figure, handles)
    steps = value.steps
    table = tuple(
        (number(steps[i], 6), number(float(value.mean[i])), number(float(errors[i]), 2), number(line))
        for i in picked_bins(value)
    )
    header = ("step", "value", "standard error", "at equilibrium")
    return Plot("value", title, reading, figure, tuple(notes), NOT_EVIDENCE, header, table)


def note_on_density(run: RunRecord) -> tuple[str, ...]:
    """Under which density V is given, and what it is under the data's own, for a run that draws rows by weight."""
    drawn, own = (entry_at(run.metadata, "sampling", key) for key in ("value", "value_under_data"))
    if not isinstance(drawn, str):
        return ()
    under = series(run.metrics, "value_under_data", most=NOISY_BINS)
    last = f"; its last mean is {number(under.last)}" if under.last is not None else ""
    said = f" In metrics.jsonl, value_under_data is for {own[:400]}{last}." if isinstance(own, str) else ""
    return (f"V is given under {drawn[:400]}.{said}",)


def referee_plot(run: RunRecord) -> Plot:
    """The referee's lower bound on the JSD at each of its looks."""
    title = "The referee's lower bound on the distance (JSD)"
    reading = (
        "Each point was measured by a discriminator of the referee's own, on data that nobody trained on; above zero "
        "it proves, at its confidence, a difference of at least that size, and at zero it proves nothing."
    )
    evaluations = [
        (step, bound, row)
        for row in run.verdicts
        if (step := number_at(row, "step")) is not None
        and (bound := number_at(row, "jsd_lower_bound_nats")) is not None
    ]
    if not evaluations:
        why = f"{NO_VERDICT}." if not run.verdicts else "No look of the referee gave a bound."
        return Plot("referee", title, reading, None, (why,), "held-out evidence")
    steps, bounds = np.array([entry[0] for entry in evaluations]), np.array([entry[1] for entry in evaluations])
    is_final = np.array([entry[2].get("part") == "final" for entry in evaluations])
    estimates = [finite(entry[2].get("jsd_estimate_nats")) for entry in evaluations]
    with page_axes() as (figure, axes):
        handles = []
        high = np.array([np.nan if (top := _top_of_band(entry[2])) is None else top for entry in evaluations])
        for mask in (~is_final, is_final):
            if mask.any() and np.isfinite(high[mask]).any():
                axes.vlines(steps[mask], bounds[mask], high[mask], color=INK, alpha=0.35, linewidth=3)
        if (~is_final).sum() > 1:
            axes.fill_between(steps[~is_final], bounds[~is_final], high[~is_final], color=INK, alpha=0.1, linewidth=0)
            axes.plot(steps[~is_final], bounds[~is_final], color=INK, linewidth=1.2)
        for mask, marker, label in ((~is_final, "o", "look during training"), (is_final, "D", "final verdict")):
            if mask.any():
                axes.plot(steps[mask], bounds[mask], marker=marker, color=INK, linestyle="none", markersize=5)
                handles.append(legend_key(label, INK, marker=marker, style="none"))
        shown = [(step, estimate) for step, estimate in zip(steps, estimates, strict=True) if estimate is not None]
        if shown:
            axes.plot(*np.transpose(shown), marker="_", color="#5b626b", linestyle="none", markersize=9)
            handles.append(legend_key("estimate of that limit", "#5b626b", marker="_", style="none"))
        top = max([float(bounds.max()), *high[np.isfinite(high)].tolist(), *(estimate for _, estimate in shown), 0.02])
        bottom = min([0.0, *(estimate for _, estimate in shown)])
        axes.set_ylim(bottom - 0.05 * top, min(1.15 * top, LOG_2 * 1.05))
        axes.axhline(0.0, color="#8a9099", linewidth=0.8)
        axes.set_ylabel("nats")
        steps_axis(axes, last=float(max(steps.max(), run.step)))
        page_legend(figure, handles)
    notes = ("A distance of 0 is equality; log 2 = 0.693 nats is the largest there is.",)
    if np.isfinite(high).any():
        notes += ("The band reaches from the bound to as far above the estimate; the true distance may be larger.",)
    notes += ("The estimate makes no allowance for chance and may be negative.",) if shown else ()
    table = tuple(
        (number(step, 6), "final" if final else "selection", number(bound), number(estimate), conclusion_of(row))
        for step, bound, final, estimate, (_, _, row) in list(
            zip(steps.tolist(), bounds.tolist(), is_final.tolist(), estimates, evaluations, strict=True)
        )[-TABLE_ROWS:]
    )
    header = ("step", "part", "bound (nats)", "estimate (nats)", "conclusion")
    return Plot("referee", title, reading, figure, notes, "held-out evidence", header, table)


def _top_of_band(row: Mapping[str, Any]) -> float | None:
    """As far above the estimate as a one-sided bound at the look's confidence lies below it."""
    estimate, error = number_at(row, "jsd_estimate_nats"), number_at(row, "value_standard_error")
    confidence = number_at(row, "confidence")
    if estimate is None or error is None or confidence is None or not 0 < confidence < 1:
        return None
    return estimate + NormalDist().inv_cdf(confidence) * error / 2


def histogram_plot(run: RunRecord) -> Plot:
    """The discriminator's outputs on real and on generated samples; as probabilities only where they are."""
    probable = run.logit_meaning == "log_odds"
    usable = [
        (row["step"], histogram)
        for row in run.metrics
        if (histogram := _histogram(row, allow_probability=probable)) is not None
    ]
    is_probability = bool(usable) and usable[-1][1]["what"] == "probability"
    usable = [entry for entry in usable if entry[1]["what"] == usable[-1][1]["what"]]
    what = "D, the probability of being real," if is_probability else "Output of the discriminator"
    title = f"{what} on real and on generated samples"
    blind = "; where D is 1/2 everywhere it is blind." if is_probability else "."
    reading = f"The more the two colours overlap, the less this discriminator can tell them apart{blind}"
    reasons = () if probable else (NO_PROBABILITY.get(run.logit_meaning, NO_PROBABILITY["unknown"]),)
    if not usable:
        return _logits_over_time(run, title, reading, reasons)
    shown = [usable[i] for i in sorted({0, len(usable) // 2, len(usable) - 1})]
    with page_figure(1.0 + 1.25 * len(shown)) as figure:
        panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (step, histogram) in zip(panels, shown, strict=True):
            for side, colour in (("real", REAL_COLOUR), ("fake", FAKE_COLOUR)):
                heights = histogram[side] / max(histogram[side].sum(), 1e-300)
                axes.stairs(heights, histogram["edges"], fill=True, color=colour, alpha=0.28, linewidth=0)
                axes.stairs(heights, histogram["edges"], color=colour, linewidth=1.2)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            axes.set_title(f"step {step:,}", loc="left", color="#5b626b")
            if probable:
                axes.axvline(0.5 if is_probability else 0.0, color=INK, linestyle=(0, (5, 3)), linewidth=1.0)
        panels[-1].set_xlabel("D" if is_probability else "output (logit)")
        page_legend(figure, [legend_key("real", REAL_COLOUR), legend_key("generated", FAKE_COLOUR)])
    table = tuple(_histogram_row(step, histogram) for step, histogram in shown)
    notes = (*reasons, "Heights are shares of the samples of each side.")
    if probable:
        notes += ("The dashed line marks D = 1/2.",)
    header = ("step", "mean on real", "mean on generated")
    return Plot("outputs", title, reading, figure, notes, NOT_EVIDENCE, header, table)


def gradient_plot(run: RunRecord) -> Plot:
    """Gradient norms of both players."""
    return _lines_plot(
        run,
        "gradients",
        "Length of each player's gradient",
        "Steady or falling lines are healthy; a generator's line that drops towards zero means that it no longer "
        "learns, and a line that shoots up means that play is breaking down.",
        [(player, colour, ("gradient_norm", player)) for player, colour in PLAYERS],
        log=True,
    )


def loss_plot(run: RunRecord) -> Plot:
    """Losses of both players."""
    return _lines_plot(
        run,
        "losses",
        "Losses of the two players",
        "Each loss is measured against an opponent that also learns, so neither has to fall, and a low one is no sign "
        "of good samples.",
        [(player, colour, (f"{player}_loss",)) for player, colour in PLAYERS],
        log=False,
        label=NOT_EVIDENCE,
    )


def learning_rate_plot(run: RunRecord) -> Plot:
    """Learning rates of both players."""
    return _lines_plot(
        run,
        "rates",
        "Learning rates",
        "How large the steps of each player are; they rise during warm-up and decay towards the end so that play can "
        "settle.",
        [(player, colour, ("learning_rate", player)) for player, colour in PLAYERS],
        log=True,
    )


def speed_plot(run: RunRecord) -> Plot:
    """Steps per second."""
    return _lines_plot(
        run,
        "speed",
        "Speed",
        "Steps per second; a drop means that something else used the machine, or that the run was measuring itself.",
        [("steps per second", "#5b626b", ("steps_per_second",))],
        log=False,
        from_zero=True,
    )


def penalty_plot(run: RunRecord) -> Plot:
    """Each penalty before its weight, and the weights."""
    title = "Penalties and their weights"
    reading = (
        "Above, how steep the discriminator is where each penalty looks (before its weight); below, how strongly that "
        "is punished, which usually decays so that finer detail can be learned."
    )
    names = names_under(run.metrics, "penalty") or names_under(run.metrics, "penalty_weight")
    means = {name: series(run.metrics, "penalty", name, most=NOISY_BINS) for name in names}
    weights = {name: series(run.metrics, "penalty_weight", name, most=NOISY_BINS) for name in names}
    if not names:
        return _nothing("penalties", title, reading, why="This run uses no penalty, or none was measured yet.")
    if all(entry.is_empty for entry in (*means.values(), *weights.values())):
        return _nothing("penalties", title, reading)
    with page_figure(4.1) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True)
        handles = []
        for index, name in enumerate(names):
            colour = LINE_COLOURS[index % len(LINE_COLOURS)]
            style = "-" if index % 2 == 0 else (0, (5, 2))  # equal weights lie on top of each other
            draw_line(upper, means[name], colour)
            draw_line(lower, weights[name], colour, band=False, style=style)
            handles.append(legend_key(name, colour, style=(0, (4, 2)) if index % 2 == 1 else "-"))
        for axes, text, shown in ((upper, "penalty", means), (lower, "weight", weights)):
            axes.grid(True)
            axes.set_ylabel(text)
            log_if_positive(axes, list(shown.values()))
        steps_axis(lower)
        page_legend(figure, handles)
    notes = note_on_bins(next(iter(means.values())))
    last = [(name, number(means[name].last), number(weights[name].last)) for name in names]
    return Plot("penalties", title, reading, figure, notes, "", ("penalty", "last mean", "last weight"), tuple(last))


PLOTS: tuple[Callable[[RunRecord], Plot], ...] = (
    value_plot,
    referee_plot,
    histogram_plot,
    gradient_plot,
    loss_plot,
    penalty_plot,
    learning_rate_plot,
    speed_plot,
)


def _lines_plot(
    run: RunRecord,
    name: str,
    title: str,
    reading: str,
    lines: Sequence[tuple[str, str, tuple[str, ...]]],
    *,
    log: bool,
    label: str = "",
    from_zero: bool = False,
) -> Plot:
    """A plot of a few measured quantities; those never measured are left out and named."""
    found = [(text, colour, series(run.metrics, *keys, most=NOISY_BINS)) for text, colour, keys in lines]
    present = [entry for entry in found if not entry[2].is_empty]
    if not present:
        return _nothing(name, title, reading, label=label)
    notes = [*note_on_bins(present[0][2], band=True), *note_on_missing(present[0][2])]
    with page_axes() as (figure, axes):
        for index, (_, colour, values) in enumerate(present):
            draw_line(axes, values, colour, style="-" if index == 0 else (0, (5, 1.5)))
        if log:
            log_if_positive(axes, [values for _, _, values in present])
        elif from_zero:
            axes.set_ylim(0, 1.1 * max(float(np.nanmax(values.high)) for _, _, values in present) or 1.0)
        else:
            notes += zoom(axes, *(values for _, _, values in present))
        steps_axis(axes)
        keys = [
            legend_key(text, colour, style=(0, (4, 2)) if index > 0 else "-")
            for index, (text, colour, _) in enumerate(present)
        ]
        if len(keys) > 1:
            page_legend(figure, keys)
        else:
            axes.set_ylabel(present[0][0])
    notes += [f"Not measured: {text}." for text, _, values in found if values.is_empty]
    rows = tuple(
        (number(present[0][2].steps[i], 6), *(number(float(values.mean[i])) for _, _, values in present))
        for i in picked_bins(present[0][2])
    )
    return Plot(name, title, reading, figure, tuple(notes), label, ("step", *(text for text, _, _ in present)), rows)


def _logits_over_time(run: RunRecord, title: str, reading: str, notes: tuple[str, ...]) -> Plot:
    """Mean outputs on each side with their spread, for a run without histograms."""
    sides = [("real", "real", REAL_COLOUR), ("generated", "fake", FAKE_COLOUR)]
    means = [series(run.metrics, "logits", side, "mean") for _, side, _ in sides]
    if all(values.is_empty for values in means):
        return Plot("outputs", title, reading, None, (*notes, "No histogram was measured yet."), NOT_EVIDENCE)
    with page_axes() as (figure, axes):
        for (_, side, colour), values in zip(sides, means, strict=True):
            spread = series(run.metrics, "logits", side, "std").mean
            axes.fill_between(
                values.steps, values.mean - spread, values.mean + spread, color=colour, alpha=0.18, linewidth=0
            )
            draw_line(axes, values, colour, band=False)
        axes.set_ylabel("output (logit)")
        steps_axis(axes)
        page_legend(figure, [legend_key(text, colour) for text, _, colour in sides])
    notes = (*notes, "No histogram was measured yet; the lines are means and the bands one standard deviation.")
    rows = tuple(
        (number(means[0].steps[i], 6), *(number(float(values.mean[i])) for values in means))
        for i in picked_bins(means[0])
    )
    header = ("step", "mean on real", "mean on generated")
    return Plot("outputs", title, reading, figure, notes, NOT_EVIDENCE, header, rows)


def _histogram(row: Mapping[str, Any], *, allow_probability: bool) -> dict[str, Any] | None:
    """A well-formed histogram of this row, or None. A 'probability' of logits that are none is refused."""
    found = row.get("histogram")
    if not isinstance(found, Mapping) or found.get("what") not in ("probability", "logit"):
        return None
    if found["what"] == "probability" and not allow_probability:
        return None
    arrays: dict[str, Any] = {"what": found["what"]}
    for key in ("edges", "real", "fake"):
        entries = found.get(key)
        numbers = [finite(entry) for entry in entries] if isinstance(entries, (list, tuple)) else []
        if not numbers or None in numbers:
            return None
        arrays[key] = np.array(numbers, dtype=np.float64)
    fits = len(arrays["edges"]) == len(arrays["real"]) + 1 == len(arrays["fake"]) + 1
    ascending = bool((np.diff(arrays["edges"]) > 0).all())
    return arrays if fits and ascending and min(arrays["real"].sum(), arrays["fake"].sum()) > 0 else None


def _histogram_row(step: int, histogram: Mapping[str, Any]) -> tuple[str, str, str]:
    middles = (histogram["edges"][1:] + histogram["edges"][:-1]) / 2
    means = [float((histogram[side] * middles).sum() / histogram[side].sum()) for side in ("real", "fake")]
    return number(step, 6), number(means[0], 3), number(means[1], 3)


def _nothing(name: str, title: str, reading: str, *, label: str = "", why: str = "") -> Plot:
    return Plot(name, title, reading, None, (why or "Nothing was measured yet.",), label)
