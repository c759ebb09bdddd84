"""``runtime.serve``: a task for each connection."""

from __future__ import annotations

import contextvars
from typing import Any

import msgspec
import pytest
import trio
from support import ScriptedError, Witness, each_dialect, open_world, settle
from trio.testing import assert_checkpoints

from trio_ports import Cause, Port


@each_dialect
async def test_serve_runs_a_task_for_every_connection(dialect: Any) -> None:
    """nursery.start returns once connections are heard; the port is disconnected when the handler returns."""
    async with open_world(dialect=dialect) as world, trio.open_nursery() as nursery:

        async def handler(port: Port) -> None:
            async for message in port:
                if message == "bye":
                    return
                await port.send([port.name, message])

        with assert_checkpoints():
            await nursery.start(world.background.runtime.serve, handler)
        ports = [world.page.runtime.connect(name=name) for name in ("a", "b")]
        witnesses = [Witness(port) for port in ports]
        for port in ports:
            port.post_message(1)
        await settle()
        ports[0].post_message("bye")
        await settle()
        assert [witness.seen for witness in witnesses] == [[["a", 1], "end"], [["b", 1]]]
        assert len(world.background.runtime.on_connect.listeners) == 1
        nursery.cancel_scope.cancel()
    assert len(world.background.runtime.on_connect.listeners) == 0
    assert ports[1].error is None


@each_dialect
async def test_serve_others(dialect: Any) -> None:
    """external=True serves other extensions, and nobody of one's own."""
    async with open_world(dialect=dialect) as world, trio.open_nursery() as nursery:
        served: list[Any] = []

        async def handler(port: Port) -> None:
            served.append(port.sender and port.sender.id)

        async def start(*, task_status: trio.TaskStatus[None]) -> None:
            await world.background.runtime.serve(handler, external=True, task_status=task_status)

        await nursery.start(start)
        world.page.runtime.connect()
        world.browser.install("friend").open_page().runtime.connect("notes@example.org")
        await settle()
        assert served == ["friend"]
        nursery.cancel_scope.cancel()


@each_dialect
async def test_a_handler_that_fails_leaves_through_serve(dialect: Any) -> None:
    """Its port has crashed; the other handlers are cancelled, in good order."""
    async with open_world(dialect=dialect) as world:

        async def handler(port: Port) -> None:
            if await port.receive() == "fail":
                raise ScriptedError("secret")

        with pytest.RaisesGroup(pytest.RaisesGroup(ScriptedError)):
            async with trio.open_nursery() as nursery:
                await nursery.start(world.background.runtime.serve, handler)
                good, bad = world.page.runtime.connect(), world.page.runtime.connect()
                bad.post_message("fail")
                await trio.sleep_forever()
        await settle()
        assert (good.statistics().state, good.error) == ("ended", None)
        if dialect == "trio":
            assert bad.error is not None
            assert bad.error.cause is Cause.CRASHED
        else:
            assert bad.error is None


@each_dialect
async def test_serve_ends_with_its_context(dialect: Any) -> None:
    """It returns; the handlers have been cancelled."""
    async with open_world(dialect=dialect) as world, trio.open_nursery() as nursery:
        ended: list[str] = []

        async def handler(port: Port) -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended.append("handler")

        await nursery.start(world.background.runtime.serve, handler)
        port = world.page.runtime.connect()
        await settle()
        world.background.close()
        await settle()
        assert ended == ["handler"]
        assert not nursery.child_tasks
        assert (port.statistics().state, port.error) == ("ended", None)


async def test_serve_cancelled_between_a_connection_and_its_handler() -> None:
    """The port is not left behind."""
    async with open_world() as world, trio.open_nursery() as nursery:

        async def handler(port: Port) -> None:
            raise AssertionError

        await nursery.start(world.background.runtime.serve, handler)
        port = world.page.runtime.connect()
        world.background.runtime.on_connect.add_listener(lambda port: nursery.cancel_scope.cancel())
        await trio.sleep_forever()
    assert port.statistics().state == "ended"
    assert port.error is None


@pytest.mark.parametrize("own", [False, True])
async def test_a_handler_that_uses_its_closed_port(own: bool) -> None:
    """It has ended, and neither failed nor ended another: whether its context closed or it disconnected itself."""
    async with open_world() as world, trio.open_nursery() as nursery:
        going_on = trio.Event()

        async def handler(port: Port) -> None:
            await going_on.wait()
            if own:
                port.disconnect()
            port.post_message("answer")

        await nursery.start(world.background.runtime.serve, handler)
        port = world.page.runtime.connect()
        await settle()
        going_on.set()
        if not own:
            world.background.close()
        await settle()
        assert (port.statistics().state, port.error) == ("ended", None)
        assert bool(nursery.child_tasks) == own
        nursery.cancel_scope.cancel()


async def test_a_handler_that_uses_its_closed_context() -> None:
    """It was woken in the tick in which the context closed, before its cancellation: that is no failure of it."""
    async with open_world() as world, trio.open_nursery() as nursery:
        going_on = trio.Event()

        async def handler(port: Port) -> None:
            await going_on.wait()
            world.background.runtime.connect()

        await nursery.start(world.background.runtime.serve, handler)
        world.page.runtime.connect()
        await settle()
        going_on.set()
        world.background.close()
    assert world.background.closed


async def test_serve_typed() -> None:
    """message_type is for what arrives at the handler's port; another shape is the reader's error."""

    class Move(msgspec.Struct):
        n: int

    async with open_world() as world, trio.open_nursery() as nursery:
        moves: list[Any] = []

        async def handler(port: Port) -> None:
            moves.extend([message async for message in port])

        async def start(*, task_status: trio.TaskStatus[None]) -> None:
            await world.background.runtime.serve(handler, message_type=Move, task_status=task_status)

        await nursery.start(start)
        port = world.page.runtime.connect(message_type=int)
        port.post_message(Move(1))
        port.disconnect()
        await settle()
        assert moves == [Move(1)]
        nursery.cancel_scope.cancel()


@each_dialect
async def test_one_task_serves_an_event_of_a_context(dialect: Any) -> None:
    """A second one is refused while the first one runs; the other event is another matter."""
    async with open_world(dialect=dialect) as world, trio.open_nursery() as nursery:

        async def handler(port: Port) -> None:
            raise AssertionError

        async def serve_others(*, task_status: trio.TaskStatus[None]) -> None:
            await world.background.runtime.serve(handler, external=True, task_status=task_status)

        await nursery.start(world.background.runtime.serve, handler)
        with pytest.raises(trio.BusyResourceError, match="another task serves"):
            await world.background.runtime.serve(handler)
        await nursery.start(serve_others)
        nursery.cancel_scope.cancel()
    async with open_world() as world:
        for _ in range(2):
            async with trio.open_nursery() as nursery:
                await nursery.start(world.background.runtime.serve, handler)
                nursery.cancel_scope.cancel()


# Bad input ------------------------------------------------------------------------------------------------------------


async def test_bad_arguments_of_serve() -> None:
    """Neither a handler that cannot be called nor a type that cannot be decoded into."""
    async with open_world() as world:
        with pytest.raises(TypeError, match="handler must be an async function"):
            await world.background.runtime.serve(None)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"handler is called with \(port\), but .* takes \(\)"):
            await world.background.runtime.serve(lambda: None)  # type: ignore[arg-type,misc]
        with pytest.raises(TypeError, match="external must be True or False, not 'no'"):
            await world.background.runtime.serve(trio.sleep, external="no")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="message_type must be a type"):
            await world.background.runtime.serve(trio.sleep, message_type=1)  # type: ignore[arg-type]
        assert not world.background.runtime.on_connect.listeners


async def test_a_handler_that_is_no_async_function() -> None:
    """It is called, and what it returns is not what it should be: a crash of its port that says so."""
    async with open_world() as world:
        expected = pytest.RaisesExc(TypeError, match=r"handler must be an async function: .* returned 1")
        with pytest.RaisesGroup(expected, flatten_subgroups=True):
            async with trio.open_nursery() as nursery:
                await nursery.start(world.background.runtime.serve, lambda port: 1)  # type: ignore[arg-type]
                port = world.page.runtime.connect()
                await settle()
        assert port.error is not None
        assert port.error.cause is Cause.CRASHED


async def test_a_handler_sees_the_context_variables_of_its_server() -> None:
    """Not those of the code that opened the page, and not what the handler of another connection has set."""
    variable = contextvars.ContextVar("variable", default="nothing")
    seen: list[str] = []

    async def handler(port: Port) -> None:
        seen.append(variable.get())
        variable.set(port.name)

    async with open_world() as world, trio.open_nursery() as nursery:

        async def serve(*, task_status: trio.TaskStatus[None]) -> None:
            variable.set("the server's")
            await world.background.runtime.serve(handler, task_status=task_status)

        await nursery.start(serve)
        for name in ("a", "b"):
            world.page.runtime.connect(name=name)
        await settle()
        assert seen == ["the server's"] * 2
        nursery.cancel_scope.cancel()
