"""Figures without the drawing of them, which is the work of matplotlib and most of the time of a run of a few steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from matplotlib.figure import Figure
from PIL import Image


@contextmanager
def figures_undrawn() -> Iterator[None]:
    """Let figures be made, saved and put into reports as ever, and be empty."""

    def save_nothing(self: Figure, target: object, *, format: str = "png", **options: object) -> None:
        del self, options
        if format == "svg":
            target.write('<svg viewBox="0 0 1 1"></svg>')
        else:
            Image.new("L", (1, 1)).save(target, format=format)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", save_nothing)
        yield
