"""Latents whose noise cancels: antithetic halves, components in turn; functions of seed and draw alone."""

import pytest
import torch

from equipoise.distributed import SINGLE_PROCESS, ProcessGroup
from equipoise.training import BatchSource


def source(batch_size=16, *, dimensions=3, **options):
    real = torch.arange(40.0)[:, None]
    return BatchSource(real, latent_dimensions=dimensions, batch_size=batch_size, updates_per_step=2, seed=5, **options)


class OneOf(ProcessGroup):
    """A process that needs to hear nothing of the others."""

    def _sum(self, flat):
        raise NotImplementedError

    def _gather(self, rows):
        raise NotImplementedError

    def _gather_plain(self, values):
        raise NotImplementedError


@pytest.mark.parametrize("batch_size", [1, 2, 15, 16])
def test_the_second_half_has_the_latents_of_the_first_with_a_minus(batch_size):
    latents = source(batch_size, antithetic=True).batch(7).latents
    half = -(-batch_size // 2)
    assert latents.shape == (batch_size, 3)
    assert torch.equal(latents[half:], -latents[: batch_size - half])


def test_with_components_both_halves_ask_for_the_same_ones():
    latents = source(antithetic=True, components=4).batch(0).latents
    assert torch.equal(latents[8:, :2], -latents[:8, :2])
    assert torch.equal(latents[8:, 2], latents[:8, 2])


def component_of(latents, count):
    """As a generator reads it."""
    return (torch.special.ndtr(latents[:, -1].double()) * count).long()


@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize("components", [1, 3, 8, 256, 4096])
def test_every_component_comes_once_before_any_comes_again(antithetic, components):
    batches = source(16, antithetic=antithetic, components=components)
    fresh = 8 if antithetic else 16
    draws = -(-components // fresh) + 1
    sequence = torch.cat([component_of(batches.batch(draw).latents, components)[:fresh] for draw in range(draws)])
    whole = len(sequence) // components * components
    for turn in sequence[:whole].reshape(-1, components):
        assert sorted(turn.tolist()) == list(range(components))


def test_the_latent_of_the_component_is_standard_normal():
    last = torch.cat([source(500, components=16).batch(draw).latents[:, -1] for draw in range(40)])
    # 20,000 draws: mean 0 +- 0.007, standard deviation 1 +- 0.005. Within its stretch of probability 1/16 a draw keeps
    # off the borders, so that the tails are cut at 3 in 1,000: the deviation is smaller by about 1.5 %.
    assert float(last.mean()) == pytest.approx(0, abs=0.03)
    assert float(last.std()) == pytest.approx(1, abs=0.04)


@pytest.mark.parametrize("processes", [2, 4])
def test_many_processes_together_draw_the_latents_of_one(processes):
    batches = source(16, antithetic=True, components=4, order=torch.arange(40).numpy())
    whole = batches.batch(3, SINGLE_PROCESS)
    parts = [batches.batch(3, OneOf(rank, processes)) for rank in range(processes)]
    for rank, part in enumerate(parts):
        assert torch.equal(part.latents, whole.latents[rank::processes])
        assert torch.equal(part.real, whole.real[rank::processes])


def test_a_draw_does_not_depend_on_what_was_drawn_before():
    first = source(antithetic=True, components=4)
    for draw in range(5):
        first.batch(draw)
    assert torch.equal(first.batch(5).latents, source(antithetic=True, components=4).batch(5).latents)


def test_without_these_wishes_the_latents_are_those_of_earlier_runs():
    from equipoise.randomness import Stream, torch_stream

    expected = torch.randn(16, 3, generator=torch_stream(5, Stream.LATENTS, 2))
    assert torch.equal(source().batch(2).latents, expected)


def test_rows_come_one_from_each_stretch_of_the_order_with_their_labels():
    real = torch.arange(40.0)[:, None]
    batches = BatchSource(
        real,
        latent_dimensions=2,
        batch_size=8,
        updates_per_step=2,
        seed=0,
        labels=torch.arange(40),
        order=torch.arange(39, -1, -1).numpy(),
    )
    batch = batches.batch(2)
    assert sorted(((39 - batch.real.squeeze(1)) // 5).tolist()) == list(range(8))
    assert torch.equal(batch.labels, batch.real.squeeze(1).long())
