"""How the error of a verdict is shared out, and which version of the referee it comes from."""

from __future__ import annotations

from dataclasses import dataclass

REFEREE_VERSION = 6
"""Raised whenever the same two sides may get another verdict: 1 was that of equipoise 0.1.0, 2 that of 0.2.0. From 5 on
the decision is frozen; 6 sees the order of times of day, and is 5 on everything else."""
E_PROCESS_SHARE = 0.2
"""Of the level, that the classifiers' e-value may reject at; it costs log(1 / share) in log E."""
COMPANION_SHARE = 1 - E_PROCESS_SHARE
"""Of the level, that the permutation test may reject at. By Bonferroni's inequality the two together keep the level."""


@dataclass(frozen=True)
class Levels:
    """Chances of a false alarm: of the e-value, and of the companion (0 where there is none)."""

    e_process: float
    companion: float


def shared_out(confidence: float, *, has_companion: bool) -> Levels:
    """The level 1 - `confidence`, shared between the e-value and its companion, or all of it for the e-value."""
    level = 1 - confidence
    return Levels(level * E_PROCESS_SHARE, level * COMPANION_SHARE) if has_companion else Levels(level, 0.0)
