"""The bytes between `trio-ports talk` and an application."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from trio_ports.cli.raw_bytes import SHOWN_BYTES, RawBytes, parse_bytes, show_bytes


@given(st.binary(max_size=SHOWN_BYTES))
def test_what_was_shown_can_be_sent_again(data: bytes) -> None:
    """The notation loses nothing, and is printable ASCII."""
    shown = show_bytes(data)
    assert parse_bytes(shown) == data
    assert shown.isascii()
    assert shown.isprintable()


def test_many_bytes() -> None:
    """Only the first are shown, and how many follow."""
    assert show_bytes(b"a" * 3000) == "a" * 1000 + "\u2026 and 2,000 bytes more"


def test_the_notation() -> None:
    """Short escapes and other characters are understood."""
    assert parse_bytes(r"a\n\r\t\0\\\x41" + "\u00fc\\xfF") == b"a\n\r\t\0\\A\xc3\xbc\xff"


@pytest.mark.parametrize("text", ["\\", "\\q", "\\x", "\\xg0", "\\x1"])
def test_what_is_not_in_the_notation(text: str) -> None:
    """The message says what would be."""
    with pytest.raises(ValueError, match="after a backslash, only xNN"):
        parse_bytes(text)


async def test_the_tap() -> None:
    """It shows bytes while it is told to, and nothing at the end of the input."""
    shown: list[tuple[bool, bytes]] = []
    incoming, written = [b"", b"2", b"1"], list[bytes]()

    async def receive_some() -> bytes:
        await trio.lowlevel.checkpoint()
        return incoming.pop()

    async def send_all(data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        written.append(data)

    raw = RawBytes(lambda sent, data: shown.append((sent, data)))
    receive, send = raw.tap(receive_some, send_all)
    assert await receive() == b"1"
    await send(b"a")
    raw.shows = True
    assert await receive() == b"2"
    assert await receive() == b""
    await send(b"b")
    assert shown == [(False, b"2"), (True, b"b")]
    assert written == [b"a", b"b"]


async def test_the_order() -> None:
    """Bytes never get between those of a message, nor before a message that waits."""
    written: list[bytes] = []
    gate = trio.Event()
    waiting = True

    async def send_all(data: bytes) -> None:
        await gate.wait()
        written.append(data)

    raw = RawBytes(lambda sent, data: None)
    _, send = raw.tap(trio.lowlevel.checkpoint, send_all)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(raw.send_after, lambda: waiting, b"raw")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(send, b"first")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(send, b"second")
        waiting = False
        gate.set()
    assert written == [b"first", b"second", b"raw"]
