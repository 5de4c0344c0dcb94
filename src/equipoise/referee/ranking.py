r"""Several generated sides judged against the same real one: verdicts that hold together, nearest first.

Each of m verdicts is made at the level alpha / m. By Bonferroni's inequality the chance that *any* generated side with
the distribution of the data is called distinguished is at most alpha, and all bounds, and all intervals, hold together
with the confidence 1 - alpha. The real rows are the same each time; the inequality needs no independence.

The order is that of the estimates, each with an interval of :math:`\pm z_{1 - \alpha / 2m}` standard errors. Where the
intervals of two neighbours overlap, which of them is nearer is not established.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.errors import EXIT_DISTINGUISHED, EXIT_OK, EXIT_TOO_LITTLE_DATA
from equipoise.files import plain, write_json, write_text
from equipoise.plotting.number_text import number, percent, text_table
from equipoise.plotting.style import (
    AXIS,
    FAKE_COLOUR,
    GENERATOR_COLOUR,
    INK,
    REFERENCE_LINE,
    label_axes,
    legend_key,
    new_figure,
    save_figure,
)
from equipoise.referee.verdict import Verdict
from equipoise.referee.verdict_text import conclusion_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LONGEST = 60
"""Letters of a name in the figure, and of a folder."""


@dataclass(frozen=True)
class Ranked:
    """One generated side and its verdict.

    Attributes:
        name: of the side.
        verdict: at its share of the level.
        estimate_low_nats: lower end of the interval of the estimate; NaN without an estimate.
        estimate_high_nats: its upper end.
    """

    name: str
    verdict: Verdict
    estimate_low_nats: float
    estimate_high_nats: float


@dataclass(frozen=True)
class Ranking:
    """Verdicts on several generated sides, nearest to the real one first; those without an estimate are last.

    Attributes:
        real: what the real side is called.
        confidence: of all that is said, together.
        each_confidence: of each verdict.
        ranked: the generated sides.
    """

    real: str
    confidence: float
    each_confidence: float
    ranked: tuple[Ranked, ...]

    @property
    def exit_code(self) -> int:
        """10 if any is distinguished, else 11 if any has too little data, else 0."""
        codes = {each.verdict.exit_code for each in self.ranked}
        return next((code for code in (EXIT_DISTINGUISHED, EXIT_TOO_LITTLE_DATA) if code in codes), EXIT_OK)

    @property
    def sentence(self) -> str:
        """How many of them are distinguished, and which is nearest."""
        count = sum(each.verdict.exit_code == EXIT_DISTINGUISHED for each in self.ranked)
        said = f"{count} of {len(self.ranked)} generated sides are distinguished from {self.real}."
        nearest, *others = self.ranked
        if not math.isfinite(nearest.verdict.jsd_estimate_nats):
            return said
        is_sure = not any(_overlap(nearest, other) for other in others)
        rest = "no other's interval reaches its own" if is_sure else "intervals overlap, so that another may be nearer"
        return f"{said} Nearest by estimate is {nearest.name}; {rest}."

    def to_text(self) -> str:
        """A table, the sentence of each verdict, and what the order does not say."""
        header = ("", "generated side", "estimate, nats", "interval", "at least", "conclusion")
        body = [
            (
                f"{place}.",
                each.name,
                number(each.verdict.jsd_estimate_nats, 3),
                f"{number(each.estimate_low_nats, 3)} to {number(each.estimate_high_nats, 3)}",
                number(each.verdict.jsd_lower_bound_nats, 3) if each.verdict.jsd_lower_bound_nats > 0 else "–",
                conclusion_of(each.verdict.to_json()),
            )
            for place, each in enumerate(self.ranked, start=1)
        ]
        sections = [
            self.sentence,
            text_table(header, body, longest=_LONGEST),
            "\n".join(f"{each.name}: {each.verdict.sentence}" for each in self.ranked),
            f"Each is judged at {percent(self.each_confidence, 2)}, so that all of this holds together with "
            f"{percent(self.confidence)} confidence.\n"
            "An estimate is what the classifiers prove, without allowance for chance: about a lower limit of the "
            "Jensen-Shannon divergence,\nfrom 0 (equality) to 0.693 (nothing in common).",
            *self._open_questions(),
        ]
        return "\n\n".join(sections)

    def _open_questions(self) -> list[str]:
        pairs = [
            f"{nearer.name} and {further.name}"
            for nearer, further in zip(self.ranked, self.ranked[1:], strict=False)
            if _overlap(nearer, further)
        ]
        return [f"Which is nearer is not established, as their intervals overlap: {'; '.join(pairs)}."] if pairs else []

    def to_json(self) -> dict[str, Any]:
        """One dictionary of plain values, with the whole of each verdict."""
        ranked = [
            {
                "place": place,
                "name": each.name,
                "estimate_low_nats": each.estimate_low_nats,
                "estimate_high_nats": each.estimate_high_nats,
                "verdict": each.verdict.to_json(),
            }
            for place, each in enumerate(self.ranked, start=1)
        ]
        return {
            "sentence": self.sentence,
            **plain({"real": self.real, "confidence": self.confidence, "each_confidence": self.each_confidence}),
            "ranked": plain(ranked),
        }

    def save(self, folder: Path | str) -> list[Path]:
        """Write `ranking.json`, `ranking.txt` and `ranking.png`, and the files of each verdict in a folder of its name.

        Raises:
            StorageError: the file system refused.
        """
        folder = Path(folder)
        paths = [folder / name for name in ("ranking.json", "ranking.txt", "ranking.png")]
        write_json(paths[0], self.to_json())
        write_text(paths[1], self.to_text() + "\n")
        save_figure(self.plot(), paths[2])
        for name, each in zip(_folder_names([each.name for each in self.ranked]), self.ranked, strict=True):
            (folder / name).mkdir(parents=True, exist_ok=True)
            paths += each.verdict.save(folder / name)
        return paths

    def plot(self) -> Figure:
        """A matplotlib figure: estimate, interval and bound of each generated side, nearest on top."""
        title = f"Distance from {self.real[:_LONGEST]}"
        with new_figure(8, 1.6 + 0.34 * len(self.ranked), title=title) as figure:
            axes = figure.subplots()
            for place, each in enumerate(self.ranked):
                estimate = each.verdict.jsd_estimate_nats
                if not math.isfinite(estimate):
                    continue
                is_far = each.verdict.exit_code == EXIT_DISTINGUISHED
                colour = FAKE_COLOUR if is_far else GENERATOR_COLOUR if each.verdict.exit_code == EXIT_OK else AXIS
                axes.plot([each.estimate_low_nats, each.estimate_high_nats], [place, place], color=colour, linewidth=2)
                axes.plot(estimate, place, "o", color=colour, markersize=6)
                if is_far and each.verdict.jsd_lower_bound_nats > 0:
                    axes.plot(each.verdict.jsd_lower_bound_nats, place, "|", color=INK, markersize=11)
            axes.axvline(0.0, **REFERENCE_LINE)
            axes.set_yticks(range(len(self.ranked)), [each.name[:_LONGEST] for each in self.ranked], parse_math=False)
            axes.set_ylim(len(self.ranked) - 0.5, -0.5)
            label_axes(
                axes,
                f"estimates with intervals that hold together with {percent(self.confidence)} confidence",
                x="Jensen-Shannon divergence that classifiers prove, nats",
            )
            entries = (
                ("distinguished", FAKE_COLOUR),
                ("not distinguished", GENERATOR_COLOUR),
                ("too little data", AXIS),
            )
            handles = [legend_key(label, colour, marker="o") for label, colour in entries]
            handles.append(legend_key("at least", INK, style="none", marker="|"))
            figure.legend(handles=handles, loc="outside lower left", ncols=4)
        return figure


def ranking_of(real: str, verdicts: Mapping[str, Verdict], *, confidence: float) -> Ranking:
    """Rank verdicts that were each made at `shared_confidence`.

    Args:
        real: what the real side is called.
        verdicts: by the name of the generated side.
        confidence: of all of them together.
    """
    from scipy.special import ndtri

    level = (1 - confidence) / len(verdicts)
    reach = float(ndtri(1 - level / 2))
    ranked = []
    for name, verdict in verdicts.items():
        # The estimate is half of V + log 4, and so has half of its error.
        half = reach * verdict.value_standard_error / 2
        estimate = verdict.jsd_estimate_nats
        ranked.append(Ranked(name, verdict, estimate - half, estimate + half))
    ranked.sort(key=lambda each: (math.isnan(each.verdict.jsd_estimate_nats), each.verdict.jsd_estimate_nats))
    return Ranking(real, confidence, 1 - level, tuple(ranked))


def shared_confidence(confidence: float, sides: int) -> float:
    """The confidence of each of so many verdicts that hold together with `confidence`."""
    return 1 - (1 - confidence) / sides


def _overlap(first: Ranked, second: Ranked) -> bool:
    return first.estimate_high_nats >= second.estimate_low_nats and second.estimate_high_nats >= first.estimate_low_nats


def _folder_names(names: Sequence[str]) -> list[str]:
    """A name for a folder from each name: letters, digits, dots and dashes, and no two alike."""
    found: list[str] = []
    for name in names:
        base = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.")[:_LONGEST] or "generated"
        taken = {each.lower() for each in found}
        place = next(n for n in range(1, len(names) + 1) if (base if n == 1 else f"{base}-{n}").lower() not in taken)
        found.append(base if place == 1 else f"{base}-{place}")
    return found
