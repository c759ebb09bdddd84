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
from ..._transports.forks import kept_from_children
from ..arguments import Folder
from .addresses import addresses, make_private

_BACKLOG: Final = 1024
"""How many relays may wait while the application is busy."""


@contextlib.contextmanager
def listening_sockets(application: str, folder: Folder | None) -> Generator[dict[Path, socket.socket]]:
    """For the block, hold an application's name, and listen wherever its relays look for it.

    Yields the sockets, which the caller closes, by their paths, the best place first.
    A place that cannot be used is left out. Raises AlreadyListeningError if somebody
    else listens in one of the places, and OSError if none can be used.
    """
    found: dict[Path, socket.socket] = {}
    failure: OSError | None = None
    with contextlib.ExitStack() as stack:
        for path in addresses(application, folder):
            try:
                make_private(path.parent)
                with contextlib.ExitStack() as place:
                    place.enter_context(_locked(application, path))
                    found[path] = place.enter_context(_bound(path))
                    stack.push(place.pop_all())
            except OSError as error:
                failure = failure or error
            except AlreadyListeningError:
                for listening in found.values():
                    listening.close()
                raise
        if not found:
            assert failure is not None, "one place at least has a short path"
            raise failure
        yield found


@contextlib.contextmanager
def _locked(application: str, path: Path) -> Generator[None]:
    """Hold the lock for the block. Its file exists exactly as long."""
    file = path.with_suffix(".lock")
    descriptor = _lock(file)
    if descriptor is None:
        raise AlreadyListeningError(application=application, address=str(path))
    try:
        with kept_from_children(descriptor):
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
    maker = os.getpid()
    try:
        path.chmod(0o600)
        listening.listen(_BACKLOG)
        with kept_from_children(listening):
            yield listening
    finally:
        if os.getpid() == maker:  # Not in a forked child that leaves the block.
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
