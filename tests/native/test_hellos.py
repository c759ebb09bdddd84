"""Hellos: what a relay tells of its browser, and what is none."""

from __future__ import annotations

import os
import struct

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import memory_stream_pair

from trio_ports._native.hellos import HELLO_SECONDS, encode_hello, read_hello, receive_hello
from trio_ports.testing import trickling

ARGUMENTS = st.lists(st.binary(max_size=9).map(lambda data: os.fsdecode(data.replace(b"\0", b""))))


@given(ARGUMENTS)
def test_the_arguments_come_through(arguments: list[str]) -> None:
    """All of them, empty ones and names that are no UTF-8 included."""
    assert read_hello(encode_hello(arguments)[4:]) == arguments


async def test_what_follows_a_hello_is_left() -> None:
    """The conversation begins right behind it, however it comes."""
    for change in (lambda stream: stream, trickling):
        here, there = memory_stream_pair()
        await there.send_all(encode_hello(["a", "b"]) + b"the rest")
        await there.send_eof()
        stream = change(here)
        assert await receive_hello(stream) == ["a", "b"]
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
        encode_hello([])[:3],
        encode_hello(["somebody"])[:-1],
        struct.pack("=I", 0),
        struct.pack("=I", 2) + b"{}",
        encode_hello([]).replace(b"1", b"2"),
    ],
    ids=["nothing", "HTTP", "too long", "no length", "cut off", "empty", "JSON", "version"],
)
async def test_anything_else_is_no_hello(data: bytes) -> None:
    """Nonsense, another version, too much of it, or an end: nobody that can be talked to."""
    here, there = memory_stream_pair()
    await there.send_all(data)
    await there.send_eof()
    assert await receive_hello(here) is None


async def test_who_says_nothing_is_not_waited_for(autojump_clock: object) -> None:
    """Whoever stops in the middle is no relay after five seconds."""
    here, there = memory_stream_pair()
    await there.send_all(encode_hello(["somebody"])[:-1])
    begun = trio.current_time()
    assert await receive_hello(here) is None
    assert trio.current_time() == begun + HELLO_SECONDS


async def test_who_breaks_off_is_no_relay() -> None:
    """A connection that breaks says nothing."""
    here, _ = memory_stream_pair()

    async def break_off() -> None:
        raise trio.BrokenResourceError

    here.receive_stream.receive_some_hook = break_off
    assert await receive_hello(here) is None
