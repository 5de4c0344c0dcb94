"""Fits the tone curves of a generator, whenever its averaged weights are about to be drawn from or stored.

The game is played without curves and does not notice them: what is fitted depends on the weights, the seed and the plan
alone, so that a run that was stopped and resumed has the same ones, and every process finds them by itself.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from equipoise.networks.tone import tone_of
from equipoise.randomness import Stream, torch_stream
from equipoise.training.state import TrainingState

MOST_SAMPLES, FEWEST_SAMPLES = 2_048, 64
NUMBERS = 2**23
"""Numbers that the samples of one fit have together, at most, if that is `FEWEST_SAMPLES` or more."""
REAL = 4
"""Real samples for each generated one: they are counted once in a run."""
IN_PASSING = 4
"""A fit for a grid or a checkpoint on the way takes so many times fewer samples than one for an evaluation or the last
step: there are many of them, and each costs about as much as a step for every ten samples."""


class ToneFit:
    """Call it with the state of training: the curves of the averaged generator are set."""

    def __init__(self) -> None:
        self._real: np.ndarray | None = None

    def __call__(self, state: TrainingState) -> None:
        network = state.sampled_generator
        tone = tone_of(network)
        assert tone is not None
        is_thorough = state.step in state.plan.evaluation_steps or state.step == state.plan.steps
        numbers = math.prod(state.batches.real.shape[1:])
        most = min(MOST_SAMPLES, max(FEWEST_SAMPLES, NUMBERS // numbers))
        count = most if is_thorough else max(FEWEST_SAMPLES, most // IN_PASSING)
        if self._real is None:
            self._real = sum(
                tone.counts(state.batches.batch(draw).real)
                for draw in range(-(-REAL * most // state.batches.batch_size))
            )
        tone.reset()
        tone.fit(_generated(state, network, count), self._real)


@torch.no_grad()
def _generated(state: TrainingState, network: nn.Module, count: int) -> np.ndarray:
    """Counts of `count` samples, rounded up to whole batches, of the classes that real batches have."""
    batches, found = state.batches, []
    tone = tone_of(network)
    assert tone is not None
    for draw in range(-(-count // batches.batch_size)):
        stream = torch_stream(batches.seed, Stream.TONE_LATENTS, draw)
        latents = torch.randn(batches.batch_size, batches.latent_dimensions, generator=stream).to(batches.real.device)
        labels = None if batches.labels is None else batches.batch(draw).labels
        found.append(tone.counts(network(latents) if labels is None else network(latents, labels)))
    return sum(found)
