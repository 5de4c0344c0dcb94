"""Times of day from a CSV file through a whole run: trained, sampled, asked for, filled, compared; and an older run."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import equipoise as eq
from equipoise.cli.main import app
from equipoise.errors import InputError

pytestmark = pytest.mark.usefixtures("undrawn")
ROWS = 400
QUICK = ("evaluations.count=0", "outputs.final_verdict=false", "outputs.samples=1", "training.batch_size=16")
READ_TIMES = "equipoise.data.tables.reading.read_times"


def shifts() -> pd.DataFrame:
    stream = np.random.default_rng(0)
    starts, ends = 5 * stream.integers(72, 120, ROWS), 30 * stream.integers(24, 44, ROWS)
    return pd.DataFrame(
        {
            "start": pd.Series([f"{k // 60}:{k % 60:02d}" for k in starts]).mask(stream.random(ROWS) < 0.1),
            "end": [f"{k // 60 - 12 * (k >= 780):02d}:{k % 60:02d} {'AM' if k < 720 else 'PM'}" for k in ends],
            "team": stream.choice(["a", "b"], ROWS),
        }
    )


def run_on(folder, **asked):
    folder.mkdir(exist_ok=True)
    shifts().to_csv(folder / "shifts.csv", index=False)
    return eq.fit(folder / "shifts.csv", steps=2, seed=0, settings=[*QUICK], outdir=folder / "run", **asked)


@pytest.fixture(scope="module")
def gan(tmp_path_factory):
    return run_on(tmp_path_factory.mktemp("times"))


def invoke(*words: object) -> str:
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exit_code == 0, done.output
    return done.output


def minutes(texts: pd.Series) -> np.ndarray:
    moments = pd.to_datetime(texts.dropna(), format="mixed")
    return (60 * moments.dt.hour + moments.dt.minute).to_numpy()


def test_samples_are_written_as_the_training_rows_are(gan, tmp_path):
    invoke("sample", gan.folder, "-n", 500, "--seed", 1, "-o", tmp_path / "new.csv")
    made = pd.read_csv(tmp_path / "new.csv", dtype=str)
    assert made["start"].dropna().map(lambda text: bool(re.fullmatch(r"[69]:[0-5][05]|[78]:[0-5][05]", text))).all()
    assert made["end"].map(lambda text: bool(re.fullmatch(r"(0[1-9]|1[0-2]):[03]0 [AP]M", text))).all()
    assert made["start"].isna().any() and set(minutes(made["start"])) <= set(range(360, 600, 5))
    assert set(minutes(made["end"])) <= set(range(720, 1320, 30))


def test_rows_under_a_condition_obey_it(gan, tmp_path):
    where = "start >= '09:00' and '1:00 PM' <= end < '18:30'"
    invoke("sample", gan.folder, "-n", 50, "--where", where, "-o", tmp_path / "some.csv")
    made = pd.read_csv(tmp_path / "some.csv", dtype=str)
    assert (minutes(made["start"]) >= 540).all() and len(made["start"].dropna()) == 50
    assert ((minutes(made["end"]) >= 780) & (minutes(made["end"]) < 1110)).all()


def test_given_times_stay_and_the_rest_of_a_row_is_filled(gan, tmp_path):
    given = pd.DataFrame({"start": ["8:05", None, "09:00"], "team": ["a", "b", None]})
    given.to_csv(tmp_path / "given.csv", index=False)
    for found in (gan.impute(given, seed=1), gan.impute(pd.read_csv(tmp_path / "given.csv"), seed=1)):
        assert [str(found["start"].iloc[row]) for row in (0, 2)] == ["8:05", "9:00"]
        assert found["end"].notna().all()
    with pytest.raises(InputError, match=r"column 'start', row 0: '25:10' is no value of this column(.|\n)*'time'"):
        gan.impute(pd.DataFrame({"start": ["25:10"]}))
    with pytest.raises(InputError, match="no row of the training data has the value"):
        gan.impute(pd.DataFrame({"start": ["23:55"]}))


def test_a_resumed_run_has_the_same_data_and_goes_on(gan, tmp_path):
    own = run_on(tmp_path)
    output = invoke("resume", own.folder, "--steps", 3)
    assert "have changed" not in output and "finished at step 3" in output


def test_a_report_on_a_table_reads_times_of_both_files(gan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where the reports are written
    invoke("sample", gan.folder, "-n", 400, "--seed", 1, "-o", tmp_path / "new.csv")
    shifts().to_csv(tmp_path / "shifts.csv", index=False)
    output = invoke("report-table", tmp_path / "shifts.csv", tmp_path / "new.csv")
    assert "columns" in output and "no time of day" not in output
    made = pd.read_csv(tmp_path / "new.csv", dtype=str)
    made["end"] = made["end"].mask(made.index < 30, "25:10")
    made.to_csv(tmp_path / "odd.csv", index=False)
    output = invoke("report-table", tmp_path / "shifts.csv", tmp_path / "odd.csv")
    assert re.search(r"30 rows of \S*odd\.csv hold no time of day in 'end', such as '25:10'", output)


def test_a_run_from_before_keeps_its_categories(tmp_path, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(READ_TIMES, lambda texts, rules, say: None)
        old = run_on(tmp_path)
    assert [kind.kind for kind in old.encoder.types] == ["category"] * 3
    output = invoke("resume", old.folder, "--steps", 3)
    assert "have changed" not in output and "finished at step 3" in output
    again = eq.load(old.folder)
    assert [kind.kind for kind in again.encoder.types] == ["category"] * 3
    rows = again.sample(200, seed=1)
    assert set(rows["end"]) <= set(shifts()["end"]) and isinstance(rows["end"].iloc[0], str)
    with pytest.raises(InputError, match="names have no order"):
        again.sample(5, where="end >= '01:00 PM'")
