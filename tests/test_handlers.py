"""A client that leaves ends its own handler and nobody else's, whoever serves and whatever it does (rule 43)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeAlias, final

import pytest
import trio
from bus.sharing import share
from leaving import CONVERSATION, ENDS, WAYS, Connection, ask, talk_and_leave
from native_support import FIREFOX_ID, PACKAGES, encode
from support import PATIENCE_SECONDS, ScriptedError, settle
from trio.testing import memory_stream_pair

import trio_ports
from trio_ports import Port, open_stream_port
from trio_ports._native.running.greetings import GOODBYE, encode_handshake
from trio_ports.native import open_native_listener

Serve: TypeAlias = Callable[[Port], Awaitable[None]]
Connect: TypeAlias = Callable[[bool], Connection]
"""Open a client's port; True for the client that leaves."""


@final
class Gate:
    """What a handler waits for in the middle of its work, until the client has left."""

    def __init__(self) -> None:
        self._permits = trio.Semaphore(0)
        self._open = trio.Event()

    def let_one(self) -> None:
        self._permits.release()

    def open(self) -> None:
        self._open.set()
        for _ in range(10):
            self._permits.release()

    async def wait(self) -> None:
        if self._open.is_set():
            await trio.lowlevel.checkpoint()
        else:
            await self._permits.acquire()


# Who serves ---------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def in_browser(serve: Serve, *, dialect: Any = "trio", listens: bool = False) -> AsyncGenerator[Connect]:
    """``runtime.serve``, or an async listener of connections. The client is the script of a tab."""
    async with trio.open_nursery() as nursery, trio_ports.open_browser(dialect=dialect) as browser:
        extension = browser.install("notes@example.org")
        runtime = extension.open_page().runtime
        if listens:
            runtime.on_connect.add_listener(serve)
        else:
            await nursery.start(runtime.serve, serve)

        @asynccontextmanager
        async def connect(leaves: bool) -> AsyncGenerator[tuple[Port, Callable[[], object]]]:
            tab = browser.open_tab("https://example.com/")
            async with extension.inject(tab).runtime.connect() as port:
                yield port, tab.close

        yield connect
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def on_a_bus(serve: Serve) -> AsyncGenerator[Connect]:
    """``runtime.serve`` in one process, and clients in two others, one of which may be killed."""
    async with share(3) as (network, (here, leaver, other)), trio.open_nursery() as nursery:
        await nursery.start(here.page.runtime.serve, serve)

        @asynccontextmanager
        async def connect(leaves: bool) -> AsyncGenerator[tuple[Port, Callable[[], object]]]:
            place = leaver if leaves else other
            async with place.page.runtime.connect() as port:
                await settle()
                yield port, partial(network.kill, place.name)

        yield connect
        nursery.cancel_scope.cancel()


@final
class RelayStream(trio.abc.HalfCloseableStream):
    """A relay's socket, as it is after the handshake: the goodbye comes before the end of file."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream

    async def send_all(self, data: Any) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._stream.send_all(GOODBYE)
        await self._stream.send_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return bytes(await self._stream.receive_some(max_bytes))

    async def aclose(self) -> None:
        await self._stream.aclose()


@asynccontextmanager
async def natively(serve: Serve, *, by_trio: bool = False) -> AsyncGenerator[Connect]:
    """An application that runs already, with its own ``serve`` or with Trio's."""

    async def serve_in_block(port: Port) -> None:
        async with port:
            await serve(port)

    with tempfile.TemporaryDirectory(prefix="ports-", dir="/tmp") as folder:
        async with open_native_listener("app", folder=folder) as listener, trio.open_nursery() as nursery:
            if by_trio:
                nursery.start_soon(trio.serve_listeners, serve_in_block, [listener])
            else:
                await nursery.start(listener.serve, serve)

            @asynccontextmanager
            async def connect(leaves: bool) -> AsyncGenerator[tuple[Port, Callable[[], object]]]:
                stream = await trio.open_unix_socket(listener.address)
                await stream.send_all(encode_handshake(["/app.json", FIREFOX_ID]))
                async with open_stream_port(RelayStream(stream)) as port:
                    yield port, stream.socket.close

            yield connect
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def over_streams(serve: Serve) -> AsyncGenerator[Connect]:
    """A task with the block of ``open_stream_port`` for each stream, as a server of one's own has."""

    async def run(stream: trio.abc.Stream) -> None:
        async with open_stream_port(stream) as port:
            await serve(port)

    async with trio.open_nursery() as nursery:

        @asynccontextmanager
        async def connect(leaves: bool) -> AsyncGenerator[tuple[Port, Callable[[], object]]]:
            left, right = memory_stream_pair()
            nursery.start_soon(run, right)

            def break_off() -> None:
                left.send_stream.close()
                left.receive_stream.close()

            async with open_stream_port(left) as port:
                yield port, break_off

        yield connect
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def in_pairs(serve: Serve) -> AsyncGenerator[Connect]:
    """A task with the block of the receiving end of a pair. Its transport is the nursery of both ends."""

    async def run(port: Port) -> None:
        async with port:
            await serve(port)

    async with trio.open_nursery() as nursery:

        @asynccontextmanager
        async def connect(leaves: bool) -> AsyncGenerator[tuple[Port, Callable[[], object]]]:
            opener, receiver = trio_ports.open_port_pair(nursery)
            nursery.start_soon(run, receiver)
            async with opener:
                yield opener, opener.disconnect

        yield connect
        nursery.cancel_scope.cancel()


SERVERS: dict[str, Callable[[Serve], AbstractAsyncContextManager[Connect]]] = {
    "serve": in_browser,
    "serve, firefox": partial(in_browser, dialect="firefox"),
    "serve, chrome": partial(in_browser, dialect="chrome"),
    "on_connect": partial(in_browser, listens=True),
    "bus": on_a_bus,
    "native listener": natively,
    "trio.serve_listeners": partial(natively, by_trio=True),
    "streams": over_streams,
    "pairs": in_pairs,
}

# What a handler does ------------------------------------------------------------------------------------------------

Handle: TypeAlias = Callable[[Port, Gate], Awaitable[None]]


async def echo(port: Port, gate: Gate) -> None:
    """Answer in the loop."""
    async for message in port:
        await port.send(message)


async def post_late(port: Port, gate: Gate) -> None:
    """Work for a while, and then post."""
    async for message in port:
        await gate.wait()
        port.post_message(message)


async def receive_first(port: Port, gate: Gate) -> None:
    """Answer one message, which must come, and hang up."""
    message = await port.receive()
    await gate.wait()
    await port.send(message)
    port.disconnect()


async def push(port: Port, gate: Gate) -> None:
    """Send without being asked, for ever."""
    while True:
        await port.send("tick")
        await gate.wait()


async def start_tasks(port: Port, gate: Gate) -> None:
    """Have a task for each message."""

    async def answer(message: Any) -> None:
        await gate.wait()
        await port.send(message)

    async with trio.open_nursery() as nursery:
        async for message in port:
            nursery.start_soon(answer, message)


async def listen(port: Port, gate: Gate) -> None:
    """Have an async listener of messages."""

    async def answer(message: Any, port: Port) -> None:
        await gate.wait()
        await port.send(message)

    port.on_message.add_listener(answer)
    await port.wait_disconnected()


async def inform(port: Port, gate: Gate) -> None:
    """Have listeners of the end that send to a port which is over, in time and late."""

    async def inform_late(port: Port) -> None:
        await port.send("too late")

    port.on_disconnect.add_listener(lambda port: port.post_message("too late"))
    port.on_disconnect.add_listener(inform_late)
    await echo(port, gate)


HANDLERS: dict[str, Handle] = {
    each.__name__: each for each in (echo, post_late, receive_first, push, start_tasks, listen, inform)
}

# The client that leaves, and the others ------------------------------------------------------------------------------


@final
class Server:
    """Gives the first client an echo, the second one the handler of the test, and all others an echo again."""

    def __init__(self, handle: Handle) -> None:
        self.gate = Gate()
        self.ports: list[Port] = []
        self.ended = trio.Event()
        """The handler of the second client has ended."""
        self._handle = handle

    async def serve(self, port: Port) -> None:
        self.ports.append(port)
        if len(self.ports) != 2:
            await echo(port, self.gate)
            return
        try:
            await self._handle(port, self.gate)
        finally:
            self.ended.set()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        with trio.fail_after(PATIENCE_SECONDS):
            while not condition():
                await settle()

    async def wait_left(self) -> None:
        """Wait until the second client's port knows that the client has gone, and let its handler go on."""
        await self.wait_until(lambda: len(self.ports) > 1 and self.ports[1].statistics().state != "open")
        self.gate.open()
        await self.wait_until(self.ended.is_set)
        await settle()


async def leave(server: Server, connect: Connect, steps: int, way: str) -> None:
    """Be the client whose handler is under test."""

    async def wait_served() -> None:
        await server.wait_until(lambda: len(server.ports) > 1)

    allow = server.gate.let_one
    await talk_and_leave(connect(True), steps, way, before_receiving=allow, before_breaking=wait_served)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that is still at work when its client has left gets no time to answer."""
    monkeypatch.setattr("trio_ports._native.running.listener.GRACE_SECONDS", 0.01)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("handle", HANDLERS.values(), ids=HANDLERS)
@pytest.mark.parametrize("open_server", SERVERS.values(), ids=SERVERS)
async def test_a_client_that_leaves(open_server: Any, handle: Handle, way: str, impatient: None) -> None:
    """At whatever point it leaves, another conversation goes on, and a new client is served."""
    for steps in range(len(CONVERSATION) + 1):
        server = Server(handle)
        async with open_server(server.serve) as connect, trio.open_nursery() as nursery:
            async with connect(False) as (other, _):
                await ask(other, "before", "before")
                nursery.start_soon(leave, server, connect, steps, way)
                await server.wait_left()
                await ask(other, "after", "after")
            async with connect(False) as (new, _):
                await ask(new, "new", "new")


async def fail(port: Port, gate: Gate) -> None:
    """Fail after the client has left."""
    await port.wait_disconnected()
    raise ScriptedError


async def fail_beside_its_end(port: Port, gate: Gate) -> None:
    """Fail in two tasks, one of which only meets the end of the port."""
    await port.wait_disconnected()
    with pytest.raises(ENDS) as end:
        port.post_message("too late")
    raise ExceptionGroup("two tasks", [end.value, ScriptedError()])


async def fail_by_another_port(port: Port, gate: Gate) -> None:
    """Use another port that is over."""
    await port.wait_disconnected()
    async with trio.open_nursery() as nursery:
        other, _ = trio_ports.open_port_pair(nursery)
        other.disconnect()
        other.post_message("too late")


def leaves_of(error: BaseException) -> list[type[BaseException]]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves_of(each)]
    return [type(error)]


@pytest.mark.parametrize(
    ("handle", "expected"),
    [
        (fail, ScriptedError),
        (fail_beside_its_end, ScriptedError),
        (fail_by_another_port, trio.ClosedResourceError),
    ],
)
@pytest.mark.parametrize("open_server", SERVERS.values(), ids=SERVERS)
async def test_a_handler_that_fails(open_server: Any, handle: Handle, expected: type[Exception]) -> None:
    """What it raises besides the end of its own port leaves, and nothing but that."""
    server = Server(handle)
    with pytest.raises(ExceptionGroup) as caught:
        async with (
            open_server(server.serve) as connect,
            trio.open_nursery() as nursery,
            connect(False) as (other, _),
        ):
            await ask(other, "before", "before")
            nursery.start_soon(leave, server, connect, 1, "disconnects")
            await trio.sleep_forever()
    assert leaves_of(caught.value) == [expected]


# A program that a browser starts: its only client is the browser ----------------------------------------------------

PROGRAM = """
import trio
from trio_ports.native import open_native_port
async def main():
    async with open_native_port() as port:
        {}
trio.run(main)
"""
BODIES = {
    "echo": "async for message in port: await port.send(message)",
    "post late": "message = await port.receive(); await port.wait_disconnected(); port.post_message(message)",
    "receive first": "await port.send(await port.receive()); await port.receive()",
    "push": "while True: await port.send('tick')",
    "listen": """
        async def answer(message, port):
            await port.wait_disconnected()
            await port.send(message)
        async with trio.open_nursery() as nursery:
            port.on_message.add_listener(lambda message, port: nursery.start_soon(answer, message, port))
            await port.wait_disconnected()""",
}


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe is closed at one end")
@pytest.mark.parametrize(("messages", "reads"), [(0, True), (1, True), (1, False)])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_an_application_whose_browser_leaves(body: str, messages: int, reads: bool) -> None:
    """It exits with status 0 and says nothing, whether or not the browser still reads."""
    reading, writing = os.pipe()
    command = [sys.executable, "-c", PROGRAM.format(body)]
    environment = {**os.environ, "PYTHONPATH": PACKAGES, "PYTHONWARNINGS": "error"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=writing, stderr=pipe, env=environment) as application:
        os.close(writing)
        assert application.stdin is not None
        assert application.stderr is not None
        with os.fdopen(reading, "rb") as output:
            if not reads:
                output.close()
            with suppress(BrokenPipeError):
                application.stdin.write(encode("hello") * messages)
                application.stdin.close()
            if reads:
                output.read()
        assert application.stderr.read() == b""
        assert application.wait(PATIENCE_SECONDS) == 0
