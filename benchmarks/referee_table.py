"""The tables of the verdict page, from the stored rows of the referee's marks.

    python benchmarks/referee_table.py

It reads `rows/referee_marks.jsonl` and prints markdown for `docs/guides/verdict.md`. Rows of the latest version of the
referee are taken. `tests/theory/test_referee_benchmark.py` holds the page against what is printed here, so that no
figure of it is another than that of its row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from referee_classical import NAMES

ROWS = Path(__file__).parent / "rows" / "referee_marks.jsonl"
DIFFERENCES = {
    "shift": "shift of 0.15 deviations in one of 5 dimensions",
    "correlation": "correlation of 0.15 in 5 dimensions",
    "width": "modes of the 25-grid wider by 20 %",
    "mode": "one of 25 modes missing",
}
TESTS = {"dcorr": "Dcorr", "hsic": "Hsic", "one_split": "one split", "hotelling": "Hotelling"}
SIZES = (2000, 500)
RATES = {
    "adult_dependence": "Adult, 2,000 a side: a dependence broken in a tenth of the rows",
    "lattice_tens": "multiples of 10 beside any whole number, 2,000 a side",
    "lattice_cents": "cents beside nine decimals",
    "lattice_midnights": "midnights beside any second",
    "lattice_office_hours": "office hours beside any second",
    "codes": "codes that the other side has not",
    "codes_each_3000": "the same, 3,000 codes a side",
    "digits_class.2000": "digits, 2,000 a side: a class missing",
    "digits_noise.2000": "digits, 2,000 a side: noise of 5 %",
    "digits_blur.2000": "digits, 2,000 a side: blur by a pixel",
    "digits_class.500": "digits, 500 a side: a class missing",
    "digits_noise.500": "digits, 500 a side: noise of 5 %",
    "digits_blur.500": "digits, 500 a side: blur by a pixel",
    "false_alarm.grid25": "false alarms: 25-grid",
    "false_alarm.normal64": "false alarms: normal in 64 dimensions",
    "false_alarm.adult": "false alarms: Adult",
    "false_alarm.digits": "false alarms: digits",
    "false_alarm.few_levels": "false alarms: ties and few levels",
    "false_alarm.adult_three_columns": "false alarms: three columns of Adult, 500 against 10,000",
    "any_of_50": "any alarm in 50 evaluations of perfect generators",
    "bound above the truth": "bound above the truth",
}
COSTS = {
    "cost.points": "points in 2-D, 10,000 a side, alike",
    "cost.points_apart": "the same, apart: the distance is measured",
    "cost.table": "Adult, 10,000 a side, alike",
    "cost.table_apart": "the same, apart",
    "cost.images": "digits, 2,000 a side, alike",
    "cost.images_apart": "the same, apart",
}
Line = Mapping[str, Any]


def main() -> None:
    """Print the tables."""
    print(tables([json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines() if line.strip()]))


def tables(lines: Sequence[Line]) -> str:
    """All tables in markdown, an empty line between two of them; claims without a trial are left out."""
    rows = newest(lines)
    found = [list(of(rows)) for of in (differences, rates, costs)]
    return "\n\n".join("\n".join(each) for each in found if len(each) > 2)


def newest(lines: Sequence[Line]) -> dict[str, Line]:
    """By claim, the row of the latest version of the referee; of several configurations the one with most trials."""
    latest = max(line["referee_version"] for line in lines)
    found: dict[str, Line] = {}
    for line in sorted(lines, key=lambda line: line["repeats"]):
        if line["repeats"] and line["referee_version"] == latest:
            found[line["claim"]] = line
    return found


def differences(rows: Mapping[str, Line]) -> Iterator[str]:
    """Shares found, beside classical tests on the same samples."""
    beside = "found by classical tests; 95 % limit of the largest loss"
    yield f"| difference of points | samples a side | found (95 % interval) | mark | {beside} |"
    yield "|---|---|---|---|---|"
    for name, words in DIFFERENCES.items():
        for size in SIZES:
            row = rows.get(f"{name}.{size}")
            if row is not None:
                theirs = {test: rows[key] for test in NAMES if (key := f"{name}.{size}, loss to {test}") in rows}
                yield f"| {words} | {size:,} | {_share(row)} | {_mark(row)} | {_beside(theirs)} |"


def rates(rows: Mapping[str, Line]) -> Iterator[str]:
    """Shares of trials: found, false alarms, bounds above the truth."""
    yield "| what | share of trials (95 % interval) | mark |"
    yield "|---|---|---|"
    for claim, words in RATES.items():
        if claim in rows:
            yield f"| {words} | {_share(rows[claim])} | {_mark(rows[claim])} |"


def costs(rows: Mapping[str, Line]) -> Iterator[str]:
    """CPU-seconds beside those of version 0.2.0."""
    yield "| `judge` with all its checks | CPU-seconds | version 0.2.0 | ratio (extremes) |"
    yield "|---|---|---|---|"
    for claim, words in COSTS.items():
        if claim in rows:
            row = rows[claim]
            ends = f"{row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
            yield f"| {words} | {row['cpu_seconds']:.2f} | {row['cpu_seconds_of_other']:.2f} | {ends} |"


def _share(row: Line) -> str:
    hits = round(row["value"] * row["repeats"])
    return f"{hits:,} of {row['repeats']:,} ({100 * row['low']:.1f} to {100 * row['high']:.1f} %)"


def _mark(row: Line) -> str:
    if row["mark"] is None:
        return ""
    sign, limit = row["mark"].split()
    state = {True: "met", False: "**not met**", None: f"open: {row['repeats']:,} of {row['planned']:,} trials"}
    return f"{'at least' if sign == '>=' else 'at most'} {100 * float(limit):.3g} %, {state[row['is_met']]}"


def _beside(theirs: Mapping[str, Line]) -> str:
    if not theirs:
        return ""
    said = ", ".join(f"{TESTS[test]} {100 * row['found_by_the_test']:.0f} %" for test, row in theirs.items())
    worst = max(theirs.values(), key=lambda row: row["high"])
    states = [row["is_met"] for row in theirs.values()]
    state = "open" if None in states else ("met" if all(states) else "**not met**")
    limit = f"{100 * worst['high']:.1f}".replace("-", "−")
    trials = f"{worst['repeats']:,} trials"
    return f"{said}; loss at most {limit} points ({trials}, mark {100 * float(worst['mark'].split()[1]):.0f}: {state})"


if __name__ == "__main__":
    main()
