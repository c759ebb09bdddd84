"""Packets: what nodes send to each other, in MessagePack. Source: ours.

The node that opens a stream numbers it. The other node writes the same number with a
minus sign.
"""

from __future__ import annotations

import math
from typing import Final, TypeAlias

import msgspec

from .._browser.calls import Call
from .._protocol.errors import MalformedMessageError
from .._protocol.messages import Decoder, Encoder


class Open(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Open a stream for a connect."""

    stream: int
    call: bytes
    """From `encode_call`."""


class Answer(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Answer whether somebody listens to the call of a stream."""

    stream: int
    heard: bool


class Data(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The next bytes of a stream."""

    stream: int
    data: bytes


class Credit(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Allow that many more bytes to be sent on a stream."""

    stream: int
    size: int


class Ended(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """One side of a stream has finished: it neither sends nor takes anything any more."""

    stream: int
    cause: str | None = None
    """The value of a `Cause`, if it ended with an error."""
    text: str = ""
    """The same for people."""
    vanished: bool = False
    """The end's owner went away, and did not ask for a disconnect."""


class Shared(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """Somebody listens to the call of this stream at another node too."""

    stream: int


Item: TypeAlias = Open | Answer | Data | Credit | Ended | Shared


class Packet(msgspec.Struct, frozen=True, array_like=True):
    """Some items, with a number; or no items, to report the number of the next packet."""

    epoch: int
    """The sender's epoch: a random number, never 0."""
    peer_epoch: int
    """The receiver's epoch; 0 if the sender does not know it."""
    number: int
    """How many packets with items were sent before this one, since the two epochs met."""
    items: tuple[Item, ...]


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Packet)
_CALL_ENCODER: Final = Encoder(max_message_bytes=math.inf)
_CALL_DECODER: Final = Decoder(Call)


def encode_call(call: Call) -> bytes:
    """Return a call as JSON: MessagePack has no lone surrogates and no numbers beyond 64 bits."""
    return _CALL_ENCODER.encode(call)


def decode_call(data: bytes) -> Call | None:
    """Return the call in ``data``; None if ``data`` is not a call."""
    try:
        call: Call = _CALL_DECODER.decode_any(data)
    except MalformedMessageError:
        return None
    return call


def encode_packet(packet: Packet) -> bytes:
    """Return the bytes of a packet."""
    return _ENCODER.encode(packet)


def decode_packet(data: bytes) -> Packet | None:
    """Return the packet in ``data``; None if ``data`` is not a packet."""
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
