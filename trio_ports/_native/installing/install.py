"""Install a native application for browsers, and uninstall it. Source: rules 40 and 42."""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias, final

import attrs

from ..._protocol.errors import ManifestError, NoHomeError
from ..._protocol.manifests import (
    Family,
    NativeManifest,
    check_manifest,
    is_application_name,
    program_of,
)
from ..._protocol.places import BROWSERS, HOSTS, Places
from ..._util import check_list, check_type
from ..arguments import Folder, check_folder, check_folders
from ..browser_side.find import DEFAULT_BROWSERS, home_folder, places_of, system_folders, user_folders
from ..browser_side.present import is_present
from ..registry import has_key, manifest_key, read_key, remove_key
from .command import check_words, words_of
from .files import (
    MARK,
    FileChange,
    PlannedChange,
    WantedFile,
    carry_out,
    is_recorded,
    leave,
    place,
    read,
    register,
    sweep,
    take_away,
)
from .launcher import (
    check_executable_folder,
    check_variables,
    is_launcher,
    launcher_text,
    manifests_of,
)

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
    user_data_dir: Folder | None = None,
    launcher_folder: Folder | None = None,
    env: Mapping[str, str] | None = None,
    present_only: bool = False,
    system: bool = False,
    dry_run: bool = False,
) -> list[FileChange]:
    """Write the manifests by which browsers find a native application; idempotent.

    A browser starts a single path, with next to no PATH. So a command of several words,
    or one with variables, gets a launcher, a small script that names everything
    absolutely. Each file is replaced as a whole. If somebody else's file stands in the
    way, it is kept beside ours, as ``.trio-ports.bak``, until `uninstall`. A link that
    leads to the right content is left as it is.

    Everything is checked before the first file is written.

    Args:
        name: the application's name.
        command: the absolute path of the program or script, or the words of a command,
            the first of them absolute. The program must exist, in a place that stays:
            not in an AppImage's mount, or in a cache of ``uvx``, ``pipx run`` or
            ``npx``. A script must have an interpreter that exists.
        description: for people; the name unless given.
        allowed_extensions: ids of extensions of Firefox's family.
        allowed_origins: ``chrome-extension://ID/``, for Chromium's family.
        browsers: the browsers to install for: ``"firefox"``, ``"chrome"`` and so on.
            Unless given: Firefox if there are extensions, Chromium and Chrome if there
            are origins.
        manifest_folders: where to write the manifests, instead of the browsers' places:
            one file for both families.
        user_data_dir: the folder of a browser of Chromium's family that was started
            with ``--user-data-dir``, or that is not in the table; the manifest goes
            into its ``NativeMessagingHosts``. Not on Windows, where the registry counts.
        launcher_folder: where to write the launcher. Unless given: the first of
            ``manifest_folders``, or else a folder of the user's data, or of the
            system's.
        env: variables that the launcher sets for the program.
        present_only: leave out browsers that are not there: those without a folder of
            their own and without a program on the PATH, or on Windows without a registry
            key. Otherwise the main channel
            of each browser gets its manifest in any case, and beta and nightly channels
            if they are there.
        system: install for all users, not only for the one who calls.
        dry_run: only return what would be done; the changes are not `done`.

    Returns:
        What was done, the launcher first; nothing if no browser is ``present_only``.

    Raises:
        ManifestError: a browser would refuse the manifest, or could not start the
            command; nothing was written.
        TypeError, ValueError: an argument is not as above, or there is no browser to
            install for.
        NoHomeError: the user has no home folder, and no folders were given.
        OSError: a file cannot be written. If others were written before, a note of the
            error says which. PermissionError: root would write into another user's
            home, as under a ``sudo`` that keeps HOME; nothing was written.
    """
    destination = Destination(name, browsers, _folders(manifest_folders, user_data_dir), launcher_folder, system)
    words = words_of(command)
    variables: Mapping[str, str] = {} if env is None else env
    check_variables(variables, windows=_WINDOWS)
    launcher = destination.launcher
    has_launcher = len(words) > 1 or bool(variables)
    manifest = NativeManifest(
        name=name,
        description=description or name,
        path=os.fspath(launcher if has_launcher else words[0]),
        allowed_extensions=allowed_extensions,
        allowed_origins=allowed_origins,
    )
    manifests = _manifests(manifest, destination, present_only=present_only)
    check_words(words, windows=_WINDOWS)
    destination.check_owner()
    plan: list[PlannedChange] = []
    if has_launcher and manifests:
        check_executable_folder(launcher.parent)
        before = [file for file in _listed(launcher) if os.path.lexists(file)]
        listed = dict.fromkeys([*before, *(file for file, _ in manifests)])
        text = launcher_text(words, windows=_WINDOWS, env=variables, manifests=listed)
        plan.append(place(WantedFile(launcher, text, 0o755, is_launcher, system=system)))
    planned: dict[Path, PlannedChange] = {}
    for (file, key), theirs in manifests.items():
        # What somebody has edited may be named by our launcher, and is kept all the same.
        wanted = WantedFile(file, theirs.encode(), 0o644, functools.partial(is_recorded, file), key, system)
        # On Windows several keys may name one file.
        step = planned.setdefault(file, place(wanted))
        if step.change.registered != key:
            step = PlannedChange(attrs.evolve(step.change, registered=key), functools.partial(register, wanted))
        plan.append(step)
    return carry_out(plan, dry_run=dry_run)


def _manifests(
    manifest: NativeManifest, destination: Destination, *, present_only: bool
) -> dict[Target, NativeManifest]:
    """Return where to write which manifest. Each is checked first, as the browsers will check it."""
    families: list[Family] = ["firefox"] if manifest.allowed_extensions else []
    if manifest.allowed_origins:
        families.append("chromium")
    given = (destination.browsers, destination.manifest_folders)
    if not families or any(each is not None and not [*each] for each in given):
        text = "give allowed_extensions, allowed_origins or both, and no empty list of browsers or manifest_folders"
        raise ValueError(f"there is no browser to install for: {text}")
    if destination.manifest_folders is not None:
        for family in families:
            check_manifest(manifest, family, windows=_WINDOWS)
        return dict.fromkeys(destination.targets([]), manifest)
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
        for target in _chosen(destination, places, present_only=present_only):
            manifests[target] = theirs
    return manifests


def _chosen(destination: Destination, places: Places, *, present_only: bool) -> list[Target]:
    """Return where to write a browser's manifest: in its main place, and in its others if they are there."""
    targets = destination.targets([places])
    if not present_only:
        return targets[:1] + [target for target in targets[1:] if target[0].parent.parent.is_dir()]
    present = [target for target in targets if _is_browsers(*target)]
    return present or (targets[:1] if is_present(places) else [])


def _is_browsers(file: Path, key: str | None) -> bool:
    """Return whether a browser looks for this manifest: there is more of it than a folder that others have made."""
    if key is not None:
        return has_key(key.rsplit("\\", 2)[0])
    with contextlib.suppress(OSError):
        return {*file.parent.parent.iterdir()} - {file.parent.with_name(MARK)} != {file.parent}
    return False


def uninstall(
    name: str,
    *,
    browsers: Sequence[str] | None = None,
    manifest_folders: Sequence[Folder] | None = None,
    user_data_dir: Folder | None = None,
    launcher_folder: Folder | None = None,
    system: bool = False,
    dry_run: bool = False,
) -> list[FileChange]:
    """Remove an application's manifests and its launcher, wherever `install` put them; idempotent.

    What `install` did not write is left, and files that it replaced come back. A
    launcher is found where a manifest names it, whatever the environment says now. It
    is left as long as another manifest names it, in one of the known places or where
    `install` put one. Folders that `install` made are removed too, once they are empty.

    Args:
        name: the application's name.
        browsers: the browsers whose places are cleared; all in the table unless given.
        manifest_folders: folders that are cleared instead of the browsers' places.
        user_data_dir: as for `install`.
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
    destination = Destination(name, browsers, _folders(manifest_folders, user_data_dir), launcher_folder, system)
    places = [places_of(browser) for browser in (BROWSERS if browsers is None else browsers)]
    targets = destination.targets(places, anywhere=True)
    if browsers is None and destination.manifest_folders is None:
        # Backwards, as the folders that were made first can only go last.
        listed = reversed(_listed(destination.launcher))
        targets += [(file, None) for file in listed if file.name == f"{name}.json"]
    plan: list[PlannedChange] = []
    launchers = {destination.launcher: None}
    files = dict.fromkeys(file for file, _ in targets)
    for file in files:
        named = destination.launcher_of(file)
        removals = _removal(destination, file, [key for each, key in targets if each == file and key])
        if named is not None and any(removal.change.action != "left" for removal in removals):
            launchers[named] = None
        plan += removals
    going = {planned.change.file for planned in plan if planned.change.action != "left"}
    everywhere = [_targets(name, [*BROWSERS.values()], system=each, anywhere=True) for each in (True, False)]
    known = {*files, *(file for file, _ in itertools.chain(*everywhere))}
    for launcher in launchers:
        removal = take_away(launcher, is_launcher)
        if removal is not None and removal.change.action != "left":
            others = {*known, *_listed(launcher)} - going
            needed = any(destination.launcher_of(file) == launcher for file in others)
            plan.append(leave(launcher) if needed else removal)
    changes = carry_out(plan, dry_run=dry_run)
    if not dry_run:
        for file in (*files, *launchers):
            sweep(file, after_all=True)
    return changes


def _removal(destination: Destination, file: Path, keys: Sequence[str]) -> list[PlannedChange]:
    """Plan to remove a manifest, and on Windows the keys that name it. It stays as long as another key names it."""
    system = destination.system

    removal = take_away(file, functools.partial(destination.is_ours, file))
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


def _listed(launcher: Path) -> list[Path]:
    """Return the manifests that were written together with a launcher of ours; none if there is no such launcher."""
    text = _text(launcher)
    return manifests_of(text) if is_launcher(text) else []


def _text(file: Path) -> bytes:
    """Return a file's content; nothing if it cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        if file.is_file():  # Reading from a pipe would wait until somebody writes to it.
            return read(file)
    return b""


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

    def check_owner(self) -> None:
        """Raise PermissionError if root's files would get into the home of a user, who could not change them then."""
        if _WINDOWS or os.geteuid() != 0 or self.system or self.manifest_folders is not None:
            return
        home = home_folder()
        if home.is_dir() and home.stat().st_uid != 0:
            text = "This home is another user's, whom root's files would lock out; install as that user, or system=True"
            raise PermissionError(errno.EPERM, text, str(home))

    @property
    def launcher(self) -> Path:
        """The launcher's path."""
        file = f"{self.name}.bat" if _WINDOWS else self.name
        folder = self.launcher_folder
        if folder is None and self.manifest_folders:
            folder = self.manifest_folders[0]
        return (_data_folder(system=self.system) if folder is None else Path(folder)).absolute() / file

    def launcher_of(self, file: Path) -> Path | None:
        """Return the launcher of ours that a manifest names, if it can be read."""
        return self.launcher_named(file, _text(file))

    def launcher_named(self, file: Path, data: bytes) -> Path | None:
        """Return the launcher of ours, for this application, that a manifest with that content names."""
        program = file.parent / (program_of(data) or "")
        return program if program.name == self.launcher.name and is_launcher(_text(program)) else None

    def is_ours(self, file: Path, data: bytes) -> bool:
        """Return whether `install` wrote a manifest with that content, even if somebody has edited it since."""
        return is_recorded(file, data) or self.launcher_named(file, data) is not None

    def targets(self, places: Sequence[Places], *, anywhere: bool = False) -> list[Target]:
        """Return where the manifests belong: in the caller's folders, or in those places of browsers."""
        if self.manifest_folders is not None:
            return [(Path(folder).absolute() / f"{self.name}.json", None) for folder in self.manifest_folders]
        return _targets(self.name, places, system=self.system, anywhere=anywhere)


def _folders(manifest_folders: Sequence[Folder] | None, user_data_dir: Folder | None) -> Sequence[Folder] | None:
    """Return the caller's folders for manifests; a profile of Chromium's family has one of its own."""
    check_folder("user_data_dir", user_data_dir)
    if user_data_dir is None:
        return manifest_folders
    if manifest_folders is not None:
        raise ValueError("give manifest_folders or user_data_dir, not both")
    return [Path(user_data_dir, HOSTS)]


def _targets(name: str, places: Sequence[Places], *, system: bool, anywhere: bool = False) -> list[Target]:
    """Return where browsers look for a manifest of that name, in their places for all users or for one."""
    if _WINDOWS:
        folder = _data_folder(system=system)
        return [
            (folder / place.family / f"{name}.json", manifest_key(place.windows_keys[0], name))
            for place in places
            if place.windows_keys
        ]
    folders = system_folders(places) if system else user_folders(places, anywhere=anywhere)
    return [(folder / f"{name}.json", None) for folder in folders]


def _data_folder(*, system: bool) -> Path:
    """Return where launchers live, and on Windows the manifests too; what is for all users must be readable by all."""
    import platformdirs

    if not system:
        try:
            return platformdirs.user_data_path("trio-ports", appauthor=False)
        except RuntimeError:
            raise NoHomeError from None
    if _WINDOWS:
        return platformdirs.site_data_path("trio-ports", appauthor=False)
    # platformdirs would return the first of XDG_DATA_DIRS, which may be a folder of the
    # user's own.
    return Path("/Library/Application Support" if sys.platform == "darwin" else "/usr/local/share", "trio-ports")
