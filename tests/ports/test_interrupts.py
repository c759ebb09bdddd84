"""Ctrl-C at every line of the package that a conversation runs through: it gets out, and everything ends."""

from __future__ import annotations

import itertools
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import trio
from support import Witness, settle
from trio.testing import MockClock

import trio_ports
from trio_ports import Port, open_browser, open_port_pair

pytestmark = [
    pytest.mark.repetition,
    # A handler that is interrupted before its first step.
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <coroutine"),
]


PACKAGE = str(Path(trio_ports.__file__).parent)


class Interrupting:
    """Traces the package, and raises SIGINT at one of the lines that are run."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.place = ""

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self.trace if frame.f_code.co_filename.startswith(PACKAGE) else None

    def trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self.left -= 1
            if self.left == 0:
                self.place = f"{frame.f_code.co_qualname}, line {frame.f_lineno}"
                sys.settrace(None)
                signal.raise_signal(signal.SIGINT)
        return self.trace


def interrupt_everywhere(scenario: Callable[[], Awaitable[None]]) -> int:
    """Run a scenario again and again, interrupted one line later each time; return how often."""

    async def run() -> None:
        with trio.fail_after(60):
            await scenario()

    for at in itertools.count(1):
        interrupting = Interrupting(at)
        sys.settrace(interrupting)
        raised: BaseException | None = None
        try:
            trio.run(run, clock=MockClock(autojump_threshold=0))
        except BaseException as error:  # noqa: BLE001 - It is looked at.
            raised = error
        finally:
            sys.settrace(None)
        if not interrupting.place:
            return at - 1
        rest = raised.split(KeyboardInterrupt)[1] if isinstance(raised, BaseExceptionGroup) else raised
        assert rest is None or type(rest) is KeyboardInterrupt, interrupting.place
        assert raised is not None, f"nobody was interrupted at {interrupting.place}"
    raise AssertionError


async def talk_in_a_nursery() -> None:
    """A pair with little room: a listener that answers, a task that sends and one that reads, and both kinds of end."""
    async with trio.open_nursery() as nursery:
        caller, answerer = open_port_pair(nursery, max_buffer_size=1)
        answerer.on_message.add_listener(lambda message, port: port.post_message(message))

        async def send() -> None:
            with suppress(trio.ClosedResourceError):
                for number in range(3):
                    await caller.send(number)

        async with caller:
            nursery.start_soon(send)
            for number in range(3):
                assert await caller.receive() == number
        await answerer.wait_disconnected()


async def talk_in_a_browser() -> None:
    """A page that serves, a page that listens, and one that connects."""
    async with open_browser(max_buffer_size=2) as browser, trio.open_nursery() as nursery:
        extension = browser.install("notes@example.org")
        background, page = extension.open_page(), extension.open_page("page.html")
        script = extension.inject(browser.open_tab("https://example.org/"))

        async def answer(port: Port) -> None:
            with suppress(trio.BrokenResourceError):
                async for message in port:
                    await port.send(message)

        await nursery.start(background.runtime.serve, answer)
        page.runtime.on_connect.add_listener(Witness().watch)
        async with script:
            port = script.runtime.connect()
            for number in range(3):
                await port.send(number)
                assert await port.receive() == number
        await settle()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("scenario", [talk_in_a_nursery, talk_in_a_browser])
def test_ctrl_c_at_every_line(scenario: Callable[[], Awaitable[None]]) -> None:
    """And once more after the last one, when nothing is interrupted."""
    if sys.gettrace() is not None:
        pytest.skip("a debugger traces")
    assert interrupt_everywhere(scenario) > 200
