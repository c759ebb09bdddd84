"""Find a native application's manifest, as each browser does. Source: rules 37, 40, 41 and 42."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, final

import attrs

from ..._protocol.errors import Cause, ManifestError, NativeApplicationError, NoHomeError
from ..._protocol.manifests import Family, NativeManifest, family_of, is_application_name, list_of, read_manifest
from ..._protocol.places import BROWSERS, CHROME, CHROMIUM, FIREFOX, Places
from ..._util import check_type
from ..arguments import Folder, bad_name, check_folders
from ..registry import manifest_key, read_key

DEFAULT_BROWSERS: Final[dict[str, tuple[Places, ...]]] = {"firefox": (FIREFOX,), "chromium": (CHROMIUM, CHROME)}
"""The browsers whose places a family's manifests are looked for in, unless the caller names one."""

_WINDOWS: Final = os.name == "nt"
_CONFIG: Final = ".config/"
_MAX_MANIFEST_BYTES: Final = 1024 * 1024


def find_manifest(
    name: str, *, extension_id: str, browser: str | None = None, manifest_folders: Sequence[Folder] | None = None
) -> NativeManifest:
    """Find the manifest of a native application that an extension may start, as a browser does.

    Args:
        name: the application's name.
        extension_id: the extension's id. 32 letters from a to p are looked up as
            Chromium does, anything else as Firefox does.
        browser: the browser whose places are searched: ``"firefox"``, ``"chrome"``,
            ``"chromium"``, ``"edge"`` and so on. Unless given: Firefox, or Chromium and
            then Chrome.
        manifest_folders: folders that are searched, in this order, instead of the
            browsers' places. Unless given, a user without a home has only the system's.

    Raises:
        NativeApplicationError: there is no manifest, or it is not valid, or it does not
            allow the extension. The cause says which, the text what to mend;
            ``__cause__`` is a ManifestError if the manifest breaks a rule.
        TypeError, ValueError: an argument is not as above.
    """
    check_type("name", name, str)
    check_type("extension_id", extension_id, str)
    if not extension_id:
        raise ValueError("extension_id must not be empty")
    return search(name, extension_id, family_for(extension_id, browser), browser, manifest_folders)


def family_for(extension_id: str, browser: str | None) -> Family:
    """Return the family whose rules apply: the browser's if one is named, otherwise that of the extension's id."""
    return family_of(extension_id) if browser is None else places_of(browser).family


def places_of(browser: str) -> Places:
    """Return where a browser looks; TypeError or ValueError for a browser that is not in the table."""
    check_type("browser", browser, str)
    if browser not in BROWSERS:
        raise ValueError(f"browser must be one of {', '.join(BROWSERS)}, not {browser!r}")
    return BROWSERS[browser]


def files_of(
    name: str, family: Family, browser: str | None = None, manifest_folders: Sequence[Folder] | None = None
) -> Iterator[Path]:
    """Return where the manifest may be, in the order of the search."""
    if manifest_folders is not None:
        return iter([folder / f"{name}.json" for folder in check_folders(manifest_folders)])
    places = (BROWSERS[browser],) if browser is not None else DEFAULT_BROWSERS[family]
    if _WINDOWS:
        return _registered_files(name, places)
    folders = system_folders(places)
    with contextlib.suppress(NoHomeError):
        folders = [*user_folders(places), *folders]
    return (folder / f"{name}.json" for folder in folders)


def user_folders(places: Sequence[Places], *, anywhere: bool = False) -> list[Path]:
    """Return the user's own folders, on any system but Windows; NoHomeError if the user has no home.

    Args:
        places: whose folders.
        anywhere: also return those that would count if XDG_CONFIG_HOME were not set.
    """
    if sys.platform == "darwin":
        support = home_folder() / "Library" / "Application Support"
        return [support / each for place in places for each in place.mac_user]
    relative = [each for place in places for each in place.linux_user]
    folders = [_below_home(each) for each in relative]
    return [*dict.fromkeys([*folders, *(home_folder() / each for each in relative)])] if anywhere else folders


def profile_folders(places: Places) -> list[Path]:
    """Return where a browser's profiles are on Linux, if that is apart from its manifests."""
    return [_below_home(each) for each in places.linux_profiles]


def _below_home(relative: str) -> Path:
    # Browsers of Chromium's family follow XDG_CONFIG_HOME where it is set, instead of
    # the default, .config.
    config = os.environ.get("XDG_CONFIG_HOME", "")
    if config and relative.startswith(_CONFIG):
        return Path(config, relative.removeprefix(_CONFIG))
    return home_folder() / relative


def home_folder() -> Path:
    """Return the user's home; NoHomeError if the system knows none."""
    try:
        return Path.home()
    except RuntimeError:
        raise NoHomeError from None


def system_folders(places: Sequence[Places]) -> list[Path]:
    """Return the folders for all users, on any system but Windows."""
    if sys.platform == "darwin":
        return [Path(each) for place in places for each in place.mac_system]
    return [Path(each) for place in places for each in place.linux_system]


def _registered_files(name: str, places: Sequence[Places]) -> Iterator[Path]:
    """Return the files that the registry names: the user's, then the machine's."""
    for system in (False, True):
        for place in places:
            for key in place.windows_keys:
                file = read_key(manifest_key(key, name), system=system)
                if file is not None:
                    yield Path(file)


@final
@attrs.frozen
class Look:
    """What a browser finds in one of the places where it looks for a manifest."""

    file: Path
    absent: OSError | None = None
    """Why nobody can see a file there; browsers look further."""
    manifest: NativeManifest | None = None
    """The manifest, if it obeys the rules."""
    refusal: NativeApplicationError | None = None
    """Why the browser does not take what is there."""


def look(
    name: str,
    family: Family,
    browser: str | None = None,
    manifest_folders: Sequence[Folder] | None = None,
    *,
    extension_id: str | None = None,
) -> Iterator[Look]:
    """Look for a manifest, place after place, until a browser of that family would look no further.

    Unless there is an ``extension_id``, a manifest may allow anybody.
    """
    for file in files_of(name, family, browser, manifest_folders):
        try:
            file.stat()
        except OSError as error:
            yield Look(file, absent=error)
            continue
        manifest: NativeManifest | None = None
        try:
            manifest = read_file(file, name, family)
        except (OSError, ManifestError) as error:
            text = f"{file} is not a manifest that a browser accepts: {error}"
            refusal = NativeApplicationError(text, cause=Cause.MANIFEST_INVALID, application=name)
            refusal.__cause__ = error
        else:
            if extension_id is None or manifest.allows(extension_id, family):
                yield Look(file, manifest=manifest)
                return
            text = f"{file} does not allow {extension_id!r} to start the application; add it to {list_of(family)}."
            refusal = NativeApplicationError(text, cause=Cause.NOT_ALLOWED, application=name)
        yield Look(file, manifest=manifest, refusal=refusal)
        # Firefox goes on to the next place, Chromium stays with the first file there is.
        if family == "chromium":
            return


def search(
    name: str,
    extension_id: str,
    family: Family,
    browser: str | None = None,
    manifest_folders: Sequence[Folder] | None = None,
) -> NativeManifest:
    """Return the manifest that a browser of that family would choose, or raise as `find_manifest` does."""
    if not is_application_name(name, family):
        raise bad_name(name)
    looks = [*look(name, family, browser, manifest_folders, extension_id=extension_id)]
    for each in looks:
        if each.manifest is not None and each.refusal is None:
            return each.manifest
    for each in looks:
        if each.refusal is not None:
            raise each.refusal
    nowhere = " in the registry" if _WINDOWS else ": there is no folder to look in"
    places = f" in any of: {', '.join(str(each.file.parent) for each in looks)}" if looks else nowhere
    text = f"There is no manifest {name}.json{places}."
    raise NativeApplicationError(text, cause=Cause.MANIFEST_NOT_FOUND, application=name)


def read_file(file: Path, name: str, family: Family) -> NativeManifest:
    """Read an application's manifest as a browser of that family does.

    Raises:
        OSError: the file cannot be read.
        ManifestError: the first rule that it breaks.
    """
    manifest = read_manifest(read_bytes(file), family, name=name, windows=_WINDOWS)
    return attrs.evolve(manifest, path=str(file.parent / manifest.path) if _WINDOWS else manifest.path, file=file)


def read_bytes(file: Path) -> bytes:
    """Return the content of a manifest; OSError or ManifestError if it cannot be read, or is not a file."""
    kind = file.stat().st_mode
    if not stat.S_ISREG(kind):  # Reading from a pipe would wait until somebody writes to it.
        raise ManifestError(field="", value=stat.filemode(kind), rule="must be a regular file")
    with file.open("rb") as opened:
        return opened.read(_MAX_MANIFEST_BYTES)
