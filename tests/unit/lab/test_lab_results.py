"""Every result of the lab can be printed, stored and drawn, and is the same every time."""

import json
from dataclasses import FrozenInstanceError, is_dataclass

import pytest

from equipoise import lab
from equipoise.cli.main import main
from equipoise.errors import ConfigError, OldName
from equipoise.files import plain

QUICK = {
    "dirac": {"names": ()},
    "value": {"repeats": 20},
    "mse": {"steps": 10},
    "update-rules": {"steps": 20, "seeds": 1},
    "saturation": {"steps": 20},
    "stopping": {"steps": 10, "evaluations": 1, "per_side": 300},
}


@pytest.fixture(scope="module")
def results():
    return {name: lab.find(name)(**QUICK.get(name, {})) for name in lab.available()}


@pytest.mark.parametrize("name", lab.available())
def test_a_result_is_frozen_and_says_which_question_it_answers(results, name):
    result = results[name]
    assert is_dataclass(result)
    with pytest.raises(FrozenInstanceError):
        result.anything = 1
    assert lab.question(name) == result.question
    assert result.question.endswith("?")


@pytest.mark.parametrize("name", lab.available())
def test_text_and_numbers_and_figures_are_written(results, name, tmp_path):
    paths = lab.write_result(results[name], tmp_path)
    assert [path.suffix for path in paths] == [".txt", ".json", ".png", ".svg"]
    stored = json.loads((tmp_path / f"{name}.json").read_text())
    assert stored["experiment"] == name
    assert stored["question"] == results[name].question
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / f"{name}.svg").read_text()


@pytest.mark.parametrize("name", lab.available())
def test_every_line_of_the_text_fits_and_has_no_trailing_blanks(results, name):
    lines = results[name].to_text().splitlines()
    assert lines
    assert all(line == line.rstrip() and len(line) <= 190 for line in lines)


@pytest.mark.parametrize("name", lab.available())
def test_every_axis_with_data_has_a_title(results, name):
    for axes in results[name].figure().axes:
        if axes.axison and axes.get_label() != "<colorbar>":
            assert axes.get_title(loc="left")


@pytest.mark.parametrize("name", ["bce", "step", "weights", "saturation"])
def test_the_same_seed_gives_the_same_numbers(results, name):
    again = lab.find(name)(**QUICK.get(name, {}))
    assert json.dumps(plain(again.to_json())) == json.dumps(plain(results[name].to_json()))


def test_an_unknown_experiment_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match="Did you mean 'dirac'"):
        lab.find("dirca")


def test_the_former_name_of_an_experiment_is_accepted_with_a_note():
    with pytest.warns(OldName, match="'turns' is now 'update-rules'"):
        assert lab.find("turns") is lab.find("update-rules")


def run(*arguments):
    with pytest.raises(SystemExit) as finished:
        main(["lab", *arguments])
    return finished.value.code


def test_the_command_lists_experiments_with_their_questions(capsys):
    assert run() == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in lab.available())


def test_the_command_prints_one_json_object(capsys):
    assert run("bce", "--json") == 0
    assert json.loads(capsys.readouterr().out)["experiment"] == "bce"


def test_the_command_writes_four_files_and_prints_the_table(capsys, tmp_path):
    assert run("step", "--outdir", str(tmp_path / "new")) == 0
    assert len(list((tmp_path / "new").iterdir())) == 4
    assert "discriminator.update()" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [("--all",), ("dirac", "--all", "--outdir", "x")])
def test_all_needs_a_folder_and_no_name(arguments, capsys):
    assert run(*arguments) == 2
    assert "--all --outdir DIR" in capsys.readouterr().err
