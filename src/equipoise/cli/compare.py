"""`equipoise compare`: several runs side by side."""
from __future__ import annotations

from equipoise.cli.options import AsJson


def compare(as_json: AsJson = False) -> None:
    """x"""
