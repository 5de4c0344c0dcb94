"""Rows that belong together: no split puts some of a group into training and others into tests."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from equipoise.cli.main import app
from equipoise.data import PARTS, DataOptions, load, prepare
from equipoise.errors import DataError, EquipoiseError
from equipoise.experiment.train import fit
from equipoise.experiment.weighted_density import thinned_rows


def visits(patients: int = 300, seed: int = 0) -> pd.DataFrame:
    """Several visits of each patient, shuffled; a patient's own level is in every visit."""
    numbers = np.random.default_rng(seed)
    times = numbers.integers(1, 8, patients)
    patient = numbers.permutation(np.repeat(np.arange(patients), times))
    level = numbers.normal(size=patients)[patient]
    frame = pd.DataFrame({"patient": [f"p{k}" for k in patient], "level": level})
    return frame.assign(value=level + numbers.normal(size=len(patient)), kind=numbers.choice(["a", "b"], len(patient)))


FRAME = visits()


def test_no_group_is_in_two_parts_and_the_column_is_taken_out():
    for seed in range(5):
        found = prepare(load(FRAME, options=DataOptions(group="patient")), seed=seed)
        parts = [set(FRAME["patient"].iloc[found.split.part(name)]) for name in PARTS]
        assert sum(map(len, parts)) == FRAME["patient"].nunique()
        assert list(found.raw.values.columns) == ["level", "value", "kind"]
        # A part is its share of the rows to half of the largest group, whatever the sizes of the groups.
        assert abs(len(found.split.train) - 0.8 * len(FRAME)) <= found.split.largest_group
    assert "one 'patient' fall on one side" in found.describe()["split"]["rule"]


def test_without_groups_patients_are_split_between_the_parts():
    found = prepare(load(FRAME.drop(columns="patient")), seed=0)
    parts = [set(FRAME["patient"].iloc[found.split.part(name)]) for name in PARTS]
    assert sum(map(len, parts)) > FRAME["patient"].nunique()


def test_equal_rows_and_rows_of_one_group_both_stay_together():
    frame = FRAME.copy()
    twins = frame.index[frame["patient"] == "p1"][:1], frame.index[frame["patient"] == "p2"][:1]
    frame.loc[twins[1], ["level", "value", "kind"]] = frame.loc[twins[0], ["level", "value", "kind"]].to_numpy()
    found = prepare(load(frame, options=DataOptions(group="patient")), seed=0)
    part = {name: set(frame["patient"].iloc[found.split.part(name)]) for name in PARTS}
    assert any({"p1", "p2"} <= patients for patients in part.values())


def test_groups_are_part_of_the_fingerprint():
    other = FRAME.assign(patient=FRAME["patient"].sample(frac=1, random_state=0).to_numpy())
    names = {prepare(load(each, options=DataOptions(group="patient")), seed=0).fingerprint for each in (FRAME, other)}
    assert len(names) == 2


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    settings = ["data.group=patient", "outputs.final_verdict=false", "evaluations.count=0", "training.batch_size=16"]
    return fit(FRAME, steps=2, settings=settings, outdir=tmp_path_factory.mktemp("groups") / "run")


def test_the_referee_tests_on_one_row_of_each_group(run):
    for name in ("selection", "final"):
        rows = thinned_rows(run.config, run.data, name)
        patients = FRAME["patient"].iloc[run.data.split.part(name)]
        assert sorted(FRAME["patient"].iloc[rows]) == sorted(patients.unique())
    assert len(thinned_rows(run.config, run.data, "train")) == len(run.data.split.train)


def test_the_row_of_a_group_is_drawn_at_random():
    sizes = FRAME["patient"].value_counts()
    first = FRAME.groupby("patient").head(1).index
    settings = ["data.group=patient", "outputs.final_verdict=false", "evaluations.count=0", "training.batch_size=16"]
    from equipoise.experiment.prepare import plan_run

    is_first, chance = [], []
    for seed in range(8):
        planned = plan_run(FRAME, steps=2, seed=seed, settings=settings)
        rows = thinned_rows(planned.config, planned.data, "final")
        is_first += list(np.isin(rows, first))
        chance += list(1 / sizes[FRAME["patient"].iloc[rows]].to_numpy())
    # Independent draws: the number of first rows is within four standard errors of its expectation.
    error = np.sqrt(np.sum(np.array(chance) * (1 - np.array(chance))))
    assert abs(np.sum(is_first) - np.sum(chance)) < 4 * error


@pytest.mark.parametrize(
    ("frame", "options", "reason"),
    [
        (FRAME, {"group": "patents"}, "Did you mean 'patient'"),
        (FRAME.assign(patient=FRAME["patient"].mask(FRAME.index == 5)), {"group": "patient"}, "have no value in"),
        (FRAME.assign(patient=FRAME["kind"]), {"group": "patient"}, "has 2 different values"),
        (FRAME.assign(patient=range(len(FRAME))), {"group": "patient"}, "every row has its own value"),
    ],
)
def test_groups_that_are_none_are_refused(frame, options, reason):
    with pytest.raises(DataError) as refusal:
        load(frame, options=DataOptions(**options))
    assert reason in str(refusal.value)


def test_groups_of_what_is_no_table_are_refused():
    with pytest.raises(DataError, match="Expected a table"):
        load(np.random.default_rng(0).normal(size=(50, 2)), options=DataOptions(group="patient"))


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"tables": {"a": {"columns": {}}, "b": {"columns": {}}}, "relationships": [{"x": 1}]}, "linked tables (a, b)"),
        ({"tables": {"a": {"columns": {}, "sequence_key": "patient"}}}, "sequences (by 'patient')"),
        ({"columns": {"level": {"sdtype": "numerical"}}, "sequence_index": "day"}, "sequences (by 'day')"),
    ],
)
def test_sequences_and_linked_tables_are_refused_by_name(tmp_path, metadata, reason):
    data, kinds = tmp_path / "visits.csv", tmp_path / "metadata.json"
    FRAME.to_csv(data, index=False)
    kinds.write_text(json.dumps(metadata))
    result = CliRunner().invoke(app, ["inspect", str(data), "--columns", str(kinds)])
    assert result.exit_code == 2 and reason in result.stderr


def test_groups_are_asked_for_on_the_command_line(tmp_path):
    data = tmp_path / "visits.csv"
    FRAME.to_csv(data, index=False)
    result = CliRunner().invoke(app, ["train", str(data), "--group", "patient", "--steps", "2", "--dry-run"])
    assert result.exit_code == 0 and "group: patient" in result.stdout
    result = CliRunner().invoke(app, ["train", str(data), "--group", "patience", "--steps", "2", "--dry-run"])
    assert result.exit_code == 2 and issubclass(DataError, EquipoiseError)
    assert "Did you mean 'patient'" in result.stderr
