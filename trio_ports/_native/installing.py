"""Writing what browsers need to find a native application, and removing it. Source: rules 40 and 42."""

from __future__ import annotations

import contextlib
import importlib
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final, Literal, TypeAlias, final

import attrs

from .._protocol.errors import ManifestError
from .._protocol.manifests import Family, NativeManifest, check_manifest
from .._protocol.places import BROWSERS, Places
from .finding import DEFAULT_BROWSERS, Folder, system_folders, user_folders

_WINDOWS: Final = os.name == "nt"

Action: TypeAlias = Literal["created", "replaced", "unchanged", "removed"]


@final
@attrs.frozen
class Change:
    """What was done to one file, or would be."""

    file: Path
    action: Action
    registered: str | None = None
    """On Windows, the registry key that names the file."""


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
    was different is kept beside it as ``.bak``.

    Args:
        name: of the application.
        command: the program's absolute path, or the words of a command, the first of them absolute.
        description: for people; the name unless given.
        allowed_extensions: ids of extensions of Firefox's family.
        allowed_origins: ``chrome-extension://ID/``, for Chromium's family.
        browsers: for whom: ``"firefox"``, ``"chrome"`` and so on; Firefox if there are extensions, Chromium and Chrome
            if there are origins, unless given.
        manifest_folders: where to write the manifests, instead of the browsers' places: one file for both families.
        launcher_folder: where to write the launcher; unless given, the first of ``manifest_folders``, or else a folder
            of the user's data.
        system: install for all users, instead of the one who calls.
        dry_run: only say what would be done.

    Returns:
        What was done, the launcher first.

    Raises:
        ManifestError: one of the browsers would refuse the manifest; nothing was written.
        ValueError: for a browser that is not in the table, or if there is nobody to install for.
        OSError: a file cannot be written.
    """
    words = [os.fspath(command)] if isinstance(command, (str, Path)) else [os.fspath(word) for word in command]
    items: list[_Item] = []
    program = Path(words[0])
    if len(words) > 1:
        program = _launcher_path(name, launcher_folder, manifest_folders)
        items.append(_Item(program, _launcher(words), 0o755))
    manifest = NativeManifest(
        name=name,
        description=description or name,
        path=os.fspath(program),
        allowed_extensions=allowed_extensions,
        allowed_origins=allowed_origins,
    )
    for file, family, key in _targets(name, manifest, browsers, manifest_folders, system):
        items.append(_Item(file, _for_family(manifest, family).encode(), 0o644, key))
    if not items or items[-1].file == program:
        raise ValueError("there is nobody to install for: give allowed_extensions, allowed_origins or both")
    if not (PureWindowsPath if _WINDOWS else PurePosixPath)(words[0]).is_absolute():
        raise ManifestError(field="path", value=words[0], rule="must be an absolute path")
    return [_write(item, system=system, dry_run=dry_run) for item in items]


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

    Args:
        name: of the application.
        browsers: from whose places; all that are in the table unless given.
        manifest_folders: from where, instead of the browsers' places.
        launcher_folder: as for `install`.
        system: what was installed for all users.
        dry_run: only say what would be done.

    Returns:
        What was removed.

    Raises:
        ValueError: for a browser that is not in the table.
        OSError: a file cannot be removed.
    """
    places = [_places(browser) for browser in (BROWSERS if browsers is None else browsers)]
    found = _files(name, places, manifest_folders, system)
    launcher = _launcher_path(name, launcher_folder, manifest_folders)
    changes: list[Change] = []
    for file, key in dict.fromkeys([*found, (launcher, None)]):
        if file.is_file():
            changes.append(Change(file, "removed", key))
            if not dry_run:
                file.unlink()
        if key is not None and not dry_run:
            _unregister(key, system=system)
    return changes


def _targets(
    name: str,
    manifest: NativeManifest,
    browsers: Sequence[str] | None,
    manifest_folders: Sequence[Folder] | None,
    system: bool,
) -> Iterator[tuple[Path, Family | None, str | None]]:
    """Return where a manifest is to be written, for whose family (None: for both), and the registry's key for it.

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
        if families:
            yield from ((Path(folder).absolute() / f"{name}.json", None, None) for folder in manifest_folders)
        return
    chosen = [place for family in families for place in DEFAULT_BROWSERS[family]]
    if browsers is not None:
        chosen = [_places(browser) for browser in browsers]
    for place in chosen:
        check_manifest(_for_family(manifest, place.family), place.family, windows=_WINDOWS)
        for file, key in _files(name, [place], None, system)[:1]:
            yield file, place.family, key


def _for_family(manifest: NativeManifest, family: Family | None) -> NativeManifest:
    """Return the manifest without what only the other family reads."""
    if family == "firefox":
        return attrs.evolve(manifest, allowed_origins=())
    if family == "chromium":
        return attrs.evolve(manifest, allowed_extensions=())
    return manifest


def _places(browser: str) -> Places:
    try:
        return BROWSERS[browser]
    except KeyError:
        raise ValueError(f"browser must be one of {', '.join(BROWSERS)}, not {browser!r}") from None


def _files(
    name: str, places: Sequence[Places], manifest_folders: Sequence[Folder] | None, system: bool
) -> list[tuple[Path, str | None]]:
    """Return where manifests of that name belong, and the registry's keys for them."""
    if manifest_folders is not None:
        return [(Path(folder).absolute() / f"{name}.json", None) for folder in manifest_folders]
    if _WINDOWS:
        return [
            (_data_folder() / place.family / f"{name}.json", rf"Software\{place.windows_keys[0]}\{name}")
            for place in places
            if place.windows_keys
        ]
    folders = system_folders(places) if system else user_folders(places)
    return [(folder / f"{name}.json", None) for folder in folders]


def _data_folder() -> Path:
    """Return where launchers live, and on Windows the manifests too."""
    import platformdirs

    return platformdirs.user_data_path("trio-ports", appauthor=False)


def _launcher_path(name: str, folder: Folder | None, manifest_folders: Sequence[Folder] | None) -> Path:
    file = f"{name}.bat" if _WINDOWS else name
    if folder is None and manifest_folders:
        folder = manifest_folders[0]
    return (_data_folder() if folder is None else Path(folder)).absolute() / file


def _launcher(words: Sequence[str]) -> bytes:
    """Return a script that runs ``words`` and passes its own arguments on."""
    if _WINDOWS:
        return f"@echo off\r\n{subprocess.list2cmdline(words)} %*\r\n".encode()
    return f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n'.encode()


@attrs.frozen
class _Item:
    """One file to be written."""

    file: Path
    data: bytes
    mode: int
    key: str | None = None


def _write(item: _Item, *, system: bool, dry_run: bool) -> Change:
    """Make a file hold what it should, and say what that took."""
    file, data = item.file, item.data
    before = file.read_bytes() if file.is_file() else None
    action: Action = "created" if before is None else "unchanged" if before == data else "replaced"
    if not dry_run:
        if action != "unchanged":
            file.parent.mkdir(parents=True, exist_ok=True)
            if before is not None:
                file.replace(file.with_name(file.name + ".bak"))
            _replace(file, data)
        file.chmod(item.mode)
        if item.key is not None:
            _register(item.key, file, system=system)
    return Change(file, action, item.key)


def _replace(file: Path, data: bytes) -> None:
    """Write ``file`` so that nobody ever sees a part of it."""
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink()
        raise


def _register(key: str, file: Path, *, system: bool) -> None:
    winreg: Any = importlib.import_module("winreg")
    with winreg.CreateKey(winreg.HKEY_LOCAL_MACHINE if system else winreg.HKEY_CURRENT_USER, key) as opened:
        winreg.SetValue(opened, "", winreg.REG_SZ, str(file))


def _unregister(key: str, *, system: bool) -> None:
    winreg: Any = importlib.import_module("winreg")
    with contextlib.suppress(FileNotFoundError):
        winreg.DeleteKey(winreg.HKEY_LOCAL_MACHINE if system else winreg.HKEY_CURRENT_USER, key)
