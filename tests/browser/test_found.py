"""What was found by setting out to break the browser: each once, so that it stays mended."""

import contextvars
from typing import Any

import pytest
import trio
from support import each_dialect, open_world, settle

from trio_ports import Port, open_port_pair


@each_dialect
async def test_two_tasks_leave_the_block_of_one_context(dialect: Any, autojump_clock: object) -> None:
    """Both leave, once the context's tasks are through, however long those take to clean up."""

    async def tidy(port: Port) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    async def visit() -> None:
        async with other:
            await trio.sleep(1)

    async with open_world(dialect=dialect) as world:
        other = world.extension.open_page("other.html")
        other.runtime.on_connect.add_listener(tidy)
        world.background.runtime.connect()
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(visit)
                nursery.start_soon(visit)
        assert trio.current_time() >= 2


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


async def test_a_port_s_block_inside_its_own_listener(nursery: trio.Nursery) -> None:
    """A task that a listener started may leave the port's block, which then does not wait for that listener."""
    opener, receiver = open_port_pair(nursery)
    left = trio.Event()

    async def leave() -> None:
        async with receiver:
            pass
        left.set()

    async def listen(message: object, port: Port) -> None:
        async with trio.open_nursery() as inner:
            inner.start_soon(leave)

    receiver.on_message.add_listener(listen)
    opener.post_message("leave")
    with trio.fail_after(5):
        await left.wait()


@each_dialect
async def test_a_context_s_block_inside_its_own_listener(dialect: Any) -> None:
    """The same for the block of a context, below its on_connect listener."""
    left = trio.Event()

    async def leave() -> None:
        try:
            async with world.background:
                pass
        finally:
            left.set()

    async def listen(port: Port) -> None:
        async with trio.open_nursery() as inner:
            inner.start_soon(leave)

    async with open_world(dialect=dialect) as world:
        world.background.runtime.on_connect.add_listener(listen)
        world.extension.open_page("other.html").runtime.connect()
        with trio.fail_after(5):
            await left.wait()


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


async def test_listeners_run_in_the_context_of_their_scope(nursery: trio.Nursery) -> None:
    """Context variables are those of whoever opened the ports, not of whoever posts."""
    variable = contextvars.ContextVar("variable", default="nobody")
    seen: list[str] = []
    variable.set("opener")
    opener, receiver = open_port_pair(nursery)
    receiver.on_message.add_listener(lambda message, port: seen.append(variable.get()))
    receiver.on_disconnect.add_listener(lambda port: seen.append(variable.get()))

    async def post() -> None:
        variable.set("poster")
        opener.post_message(1)
        opener.disconnect()

    nursery.start_soon(post)
    await settle()
    assert seen == ["opener", "opener"]


@each_dialect
async def test_one_event_is_served_once(dialect: Any, nursery: trio.Nursery) -> None:
    """A second task that would serve the same event is told so at once; another event is another matter."""

    async def handle(port: Port) -> None:
        await port.wait_disconnected()

    async with open_world(dialect=dialect) as world:
        runtime = world.background.runtime
        await nursery.start(runtime.serve, handle)
        with pytest.raises(trio.BusyResourceError):
            await runtime.serve(handle)

        async def serve_external(*, task_status: trio.TaskStatus[None]) -> None:
            await runtime.serve(handle, external=True, task_status=task_status)

        await nursery.start(serve_external)


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
