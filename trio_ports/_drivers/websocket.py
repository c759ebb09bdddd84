"""The little of WebSocket that a player needs, from the server's side and without any input or output of its own.

Text messages both ways, whole or in fragments; a ping gets its pong; a close ends it. No extensions, no subprotocols.

Source: RFC 6455, sections 4.2.2 (handshake) and 5 (framing).
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final, final

CONTINUATION: Final = 0
TEXT: Final = 1
CLOSE: Final = 8
PING: Final = 9
FINAL: Final = 0x80
MASKED: Final = 0x80
ACCEPT_SUFFIX: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_key(key: str) -> str:
    """Return what the server answers to a client's ``Sec-WebSocket-Key``."""
    return base64.b64encode(hashlib.sha1(key.encode() + ACCEPT_SUFFIX, usedforsecurity=False).digest()).decode()


def encode_message(data: bytes, opcode: int = TEXT) -> bytes:
    """Return a server's frame with the message in it, unmasked and in one piece."""
    if len(data) < 126:
        head = bytes([len(data)])
    elif len(data) < 1 << 16:
        head = b"\x7e" + len(data).to_bytes(2, "big")
    else:
        head = b"\x7f" + len(data).to_bytes(8, "big")
    return bytes([FINAL | opcode]) + head + data


@final
class WebSocketMessages:
    """Messages of a WebSocket client out of bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._fragments = bytearray()
        self.answers = bytearray()
        """What has to be sent back, taken by the one who sends it."""
        self.closed = False
        """Whether the client has said that it leaves."""

    def receive_data(self, data: bytes) -> list[bytes]:
        """Take what arrived and return the messages that are complete."""
        self._buffer += data
        messages: list[bytes] = []
        while not self.closed and (frame := self._take_frame()) is not None:
            opcode, is_final, payload = frame
            if opcode == CLOSE:
                self.closed = True
            elif opcode == PING:
                self.answers += encode_message(payload, PING + 1)
            elif opcode in {CONTINUATION, TEXT}:
                self._fragments += payload
                if is_final:
                    messages.append(bytes(self._fragments))
                    self._fragments.clear()
        return messages

    def _take_frame(self) -> tuple[int, bool, bytes] | None:
        """Return opcode, whether it is the last of its message, and content of the next frame; None if not there yet.

        Raises:
            ValueError: the frame is not masked, as a client's has to be.
        """
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, second = buffer[:2]
        if not second & MASKED:
            raise ValueError("a client's frame that is not masked")
        wide = {126: 2, 127: 8}.get(second & 0x7F, 0)
        start = 2 + wide + 4
        if len(buffer) < start:
            return None
        size = int.from_bytes(buffer[2 : 2 + wide], "big") if wide else second & 0x7F
        if len(buffer) < start + size:
            return None
        payload = unmask(bytes(buffer[start : start + size]), bytes(buffer[start - 4 : start]))
        del buffer[: start + size]
        return first & 0x0F, bool(first & FINAL), payload


def unmask(data: bytes, key: bytes) -> bytes:
    """Undo a client's masking: every byte xor the key's, over and over."""
    # As one large number each: a loop over the bytes would take longer than the browser took to send them.
    mask = (key * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "little") ^ int.from_bytes(mask, "little")).to_bytes(len(data), "little")
