"""The laboratory's web server, with a client that is not a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from support import PATIENCE_SECONDS
from websockets.exceptions import InvalidStatus
from websockets.trio.client import ClientConnection, connect

from trio_ports._laboratory.server import Server, Socket


@asynccontextmanager
async def running(received: list[bytes | str]) -> AsyncIterator[Server]:
    """A server that collects what players report, and notes when one has gone."""

    async def handle(socket: Socket) -> None:
        while (message := await socket.receive()) is not None:
            received.append(message)
            await socket.send(b"seen")
        received.append("gone")
        with pytest.raises(trio.BrokenResourceError):
            await socket.send(b"too late")

    async with trio.open_nursery() as nursery:
        server = Server(handle)
        await nursery.start(server.run)
        yield server
        nursery.cancel_scope.cancel()


def address(server: Server) -> str:
    return server.write_settings("a").partition('"socket": "')[2].partition('"')[0]


async def get(server: Server, path: str) -> bytes:
    """Return an answer, head and all."""
    answer = b""
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        await stream.send_all(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        async for data in stream:
            answer += data
    return answer


@pytest.mark.parametrize(
    ("path", "kind", "end"),
    [
        ("/page/1", b"html", b"<body>\n"),
        ("/web/1", b"html", b"</script>\n"),
        ("/settings.js", b"javascript", b"};\n"),
        ("/player.js", b"javascript", b"})();\n"),
    ],
)
async def test_pages_and_scripts(path: str, kind: bytes, end: bytes) -> None:
    """Every path is a page, and a page of the web's has the player in it."""
    async with running([]) as server:
        answer = await get(server, path)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"Content-Type: text/" + kind in answer
    assert answer.count(b"Content-Type") == 1
    assert answer.endswith(end)


async def test_the_socket_needs_the_secret() -> None:
    """Another path with the same headers is a page."""
    async with running([]) as server:
        with pytest.raises(InvalidStatus, match="HTTP 200"):
            async with connect(f"ws://127.0.0.1:{server.port}/guess"):
                pass  # pragma: no cover


async def test_messages_both_ways_until_the_player_goes() -> None:
    """Texts arrive as bytes, however long, and are answered as texts."""
    received: list[bytes | str] = []
    async with running(received) as server:
        async with connect(address(server)) as client:
            for message in "one", "x" * 2_000_000:
                await client.send(message)
                assert await client.recv() == "seen"
        await trio.testing.wait_all_tasks_blocked(0.01)
    assert received == [b"one", b"x" * 2_000_000, "gone"]


async def test_a_connection_that_breaks_is_an_end() -> None:
    """A crashed page resets its connections."""
    received: list[bytes | str] = []
    async with running(received) as server, connect(address(server)) as client:
        await reset(client)
        with trio.fail_after(PATIENCE_SECONDS):
            while not received:
                await trio.lowlevel.checkpoint()
    assert received == ["gone"]


async def reset(client: ClientConnection) -> None:
    """Close with a linger time of zero, which sends a reset."""
    stream = client.stream
    assert isinstance(stream, trio.SocketStream)
    stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    await stream.aclose()


async def test_what_the_handler_raises_ends_the_server() -> None:
    """A player that reports nonsense is a fault, and not to be overlooked."""

    async def handle(socket: Socket) -> None:
        raise ValueError(await socket.receive())

    server = Server(handle)
    with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="nonsense"), flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run)
            async with connect(address(server)) as client:
                await client.send("nonsense")
                await trio.sleep_forever()
