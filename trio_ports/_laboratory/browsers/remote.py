"""Speak with a browser that runs: one client, and the two protocols that browsers speak.

A protocol turns commands into bytes and bytes into answers, and does no I/O. Every command has a number, and its answer
has the same one.

*Marionette* is Firefox's own: JSON arrays framed as ``LENGTH:JSON`` on a loopback socket. The first frame is a
greeting. A command is ``[0, number, name, parameters]``, its answer ``[1, number, error, result]``.

*CDP*, the Chrome DevTools Protocol, goes over a pipe: JSON objects, each ended by a zero byte. A command is
``{id, method, params}``; its answer has the same ``id`` and a ``result`` or an ``error``. Everything without an ``id``
is an event.

Source: Firefox, ``remote/marionette/transport.sys.mjs`` and ``packets.sys.mjs``; Chromium,
``content/browser/devtools/devtools_pipe_handler.cc``, and the protocol's reference.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, ClassVar, Final, final

import attrs
import msgspec
import trio

from .errors import BrowserCommandError, BrowserGoneError

MAX_LENGTH_DIGITS: Final = 10
QUIT_SECONDS: Final = 3.0


@final
@attrs.frozen
class Answer:
    """The answer to a command."""

    number: int
    refusal: str | None
    """The browser's own words, if it refused."""
    result: Any


@final
@attrs.define(eq=False)
class Marionette:
    """Firefox's protocol."""

    _buffer: bytearray = attrs.field(factory=bytearray, init=False)
    end: ClassVar[str] = "Firefox closed the connection"

    def encode_command(self, number: int, name: str, parameters: Mapping[str, Any]) -> bytes:
        """Return the bytes of a command."""
        body = msgspec.json.encode([0, number, name, parameters])
        return b"%d:%b" % (len(body), body)

    def receive_data(self, data: bytes) -> list[Answer]:
        """Take what arrived, and return the answers that are complete; the greeting is skipped.

        Raises:
            ValueError: the other side doesn't speak Marionette.
        """
        self._buffer += data
        answers: list[Answer] = []
        while True:
            head, colon, _ = self._buffer[: MAX_LENGTH_DIGITS + 1].partition(b":")
            if (head or colon) and not (head.isdigit() and len(head) <= MAX_LENGTH_DIGITS):
                raise ValueError(f"not a frame of Marionette: {bytes(head[:40])!r}")
            end = len(head) + 1 + int(head or 0)
            if not colon or len(self._buffer) < end:
                return answers
            value = msgspec.json.decode(self._buffer[len(head) + 1 : end])
            del self._buffer[:end]
            if not isinstance(value, dict):
                _, number, refusal, result = value
                words = refusal and f"{refusal.get('error')}: {refusal.get('message')}"
                answers.append(Answer(number, words, result))


@final
@attrs.define(eq=False)
class Cdp:
    """Chromium's protocol."""

    _buffer: bytes = attrs.field(default=b"", init=False)
    end: ClassVar[str] = "Chromium closed the pipe"

    def encode_command(self, number: int, name: str, parameters: Mapping[str, Any]) -> bytes:
        """Return the bytes of a command."""
        return msgspec.json.encode({"id": number, "method": name, "params": parameters}) + b"\0"

    def receive_data(self, data: bytes) -> list[Answer]:
        """Take what arrived, and return the answers that are complete; events are skipped.

        Raises:
            ValueError: a frame is not JSON.
        """
        *frames, self._buffer = (self._buffer + data).split(b"\0")
        values = map(msgspec.json.decode, frames)
        return [
            Answer(value["id"], str(value["error"].get("message")) if "error" in value else None, value.get("result"))
            for value in values
            if "id" in value
        ]


@final
@attrs.define(eq=False)
class Client:
    """A client of one browser: one command at a time, which is all that starting and stopping needs."""

    _stream: trio.abc.Stream
    _protocol: Marionette | Cdp
    _answers: deque[Answer] = attrs.field(factory=deque[Answer], init=False)
    _numbers: Iterator[int] = attrs.field(factory=lambda: count(1), init=False)
    _one_at_a_time: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    async def command(self, name: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Send a command and return its result. Cancelled, the answer is skipped later.

        Raises:
            BrowserCommandError: the browser refused it.
            BrowserGoneError: the browser has gone.
        """
        async with self._one_at_a_time:
            number = next(self._numbers)
            try:
                await self._stream.send_all(self._protocol.encode_command(number, name, parameters or {}))
            except trio.BrokenResourceError as error:
                raise BrowserGoneError(self._protocol.end) from error
            while (answer := await self._receive()).number != number:
                pass
        if answer.refusal is not None:
            raise BrowserCommandError(name, answer.refusal)
        return answer.result

    async def quit(self, name: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Send the command to quit, and wait a moment until the browser has gone; whatever happens, it is ended next.

        So its native applications meet their end of file.
        """
        with trio.move_on_after(QUIT_SECONDS, shield=True), suppress(BrowserGoneError):
            await self.command(name, parameters)
            while True:
                await self._receive()

    async def _receive(self) -> Answer:
        while not self._answers:
            data = b""
            with suppress(trio.BrokenResourceError):
                data = bytes(await self._stream.receive_some())
            if not data:
                raise BrowserGoneError(self._protocol.end)
            self._answers += self._protocol.receive_data(data)
        return self._answers.popleft()
