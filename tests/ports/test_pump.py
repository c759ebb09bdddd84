"""The pump: who is called when something else happens in the middle."""

from __future__ import annotations

import contextvars
from typing import Any

import pytest
import trio
from support import ScriptedError, Witness, each_dialect, open_world, settle

from trio_ports import Port, open_port_pair


@each_dialect
async def test_a_slow_listener_holds_the_next_message_back(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 14 (ours): an async listener is awaited before the next message, and before the end."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    going_on = trio.Event()
    seen: list[Any] = []

    @receiver.on_message.add_listener
    async def listen(message: Any, port: Port) -> None:
        seen.append(message)
        await going_on.wait()

    receiver.on_disconnect.add_listener(lambda port: seen.append("end"))
    opener.post_message(1)
    opener.post_message(2)
    opener.disconnect()
    await settle()
    assert seen == [1]
    going_on.set()
    await settle()
    assert seen == [1, 2, "end"]


async def test_what_a_listener_returns(nursery: trio.Nursery) -> None:
    """Anything is ignored but what can be awaited."""
    opener, receiver = open_port_pair(nursery)
    receiver.on_message.add_listener(lambda message, port: "a value")
    receiver.on_message.add_listener(lambda message, port: port.send(["echo", message]))
    opener.post_message(1)
    assert await opener.receive() == ["echo", 1]


async def test_a_listener_that_fails_at_the_end_does_not_silence_the_others(nursery: trio.Nursery) -> None:
    """They are told all the same; the error leaves through the block."""
    opener, receiver = open_port_pair(nursery)
    told: list[str] = []

    @receiver.on_disconnect.add_listener
    def fail(port: Port) -> None:
        raise ScriptedError

    receiver.on_disconnect.add_listener(lambda port: told.append("told"))
    with pytest.RaisesGroup(ScriptedError):
        async with receiver:
            opener.disconnect()
            await trio.sleep_forever()
    await settle()
    assert told == ["told"]


async def test_a_listener_that_fails_at_the_end_of_a_pair() -> None:
    """The same where the error leaves through the nursery."""
    told: list[str] = []
    with pytest.RaisesGroup(ScriptedError):
        async with trio.open_nursery() as nursery:
            opener, receiver = open_port_pair(nursery)

            @receiver.on_disconnect.add_listener
            def fail(port: Port) -> None:
                raise ScriptedError

            receiver.on_disconnect.add_listener(lambda port: told.append("told"))
            opener.disconnect()
    assert told == ["told"]


@each_dialect
async def test_a_context_that_closes_between_two_listeners(dialect: Any) -> None:
    """Rule 20: a context that was closed runs no listeners, not even the rest of those of this message."""
    async with open_world(dialect=dialect) as world:
        opener, receiver = await world.connect()
        receiver.on_message.add_listener(lambda message, port: world.background.close())
        witness = Witness(receiver)
        opener.post_message(1)
        await settle()
        assert witness.seen == []


async def test_a_late_listener_of_a_closed_context() -> None:
    """Nobody runs it."""
    async with open_world() as world:
        opener, receiver = await world.connect()
        opener.disconnect()
        await settle()
        world.background.close()
        witness = Witness(receiver)
        await settle()
        assert witness.seen == []


async def test_a_task_that_finds_its_port_closed_before_its_cancellation() -> None:
    """It was woken in the tick in which its context closed: that is no failure of it."""
    async with open_world() as world:
        opener, receiver = await world.connect()
        going_on = trio.Event()

        @receiver.on_message.add_listener
        async def listen(message: Any, port: Port) -> None:
            await going_on.wait()
            port.post_message("answer")

        opener.post_message(1)
        await settle()
        going_on.set()
        world.background.close()
        await settle()


async def test_a_listener_that_uses_a_closed_port_has_failed() -> None:
    """Its own disconnect is its own mistake."""
    with pytest.RaisesGroup(trio.ClosedResourceError):
        async with trio.open_nursery() as nursery:
            opener, receiver = open_port_pair(nursery)

            @receiver.on_message.add_listener
            def listen(message: Any, port: Port) -> None:
                port.disconnect()
                port.post_message("too late")

            opener.post_message(1)


async def test_a_listener_that_exceeds_the_bound_and_disconnects(nursery: trio.Nursery) -> None:
    """What it posted is delivered, all of it."""
    opener, receiver = open_port_pair(nursery, max_buffer_size=1)

    @receiver.on_message.add_listener
    def listen(message: Any, port: Port) -> None:
        for number in range(3):
            port.post_message(number)
        port.disconnect()

    opener.post_message(1)
    await settle()
    assert [message async for message in opener] == [0, 1, 2]


async def test_dropped_unobserved(nursery: trio.Nursery) -> None:
    """A dialect that drops, without anybody who watches."""
    opener, receiver = open_port_pair(nursery, dialect="firefox", listener_errors="raise")
    opener.post_message(1)
    await settle()
    assert receiver.statistics().messages_waiting == 0


async def test_listeners_run_in_the_context_variables_of_their_scope() -> None:
    """Not in those of whoever happened to post."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("the scope's")
    seen: list[str] = []
    async with trio.open_nursery() as nursery:
        opener, receiver = open_port_pair(nursery)

        async def post() -> None:
            variable.set("the poster's")
            receiver.on_message.add_listener(lambda message, port: seen.append(variable.get()))
            opener.post_message(1)
            await settle()
            opener.disconnect()

        nursery.start_soon(post)
    assert seen == ["the scope's"]


async def test_a_reader_outside_the_scope_that_ends() -> None:
    """It comes to the end like any other, whoever notices it first."""
    for _ in range(10):
        errors: list[type[Exception]] = []

        async def read(port: Port, errors: list[type[Exception]] = errors) -> None:
            try:
                await port.receive()
            except (trio.EndOfChannel, trio.ClosedResourceError) as error:
                errors.append(type(error))

        async with trio.open_nursery() as nursery, open_world() as world:
            for port in await world.connect():
                nursery.start_soon(read, port)
            await settle()
        assert sorted(errors, key=repr) == [trio.ClosedResourceError, trio.EndOfChannel]


async def test_a_receiver_that_turns_out_not_to_listen_holds_nobody_back() -> None:
    """Rule 17: until its context was told, it counted."""
    async with open_world(max_buffer_size=1) as world:
        world.listen()
        world.extension.open_page().runtime.on_connect.add_listener(Witness().watch)
        opener = world.page.runtime.connect()
        opener.post_message(1)
        with pytest.raises(trio.WouldBlock):
            opener.post_message(2)
        await opener.send(2)


async def test_contexts_that_connect_to_each_other_in_turns() -> None:
    """Each hears the other's answer in a later round, and nobody else is kept waiting."""
    async with open_world() as world:
        turns: list[str] = []

        def answer(here: str, runtime: Any) -> Any:
            def greet(port: Port) -> None:
                turns.append(here)
                if len(turns) < 20:
                    runtime.connect()

            return greet

        world.background.runtime.on_connect.add_listener(answer("background", world.background.runtime))
        world.page.runtime.on_connect.add_listener(answer("page", world.page.runtime))
        world.page.runtime.connect()
        await settle()
        assert turns == ["background", "page"] * 10


async def test_more_than_a_batch_that_was_kept(nursery: trio.Nursery) -> None:
    """A listener added after the end gets everything that was kept, not the first batch of it."""
    opener, receiver = open_port_pair(nursery)
    for number in range(200):
        opener.post_message(number)
    opener.disconnect()
    await settle()
    seen: list[Any] = []
    receiver.on_message.add_listener(lambda message, port: seen.append(message))
    await settle()
    assert seen == list(range(200))
