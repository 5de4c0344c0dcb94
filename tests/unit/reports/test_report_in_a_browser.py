"""The page as a browser lays it out on a phone; skipped where no browser is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from synthetic_runs import build_run

from equipoise.reports import write_comparison, write_report

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--virtual-time-budget=2000",
)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")]


def in_a_phone(page: Path, folder: Path) -> str:
    """The document after its script ran, 390 pixels wide less a scroll bar, with what was measured in it."""
    measure = (
        "<script>addEventListener('load', () => { const e = document.documentElement; e.dataset.measured = "
        "[e.clientWidth, e.scrollWidth, document.querySelectorAll('.film.one figure.current').length].join(' '); });"
        "</script>"
    )
    # A frame is the only way to a width below the browser's smallest window.
    text = page.read_text(encoding="utf-8").replace("</body>", measure + "</body>").replace('"', "&quot;")
    frame = folder / "frame.html"
    reader = (
        "<script>addEventListener('load', () => setTimeout(() => { document.body.dataset.found = "
        "document.querySelector('iframe').contentDocument.documentElement.dataset.measured; }, 300));</script>"
    )
    inner = f'<iframe width="390" height="3000" style="border:0" srcdoc="{text}"></iframe>'
    frame.write_text(f"<body>{reader}{inner}</body>", encoding="utf-8")
    command = [BROWSER, *QUIET, f"--user-data-dir={folder / 'profile'}", "--dump-dom", frame.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def measured(page: Path, folder: Path) -> list[int]:
    found = re.search(r'data-found="([\d ]+)"', in_a_phone(page, folder))
    assert found is not None, "the page did not report its measures"
    return [int(number) for number in found.group(1).split()]


def test_a_report_needs_no_sideways_scrolling_on_a_phone_and_its_slider_shows_one_grid(tmp_path):
    folder = build_run(tmp_path / ("a-long-name-without-a-break-" * 4), steps=200, grid_size=900)
    (folder / "samples" / "real.csv").write_text(",".join(["wide column"] * 14) + "\n" + ",".join(["cell"] * 14) + "\n")
    width, content, current = measured(write_report(folder), tmp_path)
    assert width <= 390
    assert content == width
    assert current == 1


def test_a_comparison_needs_no_sideways_scrolling_on_a_phone(tmp_path):
    folders = [build_run(tmp_path / f"run-{k}", steps=100, settings={"training.batch_size": k}) for k in range(6)]
    width, content, _ = measured(write_comparison(folders, tmp_path / "comparison.html"), tmp_path)
    assert width <= 390
    assert content == width
