r"""A stage before the game: the generator alone is fitted by likelihood, where it knows its own density.

.. math::
    \min_\theta \; E_{x \sim p} [-\log q_\theta(x)],

whose minimum is the data's entropy, at q = p. The minimum on finitely many rows is another one: a network that can
remember rows goes on to lower this mean on them while it rises on others. Hence dropout and weight decay, and a limit
on the passes over the rows where one is set. A part of the data that the stage does not train on says which of its
weights are kept: at each twentieth of the stage the mean over at most `HELD_OUT_ROWS` of these rows is taken at the
averaged weights, and the game begins at the latest weights that are within `SLACK` nats a column of the least.

Not at the least itself: it comes before the learning rate has fallen, and a likelihood punishes certainty that is a
little too high far more than anybody does who looks at samples.

Steps of the stage are steps of the run: they are counted, recorded, stored and resumed as those of the game, whose
schedules begin when the stage ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from equipoise.distributed import SINGLE_PROCESS, ProcessGroup
from equipoise.game.lr_schedule import Schedule
from equipoise.game.player import Player
from equipoise.game.step import Batch, StepReport
from equipoise.optimizers import AdamW
from equipoise.randomness import Stream, torch_stream
from equipoise.shapes import Labels, PerSample, Samples, Scalar
from equipoise.training.batches import BatchSource

CHECKS = 20
"""How often in the stage the rows that are held out are looked at."""
HELD_OUT_ROWS = 2_000
"""Most of them: the mean of a log-likelihood is then known to a few hundredths of a nat."""
WARMUP_STEPS = 50
FINAL_RATE = 0.01
SLACK = 0.03
"""Nats a column above the least held-out value at which later weights are still preferred."""
BETAS = (0.9, 0.99)
NEVER_CHECKED = 1e30
"""Stands for infinity, which no checkpoint stores."""


class HasLikelihood(Protocol):
    """A generator that knows its density."""

    def negative_log_likelihood(
        self,
        rows: Samples,
        labels: Labels | None = None,
        *,
        dropout: float = 0.0,
        randomness: torch.Generator | None = None,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> PerSample:
        """Minus the log-likelihood of each row, in nats. Shape `(batch,)`."""
        ...


@dataclass
class LikelihoodStage:
    """The stage, and what it remembers from step to step.

    Attributes:
        generator: the player of the game that follows; its average is kept up to date, too.
        steps: of the stage.
        learning_rate: of AdamW, after a warm-up and before the cosine that ends at a hundredth.
        dropout: share of hidden units that are set to zero.
        weight_decay: as torch's AdamW has it.
        seed: of the whole run.
        held_out: encoded rows, and their labels, that the stage does not train on; `None` keeps the last weights.
        group: the processes that train together.
        slack: nats above the least held-out value at which later weights are still preferred.
        memory: moments of the optimizer and the weights that are kept so far, by name; a checkpoint stores it.
    """

    generator: Player
    steps: int
    learning_rate: float = 3e-3
    dropout: float = 0.2
    weight_decay: float = 1e-4
    seed: int = 0
    held_out: tuple[Samples, Labels | None] | None = None
    slack: float = 0.0
    group: ProcessGroup = SINGLE_PROCESS
    memory: dict[str, Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        weights = list(self.generator.parameters)
        self._schedule = Schedule("cosine", FINAL_RATE, WARMUP_STEPS)
        self._optimizer = AdamW(weights, lr=self.learning_rate, betas=BETAS, weight_decay=self.weight_decay, fused=True)
        self._player = Player(self.generator.network, self._optimizer, average=self.generator.average)
        self.memory = {}
        for index, weight in enumerate(weights):
            state: dict[str, Any] = {
                "step": torch.zeros((), device=weight.device),
                "exp_avg": torch.zeros_like(weight, requires_grad=False),
                "exp_avg_sq": torch.zeros_like(weight, requires_grad=False),
            }
            self._optimizer.state[weight] = state  # as AdamW would make it at its first step, but here from the start
            self.memory |= {f"{index}.{key}": tensor for key, tensor in state.items()}
        if self.held_out is not None:
            device = weights[0].device
            self.memory |= {f"best.{name}": tensor.clone() for name, tensor in self._sampled.state_dict().items()}
            self.memory["best_value"] = torch.tensor(NEVER_CHECKED, dtype=torch.float64, device=device)
            self.memory["least"] = torch.tensor(NEVER_CHECKED, dtype=torch.float64, device=device)
            self.memory["best_step"] = torch.zeros((), device=device)

    @property
    def _sampled(self) -> nn.Module:
        average = self.generator.average
        return self.generator.network if average is None else average.network

    def step(self, step: int, batches: Sequence[Batch], *, measure: bool) -> tuple[Scalar, dict[str, Scalar]]:
        """One step on all rows of these batches.

        Args:
            step: of the run, counted from 0; below `steps`.
            batches: this process's parts.
            measure: whether the norm of the gradient is measured.

        Returns:
            The mean over the rows of minus the log-likelihood, in nats, and the gradient's norm by player.
        """
        real = torch.cat([batch.real for batch in batches])
        labels = None if batches[0].labels is None else torch.cat([batch.labels for batch in batches])
        player = self._player
        player.guard = self.generator.guard
        schedule, steps = self._schedule, self.steps
        player.scale_learning_rate(schedule.decay_at(step, steps), scale=schedule.scale_at(step, steps))
        terms = self.generator.network.negative_log_likelihood(
            real,
            labels,
            dropout=self.dropout,
            randomness=torch_stream(self.seed, Stream.DROPOUT, step, device=real.device),
            group=self.group,
        )
        loss = self.group.shard_of_mean(terms.mean())
        loss.backward(inputs=player.parameters)
        (loss,) = self.group.all_reduce(player.parameters, [loss])
        norms = {"generator": player.gradient_norm()} if measure else {}
        player.update()
        if player.average is not None:
            player.average.update()
        self._check(step + 1)
        return loss.detach(), norms

    @torch.no_grad()
    def value(self) -> float | None:
        """The mean of minus the log-likelihood over the rows that are held out, at the averaged weights, in nats."""
        if self.held_out is None:
            return None
        rows, labels = self.held_out
        parts = range(0, len(rows), 500)
        terms = [
            self._sampled.negative_log_likelihood(
                rows[at : at + 500], None if labels is None else labels[at : at + 500]
            ).double()
            for at in parts
        ]
        return float(torch.cat(terms).mean())

    def row(
        self, report: StepReport, *, step: int, seconds: float, speed: float, batches: BatchSource
    ) -> dict[str, Any]:
        """A line of `metrics.jsonl`; there is no game yet, and so no value of one.

        Args:
            report: of the step.
            step: of the run, counted from 1.
            seconds: of training so far.
            speed: steps a second.
            batches: of the run.
        """
        best = self.best
        return {
            "step": step,
            "stage": "likelihood",
            "samples_seen": step * batches.updates_per_step * batches.batch_size,
            "seconds": seconds,
            "steps_per_second": speed,
            "value": None,
            "negative_log_likelihood": float(report.generator_loss),
            "held_out_negative_log_likelihood": None if best is None else best[1],
            "gradient_norm": {name: float(norm) for name, norm in report.gradient_norms.items()},
            "learning_rate": {"generator": self._player.learning_rate},
        }

    @property
    def best(self) -> tuple[int, float] | None:
        """The step of the weights that are kept so far, and their value; `None` where nothing was looked at."""
        if self.held_out is None or float(self.memory["best_value"]) >= NEVER_CHECKED:
            return None
        return int(self.memory["best_step"]), float(self.memory["best_value"])

    @torch.no_grad()
    def _check(self, done: int) -> None:
        """After so many steps: compare with the best, and at the end of the stage go on from it."""
        is_over = done >= self.steps
        if self.held_out is not None and (is_over or done % max(1, self.steps // CHECKS) == 0):
            value = self.value()
            if value is not None and math.isfinite(value) and value <= float(self.memory["least"]) + self.slack:
                self.memory["least"].fill_(min(value, float(self.memory["least"])))
                self.memory["best_value"].fill_(value)
                self.memory["best_step"].fill_(done)
                for name, tensor in self._sampled.state_dict().items():
                    self.memory[f"best.{name}"].copy_(tensor)
        if not is_over:
            return
        if self.best is not None:
            self._sampled.load_state_dict({name: self.memory[f"best.{name}"] for name in self._sampled.state_dict()})
        self.generator.network.load_state_dict(self._sampled.state_dict())
