"""Classes that a file beside the images names, as the makers of data sets write them.

`dataset.json` (StyleGAN): {"labels": [["00000/img00000000.png", 6], ...]}, or null where there are none.
`labels.csv`, `metadata.csv` and `metadata.jsonl` (Hugging Face's image folder): a row for each image, its path in
`file_name` and its class in `label`, or in the column that `data.labels` names. Paths are relative to the file.
Where such a file is, folders are no classes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from equipoise.data.labels import encode_labels
from equipoise.errors import DataError, nearest

STYLEGAN = "dataset.json"
TABLES = ("labels.csv", "metadata.csv", "metadata.jsonl")
PATH_COLUMNS = ("file_name", "filename", "file", "image", "path")
LABEL_COLUMNS = ("label", "labels", "class", "class_name")
SHOWN = 3

Labels = tuple[np.ndarray | None, tuple[str, ...], tuple[str, ...]]


def is_label_file(name: str) -> bool:
    """Whether a file names the classes of the images beside it."""
    return PurePosixPath(name).name in (STYLEGAN, *TABLES)


def labels_from_files(
    files: Sequence[str], images: Sequence[str], read: Callable[[str], bytes], *, column: str | None, source: str
) -> Labels:
    """Codes, names of the classes and notes; no codes where the files name no classes.

    Args:
        files: those that `is_label_file`.
        images: the paths of the images.
        read: gives a file's bytes.
        column: that holds the classes, as the person says.
        source: for messages.

    Raises:
        DataError: a file cannot be read, or does not name every image.
    """
    found: dict[str, Any] = {}
    for name in sorted(files):
        place = PurePosixPath(name).parent
        rows = _rows(name, read(name), column, where=f"{source}, {name}")
        if rows is None:
            return None, (), (f"{name} names no classes, so there are none.",)
        found.update({str(place / path): label for path, label in rows.items()})
    unnamed = [name for name in images if name not in found]
    listed = ", ".join(sorted(files))
    if unnamed:
        raise DataError(
            f"{source}, {listed}",
            f"{len(unnamed)} of {len(images)} images are not named there, such as {', '.join(unnamed[:SHOWN])}.",
            "Expected the class of every image.",
            "Add them, or turn the labels off (data.use_labels=false).",
        )
    absent = sorted(set(found) - set(images))
    about = [f"The classes were read from {listed}."]
    if absent:
        about.append(
            f"{len(absent)} of the {len(found)} files named there {'is' if len(absent) == 1 else 'are'} no image here, "
            f"such as {', '.join(absent[:SHOWN])}."
        )
    labels = [found[name] for name in images]
    are_numbers = all(isinstance(label, int) and not isinstance(label, bool) for label in labels)
    values = np.array(labels) if are_numbers else np.array([str(label) for label in labels])
    codes, names, notes = encode_labels(values, source=source)
    return codes, names, (*about, *notes)


def _rows(name: str, content: bytes, column: str | None, *, where: str) -> Mapping[str, Any] | None:
    """Path and class of each image that a file names; `None` where it names no classes."""
    try:
        text = content.decode("utf-8-sig")
        if PurePosixPath(name).name == STYLEGAN:
            document = json.loads(text)
            labels = document.get("labels") if isinstance(document, dict) else None
            return None if labels is None else _pairs(labels)
        if name.endswith(".jsonl"):
            table = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            table = list(csv.DictReader(io.StringIO(text)))
        return _of_table(table, column, where=where)
    except (ValueError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        raise DataError(
            where,
            f"it cannot be read ({(str(error).splitlines() or ['damaged'])[0][:120]}).",
            "Expected the path and the class of every image.",
            "Correct it, or turn the labels off (data.use_labels=false).",
        ) from error


def _pairs(labels: Any) -> dict[str, Any]:
    rows = dict(labels)
    strange = next((label for label in rows.values() if not isinstance(label, (int, str))), None)
    if strange is not None:
        raise ValueError(f"a label is {str(strange)[:40]}, and no class")
    return {str(PurePosixPath(path.replace("\\", "/"))): label for path, label in rows.items()}


def _of_table(table: list[dict[str, Any]], column: str | None, *, where: str) -> dict[str, Any] | None:
    columns = list(table[0]) if table else []
    path = next((each for each in PATH_COLUMNS if each in columns), None)
    if path is None:
        raise ValueError(f"no column is called {PATH_COLUMNS[0]}")
    if column is not None and column not in columns:
        raise DataError(
            f"{where}, data.labels",
            f"there is no column '{column}'.{nearest(column, columns)}",
            f"The columns are: {', '.join(columns)}.",
            "Write one of them.",
        )
    label = column or next((each for each in LABEL_COLUMNS if each in columns), None)
    if label is None:
        return None
    rows = {str(PurePosixPath(str(row[path]).replace("\\", "/"))): row[label] for row in table}
    if any(value is None or value == "" for value in rows.values()):
        raise ValueError(f"a row has no {label}")
    return {name: _whole(value) for name, value in rows.items()}


def _whole(value: Any) -> Any:
    """A class of digits alone as a number, so that 10 comes after 9; codes with leading zeros stay text."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and str(int(text)) == text else value
