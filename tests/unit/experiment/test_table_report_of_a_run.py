"""What a finished run on a table says of its rows: measured on the selection part, or why it was not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import equipoise as eq
from equipoise.data.dataset import Dataset
from equipoise.experiment import table_report
from equipoise.experiment.config.outputs import OutputsConfig
from equipoise.experiment.table_report import report_table_of_gan, report_table_of_run
from equipoise.training.progress import Progress

QUIET = (
    "evaluations.count=0",
    "outputs.final_verdict=false",
    "outputs.samples=1",
    "training.batch_size=16",
    "runtime.threads=1",
)
MEASURED = (*QUIET, "outputs.table_report=true")


def rows(count: int, columns: int = 1) -> pd.DataFrame:
    stream = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{place}": stream.normal(size=count) for place in range(columns)})
    return frame.assign(group=stream.choice(["a", "b", "c"], count))


@pytest.fixture(scope="module")
def gan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    rows(1200).to_csv(folder / "rows.csv", index=False)
    return eq.fit(folder / "rows.csv", steps=3, outdir=folder / "run", settings=MEASURED)


@pytest.fixture(scope="module")
def run(gan) -> Path:
    return Path(gan.folder)


def test_a_finished_run_has_the_figures_of_its_rows_in_its_report(run):
    found = json.loads((run / "table_report.json").read_text())
    assert found["step"] == 3 and found["usefulness"]["target"]["name"] == "group"
    assert set(found["aucs"]) == {"synthetic", "unused real rows", "independent columns", "copy of training rows"}
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "The generated table: can it be used?" in page and "Beside three references" in page
    assert page.index("can it be used?") < page.index("<h2>The evidence</h2>")


def test_the_figures_are_of_the_selection_part_and_the_final_part_is_never_read(gan, run, monkeypatch):
    split = json.loads((run / "data.json").read_text())["split"]
    found = json.loads((run / "table_report.json").read_text())
    assert found["rows"]["real"] == split["selection"] and found["rows"]["train"] == split["train"]
    assert any("final part stays the verdict's alone" in note for note in found["notes"])
    read = []
    whole = Dataset.rows
    monkeypatch.setattr(Dataset, "rows", lambda self, numbers: read.append(numbers) or whole(self, numbers))
    final = set(gan.data.split.final.tolist())
    report_table_of_gan(gan, is_short=True)
    assert read and not any(final & set(np.asarray(numbers).tolist()) for numbers in read[-2:])


def test_after_training_few_rows_are_measured_and_the_command_measures_more(gan, run, monkeypatch):
    monkeypatch.setattr(table_report, "FEW_ROWS", 25)
    monkeypatch.setattr(table_report, "FEW_CELLS", 60)  # 30 rows of two columns
    monkeypatch.setattr(table_report, "FEW_PICTURES", 1)
    short, whole = report_table_of_gan(gan, is_short=True), report_table_of_run(run)
    assert (short.rows["compared"], whole.rows["compared"]) == (30, 60)
    assert (len(short.column_pictures), len(whole.column_pictures)) == (1, 2)


def test_too_few_rows_to_measure_are_said_and_are_no_failure(tmp_path):
    told: list[str] = []

    class Told(Progress):
        def message(self, text: str) -> None:
            told.append(text)

    eq.fit(rows(60), steps=2, outdir=tmp_path / "run", settings=MEASURED, progress=Told())
    found = json.loads((tmp_path / "run" / "table_report.json").read_text())
    assert "Expected at least 20" in found["why_not"]
    assert "It was not measured" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert any("how faithful, useful and private" in text for text in told)


def test_a_fault_while_it_is_measured_leaves_the_report_of_the_run(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(table_report, "measure_table", broken)
    with pytest.raises(ZeroDivisionError):
        eq.fit(rows(600), steps=2, outdir=tmp_path / "run", settings=MEASURED)
    assert (tmp_path / "run" / "report.html").is_file()


def test_points_have_no_such_report(tmp_path):
    eq.fit(np.random.default_rng(0).normal(size=(300, 2)), steps=2, outdir=tmp_path / "run", settings=MEASURED)
    assert not (tmp_path / "run" / "table_report.json").exists()


@pytest.mark.parametrize(
    ("verdict", "wanted", "measured"), [(True, None, True), (False, None, False), (True, False, False)]
)
def test_left_out_it_comes_with_the_verdict(verdict, wanted, measured):
    section = OutputsConfig(measure_every=1, checkpoint_every=1, final_verdict=verdict, table_report=wanted)
    assert section.measures_table is measured
