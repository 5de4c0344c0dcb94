"""Which curves a run page shows, with the titles, sentences and colours of the report's plots."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from equipoise.entries import finite, number_at
from equipoise.plotting.number_text import number
from equipoise.referee.verdict_text import LOG_2, NO_VERDICT, conclusion_of
from equipoise.reports.outputs_plot import histogram_of, outputs_plot, outputs_words
from equipoise.reports.plots import PLAYERS, Plot
from equipoise.reports.reading import RunRecord
from equipoise.reports.referee_plots import duality_gap_plot, referee_plot, top_of_band
from equipoise.reports.saturation import (
    RELATIVISTIC,
    SATURATION_READING,
    STEEPNESS_READING,
    saturation_plots,
)
from equipoise.reports.training_plots import (
    gradient_plot,
    learning_rate_plot,
    loss_plot,
    penalty_plot,
    speed_plot,
    value_plot,
)

LOG_4 = math.log(4)
_95_PERCENT = 1.96
LINE_COLOURS = tuple(f"line-{place}" for place in range(1, 9))


@dataclass(frozen=True)
class Curve:
    """One line over steps.

    Attributes:
        name: in the legend.
        key: of its column.
        colour: a class of the style sheet without `c-`.
        dash: whether it is dashed.
        errors: the column of its standard errors; drawn as a band instead of the range within a bin.
    """

    name: str
    key: str
    colour: str
    dash: bool = False
    errors: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        is_sparse = self.key.startswith("saturation/")  # measured at few of the measured steps
        return {"name": self.name, "key": self.key, "colour": self.colour, "dash": self.dash, "isSparse": is_sparse}


def chart(plot: Plot, panels: Sequence[Mapping[str, Any]], *, reading: str = "", notes: Sequence[str] = ()) -> Any:
    """A chart with the words of a report's plot; panels without any line are left out."""
    return {
        "name": plot.name,
        "title": plot.title,
        "label": plot.label,
        "reading": reading or plot.reading,
        "notes": list(notes),
        "panels": [panel for panel in panels if panel["lines"]],
    }


def panel(lines: Sequence[Curve], *, axis: str = "", scale: str = "zoom", reference: Any = None) -> dict[str, Any]:
    """Axes with their lines, as `line-chart.js` takes them."""
    return {"lines": [line.to_json() for line in lines], "axis": axis, "scale": scale, "reference": reference}


def curve_charts(run: RunRecord, columns: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The charts of a run, and the column of errors of each line that has one.

    Args:
        run: with or without measured steps; words come from the report's plots of a run without any.
        columns: those that there are, by their names.
    """
    bare = replace(run, metrics=())
    curves: list[Curve] = []

    def known(lines: Sequence[Curve]) -> list[Curve]:
        found = [line for line in lines if line.key in columns]
        curves.extend(found)
        return found

    def of_players(key: str) -> list[Curve]:
        return known([Curve(player, key.format(player), player, dash=player == "generator") for player, _ in PLAYERS])

    value = value_plot(bare)
    equilibrium = run.equilibrium_value
    reference = None if equilibrium is None else _reference(equilibrium, f"at equilibrium: {equilibrium:.4g}")
    own = [Curve("value", "value", "discriminator", errors="value_standard_error")]
    charts = [
        chart(value, [panel(known(own), reference=reference)], notes=value.notes[:-1]),
        chart(loss_plot(bare), [panel(of_players("{}_loss"))]),
        chart(gradient_plot(bare), [panel(of_players("gradient_norm/{}"), scale="log")]),
        *_saturation_charts(run, known),
    ]
    names = [key.partition("/")[2] for key in columns if key.startswith("penalty/")]
    if names:
        panels = [
            panel(
                known([Curve(n, f"{key}/{n}", LINE_COLOURS[k % 8], dash=bool(k % 2)) for k, n in enumerate(names[:8])]),
                axis=axis,
                scale="log",
            )
            for key, axis in (("penalty", "penalty"), ("penalty_weight", "weight"))
        ]
        charts.append(chart(penalty_plot(bare), panels))
    logits = known(
        [Curve("real", "logits/real/mean", "real"), Curve("generated", "logits/fake/mean", "fake", dash=True)]
    )
    charts += [
        {**chart(outputs_plot(bare), [panel(logits, axis="output (logit)")]), "name": "logits"},
        chart(learning_rate_plot(bare), [panel(of_players("learning_rate/{}"), scale="log")]),
        chart(speed_plot(bare), [panel(known([Curve("steps per second", "steps_per_second", "muted")]), scale="zero")]),
    ]
    errors = {line.key: line.errors for line in curves if line.errors}
    return [entry for entry in charts if entry["panels"]], errors


def _saturation_charts(run: RunRecord, known: Callable[[Sequence[Curve]], list[Curve]]) -> list[dict[str, Any]]:
    *minimax, saturation = saturation_plots(replace(run, metrics=()))
    value = known([Curve("V of l - c", "saturation/minimax_value", "discriminator", errors=_ERRORS_OF_MINIMAX)])
    gradients = known(
        [
            Curve("saturating loss", "saturation/saturating_norm", "line-2"),
            Curve("non-saturating loss", "saturation/nonsaturating_norm", "generator", dash=True),
        ]
    )
    probabilities = known(
        [
            Curve("mean D on real", "saturation/mean_probability_real", "real"),
            Curve("mean D on generated", "saturation/mean_probability_fake", "fake"),
            Curve("share with D < 0.01", "saturation/share_below_001", "ink", dash=True),
        ]
    )
    steep = known([Curve("input gradient of the output", "saturation/input_gradient_norm", "discriminator")])
    offset = "D is the sigmoid of the output less one offset, which was fitted on another batch."
    reference = _reference(-LOG_4, "at equilibrium: -log 4 = -1.386")
    charts = [chart(plot, [panel(value, reference=reference)]) for plot in minimax]
    charts.append(
        chart(
            saturation,
            [
                panel(gradients, axis="gradient norm", scale="log"),
                panel(probabilities, axis="D", scale="probability"),
                panel(steep, axis="input gradient", scale="log"),
            ],
            reading=SATURATION_READING if gradients else STEEPNESS_READING,
            notes=[offset] if gradients and run.logit_meaning == RELATIVISTIC else [],
        )
    )
    return charts


_ERRORS_OF_MINIMAX = "saturation/minimax_value_standard_error"


def _reference(value: float, name: str) -> dict[str, Any]:
    return {"value": value, "name": name}


def referee_chart(run: RunRecord, *, asked: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The referee's bound with its interval at each evaluation, and the estimate.

    Args:
        run: with its verdicts.
        asked: evaluations that a person asked for meanwhile.
    """
    plot = referee_plot(replace(run, verdicts=()))
    rows = [
        row
        for row in (*run.verdicts, *asked)
        if number_at(row, "step") is not None and number_at(row, "jsd_lower_bound_nats") is not None
    ]
    notes = [
        "The bar reaches from the bound to as far above the estimate; the true distance may be larger.",
        f"A distance of 0 is equality; log 2 = {LOG_2:.3f} nats is the largest there is.",
    ]
    points = [
        {
            "step": number_at(row, "step"),
            "bound": number_at(row, "jsd_lower_bound_nats"),
            "estimate": number_at(row, "jsd_estimate_nats"),
            "top": finite(top_of_band(row)),
            "kind": _kind(row),
            "conclusion": conclusion_of(row) + (" (descriptive)" if row.get("is_descriptive") is True else ""),
        }
        for row in rows
    ]
    return {**chart(plot, [], notes=notes if rows else [f"{NO_VERDICT}."]), "points": points}


def _kind(row: Mapping[str, Any]) -> str:
    if row.get("part") in ("final", "asked"):
        return str(row["part"])
    return "descriptive" if row.get("is_descriptive") is True else "interim"


def gap_chart(run: RunRecord) -> dict[str, Any] | None:
    """The duality gap at each evaluation; `None` for a run in which it was not measured."""
    rows = [row for row in run.interim_evaluations if number_at(row, "duality_gap", "gap") is not None]
    if not rows:
        return None
    plot = duality_gap_plot(replace(run, verdicts=(), metrics=()))
    alone = number_at(rows[-1], "duality_gap", "steps")
    points = []
    for row in rows:
        gap, error = (number_at(row, "duality_gap", key) for key in ("gap", "gap_standard_error"))
        half = None if gap is None or error is None else _95_PERCENT * error
        points.append(
            {
                "step": number_at(row, "step"),
                "gap": gap,
                "low": None if half is None else gap - half,
                "high": None if half is None else gap + half,
                "discriminator": number_at(row, "duality_gap", "discriminator_gain"),
                "generator": number_at(row, "duality_gap", "generator_gain"),
            }
        )
    reading = plot.reading if alone is None else plot.reading.replace("a few steps", f"{number(alone)} steps")
    notes = ["The band is 95 %, from paired differences on held-out rows."]
    return {**chart(plot, [], reading=reading, notes=notes), "points": points}


def histogram_json(run: RunRecord, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The discriminator's outputs on both sides at one step, as shares; `None` where the row has no sound ones."""
    found = histogram_of(row, allow_probability=run.logit_meaning == "log_odds")
    if found is None:
        return None
    is_probability = found["what"] == "probability"
    words = outputs_words(run, is_probability=is_probability)
    return {
        "title": words.title,
        "reading": words.reading,
        "notes": [*words.notes, "Heights are shares of the samples of each side."],
        "label": words.label,
        "step": row["step"],
        "horizontal": "D" if is_probability else "output (logit)",
        "mark": (0.5 if is_probability else 0.0) if run.logit_meaning == "log_odds" else None,
        "edges": found["edges"].tolist(),
        "real": (found["real"] / found["real"].sum()).tolist(),
        "fake": (found["fake"] / found["fake"].sum()).tolist(),
    }
