"""The messages of an extension's console, among all that a browser prints."""

from __future__ import annotations

import pytest

from trio_ports._laboratory.console import KEPT_LETTERS, ConsoleLine, ConsoleReader

FIREFOX = """\
*** You are running in headless mode.
console.warn: services.settings: Ignoring preference override of remote settings server
1796080614319	Marionette	INFO	Listening on port 40697
console.error: RSLoader:\x20
  Failed to retrieve recipes from Remote Settings
console.log: "hello" ({a:1}) [2]
console.error: (new Error("logged", "moz-extension://2330545b/background.js", 4))
JavaScript error: moz-extension://2330545b/lib/a.js, line 7: Error: rejected
JavaScript error: resource:///modules/backup/BackupService.sys.mjs, line 4408: NotAllowedError: no
console.log: "more to co"""
CHROMIUM = """\
[10325:10357:1130/231711.821933:ERROR:dbus/bus.cc:405] Failed to connect to the bus: "x", source: y
[10325:10325:1130/231712.561361:INFO:CONSOLE:2] "hello 2", source: chrome-extension://nikg/background.js (2)
[10325:10325:1130/231712.650691:INFO:CONSOLE(3)] "careful
second line", source: chrome-extension://nikg/lib/a.js (3)
[10325:10325:1130/231712.650691:INFO:CONSOLE:3] "a page's", source: https://example.com/a.js (3)
[10325:10325:1130/231712.762432:INFO:CONSOLE:6] "Uncaught Error: no", source: chrome-extension://nikg/background.js (6)
[10325:10325:1130/231712.762432:INFO:CONSOLE:6] "more to co"""


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_firefox(size: int) -> None:
    """Firefox's own messages, and the errors of its own scripts, are left out."""
    assert read(ConsoleReader("firefox"), FIREFOX, size) == [
        ConsoleLine('"hello" ({a:1}) [2]', "", is_error=False),
        ConsoleLine('(new Error("logged", "moz-extension://2330545b/background.js", 4))', "", is_error=True),
        ConsoleLine("Error: rejected", "lib/a.js, line 7", is_error=True),
    ]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_chromium(size: int) -> None:
    """A message may have several lines; those of pages are left out."""
    assert read(ConsoleReader("chromium"), CHROMIUM, size) == [
        ConsoleLine("hello 2", "background.js (2)", is_error=False),
        ConsoleLine("careful\nsecond line", "lib/a.js (3)", is_error=False),
        ConsoleLine("Uncaught Error: no", "background.js (6)", is_error=True),
    ]


def test_much_that_is_not_the_extensions() -> None:
    """It is not kept."""
    reader = ConsoleReader("chromium")
    for _ in range(3):
        assert reader.receive_text("x" * KEPT_LETTERS) == []
    assert len(reader._rest) == KEPT_LETTERS


def read(reader: ConsoleReader, text: str, size: int) -> list[ConsoleLine]:
    """Return what is found when the text arrives in pieces."""
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return [line for piece in pieces for line in reader.receive_text(piece)]
