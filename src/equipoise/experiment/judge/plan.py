"""How many samples a verdict needs, in theory and of data like these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from equipoise.data import DataOptions, load
from equipoise.errors import InputError
from equipoise.experiment.judge.datasets import named_side, some_of
from equipoise.experiment.out_of_memory import explaining_memory_of_verdict
from equipoise.referee.base import Tell
from equipoise.referee.sample_plan import SamplePlan, plan_samples, plan_with_data


def plan_sources(
    data: Any = None,
    *,
    margin: float | None = None,
    confidence: float = 0.95,
    drop: Sequence[str] = (),
    missing: Sequence[str] = (),
    day_first: bool | None = None,
    tell: Tell | None = None,
) -> SamplePlan:
    """Say how many samples on each side a verdict needs to see differences of a size.

    Args:
        data: real samples, in any form that `judge` takes; defects are then injected into up to 2,000 of them a side
            and looked for, which takes about 25 verdicts' time, of tables 60.
        margin: smallest Jensen-Shannon divergence in nats that matters.
        confidence: of the verdict.
        drop: columns of tables that are left out.
        missing: what means that a value is missing.
        day_first: how dates begin.
        tell: is told what is injected.

    Raises:
        InputError: there are data and no margin.
        DataError: the data cannot be read.
        ConfigError: the margin or the confidence is out of range, or there are too few samples.
    """
    if data is None:
        return plan_samples(margin, confidence=confidence)
    if margin is None:
        raise InputError(
            "--plan",
            f"{named_side(data)} is given without a margin.",
            "Expected the smallest difference that matters, in nats.",
            "Add --margin 0.01, or leave the data out for a table of margins.",
        )
    reading = DataOptions(keep_gaps=True, drop=tuple(drop), missing=tuple(missing), day_first=day_first)
    with explaining_memory_of_verdict(named_side(data), again=""):
        real = some_of(load(data, options=reading), seed=0)
        return plan_with_data(real.values, kind=real.kind, margin_nats=margin, confidence=confidence, tell=tell)
