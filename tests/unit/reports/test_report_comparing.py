"""Runs beside each other: settings that differ, seeds as a spread, and nothing compared that is not comparable."""

from __future__ import annotations

import json

import pytest
from page_checks import HOSTILE, checked, text_of
from synthetic_runs import build_run, write

from equipoise.errors import InputError, RunFolderError
from equipoise.reports import compare, write_comparison


@pytest.fixture
def family(tmp_path):
    """Three seeds of one configuration, then one run with two settings changed."""
    same = [build_run(tmp_path / f"seed-{seed}", seed=seed, steps=100, level=0.1 * (seed + 1)) for seed in range(3)]
    other = build_run(
        tmp_path / "other",
        steps=200,
        objective="nonsaturating",
        evaluations=2,
        settings={"training.batch_size": 64, "outdir": "elsewhere"},
    )
    return [*same, other]


def test_seeds_of_one_configuration_are_one_group(family):
    found = compare(family)
    assert [[run.name for run in group.runs] for group in found.groups] == [["seed-0", "seed-1", "seed-2"], ["other"]]
    assert found.differing == ("objective.name", "training.batch_size", "training.steps")
    assert found.groups[1].settings["training.batch_size"] == "64"


def test_an_empty_section_and_none_at_all_are_the_same_setting(tmp_path):
    folders = [build_run(tmp_path / name, steps=20, settings=extra) for name, extra in (("a", {}), ("b", {"new": {}}))]
    assert compare(folders).differing == ()


def test_the_spread_over_few_seeds_is_the_median_and_the_whole_range(family):
    spread = compare(family).to_json()["groups"][0]["jsd_lower_bound_nats"]
    bounds = [level + 0.25 * 2.718281828459045**-3 for level in (0.1, 0.2, 0.3)]  # what the made-up referee wrote
    assert [spread[key] for key in ("low", "median", "high")] == pytest.approx(bounds, rel=1e-12)
    assert spread["limits"] == "smallest to largest"


def test_the_spread_over_twenty_seeds_is_given_in_percentiles(tmp_path):
    folders = [
        build_run(tmp_path / f"{seed}", seed=seed, steps=20, evaluations=1, level=float(seed) / 40)
        for seed in range(20)
    ]
    spread = compare(folders).to_json()["groups"][0]["jsd_lower_bound_nats"]
    assert spread["limits"] == "5th to 95th percentile"
    # Bounds are s/40 + c for s = 0..19: the 5th percentile lies 5 % of the way along them.
    assert spread["high"] - spread["low"] == pytest.approx(0.9 * 19 / 40, rel=1e-9)


def test_values_of_different_objectives_are_said_not_to_be_comparable(family):
    assert any("different objectives" in note for note in compare(family).notes)
    assert not any("different objectives" in note for note in compare(family[:3]).notes)


def test_each_objective_has_its_own_panel(family):
    titles = [axes.get_title(loc="left") for axes in compare(family).figure().axes]
    assert titles.count("Value of 'relativistic' (not evidence)") == 1
    assert titles.count("Value of 'nonsaturating' (not evidence)") == 1
    assert titles[0] == "The referee's lower bound on JSD (nats)"


def test_runs_on_different_data_are_said_not_to_be_comparable(family):
    data = family[1] / "data.json"
    write(data, {**json.loads(data.read_text()), "fingerprint": "another"})
    assert any("did not learn from the same data" in note for note in compare(family[:3]).notes)


def test_the_text_has_settings_verdicts_and_spread(family):
    text = compare(family).to_text()
    for words in ("Settings that differ", "training.batch_size", "distinguished", "Spread over seeds", "to largest"):
        assert words in text
    assert max(map(len, text.splitlines()[:6])) < 120


def test_a_comparison_is_one_escaped_file(tmp_path, family):
    strange = build_run(tmp_path / "strange", steps=100, evaluations=0, settings={"preset": HOSTILE, "x.<b>": HOSTILE})
    path = write_comparison([*family, strange], tmp_path / "comparison.html")
    page = path.read_text(encoding="utf-8")
    found = checked(page)
    assert "script" not in found.tags
    assert found.addresses == [] or all(address.startswith("#") for address in found.addresses)
    assert "5 runs of 3 configurations" in text_of(page)


def test_runs_that_measured_nothing_are_compared_all_the_same(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(f"seed: 1\nname: {name}\n")
    found = compare([tmp_path / "a", tmp_path / "b"])
    assert "no verdict yet" in found.to_text()
    json.dumps(found.to_json(), allow_nan=False)
    write_comparison([tmp_path / "a", tmp_path / "b"], tmp_path / "c.html")
    assert "<table" in found._repr_html_()


def test_no_folder_a_folder_given_twice_and_a_folder_without_a_run_are_refused(tmp_path, family):
    with pytest.raises(InputError, match="no run folder was given"):
        compare([])
    with pytest.raises(InputError, match="more than once"):
        compare([family[0], family[1], family[0] / ".." / "seed-0"])
    with pytest.raises(RunFolderError):
        compare([family[0], tmp_path / "absent"])
