"""The picture of the playground on its page: a game of the page's own, stepped and photographed in a real Chromium.

python docs/tools/play_picture.py docs/images/play.png
"""

from __future__ import annotations

import secrets
import shutil
import socket
import sys
import threading

STEPS = 120
SIZE = {"width": 1200, "height": 1160}


def main(path: str) -> None:
    """Serve the playground, play the situation of five updates a step, and write the picture."""
    import uvicorn
    from playwright.sync_api import sync_playwright

    from equipoise.live.server import create_app
    from equipoise.playground.routes import routes

    token = secrets.token_urlsafe(24)
    app = create_app(routes(is_home=True), token=token)
    app.state.parts = ("/play/",)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", timeout_graceful_shutdown=1))
    threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True).start()
    address = f"http://127.0.0.1:{listening.getsockname()[1]}/play/k-steps?token={token}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(address)
        page.wait_for_selector(".flow .box", timeout=120_000)
        page.get_by_role("button", name="Start").click()
        while int(page.locator(".counter").inner_text().split()[1]) < STEPS:
            page.wait_for_timeout(200)
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Start").wait_for(timeout=120_000)
        page.get_by_text("The referee proves").wait_for(timeout=120_000)
        page.wait_for_timeout(1000)
        page.screenshot(path=path)
        browser.close()
    server.should_exit = True


if __name__ == "__main__":
    main(sys.argv[1])
