"""Classes of samples: from whatever names them to the codes 0, 1, 2, ... with a list of names beside them."""

from __future__ import annotations

import numpy as np

from equipoise.errors import DataError


def encode_labels(labels: np.ndarray, *, source: str) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Codes int64 `(n,)`, the name of each class in sorted order, and notes.

    Raises:
        DataError: labels on several axes, missing ones, or so many classes that none has a second sample.
    """
    flat = np.asarray(labels)
    if flat.ndim == 2 and 1 in flat.shape:
        flat = flat.reshape(-1)
    if flat.ndim != 1:
        raise DataError(
            f"{source}, labels",
            f"the labels have the shape {flat.shape}.",
            "Expected one label per sample.",
            "Turn one-hot rows into class numbers with labels.argmax(axis=1).",
        )
    if flat.dtype.kind == "f":
        if not np.isfinite(flat).all() or (flat != np.rint(flat)).any():
            raise DataError(
                f"{source}, labels",
                "the labels are real numbers, not classes.",
                "Expected whole numbers or names.",
                "Round or name the classes, or leave the labels out.",
            )
        flat = flat.astype(np.int64)
    if flat.dtype.kind == "O":
        missing = sum(label is None or label != label for label in flat)
        if missing:
            raise DataError(
                f"{source}, labels",
                f"{missing} of {len(flat)} labels are missing.",
                "Expected a class for every sample.",
                "Fill them in, or leave those samples out.",
            )
        flat = np.array([str(label) for label in flat])
    classes, codes = np.unique(flat, return_inverse=True)
    names = tuple(str(name) for name in classes.tolist())
    codes = codes.reshape(-1).astype(np.int64)
    return codes, names, check_classes(codes, names, source=source)


def without_empty_classes(
    codes: np.ndarray, names: tuple[str, ...], *, source: str
) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Codes, names and notes as `encode_labels` gives them, after classes without a sample were left out."""
    notes = check_classes(codes, names, source=source)
    present, kept_codes = np.unique(codes, return_inverse=True)
    return kept_codes.reshape(-1).astype(np.int64), tuple(names[code] for code in present), notes


def check_classes(codes: np.ndarray, names: tuple[str, ...], *, source: str) -> tuple[str, ...]:
    """Notes on classes with one sample or none.

    Raises:
        DataError: more classes than samples, or no class with a second sample.
    """
    counts = np.bincount(codes, minlength=len(names))
    if len(names) > len(codes) or counts.max(initial=0) < 2:
        raise DataError(
            f"{source}, labels",
            f"{len(names)} classes for {len(codes)} samples.",
            "Expected classes that have several samples each.",
            "Put the images of one class into one folder, or turn the labels off (data.use_labels=false).",
        )
    empty = [names[code] for code in np.flatnonzero(counts == 0)]
    single = [names[code] for code in np.flatnonzero(counts == 1)]
    notes = []
    if empty:
        notes.append(f"{_classes(empty)} without any sample: left out.")
    if single:
        notes.append(f"{_classes(single)} with one sample only: nothing can be learned about its variety.")
    return tuple(notes)


def _classes(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:5]) + (", ..." if len(names) > 5 else "")
    return f"{len(names)} {'class' if len(names) == 1 else 'classes'} ({shown})"
