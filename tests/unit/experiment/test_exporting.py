"""What others get of a run: an ONNX model, a torch program, a folder with a card, and weights to begin with."""

import json

import numpy as np
import pytest
import torch

import equipoise as eq
from equipoise.errors import ConfigError, InputError, RunFolderError
from equipoise.experiment.exporting import natural
from equipoise.experiment.init_from import take
from equipoise.randomness import Stream, torch_stream

pytestmark = pytest.mark.usefixtures("undrawn")
UNJUDGED = ["outputs.final_verdict=false", "outputs.samples=1", "evaluations.count=0", "training.batch_size=8"]
SHORT = [
    *UNJUDGED,
    "networks.generator.channels=4",
    "networks.generator.widest=8",
    "networks.discriminator.channels=4",
    "networks.discriminator.widest=8",
    "networks.latents=6",
]


STILL = ["optimizers.generator.learning_rate=1e-12", "optimizers.discriminator.learning_rate=1e-12"]


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """A conditional generator of transparent images of 10 x 12 pixels, barely trained."""
    folder = tmp_path_factory.mktemp("colours")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 10, 12, 4), dtype=np.uint8)
    np.savez(folder / "pictures.npz", images=images, labels=np.repeat(["blue", "red", "green"], 20))
    settings = [*SHORT, "data.labels=labels"]
    return eq.fit(str(folder / "pictures.npz"), steps=3, outdir=folder / "run", settings=settings)


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    folder = tmp_path_factory.mktemp("points")
    np.save(folder / "far.npy", 1e4 + np.random.default_rng(0).normal(size=(200, 2)))
    settings = ["outputs.final_verdict=false", "evaluations.count=0", "networks.generator.components=8"]
    return eq.fit(str(folder / "far.npy"), steps=3, outdir=folder / "run", settings=["data.kind=points", *settings])


def latents_of(gan, count, seed):
    """Those that `gan.sample(count, seed=seed)` draws."""
    return torch.randn(1024, gan.generator.latent_dimensions, generator=torch_stream(seed, Stream.SAMPLES, 0))[:count]


def test_natural_images_are_what_sampling_gives_to_a_byte(colours):
    made = natural(colours)(latents_of(colours, 5, 3), torch.tensor([0, 1, 2, 0, 1])).numpy()
    latents = latents_of(colours, 5, 3)
    bytes_of = colours.encoder.decode(colours.generator(latents, torch.tensor([0, 1, 2, 0, 1])).numpy())
    assert made.min() >= 0 and made.max() <= 1
    alpha = bytes_of[:, 3:]
    assert np.abs(255 * made[:, 3:] - alpha).max() <= 0.5 + 1e-3
    # A straight colour is a quotient: half a byte of alpha moves it by 255 / alpha of that.
    allowed = 0.5 + 0.51 * 255 / np.maximum(alpha, 1)
    assert (np.abs(255 * made[:, :3] - bytes_of[:, :3]) <= allowed)[np.repeat(alpha > 0, 3, axis=1)].all()


def test_an_onnx_model_of_a_conditional_generator_makes_the_same_images_for_any_number_at_once(colours, tmp_path):
    import onnxruntime

    made = colours.export(tmp_path / "colours.onnx")
    assert made.difference <= 1e-4
    session = onnxruntime.InferenceSession(str(tmp_path / "colours.onnx"))
    assert [entry.name for entry in session.get_inputs()] == ["latents", "labels"]
    latents, labels = latents_of(colours, 7, 0), torch.arange(7) % 3
    found = session.run(["samples"], {"latents": latents.numpy(), "labels": labels.numpy()})[0]
    wanted = natural(colours)(latents, labels).numpy()
    assert np.abs(found - wanted).max() <= 1e-4
    described = session.get_modelmeta().custom_metadata_map
    assert json.loads(described["classes"]) == list(colours.label_names)
    assert {path.name for path in tmp_path.iterdir()} == {"colours.onnx"}  # the weights are inside


def test_a_torch_program_of_points_gives_them_in_their_own_units_and_one_alone_too(points, tmp_path):
    points.export(tmp_path / "far.pt2")
    program = torch.export.load(str(tmp_path / "far.pt2")).module()
    found = program(latents_of(points, 9, 5)).numpy()
    assert found == pytest.approx(points.sample(9, seed=5), rel=1e-6)
    assert program(latents_of(points, 1, 5)).shape == (1, 2)


def test_exports_refuse_what_they_cannot_write(colours, points, tmp_path):
    with pytest.raises(ConfigError, match=r"\.onnx or \.pt2"):
        points.export(tmp_path / "points.bin")
    (tmp_path / "there.onnx").touch()
    with pytest.raises(InputError, match="already"):
        points.export(tmp_path / "there.onnx")
    with pytest.raises(ConfigError, match=r"'\.pt2'"):
        points.export(tmp_path / "points.bin", form="torch")


def test_a_pretrained_folder_makes_the_same_samples_and_says_what_it_is(colours, tmp_path):
    folder = colours.save_pretrained(tmp_path / "colours")
    found = eq.from_pretrained(folder)
    assert np.array_equal(found.sample(6, seed=2, label="red"), colours.sample(6, seed=2, label="red"))
    assert (found.step, found.label_names) == (colours.step, colours.label_names)
    card = (folder / "README.md").read_text()
    assert "pipeline_tag" not in card  # the hub has no word for images of classes
    assert "No verdict is stored" in card and "library_name: equipoise" in card
    assert str(colours.folder.parent) not in card + (folder / "config.json").read_text()
    with pytest.raises(InputError, match="already"):
        colours.save_pretrained(folder)
    with pytest.raises(RunFolderError, match="not the data that it was trained on"):
        found.judge()


def test_a_pretrained_folder_holds_no_path_of_the_machine_in_any_setting(colours, tmp_path):
    from dataclasses import replace

    from equipoise.experiment.pretrained import without_paths

    begun = eq.fit(
        colours.config.data.source,
        steps=1,
        outdir=tmp_path / "mine" / "tuned",
        init_from=colours.folder,
        settings=[*UNJUDGED, "data.labels=labels"],
    )
    evaluations = begun.config.evaluations.model_copy(
        update={"features": str(tmp_path / "mine" / "eyes.onnx"), "metrics": ("frechet_distance",), "count": 2}
    )
    config = begun.config.model_copy(update={"evaluations": evaluations})
    written = without_paths(config)
    assert written["training"]["init_from"] == "run" and written["evaluations"]["features"] == "eyes.onnx"
    assert written["data"]["labels"] == "labels" and written["networks"] == config.to_dict()["networks"]
    folder = (replace(begun, config=config)).save_pretrained(tmp_path / "given")
    text = "".join(path.read_text() for path in folder.iterdir() if path.suffix in (".json", ".md"))
    assert "tuned" in begun.folder.name and not any(str(place) in text for place in (tmp_path, colours.folder.parent))
    assert np.array_equal(eq.from_pretrained(folder).sample(2, seed=0), begun.sample(2, seed=0))


def test_a_card_holds_the_verdict_on_the_weights_that_it_describes(colours, tmp_path):
    from equipoise.experiment.model_card import model_card
    from equipoise.runfolder import RunFolder

    row = {"part": "final", "step": colours.step, "conclusion": "distinguished", "sentence": "DISTINGUISHED: by far."}
    row |= {"jsd_lower_bound_nats": 0.25, "jsd_estimate_nats": 0.3, "confidence": 0.95, "format": 2}
    row["sensitivity_theoretical_nats"] = 0.17
    run = RunFolder(colours.folder)
    run.append(run.verdicts, row)
    run.append(run.verdicts, {**row, "step": colours.step + 1, "sentence": "OF OTHER WEIGHTS"})
    try:
        card = model_card(colours)
        assert "DISTINGUISHED: by far." in card and "at least 0.25, with 95% confidence" in card
        assert "| smallest difference that could have been found, in theory, nats | 0.17 |" in card
        assert "OF OTHER WEIGHTS" not in card
    finally:
        run.verdicts.unlink()


def test_a_damaged_or_strange_pretrained_folder_is_refused_with_its_name(colours, tmp_path):
    folder = colours.save_pretrained(tmp_path / "colours")
    content = json.loads((folder / "config.json").read_text())
    wider = json.loads(json.dumps(content))
    wider["config"]["networks"]["generator"]["channels"] = 4096
    (folder / "config.json").write_text(json.dumps(wider))
    with pytest.raises(RunFolderError, match="does not fit"):
        eq.from_pretrained(folder)
    code = json.loads(json.dumps(content))
    code["config"]["networks"]["family"] = "os:system"
    (folder / "config.json").write_text(json.dumps(code))
    with pytest.raises(RunFolderError, match="code"):
        eq.from_pretrained(folder)
    (folder / "config.json").write_text("{}")
    with pytest.raises(RunFolderError, match="cannot be read"):
        eq.from_pretrained(folder)
    with pytest.raises(InputError, match="no such folder"):
        eq.from_pretrained(tmp_path / "nowhere")


def test_uploading_is_one_call_of_the_hub_with_the_folder(colours, monkeypatch):
    import equipoise.experiment.pretrained as pretrained

    seen = {}

    class Api:
        def __init__(self, token):
            seen["token"] = token

        def create_repo(self, name, *, private, exist_ok):
            seen["repository"] = (name, private, exist_ok)
            return f"https://hub/{name}"

        def upload_folder(self, *, folder_path, repo_id):
            from pathlib import Path

            seen["files"] = {path.name for path in Path(folder_path).iterdir()}

    monkeypatch.setattr(pretrained, "hub", lambda: type("Hub", (), {"HfApi": Api}))
    assert colours.push_to_hub("me/colours", token="secret") == "https://hub/me/colours"
    assert seen["repository"] == ("me/colours", True, True)
    assert seen["files"] == {"model.safetensors", "config.json", "README.md"}
    with pytest.raises(ConfigError, match="owner/name"):
        colours.push_to_hub("nobody")


@pytest.mark.parametrize("source", ["run", "folder"])
def test_a_run_that_begins_with_another_ones_weights_has_its_networks_and_its_samples(colours, tmp_path, source):
    origin = colours.folder if source == "run" else colours.save_pretrained(tmp_path / "pretrained")
    begun = eq.fit(
        colours.config.data.source,
        steps=1,
        outdir=tmp_path / "tuned",
        init_from=origin,
        settings=[*UNJUDGED, "data.labels=labels", *STILL],
    )
    assert begun.config.networks == colours.config.networks
    assert np.abs(begun.sample(4, seed=0).astype(int) - colours.sample(4, seed=0)).max() <= 1
    said = json.loads((begun.folder / "run.json").read_text())["begun_with"]
    assert "tensors of the generator" in said and "(not" not in said


def test_what_does_not_fit_is_left_and_named(colours):
    network = torch.nn.ModuleDict({"entry": torch.nn.Linear(3, 4), "exit": torch.nn.Linear(4, 2)})
    given = {"entry.weight": torch.ones(4, 3), "entry.bias": torch.ones(5), "other": torch.ones(1)}
    taken, left = take(network, given)
    assert (taken, left) == (["entry.weight"], ["entry.bias", "exit.weight", "exit.bias"])
    assert torch.equal(network["entry"].weight, torch.ones(4, 3))


def test_beginning_with_weights_of_other_networks_is_refused(colours, tmp_path):
    with pytest.raises(ConfigError, match="no tensor of its"):
        eq.fit(
            colours.config.data.source,
            steps=1,
            outdir=tmp_path / "wrong",
            init_from=colours.folder,
            settings=[*UNJUDGED, "data.labels=labels", "networks.family=mlp"],
        )
