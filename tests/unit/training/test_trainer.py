"""The loop: what it announces, when it stops, and that it never stores a run that has diverged."""

import pytest
import torch
from torch import nn

from equipoise.errors import PlayDiverged
from equipoise.game import AveragedWeights, Player, Schedule, UpdateRule
from equipoise.objectives import find
from equipoise.penalties import find as find_penalty
from equipoise.training import (
    BatchSource,
    CheckpointDue,
    Ended,
    EvaluationDue,
    Measured,
    Plan,
    SamplesDue,
    Stop,
    Trainer,
)
from equipoise.training.conditions import ClassLabels
from equipoise.training.histograms import BINS, logit_histogram
from equipoise.training.sampling import CHUNK, SUB_BATCH, joined, sample_batches


class Logit(nn.Module):
    """A discriminator of plain modules, as somebody else would write it."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, samples):
        return self.body(samples).squeeze(1)


def trainer(steps=12, *, objective="relativistic", rate=1e-3, handlers=(), batch_size=16, **plan):
    torch.manual_seed(0)
    generator, discriminator = nn.Linear(3, 2), Logit()
    return Trainer(
        discriminator=Player(discriminator, torch.optim.Adam(discriminator.parameters(), lr=rate, betas=(0.0, 0.99))),
        generator=Player(
            generator,
            torch.optim.Adam(generator.parameters(), lr=rate, betas=(0.0, 0.99)),
            average=AveragedWeights(generator),
        ),
        objective=find(objective)(),
        penalties=[find_penalty("r1")(0.1)],
        batches=BatchSource(torch.randn(64, 2), latent_dimensions=3, batch_size=batch_size, updates_per_step=2, seed=0),
        plan=Plan(steps=steps, **plan),
        handlers=handlers,
    )


def test_events_come_when_they_were_planned():
    seen = []
    trainer(handlers=[seen.append], measure_every=5, sample_steps=frozenset({3}), checkpoint_every=6).run()
    steps = {
        kind: [event.step for event in seen if isinstance(event, kind)]
        for kind in (Measured, SamplesDue, CheckpointDue, Ended)
    }
    assert steps == {Measured: [1, 5, 10, 12], SamplesDue: [3, 12], CheckpointDue: [6, 12], Ended: [12]}
    assert seen[-1].is_complete


def test_a_look_comes_when_planned_and_before_the_checkpoint_of_its_step():
    seen = []
    trainer(handlers=[seen.append], evaluation_steps=frozenset({6, 9}), checkpoint_every=6).run()
    order = [(type(event), event.step) for event in seen if isinstance(event, (EvaluationDue, CheckpointDue))]
    assert order == [(EvaluationDue, 6), (CheckpointDue, 6), (EvaluationDue, 9), (CheckpointDue, 12)]


def test_a_measured_row_describes_the_step_with_finite_numbers():
    seen = []
    trainer(handlers=[seen.append]).run()
    row = next(event.row for event in seen if isinstance(event, Measured) and event.step == 12)
    assert row["samples_seen"] == 12 * 2 * 16
    assert row["value_standard_error"] > 0
    assert row["penalty"].keys() == row["penalty_weight"].keys() == {"r1"}
    assert row["gradient_norm"]["generator"] > 0
    assert sum(row["histogram"]["real"]) == 16


def test_saturation_is_measured_in_the_last_row_and_in_no_ordinary_step():
    seen = []
    trainer(handlers=[seen.append], measure_every=3).run()
    rows = [event.row for event in seen if isinstance(event, Measured)]
    assert [row["step"] for row in rows if "saturation" in row] == [12]
    assert rows[-1]["saturation"]["mean_probability_fake"] is not None


def test_a_batch_of_one_has_a_value_but_no_standard_error():
    seen = []
    trainer(handlers=[seen.append], batch_size=1).run()
    row = seen[0].row
    assert row["value"] < 0
    assert row["value_standard_error"] is None


def test_a_request_to_stop_ends_play_after_the_step_with_a_checkpoint():
    seen = []
    game = trainer(steps=1000, handlers=[seen.append], measure_every=4)
    game.run([lambda event: Stop() if isinstance(event, Measured) and event.step == 8 else None])
    assert game.step == 8
    assert [type(event) for event in seen[-2:]] == [CheckpointDue, Ended]
    assert not seen[-1].is_complete


def test_a_handler_that_says_the_goal_is_reached_makes_the_run_complete_whatever_others_answer_after_it():
    seen = []
    game = trainer(steps=1000, measure_every=4)
    answers = [Stop(goal="enough"), Stop()]
    game.run([lambda event, answer=answer: answer if isinstance(event, Measured) else None for answer in answers])
    game.run([seen.append])
    assert game.goal_reached == "enough" and seen[-1] == Ended(1, is_complete=True)


def test_the_state_says_the_learning_rate_of_the_step_taken_last_with_what_rollbacks_have_lowered():
    game = trainer(rate=1e-3)
    game.learning_rate, game.lr_backoff = Schedule("linear", 0.1), 0.5
    for _ in range(5):
        game.train_step()
    assert game.state.learning_rate < 0.5 * 0.9
    assert game.discriminator.learning_rate == pytest.approx(1e-3 * game.state.learning_rate)


def test_an_event_that_asks_for_work_carries_the_state_after_its_step():
    seen = []
    game = trainer(handlers=[seen.append], sample_steps=frozenset({3}))
    game.run()
    states = [event.state for event in seen if isinstance(event, (SamplesDue, CheckpointDue))]
    assert [state.step for state in states] == [3, 12, 12]
    assert states[0].players == game.players and states[0].sampled_generator is game.generator.average.network


def test_play_that_leaves_the_finite_numbers_is_named_before_anything_is_stored():
    seen = []
    game = trainer(steps=50, handlers=[seen.append], rate=1e30, checkpoint_every=1, measure_every=50)
    with pytest.raises(PlayDiverged) as caught:
        game.run()
    message = str(caught.value)
    assert "relativistic" in message and "step" in caught.value.where and "learning rate" in message
    stored = [event.step for event in seen if isinstance(event, CheckpointDue)]
    assert all(step < game.step for step in stored)


def test_a_moment_that_became_infinite_is_named_with_its_parameter_before_a_checkpoint_is_announced():
    """A gradient that float32 holds and whose square it does not: losses and weights stay finite."""
    seen = []
    game = trainer(steps=20, handlers=[seen.append], checkpoint_every=6)
    weight = game.discriminator.network.body[2].weight
    weight.register_hook(lambda gradient: gradient + 1e25 if game.step == 7 else gradient)
    with pytest.raises(PlayDiverged) as caught:
        game.run()
    assert (caught.value.step, caught.value.player, caught.value.layer) == (12, "discriminator", "body.2.weight")
    assert "exp_avg_sq" in str(caught.value) and "body.2.weight" in str(caught.value)
    assert [event.step for event in seen if isinstance(event, CheckpointDue)] == [6]
    assert all(torch.isfinite(parameter).all() for parameter in game.discriminator.parameters)


def test_a_signal_ends_play_before_its_first_step_and_whatever_handlers_ask():
    seen = []
    game = trainer(handlers=[seen.append])
    game.stop_asked = True
    game.run()
    assert game.step == 0 and [type(event) for event in seen] == [CheckpointDue, Ended]


def test_a_wasserstein_game_needs_no_real_logits_for_its_generator():
    game = trainer(objective="wasserstein")
    game.run()
    assert game.step == 12


def test_batches_depend_on_seed_and_step_alone():
    real = torch.arange(20.0).reshape(10, 2)
    first = BatchSource(real, latent_dimensions=3, batch_size=4, updates_per_step=2, seed=1)
    second = BatchSource(real, latent_dimensions=3, batch_size=4, updates_per_step=2, seed=1)
    list(map(first.at, range(5)))
    for one, other in zip(first.at(5), second.at(5), strict=True):
        assert torch.equal(one.real, other.real) and torch.equal(one.latents, other.latents)
    other_seed = BatchSource(real, latent_dimensions=3, batch_size=4, updates_per_step=2, seed=2)
    assert not torch.equal(first.at(5)[0].latents, other_seed.at(5)[0].latents)


def test_every_turn_of_a_step_has_a_batch_of_its_own():
    source = BatchSource(
        torch.randn(50, 2),
        latent_dimensions=3,
        batch_size=4,
        updates_per_step=UpdateRule(n_critic=3).updates_per_step,
        seed=0,
    )
    batches = source.at(0)
    assert len(batches) == 4
    assert len({tuple(batch.latents.flatten().tolist()) for batch in batches}) == 4


def test_more_samples_begin_with_the_same_ones():
    generator = nn.Linear(3, 2)
    few, _ = joined(sample_batches(generator, 10, latent_dimensions=3, seed=5))
    many, _ = joined(sample_batches(generator, CHUNK + 10, latent_dimensions=3, seed=5))
    assert torch.equal(few, many[:10])
    assert not torch.equal(many[:10], many[CHUNK:])


@pytest.mark.parametrize("sample_numbers", [2, 2000])
def test_batches_of_samples_are_the_samples_bit_for_bit(sample_numbers):
    generator = nn.Linear(3, 2)
    options = {"latent_dimensions": 3, "seed": 5, "sample_numbers": sample_numbers}
    whole, _ = joined(sample_batches(generator, CHUNK + 100, **options))
    batches = [samples for samples, _ in sample_batches(generator, CHUNK + 100, **options)]
    assert torch.equal(torch.cat(batches), whole) and not whole.requires_grad
    assert len(batches[0]) == (CHUNK if sample_numbers == 2 else SUB_BATCH)
    endless = sample_batches(generator, None, **options)
    assert all(torch.equal(next(endless)[0], batch) for batch in batches[:-1])


def test_classes_come_with_their_shares_or_as_asked():
    class Labelled(nn.Module):
        def forward(self, latents, labels):
            return latents + labels[:, None]

    shares = torch.tensor([0.2, 0.8])
    _, labels = joined(sample_batches(Labelled(), 4000, latent_dimensions=1, seed=0, condition=ClassLabels(shares)))
    # Five standard errors of a share of 0.8 among 4,000: 5 * sqrt(0.16 / 4000) = 0.032.
    assert labels.float().mean().item() == pytest.approx(0.8, abs=0.032)
    _, labels = joined(sample_batches(Labelled(), 50, latent_dimensions=1, seed=0, condition=ClassLabels(shares, 0)))
    assert labels.tolist() == [0] * 50


@pytest.mark.parametrize("as_probability", [True, False])
def test_histograms_count_every_logit_once(as_probability):
    real, fake = torch.tensor([-1000.0, 0.0, 1000.0]), torch.tensor([3.0, 3.0])
    found = logit_histogram(real, fake, as_probability=as_probability)
    assert (sum(found["real"]), sum(found["fake"])) == (3, 2)
    assert len(found["edges"]) == BINS + 1


def test_a_histogram_of_equal_logits_has_a_bin_for_them():
    found = logit_histogram(torch.zeros(4), torch.zeros(4), as_probability=False)
    assert sum(found["real"]) == sum(found["fake"]) == 4
