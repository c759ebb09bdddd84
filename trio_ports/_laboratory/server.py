"""The laboratory's web server, on loopback: pages for the tabs, and a WebSocket for every player.

Every path is a page, so that each tab and frame can have an address of its own, by which its players are known. The
address of the WebSocket holds a secret, so that no other program of this machine can take part.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import attrs
import trio
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.trio.server import ServerConnection, serve

PLAYER: Final = Path(__file__).with_name("extension") / "player.js"
PLAIN_PAGE: Final = "<!doctype html><meta charset=utf-8><title>page</title><body>\n"
WEB_PAGE: Final = PLAIN_PAGE + "<script src=/settings.js></script><script src=/player.js></script>\n"


@final
@attrs.frozen
class Socket:
    """One player's WebSocket."""

    _connection: ServerConnection

    async def send(self, data: bytes) -> None:
        """Send one text message; BrokenResourceError means that the player has gone."""
        try:
            # A frame that was begun has to be finished: half of one would spoil all that follow.
            with trio.CancelScope(shield=True):
                await self._connection.send(data, text=True)
        except ConnectionClosed as error:
            raise trio.BrokenResourceError from error

    async def receive(self) -> bytes | None:
        """Wait for a message; None means that the player has gone."""
        try:
            return await self._connection.recv(decode=False)
        except ConnectionClosed:
            return None


@final
@attrs.define(eq=False)
class Server:
    """Serves pages and sockets from :meth:`run` until that is cancelled."""

    _handler: Callable[[Socket], Awaitable[None]]
    _secret: str = attrs.field(factory=lambda: secrets.token_urlsafe(16), init=False)
    port: int = attrs.field(default=0, init=False)
    """The port it listens on, once :meth:`run` has started."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen on a free port of 127.0.0.1.

        Raises:
            Exception: what the handler raised.
        """
        async with trio.open_nursery() as nursery:
            # Both ends are on this machine and of this project, so that nothing is gained by compression, by pings, or
            # by a limit of what a player may report.
            start = partial(
                serve, host="127.0.0.1", compression=None, max_size=None, ping_interval=None, process_request=self._find
            )
            server = await nursery.start(start, partial(self._serve, nursery), 0)
            self.port = server.listeners[0].socket.getsockname()[1]
            task_status.started()

    @property
    def origin(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self.port}"

    def write_settings(self, extension: str, start: Sequence[Mapping[str, Any]] = ()) -> str:
        """Return the text of a player's ``settings.js``; ``start``: what its background does when it starts."""
        address = f"ws://127.0.0.1:{self.port}/{self._secret}"
        settings = {"socket": address, "extension": extension, "start": list(start)}
        return f'"use strict";\nvar LAB = {json.dumps(settings)};\n'

    async def _serve(self, nursery: trio.Nursery, connection: ServerConnection) -> None:
        async def fail(error: Exception) -> None:
            raise error

        try:
            await self._handler(Socket(connection))
        except Exception as error:  # noqa: BLE001 - websockets would log it and go on.
            nursery.start_soon(fail, error)

    def _find(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return what is at the path: two scripts, a socket, and pages everywhere else."""
        if request.path == f"/{self._secret}":
            return None
        kind, text = "html", WEB_PAGE if request.path.startswith("/web/") else PLAIN_PAGE
        if request.path == "/settings.js":
            kind, text = "javascript", self.write_settings("web")
        elif request.path == "/player.js":
            kind, text = "javascript", PLAYER.read_text(encoding="utf-8")
        response = connection.respond(200, text)
        del response.headers["Content-Type"]
        response.headers.update({"Content-Type": f"text/{kind}; charset=utf-8", "Cache-Control": "no-store"})
        return response
