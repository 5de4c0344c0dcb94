"""Fits the tone and detail curves of a generator, whenever its averaged weights are about to be drawn from or stored.

The game is played without curves and does not notice them: what is fitted depends on the weights, the seed and the plan
alone, so that a run that was stopped and resumed has the same ones, and every process finds them by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from equipoise.networks.detail import DISTANCES, DetailCurves
from equipoise.networks.heads import curves_of
from equipoise.networks.tone import ToneCurves
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
step: there are many of them, and a thorough one costs as much as 20 to 50 steps."""


class CurveFit:
    """Call it with the state of training: the curves of the averaged generator are set, one after the other, each to
    what the earlier ones leave."""

    def __init__(self) -> None:
        self._real: list[Any] = []
        """Of each of the curves: what real images come to, and the directions of differences."""

    @torch.no_grad()
    def __call__(self, state: TrainingState) -> None:
        network = state.sampled_generator
        curves = curves_of(network)
        is_thorough = state.step in state.plan.evaluation_steps or state.step == state.plan.steps
        numbers = math.prod(state.batches.real.shape[1:])
        most = min(MOST_SAMPLES, max(FEWEST_SAMPLES, NUMBERS // numbers))
        if not self._real:
            self._real = _counted(state, curves, REAL * most)
        for each in curves:
            each.reset()
        samples = _generated(state, network, most if is_thorough else max(FEWEST_SAMPLES, most // IN_PASSING))
        for each, (real, directions) in zip(curves, self._real, strict=True):
            if isinstance(each, DetailCurves):
                each.directions.copy_(directions)
                samples = each.fit(samples, real)
            else:
                each.fit(sum(each.counts(some) for some in samples), real)
                samples = [each(some) for some in samples]


def _counted(state: TrainingState, curves: list[ToneCurves | DetailCurves], count: int) -> list[Any]:
    """What `count` real samples come to, for each of the curves; those of one kind and shape share it."""
    known: dict[Any, Any] = {}
    for each in curves:
        key = type(each), each.curves.shape
        if key in known:
            continue
        if isinstance(each, DetailCurves):
            each.take_directions(_drawn(state, count))
            found = [each.counts(_drawn(state, count), level) for level in range(len(DISTANCES))]
            known[key] = found, each.directions.clone()
        else:
            known[key] = sum(each.counts(some) for some in _drawn(state, count)), None
    return [known[type(each), each.curves.shape] for each in curves]


def _drawn(state: TrainingState, count: int) -> Iterator[Samples]:
    """Real batches of about `count` samples."""
    return (state.batches.batch(draw).real for draw in range(-(-count // state.batches.batch_size)))


def _generated(state: TrainingState, network: nn.Module, count: int) -> list[Samples]:
    """`count` samples, rounded up to whole batches, of the classes that real batches have."""
    batches, found = state.batches, []
    for draw in range(-(-count // batches.batch_size)):
        stream = torch_stream(batches.seed, Stream.TONE_LATENTS, draw)
        latents = torch.randn(batches.batch_size, batches.latent_dimensions, generator=stream).to(batches.real.device)
        labels = None if batches.labels is None else batches.batch(draw).labels
        found.append(network(latents) if labels is None else network(latents, labels))
    return found
