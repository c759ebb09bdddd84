"""The kit's own end of a wire: a port that speaks bytes, so that the other end is not compared with its like.

It shares no code with the package. It has no bound and no ``async with``, and it logs nothing.
"""

from __future__ import annotations

import inspect
import json
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, final

import trio

from ..model.dialects import is_list, is_object

HEAD: Final = struct.Struct("=I")


class WireSender:
    """Stands for the sender of an end that was opened by bytes."""


@final
class WireEvent:
    """The listeners of an end. It calls ``before`` for each new one."""

    def __init__(self, before: Callable[[Any], None]) -> None:
        self.listeners: list[Any] = []
        self._before = before

    def add_listener(self, listener: Any) -> None:
        if listener not in self.listeners:
            self._before(listener)
            self.listeners = [*self.listeners, listener]

    def remove_listener(self, listener: Any) -> None:
        self.listeners = [other for other in self.listeners if other != listener]

    def has_listener(self, listener: Any) -> bool:
        return listener in self.listeners


@final
class WireEnd:
    """An end that writes to a stream and reads from it.

    Args:
        nursery: runs its tasks.
        stream: leads to the end under test.
        name: that of the connection.
        is_opener: it is the opener's end.
        largest: the largest message, in bytes.
    """

    def __init__(
        self, nursery: trio.Nursery, stream: trio.abc.Stream, *, name: str, is_opener: bool, largest: float
    ) -> None:
        self.name = name
        self.sender = None if is_opener else WireSender()
        self.error: object = None
        self._violation = ""
        self._buffer = bytearray()
        self.on_message = WireEvent(self._before_message_listener)
        self.on_disconnect = WireEvent(self._before_disconnect_listener)
        self._stream = stream
        self._largest = largest
        self._state = "open"
        self._peer_left = False
        self._inbox: deque[Any] = deque()
        self._outbox: deque[bytes] = deque()
        self._is_heard = self._is_reading = self._is_busy = False
        self._informed: list[Any] = []
        self._untold: list[Any] = []
        self._over = trio.Event()
        self._to_write, self._to_deliver, self._to_read = (trio.Event() for _ in range(3))
        for task in (self._write, self._read, self._deliver):
            nursery.start_soon(task)

    # Sending ------------------------------------------------------------------------------------------------------

    def post_message(self, message: Any) -> None:
        body = self._encode(message)
        self._require_open("open", "ending")
        if self._state == "open" and not self._peer_left:
            self._put(HEAD.pack(len(body)) + body)

    async def send(self, message: Any) -> None:
        body = self._encode(message)
        self._require_open("open")
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self._peer_left:
            self._put(HEAD.pack(len(body)) + body)
        await trio.lowlevel.cancel_shielded_checkpoint()

    def break_off(self, data: bytes) -> None:
        """Write something that is not a frame, and leave."""
        self._put(data)
        self.disconnect()

    def _encode(self, message: Any) -> bytes:
        body = json.dumps(_without_constants(message), ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "backslashreplace"
        )
        if len(body) > self._largest:
            raise OversizeError
        return body

    def _require_open(self, *states: str) -> None:
        if self._state == "closed":
            raise trio.ClosedResourceError
        if self._state not in states:
            raise trio.BrokenResourceError

    def _put(self, data: bytes) -> None:
        self._outbox.append(data)
        self._to_write.set()

    async def _write(self) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while not self._peer_left and (self._state != "closed" or self._outbox):
                await self._to_write.wait()
                self._to_write = trio.Event()
                while self._outbox:
                    await self._stream.send_all(self._outbox.popleft())
        await self._stream.aclose()

    # Receiving ----------------------------------------------------------------------------------------------------

    @property
    def violation(self) -> str:
        """What the other end has written that is not a frame. Ask for it when everything is at rest."""
        if self._buffer and not self._violation and self._state != "closed":
            return f"a frame that is not complete: {bytes(self._buffer[:40])!r}"
        return self._violation

    async def _read(self) -> None:
        buffer = self._buffer
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await self._stream.receive_some():
                buffer += data
                while len(buffer) >= HEAD.size and len(buffer) >= HEAD.size + HEAD.unpack_from(buffer)[0]:
                    end = HEAD.size + HEAD.unpack_from(buffer)[0]
                    self._take_in(bytes(buffer[HEAD.size : end]))
                    del buffer[:end]
        self._peer_left = True
        self._to_write.set()
        self._settle()
        self._to_deliver.set()

    def _take_in(self, body: bytes) -> None:
        try:
            message = json.loads(body.decode(), parse_constant=_refuse)
        except (ValueError, RecursionError):
            self._violation = f"a frame that is not JSON: {body[:40]!r}"
            return
        if self._state == "open":
            self._inbox.append(message)
            self._to_deliver.set()
            self._to_read.set()

    def _settle(self) -> None:
        """Note that the other side has gone, once nobody waits for what it had sent."""
        if self._peer_left and self._state == "open" and not (self._inbox and self._is_heard):
            self._state = "ending"
            self._to_read.set()
        if not self._is_reading and not self._is_busy:
            self._deliver_end()

    async def receive(self) -> Any:
        if self._is_reading or self.on_message.listeners:
            raise trio.BusyResourceError
        self._is_heard = self._is_reading = True
        try:
            while True:
                await trio.lowlevel.checkpoint_if_cancelled()
                if self._state == "closed":
                    raise trio.ClosedResourceError
                if self._inbox:
                    message = self._inbox.popleft()
                    await trio.lowlevel.cancel_shielded_checkpoint()
                    return message
                if self._state != "open":
                    self._deliver_end()
                    raise trio.EndOfChannel
                self._to_read = trio.Event()
                await self._to_read.wait()
        finally:
            self._is_reading = False
            self._settle()
            self._to_deliver.set()

    __anext__ = receive

    def _before_message_listener(self, _: Any) -> None:
        if self._is_reading:
            raise trio.BusyResourceError
        self._is_heard = True
        self._to_deliver.set()

    def _before_disconnect_listener(self, listener: Any) -> None:
        if self._state == "ended" and listener not in self._informed:
            self._informed.append(listener)
            self._untold.append(listener)
            self._to_deliver.set()

    async def _deliver(self) -> None:
        while True:
            while self._inbox and self.on_message.listeners and self._state != "closed":
                self._is_busy = True
                await self._call_all(self.on_message, self._inbox.popleft(), self)
            self._is_busy = False
            self._settle()
            while self._untold:
                listener = self._untold.pop(0)
                if listener in self.on_disconnect.listeners:
                    await self._call(listener, self)
            await self._to_deliver.wait()
            self._to_deliver = trio.Event()

    async def _call_all(self, event: WireEvent, *args: Any) -> None:
        for listener in event.listeners:
            if listener in event.listeners:
                await self._call(listener, *args)

    async def _call(self, listener: Any, *args: Any) -> None:
        with suppress(Exception):
            result = listener(*args)
            if inspect.isawaitable(result):
                await result

    # Ending -------------------------------------------------------------------------------------------------------

    def disconnect(self) -> None:
        if self._state in ("open", "ending"):
            self._state = "closed"
            self._inbox.clear()
            self._over.set()
            self._to_read.set()
            self._to_write.set()

    def _deliver_end(self) -> None:
        if self._state == "ending":
            self._state = "ended"
            self._informed = [*self.on_disconnect.listeners]
            self._untold = [*self._informed]
            self._over.set()
            self._to_deliver.set()

    async def wait_disconnected(self) -> None:
        await self._over.wait()


@final
class OversizeError(Exception):
    """A message is larger than the connection carries."""


def _without_constants(value: Any) -> Any:
    """Replace NaN and the infinities by None."""
    if isinstance(value, float) and value - value != 0:
        return None
    if is_list(value):
        if any(item is value for item in value):
            raise ValueError("it contains itself")
        return [_without_constants(item) for item in value]
    return {key: _without_constants(item) for key, item in value.items()} if is_object(value) else value


def _refuse(constant: str) -> None:
    raise ValueError(constant)
