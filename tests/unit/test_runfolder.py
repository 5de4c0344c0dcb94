"""Run folders: made once, read after any crash, and never somebody else's files."""

import json

import pytest

from equipoise.errors import RunFolderError, StorageError
from equipoise.runfolder import FORMAT_VERSION, create_run_folder, open_run_folder


@pytest.fixture
def run(tmp_path):
    folder = create_run_folder(tmp_path / "run")
    folder.config.write_text("seed: 0\n")
    folder.write_status(format=FORMAT_VERSION, state="training", step=0)
    return folder


def test_an_output_folder_that_holds_something_is_refused_and_untouched(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunFolderError, match="something is there already"):
        create_run_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_the_place_of_the_output_folder_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunFolderError, match="something is there already"):
        create_run_folder(tmp_path / "mine.txt")


def test_an_empty_folder_may_become_a_run_folder(tmp_path):
    assert create_run_folder(tmp_path).samples.is_dir()


def test_a_line_cut_short_by_a_crash_is_left_out_and_the_next_one_is_whole(run):
    run.append(run.metrics, {"step": 1})
    with open(run.metrics, "a") as stream:
        stream.write('{"step": 2, "val')
    run.append(run.metrics, {"step": 3})
    assert [row["step"] for row in run.read_metrics()] == [1, 3]


def test_what_a_resumed_run_plays_again_is_written_again(run):
    for step in (1, 2, 3):
        run.append(run.metrics, {"step": step})
        run.sample_file(step, ".png").touch()
    run.cut_after(2)
    assert [row["step"] for row in run.read_metrics()] == [1, 2]
    assert run.sample_steps() == [1, 2]


def test_a_sample_that_may_not_be_removed_is_an_error_that_names_it(run, monkeypatch):
    run.sample_file(3, ".png").touch()

    def refused(path, missing_ok=False):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.unlink", refused)
    with pytest.raises(StorageError, match=r"step-00000003\.png: Permission denied"):
        run.cut_after(2)


def test_the_status_keeps_what_a_later_writer_does_not_mention(run):
    run.write_status(last_verdict={"conclusion": "distinguished"})
    run.write_status(step=5)
    status = run.read_status()
    assert (status["state"], status["step"], status["last_verdict"]["conclusion"]) == ("training", 5, "distinguished")


@pytest.mark.parametrize("content", ["", "{", "[1]", "\x00"])
def test_a_broken_status_is_an_error_that_names_the_file(run, content):
    run.status.write_text(content)
    with pytest.raises(RunFolderError, match=r"status\.json"):
        run.read_status()


def test_a_folder_of_a_later_format_says_to_upgrade(run):
    run.status.write_text(json.dumps({"format": FORMAT_VERSION + 1}))
    with pytest.raises(RunFolderError, match="Upgrade"):
        open_run_folder(run.path)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()], ids=["absent", "not a run"])
def test_what_is_no_run_folder_is_refused_with_a_way_to_find_one(tmp_path, make):
    make(tmp_path / "x")
    with pytest.raises(RunFolderError, match="equipoise runs"):
        open_run_folder(tmp_path / "x")
