"""A pairing: the numbering of what passes between this node and one other, by which a loss is noticed.

Each side has an *epoch*, a random number, and names both its own and the other's in every packet. Once each has seen
itself named, the two have met: from then on packets with items are counted. Whoever misses one, or is named by an
epoch that is over, takes another epoch and has to meet the other again; and so does the other when it sees that. So
whatever was open between two epochs that had met is over for both, and each is told once.

Nothing but empty packets is sent before the two have met. A lost one of these is made good by the next.
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
    """The peer has to be sent a packet, if only an empty one, to know what is known here."""


def _draw_epoch() -> int:
    return secrets.randbits(63) + 1


@final
class Pairing:
    """Numbers what is sent to a peer, and checks the numbers of what comes from it. It does no I/O."""

    __slots__ = ("_draw", "_epoch", "_number", "_peer_epoch", "_received", "has_met")

    def __init__(self, draw_epoch: Callable[[], int] = _draw_epoch) -> None:
        self._draw = draw_epoch
        self._epoch = draw_epoch()
        self._peer_epoch = 0
        self._number = 0
        self._received = 0
        self.has_met: bool = False
        """The peer knows this side, and this side the peer: items may be sent."""

    def pack(self, items: Sequence[Item]) -> bytes:
        """Return the bytes of the next packet to the peer; without items, as long as the two have not met."""
        assert self.has_met or not items, "they have not met"
        packet = Packet(self._epoch, self._peer_epoch, self._number, tuple(items))
        self._number += bool(items)
        return encode_packet(packet)

    def receive_data(self, data: bytes) -> Reception:
        """Take a packet that has come from the peer, and say what follows."""
        packet = decode_packet(data)
        if packet is None:
            return self._part(0)
        if packet.peer_epoch == 0:
            return self._hear_of(packet.epoch)
        if packet.peer_epoch != self._epoch:
            return self._part(0)
        if packet.epoch != self._peer_epoch:
            return self._part(0) if self.has_met else self._meet(packet)
        self.has_met = True
        return self._count(packet)

    def _hear_of(self, epoch: int) -> Reception:
        """The peer does not know this side yet, or has forgotten it."""
        if epoch == self._peer_epoch:
            return Reception(tells=True)
        return self._part(epoch)

    def _meet(self, packet: Packet) -> Reception:
        self._peer_epoch = packet.epoch
        self.has_met = True
        return attrs.evolve(self._count(packet), tells=True)

    def _count(self, packet: Packet) -> Reception:
        if packet.number > self._received:
            return self._part(0)
        if packet.number < self._received or not packet.items:
            return Reception()
        self._received += 1
        return Reception(items=packet.items)

    def _part(self, peer_epoch: int) -> Reception:
        """Begin again, and tell the peer."""
        had_met, self.has_met = self.has_met, False
        if had_met:
            self._epoch = self._draw()
        self._peer_epoch = peer_epoch
        self._number = self._received = 0
        return Reception(is_void=had_met, tells=True)
