"""Speak the Chrome DevTools Protocol over a pipe: JSON objects, each ended by a zero byte.

A command is ``{id, method, params}``; its answer has the same ``id`` and a ``result`` or an ``error``. Everything
without an ``id`` is an event, and skipped.

Source: Chromium, ``content/browser/devtools/devtools_pipe_handler.cc``, and the protocol's reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from typing import Any, final

import msgspec
import trio

from .errors import BrowserCommandError, BrowserGoneError


@final
class CdpFrames:
    """Frames of CDP's pipe out of bytes, without any input or output of its own."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive_data(self, data: bytes) -> list[Any]:
        """Take what arrived and return the values that are complete.

        Raises:
            ValueError: a frame is not JSON.
        """
        *complete, rest = (self._buffer + data).split(b"\0")
        self._buffer = rest
        return [msgspec.json.decode(each) for each in complete]


def encode_frame(value: Any) -> bytes:
    """Return the value as one frame."""
    return msgspec.json.encode(value) + b"\0"


@final
class Cdp:
    """A client of one Chromium: one command at a time, which is all that starting and stopping needs."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._frames = CdpFrames()
        self._values: list[Any] = []
        self._numbers = count(1)
        self._one_at_a_time = trio.Lock()

    async def command(self, method: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Send a command and return its result. Cancelled, the answer is skipped later.

        Raises:
            BrowserCommandError: Chromium refused it.
            BrowserGoneError: Chromium has gone.
        """
        async with self._one_at_a_time:
            number = next(self._numbers)
            try:
                await self._stream.send_all(encode_frame({"id": number, "method": method, "params": parameters or {}}))
            except trio.BrokenResourceError as error:
                raise BrowserGoneError("Chromium closed the pipe") from error
            while True:
                answer = await self._receive()
                if answer.get("id") == number:
                    break
        if "error" in answer:
            raise BrowserCommandError(method, str(answer["error"].get("message")))
        return answer["result"]

    async def wait_gone(self) -> None:
        """Wait until Chromium closes the connection."""
        async with self._one_at_a_time:
            with suppress(BrowserGoneError):
                while True:
                    await self._receive()

    async def _receive(self) -> Any:
        while not self._values:
            data = await self._stream.receive_some()
            if not data:
                raise BrowserGoneError("Chromium closed the pipe")
            self._values += self._frames.receive_data(bytes(data))
        return self._values.pop(0)
