r"""Does the training procedure converge? Every rule, objective and penalty on the Dirac-GAN, beside the theory.

Three numbers for each combination that are found in three ways: the closed form (`dirac_theory`), the eigenvalues of
the update's Jacobian by autodiff of the game's own losses, and the growth per step measured by play (`dirac_game`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from equipoise import objectives
from equipoise.augmentation.instance_noise import instance_noise
from equipoise.game import UpdateRule
from equipoise.lab.base import text_table
from equipoise.lab.dirac_game import DiracGame, spectral_radius
from equipoise.lab.dirac_theory import closed_form, largest_stable_step, slopes_of
from equipoise.penalties.base import Penalty
from equipoise.penalties.gradient_penalty import wgan_gp
from equipoise.penalties.r1_r2 import r1, r2

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEP_SIZE = 0.1
GAMMA = 0.3
NOISE_LEVEL = 0.8
RULES: dict[str, UpdateRule] = {
    "simultaneous": UpdateRule("simultaneous"),
    "alternating": UpdateRule(),
    "alternating, 5 D turns": UpdateRule(n_critic=5),
    "extragradient": UpdateRule("extragradient"),
    "optimistic": UpdateRule("optimistic"),
    "consensus": UpdateRule("consensus"),
    "consensus in turns": UpdateRule("alternating_consensus"),
}
STABILISERS = ("none", "r1", "r2", "r1 + r2", "instance noise", "wgan_gp")
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
class Case:
    """One combination near the equilibrium.

    Attributes:
        objective: its name.
        rule: as in `RULES`.
        stabiliser: as in `STABILISERS`.
        closed_form: largest |eigenvalue| on paper.
        autodiff: the same, of the Jacobian that autodiff finds.
        measured: growth per step in play; NaN where the update lacks an eigenbasis.
    """

    objective: str
    rule: str
    stabiliser: str
    closed_form: float
    autodiff: float
    measured: float


@dataclass(frozen=True)
class Threshold:
    """Both sides of a step-size condition: measured growth at 0.9 and at 1.1 times the largest stable step."""

    rule: str
    objective: str
    stabiliser: str
    formula: str
    step_size: float
    growth_below: float
    growth_above: float


@dataclass(frozen=True)
class Orbit:
    """What alternating play does far from the equilibrium.

    Attributes:
        objective: its name.
        radius: where it starts, at (radius, 0).
        steps: how many were played.
        drift: largest relative change of theta^2 + psi^2 - h c theta psi on the way.
        final_radius: sqrt(theta^2 + psi^2) at the end, relative to the start.
    """

    objective: str
    radius: float
    steps: int
    drift: float
    final_radius: float


@dataclass(frozen=True)
class Escape:
    """WGAN-GP, which has no Jacobian at psi = 0: the radius that play keeps after a start beside the equilibrium."""

    rule: str
    objective: str
    start: float
    least_radius: float
    most_radius: float


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

        return draw(self)


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
        thresholds=tuple(_thresholds()),
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
        trajectories=_trajectories(),
    )


def game_of(objective: str, rule: str, stabiliser: str, *, step_size: float = STEP_SIZE) -> DiracGame:
    """The game of one combination; both players with the same step size, plain descent."""
    penalties: dict[str, tuple[Penalty, ...]] = {
        "r1": (r1(GAMMA),),
        "r2": (r2(GAMMA),),
        "r1 + r2": (r1(GAMMA), r2(GAMMA)),
        "wgan_gp": (wgan_gp(1.0),),
    }
    return DiracGame(
        objectives.find(objective)(),
        RULES[rule],
        penalties.get(stabiliser, ()),
        generator_rate=step_size,
        discriminator_rate=step_size,
        noise=instance_noise(NOISE_LEVEL, final=NOISE_LEVEL) if stabiliser == "instance noise" else None,
    )


def damping_of(objective: str, stabiliser: str) -> float:
    """What a stabiliser adds to the field's own slope of psi, on paper."""
    if stabiliser == "instance noise":
        return NOISE_LEVEL**2 * slopes_of(objectives.find(objective)()).damping_per_variance
    return {"none": 0.0, "r1": GAMMA, "r2": GAMMA, "r1 + r2": 2 * GAMMA}[stabiliser]


def measure_case(objective: str, rule: str, stabiliser: str, *, step_size: float = STEP_SIZE) -> Case:
    """Growth per step of one combination, in three ways."""
    game = game_of(objective, rule, stabiliser, step_size=step_size)
    jacobian = game.update_jacobian()
    on_paper = closed_form(
        game.update_rule,
        step_size=step_size,
        slopes=slopes_of(game.objective),
        damping=damping_of(objective, stabiliser),
    )
    return Case(
        objective,
        rule,
        stabiliser,
        max(abs(root) for root in on_paper),
        spectral_radius(jacobian),
        game.growth(jacobian=jacobian),
    )


def measure_orbit(objective: str, radius: float, *, steps: int = 1500) -> Orbit:
    """Alternating play without penalty from (radius, 0), and what becomes of theta^2 + psi^2 - h c theta psi."""
    game = game_of(objective, "alternating", "none")
    path = game.play(radius, 0.0, steps=steps)
    kept = conserved(path, turn=STEP_SIZE * slopes_of(game.objective).rotation)
    return Orbit(
        objective, radius, steps, float(np.abs(kept / kept[0] - 1).max()), float(np.linalg.norm(path[-1]) / radius)
    )


def conserved(path: np.ndarray, *, turn: float) -> np.ndarray:
    r"""theta^2 + psi^2 - h c theta psi, psi moving first. Constant for linear alternating play. Shape `(steps + 1,)`.

    From `psi' = psi - h c theta` and `theta' = theta + h c psi'`: `theta^2 + psi^2 - h c theta psi` before and
    `theta'^2 + psi'^2 - h c theta' psi'` after both equal `theta^2 + psi'^2 + h c theta psi'`. Wasserstein play is
    linear everywhere; the logistic games are so near the equilibrium only.

    Args:
        path: theta and psi after every step. Shape `(steps + 1, 2)`.
        turn: h c.
    """
    theta, psi = path.T
    return theta**2 + psi**2 - turn * theta * psi


def measure_escape(objective: str, rule: str, *, start: float = 1e-3, steps: int = 300) -> Escape:
    """Play with WGAN-GP from next to the equilibrium; the range of the radius over the second half."""
    path = game_of(objective, rule, "wgan_gp").play(start, start, steps=steps)
    radius = np.linalg.norm(path[steps // 2 :], axis=1)
    return Escape(rule, objective, start, float(radius.min()), float(radius.max()))


def _thresholds() -> list[Threshold]:
    conditions = (
        ("simultaneous", "minimax", "r1", "gamma / c^2"),
        ("alternating", "minimax", "none", "2 / c (|.| is 1 below)"),
        ("alternating", "minimax", "r1", "root of h^2 c^2 + 2 h gamma = 4"),
        ("extragradient", "wasserstein", "none", "1 / c"),
        ("optimistic", "wasserstein", "none", "1 / (sqrt 3 c)"),
        ("consensus", "wasserstein", "none", "2 kappa / (1 + kappa^2 c^2)"),
    )
    rows = []
    for rule, objective, stabiliser, formula in conditions:
        limit = largest_stable_step(
            RULES[rule], slopes=slopes_of(objectives.find(objective)()), damping=damping_of(objective, stabiliser)
        )
        below, above = (game_of(objective, rule, stabiliser, step_size=s * limit).growth() for s in (0.9, 1.1))
        rows.append(Threshold(rule, objective, stabiliser, formula, limit, below, above))
    return rows


def _trajectories() -> dict[str, tuple[tuple[float, float], ...]]:
    """Paths for the picture, from (1, 0), at twice the step size, so that a turn is visible."""
    wanted = {
        f"{rule} / {kind}": (rule, kind)
        for kind in ("none", "r1")
        for rule in ("simultaneous", "alternating", "extragradient", "optimistic", "consensus")
    }
    games = {
        name: game_of("nonsaturating", rule, stabiliser, step_size=0.2) for name, (rule, stabiliser) in wanted.items()
    }
    games |= {
        f"minimax / {kind}": game_of("minimax", "alternating", kind, step_size=0.2)
        for kind in ("none", "r1", "wgan_gp", "instance noise")
    }
    games["minimax / lifting noise"] = replace(games["minimax / instance noise"], noise=instance_noise(NOISE_LEVEL))
    paths = {name: game.play(1.0, 0.0, steps=300 if "minimax" in name else 120) for name, game in games.items()}
    return {name: tuple((float(theta), float(psi)) for theta, psi in path) for name, path in paths.items()}


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
