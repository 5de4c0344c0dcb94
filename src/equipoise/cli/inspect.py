"""`equipoise inspect`: what a file is taken for, before anything is trained on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from equipoise.cli.options import (
    AsJson,
    Background,
    Columns,
    Crop,
    Kind,
    Rules,
    Size,
    image_settings,
    rule_settings,
    with_kind,
)
from equipoise.cli.terminal import print_json, print_result
from equipoise.errors import visible

if TYPE_CHECKING:
    from equipoise.data.dataset import Dataset

MOST_CLASSES = 20
COLOURS = {1: "grey", 3: "in colour", 4: "in colour with transparency"}


def inspect(
    data: Annotated[str, typer.Argument(metavar="DATA", help="As for train.")],
    kind: Kind = None,
    columns: Columns = None,
    rules: Rules = None,
    size: Size = None,
    crop: Crop = None,
    background: Background = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="How the data are read, e.g. data.missing=[unknown]; repeatable."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how DATA are read: kind, rows, notes, and what each column of a table holds and will be generated as.

    \b
    Example: look, correct a column, look again.
      equipoise inspect sales.csv
      equipoise inspect sales.csv --set 'data.columns={zip: category}'
      equipoise inspect photos/ --size 32
    """
    from equipoise.data.tables.describing import columns_described, columns_text, rules_described
    from equipoise.experiment.prepare import inspect_data

    asked = [*with_kind(settings, kind), *image_settings(size, crop, False, background), *rule_settings(rules)]
    prepared = inspect_data(data, settings=asked, columns_file=columns)
    rows, raw = columns_described(prepared), prepared.raw
    said = rules_described(prepared)
    if as_json:
        print_json(
            {
                "source": raw.source,
                "kind": raw.kind,
                "shape": list(raw.values.shape),
                "classes": list(raw.label_names),
                "class_counts": class_counts(raw),
                "notes": list(raw.notes),
                "columns": rows,
                "rules": said,
            }
        )
        return
    lines = [f"{raw.source}: {size_of(raw, columns=len(rows))}"]
    if raw.label_names:
        counted = [f"{name} {count:,}" for name, count in zip(raw.label_names, class_counts(raw), strict=True)]
        lines.append(f"classes: {', '.join(counted[:MOST_CLASSES])}{', ...' if len(counted) > MOST_CLASSES else ''}")
    lines += [f"note: {note}" for note in raw.notes]
    lines += ["", columns_text(rows)] if rows else []
    lines += ["", *(f"rule {sentence}" for sentence in said)] if said else []
    print_result(visible("\n".join(lines)))


def size_of(raw: Dataset, *, columns: int) -> str:
    """Kind and size of data, as a person counts them; of a table all columns, also those that are not learned."""
    if raw.kind == "table":
        return f"table, {len(raw):,} x {columns}"
    if raw.kind != "images":
        return f"{raw.kind}, {' x '.join(str(size) for size in raw.values.shape)}"
    count, channels, height, width = raw.values.shape
    return f"images, {count:,} of {height}x{width} pixels (height x width), {COLOURS[channels]}"


def class_counts(raw: Dataset) -> list[int]:
    """Samples of each class, in the order of their names."""
    import numpy as np

    return [] if raw.labels is None else np.bincount(raw.labels, minlength=len(raw.label_names)).tolist()
