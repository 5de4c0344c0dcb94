"""Fits the tone and detail curves of a generator, whenever its averaged weights are about to be drawn from or stored.

The game is played without curves and does not notice them: what is fitted depends on the weights, the seed and the plan
alone, so that a run that was stopped and resumed has the same ones, and every process finds them by itself.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from equipoise.networks.detail import DISTANCES, detail_of
from equipoise.networks.tone import tone_of
from equipoise.randomness import Stream, torch_stream
from equipoise.shapes import Samples
from equipoise.training.state import TrainingState

MOST_SAMPLES, FEWEST_SAMPLES = 2_048, 64
NUMBERS = 2**23
"""Numbers that the samples of one fit have together, at most, if that is `FEWEST_SAMPLES` or more."""
REAL = 4
"""Real samples for each generated one: they are counted once in a run."""
IN_PASSING = 4
"""A fit for a grid or a checkpoint on the way takes so many times fewer samples than one for an evaluation or the last
step: there are many of them, and each costs about as much as a step for every ten samples."""


class CurveFit:
    """Call it with the state of training: the curves of the averaged generator are set."""

    def __init__(self) -> None:
        self._real: tuple[list[np.ndarray], np.ndarray | None] | None = None
        self._directions: torch.Tensor | None = None

    def __call__(self, state: TrainingState) -> None:
        network = state.sampled_generator
        tone, detail = tone_of(network), detail_of(network)
        is_thorough = state.step in state.plan.evaluation_steps or state.step == state.plan.steps
        numbers = math.prod(state.batches.real.shape[1:])
        most = min(MOST_SAMPLES, max(FEWEST_SAMPLES, NUMBERS // numbers))
        if self._real is None:
            self._count_real(state, network, REAL * most)
        assert self._real is not None
        details, tones = self._real
        for curves in (detail, tone):
            if curves is not None:
                curves.reset()
        samples = _generated(state, network, most if is_thorough else max(FEWEST_SAMPLES, most // IN_PASSING))
        if detail is not None:
            detail.directions.copy_(self._directions)
            samples = detail.fit(samples, details)
        if tone is not None:
            tone.fit(sum(tone.counts(some) for some in samples), tones)

    def _count_real(self, state: TrainingState, network: nn.Module, count: int) -> None:
        tone, detail = tone_of(network), detail_of(network)
        draws = range(-(-count // state.batches.batch_size))
        details: list[np.ndarray] = []
        if detail is not None:
            detail.face(state.batches.batch(draw).real for draw in draws)
            self._directions = detail.directions.clone()
            details = [
                detail.counts((state.batches.batch(draw).real for draw in draws), level)
                for level in range(len(DISTANCES))
            ]
        tones = None if tone is None else sum(tone.counts(state.batches.batch(draw).real) for draw in draws)
        self._real = details, tones


@torch.no_grad()
def _generated(state: TrainingState, network: nn.Module, count: int) -> list[Samples]:
    """`count` samples, rounded up to whole batches, of the classes that real batches have."""
    batches, found = state.batches, []
    for draw in range(-(-count // batches.batch_size)):
        stream = torch_stream(batches.seed, Stream.TONE_LATENTS, draw)
        latents = torch.randn(batches.batch_size, batches.latent_dimensions, generator=stream).to(batches.real.device)
        labels = None if batches.labels is None else batches.batch(draw).labels
        found.append(network(latents) if labels is None else network(latents, labels))
    return found
