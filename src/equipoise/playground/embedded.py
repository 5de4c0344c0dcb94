"""The drawing code without a server, for the documentation: the modules as one script, and the style of one place."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from equipoise.live.bundle import STATIC as SHARED
from equipoise.live.bundle import bundle
from equipoise.reports.page import style_sheet

OWN = Path(__file__).parent / "static"
ENTRY = "recorded.js"
GLOBAL = "equipoisePlayground"

_REM = re.compile(r"(\d*\.?\d+)rem\b")
_ROOT = re.compile(r":root \{([^}]*)\}")


def script() -> str:
    """All modules that the recorded page needs, as one script; it defines `equipoisePlayground`."""
    return bundle(OWN / ENTRY, GLOBAL)


def recording_script(name: str, recording: Any) -> str:
    """A recording as a script, which a page that was opened from a folder can load, too."""
    return f"{GLOBAL}.keep({json.dumps(name)}, {json.dumps(recording, allow_nan=False, separators=(',', ':'))});\n"


def style(*, dark: str, scale: float = 1.0) -> str:
    """The style of the recorded page, below `.playground`.

    Args:
        dark: selector of an ancestor that is there when the page is dark.
        scale: factor on sizes, for pages whose root has larger letters.
    """
    light, darker = _ROOT.findall(style_sheet())[:2]
    own, shared = (path.read_text(encoding="utf-8") for path in (OWN / "play.css", SHARED / "base.css"))
    rules = "\n".join([*filter(_is_needed, shared.splitlines()), own])
    sized = _REM.sub(lambda found: f"{float(found[1]) * scale:.4g}rem", rules)
    # The class counts three times: a page's own rules for lists and tables stay behind.
    return (
        f".playground {{{light}}}\n{dark} .playground {{{darker}}}\n.playground.playground.playground {{\n{sized}\n}}\n"
    )


def _is_needed(rule: str) -> bool:
    return rule.startswith((".chart", ".legend", ".c-", ".visually-hidden", "button", ".row"))
