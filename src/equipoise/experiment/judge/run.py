"""The referee's verdict on a run: its held-out final part against fresh samples of its generator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from equipoise.data import PreparedData
from equipoise.data.dataset import Dataset
from equipoise.errors import RunFolderError
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.judge.datasets import drawn, most_samples, traced
from equipoise.experiment.out_of_memory import explaining_memory_of_verdict
from equipoise.experiment.prepare import prepare_data, require_path
from equipoise.experiment.weighted_density import thinned_rows
from equipoise.randomness import Stream, derived_seed
from equipoise.referee import Verdict, judge
from equipoise.referee.base import Finding, Tell
from equipoise.referee.splits import TEST_SHARE
from equipoise.referee.two_sample_test import SensitivityPlan
from equipoise.runfolder import RunFolder
from equipoise.spaces import sample_size
from equipoise.training.interim_evaluation import summary

INJECTION_SHARE = 0.1
"""Of the time of training, that measuring the sensitivity of a verdict may take when nobody has asked for it."""
SENSITIVITIES = "resolution"
"""Folder of a run that keeps measured sensitivities, as version 0.1.0 called it."""


class Judged(Protocol):
    """A generator with the run that it comes from; `Gan` is one."""

    folder: Path
    config: RunConfig
    step: int
    data: PreparedData | None
    passed_over: tuple[str, ...]

    def sample_raw(self, n: int, *, seed: int) -> Dataset:
        """`n` samples in natural values."""


def judge_gan(
    gan: Judged,
    *,
    confidence: float = 0.95,
    margin: float | None = None,
    seed: int = 0,
    sensitivity: SensitivityPlan = "auto",
    extractor: Any = None,
    tell: Tell | None = None,
) -> Verdict:
    """As `judge_run`, for a generator in memory.

    Classifiers are trained and validated on the training part; only rows of the final part, which neither the game nor
    the referee has seen, are tested on. Where training drew rows by weight, both parts are thinned to the density that
    the generator was asked for.

    Raises:
        OutOfMemory: the referee finds no room.
    """
    with explaining_memory_of_verdict(str(gan.folder), again=f": equipoise judge {gan.folder}"):
        run = RunFolder(gan.folder)
        data = gan.data if gan.data is not None else run_data(gan, run)
        wanted = {name: thinned_rows(gan.config, data, name) for name in ("final", "train")}
        # Numbers are drawn before rows are read: of large data, which stay on disk, no more come into memory.
        most = most_samples(sample_size(data.space))
        final, train = (data.raw.rows(drawn(rows, most, seed=seed)) for rows in wanted.values())
        count = min(most, max(round(len(final) / TEST_SHARE), len(train)))
        fake = gan.sample_raw(count, seed=derived_seed(seed, Stream.VERDICT_SAMPLES, gan.step))
        verdict = judge(
            final.values,
            fake.values,
            kind=final.kind,
            confidence=confidence,
            margin=margin,
            seed=seed,
            real_train=train.values,
            extractor=extractor,
            sensitivity=sensitivity,
            cache=run.path / SENSITIVITIES,
            injection_seconds=INJECTION_SHARE * _training_seconds(run),
            tell=tell,
            **_classes(final, fake),
        )
        judged = Finding("inputs", f"The generator after step {gan.step:,} was judged.", numbers={"step": gan.step})
        broken = (Finding("inputs", text, True) for text in gan.passed_over)
        verdict = replace(traced(verdict, final, fake), findings=(judged, *broken, *verdict.findings))
        earlier = sum(row.get("part") == "final" for row in run.read_verdicts())
        if earlier:
            verdict = replace(verdict, findings=(*verdict.findings, _used_before(earlier)))
        whole = len(data.split.final)
        thinned = None if len(wanted["final"]) == whole else {"kept": len(wanted["final"]), "of": whole}
        row = {"step": gan.step, "part": "final", "thinned": thinned, **verdict.to_json()}
        run.append(run.verdicts, row)
        data.domain.save_most_discriminative(verdict.scored, verdict.scores, run.most_discriminative)
        run.write_status(last_verdict=summary(row))
        return verdict


def _training_seconds(run: RunFolder) -> float:
    rows = run.read_metrics()
    return float(rows[-1].get("seconds") or 0.0) if rows else 0.0


def _used_before(times: int) -> Finding:
    return Finding(
        "inputs",
        f"These held-out samples have served {times} earlier verdict{'s' if times > 1 else ''} of this run. Each one "
        "keeps its confidence; the best of several does not.",
        numbers={"earlier_verdicts": times},
    )


def _classes(final: Dataset, fake: Dataset) -> dict[str, Any]:
    """Labels of both sides, where the generator was asked for classes: a class it gets wrong is then found."""
    if final.labels is None or fake.labels is None:
        return {}
    return {"real_labels": final.labels, "fake_labels": fake.labels, "label_names": final.label_names}


def run_data(gan: Judged, run: RunFolder) -> PreparedData:
    """The data of a run, prepared anew.

    Raises:
        RunFolderError: they have changed since the run began, or the folder holds a generator without its run.
    """
    if not run.data.is_file():
        raise RunFolderError(
            str(run.path),
            "it holds a generator and not the data that it was trained on.",
            "Expected the run folder, for a comparison with its held-out rows.",
            "Judge samples against data of your own: equipoise judge REAL FAKE.",
        )
    require_path(gan.config, where=str(run.path))
    described = run.read_json(run.data)
    data = prepare_data(gan.config.data.source, gan.config.data, gan.config.seed, stored=described)
    if described.get("fingerprint") != data.fingerprint:
        raise RunFolderError(
            str(run.path),
            f"the data at {gan.config.data.source} have changed since the run began.",
            "Expected the same data: the final part must be one that the game has never seen.",
            "Restore the data, or judge two files: equipoise judge REAL FAKE.",
        )
    return data
