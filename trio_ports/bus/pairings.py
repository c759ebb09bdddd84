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


@final
@attrs.define(eq=False)
class Pairing:
    """Numbers what is sent to a peer, and checks the numbers of what comes from it. It does no I/O."""

    _draw_epoch: Callable[[], int] = lambda: secrets.randbits(63) + 1
    _epoch: int = attrs.field(init=False)
    _peer_epoch: int = attrs.field(default=0, init=False)
    _number: int = attrs.field(default=0, init=False)
    _received: int = attrs.field(default=0, init=False)
    has_met: bool = attrs.field(default=False, init=False)
    """Each side knows the other's epoch: items may be sent."""

    def __attrs_post_init__(self) -> None:
        self._epoch = self._draw_epoch()

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
            # The peer does not know this side, or has forgotten it.
            return Reception(tells=True) if packet.epoch == self._peer_epoch else self._part(packet.epoch)
        is_new = packet.epoch != self._peer_epoch
        if packet.peer_epoch != self._epoch or (is_new and self.has_met):
            return self._part(0)
        self._peer_epoch = packet.epoch
        self.has_met = True
        if packet.number > self._received:
            return self._part(0)
        if packet.number < self._received or not packet.items:
            return Reception(tells=is_new)
        self._received += 1
        return Reception(items=packet.items, tells=is_new)

    def _part(self, peer_epoch: int) -> Reception:
        """Begin again, and let the peer know."""
        had_met, self.has_met = self.has_met, False
        if had_met:
            self._epoch = self._draw_epoch()
        self._peer_epoch = peer_epoch
        self._number = self._received = 0
        return Reception(is_void=had_met, tells=True)
