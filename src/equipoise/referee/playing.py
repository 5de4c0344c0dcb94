"""One judgement without its conclusion: split both sides, fit every member, choose one, score it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from equipoise.randomness import derived_seed, numpy_stream
from equipoise.referee.base import Member, Rows, Values, take
from equipoise.referee.choice import Choice, choose
from equipoise.referee.members import available
from equipoise.referee.prepare import preparation
from equipoise.referee.verdict import Counts
from equipoise.referee.workers import side_by_side
from equipoise.spaces import SpaceKind

FIT_SHARE, CHOICE_SHARE = 0.45, 0.15
SCORE_SHARE = 1 - FIT_SHARE - CHOICE_SHARE
"""Measured on six planted differences of points, tables and digits: against 0.5, 0.2 and 0.3 the log e-value gains 5 to
40 % where there is much to fit and as much as the scored part grows where there is little; with 0.4, 0.1 and 0.5 digits
lose it."""
MOST_TWINS = 20
"""A value met more often is no twin: rows of a few levels coincide by nature, the discriminators have to see them to
know how common they are on each side, and one copy among so many gives nothing away."""
_MOST_SCORED_FAKE = 0.5
"""With a fitting part of its own on the real side: at most half of the generated samples are scored."""


Twins = tuple[np.ndarray, np.ndarray]
"""For each sample of the real and of the generated side a number from 0 on that stands for its value: equal for equal
samples, of whichever side. Shapes `(n_real,)` and `(n_fake,)`, int64."""


@dataclass(frozen=True)
class Parts:
    """Both sides, split into the part to fit on, the part to choose on and the part that is scored once."""

    real_fit: Values
    fake_fit: Values
    real_choice: Values
    fake_choice: Values
    real_score: Values
    fake_score: Values

    def taken_from(self, real: Values, fake: Values, real_fit: Values | None = None) -> Parts:
        """The samples at these positions; with `real_fit`, the real ones to fit and to choose on come from there."""
        fitted = real if real_fit is None else real_fit
        sides = (fitted, fake, fitted, fake, real, fake)
        return Parts(*(take(side, places) for side, places in zip(sides, vars(self).values(), strict=True)))

    @property
    def counts(self) -> Counts:
        """How many samples each part has."""
        return Counts(**{name: len(part) for name, part in vars(self).items()})


@dataclass(frozen=True)
class Outcome:
    """The chosen discriminator, its clipped logits on the scored part, and the prepared rows behind them.

    `limits` are the lowest and highest logit that the chosen discriminator may give: see `play`.
    """

    choice: Choice
    real_logits: np.ndarray
    fake_logits: np.ndarray
    limits: tuple[float, float]
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
    twins: Twins | None = None,
    scored_share: float = SCORE_SHARE,
) -> Parts:
    """Split both sides at random: `places` of each part, taken from the sides."""
    found = places(
        len(real),
        len(fake),
        seed=seed,
        real_fit_count=None if real_fit is None else len(real_fit),
        twins=twins,
        scored_share=scored_share,
    )
    return found.taken_from(real, fake, real_fit)


def places(
    real_count: int,
    fake_count: int,
    *,
    seed: int,
    real_fit_count: int | None = None,
    twins: Twins | None = None,
    scored_share: float = SCORE_SHARE,
) -> Parts:
    """Which samples of each side are fitted on, chosen on and scored: positions in random order.

    With `real_fit_count`, all of the real side is scored, and of the generated one as many as that, within 40 to 50 %
    of them; positions of the real parts to fit and to choose on are then those on that other set. `scored_share` is
    that of both sides where there is no such set; the rest is fitted on and chosen on in the proportion 3 to 1.

    With `twins`, a sample is left out of the part that is chosen on if its value was met while fitting, on either side,
    and out of the scored part if it was met in either of the other two; unless it was met there more than `MOST_TWINS`
    times. What is left out depends on the other parts alone: the scored part of either side is a sample of its law
    within the values that remain, and the e-value is as exact as it is without twins.
    """
    streams = [numpy_stream(seed, f"referee split {side}") for side in ("real", "fake")]
    if real_fit_count is None:
        real_parts = cut(streams[0].permutation(real_count), scored_share)
    else:
        fit, choice, _ = cut(streams[0].permutation(real_fit_count), 0.0)
        real_parts = [fit, choice, numpy_stream(seed, "referee order real").permutation(real_count)]
        scored_share = min(_MOST_SCORED_FAKE, max(SCORE_SHARE, real_count / fake_count))
    fake_parts = cut(streams[1].permutation(fake_count), scored_share)
    if twins is not None:
        real_parts, fake_parts = without_met(real_parts, fake_parts, twins)
    return Parts(real_parts[0], fake_parts[0], real_parts[1], fake_parts[1], real_parts[2], fake_parts[2])


def without_met(
    real_parts: list[np.ndarray], fake_parts: list[np.ndarray], twins: Twins
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The parts without samples whose value was met in an earlier part, but not often; parts in the order fit, choose,
    score."""
    met = np.zeros(1 + max(int(side.max()) for side in twins), dtype=np.int64)
    left: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for pieces in zip(real_parts, fake_parts, strict=True):
        values = [side[piece] for side, piece in zip(twins, pieces, strict=True)]
        for kept, piece, numbers in zip(left, pieces, values, strict=True):
            kept.append(piece[(met[numbers] == 0) | (met[numbers] > MOST_TWINS)])
        met = met + np.bincount(np.concatenate(values), minlength=len(met))
    return left


def play(parts: Parts, *, kind: SpaceKind, seed: int, members: Sequence[Member]) -> Outcome:
    """Fit every member, choose one, score it once.

    Its logits on the scored part are clipped to the range that they have on the choosing part. A discriminator that
    may not say more than it was seen to say there loses next to nothing, and its worst logit is known before a sample
    is scored, which the bound on the distance needs.
    """
    prepare = preparation(kind, parts.real_fit, parts.fake_fit)
    fit: list[Rows] = [prepare(parts.real_fit), prepare(parts.fake_fit)]
    # Fitted scorers read all four remaining parts in one pass; the scored part's columns are opened only once chosen.
    others = [prepare(part) for part in (parts.real_choice, parts.fake_choice, parts.real_score, parts.fake_score)]

    def scored_by(member: Member) -> list[np.ndarray]:
        scorer = member.fit(fit[0], fit[1], derived_seed(seed, f"referee member {member.name}"))
        return [scorer(rows) for rows in others]

    # What a caller brought, such as an extractor, may not be made for threads.
    known = available()
    ours = [member for member in members if known.get(member.name) is member]
    found = side_by_side([partial(scored_by, member) for member in ours])
    scores = {member.name: each for member, each in zip(ours, found, strict=True)}
    scores |= {member.name: scored_by(member) for member in members if member.name not in scores}
    by_part = [{member.name: scores[member.name][place] for member in members} for place in range(4)]
    choice = choose(by_part[0], by_part[1])
    logits = [choice.logits(scored) for scored in by_part]
    limits = min(side.min() for side in logits[:2]), max(side.max() for side in logits[:2])
    real_logits, fake_logits = (np.clip(side, *limits) for side in logits[2:])
    return Outcome(choice, real_logits, fake_logits, limits, *others[2:], *fit)


def cut(order: np.ndarray, scored_share: float) -> list[np.ndarray]:
    """Indices to fit on, to choose on and to score."""
    scored = round(len(order) * scored_share)
    fitted = round((len(order) - scored) * FIT_SHARE / (FIT_SHARE + CHOICE_SHARE))
    return [order[:fitted], order[fitted : len(order) - scored], order[len(order) - scored :]]
