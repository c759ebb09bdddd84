"""Put files where browsers look, and remove them: everything is planned and checked first, and only then done.

A file of somebody else's that stands in the way is never lost: it is kept under another
name, and comes back. That holds without a lock, whoever installs at the same time and
whenever this is killed: such a file gets its second name first, and then one step puts
ours in its place. A folder may vanish before anything is written in it, because whoever
uninstalls something else removes it; then it is made again.
"""

from __future__ import annotations

import contextlib
import errno
import filecmp
import hashlib
import itertools
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Literal, TypeAlias, final

import attrs

from ..registry import read_key, write_key

Action: TypeAlias = Literal["created", "replaced", "repaired", "unchanged", "removed", "restored", "left"]
IsOurs: TypeAlias = Callable[[bytes], bool]

MARK: Final = ".made-by-trio-ports"
"""Says how many folders were made for the files beside it: the largest number in it. A
folder without this mark is somebody else's, for example a browser's, and is never
removed. With the name of a file before it, this is the record of what was written
there."""

MAX_BYTES: Final = 1024 * 1024
"""As much as is read of a file: more than any of ours has."""

_TRIES: Final = 20
"""How often something is written again after others have removed what it was based on."""

_STALE_SECONDS: Final = 3600.0
"""No temporary file is needed for so long, even if a process has the number of the one that made it."""

_WINDOWS: Final = os.name == "nt"
_EFFECTIVE: Final = os.access in os.supports_effective_ids


@final
@attrs.frozen
class FileChange:
    """What `install` or `uninstall` did to one file, or would do."""

    file: Path
    action: Action
    """``"created"``; ``"replaced"``: the file had another content, or was a link to one
    that not everybody can read who has to; ``"repaired"``: only its mode or its
    registration was wrong; ``"unchanged"``; ``"removed"``; ``"restored"``: removed, and
    what stood there before is back; ``"left"``: not removed, because somebody else
    wrote it or others still need it."""
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
    """It is for all users: its folders can be entered by all, and the key is the machine's."""


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
    is_link = wanted.file.is_symlink()  # A link is somebody else's, and so is what it leads to.
    action: Action = "created"
    if before is not None:
        action = "replaced"
        if before == wanted.data:
            action = "unchanged" if _is_in_order(wanted) else "replaced" if is_link else "repaired"
    if action != "unchanged":
        _check_folder(wanted.file.parent)

    def make() -> None:
        sweep(wanted.file)
        if action != "unchanged":
            _write_in_folder(wanted)
        register(wanted)

    return PlannedChange(FileChange(wanted.file, action, wanted.key), make)


def take_away(file: Path, is_ours: IsOurs) -> PlannedChange | None:
    """Plan to remove a file of ours, with the folders that were made for it, and to put back what stood there before.

    The plan may be to leave the file; it is None if there is no file. An OSError says
    why it will not be possible.
    """
    if not os.path.lexists(file):
        return None
    if _is_others(file, is_ours):
        return leave(file)
    _check_folder(file.parent)
    # The newest one.
    backup = next((each for each in reversed(_backups(file)) if _is_others(each, is_ours)), None)

    def remove() -> None:
        if backup is None:
            file.unlink(missing_ok=True)
        else:
            with contextlib.suppress(FileNotFoundError):  # Another `uninstall` has put it back.
                backup.replace(file)
        sweep(file, after_all=True)

    return PlannedChange(FileChange(file, "removed" if backup is None else "restored"), remove)


def sweep(file: Path, *, after_all: bool = False) -> None:
    """Remove what was left beside a file when this was killed, as far as that is possible.

    Args:
        file: the file, which need not be there.
        after_all: also remove what another `install` might still need if it ran now.
    """
    with contextlib.suppress(OSError):
        for each in file.parent.glob(f"{_temporary_prefix(file)}*"):
            if _is_running(each.name.split("-")[-2]) and time.time() - each.stat().st_mtime < _STALE_SECONDS:
                return
            each.unlink()
        if after_all:
            backups = _backups(file)
            if backups and _is_same(backups[-1], file):
                backups[-1].unlink()
            if not (file.is_file() and is_recorded(file, read(file))):
                _record(file).unlink(missing_ok=True)
                _remove_folder(file.parent)


def read(file: Path) -> bytes:
    """Return the beginning of a file, which is all of it if it can be one of ours."""
    with file.open("rb") as opened:
        return opened.read(MAX_BYTES)


def is_recorded(file: Path, data: bytes) -> bool:
    """Return whether exactly this was written to a file here; the form of a manifest would not tell."""
    with contextlib.suppress(OSError):
        return _digest(data) in read(_record(file)).decode("ascii", "replace").split()
    return False


def leave(file: Path) -> PlannedChange:
    """Plan to leave a file as it is."""
    return PlannedChange(FileChange(file, "left"), lambda: None)


def register(wanted: WantedFile) -> None:
    """Make the registry's key, if there is to be one, name the file."""
    if wanted.key is not None:
        write_key(wanted.key, wanted.file, system=wanted.system)


def _content(file: Path) -> bytes | None:
    """Return a file's content: empty for a link that leads nowhere, None if there is nothing."""
    with contextlib.suppress(FileNotFoundError):  # It is being removed.
        if file.is_file():
            return read(file)
    if file.exists() and not file.is_file():
        raise FileExistsError(errno.EEXIST, "What stands there is not a file", str(file))
    return b"" if file.is_symlink() else None


def _is_in_order(wanted: WantedFile) -> bool:
    """Return whether everybody can use the file who has to, nobody else can change it, and it is registered."""
    try:
        mode = stat.S_IMODE(wanted.file.stat().st_mode)
    except FileNotFoundError:
        return False
    # Whoever keeps the target of a link may keep it to themselves.
    needed = wanted.mode & (0o500 if wanted.file.is_symlink() and not wanted.system else 0o555)
    mode_is_right = _WINDOWS or (mode & needed == needed and not mode & 0o022)
    return mode_is_right and (wanted.key is None or read_key(wanted.key, system=wanted.system) == str(wanted.file))


def _check_folder(folder: Path) -> None:
    """Raise OSError if ``folder`` cannot be made, or files cannot be made and removed in it."""
    there = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    if os.access(there, os.W_OK | os.X_OK, effective_ids=_EFFECTIVE) and there.is_dir():
        return
    if not os.path.lexists(there):  # It has just been removed.
        _check_folder(folder)
    elif not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
    else:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))


# Folders that are made for a file ---------------------------------------------------------------------------------


def _make_folder(folder: Path, *, for_all: bool) -> None:
    """Make a folder, and the missing ones above it; leave a mark if any was made.

    Nobody else can write there, whatever the umask; and if they are for all users, all
    can enter them.
    """
    missing = [*itertools.takewhile(lambda each: not each.exists(), (folder, *folder.parents))]
    for each in reversed(missing):
        each.mkdir(0o755, exist_ok=True)
        if for_all:
            each.chmod(0o755)
    if missing:
        _mark(folder, len(missing))


def _mark(folder: Path, count: int) -> None:
    """Note how many folders were made, the innermost first. Nothing is overwritten, as several may make them."""
    mark = folder / MARK
    mark.touch(0o644)
    with mark.open("a", encoding="ascii") as opened:
        opened.write(f"{count}\n")


def _remove_folder(folder: Path) -> None:
    """Remove the folders that were made, from this one upwards, as far as they are empty.

    A folder that cannot be removed stays; that is not an error.
    """
    mark = folder / MARK
    with contextlib.suppress(OSError, ValueError):
        if [*folder.iterdir()] == [mark]:
            count = max(map(int, mark.read_text(encoding="ascii").split()))
            mark.unlink()
            for place, each in enumerate((folder, *folder.parents)[:count]):
                try:
                    each.rmdir()
                except OSError:
                    if each == folder or _has_marks_below(each):  # The last one who needs it removes it.
                        _mark(each, count - place)
                    raise
            _remove_folder((folder, *folder.parents)[count])


def _has_marks_below(folder: Path) -> bool:
    """Return whether a folder was made for other files in it: as deep as browsers' places are."""
    return any(any(folder.glob(f"{'*/' * depth}{MARK}")) for depth in (1, 2, 3))


# Files of others --------------------------------------------------------------------------------------------------


def _backups(file: Path) -> list[Path]:
    """Return the files of others that are kept for this one, the oldest first."""
    return [*itertools.takewhile(os.path.lexists, _backup_names(file))]


def _backup_names(file: Path) -> Iterator[Path]:
    """Return the names under which files of others are kept; the names are ours, so no user's backup is touched."""

    def name(number: int) -> Path:
        return file.with_name(f"{file.name}.trio-ports{f'-{number}' if number > 1 else ''}.bak")

    return map(name, itertools.count(1))


def _keep(file: Path, is_ours: IsOurs) -> None:
    """Give a file of somebody else's a second name, which is its only one when the first is replaced."""
    backups = _backups(file)
    if backups and _is_same(backups[-1], file):
        return  # An `install` was killed between the two steps, or another one is between them.
    backup = next(itertools.filterfalse(os.path.lexists, _backup_names(file)))
    try:
        if file.is_symlink():
            backup.symlink_to(file.readlink())
        else:
            _link_or_copy(file, backup)
    except FileExistsError:
        _keep(file, is_ours)  # Another one has been faster.
        return
    if not backup.is_symlink() and is_ours(read(backup)):
        backup.unlink()  # So has another one here, and this is what it wrote.


def _link_or_copy(file: Path, copy: Path) -> None:
    """Make a link, or a copy where the file system or the system's rules have none; FileExistsError if it is there."""
    try:
        copy.hardlink_to(file)
    except FileExistsError:
        raise
    except OSError:
        data = file.read_bytes()  # First: the file may be gone.
        with copy.open("xb") as opened:
            opened.write(data)
        shutil.copymode(file, copy)


def _is_others(file: Path, is_ours: IsOurs) -> bool:
    """Return whether a file is somebody else's. One that is gone by now is not."""
    with contextlib.suppress(FileNotFoundError):
        return not stat.S_ISREG(file.lstat().st_mode) or not is_ours(read(file))
    return False


def _is_same(backup: Path, file: Path) -> bool:
    if backup.is_symlink() or file.is_symlink():
        return backup.is_symlink() and file.is_symlink() and backup.readlink() == file.readlink()
    return backup.is_file() and file.is_file() and filecmp.cmp(backup, file, shallow=False)


# Files of ours ----------------------------------------------------------------------------------------------------


def _record(file: Path) -> Path:
    return file.with_name(f".{file.name}{MARK}")


def _note(wanted: WantedFile) -> None:
    """Record what a file is to have, unless it is known as ours already."""
    if not wanted.is_ours(wanted.data):
        _record(wanted.file).touch(0o644)
        with _record(wanted.file).open("a", encoding="ascii") as record:
            record.write(f"{_digest(wanted.data)}\n")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _temporary_prefix(file: Path) -> str:
    return f".{file.name}.trio-ports-"


def _is_running(process: str) -> bool:
    """Return whether a process runs, as far as one can know."""
    if not _WINDOWS:  # There, the call would end the process.
        with contextlib.suppress(PermissionError):
            try:
                os.kill(int(process), 0)
            except (ProcessLookupError, ValueError):
                return False
    return True


def _write_in_folder(wanted: WantedFile) -> None:
    """Make a file's folder and the file, again and again while others remove what is based on nothing yet."""
    tries_left = _TRIES
    while True:
        try:
            _make_folder(wanted.file.parent, for_all=wanted.system)
            _write(wanted)
            return
        except BaseException as error:
            tries_left -= 1
            if not tries_left or not isinstance(error, (FileNotFoundError, FileExistsError)):
                sweep(wanted.file, after_all=True)
                raise


def _write(wanted: WantedFile) -> None:
    """Write a file so that nobody ever sees a part of it. What stood there is kept if it is somebody else's."""
    file = wanted.file
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f"{_temporary_prefix(file)}{os.getpid()}-")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(wanted.data)
        temporary.chmod(wanted.mode)
        _note(wanted)  # First: what was written and is not recorded would never be removed.
        before = _content(file)
        if before is not None and (file.is_symlink() or (before != wanted.data and not wanted.is_ours(before))):
            _keep(file, wanted.is_ours)
        temporary.replace(file)
        _note(wanted)  # Again, if an `uninstall` has come between.
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
