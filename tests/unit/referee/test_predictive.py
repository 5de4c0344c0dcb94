"""Sides scored in turn: who is fitted on what, lattices and strangers, and the same answer whichever side is called
real."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from equipoise.data.domain import domain_of
from equipoise.data.judging import Rows
from equipoise.errors import DataError
from equipoise.metrics.known import gaussian
from equipoise.referee import Conclusion, Verdict, judge
from equipoise.referee.base import Classifier
from equipoise.referee.chunks import FEWEST_FITTED, chunk_indices
from equipoise.referee.classifiers import available
from equipoise.referee.decision import decide_in_turn
from equipoise.referee.levels import REFEREE_VERSION
from equipoise.referee.predictive import MOST_FITTED_LATER, predict

QUADRATIC = [available()["quadratic"]]


def numbered(count: int, first: int = 0) -> np.ndarray:
    return first + np.arange(float(count))[:, None]


def keys_of(*sides: np.ndarray) -> list[np.ndarray]:
    return [domain_of("points").row_keys(side) for side in sides]


class Spy:
    """Classifiers that keep what they are fitted to and asked about; samples are told apart by their value."""

    def __init__(self) -> None:
        self.fits: list[tuple[str, list[np.ndarray], list[np.ndarray]]] = []

    def classifiers(self, count: int) -> list[Classifier]:
        return [
            Classifier(f"spy {n}", frozenset({"points"}), self.fit(f"spy {n}"), sees="nothing") for n in range(count)
        ]

    def fit(self, name: str):
        def fit(real: Rows, fake: Rows, seed: int):
            del seed
            asked: list[np.ndarray] = []
            self.fits.append((name, [side.mixed[:, 0] for side in (real, fake)], asked))

            def score(rows: Rows) -> np.ndarray:
                asked.append(rows.mixed[:, 0])
                return np.zeros((len(rows), 1))

            return score

        return fit


@pytest.mark.parametrize(("reals", "fakes"), [(200, 200), (300, 70), (40, 41), (20, 20)])
def test_every_sample_after_the_first_chunk_is_scored_once_by_what_was_fitted_on_all_before_it(reals, fakes):
    real, fake, spy = numbered(reals), numbered(fakes, 1000), Spy()
    chunks = chunk_indices(*keys_of(real, fake), seed=0, scored_chunks=4)
    predict(real, fake, chunks, domain=domain_of("points"), seed=0, classifiers=spy.classifiers(1))
    scored: list[float] = []
    for _, fitted, asked in spy.fits:
        known, new = set(np.concatenate(fitted)), set(np.concatenate(asked))
        assert not known & new
        # The next chunk is fitted on with all before it.
        assert set(scored) | set(spy.fits[0][1][0]) | set(spy.fits[0][1][1]) == known
        scored += new
    assert len(scored) == reals + fakes - len(chunks.real[0]) - len(chunks.fake[0])
    assert min(len(chunks.real[0]), len(chunks.fake[0])) >= min(FEWEST_FITTED, fakes // 2, reals // 2)


def test_after_the_first_scored_chunk_only_the_best_classifiers_are_fitted_again():
    real, fake, spy = numbered(200), numbered(200, 1000), Spy()
    chunks = chunk_indices(*keys_of(real, fake), seed=0, scored_chunks=4)
    predict(real, fake, chunks, domain=domain_of("points"), seed=0, classifiers=spy.classifiers(4))
    assert len(spy.fits) == 4 + 3 * MOST_FITTED_LATER


@pytest.mark.parametrize(("reals", "fakes"), [(300, 300), (400, 150)])
def test_the_sides_in_the_other_order_get_the_same_answer_with_logits_of_the_other_sign(reals, fakes):
    stream = np.random.default_rng(0)
    real, fake = gaussian(2).sample(reals, stream), gaussian(2, mean=0.8).sample(fakes, stream)
    classifiers = [available()[name] for name in ("quadratic", "boosted trees", "neighbour curves")]
    one, other = (
        judge(*sides, kind="points", classifiers=classifiers, checks=[]) for sides in ((real, fake), (fake, real))
    )
    assert one.log_e_value == other.log_e_value > 3
    assert (one.conclusion, one.jsd_lower_bound_nats) == (other.conclusion, other.jsd_lower_bound_nats)
    assert one.companion.p_value == other.companion.p_value
    for side, turned in zip(one.scores, other.scores[::-1], strict=True):
        np.testing.assert_array_equal(side, -turned)


def test_the_order_in_which_samples_are_given_is_no_matter():
    real, fake = numbered(100), numbered(90, 1000)
    order = np.random.default_rng(0).permutation(100)
    first = chunk_indices(*keys_of(real, fake), seed=3, scored_chunks=4)
    again = chunk_indices(*keys_of(real[order], fake), seed=3, scored_chunks=4)
    assert [len(chunk) for chunk in first.real] == [len(chunk) for chunk in again.real]
    np.testing.assert_array_equal(first.fake[2], again.fake[2])


def test_once_a_value_was_met_on_both_sides_its_repeats_are_not_scored():
    stream = np.random.default_rng(0)
    pool = numbered(400)
    real, fake = pool[stream.integers(0, 400, 200)], pool[stream.integers(0, 400, 200)]
    chunks = chunk_indices(*keys_of(real, fake), seed=0, scored_chunks=4)
    for chunk in range(1, len(chunks)):
        before = np.concatenate([real[chunks.before(chunk)[0]], fake[chunks.before(chunk)[1]]])
        now = np.concatenate([real[chunks.scored(chunk)[0]], fake[chunks.scored(chunk)[1]]])
        assert not np.isin(now, before).any()
    assert 0 < chunks.scored_counts[0] < 160


def lattice(count: int, seed: int, is_real: bool) -> pd.DataFrame:
    stream = np.random.default_rng(seed)
    moments = pd.Timestamp("2023-01-01") + pd.to_timedelta(stream.integers(0, 365 * 86_400, count), unit="s")
    price = stream.lognormal(3.5, 0.6, count)
    return pd.DataFrame(
        {
            "amount": np.round(stream.normal(5000, 1000, count), -1 if is_real else 0),
            "price": np.round(price, 2 if is_real else 9),
            "since": moments.normalize() if is_real else moments,
            "weight": stream.normal(70, 12, count),
        }
    )


@pytest.mark.parametrize(
    ("column", "least"),
    # Of whole numbers one in ten is a multiple of 10 by chance: JSD .526. The others have nothing in common.
    [("amount", 0.40), ("price", 0.60), ("since", 0.60)],
)
def test_numbers_and_dates_on_a_lattice_are_far_from_others_by_nearly_all_that_is_there(column, least):
    real, fake = lattice(800, 0, True)[[column, "weight"]], lattice(800, 1, False)[[column, "weight"]]
    verdict = judge(real, fake, kind="table", classifiers=QUADRATIC, checks=[], companion=False)
    assert verdict.conclusion == Conclusion.DISTINGUISHED
    assert least < verdict.jsd_lower_bound_nats < np.log(2)


def test_codes_of_which_the_sides_share_none_are_told_apart_by_those_met_before():
    stream = np.random.default_rng(0)
    sides = [pd.DataFrame({"code": [f"{name}{n}" for n in stream.integers(0, 300, 800)]}) for name in "ab"]
    verdict = judge(*sides, kind="table", classifiers=[available()["values"]], checks=[], companion=False)
    # Of codes met before, nine in ten at the end, it is certain; of others it says nothing.
    assert verdict.conclusion == Conclusion.DISTINGUISHED and verdict.jsd_lower_bound_nats > 0.4


def test_a_column_without_a_lattice_gets_no_trait():
    stream = np.random.default_rng(0)
    sides = [pd.DataFrame({"x": stream.normal(0, 1, 500), "n": stream.integers(0, 50, 500)}) for _ in range(2)]
    prepare = domain_of("table").preparation(*sides)
    assert prepare(sides[0]).names == ("x", "n")


HARD = {
    "one row repeated": (np.ones((60, 2)), np.random.default_rng(0).standard_normal((60, 2))),
    "all values tied": (np.ones((60, 2)), np.ones((50, 2))),
    "more columns than rows": tuple(np.random.default_rng(seed).standard_normal((40, 90)) for seed in (0, 1)),
}


@pytest.mark.parametrize("name", HARD)
def test_sides_with_next_to_nothing_in_them_get_a_sound_verdict(name):
    real, fake = HARD[name]
    verdict = judge(real, fake, kind="points")
    assert (verdict.conclusion == Conclusion.DISTINGUISHED) == (name == "one row repeated")
    assert Verdict.from_json(verdict.to_json()).to_text() == verdict.to_text()


def test_points_with_other_column_names_are_refused_and_others_put_in_order():
    frame = pd.DataFrame(np.random.default_rng(0).standard_normal((60, 2)), columns=["x", "y"])
    with pytest.raises(DataError, match="only on the generated side: z"):
        judge(frame, frame.rename(columns={"y": "z"}), kind="points")
    found = judge(frame, frame[["y", "x"]], kind="points", checks=[], classifiers=QUADRATIC)
    assert "exactly the same samples" in found.findings[0].statement


def test_a_verdict_says_who_spoke_at_which_levels_and_which_referee_it_was():
    stream = np.random.default_rng(0)
    far = judge(gaussian(2).sample(200, stream), gaussian(2, mean=3.0).sample(200, stream), kind="points", checks=[])
    state = far.to_json()
    assert (state["speaks"], state["referee_version"]) == ("both", REFEREE_VERSION)
    # The two shares of the level make up the whole.
    assert far.e_level + far.companion.level == pytest.approx(0.05)
    alone = judge(gaussian(2).sample(200, stream), gaussian(2).sample(200, stream), kind="points", companion=False)
    assert (alone.companion, alone.e_level, alone.speaks) == (None, pytest.approx(0.05), "neither")
    for name in ("companion", "e_level", "speaks", "referee_version"):
        del state[name]
    old = Verdict.from_json(state)
    assert (old.referee_version, old.companion, old.speaks) == (2, None, "classifier")


def test_where_the_companion_alone_rejects_no_distance_is_claimed():
    stream = np.random.default_rng(4)
    real, fake = gaussian(5).sample(1500, stream), gaussian(5).sample(1500, stream) + np.array([0.15, 0, 0, 0, 0])
    trees = [available()["neighbour trees"]]  # far too coarse for a small shift
    verdict = judge(real, fake, kind="points", classifiers=trees, checks=[])
    assert (verdict.conclusion, verdict.speaks) == (Conclusion.DISTINGUISHED, "companion")
    assert verdict.jsd_lower_bound_nats == 0 and verdict.companion.differences[0].estimate is not None


def test_too_few_are_scored_where_all_later_samples_repeat_earlier_ones():
    pool = numbered(12)
    sides = [pool[np.random.default_rng(seed).integers(0, 12, 40)] for seed in (0, 1)]
    asked = {"kind": "points", "seed": 0, "classifiers": QUADRATIC}
    assert decide_in_turn(*sides, keys=tuple(keys_of(*sides)), **asked) is None
