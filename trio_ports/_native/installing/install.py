"""Install a native application for browsers, and uninstall it. Source: rules 40 and 42."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TypeAlias, final

import attrs

from ..._protocol.errors import ManifestError
from ..._protocol.manifests import (
    Family,
    NativeManifest,
    check_manifest,
    is_application_name,
    is_encoded_manifest,
    program_of,
)
from ..._protocol.places import BROWSERS, Places
from ..._util import check_list, check_type
from ..arguments import Folder, check_folder, check_folders
from ..browser_side.find import DEFAULT_BROWSERS, places_of, system_folders, user_folders
from ..registry import manifest_key, read_key, remove_key
from .files import FileChange, IsOurs, PlannedChange, WantedFile, carry_out, leave, place, register, take_away
from .launcher import check_words, is_launcher, launcher_text, words_of

_WINDOWS: Final = os.name == "nt"

Target: TypeAlias = tuple[Path, str | None]
"""A manifest, and the registry's key for it, on Windows."""


def install(
    name: str,
    command: str | Path | Sequence[str],
    *,
    description: str = "",
    allowed_extensions: Iterable[str] = (),
    allowed_origins: Iterable[str] = (),
    browsers: Sequence[str] | None = None,
    manifest_folders: Sequence[Folder] | None = None,
    launcher_folder: Folder | None = None,
    system: bool = False,
    dry_run: bool = False,
) -> list[FileChange]:
    """Write the manifests by which browsers find a native application; idempotent.

    A browser starts a single path, with next to no PATH. So a command of several words
    gets a launcher, a small script that names everything absolutely. Each file is
    replaced as a whole. If somebody else's file stands in the way, it is kept beside
    ours, as ``.trio-ports.bak``, until `uninstall`.

    Everything is checked before the first file is written.

    Args:
        name: the application's name.
        command: the absolute path of the program or script, or the words of a command,
            the first of them absolute. The program must exist.
        description: for people; the name unless given.
        allowed_extensions: ids of extensions of Firefox's family.
        allowed_origins: ``chrome-extension://ID/``, for Chromium's family.
        browsers: the browsers to install for: ``"firefox"``, ``"chrome"`` and so on.
            Unless given: Firefox if there are extensions, Chromium and Chrome if there
            are origins.
        manifest_folders: where to write the manifests, instead of the browsers' places:
            one file for both families.
        launcher_folder: where to write the launcher. Unless given: the first of
            ``manifest_folders``, or else a folder of the user's data, or of the
            system's.
        system: install for all users, not only for the one who calls.
        dry_run: only return what would be done; the changes are not `done`.

    Returns:
        What was done, the launcher first.

    Raises:
        ManifestError: a browser would refuse the manifest, or could not start the
            command; nothing was written.
        TypeError, ValueError: an argument is not as above, or there is no browser to
            install for.
        OSError: a file cannot be written. If others were written before, a note of the
            error says which.
    """
    destination = Destination(name, browsers, manifest_folders, launcher_folder, system)
    words = words_of(command)
    launcher = destination.launcher
    manifest = NativeManifest(
        name=name,
        description=description or name,
        path=os.fspath(launcher if len(words) > 1 else words[0]),
        allowed_extensions=allowed_extensions,
        allowed_origins=allowed_origins,
    )
    manifests = _manifests(manifest, destination)
    if not manifests:
        text = "give allowed_extensions, allowed_origins or both, and no empty list of browsers or manifest_folders"
        raise ValueError(f"there is no browser to install for: {text}")
    check_words(words, windows=_WINDOWS)
    plan: list[PlannedChange] = []
    if len(words) > 1:
        plan.append(place(WantedFile(launcher, launcher_text(words, windows=_WINDOWS), 0o755, is_launcher)))
    planned: dict[Path, PlannedChange] = {}
    for (file, key), theirs in manifests.items():
        wanted = WantedFile(file, theirs.encode(), 0o644, is_encoded_manifest, key, system)
        # On Windows several keys may name one file.
        step = planned.setdefault(file, place(wanted))
        if step.change.registered != key:
            step = PlannedChange(attrs.evolve(step.change, registered=key), functools.partial(register, wanted))
        plan.append(step)
    return carry_out(plan, dry_run=dry_run)


def _manifests(manifest: NativeManifest, destination: Destination) -> dict[Target, NativeManifest]:
    """Return where to write which manifest. Each is checked first, as the browsers will check it."""
    families: list[Family] = ["firefox"] if manifest.allowed_extensions else []
    if manifest.allowed_origins:
        families.append("chromium")
    if destination.manifest_folders is not None:
        for family in families:
            check_manifest(manifest, family, windows=_WINDOWS)
        return dict.fromkeys(destination.targets([]) if families else [], manifest)
    chosen = [each for family in families for each in DEFAULT_BROWSERS[family]]
    if destination.browsers is not None:
        chosen = [places_of(browser) for browser in destination.browsers]
    manifests: dict[Target, NativeManifest] = {}
    for places in chosen:
        # Without the list that only the other family reads.
        firefox = places.family == "firefox"
        theirs = (
            attrs.evolve(manifest, allowed_origins=()) if firefox else attrs.evolve(manifest, allowed_extensions=())
        )
        check_manifest(theirs, places.family, windows=_WINDOWS)
        for target in destination.targets([places])[:1]:
            manifests[target] = theirs
    return manifests


def uninstall(
    name: str,
    *,
    browsers: Sequence[str] | None = None,
    manifest_folders: Sequence[Folder] | None = None,
    launcher_folder: Folder | None = None,
    system: bool = False,
    dry_run: bool = False,
) -> list[FileChange]:
    """Remove an application's manifests and its launcher, wherever `install` put them; idempotent.

    What `install` did not write is left, and files that it replaced come back. The
    launcher is left as long as a manifest in one of the known places names it. Folders
    that `install` made are removed too, once they are empty.

    Args:
        name: the application's name.
        browsers: the browsers whose places are cleared; all in the table unless given.
        manifest_folders: folders that are cleared instead of the browsers' places.
        launcher_folder: as for `install`.
        system: remove what was installed for all users.
        dry_run: only return what would be done; the changes are not `done`.

    Returns:
        What was done, and what was left.

    Raises:
        ManifestError: no application can have that name.
        TypeError, ValueError: an argument is not as above.
        OSError: a file cannot be removed. If others were removed before, a note of the
            error says which.
    """
    destination = Destination(name, browsers, manifest_folders, launcher_folder, system)
    launcher = destination.launcher
    places = [places_of(browser) for browser in (BROWSERS if browsers is None else browsers)]

    def is_ours(data: bytes) -> bool:
        return is_encoded_manifest(data) or program_of(data) == str(launcher)

    targets = destination.targets(places)
    plan: list[PlannedChange] = []
    for file in dict.fromkeys(file for file, _ in targets):
        plan += _removal(destination, file, [key for each, key in targets if each == file and key], is_ours)
    going = {planned.change.file for planned in plan if planned.change.action != "left"}
    removal = take_away(launcher, is_launcher)
    if removal is not None and removal.change.action != "left":
        everywhere = [_targets(name, [*BROWSERS.values()], system=each) for each in (True, False)]
        known = itertools.chain(targets, *everywhere)
        needed = any(_names(file, launcher) for file in {file for file, _ in known} - going)
        plan.append(leave(launcher) if needed else removal)
    return carry_out(plan, dry_run=dry_run)


def _removal(destination: Destination, file: Path, keys: Sequence[str], is_ours: IsOurs) -> list[PlannedChange]:
    """Plan to remove a manifest, and on Windows the keys that name it. It stays as long as another key names it."""
    system = destination.system
    removal = take_away(file, is_ours)
    if removal is not None and removal.change.action == "left":
        return [removal]
    plan = [
        PlannedChange(FileChange(file, "removed", key), functools.partial(remove_key, key, system=system))
        for key in dict.fromkeys(keys)
        if read_key(key, system=system) == str(file)
    ]
    known = {key for _, key in _targets(destination.name, [*BROWSERS.values()], system=system) if key is not None}
    others = {(key, root) for key in known for root in (True, False)} - {(key, system) for key in keys}
    if any(read_key(key, system=root) == str(file) for key, root in others):
        removal = leave(file)
    if removal is not None:
        plan.append(removal)
    return plan


def _names(file: Path, program: Path) -> bool:
    """Return whether a manifest names that program; one that cannot be read does not."""
    with contextlib.suppress(OSError):
        return file.is_file() and program_of(file.read_bytes()) == str(program)
    return False


# Where an application is installed --------------------------------------------------------------------------------


@final
@attrs.frozen
class Destination:
    """Where an application is installed, as the caller of `install` or `uninstall` says; what they say is checked."""

    name: str
    browsers: Sequence[str] | None
    manifest_folders: Sequence[Folder] | None
    launcher_folder: Folder | None
    system: bool

    def __attrs_post_init__(self) -> None:
        check_type("name", self.name, str)
        if not is_application_name(self.name, "firefox"):  # It could lead out of the folders.
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


def _targets(name: str, places: Sequence[Places], *, system: bool) -> list[Target]:
    """Return where browsers look for a manifest of that name, in their places for all users or for one."""
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
