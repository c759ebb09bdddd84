"""The block of `open_browser`: its options, and what still happens while it is left."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import trio
from support import Witness, each_dialect, open_world, settle
from trio.testing import assert_checkpoints

from trio_ports import Context, Delivered, Port, open_browser

NOWHERE = Path("nowhere").absolute()


async def test_a_browser_is_a_block() -> None:
    """After it everything is closed, and nothing can be opened."""
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        tab = browser.open_tab()
        page = extension.open_page()
        assert repr(browser) == "<Browser trio (1 extensions, 1 tabs) at " + hex(id(browser)) + ">"
        assert tab.url == "about:blank"
    assert repr(browser) == "<Browser trio (closed) at " + hex(id(browser)) + ">"
    assert (page.closed, tab.closed, browser.closed, browser._registry.contexts) == (True, True, True, {})
    for call in (lambda: browser.install("other"), browser.open_tab, extension.open_page):
        with pytest.raises(trio.ClosedResourceError):
            call()
    extension.uninstall()


async def test_opening_a_browser_has_a_checkpoint() -> None:
    """At its end at the latest."""
    with assert_checkpoints():
        async with open_browser():
            pass


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"dialect": "opera"}, ValueError, "dialect must be one of"),
        ({"listener_errors": "ignore"}, ValueError, "listener_errors must be"),
        ({"max_buffer_size": 0}, ValueError, "max_buffer_size must be at least 1"),
        ({"max_message_bytes": math.nan}, TypeError, "max_message_bytes must be an int or math.inf"),
        ({"observer": "me"}, TypeError, "observer must be callable"),
        ({"manifest_folders": [1]}, TypeError, "1|int"),
    ],
)
async def test_bad_arguments_of_open_browser(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    """They raise on entry."""
    with pytest.raises(error, match=text):
        async with open_browser(**arguments):
            raise AssertionError


async def test_limits_reach_the_ports() -> None:
    """Options of the browser hold for each of its ports."""
    async with open_world(max_buffer_size=3, max_message_bytes=10, manifest_folders=[Path("nowhere")]) as world:
        opener, receiver = await world.connect()
        assert opener.statistics().max_buffer_size == receiver.statistics().max_buffer_size == 3
        assert world.browser._registry.manifest_folders == (NOWHERE,)


async def test_an_observer_sees_every_port() -> None:
    """One function for the whole browser."""
    observed: list[Any] = []
    async with open_world(observer=observed.append) as world:
        opener, receiver = await world.connect()
        opener.post_message(1)
        assert await receiver.receive() == 1
    kinds = [type(observation).__name__ for observation in observed]
    assert kinds == ["Opened", "Opened", "Posted", "Delivered", "Disconnected", "Disconnected"]
    delivered = next(observation for observation in observed if isinstance(observation, Delivered))
    assert (delivered.port, delivered.frame) == (receiver, b"1")


# Leaving --------------------------------------------------------------------------------------------------------------


async def test_a_listener_of_one_context_may_close_another_at_the_end() -> None:
    """Contexts close in order; what a listener does meanwhile disturbs nobody."""
    async with open_world() as world:
        opener, _ = await world.connect()
        opener.on_disconnect.add_listener(lambda port: world.extension.uninstall())
    assert opener.statistics().state == "ended"


async def test_a_connection_that_was_under_way_at_the_end_reaches_its_listener() -> None:
    """Leaving lets what is under way reach sync listeners."""
    events: list[Any] = []
    async with open_world() as world:
        witness = Witness()
        witness.seen = events

        @world.background.runtime.on_connect.add_listener
        def greet(port: Port) -> None:
            events.append("connect")
            witness.watch(port)

        port = world.page.runtime.connect()
        port.post_message(1)
        port.disconnect()
    assert events == ["connect", 1, "end"]


async def test_async_listeners_meet_the_cancellation_at_the_end() -> None:
    """One that waits is cancelled; the end still comes to whoever does not wait."""
    async with open_world() as world:
        opener, receiver = await world.connect()
        steps: list[str] = []

        @receiver.on_message.add_listener
        async def listen(message: Any, port: Port) -> None:
            try:
                await trio.sleep_forever()
            finally:
                steps.append(f"cancelled in {message}")

        @receiver.on_disconnect.add_listener
        async def told(port: Port) -> None:
            steps.append("told")
            await trio.lowlevel.checkpoint()
            raise AssertionError

        receiver.on_disconnect.add_listener(lambda port: steps.append("told too"))
        opener.post_message(1)
        opener.post_message(2)
        await settle()
        opener.disconnect()
    assert steps == ["cancelled in 1", "cancelled in 2", "told", "told too"]


@each_dialect
@pytest.mark.parametrize("waits", [False, True])
async def test_a_listener_that_reconnects(dialect: Any, waits: bool) -> None:
    """It is told of a few ends, and then of none any more: the block can be left."""
    connected = 0

    async with open_world(dialect=dialect) as world:
        world.listen()

        def reconnect(_: object = None) -> None:
            nonlocal connected
            connected += 1
            assert connected < 100
            world.page.runtime.connect().on_disconnect.add_listener(listener)

        async def reconnect_soon(_: object) -> None:
            reconnect()

        listener: Any = reconnect_soon if waits else reconnect
        reconnect()
        await settle()
        assert connected == 1
    assert 1 < connected < 10


@each_dialect
async def test_contexts_that_connect_to_each_other_for_ever(dialect: Any) -> None:
    """Once the block is being left, a call reaches nobody."""
    connected = 0

    def call_back(context: Context) -> Any:
        def connect(_: Port) -> None:
            nonlocal connected
            connected += 1
            context.runtime.connect()

        return connect

    async with open_world(dialect=dialect) as world:
        world.background.runtime.on_connect.add_listener(call_back(world.background))
        world.page.runtime.on_connect.add_listener(call_back(world.page))
        world.page.runtime.connect()
        while connected < 10:
            await trio.lowlevel.checkpoint()
        begun = connected
    assert connected < begun + 10


@each_dialect
async def test_a_page_that_is_opened_meanwhile(dialect: Any) -> None:
    """It is closed with the browser, and can be used for nothing afterwards."""
    opened: list[Context] = []
    ends: list[Port] = []
    async with open_world(dialect=dialect) as world:
        opener, _ = await world.connect()

        @opener.on_disconnect.add_listener
        def restart(_: Port) -> None:
            opened.append(world.extension.open_page("again.html"))
            ends.append(opened[0].runtime.connect())

    assert opened[0].closed
    assert ends[0].statistics().state in ("ended", "closed")
    for call in (opened[0].runtime.connect, lambda: opened[0].runtime.connect_native("ping_pong")):
        with pytest.raises(trio.ClosedResourceError):
            call()
