"""Pictures of a run folder, by what they are and never by a path: a link in their place leads nowhere."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from equipoise.limits import limit
from equipoise.runfolder import RunFolder

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def picture(run: RunFolder, what: str, step: int | None = None) -> bytes | None:
    """A PNG of the run; `None` where there is none, or something else in its place.

    Args:
        run: the run folder.
        what: `samples`, `nearest` (pairs of a generated sample and the nearest training one), `real`,
            `most_discriminative` or `drawn`.
        step: of samples; of drawn ones their number.
    """
    names = {
        "samples": ("samples", "" if step is None else run.sample_file(step, ".png").name),
        "nearest": ("samples", run.nearest.name),
        "real": ("samples", "real.png"),
        "drawn": ("requests", "" if step is None else f"drawn-{step:08d}.png"),
        "most_discriminative": ("", run.most_discriminative.name),
    }
    if what not in names or not names[what][1]:
        return None
    content = read_inside(run.path, *names[what])
    return content if content is not None and content.startswith(SIGNATURE) else None


def read_inside(root: Path, folder: str, name: str) -> bytes | None:
    """A regular file of `root`, or of a folder directly in it, through no link; `None` where there is none.

    Each part is opened in the one before, so that what is exchanged for a link meanwhile is not followed either.
    """
    most = limit("picture_bytes")
    try:
        if not _OPENS_RELATIVELY:
            return _read_checked(root / folder / name, root, most)
        handles = [os.open(root, os.O_RDONLY | os.O_DIRECTORY)]
        try:
            if folder:
                handles.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handles[-1]))
            handles.append(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handles[-1]))
            if not stat.S_ISREG(os.fstat(handles[-1]).st_mode):
                return None
            with open(handles.pop(), "rb") as stream:
                content = stream.read(most + 1)
        finally:
            for handle in handles:
                os.close(handle)
    except (OSError, ValueError):
        return None
    return content if len(content) <= most else None


_OPENS_RELATIVELY = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW") and hasattr(os, "O_DIRECTORY")


def _read_checked(path: Path, root: Path, most: int) -> bytes | None:
    """Where the system cannot open a file in an open folder: looked at first, then read."""
    if path.is_symlink() or (path.parent != root and path.parent.is_symlink()) or not path.is_file():
        return None
    with open(path, "rb") as stream:
        content = stream.read(most + 1)
    return content if len(content) <= most else None
