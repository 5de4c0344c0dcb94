"""One run of a sweep, brought to its end; as a program it is what a process of a sweep does."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from equipoise.errors import EquipoiseError
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.judge.run_folder import judge_run
from equipoise.experiment.known_density import FILE_NAME, has_known_density, score_known_density
from equipoise.experiment.loading import load
from equipoise.experiment.resume import resume
from equipoise.experiment.train import train
from equipoise.locking import locked
from equipoise.runfolder import open_run_folder
from equipoise.training.checkpoints import checkpoint_files
from equipoise.training.progress import Progress

EXIT_EXPLAINED = 3
"""The run ended with an error that says what happened; with 1, as Python does it, it was an error of ours."""


def train_one(config: RunConfig, folder: Path, *, progress: Progress | None = None) -> None:
    """Bring one run of a sweep to its end, from wherever it stands: training, verdict, known density.

    Raises:
        Interrupted: the person stopped it, with a checkpoint.
        PlayDiverged: the game left the finite numbers.
    """
    if checkpoint_files(folder / "checkpoints"):
        if open_run_folder(folder).read_status().get("state") != "finished":
            resume(folder, trust_code=True, progress=progress)  # the code that the caller has just named
    else:
        # Killed before its first checkpoint: there is nothing in it that the same configuration would not make again.
        if folder.is_dir():
            with locked(folder):  # unless another process is making it now
                shutil.rmtree(folder, ignore_errors=True)
        train(config, folder, progress=progress)
    if not open_run_folder(folder).report.is_file():  # killed between its last step and its report
        _finish(config, folder, progress or Progress())
    if has_known_density(config.data.source) and not (folder / FILE_NAME).is_file():
        score_known_density(load(folder, trust_code=True))


def _finish(config: RunConfig, folder: Path, progress: Progress) -> None:
    from equipoise.reports import write_report

    if config.outputs.final_verdict:
        try:
            judge_run(folder, trust_code=True)
        except EquipoiseError as error:  # too few samples for any verdict: said, and no failure of the run
            progress.message(f"{folder.name}: no verdict: {error}")
    write_report(folder)


def main() -> int:
    """Train the run that stdin describes; the exit code."""
    asked = json.load(sys.stdin)
    try:
        train_one(RunConfig.model_validate(asked["config"]), Path(asked["folder"]))
    except EquipoiseError as error:
        print(error, file=sys.stderr)
        return EXIT_EXPLAINED
    return 0


if __name__ == "__main__":
    sys.exit(main())
