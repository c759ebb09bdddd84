"""Hellos: the first frame that a relay sends to a running application, and what it tells of the browser."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

import trio

from .._protocol.frames import LENGTH, LENGTH_BYTES, encode_frames

HELLO_SECONDS: Final = 5.0
"""How long a relay may take to say hello. It does so as soon as it is connected."""

_WORDS: Final = [b"trio_ports relay", b"1"]
"""What it begins with: what this is, and the version of everything that follows."""
_MOST_BYTES: Final = 64 * 1024


def encode_hello(arguments: Sequence[str]) -> bytes:
    """Return the frame of a hello.

    Args:
        arguments: what the browser gave the relay; as all arguments they have no NUL, which therefore separates them.
    """
    return encode_frames([b"\0".join([*_WORDS, *map(os.fsencode, arguments)])])


def read_hello(body: bytes) -> list[str] | None:
    """Return what the browser gave the relay; None if this is no hello."""
    words = body.split(b"\0")
    if words[: len(_WORDS)] != _WORDS:
        return None
    return [os.fsdecode(word) for word in words[len(_WORDS) :]]


async def receive_hello(stream: trio.abc.ReceiveStream) -> list[str] | None:
    """Wait for a hello and return what it tells; None if something else comes, or nothing. A checkpoint.

    What comes behind the hello is left in the stream. After a cancelled call the stream is of no use any more.
    """
    with trio.move_on_after(HELLO_SECONDS):
        try:
            (length,) = LENGTH.unpack(await _receive_exactly(stream, LENGTH_BYTES))
            if length <= _MOST_BYTES:
                return read_hello(await _receive_exactly(stream, length))
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
