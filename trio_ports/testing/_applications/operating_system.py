"""What the operating system does for the check: process groups, signals, and a look into a pipe."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Generator, Sequence
from subprocess import PIPE
from typing import Any, Final

import trio
import trio.lowlevel

# With a group of its own, whatever the program starts can be ended with it, and Ctrl-C reaches only us.
_OWN_GROUP: Final[dict[str, Any]] = {"process_group": 0} if os.name == "posix" else {}


async def start_program(command: Sequence[str]) -> trio.Process:
    """Start a program with pipes, in a process group of its own."""
    # Browsers do not set this variable, and it would hide that a program never flushes its output.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process: trio.Process = await trio.lowlevel.open_process(
        list(command), stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment, **_OWN_GROUP
    )
    return process


@contextlib.contextmanager
def stopped(process: trio.Process) -> Generator[None]:
    """Stop a program, and what it has started, for a block."""
    if not _OWN_GROUP:  # pragma: no cover - Windows cannot stop a process.
        yield
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)


def kill_group(leader: int) -> None:
    """Kill what a program has started and left behind."""
    if _OWN_GROUP:  # pragma: no branch - Windows has no process groups.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def bytes_in_pipe(pipe: Any) -> int | None:
    """Return how many bytes wait in a pipe, or None if the system cannot say or the pipe is closed."""
    if os.name != "posix" or pipe.fileno() < 0:
        return None
    import fcntl
    import termios

    return int.from_bytes(fcntl.ioctl(pipe.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)


def enlarge_pipe(pipe: Any, size: int) -> None:
    """Make room for more than 64 KiB in a pipe, where the system allows it."""
    if sys.platform == "linux":  # pragma: no branch - Elsewhere the size of a pipe is fixed.
        import fcntl

        with contextlib.suppress(OSError):  # This user may not have so much.
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, size)


def signal_name(number: int) -> str:
    """Return the name of a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
