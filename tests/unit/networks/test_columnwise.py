"""The generator of tables column by column: its density, its draws, its gradient, held columns and look-ups."""

import itertools
import math

import pytest
import torch

from equipoise.networks.columnwise import ColumnwiseGenerator
from equipoise.networks.columnwise_discriminator import ColumnwiseDiscriminator, differences
from equipoise.networks.columnwise_dropout import Dropout
from equipoise.spaces import Block, TableSpace

CELLS = (0.1, 0.4, 0.5, 0.9)
MANY = tuple((place + 1) / 150 for place in range(149))
CHOICES = TableSpace(("a", "b", "c"), (Block("choice", 3, "a"), Block("choice", 2, "b"), Block("choice", 4, "c")))
MIXED = TableSpace(
    ("a", "x", "c"),
    (Block("choice", 2, "a"), Block("choice", 3, "x"), Block("number", 1, "x", cells=CELLS), Block("choice", 2, "c")),
)


def lively(space, **options):
    """A generator whose columns depend on each other clearly."""
    torch.manual_seed(3)
    generator = ColumnwiseGenerator(space, width=16, context=16, **options)
    with torch.no_grad():
        for output in generator.outputs:
            output.weight.normal_(std=0.4)
    return generator.requires_grad_(False)


def rows_of_choices(space):
    """Every row of a table of choices."""
    widths = [block.width for block in space.blocks]
    codes = itertools.product(*map(range, widths))
    return torch.stack([torch.cat([torch.eye(w)[c] for w, c in zip(widths, code, strict=True)]) for code in codes])


def with_numbers(cells=CELLS):
    """Every row of `MIXED` up to the place within a cell, with the width of its cell."""
    ends = torch.tensor([0.0, *cells, 1.0])
    middle = torch.special.ndtri((ends[1:] + ends[:-1]) / 2)
    rows, widths = [], []
    for a, x, c in itertools.product(range(2), range(3), range(2)):
        numbers = zip(middle, ends[1:] - ends[:-1], strict=True) if x == 0 else [(torch.tensor(0.0), 1.0)]
        for number, width in numbers:
            rows.append(torch.cat([torch.eye(2)[a], torch.eye(3)[x], number[None], torch.eye(2)[c]]))
            widths.append(float(width))
    return torch.stack(rows), torch.tensor(widths)


def test_the_probabilities_of_all_rows_sum_to_one():
    generator = lively(CHOICES)
    assert float(generator.log_likelihoods(rows_of_choices(CHOICES)).sum(1).exp().sum()) == pytest.approx(1, abs=1e-5)


def test_the_density_of_rows_with_numbers_integrates_to_one():
    rows, widths = with_numbers()
    density = lively(MIXED).log_likelihoods(rows).sum(1).exp()
    assert float((density * widths).sum()) == pytest.approx(1, abs=1e-5)


def test_coarse_and_fine_cells_together_are_one_density():
    space = TableSpace(("x", "c"), (Block("number", 1, "x", cells=MANY), Block("choice", 2, "c")))
    generator = lively(space)
    assert [token.kind for token in generator.tokens] == ["coarse", "fine", "choice"]
    middle = torch.special.ndtri((torch.arange(150) + 0.5) / 150)
    rows = torch.cat([torch.cat([middle[:, None], torch.eye(2)[c].expand(150, 2)], dim=1) for c in range(2)])
    # A fine cell that a coarse one does not have keeps a chance of e^-30.
    assert float(generator.log_likelihoods(rows).sum(1).exp().mean() * 2) == pytest.approx(1, abs=1e-5)


def test_rows_come_as_often_as_their_density_says():
    generator = lively(MIXED)
    torch.manual_seed(0)
    drawn = generator(torch.randn(40_000, generator.latent_dimensions))
    rows, widths = with_numbers()
    expected = generator.log_likelihoods(rows).sum(1).exp() * widths
    cell = torch.bucketize(drawn[:, 5].contiguous(), torch.special.ndtri(torch.tensor(CELLS)))
    own = torch.bucketize(rows[:, 5].contiguous(), torch.special.ndtri(torch.tensor(CELLS)))
    is_same = [
        (drawn[:, :5] == row[:5]).all(1) & (drawn[:, 6:] == row[6:]).all(1) & ((cell == place) | (row[2] == 0))
        for row, place in zip(rows, own, strict=True)
    ]
    found = torch.stack([same.float().mean() for same in is_same])
    assert float(found.sum()) == pytest.approx(1, abs=1e-6)
    # Pearson's statistic has 27 degrees of freedom: mean 27, deviation 7.3; five deviations.
    assert float((40_000 * (found - expected) ** 2 / expected).sum()) < len(rows) - 1 + 5 * math.sqrt(
        2 * (len(rows) - 1)
    )


def test_a_number_that_is_not_there_is_zero():
    generator = lively(MIXED)
    drawn = generator(torch.randn(500, generator.latent_dimensions))
    assert (drawn[drawn[:, 2] == 0, 5] == 0).all()
    assert (drawn[drawn[:, 2] == 1, 5] != 0).all()


@pytest.mark.parametrize("cells", [CELLS, MANY], ids=["one token", "coarse and fine"])
def test_the_gradient_through_a_drawn_number_is_that_of_its_exact_mean(cells):
    space = TableSpace(("x",), (Block("number", 1, "x", cells=cells),))
    torch.manual_seed(1)
    generator = ColumnwiseGenerator(space, width=4, context=4)
    with torch.no_grad():
        for output in generator.outputs:
            output.bias.normal_(std=0.5)
    bias = generator.outputs[0].bias
    latents = torch.special.ndtri((torch.arange(60_000) + 0.5) / 60_000)[:, None]  # even: no noise of Monte Carlo
    # A bounded test function: the mean of z itself has long tails.
    (by_draws,) = torch.autograd.grad(torch.sigmoid(generator(latents)).mean(), bias)
    ends = torch.tensor([0.0, *cells, 1.0])
    inside = torch.linspace(0.0005, 0.9995, 400)
    normal = torch.special.ndtri(ends[:-1, None] + inside * (ends[1:] - ends[:-1])[:, None])
    chances = generator.log_likelihoods(normal.reshape(-1, 1))[:, 0].exp().reshape(normal.shape).mean(1)
    chances = chances * (ends[1:] - ends[:-1])
    (exact,) = torch.autograd.grad((chances * torch.sigmoid(normal).mean(1)).sum(), bias)
    # Quadrature by 400 points a cell, and the margin of a thousandth of a cell at either end of a draw.
    assert torch.allclose(by_draws, exact, atol=2e-3 * float(exact.abs().max()) + 1e-5)


def test_it_starts_at_the_frequencies_of_the_training_rows():
    torch.manual_seed(0)
    generator = ColumnwiseGenerator(CHOICES)
    codes = torch.stack([torch.randint(3, (900,)), torch.randint(2, (900,)), torch.randint(4, (900,))], dim=1)
    codes[:300, 2] = 3
    rows = torch.cat([torch.eye(w)[codes[:, k]] for k, w in enumerate((3, 2, 4))], dim=1)
    generator.start_at(rows.split(100))
    shares = generator.log_likelihoods(torch.eye(4)[:, [0] * 5 + [0, 1, 2, 3]])[:, 2].exp()
    # The last layers' weights are not zero: each logit moves by up to about three times .02 sqrt(units).
    assert torch.allclose(shares, rows[:, 5:].mean(0), atol=0.15)


def test_held_columns_keep_their_values_and_weights_bring_the_others_to_the_conditional_law():
    generator = lively(CHOICES)
    rows = rows_of_choices(CHOICES)
    torch.manual_seed(0)
    count = 30_000
    given = torch.zeros(count, 9)
    given[:, 4] = 1  # b is its second value
    known = torch.tensor([False, True, False]).expand(count, 3)
    drawn, log_weights = generator.draw_given(torch.randn(count, generator.latent_dimensions), given, known)
    assert (drawn[:, 4] == 1).all()
    weights = log_weights.exp()
    found = (weights[:, None] * drawn[:, [0, 1, 2, 5, 6, 7, 8]]).mean(0)
    chances = generator.log_likelihoods(rows).sum(1).exp() * rows[:, 4]
    expected = (chances[:, None] * rows[:, [0, 1, 2, 5, 6, 7, 8]]).sum(0)
    error = (weights[:, None] * drawn[:, [0, 1, 2, 5, 6, 7, 8]]).std(0) / math.sqrt(count)
    assert ((found - expected).abs() < 5 * error).all()


def test_a_held_number_counts_with_its_density():
    generator = lively(MIXED)
    rows, _ = with_numbers()
    known = torch.ones(len(rows), 3, dtype=torch.bool)
    drawn, log_weights = generator.draw_given(torch.randn(len(rows), generator.latent_dimensions), rows, known)
    assert torch.equal(drawn, rows)
    assert torch.allclose(log_weights, generator.log_likelihoods(rows).sum(1), atol=1e-5)


DECIDED = {"c": "a", "d": "c"}
CHAIN = TableSpace(
    ("c", "a", "b", "d"),
    (Block("choice", 3, "c"), Block("choice", 4, "a"), Block("choice", 2, "b"), Block("choice", 2, "d")),
)


def chained_rows():
    """Rows in which a decides c, and c decides d."""
    a = torch.arange(4).repeat(2)
    c = torch.tensor([0, 1, 1, 2])[a]
    d = torch.tensor([0, 1, 0])[c]
    b = torch.arange(8) // 4
    return torch.cat([torch.eye(3)[c], torch.eye(4)[a], torch.eye(2)[b], torch.eye(2)[d]], dim=1)


def test_columns_that_another_one_decides_are_looked_up_in_every_row():
    generator = lively(CHAIN, dependences=DECIDED)
    generator.start_at([chained_rows()])
    drawn = generator(torch.randn(500, generator.latent_dimensions))
    known = {tuple(row) for row in chained_rows().tolist()}
    assert {tuple(row) for row in drawn.tolist()} == known
    assert generator.latent_dimensions == 4 + 2


def test_a_row_that_breaks_a_dependence_is_impossible():
    generator = lively(CHAIN, dependences=DECIDED)
    generator.start_at([chained_rows()])
    rows = chained_rows()
    assert generator.log_likelihoods(rows).isfinite().all()
    rows[:, [9, 10]] = rows[:, [10, 9]]
    assert (generator.log_likelihoods(rows)[:, 3] == -torch.inf).all()


def test_a_held_column_that_is_looked_up_is_met_by_drawing_only_what_leads_to_it():
    generator = lively(CHAIN, dependences=DECIDED)
    generator.start_at([chained_rows()])
    given = torch.zeros(400, 11)
    given[:, 10] = 1  # d is its second value: c is 1, and a is 1 or 2
    known = torch.tensor([False, False, False, True]).expand(400, 4)
    drawn, log_weights = generator.draw_given(torch.randn(400, generator.latent_dimensions), given, known)
    assert (drawn[:, 10] == 1).all()
    assert set(drawn[:, 3:7].argmax(1).tolist()) == {1, 2}
    chances = generator.log_likelihoods(chained_rows())[:4, 1].exp()  # a is drawn first
    assert torch.allclose(log_weights.exp(), chances[1:3].sum().expand(400), atol=1e-5)


def test_held_columns_that_contradict_each_other_have_no_weight():
    generator = lively(CHAIN, dependences=DECIDED)
    generator.start_at([chained_rows()])
    given = chained_rows()
    given[:, [9, 10]] = given[:, [10, 9]]
    known = torch.tensor([False, True, False, True]).expand(8, 4)
    _, log_weights = generator.draw_given(torch.randn(8, generator.latent_dimensions), given, known)
    assert (log_weights == -torch.inf).all()


@pytest.mark.parametrize(
    "dependences, word", [({"z": "a"}, "'z'"), ({"c": "a", "a": "c"}, "circle")], ids=["unknown", "circle"]
)
def test_dependences_that_cannot_be_looked_up_are_refused_by_name(dependences, word):
    with pytest.raises(ValueError, match=word):
        ColumnwiseGenerator(CHAIN, dependences=dependences)


def test_the_discriminator_s_input_gradient_in_closed_form_is_that_of_autograd():
    space = TableSpace(("x", "l"), (Block("number", 1, "x"), Block("choice", 4, "l", scores=(-1.2, -0.3, 0.4, 1.1))))
    torch.manual_seed(0)
    discriminator = ColumnwiseDiscriminator(space, width=8, input_gradient="closed_form")
    rows = torch.cat([torch.randn(5, 1), torch.eye(4)[torch.randint(4, (5,))]], dim=1).requires_grad_(True)
    logits, gradient = discriminator.with_input_gradient(rows)
    (by_autograd,) = torch.autograd.grad(discriminator(rows).sum(), rows)
    assert torch.allclose(logits, discriminator(rows), atol=1e-5)
    assert torch.allclose(gradient, by_autograd, atol=1e-5)


def test_dropout_keeps_the_mean_and_sets_its_share_to_zero():
    units = torch.ones(200, 7, 40)
    dropped = Dropout(0.2, torch.Generator().manual_seed(0))(units, rows_at=1)
    share = float((dropped == 0).float().mean())
    bar = round(0.2 * 256) / 256
    # 56,000 draws: a standard error of .0017.
    assert share == pytest.approx(bar, abs=0.008)
    assert float(dropped.max()) == pytest.approx(1 / (1 - bar))


def test_a_discriminator_with_crosses_sees_the_difference_of_any_two_numbers():
    blocks = (Block("number", 1, "x"), Block("choice", 3, "l", scores=(-1.0, 0.0, 1.0)), Block("number", 1, "y"))
    space = TableSpace(("x", "l", "y"), blocks)
    row = torch.tensor([[0.5, 0.0, 0.0, 1.0, -2.0]])
    plain, crossed = ColumnwiseDiscriminator(space), ColumnwiseDiscriminator(space, crosses=True)
    assert torch.equal(row @ plain.scores, torch.tensor([[1.0]]))
    # The level's score, and then 1 - 0.5, 1 + 2 and 0.5 + 2: of the level and both numbers.
    assert torch.allclose(row @ crossed.scores, torch.tensor([[1.0, 0.5, 3.0, 2.5]]))


def test_a_discriminator_with_crosses_can_be_made_without_numbers_to_learn_its_size():
    with torch.device("meta"):
        made = ColumnwiseDiscriminator(MIXED, crosses=True)
    assert [each.shape for each in made.parameters()] == [
        each.shape for each in ColumnwiseDiscriminator(MIXED, crosses=True).parameters()
    ]


def test_of_many_numbers_only_near_ones_are_crossed():
    assert differences(torch.eye(16)).shape == (16, 120)
    many = differences(torch.eye(60))
    assert many.shape[1] <= 120 and torch.equal(many[:, 0], torch.eye(60)[0] - torch.eye(60)[1])
    assert differences(torch.zeros(4, 1)).shape == (4, 0)
