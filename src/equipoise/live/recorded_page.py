"""A page that holds everything it shows: for notebooks and files, without a server and without a network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from equipoise.files import plain, write_text
from equipoise.live.rendering import templates
from equipoise.plotting.number_text import encodable

HEIGHT = 720
"""Of the frame in a notebook, in CSS pixels; arbitrary. The page scrolls inside it."""


@dataclass(frozen=True)
class RecordedPage:
    """A page in one piece of HTML; a notebook shows it, `save` writes it.

    Attributes:
        title: of the page.
        html: the whole document.
        height: of the frame in a notebook, in CSS pixels.
    """

    title: str
    html: str = field(repr=False)
    height: int = HEIGHT

    def save(self, path: Path | str) -> Path:
        """Write the page as a file that any browser opens; the path.

        Raises:
            StorageError: the file system refused; an older file is then untouched.
        """
        write_text(path, self.html)
        return Path(path)

    def _repr_html_(self) -> str:
        """A frame of its own: the notebook's styles stay outside, and its scripts reach nothing of the notebook."""
        return (
            f'<iframe srcdoc="{html.escape(self.html, quote=True)}" sandbox="allow-scripts" '
            f'title="{html.escape(self.title, quote=True)}" '
            f'style="width: 100%; height: {self.height:d}px; border: 0"></iframe>'
        )


def recorded_page(
    title: str, body: str | Markup, *, script: str, style: str, recording: Any, height: int = HEIGHT
) -> RecordedPage:
    """A page of our own script and style, and of values that are data and nothing else.

    Args:
        title: of the page.
        body: markup of ours.
        script: of ours; the page allows no other, and nothing of any address.
        style: of ours.
        recording: plain values, which the script finds in the element `recording`.
        height: of the frame in a notebook, in CSS pixels.
    """
    text = json.dumps(plain(recording), allow_nan=False, separators=(",", ":"))
    page = (
        templates()
        .get_template("recorded.html.jinja")
        .render(
            title=title,
            body=body,
            style=Markup(style),
            script=Markup(script),
            # No '<' at all: whatever a text of the run says, it cannot end the element that holds it.
            recording=Markup(text.replace("<", "\\u003c")),
            policy=f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}",
        )
    )
    return RecordedPage(title, encodable(page), height)


def _digest(text: str) -> str:
    """What the browser compares the content of an element with before it heeds it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
