"""Several samples, or a part of a large one, as files: what `equipoise sample` writes of a table, points or images."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.cli.terminal import note
from equipoise.data import DataOptions, Dataset, load, write_batches
from equipoise.errors import InputError
from equipoise.experiment.conditional_sampling import Acceptance, wanted_rows
from equipoise.experiment.generator import Gan
from equipoise.experiment.sample_parts import SamplePart, read_part, seed_of_set


@dataclass(frozen=True)
class Written:
    """One sample that was written.

    Attributes:
        target: the file or folder.
        count: how many samples it has.
        files: that were written.
        acceptance: how many rows were drawn for it, where not every one was kept.
    """

    target: Path
    count: int
    files: list[Path]
    acceptance: Acceptance | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        drawn = {} if self.acceptance is None else {"drawn": self.acceptance.drawn, "acceptance": self.acceptance.share}
        return {"target": str(self.target), "count": self.count, **drawn}


def write_sets(
    gan: Gan,
    target: Path,
    count: int,
    *,
    sets: int,
    seed: int,
    shard: str | None,
    limits: Mapping[str, Any],
    **asked: Any,
) -> list[Written]:
    """Write one sample or several, or a part of each.

    Args:
        gan: that makes them.
        target: of one sample; several are numbered.
        count: samples of each, all parts together.
        sets: how many samples.
        seed: of all of them.
        shard: the part, as a person writes it.
        limits: what `wanted_rows` takes.
        asked: what `Gan.stream_raw` takes.
    """
    part = SamplePart() if shard is None else read_part(shard)
    targets = [target] if sets == 1 else [numbered(target, number) for number in range(1, sets + 1)]
    made = []
    for number, path in enumerate(targets, 1):
        # Each set anew: what was counted of one says nothing of the next.
        wanted = wanted_rows(gan.encoder, **limits, tell=note, option="--where")
        own = seed if sets == 1 else seed_of_set(seed, number)
        batches = gan.stream_raw(count, seed=own, wanted=wanted, part=part, **asked)
        rows = count if part.of == 1 else (part.chunks(count)[1] if wanted is None else part.rows(count))
        files = write_batches(batches, path, rows=rows)
        made.append(Written(path, rows, files, None if wanted is None else wanted.acceptance))
    return made


def write_filled(gan: Gan, target: Path, given: Path, *, sets: int, seed: int) -> list[Written]:
    """Write the rows of a file with their gaps filled, once or several times over.

    Args:
        gan: that fills them.
        target: of one filling; several are numbered.
        given: the file.
        sets: how many fillings.
        seed: of all of them.
    """
    types = getattr(gan.encoder, "types", ())
    rows = load(str(given), options=DataOptions(kind="table", keep_gaps=True, like=types)).values
    targets = [target] if sets == 1 else [numbered(target, number) for number in range(1, sets + 1)]
    made = []
    for number, path in enumerate(targets, 1):
        found = gan.impute(rows, seed=seed if sets == 1 else seed_of_set(seed, number), tell=note)
        batches = iter([Dataset("table", found)])
        made.append(Written(path, len(found), write_batches(batches, path, rows=len(found))))
    return made


def numbered(target: Path, number: int) -> Path:
    """The name of one of several files: `new.csv` is `new-1.csv`, `new-2.csv` and so on.

    Raises:
        InputError: something is there already.
    """
    return require_free(target.with_name(f"{target.stem}-{number}{target.suffix}"))


def require_free(output: Path) -> Path:
    """The path, if nothing is there.

    Raises:
        InputError: something is.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(
            f"-o {output}",
            "something is there already.",
            "Expected a new file, or a new or an empty folder.",
            "Choose another name, or remove it yourself.",
        )
    return output


def checked_seed(seed: int | None, *, shard: str | None) -> int:
    """The seed, or a new one.

    Raises:
        InputError: a part is asked for without one: parts of different samples are no parts.
    """
    if shard is not None and seed is None:
        raise InputError(
            f"--shard {shard}",
            "no seed is given.",
            "Expected the same --seed for all parts: they are cut from one sample.",
            "Add --seed N, the same N on every machine.",
        )
    return secrets.randbits(62) if seed is None else seed


def refuse_beside(what: str, options: Mapping[str, Any]) -> None:
    """Refuse options that have no meaning beside another one.

    Raises:
        InputError: one of them is given.
    """
    for option, value in options.items():
        if value is not None:
            raise InputError(
                option, f"it was given beside {what}.", "Expected it for -n samples of a run.", "Leave one out."
            )
