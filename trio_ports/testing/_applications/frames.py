"""Frames: bytes to a native application, and the answers that come back."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from typing import Any, Final, final

import attrs

from .causes import Trouble, find_trouble
from .json_values import same_json

_SHOWN_BYTES: Final = 60


@final
@attrs.frozen
class Answer:
    """A frame from the application."""

    data: bytes
    following: bytes = b""
    """What came with it: more is seen of a frame that is wrong."""

    def value(self) -> Any:
        """Return the decoded content.

        Raises:
            Trouble: the content is not JSON, strictly: Infinity and NaN are not.
        """
        try:
            return json.loads(self.data.decode(), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            text = f"it sends a frame that is not JSON ({error}): {self.shown()}"
            raise find_trouble(frame_of_bytes(self.data) + self.following, text, "not JSON") from error

    def is_same(self, message: Any) -> bool:
        """Return whether the content is this message."""
        with suppress(Trouble):
            return same_json(self.value(), message)
        return False

    def shown(self) -> str:
        """Return the beginning of the content, for people."""
        text = self.data[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")
        return f"{text}… ({len(self.data)} bytes)" if len(self.data) > _SHOWN_BYTES else text


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def frame_of(message: Any) -> bytes:
    """Return the frame of a message."""
    return frame_of_text(json.dumps(message, ensure_ascii=False, separators=(",", ":")))


def frame_of_text(text: str) -> bytes:
    """Return the frame of a message that is encoded as text."""
    return frame_of_bytes(text.encode())


def frame_of_bytes(data: bytes) -> bytes:
    """Return the frame of any bytes."""
    return struct.pack("=I", len(data)) + data
