"""Sample grids and rows for a page that must stay small: which steps, and how strongly compressed."""

from __future__ import annotations

import base64
import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from equipoise.documents import open_regular
from equipoise.errors import InputError
from equipoise.limits import limit
from equipoise.plotting.number_text import shortened
from equipoise.reports.reading import RunRecord
from equipoise.reports.weights import kept_step

if TYPE_CHECKING:
    from PIL.Image import Image

GRID_BYTES = 3_000_000  # all grids of a page together, before base64 adds a third
MOST_FRAMES = 12
WIDTHS = (1_200, 900, 640, 420, 260)  # tried in turn until a grid fits its share
SMALL_WIDTH = 500  # narrower grids are enlarged on the page with hard pixel edges
MOST_CSV_BYTES = 1 << 22
ROWS_SHOWN, COLUMNS_SHOWN, CELL_LENGTH = 6, 14, 40


@dataclass(frozen=True)
class SampleGrid:
    """One grid or plot of samples, ready to stand in a page.

    Attributes:
        step: when it was generated; None for real data.
        uri: the image as a `data:` address.
        width, height: in pixels, as embedded.
    """

    step: int | None
    uri: str
    width: int
    height: int

    @property
    def is_small(self) -> bool:
        """Whether it is to be enlarged without smoothing."""
        return self.width < SMALL_WIDTH


@dataclass(frozen=True)
class SampleRows:
    """The first rows of a CSV file of samples, cells cut to 40 characters."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    columns_left_out: int


def spread_steps(steps: list[int], most: int = MOST_FRAMES) -> list[int]:
    """At most `most` of `steps`, evenly spaced in their order, the first and the last among them."""
    if most < 1 or not steps:
        return []
    if most == 1:
        return steps[-1:]
    count = min(most, len(steps))
    return [steps[round(index * (len(steps) - 1) / max(count - 1, 1))] for index in range(count)]


def sample_grids(run: RunRecord, *, most: int = MOST_FRAMES) -> tuple[SampleGrid | None, list[SampleGrid], list[str]]:
    """The grid of real data, those of chosen steps, and sentences on what could not be shown."""
    folder = run.folder
    steps, notes = _sample_steps(run), []
    chosen, kept = spread_steps(steps, most), kept_step(run)
    if kept in steps and kept not in chosen and len(chosen) > 2:
        nearest = min(chosen[1:-1], key=lambda step: abs(step - kept))
        chosen = sorted({kept, *chosen} - {nearest})
    budget = GRID_BYTES // (len(chosen) + 1)
    real = _embedded(folder.samples / "real.png", None, budget)
    if real is None:
        notes.append("There is no readable grid of the real data in this run.")
    frames = [_embedded(folder.sample_file(step, ".png"), step, budget) for step in chosen]
    unreadable = sum(frame is None for frame in frames)
    if unreadable:
        notes.append(f"{unreadable} of the sample grids could not be read.")
    if len(chosen) < len(steps):
        notes.append(f"{len(chosen)} of {len(steps)} sample grids are shown; the folder samples/ has them all.")
    return real, [frame for frame in frames if frame is not None], notes


def image_at(path: Path, *, most_bytes: int = 400_000) -> SampleGrid | None:
    """An image of the run folder, compressed to `most_bytes`; `None` if there is none that can be read."""
    return _embedded(path, None, most_bytes)


def sample_rows(run: RunRecord) -> list[SampleRows]:
    """The first rows of `samples/real.csv` and of the CSV file of the weights that are used, where they exist."""
    found = [("Real rows", run.folder.samples / "real.csv")]
    steps, kept = _sample_steps(run, ".csv"), kept_step(run)
    found += [
        (f"Generated rows, step {step:,}", run.folder.sample_file(step, ".csv"))
        for step in ([kept] if kept in steps else steps[-1:])
    ]
    return [rows for title, path in found if (rows := _first_rows(title, path)) is not None]


def _sample_steps(run: RunRecord, suffix: str = ".png") -> list[int]:
    try:
        return run.folder.sample_steps(suffix)
    except OSError:
        return []


def _embedded(path: Path, step: int | None, budget: int) -> SampleGrid | None:
    """The image at `path` as it is when it fits `budget` bytes, else as WebP at the largest width that fits."""
    from PIL import Image as pillow

    try:
        with open_regular(path) as stream:
            content = stream.read(limit("picture_bytes"))
        # PNG alone: what a run writes. Some of Pillow's other formats start programs.
        with pillow.open(io.BytesIO(content), formats=("PNG",)) as opened:
            if opened.width * opened.height > limit("pixels"):
                return None
            opened.load()
            image = opened.convert("RGB")
    except Exception:  # a decoder may raise anything on a damaged file; the page says how many could not be read
        return None
    kind = "png"
    if len(content) > budget:
        kind, content, image = _compressed(image, budget)
    encoded = base64.b64encode(content).decode("ascii")
    return SampleGrid(step, f"data:image/{kind};base64,{encoded}", image.width, image.height)


def _compressed(image: Image, budget: int) -> tuple[str, bytes, Image]:
    """The first of ever smaller encodings that fits; the smallest when none does."""
    from PIL import Image as pillow
    from PIL import features

    kind = "webp" if features.check("webp") else "jpeg"
    for width in WIDTHS:
        if width < image.width:
            height = max(1, round(image.height * width / image.width))
            image = image.resize((width, height), pillow.Resampling.LANCZOS)
        for quality in (88, 70, 45):
            stream = io.BytesIO()
            image.save(stream, kind, quality=quality)
            if stream.tell() <= budget:
                return kind, stream.getvalue(), image
    return kind, stream.getvalue(), image


def _first_rows(title: str, path: Path) -> SampleRows | None:
    try:
        with open_regular(path) as stream:
            text = io.TextIOWrapper(io.BytesIO(stream.read(MOST_CSV_BYTES)), "utf-8", errors="replace", newline="")
            reader = csv.reader(text)
            header = next(reader, [])
            rows = [row for row, _ in zip(reader, range(ROWS_SHOWN), strict=False)]
    except (OSError, csv.Error, InputError):
        return None
    if not header:
        return None
    kept = len(header[:COLUMNS_SHOWN])
    return SampleRows(
        title=title,
        header=tuple(shortened(cell, CELL_LENGTH) for cell in header[:kept]),
        rows=tuple(tuple(shortened(cell, CELL_LENGTH) for cell in row[:kept]) for row in rows),
        columns_left_out=len(header) - kept,
    )
