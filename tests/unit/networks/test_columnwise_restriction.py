"""Columns that are held to some of their values: draws obey, and weights bring the others to the conditional law."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.special import ndtr, ndtri

from equipoise.networks.columnwise import ColumnwiseGenerator
from equipoise.networks.columnwise_restriction import pieces_of
from equipoise.networks.columnwise_tokens import Cells
from equipoise.spaces import Block, TableSpace

FEW = (0.1, 0.4, 0.5, 0.9)
MANY = tuple((place + 1) / 150 for place in range(149))
DRAWS = 20_000


def space_of(cells):
    return TableSpace(
        ("a", "x", "c"),
        (
            Block("choice", 2, "a"),
            Block("choice", 3, "x"),
            Block("number", 1, "x", cells=cells),
            Block("choice", 2, "c"),
        ),
    )


def lively(space, **options):
    """A generator whose columns depend on each other clearly."""
    torch.manual_seed(3)
    generator = ColumnwiseGenerator(space, width=16, context=16, **options)
    with torch.no_grad():
        for output in generator.outputs:
            output.weight.normal_(std=0.4)
    return generator.requires_grad_(False)


def enumerated(cells, stretches):
    """A row for each stretch of each cell and each combination of choices, and how much of u it stands for."""
    borders = np.unique(np.clip(np.concatenate([[0.0, *cells, 1.0], *map(ndtr, stretches)]), 0, 1))
    rows, lengths, numbers = [], [], []
    for a, x, c in itertools.product(range(2), range(3), range(2)):
        for low, high in itertools.pairwise(borders) if x == 0 else [(0.25, 1.25)]:
            number = float(ndtri((low + high) / 2)) if x == 0 else 0.0
            rows.append(torch.cat([torch.eye(2)[a], torch.eye(3)[x], torch.tensor([number]), torch.eye(2)[c]]))
            lengths.append(high - low)
            numbers.append(number)
    return torch.stack(rows), torch.tensor(lengths), np.array(numbers)


@pytest.mark.parametrize("cells", [FEW, MANY], ids=["cells", "coarse and fine cells"])
@pytest.mark.parametrize(
    "stretches",
    [[[-1.0, -0.2], [0.1, 0.13]], [[0.1, 0.12]], [[0.3, np.inf]], [[-np.inf, np.inf]], []],
    ids=["two stretches", "less than a cell", "one side", "any number", "no number"],
)
def test_weights_bring_the_rows_to_the_conditional_law(cells, stretches):
    generator = lively(space_of(cells))
    allowed = {
        2: np.array([bool(stretches), True, False]),
        5: np.array(stretches, dtype=np.float64).reshape(-1, 2),
        6: np.array([False, True]),
    }
    restriction = generator.restriction(allowed)
    torch.manual_seed(0)
    rows, log_weights = generator.draw_within(torch.randn(DRAWS, generator.latent_dimensions), restriction)
    is_number = rows[:, 2] == 1
    inside = [(rows[:, 5] >= low) & (rows[:, 5] <= high) for low, high in stretches] or [torch.zeros(DRAWS).bool()]
    assert torch.stack(inside).any(dim=0)[is_number].all()
    assert (rows[:, 4] == 0).all() and (rows[:, 7] == 1).all()

    every, lengths, numbers = enumerated(cells, [np.array(each) for each in stretches])
    obeys = np.array([any(low <= z <= high for low, high in stretches) for z in numbers])
    obeys = torch.from_numpy(obeys) | (every[:, 3] == 1)
    obeys &= (every[:, 4] == 0) & (every[:, 7] == 1)
    chances = generator.log_likelihoods(every).sum(dim=1).exp() * lengths * obeys
    weights = log_weights.exp()
    tells = [lambda x: x[:, 0], lambda x: x[:, 3], lambda x: (x[:, 2] == 1) * x[:, 5], lambda x: torch.ones(len(x))]
    for tell in tells:
        found = weights * tell(rows)
        expected = float((chances * tell(every)).sum())
        # Of a number, the middle of a cell stands for the cell: at most 5 % of its mean in the widest of them.
        slack = 5 * float(found.std()) / math.sqrt(DRAWS) + (0.05 * abs(expected) if tell is tells[2] else 1e-6)
        assert float(found.mean()) == pytest.approx(expected, abs=slack)


def test_what_is_asked_of_a_looked_up_column_is_asked_of_the_one_that_decides_it():
    space = TableSpace(("c", "a", "b"), (Block("choice", 2, "c"), Block("choice", 4, "a"), Block("choice", 2, "b")))
    generator = lively(space, dependences={"c": "a"})
    a = torch.arange(4)
    table = torch.cat([torch.eye(2)[(a == 2).long()], torch.eye(4), torch.eye(2)[a % 2]], dim=1)
    generator.start_at([table])
    restriction = generator.restriction({0: np.array([True, False]), 2: np.array([True, True, True, False])})
    rows, log_weights = generator.draw_within(torch.randn(500, generator.latent_dimensions), restriction)
    assert set(rows[:, 2:6].argmax(dim=1).tolist()) == {0, 1}
    chances = generator.log_likelihoods(table)[:, 1].exp()  # a is drawn first
    assert torch.allclose(log_weights.exp().float(), chances[:2].sum().expand(500), atol=1e-5)
    assert generator.restriction({0: np.array([False, True]), 2: np.array([True, True, False, True])}).is_empty


def test_without_any_limit_rows_are_those_of_the_generator_and_weigh_one():
    generator = lively(space_of(MANY))
    latents = torch.randn(200, generator.latent_dimensions)
    rows, log_weights = generator.draw_within(latents, generator.restriction({}))
    assert torch.allclose(rows, generator(latents), atol=1e-4)
    assert (log_weights == 0).all()


def test_nothing_allowed_is_told():
    generator = lively(space_of(FEW))
    nothing = {2: np.array([False, False, False]), 5: np.zeros((0, 2))}
    assert generator.restriction(nothing).is_empty


def test_stretches_are_cut_at_the_borders_of_cells():
    pieces = pieces_of(Cells(FEW), ndtri(np.array([[0.05, 0.45], [0.6, 0.6], [0.95, 1.0]])))
    assert pieces.low.tolist() == pytest.approx([0.05, 0.1, 0.4, 0.6, 0.95])
    # One value has a length that no other stretch loses anything by.
    assert pieces.inside.tolist() == pytest.approx([0.05, 0.3, 0.05, 0.0, 0.05])
    assert pieces.inside[3] > 0 and (pieces.first[2], pieces.last[2]) == (2, 2)


@pytest.mark.parametrize("cells", [FEW, MANY], ids=["cells", "coarse and fine cells"])
def test_a_tilted_draw_has_the_same_law_with_more_even_weights(cells):
    generator = lively(space_of(cells))
    with torch.no_grad():
        generator.outputs[-1].weight.mul_(8)  # the last column says much of those before it
    restriction = generator.restriction({6: np.array([1.0, 0])})
    torch.manual_seed(0)
    latents = torch.randn(DRAWS, generator.latent_dimensions)
    plain, log_plain = generator.draw_within(latents, restriction)
    tilted, log_tilted = generator.draw_within(latents, restriction.tilted(plain, log_plain.exp()))
    moved = float(tilted[:, 0].mean()) - float(plain[:, 0].mean())
    assert abs(moved) > 0.02  # more than five standard errors
    for tell in (lambda x: x[:, 0], lambda x: x[:, 5], lambda x: torch.ones(len(x))):
        sides = [weights.exp() * tell(rows) for rows, weights in ((plain, log_plain), (tilted, log_tilted))]
        error = 5 * math.sqrt(sum(float(side.var()) for side in sides) / DRAWS)
        assert float(sides[0].mean()) == pytest.approx(float(sides[1].mean()), abs=error)
    assert log_tilted.exp().std() / log_tilted.exp().mean() < 0.9 * log_plain.exp().std() / log_plain.exp().mean()
