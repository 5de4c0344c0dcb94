"""The head of a table report in a few lines for a terminal: what the answers are, and the figures that they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from equipoise.entries import entry_at, number_at
from equipoise.plotting.number_text import percent
from equipoise.reports.table_report_plots import SYNTHETIC

UNUSED = "unused real rows"
BROKEN = (AttributeError, ArithmeticError, KeyError, IndexError, TypeError, ValueError)


def head_lines(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Lines of a word and a sentence; none where nothing was measured, or the record is broken.

    Args:
        report: what `TableReport.to_json` gives, or why nothing was measured under `why_not`.
    """
    if not report:
        return []
    if why_not := report.get("why_not"):
        return [("table", f"not measured: {why_not}")]
    try:
        head = report["answers"][0]
        return [
            ("table", f"{head['question']} {head['word']}. {head['sentence']}"),
            ("", f"looks real  {_alike(report)}"),
            ("", f"useful      {_useful(report)}"),
            ("", f"private     {_private(report)}"),
        ]
    except BROKEN:
        return []


def _alike(report: Mapping[str, Any]) -> str:
    trees = f"boosted trees AUC {_beside(report, 'aucs', last='value')}, where 0.5 is chance"
    if number_at(report, "aucs", SYNTHETIC, "value") is None:
        trees = "boosted trees not trained: too few rows"
    return f"{trees}; columns {_beside(report, 'shapes_score')}; pairs {_beside(report, 'pairs_score')}"


def _useful(report: Mapping[str, Any]) -> str:
    found = report.get("usefulness") or {}
    baseline = found.get("baseline")
    if number_at(found, "scores", SYNTHETIC, "value") is None:
        return f"not measured: {found.get('why_not') or 'no column suits as a target'}"
    score, real = (_fixed(number_at(found, "scores", name, "value")) for name in (SYNTHETIC, str(baseline)))
    metric = {"R2": "R²"}.get(str(found.get("metric")), str(found.get("metric")))
    target = entry_at(found, "target", "name")
    return f"predicting '{target}' scores {metric} {score} after training on it, {real} after training on real rows"


def _private(report: Mapping[str, Any]) -> str:
    found = report.get("privacy") or {}
    if found.get("why_not"):
        return f"not measured: {found['why_not']}"
    copies = percent(number_at(found, "copies", SYNTHETIC, "value"), 2)
    return (
        f"{copies} copies of training rows; nearer to them than to unused rows "
        f"{_fixed(number_at(found, 'nearer', SYNTHETIC, 'value'))}, attack AUC "
        f"{_fixed(number_at(found, 'membership', SYNTHETIC, 'value'))}, where 0.5 is chance"
    )


def _beside(report: Mapping[str, Any], key: str, *, last: str | None = None) -> str:
    """'0.841 (unused real rows 0.489)'."""
    end = () if last is None else (last,)
    own, unused = (_fixed(number_at(report, key, name, *end)) for name in (SYNTHETIC, UNUSED))
    return f"{own} (unused real rows {unused})"


def _fixed(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
