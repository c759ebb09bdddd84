"""Ports that share no code with the package: written from the rules alone, for Trio, and slow. Each can have one race.

They have no ``async with``, and log what a listener raises.
"""

from __future__ import annotations

import inspect
import json
import math
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

import attrs
import outcome
import trio

from trio_ports import MessageSender, MessageTooLargeError

Race = Literal["", "send", "receive", "pump", "task"]
"""A cancelled send that is delivered, a cancelled receive that loses its message, a pump that delivers after its own
disconnect, and a send that goes on in another task."""


class HandmadeEvent:
    """Calls listeners in order, each once."""

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


@attrs.define(eq=False)
class Waiting:
    """A send that waits for room; without a text, a listener that waits until what it posted fits."""

    text: str | None
    task: trio.lowlevel.Task

    def go_on(self, error: Exception | None = None) -> None:
        trio.lowlevel.reschedule(self.task, outcome.Value(None) if error is None else outcome.Error(error))


class HandmadePort:
    """One end."""

    def __init__(self, nursery: trio.Nursery, sender: Any, bound: float, largest: float, race: Race) -> None:
        self.name = "p"
        self.sender = sender
        self.error = None
        self.on_message = HandmadeEvent(self._before_message_listener)
        self.on_disconnect = HandmadeEvent(self._before_disconnect_listener)
        self.peer: HandmadePort
        self._nursery = nursery
        self._bound = bound
        self._largest = largest
        self._race = race
        self._state = "open"
        self._inbox: deque[str] = deque()
        self._waiting: deque[Waiting] = deque()  # Sends of the peer that wait for room here.
        self._reader: trio.lowlevel.Task | None = None
        self._reading = self._has_read = self._exceeded = False
        self._untold: list[Any] = []
        self._informed: list[Any] = []
        self._pump_task: trio.lowlevel.Task | None = None
        self._over = trio.Event()
        self._work = trio.Event()
        nursery.start_soon(self._pump)

    # Sending

    def _encode(self, message: Any) -> str:
        text = json.dumps(_plain(message), ensure_ascii=False, separators=(",", ":"))
        size = len(text.encode("utf-8", "backslashreplace"))
        if size > self._largest:
            raise MessageTooLargeError(size=size, limit=self._largest)
        return text

    def _require_open(self, *states: str) -> None:
        if self._state == "closed":
            raise trio.ClosedResourceError
        if self._state not in states:
            raise trio.BrokenResourceError

    def post_message(self, message: Any) -> None:
        text = self._encode(message)
        self._require_open("open", "ending")
        if self._state == "ending":
            return
        if len(self.peer._inbox) >= self._bound:
            if trio.lowlevel.current_task() is not self._pump_task:
                raise trio.WouldBlock
            self._exceeded = True
            for entry in [entry for entry in self.peer._waiting if entry.text is not None]:
                self.peer._waiting.remove(entry)
                self.peer._put(entry.text or "")
                entry.go_on()
        self.peer._put(text)

    async def send(self, message: Any) -> None:
        text = self._encode(message)
        self._require_open("open")
        has_room = len(self.peer._inbox) < self._bound and not self.peer._waiting
        if self._race == "task" and has_room:
            self._nursery.start_soon(self._send, text)
        elif self._race == "send" and has_room:
            self.peer._put(text)
        else:
            await trio.lowlevel.checkpoint_if_cancelled()
            await self._send(text)
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        await trio.lowlevel.checkpoint()

    async def _send(self, text: str) -> None:
        if len(self.peer._inbox) < self._bound and not self.peer._waiting:
            if self._state == "open":
                self.peer._put(text)
            return
        await self.peer._wait_for_room(text)

    async def _wait_for_room(self, text: str | None) -> None:
        """Wait in the queue of the peer's sends. What a cancelled one would send is gone in that very moment."""
        entry = Waiting(text, trio.lowlevel.current_task())
        self._waiting.append(entry)

        def abort(_: Any) -> trio.lowlevel.Abort:
            self._waiting.remove(entry)
            self._admit()
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def _put(self, text: str) -> None:
        if self._reader is not None:
            task, self._reader = self._reader, None
            trio.lowlevel.reschedule(task, outcome.Value(text))
        else:
            self._inbox.append(text)
            self._work.set()

    def _admit(self) -> None:
        while self._waiting and len(self._inbox) + (self._waiting[0].text is not None) <= self._bound:
            entry = self._waiting.popleft()
            if entry.text is not None:
                self._put(entry.text)
            entry.go_on()

    def _refuse(self, error: type[Exception]) -> None:
        while self._waiting:
            self._waiting.popleft().go_on(error())

    # Receiving

    async def receive(self) -> Any:
        if self._reading or self.on_message.listeners:
            raise trio.BusyResourceError
        self._has_read = self._reading = True
        try:
            if self._race == "receive":
                text = await self._next()
                await trio.lowlevel.checkpoint()
            else:
                await trio.lowlevel.checkpoint_if_cancelled()
                text = await self._next()
        finally:
            self._reading = False
            self._work.set()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return json.loads(text)

    __anext__ = receive

    async def _next(self) -> str:
        if self._inbox and self._state != "closed":
            text = self._inbox.popleft()
            self._admit()
            self._work.set()
            return text
        if self._state == "open":
            self._reader = trio.lowlevel.current_task()

            def abort(_: Any) -> trio.lowlevel.Abort:
                self._reader = None
                return trio.lowlevel.Abort.SUCCEEDED

            text = await trio.lowlevel.wait_task_rescheduled(abort)
            if text is not None:
                self._work.set()
                return str(text)
        if self._state == "closed":
            raise trio.ClosedResourceError
        self._deliver_end()
        raise trio.EndOfChannel

    def _before_message_listener(self, _: Any) -> None:
        if self._reading:
            raise trio.BusyResourceError
        self._work.set()

    def _before_disconnect_listener(self, listener: Any) -> None:
        if self._state == "ended" and listener not in self._informed:
            self._informed.append(listener)
            self._untold.append(listener)
            self._work.set()

    # The pump

    async def _pump(self) -> None:
        self._pump_task = trio.lowlevel.current_task()
        try:
            while True:
                await self._work.wait()
                self._work = trio.Event()
                await self._deliver()
        finally:
            self.disconnect()
            with suppress(trio.Cancelled):
                await self._deliver()

    async def _deliver(self) -> None:
        while self._inbox and self.on_message.listeners and self._state != "closed":
            message = json.loads(self._inbox.popleft())
            self._admit()
            if self._race == "pump":
                await trio.lowlevel.checkpoint()
            await self._call_all(self.on_message, message, self)
            if self._exceeded:
                self._exceeded = False
                if len(self.peer._inbox) > self._bound and self._state == "open":
                    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                        await self.peer._wait_for_room(None)
        waits = self._inbox and (self._has_read or self.on_message.listeners)
        if self._state == "ending" and not waits and not self._reading:
            self._deliver_end()
        while self._untold:
            listener = self._untold.pop(0)
            if listener in self.on_disconnect.listeners:
                await self._call(listener, self)

    async def _call_all(self, event: HandmadeEvent, *args: Any) -> None:
        for listener in event.listeners:
            if listener in event.listeners:
                await self._call(listener, *args)

    async def _call(self, listener: Any, *args: Any) -> None:
        with suppress(Exception):
            result = listener(*args)
            if inspect.isawaitable(result):
                await result

    # The end

    def disconnect(self) -> None:
        if self._state not in ("open", "ending"):
            return
        was_open = self._state == "open"
        self._state = "closed"
        self._over.set()
        self._inbox.clear()
        self._wake_reader()
        self._refuse(trio.BrokenResourceError)
        self.peer._refuse(trio.ClosedResourceError)
        if was_open:
            self.peer._state = "ending"
            self.peer._wake_reader()
            self.peer._work.set()

    def _wake_reader(self) -> None:
        if self._reader is not None:
            task, self._reader = self._reader, None
            trio.lowlevel.reschedule(task)

    def _deliver_end(self) -> None:
        if self._state == "ending":
            self._state = "ended"
            self._untold = [*self.on_disconnect.listeners]
            self._informed = [*self._untold]
            self._over.set()
            self._work.set()

    async def wait_disconnected(self) -> None:
        await self._over.wait()


def _plain(value: Any) -> Any:
    """Replace what JSON lacks."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list) and not any(item is value for item in value):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value


@asynccontextmanager
async def open_handmade(
    race: Race = "", *, max_buffer_size: float = 1024, max_message_bytes: float = 64 * 2**20
) -> AsyncGenerator[tuple[HandmadePort, HandmadePort]]:
    """Open a connection."""
    async with trio.open_nursery() as nursery:
        opener, receiver = (
            HandmadePort(nursery, sender, max_buffer_size, max_message_bytes, race)
            for sender in (None, MessageSender(id="me"))
        )
        opener.peer, receiver.peer = receiver, opener
        yield opener, receiver
        nursery.cancel_scope.cancel()
