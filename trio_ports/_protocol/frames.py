"""Frames: a length of four bytes in native byte order, then that many bytes of JSON.

Bytes go in, frames come out, and nothing waits: a task that reads from a pipe or a socket
passes the bytes to a `FrameDecoder`. A frame is a message that is still encoded. Every
byte is copied once, or twice if a read ended inside the frame. Memory for a frame is
allocated as its bytes arrive, not when its length is announced.

Source: rules 33 and 34.
"""

from __future__ import annotations

import codecs
import itertools
import struct
from collections.abc import Iterable
from typing import Final, final

from .dialects import MIB
from .errors import FrameTooLargeError, RemoteProtocolError, TruncatedError

LENGTH: Final = struct.Struct("=I")
LENGTH_BYTES: Final = LENGTH.size

FROM_APPLICATION_BYTES: Final = MIB
"""The largest message that a browser accepts from a native application, in bytes."""
TO_APPLICATION_BYTES: Final = {"firefox": 4096 * MIB - 1, "chromium": 64 * MIB}
"""The largest message that a browser of each family sends to a native application, in bytes."""

TOO_LARGE_TEXT: Final = "A frame of {size} bytes was announced, which exceeds the limit of {limit} bytes."

_SHOWN_BYTES: Final = 80


def encode_length(size: int) -> bytes:
    """Return the four bytes that precede a frame of ``size`` bytes."""
    return LENGTH.pack(size)


def encode_frames(frames: Iterable[bytes]) -> bytes:
    """Return the bytes of these frames, each after its length."""
    pack = LENGTH.pack
    return b"".join([part for frame in frames for part in (pack(len(frame)), frame)])


@final
class FrameDecoder:
    """Cuts arriving bytes into frames, whatever the pieces in which they arrive.

    Args:
        max_frame_bytes: the largest frame that is accepted, in bytes, without its length field.
        too_large_text: the error's text for a larger one; ``{size}`` and ``{limit}`` are
            filled in.
        names_printed_text: whether that text adds what the length field spells, if it
            is text.
    """

    __slots__ = ("_body", "_expected", "_header", "_limit", "_missing", "_names_printed_text", "_text", "error")

    def __init__(
        self,
        *,
        max_frame_bytes: float = FROM_APPLICATION_BYTES,
        too_large_text: str = TOO_LARGE_TEXT,
        names_printed_text: bool = True,
    ) -> None:
        self._limit = max_frame_bytes
        self._text = too_large_text
        self._names_printed_text = names_printed_text
        self._header: bytes = b""
        self._body: list[bytes] = []
        self._missing = 0
        self._expected = 0
        self.error: RemoteProtocolError | None = None
        """Why there will be no more frames; None as long as the bytes are valid."""

    def receive_data(self, data: bytes) -> list[bytes]:
        """Take bytes that have arrived, and return the frames that they complete.

        Args:
            data: the bytes; ``b""`` means that they have ended.

        Raises:
            FrameTooLargeError: the other side announced a frame over the limit.
            TruncatedError: the bytes ended inside a frame.

        Frames that came before the mistake are returned first. Then `error` is set at
        once, and every further call raises it.
        """
        if self.error is not None:
            raise self.error
        if not data:
            self._receive_end()
            return []
        frames: list[bytes] = []
        start = 0
        if self._missing:
            start = self._missing
            self._missing -= len(data)
            if self._missing > 0:
                self._body.append(data)
                return frames
            self._missing = 0
            self._body.append(data[:start])
            frames.append(b"".join(self._body))
            self._body = []
        elif self._header:
            data = self._header + data
        size = len(data)
        while size - start >= LENGTH_BYTES:
            (length,) = LENGTH.unpack_from(data, start)
            if length > self._limit:
                self.error = self._refuse(length, data[start : start + _SHOWN_BYTES])
                if not frames:
                    raise self.error
                return frames
            start += LENGTH_BYTES
            stop = start + length
            if stop > size:
                self._header = b""
                self._body = [data[start:]]
                self._missing = stop - size
                self._expected = length + LENGTH_BYTES
                return frames
            frames.append(data[start:stop])
            start = stop
        self._header = data[start:]
        return frames

    def _receive_end(self) -> None:
        if self._missing:
            self.error = TruncatedError(received=self._expected - self._missing, expected=self._expected)
        elif self._header:
            self.error = TruncatedError(received=len(self._header), expected=None)
        if self.error is not None:
            raise self.error

    def _refuse(self, length: int, beginning: bytes) -> FrameTooLargeError:
        printed = spelled_text(beginning)
        text = self._text.format(size=length, limit=self._limit)
        if self._names_printed_text and printed is not None:
            text += f" The bytes are text that was printed into the stream: {printed!r}"
        return FrameTooLargeError(text, size=length, limit=self._limit, printed=printed)


def spelled_text(data: bytes) -> str | None:
    """Return the text that ``data`` begins with; None if its length field is not text."""
    try:
        field = codecs.getincrementaldecoder("utf-8")().decode(data[:LENGTH_BYTES])
    except UnicodeDecodeError:
        return None
    if not field or not all(map(_is_text, field)):
        return None
    return "".join(itertools.takewhile(_is_text, data.decode("utf-8", "replace")))


def _is_text(letter: str) -> bool:
    return letter in "\t\r\n" or (letter.isprintable() and letter != "\ufffd")
