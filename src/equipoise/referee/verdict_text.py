"""A verdict in words that a person without statistics can use."""

from __future__ import annotations

import html
import math
import textwrap
from typing import TYPE_CHECKING

from equipoise.referee.bound import EQUILIBRIUM_VALUE
from equipoise.referee.model_selection import AT_CHANCE_LEVEL

if TYPE_CHECKING:
    from equipoise.referee.verdict import Verdict

_WIDTH = 96
_PLAIN_ACCURACY = 0.55
"""Above it, being right so often is plain evidence; below it (one class of ten missing, say) the odds say it better."""
_TITLES = {
    "distinguished": "DISTINGUISHED",
    "not_distinguished": "NOT DISTINGUISHED",
    "equivalent": "EQUIVALENT WITHIN THE MARGIN",
    "too_little_data": "TOO LITTLE DATA",
}


def headline(verdict: Verdict) -> str:
    """One sentence."""
    title, counts = _TITLES[verdict.conclusion], verdict.counts
    scored = f"{counts.real_test:,} real and {counts.fake_test:,} generated samples that it had never seen"
    if verdict.conclusion == "distinguished" and verdict.accuracy.low > _PLAIN_ACCURACY:
        return (
            f"{title}: a fresh discriminator still tells generated from real; on {scored} it was right "
            f"{verdict.accuracy.estimate:.1%} of the time, where guessing is right 50 %."
        )
    if verdict.conclusion == "distinguished":
        return (
            f"{title}: generated and real samples differ, by little or in few samples; if they were alike, what a "
            f"fresh discriminator found on {scored} would come up at most once in {_odds(verdict)} times."
        )
    if verdict.sensitivity is None:
        return f"{title}: {counts.real_test:,} real and {counts.fake_test:,} generated samples are too few to compare."
    if verdict.conclusion == "not_distinguished":
        return f"{title}: no fresh discriminator could tell generated from real on {scored}."
    if verdict.conclusion == "equivalent":
        absent = verdict.sensitivity.absent
        but = f", {' and '.join(absent)} apart (planted into these data it showed nothing)" if absent else ""
        return (
            f"{title}: no fresh discriminator could tell generated from real on {scored}, and every planted kind of "
            f"difference of {_nats(verdict.margin_nats)} would have been found {verdict.sensitivity.power:.0%} of the "
            f"time{but}."
        )
    return (
        f"{title}: nothing was found on {scored}, but a difference of {_nats(_wanted(verdict))} could have gone "
        f"unseen{_unseen_kinds(verdict)}, so that says little."
    )


def _unseen_kinds(verdict: Verdict) -> str:
    """The planted kinds of defect for which the referee's sight is too coarse, in brackets."""
    ends = verdict.sensitivity.intervals_nats
    kinds = [name for name in verdict.sensitivity.by_defect_nats if ends[name][1] > _wanted(verdict)]
    return f" ({', '.join(sorted(kinds))})" if kinds else ""


def page(verdict: Verdict) -> str:
    """Headline, evidence, resolution, findings, limits."""
    sections = [[headline(verdict)]]
    problems = [f"! {finding.statement}" for finding in verdict.findings if finding.is_problem]
    remarks = [f"- {finding.statement}" for finding in verdict.findings if not finding.is_problem]
    if problems:
        sections.append(["Look at this first:", *problems])
    if verdict.sensitivity is not None:
        sections += [_evidence(verdict), _sensitivity(verdict)]
    if remarks:
        sections.append(["Also found:", *remarks])
    sections.append(_limits(verdict))
    return "\n\n".join(
        "\n".join(_wrapped(line, first=place == 0) for place, line in enumerate(section)) for section in sections
    )


def html_page(verdict: Verdict) -> str:
    """The same page for a notebook."""
    title, _, rest = headline(verdict).partition(": ")
    body = html.escape(page(verdict).split("\n\n", 1)[1])
    return f"<div><p><b>{html.escape(title)}</b>: {html.escape(rest)}</p><pre>{body}</pre></div>"


def _evidence(verdict: Verdict) -> list[str]:
    accuracy, auc = verdict.accuracy, verdict.auc
    if verdict.classifier == AT_CHANCE_LEVEL:
        return [
            "What was found:",
            "- Nothing: while they were chosen, no discriminator did better than guessing, so guessing was scored: "
            f"V = -log 4 = {EQUILIBRIUM_VALUE:.4f}, accuracy 50 %, no bound above 0 on the distance.",
        ]
    lines = [
        "What was found:",
        f"- Told apart correctly: {accuracy.estimate:.1%} (between {accuracy.low:.1%} and {accuracy.high:.1%}; "
        f"guessing is 50 %). A real sample looks more real than a generated one {auc.estimate:.1%} of the time (AUC; "
        f"between {auc.low:.1%} and {auc.high:.1%}). Discriminator: {verdict.classifier}.",
    ]
    is_proved = verdict.jsd_lower_bound_nats > 0
    if is_proved:
        lines.append(
            f"- Distance: the Jensen-Shannon divergence is at least {_nats(verdict.jsd_lower_bound_nats)}, with "
            f"{verdict.confidence:.0%} confidence{_measured_on(verdict)}. On that scale 0 is equality and 0.693 is "
            "nothing in common."
        )
    else:
        lines.append("- Distance: no lower bound above 0 on the Jensen-Shannon divergence could be proved.")
    lines.append(
        f"- Value: V = {verdict.value:.4f} +- {verdict.value_standard_error:.4f}, beside -log 4 = "
        f"{EQUILIBRIUM_VALUE:.4f} where nobody can tell the sides apart{'' if is_proved else _measured_on(verdict)}."
    )
    lines.append(f"- Evidence: {_evidence_words(verdict)}")
    return lines


def _measured_on(verdict: Verdict) -> str:
    """What the distance was measured on, where that is more than the scored part."""
    if verdict.folds <= 1:
        return ""
    real, fake = verdict.measured
    return (
        f" (measured on {real:,} real and {fake:,} generated samples, each scored by the one of "
        f"{verdict.folds} discriminators that had not seen it)"
    )


def _evidence_words(verdict: Verdict) -> str:
    if verdict.log_e_value <= 0:
        return "none against the two sides being alike."
    return (
        f"if the two sides were alike, a result like this would come up at most once in {_odds(verdict)} times; "
        f"once in {1 / (1 - verdict.confidence):,.0f} is needed to call them distinguished."
    )


def _odds(verdict: Verdict) -> str:
    digits = verdict.log_e_value / math.log(10)
    return f"{math.exp(verdict.log_e_value):,.0f}" if digits < 6 else f"10^{digits:.0f}"


def _sensitivity(verdict: Verdict) -> list[str]:
    sensitivity = verdict.sensitivity
    assert sensitivity is not None
    floor = (
        f"with this many samples even a discriminator that knew both densities would need a difference of about "
        f"{_nats(sensitivity.theoretical_nats)} to find it {sensitivity.power:.0%} of the time, and nearly twice that for a "
        "smooth one."
    )
    if sensitivity.method == "theoretical":
        return [
            "What would have been seen:",
            f"- Not measured for this verdict: {floor} How much larger a difference must be for these discriminators "
            "depends on its kind; '--sensitivity quick' plants known ones and looks for them.",
        ]
    lines = [
        f"What would have been seen {sensitivity.power:.0%} of the time (measured by planting defects into real data, "
        f"{sensitivity.trials} times, with {sensitivity.per_side:,} samples a side):"
    ]
    whole = min(sum(verdict.counts.real), sum(verdict.counts.fake))
    if sensitivity.per_side < 0.9 * whole:
        lines.append(
            f"- Two parts of the real data take the sides, so {sensitivity.per_side:,} is what there is; this verdict "
            f"had {whole:,} a side and would have seen smaller ones. More real samples make the measurement finer."
        )
    for name, nats in sorted(sensitivity.by_defect_nats.items(), key=lambda pair: pair[1]):
        low, high = sensitivity.intervals_nats[name]
        size = (
            f"from {_nats(nats)} on (between {_ends(low)} and {_ends(high)})"
            if math.isfinite(nats)
            else "not at any size tried"
        )
        lines.append(f"- {name}: {size}")
    lines += [
        f"- {name}: not at any size, and data without any were not told from these: either there is none to break, or "
        "these discriminators do not see it"
        for name in sensitivity.absent
    ]
    return [*lines, f"- For comparison, {floor}"]


def _limits(verdict: Verdict) -> list[str]:
    lines = ["What this cannot say:"]
    if verdict.conclusion == "distinguished":
        lines.append(
            "- How much the difference matters to you, or how large it is at most: the bound is from below only."
        )
    else:
        lines.append(
            "- That the two sides are equal. It says that these discriminators, with these samples, found no "
            "difference; a smaller one, or one of a kind that none of them looks for, may be there."
        )
    lines.append(
        "- Whether samples are copies of the training data: a perfect copy is the hardest of all to tell apart."
    )
    return lines


def _wanted(verdict: Verdict) -> float:
    from equipoise.referee.verdict import COARSE_NATS

    return COARSE_NATS if verdict.margin_nats is None else verdict.margin_nats


def _ends(nats: float) -> str:
    return f"{nats:.2g}" if math.isfinite(nats) else "any"


def _nats(value: float | None) -> str:
    return f"{value:.3g} nats"


def _wrapped(line: str, *, first: bool) -> str:
    return textwrap.fill(
        line, _WIDTH, initial_indent="" if first else "  ", subsequent_indent="  " if first else "    "
    )
