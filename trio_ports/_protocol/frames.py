"""Frames: a length of four bytes in native byte order, then so many bytes of JSON. Source: rules 33 and 34.

Bytes in, frames out, and no waiting: whoever reads from a pipe or a socket hands what it read to a `FrameDecoder`. A
frame is a message that is still encoded. Every byte is copied once, or twice if a read ended before its frame did; what
a length announces is not allocated before it has come.
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
"""The largest message that a browser takes from a native application, in bytes: exactly so many pass."""
TO_APPLICATION_BYTES: Final = {"firefox": 4096 * MIB - 1, "chromium": 64 * MIB}
"""The largest message that a browser of each family sends to a native application, in bytes."""

TOO_LARGE_TEXT: Final = "A frame of {size} bytes was announced, which exceeds the limit of {limit} bytes."

_SHOWN_BYTES: Final = 80


def encode_length(size: int) -> bytes:
    """Return the four bytes that go before a frame of ``size`` bytes."""
    return LENGTH.pack(size)


def encode_frames(frames: Iterable[bytes]) -> bytes:
    """Return the bytes of some frames, each with its length."""
    pack = LENGTH.pack
    return b"".join([part for frame in frames for part in (pack(len(frame)), frame)])


@final
class FrameDecoder:
    """Cuts the bytes that arrive into frames; however the bytes are cut, the frames are the same.

    Args:
        max_frame_bytes: the largest frame that is accepted, in bytes, without its length field.
        too_large_text: what the error says about a larger one, with ``{size}`` and ``{limit}`` to be filled in.
        names_printed_text: it adds what the length bytes spell, if they are text.
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
        """Why no frame will come any more; None as long as the bytes make sense."""

    def receive_data(self, data: bytes) -> list[bytes]:
        """Take what has arrived, and return the frames that it completes.

        Args:
            data: bytes as they came; ``b""`` says that they have ended.

        Raises:
            FrameTooLargeError: the other side announced a frame over the limit.
            TruncatedError: the bytes ended inside a frame.

        Frames that came before the nonsense are returned first: then `error` is set at once, and the next call
        raises it, as does every call after it.
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
            text += f" Those bytes are text: something printed into the stream: {printed!r}"
        return FrameTooLargeError(text, size=length, limit=self._limit, printed=printed)


def spelled_text(data: bytes) -> str | None:
    """Return the text that ``data``, a length field and what follows it, begins with; None if the field is no text."""
    try:
        field = codecs.getincrementaldecoder("utf-8")().decode(data[:LENGTH_BYTES])
    except UnicodeDecodeError:
        return None
    if not field or not all(map(_is_text, field)):
        return None
    return "".join(itertools.takewhile(_is_text, data.decode("utf-8", "replace")))


def _is_text(letter: str) -> bool:
    return letter in "\t\r\n" or (letter.isprintable() and letter != "\ufffd")
