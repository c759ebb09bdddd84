"""Where an application is installed: its manifests, its launcher, and on Windows the registry's keys."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias, final

import attrs

from ..._protocol.errors import ManifestError
from ..._protocol.manifests import is_application_name
from ..._protocol.places import BROWSERS, Places
from ..._util import check_list, check_type
from ..arguments import Folder, check_folder, check_folders
from ..browser_side.find import system_folders, user_folders
from ..registry import manifest_key

_WINDOWS: Final = os.name == "nt"

Target: TypeAlias = tuple[Path, str | None]
"""A manifest, and the registry's key for it, on Windows."""


@final
@attrs.frozen
class Destination:
    """Where an application is installed, as the caller of `install` or `uninstall` says.

    Raises:
        ManifestError: the name would lead out of the folders.
        TypeError: there is a single text or path instead of a list, or something that
            is not a path.
    """

    name: str
    browsers: Sequence[str] | None
    manifest_folders: Sequence[Folder] | None
    launcher_folder: Folder | None
    system: bool

    def __attrs_post_init__(self) -> None:
        check_type("name", self.name, str)
        if not is_application_name(self.name, "firefox"):
            rule = "must be letters, digits, underscores and single dots"
            raise ManifestError(field="name", value=self.name, rule=rule)
        if self.browsers is not None:
            check_list("browsers", self.browsers, "names")
        if self.manifest_folders is not None:
            check_folders(self.manifest_folders)
        check_folder("launcher_folder", self.launcher_folder)

    @property
    def launcher(self) -> Path:
        """The launcher's path."""
        file = f"{self.name}.bat" if _WINDOWS else self.name
        folder = self.launcher_folder
        if folder is None and self.manifest_folders:
            folder = self.manifest_folders[0]
        return (_data_folder(system=self.system) if folder is None else Path(folder)).absolute() / file

    def targets(self, places: Sequence[Places]) -> list[Target]:
        """Return where the manifests belong: in the caller's folders, or in those places of browsers."""
        if self.manifest_folders is not None:
            return [(Path(folder).absolute() / f"{self.name}.json", None) for folder in self.manifest_folders]
        return _targets(self.name, places, system=self.system)

    def known_targets(self, *, system: bool) -> list[Target]:
        """Return where any browser in the table would look for a manifest of that name."""
        return _targets(self.name, [*BROWSERS.values()], system=system)


def _targets(name: str, places: Sequence[Places], *, system: bool) -> list[Target]:
    if _WINDOWS:
        folder = _data_folder(system=system)
        return [
            (folder / place.family / f"{name}.json", manifest_key(place.windows_keys[0], name))
            for place in places
            if place.windows_keys
        ]
    folders = system_folders(places) if system else user_folders(places)
    return [(folder / f"{name}.json", None) for folder in folders]


def _data_folder(*, system: bool) -> Path:
    """Return where launchers live, and on Windows the manifests too; what is for all users must be readable by all."""
    import platformdirs

    if not system:
        return platformdirs.user_data_path("trio-ports", appauthor=False)
    if _WINDOWS:
        return platformdirs.site_data_path("trio-ports", appauthor=False)
    # platformdirs would return the first of XDG_DATA_DIRS, which may be a folder of the
    # user's own.
    return Path("/Library/Application Support" if sys.platform == "darwin" else "/usr/local/share", "trio-ports")
