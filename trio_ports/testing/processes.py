"""Processes: what the system lets us do with a program, and with the pipe to it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from typing import Any, Final

import trio
import trio.lowlevel

_OWN_GROUP: Final[dict[str, Any]] = {"process_group": 0} if os.name == "posix" else {}
"""So that what it starts can be ended with it, and Ctrl-C is ours."""


async def start_program(command: Sequence[str]) -> trio.Process:
    """Start a program with pipes, in a process group of its own."""
    # A browser's applications are not started with it, and it hides that one of them never flushes.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process: trio.Process = await trio.lowlevel.open_process(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        **_OWN_GROUP,
    )
    return process


@contextlib.contextmanager
def standing_still(process: trio.Process) -> Generator[None]:
    """Stop a program, and what it has started, for a block."""
    if not _OWN_GROUP:  # pragma: no cover - Windows stops nobody.
        yield
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)


def end_group(leader: int) -> None:
    """End what a program has started and left behind."""
    if _OWN_GROUP:  # pragma: no branch - Windows has no process groups.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def bytes_in(pipe: Any) -> int | None:
    """Return how many bytes wait in a pipe; None where the system does not tell, or the pipe was closed."""
    if os.name != "posix" or pipe.fileno() < 0:
        return None
    import fcntl
    import termios

    return int.from_bytes(fcntl.ioctl(pipe.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)


def enlarge(pipe: Any, size: int) -> None:
    """Make room in a pipe, where the system lets us; it has 64 KiB otherwise."""
    if sys.platform == "linux":  # pragma: no branch - The others have pipes of one size.
        import fcntl

        with contextlib.suppress(OSError):  # More than this user may have.
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, size)


def signal_name(number: int) -> str:
    """Return what a signal is called."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
