"""The handshake: what a relay passes on about its browser, and what is not a handshake."""

from __future__ import annotations

import os
import struct

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import memory_stream_pair

from trio_ports._native.running.greetings import HANDSHAKE_SECONDS, encode_handshake, read_handshake, receive_handshake
from trio_ports.testing import trickling

ARGUMENTS = st.lists(st.binary(max_size=9).map(lambda data: os.fsdecode(data.replace(b"\0", b""))))


@given(ARGUMENTS)
def test_the_arguments_come_through(arguments: list[str]) -> None:
    """All of them, empty ones and names that are no UTF-8 included."""
    assert read_handshake(encode_handshake(arguments)[4:]) == arguments


async def test_what_follows_a_handshake_is_left() -> None:
    """The conversation begins right behind it, however it comes."""
    for change in (lambda stream: stream, trickling):
        here, there = memory_stream_pair()
        await there.send_all(encode_handshake(["a", "b"]) + b"the rest")
        await there.send_eof()
        stream = change(here)
        assert await receive_handshake(stream) == ["a", "b"]
        rest = b""
        while piece := await stream.receive_some():
            rest += piece
        assert rest == b"the rest"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\xff\xff\xff\xff",
        encode_handshake([])[:3],
        encode_handshake(["somebody"])[:-1],
        struct.pack("=I", 0),
        struct.pack("=I", 2) + b"{}",
        encode_handshake([]).replace(b"1", b"2"),
    ],
    ids=["nothing", "HTTP", "too long", "no length", "cut off", "empty", "JSON", "version"],
)
async def test_anything_else_is_no_handshake(data: bytes) -> None:
    """Nonsense, another version, too much of it, or an end: nobody that can be talked to."""
    here, there = memory_stream_pair()
    await there.send_all(data)
    await there.send_eof()
    assert await receive_handshake(here) is None


async def test_who_says_nothing_is_not_waited_for(autojump_clock: object) -> None:
    """Whoever stops in the middle is no relay after five seconds."""
    here, there = memory_stream_pair()
    await there.send_all(encode_handshake(["somebody"])[:-1])
    begun = trio.current_time()
    assert await receive_handshake(here) is None
    assert trio.current_time() == begun + HANDSHAKE_SECONDS


async def test_who_breaks_off_is_no_relay() -> None:
    """A connection that breaks says nothing."""
    here, _ = memory_stream_pair()

    async def break_off() -> None:
        raise trio.BrokenResourceError

    here.receive_stream.receive_some_hook = break_off
    assert await receive_handshake(here) is None
