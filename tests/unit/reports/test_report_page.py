"""One page from a run folder in any state: whole, small, escaped, and never saying more than was shown."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from page_checks import HOSTILE, checked, text_of
from PIL import Image
from synthetic_runs import build_run, write, write_lines

from equipoise.errors import RunFolderError
from equipoise.referee.verdict_text import distance_sentence, verdict_sentence
from equipoise.reports import write_report
from equipoise.reports.page import MOST_BYTES
from equipoise.reports.sample_grids import spread_steps


def page_of(folder: Path) -> str:
    return write_report(folder).read_text(encoding="utf-8")


def change(path: Path, **fields) -> None:
    write(path, {**json.loads(path.read_text()), **fields})


def test_a_report_is_one_file_that_asks_for_nothing_else(run_folder):
    page = page_of(run_folder)
    found = checked(page)
    assert all(address.startswith(("data:", "#")) for address in found.addresses)
    assert "@import" not in page
    assert set(re.findall(r"url\((.)", page)) <= {"#"}
    assert "default-src 'none'" in page
    assert len(set(found.identifiers)) == len(found.identifiers)


def test_every_image_in_a_report_has_a_text_for_those_who_do_not_see_it(run_folder):
    assert checked(page_of(run_folder)).images_without_text == 0


def test_the_verdict_stands_above_the_samples_and_they_above_the_curves(run_folder):
    text = text_of(page_of(run_folder))
    places = [
        text.index(words)
        for words in (
            "Finished at step 400 of 400",
            "A fresh discriminator still tells generated from real",
            "The referee's lower bound",
            "Samples over time",
            "Value of the objective",
            "Key numbers",
            "Data and environment",
            "Settings",
        )
    ]
    assert places == sorted(places)


def test_the_objectives_value_is_labelled_as_no_evidence(run_folder):
    page = page_of(run_folder)
    assert "the training discriminator's own view, which is not evidence" in page
    assert "Value of the objective 'relativistic'" in text_of(page)
    assert "at equilibrium: -0.6931" in page


@pytest.mark.parametrize("objective", ["relativistic", "wasserstein"])
def test_no_probability_is_shown_where_outputs_are_not_log_odds(tmp_path, objective):
    text = text_of(page_of(build_run(tmp_path / "run", objective=objective, steps=100)))
    assert "No probability is shown" in text
    assert "D, the probability of being real" not in text


def test_probabilities_are_shown_where_outputs_are_log_odds(tmp_path):
    text = text_of(page_of(build_run(tmp_path / "run", objective="nonsaturating", steps=100)))
    assert "D, the probability of being real, on real and on generated samples" in text
    assert "No probability is shown" not in text


def test_a_probability_written_for_outputs_that_are_none_is_refused(tmp_path):
    folder = build_run(tmp_path / "run", objective="nonsaturating", steps=100)
    metadata = json.loads((folder / "run.json").read_text())
    change(folder / "run.json", objective={**metadata["objective"], "logit_meaning": "other"})
    text = text_of(page_of(folder))
    assert "D, the probability" not in text
    assert "No probability is shown" in text


def test_a_relativistic_run_shows_the_minimax_value_less_an_offset_with_its_own_line(run_folder):
    page = page_of(run_folder)
    assert "Minimax value V of the outputs less one offset" in text_of(page)
    assert "at equilibrium: -log 4 = -1.386" in page
    assert "mean D on generated" in page


def test_no_minimax_value_and_no_d_are_shown_for_a_wasserstein_game(tmp_path):
    page = page_of(build_run(tmp_path / "run", objective="wasserstein", steps=100))
    assert "Minimax value" not in page and "mean D on" not in page
    assert "input gradient of the output" in page


def test_flags_of_the_monitor_stand_above_the_samples_with_the_steps_they_held(run_folder):
    rows = [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    measured = [row for row in rows if "saturation" in row]
    for row in measured[1:3]:
        row["saturation"]["flags"] = ["The gradient has <b>exploded</b>."]
    write_lines(run_folder / "metrics.jsonl", rows)
    text = text_of(page_of(run_folder))
    said = (
        f"The gradient has <b>exploded</b>. (Found 2 of {len(measured)} times that this was measured, "
        f"from step {measured[1]['step']:,} until step {measured[2]['step']:,}.)"
    )
    assert text.index(said) < text.index("Samples over time")
    assert "What the monitor saw" not in text_of(page_of(build_run(run_folder.parent / "other", steps=100)))


def test_a_run_without_a_verdict_says_so_and_names_the_command(tmp_path):
    text = text_of(page_of(build_run(tmp_path / "run", evaluations=0, steps=100)))
    assert f"There is no verdict yet; run 'equipoise judge {tmp_path / 'run'}'." in text


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (
            {"conclusion": "distinguished", "jsd_lower_bound_nats": 0.11, "confidence": 0.975},
            "With 97.5 % confidence the two are at least 0.11 nats apart, 16 % of the way",
        ),
        (
            {"conclusion": "distinguished", "jsd_lower_bound_nats": 0.0, "confidence": 0.95},
            "still tells generated samples from real ones. How far the two are apart could not be bounded from below.",
        ),
        (
            {"conclusion": "not_distinguished", "jsd_lower_bound_nats": 0.0, "sensitivity_theoretical_nats": 0.0613},
            "That nothing was found is no proof that the two agree. Differences below 0.061 nats would be missed by",
        ),
        ({"conclusion": "equivalent", "margin_nats": 0.02}, "a difference of 0.02 nats would have been found"),
        ({"conclusion": "too_little_data"}, "There are too few held-out samples for a verdict"),
        ({"conclusion": "distinguished", "sentence": "DISTINGUISHED: right 90 % of it."}, "Right 90 % of it."),
        ({"conclusion": "a word of a later version"}, "is not one that this version of equipoise knows"),
    ],
)
def test_each_conclusion_has_its_sentence(verdict, sentence):
    assert sentence in f"{verdict_sentence(verdict)} {distance_sentence(verdict)}"


def test_what_the_verdict_rests_on_and_what_the_checks_found_are_on_the_page(run_folder):
    row = json.loads((run_folder / "verdicts.jsonl").read_text().splitlines()[-1])
    row["findings"].append({"statement": "Of 10 classes 2 are missing.", "is_problem": True})
    row["sensitivity_nats"] = {"a class left out": 0.031}
    write_lines(run_folder / "verdicts.jsonl", [row])
    text = text_of(page_of(run_folder))
    assert "71.2 % (64.0 % to 78.0 %)" in text
    assert "samples scored, real and generated 90 and 90" in text
    assert "minimum detectable JSD of 'a class left out', nats 0.031" in text
    assert text.index("Look at this: Of 10 classes 2 are missing.") < text.index("No generated sample is a copy")


def test_a_verdict_on_thinned_rows_says_how_many_stayed(run_folder):
    row = json.loads((run_folder / "verdicts.jsonl").read_text().splitlines()[-1])
    write_lines(run_folder / "verdicts.jsonl", [{**row, "thinned": {"kept": 120, "of": 1800}}])
    assert "thinned to the weights of training: 120 of 1,800 stayed." in text_of(page_of(run_folder))


def test_the_verdict_in_the_status_is_shown_when_the_list_of_verdicts_is_gone(run_folder):
    (run_folder / "verdicts.jsonl").unlink()
    assert "A fresh discriminator still tells generated from real" in text_of(page_of(run_folder))


def test_a_verdict_older_than_the_run_is_marked_as_such(run_folder):
    change(run_folder / "status.json", step=900)
    assert "the run has gone on since" in text_of(page_of(run_folder))


def test_a_failed_run_shows_its_message(run_folder):
    change(run_folder / "status.json", state="failed", message="the generator's loss became NaN")
    said = "Failed at step 400 of 400 after 26 s of training: the generator's loss became NaN"
    assert said in text_of(page_of(run_folder))


def test_entries_of_several_values_are_counted_and_not_written_out(run_folder):
    change(run_folder / "data.json", space={"kind": "table", "blocks": [{"kind": "choice", "width": 2}] * 3})
    page = page_of(run_folder)
    assert "<td>3 entries, in the run folder</td>" in page and "&#39;width&#39;" not in page


def test_markup_in_names_settings_notes_and_messages_stays_text(tmp_path):
    folder = build_run(tmp_path / "a <b> & 'c'", steps=100, settings={"data.source": HOSTILE})
    metadata = json.loads((folder / "run.json").read_text())
    change(folder / "run.json", objective={**metadata["objective"], "name": HOSTILE}, preset=HOSTILE, command=HOSTILE)
    change(folder / "data.json", notes=[HOSTILE] * 3, source=HOSTILE, **{HOSTILE: HOSTILE})
    change(folder / "status.json", state="failed", message=HOSTILE, trend=HOSTILE)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    write_lines(folder / "metrics.jsonl", [{**row, "penalty": {HOSTILE: 1.0}} for row in rows])
    write_lines(
        folder / "verdicts.jsonl", [{"step": 100, "conclusion": HOSTILE, "classifier": HOSTILE, "part": HOSTILE}]
    )
    (folder / "samples" / "step-00000100.csv").write_text(f'a,"{HOSTILE[:-1]}"\n1,<img src=x onerror=alert(1)>\n')
    page = page_of(folder)
    found = checked(page)
    assert found.tags.count("script") == 1  # ours
    assert found.tags.count("style") == 1 + found.tags.count("svg")  # ours, and the empty defaults of each drawing
    assert "<img src=x" not in page
    assert "<script>alert" not in page
    assert "49" not in re.findall(r"&amp;(\d+)", page)  # braces were not run as a template


@pytest.mark.parametrize(
    "missing",
    ["metrics.jsonl", "verdicts.jsonl", "status.json", "run.json", "data.json", "samples", "samples/real.png"],
)
def test_a_missing_file_leaves_a_report_of_the_rest(run_folder, missing):
    target = run_folder / missing
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    checked(page_of(run_folder))


@pytest.mark.parametrize("broken", ["status.json", "run.json", "data.json", "config.yaml", "metrics.jsonl"])
def test_a_broken_file_is_named_and_the_rest_is_shown(run_folder, broken):
    (run_folder / broken).write_text('{"state": [1, 2')
    text = text_of(page_of(run_folder))
    assert "Samples over time" in text
    if broken != "metrics.jsonl":  # a line cut short is what a kill leaves behind, no trouble worth a word
        assert "What could not be read" in text
        assert broken in text


def test_a_run_that_only_has_its_configuration_gives_a_report(tmp_path):
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    text = text_of(page_of(tmp_path))
    assert "No samples were written yet." in text
    assert text.count("Nothing was measured yet.") >= 5


def test_one_measured_step_is_drawn(run_folder):
    first = (run_folder / "metrics.jsonl").read_text().splitlines()[0]
    (run_folder / "metrics.jsonl").write_text(first + "\n")
    checked(page_of(run_folder))


@pytest.mark.parametrize("nothing", [None, "NaN", [], {}, True])
def test_values_that_are_no_numbers_are_left_out_and_counted(run_folder, nothing):
    lines = (run_folder / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    contaminated = {key: nothing for key in rows[0] if key != "step"}
    write_lines(run_folder / "metrics.jsonl", [{**row, **contaminated} if row["step"] >= 200 else row for row in rows])
    assert "21 of 41 measured steps have no finite value here." in text_of(page_of(run_folder))


def test_rows_without_any_usable_value_are_survived(run_folder):
    (run_folder / "metrics.jsonl").write_text(
        '{"step": 1}\n{"step": "x"}\n{"value": 3}\n[1]\n{"step": 2, "value": NaN, "gradient_norm": 3}\n'
        '{"step": 3, "histogram": {"what": "logit", "edges": [1, 0], "real": [1], "fake": [2]}}\n'
        '{"step": 4, "histogram": {"what": "logit", "edges": [0, 1], "real": [1, 2], "fake": null}}\n{"step": 5, "val'
    )
    checked(page_of(run_folder))


@pytest.mark.slow
def test_a_report_stays_below_five_megabytes_however_large_its_grids_and_texts_are(tmp_path):
    folder = build_run(tmp_path / "run", steps=20_000, every=10)
    stream = np.random.default_rng(0)
    for name in ["real", *(f"step-{step:08d}" for step in (0, 5_000, 20_000))]:
        noise = stream.integers(0, 256, (700, 700, 3), dtype=np.uint8)  # noise is what compresses worst
        Image.fromarray(noise).save(folder / "samples" / f"{name}.png", compress_level=1)
    (folder / "config.yaml").write_text("seed: 0\nlong: " + "é" * 3_000_000 + "\n")
    change(folder / "data.json", notes=["x" * 10_000] * 1_000, labels=list(range(100_000)))
    path = write_report(folder)
    assert path.stat().st_size <= MOST_BYTES
    assert path.read_text(encoding="utf-8").count("<img ") >= 5
    assert "data:image/webp" in path.read_text(encoding="utf-8")


def test_grids_are_spread_over_the_run_from_first_to_last():
    assert spread_steps(list(range(0, 1_001, 10)), 5) == [0, 250, 500, 750, 1_000]
    assert spread_steps([3, 7], 12) == [3, 7]
    assert spread_steps([3, 7, 9], 1) == [9]
    assert spread_steps([], 4) == spread_steps([1, 2], 0) == []


def test_a_grid_that_is_half_written_is_left_out_and_counted(run_folder):
    grid = run_folder / "samples" / "step-00000400.png"
    grid.write_bytes(grid.read_bytes()[:60])
    text = text_of(page_of(run_folder))
    assert "1 of the sample grids could not be read." in text


def test_rows_of_tables_are_shown_generated_beside_real(run_folder):
    header = ",".join(f"column {k}" for k in range(20))
    (run_folder / "samples" / "real.csv").write_text(header + "\n" + ",".join(["real cell"] * 20) + "\n")
    (run_folder / "samples" / "step-00000400.csv").write_text(header + "\n" + "\n".join(["made up"] * 50) + "\n")
    text = text_of(page_of(run_folder))
    assert "Real rows" in text
    assert "Generated rows, step 400" in text
    assert "6 more columns are in the file." in text
    assert text.count("made up") == 6


def test_an_older_report_survives_when_the_new_one_cannot_be_made(run_folder, monkeypatch):
    path = write_report(run_folder)
    before = path.read_bytes()
    monkeypatch.setattr("equipoise.reports.page.PLOTS", (lambda run: 1 / 0,))
    with pytest.raises(ZeroDivisionError):
        write_report(run_folder)
    assert path.read_bytes() == before
    assert [entry.name for entry in run_folder.iterdir() if entry.name.startswith(".")] == []


def test_a_folder_that_is_no_run_is_refused_by_name(tmp_path):
    with pytest.raises(RunFolderError, match=r"config\.yaml"):
        write_report(tmp_path)
    with pytest.raises(RunFolderError, match="no such run folder"):
        write_report(tmp_path / "absent")


def test_a_run_of_a_later_format_is_refused(run_folder):
    change(run_folder / "status.json", format=99)
    with pytest.raises(RunFolderError, match="newer"):
        write_report(run_folder)


def test_making_a_report_never_imports_torch(run_folder):
    code = (
        "import sys; from equipoise.reports import compare, list_runs, write_report; "
        "heavy = {'torch', 'pandas', 'matplotlib', 'sklearn', 'jinja2'} & set(sys.modules); assert not heavy, heavy; "
        "write_report(sys.argv[1]); compare([sys.argv[1]]).to_text(); list_runs(sys.argv[1]); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(run_folder)], check=True)


def test_a_difference_whose_size_is_open_is_said_to_be_one_and_not_to_be_at_least_0(run_folder):
    statement = "The mean of `age` is higher on the generated side by 0.4 (0.1 to 0.7): 38.9 beside 38.5."
    difference = {"family": "mean", "statement": statement, "columns": ["age"], "p_value": 0.001}
    verdicts = [json.loads(line) for line in (run_folder / "verdicts.jsonl").read_text().splitlines()]
    verdicts[-1] |= dict(
        conclusion="distinguished",
        sentence=f"DIFFERENT; SIZE NOT ESTABLISHED: {statement}",
        jsd_lower_bound_nats=0.0,
        speaks="companion",
        e_level=0.01,
        companion={"p_value": 0.001, "level": 0.04, "statistics": 126, "differences": [difference]},
    )
    write_lines(run_folder / "verdicts.jsonl", verdicts)
    page = page_of(run_folder)
    assert "The mean of <code>age</code> is higher" in page
    text = text_of(page)
    for words in (
        "Different; size not established",
        statement.replace("`", ""),
        "That the two differ is established; how far they are apart is not.",
        "found by the permutation test",
        "lower bound on JSD, nats not established",
        "The referee is two tests.",
    ):
        assert words in text, words
    assert "at least 0" not in text
