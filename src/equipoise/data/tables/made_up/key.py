"""Keys: unique text or numbers in one pattern. Those that are made up follow it, and are unique and never a real one.

Two patterns are known. A whole number, perhaps with the same text before and after it (`U17`): new ones come from parts
of the range that no real one is in, then from above it. Characters place by place (`CASE-2021-000123`, a UUID): each
place has the characters that were seen there; new keys begin in ways that no real key does. Where the pattern has no
room left, keys become longer than every real one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.tables import checks
from equipoise.data.tables.made_up.base import MadeUpColumn, stored_type
from equipoise.data.tables.made_up.free_space import Intervals, free_intervals, room, walked
from equipoise.data.tables.reading import NEARLY_ALL, number_of

IN_PATTERN = 0.95
"""Share of the values that have to follow a pattern."""
NAMES = re.compile(r"(^|[\W_])(id|ids|key|uuid|guid|index|no|nr|number|code|row)$", re.IGNORECASE)
CAMEL = re.compile(r"[a-z](Id|ID|Key|No|Nr)$")
NUMBERED = re.compile(r"(\D*)(0|[1-9]\d{0,17})(\D*)")
FREE_PER_ROW = 4
SPREAD = 64
"""Beginnings of keys for each row, so that most have no real key."""
LARGEST_WHOLE = 2**63 - 1
MOST_PLACES = 64


@dataclass(frozen=True)
class Key(MadeUpColumn):
    """See `MadeUpColumn`.

    Attributes:
        before, after: text around a number.
        low, high: smallest and largest real number.
        alphabets: characters of each place; none of a number.
        lead: how many of the first places decide whether a key is free.
        free: stretches of the range, or of the ways to begin, that no real key is in.
        is_ascending: whether real keys rise from row to row; then made-up ones do.
        longest: characters of the longest real key.
    """

    before: str = ""
    after: str = ""
    low: int = 0
    high: int = 0
    alphabets: tuple[str, ...] = ()
    lead: int = 0
    free: Intervals = ()
    is_ascending: bool = False
    longest: int = 0
    kind: ClassVar[str] = "key"

    @classmethod
    def fitted(cls, column: pd.Series, *, name: str | int, place: int) -> Self | None:
        present = column.dropna()
        common = {
            "name": name,
            "dtype": stored_type(column),
            "place": place,
            "missing": float(column.isna().mean()),
        }
        if types.is_integer_dtype(column.dtype):
            values = [int(value) for value in present]
            if not values or max(values) - min(values) >= LARGEST_WHOLE or max(values) > LARGEST_WHOLE // 2:
                return None
            return cls(**common, **_numbers(values))
        texts = [str(value) for value in present]
        pattern = _numbered(texts) or _places(texts)
        return None if pattern is None else cls(**common, **pattern)

    @property
    def pattern(self) -> str:
        if not self.alphabets:
            return f"{self.before}N{self.after}"
        return "".join(_sign(alphabet) for alphabet in self.alphabets)

    def made(self, rows: np.ndarray) -> list[Any]:
        if not self.alphabets:
            return self._numbered(rows)
        total, ends = room(self.free), self._ends
        found: list[Any] = [None] * len(rows)
        inside = [place for place, row in enumerate(rows) if int(row) < total * ends]
        begun = walked(rows[inside] % total, self.free, in_order=self.is_ascending) if inside else []
        for place, begin in zip(inside, begun, strict=True):
            turn = int(rows[place]) // total
            hashed = int.from_bytes(blake2b(str(begin).encode(), digest_size=40).digest(), "big")
            end = (hashed + turn) % ends
            found[place] = _spelled(int(begin), self.alphabets[: self.lead]) + _spelled(
                end, self.alphabets[self.lead :]
            )
        for place in set(range(len(rows))) - set(inside):
            found[place] = self._longer(int(rows[place]) - total * ends)
        return found

    @property
    def _ends(self) -> int:
        """Ways to end a key, whatever its beginning."""
        return _product(self.alphabets[self.lead :])

    def _numbered(self, rows: np.ndarray) -> list[Any]:
        total = room(self.free)
        inside = rows < total
        numbers = np.empty(len(rows), dtype=object)
        if inside.any():
            numbers[inside] = [
                self.low + int(step) for step in walked(rows[inside], self.free, in_order=self.is_ascending)
            ]
        numbers[~inside] = [self.high + 1 + int(row) - total for row in rows[~inside]]
        if self.dtype != "object" and not self.before and not self.after and _is_number_type(self.dtype):
            return numbers.tolist()
        return [f"{self.before}{number}{self.after}" for number in numbers]

    def _longer(self, number: int) -> str:
        """A key that is longer than every real one: the last place that varies is repeated."""
        place = max(place for place, alphabet in enumerate(self.alphabets) if len(alphabet) > 1)
        alphabet = self.alphabets[place]
        width = max(1, self.longest - len(self.alphabets) + 1)
        while number >= len(alphabet) ** width:
            number -= len(alphabet) ** width
            width += 1
        head = "".join(one[0] for one in self.alphabets[: place + 1])
        return head + _spelled(number, (alphabet,) * width) + "".join(one[0] for one in self.alphabets[place + 1 :])


def is_key(column: pd.Series, *, name: str | int) -> bool:
    """Whether a column is a key or text that differs in nearly every row.

    Text: more than 95 % of the values occur once, and it is not numbers with a few other values among them, which would
    be lost unseen. Whole numbers: all differ, and the name ends as keys' names do (id,
    key, number, ...) or the numbers count the rows. Other numbers may be amounts, and are learned.
    """
    if types.is_integer_dtype(column.dtype) and not isinstance(column.dtype, pd.CategoricalDtype):
        present = column.dropna()
        if len(present) < checks.FEWEST_ROWS_OF_A_KEY or not present.is_unique:
            return False
        counts_rows = bool(
            len(present) == len(column)
            and int(present.iloc[-1]) - int(present.iloc[0]) == len(present) - 1
            and present.is_monotonic_increasing
        )
        return counts_rows or bool(NAMES.search(str(name)) or CAMEL.search(str(name)))
    return checks.differs_in_nearly_every_row(column) and not has_strangers(column)


def has_strangers(column: pd.Series) -> bool:
    """Whether text is nearly all numbers and not all: it may be a column of amounts that something spoils."""
    is_number = column.dropna().map(lambda value: number_of(str(value).strip()) is not None)
    return bool(NEARLY_ALL <= is_number.mean() < 1)


def _numbers(values: list[int]) -> dict[str, Any]:
    """The pattern of whole numbers."""
    low, high = min(values), max(values)
    is_ascending = all(one < other for one, other in pairwise(values))
    taken = np.array([value - low for value in values], dtype=np.uint64).astype(np.int64)
    free = free_intervals(taken, high - low + 1, wanted=FREE_PER_ROW * len(values))
    # A range that is nearly full goes on above its end; so does one that counts on.
    is_used = not is_ascending and room(free) >= len(values)
    return {
        "low": low,
        "high": high,
        "free": free if is_used else (),
        "is_ascending": is_ascending,
        "longest": len(str(high)),
    }


def _numbered(texts: list[str]) -> dict[str, Any] | None:
    """The pattern of numbers of different lengths with the same text around them; `None` where it is another."""
    found = [NUMBERED.fullmatch(text) for text in texts]
    kept = [match for match in found if match]
    if len(kept) < IN_PATTERN * len(texts) or not kept:
        return None
    around = {(match[1], match[3]) for match in kept}
    lengths = {len(match[2]) for match in kept}
    if len(around) != 1 or len(lengths) < 2:
        return None
    ((before, after),) = around
    # Values out of the pattern may hold numbers too; text around a number keeps them apart.
    return {"before": before, "after": after, **_numbers([int(match[2]) for match in kept])}


def _places(texts: list[str]) -> dict[str, Any] | None:
    """The pattern of characters place by place; `None` where lengths differ or places do not repeat themselves."""
    lengths = np.array([len(text) for text in texts])
    length = int(np.bincount(lengths).argmax())
    kept = [text for text in texts if len(text) == length]
    if not 0 < length <= MOST_PLACES or len(kept) < IN_PATTERN * len(texts):
        return None
    characters = np.array([list(text) for text in kept])
    alphabets = tuple("".join(np.unique(characters[:, place])) for place in range(length))
    # Words have letters anywhere; keys have punctuation and blanks in places of their own.
    if any(len(alphabet) > 1 and re.search(r"[^0-9A-Za-z]", alphabet) for alphabet in alphabets):
        return None
    if _product(alphabets) < len(kept) or max(map(len, alphabets)) < 2:
        return None
    wanted, lead = SPREAD * len(kept), 0
    while lead < length and _product(alphabets[:lead]) < wanted:
        lead += 1
    codes = np.zeros(len(kept), dtype=np.int64)
    for place in range(lead):
        codes = codes * len(alphabets[place]) + np.searchsorted(list(alphabets[place]), characters[:, place])
    free = free_intervals(codes, _product(alphabets[:lead]), wanted=FREE_PER_ROW * len(kept))
    return {
        "alphabets": alphabets,
        "lead": lead,
        "free": free,
        "is_ascending": all(one < other for one, other in pairwise(kept)),
        "longest": int(lengths.max()),
    }


def _spelled(number: int, alphabets: tuple[str, ...]) -> str:
    """A number in the digits of each place, the last place changing fastest."""
    found = []
    for alphabet in reversed(alphabets):
        number, digit = divmod(number, len(alphabet))
        found.append(alphabet[digit])
    return "".join(reversed(found))


def _product(alphabets: tuple[str, ...]) -> int:
    total = 1
    for alphabet in alphabets:
        total *= len(alphabet)
    return total


def _sign(alphabet: str) -> str:
    """One character for a place: itself, # for digits, ? for other characters."""
    if len(alphabet) == 1:
        return alphabet
    return "#" if alphabet.isdigit() else "?"


def _is_number_type(dtype: str) -> bool:
    return dtype.lower().startswith(("int", "uint"))
