"""What a person asks a generator for, checked: how many, a class by name or number, a factor on the latents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from equipoise.data import domain_of
from equipoise.errors import InputError, nearest
from equipoise.spaces import Space


def checked_count(n: Any) -> int:
    """How many samples are asked for.

    Raises:
        InputError: it is no whole number from 1 on.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise InputError(
            "sample", f"{n!r} samples were asked for.", "Expected a whole number from 1 on.", "Correct it (-n)."
        )
    return int(n)


def class_number(label: str | int, label_names: Sequence[str], *, is_conditional: bool) -> int:
    """The number of a class of that name or number.

    Raises:
        InputError: there is none, or the generator knows no classes.
    """
    if not is_conditional:
        raise InputError(
            "--class",
            f"'{label}' was asked for, but the generator was trained without classes.",
            "Expected a generator of labelled data.",
            "Leave it out, or train on data with labels.",
        )
    names = [str(name) for name in label_names]
    if str(label) in names:
        return names.index(str(label))
    # A number is a place only where it cannot be taken for a name.
    if isinstance(label, int) and 0 <= label < len(names) and not any(name.lstrip("-").isdigit() for name in names):
        return label
    raise InputError(
        "--class",
        f"no class is called '{label}'.{nearest(str(label), names)}",
        f"Available: {', '.join(names[:50])}.",
        "Write one of these.",
    )


def require_truncation(truncation: float, space: Space) -> None:
    """Refuse a factor on the latents that is none, or that would draw other categories.

    Raises:
        InputError: it is.
    """
    if not 0 <= truncation <= 1 or (truncation != 1 and space.kind == "table"):
        raise InputError(
            "truncation",
            f"{truncation:g} for samples that are {domain_of(space.kind).phrase}.",
            "Expected a factor from 0 to 1, for images or points: the latents of a row draw its categories, too.",
            "Leave it out, or give a factor such as 0.7.",
        )
