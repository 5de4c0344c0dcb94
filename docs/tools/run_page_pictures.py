"""The pictures of the page on watching runs, taken of real run folders in a real Chromium.

    pip install 'equipoise[view,test]'
    python docs/tools/run_page_pictures.py RUN OTHER_RUN

RUN is shown whole; both are shown side by side. Four files are written into docs/view/: run.png, curves.png, dark.png
(narrow as a phone, in dark colours) and compare.png.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "view"
COLOURS = 96
"""Colours of a picture: enough for pages, at a third of the bytes."""


def main() -> None:
    """Take every picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("other", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "runs"
        root.mkdir()
        for path in (options.run, options.other):
            shutil.copytree(path, root / path.name)
        address, token = served(root)
        take(address, token, options.run.name)


def served(root: Path) -> tuple[str, str]:
    """The address of a server of a folder of runs, from a thread of this process, and its token."""
    from equipoise.live.routes import RunPages
    from equipoise.live.runs import RunLibrary
    from equipoise.live.server import create_app, make_server

    token = secrets.token_urlsafe(32)
    server = make_server(create_app(RunPages(RunLibrary(root)).routes(), token=token))
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    return f"http://127.0.0.1:{listening.getsockname()[1]}", token


def take(address: str, token: str, name: str) -> None:
    """Open the pages and write the pictures."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])

        def opened(width: int, height: int, scheme: str) -> Any:
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
            )
            page = context.new_page()
            page.set_default_timeout(60_000)
            page.goto(f"{address}/?token={token}")
            page.get_by_role("link", name=name, exact=True).wait_for()
            return page

        page = opened(1120, 1180, "light")
        boxes = page.locator("input[type=checkbox]")
        page.get_by_role("link", name=name, exact=True).click()
        page.locator("#curves path.line").first.wait_for(state="attached")
        page.wait_for_timeout(1500)
        write(page.screenshot(), "run.png")
        page.locator(".curves-head").scroll_into_view_if_needed()
        page.evaluate("document.querySelector('.curves-head').scrollIntoView()")
        page.locator("#curves .plane").first.hover(position={"x": 220, "y": 90})
        page.wait_for_timeout(300)
        write(page.screenshot(clip={"x": 0, "y": 0, "width": 1120, "height": 980}), "curves.png")
        page.goto(f"{address}/")
        boxes.first.wait_for()
        for box in boxes.all()[:2]:
            box.check()
        page.get_by_role("button", name="Compare").click()
        page.get_by_role("heading", name="Samples").wait_for()
        page.locator("#compared-curves path.line").first.wait_for(state="attached")
        page.wait_for_timeout(1500)
        page.evaluate("document.querySelector('#compared-samples').scrollIntoView()")
        write(page.screenshot(clip={"x": 0, "y": 0, "width": 1120, "height": 980}), "compare.png")
        phone = opened(390, 1180, "dark")
        phone.get_by_role("link", name=name, exact=True).click()
        phone.locator("#samples img").first.wait_for()
        phone.wait_for_timeout(1500)
        phone.evaluate("document.querySelector('#samples').scrollIntoView()")
        write(phone.screenshot(), "dark.png")
        browser.close()


def write(content: bytes, name: str) -> None:
    """A picture with few colours."""
    import io

    from PIL import Image

    image = Image.open(io.BytesIO(content), formats=("PNG",)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(TARGET / name, optimize=True)
    print(TARGET / name)


if __name__ == "__main__":
    main()
