"""What the referee decided, with everything that it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.errors import EXIT_DISTINGUISHED, EXIT_OK, EXIT_TOO_LITTLE_DATA
from equipoise.files import plain
from equipoise.referee.base import Finding, Values
from equipoise.referee.bound import EQUILIBRIUM_VALUE
from equipoise.referee.detectable_effect import Sensitivity
from equipoise.referee.separation import Interval
from equipoise.spaces import SpaceKind

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Conclusion(StrEnum):
    """The four things a verdict can say; none of them is "equal"."""

    DISTINGUISHED = "distinguished"
    NOT_DISTINGUISHED = "not_distinguished"
    EQUIVALENT = "equivalent"
    TOO_LITTLE_DATA = "too_little_data"


COARSE_NATS = 0.05
"""Without a margin, a referee that could not have seen a JSD of 0.05 has too little data to say anything."""


@dataclass(frozen=True)
class Counts:
    """Samples in each part."""

    real_train: int
    fake_train: int
    real_validation: int
    fake_validation: int
    real_test: int
    fake_test: int

    @property
    def real(self) -> tuple[int, int, int]:
        """Real samples fitted on, chosen on, scored."""
        return self.real_train, self.real_validation, self.real_test

    @property
    def fake(self) -> tuple[int, int, int]:
        """Generated samples fitted on, chosen on, scored."""
        return self.fake_train, self.fake_validation, self.fake_test


@dataclass(frozen=True)
class Verdict:
    """The referee's answer to "can real and generated samples still be told apart?".

    Attributes:
        kind: of the data.
        conclusion: one of four.
        confidence: 1 - the chance of saying "distinguished" about two samples of one law; also that of the bound.
        margin_nats: the JSD that the person calls small enough, or `None`.
        jsd_lower_bound_nats: JSD is at least this, at `confidence`; 0 unless distinguished.
        jsd_estimate_nats: (V + log 4) / 2: what the discriminators prove, without allowance for chance. May be
            negative. It estimates a lower limit of JSD, not JSD.
        log_e_value: evidence against "one law"; the test rejects at log(1 / (1 - confidence)).
        value: V on `measured` samples, in nats; -log 4 = -1.386 when blind. Of one discriminator on the scored part, or
            of sides that are told apart the mean over `folds` of them, with every sample scored once.
        value_standard_error: of `value`.
        accuracy: share told apart correctly, both sides weighted equally; 1/2 is guessing.
        auc: chance that a real sample looks more real than a generated one; 1/2 is guessing.
        counts: samples fitted on, chosen on, scored.
        member: the discriminator chosen.
        classifier_values: V of each member on the choosing part, in nats.
        resolution: the smallest difference that would have been seen.
        findings: what the checks found.
        seed: of the split and the members.
        seconds: that the verdict took.
        folds: discriminators behind `value`, the estimate and the bound.
        measured: samples scored by these, real and generated.
        scores: logits on the scored part, for pictures: `(real, fake)`.
        scored: the scored samples themselves, in the same order.
    """

    kind: SpaceKind
    conclusion: Conclusion
    confidence: float
    margin_nats: float | None
    jsd_lower_bound_nats: float
    jsd_estimate_nats: float
    log_e_value: float
    value: float
    value_standard_error: float
    accuracy: Interval
    auc: Interval
    counts: Counts
    classifier: str
    classifier_values: Mapping[str, float]
    sensitivity: Sensitivity | None
    findings: tuple[Finding, ...]
    seed: int
    seconds: float
    folds: int
    measured: tuple[int, int]
    scores: tuple[np.ndarray, np.ndarray]
    scored: tuple[Values, Values]

    @property
    def exit_code(self) -> int:
        """0 not distinguished or equivalent, 10 distinguished, 11 too little data."""
        if self.conclusion == Conclusion.DISTINGUISHED:
            return EXIT_DISTINGUISHED
        return EXIT_TOO_LITTLE_DATA if self.conclusion == Conclusion.TOO_LITTLE_DATA else EXIT_OK

    @property
    def sentence(self) -> str:
        """The verdict in one sentence for a person without statistics."""
        from equipoise.referee.verdict_text import headline

        return headline(self)

    def to_text(self) -> str:
        """The verdict on a page: what was found, what would have been seen, and what it cannot say."""
        from equipoise.referee.verdict_text import page

        return page(self)

    def to_json(self) -> dict[str, Any]:
        """One dictionary of plain values; numbers that do not exist, and sizes that were never seen, are `None`.

        `Verdict.from_json` reads it back. The scored samples and their logits stay behind: they are for pictures.
        """
        sensitivity = self.sensitivity
        return plain(
            {
                "kind": self.kind,
                "conclusion": self.conclusion.value,
                "sentence": self.sentence,
                "confidence": self.confidence,
                "margin_nats": self.margin_nats,
                "jsd_lower_bound_nats": self.jsd_lower_bound_nats,
                "jsd_estimate_nats": self.jsd_estimate_nats,
                "log_e_value": self.log_e_value,
                "value": self.value,
                "value_standard_error": self.value_standard_error,
                "folds": self.folds,
                "measured_real": self.measured[0],
                "measured_fake": self.measured[1],
                "equilibrium_value": EQUILIBRIUM_VALUE,
                "accuracy": self.accuracy.estimate,
                "accuracy_low": self.accuracy.low,
                "accuracy_high": self.accuracy.high,
                "auc": self.auc.estimate,
                "auc_low": self.auc.low,
                "auc_high": self.auc.high,
                "counts": vars(self.counts),
                "classifier": self.classifier,
                "classifier_values": dict(self.classifier_values),
                "sensitivity_method": None if sensitivity is None else sensitivity.method,
                "sensitivity_theoretical_nats": None if sensitivity is None else sensitivity.theoretical_nats,
                "sensitivity_power": None if sensitivity is None else sensitivity.power,
                "sensitivity_nats": {} if sensitivity is None else dict(sensitivity.by_defect_nats),
                "sensitivity_per_side": None if sensitivity is None else sensitivity.per_side,
                "sensitivity_intervals_nats": {} if sensitivity is None else dict(sensitivity.intervals_nats),
                "sensitivity_absent": [] if sensitivity is None else list(sensitivity.absent),
                "sensitivity_trials": None if sensitivity is None else sensitivity.trials,
                "findings": [
                    {
                        "check": finding.check,
                        "statement": finding.statement,
                        "is_problem": finding.is_problem,
                        "numbers": dict(finding.numbers),
                        "rows": [dict(row) for row in finding.rows],
                    }
                    for finding in self.findings
                ],
                "seed": self.seed,
                "seconds": self.seconds,
            }
        )

    def save(self, folder: Path | str) -> list[Path]:
        """Write `verdict.json`, `verdict.txt`, `verdict.png` and `giveaway.csv` into a folder; returns their paths.

        The last one lists the scored samples that give each side away most; it is absent where nothing does.

        Raises:
            StorageError: the file system refused.
        """
        from equipoise.referee.verdict_files import save

        return save(self, Path(folder))

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Verdict:
        """The verdict that `to_json` was taken of, without its samples: it writes the same page and the same JSON."""
        nothing = np.zeros(0)
        return cls(
            kind=state["kind"],
            conclusion=Conclusion(state["conclusion"]),
            confidence=state["confidence"],
            margin_nats=state["margin_nats"],
            jsd_lower_bound_nats=state["jsd_lower_bound_nats"],
            jsd_estimate_nats=_number(state["jsd_estimate_nats"]),
            log_e_value=state["log_e_value"],
            value=_number(state["value"]),
            value_standard_error=_number(state["value_standard_error"]),
            accuracy=Interval(_number(state["accuracy"]), state["accuracy_low"], state["accuracy_high"]),
            auc=Interval(_number(state["auc"]), state["auc_low"], state["auc_high"]),
            counts=Counts(**state["counts"]),
            classifier=state["classifier"],
            classifier_values=state["classifier_values"],
            sensitivity=_sensitivity_from(state),
            findings=tuple(
                Finding(each["check"], each["statement"], each["is_problem"], each["numbers"], tuple(each["rows"]))
                for each in state["findings"]
            ),
            seed=state["seed"],
            seconds=state["seconds"],
            # Files from before distances were measured crosswise have neither.
            folds=state.get("folds", 1),
            measured=tuple(state.get(f"measured_{side}", state["counts"][f"{side}_test"]) for side in ("real", "fake")),
            scores=(nothing, nothing),
            scored=(nothing[:, None], nothing[:, None]),
        )

    def plot(self) -> Figure:
        """A matplotlib figure: how real each side looks, the bound, and what would have been seen."""
        from equipoise.referee.verdict_plot import draw

        return draw(self)

    def _repr_html_(self) -> str:
        from equipoise.referee.verdict_text import html_page

        return html_page(self)


def _sensitivity_from(state: Mapping[str, Any]) -> Sensitivity | None:
    if state["sensitivity_method"] is None:
        return None
    names = {
        "method": "sensitivity_method",
        "theoretical_nats": "sensitivity_theoretical_nats",
        "power": "sensitivity_power",
        "by_defect_nats": "sensitivity_nats",
        "intervals_nats": "sensitivity_intervals_nats",
        "absent": "sensitivity_absent",
        "trials": "sensitivity_trials",
        "per_side": "sensitivity_per_side",
    }
    return Sensitivity.from_json({name: state[key] for name, key in names.items()})


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def conclude(*, rejects: bool, margin_nats: float | None, sensitivity: Sensitivity) -> Conclusion:
    """The decision, from the test, the margin and the resolution.

    `equivalent` needs all three: no difference found, a margin, and every planted kind of difference visible at it.
    """
    if rejects:
        return Conclusion.DISTINGUISHED
    wanted = COARSE_NATS if margin_nats is None else margin_nats
    if sensitivity.coarsest_nats > wanted:
        return Conclusion.TOO_LITTLE_DATA
    if margin_nats is not None and sensitivity.method == "injected":
        return Conclusion.EQUIVALENT
    return Conclusion.NOT_DISTINGUISHED
