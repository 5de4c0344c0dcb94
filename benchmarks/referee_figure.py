"""Draw how often differences are found against the number of samples, beside classical tests, from stored rows.

    python benchmarks/referee_figure.py        # reads rows/referee_marks.jsonl, writes docs/images/power.png

Each point is a row of `referee_marks.jsonl`: the share of its trials in which the difference was found at level 5 %,
with the exact 95 % interval for the referee. The rows of one configuration and one version of the referee are drawn,
those with most trials. Prints the rows that it has drawn, for the page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from referee_classical import NAMES
from referee_summary import exact_interval

from equipoise.plotting.style import INK, LINE_COLOURS, REFERENCE_LINE, label_axes, legend_key, new_figure, save_figure

HERE = Path(__file__).parent
ROWS, FIGURE = HERE / "rows" / "referee_marks.jsonl", HERE.parent / "docs" / "images" / "power.png"
DIFFERENCES = {
    "shift": "shift of 0.15 deviations\nin one of 5 dimensions",
    "correlation": "correlation of 0.15\nin 5 dimensions",
    "width": "modes of the 25-grid\nwider by 20 %",
    "mode": "one of 25 modes\nmissing",
    "digits_class": "one of ten digits\nmissing (images)",
}
TESTS = {
    "dcorr": "distance correlation",
    "hsic": "kernel test (Hsic)",
    "one_split": "one-split classifier",
    "hotelling": "Hotelling's T2",
}
SIZES = (500, 2000)
MARKERS = ("s", "^", "D", "v")
Line = Mapping[str, Any]


def main() -> None:
    """Draw the figure and print what is in it."""
    lines = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines() if line.strip()]
    drawn = newest(lines)
    save_figure(figure_of(drawn), FIGURE, dots_per_inch=150)
    for name, row in sorted(drawn.items()):
        print(f"{name}: {row['repeats']} trials, referee version {row['referee_version']}, {row['configuration'][:10]}")


def newest(lines: Sequence[Line]) -> dict[str, Line]:
    """By claim, the row of the latest version of the referee; of several configurations the one with most trials."""
    found: dict[str, Line] = {}
    for line in lines:
        name = line["claim"]
        is_wanted = any(name.split(".")[0] == difference for difference in DIFFERENCES)
        rank = (line["referee_version"], line["repeats"])
        if is_wanted and line["repeats"] and rank > _rank(found.get(name)):
            found[name] = line
    return found


def figure_of(rows: Mapping[str, Line]) -> Any:
    """A panel for each difference: the referee with its interval, and each classical test on the same samples."""
    with new_figure(11.5, 3.5) as figure:
        panels = figure.subplots(1, len(DIFFERENCES), sharey=True)
        for axes, (difference, words) in zip(panels, DIFFERENCES.items(), strict=True):
            ours = [(size, rows[f"{difference}.{size}"]) for size in SIZES if f"{difference}.{size}" in rows]
            for place, test in enumerate(NAMES):
                theirs = [(size, rows.get(f"{difference}.{size}, loss to {test}")) for size in SIZES]
                shown = [(size, row["found_by_the_test"]) for size, row in theirs if row is not None]
                if shown:
                    axes.plot(*zip(*shown, strict=True), color=LINE_COLOURS[place], marker=MARKERS[place], markersize=4)
            if ours:
                shares = [row["value"] for _, row in ours]
                ends = [exact_interval(round(row["value"] * row["repeats"]), row["repeats"]) for _, row in ours]
                errors = [
                    [share - low for share, (low, _) in zip(shares, ends, strict=True)],
                    [high - share for share, (_, high) in zip(shares, ends, strict=True)],
                ]
                sizes = [size for size, _ in ours]
                axes.errorbar(sizes, shares, errors, color=INK, marker="o", markersize=5, linewidth=2, capsize=3)
            axes.axhline(0.05, **REFERENCE_LINE)
            axes.set_xscale("log")
            axes.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
            axes.minorticks_off()
            axes.set_xlim(SIZES[0] / 1.4, SIZES[-1] * 1.4)
            axes.set_ylim(-0.02, 1.03)
            counts = sorted({row["repeats"] for _, row in ours})
            trials = " to ".join(f"{count:,}" for count in (counts[:1] + counts[-1:] if len(counts) > 1 else counts))
            label_axes(axes, words, x=f"samples a side ({trials} trials)" if trials else "samples a side")
        panels[0].set_ylabel("share of trials in which it is found")
        handles = [legend_key("equipoise judge", INK, marker="o")]
        handles += [
            legend_key(TESTS[name], LINE_COLOURS[place], marker=MARKERS[place]) for place, name in enumerate(NAMES)
        ]
        figure.legend(handles=handles, loc="outside lower left", ncols=len(handles))
    return figure


def _rank(line: Line | None) -> tuple[int, int]:
    return (0, 0) if line is None else (line["referee_version"], line["repeats"])


if __name__ == "__main__":
    main()
