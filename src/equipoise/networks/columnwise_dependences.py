"""Columns that another column decides: they are looked up, in the generator, and not drawn.

Which columns these are is found on the training rows (`data.tables.rules.dependences`) and stored in the configuration.
The look-ups are filled from the training rows, too, and are stored with the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equipoise.spaces import Block, TableSpace


@dataclass(frozen=True)
class Lookup:
    """One column that is looked up.

    Attributes:
        column: number of the table's column.
        start: of its one-hot block in an encoded row.
        width: of that block.
        parent: number of the column that decides it.
        parent_start: of that column's one-hot block.
        parent_width: of that block.
    """

    column: int
    start: int
    width: int
    parent: int
    parent_start: int
    parent_width: int


class Dependences(nn.Module):
    """The look-ups of a table.

    Args:
        space: rows of a table.
        parents: the name of the deciding column for each that is looked up.

    Raises:
        ValueError: a name is no column of one one-hot block, or columns decide each other in a circle.
    """

    def __init__(self, space: TableSpace, parents: Mapping[str, str]) -> None:
        super().__init__()
        blocks = one_hot_columns(space)
        for name in (*parents, *parents.values()):
            if name not in blocks:
                raise ValueError(
                    f"dependences names '{name}'; expected a column of categories or of few values: {sorted(blocks)}"
                )
        self.lookups: list[Lookup] = []
        waiting = dict(parents)
        while waiting:
            # Each after the one that it is looked up in.
            ready = [name for name, parent in waiting.items() if parent not in waiting]
            if not ready:
                raise ValueError(f"dependences: {sorted(waiting)} decide each other; expected no circle")
            for name in ready:
                (start, block), (above, parent) = blocks[name], blocks[waiting.pop(name)]
                column, parent_column = space.columns.index(name), space.columns.index(parent.column)
                self.lookups.append(Lookup(column, start, block.width, parent_column, above, parent.width))
        for index, lookup in enumerate(self.lookups):
            self.register_buffer(f"values_{index}", torch.zeros(lookup.parent_width, dtype=torch.long))

    @property
    def columns(self) -> frozenset[int]:
        """Numbers of the columns that are looked up."""
        return frozenset(lookup.column for lookup in self.lookups)

    @property
    def starts(self) -> frozenset[int]:
        """First entries of their one-hot blocks."""
        return frozenset(lookup.start for lookup in self.lookups)

    def table(self, index: int) -> Tensor:
        """The entry of the column for each entry of its parent. Shape `(parent's width,)`, int64."""
        return getattr(self, f"values_{index}")

    def learn(self, rows: Tensor) -> None:
        """Fill the look-ups from encoded rows; what they do not show stays."""
        for index, lookup in enumerate(self.lookups):
            found = self.table(index)
            parent = rows[:, lookup.parent_start : lookup.parent_start + lookup.parent_width].argmax(dim=1)
            own = rows[:, lookup.start : lookup.start + lookup.width].argmax(dim=1)
            found[parent.to(found.device)] = own.to(found.device)

    def looked_up(self, values: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """The one-hot blocks of the columns that are looked up, by their first entries, from those that are there.

        The gradient in a looked-up block goes to its parent's.
        """
        made: dict[int, Tensor] = {}
        for index, lookup in enumerate(self.lookups):
            parent = made.get(lookup.parent_start, values.get(lookup.parent_start))
            assert parent is not None, "parents come first"
            made[lookup.start] = parent @ _one_hot(self.table(index), lookup.width).to(parent.dtype)
        return made

    def obeyed(self, rows: Tensor) -> Iterator[tuple[int, Tensor]]:
        """For each column that is looked up, which encoded rows have the value that is looked up. `(batch,)`."""
        for index, lookup in enumerate(self.lookups):
            parent = rows[:, lookup.parent_start : lookup.parent_start + lookup.parent_width].argmax(dim=1)
            own = rows[:, lookup.start : lookup.start + lookup.width].argmax(dim=1)
            yield lookup.column, self.table(index)[parent] == own

    def allowed(self, given: Tensor, known: Tensor) -> dict[int, Tensor]:
        """Which entries of a drawn column lead to the held values of the columns that are looked up in it.

        Args:
            given: encoded rows.
            known: which columns of which rows are held. Shape `(batch, columns)`.

        Returns:
            By the number of the drawn column, boolean `(batch, width of its block)`; only where a column is held.
        """
        found: dict[int, Tensor] = {}
        for lookup, table in self._from_drawn():
            held = known[:, lookup.column]
            if not bool(held.any()):
                continue
            own = given[:, lookup.start : lookup.start + lookup.width].argmax(dim=1)
            fits = (table[None, :] == own[:, None]) | ~held[:, None]
            found[lookup.parent] = fits & found[lookup.parent] if lookup.parent in found else fits
        return found

    def asked_of_drawn(self, asked: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """The share of each entry of drawn columns that leads to what is asked of the columns looked up in them.

        Args:
            asked: by the first entry of a one-hot block, the allowed share of each entry; blocks that are drawn are
                passed over.
        """
        found: dict[int, Tensor] = {}
        for lookup, table in self._from_drawn():
            if lookup.start in asked:
                leads = asked[lookup.start][..., table.cpu()]
                found[lookup.parent_start] = found.get(lookup.parent_start, torch.ones_like(leads)) * leads
        return found

    def _from_drawn(self) -> Iterator[tuple[Lookup, Tensor]]:
        """Each look-up with the drawn column at the top of its chain as its parent, and the table of both."""
        chains: dict[int, tuple[Lookup, Tensor]] = {}
        for index, lookup in enumerate(self.lookups):
            table = self.table(index)
            if lookup.parent in chains:
                above, above_table = chains[lookup.parent]
                lookup = Lookup(
                    lookup.column, lookup.start, lookup.width, above.parent, above.parent_start, above.parent_width
                )
                table = table[above_table]
            chains[lookup.column] = (lookup, table)
            yield lookup, table


def one_hot_columns(space: TableSpace) -> dict[str, tuple[int, Block]]:
    """The columns that are one one-hot block and nothing else, with its first entry, by name."""
    found: dict[str, tuple[int, Block]] = {}
    start = 0
    for block in space.blocks:
        is_alone = block.is_one_hot and sum(other.column == block.column for other in space.blocks) == 1
        if is_alone:
            found[block.column] = (start, block)
        start += block.width
    return found


def _one_hot(codes: Tensor, width: int) -> Tensor:
    return nn.functional.one_hot(codes, width)
