"""One browser for many tests: it lives in a thread of its own, with a Trio of its own."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest
import trio

from trio_ports._laboratory.browsers import BrowserKind, BrowserNotFoundError, find_browser
from trio_ports._laboratory.extensions import EXTENSIONS, PlayerExtension
from trio_ports._laboratory.laboratory import Laboratory, open_laboratory
from trio_ports._laboratory.player import LaboratoryPlayer, open_laboratory_player

T = TypeVar("T")

STORY_SECONDS = 60.0


class SharedLaboratory:
    """A laboratory that plays one story after the other."""

    def __init__(self, kind: BrowserKind, extensions: Sequence[PlayerExtension] = EXTENSIONS) -> None:
        self.kind = kind
        self._extensions = extensions
        self._started: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._main)

    def start(self) -> None:
        self._thread.start()
        error = self._started.get()
        if error is not None:
            self._thread.join()
            raise error

    def play(self, story: Callable[[LaboratoryPlayer], Awaitable[T]]) -> T:
        result: T = trio.from_thread.run(self._play, story, trio_token=self._token)
        return result

    def stop(self) -> None:
        trio.from_thread.run_sync(self._stopped.set, trio_token=self._token)
        self._thread.join()

    async def _play(self, story: Callable[[LaboratoryPlayer], Awaitable[T]]) -> T:
        async with open_laboratory_player(self._laboratory) as player:
            with trio.fail_after(STORY_SECONDS):
                return await story(player)

    def _main(self) -> None:
        try:
            trio.run(self._live)
        except BaseException as error:  # noqa: BLE001 - Raised in the test that waits for the browser.
            self._started.put(error)

    async def _live(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._stopped = trio.Event()
        self._laboratory: Laboratory
        async with open_laboratory(self.kind, extensions=self._extensions) as self._laboratory:
            self._started.put(None)
            await self._stopped.wait()


def require(kind: BrowserKind) -> None:
    """Skip the test where the browser is missing, unless browsers are required."""
    try:
        find_browser(kind)
    except BrowserNotFoundError as missing:
        if os.environ.get("TRIO_PORTS_REQUIRE_BROWSERS") == "1":
            raise
        pytest.skip(str(missing))


def start_laboratory(kind: BrowserKind, extensions: Sequence[PlayerExtension] = EXTENSIONS) -> SharedLaboratory:
    """Start a browser, if it is installed."""
    require(kind)
    laboratory = SharedLaboratory(kind, extensions)
    laboratory.start()
    return laboratory


def story(function: Callable[[LaboratoryPlayer], Awaitable[None]]) -> Callable[[SharedLaboratory], None]:
    """Make a test that plays the story in each browser."""

    def test(laboratory: SharedLaboratory) -> None:
        laboratory.play(function)

    test.__name__, test.__doc__ = function.__name__, function.__doc__
    return test
