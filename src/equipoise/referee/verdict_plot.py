"""A verdict as a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from equipoise.metrics.divergence import MAXIMAL_JSD_NATS
from equipoise.referee.bound import LOGIT_LIMIT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from equipoise.referee.verdict import Verdict

_REAL, _FAKE = "#0072B2", "#D55E00"
"""Blue and vermilion of the palette of Okabe and Ito, which colour-blind readers tell apart."""
_SHOWN = 10


def draw(verdict: Verdict) -> Figure:
    """How real each held-out sample looked, the proved distance beside the resolution, and what gave each side away."""
    from matplotlib.figure import Figure

    lower = _lower_part(verdict)
    bars = 0 if verdict.sensitivity is None else len(verdict.sensitivity.by_defect_nats)
    heights = [max(3.6, 1.8 + 0.28 * bars), 0.0 if lower is None else 2.8]
    figure = Figure(figsize=(10, sum(heights)), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=heights) if lower is not None else (figure, None)
    left, right = above.subplots(1, 2)
    _draw_scores(left, *verdict.scores)
    _draw_distance(right, verdict)
    if lower is not None:
        lower(below, verdict)
    figure.suptitle(verdict.conclusion.value.replace("_", " "))
    return figure


def _lower_part(verdict: Verdict):
    """What shows where the sides differ, if there is anything to show."""
    if len(verdict.scores[0]) == 0:
        return None
    if verdict.kind == "images":
        return _draw_images
    if verdict.kind == "points" and verdict.scored[0].shape[1] >= 2:
        return _draw_points
    return _draw_columns if _where(verdict, "column") or _where(verdict, "first") else None


def _where(verdict: Verdict, key: str) -> list[Mapping[str, object]]:
    """Rows of the findings on where the sides differ: those of columns, or of pairs."""
    return [
        row
        for finding in verdict.findings
        if finding.check == "where"
        for row in finding.rows
        if key in row and ("jsd_nats" in row or "dependence_lost_nats" in row)
    ]


def _draw_images(panel, verdict: Verdict) -> None:
    """The samples of each side that the discriminator was surest of, and the map of regions where that was made."""
    regions = next((finding.rows for finding in verdict.findings if finding.check == "regions"), ())
    pictures, map_panel = panel.subfigures(1, 2, width_ratios=[3, 1]) if regions else (panel, None)
    grid = pictures.subplots(2, _SHOWN, squeeze=False)
    for line, images, logits, sign, name in zip(
        grid, verdict.scored, verdict.scores, (1, -1), ("surest real", "surest generated"), strict=True
    ):
        order = np.argsort(-sign * logits, kind="stable")
        for place, axes in enumerate(line):
            axes.set_axis_off()
            if place < len(order):
                image = images[order[place]].transpose(1, 2, 0)[:, :, :3]
                image = image[:, :, 0] if image.shape[2] < 3 else image
                axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        line[0].set_title(name, fontsize=9, loc="left")
    if map_panel is not None:
        _draw_regions(map_panel.subplots(), regions)


def _draw_regions(axes, regions) -> None:
    """Each cell of the images by what its own discriminator proved; cells that are told apart are framed."""
    from matplotlib.patches import Rectangle

    height, width = (max(row[end] for row in regions) for end in ("bottom", "right"))
    seen = np.zeros((height, width))
    for row in regions:
        seen[row["top"] : row["bottom"], row["left"] : row["right"]] = max(0.0, row["jsd_estimate_nats"])
    shown = axes.imshow(
        seen, cmap="magma", vmin=0, vmax=max(0.01, seen.max()), interpolation="nearest", extent=(0, width, height, 0)
    )
    for row in regions:
        if row["is_told_apart"]:
            size = (row["right"] - row["left"], row["bottom"] - row["top"])
            axes.add_patch(Rectangle((row["left"], row["top"]), *size, fill=False, edgecolor="#56B4E9", linewidth=1.5))
    axes.set_title("regions, nats", fontsize=9)
    axes.tick_params(labelsize=7)
    axes.figure.colorbar(shown, ax=axes)


def _draw_columns(panel, verdict: Verdict) -> None:
    """Columns that differ by themselves, and pairs of columns that go together differently."""
    for axes, rows, label, size, title in zip(
        panel.subplots(1, 2),
        (_where(verdict, "column"), _where(verdict, "first")),
        (lambda row: str(row["column"]), lambda row: f"{row['first']} with {row['second']}"),
        (lambda row: row["jsd_nats"], lambda row: row["dependence_lost_nats"]),
        ("columns by themselves", "pairs of columns"),
        strict=True,
    ):
        axes.set_title(title, fontsize=9)
        if not rows:
            axes.text(0.5, 0.5, "none found", ha="center", va="center", transform=axes.transAxes, fontsize=9)
            axes.set_axis_off()
            continue
        axes.barh(np.arange(len(rows)), [size(row) for row in rows], color=_FAKE)
        axes.set_yticks(np.arange(len(rows)), [label(row)[:40].replace("$", r"\$") for row in rows], fontsize=8)
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.8)
        unit = "JSD of the column, nats" if title.startswith("columns") else "dependence lost (below 0: gained), nats"
        axes.set_xlabel(unit, fontsize=8)


def _draw_points(panel, verdict: Verdict) -> None:
    """Both sides in their first two coordinates, coloured by the discriminator's logit."""
    for axes, points, logits, name in zip(
        panel.subplots(1, 2, sharex=True, sharey=True),
        verdict.scored,
        verdict.scores,
        ("real", "generated"),
        strict=True,
    ):
        drawn = axes.scatter(
            points[:, 0], points[:, 1], c=logits, s=3, cmap="coolwarm_r", vmin=-LOGIT_LIMIT / 3, vmax=LOGIT_LIMIT / 3
        )
        axes.set_title(f"{name}: red looks generated, blue looks real", fontsize=9)
    panel.colorbar(drawn, ax=panel.axes, label="log-odds of being real")


def _draw_scores(axes, real: np.ndarray, fake: np.ndarray) -> None:
    edges = np.linspace(0, 1, 41)
    for logits, colour, name in ((real, _REAL, "real"), (fake, _FAKE, "generated")):
        if len(logits):
            chances = 1 / (1 + np.exp(-np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT)))
            weights = np.full(len(logits), 1 / len(logits))
            axes.hist(chances, bins=edges, weights=weights, color=colour, alpha=0.55, label=name)
    axes.axvline(0.5, color="black", linewidth=0.8, linestyle=":")
    axes.set(xlabel="D(x), the fresh discriminator's chance of being real", ylabel="share of held-out samples")
    axes.set_title("Alike when both pile up at 1/2", fontsize=10)
    if len(real) and len(fake):
        axes.legend(frameon=False, loc="upper center", ncols=2, fontsize=9)
        axes.set_ylim(0, 1.15 * axes.get_ylim()[1])


def _draw_distance(axes, verdict: Verdict) -> None:
    bars = [("proved distance (lower bound)", verdict.jsd_lower_bound_nats, _FAKE)]
    if math.isfinite(verdict.jsd_estimate_nats):
        bars.append(("estimate, no allowance for chance", max(0.0, verdict.jsd_estimate_nats), "#BBBBBB"))
    ends: list[tuple[float, float] | None] = [None] * len(bars)
    if verdict.sensitivity is not None:
        sensitivity = verdict.sensitivity
        bars.append(("least visible to a perfect observer", sensitivity.theoretical_nats, "#777777"))
        ends.append(None)
        for name, nats in sensitivity.by_defect_nats.items():
            bars.append((f"smallest visible: {name}", min(nats, MAXIMAL_JSD_NATS), "#009E73"))
            ends.append(tuple(min(end, MAXIMAL_JSD_NATS) for end in sensitivity.intervals_nats[name]))
    names, lengths, colours = zip(*bars, strict=True)
    places = np.arange(len(bars))
    axes.barh(places, lengths, color=colours)
    for place, interval in zip(places, ends, strict=True):
        if interval is not None:
            axes.plot(interval, (place, place), color="black", linewidth=1.2, marker="|", markersize=5)
    words = [f"{length:.4f}" if length < MAXIMAL_JSD_NATS else "not seen at any size" for length in lengths]
    axes.set_yticks(places, [f"{name}  {size}" for name, size in zip(names, words, strict=True)], fontsize=8)
    axes.invert_yaxis()
    axes.set_title("Distance in nats; 0.693: nothing in common", fontsize=10)
    longest = max([*lengths, *(interval[1] for interval in ends if interval is not None)])
    axes.set_xlim(0, min(MAXIMAL_JSD_NATS, max(0.01, longest * 1.1)))
