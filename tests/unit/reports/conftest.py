"""Made-up run folders for the tests of reports."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic_runs import build_run


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A finished run on images with three interim evaluations and a final verdict."""
    return build_run(tmp_path / "digits-1", steps=400)
