"""What every family of networks must satisfy, on every space it says it supports."""

import pytest
import torch

from equipoise.networks import available, find
from equipoise.shapes import samples_and_weights
from equipoise.spaces import Block, ImageSpace, PointSpace, TableSpace

ROWS = TableSpace(
    columns=("a", "b", "c"),
    blocks=(Block("number", 1, "a"), Block("choice", 3, "b"), Block("choice", 2, "c"), Block("number", 1, "c")),
)
SPACES = [
    PointSpace(1),
    PointSpace(5),
    ROWS,
    ImageSpace(1, 8, 8),
    ImageSpace(3, 28, 28),
    ImageSpace(4, 30, 21),
    ImageSpace(3, 64, 64),
]
CASES = [(name, space) for name in available() for space in SPACES if find(name).supports(space)]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{'x'.join(map(str, case[1].shape))}")
def case(request):
    return request.param


def pair(name, space, classes=0):
    torch.manual_seed(0)
    family = find(name)
    return family.generator(space, classes=classes), family.discriminator(space, classes=classes)


@pytest.mark.parametrize("classes", [0, 3])
def test_samples_have_the_shape_of_the_space_and_logits_one_number_each(case, classes):
    generator, discriminator = pair(*case, classes=classes)
    labels = (torch.arange(4) % 3,) if classes else ()
    samples = generator(torch.randn(4, generator.latent_dimensions), *labels)
    assert samples.shape == (4, *case[1].shape)
    assert discriminator(samples, *labels).shape == (4,)


def test_a_discriminator_treats_the_samples_of_a_batch_independently(case):
    generator, discriminator = pair(*case)
    samples = generator(torch.randn(5, generator.latent_dimensions)).detach()
    alone = torch.cat([discriminator(samples[index : index + 1]) for index in range(5)])
    # The same float32 sums in another order: a few units in the last place of logits of order 1.
    assert torch.allclose(discriminator(samples), alone, atol=1e-4)


def test_an_input_gradient_can_be_differentiated_again_into_every_weight_but_the_biases(case):
    generator, discriminator = pair(*case)
    samples = generator(torch.randn(3, generator.latent_dimensions)).detach().requires_grad_(True)
    # Residual branches start at zero; a small push makes every weight matter.
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    (gradient,) = torch.autograd.grad(discriminator(samples).sum(), samples, create_graph=True)
    gradient.square().sum().backward()
    for name, parameter in discriminator.named_parameters():
        if parameter.dim() > 1:
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_a_generator_is_a_function_of_its_latents(case):
    generator, _ = pair(*case)
    latents = torch.randn(3, generator.latent_dimensions)
    assert torch.equal(generator(latents), generator(latents))


def test_classes_change_the_samples_and_every_class_can_be_learned(case):
    generator, discriminator = pair(*case, classes=3)
    latents = torch.randn(1, generator.latent_dimensions).repeat(3, 1)
    samples = generator(latents, torch.arange(3))
    if case[1].kind != "table":  # a row's hard choices may agree by chance
        assert not torch.allclose(samples[0], samples[1])
    made, weights = samples_and_weights(getattr(generator, "weighted_samples", generator)(latents, torch.arange(3)))
    logits = discriminator(made, torch.arange(3))
    (logits if weights is None else weights * (logits + 1)).sum().backward()
    assert all(parameter.grad is not None for parameter in generator.parameters())


SLIM = {"channels": 4, "widest": 8}
IMAGE_FAMILIES = pytest.mark.parametrize(
    ("name", "options"), [("convolutional", SLIM), ("strided", SLIM), ("residual", {"width": 8, "depth": 1})]
)


@IMAGE_FAMILIES
@pytest.mark.parametrize("size", [(28, 28), (9, 13), (8, 8), (8, 31), (33, 20)])
def test_folding_pixels_into_channels_keeps_the_shapes_even_of_odd_images(name, options, size):
    space = ImageSpace(3, *size)
    family = find(name)
    generator = family.generator(space, patch=2, **options)
    discriminator = family.discriminator(space, patch=2, **options)
    samples = generator(torch.randn(2, generator.latent_dimensions))
    assert samples.shape == (2, 3, *size)
    assert discriminator(samples).shape == (2,)


@IMAGE_FAMILIES
def test_every_pixel_of_a_folded_image_reaches_the_discriminator(name, options):
    family = find(name)
    space = ImageSpace(1, 9, 13)
    discriminator = family.discriminator(space, patch=2, **options)
    image = torch.randn(1, 1, 9, 13, requires_grad=True)
    discriminator(image).sum().backward()
    assert (image.grad != 0).all()
