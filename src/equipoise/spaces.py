"""What one sample is, as the two players see it: a point, an image or an encoded table row.

The game, the trainer and the referee work on any space. What a network's last layer has to know of it is in the
attributes that all spaces have: `blocks` and `is_bounded`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from equipoise.errors import InputError

SpaceKind = Literal["points", "images", "table"]


@dataclass(frozen=True)
class Block:
    """Neighbouring entries of an encoded row that belong together.

    A continuous block holds standardised real numbers. A one-hot block has exactly one entry that is 1 and others that
    are 0, in real rows and in generated rows alike. The words of `kind` are frozen: they are in stored files.

    Attributes:
        scores: of a one-hot block whose entries have an order, a normal score of each: where in a standard normal its
            share of the training rows lies. Shape `(width,)`; empty where the entries are mere names.
        cells: of a continuous block, the inner borders of cells that hold about as many training rows each, as
            quantiles in (0, 1), ascending. No point mass is cut in two, and a large one is a cell of its own.
    """

    kind: Literal["number", "choice"]
    width: int
    column: str
    scores: tuple[float, ...] = ()
    cells: tuple[float, ...] = ()

    @property
    def is_one_hot(self) -> bool:
        return self.kind == "choice"


class WithoutBlocks:
    """Samples that are not made of blocks; numbers of any size, unless a space says otherwise."""

    blocks: ClassVar[tuple[Block, ...]] = ()
    is_bounded: ClassVar[bool] = False


@dataclass(frozen=True)
class PointSpace(WithoutBlocks):
    """Points with `dimensions` coordinates, standardised per coordinate on the training part."""

    dimensions: int
    kind: SpaceKind = "points"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample as a network sees it."""
        return (self.dimensions,)


@dataclass(frozen=True)
class ImageSpace(WithoutBlocks):
    """Images with values in [-1, 1], laid out channels first."""

    channels: int
    height: int
    width: int
    kind: SpaceKind = "images"
    is_bounded: ClassVar[bool] = True

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample as a network sees it."""
        return (self.channels, self.height, self.width)


@dataclass(frozen=True)
class TableSpace:
    """Rows of a table, encoded as consecutive blocks; `columns` are the names in the table's own order."""

    columns: tuple[str, ...]
    blocks: tuple[Block, ...]
    kind: SpaceKind = "table"
    is_bounded: ClassVar[bool] = False

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
