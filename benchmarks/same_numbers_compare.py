"""How `same_numbers.py` compares what two checkouts left: numbers bit for bit, records apart."""

from __future__ import annotations

import fnmatch
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from PIL import Image
from same_numbers_cases import EXIT_CODES, FINE, INTERRUPTED, cases, folder_name

RENAMED_KEYS: dict[str, str] = {
    "told_apart": "distinguished",
    "is_told_apart": "is_distinguished",
    "member": "classifier",
    "member_values": "classifier_values",
    "resolution_method": "sensitivity_method",
    "resolution_floor_nats": "sensitivity_theoretical_nats",
    "resolution_power": "sensitivity_power",
    "resolution_nats": "sensitivity_nats",
    "resolution_per_side": "sensitivity_per_side",
    "resolution_intervals_nats": "sensitivity_intervals_nats",
    "resolution_absent": "sensitivity_absent",
    "resolution_trials": "sensitivity_trials",
    "real_fit": "real_train",
    "real_choice": "real_validation",
    "real_score": "real_test",
    "fake_fit": "fake_train",
    "fake_choice": "fake_validation",
    "fake_score": "fake_test",
}
"""Keys of JSON and YAML and names of tensors, old to new: one part between dots or several ("play.order")."""
RENAMED_VALUES: dict[str, str] = {
    "floor": "theoretical",
    "planted": "injected",
    "screen": "quick",
}
"""Words that are values in JSON and YAML, old to new: whole strings."""
RENAMED_FILES: dict[str, str] = {
    "looks.json": "evaluations.json",
    "journal.jsonl": "event_log.jsonl",
    "give-away.png": "most_discriminative.png",
    "giveaway.csv": "most_discriminative.csv",
}
"""Names of files and folders in a run folder, old to new: one part between slashes or several."""

# What is compared, and how.

TIMES = ("timing", "time", "updated", "started", "look_time")
"""Keys of what clocks said, beside all that end in 'seconds' or 'per_second'."""
PLACES = ("source", "command", "environment", "launch", "equipoise", "format", "checksum", "seal")
"""Keys of where and by what something was made, and of hashes over such."""
PROSE = ("sentence", "statement", "message", "notes", "ended_because", "flags")
IGNORED_FILES = ("cache/*", "*.err", "*.out", "*.txt", "*.html", "*/lock", "*/tensorboard/*", "*/resolution/*")
IGNORED_FILES += ("*/journal.jsonl", "*/event_log.jsonl", "*/verdict.png", "*/.*")
RECORDS = (
    "*.yaml",
    "*/data.json",
    "*/run.json",
    "*/status.json",
    "*/looks.json",
    "*/evaluations.json",
    "*/checkpoints/*.json",
    "*/best/*.json",
)
"""Files that describe a run; their layout may change while no number does."""

# Comparing.


@dataclass(frozen=True)
class Difference:
    """Where a file of the two sides begins to differ.

    Attributes:
        case: the folder of the case.
        file: in it, as the new side calls it.
        place: in the file: a row, a key, a tensor, a pixel.
        old: what is there on the old side.
        new: and on the new one.
        count: places that differ in this file.
    """

    case: str
    file: str
    place: str
    old: str
    new: str
    count: int = 1

    def __str__(self) -> str:
        more = f" (and {self.count - 1:,} more)" if self.count > 1 else ""
        place = f", {self.place}" if self.place else ""
        return f"{'/'.join(filter(None, (self.case, self.file)))}{place}: {self.old} -> {self.new}{more}"


@dataclass
class Comparison:
    """What comparing two sides has found.

    Attributes:
        numbers: differences that must not be.
        records: differences of layout and description.
        compared: how much was looked at, by kind; nothing found in nothing means nothing.
    """

    numbers: list[Difference] = field(default_factory=list)
    records: list[Difference] = field(default_factory=list)
    compared: dict[str, int] = field(default_factory=dict)

    def count(self, kind: str, amount: int = 1) -> None:
        self.compared[kind] = self.compared.get(kind, 0) + amount

    def to_json(self) -> dict[str, Any]:
        numbers, records = ([asdict(entry) for entry in entries] for entries in (self.numbers, self.records))
        return {"is_same": not self.numbers, "compared": self.compared, "numbers": numbers, "records": records}

    def to_text(self) -> str:
        """What a person reads."""
        lines = [f"DIFFERENT  {entry}" for entry in self.numbers] + [f"record     {entry}" for entry in self.records]
        amounts = ", ".join(f"{amount:,} {kind}" for kind, amount in self.compared.items())
        found = f"{len(self.numbers)} files with other numbers" if self.numbers else "the numbers are the same"
        return "\n".join([*lines, f"{amounts} compared: {found}; {len(self.records)} records differ."])


def compare(old: Path, new: Path, *, only: Sequence[str]) -> Comparison:
    """Compare all that two sides have left."""
    found = Comparison()
    one, other = (json.loads((side / "facts.json").read_text()) for side in (old, new))
    found.records += first_difference("", "facts.json", flat(one), flat(other))[0]
    wanted = ["data", *(folder_name(held.name) for held in cases() if not only or held.name in only)]
    for name in wanted:
        sides = [side / name for side in (old, new)]
        played = [side.is_dir() for side in sides]
        if all(played):
            found.count("cases")
            compare_case(name, *sides, found)
        elif any(played) or only:
            found.numbers.append(
                Difference(name, "", "", *("played" if is_there else "missing" for is_there in played))
            )
    return found


def compare_case(name: str, old: Path, new: Path, found: Comparison) -> None:
    """Compare the files of one case."""
    for side in (old, new):
        codes = json.loads((side / EXIT_CODES).read_text()) if (side / EXIT_CODES).exists() else {}
        for command, code in codes.items():
            if code not in (*FINE, INTERRUPTED):
                found.numbers.append(
                    Difference(name, EXIT_CODES, command, "should work", f"exit code {code} in {side}")
                )
    names = {renamed(path, RENAMED_FILES, "/"): path for path in files_of(old)}
    records = {path for path, before in names.items() if is_record(before, names.values())}
    theirs = files_of(new)
    lost = [path for path in sorted(names) if path not in theirs]
    found.numbers += whole_files(name, [path for path in lost if path not in records], "there", "missing")
    found.records += whole_files(name, [path for path in lost if path in records], "there", "missing")
    found.records += whole_files(name, [path for path in theirs if path not in names], "missing", "there")
    for path in (path for path in theirs if path in names):
        found.count("files")
        differ, noted = compare_file(name, path, old / names[path], new / path, found)
        found.numbers += [] if path in records else differ
        found.records += [*differ, *noted] if path in records else noted


def whole_files(case: str, paths: Sequence[str], old: str, new: str) -> list[Difference]:
    """One difference for all files of a case that are on one side alone."""
    return [Difference(case, paths[0], "", old, new, count=len(paths))] if paths else []


Found = tuple[list[Difference], list[Difference]]
"""Differences of numbers, and of records."""


def compare_file(case: str, path: str, old: Path, new: Path, found: Comparison) -> Found:
    """Compare one file by what its ending says that it holds."""
    suffix = old.suffix.lower()
    reader = READERS.get(suffix) or CONTENTS.get(suffix)
    has_same_bytes = old.read_bytes() == new.read_bytes()
    if reader is None or (suffix in CONTENTS and has_same_bytes):
        return [] if has_same_bytes else [Difference(case, path, "its bytes", "some", "others")], []
    try:
        ours, theirs = in_new_names(reader(old)), reader(new)
    except Exception as error:  # whatever a reader says of what is no such file
        return [Difference(case, path, "", "read", f"one side cannot be read: {error}")], []
    if suffix == ".safetensors":
        found.count("tensors", len(ours))
        return compare_tensors(case, path, ours, theirs)
    found.count("values", len(ours))
    numbers, records = first_difference(case, path, ours, theirs)
    if suffix in CONTENTS and suffix not in PICTURES and not numbers and not records:
        records = [Difference(case, path, "its bytes", "some", "others, with the same contents")]
    return numbers, records


def first_difference(case: str, path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Found:
    """The first of the values by place that differ, and the first that only the new side has."""
    differ = [place for place in old if place not in new or not is_same(old[place], new[place])]
    added = [place for place in new if place not in old]
    found: Found = ([], [])
    for group, places in zip(found, (differ, added), strict=True):
        if places:
            place = places[0]
            said = [shown(side[place]) if place in side else "missing" for side in (old, new)]
            if isinstance(old.get(place), np.ndarray) and isinstance(new.get(place), np.ndarray):
                where, *said = first_entry(old[place], new[place])
                place = f"{place} {where}".strip()
            group.append(Difference(case, path, place, *said, count=len(places)))
    return found


def compare_tensors(case: str, path: str, old: dict[str, np.ndarray], new: dict[str, np.ndarray]) -> Found:
    """Tensors by their names; those that are called otherwise by their contents, and then by order and shape."""
    pairs = {name: name for name in old if name in new}
    left, free = [name for name in sorted(old) if name not in pairs], [name for name in sorted(new) if name not in old]
    for fits in (is_same, is_alike):
        for name in list(left):
            match = next((other for other in free if fits(old[name], new[other])), None)
            if match is not None:
                pairs[name] = match
                left.remove(name)
                free.remove(match)
    others = {name: match for name, match in pairs.items() if name != match}
    ordered = {name: new[pairs[name]] for name in old if name in pairs}
    numbers, _ = first_difference(case, path, old, ordered)
    records = [Difference(case, path, name, name, match, len(others)) for name, match in list(others.items())[:1]]
    records += [Difference(case, path, free[0], "missing", "there", len(free))] if free else []
    return numbers, records


def is_same(old: Any, new: Any) -> bool:
    """Whether two values are the same bit for bit; a whole number may be written as a real one."""
    if isinstance(old, np.ndarray) or isinstance(new, np.ndarray):
        return is_alike(old, new) and old.tobytes() == new.tobytes()
    if isinstance(old, float) and isinstance(new, float):
        return repr(old) == repr(new)
    return old == new


def is_alike(old: Any, new: Any) -> bool:
    """Whether two values are arrays of one shape and type."""
    return (
        isinstance(old, np.ndarray) and isinstance(new, np.ndarray) and (old.shape, old.dtype) == (new.shape, new.dtype)
    )


def first_entry(old: np.ndarray, new: np.ndarray) -> tuple[str, str, str]:
    """Place and values of the first entry that differs in two arrays."""
    if not is_alike(old, new):
        return "shape and type", f"{old.shape} {old.dtype}", f"{new.shape} {new.dtype}"
    ours, theirs = (np.frombuffer(side.tobytes(), np.uint8).reshape(-1, side.dtype.itemsize) for side in (old, new))
    places = np.flatnonzero((ours != theirs).any(axis=1))
    place = tuple(int(index) for index in np.unravel_index(int(places[0]), old.shape))
    return f"{list(place)}, one of {len(places):,}", shown(old[place]), shown(new[place])


def shown(value: Any) -> str:
    """A value in a line of a list."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= 80 else f"{text[:80]}..."


# Reading files: what stands at each place.


def flat(value: Any, place: str = "") -> dict[str, Any]:
    """Nested values by dotted keys, without times, places and prose."""
    if isinstance(value, (dict, list)) and value:
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        joined = ((f"{place}.{key}" if place else str(key), entry) for key, entry in entries if is_compared(str(key)))
        return {name: found for key, entry in joined for name, found in flat(entry, key).items()}
    return {place: value}


def is_compared(key: str) -> bool:
    """Whether what stands under a key is compared."""
    return key not in (*TIMES, *PLACES, *PROSE) and not key.endswith(("seconds", "per_second"))


def jsonl(path: Path) -> dict[str, Any]:
    """The values of every row."""
    rows = path.read_text(encoding="utf-8").splitlines()
    return {k: v for number, row in enumerate(rows, 1) for k, v in flat(json.loads(row), f"row {number}").items()}


def in_new_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by place of the old side, in the words of the new one."""
    found = {
        renamed(place, RENAMED_KEYS, "."): RENAMED_VALUES.get(value, value) if isinstance(value, str) else value
        for place, value in values.items()
    }
    if len(found) < len(values):
        raise ValueError("RENAMED_KEYS gives two keys of this file one name")
    return found


def renamed(path: str, table: Mapping[str, str], separator: str) -> str:
    """A path of parts with some of its parts, or several in a row, called otherwise."""
    mark = re.escape(separator)
    for old, new in table.items():
        path = re.sub(rf"(?<![^{mark}]){re.escape(old)}(?![^{mark}])", lambda _, new=new: new, path)
    return path


def tensors_of(path: Path) -> dict[str, Any]:
    """The tensors of a checkpoint."""
    from safetensors.numpy import load_file

    return load_file(path)


def pixels(content: Path | io.BytesIO) -> np.ndarray:
    """A picture's pixels."""
    with Image.open(content) as picture:
        return np.asarray(picture)


def members(path: Path) -> dict[str, Any]:
    """What a zip file holds, pictures as pixels."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    return {name: pixels(io.BytesIO(held)) if name.endswith(".png") else held for name, held in contents.items()}


def arrays(path: Path) -> dict[str, Any]:
    """The arrays of an .npy or .npz file."""
    held = np.load(path, allow_pickle=False)
    return {"": held} if isinstance(held, np.ndarray) else dict(held)


def columns(path: Path) -> dict[str, Any]:
    """The columns of a Parquet file: their types, and their values as they are written."""
    frame = pd.read_parquet(path)
    types = {f"type of {name}": str(frame[name].dtype) for name in frame}
    return types | {str(name): np.array([repr(value) for value in frame[name].tolist()]) for name in frame}


def lines(path: Path) -> dict[str, Any]:
    """The lines of a text file."""
    found = path.read_text(encoding="utf-8").splitlines()
    return {f"line {number}": text for number, text in enumerate(found, 1)}


READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    ".json": lambda path: flat(json.loads(path.read_text(encoding="utf-8"))),
    ".jsonl": jsonl,
    ".yaml": lambda path: flat(yaml.safe_load(path.read_text(encoding="utf-8"))),
    ".safetensors": tensors_of,
}
"""Files whose values are compared."""
CONTENTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    ".npy": arrays,
    ".npz": arrays,
    ".parquet": columns,
    ".csv": lines,
    ".png": lambda path: {"": pixels(path)},
    ".zip": members,
}
"""Files whose bytes are compared, and if they differ their contents."""
PICTURES = (".png", ".zip")
"""Files whose contents alone count."""


def files_of(folder: Path) -> list[str]:
    """Names of the files to compare, below a folder."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if not is_like(name, IGNORED_FILES))


def is_like(path: str, patterns: Sequence[str]) -> bool:
    """Whether a name fits one of the patterns."""
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)


def is_record(path: str, names: Iterable[str]) -> bool:
    """Whether a file describes a run, or is a picture drawn from numbers that lie beside it among `names`."""
    folder, _, name = path.rpartition("/")
    has_numbers = any(is_like(other, (f"{folder}/*.npy", f"{folder}/*.csv")) for other in names)
    is_drawing = folder.endswith("/samples") and name.endswith(".png") and has_numbers
    return is_drawing or is_like(path, RECORDS)
