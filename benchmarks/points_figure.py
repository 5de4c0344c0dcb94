"""The figure of `benchmarks/points.py`: true JSD on the 25-grid against CPU-seconds, by contestant."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.plotting.style import INK, LINE_COLOURS, REFERENCE_LINE, label_axes, new_figure, save_figure

WORDS = {
    "default": "equipoise train",
    "first_preset": "equipoise train of 0.1.0",
    "nonsaturating": "non-saturating, best of three rates",
    "gaussian_mixture": "Gaussian mixture by BIC",
    "kernel_density": "kernel density",
}
"""Contestants in the order of the legend."""
MARKERS = ("o", "s", "^", "D", "v")
PERFECT_NATS = 0.0016
"""What 500,000 draws of the law itself score on the 25-grid."""
Line = Mapping[str, Any]


def draw(lines: Sequence[Line], path: Path, *, data: str = "grid25") -> None:
    """Write it, and print what is in it."""
    found = budgets_of(lines, data)
    save_figure(figure_of(found), path, dots_per_inch=150)
    for (contestant, seconds), part in sorted(found.items()):
        print(f"{contestant}, {seconds:g} s: {len(part)} attempts of {part[-1]['commit'][:10]}")


def budgets_of(lines: Sequence[Line], data: str) -> dict[tuple[str, float], list[Line]]:
    """The attempts at each budget of a contestant: those under the latest settings that have any; of the rates of
    `nonsaturating` the one of the least median."""
    groups: dict[tuple[str, float], list[Line]] = {}
    for line in lines:
        if line["data"] == data and "jsd" in line:
            groups.setdefault((line["contestant"], line["seconds"]), []).append(line)
    found: dict[tuple[str, float], list[Line]] = {}
    for (contestant, seconds), every in groups.items():
        part = [line for line in every if line["commit"] == every[-1]["commit"]]
        name = "nonsaturating" if contestant.startswith("nonsaturating_") else contestant
        best = found.get((name, seconds))
        if best is None or median(part, "jsd") < median(best, "jsd"):
            found[name, seconds] = part
    return found


def figure_of(found: Mapping[tuple[str, float], Sequence[Line]]) -> Any:
    """Median over seeds at each budget, with the range, at the seconds that were taken."""
    from matplotlib.ticker import LogLocator, NullLocator

    with new_figure(6.5, 3.8) as figure:
        axes = figure.subplots()
        for place, (name, words) in enumerate(WORDS.items()):
            budgets = sorted(seconds for contestant, seconds in found if contestant == name)
            if not budgets:
                continue
            parts = [found[name, seconds] for seconds in budgets]
            middles = [median(part, "jsd") for part in parts]
            reach = [
                [middle - min(line["jsd"] for line in part) for middle, part in zip(middles, parts, strict=True)],
                [max(line["jsd"] for line in part) - middle for middle, part in zip(middles, parts, strict=True)],
            ]
            style = {"color": INK, "linewidth": 2} if name == "default" else {"color": LINE_COLOURS[place - 1]}
            spent = [median(part, "cpu_seconds") for part in parts]
            axes.errorbar(spent, middles, reach, marker=MARKERS[place], markersize=5, capsize=3, label=words, **style)
        axes.axhline(PERFECT_NATS, **REFERENCE_LINE, label="draws of the law itself")
        axes.set(xscale="log", yscale="log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter("{x:g}")
        label_axes(axes, "25-grid", x="CPU-seconds of one thread", y="true JSD, nats")
        figure.legend(loc="outside right upper")
    return figure


def median(lines: Sequence[Line], name: str) -> float:
    """Of one number of some attempts."""
    return statistics.median(line[name] for line in lines)
