"""What the referee decided, with everything that it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from equipoise.errors import EXIT_DISTINGUISHED, EXIT_OK, EXIT_TOO_LITTLE_DATA
from equipoise.files import plain, replacing, write_json, write_text
from equipoise.migrations import upgraded
from equipoise.plotting.style import save_figure
from equipoise.referee import verdict_text
from equipoise.referee.base import Finding, Values
from equipoise.referee.bound import EQUILIBRIUM_VALUE
from equipoise.referee.companion.result import Companion
from equipoise.referee.detectable_effect import COARSE_NATS, Sensitivity
from equipoise.referee.levels import REFEREE_VERSION
from equipoise.referee.separation import Interval
from equipoise.spaces import SpaceKind

if TYPE_CHECKING:
    from matplotlib.figure import Figure


Speaker = Literal["classifier", "companion", "both", "neither"]


class Conclusion(StrEnum):
    """The four things a verdict can say; none of them is "equal"."""

    DISTINGUISHED = "distinguished"
    NOT_DISTINGUISHED = "not_distinguished"
    EQUIVALENT = "equivalent"
    TOO_LITTLE_DATA = "too_little_data"


_SENSITIVITY_KEYS: dict[str, tuple[str, Any]] = {
    "method": ("sensitivity_method", None),
    "theoretical_nats": ("sensitivity_theoretical_nats", None),
    "power": ("sensitivity_power", None),
    "by_defect_nats": ("sensitivity_nats", {}),
    "per_side": ("sensitivity_per_side", None),
    "intervals_nats": ("sensitivity_intervals_nats", {}),
    "absent": ("sensitivity_absent", []),
    "trials": ("sensitivity_trials", None),
}
"""Key in a verdict's JSON of each field of the sensitivity, and what stands there when there is none."""


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
        """Real samples to train, to validate and to test on."""
        return self.real_train, self.real_validation, self.real_test

    @property
    def fake(self) -> tuple[int, int, int]:
        """Generated samples to train, to validate and to test on."""
        return self.fake_train, self.fake_validation, self.fake_test


@dataclass(frozen=True)
class Verdict:
    """The referee's answer to "can real and generated samples still be distinguished?".

    Attributes:
        kind: of the data.
        conclusion: one of four.
        confidence: 1 - the chance of saying "distinguished" about two samples of one distribution; also that of the
            bound.
        margin_nats: the JSD that the person calls small enough, or `None`.
        jsd_lower_bound_nats: JSD is at least this, at `confidence`; 0 unless distinguished.
        jsd_estimate_nats: (V + log 4) / 2: what the classifiers prove, without allowance for chance. May be negative.
            It estimates a lower limit of JSD, not JSD.
        log_e_value: evidence against "one distribution", by classifiers; it rejects at log(1 / `e_level`).
        value: V on `measured` samples, in nats; -log 4 = -1.386 at chance level. Of what the decision said of the later
            half of the samples (beside a training part: of the test part), or, if the classifiers distinguish the
            sides, the mean over `folds`, with every sample scored once.
        value_standard_error: of `value`.
        accuracy: share of samples whose side is named correctly, both sides weighted equally; 1/2 is guessing.
        auc: chance that a real sample looks more real than a generated one; 1/2 is guessing.
        counts: samples only trained on, to validate (none where sides are scored in turn) and scored once.
        classifier: the one that made most of the e-value; beside a training part, the one selected for validation.
        classifier_values: V of each classifier on what it scored, in nats; beside a training part, on the validation
            part.
        sensitivity: the smallest difference that would have been found.
        findings: what the checks found.
        seed: of the order, the classifiers and the permutations.
        seconds: that the verdict took.
        folds: classifiers behind `value`, the estimate and the bound.
        measured: samples scored by these, real and generated.
        scores: logits on the later half of the samples (or the test part), for plots: `(real, fake)`.
        scored: these samples themselves, in the same order.
        companion: what the permutation test found; `None` where it took no part.
        e_level: chance of a false alarm of the e-value alone; `None` in verdicts from before it had a companion: all of
            1 - confidence.
        referee_version: see `levels.REFEREE_VERSION`.
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
    companion: Companion | None = None
    e_level: float | None = None
    referee_version: int = REFEREE_VERSION

    @property
    def speaks(self) -> Speaker:
        """Which of the two tests found a difference."""
        level = 1 - self.confidence if self.e_level is None else self.e_level
        by_classifiers = self.conclusion != Conclusion.TOO_LITTLE_DATA and self.log_e_value >= -math.log(level)
        by_companion = self.companion is not None and self.companion.rejects
        if by_classifiers:
            return "both" if by_companion else "classifier"
        return "companion" if by_companion else "neither"

    @property
    def exit_code(self) -> int:
        """0 not distinguished or equivalent, 10 distinguished, 11 too little data."""
        if self.conclusion == Conclusion.DISTINGUISHED:
            return EXIT_DISTINGUISHED
        return EXIT_TOO_LITTLE_DATA if self.conclusion == Conclusion.TOO_LITTLE_DATA else EXIT_OK

    @property
    def sentence(self) -> str:
        """The verdict in one sentence for a person without statistics."""
        return verdict_text.headline(self.to_json())

    def to_text(self) -> str:
        """The verdict on a page: what was found, what would have been found, and what it cannot say."""
        return verdict_text.page(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """One dictionary of plain values; numbers that do not exist, and defects that were never found, are `None`.

        `Verdict.from_json` reads it back. The test samples and their logits stay behind: they are for plots.
        """
        sensitivity = {} if self.sensitivity is None else self.sensitivity.to_json()
        content = plain(
            {
                "kind": self.kind,
                "conclusion": self.conclusion.value,
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
                **self.accuracy.to_json("accuracy"),
                **self.auc.to_json("auc"),
                "counts": vars(self.counts),
                "classifier": self.classifier,
                "classifier_values": dict(self.classifier_values),
                **{key: sensitivity.get(name, absent) for name, (key, absent) in _SENSITIVITY_KEYS.items()},
                "findings": [vars(finding) for finding in self.findings],
                "seed": self.seed,
                "seconds": self.seconds,
                "e_level": self.e_level,
                "companion": None if self.companion is None else self.companion.to_json(),
                "speaks": self.speaks,
                "referee_version": self.referee_version,
            }
        )
        return {"sentence": verdict_text.headline(content), **content}

    def save(self, folder: Path | str) -> list[Path]:
        """Write `verdict.json`, `verdict.txt`, `verdict.png` and `most_discriminative.csv`; returns their paths.

        The last one lists the test samples whose side the classifier is surest of; it is absent where it is sure of
        none. Each file is written whole or not at all; those of an earlier verdict are replaced.

        Raises:
            StorageError: the file system refused.
        """
        folder = Path(folder)
        paths = [folder / name for name in ("verdict.json", "verdict.txt", "verdict.png")]
        write_json(paths[0], self.to_json())
        write_text(paths[1], self.to_text() + "\n")
        save_figure(self.plot(), paths[2])
        table = folder / "most_discriminative.csv"
        for earlier in (table, folder / "giveaway.csv"):  # as version 0.1.0 called it
            earlier.unlink(missing_ok=True)
        rows = self.most_discriminative
        if not rows:
            return paths
        with replacing(table) as temporary:
            pd.DataFrame(rows).to_csv(temporary, index=False)
        return [*paths, table]

    @property
    def most_discriminative(self) -> list[dict[str, object]]:
        """The test samples that the classifier is surest of: side, position on that side, log-odds of real, values."""
        return [dict(row) for finding in self.findings for row in finding.rows if "log_odds_of_real" in row]

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Verdict:
        """The verdict that `to_json` was taken of, without its samples: it writes the same page and the same JSON.

        Verdicts of versions 0.1.0 and 0.2.0 are read, too.
        """
        # Before 3 a verdict did not say its referee's version; 0.1.0 called the classifier a member.
        earlier = 1 if "member" in state else 2
        state = upgraded("verdict", state, where="a verdict")
        nothing = np.zeros(0)
        sensitivity = {name: state[key] for name, (key, _) in _SENSITIVITY_KEYS.items()}
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
            sensitivity=None if sensitivity["method"] is None else Sensitivity.from_json(sensitivity),
            findings=tuple(
                Finding(each["check"], each["statement"], each["is_problem"], each["numbers"], tuple(each["rows"]))
                for each in state["findings"]
            ),
            seed=state["seed"],
            seconds=state["seconds"],
            # Files from before distances were measured by cross-fitting have neither.
            folds=state.get("folds", 1),
            measured=tuple(state.get(f"measured_{side}", state["counts"][f"{side}_test"]) for side in ("real", "fake")),
            scores=(nothing, nothing),
            scored=(nothing[:, None], nothing[:, None]),
            companion=None if state.get("companion") is None else Companion.from_json(state["companion"]),
            e_level=state.get("e_level"),
            referee_version=state.get("referee_version", earlier),
        )

    def plot(self) -> Figure:
        """A matplotlib figure: how real each side looks, the bound, and what would have been found."""
        from equipoise.referee.verdict_plot import draw

        return draw(self.to_json(), scores=self.scores, scored=self.scored)

    def _repr_html_(self) -> str:
        return verdict_text.html_page(self.to_json())


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def conclude(*, rejects: bool, margin_nats: float | None, sensitivity: Sensitivity) -> Conclusion:
    """The decision, from the test, the margin and the sensitivity.

    `equivalent` needs all three: no difference found, a margin, and every injected kind of difference detectable at it.
    """
    if rejects:
        return Conclusion.DISTINGUISHED
    wanted = COARSE_NATS if margin_nats is None else margin_nats
    if sensitivity.coarsest_nats > wanted:
        return Conclusion.TOO_LITTLE_DATA
    if margin_nats is not None and sensitivity.method == "injected":
        return Conclusion.EQUIVALENT
    return Conclusion.NOT_DISTINGUISHED
