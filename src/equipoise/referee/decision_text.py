"""Which of the two tests found a difference, and what the permutation test said, in words.

Two tests share the error of a verdict: classifiers, which also measure how far apart the sides are, and a permutation
test of plain statistics, which only says that they differ, and in what. Everything is read from a verdict's JSON; of a
damaged one what is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from equipoise.entries import entry_at, number_at
from equipoise.plotting.number_text import number, percent

Content = Mapping[str, Any]

SIZE_OPEN = "Different; size not established"
"""The conclusion where only the permutation test found a difference."""
LONGEST_STATEMENT = 400
_MOST_OTHERS = 4
_OF_SEVERAL = ("correlation", "dependence", "direction", "all means", "kernel")
"""Kinds of statistics that are about several columns together."""
METHOD_OF_ONE = (
    "The referee is a classifier two-sample test: classifiers are trained for this verdict alone, and scored once on "
    "samples that they have not seen."
)
METHOD = (
    "The referee is two tests. Classifiers are trained for this verdict alone and score samples that they have not "
    "seen. A permutation test compares plain statistics of both sides, such as means, shares and correlations."
)


def method_of(verdict: Content | None) -> str:
    """How the verdict was made, in two or three sentences."""
    return METHOD if verdict is not None and _companion(verdict) else METHOD_OF_ONE


def is_size_open(verdict: Content) -> bool:
    """Whether the sides are known to differ, and not how far."""
    return verdict.get("conclusion") == "distinguished" and verdict.get("speaks") == "companion"


def named_difference(verdict: Content) -> str:
    """What differs, in one sentence: what the permutation test names first; empty without one.

    Where that is about several columns together and regions of the data are missing, these are named: a missing class
    bends many correlations, and none of them says what is missing.
    """
    found = _statements(verdict)
    if not found:
        return ""
    first = _companion(verdict)["differences"][0]
    family = first.get("family") if isinstance(first, Mapping) else None
    return (_missing_regions(verdict) if family in _OF_SEVERAL else "") or found[0]


def inside_a_sentence(statement: str) -> str:
    """A statement without its capital and its full stop."""
    return (statement[:1].lower() + statement[1:]).removesuffix(".")


def permutation_lines(verdict: Content) -> list[str]:
    """What the permutation test found, beside what it needed; no line without one."""
    said = _companion(verdict)
    if not said:
        return []
    p_value, level = number_at(said, "p_value"), number_at(said, "level")
    if p_value is None or level is None:
        return []
    rejects = p_value <= level
    beside = f"p = {number(p_value, 3)}, and at most {number(level, 2)} is needed"
    statistics = number_at(said, "statistics")
    counted = f" It compared {number(statistics, 12)} statistics." if statistics else ""
    counted += " Its intervals hold for all of them together." if rejects and counted else ""
    counted += _thinned(said)
    lines = [f"- Permutation test: {'a difference' if rejects else 'no difference'} ({beside}).{counted}"]
    others = _statements(verdict)[1:] if rejects else []
    return [*lines, *(f"- It also found: {inside_a_sentence(other)}." for other in others[:_MOST_OTHERS])]


def shares_line(verdict: Content) -> str:
    """How the error is shared out between the two tests, and which of them found a difference."""
    level, of_classifiers = number_at(_companion(verdict), "level"), number_at(verdict, "e_level")
    if level is None or of_classifiers is None:
        return ""
    who = {
        "both": "both found a difference",
        "companion": "only the permutation test found a difference",
        "classifier": "only the classifiers found a difference",
    }.get(str(verdict.get("speaks")), "neither found a difference")
    return (
        f"- Two tests share the {percent(level + of_classifiers, 1)} chance of a false alarm: the permutation test has "
        f"{percent(level, 1)}, the classifiers {percent(of_classifiers, 1)}; {who}."
    ).replace(".0 %", " %")


def permutation_evidence(verdict: Content) -> list[tuple[str, str]]:
    """The numbers of the permutation test, name and value."""
    said = _companion(verdict)
    if not said:
        return []
    who = {"both": "both tests", "companion": "the permutation test", "classifier": "the classifiers"}
    return [
        ("found by", who.get(str(verdict.get("speaks")), "neither test")),
        ("p-value of the permutation test", number(number_at(said, "p_value"), 3)),
        ("its share of the error", number(number_at(said, "level"), 3)),
        ("statistics compared", number(number_at(said, "statistics"), 12)),
    ]


def _thinned(said: Content) -> str:
    """That a part of large sides was compared; empty where all of both was."""
    compared, given = said.get("compared"), said.get("given")
    if not all(isinstance(each, (list, tuple)) and len(each) == 2 for each in (compared, given)):
        return ""
    parts = [
        f"{number(some, 12)} of {number(every, 12)} {side}"
        for some, every, side in zip(compared, given, ("real", "generated"), strict=True)
        if some != every
    ]
    return (
        f" It compared {' and '.join(parts)} samples, drawn at random, so that they fit into memory." if parts else ""
    )


def _missing_regions(verdict: Content) -> str:
    """What the check of coverage says where regions of the real samples have hardly any generated ones."""
    findings = verdict.get("findings")
    for finding in findings if isinstance(findings, (list, tuple)) else ():
        if isinstance(finding, Mapping) and (finding.get("check"), finding.get("is_problem")) == ("coverage", True):
            statement = finding.get("statement")
            if isinstance(statement, str) and "are missing or nearly so" in statement:
                return statement[:LONGEST_STATEMENT]
    return ""


def _companion(verdict: Content) -> Content:
    said = entry_at(verdict, "companion")
    return said if isinstance(said, Mapping) else {}


def _statements(verdict: Content) -> list[str]:
    found = _companion(verdict).get("differences")
    return [
        str(each["statement"])[:LONGEST_STATEMENT]
        for each in (found if isinstance(found, (list, tuple)) else ())
        if isinstance(each, Mapping) and isinstance(each.get("statement"), str)
    ]
