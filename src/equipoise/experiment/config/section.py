"""What every section of a configuration has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of every section: frozen, and strict about keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
