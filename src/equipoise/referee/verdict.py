"""What the referee decided, with everything that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.errors import EXIT_DISTINGUISHED, EXIT_OK, EXIT_TOO_LITTLE_DATA
from equipoise.files import plain
from equipoise.referee.base import Finding, Values
from equipoise.referee.checks.jsd_bound import EQUILIBRIUM_VALUE
from equipoise.referee.resolution import Resolution
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

    real_fit: int
    fake_fit: int
    real_choice: int
    fake_choice: int
    real_score: int
    fake_score: int

    @property
    def real(self) -> tuple[int, int, int]:
        """Real samples fitted on, chosen on, scored."""
        return self.real_fit, self.real_choice, self.real_score

    @property
    def fake(self) -> tuple[int, int, int]:
        """Generated samples fitted on, chosen on, scored."""
        return self.fake_fit, self.fake_choice, self.fake_score


@dataclass(frozen=True)
class Verdict:
    """The referee's answer to "can real and generated samples still be told apart?".

    Attributes:
        kind: of the data.
        conclusion: one of four.
        confidence: 1 - the chance of saying "distinguished" about two samples of one law; also that of the bound.
        margin_nats: the JSD that the person calls small enough, or `None`.
        jsd_lower_bound_nats: JSD is at least this, at `confidence`; 0 unless distinguished.
        jsd_estimate_nats: (V + log 4) / 2 on the scored part: what this discriminator proves, without allowance for
            chance. May be negative. It estimates a lower limit of JSD, not JSD.
        log_e_value: evidence against "one law"; the test rejects at log(1 / (1 - confidence)).
        value: V of the chosen discriminator on the scored part, in nats; -log 4 = -1.386 when blind.
        value_standard_error: of `value`.
        accuracy: share told apart correctly, both sides weighted equally; 1/2 is guessing.
        auc: chance that a real sample looks more real than a generated one; 1/2 is guessing.
        counts: samples fitted on, chosen on, scored.
        member: the discriminator chosen.
        member_values: V of each member on the choosing part, in nats.
        resolution: the smallest difference that would have been seen.
        findings: what the checks found.
        seed: of the split and the members.
        seconds: that the verdict took.
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
    member: str
    member_values: Mapping[str, float]
    resolution: Resolution | None
    findings: tuple[Finding, ...]
    seed: int
    seconds: float
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
        from equipoise.referee.words import headline

        return headline(self)

    def to_text(self) -> str:
        """The verdict on a page: what was found, what would have been seen, and what it cannot say."""
        from equipoise.referee.words import page

        return page(self)

    def to_json(self) -> dict[str, Any]:
        """One dictionary of plain values; numbers that do not exist are `None`."""
        resolution = self.resolution
        return plain({
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
            "equilibrium_value": EQUILIBRIUM_VALUE,
            "accuracy": self.accuracy.estimate,
            "accuracy_low": self.accuracy.low,
            "accuracy_high": self.accuracy.high,
            "auc": self.auc.estimate,
            "auc_low": self.auc.low,
            "auc_high": self.auc.high,
            "counts": vars(self.counts),
            "member": self.member,
            "member_values": dict(self.member_values),
            "resolution_method": None if resolution is None else resolution.method,
            "resolution_floor_nats": None if resolution is None else resolution.floor_nats,
            "resolution_power": None if resolution is None else resolution.power,
            "resolution_nats": {} if resolution is None else dict(resolution.by_defect_nats),
            "resolution_per_side": None if resolution is None else resolution.per_side,
            "resolution_intervals_nats": {} if resolution is None else dict(resolution.intervals_nats),
            "findings": [
                {"check": finding.check, "statement": finding.statement, "is_problem": finding.is_problem,
                 "numbers": dict(finding.numbers), "rows": [dict(row) for row in finding.rows]}
                for finding in self.findings
            ],
            "seed": self.seed,
            "seconds": self.seconds,
        })  # fmt: skip

    def plot(self) -> Figure:
        """A matplotlib figure: how real each side looks, the bound, and what would have been seen."""
        from equipoise.referee.drawing import draw

        return draw(self)

    def _repr_html_(self) -> str:
        from equipoise.referee.words import html_page

        return html_page(self)


def conclude(*, rejects: bool, margin_nats: float | None, resolution: Resolution) -> Conclusion:
    """The decision, from the test, the margin and the resolution.

    `equivalent` needs all three: no difference found, a margin, and every planted kind of difference visible at it.
    """
    if rejects:
        return Conclusion.DISTINGUISHED
    wanted = COARSE_NATS if margin_nats is None else margin_nats
    if resolution.coarsest_nats > wanted:
        return Conclusion.TOO_LITTLE_DATA
    if margin_nats is not None and resolution.method == "planted":
        return Conclusion.EQUIVALENT
    return Conclusion.NOT_DISTINGUISHED
