"""The figure of the Dirac-GAN: where training goes, how fast, and where theory and training agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equipoise import objectives
from equipoise.lab.dirac_measurements import GAMMA, NOISE_LEVEL, RULES, Case, game_of
from equipoise.lab.dirac_theory import closed_form, derivatives_of
from equipoise.plotting.style import PALETTE, REFERENCE_LINE, label_axes

Trajectories = Mapping[str, Sequence[tuple[float, float]]]
_RULES = ("simultaneous", "alternating", "extragradient", "optimistic", "consensus")
_COLOURS = dict(zip(_RULES, PALETTE, strict=False))


def draw(figure: Figure, *, cases: Sequence[Case], trajectories: Trajectories) -> None:
    """Six panels."""
    panels = figure.subplots(2, 3)
    _draw_paths(panels[0, 0], trajectories, "none", "Without penalty (non-saturating)")
    _draw_paths(panels[0, 1], trajectories, "r1", f"With R1, gamma = {GAMMA:g}")
    _draw_stabilisers(panels[0, 2], trajectories)
    _draw_rates(panels[1, 0])
    _draw_condition(panels[1, 1])
    _draw_agreement(panels[1, 2], cases)


def _draw_paths(axes: Axes, trajectories: Trajectories, stabiliser: str, title: str) -> None:
    for rule in _RULES:
        path = np.array(trajectories[f"{rule} / {stabiliser}"])
        axes.plot(
            path[:, 0],
            path[:, 1],
            color=_COLOURS[rule],
            linewidth=1.0,
            label=rule,
            linestyle=(0, (4, 3)) if rule == "optimistic" else "-",
        )
    _finish_plane(axes, title)
    if stabiliser == "none":
        axes.legend(loc="lower center", fontsize=7.5, ncols=2, columnspacing=1.0, handlelength=1.4)


def _draw_stabilisers(axes: Axes, trajectories: Trajectories) -> None:
    shown = (
        ("none", "none", PALETTE[6]),
        ("wgan_gp", "WGAN-GP, weight 1", PALETTE[3]),
        ("decaying noise", f"instance noise, {NOISE_LEVEL:g} to 0", PALETTE[4]),
        ("instance noise", f"instance noise, {NOISE_LEVEL:g}", PALETTE[0]),
        ("r1", f"R1, gamma = {GAMMA:g}", PALETTE[2]),
    )
    for name, words, colour in shown:
        radius = np.linalg.norm(np.array(trajectories[f"minimax / {name}"]), axis=1)
        axes.plot(np.arange(len(radius)), radius, color=colour, linewidth=1.2, label=words)
    axes.set(yscale="log", ylim=(1e-6, 20))
    axes.legend(loc="lower left", fontsize=7.5)
    label_axes(axes, "Minimax, alternating, by stabiliser", x="step", y="distance to the equilibrium")


def _finish_plane(axes: Axes, title: str) -> None:
    axes.plot([1.0], [0.0], marker="o", markersize=4, color="#22262b", zorder=3)
    axes.plot([0.0], [0.0], marker="+", markersize=8, color="#22262b", zorder=3)
    label_axes(axes, title, x="generator theta (start: dot, equilibrium: cross)", y="discriminator psi")
    axes.set(xlim=(-1.7, 1.7), ylim=(-1.9, 1.3))
    axes.set_aspect("equal", adjustable="box")


def _draw_rates(axes: Axes) -> None:
    derivatives = derivatives_of(objectives.find("wasserstein")())
    sizes = np.linspace(0.01, 1.2, 60)
    axes.axhline(1.0, **REFERENCE_LINE)
    for rule in _RULES:
        growth = [max(map(abs, closed_form(RULES[rule], step_size=float(h), derivatives=derivatives))) for h in sizes]
        axes.plot(sizes, growth, color=_COLOURS[rule], linewidth=1.2)
        sizes_measured = [0.15, 0.35, 0.55, 0.75, 0.95, 1.15]
        measured = [game_of("wasserstein", rule, "none", step_size=h).growth() for h in sizes_measured]
        axes.plot(sizes_measured, measured, linestyle="", marker="o", markersize=3.5, color=_COLOURS[rule])
    axes.set_ylim(0.6, 1.6)
    label_axes(axes, "Wasserstein: theory (lines), training (dots)", x="step size h", y="growth per step")


def _draw_condition(axes: Axes) -> None:
    derivatives = derivatives_of(objectives.find("minimax")())
    limit = GAMMA / derivatives.rotation**2
    fractions = np.linspace(0.05, 1.6, 50)
    axes.axhline(1.0, **REFERENCE_LINE)
    axes.axvline(1.0, **REFERENCE_LINE)
    for rule in ("simultaneous", "alternating"):
        options: dict[str, Any] = {"derivatives": derivatives, "damping": GAMMA}
        on_paper = [max(map(abs, closed_form(RULES[rule], step_size=float(s * limit), **options))) for s in fractions]
        axes.plot(fractions, on_paper, color=_COLOURS[rule], linewidth=1.2, label=rule)
        sizes_measured = [0.25, 0.5, 0.75, 0.95, 1.05, 1.25, 1.5]
        measured = [game_of("minimax", rule, "r1", step_size=s * limit).growth() for s in sizes_measured]
        axes.plot(sizes_measured, measured, linestyle="", marker="o", markersize=3.5, color=_COLOURS[rule])
    axes.legend(loc="lower left")
    label_axes(axes, f"Minimax with R1, gamma = {GAMMA:g}", x="step size / (gamma / c²)", y="growth per step")


def _draw_agreement(axes: Axes, cases: Sequence[Case]) -> None:
    cases = [case for case in cases if not math.isnan(case.measured)]
    on_paper = np.array([case.closed_form for case in cases])
    gaps = np.maximum(np.abs(np.array([case.measured for case in cases]) - on_paper), 1e-16)
    axes.scatter(on_paper, gaps, s=7, color=PALETTE[0], alpha=0.5, linewidths=0)
    axes.axhline(1e-5, **REFERENCE_LINE)
    axes.text(on_paper.min(), 1.4e-5, "what the tests allow", fontsize=8, color="#5b626b")
    axes.set(yscale="log", ylim=(1e-17, 1e-3))
    label_axes(
        axes,
        f"All {len(cases)} cases: training against theory",
        x="largest |eigenvalue|, closed form",
        y="gap to measured growth",
    )
