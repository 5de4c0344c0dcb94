"""What a column of text holds: one rule for every file of text, applied to all of its rows.

1. Blank fields (empty, or spaces only) are missing, and so is what `data.missing` names.
2. The marks in `MARKS` are missing, too, where everything else in the column is of one kind below, or a code. Among
   text they are text: 'NA' is also Namibia.
3. What is left is, in this order: truth values (true, false); whole numbers, exactly; real numbers; dates; durations;
   times of day, all written in one form; otherwise text. Whole numbers with leading zeros are codes, hence text, and so
   are those with plus signs where none has a minus sign: telephone numbers.

Nothing is decided from a part of the rows. What could surprise is said in a note.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from equipoise.data.tables.dates import DateReading, read_dates, read_durations
from equipoise.data.tables.times import form_of, read_times, time_of

MARKS = ("NA", "N/A", "#N/A", "#NA", "NaN", "NaT", "<NA>", "null", "none", "nil", "-", "--", ".", "?")
"""Ways to write that a value is missing, in upper or lower case."""
WHOLE = re.compile(r"[+-]?\d+")
REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?")
LEADING_ZERO = re.compile(r"[+-]?0\d+")
TRUTH = {"true": True, "false": False}
MOST_DIGITS = 4000
"""Python refuses to read longer whole numbers: their time grows with the square of their length."""
LARGEST_EXACT = 2**53
NEARLY_ALL = 0.8
"""Share of numbers from which a column of text is worth a note."""
SHOWN = 3

_MARKS = frozenset(mark.lower() for mark in MARKS)


@dataclass(frozen=True)
class TextRules:
    """How the text of one file is written.

    Attributes:
        missing: further marks of a missing value, as they stand in the file.
        day_first: whether dates such as 01/02/2024 begin with the day; `None` decides where the column shows it.
        decimal_comma: whether a comma may stand before the decimals.
    """

    missing: frozenset[str] = frozenset()
    day_first: bool | None = None
    decimal_comma: bool = False


@dataclass
class Remarks:
    """What a person should know of how columns were read: per sentence the columns that it is about."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, sentence: str, about: str) -> None:
        self.found.setdefault(sentence, []).append(about)

    def sentences(self) -> tuple[str, ...]:
        """One sentence each, with all that it is about."""
        return tuple(f"{sentence}: {'; '.join(about)}." for sentence, about in self.found.items())


class Texts:
    """The different values of a column of text, and which rows have each."""

    def __init__(self, column: pd.Series, rules: TextRules) -> None:
        self.codes, texts = pd.factorize(column)
        self.texts = [str(text) for text in texts.tolist()]
        self.stripped = [text.strip() for text in self.texts]
        self.is_blank = np.array([not text or text in rules.missing for text in self.stripped], dtype=bool)
        self.is_mark = np.array([text.lower() in _MARKS for text in self.stripped], dtype=bool) & ~self.is_blank

    @property
    def counts(self) -> np.ndarray:
        """Rows that have each value."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts))

    def spread(self, values: Sequence[object] | np.ndarray, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each row's value from those of the different texts, and which rows have none."""
        place = np.full(len(self.texts) + 1, -1)
        place[np.flatnonzero(used)] = np.arange(int(used.sum()))
        of_row = place[self.codes]  # code -1 is the last entry, which has no value either
        missing = of_row < 0
        if len(values) == 0:
            return np.zeros(len(of_row), dtype=np.asarray(values).dtype), missing
        return np.asarray(values)[np.where(missing, 0, of_row)], missing


def read_text(
    column: pd.Series, *, name: str | int, rules: TextRules, remarks: Remarks, knows_times: bool = True
) -> pd.Series:
    """The column in the type of what it holds; missing values are missing in that type.

    Args:
        column: of text.
        name: of the column.
        rules: how the file is written.
        remarks: gets what a person should know.
        knows_times: whether times of day are times; they are text to a run that began with them as such.
    """
    texts = Texts(column, rules)
    used = ~texts.is_blank & ~texts.is_mark
    wanted = [text for text, is_used in zip(texts.stripped, used, strict=True) if is_used]
    shown = f"'{name}'"
    readers = (_truth, _whole, _real, _dates, read_durations, *((read_times,) if knows_times else ()))
    for read in readers if wanted else ():
        found = read(wanted, rules, lambda sentence, about=shown: remarks.add(sentence, about))
        if found is not None:
            _say_marks(texts, shown, remarks)
            return _typed(*texts.spread(found, used))
    if wanted and all(WHOLE.fullmatch(text) for text in wanted):  # codes
        _say_marks(texts, shown, remarks)
        return column.mask(_rows(texts, ~used))
    return _as_text(column, texts, shown, remarks)


def read_like(column: pd.Series, holds: str, *, name: str | int, rules: TextRules, remarks: Remarks) -> pd.Series:
    """A column of text read as `holds` says; what cannot be read so stays text among the values.

    Args:
        column: of text.
        holds: `amount`, `moment`, `span`, `time` or `truth`.
        name: of the column.
        rules: how the file is written.
        remarks: gets what a person should know.
    """
    texts = Texts(column, rules)
    used = ~texts.is_blank & ~texts.is_mark
    wanted = [text for text, is_used in zip(texts.stripped, used, strict=True) if is_used]

    def say(sentence: str) -> None:
        remarks.add(sentence, f"'{name}'")

    if holds == "amount":
        values: list[object] = [number_of(text, decimal_comma=rules.decimal_comma) for text in wanted]
    elif holds == "moment":
        values = _objects(read_dates(wanted, DateReading(rules.day_first, partial=True), say))
    elif holds == "span":
        values = _objects(read_durations(wanted, rules, say, partial=True))
    elif holds == "time":
        form = form_of(wanted) or ""
        values = [time_of(text, form) for text in wanted]
    else:
        values = [truth_of(text) for text in wanted]
    kept = np.empty(len(wanted), dtype=object)
    kept[:] = [text if value is None else value for value, text in zip(values, wanted, strict=True)]
    found, missing = texts.spread(kept, used)
    result = np.empty(len(column), dtype=object)
    result[~missing] = found[~missing]
    _say_marks(texts, f"'{name}'", remarks)
    return pd.Series(result, dtype=object, index=column.index)


def number_of(text: str, *, decimal_comma: bool = False) -> int | float | None:
    """The number that a text is, exactly where it is whole; `None` where it is none."""
    if WHOLE.fullmatch(text) and len(text) < MOST_DIGITS:
        return int(text)
    if decimal_comma and "," in text and COMMA.fullmatch(text):
        return float(text.replace(".", "").replace(",", "."))
    if REAL.fullmatch(text):
        return float(text)
    return None


def truth_of(text: str) -> bool | None:
    """The truth value that a text is, written out or as 0 and 1; `None` where it is none."""
    word = TRUTH.get(text.lower())
    number = number_of(text) if word is None else None
    return bool(number) if word is None and number in (0, 1) else word


def _rows(texts: Texts, flags: np.ndarray) -> np.ndarray:
    """Which rows have one of the flagged values."""
    return np.append(flags, True)[texts.codes]


Say = Callable[[str], None]


def _truth(texts: list[str], rules: TextRules, say: Say) -> np.ndarray | None:
    del rules, say
    if texts[0].lower() not in TRUTH:
        return None
    found = [TRUTH.get(text.lower()) for text in texts]
    return None if None in found else np.array(found, dtype=bool)


def _whole(texts: list[str], rules: TextRules, say: Say) -> np.ndarray | None:
    del rules
    if not all(WHOLE.fullmatch(text) for text in texts) or _are_codes(texts, say):
        return None
    if max(map(len, texts)) >= MOST_DIGITS:
        return None
    numbers = [int(text) for text in texts]
    low, high = min(numbers), max(numbers)
    if low >= -(2**63) and high < 2**63:
        return np.array(numbers, dtype=np.int64)
    if low >= 0 and high < 2**64:
        return np.array(numbers, dtype=np.uint64)
    found = np.empty(len(numbers), dtype=object)  # refused later, where the row is known
    found[:] = numbers
    return found


def _are_codes(texts: list[str], say: Say) -> bool:
    """Whether whole numbers are names: they would not come back as they are written."""
    if any(LEADING_ZERO.fullmatch(text) for text in texts):
        return True
    if not any(text.startswith("+") for text in texts):
        return False
    if any(text.startswith("-") for text in texts):
        say("Written with plus signs and read as numbers, which come back without them")
        return False
    say("Whole numbers with plus signs are read as text, which keeps them")
    return True


def _real(texts: list[str], rules: TextRules, say: Say) -> np.ndarray | None:
    wholes = [text for text in texts if WHOLE.fullmatch(text)]
    if any(LEADING_ZERO.fullmatch(text) for text in wholes):
        return None
    if rules.decimal_comma and any("," in text for text in texts) and all(COMMA.fullmatch(text) for text in texts):
        say("Read with a comma before the decimals, and written with a point")
        return np.array([float(text.replace(".", "").replace(",", ".")) for text in texts])
    if len(wholes) == len(texts) or not all(REAL.fullmatch(text) for text in texts):
        return None
    if any(abs(int(text)) > LARGEST_EXACT and float(text) != int(text) for text in wholes if len(text) < MOST_DIGITS):
        say("Whole numbers above 2^53 stand beside decimals, and are rounded to 16 digits")
    return np.array([float(text) for text in texts])


def _dates(texts: list[str], rules: TextRules, say: Say) -> pd.DatetimeIndex | None:
    return read_dates(texts, DateReading(rules.day_first), say)


def _objects(found: pd.Index | None) -> list[object]:
    return [] if found is None else [None if value is pd.NaT else value for value in found.astype(object)]


def _typed(values: np.ndarray | pd.Index, missing: np.ndarray) -> pd.Series:
    """Values with gaps, in the type that has room for them."""
    found = pd.Series(values)
    if not missing.any():
        return found
    nullable = {"b": "boolean", "i": "Int64", "u": "UInt64"}.get(getattr(found.dtype, "kind", ""))
    return (found if nullable is None else found.astype(nullable)).mask(missing)


def _say_marks(texts: Texts, shown: str, remarks: Remarks) -> None:
    for place in np.flatnonzero(texts.is_mark):
        about = f"'{texts.stripped[place]}' in {shown} ({_rows_of(int(texts.counts[place]))})"
        remarks.add("Read as missing", about)


def _as_text(column: pd.Series, texts: Texts, shown: str, remarks: Remarks) -> pd.Series:
    counts = texts.counts
    for place in np.flatnonzero(texts.is_mark):
        about = f"'{texts.stripped[place]}' in {shown} ({_rows_of(int(counts[place]))})"
        remarks.add("Kept as text among text; data.missing makes them missing", about)
    used = ~texts.is_blank & ~texts.is_mark
    is_number = np.array([number_of(text) is not None for text in texts.stripped], dtype=bool) & used
    has_codes = any(LEADING_ZERO.fullmatch(text) for text in texts.stripped)
    if not has_codes and counts[used].sum() > counts[is_number].sum() >= NEARLY_ALL * counts[used].sum():
        others = [place for place in np.argsort(-counts, kind="stable") if used[place] and not is_number[place]]
        listed = ", ".join(f"'{texts.stripped[place]}'" for place in others[:SHOWN])
        rows = _rows_of(int(sum(counts[place] for place in others)))
        remarks.add(
            "Nearly all numbers, and read as categories because of a few other values; where these mean that nothing "
            "is there, name them with data.missing",
            f"{shown} ({listed}{', ...' if len(others) > SHOWN else ''} in {rows})",
        )
    return column.mask(_rows(texts, texts.is_blank))


def _rows_of(count: int) -> str:
    return f"{count:,} row{'s' if count != 1 else ''}"
