"""What the operating system does for the check: process groups, signals, and a look into a pipe."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from subprocess import PIPE
from typing import Any, Final

import trio
import trio.lowlevel

# With a group of its own, whatever the program starts can be ended with it, and Ctrl-C reaches only us.
_OWN_GROUP: Final[dict[str, Any]] = {"process_group": 0} if os.name == "posix" else {}
_MARK: Final = "TRIO_PORTS_CHECK"
"""A variable by which the processes that a program starts are found, in sessions of their own too."""
_GONE_SECONDS: Final = 5.0
"""How long to wait for the parent of processes that were killed, which may be slow to notice."""
_LOOK_SECONDS: Final = 0.02


async def start_program(command: Sequence[str], mark: str) -> trio.Process:
    """Start a program with pipes, in a process group of its own; the mark goes to whatever it starts."""
    # Browsers do not set this variable, and it would hide that a program never flushes its output.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    environment[_MARK] = mark
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


def find_processes(mark: str) -> dict[int, str]:
    """Return the numbers and names of the running processes with this mark. Only Linux shows them."""
    found: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # It is another user's, or has just exited.
            if f"{_MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "comm").read_text(errors="replace").strip()
    return found


def _is_there(number: int) -> bool:
    return Path(f"/proc/{number}").exists()


async def kill_remains(leader: int, mark: str) -> None:
    """Kill what a program has started and left behind, and wait until it is gone."""
    if not _OWN_GROUP:  # pragma: no cover - Windows has no process groups.
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    remains: set[int] = set()
    with trio.move_on_after(_GONE_SECONDS):
        while True:
            found = find_processes(mark)
            for number in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(number, signal.SIGKILL)
            remains = {number for number in remains.union(found) if _is_there(number)}
            if not remains:
                return
            await trio.sleep(_LOOK_SECONDS)


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
