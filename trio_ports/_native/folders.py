"""Folders as arguments."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from .._util import check_list, check_type

Folder: TypeAlias = str | os.PathLike[str]


def check_folder(name: str, folder: Folder | None) -> None:
    """Raise TypeError unless ``folder`` is a path or None."""
    check_type(name, folder, (str, os.PathLike, type(None)))


def check_folders(folders: Sequence[Folder]) -> tuple[Path, ...]:
    """Return ``manifest_folders`` as absolute paths: an application starts in its own folder, not in its caller's.

    Raises:
        TypeError: for a single path instead of a list (it would be a list of letters),
            or for something in the list that is not a path.
    """
    check_list("manifest_folders", folders, "folders")
    found = tuple(folders)
    for folder in found:
        check_type("each of manifest_folders", folder, (str, os.PathLike))
    return tuple(Path(folder).absolute() for folder in found)
