"""The goodbye, by which either side of a relay shows that it leaves in good order.

When a program is killed, its sockets are closed just as if it had left in good order.
So a side that leaves in good order ends its bytes with a goodbye: the length of a frame
that never follows, the largest length there is. The frames that pass are neither
changed nor decoded; only their lengths are read, to know where a frame ends.
"""

from __future__ import annotations

from typing import Final, final

import trio

from ..._protocol.frames import LENGTH, LENGTH_BYTES

_LENGTH: Final = 2**32 - 1
GOODBYE: Final = LENGTH.pack(_LENGTH)


@final
class FrameBoundary:
    """Follows frames that pass in pieces, and knows whether the bytes so far end between two frames."""

    __slots__ = ("_held", "_missing")

    def __init__(self) -> None:
        self._held = b""
        self._missing = 0

    @property
    def is_between(self) -> bool:
        """Every frame so far is complete."""
        return not self._missing and not self._held

    @property
    def has_goodbye(self) -> bool:
        """The last bytes, after a complete frame, are a goodbye."""
        return self._held == GOODBYE

    def receive_data(self, data: bytes) -> bytes:
        """Take a piece and return what may be passed on.

        Bytes at its end that are a goodbye, or the beginning of a length field, are
        held back until more is known.
        """
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
        """Take the end of the bytes, and return what was held back, unless it is a goodbye."""
        if self.has_goodbye or not self._held:
            return b""
        rest, self._held = self._held, b""
        self._missing = LENGTH_BYTES - len(rest)
        return rest


@final
class GoodbyeStream:
    """Frames over a stream that end with a goodbye, in each direction. The stream stays the caller's to close."""

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self._stream = stream
        self._incoming = FrameBoundary()
        self._outgoing = FrameBoundary()
        self._may_say_goodbye = True

    @property
    def received_goodbye(self) -> bool:
        """The other side has left in good order."""
        return self._incoming.has_goodbye

    async def send_all(self, data: bytes) -> None:
        """Write ``data``. A checkpoint; after a cancelled call no goodbye can be said any more."""
        self._may_say_goodbye = False
        await self._stream.send_all(data)
        self._outgoing.receive_data(data)
        self._may_say_goodbye = True

    async def say_goodbye(self) -> None:
        """Show that this side leaves in good order, unless a frame is incomplete. Not always a checkpoint.

        Raises:
            trio.BrokenResourceError: the other side has gone.
        """
        if self._may_say_goodbye and self._outgoing.is_between:
            self._may_say_goodbye = False
            await self._stream.send_all(GOODBYE)

    async def receive_some(self) -> bytes:
        """Return what came; ``b""`` after a goodbye, or if the bytes ended inside a frame. A checkpoint.

        Raises:
            trio.BrokenResourceError: the other side has gone without a goodbye.
        """
        while data := await self._stream.receive_some():
            if passed := self._incoming.receive_data(bytes(data)):
                return passed
        if rest := self._incoming.receive_end():
            return rest
        if self._incoming.is_between:
            raise trio.BrokenResourceError("the other side has gone without a goodbye")
        return b""
