"""The format of what we write, and the steps that bring older files to it.

Every document of a run folder says its format (`format: 1`). A change that older readers or older files would trip
over raises `FORMAT_VERSION` by one and adds one function to `STEPS`; a new key with a default needs neither. Files
are brought up to date in memory as they are read, and are never rewritten in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from equipoise.errors import NewerFormat, RunFolderError
from equipoise.old_names import to_standard_words

FORMAT_VERSION = 2

Step = Callable[[str, dict[str, Any]], dict[str, Any]]
STEPS: dict[int, Step] = {1: to_standard_words}
"""By the version that a step starts from: a function of a document's name and content that gives the content in the
next version. The names are config, data, run, status, verdict, looks, evaluations, checkpoint, sweep, known_density and
pretrained.
A checkpoint's content holds its numbers, and its tensors by name under `tensors`."""


def upgraded(name: str, content: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """The content of a document in the present format.

    A document without `format` is of format 1: some documents of the first version did not say theirs. A
    configuration without it was written by a person, and is taken as it is.

    Raises:
        NewerFormat: a later version of equipoise wrote it.
        RunFolderError: its format is no whole number above 0.
    """
    version = content.get("format", FORMAT_VERSION if name == "config" else 1)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise RunFolderError(
            where,
            f"its format is {str(version)[:40]!r}.",
            f"Expected a whole number from 1 to {FORMAT_VERSION}.",
            "Restore the file from a copy.",
        )
    if version > FORMAT_VERSION:
        raise NewerFormat(
            where,
            f"format {str(version)[:40]} is newer than this version of equipoise reads.",
            f"Expected format {FORMAT_VERSION} or older.",
            "Upgrade equipoise.",
        )
    found = dict(content)
    for passed in range(version, FORMAT_VERSION):
        found = {**STEPS[passed](name, found), "format": passed + 1}
    return found
