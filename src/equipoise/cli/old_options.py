"""Options and values of version 0.1.0: understood for one minor version, with a note that names today's."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any

from equipoise.errors import OldName
from equipoise.old_names import SENSITIVITIES

OPTIONS = {"--resolution": "--sensitivity"}
VALUES = {"--sensitivity": SENSITIVITIES}


def with_standard_names(arguments: Sequence[str]) -> list[str]:
    """The arguments under today's names; each one that was renamed is told of on stderr."""
    result: list[str] = []
    for argument in arguments:
        option, equals, value = argument.partition("=")
        before = result[-1] if result else ""
        if argument.startswith("--"):
            name = OPTIONS.get(option, option)
            new = name + equals + VALUES.get(name, {}).get(value, value)
        else:
            new = VALUES.get(before, {}).get(argument, argument)
        if new != argument:
            print(f"note: '{argument}' is now '{new}'.", file=sys.stderr)
        result.append(new)
    return result


def show_old_names_as_notes() -> None:
    """Let warnings about old names of settings appear as plain lines, without a place in our source."""
    usual = warnings.showwarning

    def show(message: Any, category: type[Warning], *place: Any, **options: Any) -> None:
        if issubclass(category, OldName):
            print(f"note: {message}", file=sys.stderr)
        else:
            usual(message, category, *place, **options)

    warnings.showwarning = show
    warnings.simplefilter("always", OldName)
