"""Everything that a table report says, as numbers and as text.

The page and the JSON are made from this record; the pictures too, so that no real row is in any of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from equipoise.data.tables.classifier_inputs import LevelColumn
from equipoise.metrics.tables.answer import Answer, answers
from equipoise.metrics.tables.auc import Estimate
from equipoise.metrics.tables.boosted_trees import column_aucs, two_sample_auc
from equipoise.metrics.tables.pairs import Pair, pairs
from equipoise.metrics.tables.pictures import column_picture, pair_picture
from equipoise.metrics.tables.privacy import Privacy, privacy
from equipoise.metrics.tables.shapes import Shape, mean_score, shapes
from equipoise.metrics.tables.sides import COPY, ROWS, SYNTHETIC, UNUSED, Sides
from equipoise.metrics.tables.usefulness import Target, Usefulness, usefulness
from equipoise.plotting.number_text import number, text_table

MOST_PAIRS = 2_000
MOST_PICTURES = 60
MOST_PAIR_PICTURES = 6
FORMAT = 1
NO_PROOF = (
    "None of this proves that nobody can be found in the synthetic rows: it measures attacks of the kinds named, on "
    "average over rows, and says nothing of any one person. It is no differential privacy, and equipoise offers none."
)


@dataclass(frozen=True)
class TableReport:
    """What was measured of a synthetic table.

    Attributes:
        sources: what each side was read from: real, synthetic, train, unused.
        rows: how many rows each side has, and how many were compared.
        answers: plain answers, the overall one first.
        shapes: how alike each column is, by set of rows.
        shapes_score, pairs_score: mean over columns and over pairs, by set.
        pairs: of the synthetic rows, the worst first.
        pairs_of_unused: the score of the same pairs between real rows.
        aucs: of boosted trees, by set.
        column_aucs: of each column alone, of the synthetic rows.
        usefulness, privacy: see there.
        column_pictures, pair_pictures: see `pictures`.
        notes: sentences for the person.
        seconds: process time that it took.
    """

    sources: dict[str, str]
    rows: dict[str, int]
    answers: tuple[Answer, ...]
    shapes: dict[str, list[Shape]]
    shapes_score: dict[str, float]
    pairs_score: dict[str, float]
    pairs: list[Pair]
    pairs_of_unused: list[float]
    aucs: dict[str, Estimate]
    column_aucs: dict[str, Estimate]
    usefulness: Usefulness
    privacy: Privacy
    column_pictures: dict[str, dict[str, Any]]
    pair_pictures: list[dict[str, Any]]
    notes: tuple[str, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return {"format": FORMAT, **asdict(self)}

    def to_text(self) -> str:
        """For a terminal."""
        head, *parts = self.answers
        lines = [f"{head.question} {head.word}. {head.sentence}", ""]
        lines += [f"{part.question} {part.word}. {part.sentence}" for part in parts]
        return "\n".join([*lines, "", text_table(*self.overview()), *self._worst(), "", *self.notes, NO_PROOF])

    def overview(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Head and rows of the table that sets the synthetic rows beside the three others."""
        useful = self.usefulness
        scored = useful.scores or {}
        target = f" ({useful.metric} of '{useful.target.name}')" if useful.target and scored else ""
        header = (
            "rows",
            "shapes",
            "pairs",
            "boosted trees AUC",
            f"train here, test on real{target}",
            "copies of training rows",
            "nearer to training rows",
            "attack AUC",
        )
        found = self.privacy
        rows = [
            (
                name,
                fixed(self.shapes_score[name]),
                fixed(self.pairs_score[name]),
                fixed(self.aucs[name].value),
                fixed(scored[name].value) if name in scored else "–",
                f"{100 * found.copies[name].value:.2f} %" if name in found.copies else "–",
                fixed(found.nearer[name].value) if name in found.nearer else "–",
                fixed(found.membership[name].value) if name in found.membership else "–",
            )
            for name in ROWS
        ]
        return header, rows

    def _worst(self) -> list[str]:
        worst = sorted(self.column_aucs, key=lambda name: -_or(self.column_aucs[name].value, 0.0))[:5]
        listed = [
            f"{name} {self.column_aucs[name].value:.3f}" for name in worst if np.isfinite(self.column_aucs[name].value)
        ]
        return ["", f"Columns that differ most, each by itself (AUC): {', '.join(listed)}."] if listed else []


def measure_table(
    sides: Sides,
    *,
    sources: dict[str, str],
    rows: dict[str, int],
    target: Target | None,
    notes: tuple[str, ...] = (),
    seed: int = 0,
    stream: np.random.Generator,
    most_pictures: int = MOST_PICTURES,
    tell: Callable[[str], None] | None = None,
) -> TableReport:
    """Measure everything.

    Args:
        sides: the rows in their roles.
        sources: see `TableReport`.
        rows: see `TableReport`.
        target: column that is predicted.
        notes: sentences on how the sides were read.
        seed: of folds and trees.
        stream: draws rows.
        most_pictures: of columns; those that give the synthetic rows away the most.
        tell: is told what is measured next.
    """
    start = time.process_time()
    tell = tell or (lambda what: None)
    tell("columns and pairs")
    real = sides.real
    shape_of = {name: shapes(real, table) for name, table in sides.sets.items()}
    chosen, pair_notes = _chosen_columns(sides, stream)
    pair_of = {name: list(pairs(real, table, names=chosen)) for name, table in sides.sets.items()}
    places = sorted(
        range(len(pair_of[SYNTHETIC])),
        key=lambda place: _or(pair_of[SYNTHETIC][place].score, 2.0) - _or(pair_of[UNUSED][place].score, 1.0),
    )
    worst = [pair_of[SYNTHETIC][place] for place in places]
    aucs = {}
    for name, table in sides.sets.items():
        tell(f"boosted trees, {name}")
        aucs[name] = two_sample_auc(real, table, seed=seed)
    tell("boosted trees, column by column")
    alone = column_aucs(real, sides.sets[SYNTHETIC], seed=seed)
    tell("usefulness")
    baseline = COPY if sides.has_roles else UNUSED
    useful = usefulness(real, sides.sets, target, baseline=baseline, seed=seed)
    tell("privacy")
    private = privacy(sides, stream=stream)
    shown = sorted(alone, key=lambda name: -_or(alone[name].value, 0.0))[:most_pictures]
    fake = sides.sets[SYNTHETIC]
    return TableReport(
        sources=sources,
        rows={**rows, "compared": len(real)},
        answers=answers(aucs, useful, private),
        shapes=shape_of,
        shapes_score={name: mean_score([each.score for each in found]) for name, found in shape_of.items()},
        pairs_score={name: mean_score([each.score for each in found]) for name, found in pair_of.items()},
        pairs=worst,
        pairs_of_unused=[pair_of[UNUSED][place].score for place in places],
        aucs=aucs,
        column_aucs=alone,
        usefulness=useful,
        privacy=private,
        column_pictures={name: column_picture(real.columns[name], fake.columns[name]) for name in shown},
        pair_pictures=[
            pair_picture(pair, real, fake) for pair in worst[:MOST_PAIR_PICTURES] if np.isfinite(pair.score)
        ],
        notes=(*notes, *_notes(sides, useful, private), *pair_notes),
        seconds=time.process_time() - start,
    )


def _chosen_columns(sides: Sides, stream: np.random.Generator) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns whose pairs are measured: all, or as many as make 2,000 pairs."""
    names = sides.names
    most = int((1 + np.sqrt(1 + 8 * MOST_PAIRS)) / 2)
    if len(names) <= most:
        return names, ()
    kept = np.sort(stream.choice(len(names), size=most, replace=False))
    note = f"Pairs were measured between {most} of the {len(names)} columns, drawn at random."
    return tuple(names[place] for place in kept), (note,)


def _notes(sides: Sides, useful: Usefulness, private: Privacy) -> list[str]:
    constant = [name for name, column in sides.real.columns.items() if _is_constant(column)]
    empty = [each.column for each in sides_shapes(sides) if each.real_missing == 1]
    found = []
    if empty:
        found.append(f"Without any real value, and therefore not scored as numbers are: {_listed(empty)}.")
    constant = [name for name in constant if name not in empty]
    if constant:
        found.append(f"The same value in every real row: {_listed(constant)}.")
    if useful.target is not None and useful.target.was_detected:
        found.append(f"'{useful.target.name}' was taken for the target; --target names another column.")
    if useful.why_not:
        found.append(useful.why_not)
    if not sides.has_roles:
        found.append(
            "Nobody said which rows the generator was trained on. The real rows were halved: one half is compared "
            "with, the other stands for unused rows. If the generator was trained on them, every score of the "
            "synthetic rows flatters; --train and --unused name rows that were and were not trained on."
        )
    if private.rows and private.rows < len(sides.train):
        found.append(
            f"Distances were taken to {private.rows:,} training rows and as many unused ones, drawn at random."
        )
    return found


def sides_shapes(sides: Sides) -> list[Shape]:
    """Shares of missing values of every column, on the compared real rows and the synthetic ones."""
    return shapes(sides.real, sides.sets[SYNTHETIC])


def _is_constant(column: Any) -> bool:
    values = column.codes if isinstance(column, LevelColumn) else column.values[np.isfinite(column.values)]
    return len(np.unique(values)) == 1 and (isinstance(column, LevelColumn) or len(values) == len(column.values))


def fixed(value: float) -> str:
    """A score with three decimals; a dash where it was not measured."""
    return f"{value:.3f}" if np.isfinite(value) else "–"


def _or(value: float, otherwise: float) -> float:
    return value if np.isfinite(value) else otherwise


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:12])
    return shown + (f" and {number(len(names) - 12)} more" if len(names) > 12 else "")
