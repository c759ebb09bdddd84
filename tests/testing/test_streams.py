"""Streams that misbehave: each in its one way."""

from __future__ import annotations

import struct

import pytest
import trio
from trio.testing import MockClock, memory_stream_one_way_pair, memory_stream_pair, wait_all_tasks_blocked

from trio_ports import Cause, open_stream_port
from trio_ports.testing import FaultyStream, breaking, half_closing, misframing, stalling, trickling


async def test_trickling() -> None:
    """The bytes come one by one, in both directions."""
    left, right = memory_stream_pair()
    slow = trickling(left)
    await slow.send_all(b"abc")
    assert await right.receive_some() == b"abc"
    await right.send_all(b"def")
    assert [await slow.receive_some() for _ in range(3)] == [b"d", b"e", b"f"]
    await slow.wait_send_all_might_not_block()
    await slow.send_eof()
    assert await right.receive_some() == b""


async def test_stalling(autojump_clock: MockClock) -> None:
    """What is beyond its limit waits for ever."""
    left, right = memory_stream_pair()
    with trio.move_on_after(1000) as scope:
        await stalling(left, after=2).send_all(b"abc")
    assert scope.cancelled_caught
    assert await right.receive_some() == b"ab"


async def test_no_fault_at_all() -> None:
    """What has no fault, or none yet, passes everything on."""
    left, right = memory_stream_pair()
    await FaultyStream(left).send_all(b"ab")
    await stalling(left, after=9).send_all(b"cd")
    assert await right.receive_some() == b"abcd"


async def test_breaking() -> None:
    """It breaks at that byte, for both sides."""
    left, right = memory_stream_pair()
    stream = breaking(left, after=2)
    await stream.send_all(b"a")
    with pytest.raises(trio.BrokenResourceError):
        await stream.send_all(b"bc")
    assert await right.receive_some() == b"ab"
    assert await right.receive_some() == b""


async def test_lying() -> None:
    """The first frame's length is another one; what follows is as it was."""
    left, right = memory_stream_pair()
    stream = misframing(left, by=2)
    await stream.send_all(struct.pack("=I", 1)[:2])
    await stream.send_all(struct.pack("=I", 1)[2:] + b"1")
    await stream.send_all(b"more")
    assert await right.receive_some() == struct.pack("=I", 3) + b"1more"


async def test_half_closing() -> None:
    """After that byte nothing more is sent, and one can still receive."""
    left, right = memory_stream_pair()
    stream = half_closing(left, after=2)
    await stream.send_all(b"abc")
    await stream.send_all(b"def")
    assert await right.receive_some() == b"ab"
    assert await right.receive_some() == b""
    await right.send_all(b"x")
    assert await stream.receive_some() == b"x"


async def test_without_half_close() -> None:
    """The end of one direction is the end of both, where the stream can't do better."""
    one, other = memory_stream_one_way_pair()
    back, forth = memory_stream_one_way_pair()

    class Whole(trio.abc.Stream):
        send_all = one.send_all
        wait_send_all_might_not_block = one.wait_send_all_might_not_block
        receive_some = forth.receive_some

        async def aclose(self) -> None:
            await one.aclose()

    await trickling(Whole()).send_eof()
    assert await other.receive_some() == b""
    await back.aclose()


async def test_a_port_over_a_stream_that_lies() -> None:
    """The other side is told that a frame was cut off."""
    left, right = memory_stream_pair()
    async with open_stream_port(right) as port:
        async with open_stream_port(misframing(left, by=5)) as liar:
            liar.post_message(1)
        await port.wait_disconnected()
        assert port.error is not None
        assert port.error.cause is Cause.TRUNCATED
    await wait_all_tasks_blocked()
