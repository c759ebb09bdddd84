"""What listeners do while their browser is being left, or after they have closed their own context."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import trio
from support import ScriptedError, each_dialect, open_world, settle

from trio_ports import Cause, Context, Port


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


@each_dialect
async def test_a_context_whose_block_is_not_reached(dialect: Any) -> None:
    """Cancelled on the way in, it is closed, in good order."""
    async with open_world(dialect=dialect) as world:
        _, receiver = await world.connect()
        ended: list[Port] = []
        receiver.on_disconnect.add_listener(ended.append)
        with trio.CancelScope() as scope:
            scope.cancel()
            async with world.page:
                pytest.fail("the block was entered")
        await settle()
        assert world.page.closed
        assert (ended, receiver.error) == ([receiver], None)


async def test_errors_of_several_ports_at_a_time() -> None:
    """In chrome each port's listeners see its own in last_error, however long they wait, and nobody else sees any."""
    seen: list[Any] = []

    async with open_world(dialect="chrome") as world:
        runtime = world.page.runtime
        orderly, receiver = await world.connect()
        gate = trio.Event()

        async def look(port: Port) -> None:
            await gate.wait()
            seen.append((port.name, runtime.last_error and runtime.last_error.cause))

        runtime.connect("nobody", name="lost").on_disconnect.add_listener(look)
        orderly.on_disconnect.add_listener(look)
        receiver.disconnect()
        await settle()
        runtime.connect("nobody", name="quick").on_disconnect.add_listener(lambda _: seen.append(runtime.last_error))
        await settle()
        assert runtime.last_error is None
        gate.set()
        await settle()
    assert seen[0].cause is Cause.NO_RECEIVER
    assert sorted(seen[1:]) == [("", None), ("lost", Cause.NO_RECEIVER)]


def use_closed_channel() -> None:
    """Do what raises a ClosedResourceError that is nobody's but the listener's own."""
    send, receive = trio.open_memory_channel[int](1)
    send.close()
    receive.close()
    send.send_nowait(1)


@pytest.mark.parametrize("kind", ["sync", "async", "message"])
async def test_a_listener_that_closes_its_context_and_fails(kind: str) -> None:
    """Its error leaves through the browser, though it looks like one of a port that was closed under it."""

    def fail(*_: object) -> None:
        world.background.close()
        use_closed_channel()

    async def fail_async(_: Port) -> None:
        fail()

    with pytest.RaisesGroup(trio.ClosedResourceError):
        async with open_world() as world:
            if kind == "message":
                opener, receiver = await world.connect()
                receiver.on_message.add_listener(fail)
                opener.post_message(1)
            else:
                world.background.runtime.on_connect.add_listener(fail if kind == "sync" else fail_async)
                world.page.runtime.connect()
            await settle()


@pytest.mark.parametrize("serves", [False, True])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("fails", [False, True])
async def test_a_task_that_finds_its_context_closed(serves: bool, nested: bool, fails: bool) -> None:
    """It was about to run, and is only late; that is no error, in a nursery either, but another error beside it is."""

    async def use(port: Port) -> None:
        await gate.wait()
        world.background.close()
        with pytest.raises(trio.ClosedResourceError, match="is closed"):
            world.background.runtime.connect()
        port.post_message("late")

    async def fail() -> None:
        await gate.wait()
        raise ScriptedError

    async def handle(port: Port) -> None:
        if nested:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(use, port)
                if fails:
                    nursery.start_soon(fail)
        else:
            await use(port)

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            if serves:
                await nursery.start(world.background.runtime.serve, handle)
            else:
                world.background.runtime.on_connect.add_listener(handle)
            world.page.runtime.connect()
            await settle()
            gate.set()
            await settle()
            nursery.cancel_scope.cancel()

    gate = trio.Event()
    expected = pytest.RaisesGroup(ScriptedError, flatten_subgroups=True) if nested and fails else nullcontext()
    with expected:
        async with open_world() as world:
            await run()
