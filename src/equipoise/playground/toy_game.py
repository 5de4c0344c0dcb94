"""A game on the plane: makes one step after the other with `game.train_step`, and says what can be seen of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from equipoise import penalties
from equipoise.errors import PlayDiverged
from equipoise.game import Batch, train_step
from equipoise.objectives.value import ValueEstimate, value_function
from equipoise.penalties.base import Penalty
from equipoise.playground import fields, measure
from equipoise.playground.plane_data import PlaneData
from equipoise.playground.players import IN_THE_MIDDLE, Start, draw_latents, make_player, make_players, set_rates
from equipoise.playground.settings import NETWORK_SETTINGS, Settings
from equipoise.playground.walk import Pass, Recorder, Update
from equipoise.randomness import Stream, numpy_stream, torch_stream

SHOWN = 160
"""Points of each side that are drawn; always those of the same latents and draws, so that a movement is a movement."""
TRAIL = 400
PURPOSES = {"shown": 1, "batch": 2, "referee": 3, "offset": 4}


@dataclass(frozen=True)
class Reading:
    """What a step was like, in numbers.

    Attributes:
        value: of the last discriminator batch, before it was updated; `None` without a discriminator.
        loss: what the generator minimised.
        quadrature: V of the present discriminator and generator.
        equilibrium: V at p = q and the best discriminator.
    """

    value: ValueEstimate | None
    loss: float
    quadrature: float | None
    equilibrium: float | None


class ToyGame:
    """Two players on the plane.

    Args:
        settings: of the game.
        data: where real samples come from.
        start: where a linear generator begins.

    Attributes:
        steps: made so far.
        trail: mean of the generator's distribution after each of the last steps. Pairs of numbers.
        last: numbers of the last step; `None` before the first.
    """

    def __init__(self, settings: Settings, data: PlaneData, *, start: Start = IN_THE_MIDDLE) -> None:
        self.settings, self.start = settings, start
        self.steps = 0
        self.trail: list[tuple[float, float]] = []
        self.last: tuple[ValueEstimate | None, float] | None = None
        self.discriminator, self.generator = make_players(settings, start=start)
        self.give_data(data)
        self.shown_latents = draw_latents(settings.latents, SHOWN, self._torch_stream("shown"))

    def give_data(self, data: PlaneData) -> None:
        """Play with these data from now on; the players stay."""
        if data.modes is None and self.settings.sampling == "balanced":
            self.settings = self.settings.changed({"sampling": "as_they_come"})
        self.data = data
        self.balanced = self.settings.sampling == "balanced"
        self.nodes = data.quadrature(balanced=self.balanced)
        self.cell_masses = fields.cell_masses(data, balanced=self.balanced)
        shown, _ = data.draw(SHOWN, self._numpy_stream("shown"), balanced=self.balanced)
        self.shown_real = torch.from_numpy(shown).float()

    def change(self, settings: Settings) -> bool:
        """Play with these settings from now on; whether that needed new networks, from which it then begins again."""
        before, self.settings = self.settings, settings
        if any(getattr(before, name) != getattr(settings, name) for name in NETWORK_SETTINGS):
            self.__init__(settings, self.data, start=self.start)  # type: ignore[misc]
            return True
        if before.optimizer != settings.optimizer:
            self.discriminator, self.generator = (
                make_player(player.network, settings, 1.0) for player in (self.discriminator, self.generator)
            )
        set_rates(self.discriminator, self.generator, settings)
        if before.update_rule != settings.update_rule:
            for player in (self.discriminator, self.generator):
                player.memory.clear()
        if before.sampling != settings.sampling:
            self.give_data(self.data)
        return False

    def step(self, *, walk: bool = False) -> list[Pass | Update]:
        """One step of the real game; with `walk` also its record.

        Raises:
            PlayDiverged: a loss or logit that is not finite.
        """
        recorder = Recorder()
        if not self.settings.is_game:
            self._squared_error_step(recorder, walk=walk)
        elif walk:
            with recorder.recording(self.discriminator, self.generator):
                self._game_step(recorder)
        else:
            self._game_step(None)
        self.steps += 1
        self.trail = [*self.trail[1 - TRAIL :], self._mean()]
        return recorder.events

    def _game_step(self, recorder: Recorder | None) -> None:
        objective, terms, rule = self.settings.found_objective(), self.penalties(), self.settings.rule()
        played, used = objective, terms
        if recorder is not None:
            played, used = recorder.objective(objective), [recorder.penalty(term) for term in terms]
        report = train_step(
            self.discriminator,
            self.generator,
            objective=played,
            penalties=used,
            batches=[self.batch(update) for update in range(rule.updates_per_step)],
            update_rule=rule,
        )
        where = f"step {self.steps + 1}"
        value = value_function(objective, report.real_logits, report.fake_logits, where=where)
        loss = float(report.generator_loss)
        if not np.isfinite(loss):
            raise PlayDiverged(where, f"the generator's loss is {loss}.", "Expected a finite number.", _ADVICE)
        self.last = (value, loss)

    def _squared_error_step(self, recorder: Recorder, *, walk: bool) -> None:
        """The generator descends its squared distance to the real sample beside it: no game."""
        batch = self.batch(0)
        if walk:
            with recorder.recording(self.discriminator, self.generator):
                loss = self._squared_error(batch, recorder)
        else:
            loss = self._squared_error(batch, None)
        self.last = (None, loss)

    def _squared_error(self, batch: Batch, recorder: Recorder | None) -> float:
        fake = self.generator(batch.latents)
        terms = (fake - batch.real).square().sum(dim=1)
        if recorder is not None:
            recorder.current.player, recorder.current.real = "generator", batch.real
            recorder.current.terms["generator"] = terms.detach()
        loss = terms.mean()
        if not bool(torch.isfinite(loss)):
            raise PlayDiverged(
                f"step {self.steps + 1}", "the loss is not finite.", "Expected a finite number.", _ADVICE
            )
        loss.backward()
        self.generator.update()
        return float(loss.detach())

    def batch(self, update: int) -> Batch:
        """Real samples and latents for one update of the step that comes."""
        count = self.settings.batch_size
        real, _ = self.data.draw(count, self._numpy_stream("batch", self.steps, update), balanced=self.balanced)
        stream = self._torch_stream("batch", self.steps, update)
        latents = draw_latents(self.settings.latents, count, stream)
        return Batch(real=torch.from_numpy(real).float(), latents=latents, randomness=stream)

    def penalties(self) -> list[Penalty]:
        """The penalty of the settings, as parts of the game."""
        names = {"none": (), "r1_r2": ("r1", "r2")}.get(self.settings.penalty, (self.settings.penalty,))
        return [penalties.find(name)(weight=self.settings.gamma) for name in names]

    def reading(self) -> Reading:
        """Numbers of the last step and of the present players."""
        value, loss = self.last if self.last is not None else (None, float("nan"))
        if not self.settings.is_game:
            return Reading(None, loss, None, None)
        objective = self.settings.found_objective()
        real, weights = self.nodes
        quadrature = measure.value_by_quadrature(
            objective,
            self.discriminator.network,
            self.generator.network,
            law=self.settings.latents,
            real=real,
            real_weights=weights,
        )
        return Reading(value, loss, quadrature, objective.equilibrium_value)

    def offset(self) -> float:
        """c of D = sigma(l - c) for a pairing game, fitted on draws that nothing else uses; 0 for others."""
        objective = self.settings.found_objective()
        if objective.logit_meaning != "log_odds_up_to_a_constant":
            return 0.0
        real, _ = self.data.draw(256, self._numpy_stream("offset", self.steps), balanced=self.balanced)
        fake = self.generate(256, "offset")
        return measure.offset_of(objective, self.discriminator.network, torch.from_numpy(real).float(), fake)

    def best(self) -> fields.BestDiscriminator | None:
        """The best discriminator of the present generator; `None` where the data's density is not known."""
        if self.cell_masses is None:
            return None
        return fields.best_discriminator(self.generator.network, self.settings.latents, self.cell_masses)

    @torch.no_grad()
    def shown_fake(self) -> Tensor:
        """Generated points that are drawn. Shape `(SHOWN, 2)`."""
        return self.generator.network(self.shown_latents)

    @torch.no_grad()
    def generate(self, count: int, purpose: str) -> Tensor:
        """Fresh samples of the present generator. Shape `(count, 2)`."""
        return self.generator.network(
            draw_latents(self.settings.latents, count, self._torch_stream(purpose, self.steps))
        )

    def referee_samples(self) -> tuple[np.ndarray, np.ndarray]:
        """Real samples that no player has seen and will see, and generated ones, for `measure.prove`."""
        count = measure.REFEREE_SAMPLES
        if self.data.density is not None:
            real, _ = self.data.draw(count, self._numpy_stream("referee", self.steps), balanced=self.balanced)
        else:
            assert self.data.held_out is not None
            real = self.data.held_out[:count]
        return real, self.generate(len(real), "referee").double().numpy()

    @torch.no_grad()
    def _mean(self) -> tuple[float, float]:
        x, y = self.generator.network(self.shown_latents).mean(dim=0).tolist()
        return x, y

    def _numpy_stream(self, purpose: str, *position: int) -> np.random.Generator:
        return numpy_stream(self.settings.seed, Stream.PLAYGROUND, PURPOSES[purpose], *position)

    def _torch_stream(self, purpose: str, *position: int) -> torch.Generator:
        return torch_stream(self.settings.seed, Stream.PLAYGROUND, PURPOSES[purpose], *position)


_ADVICE = "Lower a learning rate, raise gamma, or begin again with 'Reset'."
