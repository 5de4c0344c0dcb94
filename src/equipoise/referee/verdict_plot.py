"""A verdict as a figure: how real each side looks, the distance beside the sensitivity, and where the sides differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.data.domain import domain_of
from equipoise.data.judging import Values
from equipoise.metrics.divergence import MAXIMAL_JSD_NATS
from equipoise.referee.bound import LOGIT_LIMIT
from equipoise.referee.verdict_text import conclusion_of, detectable_effects

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_REAL, _FAKE = "#0072B2", "#D55E00"
"""Blue and vermilion of the palette of Okabe and Ito, which colour-blind readers distinguish."""


def draw(verdict: Mapping[str, Any], *, scores: tuple[np.ndarray, np.ndarray], scored: tuple[Values, Values]) -> Figure:
    """The figure of a verdict.

    Args:
        verdict: as in its JSON.
        scores: logits of the test samples, real and generated.
        scored: the test samples themselves.
    """
    from matplotlib.figure import Figure

    differences = (
        domain_of(verdict["kind"]).draw_differences(scored, scores, verdict["findings"]) if len(scores[0]) else None
    )
    heights = [max(3.6, 1.8 + 0.28 * len(detectable_effects(verdict))), 0.0 if differences is None else 2.8]
    figure = Figure(figsize=(10, sum(heights)), layout="constrained")
    above, below = (figure, None) if differences is None else figure.subfigures(2, 1, height_ratios=heights)
    left, right = above.subplots(1, 2)
    _draw_scores(left, *scores)
    _draw_distance(right, verdict)
    if differences is not None:
        differences(below)
    figure.suptitle(conclusion_of(verdict))
    return figure


def _draw_scores(axes: Axes, real: np.ndarray, fake: np.ndarray) -> None:
    edges = np.linspace(0, 1, 41)
    for logits, colour, name in ((real, _REAL, "real"), (fake, _FAKE, "generated")):
        if len(logits):
            chances = 1 / (1 + np.exp(-np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT)))
            weights = np.full(len(logits), 1 / len(logits))
            axes.hist(chances, bins=edges, weights=weights, color=colour, alpha=0.55, label=name)
    axes.axvline(0.5, color="black", linewidth=0.8, linestyle=":")
    axes.set(xlabel="D(x), the fresh classifier's chance of being real", ylabel="share of held-out samples")
    axes.set_title("Alike when both pile up at 1/2", fontsize=10)
    if len(real) and len(fake):
        axes.legend(frameon=False, loc="upper center", ncols=2, fontsize=9)
        axes.set_ylim(0, 1.15 * axes.get_ylim()[1])


def _draw_distance(axes: Axes, verdict: Mapping[str, Any]) -> None:
    """Bars with what they are called, and the interval of a measured one."""
    bars: list[tuple[str, float, str, tuple[float, float] | None]] = [
        ("proved distance (lower bound)", verdict["jsd_lower_bound_nats"], _FAKE, None)
    ]
    if verdict["jsd_estimate_nats"] is not None:
        estimate = max(0.0, verdict["jsd_estimate_nats"])
        bars.append(("estimate, no allowance for chance", estimate, "#BBBBBB", None))
    if verdict["sensitivity_method"] is not None:
        bars.append(("minimum detectable, theoretical", verdict["sensitivity_theoretical_nats"], "#777777", None))
    for name, nats, ends in detectable_effects(verdict):
        low, high = (_at_most_maximal(end) for end in ends)
        bars.append((f"minimum detectable: {name}", _at_most_maximal(nats), "#009E73", (low, high)))
    places = np.arange(len(bars))
    axes.barh(places, [length for _, length, _, _ in bars], color=[colour for _, _, colour, _ in bars])
    labels, longest = [], 0.0
    for place, (name, length, _, interval) in zip(places, bars, strict=True):
        if interval is not None:
            axes.plot(interval, (place, place), color="black", linewidth=1.2, marker="|", markersize=5)
        labels.append(f"{name}  {length:.4f}" if length < MAXIMAL_JSD_NATS else f"{name}  not found at any size")
        longest = max(longest, length, 0.0 if interval is None else interval[1])
    axes.set_yticks(places, labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_title("Distance in nats; 0.693: nothing in common", fontsize=10)
    axes.set_xlim(0, min(MAXIMAL_JSD_NATS, max(0.01, longest * 1.1)))


def _at_most_maximal(nats: float | None) -> float:
    return MAXIMAL_JSD_NATS if nats is None else min(nats, MAXIMAL_JSD_NATS)
