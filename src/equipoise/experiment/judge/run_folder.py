"""The referee's verdict on the generator of a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from equipoise.experiment.judge.run import judge_gan
from equipoise.experiment.loading import load
from equipoise.referee import Verdict
from equipoise.referee.base import Tell
from equipoise.referee.two_sample_test import SensitivityPlan


def judge_run(
    folder: Path | str,
    *,
    confidence: float = 0.95,
    margin: float | None = None,
    seed: int = 0,
    sensitivity: SensitivityPlan = "auto",
    extractor: Any = None,
    checkpoint: Literal["best", "last"] | None = None,
    trust_code: bool = False,
    tell: Tell | None = None,
) -> Verdict:
    """Judge the generator of a run folder on the final part of its data, and store the verdict there.

    `sensitivity`, `extractor` and `tell` are as in `judge_sources`; measured sensitivities are kept in the run folder,
    and `auto` is quick where that takes at most a tenth of the time that the run was trained for.
    `checkpoint` is as in `load`.

    Raises:
        RunFolderError: there is no whole checkpoint, or the data have changed since the run began.
        DataError: the data can no longer be read.
    """
    return judge_gan(
        load(folder, checkpoint=checkpoint, trust_code=trust_code),
        confidence=confidence,
        margin=margin,
        seed=seed,
        sensitivity=sensitivity,
        extractor=extractor,
        tell=tell,
    )
