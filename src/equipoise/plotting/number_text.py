"""Numbers, shares and spans of time as a person reads them."""

from __future__ import annotations

import math
from typing import Any

from equipoise.entries import finite


def number(value: Any, digits: int = 4) -> str:
    """`value` with `digits` significant digits; a dash when it is no finite number."""
    found = finite(value)
    if found is None:
        return "–"
    if abs(found) < 1e15 and (found == int(found) or abs(found) >= 10_000):
        return f"{found:,.0f}"
    return f"{found:.{digits}g}".replace("e-0", "e-").replace("e+0", "e+")


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
