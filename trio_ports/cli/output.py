"""Standard output, which may be a terminal or a pipe, narrow, without colours, not in UTF-8, or closed."""

from __future__ import annotations

import io
import math
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final, final

from rich.console import Console
from rich.text import Text

INDENT: Final = 6
NARROWEST: Final = 20


@final
class Output:
    """Standard output. Writing never raises, because observers of ports write too.

    Attributes:
        is_terminal: whether it is a terminal, and not a pipe or a file.
        error: why nothing can be written any more; None as long as writing works.
        on_lost: called once, when writing fails for the first time.
    """

    def __init__(self) -> None:
        self._stream = sys.stdout if sys.stdout is not None else io.StringIO()  # pyright: ignore[reportUnnecessaryComparison]
        self._encoding = self._stream.encoding or "utf-8"
        self.is_terminal: bool = self._stream.isatty()
        # Rich only renders: it would end the program on a broken pipe.
        self._rendered = io.StringIO()
        self._console = Console(
            file=self._rendered,
            force_terminal=Console(file=self._stream).is_terminal,  # FORCE_COLOR and the like are respected.
            legacy_windows=False,
        )
        self.error: OSError | None = None
        self.on_lost: Callable[[], object] = lambda: None

    @property
    def width(self) -> float:
        """How many characters a line may have: any number in a pipe."""
        return max(self._console.width, NARROWEST) if self.is_terminal else math.inf

    def either(self, wanted: str, plain: str) -> str:
        """Return ``wanted`` if it can be written here, otherwise ``plain``."""
        try:
            wanted.encode(self._encoding)
        except UnicodeEncodeError:
            return plain
        return wanted

    def write_text(self, text: Text) -> None:
        """Write a line for people: with colours and wrapped in a terminal, unchanged in a pipe."""
        for line in self._wrap(text):
            self._console.print(line, highlight=False, soft_wrap=True)
        self.write(self._rendered.getvalue())
        self._rendered.seek(0)
        self._rendered.truncate()

    def write(self, text: str) -> None:
        """Write ``text`` at once. Characters that the encoding does not have are escaped."""
        if self.error is not None:
            return
        try:
            self._stream.write(text.encode(self._encoding, "backslashreplace").decode(self._encoding))
            self._stream.flush()
        except OSError as error:
            self.error = error
            self.on_lost()

    def abandon(self) -> None:
        """Discard the text that could not be written, so that the interpreter does not try again when it exits."""
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())

    def _wrap(self, text: Text) -> list[Text]:
        """Break a line that is too long, and indent all parts but the first."""
        if len(text) <= self.width:
            return [text]
        width = int(self.width)
        first, *_ = text.wrap(self._console, width)
        start = len(text) - len(text.plain[len(first) :].lstrip())
        rest = text[start:].wrap(self._console, width - INDENT)
        return [first, *(Text(" " * INDENT) + line for line in rest)]


def printable(text: str) -> str:
    """Escape the characters that XML or a terminal cannot show, or that would do something else to a terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
