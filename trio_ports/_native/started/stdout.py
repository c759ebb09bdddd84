"""Stray output on standard output, which belongs to the browser: where it goes, and which line printed it.

While the port is open descriptor 1 is standard error, so what is printed is not lost
and never gets between the messages. This module writes, once for each place in the
program that prints, a line that names the place.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Generator
from types import FrameType
from typing import Any, Final, cast, final

_PASSED_ON: Final = (__name__, "logging", "warnings", "traceback", "pprint")
"""Modules that print on behalf of their callers."""


@contextlib.contextmanager
def named_prints() -> Generator[None]:
    """For the block, make ``sys.stdout`` write to descriptor 1 at once, and name each place that writes to it.

    Code that keeps this ``sys.stdout``, a logging handler for example, may write to it
    after the block as well.
    """
    before = sys.stdout
    with contextlib.suppress(OSError, ValueError, AttributeError):
        before.flush()
    named = _Named()
    # Nothing is buffered, so that the lines on standard error stay in the order in
    # which they were printed.
    text = io.TextIOWrapper(
        cast("Any", named), encoding="utf-8", errors="backslashreplace", line_buffering=True, write_through=True
    )
    sys.stdout = text
    try:
        yield
    finally:
        if sys.stdout is text:
            sys.stdout = before
        named.names = False


@final
class _Named(io.BufferedIOBase):
    """Writes to descriptor 1 without a buffer, and names each place in the program that does so, once.

    What cannot be written is lost: a print must not end an application whose standard
    error is full or closed.
    """

    def __init__(self) -> None:
        self._raw = io.FileIO(1, "wb", closefd=False)
        self._known: set[tuple[str, int]] = set()
        self.names = True

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()

    def write(self, data: Any, /) -> int:
        place = _place(sys._getframe(1))
        note = b""
        if self.names and place not in self._known:
            self._known.add(place)
            file, line = place
            text = f"{file}:{line}: printed to standard output, which carries messages to the browser; shown here.\n"
            note = text.encode("utf-8", "backslashreplace")
        with memoryview(data).cast("B") as view:
            self._write(note + view)
            return len(view)

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            while data:
                # None from a full pipe that somebody has made non-blocking.
                done = self._raw.write(data)
                data = data[done:] if done else b""


def _place(frame: FrameType | None) -> tuple[str, int]:
    """Return the file and the line of the code that printed."""
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in _PASSED_ON and frame.f_back:
        frame = frame.f_back
    return ("?", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)
