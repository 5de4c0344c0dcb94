"""How are real and generated samples processed in one step? A live walk through `train_step`, by the code's own names.

The networks and optimisers of a small game are watched while the real `train_step` plays: every call, every loss, every
backward pass and every update is written down as it happens. Nothing is played a second time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from equipoise import objectives
from equipoise.game import Player, UpdateRule, train_step
from equipoise.lab.base import text_table
from equipoise.lab.toy import discriminator_network, draw_batch, generator_network, player, two_modes
from equipoise.objectives.base import Objective
from equipoise.penalties.base import ForwardPass, Penalty
from equipoise.penalties.r1_r2 import r1, r2
from equipoise.plotting.style import FAKE_COLOUR, REAL_COLOUR, new_figure
from equipoise.randomness import torch_stream

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BATCH_SIZE = 4


@dataclass(frozen=True)
class Moment:
    """One thing that happened.

    Attributes:
        turn: whose turn it is: `discriminator` or `generator`.
        what: in the code's own names.
        shape: of the tensor that came out; empty for a number.
        values: the first numbers of it.
        note: what it means for the game.
    """

    turn: str
    what: str
    shape: tuple[int, ...]
    values: tuple[float, ...]
    note: str


@dataclass(frozen=True)
class StepResult:
    """The walk, and the lengths of what moved."""

    question: ClassVar[str] = "How are real and generated samples processed in the same step?"

    moments: tuple[Moment, ...]
    discriminator_moved: tuple[float, float]
    generator_moved: tuple[float, float]

    def to_text(self) -> str:
        """The moments in their order, by turn."""
        lines = [f"One step of RpGAN + R1 + R2, alternating, batch of {BATCH_SIZE} points on a line."]
        for turn in ("discriminator", "generator"):
            rows = (
                [f"{number}. {moment.what}", "x".join(map(str, moment.shape)) or "number", _numbers(moment.values)]
                for number, moment in enumerate(self.moments, start=1)
                if moment.turn == turn
            )
            lines += ["", f"The {turn}'s turn", "", text_table(["what happens", "shape", "first values"], rows)]
        notes = (f"  {number}. {moment.note}" for number, moment in enumerate(self.moments, start=1))
        moved = [
            ["discriminator's turn", *(f"{length:.4f}" for length in self.discriminator_moved)],
            ["generator's turn", *(f"{length:.4f}" for length in self.generator_moved)],
        ]
        return "\n".join(
            [
                *lines,
                "",
                "Which means:",
                *notes,
                "",
                text_table(["how far the weights moved in the", "discriminator", "generator"], moved),
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """Every moment."""
        return {"experiment": "step", "question": self.question, **asdict(self)}

    def figure(self) -> Figure:
        """The walk as boxes and arrows, with the numbers of this walk."""
        with new_figure(10.4, 5.0, title="One step of train_step: RpGAN + R1 + R2, alternating") as figure:
            axes = figure.add_subplot()
            axes.set_xlim(0, 10.4)
            axes.set_ylim(0, 5.0)
            axes.axis("off")
            _draw_turns(axes, {moment.what: moment for moment in self.moments})
        return figure


def step(*, seed: int = 0) -> StepResult:
    """Play one step and write down what happens.

    Args:
        seed: of networks and samples.
    """
    watch = _Watch()
    discriminator = player(discriminator_network(seed=seed), 1e-2)
    generator = player(generator_network(seed=seed), 1e-2)
    stream = torch_stream(seed, "lab step")
    batches = [draw_batch(two_modes, BATCH_SIZE, stream=stream) for _ in range(2)]
    watch.networks(discriminator, generator)
    watch.optimizers(discriminator, generator)
    train_step(
        discriminator,
        generator,
        objective=watch.objective(objectives.find("relativistic")()),
        penalties=[watch.penalty(r1(0.1)), watch.penalty(r2(0.1))],
        batches=batches,
        update_rule=UpdateRule("alternating"),
    )
    return StepResult(tuple(watch.moments), *watch.moved)


class _Watch:
    """Hooks on everything that a step touches; `moments` fills up while `train_step` plays."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self.moved: list[tuple[float, float]] = []
        self.turn = "discriminator"

    def note(self, what: str, tensor: Tensor, note: str) -> None:
        values = tuple(float(number) for number in tensor.detach().flatten()[:BATCH_SIZE])
        self.moments.append(Moment(self.turn, what, tuple(tensor.shape), values, note))

    def networks(self, discriminator: Player, generator: Player) -> None:
        def made(module: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            del module, inputs
            if output.requires_grad:
                self.note(
                    "fake = generator(batch.latents)", output, "samples that still hang on the generator's weights"
                )
            else:
                self.note(
                    "fake = generator(batch.latents), no_grad",
                    output,
                    "this turn is the discriminator's: no gradient goes into the generator",
                )

        def scored(module: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            del module
            if len(output) > BATCH_SIZE:
                self.note(
                    "discriminator(real and fake, joined)",
                    output,
                    "one pass over both: the same weights judge real (first half) and generated samples",
                )
            elif inputs[0].requires_grad:
                self.note("fake_logits = discriminator(fake)", output, "the gradient will flow back through it to fake")
            else:
                self.note(
                    "real_logits = discriminator(batch.real), no_grad",
                    output,
                    "the generator's loss compares with real logits, which it cannot change",
                )

        generator.network.register_forward_hook(made)
        discriminator.network.register_forward_hook(scored)

    def objective(self, objective: Objective) -> Objective:
        """The same objective, whose terms are written down as they are computed."""

        def real_term(margins: Tensor) -> Tensor:
            terms = objective.real_term(margins)
            self.note("margins = real_logits - fake_logits", margins, "RpGAN asks which of a pair is the real one")
            self.note("value = mean(-softplus(-margins))", terms.mean(), "V_hat; the loss is its negative")
            return terms

        def generator_term(margins: Tensor) -> Tensor:
            terms = objective.generator_fake_term(margins)
            self.note("generator_loss = mean(softplus(-(fake - real)))", terms.mean(), "the pair, reversed")
            return terms

        return replace(objective, real_term=real_term, generator_fake_term=generator_term)

    def penalty(self, penalty: Penalty) -> Penalty:
        """The same penalty, written down as it is computed."""
        side = "real" if penalty.name == "r1" else "fake"

        def per_sample(position: ForwardPass) -> Tensor:
            result = penalty.per_sample(position)
            self.note(
                f"{penalty.name} = |grad_x logit({side})|^2 / 2",
                result,
                f"how steep the discriminator is at {side} samples; weight {penalty.weight:g}",
            )
            return result

        return replace(penalty, per_sample=per_sample)

    def optimizers(self, discriminator: Player, generator: Player) -> None:
        before = [_weights(discriminator), _weights(generator)]

        def close(name: str, who: Player) -> Any:
            def hook(optimizer: torch.optim.Optimizer, *_: object) -> None:
                del optimizer
                for other in ("discriminator", "generator"):
                    has = {"discriminator": discriminator, "generator": generator}[other]
                    if other != name:
                        assert all(parameter.grad is None for parameter in has.parameters)
                self.note(
                    f"{name}.gradient_norm() after backward",
                    who.gradient_norm(),
                    f"of the {name}'s weights only; the other player has no gradient",
                )

            return hook

        def moved(*_: object) -> None:
            now = [_weights(discriminator), _weights(generator)]
            self.moved.append(tuple(float((a - b).norm()) for a, b in zip(now, before, strict=True)))  # type: ignore[arg-type]
            self.note(
                f"{self.turn}.update()",
                torch.tensor(self.moved[-1][0 if self.turn == "discriminator" else 1]),
                f"the {self.turn}'s weights move, the other's stay",
            )
            before[:] = now
            self.turn = "generator"

        for name, who in (("discriminator", discriminator), ("generator", generator)):
            who.optimizer.register_step_pre_hook(close(name, who))
            who.optimizer.register_step_post_hook(moved)


def _weights(who: Player) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in who.parameters]).clone()


def _numbers(values: tuple[float, ...]) -> str:
    return "  ".join(f"{value:+.4f}" for value in values)


_BOXES = (
    # x, y, width, what is written on the first line, the moment whose numbers stand below, colour
    (0.1, 3.55, 2.0, "batch.real", None, REAL_COLOUR),
    (0.1, 2.55, 2.0, "generator(latents), no_grad", "fake = generator(batch.latents), no_grad", FAKE_COLOUR),
    (2.75, 3.05, 2.3, "discriminator(joined)", "discriminator(real and fake, joined)", "#444a52"),
    (5.7, 3.55, 2.1, "value (loss: -value)", "value = mean(-softplus(-margins))", "#444a52"),
    (5.7, 2.55, 2.1, "r1, and r2", "r1 = |grad_x logit(real)|^2 / 2", "#444a52"),
    (8.3, 3.05, 2.0, "discriminator.update()", "discriminator.update()", "#009e73"),
    (0.1, 0.1, 2.0, "batch.real", None, REAL_COLOUR),
    (0.1, 1.1, 2.0, "generator(latents)", "fake = generator(batch.latents)", FAKE_COLOUR),
    (2.75, 0.6, 2.3, "discriminator, both sides", "fake_logits = discriminator(fake)", "#444a52"),
    (5.7, 0.6, 2.1, "generator_loss", "generator_loss = mean(softplus(-(fake - real)))", "#444a52"),
    (8.3, 0.6, 2.0, "generator.update()", "generator.update()", "#009e73"),
)
_ARROWS = ((0, 2), (1, 2), (2, 3), (2, 4), (3, 5), (4, 5), (6, 8), (7, 8), (8, 9), (9, 10))
_HEIGHT = 0.72


def _draw_turns(axes: Axes, moments: dict[str, Moment]) -> None:
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    for y, words in (
        (4.5, "Discriminator's turn: a batch of real and a batch of generated samples, one loss"),
        (2.05, "Generator's turn: the gradient flows through the discriminator, whose weights stay"),
    ):
        axes.text(0.1, y, words, fontsize=9.5, fontweight="bold")
    for x, y, width, words, key, colour in _BOXES:
        axes.add_patch(
            FancyBboxPatch(
                (x, y),
                width,
                _HEIGHT,
                boxstyle="round,pad=0,rounding_size=0.08",
                linewidth=1.2,
                edgecolor=colour,
                facecolor="white",
            )
        )
        shown = f"{BATCH_SIZE} points of the data" if key is None else _short(moments[key])
        axes.text(x + width / 2, y + 0.47, words, ha="center", va="center", fontsize=8.5, family="monospace")
        axes.text(x + width / 2, y + 0.2, shown, ha="center", va="center", fontsize=7.5, color="#5b626b")
    for start, end in _ARROWS:
        (x, y, width, *_), (to_x, to_y, *_) = _BOXES[start], _BOXES[end]
        axes.add_patch(
            FancyArrowPatch(
                (x + width, y + _HEIGHT / 2),
                (to_x, to_y + _HEIGHT / 2),
                arrowstyle="-|>",
                mutation_scale=10,
                linewidth=1.0,
                color="#5b626b",
                shrinkA=2,
                shrinkB=2,
            )
        )


def _short(moment: Moment) -> str:
    if not moment.shape:
        return f"{moment.values[0]:.4f}" if "descend" not in moment.what else f"weights move by {moment.values[0]:.3f}"
    return " ".join(f"{value:+.2f}" for value in moment.values[:3]) + " ..."


EXPERIMENTS = {"step": step}
