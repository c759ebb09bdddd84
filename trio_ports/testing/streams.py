"""Add a fault to a stream, to test code that reads and writes bytes.

Each function takes a stream and returns one that misbehaves in one way. ::

    left, right = trio.testing.memory_stream_pair()
    left = breaking(left, after=5)      # the sixth byte that is sent never leaves
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from typing import Any, final

import trio


@final
class FaultyStream(trio.abc.HalfCloseableStream):
    """A stream with a fault. Made by `trickling`, `stalling`, `breaking`, `misframing` and `half_closing`."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        *,
        send: Callable[[trio.abc.Stream, Any], Awaitable[None]] | None = None,
        receive: Callable[[trio.abc.Stream, int | None], Awaitable[bytes | bytearray]] | None = None,
    ) -> None:
        self.stream = stream
        """The stream without the fault."""
        self._send = send
        self._receive = receive

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, as far as the fault allows."""
        if self._send is None:
            await self.stream.send_all(data)
        else:
            await self._send(self.stream, bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        """Wait as the stream does."""
        await self.stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive, as far as the fault allows."""
        if self._receive is None:
            return await self.stream.receive_some(max_bytes)
        return await self._receive(self.stream, max_bytes)

    async def send_eof(self) -> None:
        """End the sending direction, or the whole stream if it has no half close."""
        if isinstance(self.stream, trio.abc.HalfCloseableStream):
            await self.stream.send_eof()
        else:
            await self.stream.aclose()

    async def aclose(self) -> None:
        """Close the stream."""
        await self.stream.aclose()


def trickling(stream: trio.abc.Stream, *, max_bytes: int = 1) -> FaultyStream:
    """Carry the bytes in small pieces, in both directions.

    Args:
        stream: carries the bytes.
        max_bytes: how many at once.
    """

    async def send(inner: trio.abc.Stream, data: bytes) -> None:
        for start in range(0, len(data), max_bytes):
            await inner.send_all(data[start : start + max_bytes])

    async def receive(inner: trio.abc.Stream, wanted: int | None) -> bytes | bytearray:
        return await inner.receive_some(min(max_bytes, wanted or max_bytes))

    return FaultyStream(stream, send=send, receive=receive)


def stalling(stream: trio.abc.Stream, *, after: int = 0) -> FaultyStream:
    """Send ``after`` bytes, and then wait for ever."""
    return FaultyStream(stream, send=_send_until(after, trio.sleep_forever))


def breaking(stream: trio.abc.Stream, *, after: int = 0) -> FaultyStream:
    """Send ``after`` bytes, and then break, for both sides."""

    async def break_down() -> None:
        await trio.aclose_forcefully(stream)
        raise trio.BrokenResourceError("broken on purpose")

    return FaultyStream(stream, send=_send_until(after, break_down))


def misframing(stream: trio.abc.Stream, *, by: int = 1) -> FaultyStream:
    """Send the first frame with a wrong length.

    Args:
        stream: carries the bytes.
        by: the number that is added to the length.
    """
    head = b""
    done = False

    async def send(inner: trio.abc.Stream, data: bytes) -> None:
        nonlocal head, done
        if done:
            await inner.send_all(data)
            return
        head += data
        if len(head) >= 4:
            done = True
            (length,) = struct.unpack_from("=I", head)
            await inner.send_all(struct.pack("=I", max(0, length + by)) + head[4:])

    return FaultyStream(stream, send=send)


def half_closing(stream: trio.abc.HalfCloseableStream, *, after: int = 0) -> FaultyStream:
    """Send ``after`` bytes, and then end this direction; the other one goes on."""
    ended = False

    async def end() -> None:
        nonlocal ended
        if not ended:
            ended = True
            await stream.send_eof()

    return FaultyStream(stream, send=_send_until(after, end))


def _send_until(
    after: int, fail: Callable[[], Awaitable[object]]
) -> Callable[[trio.abc.Stream, bytes], Awaitable[None]]:
    """Return a function that sends so many bytes; each call that has more of them fails in this way."""
    left = after

    async def send(inner: trio.abc.Stream, data: bytes) -> None:
        nonlocal left
        part, left = data[:left], max(0, left - len(data))
        if part:
            await inner.send_all(part)
        else:
            await trio.lowlevel.checkpoint()
        if len(part) < len(data):
            await fail()

    return send
