"""What a person may choose in the playground, checked before a game hears of it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from equipoise import objectives
from equipoise.errors import ConfigError, unknown_name
from equipoise.game import UpdateRule
from equipoise.game.update_rules import ALTERNATING_RULES, UPDATE_RULES, UpdateRuleName
from equipoise.objectives.base import Objective

SQUARED_ERROR = "squared_error"
"""No game at all: the generator minimises its squared distance to the real sample beside it."""
PENALTIES = ("none", "r1", "r2", "r1_r2", "wgan_gp")
OPTIMIZERS = ("adam", "sgd")
LATENTS = ("normal", "uniform", "normal_line")
SAMPLING = ("as_they_come", "balanced")

Penalties = Literal["none", "r1", "r2", "r1_r2", "wgan_gp"]
LatentLaw = Literal["normal", "uniform", "normal_line"]

# Largest numbers that still leave 20 steps a second on one core, or where nothing more is to be seen.
LIMITS: dict[str, tuple[float, float]] = {
    "gamma": (0.0, 1000.0),
    "n_critic": (1, 10),
    "discriminator_rate": (0.0, 2.0),
    "generator_rate": (0.0, 2.0),
    "batch_size": (1, 512),
    "generator_width": (1, 128),
    "generator_depth": (0, 4),
    "discriminator_width": (1, 128),
    "discriminator_depth": (0, 4),
    "seed": (0, 999_999),
}
NETWORK_SETTINGS = (
    "latents",
    "generator_width",
    "generator_depth",
    "discriminator_width",
    "discriminator_depth",
    "seed",
)
"""Settings that mean new networks: the game starts again when one of them changes."""


@dataclass(frozen=True)
class Settings:
    """All choices of a game but its data.

    Attributes:
        objective: name of an objective, or `squared_error`, which has no discriminator.
        penalty: added to the discriminator's loss; `r1_r2` is both.
        gamma: weight of the penalty.
        update_rule: see `game.update_rules`.
        n_critic: discriminator updates in one step.
        optimizer: of both players; `adam` with betas (0, 0.99), `sgd` without momentum.
        discriminator_rate: learning rate; at 0 the player stands still.
        generator_rate: the same of the generator.
        batch_size: samples of each side in one update.
        sampling: which real rows come: `balanced` draws every mode equally often.
        latents: law of the generator's input: two normal or two uniform coordinates, or one normal one.
        generator_width: units of a hidden layer.
        generator_depth: hidden layers; 0 is a linear map.
        discriminator_width: units of a hidden layer.
        discriminator_depth: hidden layers; 0 is a linear function.
        seed: of weights, batches and latents.
    """

    objective: str = "nonsaturating"
    penalty: Penalties = "r1"
    gamma: float = 0.1
    update_rule: UpdateRuleName = "alternating"
    n_critic: int = 1
    optimizer: str = "adam"
    discriminator_rate: float = 0.003
    generator_rate: float = 0.002
    batch_size: int = 128
    sampling: str = "as_they_come"
    latents: LatentLaw = "normal"
    generator_width: int = 48
    generator_depth: int = 2
    discriminator_width: int = 48
    discriminator_depth: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known():
                raise unknown_name(
                    f"play.{name}",
                    name.replace("_", " "),
                    str(getattr(self, name))[:60],
                    known(),
                    "Choose one of these.",
                )
        for name, (least, most) in LIMITS.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise ConfigError(
                    f"play.{name}",
                    f"{value} is out of range.",
                    f"Expected a number from {least:g} to {most:g}.",
                    "Larger games are what 'equipoise train' is for.",
                )
        if self.update_rule not in ALTERNATING_RULES and self.n_critic != 1:
            raise ConfigError(
                "play.n_critic",
                f"{self.n_critic} discriminator updates in a step of the rule '{self.update_rule}'.",
                "This rule updates both players once, from gradients at the same weights.",
                "Set n_critic to 1, or choose the rule 'alternating'.",
            )

    @property
    def is_game(self) -> bool:
        """Whether there are two players."""
        return self.objective != SQUARED_ERROR

    def rule(self) -> UpdateRule:
        """The update rule as `game.step` takes it."""
        return UpdateRule(self.update_rule, n_critic=self.n_critic, consensus_weight=0.1)

    def found_objective(self) -> Objective:
        """The objective of the game; that of the non-saturating one where there is none."""
        return objectives.find(self.objective if self.is_game else "nonsaturating")()

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with some replaced by what a page sent.

        Raises:
            ConfigError: an unknown setting, a value of another type, or one that does not go with the others.
        """
        return replace(self, **{name: _typed(name, value) for name, value in changes.items()})


def _names_of_objectives() -> tuple[str, ...]:
    return (*objectives.available(), SQUARED_ERROR)


_CHOICES = {
    "objective": _names_of_objectives,
    "penalty": lambda: PENALTIES,
    "update_rule": lambda: UPDATE_RULES,
    "optimizer": lambda: OPTIMIZERS,
    "latents": lambda: LATENTS,
    "sampling": lambda: SAMPLING,
}
_TYPES = {entry.name: type(entry.default) for entry in fields(Settings)}


def choices() -> dict[str, tuple[str, ...]]:
    """The words that each setting of words may have."""
    return {name: tuple(known()) for name, known in _CHOICES.items()}


def _typed(name: str, value: Any) -> Any:
    if name not in _TYPES:
        near = difflib.get_close_matches(name, _TYPES, n=1)
        raise ConfigError(
            "play",
            f"there is no setting '{name[:60]}'." + (f" Did you mean '{near[0]}'?" if near else ""),
            f"Available: {', '.join(_TYPES)}.",
            "Reload the page; it may be of another version.",
        )
    wanted = _TYPES[name]
    if wanted is str and isinstance(value, str):
        return value
    if wanted is not str and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        if wanted is float or value == int(value):
            return wanted(value)
    raise ConfigError(
        f"play.{name}",
        f"{str(value)[:60]!r} is no {'word' if wanted is str else 'number' if wanted is float else 'whole number'}.",
        f"The default is {next(entry.default for entry in fields(Settings) if entry.name == name)!r}.",
        "Type a number with a point, not a comma, such as 0.002." if wanted is not str else "Choose from the list.",
    )
