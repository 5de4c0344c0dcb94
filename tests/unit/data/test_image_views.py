"""Which view of each image is trained with: its size, crop, mirror image and background."""

import numpy as np
import pytest
import torch
from data_builders import picture
from PIL import Image

from equipoise.data import DataOptions, load
from equipoise.data.images.encoder import ImageEncoder
from equipoise.data.images.resize import choose_size
from equipoise.errors import ConfigError
from equipoise.experiment.prepare import plan_run, prepare_data
from equipoise.spaces import ImageSpace
from equipoise.training import BatchSource


@pytest.mark.parametrize("size", [(28, 28), (8, 64), (33, 20)])
def test_images_that_all_have_one_size_of_8_to_64_pixels_a_side_keep_it(tmp_path, size):
    for position in range(3):
        picture(position, size=size[::-1]).save(tmp_path / f"{position}.png")
    assert load(tmp_path).values.shape[2:] == size
    assert load(np.stack([np.asarray(picture(seed, size=size[::-1])) for seed in range(3)])).values.shape[2:] == size


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(28, 28), (29, 28)], (32, 32)),  # not all alike: by the median short side
        ([(65, 64)] * 3, (64, 64)),
        ([(480, 640)] * 3, (64, 64)),
        ([(6, 9)] * 3, (8, 8)),
    ],
)
def test_other_images_become_squares(sizes, expected):
    assert choose_size(sizes, DataOptions()) == expected


def test_without_a_crop_photographs_keep_their_median_proportions_and_all_of_each():
    assert choose_size([(480, 640)] * 3, DataOptions(crop="none")) == (64, 85)
    assert choose_size([(100, 900)] * 3, DataOptions(crop="none")) == (64, 256)  # and no more than 256 pixels


def test_without_a_crop_both_ends_of_a_long_image_are_seen(tmp_path):
    pixels = np.zeros((16, 48), dtype=np.uint8)
    pixels[:, :12], pixels[:, -12:] = 200, 100
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    whole = load(tmp_path, options=DataOptions(image_size=16, crop="none")).values[0, 0]
    assert (whole[:, :4] == 200).all() and (whole[:, -4:] == 100).all()
    assert not load(tmp_path, options=DataOptions(image_size=16)).values.any()  # the centre alone is black


def test_random_crops_lie_anywhere_and_are_the_same_at_every_reading():
    ramp = np.tile(np.arange(100, dtype=np.uint8), (200, 10, 1))
    options = DataOptions(image_size=10, crop="random")
    first = load(ramp, options=options).values[:, 0, 0, 0]
    assert (first == load(ramp, options=options).values[:, 0, 0, 0]).all()
    # The left edge is even on 0 .. 90: mean 45, deviation 26; five standard errors of 200 are 9.2.
    assert abs(first.mean() - 45) < 9.2
    assert first.min() < 10 and first.max() > 80


def test_mirroring_reads_about_half_of_the_images_mirrored_and_training_draws_each_either_way():
    image = np.zeros((8, 8), dtype=np.uint8)
    image[:, 0] = 255
    left = load(np.stack([image] * 400 + [255 - image]), options=DataOptions(mirror=True)).values[:400, 0, 0, 0] == 255
    assert 150 < left.sum() < 250  # 200 +- 5 * 10
    real = torch.from_numpy(np.stack([image[None]] * 4))
    source = BatchSource(real, latent_dimensions=1, batch_size=400, updates_per_step=1, seed=0, mirrored=True)
    drawn = source.batch(0).real[:, 0, 0]
    sides = drawn[:, 0] == 255
    assert 150 < int(sides.sum()) < 250
    assert torch.equal(drawn[:, -1] == 255, ~sides)
    assert torch.equal(source.batch(0).real, source.batch(0).real)


def test_a_background_shows_through_as_much_as_alpha_leaves(tmp_path):
    for alpha, name in ((0, "a"), (128, "b"), (255, "c")):
        Image.new("RGBA", (8, 8), (200, 100, 0, alpha)).save(tmp_path / f"{name}.png")
    values = load(tmp_path, options=DataOptions(background="#0000ff")).values
    share = 128 / 255
    half = [200 * share, 100 * share, 255 * (1 - share)]
    assert values[:, :, 4, 4].tolist() == [[0, 0, 255], [round(channel) for channel in half], [200, 100, 0]]
    array = np.stack([np.asarray(Image.open(path)) for path in sorted(tmp_path.iterdir())])
    assert (load(array, options=DataOptions(background="blue")).values == values).all()


@pytest.mark.parametrize(
    ("options", "where"), [({"crop": "middle"}, "data.crop"), ({"background": "wihte"}, "data.background")]
)
def test_a_crop_or_a_colour_that_there_is_not_is_refused(options, where):
    with pytest.raises(ConfigError, match=where):
        DataOptions(**options)


def test_transparent_images_are_learned_with_colours_times_alpha_and_come_back_as_they_were():
    rng = np.random.default_rng(0)
    bytes_read = rng.integers(0, 256, size=(50, 4, 8, 8), dtype=np.uint8)
    bytes_read[:, :3] *= bytes_read[:, 3:] > 0  # nobody sees a colour where alpha is 0
    encoder = ImageEncoder(ImageSpace(4, 8, 8), premultiplied=True)
    samples = encoder.to_float(torch.from_numpy(bytes_read))
    colour, alpha = bytes_read[0, 0, 0, 0] / 255, bytes_read[0, 3, 0, 0] / 255
    assert float(samples[0, 0, 0, 0]) == pytest.approx(2 * colour * alpha - 1, abs=1e-6)
    assert float(samples[0, 3, 0, 0]) == pytest.approx(2 * alpha - 1, abs=1e-6)
    assert np.allclose(encoder.encode(bytes_read), samples.numpy(), atol=1e-6)
    assert (encoder.decode(samples) == bytes_read).all()


def test_colours_brighter_than_their_alpha_are_read_as_full_ones():
    encoder = ImageEncoder(ImageSpace(4, 1, 1), premultiplied=True)
    pixel = torch.tensor([0.5, -1.0, 0.0, 0.0]).reshape(1, 4, 1, 1)
    # Alpha is 127.5, which rounds to 128; 127.5 of 128 is 254 of 255.
    assert encoder.decode(pixel).flatten().tolist() == [255, 0, 254, 128]


def test_a_run_reads_its_images_at_the_size_that_it_began_with():
    """Earlier versions brought images of 28 pixels to 32."""
    images = np.random.default_rng(0).integers(0, 256, size=(40, 28, 28), dtype=np.uint8)
    section = plan_run(images, steps=1).config.data
    then = prepare_data(images, section.model_copy(update={"image_size": 32}), 0).describe()
    assert prepare_data(images, section, 0).space.shape == (1, 28, 28)
    again = prepare_data(images, section, 0, stored=then)
    assert again.space.shape == (1, 32, 32) and again.fingerprint == then["fingerprint"]
