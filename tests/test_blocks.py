"""What leaves the block of an opener: all that its body and its tasks raised, and the body's alone never wrapped."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from native_support import FIREFOX_ID, encode, write_application
from support import ScriptedError, settle
from trio.testing import memory_stream_pair

from trio_ports import Port, open_browser, open_port_pair, open_stream_port
from trio_ports.bus import MemoryNetwork
from trio_ports.native import connect_native, open_native_listener

Trip = Callable[[], object]
"""Makes a listener of the block fail, later."""
Opener = Callable[[Path], AbstractAsyncContextManager[Trip | None]]

ECHO = "while True: send(receive())\n"


OUTSIDE = trio.lowlevel.RunVar[trio.Nursery]("outside")
"""A nursery that is none of the block's business."""
FAILED = trio.lowlevel.RunVar[trio.Event]("failed")
"""Set when the listener of the block raises."""


class BodyError(Exception):
    """What the body raises."""


def fail(message: object, port: Port) -> None:
    FAILED.get().set()
    raise ScriptedError


@asynccontextmanager
async def a_browser(folder: Path, *, application: bool = False, **options: Any) -> AsyncGenerator[Trip]:
    async with open_browser(manifest_folders=[folder], **options) as browser:
        extension = browser.install(FIREFOX_ID)
        background, page = extension.open_page(), extension.open_page()
        background.runtime.on_connect.add_listener(lambda port: port.on_message.add_listener(fail))
        if application:
            answered = trio.Event()
            native = background.runtime.connect_native("app")
            native.on_message.add_listener(lambda message, port: answered.set())
            native.post_message("Are you there?")
            await answered.wait()
        yield lambda: page.runtime.connect().post_message(1)


@asynccontextmanager
async def a_browser_with_an_application(folder: Path) -> AsyncGenerator[Trip]:
    async with a_browser(write_application(folder, ECHO), application=True) as trip:
        yield trip


@asynccontextmanager
async def a_browser_on_a_bus(folder: Path) -> AsyncGenerator[Trip]:
    async with MemoryNetwork().open_bus("one") as bus, a_browser(folder, bus=bus) as trip:
        yield trip


@asynccontextmanager
async def a_bus(folder: Path) -> AsyncGenerator[None]:
    async with MemoryNetwork().open_bus("one"):
        yield None


@asynccontextmanager
async def a_stream_port(folder: Path) -> AsyncGenerator[Trip]:
    near, far = memory_stream_pair()
    async with open_stream_port(near) as port:
        port.on_message.add_listener(fail)
        yield lambda: trio.lowlevel.spawn_system_task(far.send_all, encode(1))


@asynccontextmanager
async def a_native_client(folder: Path) -> AsyncGenerator[Trip]:
    write_application(folder, ECHO)
    async with connect_native("app", extension_id=FIREFOX_ID, manifest_folders=[folder]) as port:
        port.on_message.add_listener(fail)
        yield lambda: port.post_message(1)


@asynccontextmanager
async def a_native_listener(folder: Path) -> AsyncGenerator[None]:
    (folder / "run").mkdir(mode=0o700)
    async with open_native_listener("app", folder=folder / "run"):
        yield None


@asynccontextmanager
async def the_block_of_a_port(folder: Path) -> AsyncGenerator[Trip]:
    opener, receiver = open_port_pair(OUTSIDE.get())
    receiver.on_message.add_listener(fail)
    async with receiver:
        yield lambda: opener.post_message(1)


OPENERS: list[Opener] = [
    a_browser,
    a_browser_with_an_application,
    a_browser_on_a_bus,
    a_bus,
    a_stream_port,
    a_native_client,
    a_native_listener,
    the_block_of_a_port,
]


def leaves_of(error: BaseException) -> Iterator[BaseException]:
    """Give the exceptions in groups of groups."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves_of(each)
    else:
        yield error


@pytest.mark.parametrize("opener", OPENERS, ids=lambda opener: opener.__name__)
@pytest.mark.parametrize("strict", [True, False], ids=["strict", "not_strict"])
@pytest.mark.parametrize("cancelled", [False, True], ids=["", "cancelled"])
@pytest.mark.parametrize("trips", [False, True], ids=["", "listener"])
@pytest.mark.parametrize("kind", [None, BodyError, KeyboardInterrupt])
@pytest.mark.filterwarnings("ignore::trio.TrioDeprecationWarning")
def test_nothing_that_was_raised_is_lost(
    opener: Opener, *, strict: bool, cancelled: bool, trips: bool, kind: type[BaseException] | None, tmp_path: Path
) -> None:
    """Whatever was cancelled beside it; and what only the body raised leaves as it is, its cause and context too."""
    cause, context = ScriptedError("cause"), ScriptedError("context")
    raised = None if kind is None else kind("body")
    caught: list[BaseException] = []
    tripped = False

    async def main() -> None:
        nonlocal tripped
        async with trio.open_nursery() as outside:
            OUTSIDE.set(outside)
            FAILED.set(trio.Event())
            try:
                with trio.CancelScope() as scope:
                    async with opener(tmp_path) as trip:
                        if trips and trip is not None:
                            trip()
                            tripped = True
                            with trio.CancelScope(shield=True):
                                await FAILED.get().wait()
                                await settle()
                        if cancelled:
                            scope.cancel()
                        if raised is not None:
                            try:
                                raise context
                            except ScriptedError:
                                raise raised from cause
                        await trio.lowlevel.checkpoint()
            except BaseException as error:  # noqa: BLE001 - that it may be anything is the point
                caught.append(error)
            outside.cancel_scope.cancel()

    trio.run(main, strict_exception_groups=strict)
    found = [type(leaf) for error in caught for leaf in leaves_of(error)]
    expected = [*([] if kind is None else [kind]), *([ScriptedError] if tripped else [])]
    assert found == expected
    if raised is not None and not tripped:
        assert caught == [raised]
        assert (raised.__cause__, raised.__context__) == (cause, context)
