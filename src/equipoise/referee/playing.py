"""One judgement without its conclusion: split both sides, fit every member, choose one, score it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.randomness import derived_seed, numpy_stream
from equipoise.referee.base import Member, Rows, Values, take
from equipoise.referee.choice import Choice, choose
from equipoise.referee.prepare import preparation
from equipoise.referee.verdict import Counts
from equipoise.spaces import SpaceKind

FIT_SHARE, CHOICE_SHARE = 0.45, 0.15
SCORE_SHARE = 1 - FIT_SHARE - CHOICE_SHARE
"""Measured on six planted differences of points, tables and digits: against 0.5, 0.2 and 0.3 the log e-value gains 5 to
40 % where there is much to fit and as much as the scored part grows where there is little; with 0.4, 0.1 and 0.5 digits
lose it."""
_MOST_SCORED_FAKE = 0.5
"""With a fitting part of its own on the real side: at most half of the generated samples are scored."""


@dataclass(frozen=True)
class Parts:
    """Both sides, split into the part to fit on, the part to choose on and the part that is scored once."""

    real_fit: Values
    fake_fit: Values
    real_choice: Values
    fake_choice: Values
    real_score: Values
    fake_score: Values

    @property
    def counts(self) -> Counts:
        """How many samples each part has."""
        return Counts(**{name: len(part) for name, part in vars(self).items()})


@dataclass(frozen=True)
class Outcome:
    """The chosen discriminator, its clipped logits on the scored part, and the prepared rows behind them."""

    choice: Choice
    real_logits: np.ndarray
    fake_logits: np.ndarray
    real: Rows
    fake: Rows
    real_fit: Rows
    fake_fit: Rows


def split(
    real: Values,
    fake: Values,
    *,
    seed: int,
    real_fit: Values | None = None,
    is_one_set: bool = False,
    scored_share: float = SCORE_SHARE,
) -> Parts:
    """Split both sides at random, from the seed alone.

    With `real_fit`, all of `real` is scored, and of `fake` as many as that, within 40 to 50 % of them. With
    `is_one_set` both sides are the same samples in the same order and are split alike: otherwise a sample scored on one
    side may have been fitted on the other, and its twin would give it away. `scored_share` is that of both sides where
    there is no `real_fit`; the rest is fitted on and chosen on in the proportion 3 to 1.
    """
    side = "real" if is_one_set else "fake"
    fake_order = numpy_stream(seed, f"referee split {side}").permutation(len(fake))
    if real_fit is None:
        pieces = _cut(numpy_stream(seed, "referee split real").permutation(len(real)), scored_share)
        real_parts = [take(real, piece) for piece in pieces]
    else:
        fit_order = numpy_stream(seed, "referee split real").permutation(len(real_fit))
        fit, choice, _ = _cut(fit_order, 0.0)
        scored_order = numpy_stream(seed, "referee order real").permutation(len(real))
        real_parts = [take(real_fit, fit), take(real_fit, choice), take(real, scored_order)]
        scored_share = min(_MOST_SCORED_FAKE, max(SCORE_SHARE, len(real) / len(fake)))
    fake_parts = [take(fake, piece) for piece in _cut(fake_order, scored_share)]
    return Parts(real_parts[0], fake_parts[0], real_parts[1], fake_parts[1], real_parts[2], fake_parts[2])


def play(parts: Parts, *, kind: SpaceKind, seed: int, members: Sequence[Member]) -> Outcome:
    """Fit every member, choose one, score it once."""
    prepare = preparation(kind, parts.real_fit, parts.fake_fit)
    fit: list[Rows] = [prepare(parts.real_fit), prepare(parts.fake_fit)]
    # Fitted scorers read all four remaining parts in one pass; the scored part's columns are opened only once chosen.
    others = [prepare(part) for part in (parts.real_choice, parts.fake_choice, parts.real_score, parts.fake_score)]
    scores = []
    for member in members:
        scorer = member.fit(fit[0], fit[1], derived_seed(seed, f"referee member {member.name}"))
        scores.append([scorer(rows) for rows in others])
    by_part = [{member.name: each[place] for member, each in zip(members, scores, strict=True)} for place in range(4)]
    choice = choose(by_part[0], by_part[1])
    return Outcome(choice, choice.logits(by_part[2]), choice.logits(by_part[3]), *others[2:], *fit)


def _cut(order: np.ndarray, scored_share: float) -> list[np.ndarray]:
    """Indices to fit on, to choose on and to score."""
    scored = round(len(order) * scored_share)
    fitted = round((len(order) - scored) * FIT_SHARE / (FIT_SHARE + CHOICE_SHARE))
    return [order[:fitted], order[fitted : len(order) - scored], order[len(order) - scored :]]
