"""Standard input and output: descriptors as sources and sinks of bytes, and how they are kept for the protocol.

Descriptors come in three kinds. Pipes, sockets and terminals can be polled: no thread is ever parked in a read. Files
and ``/dev/null`` cannot be polled and never make anybody wait. On Windows pipes can't be polled and do make one wait:
there each read and write is a call in a thread, which is abandoned when the caller is cancelled.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import importlib
import os
import stat
import sys
from collections.abc import Generator
from typing import Any, Final, final

import trio

_WINDOWS: Final = os.name == "nt"
_taken = False
_LEAST_READ: Final = 64 * 1024
_MOST_READ: Final = 256 * 1024
_PIPE_BYTES: Final = 256 * 1024


@final
class Waiting(enum.Enum):
    """How one waits until a descriptor can be read or written."""

    POLL = "poll"
    NEVER = "never"
    THREAD = "thread"


def way_of(fd: int) -> Waiting:
    """Return how to wait for ``fd``."""
    if _WINDOWS:
        return Waiting.THREAD
    mode = os.fstat(fd).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(fd):
        return Waiting.POLL
    return Waiting.NEVER


@contextlib.contextmanager
def prepared(fd: int, way: Waiting) -> Generator[None]:
    """Make ``fd`` fit for waiting that way, as long as the block lasts: its flags are restored at the end."""
    if _WINDOWS:
        importlib.import_module("msvcrt").setmode(fd, getattr(os, "O_BINARY", 0))
    if way is not Waiting.POLL:
        yield
        return
    widen(fd)
    blocking = os.get_blocking(fd)
    os.set_blocking(fd, False)
    try:
        yield
    finally:
        os.set_blocking(fd, blocking)


def widen(fd: int) -> None:
    """Let more fit into a pipe, where the system allows it: large messages then take fewer turns."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        fcntl: Any = importlib.import_module("fcntl")
        if fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) < _PIPE_BYTES:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


@final
class DescriptorSource:
    """Reads bytes from a descriptor, which stays the caller's to close."""

    __slots__ = ("_fd", "_size", "_way")

    def __init__(self, fd: int, way: Waiting) -> None:
        self._fd = fd
        self._way = way
        self._size = _LEAST_READ

    async def receive_some(self) -> bytes:
        """Return what can be read, ``b""`` at its end. A checkpoint; a cancelled call has read nothing.

        The exception is a thread's read: cancelled, it goes on unseen, and what it reads is lost.

        Raises:
            trio.BrokenResourceError: if reading fails.
        """
        while True:
            if self._way is Waiting.POLL:
                await trio.lowlevel.wait_readable(self._fd)
            else:
                await trio.lowlevel.checkpoint()
            try:
                if self._way is Waiting.THREAD:
                    data = await trio.to_thread.run_sync(os.read, self._fd, self._size, abandon_on_cancel=True)
                else:
                    data = os.read(self._fd, self._size)
            except BlockingIOError:
                continue  # Somebody who shares the descriptor was faster.
            except OSError as error:
                raise trio.BrokenResourceError(f"reading failed: {error}") from error
            # A read that was filled says that more is waiting: large messages take fewer turns with larger reads.
            self._size = min(self._size * 2, _MOST_READ) if len(data) == self._size else _LEAST_READ
            return data


@final
class DescriptorSink:
    """Writes bytes to a descriptor, which stays the caller's to close."""

    __slots__ = ("_fd", "_way")

    def __init__(self, fd: int, way: Waiting) -> None:
        self._fd = fd
        self._way = way

    async def send_all(self, data: bytes) -> None:
        """Write all of ``data``. A checkpoint only if it has to wait; a cancelled call may have written a part.

        Raises:
            trio.BrokenResourceError: if writing fails; nobody reads any more.
        """
        try:
            if self._way is Waiting.THREAD:
                await trio.to_thread.run_sync(_write_all, self._fd, data, abandon_on_cancel=True)
                return
            done = self._write(data)
            if done == len(data):
                return
            with memoryview(data) as view:
                while done < len(data):
                    await self._wait()
                    done += self._write(view[done:])
        except OSError as error:
            raise trio.BrokenResourceError(f"writing failed: {error}") from error

    def _write(self, data: bytes | memoryview) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0

    async def _wait(self) -> None:
        if self._way is Waiting.POLL:
            await trio.lowlevel.wait_writable(self._fd)
        else:
            await trio.lowlevel.checkpoint()


def _write_all(fd: int, data: bytes) -> None:
    with memoryview(data) as view:
        done = 0
        while done < len(data):
            done += os.write(fd, view[done:])


@contextlib.contextmanager
def sealed_descriptors() -> Generator[tuple[int, int]]:
    """Keep standard input and output for the protocol, and return their new descriptors.

    For everybody else, child processes and C libraries included, descriptor 0 is at its end from now on, and
    descriptor 1 is standard error, or nowhere without one. It stays so after the block: what is printed then must not
    reach the browser either. The new descriptors are closed at the end of the block.

    Raises:
        OSError: standard input or output is closed; nothing was changed.
        RuntimeError: they were taken before.
    """
    global _taken  # noqa: PLW0603 - there is one standard input
    if _taken:
        raise RuntimeError("this process's standard input and output belong to another port, or did")
    # Where one was closed when the program started, something else may have its number by now.
    if sys.__stdin__ is None or sys.__stdout__ is None:
        raise OSError(errno.EBADF, "standard input or output is closed: nobody can be talked to")
    os.fstat(0)
    os.fstat(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere == 2:
        # There was no standard error, and the lowest number that is free is given to whatever is opened next.
        os.set_inheritable(2, True)
        nowhere = os.dup(2)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, nowhere)
        incoming = os.dup(0)
        if not _WINDOWS:  # There closing waits for the thread that reads.
            stack.callback(os.close, incoming)
        outgoing = os.dup(1)
        stack.callback(os.close, outgoing)
        _taken = True
        os.dup2(nowhere, 0)
        os.dup2(nowhere if sys.__stderr__ is None else 2, 1)
        yield incoming, outgoing
