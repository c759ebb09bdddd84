"""Folders that `install` makes for a file, and removes once nothing else is in them.

The innermost folder holds a mark that says how many were made. A folder without a mark
is somebody else's, for example a browser's, and is never removed.
"""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Final

MARK: Final = ".made-by-trio-ports"


def make_folder(folder: Path) -> None:
    """Make a folder, and the missing ones above it; leave a mark if any was made."""
    missing = len([*itertools.takewhile(lambda each: not each.exists(), (folder, *folder.parents))])
    folder.mkdir(parents=True, exist_ok=True)
    if missing:
        (folder / MARK).write_text(f"{missing}\n", encoding="ascii")


def remove_folder(folder: Path) -> None:
    """Remove the folders that `make_folder` made, from this one upwards, as far as they are empty.

    A folder that cannot be removed stays; that is not an error.
    """
    mark = folder / MARK
    with contextlib.suppress(OSError, ValueError):
        if [*folder.iterdir()] == [mark]:
            count = int(mark.read_text(encoding="ascii"))
            mark.unlink()
            for each in (folder, *folder.parents)[:count]:
                each.rmdir()
            remove_folder((folder, *folder.parents)[count])
