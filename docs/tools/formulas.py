r"""For the reference pages: the formulas of docstrings, which are written as `.. math::` and :math:`...`, as dollars.

A griffe extension: it works on the text of docstrings, so nothing of equipoise is imported.
"""

from __future__ import annotations

import re
import textwrap

import griffe

BLOCK = re.compile(
    r"^(?P<indent>[ ]*)\.\. math::[ ]*(?P<first>.*)\n(?P<body>(?:(?P=indent)[ ]+.*\n|[ ]*\n)*)", re.MULTILINE
)
ROLE = re.compile(r":math:`([^`]+)`", re.DOTALL)
LITERAL = re.compile(r"::\n\n")


def with_dollars(text: str) -> str:
    """The docstring with `$$...$$` for displayed formulas and `$...$` for those in a line."""

    def displayed(found: re.Match[str]) -> str:
        body = textwrap.dedent(found["body"]).strip()
        lines = [line for line in (found["first"].strip(), body) if line]
        written = "\n".join(lines).replace("\n\n", "\n")
        return "\n".join(f"{found['indent']}{line}".rstrip() for line in ["$$", *written.split("\n"), "$$"]) + "\n\n"

    text = BLOCK.sub(displayed, text if text.endswith("\n") else text + "\n")
    text = ROLE.sub(lambda found: f"${' '.join(found[1].split())}$", text)
    return LITERAL.sub(":\n\n", text)


class Formulas(griffe.Extension):
    """Rewrites every docstring of the package before it is read."""

    def on_instance(self, *, obj: griffe.Object, **others: object) -> None:
        """Called for each module, class, function and attribute."""
        del others
        if obj.docstring is not None:
            obj.docstring.value = with_dollars(obj.docstring.value)
