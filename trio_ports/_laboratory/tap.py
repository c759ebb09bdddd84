"""A tap: runs between a browser and a native application, passes every byte on, and reports what passes.

A program of its own (standard library only, started by path), which a browser starts in the application's place:

    python tap.py SOCKET PROGRAM ARGUMENTS…

It starts PROGRAM as the browser would have, with the browser's arguments, in PROGRAM's own folder. What one side writes
goes to the other side as it is, right or wrong, and each side meets the other's end. The report goes to a Unix socket,
one line of JSON for each piece; `Report` in `trio_ports/cli/try_extension.py` reads it. If nobody takes the report, the
conversation goes on.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

PIECE_BYTES = 65536
SETTLE_SECONDS = 1.0
"""How long the pipes of an application that has exited may stay open, because a child of it holds them."""
NOT_STARTED = 127


class Reporter:
    """Sends reports, one at a time, for as long as somebody takes them."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._lock = threading.Lock()
        with contextlib.suppress(OSError):
            self._socket.connect(address)

    def report(self, event: str, data: bytes = b"", **fields: object) -> None:
        """Send one report."""
        plain = {"event": event, "data": base64.b64encode(data).decode(), **fields}
        with self._lock, contextlib.suppress(OSError):
            self._socket.sendall(json.dumps(plain).encode() + b"\n")


def carry(reporter: Reporter, event: str, source: io.FileIO, sink: io.FileIO) -> None:
    """Pass bytes on until one side has gone, and let the other side know."""
    with contextlib.suppress(OSError), source, sink:
        while data := source.read(PIECE_BYTES):
            reporter.report(event, data)
            rest = memoryview(data)
            while rest:
                rest = rest[sink.write(rest) :]


def main(address: str, program: str, *arguments: str) -> int:
    """Run the application until it exits; return its status, or 128 plus the signal that ended it."""
    reporter = Reporter(address)
    try:
        application = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=os.path.dirname(program),  # noqa: PTH120 - pathlib would take a third of the time to start.
        )
    except OSError as error:
        reporter.report("failed", text=f"{program} cannot be started: {error.strerror}")
        return NOT_STARTED
    # Firefox asks with SIGTERM; Chromium kills, and then the application meets its end of file.
    signal.signal(signal.SIGTERM, lambda _number, _frame: application.terminate())
    reporter.report("started", pid=application.pid)
    ours = [io.FileIO(0), io.FileIO(1, "w"), io.FileIO(2, "w")]
    theirs: list[Any] = [application.stdin, application.stdout, application.stderr]
    ways = [("asked", ours[0], theirs[0]), ("answered", theirs[1], ours[1]), ("stderr", theirs[2], ours[2])]
    threads = [threading.Thread(target=carry, args=(reporter, *way), daemon=True) for way in ways]
    for thread in threads:
        thread.start()
    status = application.wait()
    for thread in threads[1:]:
        thread.join(SETTLE_SECONDS)
    reporter.report("exited", status=status)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":  # pragma: no branch - never imported.
    sys.exit(main(*sys.argv[1:]))
