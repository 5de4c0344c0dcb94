"""The rows of the referee's marks, read from `benchmarks/referee_settings`, and the seeds of their trials.

A set of rows is one file. It is committed before a trial of it is scored, and the seeds of its trials are derived from
the hash of that commit: nobody knew the samples when the settings were chosen. A changed file is another commit, so
other seeds, and its trials are kept apart from the earlier ones.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from equipoise.randomness import derived_seed
from equipoise.spaces import SpaceKind

FOLDER = Path(__file__).parent / "referee_settings"
SETS = ("differences", "tables", "images", "alarms", "evaluations", "bound", "tightness", "earlier", "cost")


@dataclass(frozen=True)
class Row:
    """One row: `case` of `referee_data.cases`, and which number of a trial counts against the mark.

    Attributes:
        name: of the row.
        case: draws the two sides.
        kind: of the data.
        real: samples on the real side.
        fake: samples on the generated side.
        measure: `alarm` (the verdict is "distinguished"), `any_of_50` or `first_of_50` (an evaluation's is), `above`
            (the bound, the truth), `tightness` (bound over truth), `named` (the columns that stopped depending on each
            other), `memorised` (copies were found) or `cpu_ratio`.
        mark: as ">= 0.9"; `None` where only the comparison with classical tests has one.
        planned: trials.
        classical: trials with the classical tests, the first so many; `None` for all.
    """

    name: str
    case: str
    kind: SpaceKind
    real: int
    fake: int
    measure: str
    mark: str | None
    planned: int
    classical: int | None = None

    @property
    def planned_classical(self) -> int:
        """Trials with the classical tests."""
        return self.planned if self.classical is None else self.classical

    @property
    def wants_few(self) -> bool:
        """Whether the mark is an upper limit."""
        return self.mark is not None and self.mark.startswith("<=")


@dataclass(frozen=True)
class Settings:
    """One set of rows as it was committed.

    Attributes:
        name: of the set.
        configuration: hash of the commit; `dev` for trials that count for nothing.
        rows: by name.
    """

    name: str
    configuration: str
    rows: Mapping[str, Row]

    def seed(self, purpose: str, trial: int) -> int:
        """Of one trial. Every test of a row (ours and the classical ones) draws its sides from the same seed."""
        return derived_seed(0, f"{self.configuration} {purpose}", trial)


def committed(name: str) -> Settings:
    """The set as it stands in the last commit that changed its file.

    Raises:
        SystemExit: the file differs from what was committed.
    """
    path = FOLDER / f"{name}.json"
    if _git("status", "--porcelain", "--", str(path)):
        raise SystemExit(f"{path}: it is not committed as it is. The seeds come from its commit: commit it first.")
    return at(name, _git("log", "-1", "--format=%H", "--", str(path)))


def at(name: str, configuration: str) -> Settings:
    """The set as it was at a commit."""
    text = _git("show", f"{configuration}:./referee_settings/{name}.json")
    return Settings(name, configuration, _rows(json.loads(text)))


def uncommitted(name: str, configuration: str) -> Settings:
    """The set as it lies there, for trials that count for nothing."""
    return Settings(name, configuration, _rows(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))))


def code_commit() -> str:
    """The commit whose code is measured.

    Raises:
        SystemExit: the code differs from what was committed, so that no commit says what is measured.
    """
    source = str(FOLDER.parents[1] / "src")
    if _git("status", "--porcelain", "--", source):
        raise SystemExit(f"{source}: it differs from what was committed. Commit it before its trials are stored.")
    return _git("rev-parse", "--short=10", "HEAD")


def _rows(content: Mapping[str, Mapping[str, Mapping[str, object]]]) -> dict[str, Row]:
    return {name: Row(name=name, **fields) for name, fields in content["rows"].items()}


def _git(*arguments: str) -> str:
    found = subprocess.run(["git", *arguments], cwd=FOLDER.parent, capture_output=True, text=True, check=True)
    return found.stdout.strip()
