"""V under the data from batches of a weighted density: unbiased, and exact where everything is known."""

import itertools

import numpy as np
import pytest
import torch

from equipoise.objectives import find
from equipoise.training import BatchSource
from equipoise.training.batches import importance_weights
from equipoise.training.weighting import value_under_data

WEIGHTS = np.array([1.0, 2.0, 5.0])


def test_known_weights_average_to_one_under_the_weighted_draws():
    shares = WEIGHTS / WEIGHTS.sum()
    assert (shares * importance_weights(WEIGHTS)).sum() == pytest.approx(1.0, rel=1e-14)
    # Enormous weights do not overflow, and a row that is never drawn has none.
    assert importance_weights(np.array([1e308, 1e308, 0.0])).tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("objective", ["nonsaturating", "relativistic", "hinge"])
@pytest.mark.parametrize("is_conditional", [False, True])
def test_the_mean_over_all_weighted_batches_is_the_value_under_even_draws(objective, is_conditional):
    game = find(objective)()
    real = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64)
    fake = torch.tensor([0.9, -0.4, 0.1], dtype=torch.float64)  # what the generator answers each row with
    shares = WEIGHTS / WEIGHTS.sum()
    importance = torch.from_numpy(importance_weights(WEIGHTS))
    total = 0.0
    for rows in itertools.product(range(3), repeat=2):
        index = torch.tensor(rows)
        answers = fake[index] if is_conditional else fake[:2]
        value, error = value_under_data(
            game, real[index], answers, importance=importance[index], is_conditional=is_conditional
        )
        assert error >= 0
        total += float(np.prod(shares[list(rows)])) * value
    if is_conditional:
        expected = float(game.value(real, fake))
    else:
        pairs = torch.cartesian_prod(real, fake[:2])
        expected = float(game.value(pairs[:, 0], pairs[:, 1]))
    # Sums of nine numbers in float64.
    assert total == pytest.approx(expected, rel=1e-12)


def test_one_draw_has_a_value_and_no_error():
    one = torch.ones(1)
    assert value_under_data(find("relativistic")(), one, one, importance=one, is_conditional=True)[1] is None
    assert value_under_data(find("relativistic_average")(), one, one, importance=one, is_conditional=True) is None


def test_the_weights_of_a_batch_are_those_of_its_rows():
    real = torch.arange(3.0)[:, None]
    source = BatchSource(real, latent_dimensions=1, batch_size=50, updates_per_step=2, seed=0, weights=WEIGHTS)
    rows = source.batch(4).real.squeeze(1).long()
    assert torch.equal(source.importance(4), torch.from_numpy(importance_weights(WEIGHTS))[rows])
    even = BatchSource(real, latent_dimensions=1, batch_size=50, updates_per_step=2, seed=0)
    assert even.importance(4) is None and not even.leaves_rows_out
