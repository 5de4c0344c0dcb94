"""What a page draws of one moment of a game, as one small JSON object; recordings are lists of these.

Coordinates are 16-bit integers of a window four times the shown one, slopes and logits 32-bit floats, surfaces one byte
a cell, each as base64 of little-endian numbers. The page computes both classic gradients from logit and slope itself.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

from equipoise.playground import fields
from equipoise.playground.measure import Proved
from equipoise.playground.plane_data import REACH
from equipoise.playground.toy_game import SHOWN, ToyGame

CODED_REACH = 4 * REACH
CODE = 32_767 / CODED_REACH


def frame_of(
    game: ToyGame, *, with_best: bool, proved: Proved | None = None, points: int = SHOWN, cells: int = fields.CELLS
) -> dict[str, Any]:
    """The present state of a game.

    Args:
        game: to be looked at.
        with_best: also the best discriminator of the present generator, which takes as long as a step.
        proved: the referee's latest reading.
        points: how many of the shown points of each side go into it.
        cells: of a surface along each side; fewer than `fields.CELLS` are means of several.
    """
    real, fake = game.shown_real[:points], game.shown_fake()[:points]
    reading = game.reading()
    frame: dict[str, Any] = {
        "step": game.steps,
        "real": _points(real.numpy()),
        "fake": _points(fake.numpy()),
        "grid": _points(fields.warped_grid(game.generator.network, game.settings.latents).reshape(-1, 2)),
        "line": game.settings.latents == "normal_line",
        "mean": [_short(value) for value in game.trail[-1]] if game.trail else None,
        "loss": _short(reading.loss),
    }
    if not game.settings.is_game:
        return frame
    objective = game.settings.found_objective()
    told = fields.told(game.discriminator.network, objective, real, fake)
    offset = game.offset()
    seen = fields.surface(game.discriminator.network, objective, offset=offset)
    saturating, nonsaturating, own = told.mean_lengths()
    frame |= {
        "slope": _floats(told.slope.numpy()),
        "logits": _floats(told.logits.numpy()),
        "pull": _floats(told.pull.numpy()),
        "lengths": [_short(saturating), _short(nonsaturating), _short(own)],
        "surface": _bytes(_pooled((seen.values - seen.low) / (seen.high - seen.low), cells)),
        "probability": seen.is_probability,
        "scale": [_short(seen.low), _short(seen.high)],
        "offset": _short(offset),
        "quadrature": _short(reading.quadrature),
        "equilibrium": _short(reading.equilibrium),
    }
    if reading.value is not None:
        frame |= {"value": _short(reading.value.value), "error": _short(reading.value.standard_error)}
    if with_best:
        best = game.best()
        if best is not None:
            frame |= {"best": _bytes(_pooled(best.probabilities, cells)), "cells_jsd": _short(best.jsd_nats)}
            if objective.equilibrium_value == -math.log(4) and objective.logit_meaning == "log_odds":
                frame |= {"best_value": _short(best.value), "coarse_value": _short(best.coarse_value)}
    if proved is not None:
        frame["proved"] = {
            "step": proved.step,
            "jsd": _short(proved.jsd_nats),
            "by": proved.classifier,
            "tested": proved.tested,
        }
    return frame


def _pooled(values: np.ndarray, cells: int) -> np.ndarray:
    """Means of square blocks of cells."""
    block = len(values) // cells
    return values.reshape(cells, block, cells, block).mean(axis=(1, 3))


def _points(values: np.ndarray) -> str:
    coded = np.clip(np.nan_to_num(values), -CODED_REACH, CODED_REACH) * CODE
    return _text(np.rint(coded).astype("<i2"))


def _floats(values: np.ndarray) -> str:
    return _text(np.nan_to_num(values).astype("<f4"))


def _bytes(values: np.ndarray) -> str:
    return _text(np.rint(255 * np.clip(np.nan_to_num(values), 0, 1)).astype(np.uint8))


def _text(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def _short(value: float | None) -> float | None:
    """Five significant digits; JSON has no infinity."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.5g}")
