"""The usual mistakes: each is recognised from the bytes."""

from __future__ import annotations

import struct

import pytest

from trio_ports.testing._applications.causes import find_trouble
from trio_ports.testing._applications.frames import frame_of


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"\n", "line end"),
        (b"\r\n" + frame_of("next"), "line end"),
        (frame_of("x" * 8).replace(b"\n", b"\r\n"), "text mode"),
        (b"hello, world\n", "print"),
        (b"\nhello", "print"),
        (struct.pack("=I", 4)[::-1] + b'"ab"', "byte order"),
        (struct.pack("=I", 4) + '"né"'.encode() + frame_of(1), "characters"),
        (struct.pack("=I", 4) + '"😀"'.encode(), "characters"),
        (struct.pack("=I", 8) + b'"ab"', "length"),
        (struct.pack("=I", 100) + b"[1, 2", "not a frame"),
        (struct.pack("=I", 5) + b'"\xe9"', "not a frame"),
        (b"\xff\xff\xff", "not a frame"),
        (b"\n\xff", "not a frame"),
        (struct.pack("=I", 4) + b"\x80abc", "not a frame"),
    ],
)
def test_causes(data: bytes, cause: str) -> None:
    """The cause is named, or else it is the one that was given."""
    trouble = find_trouble(data, "something else")
    assert trouble.cause == cause
    assert (str(trouble) == "something else") == (cause == "not a frame")
