"""A stream carries bytes within its window."""

from __future__ import annotations

import pytest
import trio
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from trio_ports import Cause, PortError
from trio_ports.bus.packets import Answer, Credit, Data, Ended, Item, Shared
from trio_ports.bus.streams import PIECE_BYTES, WINDOW_BYTES, BusStream, error_of


def open_stream() -> tuple[BusStream, list[Item]]:
    posted: list[Item] = []
    return BusStream(1, posted.append), posted


async def test_a_window_is_sent_and_no_more() -> None:
    """The sender stops at the window, in pieces, and goes on as far as the reader opens it."""
    stream, posted = open_stream()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, b"x" * (WINDOW_BYTES + 10))
        await wait_all_tasks_blocked()
        sizes = [len(item.data) for item in posted if isinstance(item, Data)]
        assert (sum(sizes), max(sizes)) == (WINDOW_BYTES, PIECE_BYTES)
        stream.receive(Credit(1, 4))
        await wait_all_tasks_blocked()
        assert sum(len(item.data) for item in posted if isinstance(item, Data)) == WINDOW_BYTES + 4
        stream.receive(Credit(1, 100))
    assert sum(len(item.data) for item in posted if isinstance(item, Data)) == WINDOW_BYTES + 10


async def test_a_cancelled_send_has_sent_what_fitted() -> None:
    """Cancelled while it waits for room, it has sent a window."""
    stream, posted = open_stream()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, b"x" * (WINDOW_BYTES + 1))
            await wait_all_tasks_blocked()
            scope.cancel()
    assert sum(len(item.data) for item in posted if isinstance(item, Data)) == WINDOW_BYTES


async def test_the_reader_opens_the_window_as_it_reads() -> None:
    """Half a window read is half a window opened; what nobody has read opens nothing."""
    stream, posted = open_stream()
    for _ in range(4):
        assert stream.receive(Data(1, b"x" * (WINDOW_BYTES // 4)))
    assert posted == []
    with assert_checkpoints():
        await stream.receive_some()
    await stream.receive_some()
    assert posted == [Credit(1, WINDOW_BYTES // 2)]


def test_the_peer_is_told_once_that_others_hear_its_call_too() -> None:
    """It is told once, and not after the end; who opened the stream cannot be told that."""
    stream, posted = open_stream()
    stream.share()
    stream.share()
    assert posted == [Shared(1)]
    assert not stream.receive(Shared(1))
    ended, said = open_stream()
    ended.end()
    ended.share()
    assert said == [Ended(1)]


async def test_a_broken_stream_opens_no_window() -> None:
    """What had arrived before a break can still be read, and nothing is said to the peer any more."""
    stream, posted = open_stream()
    stream.receive(Data(1, b"x" * WINDOW_BYTES))
    stream.fail()
    assert len(await stream.receive_some()) == WINDOW_BYTES
    assert posted == []


async def test_a_peer_that_ignores_the_window_is_refused() -> None:
    """More than the window is against the rules: both sides end with an error."""
    stream, posted = open_stream()
    assert stream.receive(Data(1, b"x" * WINDOW_BYTES))
    assert not stream.receive(Data(1, b"x"))
    stream.refuse()
    (ended,) = posted
    assert isinstance(ended, Ended)
    assert ended.cause == Cause.WIRE_BROKEN.value
    assert stream.is_over
    with pytest.raises(trio.BrokenResourceError):
        await stream.receive_some()
    with pytest.raises(trio.BrokenResourceError):
        await stream.send_all(b"x")


async def test_the_end_comes_after_what_was_sent() -> None:
    """What came before the peer's end is read, then the end; what is sent after it is thrown away."""
    stream, posted = open_stream()
    stream.receive(Data(1, b"last"))
    stream.receive(Ended(1))
    stream.fail()
    assert [await stream.receive_some() for _ in range(3)] == [b"last", b"", b""]
    await stream.send_all(b"x" * WINDOW_BYTES * 2)
    assert posted == []


async def test_who_has_ended_takes_nothing_more() -> None:
    """After its own end a side throws away what still comes, however much."""
    stream, posted = open_stream()
    stream.end()
    stream.end()
    assert posted == [Ended(1)]
    for _ in range(10):
        assert stream.receive(Data(1, b"x" * WINDOW_BYTES))
    assert not stream.is_over
    stream.receive(Ended(1))
    assert stream.is_over


async def test_a_blocked_sender_learns_of_the_end() -> None:
    """A sender that waits for room is released when the peer ends, and told when the connection breaks."""
    for ends in (True, False):
        stream, _ = open_stream()
        async with trio.open_nursery() as nursery:

            async def send(stream: BusStream = stream, ends: bool = ends) -> None:
                if ends:
                    await stream.send_all(b"x" * (WINDOW_BYTES + 1))
                else:
                    with pytest.raises(trio.BrokenResourceError):
                        await stream.send_all(b"x" * (WINDOW_BYTES + 1))

            nursery.start_soon(send)
            await wait_all_tasks_blocked()
            if ends:
                stream.receive(Ended(1))
            else:
                stream.fail()


async def test_answers() -> None:
    """Who has opened a stream learns whether it is heard; who refuses is through with it."""
    stream, _ = open_stream()
    stream.receive(Answer(1, True))
    with assert_checkpoints():
        assert await stream.wait_answered()
    stream, _ = open_stream()
    stream.receive(Answer(1, False))
    assert not await stream.wait_answered()
    stream.end()
    assert stream.is_over
    stream, posted = open_stream()
    stream.answer(heard=False)
    assert (posted, stream.ended) == ([Answer(1, False)], True)
    stream.fail()
    assert not await stream.wait_answered()


@pytest.mark.parametrize("cause", Cause)
def test_errors_travel(cause: Cause) -> None:
    """The cause and the text of an error arrive."""
    stream, posted = open_stream()
    stream.end(PortError("why", cause=cause), vanished=True)
    (ended,) = posted
    assert isinstance(ended, Ended)
    error = error_of(ended)
    assert error is not None
    assert (error.cause, str(error), ended.vanished) == (cause, "why", True)


def test_a_cause_from_the_future() -> None:
    """A cause that this version does not know is a broken wire; no cause is no error."""
    error = error_of(Ended(1, "eaten-by-a-whale", "text"))
    assert error is not None
    assert (error.cause, str(error)) == (Cause.WIRE_BROKEN, "text")
    assert error_of(Ended(1)) is None
