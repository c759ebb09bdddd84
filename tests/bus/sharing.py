"""Browsers that share a network in memory, for the tests of the bus."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

import trio

import trio_ports
from trio_ports import Browser, Context, Extension, Port
from trio_ports.bus import Bus, MemoryNetwork

ID = "notes@example.org"
URL = "https://example.org/"


class Place(NamedTuple):
    """A browser on the bus, with an extension and its background page."""

    bus: Bus
    browser: Browser
    extension: Extension
    page: Context

    @property
    def name(self) -> str:
        return self.bus.name


@asynccontextmanager
async def share(
    count: int = 2, network: MemoryNetwork | None = None, **options: Any
) -> AsyncGenerator[tuple[MemoryNetwork, list[Place]]]:
    """Open some browsers on a bus, each with the same extension."""
    network = network or MemoryNetwork()
    async with AsyncExitStack() as stack:
        buses = [await stack.enter_async_context(network.open_bus(f"n{number}")) for number in range(count)]
        places: list[Place] = []
        for bus in buses:
            await bus.wait_peers(count - 1)
            browser = await stack.enter_async_context(trio_ports.open_browser(bus=bus, **options))
            extension = browser.install(ID)
            places.append(Place(bus, browser, extension, extension.open_page()))
        yield network, places


class Heard:
    """Hears connections in a context, and keeps what comes."""

    def __init__(self, context: Context, *, external: bool = False, listens: bool = True) -> None:
        self.ports: list[Port] = []
        self.messages: list[Any] = []
        self.ends: list[Any] = []
        self._listens = listens
        self._changed = trio.lowlevel.ParkingLot()
        runtime = context.runtime
        (runtime.on_connect_external if external else runtime.on_connect).add_listener(self.hear)

    @property
    def port(self) -> Port:
        """The last port that came."""
        return self.ports[-1]

    def hear(self, port: Port) -> None:
        self.ports.append(port)
        if self._listens:
            port.on_message.add_listener(self._take)
            port.on_disconnect.add_listener(self.end)

    def _take(self, message: Any, _port: Port) -> None:
        self.messages.append(message)
        self._changed.unpark_all()

    async def wait_for(self, message: Any) -> None:
        """Wait until a message has come."""
        while message not in self.messages:
            await self._changed.park()

    def end(self, port: Port) -> None:
        self.ends.append(None if port.error is None else port.error.cause)


def cause_of(port: Port) -> Any:
    return None if port.error is None else port.error.cause
