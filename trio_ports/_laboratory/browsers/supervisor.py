"""Run a browser and clean up after it, whatever happens to the program that wanted it.

A program of its own (standard library only, started by path), so that it outlives a crash of the one that started it:
it makes the folder in which everything is written, runs the browser until that ends or standard input closes, ends the
browser's process group, and once standard input is closed removes the folder. Only killing this very program leaves
something behind.

    python supervisor.py FOLDER READ WRITE

READ and WRITE are descriptors that the browser gets as 3 and 4, if it wants them. A line on standard output says that
the folder is there; a line of JSON on standard input says what to run: ``command``, ``environment`` (added to the
supervisor's own) and ``pipe``. Standard output ends when the browser has. In the folder, ``output.log`` has what the
browser prints, and ``ended`` its status, once it has one.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

GRACE_SECONDS = 1.5
"""How long native applications have to leave after the browser did."""
TICK_SECONDS = 0.01
PR_SET_CHILD_SUBREAPER = 36
PIPE = (3, 4)


def place_pipe(read: int, write: int) -> None:
    """Make the two descriptors 3 and 4 of this process, for a child to inherit."""
    # First out of the way: either may be 3 or 4 already. No copy may stay, or the pipe would not end with the browser.
    copies = [fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in (read, write)]
    for each in (read, write):
        os.close(each)
    for copy, number in zip(copies, PIPE, strict=True):
        os.dup2(copy, number)
        os.close(copy)


def adopt_orphans() -> None:
    """Become the parent of what the browser leaves behind, so that it can be waited for; Linux has that, others not."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait_for_end(browser: subprocess.Popen[bytes]) -> None:
    """Return when the browser has ended, or when nobody holds the other end of standard input any more."""
    ended, told = os.pipe()

    def watch() -> None:
        browser.wait()
        os.close(told)

    threading.Thread(target=watch, daemon=True).start()
    select.select([0, ended], [], [])


def is_group_left(group: int) -> bool:
    """Return whether a process of the group runs."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG) != (0, 0):
            pass
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def end_group(browser: subprocess.Popen[bytes]) -> None:
    """End the browser, then give what it had started a moment to leave by itself, then end that too.

    The browser leads its process group, whose number nobody else can get while a member of it is left.
    """
    browser.kill()
    browser.wait()
    until = time.monotonic() + GRACE_SECONDS
    while (is_left := is_group_left(browser.pid)) and time.monotonic() < until:
        time.sleep(TICK_SECONDS)
    if is_left:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(browser.pid, signal.SIGKILL)


def remove(folder: str) -> None:
    """Remove the folder; a process that is just ending may still be writing there, so try more than once."""
    for _ in range(100):  # pragma: no branch - it never took as long.
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(folder):
            return
        time.sleep(TICK_SECONDS)  # pragma: no cover - depends on what a process that ends still writes.


def run(command: list[str], environment: Mapping[str, str], inherited: tuple[int, ...], log: Path) -> int:
    """Run the command until it ends or standard input does; return its status, 127 if it could not be started."""
    with log.open("ab") as output:
        try:
            browser = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=inherited,
                env={**os.environ, **environment},
                process_group=0,
            )
        except OSError as error:
            output.write(f"{error}\n".encode())
            return 127
        finally:
            os.closerange(PIPE[0], PIPE[1] + 1)
    try:
        wait_for_end(browser)
    finally:
        end_group(browser)
    return browser.returncode


def main(folder: str, read: str, write: str) -> None:
    """Make the folder, run what is asked for, say how it ended, and remove the folder once nobody wants it any more."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Whoever closes our standard input decides. A signal that is ignored would be ignored by the browser too.
        signal.signal(number, lambda _number, _frame: None)
    adopt_orphans()
    place_pipe(int(read), int(write))
    try:
        Path(folder).mkdir(mode=0o700)
        with contextlib.suppress(BrokenPipeError):
            os.write(1, b"\n")
        request = sys.stdin.buffer.readline()
        if request.endswith(b"\n"):  # Not if whoever writes it was killed there.
            wanted = json.loads(request)
            inherited = PIPE if wanted["pipe"] else ()
            status = run(wanted["command"], wanted["environment"], inherited, Path(folder, "output.log"))
            Path(folder, "ended").write_text(str(status), encoding="ascii")
            os.close(1)
            os.read(0, 1)  # It ends when nobody holds the other end any more: nobody writes there a second time.
    finally:
        remove(folder)


if __name__ == "__main__":  # pragma: no branch - never imported.
    main(*sys.argv[1:])
