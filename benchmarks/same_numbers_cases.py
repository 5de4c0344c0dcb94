"""What `same_numbers.py` plays: its commands, in the names of version 0.1.0, and the data that they read."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

# Names.

NAMES = {
    name: name
    for name in """
    train resume sample judge sweep
    --outdir --steps --seed --set --quiet --json --keep-best --until --balance --sample-weight
    --count --output --class --format --last --confidence --folds --resolution --drop --out --over --seeds
    EQUIPOISE_CACHE EQUIPOISE_MAP_ABOVE_MB
    data.points data.image_size data.labels
    networks.family networks.latents networks.generator.width networks.generator.depth
    networks.discriminator.width networks.discriminator.depth networks.discriminator.spectral
    networks.generator.channels networks.generator.widest networks.generator.patch
    networks.discriminator.channels networks.discriminator.widest networks.discriminator.patch
    objective penalties gamma augmentation.instance_noise
    play.order play.discriminator_turns play.consensus_weight play.batch_size
    optimisers.course.warmup_steps optimisers.discriminator.clip_norm
    looks.count looks.samples looks.members looks.resolution looks.gap_steps
    outputs.measure_every outputs.checkpoint_every outputs.samples outputs.final_verdict runtime.threads
    name options weight noise_scale change level
    alternating simultaneous extragradient optimistic consensus consensus_in_turns
    relativistic relativistic_average minimax nonsaturating least_squares hinge wasserstein fgan_hellinger
    r1 r2 wgan_gp dragan consistency lecam shift_and_flip
    mlp convolutional auto quick all floor screen classes not-distinguished
    """.split()
}
"""What 0.1.0 calls a command, option, variable, setting or value, and what the version that is played calls it. Both
are the same as long as the old names are accepted; `--names FILE` (a JSON object) gives others."""
# What is played.

FINE = (0, 10, 11)
"""Exit codes of commands that did their work."""
INTERRUPTED = 130
EXIT_CODES = "exit-codes.json"
LONGEST_SECONDS = 600
"""A command that takes longer is ended, and has failed."""

SEED, STEPS = 3, 60
COMMON = {
    "runtime.threads": 1,
    "play.batch_size": 32,
    "optimisers.course.warmup_steps": 5,
    "looks.count": 0,  # left out, it would be chosen by timing
    "outputs.measure_every": 5,
    "outputs.checkpoint_every": 20,
    "outputs.samples": 2,
    "outputs.final_verdict": False,  # whether it measures its resolution goes by the time of play
}
MLP = {
    "networks.family": "mlp",
    "networks.latents": 6,
    "networks.generator.width": 24,
    "networks.generator.depth": 3,
    "networks.discriminator.width": 24,
    "networks.discriminator.depth": 2,
}
CONVOLUTIONAL = {
    "networks.family": "convolutional",
    "networks.latents": 6,
    **{
        f"networks.{role}.{key}": value
        for role in ("generator", "discriminator")
        for key, value in (("channels", 4), ("widest", 8), ("patch", 2))
    },
}
LOOKS = {
    "looks.count": 3,
    "looks.samples": 60,
    "looks.members": "quick",
    "looks.resolution": "floor",
    "looks.gap_steps": 3,
    "looks.keep_best": False,
}


FACTS = """
import json
from importlib.metadata import version
import torch
names = ("torch", "numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "pillow")
found = {"arithmetic": torch.backends.cpu.get_cpu_capability(), **{name: version(name) for name in names}}
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Command:
    """One command of a case.

    Attributes:
        words: after `python -m equipoise`, or a program for `python -c` alone.
        processes: started together by torchrun.
        is_mapped: whether prepared data of any size go to the disk.
        stop_after: rows of `run/metrics.jsonl` after which it is asked to stop; 0 lets it end.
    """

    words: tuple[str, ...]
    processes: int = 1
    is_mapped: bool = False
    stop_after: int = 0


@dataclass(frozen=True)
class Case:
    """Commands that are run one after the other in one folder; `needs` is a package that the data come from."""

    name: str
    commands: tuple[Command, ...]
    needs: str = ""


def cases() -> list[Case]:
    """All that is played, in its order."""
    return [
        # Points: rules of play, objectives and penalties, each at least once.
        case(
            "alternating, n critic 2",
            train("grid25", {"data.points": 2000, "play.discriminator_turns": 2, **LOOKS}, "--keep-best"),
            sample("new.npy", 300),
            sample("new.csv", 50),
            sample("new.parquet", 50, "--last"),
            sample("new.npz", 50, "--last"),
            judge("run", "--last"),
            judge("run", "--confidence", "0.9"),
        ),
        case(
            "simultaneous, wgan-gp",
            train("ring8", {"data.points": 1500, "play.order": "simultaneous", **game("wasserstein", wgan_gp=10.0)}),
        ),
        case(
            "extragradient, dragan",
            train("swiss-roll", {"data.points": 1500, "play.order": "extragradient", **game("minimax", dragan=2.0)}),
        ),
        case(
            "optimistic, consistency, instance noise",
            train(
                "ring8",
                {
                    "data.points": 1500,
                    "play.order": "optimistic",
                    **game("nonsaturating", consistency=1.0, r1=0.1),
                    "augmentation.instance_noise": {"level": 0.2},
                },
            ),
        ),
        case(
            "consensus, lecam, spectral",
            train(
                "../data/points.npy",
                {
                    "play.order": "consensus",
                    "play.consensus_weight": 0.5,
                    **game("hinge", lecam=0.1),
                    "networks.discriminator.spectral": True,
                },
            ),
        ),
        case(
            "consensus in turns, gamma auto",
            train(
                "grid25",
                {
                    "data.points": 1500,
                    "play.order": "consensus_in_turns",
                    **game("least_squares", r1=0.1, r2=0.1),
                    "gamma": "auto",
                },
            ),
        ),
        case(
            "looks with a screen",
            train(
                "../data/points.npy",
                {**LOOKS, **game("fgan_hellinger", r1=1.0), "looks.resolution": "screen", "looks.gap_steps": 0},
                "--until",
                "not-distinguished",
            ),
        ),
        case("points on disk", train("../data/points.npy", LOOKS, is_mapped=True), judge("run", is_mapped=True)),
        case("points in Parquet, on disk", train("../data/points.parquet", {}, is_mapped=True)),
        case(
            "two processes",
            train("../data/points.npy", {**LOOKS, **game("relativistic", r1=1, wgan_gp=1)}, processes=2),
        ),
        case("two processes, averages", train("digits", game("relativistic_average", r1=1, lecam=0.1), processes=2)),
        case("sweep on a known density", sweep("ring8", {"data.points": 1500}, "objective=relativistic,hinge")),
        case("extended", train("../data/points.npy", LOOKS, steps=40), resume("--steps", "70"), sample("new.npy", 100)),
        case("interrupted", train("../data/points.npy", LOOKS, steps=800, stop_after=3), resume()),
        # Pictures.
        case(
            "digits",
            train("digits", LOOKS),
            sample("new", 30),
            sample("sevens.zip", 20, "--class", "7"),
            sample("packed", 20, "--format", "zip"),
            sample("new.npy", 40),
            sample("new.npz", 40),
            judge("run"),
        ),
        case("digits, balanced", train("digits", {"optimisers.discriminator.clip_norm": 1.0}, "--balance", "classes")),
        case(
            "folder of pictures",
            train(
                "../data/pictures",
                {"penalties": [part("consistency", weight=1.0, change="shift_and_flip"), part("r1", weight=1.0)]},
                networks=CONVOLUTIONAL,
            ),
            sample("new", 12),
            judge("run"),
        ),
        case("folder of pictures, on disk", train("../data/pictures", {}, networks=CONVOLUTIONAL, is_mapped=True)),
        case("zip of pictures", train("../data/pictures.zip", {}, networks=CONVOLUTIONAL)),
        case("pictures in npz, weights", train("../data/images.npz", {}, "--sample-weight", "wanted")),
        case(
            "pictures in npy, on disk",
            train("../data/images.npy", {**LOOKS, "data.image_size": 8}, networks=CONVOLUTIONAL, is_mapped=True),
        ),
        # Tables.
        case(
            "table in CSV, weights",
            train("../data/table.csv", {**LOOKS, "looks.members": "all"}, "--sample-weight", "wanted"),
            sample("new.csv", 100),
            sample("new.parquet", 100),
            judge("run"),
        ),
        case(
            "table in Parquet, balanced",
            train("../data/table.parquet", {"data.labels": "grade"}, "--balance", "classes"),
            sample("new.csv", 100),
            sample("high.parquet", 20, "--class", "high"),
        ),
        case(
            "table in Parquet, on disk",
            train("../data/table.parquet", LOOKS, is_mapped=True),
            sample("new.csv", 100),
            judge("run", is_mapped=True),
        ),
        case("diamonds", train("diamonds", {}), sample("new.csv", 100), needs="plotnine"),
        # Two sets of any origin.
        case(
            "judge points",
            judge("../data/points.npy ../data/points-fake.npy", "--folds", "5", "--out", "found"),
            judge("../data/points.npy ../data/points-again.npy", resolution="screen"),
        ),
        case(
            "judge tables",
            judge("../data/table.csv ../data/table-fake.parquet", "--drop", "wanted", "--out", "found"),
            judge("../data/table.parquet ../data/table-fake.parquet", is_mapped=True),
        ),
        case(
            "judge pictures",
            judge("../data/images.npy ../data/images-fake.npy", "--out", "found"),
            judge("../data/images.npy ../data/images-fake.npy", is_mapped=True),
            judge("../data/pictures ../data/images-fake.npy"),
        ),
        case("from Python", Command((python_program(),))),
    ]


def case(name: str, *commands: Command, needs: str = "") -> Case:
    """A case."""
    return Case(name, commands, needs)


def train(
    data: str,
    settings: Mapping[str, Any],
    *options: str,
    steps: int = STEPS,
    networks: Mapping[str, Any] = MLP,
    processes: int = 1,
    is_mapped: bool = False,
    stop_after: int = 0,
) -> Command:
    """Train into `run`."""
    words = ["train", data, "--outdir", "run", "--steps", str(steps), "--seed", str(SEED), "--quiet", *options]
    return Command(with_settings(words, {**COMMON, **networks, **settings}), processes, is_mapped, stop_after)


def sweep(data: str, settings: Mapping[str, Any], over: str) -> Command:
    """Two runs in `runs`, and their distance from the density that the data were drawn from."""
    words = ["sweep", data, "--outdir", "runs", "--over", over, "--steps", str(STEPS), "--seeds", "1", "--quiet"]
    return Command(with_settings(words, {**COMMON, **MLP, **settings}))


def resume(*options: str) -> Command:
    """Go on with `run`."""
    return Command(tuple(map(named, ("resume", "run", "--quiet", *options))))


def sample(target: str, count: int, *options: str) -> Command:
    """Samples of `run`."""
    words = ("sample", "run", "--count", str(count), "--output", target, "--seed", "5", *options)
    return Command(tuple(map(named, words)))


def judge(sources: str, *options: str, resolution: str = "floor", is_mapped: bool = False) -> Command:
    """A verdict on a run or on two sets. 'auto' would go by the time of play and by what is in the cache."""
    words = ("judge", *sources.split(), "--resolution", resolution, "--seed", "2", "--quiet", "--json", *options)
    return Command(tuple(map(named, words)), is_mapped=is_mapped)


def game(objective: str, **weights: float) -> dict[str, Any]:
    """Settings of an objective with penalties of these weights."""
    return {"objective": objective, "penalties": [part(name, weight=weight) for name, weight in weights.items()]}


def with_settings(words: Sequence[str], settings: Mapping[str, Any]) -> tuple[str, ...]:
    """A command with settings, in the words of the version that is played."""
    more = (word for key, value in settings.items() for word in (named("--set"), setting(key, value)))
    return (*map(named, words), *more)


def part(name: str, **options: Any) -> dict[str, Any]:
    """A penalty as a setting."""
    return {"name": name, "options": options}


def named(word: str) -> str:
    """A word of the command line in the words of the version that is played."""
    if word.startswith("--") or word.startswith("EQUIPOISE"):
        return NAMES[word]
    return NAMES.get(word, word)


def setting(key: str, value: Any) -> str:
    """'key=value' in the words of the version that is played."""

    def translated(value: Any) -> Any:
        if isinstance(value, dict):
            return {NAMES[key]: translated(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [translated(entry) for entry in value]
        return NAMES.get(value, value) if isinstance(value, str) else value

    return f"{NAMES[key]}={json.dumps(translated(value))}"


def python_program() -> str:
    """A program that uses the public functions: an array and a frame, trained on, loaded, sampled and judged."""
    settings = [setting(key, value) for key, value in {**COMMON, **MLP}.items()]
    return f"""
import json
import numpy as np
import pandas as pd
import equipoise as eq

points, again = np.load("../data/points.npy"), np.load("../data/points-again.npy")
frame, fake = pd.read_parquet("../data/table.parquet"), pd.read_parquet("../data/table-fake.parquet")
verdicts = {{}}
for name, data, other in (("array", points, again), ("frame", frame, fake)):
    gan = eq.fit(data, outdir=name, steps={STEPS}, seed={SEED}, settings={settings!r})
    for way, held in (("fitted", gan), ("loaded", eq.load(name))):
        drawn = held.sample(50, seed=5)
        np.save(f"{{way}}.npy", drawn) if name == "array" else drawn.to_csv(f"{{way}}.csv", index=False)
    verdicts[name] = gan.judge(seed=2, resolution="floor").to_json()
    verdicts[f"two {{name}}s"] = eq.judge(data, other, seed=2, resolution="floor").to_json()
print(json.dumps(verdicts))
"""


def folder_name(name: str) -> str:
    """A case's name as that of a folder."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())


# Data.


def write_data(folder: Path) -> None:
    """Small data of every kind; the same ones each time."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "pictures").mkdir(parents=True)
    for name, seed, shift in (("points", 1, 0.0), ("points-again", 2, 0.0), ("points-fake", 3, 0.3)):
        np.save(folder / f"{name}.npy", made_points(600, seed=seed, shift=shift))
    pd.DataFrame(made_points(600, seed=4, shift=0.0), columns=["east", "north", "up"]).to_parquet(
        folder / "points.parquet", index=False
    )
    for name, seed, shift in (("table", 5, 0.0), ("table-fake", 6, 0.5)):
        frame = made_table(600, seed=seed, shift=shift)
        frame.to_parquet(folder / f"{name}.parquet", index=False)
        frame.to_csv(folder / f"{name}.csv", index=False)
    for name, seed in (("images", 7), ("images-fake", 8)):
        stream = np.random.default_rng(seed)
        np.save(folder / f"{name}.npy", np.stack([made_picture(stream, 16, 16, seed) for _ in range(300)]))
    stream = np.random.default_rng(9)
    classes = stream.choice(4, size=400, p=[0.5, 0.3, 0.15, 0.05])
    images = np.stack([made_picture(stream, 8, 8, kind)[..., 0] for kind in classes])
    np.savez(folder / "images.npz", images=images, labels=classes, wanted=stream.uniform(0.2, 3, 400))
    write_pictures(folder / "pictures", stream)


def made_points(count: int, *, seed: int, shift: float) -> np.ndarray:
    """Three coordinates: two lumps, and a third that depends on them."""
    stream = np.random.default_rng(seed)
    points = stream.normal(size=(count, 3)) + 4 * stream.integers(0, 2, size=(count, 1)) + shift
    points[:, 2] += points[:, 0] * points[:, 1]
    return points


def made_table(count: int, *, seed: int, shift: float) -> pd.DataFrame:
    """Categories, numbers with gaps, whole numbers with gaps, dates, truth values, a column that is mostly zero."""
    stream = np.random.default_rng(seed)
    hidden = stream.normal(size=count) + shift
    days = pd.Timestamp("2021-01-01") + pd.to_timedelta(stream.integers(0, 700, count), unit="D")
    amount = np.exp(hidden + stream.normal(size=count) / 2).round(2)
    amount[stream.random(count) < 0.06] = np.nan
    visits = pd.array(stream.poisson(40 + 10 * np.abs(hidden)), dtype="Int64")
    visits[stream.random(count) < 0.04] = pd.NA
    return pd.DataFrame(
        {
            "colour": stream.choice(["red", "green", "deep blue"], count, p=[0.6, 0.3, 0.1]),
            "amount": amount,
            "visits": visits,
            "number": stream.integers(0, 5000, count),
            "day": days.astype("datetime64[ms]"),
            "rain": np.where(stream.random(count) < 0.85, 0.0, stream.exponential(3, count).round(1)),
            "is_new": stream.random(count) < 0.3,
            "grade": np.where(hidden > 1, "high", np.where(hidden > -0.5, "middle", "low")),
            "wanted": stream.uniform(0.2, 3, count).round(3),
        }
    )


def made_picture(stream: np.random.Generator, height: int, width: int, kind: int) -> np.ndarray:
    """A bright spot on a slope, in colour. Shape `(height, width, 3)`, uint8."""
    rows, columns = np.mgrid[0:height, 0:width] / max(height, width)
    centre = stream.uniform(0.2, 0.8, size=2)
    spot = np.exp(-((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2) * (20 + 15 * kind))
    slope = stream.uniform(0, 1, size=3) * (columns if kind % 2 else rows)[..., None]
    noise = stream.normal(scale=0.03, size=(height, width, 3))
    return (255 * np.clip(0.6 * spot[..., None] + 0.4 * slope + noise, 0, 1)).astype(np.uint8)


def write_pictures(folder: Path, stream: np.random.Generator) -> None:
    """PNG files of many sizes in folders that are classes; a few are grey, and one is cut short."""
    for kind, name in enumerate(("bright", "dim", "narrow")):
        (folder / name).mkdir()
        for number in range(60):
            picture = Image.fromarray(made_picture(stream, *stream.integers(14, 30, size=2), kind))
            (picture.convert("L") if number % 20 == 0 else picture).save(folder / name / f"{number:03d}.png")
    whole = (folder / "dim" / "001.png").read_bytes()
    (folder / "dim" / "cut-short.png").write_bytes(whole[: len(whole) // 2])
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.writestr(zipfile.ZipInfo(path.relative_to(folder).as_posix()), path.read_bytes())  # without dates
