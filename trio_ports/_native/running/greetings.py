"""The handshake and the goodbye, which a relay and a running application add to the browser's frames.

The handshake is the first frame that a relay sends, with what it knows of the browser.

The goodbye shows that a side leaves in good order. When a program is killed, its sockets
are closed just as if it had left in good order. So a side that leaves in good order ends
its bytes with a goodbye: the length of a frame that never follows, the largest length
there is. The frames that pass are neither changed nor decoded; only their lengths are
read, to know where a frame ends.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, final

import attrs
import trio

from ..._protocol.frames import LENGTH, LENGTH_BYTES, encode_frames

HANDSHAKE_SECONDS: Final = 5.0
"""How long a relay may take to send its handshake. It does so as soon as it is connected."""

_WORDS: Final = [b"trio_ports relay", b"1"]
"""How a handshake begins: what this is, and the version of everything that follows."""
_MAX_BYTES: Final = 64 * 1024

_GOODBYE_LENGTH: Final = 2**32 - 1
GOODBYE: Final = LENGTH.pack(_GOODBYE_LENGTH)


def encode_handshake(arguments: Sequence[str]) -> bytes:
    """Return the frame of a handshake, with the browser's arguments. None can contain NUL, so NUL separates them."""
    return encode_frames([b"\0".join([*_WORDS, *map(os.fsencode, arguments)])])


def read_handshake(body: bytes) -> list[str] | None:
    """Return the arguments that the browser gave the relay; None if this is not a handshake."""
    words = body.split(b"\0")
    if words[: len(_WORDS)] != _WORDS:
        return None
    return [os.fsdecode(word) for word in words[len(_WORDS) :]]


async def receive_handshake(stream: trio.abc.ReceiveStream) -> list[str] | None:
    """Wait for a handshake and return its arguments; None if anything else comes, or nothing in time. A checkpoint.

    What follows the handshake stays in the stream. After a cancelled call the stream
    cannot be used any more.
    """
    with trio.move_on_after(HANDSHAKE_SECONDS):
        try:
            (length,) = LENGTH.unpack(await _receive_exactly(stream, LENGTH_BYTES))
            if length <= _MAX_BYTES:
                return read_handshake(await _receive_exactly(stream, length))
        except (trio.BrokenResourceError, EOFError):
            pass
    return None


async def _receive_exactly(stream: trio.abc.ReceiveStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = await stream.receive_some(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


@final
@attrs.define(eq=False)
class FrameBoundary:
    """Follows frames that pass in pieces, and knows whether the bytes so far end between two frames."""

    _held: bytes = b""
    _missing: int = 0

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
            if length == _GOODBYE_LENGTH and size - start == LENGTH_BYTES:
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
