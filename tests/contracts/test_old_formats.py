"""What each released format promises: every later version opens its run folders, samples them and goes on.

`tests/fixtures/format1` holds three runs that format 1 wrote, each as a kill after step 4 of 8 left it, with what the
same version drew from them and the checkpoint that it wrote at step 8. These files never change again; a later format
has a folder of its own beside them.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

import equipoise as eq
from equipoise import migrations
from equipoise.errors import EXIT_BAD_INPUT, ConfigError, NewerFormat, RunFolderError
from equipoise.experiment.config.files import read_config
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.resume import resume
from equipoise.migrations import FORMAT_VERSION, STEPS, upgraded
from equipoise.reports import list_runs, write_report
from equipoise.runfolder import RunFolder, open_run_folder
from equipoise.training.checkpoints import read_checkpoint, sealed

FIXTURES = Path(__file__).parent.parent / "fixtures"
FORMATS = sorted(path for path in FIXTURES.glob("format*") if path.is_dir())
RUNS = ("points", "table", "images")
# Sums of at most a few dozen float32 products, in whatever order and with whatever fused operations another processor
# uses, differ by some units of 2^-24 each; four steps of Adam, whose updates have the size of the learning rate
# (0.001) and which divides by small root mean squares, may enlarge that. A wrong stream moves every number by 0.01.
SAME_WEIGHTS, AFTER_STEPS = 1e-5, 1e-4


@pytest.fixture(params=FORMATS, ids=lambda path: path.name)
def folder(request, tmp_path, monkeypatch) -> Path:
    """A copy of the runs of one format, in the present working directory: their data are named relative to it."""
    shutil.copytree(request.param, tmp_path / "old")
    monkeypatch.chdir(tmp_path / "old")
    return tmp_path / "old"


def on_the_same_machine(folder: Path) -> bool:
    """Whether bit-identity is promised here: the processor and the torch that wrote the fixture."""
    made_on = json.loads((folder / "made-on.json").read_text())
    processors = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
    return (
        made_on["torch"] == torch.__version__
        and made_on["capability"] == torch.backends.cpu.get_cpu_capability()
        and f": {made_on['cpu']}\n" in processors
    )


def agree(found: np.ndarray, stored: np.ndarray, folder: Path, tolerance: float) -> None:
    if on_the_same_machine(folder):
        np.testing.assert_array_equal(found, stored)
    np.testing.assert_allclose(found.astype(float), stored.astype(float), rtol=tolerance, atol=tolerance)


def test_there_is_a_fixture_for_every_format_that_was_released():
    assert [path.name for path in FORMATS] == [f"format{version}" for version in range(1, FORMAT_VERSION + 1)]
    assert not [path for path in FIXTURES.rglob("*") if path.suffix in (".pkl", ".pickle", ".pt", ".pth")]


@pytest.mark.parametrize("name", RUNS)
def test_a_generator_of_an_old_format_draws_the_samples_that_it_drew_then(folder, name):
    drawn = eq.load(name).sample_raw(6, seed=11).values
    if name == "table":
        stored = pd.read_csv(folder / "table-samples.csv")
        assert drawn["tree"].tolist() == stored["tree"].tolist()
        for column in ("height", "age"):
            agree(drawn[column].to_numpy(), stored[column].to_numpy(), folder, SAME_WEIGHTS)
    else:
        agree(drawn, np.load(folder / f"{name}-samples.npy", allow_pickle=False), folder, SAME_WEIGHTS)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_of_an_old_format_resumes_to_the_weights_that_it_would_have_had(folder, name):
    config = folder / name / "config.yaml"
    config.write_text(config.read_text().replace("final_verdict: true", "final_verdict: false"))
    resume(name, force=not on_the_same_machine(folder))  # another processor's arithmetic is refused without
    assert open_run_folder(name).read_status()["state"] == "finished"
    found, numbers, broken = read_checkpoint(Path(name) / "checkpoints")
    stored = load_file(folder / f"{name}-step8.safetensors")
    assert numbers["step"] == 8 and not broken
    assert set(stored) <= set(found)
    for key, tensor in stored.items():
        agree(found[key].numpy(), tensor.numpy(), folder, AFTER_STEPS)


@pytest.mark.parametrize("name", RUNS)
def test_reports_and_lists_show_a_run_of_an_old_format(folder, name):
    write_report(name)
    assert (folder / name / "report.html").stat().st_size > 1000
    (listed,) = list_runs(name)
    assert (listed.step, listed.conclusion, listed.trouble) == (4, "distinguished", "")


@pytest.mark.parametrize("name", RUNS)
def test_keys_that_are_not_needed_may_be_missing(folder, name):
    # What came later than a format, or was left out by hand: everything else has a default.
    run = folder / name
    config = yaml.safe_load((run / "config.yaml").read_text())
    for section in ("format", "gamma", "augmentation", "averaging", "ema"):
        config.pop(section, None)
    for key in ("kind", "image_size", "use_labels", "drop", "max_bad_share", "sample_weight", "balance"):
        del config["data"][key]
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    (run / "status.json").write_text("{}")
    data = json.loads((run / "data.json").read_text())
    kept = {"codec", "encoder", "fingerprint", *(() if name == "points" else ("labels",))}
    (run / "data.json").write_text(json.dumps({key: value for key, value in data.items() if key in kept}))
    for file in ("run.json", "metrics.jsonl", "verdicts.jsonl"):
        (run / file).unlink()
    assert len(eq.load(name).sample_raw(3).values) == 3
    write_report(name)


DOCUMENTS = ("config.yaml", "data.json", "status.json", "verdicts.jsonl", "checkpoints/step-00000004.json")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_newer_format_is_refused_wherever_it_stands(folder, document):
    path = folder / "points" / document
    newer = FORMAT_VERSION + 1
    if path.suffix == ".yaml":
        path.write_text(re.sub(r"(?m)^format: \d+$", f"format: {newer}", path.read_text()))
    else:
        row = {**json.loads(path.read_text()), "format": newer}
        path.write_text(json.dumps(sealed(row) if "seal" in row else row) + "\n")
    with pytest.raises(NewerFormat, match=f"format {newer} is newer") as caught:
        if document == "verdicts.jsonl":
            open_run_folder("points").read_verdicts()
        else:
            eq.load("points")
    assert path.name.partition(".")[0] in caught.value.where or document == "status.json"
    assert "Upgrade equipoise" in str(caught.value) and caught.value.exit_code == EXIT_BAD_INPUT


@pytest.mark.parametrize("version", [0, -1, "1", 1.0, True, None, [1]])
def test_a_format_that_is_no_number_is_refused(version):
    with pytest.raises(RunFolderError, match="its format is"):
        upgraded("status", {"format": version}, where="status.json")


def test_everything_that_a_run_writes_says_its_format(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    points = np.random.default_rng(0).normal(size=(400, 2))
    np.save("points.npy", points)
    small = [
        "networks.generator.width=4",
        "networks.discriminator.width=4",
        "training.batch_size=8",
        "runtime.threads=1",
    ]
    eq.fit("points.npy", outdir="run", steps=2, settings=small)
    run = RunFolder(Path("run"))
    assert yaml.safe_load(run.config.read_text())["format"] == FORMAT_VERSION
    for path in (run.data, run.metadata, run.status, *run.checkpoints.glob("*.json")):
        assert json.loads(path.read_text())["format"] == FORMAT_VERSION, path
    rows = [json.loads(line) for line in run.verdicts.read_text().splitlines()]
    assert rows and all(row["format"] == FORMAT_VERSION for row in rows)


def test_the_format_of_a_configuration_is_the_one_that_migrations_lead_to():
    assert RunConfig.model_fields["format"].default == FORMAT_VERSION
    assert sorted(STEPS) == list(range(1, FORMAT_VERSION))


def test_steps_are_taken_one_after_the_other(monkeypatch):
    # A format that does not exist, to see that each step is taken once, in order, and told which document it has.
    monkeypatch.setattr(migrations, "FORMAT_VERSION", 3)
    monkeypatch.setitem(STEPS, 1, lambda name, content: {**content, "seen": [name]})
    monkeypatch.setitem(STEPS, 2, lambda name, content: {**content, "seen": [*content["seen"], "second"]})
    assert upgraded("data", {"format": 1}, where="x") == {"format": 3, "seen": ["data", "second"]}
    assert upgraded("data", {}, where="x")["seen"] == ["data", "second"]
    assert upgraded("data", {"format": 3}, where="x") == {"format": 3}
    assert upgraded("config", {"seed": 1}, where="x") == {"seed": 1}


def test_a_configuration_of_a_newer_format_is_not_blamed_on_its_keys(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("format: 9\nsomething_new: 1\n")
    with pytest.raises(NewerFormat):
        read_config(path)
    path.write_text("a: &x [1]\nb: *x\n")
    with pytest.raises(ConfigError, match="aliases"):
        read_config(path)
