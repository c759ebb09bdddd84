"""Putting files where browsers look, and taking them away: first everything is planned and checked, then done.

What stands in a file's place and is somebody else's is never lost: it is kept beside it, and comes back.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib
import itertools
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, final

import attrs

from .folders import make_folder, remove_folder

Action: TypeAlias = Literal["created", "replaced", "repaired", "unchanged", "removed", "restored", "left"]
IsOurs: TypeAlias = Callable[[bytes], bool]

_WINDOWS: Final = os.name == "nt"
_EFFECTIVE: Final = os.access in os.supports_effective_ids


@final
@attrs.frozen
class Change:
    """What was done to one file, or would be."""

    file: Path
    action: Action
    """``"created"``; ``"replaced"``: something else stood there; ``"repaired"``: only its mode or its registration was
    wrong; ``"unchanged"``; ``"removed"``; ``"restored"``: removed, and what had stood there before is back; ``"left"``:
    not removed, because somebody else wrote it or others still need it."""
    registered: str | None = None
    """On Windows, the registry key that is to name the file; where it is removed, the file has a change of its own."""
    done: bool = attrs.field(default=True, eq=False)
    """False for what a dry run only announces. Not compared: what is announced equals what is done."""


@final
@attrs.frozen
class Item:
    """A file that is to be there."""

    file: Path
    data: bytes
    mode: int
    is_ours: IsOurs
    """Says of other content whether it may be lost."""
    key: str | None = None
    system: bool = False


@final
@attrs.frozen
class Step:
    """One change, and how it is made."""

    change: Change
    make: Callable[[], object]


def carry_out(steps: Iterable[Step], *, dry_run: bool) -> list[Change]:
    """Make the changes, unless nobody wants them; an OSError has a note that says what was done before it."""
    changes: list[Change] = []
    for step in steps:
        if not dry_run:
            try:
                step.make()
            except OSError as error:
                if changes:
                    error.add_note("Done before: " + ", ".join(f"{each.file} {each.action}" for each in changes))
                raise
        changes.append(attrs.evolve(step.change, done=not dry_run))
    return changes


def place(item: Item) -> Step:
    """Plan to have a file hold what it should.

    Raises:
        OSError: that will not be possible.
    """
    before = _content(item.file)
    action: Action = "created"
    if before is not None:
        action = "replaced" if before != item.data else "unchanged" if _is_in_order(item) else "repaired"
    if action in ("created", "replaced"):
        _check_folder(item.file.parent)
    foreign = action == "replaced" and before is not None and not item.is_ours(before)

    def make() -> None:
        if action in ("created", "replaced"):
            make_folder(item.file.parent)
            try:
                _write(item, _free_backup(item.file) if foreign else None)
            except BaseException:
                remove_folder(item.file.parent)
                raise
        elif action == "repaired":
            item.file.chmod(item.mode)
        register(item)

    return Step(Change(item.file, action, item.key), make)


def take_away(file: Path, is_ours: IsOurs) -> tuple[Action | None, Callable[[], object]]:
    """Plan to remove a file of ours, with the folders that were made for it, and to put back what was in its place.

    Returns:
        What that will be, None where there is no file; and how it is done.

    Raises:
        OSError: that will not be possible.
    """
    if not os.path.lexists(file):
        return None, do_nothing
    if not file.is_file() or not is_ours(file.read_bytes()):
        return "left", do_nothing
    _check_folder(file.parent)
    for backup in _backups(file):
        if not is_ours(backup.read_bytes() if backup.is_file() else b""):
            return "restored", functools.partial(backup.replace, file)

    def remove() -> None:
        file.unlink()
        remove_folder(file.parent)

    return "removed", remove


def do_nothing() -> None:
    """Leave everything as it is."""


def register(item: Item) -> None:
    """Let the registry's key name the file."""
    if item.key is None:
        return
    winreg: Any = importlib.import_module("winreg")
    with winreg.CreateKey(_root(winreg, system=item.system), item.key) as opened:
        winreg.SetValue(opened, "", winreg.REG_SZ, str(item.file))


def is_registered(key: str, file: Path, *, system: bool) -> bool:
    """Say whether the registry's key names the file."""
    winreg: Any = importlib.import_module("winreg")
    try:
        return bool(winreg.QueryValue(_root(winreg, system=system), key) == str(file))
    except OSError:
        return False


def unregister(key: str, *, system: bool) -> None:
    """Remove the registry's key."""
    winreg: Any = importlib.import_module("winreg")
    with contextlib.suppress(FileNotFoundError):
        winreg.DeleteKey(_root(winreg, system=system), key)


def _root(winreg: Any, *, system: bool) -> Any:
    return winreg.HKEY_LOCAL_MACHINE if system else winreg.HKEY_CURRENT_USER


def _content(file: Path) -> bytes | None:
    """Return what a file holds: nothing where a link leads nowhere, None where nothing is."""
    if file.is_file():
        return file.read_bytes()
    if file.exists():
        raise FileExistsError(errno.EEXIST, "What stands there is no file", str(file))
    return b"" if file.is_symlink() else None


def _is_in_order(item: Item) -> bool:
    mode_is_right = _WINDOWS or stat.S_IMODE(item.file.stat().st_mode) == item.mode
    return mode_is_right and (item.key is None or is_registered(item.key, item.file, system=item.system))


def _check_folder(folder: Path) -> None:
    """Raise OSError if files cannot be made and removed in ``folder``, or it cannot be made itself."""
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=_EFFECTIVE):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def _backup_names(file: Path) -> Iterator[Path]:
    """Return the names by which others' files are kept: ours alone, so that no backup of a user's is touched."""

    def name(number: int) -> Path:
        return file.with_name(f"{file.name}.trio-ports{f'-{number}' if number > 1 else ''}.bak")

    return map(name, itertools.count(1))


def _free_backup(file: Path) -> Path:
    return next(itertools.dropwhile(os.path.lexists, _backup_names(file)))


def _backups(file: Path) -> list[Path]:
    """Return what was kept of a file, the newest first."""
    return list(itertools.takewhile(os.path.lexists, _backup_names(file)))[::-1]


def _write(item: Item, backup: Path | None) -> None:
    """Write a file so that nobody ever sees a part of it; what stood there becomes ``backup``, or is lost."""
    file = item.file
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(item.data)
        temporary.chmod(item.mode)
        if backup is not None:
            file.replace(backup)
        temporary.replace(file)
    except BaseException:
        temporary.unlink()
        if backup is not None and os.path.lexists(backup):
            backup.replace(file)
        raise
