"""A carrier between an end and bytes that stop, are silent, or come faster than they are taken."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from trio_ports._ports.connection import End, open_connection
from trio_ports._protocol.frames import FrameDecoder, encode_frames
from trio_ports._transports.carrier import Carrier, Finish

FRAMES = [b'"%d"' % number for number in range(5)]


class Bytes:
    """The other side: bytes to be read one piece at a time, then its end or silence; and what was written to it."""

    def __init__(self, *pieces: bytes, ends: bool = True, seconds_per_write: float = 0) -> None:
        self.pieces = list(pieces)
        self.ends = ends
        self.seconds_per_write = seconds_per_write
        self.written: list[bytes] = []
        self.broken = False

    async def receive_some(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if self.pieces:
            return self.pieces.pop(0)
        if not self.ends:
            await trio.sleep_forever()
        return b""

    async def send_all(self, data: bytes) -> None:
        await trio.sleep(self.seconds_per_write)
        if self.broken:
            raise trio.BrokenResourceError
        self.written.append(data)


def start(
    nursery: trio.Nursery, other: Bytes, *, bound: float = 10, heard: bool = True, **options: Any
) -> tuple[End, Carrier]:
    """Carry between ``other`` and the far end of a connection; return the near end and the carrier."""
    near, (far,) = open_connection(max_buffer_size=bound)
    near.lane.heard = heard
    decoder = FrameDecoder(max_frame_bytes=2**32)
    carrier = Carrier(far, other.receive_some, other.send_all, decoder, **{"grace_seconds": 3, **options})

    async def run() -> None:
        await carrier.run()
        far.close()

    nursery.start_soon(run)
    return near, carrier


async def take_all(near: End, *, pause: float = 0) -> list[bytes]:
    taken: list[bytes] = []
    try:
        while True:
            taken.append(await near.receive())
            await trio.sleep(pause)
    except trio.EndOfChannel:
        return taken


async def test_nothing_is_lost_to_a_slow_reader(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """Writing has failed, as the other side has gone; what it wrote before that is waited for as long as it takes."""
    near, carrier = start(nursery, Bytes(*[encode_frames([frame]) for frame in FRAMES]), bound=1)
    carrier.lose_writing()
    assert await take_all(near, pause=100) == FRAMES
    assert carrier.finish is Finish.END_OF_FILE


async def test_no_room_is_no_silence(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """Writing fails while the port's side is full: what has come is kept for it."""
    near, carrier = start(nursery, Bytes(encode_frames(FRAMES)), bound=1)
    await trio.testing.wait_all_tasks_blocked()
    carrier.lose_writing()
    await trio.sleep(100)
    assert await take_all(near) == FRAMES


async def test_silence_is_not_waited_for(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """After writing has failed, a second of it is the end; what was read before counts."""
    near, carrier = start(nursery, Bytes(encode_frames(FRAMES), ends=False), bound=1)
    carrier.lose_writing()
    begin = trio.current_time()
    assert await take_all(near, pause=10) == FRAMES
    assert carrier.finish is Finish.UNWRITABLE
    assert 41 <= trio.current_time() - begin <= 51


async def test_no_room_is_silence_where_nobody_waits(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """A host whose browser has gone does not outlive it for messages that it never takes."""
    near, carrier = start(nursery, Bytes(encode_frames(FRAMES)), bound=1, delivers_all=False)
    carrier.lose_writing()
    await trio.sleep(1.1)
    assert near.peer_gone
    assert await take_all(near) == FRAMES[:1]


@pytest.mark.parametrize("heard", [True, False])
async def test_an_answer_to_the_last_message_is_written(
    nursery: trio.Nursery, autojump_clock: MockClock, *, heard: bool
) -> None:
    """The other side's bytes have ended; who is at work on the last of them may still answer. Nobody: at once."""
    other = Bytes(encode_frames(FRAMES[:1]))
    near, _ = start(nursery, other, hears_answers=True, heard=heard)
    begin = trio.current_time()
    if not heard:
        await trio.testing.wait_all_tasks_blocked()
        assert near.peer_gone
        return
    assert await near.receive() == FRAMES[0]
    await trio.sleep(2)
    await near.send(b'"answer"')
    with pytest.raises(trio.EndOfChannel):
        await near.receive()
    assert (other.written, trio.current_time() - begin) == ([encode_frames([b'"answer"'])], 2)


async def test_an_answer_that_takes_longer_than_the_grace(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """The end comes all the same."""
    near, _ = start(nursery, Bytes(encode_frames(FRAMES[:1])), hears_answers=True)
    await near.receive()
    await trio.sleep(2.9)
    assert not near.peer_gone
    await trio.sleep(0.2)
    assert near.peer_gone


async def test_writing_goes_on_as_long_as_it_gets_on(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """The port has gone; the other side takes something in every grace, so it gets everything."""
    other = Bytes(ends=False, seconds_per_write=2)
    near, _ = start(nursery, other)
    for _ in range(5):
        near.send_nowait(b"x" * 100_000)
    near.close()
    await trio.sleep(30)
    assert other.written == [part for _ in range(5) for part in (encode_frames([b"x" * 100_000])[:4], b"x" * 100_000)]


async def test_ctrl_c_is_left_to_the_main_task(nursery: trio.Nursery) -> None:
    """A KeyboardInterrupt in the middle of carrying would leave a connection that nobody understands."""
    protected: list[bool] = []

    class Spy(Bytes):
        async def receive_some(self) -> bytes:
            protected.append(trio.lowlevel.currently_ki_protected())
            return await super().receive_some()

        async def send_all(self, data: bytes) -> None:
            protected.append(trio.lowlevel.currently_ki_protected())
            await super().send_all(data)

    near, _ = start(nursery, Spy())
    near.send_nowait(b"1")
    assert await take_all(near) == []
    assert protected == [True, True]


async def test_cancelled_the_grace_is_for_all_of_it(autojump_clock: MockClock) -> None:
    """Who cancels does not wait for a slow reader."""
    other = Bytes(ends=False, seconds_per_write=2)
    begin = trio.current_time()
    with trio.move_on_after(1):
        async with trio.open_nursery() as nursery:
            near, _ = start(nursery, other)
            for _ in range(5):
                near.send_nowait(b"x" * 100_000)
            await trio.sleep_forever()
    assert trio.current_time() - begin == 4


def answers(other: Bytes) -> list[int]:
    """Return how many messages each write had."""
    return [len(FrameDecoder(max_frame_bytes=2**32).receive_data(data)) for data in other.written]


@pytest.mark.parametrize("count", [1, 5, 200])
async def test_answers_to_what_waits_are_one_write(
    nursery: trio.Nursery, autojump_clock: MockClock, count: int
) -> None:
    """A loop that receives and sends does not cost a write for each message."""
    other = Bytes(encode_frames([b"1"] * count), ends=False)
    near, _ = start(nursery, other, bound=1000)
    for _ in range(count):
        await near.send(await near.receive())
    await trio.testing.wait_all_tasks_blocked()
    assert sum(answers(other)) == count
    assert len(other.written) <= 1 + count / 20


async def test_large_answers_are_not_gathered(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """What is written together is bounded in bytes, so that the other side has something to do meanwhile."""
    other = Bytes(encode_frames([b"1"] * 64), ends=False)
    near, _ = start(nursery, other, bound=1000)
    for _ in range(64):
        await near.receive()
        await near.send(b"1" * 9000)
    await trio.testing.wait_all_tasks_blocked()
    assert sum(answers(other)) == 64
    assert max(map(len, other.written)) < 2 * 64 * 1024


async def test_an_answer_is_not_kept_back_while_something_else_is_done(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """More messages wait to be answered, and nobody takes them."""
    other = Bytes(encode_frames([b"1"] * 5), ends=False)
    near, _ = start(nursery, other)
    await near.send(await near.receive())
    for _ in range(20):
        await trio.lowlevel.checkpoint()
    assert answers(other) == [1]


async def test_the_queue_is_filled_when_it_is_half_empty(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """The task that reads is not woken for each message that is taken."""
    near, _ = start(nursery, Bytes(encode_frames([b"1"] * 30), ends=False), bound=10)
    waiting: list[int] = []
    for _ in range(30):
        await near.receive()
        await trio.testing.wait_all_tasks_blocked()
        waiting.append(near.lane.used)
    assert waiting == [9, 8, 7, 6, *[10, 9, 8, 7, 6] * 4, 5, 4, 3, 2, 1, 0]
