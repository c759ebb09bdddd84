"""Standard input and output: read and write descriptors, and reserve them for the protocol.

There are three kinds of descriptors. Pipes, sockets and terminals can be polled, so no
thread is ever blocked in a read. Files and ``/dev/null`` cannot be polled, but never make
anybody wait. On Windows, pipes cannot be polled and do make one wait: there each read and
write is a call in a thread, which is abandoned when the caller is cancelled.
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

import attrs
import trio

from .forks import kept_from_children

_WINDOWS: Final = os.name == "nt"
_taken = False
_LEAST_READ: Final = 64 * 1024
_MOST_READ: Final = 256 * 1024
_PIPE_BYTES: Final = 256 * 1024


@final
class Waiting(enum.Enum):
    """How to wait until a descriptor can be read or written."""

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
    """Prepare ``fd`` for waiting that way; its flags are restored at the end of the block."""
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
    """Make a pipe hold more, if the system allows it: large messages then take fewer writes."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        fcntl: Any = importlib.import_module("fcntl")
        if fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) < _PIPE_BYTES:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


@final
@attrs.define(eq=False)
class DescriptorSource:
    """Reads bytes from a descriptor, which the caller has to close."""

    _fd: int
    _way: Waiting
    _size: int = attrs.field(default=_LEAST_READ, init=False)

    async def receive_some(self) -> bytes:
        """Return the bytes that can be read, ``b""`` at end of file. A checkpoint.

        A cancelled call has read nothing, except in a thread: there the read goes on, and
        its bytes are lost.

        Raises:
            trio.BrokenResourceError: reading failed.
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
                continue  # Another reader of the same descriptor was faster.
            except OSError as error:
                raise trio.BrokenResourceError(f"reading failed: {error}") from error
            # If a read was filled, more is waiting: larger reads then need fewer turns.
            self._size = min(self._size * 2, _MOST_READ) if len(data) == self._size else _LEAST_READ
            return data


@final
@attrs.frozen(eq=False)
class DescriptorSink:
    """Writes bytes to a descriptor, which the caller has to close."""

    _fd: int
    _way: Waiting

    async def send_all(self, data: bytes) -> None:
        """Write all of ``data``. A checkpoint only if it has to wait.

        A cancelled call may have written a part of it.

        Raises:
            trio.BrokenResourceError: writing failed, because nobody reads any more.
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
                    if self._way is Waiting.POLL:
                        await trio.lowlevel.wait_writable(self._fd)
                    else:
                        await trio.lowlevel.checkpoint()
                    done += self._write(view[done:])
        except OSError as error:
            raise trio.BrokenResourceError(f"writing failed: {error}") from error

    def _write(self, data: bytes | memoryview) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0


def _write_all(fd: int, data: bytes) -> None:
    with memoryview(data) as view:
        done = 0
        while done < len(data):
            done += os.write(fd, view[done:])


def _never_wait_for_readers(fd: int) -> None:
    """Make a pipe's end non-blocking for this process and its children only, if the system can do that.

    Otherwise C libraries and child processes that print would wait for ever once the
    pipe is full and nobody reads it. Others may share the file that ``fd`` stands for, so
    its flags are left alone, and the pipe is opened once more.
    """
    # Rejected: a pipe of our own that a thread empties. A C library that prints while it
    # holds the interpreter's lock would wait for that thread for ever, and a child that
    # outlives us would be ended by a broken pipe.
    with contextlib.suppress(OSError):
        if sys.platform == "linux" and stat.S_ISFIFO(os.fstat(fd).st_mode):
            again = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK)
            os.dup2(again, fd)
            os.close(again)
            widen(fd)


@contextlib.contextmanager
def sealed_descriptors() -> Generator[tuple[int, int]]:
    """Reserve standard input and output for the protocol, and return their new descriptors.

    For all other code, including child processes and C libraries, descriptor 0 is at end
    of file from now on, and descriptor 1 is standard error, or leads nowhere if there is
    none. This stays so after the block, because output that is printed then must not
    reach the browser either. The new descriptors are closed at the end of the block, and
    a child that is forked does not keep them.

    Raises:
        OSError: standard input or output is closed; nothing was changed.
        RuntimeError: another block has, or had, them.
    """
    global _taken  # noqa: PLW0603 - there is one standard input
    if _taken:
        raise RuntimeError("this process's standard input and output belong to another port, or did")
    # If one was closed when the program started, another file may have its number by now.
    if sys.__stdin__ is None or sys.__stdout__ is None:
        raise OSError(errno.EBADF, "standard input or output is closed")
    os.fstat(0)
    os.fstat(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere == 2:
        # There was no standard error, and a file that is opened gets the lowest free number.
        os.set_inheritable(2, True)
        nowhere = os.dup(2)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, nowhere)
        incoming = os.dup(0)
        if not _WINDOWS:  # There, closing would wait for the thread that reads.
            stack.callback(os.close, incoming)
        outgoing = os.dup(1)
        stack.callback(os.close, outgoing)
        _taken = True
        os.dup2(nowhere, 0)
        if sys.__stderr__ is None:
            os.dup2(nowhere, 1)
        else:
            _never_wait_for_readers(2)
            os.dup2(2, 1)
        stack.enter_context(kept_from_children(incoming, outgoing))
        yield incoming, outgoing
