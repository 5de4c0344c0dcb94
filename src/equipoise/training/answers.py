"""Answers what a person asks of a run that trains: stop, evaluate now, draw samples now.

The folder of requests is looked at between two steps, once a second, however rarely steps are measured. Training is not
changed: samples and evaluations come from the averaged generator with random streams of their own, and an evaluation
that was asked for is descriptive. It takes no part in the planned ones, in the trend, or in the choice of weights.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from equipoise.data import PreparedData
from equipoise.errors import EquipoiseError
from equipoise.files import plain
from equipoise.referee.base import Finding
from equipoise.referee.evaluation_plan import EvaluationPlan
from equipoise.run_requests import (
    ANSWERS,
    EVALUATIONS,
    FOLDER,
    Listening,
    Request,
    append,
    begin_listening,
    end_listening,
    take_requests,
)
from equipoise.runfolder import RunFolder
from equipoise.spaces import sample_size
from equipoise.training.conditions import ClassLabels
from equipoise.training.events import Ended, Event, SamplesDue
from equipoise.training.interim_evaluation import EvaluationData, brief, one_evaluation
from equipoise.training.recorder import SampleGrids
from equipoise.training.sampling import joined, sample_batches
from equipoise.training.state import TrainingState

EVERY_SECONDS = 1.0
ASKED = (
    "This evaluation was asked for by hand and was not planned: its confidence holds for it alone, not for whoever "
    "asks until the answer pleases. It takes no part in the trend or in the choice of weights."
)


class RequestAnswers:
    """Answers the requests in a run folder: `look` between any two steps; a handler besides, of samples and the end.

    Args:
        folder: of the run.
        data: how samples are decoded and drawn on a page.
        grids: writes samples beside the nearest training ones, each time that samples are due.
        state: gives the state of training.
        stop: asks for the end after the present step.
        material: what an evaluation is made of; `None` for a run without.
        conditional: whether the generator is asked for classes.
        clock: seconds; for tests.
    """

    def __init__(
        self,
        folder: RunFolder,
        data: PreparedData,
        *,
        grids: SampleGrids,
        state: Callable[[], TrainingState],
        stop: Callable[[], None],
        material: EvaluationData | None,
        conditional: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.data, self.grids, self.state, self.stop = folder, data, grids, state, stop
        self.material, self.conditional, self.clock = material, conditional, clock
        self._next = clock() + EVERY_SECONDS
        classes = tuple(str(name) for name in data.raw.label_names) if conditional else ()
        begin_listening(
            folder.path,
            Listening(
                os.getpid(),
                socket.gethostname(),
                classes,
                can_evaluate=material is not None,
                can_truncate=data.space.kind != "table",
            ),
        )

    def __call__(self, event: Event) -> None:
        """Write the nearest training samples whenever samples are due, and listen no longer after the last step."""
        if isinstance(event, SamplesDue):
            batches = event.state.batches
            self.grids.write_nearest(
                event.state.sampled_generator, latents=batches.latent_dimensions, device=batches.real.device
            )
        elif isinstance(event, Ended):
            end_listening(self.folder.path)

    def look(self) -> None:
        """Answer what is asked, if the last look is a second ago; otherwise this takes as long as reading a clock."""
        if self.clock() < self._next:
            return
        for request in take_requests(self.folder.path):
            self._answer(request)
        self._next = self.clock() + EVERY_SECONDS

    def _answer(self, request: Request) -> None:
        try:
            said = {"stop": self._stop, "evaluate": self._evaluate, "draw": self._draw}[request.what](request)
        except EquipoiseError as error:  # a request never ends a run
            said = {"is_done": False, "text": " ".join(str(error).split())}
        append(self.folder.path, ANSWERS, {"id": request.id, "what": request.what, "is_done": True, **said})

    def _stop(self, request: Request) -> dict[str, Any]:
        del request
        self.stop()
        return {"text": f"Stopping after step {self.state().step:,}, with a checkpoint."}

    def _evaluate(self, request: Request) -> dict[str, Any]:
        del request
        state, material = self.state(), self.material
        if material is None:
            return {"is_done": False, "text": "This run has no interim evaluations."}
        plan = EvaluationPlan((state.step,), (1 - material.plan.confidence,), material.plan.confidence)
        verdict, _ = one_evaluation(state, replace(material, plan=plan, gap_rows=None))
        asked = replace(verdict, findings=(Finding("inputs", ASKED, False, {}), *verdict.findings))
        row = plain({"step": state.step, "part": "asked", **asked.to_json(), "is_descriptive": True})
        append(self.folder.path, EVALUATIONS, row)
        return {"text": f"Evaluated at step {state.step:,}: {brief(row)}.", "step": state.step}

    def _draw(self, request: Request) -> dict[str, Any]:
        state = self.state()
        domain, number = self.data.domain, 1 + len(list((self.folder.path / FOLDER).glob("drawn-*.png")))
        count = sum(count for count, _ in domain.shown_draws(self.data.n_classes, by_class=self.conditional))
        shares = torch.from_numpy(self.data.class_shares) if self.conditional else None
        drawn, _ = joined(
            sample_batches(
                state.sampled_generator,
                count,
                latent_dimensions=state.batches.latent_dimensions,
                seed=request.seed,
                condition=None if shares is None else ClassLabels(shares, request.label),
                device=state.batches.real.device,
                sample_numbers=sample_size(self.data.space),
                truncation=request.truncation,
            )
        )
        path = self.folder.path / FOLDER / f"drawn-{number:08d}.png"
        values = self.data.encoder.decode(drawn.numpy())
        domain.save_shown(values, path, read_real=lambda: self.data.shown_part("train").values)
        of_class = "" if request.label is None else f", class {self.data.raw.label_names[request.label]}"
        factor = "" if request.truncation == 1 else f", truncation {request.truncation:g}"
        text = f"Drawn at step {state.step:,} with seed {request.seed}{of_class}{factor}."
        return {"text": text, "step": state.step, "picture": number}
