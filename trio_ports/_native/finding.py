"""Finding a native application's manifest, as each browser does. Source: rules 37, 40, 41 and 42."""

from __future__ import annotations

import importlib
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from .._protocol.errors import ApplicationNameError, Cause, ManifestError, NativeApplicationError
from .._protocol.manifests import Family, NativeManifest, family_of, is_application_name, read_manifest
from .._protocol.places import BROWSERS, CHROME, CHROMIUM, FIREFOX, Places
from .._util import check_list, check_type

Folder: TypeAlias = str | os.PathLike[str]

DEFAULT_BROWSERS: Final[dict[str, tuple[Places, ...]]] = {"firefox": (FIREFOX,), "chromium": (CHROMIUM, CHROME)}
"""Where a family's manifests are looked for unless somebody names a browser."""

_WINDOWS: Final = os.name == "nt"
_CONFIG: Final = ".config/"
_MOST_MANIFEST_BYTES: Final = 1024 * 1024


def find_manifest(
    name: str,
    *,
    extension_id: str,
    browser: str | None = None,
    manifest_folders: Sequence[Folder] | None = None,
) -> NativeManifest:
    """Find the manifest of a native application that an extension may start, as a browser does.

    Args:
        name: of the application.
        extension_id: of the extension: 32 letters from a to p are looked up as Chromium does, anything else as Firefox.
        browser: whose places are searched: ``"firefox"``, ``"chrome"``, ``"chromium"``, ``"edge"`` and so on; Firefox,
            or Chromium and then Chrome, unless given.
        manifest_folders: searched instead of anybody's places, in their order.

    Raises:
        NativeApplicationError: there is none, or it is not valid, or it does not allow the extension; the cause says
            which, the text what to mend. From a ManifestError where a rule is broken.
        TypeError, ValueError: for arguments that are not as above.
    """
    check_type("name", name, str)
    check_type("extension_id", extension_id, str)
    if not extension_id:
        raise ValueError("extension_id must not be empty")
    family = family_of(extension_id)
    if browser is not None:
        family = places_of(browser).family
    return search(name, extension_id, family, files_of(name, family, browser, manifest_folders))


def files_of(
    name: str, family: Family, browser: str | None = None, manifest_folders: Sequence[Folder] | None = None
) -> Iterator[Path]:
    """Return where the manifest may be, in the order of the search."""
    if manifest_folders is not None:
        return iter([folder / f"{name}.json" for folder in check_folders(manifest_folders)])
    places = (BROWSERS[browser],) if browser is not None else DEFAULT_BROWSERS[family]
    if _WINDOWS:
        return _registered_files(name, places)
    return (folder / f"{name}.json" for folder in (*user_folders(places), *system_folders(places)))


def places_of(browser: str) -> Places:
    """Return where a browser looks; TypeError or ValueError for one that is not known."""
    check_type("browser", browser, str)
    if browser not in BROWSERS:
        raise ValueError(f"browser must be one of {', '.join(BROWSERS)}, not {browser!r}")
    return BROWSERS[browser]


def check_folders(folders: Sequence[Folder]) -> list[Path]:
    """Return the folders, seen from the root: an application is started in another folder than its caller's.

    Raises:
        TypeError: for one folder in the place of a list, which would be a list of letters, and for what is no folder.
    """
    check_list("manifest_folders", folders, "folders")
    found = [*folders]
    for folder in found:
        check_type("each of manifest_folders", folder, (str, os.PathLike))
    return [Path(folder).absolute() for folder in found]


def user_folders(places: Sequence[Places]) -> list[Path]:
    """Return the user's own folders, on any system but Windows."""
    home = Path.home()
    if sys.platform == "darwin":
        return [home / "Library" / "Application Support" / each for place in places for each in place.mac_user]
    # Browsers of Chromium's family ask for the folder of settings; it takes the place of the default, .config.
    config = os.environ.get("XDG_CONFIG_HOME", "")
    return [
        Path(config, each.removeprefix(_CONFIG)) if config and each.startswith(_CONFIG) else home / each
        for place in places
        for each in place.linux_user
    ]


def system_folders(places: Sequence[Places]) -> list[Path]:
    """Return the folders for all users, on any system but Windows."""
    if sys.platform == "darwin":
        return [Path(each) for place in places for each in place.mac_system]
    return [Path(each) for place in places for each in place.linux_system]


def _registered_files(name: str, places: Sequence[Places]) -> Iterator[Path]:
    """Return the files that the registry names: the user's, then the machine's."""
    winreg: Any = importlib.import_module("winreg")
    for root in (winreg.HKEY_CURRENT_USER, winreg.HKEY_LOCAL_MACHINE):
        for place in places:
            for key in place.windows_keys:
                try:
                    yield Path(winreg.QueryValue(root, rf"Software\{key}\{name}"))
                except OSError:
                    continue  # No such key.


def search(name: str, extension_id: str, family: Family, files: Iterator[Path]) -> NativeManifest:
    """Return the manifest that a browser of that family would choose among ``files``, or raise why there is none."""
    if not is_application_name(name, family):
        raise bad_name(name)
    failure: NativeApplicationError | None = None
    looked: list[str] = []
    for file in files:
        looked.append(str(file.parent))
        try:
            kind = file.stat().st_mode
        except OSError:
            continue  # Nobody can see a file there, for whatever reason: browsers look further.
        try:
            manifest = _read(file, kind, name, family)
        except (OSError, ManifestError) as error:
            text = f"{file} is no manifest that a browser accepts: {error}"
            found = NativeApplicationError(text, cause=Cause.MANIFEST_INVALID, application=name)
            found.__cause__ = error
        else:
            if manifest.allows(extension_id, family):
                return manifest
            field = "allowed_extensions" if family == "firefox" else "allowed_origins"
            text = f"{file} does not let {extension_id!r} start the application; add it to {field}."
            found = NativeApplicationError(text, cause=Cause.NOT_ALLOWED, application=name)
        # Firefox goes on to the next place, Chromium stays with the first file that exists.
        failure = failure or found
        if family == "chromium":
            break
    if failure is not None:
        raise failure
    nowhere = " in the registry" if _WINDOWS else ": there is no folder to look in"
    places = f" in any of: {', '.join(looked)}" if looked else nowhere
    text = f"There is no manifest {name}.json{places}."
    raise NativeApplicationError(text, cause=Cause.MANIFEST_NOT_FOUND, application=name)


def bad_name(name: str) -> ApplicationNameError:
    """Make the error for a name that no application can have."""
    text = f"{name!r} cannot be the name of a native application: letters, digits, underscores and single dots only."
    return ApplicationNameError(text, cause=Cause.BAD_NAME, application=name)


def _read(file: Path, kind: int, name: str, family: Family) -> NativeManifest:
    if not stat.S_ISREG(kind):  # Reading from a pipe would wait for whoever writes.
        raise ManifestError(field="", value=stat.filemode(kind), rule="must be a regular file")
    with file.open("rb") as opened:
        data = opened.read(_MOST_MANIFEST_BYTES)
    manifest = read_manifest(data, family, name=name, windows=_WINDOWS)
    return attrs.evolve(manifest, path=str(file.parent / manifest.path) if _WINDOWS else manifest.path, file=file)
