"""`equipoise sample` by seeds and as strips, and `equipoise export`."""

import numpy as np
import pytest
from PIL import Image

import equipoise as eq
from equipoise.data.images.domain import ImageDomain

SMALL = ("training.batch_size=4", "outputs.final_verdict=false", "evaluations.count=0", "runtime.threads=1")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    images = np.random.default_rng(0).integers(0, 256, size=(30, 8, 8), dtype=np.uint8)
    folder = tmp_path_factory.mktemp("run") / "images"
    eq.fit((images, np.arange(30) % 3), steps=2, settings=SMALL, outdir=folder)
    return folder


def test_a_list_of_seeds_gives_the_sample_of_each(equipoise, run, tmp_path):
    done = equipoise("sample", run, "--seeds", "3,5-7", "--class", "1", "-o", tmp_path / "by-seed.npy", "--json")
    assert done.code == 0, done.err
    assert done.json["seeds"] == [3, 5, 6, 7] and done.json["count"] == 4
    gan = eq.load(run)
    wanted = np.concatenate([gan.sample(1, seed=seed, label="1") for seed in (3, 5, 6, 7)])
    assert np.array_equal(np.load(tmp_path / "by-seed.npy").reshape(wanted.shape), wanted)


@pytest.mark.parametrize("text", ["", "a", "3-", "-3", "7-3", "1,,2", "0-99999999"])
def test_what_is_no_list_of_seeds_is_refused(equipoise, run, text):
    done = equipoise("sample", run, f"--seeds={text}")
    assert done.code == 2 and "--seeds" in done.err


def test_a_range_of_seeds_that_runs_backwards_is_called_so(equipoise, run):
    assert "'7-3' is a range that runs backwards, in '1,7-3'" in equipoise("sample", run, "--seeds", "1,7-3").err
    assert "'x' is neither a seed nor a range.\n" in equipoise("sample", run, "--seeds", "x").err


def test_seeds_stand_alone(equipoise, run):
    assert "Leave one out" in equipoise("sample", run, "--seeds", "1-3", "-n", 2).err


def test_a_strip_has_a_row_for_each_walk_and_a_column_for_each_frame(equipoise, run, tmp_path):
    done = equipoise("sample", run, "--interpolate", "-n", 5, "-o", tmp_path / "strip.png")
    assert done.code == 0, done.err
    with Image.open(tmp_path / "strip.png") as strip:
        width, height = strip.size
    assert width / height == pytest.approx(5 / 3, rel=0.05)  # three classes, five frames, and the gaps between
    refused = equipoise("sample", run, "--interpolate", "-o", tmp_path / "strip.zip")
    assert refused.code == 2 and ".png or .gif" in refused.err


def test_a_name_in_gif_is_a_loop_with_or_without_asking(equipoise, run, tmp_path):
    for arguments in ((), ("--interpolate",)):
        done = equipoise("sample", run, *arguments, "-n", 4, "-o", tmp_path / f"loop{len(arguments)}.gif")
        assert done.code == 0 and "4 frames" in done.out
        with Image.open(tmp_path / f"loop{len(arguments)}.gif") as loop:
            assert loop.n_frames == 4


def test_an_export_says_what_it_wrote_and_nothing_is_written_without_being_asked_for(equipoise, run, tmp_path):
    done = equipoise("export", run, "--torch", tmp_path / "small.pt2", "--folder", tmp_path / "small", "--json")
    assert done.code == 0, done.err
    assert [entry["form"] for entry in done.json["files"]] == ["torch", "folder"]
    assert (tmp_path / "small.pt2").is_file() and (tmp_path / "small" / "README.md").is_file()
    refused = equipoise("export", run)
    assert refused.code == 2 and "--onnx" in refused.err


def test_fine_tuning_says_what_it_began_with(equipoise, run, tmp_path):
    np.savez(
        tmp_path / "more.npz", images=np.zeros((20, 8, 8), np.uint8) + np.arange(20, dtype=np.uint8)[:, None, None]
    )
    settings = [part for setting in SMALL for part in ("--set", setting)]
    told = ("train", tmp_path / "more.npz", "--steps", 1, "--outdir", tmp_path / "tuned", *settings)
    done = equipoise(*told, "--init-from", run)
    assert done.code == 0, done.err
    assert "Begun with the weights" in done.err + done.out
    # The new pictures have no classes: what the label added to the first layer has another shape, and is named.
    assert "not " in done.err + done.out
    assert equipoise(*told[:-1], "--outdir", tmp_path / "other", "--init-from", tmp_path / "nothing").code == 2


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A run on pictures that are a file."""
    folder = tmp_path_factory.mktemp("stored")
    images = np.random.default_rng(0).integers(0, 256, size=(30, 8, 8), dtype=np.uint8)
    np.savez(folder / "pictures.npz", images=images)
    eq.fit(str(folder / "pictures.npz"), steps=2, settings=SMALL, outdir=folder / "run")
    return folder / "run"


@pytest.mark.parametrize("asked", [("-n", 5, "--seed", 3), ("--seeds", "3,8")], ids=["a sample", "seeds"])
def test_the_pictures_nearest_to_the_images_that_were_written_stand_beside_them(equipoise, stored, tmp_path, asked):
    shown = []
    real = ImageDomain.save_nearest

    def save(self, values, batches, path):
        batches = list(batches)
        shown.append((values, sum(map(len, batches))))
        real(self, values, batches, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImageDomain, "save_nearest", save)
        done = equipoise("sample", stored, *asked, "-o", tmp_path / "new.npy", "--nearest", "--json")
    assert done.code == 0, done.err
    assert done.json["nearest"] == str(tmp_path / "new-nearest.png") and (tmp_path / "new-nearest.png").is_file()
    ((values, compared),) = shown
    written = np.load(tmp_path / "new.npy")
    assert np.array_equal(values.reshape(written.shape), written)
    assert 20 <= compared <= 28  # the training part of thirty
    again = equipoise("sample", stored, *asked, "-o", tmp_path / "other.npy", "--nearest")
    assert f"nearest training pictures: {tmp_path / 'other-nearest.png'}" in again.out


def test_nearest_pictures_are_refused_before_anything_is_written(equipoise, stored, tmp_path):
    (tmp_path / "new-nearest.png").write_bytes(b"mine")
    done = equipoise("sample", stored, "-n", 3, "-o", tmp_path / "new.npy", "--nearest")
    assert done.code == 2 and "something is there already" in done.err
    assert "Leave one out" in equipoise("sample", stored, "-n", 3, "--sets", 2, "--nearest").err
    assert "Leave one out" in equipoise("sample", stored, "--interpolate", "--nearest").err
    eq.fit(np.random.default_rng(0).normal(size=(100, 2)), steps=2, settings=SMALL, outdir=tmp_path / "points")
    assert "Expected a generator of images" in equipoise("sample", tmp_path / "points", "--nearest").err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new-nearest.png", "points"]
