"""The lock that decides who listens for an application: one program at a time has the name.

The lock is on a file, not the socket itself: when a program is killed, the system
releases its lock, while its socket stays behind. Whoever gets the lock knows that a
socket in the way belongs to nobody, unless somebody has removed the locked file, or
sweeps old files out of ``/tmp``. So a socket that still answers counts too, and whoever
listens looks after its files: it keeps them young, and makes them again.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import socket
import stat
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final, final

import attrs

from ..._protocol.errors import AlreadyListeningError
from ..._transports.forks import kept_from_children
from ..arguments import Folder
from .addresses import addresses, make_private

_BACKLOG: Final = 1024
"""How many relays may wait while the application is busy."""


@contextlib.contextmanager
def held_places(application: str, folder: Folder | None) -> Generator[list[Place]]:
    """For the block, hold an application's name, and listen wherever its relays look for it.

    Yields the places, the best one first. A place that cannot be used is left out.
    Raises AlreadyListeningError if somebody else listens in one of the places, and
    OSError if none can be used.
    """
    places: list[Place] = []
    failure: OSError | None = None
    with contextlib.ExitStack() as stack:
        for path in addresses(application, folder):
            place = Place(application, path)
            try:
                place.take()
            except OSError as error:
                failure = failure or error
            except AlreadyListeningError:
                for each in places:
                    each.socket.close()
                raise
            else:
                stack.callback(place.leave)
                places.append(place)
        if not places:
            assert failure is not None, "one place at least has a short path"
            raise failure
        yield places


@final
@attrs.define(eq=False)
class Place:
    """One place where an application listens: a socket, and a locked file beside it."""

    application: str
    path: Path
    socket: socket.socket = attrs.field(init=False)
    """It listens; whoever has the place closes it."""
    _files: dict[Path, os.stat_result] = attrs.field(factory=dict[Path, os.stat_result], init=False)
    """What was made there."""
    _holding: contextlib.ExitStack = attrs.field(factory=contextlib.ExitStack, init=False)
    _is_left: bool = attrs.field(default=False, init=False)
    _is_lost: bool = attrs.field(default=False, init=False)

    def take(self) -> None:
        """Lock the file and listen; AlreadyListeningError if somebody else does, OSError if that is impossible."""
        make_private(self.path.parent)
        with contextlib.ExitStack() as holding:
            file = self.path.with_suffix(".lock")
            locked = holding.enter_context(_locked(file, self._taken()))
            self.socket, bound = holding.enter_context(_bound(self.path, self._taken()))
            self._files = {file: locked, self.path: bound}
            self._holding = holding.pop_all()

    def leave(self) -> None:
        """Remove the files and unlock; the caller closes the socket."""
        self._is_left = True
        self._holding.close()

    def renew(self) -> bool:
        """Keep the files young; if they were removed, take the place again, and return True: there is a new socket.

        The old socket lives on, for those who are connected to it already. If that is
        impossible now, the log says so once, and a later call tries again. After
        `leave`, nothing happens.
        """
        if self._is_left:
            return False
        try:
            if self._files and all(_is_same(file, made) for file, made in self._files.items()):
                for file in (*self._files, self.path.parent):
                    os.utime(file)
                return False
            self._files = {}
            self._holding.close()
            self.take()
        except (OSError, AlreadyListeningError) as error:
            if not self._is_lost:
                text = "%s cannot be reached at %s any more, as the files there were removed: %s"
                logging.getLogger("trio_ports").warning(text, self.application, self.path, error)
            self._is_lost = True
            return False
        self._is_lost = False
        return True

    def _taken(self) -> AlreadyListeningError:
        return AlreadyListeningError(application=self.application, address=str(self.path))


@contextlib.contextmanager
def _locked(file: Path, taken: AlreadyListeningError) -> Generator[os.stat_result]:
    """Hold the lock for the block, and yield what is known of its file, which exists exactly as long."""
    descriptor = _lock(file)
    if descriptor is None:
        raise taken
    try:
        with kept_from_children(descriptor):
            yield os.fstat(descriptor)
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
def _bound(path: Path, taken: AlreadyListeningError) -> Generator[tuple[socket.socket, os.stat_result]]:
    """Listen at a path for the block, and yield the socket, which the caller closes, and what is known of its file.

    We hold its lock, so a socket that is there was left by a killed program, or its
    owner's lock was removed; that one answers.
    """
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            if _answers(path):
                raise taken
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
            yield listening, made
    finally:
        if os.getpid() == maker:  # Not in a forked child that leaves the block.
            _remove(path, made)


def _answers(path: Path) -> bool:
    """Return whether somebody listens at a path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.setblocking(False)
        try:
            caller.connect(os.fspath(path))
        except BlockingIOError:  # So many others wait already.
            return True
        except OSError:
            return False
        return True


def _remove(file: Path, made: os.stat_result) -> None:
    """Remove a file that we made, unless somebody has put another one in its place."""
    if _is_same(file, made):
        file.unlink(missing_ok=True)


def _is_same(file: Path, made: os.stat_result) -> bool:
    try:
        return os.path.samestat(file.lstat(), made)
    except FileNotFoundError:
        return False
