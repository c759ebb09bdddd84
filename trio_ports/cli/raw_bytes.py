r"""The bytes between `trio-ports talk` and an application: shown, and sent as they are.

Both in one notation, text with ``\xNN`` for what is not printable ASCII, so that what
was shown can be sent again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, final

import attrs
import trio

from .._transports.carrier import ReceiveSome, SendAll

SHOWN_BYTES: Final = 1000
_ESCAPE: Final = re.compile(rb"\\(x[0-9a-fA-F]{2}|[nrt0\\]|)")
_LETTERS: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


def parse_bytes(text: str) -> bytes:
    r"""Return the bytes that a text in the notation stands for.

    ``\n``, ``\r``, ``\t``, ``\0`` and ``\\`` are understood too, and other characters
    stand for their bytes in UTF-8.

    Raises:
        ValueError: a backslash has another character after it.
    """

    def decode(found: re.Match[bytes]) -> bytes:
        escape = found[1]
        if not escape:
            raise ValueError(r"after a backslash, only xNN with two hexadecimal digits, n, r, t, 0 or a backslash")
        return _LETTERS.get(escape) or bytes.fromhex(escape[1:].decode())

    return _ESCAPE.sub(decode, text.encode())


def show_bytes(data: bytes) -> str:
    """Return bytes in the notation. Of many, only the first ones, and how many follow."""
    shown = "".join(
        r"\\" if byte == ord("\\") else chr(byte) if byte in range(32, 127) else f"\\x{byte:02x}"
        for byte in data[:SHOWN_BYTES]
    )
    more = len(data) - SHOWN_BYTES
    return shown if more <= 0 else f"{shown}… and {more:,} bytes more"


@final
@attrs.define(eq=False)
class RawBytes:
    """Sits between an application's pipes and the port to it."""

    on_bytes: Callable[[bool, bytes], object]
    """Called with all bytes while `shows` is on, before they are processed: True if they were sent."""
    shows: bool = False
    _writing: trio.Lock = attrs.field(factory=trio.Lock)
    _written: trio.Event = attrs.field(factory=trio.Event)
    _send_all: SendAll | None = None

    def tap(self, receive_some: ReceiveSome, send_all: SendAll) -> tuple[ReceiveSome, SendAll]:
        """Sit between; a `Tap`."""
        self._send_all = send_all

        async def receive_and_show() -> bytes | bytearray:
            data = await receive_some()
            if self.shows and data:
                self.on_bytes(False, bytes(data))
            return data

        return receive_and_show, self.send

    async def send(self, data: bytes) -> None:
        """Send bytes as they are, after those that are being sent; as `SendAll` does it."""
        assert self._send_all is not None, "nothing is sent before the application was started"
        async with self._writing:
            if self.shows:
                self.on_bytes(True, data)
            await self._send_all(data)
        self._written.set()
        self._written = trio.Event()

    async def send_after(self, is_waiting: Callable[[], bool], data: bytes) -> None:
        """Send bytes as they are, once ``is_waiting`` says that no message waits before them."""
        while is_waiting():
            await self._written.wait()
        await self.send(data)
