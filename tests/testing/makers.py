"""Every way that the project has to make connected ports, for the kit to check."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio
from support import PATIENCE_SECONDS
from trio.testing import lockstep_stream_pair, memory_stream_pair, wait_all_tasks_blocked

import trio_ports
from trio_ports import MessageSender, Port
from trio_ports._native.running.greetings import encode_handshake
from trio_ports._native.running.relay import Conversation, connect
from trio_ports._transports.stdio import DescriptorSink, DescriptorSource, Waiting, prepared
from trio_ports._transports.streams import open_stream_port
from trio_ports.bus import MemoryNetwork, open_zenoh_bus
from trio_ports.native import connect_native, install, open_native_listener
from trio_ports.testing import trickling

SENDER = MessageSender(id="notes@example.org")
Ends = tuple[Any, ...]


@asynccontextmanager
async def open_pair(**options: Any) -> AsyncGenerator[Ends]:
    """Two tasks, and nothing else."""
    async with trio.open_nursery() as nursery:
        yield trio_ports.open_port_pair(nursery, "pair", SENDER, **{"listener_errors": "log", **options})
        nursery.cancel_scope.cancel()


def open_with_nursery(nursery: trio.Nursery) -> Ends:
    """The same, for who has a nursery."""
    return trio_ports.open_port_pair(nursery, sender=SENDER, listener_errors="log")


@asynccontextmanager
async def open_in_browser(receivers: int = 1, **options: Any) -> AsyncGenerator[Ends]:
    """A content script, connected to the background and as many other pages as are asked for."""
    async with trio_ports.open_browser(**{"listener_errors": "log", **options}) as browser:
        extension = browser.install("notes@example.org")
        ports: list[Port] = []
        for number in range(receivers):
            extension.open_page(f"page{number}.html").runtime.on_connect.add_listener(ports.append)
        opener = extension.inject(browser.open_tab("https://example.org/")).runtime.connect(name="p")
        await wait_all_tasks_blocked()
        yield (opener, *ports)


@asynccontextmanager
async def over_streams(left: trio.abc.Stream, right: trio.abc.Stream, **options: Any) -> AsyncGenerator[Ends]:
    """A port over each of two streams that are connected."""
    async with AsyncExitStack() as stack:
        options = {"listener_errors": "log", **options}
        opener = await stack.enter_async_context(open_stream_port(left, "stream", **options))
        receiver = await stack.enter_async_context(open_stream_port(right, "stream", SENDER, **options))
        yield opener, receiver


def open_memory(**options: Any) -> Any:
    return over_streams(*memory_stream_pair(), **options)


def open_lockstep(**options: Any) -> Any:
    return over_streams(*lockstep_stream_pair(), **options)


def open_trickling(**options: Any) -> Any:
    return over_streams(*map(trickling, memory_stream_pair()), **options)


@asynccontextmanager
async def open_pipes(**options: Any) -> AsyncGenerator[Ends]:
    """Two pipes, one for each direction."""
    ends = []
    for _ in range(2):
        reading, writing = os.pipe()
        ends.append((trio.lowlevel.FdStream(reading), trio.lowlevel.FdStream(writing)))
    (left_in, right_out), (right_in, left_out) = ends
    left, right = trio.StapledStream(left_out, left_in), trio.StapledStream(right_out, right_in)
    async with over_streams(left, right, **options) as made:
        yield made


@asynccontextmanager
async def open_sockets(**options: Any) -> AsyncGenerator[Ends]:
    """A pair of Unix sockets."""
    left, right = trio.socket.socketpair()
    async with over_streams(trio.SocketStream(left), trio.SocketStream(right), **options) as made:
        yield made


RELAY = str(Path(__file__).with_name("relay.py"))


@asynccontextmanager
async def open_child(**options: Any) -> AsyncGenerator[Ends]:
    """A child process between the two: one port talks to its standard input and output, the other to its socket."""
    here, there = trio.socket.socketpair()
    process = await trio.lowlevel.open_process(
        [sys.executable, "-S", RELAY, str(there.fileno())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[there.fileno()],
    )
    there.close()
    assert process.stdio is not None
    try:
        async with over_streams(process.stdio, trio.SocketStream(here), **options) as made:
            yield made
    finally:
        with trio.CancelScope(shield=True):
            await process.wait()


@asynccontextmanager
async def open_relayed(**options: Any) -> AsyncGenerator[Ends]:
    """The relay between the two, started from a manifest: a browser's port, and that of an application that runs."""
    options = {"listener_errors": "log", **options}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-P", "-m", "trio_ports", "relay", "--folder", folder, "app"]
        install("app", command, allowed_extensions=["notes@example.org"], manifest_folders=[folder])
        async with (
            open_native_listener("app", folder=folder, **options) as listener,
            connect_native("app", extension_id="notes@example.org", manifest_folders=[folder], **options) as opener,
        ):
            yield opener, await listener.accept()


@asynccontextmanager
async def open_relayed_here(**options: Any) -> AsyncGenerator[Ends]:
    """The same without a process: the relay is a task, between two pipes and the application's socket."""
    options = {"listener_errors": "log", **options}
    (from_browser, to_relay), (from_relay, to_browser) = os.pipe(), os.pipe()
    left = trio.StapledStream(trio.lowlevel.FdStream(to_relay), trio.lowlevel.FdStream(from_relay))

    async def relay(folder: str) -> None:
        try:
            with prepared(from_browser, Waiting.POLL), prepared(to_browser, Waiting.POLL):
                stream = await connect("app", folder)
                assert stream is not None
                source, sink = DescriptorSource(from_browser, Waiting.POLL), DescriptorSink(to_browser, Waiting.POLL)
                await Conversation(stream, source, sink).run(encode_handshake(["/app.json", "notes@example.org"]))
        finally:
            os.close(from_browser)
            os.close(to_browser)

    with tempfile.TemporaryDirectory() as folder:
        async with trio.open_nursery() as nursery, open_native_listener("app", folder=folder, **options) as listener:
            nursery.start_soon(relay, folder)
            async with open_stream_port(left, "app", **options) as opener:
                yield opener, await listener.accept()


@asynccontextmanager
async def on_bus(one: Any, other: Any, **options: Any) -> AsyncGenerator[Ends]:
    """A content script in one browser, connected to the background page of another on the same bus."""
    options = {"listener_errors": "log", **options}
    async with one as here, other as there:
        await here.wait_peers()
        async with (
            trio_ports.open_browser(bus=here, **options) as near,
            trio_ports.open_browser(bus=there, **options) as far,
        ):
            heard: list[Port] = []
            arrived = trio.Event()

            def hear(port: Port) -> None:
                heard.append(port)
                arrived.set()

            far.install("notes@example.org").open_page().runtime.on_connect.add_listener(hear)
            script = near.install("notes@example.org").inject(near.open_tab("https://example.org/"))
            opener = script.runtime.connect(name="p")
            await arrived.wait()
            yield opener, *heard


def open_on_memory_bus(**options: Any) -> Any:
    network = MemoryNetwork()
    return on_bus(network.open_bus(), network.open_bus(), **options)


@asynccontextmanager
async def open_on_zenoh(**options: Any) -> AsyncGenerator[Ends]:
    with tempfile.TemporaryDirectory() as folder:
        address = f"unixsock-stream/{folder}/bus"
        join = partial(open_zenoh_bus, mode="peer", lease_seconds=PATIENCE_SECONDS)
        one, other = join(listen=[address]), join(connect=[address])
        async with on_bus(one, other, **options) as made:
            yield made
