"""A verdict as a picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from equipoise.referee.checks.jsd_bound import LOGIT_LIMIT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from equipoise.referee.verdict import Verdict

_REAL, _FAKE = "#0072B2", "#D55E00"
"""Blue and vermilion of the palette of Okabe and Ito, which colour-blind readers tell apart."""
_SHOWN = 10


def draw(verdict: Verdict) -> Figure:
    """How real each held-out sample looked, the proved distance beside the resolution, and what gave each side away."""
    from matplotlib.figure import Figure

    has_examples = verdict.kind == "images" or (verdict.kind == "points" and verdict.scored[0].shape[1] >= 2)
    has_examples = has_examples and len(verdict.scores[0]) > 0
    figure = Figure(figsize=(10, 6.4 if has_examples else 3.6), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[3.6, 2.8]) if has_examples else (figure, None)
    left, right = upper.subplots(1, 2)
    _draw_scores(left, *verdict.scores)
    _draw_distance(right, verdict)
    if lower is not None:
        (_draw_images if verdict.kind == "images" else _draw_points)(lower, verdict)
    figure.suptitle(verdict.conclusion.value.replace("_", " "))
    return figure


def _draw_images(panel, verdict: Verdict) -> None:
    """The ten samples of each side that the discriminator was surest of."""
    grid = panel.subplots(2, _SHOWN, squeeze=False)
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
        axes.legend(frameon=False)


def _draw_distance(axes, verdict: Verdict) -> None:
    bars = [("proved distance (lower bound)", verdict.jsd_lower_bound_nats, _FAKE)]
    if math.isfinite(verdict.jsd_estimate_nats):
        bars.append(("estimate, no allowance for chance", max(0.0, verdict.jsd_estimate_nats), "#BBBBBB"))
    if verdict.resolution is not None:
        bars.append(("smallest visible to a perfect observer", verdict.resolution.floor_nats, "#777777"))
        bars += [
            (f"smallest visible: {name}", min(nats, math.log(2)), "#009E73")
            for name, nats in verdict.resolution.by_defect_nats.items()
        ]
    names, lengths, colours = zip(*bars, strict=True)
    places = np.arange(len(bars))
    axes.barh(places, lengths, color=colours)
    for place, length in zip(places, lengths, strict=True):
        axes.text(length, place, f" {length:.4f}", va="center", fontsize=8)
    axes.set_yticks(places, names, fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel="Jensen-Shannon divergence, nats (0 equal, 0.693 nothing in common)")
    axes.set_xlim(0, max(0.01, max(lengths) * 1.25))
