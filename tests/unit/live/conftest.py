"""Run folders that the run pages follow, and a client that has the token."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from equipoise.live.routes import RunPages
from equipoise.live.runs import RunLibrary
from equipoise.live.security import cookie_name
from equipoise.live.server import create_app

FIXTURE = Path(__file__).parents[2] / "fixtures" / "format2"
TOKEN = "a-token-that-nobody-guesses-0123456789"


@pytest.fixture
def run(tmp_path) -> Path:
    """A small run in a folder of runs, as version 0.2.0 wrote it."""
    source = next(path.parent for path in sorted(FIXTURE.rglob("metrics.jsonl")))
    made = tmp_path / "runs" / "first"
    shutil.copytree(source, made)
    (made / "samples").mkdir(exist_ok=True)
    for place, name in enumerate(("real.png", "step-00000004.png", "step-00000008.png")):
        Image.new("L", (8, 8), 80 * place).save(made / "samples" / name)
    return made


@pytest.fixture
def client() -> Callable[[Path], TestClient]:
    """`client(folder)` asks a server of that folder, with its token."""

    def made(root: Path) -> TestClient:
        app = create_app(RunPages(RunLibrary(root, refresh_seconds=0)).routes(), token=TOKEN)
        asking = TestClient(app, base_url="http://127.0.0.1:8777", follow_redirects=False)
        asking.cookies.set(cookie_name(8777), TOKEN)
        return asking

    return made
