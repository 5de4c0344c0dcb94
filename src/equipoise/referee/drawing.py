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


def draw(verdict: Verdict) -> Figure:
    """Left: how real each held-out sample looked. Right: the proved distance on its scale, beside the resolution."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_scores(left, *verdict.scores)
    _draw_distance(right, verdict)
    figure.suptitle(verdict.conclusion.value.replace("_", " "))
    return figure


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
