"""The layout of a run folder: which file holds what, and how to read and write each.

::

    config.yaml        the complete configuration; trained again it gives the same run
    data.json          fingerprint, split, what one sample is, how it is encoded
    run.json           what was built: versions, device, threads, facts of the objective, sizes of the networks
    status.json        state, step, trend, last verdict; rewritten whole
    metrics.jsonl      one JSON object per measured step
    verdicts.jsonl     one JSON object per look of the referee
    checkpoints/       step-00001000.safetensors and .json beside it
    samples/           real.png, step-00001000.png, and the numbers behind them (.csv, .npy)
    report.html        made from the files above and nothing else
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from equipoise.errors import RunFolderError, StorageError
from equipoise.files import plain, write_json, write_text

State = Literal["training", "finished", "stopped", "failed"]
FORMAT_VERSION = 1


@dataclass(frozen=True)
class RunFolder:
    """A run folder at `path`; every method reads or writes one of its files."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def data(self) -> Path:
        return self.path / "data.json"

    @property
    def facts(self) -> Path:
        return self.path / "run.json"

    @property
    def status(self) -> Path:
        return self.path / "status.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def verdicts(self) -> Path:
        return self.path / "verdicts.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    def sample_file(self, step: int, suffix: str) -> Path:
        """Where samples of `step` go; `suffix` is `.png`, `.csv` or `.npy`."""
        return self.samples / f"step-{step:08d}{suffix}"

    def sample_steps(self, suffix: str = ".png") -> list[int]:
        """The steps at which samples were written, in order."""
        return sorted(int(path.stem.split("-")[1]) for path in self.samples.glob(f"step-*{suffix}"))

    def read_json(self, path: Path) -> dict[str, Any]:
        """One of the JSON files, or an empty dictionary when it is not there yet.

        Raises:
            RunFolderError: the file is there and is not JSON.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (ValueError, UnicodeDecodeError) as error:
            raise RunFolderError(
                str(path),
                f"not readable as JSON ({error}).",
                "Expected a file that equipoise wrote.",
                "Restore it from a copy, or start a new run.",
            ) from error
        if not isinstance(content, dict):
            raise RunFolderError(str(path), f"holds a {type(content).__name__}.", "Expected a JSON object.")
        return content

    def read_status(self) -> dict[str, Any]:
        """`status.json`: `state`, `step`, `steps`, `trend`, `last_verdict`, `updated`, `message`."""
        return self.read_json(self.status)

    def write_status(self, **fields: Any) -> None:
        """Merge `fields` into `status.json`, atomically."""
        write_json(self.status, {**self.read_status(), **fields, "updated": time.time()})

    def read_metrics(self) -> list[dict[str, Any]]:
        """The measured steps in order; a last line cut short by a crash is left out."""
        return list(_read_lines(self.metrics))

    def read_verdicts(self) -> list[dict[str, Any]]:
        """The referee's looks in order, each a verdict with `step` and `part`."""
        return list(_read_lines(self.verdicts))

    def append(self, path: Path, row: dict[str, Any]) -> None:
        """Add one line to `metrics.jsonl` or `verdicts.jsonl`, in a single write.

        A write cut short (a kill in its middle) leaves a line without a newline; the next one mends it by
        starting on a line of its own, and readers leave the broken one out.
        """
        line = (json.dumps(plain(row), allow_nan=False) + "\n").encode()
        try:
            with open(path, "ab+") as stream:
                if stream.tell() > 0:
                    stream.seek(-1, os.SEEK_END)
                    if stream.read(1) != b"\n":
                        line = b"\n" + line
                stream.write(line)
        except OSError as error:
            raise StorageError.from_os_error(path, error) from error

    def cut_after(self, step: int) -> None:
        """Drop measured steps and looks later than `step`: what a resumed run plays again is written again."""
        for path in (self.metrics, self.verdicts):
            if path.exists():
                kept = [row for row in _read_lines(path) if row.get("step", 0) <= step]
                write_text(path, "".join(json.dumps(row) + "\n" for row in kept))
        for path in self.samples.glob("step-*"):
            if int(path.stem.split("-")[1]) > step:
                path.unlink()


def create_run_folder(path: Path | str) -> RunFolder:
    """A new run folder at `path`.

    Raises:
        RunFolderError: something is there already; nothing of it is touched.
        StorageError: the folder cannot be made.
    """
    target = Path(path)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
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
        raise RunFolderError(
            str(target),
            "the folder holds no config.yaml.",
            "Expected a run folder.",
            "'equipoise runs' lists the run folders below a folder.",
        )
    version = folder.read_status().get("format", FORMAT_VERSION)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise RunFolderError(
            str(target),
            f"format {version} is newer than this version of equipoise reads.",
            f"Expected format {FORMAT_VERSION} or older.",
            "Upgrade equipoise.",
        )
    return folder


def is_run_folder(path: Path) -> bool:
    """Whether `path` looks like a run folder, without reading its files."""
    return (path / "config.yaml").is_file() and (path / "status.json").is_file()


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            try:
                row = json.loads(line)
            except ValueError:
                continue  # a line cut short by a crash
            if isinstance(row, dict):
                yield row
