"""List what is installed: for which browsers, where, by whom, and whether a browser could start it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, final

import attrs

from ..._protocol.errors import ManifestError, NoHomeError
from ..._protocol.manifests import Family, program_of
from ..._protocol.places import BROWSERS, HOSTS, Places
from ..arguments import Folder
from ..browser_side.find import places_of, read_file, system_folders, user_folders
from ..registry import applications_in, manifest_key, read_key
from .command import check_words
from .files import read
from .install import Destination
from .launcher import command_of, is_launcher

OURS: Final = "trio-ports"
"""Who installed what `install` wrote."""

_WINDOWS: Final = os.name == "nt"
_OWNER_SECONDS: Final = 20
_OWNER_COMMANDS: Final[dict[tuple[str, ...], str]] = {
    ("dpkg-query", "--search"): r"(?P<package>[^:,\s]+).*?: (?P<file>/.*)",
    ("rpm", "--query", "--queryformat", "[%{NAME}: %{FILENAMES}\\n]", "--file"): r"(?P<package>\S+): (?P<file>/.*)",
    ("pacman", "--query", "--owns"): r"(?P<file>/.*) is owned by (?P<package>\S+) .*",
}
"""How the systems' package managers are asked which packages some files belong to, and the lines of their answers."""


@final
@attrs.frozen
class InstalledManifest:
    """A manifest that lies where browsers look."""

    name: str
    """The application's name, by which browsers look for the file."""
    file: Path
    browsers: tuple[str, ...]
    """The browsers that look there; none for a profile's own folder."""
    system: bool
    """Whether it is for all users."""
    command: tuple[str, ...]
    """What it starts: the command in our launcher, or else the program; none if it names no program."""
    by: str | None
    """Who put it there: `OURS`, or the name of a package; None for anybody else."""
    problem: str | None
    """Why a browser would not accept it, or could not start the program; None if nothing is found."""


def list_installed(
    browsers: Sequence[str] | None = None, user_data_dir: Folder | None = None
) -> list[InstalledManifest]:
    """Return the manifests that there are, in the order of their names.

    Args:
        browsers: the browsers whose places are searched; all in the table unless given.
        user_data_dir: the folder of a browser of Chromium's family, as for `install`,
            which is searched instead.
    """
    found: dict[Path, tuple[Family, bool, list[str]]] = {}
    if user_data_dir is not None:
        for file in _manifests_in([Path(user_data_dir, HOSTS).absolute()]):
            found[file] = ("chromium", False, [])
    else:
        for browser in BROWSERS if browsers is None else browsers:
            places = places_of(browser)
            for system in (False, True):
                for file in _manifests_of(places, system=system):
                    found.setdefault(file, (places.family, system, []))[2].append(browser)
    packages = _packages_of([file for file, (_, system, _) in found.items() if system])
    listed = [_look_at(file, *what, packages.get(file)) for file, what in found.items()]
    return sorted(listed, key=lambda each: each.name)


def installed_names() -> list[str]:
    """Return the names of the applications that are installed; nothing is read."""
    every = ((places, system) for places in BROWSERS.values() for system in (False, True))
    return sorted({file.stem for places, system in every for file in _manifests_of(places, system=system)})


def browsers_at(file: Path, key: str | None = None) -> tuple[str, ...]:
    """Return the browsers that look for a manifest in that place: a file, or on Windows a registry key."""
    found: list[str] = []
    for browser, places in BROWSERS.items():
        if key is not None:
            looks = key in [manifest_key(place, file.stem) for place in places.windows_keys]
        else:
            looks = file.suffix == ".json" and file.parent in _folders_of(places)
        if looks:
            found.append(browser)
    return tuple(found)


def _folders_of(places: Places) -> list[Path]:
    folders = system_folders([places])
    with contextlib.suppress(NoHomeError):
        folders = [*user_folders([places]), *folders]
    return folders


def _manifests_of(places: Places, *, system: bool) -> Iterator[Path]:
    if _WINDOWS:
        for place in places.windows_keys:
            for name in applications_in(place, system=system):
                file = read_key(manifest_key(place, name), system=system)
                if file is not None:
                    yield Path(file)
        return
    with contextlib.suppress(NoHomeError):
        yield from _manifests_in(system_folders([places]) if system else user_folders([places]))


def _manifests_in(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        with contextlib.suppress(OSError):
            yield from sorted(folder.glob("*.json"))


def _look_at(file: Path, family: Family, system: bool, browsers: list[str], package: str | None) -> InstalledManifest:
    data = b""
    with contextlib.suppress(OSError, ValueError):
        if file.is_file():  # Reading from a pipe would wait until somebody writes to it.
            data = read(file)
    program = program_of(data)
    command = () if program is None else _command_of(file.parent / program)
    problem: str | None = None
    try:
        read_file(file, file.stem, family)
        check_words([str(file.parent / (program or ""))], windows=_WINDOWS)
        check_words(command, windows=_WINDOWS)
    except (OSError, ManifestError) as error:
        problem = str(error)
    by = OURS if _is_ours(file, data) else package
    return InstalledManifest(file.stem, file, tuple(browsers), system, command, by, problem)


def _command_of(program: Path) -> tuple[str, ...]:
    """Return what a program starts if it is a launcher of ours, or else itself."""
    with contextlib.suppress(OSError, ValueError):
        if program.is_file():
            data = read(program)
            if is_launcher(data):
                return tuple(command_of(data)) or (str(program),)
    return (str(program),)


def _is_ours(file: Path, data: bytes) -> bool:
    with contextlib.suppress(ManifestError):
        return Destination(file.stem, None, None, None, system=False).is_ours(file, data)
    return False


def _packages_of(files: Sequence[Path]) -> dict[Path, str]:
    """Return the packages that files belong to, as far as the system's package manager knows one.

    A link that no package has is one that a package's script has made, if the package
    has what it leads to.
    """
    packages: dict[Path, str] = {}
    targets = {file: Path(os.path.realpath(file)) for file in files}
    for command, pattern in _OWNER_COMMANDS.items():
        if files and shutil.which(command[0]) is not None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                asked = subprocess.run(
                    [*command, *files, *targets.values()],
                    capture_output=True,
                    check=False,
                    encoding="utf-8",
                    errors="surrogateescape",
                    stdin=subprocess.DEVNULL,
                    timeout=_OWNER_SECONDS,
                    env={**os.environ, "LC_ALL": "C"},
                )
                for line in re.finditer(f"^{pattern}$", asked.stdout, re.MULTILINE):
                    packages[Path(line["file"])] = line["package"]
    return {**{file: packages[target] for file, target in targets.items() if target in packages}, **packages}
