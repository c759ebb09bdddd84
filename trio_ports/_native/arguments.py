"""Arguments that several rooms take: the names of applications, and folders. Source: rule 37."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

from .._protocol.dialects import Dialect, DialectName
from .._protocol.errors import ApplicationNameError, Cause
from .._protocol.manifests import Family, is_application_name
from .._util import check_list, check_type

Folder: TypeAlias = str | os.PathLike[str]

FAMILIES: Final[dict[DialectName, Family]] = {"firefox": "firefox", "chrome": "chromium"}
"""Whose rules a dialect follows. In ``trio`` the extension's id decides."""


def check_application_name(name: str, dialect: Dialect) -> None:
    """Raise ApplicationNameError if no application can have that name, in dialects that refuse it at the call."""
    check_type("the name of a native application", name, str)
    if dialect.native_name_raises and not is_application_name(name, FAMILIES.get(dialect.name, "firefox")):
        raise bad_name(name)


def bad_name(name: str) -> ApplicationNameError:
    """Make the error for a name that no application can have."""
    text = f"{name!r} cannot be the name of a native application: letters, digits, underscores and single dots only."
    return ApplicationNameError(text, cause=Cause.BAD_NAME, application=name)


def check_folder(name: str, folder: Folder | None) -> None:
    """Raise TypeError unless ``folder`` is a path or None."""
    check_type(name, folder, (str, os.PathLike, type(None)))


def check_folders(folders: Sequence[Folder]) -> tuple[Path, ...]:
    """Return ``manifest_folders`` as absolute paths: an application starts in its own folder, not in its caller's."""
    check_list("manifest_folders", folders, "folders")
    found = tuple(folders)
    for folder in found:
        check_type("each of manifest_folders", folder, (str, os.PathLike))
    return tuple(Path(folder).absolute() for folder in found)
