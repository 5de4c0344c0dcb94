"""Memory that does not suffice, wherever it is found: a message says what to lower, and there is a forecast."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from equipoise.errors import ConfigError, OutOfMemory
from equipoise.experiment import forecast, stored_data
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.forecast import forecast_config, forecast_run
from equipoise.experiment.judge.datasets import judge_sources
from equipoise.experiment.judge.run_folder import judge_run
from equipoise.experiment.memory_estimate import data_bytes, require_room
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.train import fit, train_planned
from equipoise.runfolder import RunFolder

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = ["training.batch_size=8", "networks.generator.width=4", "networks.discriminator.width=4", "data.points=300"]
HUGE_BATCH = ["training.batch_size=40000000000", "data.points=300"]
"""320 GB for the numbers of the rows of one batch: numpy is refused at once, whatever the machine."""


@pytest.fixture
def no_memory(monkeypatch):
    """Make a function of a module fail as numpy does."""

    def patch(module, name):
        def fail(*arguments, **options):
            raise MemoryError("Unable to allocate 2.98 GiB for an array with shape (400000000,) and data type int64")

        monkeypatch.setattr(module, name, fail)

    return patch


@pytest.fixture
def little_room():
    """An address space that no large array fits into, in this process; Linux would promise it otherwise."""
    if not sys.platform.startswith("linux"):
        pytest.skip("a limit that this system would keep")
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (64 << 30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("length", [{"minutes": 0.05}, {"steps": 5}])
def test_a_batch_that_finds_no_room_says_what_to_lower_however_long_the_run_is(length, tmp_path, little_room):
    with pytest.raises(OutOfMemory) as caught:
        fit("ring8", outdir=tmp_path / "run", settings=HUGE_BATCH, **length)
    assert "training.batch_size (now 40000000000" in caught.value.advice
    if "minutes" in length:
        assert "--minutes" in caught.value.where and not (tmp_path / "run").exists()


def test_a_forecast_on_a_cpu_knows_what_the_timed_steps_took(monkeypatch):
    monkeypatch.setattr(forecast, "peak_memory_bytes", lambda: 123 << 30)
    planned = plan_run("ring8", steps=5, settings=[*SMALL, "evaluations.count=0"], device="cpu")
    assert forecast_config(planned)[1].memory_bytes == 123 << 30
    monkeypatch.setattr(forecast, "peak_memory_bytes", lambda: 0)
    assert 0 < forecast_config(planned)[1].memory_bytes < 123 << 30


def test_the_peak_of_this_process_is_told_in_bytes():
    if not sys.platform.startswith(("linux", "darwin")):
        pytest.skip("a system that does not say")
    before = forecast.peak_memory_bytes()
    held = np.ones(max(0, before + (64 << 20)), dtype=np.uint8)
    # All of what is held is resident now, and more than there ever was.
    assert forecast.peak_memory_bytes() >= len(held) > before > 10 << 20


def test_a_forecast_of_what_finds_no_room_is_made_from_sizes(little_room):
    config, found = forecast_config(plan_run("ring8", steps=5, settings=HUGE_BATCH))
    assert (found.steps, found.seconds_per_step, found.seconds) == (5, None, None)
    # Two sides of 40 billion points of two numbers in four bytes are 640 GB; a forecast below that would be no help.
    assert found.memory_bytes > 640e9
    assert "training.batch_size (now 40000000000" in found.trouble and "--dry-run" not in found.trouble
    assert config.training.batch_size == 40_000_000_000


def test_a_forecast_of_networks_that_find_no_room_counts_their_weights(little_room):
    width = 300_000
    settings = ["data.points=300", f"networks.generator.width={width}", "networks.generator.depth=2"]
    found = forecast_run(plan_run("ring8", steps=5, settings=settings))
    assert found.parameters["generator"] > width**2
    assert "networks.generator.width (now 300000)" in found.trouble


def test_a_network_that_finds_no_room_is_not_called_impossible(little_room):
    planned = plan_run(
        "ring8", steps=5, settings=["data.points=300", "networks.generator.width=300000", "networks.generator.depth=3"]
    )
    with pytest.raises(RuntimeError, match="allocate") as caught:
        build_trainer(planned.config, planned.data)
    assert not isinstance(caught.value, ConfigError)


def test_a_forecast_without_trouble_is_timed_and_counts_what_will_be_trained():
    planned = plan_run("ring8", steps=5, settings=SMALL)
    found = forecast_run(planned)
    trainer = build_trainer(planned.config, planned.data)
    assert found.trouble == "" and found.seconds > 0
    assert found.parameters["generator"] == sum(p.numel() for p in trainer.generator.parameters)
    assert found.parameters["discriminator"] == sum(p.numel() for p in trainer.discriminator.parameters)
    real = trainer.batches.real
    assert data_bytes(planned.data) == 2 * real.element_size() * real.nelement()


def test_looks_that_find_no_room_leave_the_rest_of_the_forecast(no_memory):
    no_memory(forecast, "settled")
    config, found = forecast_config(plan_run("ring8", steps=5, settings=SMALL))
    assert found.seconds > 0 and "an interim evaluation" in found.trouble
    assert config.evaluations.count is None


@pytest.mark.parametrize("step", ["load", "prepare"])
def test_data_that_find_no_room_say_what_to_do_about_data(step, no_memory, tmp_path):
    path = tmp_path / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(60, 2)))
    no_memory(stored_data, step)
    with pytest.raises(OutOfMemory, match="EQUIPOISE_MAP_ABOVE_MB") as caught:
        fit(path, steps=3, outdir=tmp_path / "run")
    assert str(path) in caught.value.where and "batch_size" not in str(caught.value)


def test_a_verdict_that_finds_no_room_leaves_a_finished_run_with_a_report_and_says_how_to_judge(no_memory, tmp_path):
    from equipoise.experiment.judge import run as judging_run

    planned = plan_run("ring8", steps=3, settings=SMALL)
    no_memory(judging_run, "judge")
    gan = train_planned(planned, tmp_path / "run")
    status = RunFolder(gan.folder).read_status()
    assert status["state"] == "finished" and f"equipoise judge {gan.folder}" in status["message"]
    assert (gan.folder / "report.html").is_file()
    with pytest.raises(OutOfMemory, match="--sensitivity theoretical"):
        judge_run(gan.folder)


def test_two_sets_that_find_no_room_say_so(no_memory, tmp_path):
    from equipoise.experiment.judge import datasets

    path = tmp_path / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(60, 2)))
    no_memory(datasets, "judge")
    with pytest.raises(OutOfMemory, match="points.npy and a ndarray"):
        judge_sources(path, np.zeros((60, 2)))


@pytest.fixture
def large_pictures(tmp_path):
    path = tmp_path / "rgba.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (24, 64, 64, 4), dtype=np.uint8))
    return path


def test_a_batch_that_cannot_fit_is_refused_before_a_step_with_the_forecast_and_one_that_does(
    large_pictures, monkeypatch, tmp_path
):
    # Of 16,384 numbers a picture, 24 are kept for each as the least, and 64 as the estimate: 1,024 pictures take at
    # least 1.6 GB, and 4.3 as estimated. In 1.5 GB beside torch's 0.35, 256 fit (1.07), and 512 do not (2.15).
    settings = ["training.batch_size=1024", "runtime.threads=1"]
    planned = plan_run(large_pictures, steps=5, settings=settings, device="cpu")
    monkeypatch.setenv("EQUIPOISE_MOST_MEMORY_BYTES", str(1_500_000_000))
    monkeypatch.setattr(forecast, "seconds_per_step", lambda planned: pytest.fail("a step was tried"))
    found = forecast_run(planned)
    assert found.seconds is None and 4.3e9 < found.memory_bytes < 6e9
    assert "training.batch_size=256)" in found.trouble and "EQUIPOISE_MOST_MEMORY_BYTES" in found.trouble
    with pytest.raises(OutOfMemory, match=r"takes about [45]\.\d GB, and 1\.5 GB are left") as caught:
        train_planned(planned, tmp_path / "run")
    assert "training.batch_size=256)" in caught.value.advice and not (tmp_path / "run").exists()
    for length in ({"minutes": 1}, {"most_minutes": 1}):
        with pytest.raises(OutOfMemory, match="and 1.5 GB are left"):
            plan_run(large_pictures, settings=settings, device="cpu", **length)


def test_a_run_that_may_fit_is_not_refused(large_pictures, monkeypatch):
    planned = plan_run(
        large_pictures, steps=5, settings=["training.batch_size=1024", "runtime.threads=1"], device="cpu"
    )
    monkeypatch.setenv("EQUIPOISE_MOST_MEMORY_BYTES", str(1_700_000_000))  # the estimate is more; the least is not
    require_room(planned, doing="training")


@pytest.mark.parametrize("of", ["container", "limit"])
def test_limits_on_memory_count_as_memory_that_is_not_there(of, monkeypatch, tmp_path):
    from equipoise.experiment import available_memory as memory

    monkeypatch.delenv("EQUIPOISE_MOST_MEMORY_BYTES", raising=False)
    monkeypatch.setattr(memory, "free_memory", lambda: 8 << 30)
    if of == "container":
        (tmp_path / "memory.max").write_text("2000000000\n")
        (tmp_path / "memory.stat").write_text("anon 500000000\nfile 900000000\n")
        monkeypatch.setattr(memory, "CGROUP", tmp_path)
        assert memory.available_memory() == 1_500_000_000
        (tmp_path / "memory.max").write_text("max\n")
        assert memory.left_in_container() is None
    else:
        monkeypatch.setattr(memory, "left_by_limit", lambda: 1 << 30)
        assert memory.available_memory() <= 1 << 30
