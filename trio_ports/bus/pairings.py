"""A pairing: the numbering of what passes between this node and one other, by which a loss is noticed.

Each side counts its packets within an *epoch*. Whoever misses one declares the other's epoch void, says so in every
packet from then on, and begins an epoch of its own; whoever learns that its epoch is void, or that the other has begun
another one, does the same. In the end each side knows the other's new epoch from its first packet on, whatever was
lost on the way there; and each has been told once that everything from before is over.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import final

import attrs

from .packets import Item, Packet, decode_packet, encode_packet


@final
@attrs.frozen
class Reception:
    """What follows from a packet that has arrived."""

    is_void: bool = False
    """What was open between the two is over. This comes first."""
    items: Sequence[Item] = ()
    """What the packet says."""
    tells: bool = False
    """The peer does not know yet that its epoch is void: it has to be sent a packet, if only an empty one."""


def _draw_epoch() -> int:
    return secrets.randbits(63) + 1


@final
class Pairing:
    """Numbers what is sent to a peer, and checks the numbers of what comes from it. It does no I/O."""

    __slots__ = ("_draw", "_epoch", "_expected", "_number", "_peer_epoch", "_void")

    def __init__(self, draw_epoch: Callable[[], int] = _draw_epoch) -> None:
        self._draw = draw_epoch
        self._epoch = draw_epoch()
        self._number = 0
        self._peer_epoch = 0
        self._expected = 0
        self._void = 0

    def pack(self, items: Sequence[Item]) -> bytes:
        """Return the bytes of the next packet to the peer."""
        packet = Packet(self._epoch, self._number, self._void, tuple(items))
        self._number += 1
        return encode_packet(packet)

    def receive_data(self, data: bytes) -> Reception:
        """Take a packet that has come from the peer, and say what follows."""
        packet = decode_packet(data)
        if packet is None:
            return self._lose(self._peer_epoch)
        if packet.epoch == self._void:
            return Reception(tells=True)
        is_void = packet.void == self._epoch
        if packet.epoch != self._peer_epoch:
            is_void = is_void or self._peer_epoch != 0
            if packet.number:
                return self._lose(packet.epoch)
            if is_void:
                self._begin(void=self._peer_epoch or self._void)
            self._peer_epoch, self._expected = packet.epoch, 0
        elif is_void or packet.number > self._expected:
            return self._lose(packet.epoch)
        if packet.number < self._expected:
            return Reception(is_void)
        self._expected += 1
        return Reception(is_void, packet.items)

    def _lose(self, epoch: int) -> Reception:
        self._begin(void=epoch)
        self._peer_epoch = 0
        return Reception(is_void=True, tells=True)

    def _begin(self, *, void: int) -> None:
        self._void = void
        self._epoch, self._number = self._draw(), 0
