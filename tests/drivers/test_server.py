"""The laboratory's web server, with a client that is no browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
import trio.testing

from trio_ports._drivers.server import Server, Socket
from trio_ports._drivers.websocket import encode_message, unmask

KEY = b"\0\0\0\0"


def client_frame(data: bytes, opcode: int = 1) -> bytes:
    frame = bytearray(encode_message(data, opcode))
    frame[1] |= 0x80
    return bytes(frame[:2]) + KEY + unmask(data, KEY)


async def receive_until(stream: trio.SocketStream, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        data = await stream.receive_some()
        assert data
        received += data
    return received


@asynccontextmanager
async def running(received: list[bytes]) -> AsyncIterator[Server]:
    """A server that collects what players say, and says "bye" when one has gone."""

    async def handle(socket: Socket) -> None:
        while messages := await socket.receive():
            received.extend(messages)
            await socket.send(b"seen")
        received.append(b"gone")

    async with trio.open_nursery() as nursery:
        server = Server(handle)
        await nursery.start(server.run)
        yield server
        nursery.cancel_scope.cancel()


async def upgrade(server: Server) -> trio.SocketStream:
    stream = await trio.open_tcp_stream("127.0.0.1", server.port)
    path = server.write_settings("a").partition(f":{server.port}")[2].partition('"')[0]
    await stream.send_all(f"GET {path} HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n".encode())
    assert b" 101 " in await receive_until(stream, b"\r\n\r\n")
    return stream


async def test_pages_and_scripts() -> None:
    """Every path is a page, one connection is enough, and a page of the web's has the player in it."""
    async with running([]) as server, await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        for path, end in ("/page/1", b"<body>\n"), ("/web/1", b"</script>\n"), ("/settings.js", b"};\n"):
            await stream.send_all(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert b"200 OK" in await receive_until(stream, end)
        await stream.send_all(b"GET /player.js HTTP/1.1\r\n\r\n")
        assert b"connectNative" in await receive_until(stream, b"})();\n")


async def test_the_socket_needs_the_secret() -> None:
    """Another path with the same headers is a page."""
    async with running([]) as server, await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        await stream.send_all(b"GET /guess HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n")
        assert b"200 OK" in await receive_until(stream, b"<body>\n")


@pytest.mark.parametrize("rest", [b"", b"x" * 70_000])
async def test_no_request(rest: bytes) -> None:
    """A client that leaves in the middle of a request, and one that never ends it, are left alone."""
    async with running([]) as server, await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        await stream.send_all(b"GET / HT" + rest)
        await stream.send_eof()
        with trio.fail_after(5), suppress(trio.BrokenResourceError):
            assert await stream.receive_some() == b""


async def test_a_ping_is_answered_and_a_close_ends() -> None:
    """Pings make no message."""
    received: list[bytes] = []
    async with running(received) as server, await upgrade(server) as stream:
        await stream.send_all(client_frame(b"hi", 9))
        assert await receive_until(stream, b"hi") == b"\x8a\x02hi"
        one = client_frame(b"one")
        await stream.send_all(one[:3])
        await trio.testing.wait_all_tasks_blocked(0.01)
        await stream.send_all(one[3:])
        assert await receive_until(stream, b"seen") == b"\x81\x04seen"
        await stream.send_all(client_frame(b"", 8))
        assert await stream.receive_some() == b""
    assert received == [b"one", b"gone"]


@pytest.mark.parametrize("greet", [True, False])
async def test_a_connection_that_breaks_is_an_end(greet: bool) -> None:
    """A crashed page resets its connections, upgraded or not."""
    received: list[bytes] = []
    async with running(received) as server:
        stream = await upgrade(server) if greet else await trio.open_tcp_stream("127.0.0.1", server.port)
        # Closing with a linger time of zero sends a reset.
        stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await stream.aclose()
        with trio.fail_after(5):
            while greet and received != [b"gone"]:
                await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked(0.01)
