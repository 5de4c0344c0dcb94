"""What `benchmarks/tables_speed.py` compares: equal networks, the game that it says, and ratios of CPU-seconds."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import tables_speed
import tables_speed_ours as ours
import tables_speed_worker

LAYOUT = [[("tanh", 1), ("softmax", 3)], [("softmax", 2)], [("softmax", 4)]]
ROW, CONDITION = 10, 6
WIDTH = ROW + CONDITION


def networks(spread=None):
    mean, spread = torch.zeros(WIDTH), torch.ones(WIDTH) if spread is None else spread
    return ours.Generator(LAYOUT, mean=mean, spread=spread), ours.Discriminator(mean=mean, spread=spread)


def test_the_networks_have_the_layers_of_ctgan():
    generator, discriminator = networks()
    shapes = [tuple(each.weight.shape) for each in generator.modules() if isinstance(each, torch.nn.Linear)]
    inputs = 128 + CONDITION
    assert shapes == [(256, inputs), (256, inputs + 256), (ROW, inputs + 512)]
    shapes = [tuple(each.weight.shape) for each in discriminator.modules() if isinstance(each, torch.nn.Linear)]
    assert shapes == [(256, 10 * WIDTH), (256, 256), (1, 256)]
    assert [each.p for each in discriminator.modules() if isinstance(each, torch.nn.Dropout)] == [0.5, 0.5]


def test_a_sample_is_an_encoded_row_beside_the_condition_that_was_asked_for():
    generator, discriminator = networks()
    labels = torch.arange(30) % CONDITION
    samples = generator(torch.randn(30, 128), labels)
    assert samples.shape == (30, WIDTH) and discriminator(samples, labels).shape == (30,)
    assert torch.equal(samples[:, ROW:].argmax(dim=1), labels)
    for start, width in ((1, 3), (4, 2), (6, 4)):  # float32 rounds sums of a softmax by about 1e-7
        torch.testing.assert_close(samples[:, start : start + width].sum(dim=1), torch.ones(30))


def test_rows_of_a_pack_share_a_logit_and_a_rest_is_filled_up():
    _, discriminator = networks()
    logits = discriminator.eval()(torch.randn(23, WIDTH), torch.zeros(23))
    assert logits.shape == (23,) and len(logits.unique()) == 3
    assert len(logits[:10].unique()) == len(logits[10:20].unique()) == 1


def test_conditions_are_drawn_by_the_logarithm_of_their_frequency():
    values = np.array([0, 0, 0, 1])
    encoded = np.zeros((4, ROW), dtype=np.float32)
    encoded[np.arange(4), 4 + values] = encoded[:, 6] = 1
    samples, labels, weights = ours.with_conditions(encoded, ours.conditions_of(LAYOUT))
    assert samples.shape == (8, WIDTH) and (samples[np.arange(8), ROW + labels] == 1).all()
    drawn = np.bincount(labels, weights=weights, minlength=CONDITION)
    assert drawn[:2] == pytest.approx(np.log([4, 2]) / np.log(8))  # log(1 + 3 rows) and log(1 + 1 row), of their sum
    assert drawn[2:] == pytest.approx([1, 0, 0, 0])  # of the other column all rows have the first value


def test_the_generator_descends_the_cross_entropy_of_what_was_asked_for_too():
    generator, _ = networks()
    latents, labels = torch.randn(20, 128), torch.arange(20) % CONDITION
    last = generator.body[-1].weight
    samples = generator(latents, labels)
    (gradient,) = torch.autograd.grad(0 * samples.sum(), last)
    with torch.no_grad():  # batch normalisation of the same batch
        inputs = torch.cat([latents, generator.one_hot[labels]], dim=1)
    expected = torch.nn.functional.cross_entropy
    logits = generator.body(inputs)
    asked = [(4, 2, 0), (6, 4, 2)]
    terms = [
        expected(logits[index, start : start + width], labels[index] - first)
        for index in range(20)
        for start, width, first in asked
        if first <= labels[index] < first + width
    ]
    (wanted,) = torch.autograd.grad(torch.stack(terms).mean(), last)
    torch.testing.assert_close(gradient, wanted)


def test_the_penalty_is_that_of_packs_in_the_units_of_the_encoded_rows():
    spread = torch.linspace(0.5, 2, WIDTH)
    _, discriminator = networks(spread)
    discriminator.eval()
    forward = SimpleNamespace(
        real=torch.randn(20, WIDTH),
        fake=torch.randn(20, WIDTH),
        randomness=torch.Generator().manual_seed(0),
        discriminator=lambda samples: discriminator(samples, torch.zeros(len(samples))),
    )
    found = ours.packed_wgan_gp(spread=spread).per_sample(forward)
    fraction = torch.rand(2, generator=torch.Generator().manual_seed(0))[:, None, None]
    real, fake = ((side * spread).reshape(2, 10, WIDTH) for side in (forward.real, forward.fake))
    packs = (fake + fraction * (real - fake)).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator.body(packs.flatten(start_dim=1)).sum(), packs)
    torch.testing.assert_close(found, (gradient.flatten(start_dim=1).norm(dim=1) - 1).square())


def test_a_row_is_the_median_ratio_of_steps_per_cpu_second():
    facts = {
        "setup_cpu_seconds": 1.0,
        "torch": "2",
        "ctgan": "0.12.1",
        "row_width": ROW,
        "condition_width": CONDITION,
        "generator_weights": 5,
        "discriminator_weights": 7,
    }
    seconds = {"ctgan": [6.0, 8.0, 10.0], "loop": [4.0, 4.0, 4.0]}
    found = tables_speed.row("loop", seconds, {"ctgan": facts, "loop": facts}, steps=40)
    assert found["value"] == 2 and found["is_met"] and not found["is_beyond"]
    assert [found["p5"], found["p95"]] == pytest.approx([1.55, 2.45])  # linear between 1.5, 2 and 2.5
    assert found["of_all_rounds"] == 2
    assert found["milliseconds_a_step"] == {"ctgan": 200.0, "loop": 100.0}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_networks_of_other_sizes_are_not_compared():
    facts = dict.fromkeys(tables_speed.EQUAL, 5)
    tables_speed.require_equal(facts, dict(facts))
    with pytest.raises(SystemExit, match="generator_weights 6 and 5"):
        tables_speed.require_equal(facts, facts | {"generator_weights": 6})


@pytest.mark.parametrize("peers", [None, Path("no") / "python"])
def test_without_a_python_that_has_ctgan_the_message_says_what_to_install(peers):
    with pytest.raises(SystemExit, match="pip install ctgan==0.12.1"):
        tables_speed.require_peers(peers)


def test_a_worker_takes_the_steps_that_it_is_told_to_and_answers_with_their_cpu_seconds():
    answers, now = [], iter([10.0, 13.0, 20.0, 27.0])
    requests = io.StringIO('{"steps": 40}\n{"steps": 80}\n')
    taken = list(tables_speed_worker.rounds(answers.append, {"x": 1}, requests=requests, clock=lambda: next(now)))
    assert taken == [40, 80]
    assert answers == [
        {"ready": True, "x": 1},
        {"steps": 40, "cpu_seconds": 3.0},
        {"steps": 80, "cpu_seconds": 7.0},
    ]
