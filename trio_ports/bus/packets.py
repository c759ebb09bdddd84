"""Packets: what one node sends to another at a time, in MessagePack. Source: ours.

A stream has a number in the count of the node that opened it, and is written with a minus by the other one.
"""

from __future__ import annotations

import math
from typing import Final, TypeAlias

import msgspec

from .._browser.calls import Call
from .._protocol.errors import MalformedMessageError
from .._protocol.messages import Decoder, Encoder


class Open(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Somebody connects: here is a stream for it."""

    stream: int
    call: bytes
    """As `encode_call` has it."""


class Answer(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Whether somebody hears the call of a stream."""

    stream: int
    heard: bool


class Data(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The next bytes of a stream."""

    stream: int
    data: bytes


class Credit(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """So many more bytes of a stream may be sent."""

    stream: int
    size: int


class Ended(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """One side of a stream is through, and neither sends nor takes anything any more."""

    stream: int
    cause: str | None = None
    """Why, if with an error: the value of a `Cause`."""
    text: str = ""
    """The same for people."""
    vanished: bool = False
    """The owner went away, instead of asking for a disconnect."""


class Shared(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """The call of a stream is heard elsewhere too."""

    stream: int


Item: TypeAlias = Open | Answer | Data | Credit | Ended | Shared


class Packet(msgspec.Struct, frozen=True, array_like=True):
    """Some items, numbered; or none, to say where the count stands."""

    epoch: int
    """The sender's; drawn at random, and never 0."""
    peer_epoch: int
    """The receiver's, as far as the sender knows; 0 if it does not."""
    number: int
    """How many packets with items came before, since the two epochs met."""
    items: tuple[Item, ...]


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Packet)
_CALL_ENCODER: Final = Encoder(max_message_bytes=math.inf)
_CALL_DECODER: Final = Decoder(Call)


def encode_call(call: Call) -> bytes:
    """Return a call as JSON, as messages are: MessagePack has no lone surrogates, and no numbers beyond 64 bits."""
    return _CALL_ENCODER.encode(call)


def decode_call(data: bytes) -> Call | None:
    """Return the call that is written in ``data``; None if none is."""
    try:
        return _decode_call(data)
    except MalformedMessageError:
        return None


def _decode_call(data: bytes) -> Call:
    call: Call
    try:
        call = _CALL_DECODER.decode(data)
    except Exception as error:  # noqa: BLE001 - what is rare is looked at again
        call = _CALL_DECODER.decode_unusual(data, error)
    return call


def encode_packet(packet: Packet) -> bytes:
    """Return the bytes of a packet."""
    return _ENCODER.encode(packet)


def decode_packet(data: bytes) -> Packet | None:
    """Return the packet that is written in ``data``; None if none is."""
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
