"""The bound in bytes: messages that wait have so many together, and one alone may always have more. Rule 17."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from native_support import encode
from support import each_dialect, open_world, settle
from trio.testing import memory_stream_pair

from trio_ports import Cause, open_port_pair
from trio_ports._ports.connection import open_connection
from trio_ports._transports.streams import open_stream_port


def text(size: int) -> str:
    """Return a message that has so many bytes when it is encoded."""
    return "x" * (size - 2)


async def test_posts_up_to_the_bound(nursery: trio.Nursery) -> None:
    """Exactly the bound fits, not one byte more; what is taken makes room; the other direction has its own."""
    opener, receiver = open_port_pair(nursery, max_buffer_bytes=1000)
    for size in (600, 400):
        opener.post_message(text(size))
    with pytest.raises(trio.WouldBlock, match="2 messages wait at the other end, of 1000 bytes"):
        opener.post_message(1)
    receiver.post_message(text(1000))
    found = receiver.statistics()
    assert (found.bytes_waiting, found.bytes_unsent, found.max_buffer_bytes) == (1000, 1000, 1000)
    assert len(await receiver.receive()) == 598
    with pytest.raises(trio.WouldBlock):
        opener.post_message(text(601))
    opener.post_message(text(600))
    receiver.disconnect()
    assert (opener.statistics().bytes_unsent, receiver.statistics().bytes_waiting) == (0, 0)


async def test_one_message_alone_may_have_more(nursery: trio.Nursery) -> None:
    """It could never be sent otherwise. It waits for an empty queue, and others wait for it."""
    opener, receiver = open_port_pair(nursery, max_buffer_bytes=1000)
    for size, next_size in ((5000, 300), (300, 5000)):
        opener.post_message(text(size))
        with pytest.raises(trio.WouldBlock):
            opener.post_message(text(next_size))
        nursery.start_soon(opener.send, text(next_size))
        await settle()
        assert opener.statistics().tasks_waiting_send == 1
        assert len(await receiver.receive()) == size - 2
        await settle()
        assert len(await receiver.receive()) == next_size - 2
    opener.disconnect()


async def test_a_cancelled_sender_lets_a_smaller_message_pass(nursery: trio.Nursery) -> None:
    """No message overtakes one that waits, however small it is, until that one is given up."""
    opener, receiver = open_port_pair(nursery, max_buffer_bytes=1000)
    opener.post_message(text(500))
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as senders:
            senders.start_soon(opener.send, text(600))
            await settle()
            nursery.start_soon(opener.send, text(100))
            await settle()
            assert opener.statistics().tasks_waiting_send == 2
            with pytest.raises(trio.WouldBlock):
                opener.post_message(1)
            scope.cancel()
    await settle()
    assert opener.statistics().bytes_unsent == 600
    receiver.disconnect()


@pytest.mark.parametrize("dialect", ["firefox", "chrome"])
async def test_browsers_have_no_bound(nursery: trio.Nursery, dialect: Any) -> None:
    """Unless one is given."""
    opener, _ = open_port_pair(nursery, dialect=dialect)
    assert opener.statistics().max_buffer_bytes == math.inf
    for _ in range(3):
        opener.post_message(text(1000))
    assert opener.statistics().bytes_unsent == 3000
    opener.disconnect()
    opener, receiver = open_port_pair(nursery, dialect=dialect, max_buffer_bytes=1)
    opener.post_message(1)
    with pytest.raises(trio.WouldBlock):
        opener.post_message(2)
    opener.disconnect()
    receiver.disconnect()


async def test_an_echo_has_back_pressure_in_bytes(nursery: trio.Nursery) -> None:
    """A listener's own answers are held; the next message is dispatched once they are within the bound."""
    opener, receiver = open_port_pair(nursery, max_buffer_bytes=1000)
    receiver.on_message.add_listener(lambda message, port: [port.post_message(message) for _ in range(2)])
    sizes = [600, 600, 400, 3000, 10]
    got: list[int] = []

    async def post() -> None:
        for size in sizes:
            await opener.send(text(size))

    nursery.start_soon(post)
    while len(got) < 2 * len(sizes):
        await settle()
        assert receiver.statistics().bytes_unsent <= 1000 + 2 * 3000
        got.append(len(await opener.receive()) + 2)
    assert got == [size for size in sizes for _ in range(2)]
    opener.disconnect()


@each_dialect
async def test_several_receivers_and_bytes(dialect: Any) -> None:
    """A message goes to all or to none; one that never listens keeps what fits, and is then disconnected."""
    async with open_world(dialect=dialect, max_buffer_bytes=1000) as world:
        world.listen()
        other = world.extension.open_page("other.html")
        others: list[Any] = []
        other.runtime.on_connect.add_listener(others.append)
        opener = world.page.runtime.connect()
        await settle()
        (reader,), (deaf,) = world.ports, others
        gate = trio.Event()
        seen: list[Any] = []

        @reader.on_message.add_listener
        async def take(message: str, port: Any) -> None:
            seen.append(len(message) + 2)
            await gate.wait()

        if dialect != "trio":
            deaf.on_message.add_listener(lambda message, port: None)
        for size in (100, 700, 300):
            opener.post_message(text(size))
            await settle()
        with pytest.raises(trio.WouldBlock):
            opener.post_message(1)
        gate.set()
        await settle()
        assert seen == [100, 700, 300]
        if dialect == "trio":
            assert deaf.error is not None
            assert deaf.error.cause is Cause.UNREAD


async def test_a_wire_stops_reading_at_the_bound() -> None:
    """Many small messages of one read, and large ones, wait outside; each comes when there is room."""
    one, other = memory_stream_pair()
    sizes = [100] * 30 + [5000, 900, 200, 200]
    async with open_stream_port(one, max_buffer_bytes=1000) as port:
        await other.send_all(b"".join(encode(text(size)) for size in sizes))
        for size in sizes:
            await settle()
            assert port.statistics().bytes_waiting <= max(1000, size)
            assert len(await port.receive()) == size - 2


@given(
    bound=st.integers(1, 12),
    limit=st.integers(1, 40),
    steps=st.lists(st.one_of(st.none(), st.lists(st.integers(1, 50), max_size=6)), max_size=30),
)
def test_what_waits_is_counted(bound: int, limit: int, steps: list[list[int] | None]) -> None:
    """One by one or many at once, a frame is taken in exactly if there is room for it."""

    async def main() -> None:
        near, (far,) = open_connection(max_buffer_size=bound, max_buffer_bytes=limit)
        waiting: list[int] = []
        for step in steps:
            if step is None:
                taken = [len(frame) for frame in far.receive_many_nowait(30)]
                assert waiting[: len(taken)] == taken
                waiting = waiting[len(taken) :]
            else:
                sent = near.send_many_nowait([b"x" * size for size in step])
                for index, size in enumerate(step):
                    fits = len(waiting) < bound and (not waiting or sum(waiting) + size <= limit)
                    assert fits == (index < sent)
                    if not fits:
                        break
                    waiting.append(size)
            assert near.unsent_bytes == sum(waiting)

    trio.run(main)


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (1.5, TypeError), (True, TypeError), ("1", TypeError)])
async def test_bounds_that_are_none(nursery: trio.Nursery, value: Any, error: type[Exception]) -> None:
    """They are refused at the call, as those in messages are."""
    with pytest.raises(error, match="max_buffer_bytes must be"):
        open_port_pair(nursery, max_buffer_bytes=value)
