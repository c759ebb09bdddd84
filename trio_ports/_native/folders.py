"""Folders that are made for a file, and removed when nothing else is in them: one that was there is never touched.

A mark in the innermost one says how many were made. A folder without it is somebody else's, a browser's say.
"""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Final

MARK: Final = ".made-by-trio-ports"


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing."""
    missing = len([*itertools.takewhile(lambda each: not each.exists(), (folder, *folder.parents))])
    folder.mkdir(parents=True, exist_ok=True)
    if missing:
        (folder / MARK).write_text(f"{missing}\n", encoding="ascii")


def remove_folder(folder: Path) -> None:
    """Remove a folder that `make_folder` has made, and those above it that it has made, as far as they are empty.

    What cannot be removed stays: by then, all that matters has been done.
    """
    mark = folder / MARK
    with contextlib.suppress(OSError, ValueError):
        if [*folder.iterdir()] == [mark]:
            count = int(mark.read_text(encoding="ascii"))
            mark.unlink()
            for each in (folder, *folder.parents)[:count]:
                each.rmdir()
            remove_folder((folder, *folder.parents)[count])
