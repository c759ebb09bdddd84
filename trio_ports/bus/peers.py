"""A peer: another node, the streams that are open with it, and the items to be sent to it. It never waits."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, final

import attrs
import trio

from .._browser.calls import Call
from .packets import Data, Item, Open, decode_call, encode_call
from .pairings import Pairing
from .streams import BusStream

_PACKET_BYTES: Final = 64 * 1024


@final
@attrs.define(eq=False)
class Peer:
    """Another node of the bus."""

    name: str
    _accept: Callable[[Call, BusStream], None]
    """Takes the streams that the node opens."""
    _pairing: Pairing = attrs.field(factory=Pairing, init=False)
    _items: deque[Item] = attrs.field(factory=deque[Item], init=False)
    _streams: dict[int, BusStream] = attrs.field(factory=dict[int, BusStream], init=False)
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), init=False)
    _owes_packet: bool = attrs.field(default=True, init=False)  # The first packet, with which the two meet.
    _has_said: bool = attrs.field(default=False, init=False)
    gone: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    """Cancelled when the node is gone, because sending to it then has no purpose."""
    woken: trio.Event = attrs.field(factory=trio.Event, init=False)
    """Set when there is something to send. The task that has sent it makes a new one."""

    @property
    def has_packet(self) -> bool:
        """Whether there is a packet to send to it."""
        return self._owes_packet or (bool(self._items) and self._pairing.has_met)

    @property
    def is_idle(self) -> bool:
        """Whether every item was sent to it."""
        return not self._items and not self.woken.is_set()

    def open_stream(self, call: Call) -> BusStream:
        """Open a stream for a call; never waits."""
        stream = BusStream(next(self._numbers), self._post)
        self._streams[stream.number] = stream
        self._post(Open(stream.number, encode_call(call)))
        return stream

    def next_packet(self) -> bytes:
        """Return the next packet to send; an empty one, if there are no items."""
        self._owes_packet = False
        items: list[Item] = []
        size = 0
        while self._items and size < _PACKET_BYTES and self._pairing.has_met:
            item = self._items.popleft()
            size += len(item.data) if isinstance(item, Data) else 64
            items.append(item)
            self._forget(item.stream)
        self._has_said = self._has_said or bool(items)
        return self._pairing.pack(items)

    def beat(self) -> None:
        """Send a heartbeat: while streams are open, once more after the last packet, and until the two have met."""
        if self._streams or self._has_said or not self._pairing.has_met:
            self._has_said = False
            self._owe_packet()

    def _owe_packet(self) -> None:
        self._owes_packet = True
        self.woken.set()

    def receive_data(self, data: bytes) -> None:
        """Take a packet that has arrived from it."""
        reception = self._pairing.receive_data(data)
        if reception.is_void:
            self.void()
        if reception.tells:
            self._owe_packet()
        if self.has_packet:
            self.woken.set()
        for item in reception.items:
            self._receive(item)

    def void(self) -> None:
        """Break every stream that is open with it."""
        streams, self._streams = self._streams, {}
        self._items.clear()
        for stream in streams.values():
            stream.fail()

    def _receive(self, item: Item) -> None:
        number = -item.stream  # A stream with a negative number there was opened here.
        stream = self._streams.get(number)
        if isinstance(item, Open):
            if stream is None and number < 0:
                self._open(item, number)
        elif stream is not None and not stream.receive(item):
            stream.refuse()
        self._forget(number)

    def _open(self, item: Open, number: int) -> None:
        call = decode_call(item.call)
        if call is not None:  # Otherwise the peer has made a mistake, and gets no answer.
            stream = self._streams[number] = BusStream(number, self._post)
            self._accept(call, stream)

    def _post(self, item: Item) -> None:
        self._items.append(item)
        self.woken.set()

    def _forget(self, number: int) -> None:
        stream = self._streams.get(number)
        if stream is not None and stream.is_over:
            del self._streams[number]
