"""From data to what a run needs: split once, fitted on the training part, with a fingerprint."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from equipoise.data.base import Domain, Encoder
from equipoise.data.dataset import Dataset
from equipoise.data.domain import domain_of, encoder_from_state
from equipoise.data.fingerprint import fingerprint
from equipoise.data.row_groups import with_owners
from equipoise.data.splits import PARTS, SHARE, Part, Split, split_groups, unseen_nats
from equipoise.data.store.arrow import is_on_disk
from equipoise.data.store.cache import Draft, cache_key, kept
from equipoise.data.training_rows import TrainingRows
from equipoise.spaces import Space, sample_size, space_to_json

MOST_SHOWN = 100_000
MOST_NUMBERS_SHOWN = 20_000_000
"""Rows, and numbers in them, that plots of a large part are made from."""


@dataclass(frozen=True, eq=False)
class PreparedData:
    """Data that are ready for training.

    Attributes:
        raw: everything that was read.
        encoder: between natural values and samples, fitted on the training part.
        split: which rows are for training, for interim evaluations, and for the final verdict.
        fingerprint: the data's own name; see `fingerprint`.
        samples: the training part of data on disk, whose rows are read when they are drawn; `None` in memory.
    """

    raw: Dataset
    encoder: Encoder
    split: Split
    fingerprint: str
    samples: TrainingRows | None = None

    @property
    def domain(self) -> Domain:
        """What is done differently with data of this kind."""
        return domain_of(self.raw.kind)

    @property
    def space(self) -> Space:
        """What one encoded sample is."""
        return self.encoder.space

    @property
    def n_classes(self) -> int:
        """How many classes there are; 0 without labels."""
        return len(self.raw.label_names) if self.raw.labels is not None else 0

    @property
    def class_shares(self) -> np.ndarray:
        """Share of each class in the training part, float64 `(n_classes,)`."""
        if self.raw.labels is None:
            return np.zeros(0)
        counts = np.bincount(self.raw.labels[self.split.train], minlength=self.n_classes)
        return counts / counts.sum()

    def part(self, name: Part) -> Dataset:
        """One part of the data in natural values."""
        return self.raw.rows(self.split.part(name))

    def shown_part(self, name: Part) -> Dataset:
        """One part for sample grids and plots: of a large one, some rows that are spread evenly through it."""
        rows = self.split.part(name)
        if self.samples is None:
            return self.raw.rows(rows)
        most = max(1, min(MOST_SHOWN, MOST_NUMBERS_SHOWN // sample_size(self.space)))
        return self.raw.rows(rows[:: -(-len(rows) // most)])

    def encoded_train(self) -> torch.Tensor | TrainingRows:
        """The training part for the players, to be turned into numbers by `encoder.to_float`.

        Returns:
            Images: uint8 `(n, channels, height, width)`. Points and tables: float32 `(n, width)`. Of data on disk, rows
            that are read when they are indexed.
        """
        if self.samples is not None:
            return self.samples
        return self._rows_as_held() if self.raw.kind == "images" else self._encoded_rows

    @cached_property
    def _encoded_rows(self) -> torch.Tensor:
        """Rows that encoding made, once for all who ask: nobody writes into them. Images are only copied."""
        return self._rows_as_held()

    def _rows_as_held(self) -> torch.Tensor:
        return self.domain.stored(self.encoder, self.part("train").values)

    def train_labels(self) -> torch.Tensor | None:
        """Class of each training row, int64 `(n,)`."""
        return None if self.raw.labels is None else torch.from_numpy(self.raw.labels[self.split.train])

    def train_weights(self) -> np.ndarray | None:
        """How often each training row is wanted, relative to the others, float64 `(n,)`; `None` is evenly."""
        return None if self.raw.weights is None else self.raw.weights[self.split.train]

    def describe(self) -> dict[str, Any]:
        """What goes into `data.json`."""
        labels = None
        if self.raw.labels is not None:
            labels = {"names": list(self.raw.label_names), "shares": self.class_shares.tolist()}
        return {
            "fingerprint": self.fingerprint,
            "source": self.raw.source,
            "kind": self.raw.kind,
            "rows": len(self.raw),
            "names": list(self.raw.names),
            "split": self.split.describe(),
            "space": space_to_json(self.space),
            "encoder": self.encoder.state(),
            "labels": labels,
            "sample_weights": None if self.raw.weights is None else _weight_facts(self.raw.weights),
            "notes": list(self.raw.notes),
        }

    def _repr_html_(self) -> str:
        counts = ", ".join(f"{len(self.split.part(name))} {name}" for name in PARTS)
        return f"{self.raw._repr_html_()}<br>{counts}<br>fingerprint <code>{self.fingerprint}</code>"


def _weight_facts(weights: np.ndarray) -> dict[str, float | int]:
    # Kish's effective number of rows: how many evenly weighted ones tell as much.
    shares = weights / weights.max()
    effective = shares.sum() ** 2 / np.square(shares).sum()
    return {
        "least": float(weights.min()),
        "largest": float(weights.max()),
        "zero": int((weights == 0).sum()),
        "effective_rows": float(effective),
    }


def prepare(raw: Dataset, *, seed: int, share: float | None = None) -> PreparedData:
    """Split, fit and fingerprint; the same data and seed give the same parts everywhere.

    What is found of data on disk is kept beside them in the cache, for the next start.

    Args:
        raw: the data.
        seed: decides the split.
        share: of the rows, for each held-out part, as a run was begun with; by default what suits so many.

    Raises:
        DataError: too few different samples, nothing that varies, or a column that cannot be learned.
    """
    domain = domain_of(raw.kind)
    share = domain.held_out_share(len(raw)) if share is None else share

    def make(draft: Draft) -> None:
        split = split_groups(
            with_owners(domain.groups(raw.values), raw.groups, raw.group_name),
            seed=seed,
            source=raw.source,
            share=share,
        )
        encoder = domain.fit(raw, split.train)
        draft.facts["fingerprint"] = fingerprint(raw)
        draft.facts["split"] = {"rule": split.rule, "groups": split.groups, "largest_group": split.largest_group}
        draft.facts["encoder"] = encoder.state()
        for name in PARTS:
            draft.hold(name, split.part(name))
        if draft.folder is not None:
            domain.keep_rows(draft, raw, split.train, encoder)

    facts = [_facts(raw), seed, *([] if share == SHARE else [share])]
    key = cache_key("prepared", raw.values.key, raw.kind, *facts) if is_on_disk(raw.values) else None
    entry = kept(key, make, needs_bytes=_room(raw))
    split = Split(*(entry.loaded(name) for name in PARTS), seed=seed, share=share, **entry.facts["split"])
    encoder = encoder_from_state(entry.facts["encoder"])
    samples = None if key is None else domain.training_rows(raw, split.train, encoder, entry)
    notes = [*domain.remarks(raw), *([] if share == SHARE else [_of_little(raw, split, domain.phrase)])]
    return PreparedData(raw.with_notes(*notes), encoder, split, entry.facts["fingerprint"], samples)


def _of_little(raw: Dataset, split: Split, phrase: str) -> str:
    """What a verdict on few held-out rows can say."""
    return (
        f"Of {len(raw)} {phrase} {len(split.final)} are kept for the final verdict: on so few no classifier finds a "
        f"difference below {unseen_nats(len(split.final)):.2f} nats, where {math.log(2):.2f} are sides that share "
        "nothing. 'equipoise judge REAL FAKE' compares samples with others that you have."
    )


def _facts(raw: Dataset) -> list[Any]:
    """What the options make of the data on disk."""
    columns = [str(name) for name in raw.values.columns] if hasattr(raw.values, "columns") else []
    digests = [
        None if entry is None else hashlib.blake2b(np.ascontiguousarray(entry).tobytes(), digest_size=16).hexdigest()
        for entry in (raw.labels, raw.weights, *([] if raw.groups is None else [raw.groups]))
    ]
    rules = [] if raw.kind != "table" else [[list(raw.rules.stated), raw.rules.finds, raw.rules.label]]
    return [list(raw.names) or columns, list(raw.label_names), digests, *rules]


def _room(raw: Dataset) -> int:
    """Bytes that the entry may take: eight per row for the split, and the compact rows of a table."""
    return len(raw) * (8 + 6 * (raw.values.shape[1] if raw.kind == "table" else 0))
