"""Writing what browsers need to find a native application, and removing it. Source: rules 40 and 42."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import attrs

from .._protocol.errors import ManifestError
from .._protocol.manifests import (
    Family,
    NativeManifest,
    check_manifest,
    is_application_name,
    is_encoded_manifest,
    program_of,
)
from .._protocol.places import BROWSERS, Places
from .._util import check_list, check_type
from .finding import DEFAULT_BROWSERS, Folder, check_folders, places_of, system_folders, user_folders
from .launchers import check_words, is_launcher, launcher_text, words_of
from .placing import (
    Change,
    IsOurs,
    Item,
    Step,
    carry_out,
    do_nothing,
    is_registered,
    place,
    register,
    take_away,
    unregister,
)

_WINDOWS: Final = os.name == "nt"


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
) -> list[Change]:
    """Write the manifests by which browsers find a native application; idempotent.

    A browser gives an application next to no PATH, and only one path to call it by. So a command of several words gets
    a launcher, a small script that names everything absolutely. Each file is replaced as a whole; what stood there and
    was somebody else's is kept beside it, as ``.trio-ports.bak``, until `uninstall`.

    Everything is checked before the first file is written.

    Args:
        name: of the application.
        command: the program's absolute path, or the words of a command, the first of them absolute; a script, too. The
            program must be there.
        description: for people; the name unless given.
        allowed_extensions: ids of extensions of Firefox's family.
        allowed_origins: ``chrome-extension://ID/``, for Chromium's family.
        browsers: for whom: ``"firefox"``, ``"chrome"`` and so on; Firefox if there are extensions, Chromium and Chrome
            if there are origins, unless given.
        manifest_folders: where to write the manifests, instead of the browsers' places: one file for both families.
        launcher_folder: where to write the launcher; unless given, the first of ``manifest_folders``, or else a folder
            of the user's data, or of the system's.
        system: install for all users, instead of the one who calls.
        dry_run: only say what would be done; the changes are not `done`.

    Returns:
        What was done, the launcher first.

    Raises:
        ManifestError: one of the browsers would refuse the manifest, or could not start the command; nothing was
            written.
        TypeError, ValueError: for arguments that are not as above, or if there is nobody to install for.
        OSError: a file cannot be written. If others were written before, a note of the error says which.
    """
    _check(name, browsers, manifest_folders, launcher_folder)
    words = words_of(command)
    launcher = _launcher_path(name, launcher_folder, manifest_folders, system=system)
    manifest = NativeManifest(
        name=name,
        description=description or name,
        path=os.fspath(launcher if len(words) > 1 else words[0]),
        allowed_extensions=allowed_extensions,
        allowed_origins=allowed_origins,
    )
    targets = _targets(manifest, browsers, manifest_folders, system)
    if not targets:
        text = "give allowed_extensions, allowed_origins or both, and no empty list of browsers or manifest_folders"
        raise ValueError(f"there is nobody to install for: {text}")
    check_words(words, windows=_WINDOWS)
    steps: list[Step] = []
    if len(words) > 1:
        steps.append(place(Item(launcher, launcher_text(words, windows=_WINDOWS), 0o755, is_launcher)))
    planned: dict[Path, Step] = {}
    for (file, key), theirs in targets.items():
        item = Item(file, theirs.encode(), 0o644, is_encoded_manifest, key, system)
        # On Windows several keys may name one file.
        step = planned.setdefault(file, place(item))
        if step.change.registered != key:
            step = Step(attrs.evolve(step.change, registered=key), functools.partial(register, item))
        steps.append(step)
    return carry_out(steps, dry_run=dry_run)


def uninstall(
    name: str,
    *,
    browsers: Sequence[str] | None = None,
    manifest_folders: Sequence[Folder] | None = None,
    launcher_folder: Folder | None = None,
    system: bool = False,
    dry_run: bool = False,
) -> list[Change]:
    """Remove an application's manifests and its launcher, wherever `install` put them; idempotent.

    What `install` did not write is left, and what it found in a file's place comes back. The launcher is left as long
    as a manifest in one of the known places names it. Folders that `install` had to make go too, once they are empty.

    Args:
        name: of the application.
        browsers: from whose places; all that are in the table unless given.
        manifest_folders: from where, instead of the browsers' places.
        launcher_folder: as for `install`.
        system: what was installed for all users.
        dry_run: only say what would be done; the changes are not `done`.

    Returns:
        What was done, and what was left.

    Raises:
        ManifestError: no application can have that name.
        TypeError, ValueError: for arguments that are not as above.
        OSError: a file cannot be removed. If others were removed before, a note of the error says which.
    """
    _check(name, browsers, manifest_folders, launcher_folder)
    launcher = _launcher_path(name, launcher_folder, manifest_folders, system=system)
    places = [places_of(browser) for browser in (BROWSERS if browsers is None else browsers)]

    def is_ours(data: bytes) -> bool:
        return is_encoded_manifest(data) or program_of(data) == str(launcher)

    files = _files(name, places, manifest_folders, system)
    steps: list[Step] = []
    for file in dict.fromkeys(file for file, _ in files):
        steps += _removal(name, file, [key for each, key in files if each == file and key], is_ours, system)
    going = {step.change.file for step in steps if step.change.action != "left"}
    action, remove = take_away(launcher, is_launcher)
    if action not in (None, "left"):
        known = {file for each in (True, False) for file, _ in _files(name, list(BROWSERS.values()), None, each)}
        if any(_names(file, launcher) for file in {*known, *(file for file, _ in files)} - going):
            action, remove = "left", do_nothing
        steps.append(Step(Change(launcher, action), remove))
    return carry_out(steps, dry_run=dry_run)


def _check(
    name: str,
    browsers: Sequence[str] | None,
    manifest_folders: Sequence[Folder] | None,
    launcher_folder: Folder | None,
) -> None:
    """Raise for a name that would lead out of the folders, and for one text or path in the place of a list."""
    check_type("name", name, str)
    if not is_application_name(name, "firefox"):
        raise ManifestError(field="name", value=name, rule="must be letters, digits, underscores and single dots")
    if browsers is not None:
        check_list("browsers", browsers, "names")
    if manifest_folders is not None:
        check_folders(manifest_folders)
    check_type("launcher_folder", launcher_folder, (str, os.PathLike, type(None)))


def _removal(name: str, file: Path, keys: Sequence[str], is_ours: IsOurs, system: bool) -> list[Step]:
    """Plan to remove a manifest, and on Windows the keys that name it: it stays as long as another key does."""
    action, remove = take_away(file, is_ours)
    if action == "left":
        return [Step(Change(file, action), remove)]
    steps = [
        Step(Change(file, "removed", key), functools.partial(unregister, key, system=system))
        for key in dict.fromkeys(keys)
        if is_registered(key, file, system=system)
    ]
    known = {key for _, key in _files(name, list(BROWSERS.values()), None, system) if key is not None}
    others = {(key, root) for key in known for root in (True, False)} - {(key, system) for key in keys}
    if any(is_registered(key, file, system=root) for key, root in others):
        action, remove = "left", do_nothing
    if action is not None:
        steps.append(Step(Change(file, action), remove))
    return steps


def _names(file: Path, program: Path) -> bool:
    """Say whether a manifest names that program; one that cannot be read does not."""
    with contextlib.suppress(OSError):
        return file.is_file() and program_of(file.read_bytes()) == str(program)
    return False


def _targets(
    manifest: NativeManifest,
    browsers: Sequence[str] | None,
    manifest_folders: Sequence[Folder] | None,
    system: bool,
) -> dict[tuple[Path, str | None], NativeManifest]:
    """Return where to write which manifest, and the registry's key for it.

    What is written is checked first, as the browsers will check it.
    """
    families: list[Family] = []
    if manifest.allowed_extensions:
        families.append("firefox")
    if manifest.allowed_origins:
        families.append("chromium")
    if manifest_folders is not None:
        for family in families:
            check_manifest(manifest, family, windows=_WINDOWS)
        return dict.fromkeys(_files(manifest.name, [], manifest_folders, system) if families else [], manifest)
    chosen = [each for family in families for each in DEFAULT_BROWSERS[family]]
    if browsers is not None:
        chosen = [places_of(browser) for browser in browsers]
    targets: dict[tuple[Path, str | None], NativeManifest] = {}
    for places in chosen:
        theirs = _for_family(manifest, places.family)
        check_manifest(theirs, places.family, windows=_WINDOWS)
        for target in _files(manifest.name, [places], None, system)[:1]:
            targets[target] = theirs
    return targets


def _for_family(manifest: NativeManifest, family: Family) -> NativeManifest:
    """Return the manifest without what only the other family reads."""
    if family == "firefox":
        return attrs.evolve(manifest, allowed_origins=())
    return attrs.evolve(manifest, allowed_extensions=())


def _files(
    name: str, places: Sequence[Places], manifest_folders: Sequence[Folder] | None, system: bool
) -> list[tuple[Path, str | None]]:
    """Return where manifests of that name belong, and the registry's keys for them."""
    if manifest_folders is not None:
        return [(Path(folder).absolute() / f"{name}.json", None) for folder in manifest_folders]
    if _WINDOWS:
        return [
            (_data_folder(system=system) / place.family / f"{name}.json", rf"Software\{place.windows_keys[0]}\{name}")
            for place in places
            if place.windows_keys
        ]
    folders = system_folders(places) if system else user_folders(places)
    return [(folder / f"{name}.json", None) for folder in folders]


def _data_folder(*, system: bool) -> Path:
    """Return where launchers live, and on Windows the manifests too: what is for all users must be where all read."""
    import platformdirs

    if not system:
        return platformdirs.user_data_path("trio-ports", appauthor=False)
    if _WINDOWS:
        return platformdirs.site_data_path("trio-ports", appauthor=False)
    # Not what platformdirs has here: the first of XDG_DATA_DIRS, which may be a folder of the user's.
    return Path("/Library/Application Support" if sys.platform == "darwin" else "/usr/local/share", "trio-ports")


def _launcher_path(
    name: str, folder: Folder | None, manifest_folders: Sequence[Folder] | None, *, system: bool
) -> Path:
    file = f"{name}.bat" if _WINDOWS else name
    if folder is None and manifest_folders:
        folder = manifest_folders[0]
    return (_data_folder(system=system) if folder is None else Path(folder)).absolute() / file
