"""Times of day that are written as text (09:27, 9:27, 09:27:05, 09:27:05.250, 9:27 PM), and how they are written again.

A form is how the times of one column are written, spelled with its own letters: HH:MM, H:MM, HH:MM:SS, HH:MM:SS.fff or
H:MM PM. H drops the zero before an hour below 10; f is a digit of the fraction; PM stands for AM, too, and keeps the
blank, the points and the case that the column has. Minutes have two digits, so that most scores and ratios (3:2, 16:9)
are none.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from pandas.api import types

WRITTEN = re.compile(
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9])(?:\.(?P<fraction>[0-9]{1,9}))?)?"
    r"(?P<mark>[ \u00a0\u202f]?[AaPp](?:[Mm]|\.[Mm]\.))?"
)
FORM = re.compile(r"(?P<hour>HH?):MM(?P<second>:SS)?(?:\.(?P<fraction>f+))?(?P<mark>.*)")
AS_PM = str.maketrans("Aa", "Pp")
AS_AM = str.maketrans("Pp", "Aa")
MOST_DIGITS = 6
"""Of a fraction: a time of Python's has microseconds."""
FEWEST_TIMES = 2
"""Different values from which a column is taken for times: one alone has no order that would be lost."""
SECOND = 1_000_000
DAY = 86_400 * SECOND


class WrittenTime(datetime.time):
    """A time of day that is written as its column is: `str` gives '9:27 PM', where Python's own gives '21:27:00'.

    Attributes:
        form: how it is written.
    """

    form: str = ""

    @classmethod
    def of(cls, microseconds: int, form: str) -> Self:
        """The time so many microseconds after midnight.

        Args:
            microseconds: 0 to 86,399,999,999.
            form: how it is written; digits that the form does not have are cut off.
        """
        seconds, fraction = divmod(microseconds, SECOND)
        found = cls(seconds // 3600, seconds // 60 % 60, seconds % 60, fraction)
        found.form = form
        return found

    def __str__(self) -> str:
        match = FORM.fullmatch(self.form)
        if match is None:
            return self.isoformat()
        hour = (self.hour + 11) % 12 + 1 if match["mark"] else self.hour
        text = f"{hour:02d}" if match["hour"] == "HH" else str(hour)
        text += f":{self.minute:02d}" + (f":{self.second:02d}" if match["second"] else "")
        text += f".{self.microsecond:06d}"[: 1 + len(match["fraction"])] if match["fraction"] else ""
        return text + (match["mark"] if self.hour >= 12 else match["mark"].translate(AS_AM))

    def __reduce_ex__(self, protocol: Any) -> tuple[Callable[[int, str], WrittenTime], tuple[int, str]]:
        del protocol  # Python's own would lose the form
        return WrittenTime.of, (microseconds_of(self), self.form)


def microseconds_of(time: datetime.time) -> int:
    """Microseconds since midnight."""
    return ((time.hour * 60 + time.minute) * 60 + time.second) * SECOND + time.microsecond


def time_in(microseconds: int, form: str) -> datetime.time:
    """The time so many microseconds after midnight, in a form; Python's own where the form is ''."""
    found = WrittenTime.of(microseconds, form)
    return found if form else datetime.time(found.hour, found.minute, found.second, found.microsecond)


def time_of(text: str, form: str = "") -> datetime.time | None:
    """The time of day that a text is, in whatever form it is written; `None` where it is none.

    Args:
        text: such as 9:27, 09:27:05.250 or 9:27 PM; of a fraction, digits after the sixth are cut off.
        form: that the time is written in from now on; '' for Python's own.
    """
    match = WRITTEN.fullmatch(text)
    hour = -1 if match is None else _hour(match)
    if match is None or hour < 0:
        return None
    fraction = (match["fraction"] or "")[:MOST_DIGITS].ljust(MOST_DIGITS, "0")
    seconds = (hour * 60 + int(match["minute"])) * 60 + int(match["second"] or 0)
    return time_in(seconds * SECOND + int(fraction), form)


def form_of(texts: Sequence[str]) -> str | None:
    """The one form that all texts have; `None` where forms differ, or one is no time of day or has too many digits."""
    matches = []
    for text in texts:
        match = WRITTEN.fullmatch(text)
        if match is None or _hour(match) < 0 or len(match["fraction"] or "") > MOST_DIGITS:
            return None
        matches.append(match)
    rests = {_rest(match) for match in matches}
    has_zero = any(len(match["hour"]) == 2 and match["hour"][0] == "0" for match in matches)
    has_one_digit = any(len(match["hour"]) == 1 for match in matches)
    if len(rests) != 1 or (has_zero and has_one_digit):
        return None
    # Hours from 10 on look alike in both forms. On a clock of 12 hours, 1 may still come between 10 and 11.
    is_padded = has_zero or not (has_one_digit or matches[0]["mark"])
    return ("HH" if is_padded else "H") + rests.pop()


def read_times(texts: list[str], rules: object, say: Callable[[str], None]) -> np.ndarray | None:
    """The times that the different texts of a column are; `None` where some are none, or written in another form."""
    del rules
    form = form_of(texts)
    if form is None or len(texts) < FEWEST_TIMES:
        return None
    if ":SS" not in form and form in ("H:MM", "HH:MM") and not any(text.startswith("0") for text in texts):
        say("Read as times of day; where they are scores or lengths, --columns FILE with 'category' says so")
    return as_objects([time_of(text, form) for text in texts])


def is_times(column: pd.Series) -> bool:
    """Whether all values of a column are times of day, of Python's or Arrow's and not text; and there are some."""
    if str(column.dtype).startswith(("time32[", "time64[")):
        return True
    if not types.is_object_dtype(column.dtype):
        return False
    return types.infer_dtype(column, skipna=True) == "time"


def as_times(column: pd.Series, form: str) -> pd.Series:
    """The times of a column of times, of text, or of durations below a day; `None` for anything else.

    Args:
        column: of any type.
        form: that they are written in from now on; '' for Python's own.
    """

    def time(value: object) -> datetime.time | None:
        if isinstance(value, datetime.time):
            return time_in(microseconds_of(value), form)
        if isinstance(value, str):
            return time_of(value.strip(), form)
        if isinstance(value, (datetime.timedelta, np.timedelta64)) and not pd.isna(value):
            passed = pd.Timedelta(value) // pd.Timedelta(microseconds=1)
            return time_in(passed, form) if 0 <= passed < DAY else None
        return None

    return pd.Series(as_objects([time(value) for value in column.astype(object)]), dtype=object, index=column.index)


def as_spans(column: pd.Series) -> pd.Series:
    """The times of a column of times as what has passed since midnight, timedelta64[us]; NaT where one is missing."""
    passed = [np.nan if pd.isna(time) else microseconds_of(time) for time in column]
    return pd.to_timedelta(pd.Series(passed, dtype="float64", index=column.index), unit="us").astype("timedelta64[us]")


def as_objects(values: Sequence[object]) -> np.ndarray:
    """The values as an array of objects. Shape `(n,)`."""
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def _hour(match: re.Match[str]) -> int:
    """0 to 23, or -1 where there is no such hour."""
    hour = int(match["hour"])
    if not match["mark"]:
        return hour if hour < 24 else -1
    return hour % 12 + 12 * ("p" in match["mark"].lower()) if 1 <= hour <= 12 else -1


def _rest(match: re.Match[str]) -> str:
    """The form after the hour."""
    fraction = "." + "f" * len(match["fraction"]) if match["fraction"] else ""
    return f":MM{':SS' if match['second'] else ''}{fraction}{(match['mark'] or '').translate(AS_PM)}"
