"""The layout of a run folder: which file holds what, and how to read and write each.

::

    config.yaml        the complete configuration; trained again it gives the same run
    data.json          fingerprint, split, what one sample is, how it is encoded
    run.json           what was built: versions, device, threads, the objective, sizes of the networks
    status.json        state, step, trend, last verdict; rewritten whole
    metrics.jsonl      one JSON object per measured step
    verdicts.jsonl     one JSON object per interim evaluation and verdict of the referee
    event_log.jsonl    one JSON object per thing that happened to the run: resumed, put back, changed by force
    lock               held by the process that writes here; empty
    evaluations.json   the planned interim evaluations with their levels, and what was timed to choose them
    checkpoints/       step-00001000.safetensors and .json beside it; broken-step-... were set aside by resume
    best/              the same, of the kept evaluation: the best weights of the run
    samples/           real.png, step-00001000.png, and the numbers behind them (.csv, .npy); nearest.png: of image
                       runs, samples of the weights that are used beside the nearest training pictures
    scores.json        what metrics said of the generator, once 'equipoise metrics' was asked
    table_report.json  what the rows of a run on a table are good for, or why that was not measured
    most_discriminative.png    the most discriminative images of each side in the last verdict, for image runs
    requests/          what a run that was started with --view was asked, and its answers
    report.html        made from the files above and nothing else
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from equipoise.documents import read_json, read_json_lines
from equipoise.errors import RunFolderError, StorageError
from equipoise.files import TEMPORARY_NAME, plain, remove, remove_temporaries, write_json, write_text
from equipoise.locking import held
from equipoise.migrations import FORMAT_VERSION, upgraded

State = Literal["training", "finished", "stopped", "failed"]
OWN_PLACES = (
    "config.yaml",
    "data.json",
    "run.json",
    "status.json",
    "metrics.jsonl",
    "verdicts.jsonl",
    "report.html",
    "known_density.json",
    "scores.json",
    "table_report.json",
    "checkpoints",
    "samples",
    "tensorboard",
    "event_log.jsonl",
    "journal.jsonl",
    "lock",
    "evaluations.json",
    "looks.json",
    "best",
    "requests",
)
FILES_BEFORE_START = ("data.json", "run.json", "status.json", "evaluations.json", "looks.json", "lock")
EMPTY_BEFORE_START = ("checkpoints", "samples")
STATUS_TYPES: dict[str, Any] = {
    "state": str,
    "step": int,
    "steps": int,
    "message": str,
    "last_verdict": dict,
    "updated": (int, float),
}
STEP_NAME = re.compile(r"step-(\d{1,12})")


class _Place:
    """A file or folder of a run folder, by its name; a folder of version 0.1.0 keeps it under the former one."""

    def __init__(self, name: str, former: str = "") -> None:
        self.name, self.former = name, former

    def __get__(self, run: RunFolder, kind: type[RunFolder]) -> Path:
        path = run.path / self.name
        return (
            run.path / self.former if self.former and not path.exists() and (run.path / self.former).exists() else path
        )


@dataclass(frozen=True)
class RunFolder:
    """A run folder at `path`; every method reads or writes one of its files."""

    path: Path

    config = _Place("config.yaml")
    data = _Place("data.json")
    metadata = _Place("run.json")
    status = _Place("status.json")
    metrics = _Place("metrics.jsonl")
    verdicts = _Place("verdicts.jsonl")
    event_log = _Place("event_log.jsonl", "journal.jsonl")
    evaluations = _Place("evaluations.json", "looks.json")
    checkpoints = _Place("checkpoints")
    best = _Place("best")
    most_discriminative = _Place("most_discriminative.png", "give-away.png")
    scores = _Place("scores.json")
    table_report = _Place("table_report.json")
    samples = _Place("samples")
    nearest = _Place("samples/nearest.png")
    report = _Place("report.html")

    def sample_file(self, step: int, suffix: str) -> Path:
        """Where samples of `step` go; `suffix` is `.png`, `.csv` or `.npy`."""
        return self.samples / f"step-{step:08d}{suffix}"

    def sample_steps(self, suffix: str = ".png") -> list[int]:
        """The steps at which samples were written, in order."""
        found = (STEP_NAME.fullmatch(path.stem) for path in self.samples.glob(f"step-*{suffix}"))
        return sorted({int(name[1]) for name in found if name})

    def read_json(self, path: Path) -> dict[str, Any]:
        """One of the JSON files in the present format, or an empty dictionary when it is not there yet.

        Raises:
            RunFolderError: the file is there and is not a JSON object, or a later version wrote it.
        """
        try:
            return upgraded(path.stem, read_json(path), where=str(path))
        except FileNotFoundError:
            return {}

    def write_json(self, path: Path, content: dict[str, Any]) -> None:
        """Write one of the JSON files, atomically, with its format."""
        write_json(path, {"format": FORMAT_VERSION, **content})

    def read_status(self) -> dict[str, Any]:
        """`status.json`: `state`, `step`, `steps`, `trend`, `last_verdict`, `updated`, `message`.

        Raises:
            RunFolderError: it cannot be read, or one of these is of another type than we write.
        """
        found = self.read_json(self.status)
        for name, kinds in STATUS_TYPES.items():
            value = found.get(name)
            is_right = isinstance(value, kinds) and not isinstance(value, bool)
            if value is not None and not (is_right and (kinds is not int or 0 <= value < 2**62)):
                raise RunFolderError(
                    f"{self.status}, {name}",
                    f"{str(value)[:60]!r} is no {name}.",
                    "Expected a status that equipoise wrote.",
                    "Restore the file from a copy, or start a new run.",
                )
        return found

    def write_status(self, **fields: Any) -> None:
        """Merge `fields` into `status.json`, atomically; a verdict may be written beside a run that goes on."""
        with held(self.path, waits=True):
            self.write_json(self.status, {**self.read_status(), **fields, "updated": time.time()})

    def read_metrics(self) -> list[dict[str, Any]]:
        """The measured steps in order; a last line cut short by a crash is left out."""
        return list(read_json_lines(self.metrics))

    def read_verdicts(self) -> list[dict[str, Any]]:
        """The referee's evaluations in order, each a verdict with `step` and `part`."""
        return [upgraded("verdict", row, where=str(self.verdicts)) for row in read_json_lines(self.verdicts)]

    def sweep_up(self) -> None:
        """Remove what killed writers left half-written; only the holder of the lock may do that."""
        for folder in (self.path, self.checkpoints, self.samples, self.path / "best"):
            remove_temporaries(folder)

    def read_event_log(self) -> list[dict[str, Any]]:
        """What happened to the run, in order."""
        return list(read_json_lines(self.event_log))

    def note(self, event: str, **fields: Any) -> None:
        """Add a line to the event log."""
        self.append(self.event_log, {"event": event, "time": time.time(), **fields})

    def append(self, path: Path, row: dict[str, Any]) -> None:
        """Add one line to `metrics.jsonl` or `verdicts.jsonl`, in a single write.

        A write cut short (a kill in its middle) leaves a line without a newline; the next one mends it by
        starting on a line of its own, and readers leave the broken one out.
        """
        if path == self.verdicts:
            row = {"format": FORMAT_VERSION, **row}
        line = (json.dumps(plain(row), allow_nan=False) + "\n").encode()
        try:
            with held(self.path, waits=True), open(path, "ab+") as stream:
                if stream.tell() > 0:
                    stream.seek(-1, os.SEEK_END)
                    if stream.read(1) != b"\n":
                        line = b"\n" + line
                stream.write(line)
        except OSError as error:
            raise StorageError.from_os_error(path, error) from error

    def cut_after(self, step: int) -> None:
        """Drop measured steps and evaluations later than `step`: a resumed run takes and writes them again."""
        for path in (self.metrics, self.verdicts):
            with held(self.path, waits=True):
                if path.exists():
                    kept = [row for row in read_json_lines(path) if _step_of(row) <= step]
                    write_text(path, "".join(json.dumps(row) + "\n" for row in kept))
        for path in (*self.samples.glob("step-*"), *self.best.glob("step-*")):
            found = STEP_NAME.fullmatch(path.stem)
            if found and int(found[1]) > step and (path.is_file() or path.is_symlink()):
                remove(path)


def create_run_folder(path: Path | str) -> RunFolder:
    """A new run folder at `path`.

    Raises:
        RunFolderError: something is there already; nothing of it is touched.
        StorageError: the folder cannot be made.
    """
    target = Path(path)
    if target.exists() and (not target.is_dir() or not is_uninitialised(target)):
        raise RunFolderError(
            f"--outdir {target}",
            "something is there already.",
            "Expected a new or an empty folder.",
            f"Choose another folder, continue that run with 'equipoise resume {target}', or remove it yourself.",
        )
    try:
        for folder in (target, target / "checkpoints", target / "samples"):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError.from_os_error(target, error) from error
    return RunFolder(target)


def is_uninitialised(folder: Path) -> bool:
    """Whether nothing is in a folder, or only what a run left that was killed before `config.yaml`, its last file."""
    if (folder / "config.yaml").exists():
        return False
    return all(
        path.name in FILES_BEFORE_START
        or _is_half_written(path)
        or (path.name in EMPTY_BEFORE_START and path.is_dir() and not any(path.iterdir()))
        for path in folder.iterdir()
    )


def _is_half_written(path: Path) -> bool:
    """Whether a file is what a killed writer left of one of those that are there before a run has begun."""
    stems = [Path(name).stem for name in (*FILES_BEFORE_START, "config.yaml")]
    is_ours = TEMPORARY_NAME.fullmatch(path.name) and path.name[1:].rpartition("-")[0] in stems
    return bool(is_ours) and path.is_file() and not path.is_symlink()


def open_run_folder(path: Path | str) -> RunFolder:
    """An existing run folder.

    Raises:
        RunFolderError: nothing is there, or it is not a run folder, or a later version wrote it.
    """
    target = Path(path)
    if not target.is_dir():
        raise RunFolderError(
            str(target),
            "no such run folder.",
            "Expected a folder that 'equipoise train' made.",
            "'equipoise runs' lists the run folders below a folder.",
        )
    folder = RunFolder(target)
    if not folder.config.is_file():
        was_to_begin = any(target.iterdir()) and is_uninitialised(target)
        raise RunFolderError(
            str(target),
            "the folder holds no config.yaml.",
            "Expected a run folder.",
            f"A run was killed here before it began: train again with --outdir {target}"
            if was_to_begin
            else "'equipoise runs' lists the run folders below a folder.",
        )
    refuse_links(target)
    folder.read_status()  # refuses the format of a later version
    return folder


def refuse_links(target: Path) -> None:
    """Refuse a run folder that leads elsewhere: what is written into it would land there.

    Raises:
        RunFolderError: one of its own files or folders is a link.
    """
    for name in OWN_PLACES:
        if (target / name).is_symlink():
            raise RunFolderError(
                str(target / name),
                "it is a link.",
                "Expected a run folder that holds its own files: what it is told to write would land elsewhere.",
                f"Copy the folder with its contents: cp -rL {target} COPY",
            )


def is_run_folder(path: Path) -> bool:
    """Whether `path` looks like a run folder, without reading its files."""
    return (path / "config.yaml").is_file() and (path / "status.json").is_file()


def _step_of(row: dict[str, Any]) -> float:
    step = row.get("step", 0)
    return step if isinstance(step, (int, float)) else 0
