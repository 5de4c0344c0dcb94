"""Which training picture stands beside a generated one."""

import numpy as np
from PIL import Image

from equipoise.data import domain_of
from equipoise.data.images.nearest import nearest_pictures

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (40, 3, 9, 7), dtype=np.uint8)


def test_a_copy_with_new_noise_is_found_in_whichever_batch_it_lies():
    noise = RNG.integers(-3, 4, (4, 3, 9, 7))
    copies = np.clip(PICTURES[[3, 17, 38, 17]] + noise, 0, 255).astype(np.uint8)
    found = nearest_pictures(copies, (PICTURES[at : at + 8] for at in range(0, 40, 8)))
    assert np.array_equal(found, PICTURES[[3, 17, 38, 17]])


def test_nearest_is_so_by_the_mean_squared_difference():
    asked = RNG.integers(0, 256, (6, 1, 5, 5), dtype=np.uint8)
    given = RNG.integers(0, 256, (20, 1, 5, 5), dtype=np.uint8)
    squares = ((asked[:, None].astype(float) - given) ** 2).sum(axis=(2, 3, 4))
    assert np.array_equal(nearest_pictures(asked, [given]), given[squares.argmin(axis=1)])


def test_pairs_stand_beside_each_other_and_each_class_has_as_many(tmp_path):
    # Ten classes in rows of twelve: three of each, brightness 20 c + place; the nearest of 0, 50, ... is known.
    levels = (20 * np.arange(10)[:, None] + np.arange(12)).astype(np.uint8).ravel()
    values = np.broadcast_to(levels[:, None, None, None], (120, 1, 8, 8)).copy()
    training = np.broadcast_to(np.arange(0, 250, 50, dtype=np.uint8)[:, None, None, None], (5, 1, 8, 8)).copy()
    domain_of("images").save_nearest(values, [training], tmp_path / "nearest.png")
    grid = np.asarray(Image.open(tmp_path / "nearest.png"))
    tile = (grid.shape[1] - 2) // 12
    middles = grid[tile // 2 :: tile, tile // 2 :: tile][:5, :12].reshape(-1, 2).astype(int)
    expected = [20 * c + place for c in range(10) for place in range(3)]
    assert middles[:, 0].tolist() == expected
    assert all(abs(near - own) <= 25 or own > 225 for own, near in middles)
