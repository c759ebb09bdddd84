"""A pairing: numbers the packets between this node and one other, so that a loss is noticed.

Each side has an *epoch*, a random number. Every packet names the sender's epoch and, as
far as it is known, the receiver's. Once each side has received its own epoch, the two
have met, and from then on packets with items are counted. If a packet is missing, or
names an epoch that is over, the receiving side takes a new epoch and has to meet the
other again; the other side does the same when it sees the new epoch. So everything that
was open between two epochs is over for both sides, and each notices that once.

Only empty packets are sent before the two have met. If one of these is lost, the next one
makes up for it.
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
    """The result of a packet that has arrived."""

    is_void: bool = False
    """Everything that was open between the two is over. Act on this first."""
    items: Sequence[Item] = ()
    """The items of the packet."""
    tells: bool = False
    """The peer needs a packet, at least an empty one, to learn the epochs known here."""


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
        """Each side knows the other's epoch: items may be sent."""

    def pack(self, items: Sequence[Item]) -> bytes:
        """Return the bytes of the next packet to the peer. Before the two have met, it has no items."""
        assert self.has_met or not items, "they have not met"
        packet = Packet(self._epoch, self._peer_epoch, self._number, tuple(items))
        self._number += bool(items)
        return encode_packet(packet)

    def receive_data(self, data: bytes) -> Reception:
        """Take a packet from the peer, and return what follows."""
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
        """Take a packet from a peer that does not know this side, or has forgotten it."""
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
        """Begin again, and let the peer know."""
        had_met, self.has_met = self.has_met, False
        if had_met:
            self._epoch = self._draw()
        self._peer_epoch = peer_epoch
        self._number = self._received = 0
        return Reception(is_void=had_met, tells=True)
