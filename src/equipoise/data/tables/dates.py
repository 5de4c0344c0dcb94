"""Dates and durations that are written as text.

2024-05-31, with or without a time and an offset from UTC (ISO 8601); 2024/05/31; 31.05.2024; and 31/05/2024,
05/31/2024, 31-05-2024 or 05-31-2024, where some value of the column has a day above 12 and none contradicts it, or
where `data.day_first` says which it is. Durations are written as pandas does: 3 days 02:00:00.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

TIME = r"(?:[T ](?P<hour>\d{1,2}):\d{2}(?P<second>:\d{2}(?P<fraction>\.\d{1,9})?)?)?"
ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(?P<zone>Z|[+-]\d{2}:?\d{2})?)?")
YEAR_FIRST = re.compile(rf"\d{{4}}/\d{{1,2}}/\d{{1,2}}{TIME}")
YEAR_LAST = re.compile(rf"(?P<first>\d{{1,2}})(?P<mark>[./-])(?P<second_part>\d{{1,2}})(?P=mark)\d{{4}}{TIME}")
DURATION = re.compile(r"-?\d+ days?( [+-]?\d{2}:\d{2}:\d{2}(\.\d{1,9})?)?")

Say = Callable[[str], None]


@dataclass(frozen=True)
class DateReading:
    """How text becomes dates.

    Attributes:
        day_first: whether the day stands before the month where the year stands last; `None` asks the column.
        partial: whether text that is no date may stand among dates; it is then `NaT`.
    """

    day_first: bool | None = None
    partial: bool = False


def read_dates(texts: list[str], reading: DateReading, say: Say) -> pd.DatetimeIndex | None:
    """The dates that the different texts of a column are; `None` where they are none, or their order is not known."""
    for pattern, read in ((ISO, _iso), (YEAR_FIRST, _year_first), (YEAR_LAST, _year_last)):
        matches = [pattern.fullmatch(text) for text in texts]
        if (texts and all(matches)) or (reading.partial and any(matches)):
            fitting = [text if match else "" for text, match in zip(texts, matches, strict=True)]
            found = read(fitting, [match for match in matches if match], reading, say)
            if found is not None and (reading.partial or not found.isna().any()):
                return found
            return _none(texts, reading)
    return _none(texts, reading)


def read_durations(texts: list[str], rules: object, say: Say, *, partial: bool = False) -> pd.TimedeltaIndex | None:
    """The durations that the different texts of a column are; `None` where they are none."""
    del rules, say
    matches = [DURATION.fullmatch(text) is not None for text in texts]
    if not all(matches) and not partial:
        return None
    found = pd.to_timedelta(
        [text if match else None for text, match in zip(texts, matches, strict=True)], errors="coerce"
    )
    return found if partial or not found.isna().any() else None


def _none(texts: list[str], reading: DateReading) -> pd.DatetimeIndex | None:
    return pd.DatetimeIndex([pd.NaT] * len(texts)) if reading.partial else None


def _iso(texts: list[str], matches: list[re.Match[str]], reading: DateReading, say: Say) -> pd.DatetimeIndex:
    del reading
    offsets = {_offset(match["zone"]) for match in matches}
    if offsets == {None}:
        return pd.to_datetime(texts, format="ISO8601", errors="coerce")
    found = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
    if None in offsets:
        say("Some times have an offset and some have none; these are taken as UTC")
    elif len(offsets) > 1:
        say("Times with several offsets are read as UTC")
    elif offsets != {datetime.timedelta(0)}:
        (offset,) = offsets
        return found.tz_convert(datetime.timezone(offset))
    return found


def _offset(zone: str | None) -> datetime.timedelta | None:
    if zone is None or zone == "Z":
        return None if zone is None else datetime.timedelta(0)
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    return (-1 if zone[0] == "-" else 1) * datetime.timedelta(hours=hours, minutes=minutes)


def _year_first(texts: list[str], matches: list[re.Match[str]], reading: DateReading, say: Say) -> pd.DatetimeIndex:
    del reading
    say("Dates written with slashes come back as 2024-05-31")
    return _parsed(texts, matches, "%Y/%m/%d")


def _year_last(
    texts: list[str], matches: list[re.Match[str]], reading: DateReading, say: Say
) -> pd.DatetimeIndex | None:
    marks = {match["mark"] for match in matches}
    if len(marks) > 1:
        return None
    (mark,) = marks
    day_first = True if mark == "." else reading.day_first
    if day_first is None:
        first = max(int(match["first"]) for match in matches)
        second = max(int(match["second_part"]) for match in matches)
        if (first > 12) == (second > 12):
            if first <= 12:
                say(
                    "Dates whose day and month cannot be distinguished are read as text; --set data.day_first=true "
                    "says that the day comes first, false the month"
                )
            return None
        day_first = first > 12
    order = ("%d", "%m") if day_first else ("%m", "%d")
    say(f"Dates are read as {'day' if day_first else 'month'} first, and come back as 2024-05-31")
    return _parsed(texts, matches, f"{order[0]}{mark}{order[1]}{mark}%Y")


def _parsed(texts: list[str], matches: list[re.Match[str]], form: str) -> pd.DatetimeIndex:
    """Dates of one form, with times of whatever precision the column has."""
    known = {match.string: match for match in matches}
    found = pd.Series([pd.NaT] * len(texts), dtype="datetime64[us]")
    for has_time, has_second, has_fraction in ((0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1)):
        wanted = [
            place
            for place, text in enumerate(texts)
            if text in known
            and (bool(known[text]["hour"]), bool(known[text]["second"]), bool(known[text]["fraction"]))
            == (bool(has_time), bool(has_second), bool(has_fraction))
        ]
        if wanted:
            time = " %H:%M" * has_time + ":%S" * has_second + ".%f" * has_fraction
            some = [texts[place].replace("T", " ") for place in wanted]
            found.iloc[wanted] = pd.to_datetime(some, format=form + time, errors="coerce")
    return pd.DatetimeIndex(found)
