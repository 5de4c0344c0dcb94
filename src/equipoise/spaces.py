"""What one sample is, as the two players see it: a point, an image or an encoded table row.

The game, the trainer and the referee work on any space; only data readers, network heads and
pictures look at which one it is.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from equipoise.errors import InputError

SpaceKind = Literal["points", "images", "table"]


@dataclass(frozen=True)
class PointSpace:
    """Points with `dimensions` coordinates, standardised per coordinate on the training part."""

    dimensions: int
    kind: SpaceKind = "points"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample as a network sees it."""
        return (self.dimensions,)


@dataclass(frozen=True)
class ImageSpace:
    """Images with values in [-1, 1], laid out channels first."""

    channels: int
    height: int
    width: int
    kind: SpaceKind = "images"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample as a network sees it."""
        return (self.channels, self.height, self.width)


@dataclass(frozen=True)
class Block:
    """Neighbouring entries of an encoded row that belong together.

    A `number` block holds standardised real numbers. A `choice` block is one-hot: exactly one entry
    is 1 and the others are 0, in real rows and in generated rows alike.
    """

    kind: Literal["number", "choice"]
    width: int
    column: str


@dataclass(frozen=True)
class TableSpace:
    """Rows of a table, encoded as consecutive blocks; `columns` are the names in the table's own order."""

    columns: tuple[str, ...]
    blocks: tuple[Block, ...]
    kind: SpaceKind = "table"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one encoded row."""
        return (sum(block.width for block in self.blocks),)


Space = PointSpace | ImageSpace | TableSpace


def sample_size(space: Space) -> int:
    """Numbers in one encoded sample."""
    return math.prod(space.shape)


def space_to_json(space: Space) -> dict[str, Any]:
    """A dictionary of plain values from which `space_from_json` makes an equal space."""
    return asdict(space)


def space_from_json(state: dict[str, Any]) -> Space:
    """The inverse of `space_to_json`."""
    fields = dict(state)
    kind = fields.pop("kind", None)
    if kind == "points":
        return PointSpace(**fields)
    if kind == "images":
        return ImageSpace(**fields)
    if kind == "table":
        blocks = tuple(Block(**block) for block in fields["blocks"])
        return TableSpace(columns=tuple(fields["columns"]), blocks=blocks)
    raise InputError("data.json", f"the space is of kind '{kind}'.", "Expected points, images or table.")
