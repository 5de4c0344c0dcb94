r"""Does the training procedure converge? Every update rule, objective and penalty on the Dirac-GAN, beside the theory.

The growth per step of each combination is found in three ways: by the closed form (`dirac_theory`), from the
eigenvalues of the update's Jacobian by autodiff of the game's own losses, and measured in training (`dirac_game`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from matplotlib.figure import Figure

from equipoise import objectives
from equipoise.lab.base import Result, drawn, table_of, text_table
from equipoise.lab.dirac_figure import draw
from equipoise.lab.dirac_measurements import (
    GAMMA,
    NOISE_LEVEL,
    RULES,
    STABILISERS,
    STEP_SIZE,
    Case,
    Escape,
    Orbit,
    Threshold,
    measure_case,
    measure_escape,
    measure_orbit,
    measure_thresholds,
    trajectories,
)

THEORY_ROWS: tuple[tuple[str, str, str, str], ...] = (
    # what, objective, stabiliser, suffix of the rule
    ("no penalty", "minimax", "none", ""),
    ("no penalty", "nonsaturating", "none", ""),
    ("no penalty", "relativistic", "none", ""),
    ("no penalty", "wasserstein", "none", ""),
    ("R1", "minimax", "r1", ""),
    ("R2", "minimax", "r2", ""),
    ("R1 + R2", "relativistic", "r1 + r2", ""),
    ("instance noise", "minimax", "instance noise", ""),
    ("instance noise", "wasserstein", "instance noise", ""),
    ("consensus", "minimax", "none", "consensus"),
    ("consensus", "wasserstein", "none", "consensus"),
)


@dataclass(frozen=True)
class DiracResult(Result):
    """All measurements on the Dirac-GAN."""

    experiment: ClassVar[str] = "dirac"
    question: ClassVar[str] = "Does minimising the batch loss, one player after the other, converge?"

    step_size: float
    gamma: float
    noise_level: float
    cases: tuple[Case, ...]
    thresholds: tuple[Threshold, ...]
    orbits: tuple[Orbit, ...]
    escapes: tuple[Escape, ...]
    trajectories: dict[str, tuple[tuple[float, float], ...]]

    @property
    def worst_disagreement(self) -> float:
        """Largest difference between the three ways to a growth rate, over all cases that have all three."""
        gaps = [
            max(abs(case.closed_form - case.autodiff), abs(case.measured - case.autodiff))
            for case in self.cases
            if not math.isnan(case.measured)
        ]
        return max(gaps, default=math.nan)

    def case(self, objective: str, rule: str, stabiliser: str) -> Case:
        """The case of one combination."""
        (found,) = (c for c in self.cases if (c.objective, c.rule, c.stabiliser) == (objective, rule, stabiliser))
        return found

    def theory_table(self) -> list[dict[str, Any]]:
        """The rows of THEORY section 4, for simultaneous and for alternating updates."""
        rows = []
        for what, objective, stabiliser, suffix in THEORY_ROWS:
            names = ("consensus", "alternating consensus") if suffix else ("simultaneous", "alternating")
            together, alternating = (self.case(objective, name, stabiliser) for name in names)
            rows.append(
                {
                    "rule": what,
                    "objective": objective,
                    "simultaneous": asdict(together),
                    "alternating": asdict(alternating),
                }
            )
        return rows

    def to_text(self) -> str:
        """Tables of rates, step-size conditions, orbits and WGAN-GP."""
        ways, kinds = ("measured", "autodiff", "closed_form"), ("simultaneous", "alternating")
        header = ["rule", "objective"]
        for kind in kinds:
            header += [f"{kind}: measured", "autodiff", "closed form"]
        theory = (
            [row["rule"], row["objective"], *(f"{row[kind][way]:.6f}" for kind in kinds for way in ways)]
            for row in self.theory_table()
        )
        with_rate = sum(not math.isnan(case.measured) for case in self.cases)
        defective = sorted({case.objective for case in self.cases if math.isnan(case.measured)})
        without_rate = [
            f"No rate without damping: {', '.join(defective)} (the generator's loss is flat at equilibrium, "
            "so the update has one eigenvector only and drifts in a straight line)."
        ]
        minimax = (
            [stabiliser, *(f"{self.case('minimax', rule, stabiliser).measured:.5f}" for rule in RULES)]
            for stabiliser in STABILISERS
            if stabiliser != "wgan_gp"
        )
        conditions = {
            "rule": "{.rule}",
            "objective": "{.objective}",
            "penalty": "{.stabiliser}",
            "largest stable step": "{.formula}",
            "is": "{.step_size:.4f}",
            "growth below": "{.growth_below:.6f}",
            "growth above": "{.growth_above:.6f}",
        }
        orbits = {
            "objective": "{.objective}",
            "start radius": "{.radius:g}",
            "steps": "{.steps}",
            "largest relative change": "{.drift:.1e}",
            "final / start radius": "{.final_radius:.4f}",
        }
        escapes = {
            "rule": "{.rule}",
            "objective": "{.objective}",
            "start radius": lambda escape: f"{math.sqrt(2) * escape.start:.4f}",
            "later at least": "{.least_radius:.3f}",
            "at most": "{.most_radius:.3f}",
        }
        return "\n".join(
            [
                "Growth per step at the equilibrium of the Dirac-GAN: above 1 spirals out, below 1 converges. "
                f"Step size {self.step_size}, gamma {self.gamma}, noise {self.noise_level}, consensus weight 1.",
                "",
                text_table(header, theory),
                "",
                f"All {len(self.cases)} combinations of {len(RULES)} rules, {len({c.objective for c in self.cases})} "
                f"objectives and {len(STABILISERS) - 1} stabilisers: {with_rate} have a rate to measure, and measured, "
                f"autodiff and closed form agree to {self.worst_disagreement:.1e}.",
                *(without_rate if defective else []),
                "",
                "Minimax by every rule, measured:",
                "",
                text_table(["stabiliser", *RULES], minimax),
                "",
                "Step-size conditions, both sides (growth at 0.9 and at 1.1 times the largest stable step):",
                "",
                table_of(self.thresholds, conditions),
                "",
                "Alternating updates without penalty, far from the equilibrium (a linear game keeps "
                "theta^2 + psi^2 - h c theta psi):",
                "",
                table_of(self.orbits, orbits),
                "",
                "WGAN-GP (weight 1) has no Jacobian at psi = 0; training that starts beside the equilibrium leaves it:",
                "",
                table_of(self.escapes, escapes),
                "",
                "It goes to theta = +-2 weight / c, where the penalty's gradient, 2 weight, balances that of the game,",
                "c theta, while psi goes to 0 from one side: training comes to rest there, and not at the data.",
            ]
        )

    def constants(self) -> dict[str, Any]:
        """The table of THEORY section 4, and how well the three ways agree."""
        return {"worst_disagreement": self.worst_disagreement, "theory_table": self.theory_table()}

    @drawn(11.0, 7.4, title="Dirac-GAN: does training converge?")
    def figure(self, figure: Figure) -> None:
        """Six panels: trajectories, rates against step size, conditions, and all cases at once."""
        draw(figure, cases=self.cases, trajectories=self.trajectories)


def dirac(*, names: Sequence[str] | None = None) -> DiracResult:
    """Train the Dirac-GAN with all update rules, objectives and stabilisers.

    Args:
        names: of objectives; all of them when `None`, and always the four of THEORY section 4.
    """
    theory = ("minimax", "nonsaturating", "relativistic", "wasserstein")
    chosen = objectives.available() if names is None else tuple(sorted({*names, *theory}))
    return DiracResult(
        step_size=STEP_SIZE,
        gamma=GAMMA,
        noise_level=NOISE_LEVEL,
        cases=tuple(
            measure_case(name, rule, stabiliser)
            for name in chosen
            for rule in RULES
            for stabiliser in STABILISERS
            if stabiliser != "wgan_gp"
        ),
        thresholds=tuple(measure_thresholds()),
        orbits=tuple(
            measure_orbit(name, radius)
            for name, radius in (
                ("wasserstein", 1.0),
                ("wasserstein", 100.0),
                ("minimax", 0.01),
                ("minimax", 1.0),
                ("minimax", 3.0),
                ("nonsaturating", 0.01),
                ("nonsaturating", 1.0),
            )
        ),
        escapes=tuple(measure_escape(name, rule) for name in ("wasserstein", "minimax") for rule in RULES),
        trajectories=trajectories(),
    )


EXPERIMENTS = {"dirac": dirac}
