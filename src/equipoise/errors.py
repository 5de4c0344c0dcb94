"""Every error a person can meet, in one form: where, what was found, what was expected, what to do.

A message is three lines at most::

    points.yaml, line 4, objective.name: no objective is called 'hing'. Did you mean 'hinge'?
      Available: hinge, least_squares, nonsaturating.
      To use your own, write its import path: 'objective: my_package.my_module:hing'.
"""

from __future__ import annotations

import difflib
import errno
import unicodedata
from collections.abc import Iterable
from pathlib import Path

EXIT_OK = 0
EXIT_UNEXPECTED = 1
EXIT_BAD_INPUT = 2
EXIT_DISTINGUISHED = 10
EXIT_TOO_LITTLE_DATA = 11
EXIT_INTERRUPTED = 130
UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's categories of control, format and surrogate characters, and of separators of lines."""


class EquipoiseError(Exception):
    """Base of all our errors.

    Args:
        where: the file, column, option or activity, as the person knows it.
        found: what was found, as a sentence without a full stop at the start of the message.
        expected: what would have been right.
        advice: what to do next.
    """

    exit_code = EXIT_UNEXPECTED

    def __init__(self, where: str, found: str, expected: str = "", advice: str = "") -> None:
        self.where = where
        self.found = found
        self.expected = expected
        self.advice = advice
        lines = [f"{visible(where, keep='')}: {found}", *(f"  {part}" for part in (expected, advice) if part)]
        super().__init__(visible("\n".join(lines)))


class OldName(FutureWarning):
    """Somebody used a name of an earlier version, which is still understood; says what it is called today."""


class InputError(EquipoiseError):
    """Something the person gave us cannot be used: data, an option, a configuration, a run folder."""

    exit_code = EXIT_BAD_INPUT


class DataError(InputError):
    """Data that cannot be read or learned from; names the file, row or column."""


class ConfigError(InputError):
    """A setting that is unknown, of the wrong type, or at odds with another setting."""


class RunFolderError(InputError):
    """A run folder that is missing, taken, or not readable by this version."""


class NewerFormat(RunFolderError):
    """A file that a later version of equipoise wrote."""


class MissingExtra(InputError):
    """A feature whose package is not installed; the message names the extra that brings it."""

    def __init__(self, where: str, *, package: str, extra: str) -> None:
        super().__init__(
            where,
            f"needs the package '{package}', which is not installed.",
            advice=f"Install it with: pip install 'equipoise[{extra}]'",
        )


class StorageError(EquipoiseError):
    """A write that the file system refused (full disk, read-only folder); nothing half-written is left."""

    @classmethod
    def from_os_error(cls, path: Path | str, error: OSError) -> StorageError:
        """Explain an `OSError` raised while writing `path`."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            advice = "Free some space, or choose another folder with --outdir; the last complete files are intact."
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            advice = "Choose a folder you may write to with --outdir."
        else:
            advice = "Check the disk and the folder, then try again; the last complete files are intact."
        return cls(f"writing {path}", f"{error.strerror or error}.", "Expected a place that can be written.", advice)


class PlayDiverged(EquipoiseError):
    """A loss, gradient or weight became infinite or NaN; names the step, the player and the objective.

    Attributes:
        step: in which it was, where that is known.
        player: whose it was: discriminator or generator.
        layer: the parameter, for a gradient or a weight.
    """

    def __init__(
        self,
        where: str,
        found: str,
        expected: str = "",
        advice: str = "",
        *,
        step: int | None = None,
        player: str | None = None,
        layer: str | None = None,
    ) -> None:
        super().__init__(where, found, expected, advice)
        self.step, self.player, self.layer = step, player, layer


class OutOfMemory(EquipoiseError):
    """An allocation that the system or the device refused; names what to lower."""


class Interrupted(EquipoiseError):
    """The person, or the system, asked the run to stop; a checkpoint was written."""

    exit_code = EXIT_INTERRUPTED


class ProcessLost(EquipoiseError):
    """One of several processes that train together has ended without saying why."""


class FailedElsewhere(EquipoiseError):
    """Another process failed, and has told the person; this one only has to end."""

    def __init__(self, where: str, found: str, *, exit_code: int = EXIT_UNEXPECTED) -> None:
        super().__init__(where, found)
        self.exit_code = exit_code


def visible(text: str, *, keep: str = "\n\t") -> str:
    """The text with every character that would steer a terminal written out, such as `\\x1b` or `\\u202e`.

    Names of files, columns and classes come from data: they may hold commands for a terminal, or turn the
    direction of a line around.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        letter if letter in keep or unicodedata.category(letter) not in UNSEEN else ascii(letter)[1:-1]
        for letter in text
    )


def nearest(name: str, available: Iterable[str]) -> str:
    """' Did you mean ...?' for a misspelt name, or an empty string when nothing is close."""
    match = difflib.get_close_matches(name, list(available), n=1, cutoff=0.5)
    return f" Did you mean '{match[0]}'?" if match else ""


def unknown_name(where: str, kind: str, name: str, available: Iterable[str], advice: str = "") -> ConfigError:
    """The error for a name that no part of this kind has, with the nearest name suggested."""
    known = sorted(available)
    article = "an" if kind[0] in "aeiou" else "a"
    return ConfigError(
        where,
        f"no {kind} is called '{name}'.{nearest(name, known)}",
        f"Available: {', '.join(known)}.",
        advice or f"Write one of these, or pass {article} {kind} of your own from Python.",
    )
