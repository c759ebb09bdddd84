"""Frames to and from a native application, and whether what is in them is the same JSON."""

from __future__ import annotations

import json
import math
import struct
from typing import Any, Final, TypeGuard, final

import attrs

_SHOWN: Final = 60


class NotAFrameError(Exception):
    """What the application wrote is no frame."""


@final
@attrs.frozen
class Answer:
    """A frame from the application."""

    data: bytes

    def text(self) -> str | None:
        """Return it as text; None if it is no UTF-8."""
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            return None

    def is_json(self) -> bool:
        """Say whether it is JSON, to the letter."""
        try:
            self.value()
        except NotAFrameError:
            return False
        return True

    def value(self) -> Any:
        """Return the value that it has.

        Raises:
            NotAFrameError: it is no JSON.
        """
        try:
            return json.loads(self.data.decode(), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise NotAFrameError(f"it sends a frame that is no JSON ({error}): {self.shown()}") from error

    def is_same(self, message: Any) -> bool:
        """Say whether it is this message."""
        return self.is_json() and same_json(self.value(), message)

    def shown(self) -> str:
        """Return its beginning for people."""
        text = self.data[:_SHOWN].decode("utf-8", "backslashreplace")
        return f"{text}… ({len(self.data)} bytes)" if len(self.data) > _SHOWN else text


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def frame_of(message: Any) -> bytes:
    """Return the frame of a message."""
    return frame_of_text(json.dumps(message, ensure_ascii=False, separators=(",", ":")))


def frame_of_text(text: str) -> bytes:
    """Return the frame of a message that is written already."""
    return frame_of_bytes(text.encode())


def frame_of_bytes(data: bytes) -> bytes:
    """Return the frame of any bytes."""
    return struct.pack("=I", len(data)) + data


def same_json(one: Any, other: Any) -> bool:
    """Say whether two values are the same in JSON, where 1.0 is 1 and true is not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other or math.isclose(one, other, rel_tol=1e-15)
    if is_list(one) and is_list(other):
        return len(one) == len(other) and all(map(same_json, one, other))
    if is_object(one) and is_object(other):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    return type(one) is type(other) and one == other


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Say whether a JSON value is a list."""
    return isinstance(value, list)


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Say whether a JSON value is an object."""
    return isinstance(value, dict)
