"""Resume refuses what would make another run of it, shows the difference, and records what was forced."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
import torch

from equipoise.cli.main import main
from equipoise.errors import Interrupted, OutOfMemory, RunFolderError, StorageError
from equipoise.experiment import resume as resuming
from equipoise.experiment.changed import changed_environment, changed_settings
from equipoise.experiment.loading import load
from equipoise.experiment.out_of_memory import explaining_memory
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.resume import resume
from equipoise.experiment.train import train_planned
from equipoise.files import TEMPORARY_NAME
from equipoise.locking import locked
from equipoise.runfolder import RunFolder, create_run_folder
from equipoise.training import Trainer
from equipoise.training.checkpoints import checkpoint_files, read_checkpoint

SMALL = [
    "networks.generator.width=4",
    "networks.discriminator.width=4",
    "training.batch_size=8",
    "outputs.final_verdict=false",
    "outputs.checkpoint_every=4",
    "runtime.threads=1",
]


class Told:
    """Who is told how far a run has come, and remembers the sentences."""

    def __init__(self):
        self.said = []

    def __getattr__(self, name):
        return lambda *arguments: self.said.append(arguments[0]) if name == "message" else None


@pytest.fixture(autouse=True)
def short_report(monkeypatch):
    """A page without figures, which take most of the time of so short a run."""
    monkeypatch.setattr("equipoise.reports.write_report", lambda folder: (folder / "report.html").touch())
    monkeypatch.setattr("equipoise.data.points.domain.save_figure", lambda picture, path: path.touch())


@pytest.fixture
def run(tmp_path):
    """The folder of a run of 8 steps whose last one is still to be taken."""
    path = tmp_path / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(60, 2)))
    held = RunFolder(train_planned(plan_run(path, steps=8, settings=SMALL), tmp_path / "run").folder)
    newest = checkpoint_files(held.checkpoints)[-1]
    newest.with_suffix(".json").unlink()
    newest.unlink()
    held.write_status(state="training", step=4)
    return held


def edit(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def facts_with(run, **changes):
    metadata = run.read_json(run.metadata)
    run.write_json(run.metadata, {**metadata, "environment": {**metadata["environment"], **changes}})


def test_nothing_has_changed_in_a_run_that_nobody_touched(run):
    assert resume(run.path).step == 8
    assert [row["event"] for row in run.read_event_log()] == ["resumed"]


def test_an_edited_setting_is_refused_with_both_values_and_nothing_is_written(run):
    edit(run.config, "batch_size: 8", "batch_size: 16")
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    with pytest.raises(RunFolderError, match=r"training.batch_size: 8 when the run began, 16 now") as caught:
        resume(run.path)
    assert "--force" in caught.value.advice
    after = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    assert {**after, run.path / "lock": b""} == {**before, run.path / "lock": b""}


def test_a_forced_change_goes_on_is_recorded_and_need_not_be_forced_again(run):
    edit(run.config, "batch_size: 8", "batch_size: 16")
    assert resume(run.path, force=True).step == 8
    assert "training.batch_size" in run.read_status()["forced_changes"][0]
    assert "training.batch_size" in next(row for row in run.read_event_log() if row["event"] == "forced")["changes"][0]
    from equipoise.reports.incidents import incident_sentences
    from equipoise.reports.reading import read_run

    assert "continued by force" in incident_sentences(read_run(run.path))[0]
    assert resume(run.path, steps=10).step == 10


@pytest.mark.parametrize(
    ("name", "value"), [("torch", "1.13.0"), ("device", "NVIDIA A100"), ("threads", 7), ("arithmetic", "VSX")]
)
def test_what_decides_the_bits_is_refused_when_it_differs(run, name, value):
    facts_with(run, **{name: value})
    with pytest.raises(RunFolderError, match=f"{name}: {value} when the run began"):
        resume(run.path)
    assert resume(run.path, force=True).step == 8


def test_what_does_not_decide_them_is_told(run):
    facts_with(run, python="3.0.0", platform="elsewhere")
    told = Told()
    assert resume(run.path, progress=told).step == 8
    assert any(text.startswith("python: 3.0.0 when the run began") for text in told.said)


def test_data_and_folder_that_were_moved_are_the_same_data_and_run(run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "points.npy").rename(tmp_path / "elsewhere" / "points.npy")
    moved = run.path.rename(tmp_path / "elsewhere" / "run")
    edit(moved / "config.yaml", "points.npy", "elsewhere/points.npy")
    assert resume(moved).step == 8


def test_changed_data_are_learned_from_by_force_only(run, tmp_path):
    np.save(tmp_path / "points.npy", np.random.default_rng(1).normal(size=(60, 2)))
    with pytest.raises(RunFolderError, match="held-out part would no longer be held out"):
        resume(run.path)
    assert resume(run.path, force=True).step == 8


def test_settings_that_a_later_version_added_at_their_default_are_no_change():
    config = plan_run("ring8", steps=4, settings=["data.points=200"]).config.to_dict()
    older = {key: value for key, value in config.items() if key != "recovery"}
    assert changed_settings(older, config) == []
    assert changed_settings(older, {**config, "recovery": {**config["recovery"], "rollbacks": 9}}) == [
        "recovery.rollbacks: 3 when the run began, 9 now"
    ]


def test_an_environment_that_says_less_is_compared_by_what_it_says():
    assert changed_environment({"torch": "2"}, {"torch": "2", "arithmetic": "AVX2"}) == ([], [])


def test_a_run_killed_before_its_first_checkpoint_begins_at_step_0(run):
    for path in run.checkpoints.iterdir():
        path.unlink()
    assert resume(run.path).step == 8


def test_a_folder_killed_before_its_configuration_was_written_is_trained_in(tmp_path):
    for name in ("data.json", "run.json", "status.json", "lock", ".config-ab12cd3_.yaml"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "checkpoints").mkdir()
    assert create_run_folder(tmp_path).path == tmp_path
    (tmp_path / ".notes-ab12cd34.json").touch()  # named like one of ours, and none
    with pytest.raises(RunFolderError, match="already"):
        create_run_folder(tmp_path)
    (tmp_path / ".notes-ab12cd34.json").unlink()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(RunFolderError, match="already"):
        create_run_folder(tmp_path)


@pytest.mark.parametrize("name", ["data", "run", "looks", "status", "config"])
def test_a_folder_killed_while_its_first_files_were_written_is_trained_in_and_swept_up(name, tmp_path):
    np.save(tmp_path / "points.npy", np.random.default_rng(0).normal(size=(60, 2)))
    (tmp_path / "run").mkdir()
    left = tmp_path / "run" / f".{name}-ab12cd34.json"
    left.write_text("{")
    with pytest.raises(RunFolderError, match="train again with --outdir"):
        resume(tmp_path / "run")
    assert train_planned(plan_run(tmp_path / "points.npy", steps=2, settings=SMALL), tmp_path / "run").step == 2
    assert not left.exists()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The checkpoint of the last step of the run that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    path = folder / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(60, 2)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("equipoise.reports.write_report", lambda folder: (folder / "report.html").touch())
        train_planned(plan_run(path, steps=8, settings=SMALL), folder / "run")
    return weights(folder / "run")


def weights(folder):
    tensors, numbers, _ = read_checkpoint(folder / "checkpoints")
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}, numbers["step"]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage", ["killed between tensors and numbers", "a flipped byte in the tensors", "a flipped byte in the numbers"]
)
def test_a_run_whose_only_checkpoint_is_a_broken_one_of_step_0_begins_anew(damage, run, whole, tmp_path):
    other = train_planned(
        plan_run(tmp_path / "points.npy", steps=1, settings=[*SMALL, "outputs.checkpoint_every=99"]), tmp_path / "other"
    ).folder
    for path in run.checkpoints.iterdir():
        path.unlink()
    first = run.checkpoints / "step-00000000.safetensors"
    for name in (first.name, first.with_suffix(".json").name):
        (run.checkpoints / name).write_bytes((other / "checkpoints" / name).read_bytes())
    if damage == "killed between tensors and numbers":
        first.with_suffix(".json").unlink()
    else:
        flip(first if "tensors" in damage else first.with_suffix(".json"))
    assert resume(run.path).step == 8
    assert weights(run.path) == whole
    assert "step-00000000" in run.read_event_log()[-1]["broken"][0]


def test_a_run_whose_checkpoints_of_later_steps_are_all_broken_is_refused(run):
    for path in checkpoint_files(run.checkpoints):
        path.unlink() if path.stem.endswith("00") else flip(path)
    with pytest.raises(RunFolderError, match="no whole checkpoint"):
        resume(run.path)


@pytest.mark.parametrize("damage", ["killed between tensors and numbers", "a flipped byte", "killed while set aside"])
def test_a_broken_checkpoint_of_a_later_step_is_put_out_of_the_way_and_the_one_a_signal_asked_for_stays(
    damage, run, whole, monkeypatch
):
    newest = checkpoint_files(run.checkpoints)[-1]
    later = newest.with_name("step-00000008.safetensors")
    later.write_bytes(newest.read_bytes())
    later.with_suffix(".json").write_bytes(newest.with_suffix(".json").read_bytes())
    if damage != "killed between tensors and numbers":
        flip(later)
    else:
        later.with_suffix(".json").unlink()
    if damage == "killed while set aside":
        numbers = later.with_suffix(".json")
        numbers.rename(numbers.with_name(f"broken-{numbers.name}"))
    told = Told()
    with monkeypatch.context() as patch:
        play = Trainer.train_step

        def stopped(self, *, measure=False):
            if self.step == 5:
                signal.raise_signal(signal.SIGTERM)
            return play(self, measure=measure)

        patch.setattr(Trainer, "train_step", stopped)
        with pytest.raises(Interrupted, match="step 6 of 8"):
            resume(run.path, progress=told)
    assert read_checkpoint(run.checkpoints)[1]["step"] == 6
    is_half = damage == "killed between tensors and numbers"
    assert later.with_name(f"broken-{later.name}").is_file() != is_half and not later.exists()
    said = "Deleted what a kill left half-written" if is_half else "Set aside as broken-"
    assert any(said in text and later.name in text for text in told.said)
    event = "deleted half-written" if is_half else "set aside"
    assert [row["files"] for row in run.read_event_log() if row["event"] == event] == [[later.name]]
    resume(run.path)
    assert weights(run.path) == whole


def test_a_run_killed_after_its_last_step_is_finished_by_resume(run):
    resume(run.path)
    run.report.unlink()
    assert resume(run.path).step == 8 and run.report.is_file()


@pytest.mark.parametrize("moment", ["before it was thinned out", "while it was thinned out"])
def test_a_run_killed_after_its_last_checkpoint_keeps_the_checkpoints_of_a_whole_run(moment, run, tmp_path):
    """Nothing is written after that one which would thin them out."""
    planned = plan_run(tmp_path / "points.npy", steps=32, settings=SMALL)
    whole, killed = (RunFolder(train_planned(planned, tmp_path / name).folder) for name in ("whole", "killed"))
    older = whole.checkpoints / "step-00000016.safetensors"
    assert older.is_file() and not (whole.checkpoints / "step-00000020.safetensors").exists()
    for part in (older, older.with_suffix(".json"))[: 1 if moment.startswith("while") else 2]:
        shutil.copy(part, killed.checkpoints / part.name.replace("16", "20"))
    killed.report.unlink()
    killed.write_status(state="training")
    resume(killed.path)
    names = [sorted(path.name for path in either.checkpoints.iterdir()) for either in (whole, killed)]
    assert names[0] == names[1]


def test_what_killed_writers_left_is_swept_up(run):
    left = [
        run.checkpoints / ".step-00000004-ab12cd3_.safetensors",
        run.path / ".status-abcdefgh.json",
        run.samples / ".step-00000008-a1b2c3d4.png",
    ]
    for path in left:
        path.touch()
    kept = run.path / ".gitignore"
    kept.touch()
    resume(run.path)
    assert kept.exists() and not [path for path in run.path.rglob(".*") if TEMPORARY_NAME.fullmatch(path.name)]


def test_a_second_writer_is_refused_and_readers_are_not(run):
    with locked(run.path):
        with pytest.raises(RunFolderError, match="is writing to this folder"):
            resume(run.path)
        with pytest.raises(SystemExit) as stopped:
            main(["resume", str(run.path), "--quiet"])
        assert stopped.value.code == 2
        assert load(run.path).sample(3, seed=0).shape == (3, 2)
        with pytest.raises(SystemExit) as stopped:
            main(["report", str(run.path)])
        assert not stopped.value.code
    assert resume(run.path).step == 8


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] . DefaultCPUAllocator: can't allocate memory: you tried ..."),
    ],
)
def test_memory_that_does_not_suffice_says_what_to_lower(error, run, monkeypatch):
    def fails(*arguments, **options):
        raise error

    monkeypatch.setattr(resuming, "build_trainer", fails)
    with pytest.raises(OutOfMemory) as caught:
        resume(run.path)
    assert "training.batch_size (now 8" in caught.value.advice and "networks.generator.width" in caught.value.advice


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    config = plan_run("ring8", steps=4, settings=["data.points=200"]).config
    with pytest.raises(RuntimeError, match="shapes"), explaining_memory(config):
        raise RuntimeError("shapes do not match")


@pytest.mark.skipif(os.name != "posix", reason="permissions of a folder")
def test_a_folder_that_cannot_be_written_says_so(run, monkeypatch):
    # The administrator may write anywhere: what the file system would say is put in its place.
    def refused(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("equipoise.locking.FileLock.acquire", refused)
    with pytest.raises(StorageError, match="Permission denied"):
        resume(run.path)


def test_the_clock_may_go_backwards(run, monkeypatch):
    now = iter(range(10**9, 0, -3600))
    monkeypatch.setattr("time.time", lambda: float(next(now)))
    assert resume(run.path).step == 8
    assert json.loads(run.status.read_text())["state"] == "finished"
