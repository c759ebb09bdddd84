"""Ports over streams: anything that carries bytes both ways carries messages both ways."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from native_support import encode
from support import ScriptedError, Witness, cancel_everywhere, settle
from trio.testing import lockstep_stream_pair, memory_stream_pair

from trio_ports import Cause, FrameTooLargeError, MessageSender, Port, TruncatedError
from trio_ports._transports.streams import open_stream_port, open_stream_port_in


@asynccontextmanager
async def open_socket_pair() -> AsyncGenerator[tuple[trio.SocketStream, trio.SocketStream], None]:
    left, right = trio.socket.socketpair()
    async with trio.SocketStream(left) as one, trio.SocketStream(right) as other:
        yield one, other


async def test_messages_go_both_ways() -> None:
    """Two ports over one stream are the two ends of a connection."""
    sender = MessageSender(url="tcp://here")
    one, other = memory_stream_pair()
    async with open_stream_port(one, "left", sender) as left, open_stream_port(other) as right:
        assert (left.name, left.sender, right.name, right.sender) == ("left", sender, "", None)
        for message in (None, 0, "", [], {"ä": 1.5}, "\ud800"):
            left.post_message(message)
            assert await right.receive() == message
            await right.send([message])
            assert await left.receive() == [message]


async def test_everything_posted_arrives_before_the_end() -> None:
    """Rules 5 and 21: post much, leave the block at once; the other side gets all of it, then the end, orderly."""
    async with open_socket_pair() as (one, other), open_stream_port(other) as right:
        witness = Witness(right)
        async with open_stream_port(one) as left:
            for number in range(1000):
                left.post_message([number, "x" * 1000])
        await right.wait_disconnected()
        await settle()
        assert [each if each == "end" else each[0] for each in witness.seen] == [*range(1000), "end"]
        assert right.error is None


async def test_what_the_other_side_sent_last_does_not_destroy_what_we_did() -> None:
    """A socket closed over unread bytes throws away what was written; a port takes its leave first."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery, listeners[0] as listener:
        accepted = trio.Event()
        received: list[Any] = []

        async def serve() -> None:
            async with open_stream_port(await listener.accept()) as port:
                accepted.set()
                for number in range(500):
                    port.post_message(["never read", number])
                received.extend([message async for message in port])

        nursery.start_soon(serve)
        stream = await trio.open_tcp_stream(*listener.socket.getsockname()[:2])
        async with open_stream_port(stream) as port:
            await accepted.wait()
            for number in range(500):
                port.post_message(number)
    assert received == list(range(500))


async def test_the_far_end_of_file_is_an_orderly_end() -> None:
    """Rule 25: after the last message, `receive` says that the channel has ended."""
    one, other = memory_stream_pair()
    async with open_stream_port(one) as port:
        await other.send_all(encode(1) + encode(2))
        await other.send_eof()
        assert [message async for message in port] == [1, 2]
        assert port.error is None


async def test_a_broken_stream_is_an_error() -> None:
    """The cause says that the wire broke, whichever direction noticed."""
    one, _other = memory_stream_pair()

    async def break_() -> None:
        raise trio.BrokenResourceError

    one.receive_stream.receive_some_hook = break_
    async with open_stream_port(one) as port:
        await port.wait_disconnected()
        assert port.error is not None
        assert port.error.cause is Cause.WIRE_BROKEN


async def test_a_stream_that_takes_nothing_more_is_an_error(autojump_clock: object) -> None:
    """What still comes from it is delivered first; after a moment of silence the connection is over."""
    one, other = memory_stream_pair()

    async def break_() -> None:
        raise trio.BrokenResourceError

    one.send_stream.send_all_hook = break_
    async with open_stream_port(one) as port:
        await port.send(0)
        await settle()
        await port.send("thrown away")
        await other.send_all(encode("last words"))
        assert await port.receive() == "last words"
        begin = trio.current_time()
        await port.wait_disconnected()
        assert port.error is not None
        assert port.error.cause is Cause.WIRE_BROKEN
        assert 0 < trio.current_time() - begin <= 1


async def test_a_stream_that_takes_nothing_more_lets_us_leave() -> None:
    """Writing fails after the port has disconnected: nobody is left to be told."""
    one, _other = memory_stream_pair()

    async def break_() -> None:
        raise trio.BrokenResourceError

    one.send_stream.send_all_hook = break_
    async with open_stream_port(one) as port:
        port.post_message(1)
    assert port.error is None


@pytest.mark.parametrize(
    ("data", "kind"), [(encode(b"xy")[:5], TruncatedError), (b"hello\n", FrameTooLargeError)], ids=["cut", "print"]
)
async def test_nonsense_is_an_error(data: bytes, kind: type) -> None:
    """Whole messages first, then what was wrong with the bytes behind them."""
    one, other = memory_stream_pair()
    async with open_stream_port(one) as port:
        await other.send_all(encode(1) + data)
        await other.send_eof()
        assert await port.receive() == 1
        with pytest.raises(trio.BrokenResourceError) as caught:
            await port.receive()
        assert isinstance(caught.value.__cause__, kind)
        assert port.error is caught.value.__cause__


async def test_nonsense_that_ends_a_block_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The block is left quietly (rule 43), so the log has what the other side did wrong."""
    one, other = memory_stream_pair()
    async with open_stream_port(one) as port:
        await other.send_all(encode(b"{]"))
        async for _ in port:
            pass
    assert "Not a JSON message" in caplog.text


async def test_a_full_queue_stops_the_reading() -> None:
    """Back pressure: beyond the bound nothing is read, and the other side's stream fills up."""
    one, other = lockstep_stream_pair()
    async with trio.open_nursery() as nursery, open_stream_port(one, max_buffer_size=3) as port:
        sent: list[int] = []

        async def flood() -> None:
            for number in range(20):
                await other.send_all(encode(number))
                sent.append(number)
            await other.send_eof()

        nursery.start_soon(flood)
        await settle()
        assert port.statistics().messages_waiting == 3
        assert len(sent) < 6
        assert [message async for message in port] == list(range(20))


async def test_leaving_while_the_other_side_floods() -> None:
    """What waits for room is thrown away with what follows it; the flood does not hold the block's end up."""
    one, other = memory_stream_pair()
    async with open_stream_port(one, max_buffer_size=3) as port:
        await other.send_all(encode(1) * 100)
        await settle()
        assert port.statistics().messages_waiting == 3
        await other.send_eof()


async def test_several_messages_are_written_together() -> None:
    """One write for what was posted in one turn: throughput comes from there."""
    one, other = memory_stream_pair()
    writes: list[int] = []

    async def note() -> None:
        writes.append(port.statistics().messages_unsent)

    one.send_stream.send_all_hook = note
    async with open_stream_port(one) as port:
        for number in range(10):
            port.post_message(number)
        await settle()
        assert len(writes) == 1
        port.post_message("x" * 100_000)
        port.post_message("y")
        await settle()
        assert len(writes) == 4
    assert await other.receive_some() != b""


async def test_other_tasks_run_while_much_is_written() -> None:
    """A stream that takes everything at once does not starve the rest of the program."""
    one, _other = memory_stream_pair()
    async with open_stream_port(one) as port:
        for _ in range(10):
            port.post_message("x" * 100_000)
        turns = 0
        while port.statistics().messages_unsent:
            turns += 1
            await trio.lowlevel.checkpoint()
        assert turns >= 10


async def test_leaving_is_bounded(autojump_clock: object) -> None:
    """A stream that nobody reads holds the block's end up for the grace, not for ever."""
    one, _other = lockstep_stream_pair()
    async with open_stream_port(one) as port:
        port.post_message("nobody reads this")
        begin = trio.current_time()
    assert trio.current_time() - begin == 3


@pytest.mark.parametrize(("posted", "seconds"), [(0, 1), (1, 3)])
async def test_a_cancelled_block_is_bounded_in_all(autojump_clock: object, posted: int, seconds: float) -> None:
    """Writing and taking leave share one grace; without anything to write, only the leave is taken."""
    async with open_socket_pair() as (one, _other):
        with trio.CancelScope() as scope:
            async with open_stream_port(one) as port:
                for _ in range(posted):
                    port.post_message("x" * 10_000_000)  # More than a socket holds, and nobody reads.
                await settle()
                scope.cancel()
                begin = trio.current_time()
        assert trio.current_time() - begin == seconds


async def test_a_cancelled_block_still_writes_what_was_posted() -> None:
    """Rules 20 and 21: cancelled is orderly."""
    one, other = memory_stream_pair()
    with trio.CancelScope() as scope:
        async with open_stream_port(one) as port:
            port.post_message("last words")
            scope.cancel()
            await trio.sleep_forever()
    async with open_stream_port(other) as reader:
        assert [message async for message in reader] == ["last words"]


async def test_the_blocks_own_exception_leaves_as_it_is() -> None:
    """Not wrapped in a group, although a nursery is inside; with or without a cancellation beside it."""
    for cancelled in (False, True):
        one, _other = memory_stream_pair()
        with pytest.raises(ScriptedError), trio.CancelScope() as scope:
            async with open_stream_port(one):
                if cancelled:
                    scope.cancel()
                raise ScriptedError


async def test_a_listeners_exception_leaves_in_a_group() -> None:
    """It cancels the block and leaves through it; the other side sees an end."""
    one, other = memory_stream_pair()

    def fail(message: Any, port: Port) -> None:
        raise ScriptedError

    with pytest.RaisesGroup(ScriptedError):
        async with open_stream_port(one) as port:
            port.on_message.add_listener(fail)
            await other.send_all(encode(1))
            await trio.sleep_forever()
    assert await other.receive_some() == b""


async def test_closing_the_stream_from_outside_ends_the_port() -> None:
    """Whoever closes the stream under the port breaks the wire; nothing hangs and nothing is raised."""
    one, _other = memory_stream_pair()
    async with open_stream_port(one) as port:
        await settle()
        await one.aclose()
        await port.wait_disconnected()
        assert port.error is not None
        assert port.error.cause is Cause.WIRE_BROKEN


async def test_a_stream_without_half_close_is_just_closed() -> None:
    """A stream that cannot say end of file by itself says it by closing."""
    one, other = memory_stream_pair()

    class Whole(trio.abc.Stream):
        send_all = one.send_all
        receive_some = one.receive_some
        wait_send_all_might_not_block = one.wait_send_all_might_not_block

        async def aclose(self) -> None:
            await one.aclose()

    async with open_stream_port(Whole()) as port:
        port.post_message(1)
    assert await other.receive_some() == encode(1)
    assert await other.receive_some() == b""


def test_cancelled_anywhere_it_ends() -> None:
    """At every step of every task: the block ends, both streams are closed, nothing is left."""

    async def scenario(scope: trio.CancelScope) -> None:
        one, other = memory_stream_pair()
        with scope:
            async with open_stream_port(one) as left, open_stream_port(other) as right:
                left.post_message("ping")
                assert await right.receive() == "ping"
                await right.send("pong")
                assert await left.receive() == "pong"
        with pytest.raises(trio.ClosedResourceError):
            await one.receive_some()
        with contextlib.suppress(trio.ClosedResourceError):  # Not closed if it was never given to a port.
            assert await other.receive_some() == b""

    assert cancel_everywhere(scenario) > 20


async def test_wrong_arguments_are_refused_at_the_call() -> None:
    """Before anything is opened."""
    one, _other = memory_stream_pair()
    with pytest.raises(TypeError, match="stream"):
        open_stream_port(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="name"):
        open_stream_port(one, 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="sender"):
        open_stream_port(one, sender="me")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_buffer_size"):
        open_stream_port(one, max_buffer_size=0)


# A port that a nursery owns -----------------------------------------------------------------------------------------


async def test_ports_of_a_nursery_end_in_any_order() -> None:
    """Each lives until one of its sides disconnects; then the nursery is left."""
    async with trio.open_nursery() as nursery:
        pairs = [memory_stream_pair() for _ in range(3)]
        ports = [[open_stream_port_in(nursery, stream, f"{at}") for stream in pair] for at, pair in enumerate(pairs)]
        for at in (1, 0, 2):
            one, other = ports[at]
            assert (one.name, other.name) == (f"{at}", f"{at}")
            one.post_message("last words")
            one.disconnect()
            assert [message async for message in other] == ["last words"]
    for stream in (stream for pair in pairs for stream in pair):
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some()


async def test_a_cancelled_nursery_ends_its_ports_in_good_order(autojump_clock: object) -> None:
    """What was posted is written, for at most three seconds."""
    one, other = memory_stream_pair()
    slow, _ = lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        for stream in (one, slow):
            open_stream_port_in(nursery, stream).post_message("last words")
        nursery.cancel_scope.cancel()
        begin = trio.current_time()
    assert trio.current_time() - begin == 3
    assert await other.receive_some() == encode("last words")
    assert await other.receive_some() == b""


async def test_a_listeners_exception_leaves_through_the_nursery() -> None:
    """The other side sees a crash's end; the stream is closed."""
    one, other = memory_stream_pair()

    def fail(message: Any, port: Port) -> None:
        raise ScriptedError

    with pytest.RaisesGroup(ScriptedError):
        async with trio.open_nursery() as nursery:
            open_stream_port_in(nursery, one).on_message.add_listener(fail)
            await other.send_all(encode(1))
    assert await other.receive_some() == b""


async def test_a_closed_nursery_takes_no_stream() -> None:
    """The stream is left to the caller."""
    one, other = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        open_stream_port_in(nursery, one)
    with pytest.raises(TypeError, match="nursery"):
        open_stream_port_in(one, other)  # type: ignore[arg-type]
    await one.send_all(b"x")
    assert await other.receive_some() == b"x"
