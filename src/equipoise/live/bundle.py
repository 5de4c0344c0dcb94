"""The pages' own modules as one classic script, for pages without a server.

A browser loads modules from a server only. Here each module becomes a function that returns what it exports, in the
order of their imports, so that the same files draw in a page that was opened from a folder.
"""

from __future__ import annotations

import re
from pathlib import Path

STATIC = Path(__file__).parent / "static"

_IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:function\*?|class|const|let) (\w+)", re.MULTILINE)


def bundle(entry: Path, name: str) -> str:
    """A module and all that it imports as one script, which defines `name` with what the module exports."""
    made: dict[Path, str] = {}
    _add(entry, made)
    modules = "\n".join(f"const {_name(path)} = (() => {{\n{body}\n}})();" for path, body in made.items())
    return f"const {name} = (() => {{\n{modules}\nreturn {_name(entry)};\n}})();\n"


def _add(path: Path, made: dict[Path, str]) -> None:
    """A module after those that it imports."""
    if path in made:
        return
    text = path.read_text(encoding="utf-8")
    bound = []
    for names, source in _IMPORT.findall(text):
        imported = (
            STATIC / source.removeprefix("/static/") if source.startswith("/static/") else path.parent / source[2:]
        )
        _add(imported, made)
        bound.append(f"const {{{names}}} = {_name(imported)};\n")
    exported = ", ".join(_EXPORT.findall(text))
    body = re.sub(r"^export ", "", _IMPORT.sub("", text), flags=re.MULTILINE)
    made[path] = "".join(bound) + body + f"return {{ {exported} }};"


def _name(path: Path) -> str:
    folder = "shared" if path.parent == STATIC else "own"
    return f"{folder}_{re.sub(r'[^a-z]', '_', path.stem)}"
