"""`equipoise report-table`: what it prints and writes, and what it says of tables that cannot be measured."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write frames as CSV files into the working directory."""
    monkeypatch.chdir(tmp_path)

    def files(**frames):
        for name, frame in frames.items():
            frame.to_csv(tmp_path / f"{name}.csv", index=False)

    return files


MANY = [place % 50 for place in range(300)]
NAMES = ("real", "fake", "train", "unused")


def rows(seed, count=300):
    stream = np.random.default_rng(seed)
    number = stream.normal(size=count)
    return pd.DataFrame(
        {"a": number.round(3), "b": (number + stream.normal(size=count)).round(3), "c": np.where(number > 0, "y", "n")}
    )


def test_a_report_answers_first_and_writes_a_page_that_holds_no_real_row(equipoise, write, tmp_path):
    frames = {name: rows(seed).assign(a=lambda x: x["a"] * 1e4 + 0.123) for seed, name in enumerate(NAMES)}
    write(**frames)
    found = equipoise("report-table", "real.csv", "fake.csv", "--train", "train.csv", "--unused", "unused.csv")
    assert found.code == 0
    assert found.out.startswith("Can I use this? Yes.")
    assert "'c' was taken for the target" in found.out
    assert "no differential privacy" in found.out
    assert "measuring: privacy" in found.err
    page = (tmp_path / "fake-report.html").read_text(encoding="utf-8")
    assert "Can I use this?" in page
    assert "no differential privacy" in page
    text = page.replace(",", "")
    values = [f"{value:.3f}" for frame in frames.values() for value in frame["a"]]
    assert not [value for value in values if value in text]


def test_json_is_one_object_with_all_three_references(equipoise, write, tmp_path):
    write(real=rows(0), fake=rows(1), unused=rows(3))
    found = equipoise("report-table", "real.csv", "fake.csv", "--unused", "unused.csv", "--target", "b", "--json", "-q")
    assert found.err == ""
    assert list(found.json["aucs"]) == [
        "synthetic",
        "unused real rows",
        "independent columns",
        "copy of training rows",
    ]
    assert found.json["usefulness"]["metric"] == "R2"
    assert found.json["privacy"]["copies"]["copy of training rows"]["value"] == 1
    assert not (tmp_path / "fake-report.html").exists()


def test_who_copies_the_real_rows_is_told_not_to_share(equipoise, write):
    write(real=rows(0), copy=rows(0), unused=rows(3))
    found = equipoise("report-table", "real.csv", "copy.csv", "--unused", "unused.csv", "-q")
    assert found.out.startswith("Can I use this? Not to share.")
    assert "exact copies" in found.out


def test_without_roles_the_halves_stand_in_and_the_page_says_what_is_not_known(equipoise, write):
    write(real=rows(0), fake=rows(1))
    found = equipoise("report-table", "real.csv", "fake.csv", "-q")
    assert "Nobody said which rows the generator was trained on" in found.out
    assert "Whether it is safe to share was not measured" in found.out


@pytest.mark.parametrize(
    ("frames", "options", "said"),
    [
        ({"real": rows(0, 12), "fake": rows(1)}, (), "there are 12 rows"),
        ({"real": rows(0), "fake": rows(1, 3)}, (), "there are 3 rows"),
        ({"real": rows(0), "fake": rows(1).drop(columns="b")}, (), "lacks the column 'b'"),
        ({"real": rows(0), "fake": rows(1).assign(d=1)}, (), "has the column 'd' besides"),
        ({"real": rows(0), "fake": rows(1)}, ("--target", "inc"), "there is no column 'inc'"),
        ({"real": rows(0).assign(k=1), "fake": rows(1).assign(k=1)}, ("--target", "k"), "one value or none"),
        ({"real": rows(0), "fake": rows(1)}, ("-o", "nowhere/page.html"), "there is no folder nowhere"),
        ({"real": rows(0), "fake": rows(1)}, ("--last",), "tables have no checkpoints"),
        ({"real": rows(0), "fake": rows(1)}, ("--train", "none.csv"), "none.csv"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_its_own_words(equipoise, write, frames, options, said):
    write(**frames)
    found = equipoise("report-table", "real.csv", "fake.csv", "-q", *options)
    assert found.code == 2
    assert said in found.err
    assert "Traceback" not in found.err


def test_one_source_is_no_report(equipoise, write):
    write(real=rows(0))
    found = equipoise("report-table", "real.csv")
    assert found.code == 2
    assert "Expected a run folder, or two tables" in found.err


@pytest.mark.parametrize(
    ("real", "fake", "said"),
    [
        (rows(0)[["a"]], rows(1)[["a"]], "one column only"),
        (rows(0).assign(e=np.nan), rows(1).assign(e=np.nan), "Without any real value"),
        (rows(0).assign(k=7), rows(1).assign(k=7), "The same value in every real row: 'k'"),
        (rows(0).assign(m=MANY), rows(1).assign(m=[*MANY[:295], *["unknown"] * 5]), "hold no number in 'm'"),
        (rows(0, 60), rows(1, 60), "Too few rows to train boosted trees on"),
    ],
    ids=["one column", "all missing", "constant", "mixed types", "few rows"],
)
def test_unusual_tables_are_measured_as_far_as_they_can_be_and_the_rest_is_said(equipoise, write, real, fake, said):
    write(real=real, fake=fake)
    found = equipoise("report-table", "real.csv", "fake.csv", "-q")
    assert found.code == 0, found.err
    assert said in found.out
    assert "nan" not in found.out


def test_kinds_that_a_file_states_hold_for_both_sides_of_a_judgement_and_of_a_report(equipoise, write, tmp_path):
    codes = [rows(seed).assign(z=np.random.default_rng(seed).choice([10115, 20095, 80331], 300)) for seed in (0, 1)]
    write(real=codes[0], fake=codes[1])
    (tmp_path / "kinds.yaml").write_text("z: category\na: drop\n")
    found = equipoise("report-table", "real.csv", "fake.csv", "--columns", "kinds.yaml", "--json", "-q").json
    assert {row["column"]: row["metric"] for row in found["shapes"]["synthetic"]} == {
        "b": "KSComplement",
        "c": "TVComplement",
        "z": "TVComplement",
    }
    judged = equipoise("judge", "real.csv", "fake.csv", "--columns", "kinds.yaml", "--json")
    assert judged.code in (0, 11)
    assert equipoise("judge", "real.csv", "fake.csv", "--columns", "none.yaml").code == 2


def test_a_run_has_its_columns_and_takes_no_file_of_kinds(equipoise, write, tmp_path):
    (tmp_path / "kinds.yaml").write_text("z: category\n")
    found = equipoise("judge", "runs/none", "--columns", "kinds.yaml")
    assert found.code == 2
    assert "a run has its columns already" in found.err
