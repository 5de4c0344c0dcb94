"""What a person asks of a run while it trains: small files in its folder `requests`, and what became of them.

::

    requests/listening.json      written by a run that listens: its process, its machine, what it can be asked
    requests/ask-....json        one request each, written by the page of the run, taken away when it is answered
    requests/answers.jsonl       one JSON object per answer
    requests/evaluations.jsonl   evaluations that were asked for
    requests/drawn-00000001.png  samples that were asked for

A run listens only when it was started so (`--view`). The folder belongs to its user and nobody else writes into it;
one that is a link, or another user's, is not listened at and not written to.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import stat
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from equipoise.documents import read_json, read_json_lines
from equipoise.entries import finite
from equipoise.errors import InputError, RunFolderError
from equipoise.files import plain, remove, write_json

FOLDER, LISTENING, ANSWERS, EVALUATIONS = "requests", "listening.json", "answers.jsonl", "evaluations.jsonl"
What = Literal["stop", "evaluate", "draw"]
NAME = re.compile(r"ask-\d{20}-[0-9a-f]{16}\.json")
MOST_WAITING = 20
MOST_ANSWERS = 50
LARGEST_SEED = 2**53


@dataclass(frozen=True)
class Request:
    """One thing that is asked.

    Attributes:
        what: `stop` ends the run with a checkpoint, `evaluate` asks the referee now, `draw` draws samples now.
        label: of `draw`: the number of a class; `None` draws all of them.
        seed: of `draw`.
        truncation: of `draw`: factor on the latents, 0 to 1.
        id: what its answer names.
    """

    what: What
    label: int | None = None
    seed: int = 0
    truncation: float = 1.0
    id: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Listening:
    """What a run that listens says of itself.

    Attributes:
        process: its number.
        machine: its name.
        classes: names of the classes that samples can be asked of.
        can_evaluate: whether the referee can be asked.
        can_truncate: whether latents have a factor; not of tables.
    """

    process: int
    machine: str
    classes: tuple[str, ...] = ()
    can_evaluate: bool = False
    can_truncate: bool = True


def request_from(content: Any, *, listening: Listening) -> Request:
    """A request from what a page sent.

    Raises:
        InputError: it is none that the run can answer; the message says why.
    """

    def refused(found: str, expected: str) -> InputError:
        return InputError("the request", found, expected, "Reload the page and try again.")

    what = content.get("what") if isinstance(content, dict) else None
    if what not in get_args(What):
        raise refused("it asks for something unknown.", "Expected stop, evaluate or draw.")
    if what == "evaluate" and not listening.can_evaluate:
        raise refused("this run has no interim evaluations.", "Expected a run with held-out rows for them.")
    label, seed, truncation = (content.get(name) for name in ("label", "seed", "truncation"))
    if label is not None and (type(label) is not int or not 0 <= label < len(listening.classes)):
        raise refused("there is no such class.", f"Expected one of {len(listening.classes)} classes.")
    seed = 0 if seed is None else seed
    if type(seed) is not int or not 0 <= seed < LARGEST_SEED:
        raise refused("the seed is no whole number.", f"Expected one from 0 to {LARGEST_SEED - 1:,}.")
    factor = 1.0 if truncation is None else finite(truncation)
    if factor is None or not 0 <= factor <= 1:
        raise refused("the truncation is no factor.", "Expected a number from 0 to 1.")
    return Request(what, label, seed, factor if listening.can_truncate else 1.0)


def begin_listening(run: Path, listening: Listening) -> Path:
    """Make the folder, empty of earlier requests, and say in it that the run listens.

    Raises:
        RunFolderError: something else is in its place, or another user's.
        StorageError: it cannot be written.
    """
    folder = run / FOLDER
    if not os.path.lexists(folder):
        folder.mkdir(mode=0o700)
    if not is_own_folder(folder):
        raise RunFolderError(
            str(folder),
            "it is a link, no folder, or others may write into it.",
            "Expected the run's own folder for what it is asked.",
            f"Remove it, or train without --view: rm -r {folder}",
        )
    for path in folder.glob("ask-*"):
        remove(path)
    write_json(folder / LISTENING, asdict(listening))
    return folder


def end_listening(run: Path) -> None:
    """The run no longer answers."""
    if is_own_folder(run / FOLDER):
        remove(run / FOLDER / LISTENING)


def listening_at(run: Path) -> Listening | None:
    """What the run says that trains in a folder now, on this machine and for this user; `None` where none listens."""
    folder = run / FOLDER
    if not is_own_folder(folder) or (folder / LISTENING).is_symlink():
        return None
    try:
        found = read_json(folder / LISTENING)
        process, machine = int(found["process"]), str(found["machine"])
        classes = tuple(str(name)[:100] for name in found.get("classes", ())[:1000])
    except (OSError, ValueError, TypeError, KeyError, RunFolderError):
        return None
    if machine != socket.gethostname() or not _is_alive(process):
        return None
    return Listening(process, machine, classes, found.get("can_evaluate") is True, found.get("can_truncate") is True)


def ask(run: Path, request: Request) -> str:
    """Put a request into the folder of a run that listens; its id.

    Raises:
        RunFolderError: no run listens there, or too many requests wait.
        StorageError: the file cannot be written.
    """
    folder = run / FOLDER
    if listening_at(run) is None:
        raise RunFolderError(
            str(run),
            "no run that listens trains here.",
            "Expected one that you started with --view.",
            f"Stop or resume it in its terminal: equipoise resume {run} --view",
        )
    if len(_waiting(folder)) >= MOST_WAITING:
        raise RunFolderError(
            str(folder), f"{MOST_WAITING} requests wait already.", "Expected fewer.", "Wait until they are answered."
        )
    name = f"ask-{time.time_ns():020d}-{secrets.token_hex(8)}"
    write_json(folder / f"{name}.json", request.to_json())
    return name


def take_requests(run: Path) -> list[Request]:
    """The requests that wait, in order; they are taken away. What is none is taken away too."""
    folder = run / FOLDER
    found = []
    for path in _waiting(folder)[:MOST_WAITING] if is_own_folder(folder) else ():
        try:
            if not path.is_symlink() and path.stat().st_size < 10_000:
                content = read_json(path)
                checked = request_from(content, listening=Listening(0, "", ("",) * 1_000_000, can_evaluate=True))
                found.append(Request(checked.what, checked.label, checked.seed, checked.truncation, path.stem))
        except (OSError, InputError):
            pass  # a file that no page of ours wrote
        remove(path)
    return found


def append(run: Path, name: str, row: dict[str, Any]) -> None:
    """Add a line to `answers.jsonl` or `evaluations.jsonl`, in a single write."""
    line = json.dumps(plain({"time": time.time(), **row}), allow_nan=False) + "\n"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    with open(os.open(run / FOLDER / name, flags, 0o600), "a", encoding="utf-8") as stream:
        stream.write(line)


def rows_of(run: Path, name: str) -> list[dict[str, Any]]:
    """The newest lines of one of these files; none where it cannot be read."""
    path = run / FOLDER / name
    try:
        if path.is_symlink() or not is_own_folder(run / FOLDER):
            return []
        return list(read_json_lines(path))[-MOST_ANSWERS:]
    except (OSError, RunFolderError):
        return []


def is_own_folder(folder: Path) -> bool:
    """Whether it is a folder of this user's, no link, that nobody else may write into."""
    try:
        found = os.lstat(folder)
    except (OSError, ValueError):
        return False
    is_ours = not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)
    return stat.S_ISDIR(found.st_mode) and is_ours


def _waiting(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name))
    except OSError:
        return []


def _is_alive(process: int) -> bool:
    if process <= 0:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is there, and another user's
        return False
    return True
