r"""The predictive e-process: every sample after the first fifth is scored once, by what was fitted before it.

Both sides are cut into chunks (`chunks.chunk_indices`). Each chunk after the first is scored by classifiers, and read
through features, that were fitted on the chunks before it. An expert e is a classifier, one of its settings and a
factor a that its logits are multiplied by. Of the pairs i of chunk k (`bound.log_e_value`) it makes

.. math::
    E_{e,k} = \prod_{i \in k} 4 \, D_{e,k}(x_i) \big( 1 - \bar D_{e,k,i} \big), \qquad
    E = \sum_e w_e \prod_k E_{e,k}, \qquad \sum_e w_e = 1.

E is a Bayesian mixture: in each chunk it is the mean of the experts' E weighted by what they have made so far. So no
samples are spent on choosing a classifier, and the choice costs log(1 / w_e) at most.

Why it is exact. Let p = q. Given the chunks before k, the logits of an expert in chunk k are those of a fixed function,
and the samples of chunk k that are scored are independent draws of one distribution on both sides (p within the values
that are not left out; how many there are is no matter, since what follows holds for any number). A pair has expectation
4 m (1 - m) <= 1 with m the mean of D, so E[E_{e,k} | before] <= 1, products over chunks have expectation at most 1, and
so has their weighted mean: E[E] <= 1 at any n, and P(E >= 1 / alpha) <= alpha by Markov's inequality. A classifier may
be left unfitted after any chunk (its E_{e,k} is then 1), if that is decided by earlier chunks. Nothing else may see a
sample before it is scored: not an encoder, a quantile, a scale or a vocabulary. A feature fitted on the scored pair
itself, without its label, breaks the bound.

References: Pandeva, Forré, Ramdas and Shekhar 2024, "Deep anytime-valid hypothesis testing", arXiv:2310.19384, and
"E-valuating classifier two-sample tests", arXiv:2210.13027; Vovk and Wang 2021, Annals of Statistics 49(3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.data.judging import Judging, Preparation, Rows, Values, take
from equipoise.randomness import Stream, derived_seed
from equipoise.referee.base import Classifier
from equipoise.referee.bound import EQUILIBRIUM_VALUE, LOGIT_LIMIT, clip_logits, log_e_values, value_estimate
from equipoise.referee.chunks import Chunks
from equipoise.referee.groups import Groups, logits_of_means, one_of_each
from equipoise.referee.train_and_test import fit_and_score

Scores = Mapping[str, list[np.ndarray]]
"""By classifier, logits of the first and of the second side. Shapes `(n, settings)`."""
FACTORS = (0.25, 0.5, 0.75, 1.0)
"""Of logits: overfitted classifiers are over-confident, and a smaller factor repairs that."""
MOST_FITTED_LATER = 2
"""Classifiers that are fitted again once a chunk is scored: those that made most of it. The others are left as they
stand."""


@dataclass(frozen=True)
class Block:
    """What was said of the samples of a chunk before anything had seen them.

    Attributes:
        real: indices of the real samples that were scored. Shape `(n_real,)`.
        fake: of the generated ones.
        real_logits: clipped log-odds of being real; of all experts together, each with the weight that it had before.
        fake_logits: on the generated samples.
        limits: the lowest and the highest logit that could be said, fixed before.
    """

    real: np.ndarray
    fake: np.ndarray
    real_logits: np.ndarray
    fake_logits: np.ndarray
    limits: tuple[float, float]

    def one_of_each(self, groups: Groups) -> Block:
        """The same with one sample of each group; those of a group are in random order."""
        real, fake = (one_of_each(of[at]) for of, at in zip(groups, (self.real, self.fake), strict=True))
        return Block(self.real[real], self.fake[fake], self.real_logits[real], self.fake_logits[fake], self.limits)


@dataclass(frozen=True)
class Middle:
    """What the chunk in the middle was read with: its features, and the samples that they were fitted on.

    Attributes:
        chunk: the first chunk that is not among the fitted samples.
        prepare: from samples to rows.
        real: all real samples before that chunk.
        fake: all generated ones.
        measured: both sides as `prepare` reads them.
    """

    chunk: int
    prepare: Preparation
    real: Rows
    fake: Rows
    measured: tuple[Any, Any]


@dataclass(frozen=True)
class Predictions:
    """The e-process of two sides.

    Attributes:
        log_e_value: log E in nats.
        blocks: one for each scored chunk.
        by_classifier: log E of each classifier alone, the mixture over its own experts.
        values: V of each classifier on what it scored, in nats.
        middle: see `Middle`.
    """

    log_e_value: float
    blocks: tuple[Block, ...]
    by_classifier: Mapping[str, float]
    values: Mapping[str, float]
    middle: Middle

    @property
    def classifier(self) -> str:
        """The one that made most."""
        return max(self.by_classifier, key=lambda name: self.by_classifier[name])

    def since(self, chunk: int) -> Block:
        """What was said of this chunk and of all later ones."""
        blocks = self.blocks[chunk - 1 :]
        lists = zip(*((each.real, each.fake, each.real_logits, each.fake_logits) for each in blocks), strict=True)
        lows, highs = zip(*(each.limits for each in blocks), strict=True)
        return Block(*map(np.concatenate, lists), (min(lows), max(highs)))


def predict(
    real: Values,
    fake: Values,
    chunks: Chunks,
    *,
    domain: Judging,
    seed: int,
    classifiers: Sequence[Classifier],
) -> Predictions:
    """Score every chunk after the first by what was fitted on the chunks before it.

    Args:
        real: real samples.
        fake: generated samples.
        chunks: their order, and which of them are scored.
        domain: of the data.
        seed: of the classifiers.
        classifiers: all that take part.
    """
    sides = [domain.measured(real), domain.measured(fake)]
    turn = slice(None, None, -1) if chunks.starts_with_fake else slice(None)
    experts = {each.name: _Experts(each.name) for each in classifiers}
    said: list[tuple[np.ndarray, np.ndarray, tuple[float, float]]] = []
    middle_chunk, middle, earlier, active = _middle_of(chunks), None, None, list(classifiers)
    for chunk in range(1, len(chunks)):
        before, scored = chunks.before(chunk)[turn], chunks.scored(chunk)[turn]
        first, second = (take(side, places) for side, places in zip(sides[turn], before, strict=True))
        prepare = domain.preparation(first, second)
        fitted = [prepare(first), prepare(second)]
        others = [prepare(take(side, places)) for side, places in zip(sides[turn], scored, strict=True)]
        if chunk == middle_chunk:
            middle = Middle(chunk, prepare, *fitted[turn], (sides[0], sides[1]))
        if min(map(len, scored)) == 0:
            said.append((np.zeros(len(scored[0])), np.zeros(len(scored[1])), (0.0, 0.0)))
            continue
        if earlier is not None and len(active) > MOST_FITTED_LATER:
            active = _best(classifiers, experts)
        found = fit_and_score(fitted, others, seed=derived_seed(seed, Stream.REFEREE_CHUNK, chunk), classifiers=active)
        said.append(_said_together([experts[each.name] for each in active], found, earlier))
        earlier = found
        units = chunks.units(*chunks.scored(chunk))[turn]
        for each in active:
            experts[each.name].score(*found[each.name], units=units)
    share = math.log(len(experts))
    sign = -1.0 if chunks.starts_with_fake else 1.0
    blocks = []
    for chunk, (*logits, limits) in enumerate(said, start=1):
        real_logits, fake_logits = (sign * side for side in logits[turn])
        blocks.append(
            Block(*chunks.scored(chunk), real_logits, fake_logits, tuple(sorted(sign * end for end in limits)))
        )
    return Predictions(
        float(np.logaddexp.reduce([each.log_wealth for each in experts.values()]) - share),
        tuple(blocks),
        {name: each.log_wealth for name, each in experts.items()},
        {name: each.value for name, each in experts.items()},
        middle,
    )


class _Experts:
    """One classifier's settings, each with every factor, and what they have made.

    `log_weights` sum to 1 as weights: each expert's share of what the classifier has made.
    """

    def __init__(self, name: str) -> None:
        self.name, self.log_wealth = name, 0.0
        self.log_weights: np.ndarray | None = None
        self._terms: list[tuple[np.ndarray, np.ndarray]] = []

    def factors(self, settings: int) -> np.ndarray:
        """What the logits of each setting are multiplied by when the experts speak as one. Shape `(settings,)`."""
        return np.exp(self._weights(settings)) @ np.array(FACTORS)

    def score(
        self,
        first: np.ndarray,
        second: np.ndarray,
        *,
        units: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    ) -> None:
        """Let each expert make what it makes of a chunk's logits. Shapes `(n, settings)`; `units` are their groups."""
        weights = self._weights(first.shape[1])
        together = [clip_logits(clip_logits(side) @ self.factors(side.shape[1])) for side in (first, second)]
        self._terms.append((together[0], together[1]))
        clipped = [clip_logits(side) for side in (first, second)]
        made = np.stack(
            [
                log_e_values(*(logits_of_means(factor * side, of) for side, of in zip(clipped, units, strict=True)))
                for factor in FACTORS
            ],
            axis=1,
        )
        total = float(np.logaddexp.reduce(weights + made, axis=None))
        self.log_wealth += total
        self.log_weights = weights + made - total

    @property
    def value(self) -> float:
        """V of the experts as one on all that they have scored, in nats."""
        if not self._terms:
            return EQUILIBRIUM_VALUE
        return value_estimate(*(np.concatenate(side) for side in zip(*self._terms, strict=True))).value

    def _weights(self, settings: int) -> np.ndarray:
        # A classifier may give another number of settings of more samples: its experts then begin anew, all alike.
        if self.log_weights is None or len(self.log_weights) != settings:
            return np.full((settings, len(FACTORS)), -math.log(settings * len(FACTORS)))
        return self.log_weights


def _best(classifiers: Sequence[Classifier], experts: Mapping[str, _Experts]) -> list[Classifier]:
    """The classifiers that made most so far, `MOST_FITTED_LATER` of them."""
    best = sorted(experts, key=lambda name: -experts[name].log_wealth)[:MOST_FITTED_LATER]
    return [each for each in classifiers if each.name in best]


def _said_together(
    experts: Sequence[_Experts], found: Scores, earlier: Scores | None
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Logits of all experts together, the mean of theirs weighted by what they have made before this chunk; clipped to
    the range that the same weights give in the chunk before.

    A classifier that may not say more than it was seen to say loses next to nothing, and its worst logit is known
    before a sample is tested, which the bound on the distance needs.
    """
    wealth = np.array([each.log_wealth for each in experts])
    shares = np.exp(wealth - np.logaddexp.reduce(wealth))

    def together(scores: Scores, side: int) -> np.ndarray:
        parts = (
            share * (clip_logits(scores[each.name][side]) @ each.factors(scores[each.name][side].shape[1]))
            for each, share in zip(experts, shares, strict=True)
        )
        return clip_logits(sum(parts))

    limits = -LOGIT_LIMIT, LOGIT_LIMIT
    if earlier is not None:
        before = np.concatenate([together(earlier, side) for side in (0, 1)])
        limits = float(before.min()), float(before.max())
    return np.clip(together(found, 0), *limits), np.clip(together(found, 1), *limits), limits


def _middle_of(chunks: Chunks) -> int:
    """The first chunk before which about half of the samples lie: enough to fit on, and enough to test on."""
    return (len(chunks) + 1) // 2
