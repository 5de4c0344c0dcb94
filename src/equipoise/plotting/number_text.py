"""Numbers, shares, spans of time and tables as a person reads them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from equipoise.entries import finite
from equipoise.errors import visible


def number(value: Any, digits: int = 4) -> str:
    """`value` with `digits` significant digits; a dash when it is no finite number."""
    found = finite(value)
    if found is None:
        return "–"
    if abs(found) < 1e15 and (found == int(found) or abs(found) >= 10_000):
        return f"{found:,.0f}"
    return f"{found:.{digits}g}".replace("e-0", "e-").replace("e+0", "e+")


def interval_text(ends: Any) -> str:
    """Two ends as '0.1 to 0.2'; a dash where there are none."""
    if not isinstance(ends, (list, tuple)) or len(ends) != 2 or any(finite(end) is None for end in ends):
        return "–"
    return f"{number(ends[0], 3)} to {number(ends[1], 3)}"


def encodable(text: str) -> str:
    """`text` without the halves of characters that JSON can hold and neither UTF-8 nor a font can."""
    return text.encode("utf-8", "replace").decode("utf-8")


def percent(value: Any, digits: int = 0) -> str:
    """A share as '95 %'; as many digits as needed to keep 0.975 from becoming 98 %, up to one more than asked."""
    found = finite(value)
    if found is None:
        return "–"
    digits += not math.isclose(found * 100, round(found * 100, digits), abs_tol=1e-9) and digits == 0
    return f"{found * 100:.{digits}f} %"


def duration(seconds: Any) -> str:
    """'45 s', '3 min 20 s', '2 h 5 min', '3 days'."""
    found = finite(seconds)
    if found is None or found < 0:
        return "–"
    whole = round(found)
    if whole < 60:
        return f"{found:.1f} s" if found < 10 and found != whole else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 and whole < 600 else "")
    if whole < 2 * 86_400:
        return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 >= 60 and whole < 36_000 else "")
    return f"{whole // 86_400} days"


def time_of_day(seconds: float) -> str:
    """Seconds since midnight as '09:05', with seconds where there are any."""
    whole = math.floor(seconds)
    minutes = f"{whole // 3600:02d}:{whole % 3600 // 60:02d}"
    return f"{minutes}:{whole % 60:02d}" if whole % 60 else minutes


def shortened(text: str, longest: int) -> str:
    """`text`, or its beginning with an ellipsis."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, longest: int = 1_000) -> str:
    """Rows as columns that line up, for a terminal and for `cut` alike; longer cells are shortened."""
    lines = [[shortened(visible(cell, keep=""), longest) for cell in line] for line in (header, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
