"""A peer: another node, as this one sees it; what is open with it, and what is on its way to it. It never waits."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias, final

import trio

from .._browser.calls import Call
from .packets import Data, Item, Open, decode_call, encode_call
from .pairings import Pairing
from .streams import BusStream

Accept: TypeAlias = Callable[[Call, BusStream], None]

_PACKET_BYTES: Final = 64 * 1024


@final
class Peer:
    """Another node of the bus.

    Args:
        name: of the node.
        accept: takes the streams that it opens.
    """

    __slots__ = (
        "_accept",
        "_has_said",
        "_items",
        "_numbers",
        "_owes_packet",
        "_pairing",
        "_streams",
        "gone",
        "name",
        "woken",
    )

    def __init__(self, name: str, accept: Accept) -> None:
        self.name: str = name
        self._accept = accept
        self._pairing = Pairing()
        self._items: deque[Item] = deque()
        self._streams: dict[int, BusStream] = {}
        self._numbers = itertools.count(1)
        self._owes_packet = True  # By which the two meet.
        self._has_said = False
        self.gone: trio.CancelScope = trio.CancelScope()
        """Cancelled when the node is gone: what is sent to it then has no purpose."""
        self.woken: trio.Event = trio.Event()
        """There is something to send; replaced by whoever has sent it."""

    @property
    def is_busy(self) -> bool:
        """Something is open with it."""
        return bool(self._streams)

    @property
    def has_packet(self) -> bool:
        """Something can be sent to it."""
        return self._owes_packet or (bool(self._items) and self._pairing.has_met)

    @property
    def is_idle(self) -> bool:
        """All that was said to it is sent."""
        return not self._items and not self.woken.is_set()

    def open_stream(self, call: Call) -> BusStream:
        """Open a stream for a call; never waits."""
        stream = BusStream(next(self._numbers), self._post)
        self._streams[stream.number] = stream
        self._post(Open(stream.number, encode_call(call)))
        return stream

    def next_packet(self) -> bytes:
        """Take out what is to be sent next; an empty packet, if nothing is."""
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
        """Say where the count stands, while something is open and once after the last that was said; or who this is."""
        if self._streams or self._has_said or not self._pairing.has_met:
            self._has_said = False
            self._owe_packet()

    def _owe_packet(self) -> None:
        self._owes_packet = True
        self.woken.set()

    def receive_data(self, data: bytes) -> None:
        """Take a packet that has come from it."""
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
        """Break everything that is open with it."""
        streams, self._streams = self._streams, {}
        self._items.clear()
        for stream in streams.values():
            stream.fail()

    def _receive(self, item: Item) -> None:
        number = -item.stream  # What is negative there was opened here.
        stream = self._streams.get(number)
        if isinstance(item, Open):
            if stream is None and number < 0:
                self._open(item, number)
        elif stream is not None and not stream.receive(item):
            stream.refuse()
        self._forget(number)

    def _open(self, item: Open, number: int) -> None:
        call = decode_call(item.call)
        if call is not None:  # Otherwise it is the peer's mistake, and its stream stays unanswered.
            stream = self._streams[number] = BusStream(number, self._post)
            self._accept(call, stream)

    def _post(self, item: Item) -> None:
        self._items.append(item)
        self.woken.set()

    def _forget(self, number: int) -> None:
        stream = self._streams.get(number)
        if stream is not None and stream.is_over:
            del self._streams[number]
