"""Rules 21, 33 and 36 over a wire whose other end is the kit's own: the bytes, and bytes that are not frames."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Final

from ..history.moves import break_wire, by, disconnect, hear, long_text, post, start_receive, turn
from ..model import DialectRules
from .story import OPENER, RECEIVER, Story, hears

SIZES: Final = (2, 100, 255, 256, 257, 5_000, 65_535, 65_536, 70_000)
"""Lengths whose bytes are told from each other in any order, and those about which a buffer is full."""


def _frame(message: object) -> bytes:
    body = json.dumps(message).encode()
    return struct.pack("=I", len(body)) + body


def tell_frames(wire: str, rules: DialectRules) -> Iterator[Story]:
    """Rules 21 and 33: what the port under test writes, and what it reads."""
    port = RECEIVER if wire == OPENER else OPENER
    for here, there, does in ((port, wire, "writes"), (wire, port, "reads")):
        for size in [size for size in SIZES if size <= rules.largest]:
            history = [*hears(there), turn(here, post(long_text(size - 2)), post(1)), turn(here, post(2))]
            yield Story(33, f"The port {does} a message of {size} bytes, and small ones beside it.", history)
        large = [size for size in SIZES if size <= rules.largest][-1]
        posts = [post(1), post(long_text(large - 2)), post("\u20ac"), post(3)]
        history = [*hears(there), turn(here, *posts, disconnect())]
        yield Story(21, f"The port {does} everything that was posted before the end.", history)
    history = [turn(wire, hear()), turn(port, hear(), post(1), by(wire, post(2)), post(3), by(wire, post(4)))]
    yield Story(33, "Frames that cross each other are whole.", history)


def tell_faults(wire: str, rules: DialectRules) -> Iterator[Story]:
    """Rule 36: what is not a frame ends the connection with an error, after everything before it."""
    port = RECEIVER if wire == OPENER else OPENER
    whole = _frame([1, 2, 3])
    if not rules.keeps_error:
        return
    for data, what in (
        (whole[:2], "inside a length"),
        (whole[:4], "after a length"),
        (whole[:-1], "inside a message"),
        (struct.pack("=I", 3) + b"{1}", "after a frame that is not JSON"),
        (struct.pack("=I", 3) + b"1 2", "after a frame with two values"),
        (struct.pack("=I", 5) + b'"\xff\xfe"', "after a frame that is not UTF-8"),
        (struct.pack("=I", 3) + b"NaN", "after a frame with NaN"),
    ):
        breaks = turn(wire, break_wire(data))
        history = [*hears(port), turn(wire, post(0)), breaks]
        yield Story(36, f"A wire that ends {what} ends the connection with an error.", history)
        history = [start_receive("a", port), turn(wire, post(0)), start_receive("b", port), breaks]
        yield Story(36, f"A task that reads learns that the wire has ended {what}.", history)
    history = [*hears(port), turn(wire, post(0), disconnect())]
    yield Story(36, "A wire that ends between two frames ends the connection without an error.", history)
