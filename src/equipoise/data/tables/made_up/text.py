"""Names and free text: made up of invented words in the shape of real ones.

A shape says where capitals, small letters, digits and other characters stand: 'Ada Byron' is 'Aaa Aaaaa'. A made-up
value takes the shape of some real value and fills it with consonants and vowels in turn. No word of the data is kept;
a short invented word may still be a real one by chance.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from equipoise.data.tables.checks import is_text
from equipoise.data.tables.made_up.base import MadeUpColumn, stored_type
from equipoise.randomness import Stream, numpy_stream

MOST_SHAPES = 200
LONGEST = 120
"""Characters; of longer text the beginning is a shape."""
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Text(MadeUpColumn):
    """See `MadeUpColumn`.

    Attributes:
        shapes: of some real values, drawn at random.
    """

    shapes: tuple[str, ...] = ()
    kind: ClassVar[str] = "text"

    @classmethod
    def fitted(cls, column: pd.Series, *, name: str | int, place: int) -> Self | None:
        present = column.dropna()
        if not len(present) or not is_text(column):
            return None
        count, stream = min(len(present), MOST_SHAPES), numpy_stream(place, Stream.MADE_UP_SHAPES)
        rows = np.sort(stream.choice(len(present), size=count, replace=False))
        shapes = tuple(shape_of(str(value)) for value in present.iloc[rows])
        return cls(name, stored_type(column), place, float(column.isna().mean()), shapes)

    @property
    def pattern(self) -> str:
        return self.shapes[0][:24]

    def made(self, rows: np.ndarray) -> list[Any]:
        return [self._made(int(row)) for row in rows]

    def _made(self, row: int) -> str:
        stream = numpy_stream(self.place, Stream.MADE_UP_TEXT, row)
        shape = self.shapes[int(stream.integers(len(self.shapes)))]
        letters = stream.integers(0, 2**31, size=len(shape))
        found, is_vowel = [], bool(letters[0] % 2) if len(shape) else False
        for sign, draw in zip(shape, letters, strict=True):
            if sign in "Aa":
                pool = VOWELS if is_vowel else CONSONANTS
                letter = pool[draw % len(pool)]
                found.append(letter.upper() if sign == "A" else letter)
                is_vowel = not is_vowel
            elif sign == "0":
                found.append(str(draw % 10))
            else:
                found.append(sign)
                is_vowel = bool(draw % 2)
        return "".join(found)


def shape_of(text: str) -> str:
    """Where capitals (A), small letters (a), digits (0) and other characters stand; letters of any script."""
    return "".join(
        ("A" if character.isupper() else "a")
        if LETTER.fullmatch(character)
        else "0"
        if character.isdigit()
        else character
        for character in text[:LONGEST]
    )
