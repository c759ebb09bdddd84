"""One browser for many tests: it lives in a thread of its own, with a Trio of its own."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import pytest
import trio
from support import PATIENCE_SECONDS

from trio_ports._laboratory.browsers.errors import BrowserNotFoundError
from trio_ports._laboratory.browsers.find import BrowserKind, find_browser
from trio_ports._laboratory.extensions import EXTENSIONS, PlayerExtension
from trio_ports._laboratory.laboratory import Laboratory, open_laboratory
from trio_ports._laboratory.player import LaboratoryPlayer, open_laboratory_player

T = TypeVar("T")


class SharedLaboratory:
    """A laboratory that plays one story after the other."""

    def __init__(self, kind: BrowserKind, extensions: Sequence[PlayerExtension] = EXTENSIONS) -> None:
        self.kind = kind
        self._extensions = extensions
        self._started: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._main)
        self._is_well = True

    @property
    def is_broken(self) -> bool:
        """A story has failed, and may have left anything behind; or the browser has gone."""
        return not (self._is_well and self._thread.is_alive())

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
        with suppress(trio.RunFinishedError):  # A story may have ended it.
            trio.from_thread.run_sync(self._stopped.set, trio_token=self._token)
        self._thread.join()

    async def _play(self, story: Callable[[LaboratoryPlayer], Awaitable[T]]) -> T:
        self._is_well = False
        async with open_laboratory_player(self._laboratory) as player:
            with trio.fail_after(PATIENCE_SECONDS):
                result = await story(player)
        self._is_well = True
        return result

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
