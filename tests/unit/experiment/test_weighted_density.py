"""A weighted run is judged against the density that it was asked for."""

import numpy as np
import pandas as pd
import pytest

from equipoise.experiment.judge.run_folder import judge_run
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.train import train_planned
from equipoise.experiment.weighted_density import sampled_weights, thinned_part
from equipoise.runfolder import open_run_folder

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = ["training.batch_size=8", "networks.generator.width=8", "networks.discriminator.width=8", "runtime.threads=1"]


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    kind = np.where(rng.random(4000) < 0.8, "common", "rare")
    frame = pd.DataFrame({"a": rng.normal(size=4000), "kind": kind, "w": rng.uniform(0.5, 1.0, size=4000)})
    frame["w"] *= np.where(frame["a"] > 0, 1.0, 0.25)
    frame.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


def planned(source, *settings):
    return plan_run(source, steps=4, settings=[*SMALL, *settings])


def test_thinned_rows_follow_the_weighted_density_and_none_comes_twice(table):
    plan = planned(table, "data.sample_weight=w")
    kept = thinned_part(plan.config, plan.data, "train").values["a"].to_numpy()
    weights, values = plan.data.train_weights(), plan.data.part("train").values["a"].to_numpy()
    expected = weights[values > 0].sum() / weights.sum()
    # About 1,500 rows stay, of a share near 0.8: five standard errors are 5 * 0.4 / 39 = 0.052.
    assert (kept > 0).mean() == pytest.approx(expected, abs=0.052)
    assert len(np.unique(kept)) == len(kept) < len(values)


def test_the_largest_weight_always_stays_and_weight_zero_never(table):
    frame = pd.read_csv(table)
    frame["w"] = (frame["a"] > 0).astype(float)
    frame.to_csv(table, index=False)
    plan = planned(table, "data.sample_weight=w")
    kept = thinned_part(plan.config, plan.data, "final").values["a"]
    whole = plan.data.part("final").values["a"]
    assert (kept > 0).all() and len(kept) == int((whole > 0).sum())


@pytest.mark.parametrize(("conditional", "share"), [(False, 0.5), (True, None)])
def test_balanced_classes_are_judged_as_they_are_sampled(table, conditional, share):
    plan = planned(table, "data.labels=kind", "data.balance=classes", f"networks.conditional={conditional}".lower())
    kept = thinned_part(plan.config, plan.data, "train").labels
    expected = plan.data.class_shares[1] if share is None else share
    # At least 1,200 rows stay: five standard errors of a half are 0.072.
    assert kept.mean() == pytest.approx(expected, abs=0.072)


def test_within_a_class_the_weights_count_and_the_shares_are_the_datas(table):
    plan = planned(table, "data.labels=kind", "data.sample_weight=w")
    assert plan.config.networks.conditional
    train = plan.data.split.train
    weights, labels = sampled_weights(plan.config, plan.data)[train], plan.data.train_labels().numpy()
    shares = np.bincount(labels, weights=weights) / weights.sum()
    assert shares == pytest.approx(plan.data.class_shares)
    own = plan.data.train_weights()
    rare = labels == 1
    assert weights[rare] / weights[rare].sum() == pytest.approx(own[rare] / own[rare].sum())


def test_an_evenly_drawn_run_is_judged_on_all_of_its_rows(table):
    plan = planned(table, "data.drop=[w]")
    assert sampled_weights(plan.config, plan.data) is None
    assert len(thinned_part(plan.config, plan.data, "final")) == len(plan.data.split.final)


def test_a_verdict_on_a_weighted_run_says_how_many_rows_stayed(table, tmp_path):
    plan = planned(table, "data.sample_weight=w", "outputs.final_verdict=false")
    folder = train_planned(plan, tmp_path / "run").folder
    judge_run(folder)
    (row,) = open_run_folder(folder).read_verdicts()
    assert row["thinned"]["of"] == len(plan.data.split.final) > row["thinned"]["kept"] > 0
