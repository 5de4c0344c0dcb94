"""`equipoise sample`: new images, rows or points from a trained generator."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli.options import AsJson, Last, RunPath, TrustCode
from equipoise.cli.terminal import note, print_json
from equipoise.errors import ConfigError, InputError, unknown_name

if TYPE_CHECKING:
    from equipoise.experiment.generator import Gan

SUFFIXES = {
    "png": "",
    "zip": ".zip",
    "arrow": ".arrow",
    "gif": ".gif",
    "csv": ".csv",
    "parquet": ".parquet",
    "npy": ".npy",
    "npz": ".npz",
}
FILES = {**SUFFIXES, "strip": "-strip.png"}
MOST_SEEDS, USUAL_COUNT, FRAMES_OF_STRIP, FRAMES_OF_LOOP = 10_000, 64, 12, 48
USUAL_FORMAT = {"images": "png", "points": "npy", "table": "csv"}


def sample(
    run: RunPath,
    count: Annotated[
        int | None,
        typer.Option(
            "-n", "--count", metavar="N", min=1, help="How many samples, or frames.  [default: 64; 12 of a strip]"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="A new folder for images (or a .zip, .arrow or .npy file, or a .gif of N frames that change little by "
            "little and loop), a new .csv, .parquet or .npy file otherwise.  "
            "[default: RUN's name with '-samples']",
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Only this class, where the data had labels.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", help="The same seed gives the same samples.  [default: new ones]"),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            "--seeds",
            metavar="LIST",
            help="One sample of each seed, such as 0-99 or 3,7,20-29: what '-n 1 --seed S' gives, for each S.",
        ),
    ] = None,
    interpolate: Annotated[
        bool,
        typer.Option(
            "--interpolate", help="Images that change little by little: a strip (.png), or a loop where PATH is a .gif."
        ),
    ] = False,
    truncation: Annotated[
        float,
        typer.Option(
            "--truncation",
            metavar="F",
            min=0,
            max=1,
            help="Factor on the latents of images and points: below 1 samples are more usual and less varied.",
        ),
    ] = 1.0,
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="What every row of a table obeys, e.g. \"income == '>50K' and 30 <= age < 40 and sex in ['Female']\".",
        ),
    ] = None,
    balance: Annotated[
        str | None,
        typer.Option("--balance", metavar="COLUMN", help="Every value of this column of a table comes equally often."),
    ] = None,
    given: Annotated[
        Path | None,
        typer.Option(
            "--given",
            metavar="FILE",
            help="Rows of a table with gaps, or without some columns: they are filled, and what is given is kept.",
        ),
    ] = None,
    most_draws: Annotated[
        int | None,
        typer.Option(
            "--most-draws",
            metavar="N",
            min=1,
            help="Rows that may be drawn for --where, --balance and --reject.  [default: 10,000,000]",
        ),
    ] = None,
    reject: Annotated[
        bool,
        typer.Option(
            "--reject",
            help="Keep rows of a table the less often, the less real boosted trees find them that are fitted on the "
            "training rows first; says how many are kept.",
        ),
    ] = False,
    nearest: Annotated[
        bool,
        typer.Option(
            "--nearest",
            help="Also the training picture nearest to each of the first images, in PATH-nearest.png: are they copies?",
        ),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="I/N", help="Part I of N of all samples, for many machines; needs --seed."),
    ] = None,
    sets: Annotated[
        int,
        typer.Option("--sets", metavar="M", min=1, help="Several samples of N each, in files numbered from 1."),
    ] = 1,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="png, zip, arrow, gif, csv, parquet, npy or npz, where PATH does not say it.",
        ),
    ] = None,
    last: Last = False,
    trust_code: TrustCode = False,
    as_json: AsJson = False,
) -> None:
    """Draw samples from a trained generator.

    They are written in the form of the data that it was trained on.

    \b
    Example: 64 images and a grid; a strip; a loop; 10,000 rows; rows under a condition; gaps filled; part 3 of 8.
      equipoise sample runs/cats -n 64 -o new-cats/ --nearest
      equipoise sample runs/cats --interpolate -o cats.png
      equipoise sample runs/cats --interpolate -n 48 -o cats.gif
      equipoise sample runs/diamonds -n 10000 -o new-diamonds.parquet
      equipoise sample runs/adult -n 1000 --where "income == '>50K' and 30 <= age < 40"
      equipoise sample runs/adult --given partial.csv -o filled.csv
      equipoise sample runs/adult -n 10000000 --seed 1 --shard 3/8 -o part-3.parquet
    """
    if form is not None and form not in SUFFIXES:
        raise unknown_name("--format", "format", form, SUFFIXES, "Write one of these, or name a file with that ending.")
    asked = None if seeds is None else seeds_in(seeds)
    if asked is not None and (count is not None or seed is not None or interpolate):
        raise InputError(
            "--seeds",
            "-n, --seed or --interpolate is given, too.",
            "Expected --seeds alone: it says how many.",
            "Leave one out.",
        )
    import numpy as np

    from equipoise.cli.sample_sets import Written, checked_seed, refuse_beside, require_free, write_filled, write_sets
    from equipoise.data import write_batches
    from equipoise.experiment.loading import load
    from equipoise.experiment.nearest_pictures import require_images, save_nearest

    gan = load(run, checkpoint="last" if last else None, trust_code=trust_code)
    for text in gan.passed_over:
        note(text)
    is_loop = form == "gif" or (output is not None and output.suffix.lower() == ".gif")
    usual = "gif" if is_loop else USUAL_FORMAT[gan.space.kind]
    pairs: Path | None = None
    limits: dict[str, Any] = {"where": where, "balance": balance, "most_draws": most_draws}
    if given is not None:
        others = {"-n": count, "--where": where, "--balance": balance, "--shard": shard, "--class": label}
        others |= {"--reject": reject or None, "--nearest": nearest or None}
        refuse_beside("--given", {**others, "--seeds": seeds, "--interpolate": interpolate or None})
    if interpolate or is_loop or asked is not None:
        refuse_beside(
            "--seeds" if asked is not None else "a walk",
            {
                "--where": where,
                "--balance": balance,
                "--reject": reject or None,
                "--shard": shard,
                "--sets": None if sets == 1 else sets,
            },
        )
    if nearest:
        require_images(gan)
        walks = interpolate or is_loop or None
        refuse_beside("--nearest", {"a walk": walks, "--shard": shard, "--sets": None if sets == 1 else sets})
    if interpolate or is_loop:
        if truncation != 1:
            raise InputError(
                "--truncation", "it is for samples, not for walks.", "Expected one of the two.", "Leave one out."
            )
        target = strip_target(run, output) if not is_loop else free_target(run, output, wanted=form, usual=usual)
        count = count or (FRAMES_OF_LOOP if is_loop else FRAMES_OF_STRIP)
        made = [Written(target, count, _walk(gan, count, target, seed=seed, label=label))]
    elif given is not None:
        target = free_target(run, output, wanted=form, usual=usual)
        made = write_filled(gan, target, given, sets=sets, seed=checked_seed(seed, shard=None))
        count = made[0].count
    else:
        target = free_target(run, output, wanted=form, usual=usual)
        count = count or (USUAL_COUNT if asked is None else len(asked))
        options = {"label": label, "truncation": truncation}
        if nearest:
            pairs = require_free(target.with_name(f"{target.stem}-nearest.png"))
        if asked is None:
            own = checked_seed(seed, shard=shard)
            if reject:
                limits["rejection"] = gan.rejection()
                note(limits["rejection"].text())
            made = write_sets(gan, target, count, sets=sets, seed=own, shard=shard, limits=limits, **options)
        else:
            batches = (
                gan.completed(gan.sample_raw(1, seed=each, **options), offset=place) for place, each in enumerate(asked)
            )
            made = [Written(target, count, write_batches(batches, target, rows=count))]
        if pairs is not None:
            first = min(count, USUAL_COUNT)
            parts = [(first, own)] if asked is None else [(1, each) for each in asked[:first]]
            images = np.concatenate([gan.sample_raw(number, seed=each, **options).values for number, each in parts])
            save_nearest(gan, images, pairs)
    if as_json:
        shown = {} if asked is None else {"seeds": asked}
        shown |= {} if pairs is None else {"nearest": str(pairs)}
        files = [str(path) for each in made for path in each.files]
        print_json(
            {
                "run": str(run),
                "step": gan.step,
                "count": count,
                **shown,
                "files": files,
                "written": [each.to_json() for each in made],
            }
        )
        return
    what = "frames" if interpolate or is_loop else "samples" if given is None else "rows filled by samples"
    for each in made:
        print(f"{each.count} {what} of {run} at step {gan.step}: {each.target}")
        if each.acceptance is not None:
            print(f"drawn: {each.acceptance.drawn:,} rows, of which {100 * each.acceptance.share:.3g} % were kept")
        if len(each.files) > 1:
            print(f"grid: {each.files[-1]}")
    if pairs is not None:
        print(f"nearest training pictures: {pairs}")


def _walk(gan: Gan, frames: int, target: Path, *, seed: int | None, label: str | None) -> list[Path]:
    from equipoise.experiment.interpolation import save_loop, save_strip, walk

    found = walk(gan, frames, seed=secrets.randbits(62) if seed is None else seed, label=label)
    (save_loop if target.suffix.lower() == ".gif" else save_strip)(found, target)
    return [target]


def seeds_in(text: str) -> list[int]:
    """The seeds of a list such as `0-99` or `3,7,20-29`, in its order.

    Raises:
        ConfigError: it is no such list, or names more than `MOST_SEEDS`.
    """
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        is_number = all(number.isascii() and number.isdecimal() for number in ((first, last) if dash else (first,)))
        if not is_number or (dash and int(last) < int(first)):
            what = "a range that runs backwards" if is_number else "neither a seed nor a range"
            raise ConfigError(
                "--seeds",
                f"'{part.strip()[:40]}' is {what}" + ("." if part == text else f", in '{text[:80]}'."),
                "Expected numbers and ranges such as 0-99 or 3,7,20-29.",
                "Correct it.",
            )
        count = int(last) - int(first) + 1 if dash else 1
        if len(found) + count > MOST_SEEDS:
            raise ConfigError(
                "--seeds", f"more than {MOST_SEEDS:,} seeds.", "Expected fewer.", "Take -n N --seed S for many samples."
            )
        found += range(int(first), int(first) + count)
    return found


def strip_target(run: Path, output: Path | None) -> Path:
    """Where a strip goes: a new PNG.

    Raises:
        ConfigError: the name ends otherwise.
        InputError: something is there already.
    """
    if output is None:
        return free_target(run, None, wanted=None, usual="strip")
    if output.suffix.lower() != ".png":
        raise ConfigError(
            f"-o {output}", "--interpolate writes a picture.", "Expected a name in .png or .gif.", "Choose one."
        )
    return free_target(run, output, wanted=None, usual="strip")


def free_target(run: Path, output: Path | None, *, wanted: str | None, usual: str) -> Path:
    """Where the samples go: `output`, or a name made of the run's; nothing that is there is touched.

    Args:
        run: the run folder.
        output: as the person gave it.
        wanted: the format that was asked for.
        usual: the format of this kind of data.

    Raises:
        InputError: something is at `output` already.
        ConfigError: the ending of `output` and the format contradict each other.
    """
    from equipoise.cli.sample_sets import require_free

    suffix = FILES[wanted or usual]
    if output is None:
        stem = f"{run.resolve().name}-samples"
        names = (f"{stem}{number}{suffix}" for number in ("", *(f"-{k}" for k in range(2, 10_000))))
        return next(Path(name) for name in names if not Path(name).exists())
    ending = output.suffix.lower()
    if wanted is not None and ending != suffix:
        if ending in SUFFIXES.values() and ending:
            raise ConfigError(
                f"--format {wanted}",
                f"{output} says otherwise.",
                f"Expected a name that ends in '{suffix}'.",
                "Leave one of them out.",
            )
        output = output.with_name(output.name + suffix)
    return require_free(output)
