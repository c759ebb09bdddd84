"""Stray prints: what is printed although standard output belongs to the browser.

Descriptor 1 is standard error by then, so nothing is lost and nothing gets into the messages. This module tells where
it came from, once for each place: the line to mend, or to leave as it is.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Generator
from types import FrameType
from typing import Any, Final, cast, final

_PASSED_ON: Final = (__name__, "logging", "warnings", "traceback", "pprint")
"""Modules that print for somebody else."""


@contextlib.contextmanager
def named_strays() -> Generator[None]:
    """For the block, let ``sys.stdout`` write to standard error and name each place that writes to it."""
    before = sys.stdout
    with contextlib.suppress(OSError, ValueError, AttributeError):
        before.flush()
    raw = io.FileIO(1, "wb", closefd=False)
    # Every write goes through at once: a line that waits in a buffer says nothing about when it was printed.
    text = io.TextIOWrapper(
        cast("Any", _Named(raw)), encoding="utf-8", errors="backslashreplace", line_buffering=True, write_through=True
    )
    sys.stdout = text
    try:
        yield
    finally:
        if sys.stdout is text:
            sys.stdout = before
        with contextlib.suppress(OSError):
            text.flush()
        text.detach()


@final
class _Named(io.BufferedWriter):
    """Writes through, and tells once for each place in the program that it did."""

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__(raw)
        self._known: set[tuple[str, int]] = set()

    def write(self, data: Any, /) -> int:
        place = _place(sys._getframe(1))
        note = b""
        if place not in self._known:
            self._known.add(place)
            file, line = place
            text = f"{file}:{line}: printed to standard output, which carries messages to the browser; shown here.\n"
            note = text.encode("utf-8", "backslashreplace")
        super().write(note + bytes(data))
        self.flush()
        return len(data)


def _place(frame: FrameType | None) -> tuple[str, int]:
    """Return the file and the line of whoever printed."""
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _PASSED_ON and frame.f_back:
        frame = frame.f_back
    return ("?", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)
