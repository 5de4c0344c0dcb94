"""The plots of a table report, drawn from its JSON: columns, pairs, relations, usefulness, attacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.entries import entry_at, finite, listed, number_at
from equipoise.plotting.curves import draw_histogram
from equipoise.plotting.number_text import encodable, number, percent, shortened, time_of_day
from equipoise.plotting.style import AXIS, FAINT, FAKE_COLOUR, INK, MUTED, REAL_COLOUR, page_figure
from equipoise.reports.plots import Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Record = Mapping[str, Any]
SYNTHETIC = "synthetic"
MOST_IN_MATRIX = 24
NOTHING = "Nothing could be measured."


def column_plots(report: Record) -> list[Plot]:
    """A picture of each column, those that give the synthetic rows away the most first."""
    scores = {row.get("column"): row for row in listed(entry_at(report, "shapes", SYNTHETIC))}
    pictures = report.get("column_pictures") or {}
    return [
        _column_plot(place, name, picture, scores.get(name) or {}, report)
        for place, (name, picture) in enumerate(pictures.items())
    ]


def _column_plot(place: int, name: str, picture: Record, score: Record, report: Record) -> Plot:
    alone = number_at(report, "column_aucs", name, "value")
    reading = f"{score.get('metric') or 'score'} {_fixed(score.get('score'))}"
    reading += "" if alone is None else f" · AUC by itself {_fixed(alone)}"
    gaps = [finite(score.get(f"{side}_missing")) or 0.0 for side in ("real", "fake")]
    if any(gaps):
        reading += f" · missing {percent(gaps[0], 1)} of real, {percent(gaps[1], 1)} of synthetic"
    if (finite(picture.get("outside")) or 0.0) > 0.02:
        reading += f" · {percent(picture['outside'], 1)} of the synthetic values lie outside this picture"
    with page_figure(2.3) as figure:
        axes = figure.add_subplot()
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        if "levels" in picture:
            _draw_levels(axes, picture)
        else:
            _draw_amounts(axes, picture)
    return Plot(f"column-{place}", name, reading, figure)


def _draw_levels(axes: Axes, picture: Record) -> None:
    names = [shortened(str(name), 16) for name in picture["levels"]]
    places = np.arange(len(names))
    for side, colour, offset in (("real", REAL_COLOUR, -0.2), ("fake", FAKE_COLOUR, 0.2)):
        axes.bar(places + offset, picture[side], width=0.4, color=colour, linewidth=0)
    is_long = max(map(len, names), default=0) * len(names) > 40
    axes.set_xticks(places)
    axes.set_xticklabels(
        [encodable(name) for name in names],
        parse_math=False,
        rotation=35 if is_long else 0,
        ha="right" if is_long else "center",
    )


def _draw_amounts(axes: Axes, picture: Record) -> None:
    edges = np.array(picture["edges"], dtype=np.float64)
    if picture.get("is_date"):
        edges = (edges / 86_400.0).astype(np.float64)  # matplotlib counts days
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        # Years from two on: as months, a little less than five years are too many ticks, of which matplotlib warns.
        locator = AutoDateLocator(minticks=2, maxticks=5)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
    widths = np.diff(edges)
    for side, colour in (("real", REAL_COLOUR), ("fake", FAKE_COLOUR)):
        # Heights are densities: bins may differ in width.
        draw_histogram(axes, np.array(picture[side]) / widths * widths.mean(), edges, colour)
    if picture.get("is_date"):
        return
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if picture.get("is_time"):
        axes.set_xticks(hours_between(edges[0], edges[-1]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: time_of_day(value)))
        return
    # Where several whole numbers are in sight, halves between them only look like repeated ones.
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=bool(edges[-1] - edges[0] >= 2)))
    # A year has no comma in it.
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: number(value, 4) if abs(value) >= 10_000 else f"{value:.4g}")
    )


def hours_between(low: float, high: float) -> np.ndarray:
    """At most six times of day between two, in seconds since midnight, on whole hours or even parts of one."""
    for step in (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 10_800, 21_600):
        ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
        if len(ticks) <= 6:
            break
    return ticks


def pair_plots(report: Record) -> list[Plot]:
    """The worst pairs of columns, real beside synthetic."""
    return [_pair_plot(place, picture) for place, picture in enumerate(listed(report.get("pair_pictures")))]


def _pair_plot(place: int, picture: Record) -> Plot:
    one, other = picture["names"]
    shares = [np.array(picture[side], dtype=np.float64) for side in ("real", "fake")]
    top = max(float(part.max()) for part in shares) or 1.0
    rows, columns = (list(picture[key]) for key in ("rows", "columns"))
    height = 1.3 + 0.2 * len(rows)
    with page_figure(height) as figure:
        pair = figure.subplots(1, 2, sharey=True)
        for axes, part, colour, side in zip(
            pair, shares, (REAL_COLOUR, FAKE_COLOUR), ("real", "synthetic"), strict=True
        ):
            _draw_cells(axes, part / top, colour)
            axes.set_title(side, color=colour)
            axes.set_xticks(np.arange(len(columns)))
            axes.set_xticklabels(
                [encodable(shortened(name, 13)) for name in columns], parse_math=False, rotation=90, fontsize=7.5
            )
        pair[0].set_yticks(np.arange(len(rows)))
        pair[0].set_yticklabels([encodable(shortened(name, 16)) for name in rows], parse_math=False, fontsize=7.5)
    worst = np.unravel_index(np.argmax(np.abs(shares[0] - shares[1])), shares[0].shape)
    reading = (
        f"{picture.get('metric')} {_fixed(picture.get('score'))}. The darker a cell, the more rows. The largest "
        f"difference: {one} {rows[worst[0]]}, {other} {columns[worst[1]]}: {percent(shares[0][worst], 1)} of real "
        f"rows, {percent(shares[1][worst], 1)} of synthetic ones."
    )
    return Plot(f"pair-{place}", f"{one} and {other}", reading, figure)


def _draw_cells(axes: Axes, shares: np.ndarray, colour: str) -> None:
    """Squares of one colour, as opaque as their share: they suit light and dark pages alike."""
    from matplotlib.patches import Rectangle

    for row, column in np.ndindex(shares.shape):
        share = float(np.clip(np.nan_to_num(shares[row, column]), 0, 1))
        if share > 0.002:
            axes.add_patch(Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, color=colour, alpha=share, linewidth=0))
    axes.set_xlim(-0.5, shares.shape[1] - 0.5)
    axes.set_ylim(shares.shape[0] - 0.5, -0.5)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(FAINT)


def relation_plots(report: Record) -> list[Plot]:
    """The strength of every pair's relation as a matrix, one for each side."""
    found = listed(report.get("pairs"))
    strength: dict[str, float] = {}
    for pair in found:
        for name in pair["columns"]:
            strength[name] = strength.get(name, 0.0) + abs(finite(pair.get("real_strength")) or 0.0)
    if not strength:
        return []
    order = [
        row.get("column") for row in listed(entry_at(report, "shapes", SYNTHETIC)) if row.get("column") in strength
    ]
    kept = set(sorted(order, key=lambda name: -strength[name])[:MOST_IN_MATRIX])
    names = [name for name in order if name in kept]
    place = {name: index for index, name in enumerate(names)}
    notes = (
        () if len(names) == len(order) else (f"The {len(names)} of {len(order)} columns with the strongest relations.",)
    )
    plots = []
    for side, colour, title in (("real", REAL_COLOUR, "real rows"), ("fake", FAKE_COLOUR, "synthetic rows")):
        matrix = np.full((len(names), len(names)), np.nan)
        for pair in found:
            one, other = pair["columns"]
            if one in place and other in place:
                size = finite(pair.get(f"{side}_strength"))
                matrix[place[one], place[other]] = matrix[place[other], place[one]] = np.nan if size is None else size
        with page_figure(1.2 + 0.24 * len(names)) as figure:
            axes = figure.add_subplot()
            axes.set_aspect("equal")
            _draw_cells(axes, np.abs(matrix), colour)
            for row, column in zip(*np.where(matrix < -0.005), strict=True):
                axes.text(column, row, "−", ha="center", va="center", color=INK, fontsize=7)
            labels = [encodable(shortened(name, 18)) for name in names]
            axes.set_xticks(np.arange(len(names)))
            axes.set_xticklabels(labels, parse_math=False, rotation=90)
            axes.set_yticks(np.arange(len(names)))
            axes.set_yticklabels(labels, parse_math=False)
        reading = "The stronger the colour, the stronger the relation, from 0 to 1; a minus marks a falling one."
        plots.append(Plot(f"relations-{side}", f"How columns hang together: {title}", reading, figure, notes))
    return plots


def useful_plot(report: Record) -> Plot:
    """What a model scores on real rows, by what it was trained on."""
    useful = report.get("usefulness") or {}
    target = entry_at(useful, "target", "name")
    title = "Train on these rows, test on real ones"
    scores = useful.get("scores") or {}
    if not scores:
        return Plot("useful", title, "", notes=(str(useful.get("why_not") or NOTHING),))
    metric = {"R2": "R²"}.get(str(useful.get("metric")), str(useful.get("metric")))
    gap = entry_at(useful, "differences", SYNTHETIC) or {}
    reading = (
        f"Boosted trees predict '{target}' from the other columns. Trained on {number(useful.get('trained_on'), 12)} "
        f"rows each, tested on the same {number(useful.get('tested_on'), 12)} real rows, with 95 % intervals."
    )
    if finite(gap.get("value")) is not None:
        reading += (
            f" Synthetic less real: {_signed(gap['value'])}, from {_signed(gap.get('low'))} to "
            f"{_signed(gap.get('high'))} (1,000 paired resamples of the test rows)."
        )
    return _interval_plot("useful", title, reading, scores, xlabel=f"{metric} of '{target}'", line=None)


def auc_plot(report: Record) -> Plot:
    """How well boosted trees tell each set from real rows."""
    reading = "0.5 is no better than guessing, 1 is always right. Five folds, with 95 % intervals."
    return _interval_plot(
        "auc",
        "Can boosted trees tell these rows from real ones?",
        reading,
        report.get("aucs") or {},
        xlabel="AUC",
        line=0.5,
    )


def attack_plots(report: Record) -> list[Plot]:
    """The attacks, and nearness to the training rows."""
    found = report.get("privacy") or {}
    plots = []
    for key, title, xlabel, reading in (
        (
            "membership",
            "Attack: was this row trained on?",
            "AUC of the attack",
            "An attacker who has a real row guesses by its distance to the closest released row. 0.5 is guessing.",
        ),
        (
            "calibrated",
            "The same attack with reference rows",
            "AUC of the attack",
            "The attacker has other real rows too, and asks what released rows are nearer to than those. 0.5 is "
            "guessing.",
        ),
        (
            "nearer",
            "Nearer to training rows than to unused ones",
            "share of rows",
            "How many released rows are closer to a training row than to any of as many unused rows. 0.5 is chance.",
        ),
    ):
        scores = {
            name: score for name, score in (found.get(key) or {}).items() if finite(score.get("value")) is not None
        }
        if scores:
            plots.append(_interval_plot(key, title, reading, scores, xlabel=xlabel, line=0.5))
    return plots


def _interval_plot(
    name: str, title: str, reading: str, scores: Mapping[str, Record], *, xlabel: str, line: float | None
) -> Plot:
    known = {key: score for key, score in scores.items() if number_at(score, "value") is not None}
    if not known:
        return Plot(name, title, "", notes=(NOTHING,))
    with page_figure(0.9 + 0.33 * len(known)) as figure:
        axes = figure.add_subplot()
        axes.grid(True, axis="x")
        if line is not None:
            axes.axvline(line, color=AXIS, linewidth=0.9, linestyle="--", zorder=1)
        for place, (key, score) in enumerate(known.items()):
            colour = FAKE_COLOUR if key == SYNTHETIC else MUTED
            low, high = (finite(score.get(end)) for end in ("low", "high"))
            if low is not None and high is not None:
                axes.plot((low, high), (place, place), color=colour, linewidth=2, solid_capstyle="butt")
            axes.plot([score["value"]], [place], "o", color=colour, markersize=6)
        axes.set_yticks(np.arange(len(known)))
        axes.set_yticklabels(list(known))
        axes.set_ylim(len(known) - 0.5, -0.5)
        axes.set_xlabel(encodable(xlabel), parse_math=False)
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, 0.49), max(high, 0.51)) if line is not None else axes.set_xlim(low, high)
    rows = tuple(
        (key, *(number(score.get(part), 3) for part in ("value", "low", "high"))) for key, score in known.items()
    )
    return Plot(name, title, reading, figure, header=("rows", "value", "low", "high"), rows=rows)


def _fixed(value: Any) -> str:
    found = finite(value)
    return "–" if found is None else f"{found:.3f}"


def _signed(value: Any) -> str:
    found = finite(value)
    return "–" if found is None else f"{found:+.3f}".replace("-", "−")


def all_plots(report: Record) -> Sequence[Plot]:
    """Every plot of the page, for tests and for whoever wants them alone."""
    return [
        *column_plots(report),
        *pair_plots(report),
        *relation_plots(report),
        useful_plot(report),
        auc_plot(report),
        *attack_plots(report),
    ]
