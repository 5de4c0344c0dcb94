"""The figure of `benchmarks/points.py`: true JSD on the 25-grid against CPU-seconds, by contestant."""

from __future__ import annotations

import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

WORDS = {
    "default": "equipoise train",
    "first_preset": "equipoise train of 0.1.0",
    "gaussian_mixture": "Gaussian mixture by BIC",
    "kernel_density": "kernel density",
}
PERFECT_NATS = 0.0016
"""What 500,000 draws of the law itself score on the 25-grid."""


def draw(lines: list[dict[str, Any]], path: Path, *, data: str = "grid25") -> None:
    """Median over seeds at each budget, with the range; outsiders by the seconds that they took."""
    from matplotlib.figure import Figure

    groups: dict[tuple[str, float], list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        if line["data"] == data and "jsd" in line:
            groups[line["contestant"], line["seconds"]].append(line)
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for contestant in sorted({name for name, _ in groups}):
        budgets = sorted(seconds for name, seconds in groups if name == contestant)
        mine = [groups[contestant, seconds] for seconds in budgets]
        spent = [statistics.median(line["cpu_seconds"] for line in part) for part in mine]
        jsd = [statistics.median(line["jsd"] for line in part) for part in mine]
        reach = [
            [median - min(line["jsd"] for line in part) for median, part in zip(jsd, mine, strict=True)],
            [max(line["jsd"] for line in part) - median for median, part in zip(jsd, mine, strict=True)],
        ]
        name = WORDS.get(contestant, f"non-saturating, rate {contestant.removeprefix('nonsaturating_')}")
        axes.errorbar(spent, jsd, yerr=reach, marker="o", capsize=3, label=name)
    axes.axhline(PERFECT_NATS, color="grey", linestyle=":", label="draws of the law itself")
    axes.set(xscale="log", yscale="log", xlabel="CPU-seconds of one thread", ylabel="true JSD, nats", title=data)
    axes.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
