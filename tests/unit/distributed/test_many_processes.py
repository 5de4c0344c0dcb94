"""Real processes on one machine, communicating by gloo: the same numbers, one writer, and an end that is noticed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import gloo_worker
import numpy as np
import pandas as pd
import psutil
import pytest
import torch
import typer
from safetensors.torch import load_file
from threads import in_threads

from equipoise.cli.terminal import reporting_errors
from equipoise.distributed import SINGLE_PROCESS, ProcessGroup, TorchProcessGroup, process_group, rendezvous
from equipoise.errors import ConfigError
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.many_processes import begun_before, launch_name
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.resume import resume
from equipoise.training.checkpoints import checkpoint_files

WORKER = Path(gloo_worker.__file__)
LONGEST_SECONDS = 240
SETTINGS = [
    "training.batch_size=32",
    "networks.generator.width=8",
    "networks.discriminator.width=8",
    "runtime.threads=1",
    "outputs.final_verdict=false",
    "outputs.samples=2",
    "outputs.checkpoint_every=20",
    "outputs.measure_every=20",
]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def environment(**more):
    # Processes of one machine need not ask for its name: test machines do not always know theirs.
    return {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", **more}


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(300, 2)))
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "table.csv"
    frame = pd.DataFrame({"amount": rng.normal(size=300), "colour": rng.choice(["red", "green", "blue"], 300)})
    frame.assign(weight=frame["amount"] ** 2).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def in_one_process(points, table):
    return gloo_worker.everything(str(points), str(table), SINGLE_PROCESS)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_processes_that_talk_by_gloo_play_the_game_of_one(count, points, table, in_one_process, tmp_path):
    port = str(free_port())
    out = tmp_path / "found.safetensors"
    started = [
        subprocess.Popen(
            [sys.executable, str(WORKER), str(points), str(table), str(out)],
            env=environment(RANK=str(rank), WORLD_SIZE=str(count), MASTER_ADDR="127.0.0.1", MASTER_PORT=port),
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    said = [process.communicate(timeout=LONGEST_SECONDS)[1] for process in started]
    assert [process.returncode for process in started] == [0] * count, said
    found = load_file(out)
    assert found.keys() == in_one_process.keys()
    for name, expected in in_one_process.items():
        # float64 over 50 steps, and one step in float32.
        tolerance = 1e-12 if name.startswith("parameters") else 1e-6
        assert float((found[name] - expected).abs().max()) < tolerance, name


class Launch:
    """A torchrun of two processes, on a free port of this machine."""

    def __init__(self, *arguments, restarts=0, monitor_seconds=0.1):
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "torch.distributed.run",
                "--nproc-per-node",
                "2",
                "--master-addr",
                "127.0.0.1",
                "--master-port",
                str(free_port()),
                "--max-restarts",
                str(restarts),
                "--monitor-interval",
                str(monitor_seconds),
                "-m",
                "equipoise",
                *map(str, arguments),
            ],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, is_there):
        until = time.monotonic() + LONGEST_SECONDS
        while not is_there():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < until, "nothing came"
            time.sleep(0.02)

    def worker(self, rank):
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if child.environ().get("RANK") == str(rank))

    def end(self):
        out, err = self.process.communicate(timeout=LONGEST_SECONDS)
        return self.process.returncode, out, err


def is_training(run):
    """Whether a checkpoint behind that of step 0 is there: training has begun."""
    return (run / "checkpoints").is_dir() and len(list((run / "checkpoints").glob("*.json"))) > 1


def generator_of(run):
    tensors = load_file(checkpoint_files(run / "checkpoints")[-1])
    return {name: tensor for name, tensor in tensors.items() if name.startswith("generator.average.")}


@pytest.mark.slow
def test_a_killed_process_is_named_and_torchrun_continues_the_run_bit_for_bit(points, tmp_path):
    steps = 200
    run = tmp_path / "run"
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    launch = Launch("train", points, "--outdir", run, "--steps", steps, *settings, restarts=1, monitor_seconds=2)
    launch.wait_for(lambda: is_training(run))
    # torchrun looks every two seconds: the survivor misses the other one, and says so, before torchrun ends it.
    launch.worker(1).send_signal(signal.SIGKILL)
    code, out, err = launch.end()
    assert code == 0, err
    assert "process 1 of 2: it ended without a word" in err
    assert err.count("it ended without a word") == 1, "each survivor said so"
    # It began again where a checkpoint was, and did not begin anew.
    starts = [line for line in err.splitlines() if line.startswith(f"training {run}: steps")]
    assert starts[0].endswith(f"steps 0 to {steps}")
    first = int(starts[1].split("steps ")[1].split()[0])
    assert len(starts) == 2 and first > 0 and first % 20 == 0
    # One process wrote: every measured step is there once, and nothing lies beside the run.
    measured = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert measured == [1, *range(20, steps + 1, 20)]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert out.count("run      ") == 1
    assert json.loads((run / "run.json").read_text())["processes"] == 2

    planned = plan_run(str(points), steps=steps, settings=SETTINGS)

    def undisturbed(group):
        if group.is_main:  # threads share torch's stream: weights are drawn by one at a time
            trainer = build_trainer(planned.config, planned.data, group=group)
            group.barrier()
        else:
            group.barrier()
            trainer = build_trainer(planned.config, planned.data, group=group)
        trainer.run()
        return trainer.generator.average.network.state_dict()

    expected = in_threads(2, undisturbed)[0]
    found = generator_of(run)
    assert found and all(torch.equal(found[f"generator.average.{name}"], tensor) for name, tensor in expected.items())


@pytest.mark.slow
def test_a_signal_to_one_process_stops_all_and_one_process_continues(points, tmp_path):
    steps = 600
    run = tmp_path / "run"
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    launch = Launch("train", points, "--outdir", run, "--steps", steps, *settings)
    launch.wait_for(lambda: is_training(run))
    launch.worker(1).send_signal(signal.SIGTERM)
    code, _, err = launch.end()
    assert code != 0
    assert err.count("a checkpoint was written") == 1
    assert "exitcode  : 130" in err
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "stopped" and 0 < status["step"] < steps
    assert checkpoint_files(run / "checkpoints")[-1].stem == f"step-{status['step']:08d}"
    # What two processes began, one continues.
    gan = resume(run)
    assert gan.step == steps


@pytest.mark.parametrize("tells", [True, False])
def test_one_of_many_processes_shows_an_error_and_says_which_it_is(tells, monkeypatch, capsys):
    class Second(ProcessGroup):
        def reports(self, error):
            return tells

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(rendezvous, "_started", Second(1, 2))

    def command():
        raise ConfigError("training.batch_size", "31 samples cannot be divided.")

    with pytest.raises(typer.Exit) as stopped:
        reporting_errors(command)()
    assert stopped.value.exit_code == 2
    said = capsys.readouterr().err
    assert said == ("process 1 of 2: training.batch_size: 31 samples cannot be divided.\n" if tells else "")


def test_one_of_many_processes_shows_the_traceback_of_a_bug(monkeypatch):
    class Group3(ProcessGroup):
        def reports(self, error):
            return self.rank == 0

    def command():
        raise ZeroDivisionError

    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setattr(rendezvous, "_started", Group3(0, 3))
    with pytest.raises(ZeroDivisionError):
        reporting_errors(command)()
    monkeypatch.setattr(rendezvous, "_started", Group3(2, 3))
    with pytest.raises(typer.Exit) as stopped:
        reporting_errors(command)()
    assert stopped.value.exit_code == 1


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"RANK": "1", "WORLD_SIZE": "two"}, "WORLD_SIZE='two' is not a number"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK=2 of WORLD_SIZE=2"),
        ({"RANK": "1", "WORLD_SIZE": "2"}, "without MASTER_ADDR and MASTER_PORT"),
    ],
)
def test_an_environment_that_makes_no_sense_is_explained(variables, words, monkeypatch):
    for name in ("MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    with pytest.raises(ConfigError, match=words):
        process_group()


def test_one_process_needs_no_rendezvous(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("RANK", "0")
    assert process_group() is SINGLE_PROCESS


def test_fewer_devices_than_processes_are_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    group = object.__new__(TorchProcessGroup)
    ProcessGroup.__init__(group, 1, 2)
    group.all_gather_object = lambda value: [[0, *value[1:]], value]
    with pytest.raises(ConfigError, match="(?s)process 1: it is number 1.*has 1 CUDA devices.*--nproc-per-node 1"):
        group.assign_device(torch.device("cuda"))
    with pytest.raises(ConfigError, match="2 processes on mps"):
        group.assign_device(torch.device("mps"))


def test_a_folder_is_continued_by_the_torchrun_that_made_it_only(tmp_path, monkeypatch):
    config = plan_run("grid25", steps=10, settings=["data.points=200"]).config
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.yaml").write_text(config.to_yaml())
    (run / "status.json").write_text("{}")

    def found(asked=config):
        return begun_before(SINGLE_PROCESS, asked, run, candidates=lambda: [])

    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert found() is None, "somebody else's folder"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert found() is None, "a first start finds what is there, and refuses it later"
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert found() == run
    assert found(config.model_copy(update={"seed": 9})) is None, "another run"
    settled = config.evaluations.model_copy(update={"count": 7})
    (run / "config.yaml").write_text(config.model_copy(update={"evaluations": settled}).to_yaml())
    assert found() == run, "what was left open was decided by the clock when the run began"
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    (run / "run.json").write_text(json.dumps({"launch": launch_name()}))
    assert found() == run, "torchrun counts per machine; the run knows who started it"


ENDING = """
import pathlib, torch
from equipoise.distributed import process_group, rendezvous
group = process_group()
group.assign_device(torch.device("cpu"))
group.all_gather_object([1.0])
rendezvous._shut_down()
print(sorted(path.read_text().strip() for path in pathlib.Path("/proc/self/task").glob("*/comm")))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are read from /proc")
def test_no_thread_of_gloo_outlives_the_group():
    # One that does holds tensors of the last messages, and aborted every tenth process as Python ended.
    port = str(free_port())
    started = [
        subprocess.Popen(
            [sys.executable, "-c", ENDING],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port),
        )
        for rank in range(2)
    ]
    for process in started:
        said, _ = process.communicate(timeout=LONGEST_SECONDS)
        assert process.returncode == 0 and "python" in said and "pt_gloo_runloop" not in said
