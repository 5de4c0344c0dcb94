"""`equipoise inspect`: what a file is taken for, before anything is trained on it."""

from __future__ import annotations

from typing import Annotated

import typer

from equipoise.cli.options import AsJson, Columns, Kind, Rules, rule_settings, with_kind
from equipoise.cli.terminal import print_json, print_result
from equipoise.errors import visible


def inspect(
    data: Annotated[str, typer.Argument(metavar="DATA", help="As for train.")],
    kind: Kind = None,
    columns: Columns = None,
    rules: Rules = None,
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
    """
    from equipoise.data.tables.describing import columns_described, columns_text, rules_described
    from equipoise.experiment.prepare import inspect_data

    prepared = inspect_data(data, settings=[*with_kind(settings, kind), *rule_settings(rules)], columns_file=columns)
    rows, raw = columns_described(prepared), prepared.raw
    said = rules_described(prepared)
    if as_json:
        print_json(
            {
                "source": raw.source,
                "kind": raw.kind,
                "shape": list(raw.values.shape),
                "classes": list(raw.label_names),
                "notes": list(raw.notes),
                "columns": rows,
                "rules": said,
            }
        )
        return
    lines = [f"{raw.source}: {raw.kind}, {' x '.join(str(size) for size in raw.values.shape)}"]
    if raw.label_names:
        lines.append(f"classes: {', '.join(raw.label_names[:20])}{', ...' if len(raw.label_names) > 20 else ''}")
    lines += [f"note: {note}" for note in raw.notes]
    lines += ["", columns_text(rows)] if rows else []
    lines += ["", *(f"rule {sentence}" for sentence in said)] if said else []
    print_result(visible("\n".join(lines)))
