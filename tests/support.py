"""What the tests of ports and browsers share."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NoReturn

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import trio_ports
from trio_ports import Port

DIALECTS = ("trio", "firefox", "chrome")
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)
settle = wait_all_tasks_blocked
PATIENCE_SECONDS = 300
"""How long a test waits for another process or thread before it counts as hung. Only a hang may ever take that long,
so it is the same everywhere and far above what a busy machine needs."""


def lacking(advice: str) -> NoReturn:
    """Skip the test that lacks something, or fail it where everything is required."""
    if os.environ.get("TRIO_PORTS_REQUIRE_BROWSERS") == "1":
        pytest.fail(f"required, and missing: {advice}")
    pytest.skip(advice)


async def refuse_elsewhere(*calls: Callable[[], object]) -> None:
    """See that each call is refused in another thread, whether or not there is a Trio run of its own in it."""

    async def make(call: Callable[[], object]) -> None:
        call()

    for call in calls:
        for elsewhere in (call, partial(trio.run, make, call)):
            with pytest.raises(RuntimeError, match=r"must be called from inside trio\.run"):
                await trio.to_thread.run_sync(elsewhere)


class ScriptedError(Exception):
    """What a test's own code raises; its text must never reach the other side."""


class Witness:
    """Remembers what a port's listeners are told."""

    def __init__(self, *ports: Port) -> None:
        self.seen: list[Any] = []
        for port in ports:
            self.watch(port)

    def watch(self, port: Port) -> None:
        port.on_message.add_listener(self.hear)
        port.on_disconnect.add_listener(self.see_end)

    def hear(self, message: Any, port: Port) -> None:
        self.seen.append(message)

    def see_end(self, port: Port) -> None:
        self.seen.append("end")


@asynccontextmanager
async def open_pair(**options: Any) -> AsyncGenerator[tuple[Port, Port], None]:
    """Open a pair in a nursery of its own, which ends with the block."""
    async with trio.open_nursery() as nursery:
        yield trio_ports.open_port_pair(nursery, **options)
        nursery.cancel_scope.cancel()


class World:
    """An extension in a browser, with a background that keeps the ports that reach it."""

    def __init__(self, browser: trio_ports.Browser) -> None:
        self.browser = browser
        self.extension = browser.install("notes@example.org")
        self.background = self.extension.open_page("background.html")
        self.page = self.extension.open_page("options.html")
        self.ports: list[Port] = []

    def listen(self, context: trio_ports.Context | None = None, *, external: bool = False) -> None:
        runtime = (context or self.background).runtime
        (runtime.on_connect_external if external else runtime.on_connect).add_listener(self.ports.append)

    async def connect(self, **options: Any) -> tuple[Port, Port]:
        """Connect from the other page to the background; return both ends."""
        if not self.background.runtime.on_connect.has_listener(self.ports.append):
            self.listen()
        opener = self.page.runtime.connect(**options)
        await settle()
        return opener, self.ports.pop()


@asynccontextmanager
async def open_world(**options: Any) -> AsyncGenerator[World, None]:
    async with trio_ports.open_browser(**options) as browser:
        yield World(browser)


class Cancellation(trio.abc.Instrument):
    """Cancels ``scope`` after so many steps of any task; see `cancel_everywhere`."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.scope = trio.CancelScope()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.left -= 1
        if self.left == 0:
            self.scope.cancel()


def cancel_everywhere(scenario: Callable[[trio.CancelScope], Awaitable[None]]) -> int:
    """Run a scenario again and again, cancelling the scope it is given one step of a task later each time.

    A scenario that hangs meets the end of a mock clock. Returns how often it was cancelled.
    """

    async def run() -> None:
        with trio.fail_after(60):
            await scenario(cancellation.scope)

    for steps in itertools.count(1):
        cancellation = Cancellation(steps)
        trio.run(run, clock=MockClock(autojump_threshold=0), instruments=[cancellation])
        if cancellation.left > 0:
            return steps - 1
    raise AssertionError
