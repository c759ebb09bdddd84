"""Put files where browsers look, and remove them: everything is planned and checked first, and only then done.

A file of somebody else's that stands in the way is never lost: it is kept under another
name, and comes back.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Literal, TypeAlias, final

import attrs

from ..registry import read_key, write_key

Action: TypeAlias = Literal["created", "replaced", "repaired", "unchanged", "removed", "restored", "left"]
IsOurs: TypeAlias = Callable[[bytes], bool]

MARK: Final = ".made-by-trio-ports"
"""Says how many folders were made for the files beside it. A folder without this mark
is somebody else's, for example a browser's, and is never removed."""

_WINDOWS: Final = os.name == "nt"
_EFFECTIVE: Final = os.access in os.supports_effective_ids


@final
@attrs.frozen
class FileChange:
    """What `install` or `uninstall` did to one file, or would do."""

    file: Path
    action: Action
    """``"created"``; ``"replaced"``: the file had another content; ``"repaired"``: only
    its mode or its registration was wrong; ``"unchanged"``; ``"removed"``;
    ``"restored"``: removed, and what stood there before is back; ``"left"``: not
    removed, because somebody else wrote it or others still need it."""
    registered: str | None = None
    """On Windows, the registry key that names the file. When a key is removed, the file has a change of its own."""
    done: bool = attrs.field(default=True, eq=False)
    """False for what a dry run announces. Not compared: what a dry run announces equals what is done."""


@final
@attrs.frozen
class WantedFile:
    """A file that is to exist."""

    file: Path
    data: bytes
    mode: int
    is_ours: IsOurs
    """Whether another content of the file may be lost."""
    key: str | None = None
    """The registry key that is to name it."""
    system: bool = False
    """The key is the machine's, not the user's."""


@final
@attrs.frozen
class PlannedChange:
    """One change, and how it is made."""

    change: FileChange
    make: Callable[[], object]


def carry_out(plan: Iterable[PlannedChange], *, dry_run: bool) -> list[FileChange]:
    """Make the changes, unless this is a dry run. An OSError gets a note that says what was done before it."""
    changes: list[FileChange] = []
    for planned in plan:
        if not dry_run:
            try:
                planned.make()
            except OSError as error:
                if changes:
                    error.add_note("Done before: " + ", ".join(f"{each.file} {each.action}" for each in changes))
                raise
        changes.append(attrs.evolve(planned.change, done=not dry_run))
    return changes


def place(wanted: WantedFile) -> PlannedChange:
    """Plan to make a file have its content, its mode and its registration, or raise why that will not be possible."""
    before = _content(wanted.file)
    action: Action = "created"
    if before is not None:
        action = "replaced" if before != wanted.data else "unchanged" if _is_in_order(wanted) else "repaired"
    if action in ("created", "replaced"):
        _check_folder(wanted.file.parent)
    foreign = action == "replaced" and before is not None and not wanted.is_ours(before)

    def make() -> None:
        if action in ("created", "replaced"):
            _make_folder(wanted.file.parent)
            try:
                backups = itertools.dropwhile(os.path.lexists, _backup_names(wanted.file))
                _write(wanted, next(backups) if foreign else None)
            except BaseException:
                _remove_folder(wanted.file.parent)
                raise
        elif action == "repaired":
            wanted.file.chmod(wanted.mode)
        register(wanted)

    return PlannedChange(FileChange(wanted.file, action, wanted.key), make)


def take_away(file: Path, is_ours: IsOurs) -> PlannedChange | None:
    """Plan to remove a file of ours, with the folders that were made for it, and to put back what stood there before.

    The plan may be to leave the file; it is None if there is no file. An OSError says
    why it will not be possible.
    """
    if not os.path.lexists(file):
        return None
    if not file.is_file() or not is_ours(file.read_bytes()):
        return leave(file)
    _check_folder(file.parent)
    backups = [*itertools.takewhile(os.path.lexists, _backup_names(file))]
    for backup in reversed(backups):  # The newest first.
        if not is_ours(backup.read_bytes() if backup.is_file() else b""):
            return PlannedChange(FileChange(file, "restored"), functools.partial(backup.replace, file))

    def remove() -> None:
        file.unlink()
        _remove_folder(file.parent)

    return PlannedChange(FileChange(file, "removed"), remove)


def leave(file: Path) -> PlannedChange:
    """Plan to leave a file as it is."""
    return PlannedChange(FileChange(file, "left"), lambda: None)


def register(wanted: WantedFile) -> None:
    """Make the registry's key, if there is to be one, name the file."""
    if wanted.key is not None:
        write_key(wanted.key, wanted.file, system=wanted.system)


def _content(file: Path) -> bytes | None:
    """Return a file's content: empty for a link that leads nowhere, None if there is nothing."""
    if file.is_file():
        return file.read_bytes()
    if file.exists():
        raise FileExistsError(errno.EEXIST, "What stands there is not a file", str(file))
    return b"" if file.is_symlink() else None


def _is_in_order(wanted: WantedFile) -> bool:
    mode_is_right = _WINDOWS or stat.S_IMODE(wanted.file.stat().st_mode) == wanted.mode
    return mode_is_right and (wanted.key is None or read_key(wanted.key, system=wanted.system) == str(wanted.file))


def _check_folder(folder: Path) -> None:
    """Raise OSError if ``folder`` cannot be made, or files cannot be made and removed in it."""
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=_EFFECTIVE):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


# Folders that are made for a file ---------------------------------------------------------------------------------


def _make_folder(folder: Path) -> None:
    """Make a folder, and the missing ones above it; leave a mark if any was made."""
    missing = len([*itertools.takewhile(lambda each: not each.exists(), (folder, *folder.parents))])
    folder.mkdir(parents=True, exist_ok=True)
    if missing:
        (folder / MARK).write_text(f"{missing}\n", encoding="ascii")


def _remove_folder(folder: Path) -> None:
    """Remove the folders that were made, from this one upwards, as far as they are empty.

    A folder that cannot be removed stays; that is not an error.
    """
    mark = folder / MARK
    with contextlib.suppress(OSError, ValueError):
        if [*folder.iterdir()] == [mark]:
            count = int(mark.read_text(encoding="ascii"))
            mark.unlink()
            for each in (folder, *folder.parents)[:count]:
                each.rmdir()
            _remove_folder((folder, *folder.parents)[count])


# Files of others --------------------------------------------------------------------------------------------------


def _backup_names(file: Path) -> Iterator[Path]:
    """Return the names under which files of others are kept; the names are ours, so no user's backup is touched."""

    def name(number: int) -> Path:
        return file.with_name(f"{file.name}.trio-ports{f'-{number}' if number > 1 else ''}.bak")

    return map(name, itertools.count(1))


def _write(wanted: WantedFile, backup: Path | None) -> None:
    """Write a file so that nobody ever sees a part of it. What stood there becomes ``backup``, or is lost."""
    file = wanted.file
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(wanted.data)
        temporary.chmod(wanted.mode)
        if backup is not None:
            file.replace(backup)
        temporary.replace(file)
    except BaseException:
        temporary.unlink()
        if backup is not None and os.path.lexists(backup):
            backup.replace(file)
        raise
