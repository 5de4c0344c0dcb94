"""The smooth part of a number's logits: where it begins, what it adds, and what the game moves."""

import itertools

import numpy as np
import pytest
import torch
from scipy.special import ndtri, softmax

from equipoise.networks.columnwise import ColumnwiseGenerator
from equipoise.spaces import Block, TableSpace

UNEVEN = (0.1, 0.4, 0.5, 0.9)
MANY = tuple(np.linspace(0, 1, 201)[1:-1] ** 1.5)
"""Inner borders of 200 cells that are not equally wide."""
SPACE = TableSpace(
    ("a", "x", "y"),
    (Block("choice", 3, "a"), Block("number", 1, "x", cells=UNEVEN), Block("number", 1, "y", cells=MANY)),
)
KNOTS = 4


def made(knots=KNOTS):
    torch.manual_seed(0)
    return ColumnwiseGenerator(SPACE, width=8, context=8, output_knots=knots)


def rows(count=300):
    """Rows with every kind of token."""
    draws = torch.Generator().manual_seed(1)
    choices = torch.eye(3)[torch.randint(3, (count,), generator=draws)]
    return torch.cat([choices, torch.randn(count, 2, generator=draws)], dim=1)


def test_numbers_begin_with_the_frequencies_of_the_training_rows_exactly():
    generator = made()
    generator.start_at([rows()])
    # The density of a quantile in the training rows is 1, of whichever cell; with 200 of them in two tokens, too.
    assert torch.allclose(generator.log_likelihoods(rows())[:, 1:], torch.zeros(300, 2), atol=1e-4)


def test_without_knots_fine_cells_begin_equally_likely_and_nothing_is_stored_for_them():
    generator = made(knots=0)
    generator.start_at([rows()])
    assert float(generator.log_likelihoods(rows())[:, 2].detach().abs().max()) > 0.2
    assert not [name for name in generator.state_dict() if "smooth" in name]


def logits_of(generator, place, units, coarse=None):
    with torch.no_grad():
        return generator.smooth.logits(place, generator.outputs[place], units, coarse, in_game=True).double().numpy()


def test_the_logit_of_a_cell_is_its_share_and_the_piecewise_linear_function_at_its_middle():
    generator = made()
    generator.start_at([rows()])
    torch.manual_seed(2)
    with torch.no_grad():
        generator.smooth.weight.normal_()
    ends = np.array([0.0, *UNEVEN, 1.0])
    middle = ndtri((ends[1:] + ends[:-1]) / 2)
    knots = ndtri((np.arange(KNOTS) + 0.5) / KNOTS)
    # Interpolation between values at the knots is the sum of hats; the last function is the score itself.
    values = generator.smooth.weight[0].detach().double().numpy()
    of_cells = np.stack([np.interp(middle, knots, values[:-1, unit]) for unit in range(8)], axis=1)
    of_cells += middle[:, None] * values[-1]
    assert np.allclose(logits_of(generator, 1, torch.eye(8)), of_cells.T + np.log(np.diff(ends)), atol=1e-5)


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (0.7, 0.3), (-1.0, 0.5)])
def test_the_score_of_a_number_is_normal_with_the_mean_and_the_deviation_asked_for(mean, deviation):
    space = TableSpace(("x",), (Block("number", 1, "x", cells=tuple(np.arange(1, 128) / 128)),))
    generator = ColumnwiseGenerator(space, width=1, context=1, output_knots=KNOTS)
    generator.start_at([torch.zeros(1, 1)])
    with torch.no_grad():
        generator.smooth.normal[0] = torch.tensor([[mean], [np.log(deviation)]])
    chances = softmax(logits_of(generator, 0, torch.ones(1, 1))[0])
    scores = ndtri((np.arange(128) + 0.5) / 128)
    found = float(chances @ scores)
    # Sums over 128 cells for integrals; the outermost cells have no tails.
    assert found == pytest.approx(mean, abs=0.02)
    assert float(np.sqrt(chances @ (scores - found) ** 2)) == pytest.approx(deviation, rel=0.03)


def test_fine_cells_share_what_their_coarse_one_has_by_their_own_scores():
    generator = made()
    generator.start_at([rows()])
    cells = generator.cells[1]
    with torch.no_grad():
        generator.smooth.normal[2] = torch.tensor([[0.5], [-1.0]]).expand(2, 8) / 8
    ends = np.array([0.0, *MANY, 1.0])
    scores = ndtri((ends[1:] + ends[:-1]) / 2)
    for coarse, (start, stop) in enumerate(itertools.pairwise(cells.first)):
        found = logits_of(generator, 3, torch.ones(1, 8), torch.tensor([coarse]))[0, : stop - start]
        expected = (scores[start:stop] ** 2 - ((scores[start:stop] - 0.5) / np.exp(-1)) ** 2) / 2
        assert np.allclose(found, expected, atol=1e-4)


def test_a_sharp_number_falls_into_no_fine_cell_that_its_coarse_one_does_not_have():
    generator = made()
    generator.start_at([rows()])
    with torch.no_grad():
        generator.smooth.normal[1:] = torch.tensor([[3.0], [-5.0]]) / 8
        drawn = generator(torch.randn(4000, generator.latent_dimensions))
    assert torch.isfinite(drawn).all()


def moved_by(loss, generator):
    """Which weights of the last layers have a gradient: of the choice, the numbers' own, and the smooth parts."""
    generator.zero_grad()
    loss.backward()
    own = [output.weight.grad is not None for output in generator.outputs]
    parts = [*generator.smooth.weight.grad, *generator.smooth.normal.grad]
    return own, min(float(part.abs().sum()) for part in parts)


def test_the_game_moves_choices_and_the_smooth_part_of_numbers_and_likelihood_moves_all():
    generator = made()
    generator.start_at([rows()])
    drawn = generator(torch.randn(200, generator.latent_dimensions))
    own, smooth = moved_by((drawn[:, :3] @ torch.tensor([1.0, 2.0, 3.0]) + drawn[:, 3:].sum(1)).mean(), generator)
    assert [token.kind for token in generator.tokens] == ["choice", "cell", "coarse", "fine"]
    assert own == [True, False, False, False]
    assert smooth > 0
    own, smooth = moved_by(generator.negative_log_likelihood(rows()).mean(), generator)
    assert own == [True] * 4
    assert smooth > 0


@pytest.mark.parametrize("knots", [1, 3])
def test_rows_come_as_often_as_their_density_says(knots):
    generator = made(knots)
    generator.start_at([rows()])
    torch.manual_seed(4)
    with torch.no_grad():
        generator.smooth.weight.normal_(std=0.3)
        for output in generator.outputs:
            output.weight.normal_(std=0.2)
        drawn = generator(torch.randn(40_000, generator.latent_dimensions))
        # E_q[1 / q(x)] over the quantiles of both numbers and the three choices is the size of their domain: 3.
        mean = (-generator.log_likelihoods(drawn).sum(1)).exp()
    assert float(mean.mean()) == pytest.approx(3, abs=5 * float(mean.std()) / 200)


def test_fewer_than_no_knots_are_refused():
    with pytest.raises(ValueError, match="-1 knots"):
        made(knots=-1)
