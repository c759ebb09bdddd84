"""The adapters of the recipe about streams obey the rules, as they stand in the documentation."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
from test_recipes import blocks_of, names_of
from trio.testing import memory_stream_pair
from websockets.trio.client import connect
from websockets.trio.server import serve

from trio_ports import Cause, MessageSender, open_stream_port
from trio_ports.testing import Limits, check_port

LIMITS = Limits(max_message_bytes=1000)


def class_of(name: str) -> Any:
    (program,) = (each for each in blocks_of("streams") if f"class {name}" in each)
    return names_of(program.partition("\n\nasync def ")[0])[name]


class MemoryChannel(trio.abc.Channel[bytes]):
    """One end of two crossed memory channels."""

    def __init__(self, to: trio.MemorySendChannel[bytes], of: trio.MemoryReceiveChannel[bytes]) -> None:
        self.to, self.of = to, of

    async def send(self, value: bytes) -> None:
        await self.to.send(value)

    async def receive(self) -> bytes:
        return await self.of.receive()

    async def aclose(self) -> None:
        self.to.close()
        self.of.close()


def channels() -> tuple[trio.abc.Stream, trio.abc.Stream]:
    forth, back = trio.open_memory_channel[bytes](math.inf), trio.open_memory_channel[bytes](math.inf)
    stream = class_of("ChannelStream")
    return stream(MemoryChannel(forth[0], back[1])), stream(MemoryChannel(back[0], forth[1]))


def lines() -> tuple[trio.abc.Stream, trio.abc.Stream]:
    left, right = map(class_of("LineStream"), memory_stream_pair())
    return left, right


@asynccontextmanager
async def open_ports(*streams: trio.abc.Stream) -> AsyncGenerator[tuple[Any, Any]]:
    opener, receiver = streams
    async with (
        open_stream_port(opener, max_message_bytes=1000) as left,
        open_stream_port(receiver, "", MessageSender(id="me"), max_message_bytes=1000) as right,
    ):
        yield left, right


@pytest.mark.parametrize("streams", [channels, lines])
def test_in_this_process(streams: Callable[[], tuple[trio.abc.Stream, trio.abc.Stream]]) -> None:
    """No rule is broken."""
    check_port(lambda: open_ports(*streams()), limits=LIMITS, over_a_wire=True, supports_async_with=False, examples=10)


def test_over_a_websocket() -> None:
    """No rule is broken."""
    web_socket_stream = class_of("WebSocketStream")

    @asynccontextmanager
    async def make() -> AsyncGenerator[tuple[Any, Any]]:
        accepted, accept = trio.open_memory_channel[Any](1)
        done = trio.Event()

        async def handle(websocket: Any) -> None:
            await accepted.send(websocket)
            await done.wait()

        async with trio.open_nursery() as nursery:
            server = await nursery.start(partial(serve, handle, 0, host="127.0.0.1"))
            port = server.listeners[0].socket.getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}") as websocket:
                async with open_ports(web_socket_stream(websocket), web_socket_stream(await accept.receive())) as ends:
                    yield ends
                done.set()
            nursery.cancel_scope.cancel()

    check_port(make, limits=LIMITS, outside_trio=True, supports_async_with=False, examples=3)


async def test_lines_that_are_wrong() -> None:
    """An end inside a line, and a line without an end, are errors."""
    for sent, cause in ((b'1\n"a', Cause.TRUNCATED), (b"1\n" + b"x" * 3000, Cause.WIRE_BROKEN)):
        left, right = memory_stream_pair()
        async with open_stream_port(class_of("LineStream")(left, max_line_bytes=2000)) as port:
            await right.send_all(sent)
            await right.aclose()
            assert await port.receive() == 1
            await port.wait_disconnected()
            assert port.error is not None
            assert port.error.cause is cause
