"""A verdict as a figure: how real each side looks, the distance beside the sensitivity, and where the sides differ."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.data.domain import domain_of
from equipoise.data.judging import Values
from equipoise.metrics.divergence import MAXIMAL_JSD_NATS
from equipoise.plotting.bars import Interval, draw_bars
from equipoise.plotting.curves import draw_histogram
from equipoise.plotting.style import AXIS, FAINT, FAKE_COLOUR, INK, PALETTE, REAL_COLOUR, label_axes, new_figure
from equipoise.referee.bound import LOGIT_LIMIT
from equipoise.referee.decision_text import inside_a_sentence, is_size_open, named_difference
from equipoise.referee.verdict_text import conclusion_of, detectable_effects

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TITLE_WIDTH = 110


def draw(verdict: Mapping[str, Any], *, scores: tuple[np.ndarray, np.ndarray], scored: tuple[Values, Values]) -> Figure:
    """The figure of a verdict.

    Args:
        verdict: as in its JSON.
        scores: logits of the test samples, real and generated.
        scored: the test samples themselves.
    """
    differences = (
        domain_of(verdict["kind"]).draw_differences(scored, scores, verdict["findings"]) if len(scores[0]) else None
    )
    heights = [max(3.6, 1.8 + 0.28 * len(detectable_effects(verdict))), 0.0 if differences is None else 2.8]
    with new_figure(10, sum(heights), title=_title(verdict)) as figure:
        above, below = (figure, None) if differences is None else figure.subfigures(2, 1, height_ratios=heights)
        left, right = above.subplots(1, 2)
        _draw_scores(left, *scores)
        _draw_distance(right, verdict)
        if differences is not None:
            differences(below)
    return figure


def _title(verdict: Mapping[str, Any]) -> str:
    """The conclusion; where only the permutation test found a difference, with that."""
    said = inside_a_sentence(named_difference(verdict)) if is_size_open(verdict) else ""
    title = ": ".join(part for part in (conclusion_of(verdict), said) if part)
    return textwrap.fill(title.replace("$", r"\$"), _TITLE_WIDTH)


def _draw_scores(axes: Axes, real: np.ndarray, fake: np.ndarray) -> None:
    edges = np.linspace(0, 1, 41)
    for logits, colour, name in ((real, REAL_COLOUR, "real"), (fake, FAKE_COLOUR, "generated")):
        if len(logits):
            chances = 1 / (1 + np.exp(-np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT)))
            draw_histogram(axes, np.histogram(chances, edges)[0] / len(logits), edges, colour, label=name)
    axes.axvline(0.5, color=INK, linewidth=0.8, linestyle=":")
    label_axes(
        axes,
        "Alike when both pile up at 1/2",
        x="D(x), the fresh classifier's chance of being real",
        y="share of held-out samples",
    )
    if len(real) and len(fake):
        axes.legend(loc="upper center", ncols=2)
        axes.set_ylim(0, 1.15 * axes.get_ylim()[1])


def _draw_distance(axes: Axes, verdict: Mapping[str, Any]) -> None:
    """Bars with what they are called, and the interval of a measured one."""
    bars: list[tuple[str, float, str, Interval]] = []
    if not is_size_open(verdict):
        bars.append(("proved distance (lower bound)", verdict["jsd_lower_bound_nats"], FAKE_COLOUR, None))
    if verdict["jsd_estimate_nats"] is not None:
        bars.append(("estimate, no allowance for chance", max(0.0, verdict["jsd_estimate_nats"]), FAINT, None))
    if verdict["sensitivity_method"] is not None:
        bars.append(("minimum detectable, theoretical", verdict["sensitivity_theoretical_nats"], AXIS, None))
    for name, nats, ends in detectable_effects(verdict):
        low, high = (_at_most_maximal(end) for end in ends)
        bars.append((f"minimum detectable: {name}", _at_most_maximal(nats), PALETTE[2], (low, high)))
    if not bars:
        bars.append(("proved distance", 0.0, FAKE_COLOUR, None))
    names = [
        f"{name}  {length:.4f}" if length < MAXIMAL_JSD_NATS else f"{name}  not found at any size"
        for name, length, _, _ in bars
    ]
    _, lengths, colours, intervals = zip(*bars, strict=True)
    title = "Distance in nats; 0.693: nothing in common"
    if is_size_open(verdict):
        title = "Distance in nats: not established"
    draw_bars(axes, list(zip(names, lengths, strict=True)), title=title, colours=colours, intervals=intervals)
    longest = max([*lengths, *(ends[1] for ends in intervals if ends is not None)])
    axes.set_xlim(0, min(MAXIMAL_JSD_NATS, max(0.01, longest * 1.1)))


def _at_most_maximal(nats: float | None) -> float:
    return MAXIMAL_JSD_NATS if nats is None else min(nats, MAXIMAL_JSD_NATS)
