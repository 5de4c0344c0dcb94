"""Several generated sides judged against the same real one, with the error shared out among them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.errors import ConfigError, InputError
from equipoise.experiment.judge.datasets import judge_sources, named_side
from equipoise.referee.base import Tell
from equipoise.referee.ranking import Ranking, ranking_of, shared_confidence
from equipoise.referee.two_sample_test import SensitivityPlan
from equipoise.referee.verdict import Verdict


def judge_several(
    real: Any,
    fakes: Sequence[Any] | Mapping[str, Any],
    *,
    confidence: float = 0.95,
    margin: float | None = None,
    seed: int = 0,
    folds: int | None = None,
    sensitivity: SensitivityPlan = "auto",
    cache: Path | None = None,
    extractor: Any = None,
    drop: Sequence[str] = (),
    missing: Sequence[str] = (),
    day_first: bool | None = None,
    columns: Mapping[str, str] | None = None,
    group: str | None = None,
    tell: Tell | None = None,
) -> Ranking:
    """Judge several generated sides against the same real one; all that is said holds together.

    With m generated sides each verdict is made at the level (1 - confidence) / m.

    Args:
        real: as in `judge_sources`.
        fakes: two or more generated sides, in a list, or by name in a dictionary.
        confidence: of all verdicts, bounds and intervals together.
        margin: as in `judge_sources`, and so are the others.
        seed: the same for each verdict.
        folds: classifiers that measure the distance.
        sensitivity: how the minimum detectable effect is found.
        cache: a folder that keeps measured sensitivities.
        extractor: frozen feature extractors of images.
        drop: columns of tables that are left out.
        missing: what means that a value is missing.
        day_first: how dates begin.
        columns: kinds of columns by name.
        group: a column of all sides whose rows belong together where it is equal.
        tell: is told what is measured.

    Returns:
        The verdicts, nearest first.

    Raises:
        DataError: as `judge_sources`, naming the side.
        ConfigError: the confidence is out of range.
        InputError: there are fewer than two generated sides.
    """
    sides = dict(fakes) if isinstance(fakes, Mapping) else dict(zip(_names(fakes), fakes, strict=True))
    if len(sides) < 2:
        raise InputError(
            "judge several sides",
            f"{len(sides)} generated {'side is' if len(sides) == 1 else 'sides are'} given.",
            "Expected two or more.",
            "For one side: equipoise judge REAL FAKE, or eq.judge(real, fake).",
        )
    if not 0.5 <= confidence < 1:
        raise ConfigError(
            "judge, confidence", f"it is {confidence}.", "Expected at least 0.5 and below 1.", "Try 0.95."
        )
    each = shared_confidence(confidence, len(sides))
    verdicts: dict[str, Verdict] = {}
    for name, fake in sides.items():
        verdicts[str(name)] = judge_sources(
            real,
            fake,
            confidence=each,
            margin=margin,
            seed=seed,
            folds=folds,
            sensitivity=sensitivity,
            cache=cache,
            extractor=extractor,
            drop=drop,
            missing=missing,
            day_first=day_first,
            columns=columns,
            group=group,
            tell=tell,
        )
    return ranking_of(named_side(real), verdicts, confidence=confidence)


def _names(fakes: Sequence[Any]) -> list[str]:
    """Paths by their last part where these differ, else in full; arrays and frames by their number."""
    paths = [os.fspath(fake) if isinstance(fake, (str, os.PathLike)) else None for fake in fakes]
    short = [None if path is None else Path(path).name for path in paths]
    found = []
    for place, (path, last) in enumerate(zip(paths, short, strict=True), start=1):
        if path is None:
            found.append(f"generated {place}")
        elif last and short.count(last) == 1:
            found.append(last)
        else:
            found.append(path if paths.count(path) == 1 else f"{path} ({place})")
    return found
