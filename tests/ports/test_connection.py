"""A connection as a transport sees it: ends that take and give encoded messages, and what a bad one does to a port."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from support import Witness, each_dialect, settle
from trio.testing import assert_checkpoints

from trio_ports import Cause, Delivered, Dropped, MalformedMessageError, Port, PortError
from trio_ports._ports.connection import End, open_connection
from trio_ports._ports.options import make_options
from trio_ports._ports.scopes import Scope

BROKEN = PortError("The wire broke.", cause=Cause.WIRE_BROKEN)


def open_ends(bound: float = math.inf) -> tuple[End, End]:
    near, (far,) = open_connection(max_buffer_size=bound)
    return near, far


class Watcher:
    """Notes when the other side has gone."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def peer_gone(self) -> None:
        self.told.append("gone")


def open_half(nursery: trio.Nursery, **options: Any) -> tuple[Port, End]:
    """Open a port whose other end is a transport's."""
    options = make_options(**{"dialect": "trio", **options})
    near, (far,) = open_connection(max_buffer_size=options.max_buffer_size)
    return Port(near, Scope(nursery), options, options.decoder(Any)), far


async def close_when_settled(end: End) -> None:
    await settle()
    end.close()


async def send_when_settled(end: End, frame: bytes) -> None:
    await settle()
    end.send_nowait(frame)


@pytest.mark.parametrize("order", [0, 1], ids=["opener", "receiver"])
async def test_frames_go_through_in_order(order: int) -> None:
    """Each way, with and without waiting, one by one and many at once."""
    ends = open_ends()
    sender, receiver = ends[order], ends[1 - order]
    with assert_checkpoints():
        await sender.send(b"0")
    for number in range(1, 6):
        sender.send_nowait(b"%d" % number)
    with assert_checkpoints():
        assert await receiver.receive() == b"0"
    with assert_checkpoints():
        assert await receiver.receive() == b"1"
    assert [receiver.receive_nowait() for _ in range(4)] == [b"2", b"3", b"4", b"5"]
    with pytest.raises(trio.WouldBlock):
        receiver.receive_nowait()
    sender.send_nowait(b"6")
    assert receiver.receive_nowait() == b"6"
    assert receiver.lane.used == 0


@given(
    st.lists(st.lists(st.binary(max_size=5), max_size=8), max_size=8),
    st.integers(1, 6),
    st.lists(st.integers(1, 20), min_size=1),
)
def test_many_at_once_are_the_same_frames_within_the_bound(
    batches: list[list[bytes]], bound: int, sizes: list[int]
) -> None:
    """As many as there is room for, and as many as so many bytes take; nothing is lost, doubled or overtaken."""

    async def main() -> None:
        near, far = open_ends(bound)
        taken: list[bytes] = []
        wanted = itertools.cycle(sizes)

        def take() -> None:
            size = next(wanted)
            before = far.lane.used
            got = far.receive_many_nowait(size)
            assert len(b"".join(got[:-1])) < size
            assert far.lane.used == before - len(got)
            assert len(got) == before or len(b"".join(got)) >= size
            taken.extend(got)

        for batch in batches:
            rest = batch
            while rest:
                room = bound - far.lane.used
                sent = near.send_many_nowait(rest)
                assert sent == min(room, len(rest))
                rest = rest[sent:]
                if rest:
                    take()
        while far.lane.used:
            take()
        assert taken == [frame for batch in batches for frame in batch]
        assert far.receive_many_nowait(1) == []
        far.close()
        with pytest.raises(trio.BrokenResourceError):
            near.send_many_nowait([b"1"])

    trio.run(main)


async def test_many_at_once_let_a_sender_go_on(nursery: trio.Nursery) -> None:
    """Who waited for room is next, and joins what is taken after it."""
    near, far = open_ends(bound=2)
    assert near.send_many_nowait([b"1", b"2", b"3"]) == 2
    nursery.start_soon(near.send, b"3")
    await settle()
    assert far.receive_many_nowait(100) == [b"1", b"2"]
    assert far.receive_many_nowait(100) == [b"3"]


async def test_many_at_once_to_several_receivers() -> None:
    """As many are sent as there is room for at all that listen, and each of them gets those."""
    near, fars = open_connection(2, max_buffer_size=2)
    await near.send(b"0")
    assert [await far.receive() for far in fars] == [b"0", b"0"]
    for far in fars:
        far.lane.heard = True
    assert near.send_many_nowait([b"1", b"2", b"3"]) == 2
    assert [[far.receive_nowait(), far.receive_nowait()] for far in fars] == [[b"1", b"2"]] * 2
    assert near.send_many_nowait([b"3"]) == 1
    assert [far.receive_nowait() for far in fars] == [b"3", b"3"]


async def test_an_end_that_waits_is_handed_the_next_frame(nursery: trio.Nursery) -> None:
    """And those that come in the same tick are still there afterwards."""
    near, far = open_ends()
    taken: list[bytes] = []

    async def take() -> None:
        taken.append(await far.receive())

    nursery.start_soon(take)
    await settle()
    near.send_nowait(b"1")
    near.send_nowait(b"2")
    await settle()
    assert taken == [b"1"]
    assert (far.lane.used, await far.receive()) == (1, b"2")


async def test_an_end_that_closes_in_the_tick_of_a_frame(nursery: trio.Nursery) -> None:
    """What had been handed over is received, what came with it is gone, and nothing is counted that is not there."""
    near, far = open_ends()
    taken: list[bytes] = []

    async def take() -> None:
        taken.append(await far.receive())

    nursery.start_soon(take)
    await settle()
    near.send_nowait(b"1")
    near.send_nowait(b"2")
    far.close()
    await settle()
    assert (taken, far.lane.used) == ([b"1"], 0)
    with pytest.raises(trio.ClosedResourceError):
        await far.receive()
    with pytest.raises(trio.ClosedResourceError):
        far.receive_nowait()


async def test_an_end_that_closes_while_it_takes_one_of_many(nursery: trio.Nursery) -> None:
    """The checkpoint of a receive is a moment like any other."""
    near, far = open_ends()
    for _ in range(3):
        near.send_nowait(b"1")
    assert await far.receive() == b"1"
    errors: list[Exception] = []

    async def take() -> None:
        try:
            await far.receive()
        except trio.ClosedResourceError as error:
            errors.append(error)

    async def close() -> None:
        far.close()

    for _ in range(20):  # Which of two tasks runs first is Trio's choice; either order is in order.
        near, far = open_ends()
        near.send_nowait(b"1")
        near.send_nowait(b"2")
        await far.receive()
        async with trio.open_nursery() as inner:
            inner.start_soon(take)
            inner.start_soon(close)
    assert errors


async def test_the_end_of_a_connection() -> None:
    """What was sent is taken, then EndOfChannel; sending is broken at once; the error is kept."""
    near, far = open_ends()
    near.send_nowait(b"1")
    told: list[str] = []
    far.watcher = Watcher(told)
    near.close(BROKEN)
    near.close()
    assert (told, far.peer_gone, far.peer_error) == (["gone"], True, BROKEN)
    assert await far.receive() == b"1"
    for _ in range(2):
        with pytest.raises(trio.EndOfChannel):
            await far.receive()
        with pytest.raises(trio.BrokenResourceError):
            far.send_nowait(b"2")
        with pytest.raises(trio.BrokenResourceError):
            await far.send(b"2")
        with pytest.raises(trio.BrokenResourceError):
            near.send_nowait(b"2")
    with pytest.raises(trio.BrokenResourceError):
        far.put(b"2")
    far.close()
    with pytest.raises(trio.BrokenResourceError):
        far.put(b"2")


async def test_an_end_that_has_closed_is_not_closed_again() -> None:
    """Whatever is done to it: neither side is told a second time."""
    near, far = open_ends()
    told: list[str] = []
    near.watcher = Watcher(told)
    far.close(BROKEN)
    far.fail(BROKEN)
    far.withdraw(BROKEN)
    far.lose_peer(None)
    near.lose_peer(None)
    assert (told, near.peer_error, far.peer_gone) == (["gone"], BROKEN, False)


async def test_a_receiver_that_withdraws() -> None:
    """The last one's error is the opener's; after the opener it is nobody's."""
    near, fars = open_connection(2, max_buffer_size=1)
    fars[0].withdraw(BROKEN)
    assert not near.peer_gone
    fars[1].withdraw(BROKEN)
    assert (near.peer_gone, near.peer_error) == (True, BROKEN)
    near, fars = open_connection(2, max_buffer_size=1)
    near.close()
    fars[0].withdraw(BROKEN)
    assert near.peer_error is None


@pytest.mark.parametrize("vanishes", [True, False])
async def test_a_receiver_that_withdraws_after_another_has_left(vanishes: bool) -> None:
    """Where one receiver was there and left, the withdrawal of the last one is no lack of receivers."""
    near, fars = open_connection(2, max_buffer_size=math.inf)
    fars[0].close(vanished=vanishes)
    assert not near.peer_gone
    fars[1].withdraw(BROKEN)
    assert (near.peer_gone, near.peer_error, near.peer_vanished) == (True, None, vanishes)


async def test_a_bound_and_those_who_wait(nursery: trio.Nursery) -> None:
    """Cancelled, nothing was sent; served in order; refused when either end goes."""
    near, far = open_ends(1)
    near.send_nowait(b"1")
    with pytest.raises(trio.WouldBlock):
        near.send_nowait(b"2")
    with trio.move_on_after(0) as scope:
        await near.send(b"2")
    assert scope.cancelled_caught
    near.put(b"beyond")
    nursery.start_soon(near.send, b"3")
    await settle()
    assert [await far.receive() for _ in range(3)] == [b"1", b"beyond", b"3"]
    near.send_nowait(b"4")
    for end, error in ((far, trio.BrokenResourceError), (near, trio.ClosedResourceError)):
        near, far = open_ends(1)
        near.send_nowait(b"1")
        leaving = far if error is trio.BrokenResourceError else near
        nursery.start_soon(close_when_settled, leaving)
        with pytest.raises(error):
            await near.send(b"2")
        assert end is not leaving


async def test_a_port_over_a_transport(nursery: trio.Nursery) -> None:
    """It decodes what the transport's end is sent, and its posts come out encoded."""
    port, far = open_half(nursery)
    witness = Witness(port)
    far.send_nowait(b'{"n": 1}')
    port.post_message([2])
    assert await far.receive() == b"[2]"
    far.close(BROKEN)
    await settle()
    assert witness.seen == [{"n": 1}, "end"]
    assert port.error is BROKEN


@each_dialect
async def test_a_malformed_frame_and_a_listener(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 36: the connection ends in trio and Firefox, for both; Chromium ignores the frame."""
    observed: list[Any] = []
    port, far = open_half(nursery, dialect=dialect, observer=observed.append)
    witness = Witness(port)
    for frame in (b"1", b"{", b"2"):
        far.send_nowait(frame)
    await settle()
    if dialect == "chrome":
        assert witness.seen == [1, 2]
        assert not far.peer_gone
        port.disconnect()
    else:
        assert witness.seen == [1, "end"]
        assert isinstance(port.error, MalformedMessageError)
        assert port.error.raw == b"{"
        assert (far.peer_gone, far.peer_error) == (True, port.error)
    dropped = [observation.frame for observation in observed if isinstance(observation, Dropped)]
    assert dropped == [b"{"]


@each_dialect
async def test_a_malformed_frame_and_a_reader(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 36, for somebody who reads: the error is what receive raises from."""
    port, far = open_half(nursery, dialect=dialect)
    for frame in (b"{", b"2"):
        far.send_nowait(frame)
    if dialect == "chrome":
        assert await port.receive() == 2
        port.disconnect()
        return
    for _ in range(2):
        with pytest.raises(trio.BrokenResourceError) as caught:
            await port.receive()
        assert isinstance(caught.value.__cause__, MalformedMessageError)
    assert far.peer_gone


@each_dialect
async def test_rare_json_from_a_transport(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 12: what msgspec refuses although it is JSON reaches listeners and readers."""
    observed: list[Any] = []
    port, far = open_half(nursery, dialect=dialect, observer=observed.append)
    far.send_nowait(b'"\\ud800"')
    witness = Witness()
    port.on_message.add_listener(witness.hear)
    await settle()
    port.on_message.remove_listener(witness.hear)
    nursery.start_soon(send_when_settled, far, b"1e999")
    assert await port.receive() == math.inf
    assert witness.seen == ["\ud800"]
    assert len([observation for observation in observed if isinstance(observation, Delivered)]) == 2
    port.disconnect()


async def test_what_is_dropped_is_observed(nursery: trio.Nursery) -> None:
    """Rule 15: in a dialect that drops what nobody listens for."""
    observed: list[Any] = []
    port, far = open_half(nursery, dialect="firefox", observer=observed.append)
    far.send_nowait(b"1")
    await settle()
    assert [observation.frame for observation in observed if isinstance(observation, Dropped)] == [b"1"]
    port.disconnect()


async def test_more_than_a_batch(nursery: trio.Nursery) -> None:
    """A busy port lets others run between its batches, and loses nothing."""
    port, far = open_half(nursery, max_buffer_size=math.inf)
    turns: list[int] = []
    witness = Witness(port)
    for number in range(1000):
        far.send_nowait(b"%d" % number)

    async def watch() -> None:
        while len(witness.seen) < 1000:
            turns.append(len(witness.seen))
            await trio.lowlevel.checkpoint()

    await watch()
    assert witness.seen == list(range(1000))
    assert len(turns) > 5
    port.disconnect()


async def test_an_owner_whose_nursery_has_gone() -> None:
    """Nothing can run there any more, and nobody is told."""
    async with trio.open_nursery() as nursery:
        port, far = open_half(nursery)
    witness = Witness(port)
    far.send_nowait(b"1")
    far.close()
    await settle()
    assert witness.seen == []
    assert port.statistics().state == "ending"
