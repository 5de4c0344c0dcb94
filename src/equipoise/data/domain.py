"""The kinds of data by name: what images, tables and points do differently is one object each.

Whatever works on samples of any kind (the trainer, the referee, reports) asks the domain instead of testing the kind.
A domain is in `images/domain.py`, `tables/domain.py` or `points/domain.py`, and answers what `base.Domain` asks.
"""

from __future__ import annotations

from typing import Any

from equipoise.data.base import Domain, Encoder
from equipoise.data.dataset import Aligned, Dataset, unlike
from equipoise.data.images.domain import IMAGES
from equipoise.data.points.domain import POINTS
from equipoise.data.tables.domain import TABLE
from equipoise.errors import InputError

DOMAINS: dict[str, Domain] = {domain.kind: domain for domain in (POINTS, IMAGES, TABLE)}


def domain_of(kind: str) -> Domain:
    """The domain called `kind`.

    Raises:
        InputError: there is none.
    """
    if kind not in DOMAINS:
        raise InputError("data.json, encoder", f"the encoder is of kind '{kind}'.", "Expected points, images or table.")
    return DOMAINS[kind]


def encoder_from_state(state: dict[str, Any]) -> Encoder:
    """The encoder that `state()` described; enough to decode samples without the data."""
    return domain_of(str(state.get("kind"))).encoder_from_state(state)


def aligned(real: Dataset, fake: Dataset) -> Aligned:
    """Both sides' values in one form, and what is to be said of it.

    Raises:
        DataError: they differ in kind, or as `Domain.aligned` says.
    """
    refuse_other_kind(real, fake)
    return domain_of(real.kind).aligned(real, fake)


def aligned_values(real: Dataset, fake: Dataset) -> tuple[Any, Any]:
    """Both sides' values, as `aligned` brings them to one form."""
    found = aligned(real, fake)
    return found.real, found.fake


def refuse_other_kind(real: Dataset, fake: Dataset) -> None:
    """Refuse two sides of which one holds another kind of data.

    Raises:
        DataError: they do.
    """
    if real.kind != fake.kind:
        phrases = [domain_of(side.kind).phrase for side in (fake, real)]
        raise unlike(real, fake, f"holds {phrases[0]}, while {real.source} holds {phrases[1]}")
