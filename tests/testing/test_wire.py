"""A wire with an end of the kit's own: what the port under test writes and reads is looked at as bytes."""

from __future__ import annotations

import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
from testing import makers
from trio.testing import memory_stream_pair

from trio_ports import MessageSender, open_stream_port
from trio_ports.testing import FaultyStream, Limits, RuleBrokenError, check_port, misframing, moves

LIMIT = 1000
OPTIONS: dict[str, Any] = {"limits": Limits(max_message_bytes=LIMIT), "listener_errors": "log"}


@asynccontextmanager
async def make(
    wrap: Callable[[Any], trio.abc.Stream] = lambda stream: stream, *, opens: bool = True
) -> AsyncGenerator[Any]:
    """Open a port over one end of a stream, and give the other end as it is."""
    here, there = memory_stream_pair()
    sender = None if opens else MessageSender(id="me")
    async with open_stream_port(wrap(here), "wire", sender, max_message_bytes=LIMIT, listener_errors="log") as port:
        yield (port, there) if opens else (there, port)


@pytest.mark.parametrize("opens", [True, False])
def test_ports(opens: bool) -> None:
    """Our ports obey the rules at either end."""
    check_port(partial(make, opens=opens), examples=20, **OPTIONS)


def converting(convert: Callable[[bytes], bytes]) -> Callable[[trio.abc.Stream], FaultyStream]:
    """Change what is sent."""

    def wrap(stream: trio.abc.Stream) -> FaultyStream:
        return FaultyStream(stream, send=lambda inner, data: inner.send_all(convert(data)))

    return wrap


FAULTS: dict[str, tuple[Callable[[Any], Any], set[int]]] = {
    "another byte order": (converting(lambda data: struct.pack(">I", len(data) - 4) + data[4:]), {33}),
    "a wrong length": (misframing, {33}),
    "a byte order mark for letters": (converting(lambda data: data.replace(b'"', b"'")), {33}),
    "an end inside a frame": (converting(lambda data: data[:-1] if data[-2:] == b"2]" else data), {33}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(fault: str) -> None:
    """Two ends of one implementation would agree about each of these."""
    wrap, rules = FAULTS[fault]
    history = [
        moves.turn("receiver", moves.hear()),
        moves.turn("opener", moves.post("a"), moves.post([1, 2]), moves.disconnect()),
    ]
    with pytest.raises(RuleBrokenError) as caught:
        check_port(partial(make, wrap), stories=False, examples=0, seconds=1.0, histories=[history], **OPTIONS)
    assert caught.value.rule in rules, str(caught.value)
    assert caught.value.difference.kind == "wire"


@asynccontextmanager
async def make_two_streams() -> AsyncGenerator[Any]:
    yield memory_stream_pair()


@asynccontextmanager
async def make_nothing() -> AsyncGenerator[Any]:
    await trio.sleep_forever()
    yield makers.open_pair


def test_makers_that_cannot_be_checked() -> None:
    """It is said at the call what the maker should have made."""
    with pytest.raises(TypeError, match="one of them may be a stream"):
        check_port(make_two_streams)
    with pytest.raises(TimeoutError, match="opened no connection within 60 seconds"):
        check_port(make_nothing)
