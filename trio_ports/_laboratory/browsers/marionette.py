"""Speak Marionette, Firefox's own remote protocol: JSON arrays framed as ``LENGTH:JSON`` on a loopback socket.

The first frame is a greeting. A command is ``[0, id, name, parameters]``, its answer ``[1, id, error, result]``.
Commands are answered one after the other, so the client sends one at a time.

Source: Firefox, ``remote/marionette/transport.sys.mjs`` and ``packets.sys.mjs``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from typing import Any, Final, final

import msgspec
import trio

from .errors import BrowserCommandError, BrowserGoneError

MAX_LENGTH_DIGITS: Final = 10


@final
class MarionetteFrames:
    """Frames of Marionette out of bytes, without any input or output of its own."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive_data(self, data: bytes) -> list[Any]:
        """Take what arrived and return the values that are complete.

        Raises:
            ValueError: the other side doesn't speak Marionette.
        """
        self._buffer += data
        values: list[Any] = []
        while True:
            head, colon, _ = self._buffer[: MAX_LENGTH_DIGITS + 1].partition(b":")
            if (head or colon) and not (head.isdigit() and len(head) <= MAX_LENGTH_DIGITS):
                raise ValueError(f"not a frame of Marionette: {bytes(head[:40])!r}")
            end = len(head) + 1 + int(head or 0)
            if not colon or len(self._buffer) < end:
                return values
            values.append(msgspec.json.decode(self._buffer[len(head) + 1 : end]))
            del self._buffer[:end]


def encode_frame(value: Any) -> bytes:
    """Return the value as one frame."""
    body = msgspec.json.encode(value)
    return b"%d:%b" % (len(body), body)


@final
class Marionette:
    """A client of one Firefox."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._frames = MarionetteFrames()
        self._values: list[Any] = []
        self._numbers = count(1)
        self._one_at_a_time = trio.Lock()

    async def start(self) -> Mapping[str, Any]:
        """Read the greeting, begin the session, and return what the browser says about itself."""
        await self._receive()
        session = await self.command("WebDriver:NewSession", {"capabilities": {}})
        capabilities: Mapping[str, Any] = session["capabilities"]
        return capabilities

    async def command(self, name: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Send a command and return its result. Cancelled, the answer is skipped later.

        Raises:
            BrowserCommandError: Firefox refused it.
            BrowserGoneError: Firefox has gone.
        """
        async with self._one_at_a_time:
            number = next(self._numbers)
            try:
                await self._stream.send_all(encode_frame([0, number, name, parameters or {}]))
            except trio.BrokenResourceError as error:
                raise BrowserGoneError("Firefox closed the connection") from error
            while True:
                _, answered, refusal, result = await self._receive()
                if answered == number:
                    break
        if refusal is not None:
            raise BrowserCommandError(name, f"{refusal.get('error')}: {refusal.get('message')}")
        return result

    async def wait_gone(self) -> None:
        """Wait until Firefox closes the connection."""
        async with self._one_at_a_time:
            with suppress(BrowserGoneError):
                while True:
                    await self._receive()

    async def _receive(self) -> Any:
        while not self._values:
            try:
                data = await self._stream.receive_some()
            except trio.BrokenResourceError:
                data = b""
            if not data:
                raise BrowserGoneError("Firefox closed the connection")
            self._values += self._frames.receive_data(bytes(data))
        return self._values.pop(0)
