"""One browser for many tests: it lives in a thread of its own, with a Trio of its own."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import pytest
import trio

from trio_ports._drivers import BrowserKind, BrowserNotFoundError, Lab, PlayerExtension, find_browser, open_lab
from trio_ports._drivers.lab import EXTENSIONS

T = TypeVar("T")

STORY_SECONDS = 60.0


class Laboratory:
    """A lab that plays one story after the other."""

    def __init__(self, kind: BrowserKind, extensions: Sequence[PlayerExtension] = EXTENSIONS) -> None:
        self.kind = kind
        self.extensions = extensions
        self._started: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._main)

    def start(self) -> None:
        self._thread.start()
        error = self._started.get()
        if error is not None:
            self._thread.join()
            raise error

    def play(self, story: Callable[[Lab], Awaitable[T]]) -> T:
        result: T = trio.from_thread.run(self._play, story, trio_token=self._token)
        return result

    def stop(self) -> None:
        trio.from_thread.run_sync(self._stopped.set, trio_token=self._token)
        self._thread.join()

    async def _play(self, story: Callable[[Lab], Awaitable[T]]) -> T:
        with trio.fail_after(STORY_SECONDS):
            try:
                return await story(self._lab)
            finally:
                await self._lab.reset()

    def _main(self) -> None:
        try:
            trio.run(self._live, open_lab(self.kind, extensions=self.extensions))
        except BaseException as error:  # noqa: BLE001 - told to the test that waits for the browser.
            self._started.put(error)

    async def _live(self, opened: AbstractAsyncContextManager[Lab]) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._stopped = trio.Event()
        async with opened as self._lab:
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


def start_laboratory(kind: BrowserKind, extensions: Sequence[PlayerExtension] = EXTENSIONS) -> Laboratory:
    """Start a browser, if it is installed."""
    require(kind)
    laboratory = Laboratory(kind, extensions)
    laboratory.start()
    return laboratory


def story(function: Callable[[Lab], Awaitable[None]]) -> Callable[[Laboratory], None]:
    """Make a test that plays the story in each browser."""

    def test(laboratory: Laboratory) -> None:
        laboratory.play(function)

    test.__name__, test.__doc__ = function.__name__, function.__doc__
    return test
