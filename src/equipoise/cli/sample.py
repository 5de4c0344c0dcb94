"""`equipoise sample`: new images, rows or points from a trained generator."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from equipoise.cli.options import AsJson, Last, RunPath, TrustCode
from equipoise.cli.terminal import note, print_json
from equipoise.errors import ConfigError, InputError, unknown_name

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
USUAL_FORMAT = {"images": "png", "points": "npy", "table": "csv"}


def sample(
    run: RunPath,
    count: Annotated[int, typer.Option("-n", "--count", metavar="N", min=1, help="How many samples.")] = 64,
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
    Example: 64 images and a grid of them; a loop of 48 frames; 10,000 rows of a table.
      equipoise sample runs/cats -n 64 -o new-cats/
      equipoise sample runs/cats -n 48 -o cats.gif
      equipoise sample runs/diamonds -n 10000 -o new-diamonds.parquet
    """
    if form is not None and form not in SUFFIXES:
        raise unknown_name("--format", "format", form, SUFFIXES, "Write one of these, or name a file with that ending.")
    from equipoise.data import write_batches
    from equipoise.experiment.generator import load
    from equipoise.experiment.interpolation import save_loop, walk

    gan = load(run, checkpoint="last" if last else None, trust_code=trust_code)
    for text in gan.passed_over:
        note(text)
    target = free_target(run, output, wanted=form, usual=USUAL_FORMAT[gan.space.kind])
    if target.suffix.lower() == ".gif":
        save_loop(walk(gan, count, seed=secrets.randbits(62) if seed is None else seed, label=label), target)
        written = [target]
    else:
        batches = gan.stream_raw(count, seed=seed, label=label, truncation=truncation)
        written = write_batches(batches, target, rows=count)
    if as_json:
        print_json({"run": str(run), "step": gan.step, "count": count, "files": [str(path) for path in written]})
        return
    what = "frames" if target.suffix.lower() == ".gif" else "samples"
    print(f"{count} {what} of {run} at step {gan.step}: {target}")
    if len(written) > 1:
        print(f"grid: {written[-1]}")


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
    suffix = SUFFIXES[wanted or usual]
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
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(
            f"-o {output}",
            "something is there already.",
            "Expected a new file, or a new or an empty folder.",
            "Choose another name, or remove it yourself.",
        )
    return output
