"""The referee's verdict as a report shows it: one sentence, what it rests on, and what would have been seen.

The sentence is the referee's own where the verdict has one, so that a page and a terminal say the same. A sentence
never says more than was shown: a positive lower bound proves a difference; finding none proves nothing beyond the
smallest difference that would have been found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from equipoise.entries import entry_at, finite, number_at
from equipoise.plotting.number_text import number, percent

LOG_2 = math.log(2.0)
NO_VERDICT = "There is no verdict yet"
METHOD = (
    "The referee is a classifier two-sample test: classifiers are trained for this verdict alone, and scored once on "
    "samples that they have not seen."
)
LONGEST_SENTENCE, MOST_STATEMENTS = 600, 12
CONCLUSIONS = {
    "distinguished": "Distinguished",
    "not_distinguished": "Not distinguished",
    "equivalent": "Equivalent within the margin",
    "too_little_data": "Too little data",
}


def conclusion_of(verdict: Mapping[str, Any]) -> str:
    """The conclusion in two or three words."""
    conclusion = str(verdict.get("conclusion") or "")
    return CONCLUSIONS.get(conclusion, conclusion[:60] or "–")


def verdict_sentence(verdict: Mapping[str, Any] | None, *, command: str = "equipoise judge RUN") -> str:
    """The verdict in one sentence that needs no statistics to read."""
    if verdict is None:
        return f"{NO_VERDICT}; run '{command}'."
    own = verdict.get("sentence")
    if isinstance(own, str) and own.strip():
        title, _, rest = own.strip().partition(": ")
        sentence = rest if rest and title.isupper() else own.strip()
        return (sentence[:1].upper() + sentence[1:])[:LONGEST_SENTENCE]
    conclusion = verdict.get("conclusion")
    margin = finite(verdict.get("margin_nats"))
    if conclusion == "distinguished":
        return "A fresh discriminator still tells generated samples from real ones."
    if conclusion == "not_distinguished":
        return "No fresh discriminator could tell generated samples from real ones that it had never seen."
    if conclusion == "equivalent":
        within = f" of {number(margin, 3)} nats" if margin is not None else " of the stated margin"
        return f"No difference was found, and a difference{within} would have been found."
    if conclusion == "too_little_data":
        return "There are too few held-out samples for a verdict: a difference that matters could have gone unseen."
    return "The referee's conclusion is not one that this version of equipoise knows."


def distance_sentence(verdict: Mapping[str, Any] | None) -> str:
    """How far apart the two sides are at least, or what the absence of a bound does not mean; empty without a look."""
    if verdict is None or verdict.get("conclusion") not in CONCLUSIONS:
        return ""
    bound = finite(verdict.get("jsd_lower_bound_nats"))
    if bound is not None and bound > 0:
        return (
            f"With {percent(verdict.get('confidence'))} confidence the two are at least {number(bound, 3)} nats apart, "
            f"{far(bound)} of the way from identical (0) to never alike (0.693)."
        )
    if verdict["conclusion"] == "distinguished":
        return "How far the two are apart could not be bounded from below."
    floor = number_at(verdict, "sensitivity_theoretical_nats")
    unseen = f" Differences below {number(floor, 2)} nats would be missed by any discriminator now and then."
    return f"That nothing was found is no proof that the two agree.{unseen if floor else ''}"


def far(bound: float) -> str:
    """A divergence as a share of log 2, which is as far as two distributions can be apart."""
    share = bound / LOG_2
    return percent(round(share, 2)) if share >= 0.01 else "less than 1 %"


def verdict_basis(verdict: Mapping[str, Any]) -> str:
    """At which step and on which rows the verdict was reached."""
    rows = {
        "final": "the final part of the data, which training and its looks have not touched",
        "selection": "the selection part of the data: a look during training, the final part being still untouched",
    }.get(str(verdict.get("part")), "held-out data")
    step = finite(verdict.get("step"))
    kept, of = (number(entry_at(verdict, "thinned", key), 12) for key in ("kept", "of"))
    thinned = f" Its rows were thinned to the weights of training: {kept} of {of} stayed." if kept != "–" else ""
    return (f"At step {int(step):,}, on {rows}." if step is not None else f"On {rows}.") + thinned


def verdict_evidence(verdict: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The numbers behind the verdict, name and value, as far as the verdict has them."""
    value, error = number_at(verdict, "value"), number_at(verdict, "value_standard_error")
    log_e = number_at(verdict, "log_e_value")
    counts = [number_at(verdict, "counts", f"{side}_test") for side in ("real", "fake")]
    found = [
        ("lower bound on JSD, nats", number(verdict.get("jsd_lower_bound_nats"))),
        ("estimate of that lower limit, nats", number(verdict.get("jsd_estimate_nats"))),
        ("confidence", percent(verdict.get("confidence"))),
        ("margin asked for, nats", number(verdict.get("margin_nats"))),
        ("told apart correctly (guessing: 50 %)", _interval(verdict, "accuracy")),
        ("AUC (guessing: 50 %)", _interval(verdict, "auc")),
        ("value V (blind: -1.3863)", number(value) + (f" ± {number(error, 2)}" if error is not None else "")),
        ("log of the e-value", number(log_e)),
        ("samples scored, real and generated", " and ".join(number(count) for count in counts)),
        ("discriminator chosen", str(verdict.get("classifier") or "–")[:80]),
        (
            "least JSD that a discriminator knowing both densities would see, nats",
            number(verdict.get("sensitivity_theoretical_nats"), 2),
        ),
    ]
    injected = verdict.get("sensitivity_nats")
    if isinstance(injected, Mapping):
        found += [
            (f"smallest JSD seen for '{str(name)[:60]}', nats", number(nats, 2))
            for name, nats in list(injected.items())[:20]
        ]
    return [(name, value) for name, value in found if not value.startswith("–")]


def statements(verdict: Mapping[str, Any]) -> list[tuple[bool, str]]:
    """What the referee's other checks found: whether it is a problem, and the sentence; problems first."""
    findings = verdict.get("findings")
    found = [
        (bool(finding.get("is_problem")), str(finding["statement"])[:LONGEST_SENTENCE])
        for finding in (findings if isinstance(findings, (list, tuple)) else ())
        if isinstance(finding, Mapping) and isinstance(finding.get("statement"), str)
    ]
    return sorted(found, key=lambda entry: not entry[0])[:MOST_STATEMENTS]


def _interval(verdict: Mapping[str, Any], name: str) -> str:
    low, high = number_at(verdict, f"{name}_low"), number_at(verdict, f"{name}_high")
    text = percent(number_at(verdict, name), 1)
    return text if low is None or high is None else f"{text} ({percent(low, 1)} to {percent(high, 1)})"
