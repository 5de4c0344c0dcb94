"""Withheld rows: training rows that no batch has, by which an augmentation notices what is known by heart."""

import numpy as np
import pytest
import torch
from torch import nn

from equipoise.augmentation import WATCHED_EVERY
from equipoise.augmentation.differentiable import LOOKS, SPEED, differentiable, overfitting_of
from equipoise.errors import ConfigError
from equipoise.game import Player
from equipoise.objectives import find
from equipoise.training import BatchSource, Plan, Trainer
from equipoise.training.batches import withheld_rows
from equipoise.training.checkpoints import load_checkpoint, save_checkpoint


class Scorer(nn.Module):
    """One weight a pixel, enough to learn single pictures by heart."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 1)
        self.modes = []

    def forward(self, samples, labels=None):
        self.modes.append(self.training)
        return self.layer(samples.flatten(start_dim=1)).squeeze(1)


def game(*, rows=40, steps=12, **options):
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(3, 64), nn.Unflatten(1, (1, 8, 8)))
    discriminator = Scorer()
    part = differentiable(probability=0.5, overfitting=0.3, **options)
    return Trainer(
        discriminator=Player(discriminator, torch.optim.Adam(discriminator.parameters(), lr=0.05)),
        generator=Player(generator, torch.optim.Adam(generator.parameters(), lr=0.05)),
        objective=find("relativistic")(),
        batches=BatchSource(
            torch.randn(rows, 1, 8, 8),
            latent_dimensions=3,
            batch_size=16,
            updates_per_step=2,
            seed=0,
            withheld=part.withheld,
        ),
        plan=Plan(steps=steps, measure_every=1),
        augmentation=part,
    )


def source(rows=20, **options):
    return BatchSource(
        torch.arange(float(rows))[:, None], latent_dimensions=1, batch_size=7, updates_per_step=1, seed=3, **options
    )


@pytest.mark.parametrize(
    "options",
    [{}, {"weights": np.arange(1.0, 21.0)}, {"order": np.random.default_rng(0).permutation(20)}],
    ids=["shuffled", "weighted", "stratified"],
)
def test_no_batch_has_a_withheld_row_and_every_other_row_comes(options):
    batches = source(withheld=0.25, labels=torch.arange(20) // 4, **options)
    seen = [batches.batch(draw) for draw in range(60)]
    drawn = {int(value) for batch in seen for value in batch.real}
    assert len(batches.withheld) == 5 and drawn == set(range(20)) - set(batches.withheld.tolist())
    assert all(torch.equal(batch.real[:, 0].long() // 4, batch.labels) for batch in seen)
    assert all(np.array_equal(batches.rows(draw), seen[draw].real[:, 0].numpy()) for draw in range(60))
    looks = [batches.withheld_batch(look) for look in range(3)]
    assert all(set(samples[:, 0].tolist()) == set(batches.withheld.tolist()) for samples, _ in looks)
    assert all(torch.equal(samples[:, 0].long() // 4, labels) for samples, labels in looks)


def test_weights_of_the_rows_that_are_drawn_keep_their_importance():
    weights = np.arange(1.0, 21.0)
    batches = source(withheld=0.25, weights=weights)
    rows, importance = batches.rows(0), batches.importance(0).numpy()
    kept = np.setdiff1d(np.arange(20), batches.withheld)
    assert np.allclose(importance, weights[kept].mean() / weights[rows])


def test_every_class_keeps_a_row_to_learn_from():
    labels = torch.tensor([0] * 12 + [1] * 2 + [2])
    for seed in range(30):
        withheld, used = withheld_rows(15, share=0.5, seed=seed, labels=labels)
        assert len(withheld) == 8 and set(labels[used].tolist()) == {0, 1, 2}
    alone, _ = withheld_rows(4, share=0.5, seed=0, labels=torch.arange(4))
    assert len(alone) == 0


def test_nothing_is_withheld_unless_it_is_asked_for():
    plain = source()
    assert len(plain.withheld) == 0
    assert set(np.concatenate([plain.rows(draw) for draw in range(3)])) == set(range(20))


def test_overfitting_is_the_share_of_the_way_to_the_generated_side():
    def at(*values):
        return float(overfitting_of(*map(torch.tensor, values)))

    assert at(0.0, 2.0) == 0
    assert at(2.0, 2.0) == 1
    assert at(0.5, 2.0) == 0.25
    assert at(1.0, -1.0) == 0  # a discriminator that is wrong about both sides knows nothing by heart
    assert at(9.0, 0.1) == 2


@pytest.mark.parametrize(("withheld", "sign"), [(-1.0, 1), (1.0, -1)])
def test_the_probability_rises_while_withheld_rows_look_generated_and_falls_while_they_look_real(withheld, sign):
    part = differentiable(probability=0.5, overfitting=0.5)
    for _ in range(10):
        part.observe_withheld(torch.full((6,), 1.0), torch.full((3,), withheld), torch.full((6,), -1.0))
    assert part.strength(0, 10) == pytest.approx(0.5 + sign * 10 * WATCHED_EVERY * SPEED)


def test_one_odd_look_among_many_does_not_turn_the_probability():
    part = differentiable(probability=0.0, overfitting=0.5)
    real, fake = torch.ones(6), -torch.ones(6)
    for _ in range(2 * LOOKS):
        part.observe_withheld(real, -torch.ones(3), fake)
    before = part.strength(0, 10)
    part.observe_withheld(real, 3 * torch.ones(3), fake)
    assert part.strength(0, 10) > before


def test_every_few_steps_the_discriminator_is_asked_about_withheld_rows():
    trainer, rows = game(), []
    trainer.handlers = [lambda event: rows.append(event.row) if hasattr(event, "row") else None]
    trainer.run()
    assert float(trainer.augmentation.state["looks"]) == 12 / WATCHED_EVERY
    assert rows[-1]["overfitting"] == float(trainer.augmentation.state["overfitting"]) != 0
    assert rows[-1]["differentiable"] == trainer.augmentation.strength(0, 1) != 0.5


def test_looking_leaves_nothing_behind_in_the_discriminator():
    trainer = game()
    for _ in range(12):
        trainer.train_step()
    assert trainer.discriminator.network.modes.count(False) == 12 / WATCHED_EVERY
    assert trainer.discriminator.network.training


def test_a_resumed_run_goes_on_bit_for_bit(tmp_path):
    whole, begun, resumed = game(), game(), game()
    for _ in range(12):
        whole.train_step()
    for _ in range(6):
        begun.train_step()
    save_checkpoint(tmp_path, begun.state)
    load_checkpoint(tmp_path, resumed)
    for _ in range(6):
        resumed.train_step()
    assert torch.equal(resumed.discriminator.network.layer.weight, whole.discriminator.network.layer.weight)
    assert all(
        torch.equal(resumed.augmentation.state[name], tensor) for name, tensor in whole.augmentation.state.items()
    )


@pytest.mark.parametrize(
    "options",
    [{"overfitting": 0.5, "target": 0.2}, {"overfitting": 1.5}, {"overfitting": 0.5, "withheld": 0.0}],
)
def test_what_cannot_move_one_probability_is_refused(options):
    with pytest.raises(ConfigError, match=r"(?s)overfitting.*Expected an overfitting between 0 and 1"):
        differentiable(**options)
