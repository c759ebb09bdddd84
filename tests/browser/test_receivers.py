"""Connections with several receivers. Rules 11, 17, 26 and 27."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from support import Witness, World, each_dialect, open_world, settle
from trio.testing import assert_checkpoints

from trio_ports import Cause, Context, Port


async def open_three(world: World, **options: Any) -> tuple[Port, list[Port]]:
    """Connect from the page to three others, which listen; return the opener's port and theirs."""
    contexts = [world.background, world.extension.open_page("a.html"), world.extension.open_page("b.html")]
    ports: dict[Context, Port] = {}
    for context in contexts:
        context.runtime.on_connect.add_listener(lambda port, context=context: ports.setdefault(context, port))
    opener = world.page.runtime.connect(**options)
    await settle()
    return opener, [ports[context] for context in contexts]


@each_dialect
async def test_the_opener_reaches_all_and_receivers_reach_the_opener(dialect: Any) -> None:
    """Rule 11: receivers never hear each other; each has a copy of its own."""
    async with open_world(dialect=dialect) as world:
        opener, receivers = await open_three(world)
        witnesses = [Witness(port) for port in receivers]
        own = Witness(opener)
        opener.post_message({"n": 1})
        for number, receiver in enumerate(receivers):
            receiver.post_message(number)
        await settle()
        assert [witness.seen for witness in witnesses] == [[{"n": 1}]] * 3
        assert len({id(witness.seen[0]) for witness in witnesses}) == 3
        assert sorted(own.seen) == [0, 1, 2]


@each_dialect
async def test_the_opener_goes_and_every_receiver_is_told(dialect: Any) -> None:
    """Rule 27, after what was posted; another connection of the same contexts is not touched."""
    async with open_world(dialect=dialect) as world:
        opener, receivers = await open_three(world)
        witnesses = [Witness(port) for port in receivers]
        another = world.page.runtime.connect()
        opener.post_message(1)
        opener.disconnect()
        await settle()
        assert [witness.seen for witness in witnesses] == [[1, "end"]] * 3
        assert another.statistics().state == "open"


@each_dialect
async def test_one_receiver_disconnects(dialect: Any) -> None:
    """Rule 26: trio leaves the others alone, Firefox ends all, Chromium ends the opener and leaves the others mute."""
    async with open_world(dialect=dialect) as world:
        opener, (leaving, *staying) = await open_three(world)
        own, left = Witness(opener), Witness(leaving)
        witnesses = [Witness(port) for port in staying]
        leaving.post_message("last words")
        leaving.disconnect()
        await settle()
        assert left.seen == []
        told = {"trio": [[]] * 2, "firefox": [["end"]] * 2, "chrome": [[]] * 2}[dialect]
        assert [witness.seen for witness in witnesses] == told
        assert own.seen == (["last words"] if dialect == "trio" else ["last words", "end"])
        if dialect == "trio":
            opener.post_message(1)
            staying[0].post_message(2)
            await settle()
            assert ([witness.seen for witness in witnesses], own.seen[1:]) == ([[1]] * 2, [2])
            staying[0].disconnect()
            await settle()
            assert own.seen[2:] == []
            staying[1].disconnect()
            await settle()
            assert own.seen[2:] == ["end"]
        elif dialect == "chrome":
            for port in staying:
                port.post_message("swallowed")
                with assert_checkpoints():
                    await port.send("swallowed")
                assert port.statistics().state == "open"
            with pytest.raises(trio.BrokenResourceError):
                opener.post_message(1)
            assert own.seen == ["last words", "end"]
        assert opener.error is None


@each_dialect
async def test_one_receivers_context_closes(dialect: Any) -> None:
    """Rule 26: in trio and Chromium it is just gone; Firefox ends all."""
    async with open_world(dialect=dialect) as world:
        opener, (_, *staying) = await open_three(world)
        own = Witness(opener)
        witnesses = [Witness(port) for port in staying]
        world.background.close()
        await settle()
        if dialect == "firefox":
            assert (own.seen, [witness.seen for witness in witnesses]) == (["end"], [["end"]] * 2)
            return
        opener.post_message(1)
        await settle()
        assert (own.seen, [witness.seen for witness in witnesses]) == ([], [[1]] * 2)
        for context in tuple(world.extension._entry.contexts):
            if context.face is not world.page:
                context.face.close()
        await settle()
        assert own.seen == ["end"]


# Full queues ----------------------------------------------------------------------------------------------------------


async def test_fan_out_is_to_all_or_to_none() -> None:
    """Rule 17: one full receiver that listened once holds the others' messages back too."""
    async with open_world(max_buffer_size=2) as world:
        opener, receivers = await open_three(world)
        witnesses = [Witness(port) for port in receivers[:2]]
        with trio.move_on_after(0):
            await receivers[2].receive()
        opener.post_message(1)
        opener.post_message(2)
        await settle()
        assert [witness.seen for witness in witnesses] == [[1, 2]] * 2
        with pytest.raises(trio.WouldBlock):
            opener.post_message(3)
        await settle()
        assert [witness.seen for witness in witnesses] == [[1, 2]] * 2
        assert opener.statistics().messages_unsent == 2
        assert await receivers[2].receive() == 1
        await opener.send(3)
        assert [await receivers[2].receive() for _ in range(2)] == [2, 3]
        assert [witness.seen for witness in witnesses] == [[1, 2, 3]] * 2


@pytest.mark.parametrize("leaving", ["disconnect", "close"])
async def test_a_full_receiver_that_leaves_makes_room(leaving: str) -> None:
    """Whoever waits for it is served at once."""
    async with open_world(max_buffer_size=1) as world, trio.open_nursery() as nursery:
        opener, receivers = await open_three(world)
        Witness(*receivers[1:])
        with trio.move_on_after(0):
            await receivers[0].receive()
        opener.post_message(1)
        nursery.start_soon(opener.send, 2)
        await settle()
        assert opener.statistics().tasks_waiting_send == 1
        if leaving == "disconnect":
            receivers[0].disconnect()
        else:
            world.background.close()
        await settle()
        assert opener.statistics().tasks_waiting_send == 0


async def test_a_receiver_that_never_listened_is_ended_as_unread() -> None:
    """Rule 17: it keeps what fits, can still be read, and stops nobody."""
    async with open_world(max_buffer_size=2) as world:
        opener, receivers = await open_three(world)
        witness = Witness(receivers[0])
        silent = Witness()
        receivers[1].on_disconnect.add_listener(silent.see_end)
        for number in range(5):
            opener.post_message(number)
            await settle()
        assert witness.seen == [0, 1, 2, 3, 4]
        assert silent.seen == ["end"]
        for port in receivers[1:]:
            assert port.error is not None
            assert port.error.cause is Cause.UNREAD
            assert [await port.receive() for _ in range(2)] == [0, 1]
            with pytest.raises(trio.BrokenResourceError):
                await port.receive()
        assert opener.statistics().state == "open"


async def test_nobody_of_several_ever_listened() -> None:
    """Rule 17: all are ended as unread, and with the last of them the connection, for the same cause."""
    async with open_world(max_buffer_size=1) as world:
        opener, receivers = await open_three(world)
        opener.post_message(1)
        opener.post_message(2)
        await settle()
        assert {port.statistics().state for port in receivers} == {"ended"}
        assert opener.error is not None
        assert (opener.error.cause, str(opener.error)) == (Cause.UNREAD, "Nobody read there, and the queues were full.")


@pytest.mark.parametrize("end", ["opener", "receiver"])
async def test_several_receivers_wait_for_the_opener(end: str) -> None:
    """Who waits is served in order over all receivers; when either side goes, all are told."""
    async with open_world(max_buffer_size=1) as world, trio.open_nursery() as nursery:
        opener, receivers = await open_three(world)
        errors: list[type[BaseException]] = []

        async def send(port: Port, message: Any) -> None:
            try:
                await port.send(message)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                errors.append(type(error))

        for number, port in enumerate(receivers):
            nursery.start_soon(send, port, number)
            await settle()
        assert [port.statistics().tasks_waiting_send for port in receivers] == [0, 1, 1]
        if end == "opener":
            opener.disconnect()
            await settle()
            assert errors == [trio.BrokenResourceError] * 2
        else:
            receivers[1].disconnect()
            await settle()
            assert errors == [trio.ClosedResourceError]
            assert [await opener.receive() for _ in range(2)] == [0, 2]


async def test_an_excess_is_queued_when_another_receiver_leaves() -> None:
    """A listener that stands behind another receiver's sender goes on when that one leaves."""
    async with open_world(max_buffer_size=1) as world, trio.open_nursery() as nursery:
        opener, receivers = await open_three(world)
        seen: list[Any] = []

        @receivers[1].on_message.add_listener
        def echo(message: Any, port: Port) -> None:
            seen.append(message)
            if message == "twice":
                port.post_message(1)
                port.post_message(2)

        Witness(receivers[0], receivers[2])
        receivers[0].post_message(0)

        async def send() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await receivers[0].send("never")

        nursery.start_soon(send)
        await settle()
        opener.post_message("twice")
        await settle()
        assert [await opener.receive() for _ in range(2)] == [0, 1]
        opener.post_message("next")
        await settle()
        assert seen == ["twice"]
        receivers[0].disconnect()
        await settle()
        assert seen == ["twice", "next"]
