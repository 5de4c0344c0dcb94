"""A run folder as reports see it: everything that could be read, and a sentence for what could not.

A report is often asked for when something went wrong, so nothing here insists on a file: a run that is being
written, was killed, or has a broken file still gives a record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equipoise.documents import parse_yaml, read_text
from equipoise.entries import entry_at, finite, number_at
from equipoise.errors import NewerFormat, RunFolderError
from equipoise.migrations import upgraded
from equipoise.runfolder import RunFolder, open_run_folder, refuse_links


@dataclass(frozen=True)
class RunRecord:
    """What one run folder holds.

    Attributes:
        folder: where it is.
        config: `config.yaml` as nested dictionaries; empty when unreadable.
        config_text: the same file as text.
        data, metadata, status: `data.json`, `run.json`, `status.json`.
        metrics: measured steps in order, each with a whole-number `step`.
        verdicts: interim evaluations and final verdicts of the referee, in order.
        troubles: a sentence for each file that could not be read.
        evaluations: the plan of the interim evaluations; empty for a run without.
        scores: `scores.json`, what metrics said of the generator; empty for a run where nobody asked.
        table_report: `table_report.json`, how faithful, useful and private a table's rows are; empty likewise.
    """

    folder: RunFolder
    config: Mapping[str, Any]
    config_text: str
    data: Mapping[str, Any]
    metadata: Mapping[str, Any]
    status: Mapping[str, Any]
    metrics: tuple[Mapping[str, Any], ...]
    verdicts: tuple[Mapping[str, Any], ...]
    troubles: tuple[str, ...]
    evaluations: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    table_report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.path.resolve().name

    @property
    def objective(self) -> str:
        """The objective's name, from what was built or else from what was asked."""
        return str(
            entry_at(self.metadata, "objective", "name") or entry_at(self.config, "objective", "name") or "unknown"
        )

    @property
    def equilibrium_value(self) -> float | None:
        """The objective's value at p = q."""
        return number_at(self.metadata, "objective", "equilibrium_value")

    @property
    def logit_meaning(self) -> str:
        """`log_odds`, `log_odds_up_to_a_constant`, `other`, or `unknown` for a run that did not say."""
        return str(entry_at(self.metadata, "objective", "logit_meaning") or "unknown")

    @property
    def kind(self) -> str:
        """`images`, `points`, `table`, or `unknown`."""
        return str(entry_at(self.data, "space", "kind") or self.data.get("kind") or "unknown")

    @property
    def state(self) -> str:
        """`training`, `finished`, `stopped`, `failed`, or `unknown`."""
        return str(self.status.get("state") or "unknown")

    @property
    def step(self) -> int:
        """The last step known to have been made."""
        return _whole(self.status.get("step")) or (self.metrics[-1]["step"] if self.metrics else 0)

    @property
    def steps(self) -> int | None:
        """The steps asked for."""
        return next(
            (
                steps
                for source in (
                    self.status.get("steps"),
                    self.metadata.get("steps"),
                    entry_at(self.config, "training", "steps"),
                )
                if (steps := _whole(source)) is not None
            ),
            None,
        )

    @property
    def preset(self) -> str:
        """The preset's name; empty when there was none."""
        preset = self.metadata.get("preset") or self.config.get("preset")
        return preset if isinstance(preset, str) else ""

    @property
    def data_source(self) -> str:
        """The data as the person named them."""
        return str(self.data.get("source") or entry_at(self.config, "data", "source") or "unknown")

    @property
    def seed(self) -> Any:
        """The run's seed."""
        return self.config.get("seed")

    @property
    def interim_evaluations(self) -> list[Mapping[str, Any]]:
        """What the referee said during training, in order."""
        return [row for row in self.verdicts if row.get("part") == "selection" and number_at(row, "step") is not None]

    @property
    def verdict(self) -> Mapping[str, Any] | None:
        """The latest verdict or interim evaluation; the summary in `status.json` when `verdicts.jsonl` is gone."""
        if self.verdicts:
            return self.verdicts[-1]
        summary = self.status.get("last_verdict")
        return summary if isinstance(summary, dict) and summary.get("conclusion") else None


def read_run(path: Path | str, *, reads_metrics: bool = True) -> RunRecord:
    """Everything in the run folder at `path`.

    Args:
        path: of the folder.
        reads_metrics: whether the measured steps are read too; whoever follows a run reads them as they come.

    Raises:
        RunFolderError: there is no run folder, or a later version wrote it.
    """
    try:
        folder = open_run_folder(path)
    except NewerFormat:
        raise
    except RunFolderError:
        if not (Path(path) / "config.yaml").is_file() or _status_is_readable(RunFolder(Path(path))):
            raise
        refuse_links(Path(path))
        folder = RunFolder(Path(path))  # status.json is broken; the rest may still be worth showing
    troubles: list[str] = []

    def tried(read: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return read()
        except NewerFormat:
            raise
        except (RunFolderError, OSError, ValueError) as error:
            troubles.append(" ".join(str(error).split()))
            return otherwise

    text = tried(lambda: read_text(folder.config, most="config_bytes"), "")
    return RunRecord(
        folder=folder,
        config=tried(lambda: _parse_config(folder.config, text), {}),
        config_text=text,
        data=tried(lambda: folder.read_json(folder.data), {}),
        metadata=tried(lambda: folder.read_json(folder.metadata), {}),
        status=tried(folder.read_status, {}),
        metrics=_stepped(tried(folder.read_metrics, [])) if reads_metrics else (),
        verdicts=tuple(row for row in tried(folder.read_verdicts, []) if row.get("conclusion")),
        evaluations=tried(lambda: folder.read_json(folder.evaluations), {}),
        scores=tried(lambda: folder.read_json(folder.scores), {}),
        table_report=tried(lambda: folder.read_json(folder.table_report), {}),
        troubles=tuple(troubles),
    )


def flatten(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as `section.key: value`; an empty section keeps its own name."""
    flat: dict[str, Any] = {}
    for key, value in mapping.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{name}."))
        else:
            flat[name] = value
    return flat


def _whole(value: Any) -> int | None:
    number = finite(value)
    return None if number is None else int(number)


def _stepped(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Rows with a step, in order of steps; of two rows for one step the later one counts."""
    by_step = {step: {**row, "step": step} for row in rows if (step := _whole(row.get("step"))) is not None}
    return tuple(by_step[step] for step in sorted(by_step))


def _status_is_readable(folder: RunFolder) -> bool:
    try:
        folder.read_status()
    except RunFolderError:
        return False
    return True


def _parse_config(path: Path, text: str) -> dict[str, Any]:
    import yaml

    try:
        content = parse_yaml(text)
    except yaml.YAMLError as error:
        raise RunFolderError(str(path), f"not readable as YAML ({' '.join(str(error).split())}).") from error
    return upgraded("config", content, where=str(path)) if isinstance(content, dict) else {}
