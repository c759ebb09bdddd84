"""References: nothing that is over is kept, by a cycle or otherwise."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import pytest
import trio
from support import (
    ScriptedError,
    Witness,
    open_world,
    settle,
)

from trio_ports import Cause, Port, open_browser, open_port_pair


async def sleep_with(port: Port) -> None:
    await trio.sleep_forever()


@dataclass(eq=False)
class Thing:
    """What a message holds, and a weak reference can be had of."""

    number: int


@asynccontextmanager
async def without_collector() -> AsyncGenerator[list[weakref.ref[Thing]]]:
    """Collect nothing in the block, and see at its end that the things in the list are gone."""
    references: list[weakref.ref[Thing]] = []
    gc.collect()
    gc.disable()
    try:
        yield references
        await settle()
        assert references
        assert [reference() for reference in references] == [None] * len(references)
    finally:
        gc.enable()


async def test_ports_leave_no_cycle(nursery: trio.Nursery) -> None:
    """With the collector off, a port and the messages it kept go when the last reference does."""
    gc.collect()
    gc.disable()
    try:
        ports: list[Any] = list(open_port_pair(nursery))
        for port in ports:
            port.on_disconnect.add_listener(lambda port: None)
            port.post_message("kept")
        ports[0].on_message.add_listener(lambda message, port: None)
        await settle()
        ports[0].disconnect()
        await settle()
        alive = [weakref.ref(port) for port in ports]
        channels = [weakref.ref(port._end.lane.sink) for port in ports]
        del port
        ports.clear()
        await settle()
        assert [reference() for reference in (*alive, *channels)] == [None] * 4
    finally:
        gc.enable()


@pytest.mark.parametrize("reading", [False, True])
async def test_connections_of_a_browser_leave_nothing(reading: bool) -> None:
    """Thousands of connects and disconnects, with the collector off: the number of objects does not grow."""
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        background, page = extension.open_page(), extension.open_page()

        @background.runtime.on_connect.add_listener
        def greet(port: Port) -> None:
            if not reading:
                port.on_message.add_listener(lambda message, port: port.post_message(message))

        async def connect_often(count: int) -> None:
            for _ in range(count):
                port = page.runtime.connect()
                port.post_message({"n": 1})
                if reading:
                    async with port:
                        await trio.lowlevel.checkpoint()
                else:
                    await port.receive()
                    port.disconnect()
                await settle()

        await connect_often(50)
        gc.collect()
        gc.disable()
        try:
            before = len(gc.get_objects())
            await connect_often(1000)
            assert len(gc.get_objects()) - before < 100
        finally:
            gc.enable()
    assert not browser._registry.contexts


async def test_a_browser_leaves_no_task_and_no_open_channel() -> None:
    """Whatever was open when the block ended."""
    tasks = trio.lowlevel.current_statistics().tasks_living
    async with open_world() as world:
        opener, receiver = await world.connect()
        Witness(receiver)
        opener.post_message(1)
        _, forgotten = await world.connect()
        async with trio.open_nursery() as nursery:
            await nursery.start(world.background.runtime.serve, sleep_with)
            world.page.runtime.connect()
            await settle()
            nursery.cancel_scope.cancel()
    assert trio.lowlevel.current_statistics().tasks_living == tasks
    for port in (opener, receiver, forgotten):
        statistics = port._end.lane.sink.statistics()
        assert statistics.open_receive_channels == 0
        assert not port._end.can_send
        assert port.statistics().state in ("closed", "ended")


async def test_what_cannot_be_posted_is_not_kept(nursery: trio.Nursery) -> None:
    """Neither what is refused nor what is encoded in a roundabout way."""
    opener, _ = open_port_pair(nursery)

    def post(references: list[weakref.ref[Thing]], beside: object) -> None:
        thing = Thing(1)
        references.append(weakref.ref(thing))
        with suppress(TypeError):
            opener.post_message([thing, beside])

    async with without_collector() as references:
        for beside in (b"bytes", object(), "\ud800", 10**30):
            post(references, beside)
    opener.disconnect()


async def test_an_idle_port_keeps_nothing(nursery: trio.Nursery) -> None:
    """Once its listeners are through, its last message is theirs alone."""
    opener, receiver = open_port_pair(nursery, message_type=Thing)
    async with without_collector() as references:
        receiver.on_message.add_listener(lambda message, port: references.append(weakref.ref(message)))
        opener.post_message(Thing(1))
        await settle()
    opener.disconnect()


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("in_block", [False, True])
async def test_a_listener_that_ends_badly_keeps_nothing(waits: bool, in_block: bool) -> None:
    """Raising or cancelled: its message goes with it."""

    async def play(references: list[weakref.ref[Thing]]) -> None:
        async def stay(message: Thing, port: Port) -> None:
            references.append(weakref.ref(message))
            await trio.sleep_forever()

        def fail(message: Thing, port: Port) -> None:
            references.append(weakref.ref(message))
            raise ScriptedError

        with suppress(BaseExceptionGroup):
            async with trio.open_nursery() as nursery:
                opener, receiver = open_port_pair(nursery, message_type=Thing)
                receiver.on_message.add_listener(stay if waits else fail)
                opener.post_message(Thing(1))
                async with receiver if in_block else nullcontext():
                    await settle()
                    nursery.cancel_scope.cancel()

    async with without_collector() as references:
        await play(references)


async def test_the_error_of_a_malformed_message_keeps_nothing(nursery: trio.Nursery) -> None:
    """It has no traceback, which would hold the port and all that has arrived there."""
    opener, receiver = open_port_pair(nursery)
    opener._end.put(b"'nonsense'")
    with pytest.raises(trio.BrokenResourceError):
        await receiver.receive()
    await settle()
    for error in (opener.error, receiver.error):
        assert error is not None
        assert (error.cause, error.__traceback__, error.__context__) == (Cause.MALFORMED, None, None)
