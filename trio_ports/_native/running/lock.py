"""The lock that decides who listens for an application: one program at a time has the name.

The lock is on a file, not the socket itself: when a program is killed, the system
releases its lock, while its socket stays behind. Whoever gets the lock knows that a
socket in the way belongs to nobody.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
import stat
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

from ..._protocol.errors import AlreadyListeningError
from ..arguments import Folder
from .addresses import addresses, make_private

_BACKLOG: Final = 1024
"""How many relays may wait while the application is busy."""


@contextlib.contextmanager
def listening_socket(application: str, folder: Folder | None) -> Generator[tuple[Path, socket.socket]]:
    """For the block, hold an application's name, and listen where its relays look for it.

    Yields the socket's path, and the socket, which the caller closes. Raises
    AlreadyListeningError if somebody else listens there.
    """
    with contextlib.ExitStack() as stack:
        path = _prepare(application, folder)
        stack.enter_context(_locked(application, path))
        yield path, stack.enter_context(_bound(path))


def _prepare(application: str, folder: Folder | None) -> Path:
    """Return the first address in a folder that is private, or can be made so."""
    failure: OSError | None = None
    for path in addresses(application, folder):
        try:
            make_private(path.parent)
        except OSError as error:
            failure = failure or error
        else:
            return path
    assert failure is not None, "one place at least has a short path"
    raise failure


@contextlib.contextmanager
def _locked(application: str, path: Path) -> Generator[None]:
    """Hold the lock for the block. Its file exists exactly as long."""
    file = path.with_suffix(".lock")
    descriptor = _lock(file)
    if descriptor is None:
        raise AlreadyListeningError(application=application, address=str(path))
    try:
        yield
    finally:
        _remove(file, os.fstat(descriptor))
        os.close(descriptor)


def _lock(file: Path) -> int | None:
    """Open and lock a file; None if somebody else holds the lock."""
    fcntl: Any = importlib.import_module("fcntl")
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        if _is_same(file, os.fstat(descriptor)):
            return descriptor
        # The previous holder removed the file after we opened it and before we locked
        # it.
        os.close(descriptor)


@contextlib.contextmanager
def _bound(path: Path) -> Generator[socket.socket]:
    """Listen at a path for the block. We hold its lock, so a socket that is there was left by a killed program."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(os.fspath(path))
        made = path.lstat()
    except BaseException:
        listening.close()
        raise
    try:
        path.chmod(0o600)
        listening.listen(_BACKLOG)
        yield listening
    finally:
        _remove(path, made)


def _remove(file: Path, made: os.stat_result) -> None:
    """Remove a file that we made, unless somebody has put another one in its place."""
    if _is_same(file, made):
        file.unlink(missing_ok=True)


def _is_same(file: Path, made: os.stat_result) -> bool:
    try:
        return os.path.samestat(file.lstat(), made)
    except FileNotFoundError:
        return False
