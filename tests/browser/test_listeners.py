"""Listeners of on_connect: how they are called, fail, and close their own context. Rules 15, 20 and 29."""

from __future__ import annotations

import contextvars
from contextlib import nullcontext
from typing import Any

import attrs
import pytest
import trio
from support import ScriptedError, Witness, each_dialect, open_world, settle

from trio_ports import Port


@pytest.mark.parametrize(("dialect", "still_called"), [("trio", False), ("firefox", False), ("chrome", True)])
async def test_a_listener_removed_while_a_connection_is_told(dialect: Any, still_called: bool) -> None:
    """Rule 29 holds for on_connect too."""
    async with open_world(dialect=dialect) as world:
        event = world.background.runtime.on_connect
        event.add_listener(lambda port: event.remove_listener(world.ports.append))
        world.listen()
        world.page.runtime.connect()
        await settle()
        assert len(world.ports) == still_called


@each_dialect
async def test_a_logged_failure_of_on_connect_that_nobody_watches(dialect: Any) -> None:
    """open_browser always gives an observer then; without one it is silent."""
    async with open_world(dialect=dialect, listener_errors="log") as world:
        registry = world.browser._registry
        registry.options = attrs.evolve(registry.options, observer=None)
        world.background = world.extension.open_page("quiet.html")

        @world.background.runtime.on_connect.add_listener
        def fail(port: Port) -> None:
            raise ScriptedError

        opener, receiver = await world.connect()
        assert (opener.statistics().state, receiver.statistics().state) == ("open", "open")


@each_dialect
async def test_a_listener_that_connects_again_lets_others_run(dialect: Any) -> None:
    """Each round of connecting is one turn of the loop, and the block can be left."""
    count = 0

    def connect_again(port: Port) -> None:
        nonlocal count
        count += 1
        world.background.runtime.connect()

    async with open_world(dialect=dialect) as world:
        other = world.extension.open_page("other.html")
        other.runtime.on_connect.add_listener(connect_again)
        world.background.runtime.connect()
        for _ in range(20):
            await trio.lowlevel.checkpoint()
        assert 1 < count <= 20


# Async listeners ------------------------------------------------------------------------------------------------------


@each_dialect
async def test_an_async_listener_cannot_miss_the_first_message(dialect: Any) -> None:
    """Rule 15: it reaches its first checkpoint before the first message is delivered."""
    async with open_world(dialect=dialect) as world:
        witness = Witness()
        read: list[Any] = []

        async def listen(port: Port) -> None:
            witness.watch(port)
            await trio.lowlevel.checkpoint()

        async def read_on(port: Port) -> None:
            read.extend([message async for message in port])

        for listener in (listen, read_on):
            world.background.runtime.on_connect.add_listener(listener)
            port = world.page.runtime.connect()
            port.post_message(1)
            port.post_message(2)
            port.disconnect()
            await settle()
            world.background.runtime.on_connect.remove_listener(listener)
        assert witness.seen == [1, 2, "end"]
        assert read == [1, 2]


@each_dialect
async def test_an_async_listener_is_a_task_of_its_context(dialect: Any) -> None:
    """Cancelled when the context closes, and never before."""
    async with open_world(dialect=dialect) as world:
        ended: list[str] = []

        @world.background.runtime.on_connect.add_listener
        async def listen(port: Port) -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended.append(port.statistics().state)

        port = world.page.runtime.connect()
        await settle()
        port.disconnect()
        await settle()
        assert ended == []
        async with world.background:
            pass
        assert ended == ["ended"]


@each_dialect
async def test_an_async_listener_of_a_context_that_has_gone(dialect: Any) -> None:
    """An earlier listener closes the context: the coroutine never runs, and says nothing about that."""
    async with open_world(dialect=dialect) as world:
        world.background.runtime.on_connect.add_listener(lambda port: world.background.close())

        @world.background.runtime.on_connect.add_listener
        async def listen(port: Port) -> None:
            raise AssertionError

        world.page.runtime.connect()
        await settle()


class Awaitable:
    """Something to await that is no coroutine."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def __await__(self) -> Any:
        self.log.append("awaited")
        return (yield from trio.lowlevel.checkpoint().__await__())  # noqa: ASYNC105 - awaited by hand


@each_dialect
async def test_an_on_connect_listener_that_returns_an_awaitable(dialect: Any) -> None:
    """It is awaited as a task of the context, coroutine or not."""
    log: list[str] = []
    async with open_world(dialect=dialect) as world:
        world.background.runtime.on_connect.add_listener(lambda port: Awaitable(log))
        world.extension.open_page("other.html").runtime.connect()
        await settle()
    assert log == ["awaited"]


# Listeners that close their own context -------------------------------------------------------------------------------


@each_dialect
async def test_a_listener_that_closes_its_context(dialect: Any) -> None:
    """While it is told of one connection, with another one waiting."""
    async with open_world(dialect=dialect) as world:

        @world.background.runtime.on_connect.add_listener
        def leave(port: Port) -> None:
            world.background.close()

        first, second = world.page.runtime.connect(), world.page.runtime.connect()
        witness = Witness(first, second)
        await settle()
        assert witness.seen == ["end", "end"]


@each_dialect
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_context_that_a_listener_closes(dialect: Any, kind: str) -> None:
    """The listeners after it are not called, neither in this dispatch nor later."""
    called: list[str] = []

    async with open_world(dialect=dialect) as world:
        background = world.background

        def close(*_: object) -> None:
            called.append("close")
            background.close()

        async def second_async(*_: object) -> None:
            called.append("second")

        def second_sync(*_: object) -> None:
            called.append("second")

        second = second_async if kind == "async" else second_sync
        background.runtime.on_connect.add_listener(close)
        background.runtime.on_connect.add_listener(second)
        world.extension.open_page("other.html").runtime.connect()
        await settle()
    assert called == ["close"]


@each_dialect
async def test_an_async_listener_of_a_context_that_the_next_one_closes(dialect: Any) -> None:
    """It had been called and had not begun to run: it never does."""
    called: list[str] = []

    async def first(port: Port) -> None:
        called.append("first")

    async with open_world(dialect=dialect) as world:
        world.background.runtime.on_connect.add_listener(first)
        world.background.runtime.on_connect.add_listener(lambda port: world.background.close())
        world.extension.open_page("other.html").runtime.connect()
        await settle()
    assert called == []


@each_dialect
async def test_messages_of_a_context_that_a_listener_closes(dialect: Any) -> None:
    """The listeners after the one that closes the context do not get the message any more."""
    called: list[str] = []

    async with open_world(dialect=dialect) as world:

        def listen(port: Port) -> None:
            port.on_message.add_listener(lambda message, port: world.background.close())
            port.on_message.add_listener(lambda message, port: called.append(message))

        world.background.runtime.on_connect.add_listener(listen)
        world.extension.open_page("other.html").runtime.connect().post_message("hello")
        await settle()
    assert called == []


class Later:
    """Something to be awaited that is no coroutine."""

    def __await__(self) -> Any:
        raise AssertionError


@pytest.mark.parametrize("kind", ["coroutine", "awaitable"])
async def test_a_listener_that_closes_its_context_and_would_go_on(kind: str) -> None:
    """What it returns to be awaited never runs."""
    async with open_world() as world:

        async def go_on() -> None:
            raise AssertionError

        @world.background.runtime.on_connect.add_listener
        def listen(port: Port) -> object:
            world.background.close()
            return go_on() if kind == "coroutine" else Later()

        port = world.page.runtime.connect()
        await port.wait_disconnected()
        assert port.error is None


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


async def test_what_a_listener_sets_for_one_connection_is_not_seen_by_the_next() -> None:
    """The listeners of one connection share their context variables, also among connections of one turn."""
    variable = contextvars.ContextVar("variable", default="nothing")
    seen: list[str] = []

    async with open_world() as world:
        event = world.background.runtime.on_connect
        event.add_listener(lambda port: seen.append(variable.get()))
        event.add_listener(lambda port: variable.set(port.name))
        event.add_listener(lambda port: seen.append(variable.get()))
        for name in ("a", "b"):
            world.page.runtime.connect(name=name)
        await settle()
        assert seen == ["nothing", "a", "nothing", "b"]
