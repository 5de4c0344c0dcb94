"""The choices of a generated row: exactly one-hot, drawn with the right probabilities, differentiable."""

import pytest
import torch

from equipoise.errors import ConfigError
from equipoise.networks import find
from equipoise.networks.convolutional import channel_plan, grid_sizes
from equipoise.networks.heads import SampleHead, draw_one_hot, one_hot_entries
from equipoise.spaces import Block, ImageSpace, PointSpace, TableSpace

ROWS = TableSpace(columns=("n", "c"), blocks=(Block("number", 2, "n"), Block("choice", 3, "c")))


def test_a_drawn_category_is_exactly_one_hot():
    drawn = draw_one_hot(torch.randn(100, 4), torch.randn(100, 4))
    assert ((drawn == 0) | (drawn == 1)).all()
    assert (drawn.sum(dim=1) == 1).all()


def test_categories_come_with_the_softmax_probabilities_of_their_scores():
    torch.manual_seed(0)
    scores = torch.log(torch.tensor([0.6, 0.3, 0.1]))
    draws = 40_000
    fraction = draw_one_hot(scores.expand(draws, 3), torch.randn(draws, 3)).mean(dim=0)
    # Five standard errors of a fraction near 1/2 among 40,000 draws: 5 * 0.5 / 200 = 0.0125.
    assert fraction.tolist() == pytest.approx([0.6, 0.3, 0.1], abs=0.0125)


def test_raising_the_score_of_a_category_raises_its_expected_frequency_by_the_gradient_too():
    torch.manual_seed(0)
    scores = torch.zeros(2000, 3, requires_grad=True)
    draw_one_hot(scores, torch.randn(2000, 3))[:, 0].sum().backward()
    mean = scores.grad.mean(dim=0)
    assert mean[0] > 0 > mean[1]
    assert mean.sum().item() == pytest.approx(0.0, abs=1e-5)  # softmax gradients sum to zero


def test_extreme_scores_and_noise_stay_finite():
    drawn = draw_one_hot(torch.tensor([[1e4, -1e4]]), torch.tensor([[-40.0, 40.0]]))
    assert torch.isfinite(drawn).all()


def test_numbers_pass_a_row_head_unchanged():
    raw = 5 * torch.randn(7, 5)
    rows = SampleHead(ROWS)(raw, torch.randn(7, 3))
    assert torch.equal(rows[:, :2], raw[:, :2])


def test_an_image_head_keeps_what_is_inside_and_compresses_what_is_beyond_without_losing_its_gradient():
    raw = torch.tensor([[-3.0, -1.0, 0.25, 1.0, 2.0]], requires_grad=True)
    image = SampleHead(ImageSpace(1, 1, 5))(raw, None)
    assert image.flatten().tolist() == pytest.approx([-1.2, -1.0, 0.25, 1.0, 1.1])
    image.sum().backward()
    assert raw.grad[0, [0, 2, 4]].tolist() == pytest.approx([0.1, 1.0, 0.1])


def test_only_rows_with_categories_ask_for_extra_latents():
    assert one_hot_entries(ROWS) == 3
    assert one_hot_entries(PointSpace(3)) == 0


def test_grids_halve_rounding_up_and_stop_before_they_get_too_small():
    assert grid_sizes(28, 28) == [(4, 4), (7, 7), (14, 14), (28, 28)]
    assert grid_sizes(8, 8) == [(4, 4), (8, 8)]
    assert grid_sizes(30, 21)[-1] == (30, 21)


def test_channels_double_towards_the_coarse_end_up_to_the_widest():
    assert channel_plan(4, 32, 128) == [128, 128, 64, 32]


def test_an_unknown_family_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match="Did you mean 'convolutional'"):
        find("convolutionl")
