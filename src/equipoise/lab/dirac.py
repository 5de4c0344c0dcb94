r"""Does the training procedure converge? Every rule, objective and penalty on the Dirac-GAN, beside the theory.

Three numbers for each combination that are found in three ways: the closed form (`dirac_theory`), the eigenvalues of
the update's Jacobian by autodiff of the game's own losses, and the growth per step measured by play (`dirac_game`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise import objectives
from equipoise.lab.base import text_table
from equipoise.lab.dirac_cases import (
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

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
class DiracResult:
    """Everything the lab found about the Dirac-GAN."""

    question: ClassVar[str] = "Does minimising the batch loss, turn by turn, converge?"

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
        """The rows of THEORY section 4, one per training rule and objective, each with both orders of turns."""
        rows = []
        for what, objective, stabiliser, suffix in THEORY_ROWS:
            names = ("consensus", "consensus in turns") if suffix else ("simultaneous", "alternating")
            together, in_turns = (self.case(objective, name, stabiliser) for name in names)
            rows.append(
                {
                    "rule": what,
                    "objective": objective,
                    "simultaneous": asdict(together),
                    "alternating": asdict(in_turns),
                }
            )
        return rows

    def to_text(self) -> str:
        """Tables of rates, step-size conditions, far orbits and WGAN-GP."""
        return "\n".join(_text(self))

    def to_json(self) -> dict[str, Any]:
        """All cases, trajectories included."""
        return {
            "experiment": "dirac",
            "question": self.question,
            "step_size": self.step_size,
            "gamma": self.gamma,
            "noise_level": self.noise_level,
            "worst_disagreement": self.worst_disagreement,
            "theory_table": self.theory_table(),
            "cases": [asdict(case) for case in self.cases],
            "thresholds": [asdict(row) for row in self.thresholds],
            "orbits": [asdict(row) for row in self.orbits],
            "escapes": [asdict(row) for row in self.escapes],
            "trajectories": self.trajectories,
        }

    def figure(self) -> Figure:
        """Six panels: trajectories, rates against step size, thresholds, far orbits, and all cases at once."""
        from equipoise.lab.dirac_figure import draw

        return draw(self.cases, self.trajectories, gamma=self.gamma, noise_level=self.noise_level)


def dirac(*, names: Sequence[str] | None = None) -> DiracResult:
    """Play the Dirac-GAN by all rules, with all objectives and stabilisers.

    Args:
        names: objectives to play; all of them when `None`, and always the four of THEORY section 4.
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


def _text(result: DiracResult) -> list[str]:
    def rates(case: dict[str, Any]) -> list[str]:
        return [f"{case[key]:.6f}" for key in ("measured", "autodiff", "closed_form")]

    header = [
        "rule",
        "objective",
        "simultaneous: measured",
        "autodiff",
        "closed form",
        "alternating: measured",
        "autodiff",
        "closed form",
    ]
    table = text_table(
        header,
        (
            [row["rule"], row["objective"], *rates(row["simultaneous"]), *rates(row["alternating"])]
            for row in result.theory_table()
        ),
    )
    with_rate = sum(not math.isnan(case.measured) for case in result.cases)
    defective = sorted({case.objective for case in result.cases if math.isnan(case.measured)})
    lines = [
        f"Growth per step at the equilibrium of the Dirac-GAN: above 1 spirals out, below 1 converges. Step size "
        f"{result.step_size}, gamma {result.gamma}, noise {result.noise_level}, consensus weight 1.",
        "",
        table,
        "",
        f"All {len(result.cases)} combinations of {len(RULES)} rules, {len({c.objective for c in result.cases})} "
        f"objectives and {len(STABILISERS) - 1} stabilisers: {with_rate} have a rate to measure, and measured, "
        f"autodiff and closed form agree to {result.worst_disagreement:.1e}.",
    ]
    if defective:
        lines.append(
            f"No rate without damping: {', '.join(defective)} (the generator's loss is flat at equilibrium, "
            "so the update has one eigenvector only and drifts in a straight line)."
        )
    rules = list(RULES)
    lines += [
        "",
        "Minimax by every rule, measured:",
        "",
        text_table(
            ["stabiliser", *rules],
            (
                [s, *(f"{result.case('minimax', rule, s).measured:.5f}" for rule in rules)]
                for s in STABILISERS
                if s != "wgan_gp"
            ),
        ),
    ]
    lines += [
        "",
        "Step-size conditions, both sides (growth at 0.9 and at 1.1 times the largest stable step):",
        "",
        text_table(
            ["rule", "objective", "penalty", "largest stable step", "is", "growth below", "growth above"],
            (
                [
                    t.rule,
                    t.objective,
                    t.stabiliser,
                    t.formula,
                    f"{t.step_size:.4f}",
                    f"{t.growth_below:.6f}",
                    f"{t.growth_above:.6f}",
                ]
                for t in result.thresholds
            ),
        ),
    ]
    lines += [
        "",
        "Alternating play without penalty, far from the equilibrium (theta^2 + psi^2 - h c theta psi is "
        "kept by linear play):",
        "",
        text_table(
            ["objective", "start radius", "steps", "largest relative change", "final / start radius"],
            (
                [o.objective, f"{o.radius:g}", str(o.steps), f"{o.drift:.1e}", f"{o.final_radius:.4f}"]
                for o in result.orbits
            ),
        ),
    ]
    lines += [
        "",
        "WGAN-GP (weight 1) has no Jacobian at psi = 0; play that starts beside the equilibrium leaves it:",
        "",
        text_table(
            ["rule", "objective", "start radius", "later at least", "at most"],
            (
                [e.rule, e.objective, f"{math.sqrt(2) * e.start:.4f}", f"{e.least_radius:.3f}", f"{e.most_radius:.3f}"]
                for e in result.escapes
            ),
        ),
        "",
        "It heads for theta = +-2 weight / c, where the penalty's push, 2 weight, balances the pull of the game,",
        "c theta, while psi creeps to 0 from one side: play comes to rest there, and not at the data.",
    ]
    return lines


EXPERIMENTS = {"dirac": dirac}
