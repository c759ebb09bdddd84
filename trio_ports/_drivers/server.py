"""The laboratory's own web server, on loopback: pages for the tabs, and a WebSocket for every player.

Every path is a page, so that each tab and frame can have an address of its own, by which its players are known. The
address of the WebSocket holds a secret, so that no other program of this machine can take part.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, final

import attrs
import trio

from .websocket import WebSocketMessages, accept_key, encode_message

PLAYER: Final = Path(__file__).with_name("extension") / "player.js"
MAX_HEAD_BYTES: Final = 65_536
PLAIN_PAGE: Final = b"<!doctype html><meta charset=utf-8><title>page</title><body>\n"
WEB_PAGE: Final = PLAIN_PAGE + b"<script src=/settings.js></script><script src=/player.js></script>\n"


@final
class Socket:
    """One player's WebSocket."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._messages = WebSocketMessages()
        self._sending = trio.Lock()

    async def send(self, data: bytes) -> None:
        """Send one text message.

        Raises:
            trio.BrokenResourceError: the player has gone.
        """
        await self._send_all(encode_message(data))

    async def receive(self) -> list[bytes]:
        """Wait for messages; none means that the player has gone."""
        while True:
            try:
                data = await self._stream.receive_some()
            except trio.BrokenResourceError:
                return []
            messages = self._messages.receive_data(bytes(data))
            if messages or not data or self._messages.closed:
                return messages
            if self._messages.answers:
                answers = bytes(self._messages.answers)
                self._messages.answers.clear()
                await self._send_all(answers)

    async def _send_all(self, data: bytes) -> None:
        # A frame that was begun has to be finished: half of one would spoil all that follow.
        async with self._sending:
            with trio.CancelScope(shield=True):
                await self._stream.send_all(data)


@final
@attrs.define(eq=False)
class Server:
    """Serves pages and sockets from :meth:`run` until that is cancelled."""

    _handler: Callable[[Socket], Awaitable[None]]
    _secret: str = attrs.field(factory=lambda: secrets.token_urlsafe(16), init=False)
    port: int = attrs.field(default=0, init=False)
    """The port it listens on, once :meth:`run` has started."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen on a free port of 127.0.0.1."""
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._serve, [listener])

    @property
    def origin(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self.port}"

    def write_settings(self, extension: str) -> str:
        """Return the text of a player's ``settings.js``."""
        address = f"ws://127.0.0.1:{self.port}/{self._secret}"
        return f'"use strict";\nvar LAB = {{ socket: "{address}", extension: "{extension}" }};\n'

    async def _serve(self, stream: trio.SocketStream) -> None:
        stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
        while (request := await receive_request(stream)) is not None:
            path, headers = request
            if path == f"/{self._secret}" and "sec-websocket-key" in headers:
                key = accept_key(headers["sec-websocket-key"])
                await stream.send_all(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: %b\r\n\r\n" % key.encode()
                )
                await self._handler(Socket(stream))
                return
            kind, body = self._find(path)
            await stream.send_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: %b; charset=utf-8\r\nCache-Control: no-store\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (kind, len(body), body)
            )

    def _find(self, path: str) -> tuple[bytes, bytes]:
        """Return type and content of what is at the path: two scripts, and pages everywhere else."""
        if path == "/settings.js":
            return b"text/javascript", self.write_settings("web").encode()
        if path == "/player.js":
            return b"text/javascript", PLAYER.read_bytes()
        return b"text/html", WEB_PAGE if path.startswith("/web/") else PLAIN_PAGE


async def receive_request(stream: trio.SocketStream) -> tuple[str, Mapping[str, str]] | None:
    """Return path and headers of the next request; None if there is none. The player's browser sends no bodies."""
    head = bytearray()
    while b"\r\n\r\n" not in head:
        try:
            data = await stream.receive_some()
        except trio.BrokenResourceError:
            return None
        if not data or len(head) > MAX_HEAD_BYTES:
            return None
        head += data
    first, *lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return first.split(" ")[1], {name.strip().lower(): value.strip() for name, _, value in pairs}
