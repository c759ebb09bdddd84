"""Farewells: how either side of a relay tells that it left in good order from that it was lost.

A program that is killed closes its sockets as one that leaves does. So whoever leaves in good order says so at the end
of its bytes, by the length of a frame that never follows: the largest there is. What passes is not changed by that and
not decoded; only the lengths of the frames are looked at, to know where one ends.
"""

from __future__ import annotations

from typing import Final, final

import trio

from .._protocol.frames import LENGTH, LENGTH_BYTES

_LENGTH: Final = 2**32 - 1
FAREWELL: Final = LENGTH.pack(_LENGTH)


@final
class Boundary:
    """Follows frames that pass in pieces, and knows whether one of them is under way."""

    __slots__ = ("_held", "_missing")

    def __init__(self) -> None:
        self._held = b""
        self._missing = 0

    @property
    def is_between(self) -> bool:
        """No frame is under way."""
        return not self._missing and not self._held

    @property
    def has_farewell(self) -> bool:
        """The last that came, after a whole frame, was a farewell."""
        return self._held == FAREWELL

    def receive_data(self, data: bytes) -> bytes:
        """Take a piece and return what of it may be passed on: not yet what may be a farewell, or become one."""
        data = self._held + data if self._held else data
        start, size = self._missing, len(data)
        while size - start >= LENGTH_BYTES:
            (length,) = LENGTH.unpack_from(data, start)
            if length == _LENGTH and size - start == LENGTH_BYTES:
                break
            start += LENGTH_BYTES + length
        self._missing, self._held = max(start - size, 0), data[start:]
        return data[:start]

    def receive_end(self) -> bytes:
        """Take note that the bytes have ended, and return what was held back, but for a farewell."""
        if self.has_farewell or not self._held:
            return b""
        rest, self._held = self._held, b""
        self._missing = LENGTH_BYTES - len(rest)
        return rest


@final
class FarewellStream(trio.abc.HalfCloseableStream):
    """A stream of frames whose end says whether it was a farewell. It owns the stream that it is made of."""

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self._stream = stream
        self._incoming = Boundary()
        self._outgoing = Boundary()
        self._sayable = True

    @property
    def heard_farewell(self) -> bool:
        """The other side has left in good order."""
        return self._incoming.has_farewell

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write ``data``. A checkpoint; after a cancelled call there is no farewell any more."""
        self._sayable = False
        await self._stream.send_all(data)
        self._outgoing.receive_data(bytes(data))
        self._sayable = True

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there may be room. A checkpoint."""
        await self._stream.wait_send_all_might_not_block()

    async def say_farewell(self) -> None:
        """Say that this side leaves in good order, unless a frame is under way. Not always a checkpoint.

        Raises:
            trio.BrokenResourceError: the other side has gone.
        """
        if self._sayable and self._outgoing.is_between:
            self._sayable = False
            await self._stream.send_all(FAREWELL)

    async def send_eof(self) -> None:
        """Write nothing any more. A checkpoint."""
        await self._stream.send_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what came, ``b""`` after a farewell, or where the bytes ended inside a frame. A checkpoint.

        Raises:
            trio.BrokenResourceError: the other side has gone without a farewell.
        """
        while data := await self._stream.receive_some(max_bytes):
            if passed := self._incoming.receive_data(bytes(data)):
                return passed
        if rest := self._incoming.receive_end():
            return rest
        if self._incoming.is_between:
            raise trio.BrokenResourceError("the other side has gone without a farewell")
        return b""

    async def aclose(self) -> None:
        """Close the stream. A checkpoint."""
        await self._stream.aclose()
