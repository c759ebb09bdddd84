"""A trial: somebody's own extension and application in a throw-away browser, with a tap between the two.

The browser is told that the tap is the application. The tap, `tap.py`, starts the application and reports what the
two sides say. Nobody else's browser knows of it, and everything is removed with the browser's folder.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeAlias, final

import attrs
import msgspec
import trio

from .._native.installing.install import install
from .._protocol.manifests import extension_origin
from .browsers.find import BrowserKind
from .browsers.firefox import PLACES
from .browsers.openers import OPENERS
from .browsers.process import Browser, open_process, watch
from .console import ConsoleLine, ConsoleReader

LOOK_SECONDS: Final = 0.1
"""How often the browser's log is looked at; no event tells that it has grown."""
TAP: Final = Path(__file__).with_name("tap.py")


@final
class Report(msgspec.Struct):
    """What a tap reports, one line each."""

    event: str
    """``"started"``; ``"failed"``: the application cannot be started; ``"asked"``: the extension sent bytes;
    ``"answered"``: the application did; ``"stderr"``: what the application wrote there; ``"exited"``."""
    data: bytes = b""
    text: str = ""
    """Why it cannot be started."""
    pid: int = 0
    status: int = 0
    """The application's exit status, or minus the number of the signal that ended it."""


OnReport: TypeAlias = Callable[[int, Report], object]
"""Called with the number of a connection, which begins at 1, and what was reported of it."""
OnConsole: TypeAlias = Callable[[ConsoleLine], object]


@final
@attrs.frozen
class Subject:
    """What is tried: an extension's folder and its id, and the application's name and command."""

    extension: Path
    extension_id: str
    application: str
    command: Sequence[str]
    """Its program is an absolute path."""


@asynccontextmanager
async def open_trial(
    kind: BrowserKind, subject: Subject, on_report: OnReport, on_console: OnConsole, *, headless: bool
) -> AsyncGenerator[Browser]:
    """Start a browser for as long as the block runs; nothing is left of it afterwards.

    The application can be called there; the extension is not loaded yet.

    Raises:
        ManifestError: the browser could not start the application by that name.
        BrowserNotFoundError: the browser is not installed.
        BrowserStartError: it did not start.
        BrowserGoneError: it ended before the block did.
    """
    async with open_process() as process, trio.open_nursery() as nursery:
        address = process.folder / "tap"
        await nursery.start(_listen, address, on_report)
        async with OPENERS[kind](process, headless=headless) as browser, trio.open_nursery() as watched:
            watched.start_soon(watch, process)
            watched.start_soon(_follow, process.log, ConsoleReader(kind), on_console)
            _install(browser, subject, address)
            yield browser
            watched.cancel_scope.cancel()
        nursery.cancel_scope.cancel()


def _install(browser: Browser, subject: Subject, address: Path) -> None:
    """Let the browser find the tap under the application's name, for this extension only."""
    # Not both lists in one manifest: Firefox refuses it.
    allowed: dict[str, Any] = {"allowed_extensions": [subject.extension_id]}
    if browser.kind == "chromium":
        allowed = {"allowed_origins": [extension_origin(subject.extension_id)]}
    command = [sys.executable, "-I", str(TAP), str(address), *subject.command]
    # The browser has a home of its own; the application has the user's, as with the user's own browser.
    homes = {name: os.environ[name] for name in ("HOME", *PLACES) if name in os.environ}
    install(subject.application, command, manifest_folders=[browser.manifest_folder], env=homes, **allowed)


async def _listen(
    address: Path, on_report: OnReport, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Take the reports of all taps."""
    numbers = count(1)

    async def serve(stream: trio.SocketStream) -> None:
        number, rest = next(numbers), b""
        async for data in stream:
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                on_report(number, msgspec.json.decode(line, type=Report))

    with trio.socket.socket(trio.socket.AF_UNIX) as listening:
        await listening.bind(str(address))
        listening.listen()
        task_status.started()
        await trio.serve_listeners(serve, [trio.SocketListener(listening)])


async def _follow(log: Path, reader: ConsoleReader, on_console: OnConsole) -> None:
    """Report what the extension writes to its console."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with log.open("rb") as opened:
        while True:
            for line in reader.receive_text(decoder.decode(opened.read())):
                on_console(line)
            await trio.sleep(LOOK_SECONDS)
