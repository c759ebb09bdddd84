"""The cause of a trouble: what an application does wrong whatever it is asked, recognised from the bytes that it wrote.

Source: rules 33 and 35. The mistakes are those that public threads about native messaging are full of.
"""

from __future__ import annotations

import json
from typing import Final, Literal, TypeAlias, final

from ..._protocol.frames import LENGTH, LENGTH_BYTES, TO_APPLICATION_BYTES, spelled_text

Cause: TypeAlias = Literal[
    "characters", "length", "byte order", "line end", "text mode", "print", "not a frame", "not JSON", "no response", ""
]
"""What is wrong; empty where no cause is known."""

MAX_FRAME_BYTES: Final = TO_APPLICATION_BYTES["chromium"] + 65536
"""What announces more is not a frame: even the echo of the largest message has fewer bytes."""
_SHOWN_BYTES: Final = 60


@final
class Trouble(Exception):
    """Something is wrong that many checks meet. Only the first one fails because of it.

    Args:
        text: what is wrong, for people.
        cause: the same for programs.
    """

    def __init__(self, text: str, cause: Cause) -> None:
        super().__init__(text)
        self.cause: Cause = cause


def find_trouble(data: bytes, otherwise: str, cause: Cause = "not a frame") -> Trouble:
    """Name what is wrong with an application's output, or else call it ``otherwise`` and ``cause``.

    ``data`` begins with the first frame that is wrong, and has what followed it.
    """
    shown = repr(data[:_SHOWN_BYTES])
    without_line_end = data.removeprefix(b"\r").removeprefix(b"\n")
    if without_line_end != data and (not without_line_end or _begins_with_frame(without_line_end)):
        line_end = data[: len(data) - len(without_line_end)]
        return Trouble(
            f"it writes a line end, {line_end.decode()!r}, after a message: write only the frame", "line end"
        )
    if b"\r\n" in data and _begins_with_frame(data.replace(b"\r\n", b"\n")):
        return Trouble(
            f"its output is in text mode, which writes '\\n' as '\\r\\n'; make it binary: {shown}", "text mode"
        )
    printed = spelled_text(data)
    if printed:
        return Trouble(f"what it writes is not a frame, but text that something printed: {printed[:80]!r}", "print")
    if len(data) >= LENGTH_BYTES:
        if _begins_with_frame(data[:LENGTH_BYTES][::-1] + data[LENGTH_BYTES:]):
            return Trouble(f"the bytes of its length are in the other order; use the native one: {shown}", "byte order")
        (length,) = LENGTH.unpack_from(data)
        text = _json_text(data[LENGTH_BYTES:])
        size = len(text.encode("utf-8", "surrogateescape"))
        if text and length in (len(text), len(text.encode("utf-16-le", "surrogatepass")) // 2) and length != size:
            return Trouble(
                f"its length counts characters instead of bytes, {length} for a message of {size} bytes: {shown}",
                "characters",
            )
        if text and length == size + LENGTH_BYTES:
            return Trouble(f"its length counts its own four bytes too: {length} for {size}: {shown}", "length")
    return Trouble(otherwise, cause)


def _begins_with_frame(data: bytes) -> bool:
    """Return whether a whole frame with JSON in it comes first."""
    if len(data) < LENGTH_BYTES:
        return False
    (length,) = LENGTH.unpack_from(data)
    body = data[LENGTH_BYTES : LENGTH_BYTES + length]
    size = len(_json_text(body).encode("utf-8", "surrogateescape"))
    return bool(size and length == size == len(body))


def _json_text(data: bytes) -> str:
    """Return the JSON text that comes first, or an empty text."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        return text[: json.JSONDecoder().raw_decode(text)[1]]
    except (ValueError, RecursionError):
        return ""
