"""A verdict in words: the one place that terminal, notebook, report and figure take them from.

Every function reads the verdict's JSON dictionary, so that a stored verdict reads like one that was just made. A
sentence never says more than was shown: a lower bound above 0 proves a difference; finding none proves nothing beyond
the smallest difference that would have been found. `page` and `headline` want a whole verdict; the functions for
reports also take what is left of a damaged one.
"""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Mapping
from typing import Any

from equipoise.entries import entry_at, finite, number_at
from equipoise.plotting.number_text import number, percent
from equipoise.referee.bound import EQUILIBRIUM_VALUE
from equipoise.referee.decision_text import (
    SIZE_OPEN,
    inside_a_sentence,
    is_size_open,
    method_of,
    named_difference,
    permutation_evidence,
    permutation_lines,
    shares_line,
)
from equipoise.referee.detectable_effect import COARSE_NATS
from equipoise.referee.model_selection import AT_CHANCE_LEVEL

Content = Mapping[str, Any]

CONCLUSIONS = {
    "distinguished": "Distinguished",
    "not_distinguished": "Not distinguished",
    "equivalent": "Equivalent within the margin",
    "too_little_data": "Too little data",
}
NO_VERDICT = "There is no verdict yet"
LOG_2 = math.log(2.0)
"""The JSD of two distributions that have nothing in common."""
LONGEST_SENTENCE, MOST_STATEMENTS = 600, 12
_WIDTH = 96
_PLAIN_ACCURACY = 0.55
"""Above it, being right so often is plain evidence; below it (one class of ten missing, say) the odds say it better."""


def conclusion_of(verdict: Content) -> str:
    """The conclusion in two to four words."""
    if is_size_open(verdict):
        return SIZE_OPEN
    conclusion = str(verdict.get("conclusion") or "")
    return CONCLUSIONS.get(conclusion, conclusion[:60] or "–")


def headline(verdict: Content) -> str:
    """One sentence for a person without statistics."""
    conclusion, counts = verdict["conclusion"], verdict["counts"]
    title = conclusion_of(verdict).upper()
    if is_size_open(verdict):
        return f"{title}: {inside_a_sentence(named_difference(verdict)) or 'a permutation test found a difference'}."
    samples = f"{counts['real_test']:,} real and {counts['fake_test']:,} generated samples"
    scored = f"{samples} that it had never seen"
    if conclusion == "distinguished" and verdict["accuracy_low"] > _PLAIN_ACCURACY:
        return (
            f"{title}: a fresh classifier still tells generated from real; on {scored} it was right "
            f"{verdict['accuracy']:.1%} of the time, where guessing is right 50 %."
        )
    if conclusion == "distinguished":
        said = inside_a_sentence(_named_in_headline(verdict)) or (
            "generated and real samples differ, by little or in few samples"
        )
        return (
            f"{title}: {said}; if the sides were alike, what a fresh classifier found on {scored} would come up at "
            f"most once in {_odds(verdict)} times."
        )
    if verdict["sensitivity_method"] is None:
        return f"{title}: {samples} are too few to compare."
    if conclusion == "not_distinguished":
        statistics = number_at(verdict, "companion", "statistics")
        also = f", and none of {number(statistics, 12)} statistics differs by more than chance" if statistics else ""
        return f"{title}: no fresh classifier could tell generated from real on {scored}{also}."
    if conclusion == "equivalent":
        absent = verdict["sensitivity_absent"]
        but = f", {' and '.join(absent)} apart (injected into these data it showed nothing)" if absent else ""
        return (
            f"{title}: no fresh classifier could tell generated from real on {scored}, and every injected kind of "
            f"difference of {_nats(verdict['margin_nats'])} would have been found {verdict['sensitivity_power']:.0%} "
            f"of the time{but}."
        )
    wanted = COARSE_NATS if verdict["margin_nats"] is None else verdict["margin_nats"]
    missed = sorted(name for name, _, ends in detectable_effects(verdict) if ends[1] is None or ends[1] > wanted)
    kinds = f" ({', '.join(missed)})" if missed else ""
    return (
        f"{title}: nothing was found on {scored}, but a difference of {_nats(wanted)} could have been missed{kinds}, "
        "so that says little."
    )


def _named_in_headline(verdict: Content) -> str:
    """What the permutation test found, where the headline says it: where accuracy is no plain evidence; else empty."""
    is_plain = number_at(verdict, "accuracy_low") is not None and verdict["accuracy_low"] > _PLAIN_ACCURACY
    if is_size_open(verdict) or (verdict.get("speaks") == "both" and not is_plain):
        return named_difference(verdict)
    return ""


def detectable_effects(verdict: Content) -> list[tuple[str, float | None, tuple[float | None, float | None]]]:
    """Each kind of injected defect, the least JSD at which it would have been found, and the 90 % interval of that.

    `None` stands for a JSD beyond every severity that was tried.
    """
    injected, intervals = verdict.get("sensitivity_nats"), verdict.get("sensitivity_intervals_nats")
    found = []
    for name, nats in (injected if isinstance(injected, Mapping) else {}).items():
        ends = intervals.get(name) if isinstance(intervals, Mapping) else None
        low, high = ends if isinstance(ends, (list, tuple)) and len(ends) == 2 else (None, None)
        found.append((str(name), finite(nats), (finite(low), finite(high))))
    return found


def page(verdict: Content) -> str:
    """Headline, evidence, sensitivity, findings, limits."""
    said = _named_in_headline(verdict)
    problems = [
        f"! {finding['statement'][:1].upper()}{finding['statement'][1:]}"
        for finding in verdict["findings"]
        if finding["is_problem"] and finding["statement"] != said
    ]
    remarks = [f"- {finding['statement']}" for finding in verdict["findings"] if not finding["is_problem"]]
    sections = [[headline(verdict)]]
    if problems:
        sections.append(["Look at this first:", *problems])
    if verdict["sensitivity_method"] is not None:
        sections += [_evidence(verdict), _sensitivity(verdict)]
    if remarks:
        sections.append(["Also found:", *remarks])
    sections += [_limits(verdict), [method_of(verdict)]]
    return "\n\n".join(
        "\n".join(_wrapped(line, first=place == 0) for place, line in enumerate(section)) for section in sections
    )


def html_page(verdict: Content) -> str:
    """The same page for a notebook."""
    title, _, rest = headline(verdict).partition(": ")
    body = html.escape(page(verdict).split("\n\n", 1)[1])
    return f"<div><p><b>{html.escape(title)}</b>: {html.escape(rest)}</p><pre>{body}</pre></div>"


def verdict_sentence(verdict: Content | None, *, command: str = "equipoise judge RUN") -> str:
    """The headline without its title, as far as the verdict has one."""
    if verdict is None:
        return f"{NO_VERDICT}; run '{command}'."
    own = verdict.get("sentence")
    if isinstance(own, str) and own.strip():
        title, _, rest = own.strip().partition(": ")
        sentence = rest if rest and title.isupper() else own.strip()
        return (sentence[:1].upper() + sentence[1:])[:LONGEST_SENTENCE]
    margin = finite(verdict.get("margin_nats"))
    within = f" of {number(margin, 3)} nats" if margin is not None else " of the stated margin"
    return {
        "distinguished": "A fresh classifier still tells generated samples from real ones.",
        "not_distinguished": "No fresh classifier could tell generated samples from real ones that it had never seen.",
        "equivalent": f"No difference was found, and a difference{within} would have been found.",
        "too_little_data": "There are too few held-out samples for a verdict: a difference that matters could have "
        "been missed.",
    }.get(str(verdict.get("conclusion")), "The referee's conclusion is not one that this version of equipoise knows.")


def distance_sentence(verdict: Content | None) -> str:
    """How far apart the two sides are at least, or what the absence of a bound does not mean; empty without a
    verdict."""
    if verdict is None or verdict.get("conclusion") not in CONCLUSIONS:
        return ""
    bound = finite(verdict.get("jsd_lower_bound_nats"))
    if bound is not None and bound > 0:
        return (
            f"With {percent(verdict.get('confidence'))} confidence the two are at least {number(bound, 3)} nats apart, "
            f"{far(bound)} of the way from identical (0) to never alike (0.693)."
        )
    if is_size_open(verdict):
        return "That the two differ is established; how far they are apart is not."
    if verdict["conclusion"] == "distinguished":
        return "How far the two are apart could not be bounded from below."
    least = number_at(verdict, "sensitivity_theoretical_nats")
    missed = f" Differences below {number(least, 2)} nats would be missed by any classifier now and then."
    return f"That nothing was found is no proof that the two agree.{missed if least else ''}"


def far(bound: float) -> str:
    """A divergence as a share of log 2, which is as far as two distributions can be apart."""
    share = bound / LOG_2
    return percent(round(share, 2)) if share >= 0.01 else "less than 1 %"


def verdict_basis(verdict: Content) -> str:
    """At which step and on which rows the verdict was reached."""
    rows = {
        "final": "the final part of the data, which training and its interim evaluations have not touched",
        "selection": "the selection part of the data: an interim evaluation, the final part being still untouched",
    }.get(str(verdict.get("part")), "held-out data")
    step = finite(verdict.get("step"))
    kept, of = (number(entry_at(verdict, "thinned", key), 12) for key in ("kept", "of"))
    thinned = f" Its rows were thinned to the weights of training: {kept} of {of} stayed." if kept != "–" else ""
    return (f"At step {int(step):,}, on {rows}." if step is not None else f"On {rows}.") + thinned


def verdict_evidence(verdict: Content) -> list[tuple[str, str]]:
    """The numbers behind the verdict, name and value, as far as the verdict has them."""
    value, error = number_at(verdict, "value"), number_at(verdict, "value_standard_error")
    counts = [number_at(verdict, "counts", f"{side}_test") for side in ("real", "fake")]
    found = [
        *permutation_evidence(verdict),
        (
            "lower bound on JSD, nats",
            "not established" if is_size_open(verdict) else number(verdict.get("jsd_lower_bound_nats")),
        ),
        ("estimate of that lower limit, nats", number(verdict.get("jsd_estimate_nats"))),
        ("confidence", percent(verdict.get("confidence"))),
        ("margin asked for, nats", number(verdict.get("margin_nats"))),
        ("accuracy (guessing: 50 %)", _interval(verdict, "accuracy")),
        ("AUC (guessing: 50 %)", _interval(verdict, "auc")),
        ("value V (chance level: -1.3863)", number(value) + (f" ± {number(error, 2)}" if error is not None else "")),
        ("log of the e-value", number(verdict.get("log_e_value"))),
        ("samples scored, real and generated", " and ".join(number(count) for count in counts)),
        ("classifier selected", str(verdict.get("classifier") or "–")[:80]),
        ("theoretical minimum detectable JSD, nats", number(verdict.get("sensitivity_theoretical_nats"), 2)),
        *(
            (f"minimum detectable JSD of '{name[:60]}', nats", number(nats, 2))
            for name, nats, _ in detectable_effects(verdict)[:20]
        ),
    ]
    return [(name, value) for name, value in found if not value.startswith("–")]


def statements(verdict: Content) -> list[tuple[bool, str]]:
    """What the referee's other checks found: whether it is a problem, and the sentence; problems first."""
    findings = verdict.get("findings")
    found = [
        (bool(finding.get("is_problem")), str(finding["statement"])[:LONGEST_SENTENCE])
        for finding in (findings if isinstance(findings, (list, tuple)) else ())
        if isinstance(finding, Mapping) and isinstance(finding.get("statement"), str)
    ]
    return sorted(found, key=lambda entry: not entry[0])[:MOST_STATEMENTS]


def _evidence(verdict: Content) -> list[str]:
    shared = shares_line(verdict)
    lines = ["What was found:", *([shared] if shared else []), *permutation_lines(verdict)]
    if verdict["classifier"] == AT_CHANCE_LEVEL:
        return [
            *lines,
            "- Nothing: on the validation part no classifier did better than guessing, so guessing was scored: "
            f"V = -log 4 = {EQUILIBRIUM_VALUE:.4f}, accuracy 50 %, no bound above 0 on the distance.",
        ]
    lines.append(
        f"- Accuracy: {verdict['accuracy']:.1%} (between {verdict['accuracy_low']:.1%} and "
        f"{verdict['accuracy_high']:.1%}; guessing is 50 %). A real sample looks more real than a generated one "
        f"{verdict['auc']:.1%} of the time (AUC; between {verdict['auc_low']:.1%} and {verdict['auc_high']:.1%}). "
        f"Classifier: {verdict['classifier']}."
    )
    measured = ""
    if verdict["folds"] > 1:
        measured = (
            f" (measured by cross-fitting on {verdict['measured_real']:,} real and {verdict['measured_fake']:,} "
            f"generated samples, each scored by the one of {verdict['folds']} classifiers that had not seen it)"
        )
    if verdict["jsd_lower_bound_nats"] > 0:
        lines.append(
            f"- Distance: the Jensen-Shannon divergence is at least {_nats(verdict['jsd_lower_bound_nats'])}, with "
            f"{verdict['confidence']:.0%} confidence{measured}. On that scale 0 is equality and 0.693 is nothing in "
            "common."
        )
        measured = ""
    elif is_size_open(verdict):
        lines.append(
            "- Distance: not established, as only classifiers measure it. Their estimate of the Jensen-Shannon "
            f"divergence is {_nats(verdict['jsd_estimate_nats'])}, which may be chance."
        )
    else:
        lines.append("- Distance: no lower bound above 0 on the Jensen-Shannon divergence could be proved.")
    lines.append(
        f"- Value: V = {verdict['value']:.4f} +- {verdict['value_standard_error']:.4f}, beside -log 4 = "
        f"{EQUILIBRIUM_VALUE:.4f} where nobody can distinguish the sides{measured}."
    )
    if verdict["log_e_value"] <= 0:
        return [*lines, "- Classifiers: no evidence against the two sides being alike."]
    level = verdict.get("e_level") or 1 - verdict["confidence"]
    return [
        *lines,
        f"- Classifiers: if the two sides were alike, what they found would come up at most once in {_odds(verdict)} "
        f"times; once in {1 / level:,.0f} is needed.",
    ]


def _sensitivity(verdict: Content) -> list[str]:
    power, per_side = verdict["sensitivity_power"], verdict["sensitivity_per_side"]
    least = (
        "with this many samples even a classifier that knew both densities would need a difference of about "
        f"{_nats(verdict['sensitivity_theoretical_nats'])} to find it {power:.0%} of the time, and nearly twice that "
        "for a smooth one."
    )
    if verdict["sensitivity_method"] == "theoretical":
        return [
            "Sensitivity: what would have been found",
            f"- Not measured for this verdict: {least} How much larger a difference must be for these classifiers "
            "depends on its kind; '--sensitivity quick' injects known ones and looks for them.",
        ]
    lines = [
        f"Sensitivity: what would have been found {power:.0%} of the time (measured by injecting defects into real "
        f"data, {verdict['sensitivity_trials']} times, with {per_side:,} samples a side):"
    ]
    whole = min(
        sum(verdict["counts"][f"{side}_{part}"] for part in ("train", "validation", "test"))
        for side in ("real", "fake")
    )
    if per_side < 0.9 * whole:
        lines.append(
            f"- Two parts of the real data take the sides, so {per_side:,} is what there is; this verdict had "
            f"{whole:,} a side and would have found smaller ones. More real samples make the measurement finer."
        )
    for name, nats, ends in sorted(detectable_effects(verdict), key=lambda each: (each[1] is None, each[1])):
        low, high = ("any" if end is None else f"{end:.2g}" for end in ends)
        size = "not at any size tried" if nats is None else f"from {_nats(nats)} on (between {low} and {high})"
        lines.append(f"- {name}: {size}")
    lines += [
        f"- {name}: not at any size, and data without any were not distinguished from these: either there is none to "
        "break, or these classifiers do not see it"
        for name in verdict["sensitivity_absent"]
    ]
    return [*lines, f"- For comparison, {least}"]


def _limits(verdict: Content) -> list[str]:
    if is_size_open(verdict):
        limit = (
            "- How far apart the two sides are as a whole: the interval above is that of one statistic, and more than "
            "that may differ."
        )
    elif verdict["conclusion"] == "distinguished":
        limit = "- How much the difference matters to you, or how large it is at most: the bound is from below only."
    else:
        limit = (
            "- That the two sides are equal. It says that these classifiers, with these samples, found no difference; "
            "a smaller one, or one of a kind that none of them looks for, may be there."
        )
    copies = "- Whether samples are copies of the training data: a perfect copy is the hardest of all to distinguish."
    return ["What this cannot say:", limit, copies]


def _odds(verdict: Content) -> str:
    digits = verdict["log_e_value"] / math.log(10)
    return f"{math.exp(verdict['log_e_value']):,.0f}" if digits < 6 else f"10^{digits:.0f}"


def _interval(verdict: Content, name: str) -> str:
    low, high = number_at(verdict, f"{name}_low"), number_at(verdict, f"{name}_high")
    text = percent(number_at(verdict, name), 1)
    return text if low is None or high is None else f"{text} ({percent(low, 1)} to {percent(high, 1)})"


def _nats(value: float) -> str:
    return f"{value:.3g} nats"


def _wrapped(line: str, *, first: bool) -> str:
    return textwrap.fill(
        line, _WIDTH, initial_indent="" if first else "  ", subsequent_indent="  " if first else "    "
    )
