"""What an extension writes to its console, and the errors of its scripts, as the browsers print them.

Firefox prints console messages where a preference says so, and Chromium with ``--enable-logging=stderr``. Between them
stands what the browsers say about themselves, which is left out.
"""

from __future__ import annotations

import re
from typing import Final, final

import attrs

from .browsers.find import BrowserKind

KEPT_LETTERS: Final = 65536
PATTERNS: Final[dict[BrowserKind, re.Pattern[str]]] = {
    # Firefox's own messages have a prefix, such as "services.settings: "; an extension's text is in quotation marks.
    "firefox": re.compile(
        r"^console\.(?P<level>\w+): (?![\w.]+: )(?P<text>.*)\n"
        r"|^JavaScript (?P<error>error): moz-extension://[^/\n]+/(?P<place>.*, line \d+): (?P<thrown>.*)\n",
        re.MULTILINE,
    ),
    "chromium": re.compile(
        r'^\[[^\]\n]*:CONSOLE[:(]\d+\)?\] "(?P<text>(?P<error>Uncaught )?(?s:.*?))", '
        r"source: (?:chrome-extension://[^/\n]+/(?P<place>.* \(\d+\))|(?P<page>.*))\n",
        re.MULTILINE,
    ),
}


@final
@attrs.frozen
class ConsoleLine:
    """A message in an extension's console."""

    text: str
    place: str
    """Where it was written, as the browser says it; empty if that does not say."""
    is_error: bool
    """Whether a script has failed; in Firefox also whether it says so, which Chromium does not print."""


@final
@attrs.define
class ConsoleReader:
    """Finds an extension's messages in what a browser prints."""

    kind: BrowserKind
    _rest: str = attrs.field(default="", init=False)

    def receive_text(self, text: str) -> list[ConsoleLine]:
        """Take what was printed, and return the messages that are complete."""
        self._rest += text
        lines: list[ConsoleLine] = []
        end = 0
        for match in PATTERNS[self.kind].finditer(self._rest):
            found = match.groupdict()
            said = found["text"] or found.get("thrown") or ""
            is_error = found["error"] is not None or found.get("level") == "error"
            if found.get("page") is None:
                lines.append(ConsoleLine(said, found["place"] or "", is_error))
            end = match.end()
        self._rest = self._rest[end:][-KEPT_LETTERS:]
        return lines
