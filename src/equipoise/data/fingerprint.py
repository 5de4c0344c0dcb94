"""A short name for exactly these values, labels and columns in exactly this order, wherever the files lie."""

from __future__ import annotations

from equipoise.data.dataset import Dataset
from equipoise.data.digest import Digest
from equipoise.data.domain import domain_of


def fingerprint(raw: Dataset) -> str:
    """32 hexadecimal digits of BLAKE2b over the values, their types, the labels, the weights and the names."""
    digest = Digest()
    digest.add_facts(raw.kind, list(raw.names), list(raw.label_names))
    domain_of(raw.kind).add_to(digest, raw.values)
    if raw.labels is not None:
        digest.add_array(raw.labels)
    if raw.groups is not None:
        digest.add_facts("groups")
        digest.add_array(raw.groups)
    if raw.weights is not None:
        digest.add_facts("weights")
        digest.add_array(raw.weights)
    return digest.digits()
