"""A grid of runs: each an ordinary run folder, so that stopping, resuming and comparing need nothing new.

The same call again goes on where it stopped: finished runs are left as they are, stopped ones are resumed, and a
folder whose configuration is not the one asked for is refused by name before anything is trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from equipoise.errors import ConfigError, EquipoiseError, Interrupted, RunFolderError
from equipoise.experiment.config.files import read_config, read_run_config
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.known_density import FILE_NAME, has_known_density
from equipoise.experiment.sweep.grid import SweepRun, checked_axes, first_difference, plan_sweep, read_axes
from equipoise.experiment.sweep.one_run import train_one
from equipoise.experiment.sweep.processes import TotalProgress, train_in_processes
from equipoise.files import plain, write_text
from equipoise.locking import locked
from equipoise.migrations import FORMAT_VERSION
from equipoise.runfolder import is_uninitialised, open_run_folder
from equipoise.training.progress import Progress

if TYPE_CHECKING:
    from equipoise.reports import Comparison

CONFIG_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Sweep:
    """What a sweep left.

    Attributes:
        folder: holds the run folders, `sweep.yaml` and `comparison.html`.
        runs: every run asked for.
        trained: names of those that this call trained or resumed.
        skipped: names of those that were finished before.
        failed: what ended the others, by name.
        comparison: all runs beside each other.
    """

    folder: Path
    runs: tuple[SweepRun, ...]
    trained: tuple[str, ...]
    skipped: tuple[str, ...]
    failed: Mapping[str, str]
    comparison: Comparison

    @property
    def page(self) -> Path:
        """The comparison as one HTML file."""
        return self.folder / "comparison.html"

    def to_json(self) -> dict[str, Any]:
        """Plain values: folders, what became of each run, and the comparison."""
        return {
            "sweep": str(self.folder),
            "page": str(self.page),
            "runs": [str(self.folder / run.name) for run in self.runs],
            "trained": list(self.trained),
            "skipped": list(self.skipped),
            "failed": dict(self.failed),
            "comparison": self.comparison.to_json(),
        }


def sweep(
    source: str | Path,
    *,
    over: Sequence[str] | Mapping[str, Sequence[Any]],
    outdir: Path | str,
    seeds: int = 1,
    jobs: int = 1,
    settings: Sequence[str] = (),
    config_file: Path | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    device: str = "auto",
    preset: str | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Train every combination of settings with every seed, and set the runs beside each other.

    Args:
        source: data by path or built-in name, or a configuration file (`.yaml`), whose data are taken.
        over: what varies: `"objective=minimax,hinge"` texts, or a mapping of keys to lists of values.
        outdir: the folder of the sweep; the same call again goes on with what is missing.
        seeds: how often each combination is trained, with the seeds 0 to `seeds - 1`.
        jobs: processes at once. One trains inside this process; more share this machine's threads.
        settings: changes that hold for all runs, each `"key.path=value"`.
        config_file: a configuration to start from; not together with one in the place of `source`.
        steps: length of every run; or
        minutes: the same as a time, turned into steps once for each combination, and stored.
        device: auto, cpu, cuda or mps.
        preset: the complete configuration to start from; by default chosen from the data.
        progress: who is told how far the whole has come, in steps of all runs.

    Raises:
        ConfigError: a setting of any combination is unknown or does not fit; no run has started then.
        RunFolderError: a run folder in `outdir` has another configuration than the one asked for, or another process
            trains this sweep.
        Interrupted: the person stopped it; every run has its checkpoint.
    """
    for name, count in (("--seeds", seeds), ("--jobs", jobs)):
        if count < 1:
            raise ConfigError(name, f"{count} is too few.", "Expected 1 or more.", "Give a larger number.")
    if Path(source).suffix.lower() in CONFIG_SUFFIXES:
        if config_file is not None:
            raise ConfigError(str(source), "two configuration files are given.", "Expected one.", "Leave one out.")
        config_file, data = Path(source), None
    else:
        data = str(source)
    axes = checked_axes(over) if isinstance(over, Mapping) else read_axes(over)
    folder = Path(outdir)
    asked: dict[str, Any] = {
        "source": data,
        "config": None if config_file is None else read_config(config_file)[0],
        "over": {axis.key: list(axis.values) for axis in axes},
        "seeds": seeds,
        "settings": list(settings),
        "steps": steps,
        "minutes": minutes,
        "device": device,
        "preset": preset,
    }
    runs = plan_sweep(
        data,
        axes=axes,
        seeds=seeds,
        jobs=jobs,
        config_file=config_file,
        settings=settings,
        steps=steps,
        minutes=minutes,
        steps_of=_steps_of_before(folder, minutes),
        device=device,
        preset=preset,
    )
    open_runs = [run for run in runs if not _is_finished(folder / run.name, run.config)]
    with locked(folder):
        write_text(folder / "sweep.yaml", _record(asked, runs))
        failed = _train_all(folder, open_runs, jobs=jobs, progress=progress or Progress())
    from equipoise import reports

    present = [folder / run.name for run in runs if (folder / run.name / "config.yaml").is_file()]
    if not present:
        name, trouble = next(iter(failed.items()))
        raise EquipoiseError(f"sweep {folder}", f"no run could begin; {name}: {trouble}")
    comparison = reports.compare(present)
    reports.write_comparison(present, folder / "comparison.html")
    names = {run.name for run in open_runs}
    return Sweep(
        folder=folder,
        runs=tuple(runs),
        comparison=comparison,
        trained=tuple(run.name for run in open_runs if run.name not in failed),
        skipped=tuple(run.name for run in runs if run.name not in names),
        failed=failed,
    )


def _record(asked: Mapping[str, Any], runs: Sequence[SweepRun]) -> str:
    listed = [
        {"name": run.name, "seed": run.config.seed, "steps": run.config.training.steps, "settings": dict(run.settings)}
        for run in runs
    ]
    content = {"format": FORMAT_VERSION, "asked": dict(asked), "runs": listed}
    return yaml.safe_dump(plain(content), sort_keys=False, allow_unicode=True)


def _steps_of_before(folder: Path, minutes: float | None) -> dict[str, int]:
    """What an earlier call of this sweep made of the same `minutes`: a second timing would give other steps."""
    path = folder / "sweep.yaml"
    if minutes is None or not path.is_file():
        return {}
    content, _ = read_config(path, document="sweep")
    asked, runs = content.get("asked"), content.get("runs")
    if not isinstance(asked, dict) or asked.get("minutes") != minutes or not isinstance(runs, list):
        return {}
    known = {str(run.get("name")): run.get("steps") for run in runs if isinstance(run, dict)}
    wrong = next((name for name, steps in known.items() if type(steps) is not int or steps < 1), None)
    if wrong is not None:
        raise RunFolderError(
            f"{path}, {wrong}",
            f"its number of steps is {str(known[wrong])[:40]!r}.",
            "Expected a whole number above 0.",
            "Restore the file, or remove it: the steps are then timed again.",
        )
    return {name.rpartition("-seed")[0]: steps for name, steps in known.items()}


def _is_finished(folder: Path, config: RunConfig) -> bool:
    """Whether the run at `folder` is complete.

    Raises:
        RunFolderError: something else is there: no run, or a run of another configuration.
    """
    if not folder.is_dir() or is_uninitialised(folder):  # absent, or killed while it was being made
        return False
    run = open_run_folder(folder)
    stored = read_run_config(run)
    asked = config.model_copy(update={"evaluations": config.evaluations.settled_like(stored.evaluations)})
    found = first_difference(stored.to_dict(), asked.to_dict())
    if found is not None:
        key, before, now = found
        raise RunFolderError(
            f"{run.config}, {key}",
            f"the run there was made with {json.dumps(before)}, and {json.dumps(now)} is asked for now.",
            "Expected run folders of this very sweep.",
            "Choose another --outdir, ask for the same as before, or remove that run folder yourself.",
        )
    status = run.read_status()
    has_scores = (folder / FILE_NAME).is_file() or not has_known_density(stored.data.source)
    has_ended = int(status.get("step") or 0) >= stored.training.steps or bool(status.get("ended_because"))
    is_trained = status.get("state") == "finished" and has_ended
    return is_trained and run.report.is_file() and has_scores  # the report is the last thing that a run writes


def _train_all(folder: Path, runs: Sequence[SweepRun], *, jobs: int, progress: Progress) -> dict[str, str]:
    """Train the runs that are not finished; what ended those that failed."""
    if not runs:
        return {}
    total = TotalProgress(progress)
    progress.start(sum(run.config.training.steps for run in runs), 0, f"sweep {folder}")
    try:
        if jobs == 1:
            return _train_one_by_one(folder, runs, total)
        return train_in_processes(folder, runs, jobs=jobs, total=total)
    except (KeyboardInterrupt, Interrupted) as error:
        raise Interrupted(
            f"sweep {folder}",
            "stopped; the runs that had begun have a checkpoint.",
            "",
            "Give the same command again to go on.",
        ) from error
    finally:
        progress.close()


def _train_one_by_one(folder: Path, runs: Sequence[SweepRun], total: TotalProgress) -> dict[str, str]:
    failed: dict[str, str] = {}
    for number, run in enumerate(runs, 1):
        total.message(f"{number} of {len(runs)}: {run.name}")
        try:
            train_one(run.config, folder / run.name, progress=total)
        except Interrupted:
            raise
        except EquipoiseError as error:
            failed[run.name] = str(error)
            total.message(f"{run.name} failed: {error}")
        total.add(run.config.training.steps)
    return failed
