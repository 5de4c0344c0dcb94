"""How are real and generated samples processed in one step? A record of one `train_step`, by the code's own names.

Hooks on the networks and optimizers of a small game record every call, every loss, every backward pass and every update
of one real `train_step` as it happens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from equipoise import objectives
from equipoise.game import Player, UpdateRule, train_step
from equipoise.lab.base import Result, drawn, text_table
from equipoise.lab.toy import discriminator_network, draw_batch, generator_network, player, two_modes
from equipoise.objectives.base import Objective
from equipoise.penalties.base import ForwardPass, Penalty
from equipoise.penalties.r1_r2 import r1, r2
from equipoise.plotting.style import FAKE_COLOUR, REAL_COLOUR
from equipoise.randomness import torch_stream

BATCH_SIZE = 4


@dataclass(frozen=True)
class Operation:
    """One operation of the step.

    Attributes:
        player: whose update it belongs to: `discriminator` or `generator`.
        what: in the code's own names.
        shape: of the tensor that came out; empty for a number.
        values: the first numbers of it.
        note: what it means.
    """

    player: str
    what: str
    shape: tuple[int, ...]
    values: tuple[float, ...]
    note: str


@dataclass(frozen=True)
class StepResult(Result):
    """All operations, and how far each update changed the weights of (discriminator, generator)."""

    experiment: ClassVar[str] = "step"
    question: ClassVar[str] = "How are real and generated samples processed in the same step?"

    operations: tuple[Operation, ...]
    discriminator_update: tuple[float, float]
    generator_update: tuple[float, float]

    def to_text(self) -> str:
        """The operations in their order, by update."""
        lines = [f"One step of RpGAN + R1 + R2, alternating, batch of {BATCH_SIZE} points on a line."]
        for name in ("discriminator", "generator"):
            rows = (
                [f"{number}. {made.what}", "x".join(map(str, made.shape)) or "number", _numbers(made.values)]
                for number, made in enumerate(self.operations, start=1)
                if made.player == name
            )
            lines += ["", f"Update of the {name}", "", text_table(["what happens", "shape", "first values"], rows)]
        notes = (f"  {number}. {made.note}" for number, made in enumerate(self.operations, start=1))
        lengths = [
            ["the discriminator's", *(f"{length:.4f}" for length in self.discriminator_update)],
            ["the generator's", *(f"{length:.4f}" for length in self.generator_update)],
        ]
        return "\n".join(
            [
                *lines,
                "",
                "Which means:",
                *notes,
                "",
                text_table(["change of the weights by the update", "discriminator", "generator"], lengths),
            ]
        )

    @drawn(10.4, 5.0, title="One step of train_step: RpGAN + R1 + R2, alternating")
    def figure(self, figure: Figure) -> None:
        """The operations as boxes and arrows, with the numbers of this step."""
        axes = figure.add_subplot()
        axes.set(xlim=(0, 10.4), ylim=(0, 5.0))
        axes.axis("off")
        _draw_updates(axes, {made.what: made for made in self.operations})


def step(*, seed: int = 0) -> StepResult:
    """Make one step and record what happens.

    Args:
        seed: of networks and samples.
    """
    recorder = _Recorder()
    discriminator = player(discriminator_network(seed=seed), 1e-2)
    generator = player(generator_network(seed=seed), 1e-2)
    stream = torch_stream(seed, "lab step")
    batches = [draw_batch(two_modes, BATCH_SIZE, stream=stream) for _ in range(2)]
    recorder.networks(discriminator, generator)
    recorder.optimizers(discriminator, generator)
    train_step(
        discriminator,
        generator,
        objective=recorder.objective(objectives.find("relativistic")()),
        penalties=[recorder.penalty(r1(0.1)), recorder.penalty(r2(0.1))],
        batches=batches,
        update_rule=UpdateRule("alternating"),
    )
    return StepResult(tuple(recorder.operations), *recorder.changes)


class _Recorder:
    """Hooks on everything that a step uses; they fill `operations` during `train_step`."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.changes: list[tuple[float, float]] = []
        self.player = "discriminator"

    def note(self, what: str, tensor: Tensor, note: str) -> None:
        values = tuple(float(number) for number in tensor.detach().flatten()[:BATCH_SIZE])
        self.operations.append(Operation(self.player, what, tuple(tensor.shape), values, note))

    def networks(self, discriminator: Player, generator: Player) -> None:
        def made(module: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            del module, inputs
            if output.requires_grad:
                self.note(
                    "fake = generator(batch.latents)", output, "samples that are a function of the generator's weights"
                )
            else:
                self.note(
                    "fake = generator(batch.latents), no_grad",
                    output,
                    "the discriminator is updated: no gradient goes into the generator",
                )

        def scored(module: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            del module
            if len(output) > BATCH_SIZE:
                self.note(
                    "discriminator(real and fake together)",
                    output,
                    "one pass over both: the same weights for real (first half) and generated samples",
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
        """The same objective, whose terms are recorded as they are computed."""

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
        """The same penalty, recorded as it is computed."""
        side = "real" if penalty.name == "r1" else "fake"

        def per_sample(forward: ForwardPass) -> Tensor:
            result = penalty.per_sample(forward)
            self.note(
                f"{penalty.name} = |grad_x logit({side})|^2 / 2",
                result,
                f"the discriminator's input gradient at {side} samples; weight {penalty.weight:g}",
            )
            return result

        return replace(penalty, per_sample=per_sample)

    def optimizers(self, discriminator: Player, generator: Player) -> None:
        before = [_weights(discriminator), _weights(generator)]

        def before_update(name: str, player: Player, other: Player) -> Callable[..., None]:
            def hook(*_: object) -> None:
                assert all(parameter.grad is None for parameter in other.parameters)
                self.note(
                    f"{name}.gradient_norm() after backward",
                    player.gradient_norm(),
                    f"of the {name}'s weights only; the other player has no gradient",
                )

            return hook

        def updated(*_: object) -> None:
            now = [_weights(discriminator), _weights(generator)]
            self.changes.append(tuple(float((a - b).norm()) for a, b in zip(now, before, strict=True)))  # type: ignore[arg-type]
            self.note(
                f"{self.player}.update()",
                torch.tensor(self.changes[-1][0 if self.player == "discriminator" else 1]),
                f"the {self.player}'s weights change, the other's stay",
            )
            before[:] = now
            self.player = "generator"

        for name, own, other in (
            ("discriminator", discriminator, generator),
            ("generator", generator, discriminator),
        ):
            own.optimizer.register_step_pre_hook(before_update(name, own, other))
            own.optimizer.register_step_post_hook(updated)


def _weights(player: Player) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in player.parameters]).clone()


def _numbers(values: tuple[float, ...]) -> str:
    return "  ".join(f"{value:+.4f}" for value in values)


_BOXES = (
    # x, y, width, what is written on the first line, the operation whose numbers are below, colour
    (0.1, 3.55, 2.0, "batch.real", None, REAL_COLOUR),
    (0.1, 2.55, 2.0, "generator(latents), no_grad", "fake = generator(batch.latents), no_grad", FAKE_COLOUR),
    (2.75, 3.05, 2.3, "discriminator(both)", "discriminator(real and fake together)", "#444a52"),
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


def _draw_updates(axes: Axes, operations: dict[str, Operation]) -> None:
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    for y, words in (
        (4.5, "Discriminator update: a batch of real and a batch of generated samples, one loss"),
        (2.05, "Generator update: the gradient flows through the discriminator, whose weights stay"),
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
        shown = f"{BATCH_SIZE} points of the data" if key is None else _short(operations[key])
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


def _short(made: Operation) -> str:
    if made.shape:
        return " ".join(f"{value:+.2f}" for value in made.values[:3]) + " ..."
    return f"weights change by {made.values[0]:.3f}" if "update" in made.what else f"{made.values[0]:.4f}"


EXPERIMENTS = {"step": step}
