"""The handshake: the first frame that a relay sends to a running application, with what it knows of the browser."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

import trio

from ..._protocol.frames import LENGTH, LENGTH_BYTES, encode_frames

HANDSHAKE_SECONDS: Final = 5.0
"""How long a relay may take to send it. A relay does so as soon as it is connected."""

_WORDS: Final = [b"trio_ports relay", b"1"]
"""How it begins: what this is, and the version of everything that follows."""
_MAX_BYTES: Final = 64 * 1024


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
