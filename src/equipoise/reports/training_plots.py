"""The plots of how training went: value, gradients, losses, penalties, learning rates, speed."""

from __future__ import annotations

from collections.abc import Callable

from equipoise.entries import entry_at
from equipoise.plotting.curves import NOISY_BINS, error_of_bin_means, names_under, series
from equipoise.plotting.number_text import number
from equipoise.plotting.style import DISCRIMINATOR_COLOUR, LINE_COLOURS, MUTED
from equipoise.reports.outputs_plot import outputs_plot
from equipoise.reports.plots import NOT_EVIDENCE, NOT_MEASURED, PLAYERS, Line, Panel, Plot, curves, note_on_errors
from equipoise.reports.reading import RunRecord

SECOND = (0, (5, 1.5))  # lines that may lie on top of each other stay apart by their dashes


def value_plot(run: RunRecord) -> Plot:
    """The objective's own value with its standard error, against its own value at equilibrium."""
    value, equilibrium = series(run.metrics, "value"), run.equilibrium_value
    errors = error_of_bin_means(run.metrics, "value_standard_error")
    notes = [*note_on_density(run), *note_on_errors(value, errors)]
    if equilibrium is None:
        notes.append("The run does not say what the value is at equilibrium.")
    line = Line("value", DISCRIMINATOR_COLOUR, value, errors=errors, error_name="standard error")
    reference = None if equilibrium is None else (equilibrium, f"at equilibrium: {equilibrium:.4g}")
    plot = Plot(
        "value",
        f"Value of the objective '{run.objective}'",
        "The solid line is how well the discriminator being trained does on the batches of that moment; at equilibrium "
        "it lies on the dashed line, but it also comes to lie there when this discriminator is merely too weak.",
        notes=tuple(notes),
        label=NOT_EVIDENCE,
    )
    return curves(plot, [Panel((line,), reference=reference)])


def note_on_density(run: RunRecord) -> tuple[str, ...]:
    """Under which density V is given, and what it is under the data's own, for a run that draws rows by weight."""
    drawn, own = (entry_at(run.metadata, "sampling", key) for key in ("value", "value_under_data"))
    if not isinstance(drawn, str):
        return ()
    under = series(run.metrics, "value_under_data", most=NOISY_BINS)
    last = f"; its last mean is {number(under.last)}" if under.last is not None else ""
    said = f" In metrics.jsonl, value_under_data is for {own[:400]}{last}." if isinstance(own, str) else ""
    return (f"V is given under {drawn[:400]}.{said}",)


def gradient_plot(run: RunRecord) -> Plot:
    """Gradient norms of both players."""
    plot = Plot(
        "gradients",
        "Length of each player's gradient",
        "Steady or falling lines are healthy; a generator's line that drops towards zero means that it no longer "
        "learns, and a line that shoots up means that training is breaking down.",
    )
    return curves(plot, [_of_players(run, "gradient_norm", scale="log")])


def loss_plot(run: RunRecord) -> Plot:
    """Losses of both players."""
    plot = Plot(
        "losses",
        "Losses of the two players",
        "Each loss is measured against an opponent that also learns, so neither has to fall, and a low one is no sign "
        "of good samples.",
        label=NOT_EVIDENCE,
    )
    lines = tuple(_line(run, player, colour, f"{player}_loss") for player, colour in PLAYERS)
    return curves(plot, [Panel(lines)])


def penalty_plot(run: RunRecord) -> Plot:
    """Each penalty before its weight, and the weights."""
    names = names_under(run.metrics, "penalty") or names_under(run.metrics, "penalty_weight")
    plot = Plot(
        "penalties",
        "Penalties and their weights",
        "Above, how steep the discriminator is where each penalty looks (before its weight); below, how strongly that "
        "is punished, which usually decays so that finer detail can be learned.",
    )

    def lines(key: str, *, shows_range: bool) -> tuple[Line, ...]:
        return tuple(
            Line(
                name,
                LINE_COLOURS[place % len(LINE_COLOURS)],
                series(run.metrics, key, name, most=NOISY_BINS),
                style=SECOND if place % 2 else "-",
                shows_range=shows_range,
            )
            for place, name in enumerate(names)
        )

    panels = [
        Panel(lines("penalty", shows_range=True), "penalty", "log"),
        Panel(lines("penalty_weight", shows_range=False), "weight", "log"),
    ]
    absent = NOT_MEASURED if names else "This run uses no penalty, or none was measured yet."
    return curves(plot, panels, absent=absent)


def learning_rate_plot(run: RunRecord) -> Plot:
    """Learning rates of both players."""
    plot = Plot(
        "rates",
        "Learning rates",
        "How large the steps of each player are; they rise during warm-up and decay towards the end so that training "
        "can settle.",
    )
    return curves(plot, [_of_players(run, "learning_rate", scale="log")])


def speed_plot(run: RunRecord) -> Plot:
    """Steps per second."""
    plot = Plot(
        "speed",
        "Speed",
        "Steps per second; a drop means that something else used the machine, or that the run was measuring itself.",
    )
    return curves(plot, [Panel((_line(run, "steps per second", MUTED, "steps_per_second"),), scale="zero")])


def _of_players(run: RunRecord, key: str, *, scale: str) -> Panel:
    return Panel(tuple(_line(run, player, colour, key, player) for player, colour in PLAYERS), scale=scale)


def _line(run: RunRecord, name: str, colour: str, *keys: str) -> Line:
    style = SECOND if name == PLAYERS[1][0] else "-"
    return Line(name, colour, series(run.metrics, *keys, most=NOISY_BINS), style=style, shows_range=True)


PLOTS: tuple[Callable[[RunRecord], Plot], ...] = (
    value_plot,
    outputs_plot,
    gradient_plot,
    loss_plot,
    penalty_plot,
    learning_rate_plot,
    speed_plot,
)
