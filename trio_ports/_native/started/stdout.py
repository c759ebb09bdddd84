"""Stray output on standard output, which belongs to the browser: where it goes, and which line printed it.

While the port is open descriptor 1 is standard error, so what is printed is not lost
and never gets between the messages. This module writes, once for each place in the
program that prints, a line that names the place.

Nobody may read standard error, and then its pipe is full sooner or later. What does not
fit is lost, because a program that waits for room would never answer again.
"""

from __future__ import annotations

import contextlib
import io
import select
import sys
from collections.abc import Generator
from types import FrameType
from typing import Any, Final, cast, final

_PASSED_ON: Final = (__name__, "logging", "warnings", "traceback", "pprint")
"""Modules that print on behalf of their callers."""
_ATOMIC_BYTES: Final = getattr(select, "PIPE_BUF", 512)
"""How much a pipe takes without waiting, if it takes anything."""


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
    text = _unbuffered(named)
    sys.stdout = text
    try:
        yield
    finally:
        if sys.stdout is text:
            sys.stdout = before
        named.names = False


@contextlib.contextmanager
def lossy_output() -> Generator[None]:
    """In the block and after it, let Python lose what standard output and error do not take, instead of waiting."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        now, first = getattr(sys, name), getattr(sys, f"__{name}__")
        if first is not None:
            text = _unbuffered(_Lossy(descriptor))
            # The interpreter writes to the first one, too, when it exits.
            setattr(sys, f"__{name}__", text)
            if now is first:
                with contextlib.suppress(OSError, ValueError):
                    now.flush()
                setattr(sys, name, text)
    yield


def _unbuffered(file: io.BufferedIOBase) -> io.TextIOWrapper:
    """Return a text file without a buffer, so that lines on standard error stay in the order in which they came."""
    return io.TextIOWrapper(
        cast("Any", file), encoding="utf-8", errors="backslashreplace", line_buffering=True, write_through=True
    )


class _Lossy(io.BufferedIOBase):
    """Writes to a descriptor without a buffer, as much as it takes at once.

    What cannot be written is lost: a print must neither end nor stop an application
    whose standard error is full or closed.
    """

    def __init__(self, descriptor: int) -> None:
        self._raw = io.FileIO(descriptor, "wb", closefd=False)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()

    def write(self, data: Any, /) -> int:
        with memoryview(data).cast("B") as view:
            done = 0
            with contextlib.suppress(OSError):
                while done < len(view) and self._takes_more():
                    # None from a full pipe that somebody has made non-blocking.
                    done += self._raw.write(view[done : done + _ATOMIC_BYTES]) or len(view)
            return len(view)

    def _takes_more(self) -> bool:
        """Return whether so many bytes can be written without waiting; True where the system cannot tell."""
        if not hasattr(select, "poll"):
            return True
        poll = select.poll()
        poll.register(self._raw.fileno(), select.POLLOUT)
        return bool(poll.poll(0))


@final
class _Named(_Lossy):
    """Writes to descriptor 1, and names each place in the program that does so, once."""

    def __init__(self) -> None:
        super().__init__(1)
        self._known: set[tuple[str, int]] = set()
        self.names = True

    def write(self, data: Any, /) -> int:
        place = _place(sys._getframe(1))
        if self.names and place not in self._known:
            self._known.add(place)
            file, line = place
            text = f"{file}:{line}: printed to standard output, which carries messages to the browser; shown here.\n"
            super().write(text.encode("utf-8", "backslashreplace"))
        return super().write(data)


def _place(frame: FrameType | None) -> tuple[str, int]:
    """Return the file and the line of the code that printed."""
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in _PASSED_ON and frame.f_back:
        frame = frame.f_back
    return ("?", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)
