"""SECURITY.md names the tests that hold its promises, and the site its limits: both are compared with what there is."""

from __future__ import annotations

import re
from pathlib import Path

from equipoise.limits import LIMITS, VARIABLE

ROOT = Path(__file__).parent.parent
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_every_test_that_security_names_exists():
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", SECURITY)
    assert len(named) > 20
    assert not [name for name in named if f"def {name}(" not in tests]


def test_every_file_that_security_names_exists():
    named = re.findall(r"`((?:tests|benchmarks)/[\w./]+)`", SECURITY) + re.findall(r"\]\(([\w./-]+)\)", SECURITY)
    assert len(named) > 5
    assert not [name for name in named if not (ROOT / name).exists()]


def test_security_invents_no_address():
    assert "@" not in SECURITY and "http" not in SECURITY


def test_the_site_lists_the_limits_as_they_are():
    page = (ROOT / "docs" / "guides" / "safety.md").read_text(encoding="utf-8")
    rows = [f"| `{VARIABLE}{name.upper()}` | {entry.default:,} | {entry.meaning} |" for name, entry in LIMITS.items()]
    assert [line for line in page.splitlines() if line.startswith("| `")] == rows


def test_the_source_distribution_holds_what_is_promised_and_what_proves_it():
    manifest = (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("include ") and "SECURITY.md" in line.split() for line in manifest)
    assert "recursive-include tests/fixtures *" in manifest
