"""Short runs in processes that can be killed at chosen moments, and all that they leave, to be compared bit for bit.

Runs are forked from a process that has imported what they need and trains nothing, on one thread: that saves seconds of
import for each of them. Watching a folder is by inotify, and small disks are tmpfs mounts: Linux only.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import equipoise
import equipoise.reports
import equipoise.training.recorder
from equipoise.errors import EquipoiseError
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.resume import resume
from equipoise.experiment.train import train_planned
from equipoise.files import TEMPORARY_NAME
from equipoise.runfolder import RunFolder
from equipoise.training import Trainer
from equipoise.training.checkpoints import SET_ASIDE, checkpoint_files, read_checkpoint

CLOCKS = ("seconds", "steps_per_second", "play_seconds", "look_seconds", "look_time", "seal", "time", "updated")
"""What depends on the time that things took, wherever it stands."""
NON_FINITE = "non-finite"
"""Name of the file beside a run that says that its training has just left the finite numbers."""


# Processes.


class Child:
    """A forked process; what it says on stderr goes to a file."""

    def __init__(self, pid: int, said: Any) -> None:
        self.pid, self._said, self._code = pid, said, None

    def is_alive(self) -> bool:
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code is None

    def wait(self, *, seconds: float = 600.0) -> int:
        """Its exit code; that of a kill, if it takes longer than it should."""
        until = time.monotonic() + seconds
        while self.is_alive() and time.monotonic() < until:
            time.sleep(0.002)
        self.kill()
        return self._code

    def kill(self) -> bool:
        """Whether it was still alive."""
        if not self.is_alive():
            return False
        os.kill(self.pid, signal.SIGKILL)
        self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code == -signal.SIGKILL

    def said(self) -> str:
        self._said.seek(0)
        return self._said.read().decode(errors="replace")


def forked(work: Callable[[], Any], *, all_writers: bool = False, variables: Mapping[str, str] | None = None) -> Child:
    """Do `work` in a copy of this process, with the exit codes and messages of the command line.

    Args:
        work: is done.
        all_writers: whether the report and the plots of points and tables are written too. They are drawn from
            what is compared anyway, and would take most of the time of so short a run.
        variables: of the environment, beside those of this process.
    """
    said = tempfile.TemporaryFile()
    pid = os.fork()
    if pid:
        return Child(pid, said)
    code = 1
    try:
        os.dup2(said.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.environ.update(variables or {})
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if not all_writers:
            equipoise.reports.write_report = lambda folder: (folder / "report.html").touch()
            equipoise.training.recorder.save_figure = lambda picture, path: path.touch()
        work()
        code = 0
    except EquipoiseError as error:
        os.write(2, f"{error}\n".encode())
        code = error.exit_code
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def import_what_others_need(names: list[str]) -> None:
    """Import modules that a run has imported, for the next ones to find them there."""
    for name in names:
        if name not in sys.modules and not name.startswith("__"):
            try:
                __import__(name)
            except Exception:  # a private part of something, or a name that some package made up
                continue


def play(config: Path, run: Path, *, resumes: bool | None = None) -> None:
    """What a person does: train, or resume what has begun; nothing more for what is whole.

    Args:
        config: of the run.
        run: its folder.
        resumes: which of the two; by default what the folder says.
    """
    if is_whole(run):
        return
    if (run / "config.yaml").exists() if resumes is None else resumes:
        resume(run)
        return
    train_planned(plan_run(None, config_file=config), run)


def is_whole(run: Path) -> bool:
    """Whether nothing is left to do: the report comes last."""
    return (run / "report.html").is_file() and json.loads((run / "status.json").read_text())["state"] == "finished"


def spoil_twice(at: int, sign: Path) -> None:
    """Make one gradient of the generator NaN in step `at`, before and after a first rollback; `sign` says when."""
    step = Trainer.train_step

    def contaminated(trainer: Trainer, *, measure: bool = False) -> Any:
        if trainer.step + 1 != at or len(trainer.rollbacks) >= 2:
            return step(trainer, measure=measure)
        hook = trainer.generator.parameters[2].register_hook(lambda gradient: gradient * float("nan"))
        try:
            return step(trainer, measure=measure)
        finally:
            hook.remove()
            sign.touch()

    Trainer.train_step = contaminated


# Moments.


@dataclass(frozen=True)
class Moment:
    """Something that happens in a folder: what `Watch` says of it.

    Attributes:
        name: for the rows.
        folder: below the run folder, "." for itself, ".." for that beside it.
        pattern: of file names.
        kinds: what happens to the file: created, moved (into its place), changed, deleted.
        most: it is the first to the so-many-th time that it happens.
        delay: most seconds from then to the kill.
    """

    name: str
    folder: str
    pattern: str
    kinds: tuple[str, ...]
    most: int
    delay: float = 0.0

    def fits(self, folder: str, kind: str, name: str) -> bool:
        return folder == self.folder and kind in self.kinds and re.fullmatch(self.pattern, name) is not None


HALF_WRITTEN = r"\..*"
MOMENTS = (
    Moment("tensors without their numbers", "checkpoints", r"step-.*\.safetensors", ("moved",), 4),
    Moment("checkpoint half-written", "checkpoints", HALF_WRITTEN, ("created",), 8, 0.005),
    Moment("checkpoint dropped", "checkpoints", ".*", ("deleted",), 6),
    Moment("file of the run folder half-written", ".", HALF_WRITTEN, ("created",), 8, 0.001),
    Moment("row appended", ".", r"(metrics|event_log)\.jsonl", ("changed",), 8),
    Moment("look or verdict appended", ".", r"verdicts\.jsonl", ("changed",), 2),
    Moment("best checkpoint being kept", "best", ".*", ("created", "moved", "deleted"), 4, 0.001),
    Moment("samples half-written", "samples", r".*", ("created", "moved"), 3, 0.003),
)
BIRTHS = (
    Moment("first files half-written", ".", HALF_WRITTEN, ("created",), 5),
    Moment("first files in place", ".", ".*", ("moved",), 5),
    Moment("first tensors without their numbers", "checkpoints", r"step-.*\.safetensors", ("moved",), 1),
)
"""Moments before the first step, in the order in which they come."""


def drawn(moments: Sequence[Moment], stream: random.Random) -> tuple[Moment, int, float]:
    """A moment to kill at, the how-many-th of its kind, and the delay after it."""
    moment = stream.choice(moments)
    return moment, stream.randint(1, moment.most), stream.uniform(0, moment.delay)


EVENTS = {0x002: "changed", 0x080: "moved", 0x100: "created", 0x200: "deleted"}
"""Bits of an inotify event."""
FOLDERS = ("checkpoints", "samples", "best")


class Watch:
    """Tells what happens in a run folder and in the folders in it, by inotify."""

    def __init__(self, run: Path) -> None:
        run.mkdir(parents=True, exist_ok=True)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._run, self._folders = run, {}
        self._add(".")
        self._add("..")
        for name in FOLDERS:
            if (run / name).is_dir():
                self._add(name)

    def _add(self, name: str) -> None:
        number = self._libc.inotify_add_watch(self._handle, os.fsencode(self._run / name), sum(EVENTS))
        if number >= 0:
            self._folders[number] = name

    def events(self, seconds: float) -> Iterator[tuple[str, str, str]]:
        """Folder, kind and name of what has happened; waits for the first for so long."""
        if not select.select([self._handle], [], [], seconds)[0]:
            return
        content = os.read(self._handle, 65536)
        while content:
            number, mask, _, length = struct.unpack_from("iIII", content)
            name = os.fsdecode(content[16 : 16 + length].rstrip(b"\0"))
            content = content[16 + length :]
            folder = self._folders.get(number)
            if folder == "." and mask & 0x100 and name in FOLDERS:
                self._add(name)
            for bit, kind in EVENTS.items():
                if folder is not None and mask & bit:
                    yield folder, kind, name

    def close(self) -> None:
        os.close(self._handle)


def kill_at(start: Callable[[], Child], run: Path, moment: Moment, count: int, delay: float) -> tuple[Child, bool]:
    """Start a process and kill it `delay` seconds after the moment has come `count` times; whether it came."""
    watch = Watch(run)
    try:
        child = start()
        while child.is_alive():
            for event in watch.events(0.02):
                count -= moment.fits(*event)
                if count == 0:
                    if delay:
                        time.sleep(delay)
                    return child, child.kill()
        return child, False
    finally:
        watch.close()


def kill_in_rollback(start: Callable[[], Child], run: Path, count: int) -> tuple[Child, bool]:
    """Start a process and kill it at the `count`-th thing that happens in its folder after its first NaN."""
    watch = Watch(run)
    try:
        child, is_non_finite = start(), False
        while child.is_alive():
            for folder, kind, name in watch.events(0.02):
                if folder == "..":
                    is_non_finite = is_non_finite or name == NON_FINITE
                elif is_non_finite and (kind != "changed" or name == "event_log.jsonl"):
                    count -= 1
                    if count == 0:
                        return child, child.kill()
        return child, False
    finally:
        watch.close()


def kill_after(child: Child, seconds: float) -> bool:
    """Kill when so much time has passed; whether it was still running."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and child.is_alive():
        time.sleep(0.001)
    return child.kill()


def kill_in_play(child: Child, run: Path, *, resumes: int, step: int, seconds: float) -> bool:
    """Kill so many seconds after the row of a step was written by this process, or of a later one.

    Args:
        child: which is killed.
        run: its folder.
        resumes: how many there are when it has taken up the run.
        step: whose row is waited for.
        seconds: from then on.
    """
    while child.is_alive():
        if len(resumed_at(run)) >= resumes and reached(run) >= step:
            return kill_after(child, seconds)
        time.sleep(0.002)
    return False


# What is left.


def reached(run: Path) -> int:
    """The last step that the run has written about."""
    return max((row["step"] for row in read_lines(run / "metrics.jsonl")), default=0)


def resumed_at(run: Path) -> list[int]:
    """The steps of the checkpoints that resumes began at."""
    return [row["step"] for row in read_lines(run / "event_log.jsonl") if row.get("event") == "resumed"]


def content(run: Path) -> dict[str, Any]:
    """All that a run leaves except times."""
    held = RunFolder(run)
    folders = {"checkpoints": held.checkpoints, **({"best": held.best} if held.best.is_dir() else {})}
    found: dict[str, Any] = {
        "rows": timeless(held.read_metrics()),
        "verdicts": timeless(held.read_verdicts()),
        "rollbacks": timeless([row for row in held.read_event_log() if row["event"] == "rollback"]),
        # What is empty in a status may as well be left out.
        "status": {key: value for key, value in timeless(held.read_status()).items() if value not in (None, "", [])},
        "samples": {path.name: path.read_bytes() for path in sorted(held.samples.iterdir())},
        "most discriminative": held.most_discriminative.read_bytes() if held.most_discriminative.exists() else None,
        "files": sorted(path.name for path in run.iterdir() if path.name != "event_log.jsonl"),
    }
    for name, folder in folders.items():
        tensors, numbers, broken = read_checkpoint(folder)
        found[name] = {
            "tensors": {key: tensor.numpy().tobytes() for key, tensor in tensors.items()},
            "numbers": timeless(numbers),
            "broken": broken,
            "files": sorted(path.name for path in folder.iterdir() if not path.name.startswith(SET_ASIDE)),
        }
    return found


def timeless(value: Any) -> Any:
    """The same without what clocks said, at any depth."""
    if isinstance(value, dict):
        return {key: timeless(entry) for key, entry in value.items() if key not in CLOCKS}
    return [timeless(entry) for entry in value] if isinstance(value, list) else value


def differences(found: Any, expected: Any, *, where: str = "") -> list[str]:
    """Where two contents differ, for the row of a trial that was lost."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return [
            text
            for key in sorted({*found, *expected})
            for text in differences(found.get(key), expected.get(key), where=f"{where}/{key}")
        ]
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        pairs = enumerate(zip(found, expected, strict=True))
        return [text for key, pair in pairs for text in differences(*pair, where=f"{where}/{key}")]
    return [] if found == expected else [f"{where}: {str(found)[:60]} in place of {str(expected)[:60]}"]


def same_state(first: Any, second: Any) -> bool:
    """Whether two checkpoints hold the same tensors and numbers."""
    (tensors, numbers), (others, other_numbers) = first, second
    same_numbers = {**numbers, "checksum": ""} == {**other_numbers, "checksum": ""}
    return same_numbers and all(torch.equal(tensors[name], others[name]) for name in others)


def left_over(run: Path) -> list[str]:
    """Names of half-written files."""
    return [path.name for path in run.rglob(".*") if TEMPORARY_NAME.fullmatch(path.name)]


def set_aside(run: Path) -> int:
    """How many files of checkpoints were set aside: broken ones, and tensors whose writer was killed before it came to
    their numbers."""
    return len(list((run / "checkpoints").glob(f"{SET_ASIDE}*")))


def newest_checkpoint(run: Path) -> Path:
    return checkpoint_files(run / "checkpoints")[-1]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a JSON lines file."""
    rows = []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return rows
    for line in text.splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


# Places.


class Skipped(Exception):
    """A fault that cannot be made here, and why."""


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """A file system of its own, and a function that changes its options."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    outcome = subprocess.run(mount, capture_output=True, text=True, check=False)
    if outcome.returncode:
        folder.rmdir()
        raise Skipped(f"no small file system can be mounted here: {outcome.stderr.strip()}")
    try:
        yield folder, lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


@contextmanager
def fresh(folder: Path) -> Iterator[Path]:
    """A folder that does not exist, and that is gone afterwards whatever happens."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
