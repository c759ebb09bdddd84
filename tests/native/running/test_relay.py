"""The relay as a task, between pipes that the test holds: what is deterministic."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import socket
import struct
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from native_support import FIREFOX_ID, PACKAGES, encode, open_descriptors
from support import Witness, cancel_everywhere, settle
from trio.testing import lockstep_stream_pair

from trio_ports import ApplicationNameError, Cause, Port
from trio_ports._native.running import relay as module
from trio_ports._native.running.greetings import GOODBYE, receive_handshake
from trio_ports._native.running.relay import (
    LEAVE_SECONDS,
    LOST,
    UNAVAILABLE,
    Conversation,
    connect,
    relay,
    relay_descriptors,
)
from trio_ports.native import open_native_listener

FIREFOX = ("/somewhere/app.json", FIREFOX_ID)
BIG = "x" * (2**20 - 2)
linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")


@pytest.fixture
def folder(private_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the socket and the manifest are; child processes find the package."""
    monkeypatch.setenv("PYTHONPATH", PACKAGES)
    return private_folder


class Browser:
    """The browser's ends of a relay's pipes, by hand."""

    def __init__(self, folder: Path, pair: Any = os.pipe) -> None:
        self._folder = folder
        self._incoming, to_relay = pair()
        from_relay, self._outgoing = pair()
        self.input = trio.lowlevel.FdStream(to_relay)
        self.output = trio.lowlevel.FdStream(from_relay)
        self.status: int | None = None
        self.ended = trio.Event()

    async def run(self) -> None:
        """Be the relay."""
        try:
            self.status = await relay_descriptors(self._incoming, self._outgoing, "app", FIREFOX, folder=self._folder)
        finally:
            os.close(self._incoming)
            os.close(self._outgoing)
            self.ended.set()

    async def send(self, *messages: Any) -> None:
        await self.input.send_all(b"".join(map(encode, messages)))

    async def receive(self) -> Any:
        (size,) = struct.unpack("=I", await self.take(4))
        return json.loads(await self.take(size))

    async def take(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = await self.output.receive_some(size - len(data))
            assert piece
            data += piece
        return data

    async def rest(self) -> bytes:
        data = b""
        while piece := await self.output.receive_some():
            data += piece
        return data

    async def leave(self) -> None:
        """Leave as Chromium does."""
        await self.output.aclose()
        await self.input.aclose()


@asynccontextmanager
async def open_browser(folder: Path, **options: Any) -> AsyncGenerator[Browser]:
    browser = Browser(folder, **options)
    async with trio.open_nursery() as nursery, browser.input, browser.output:
        nursery.start_soon(browser.run)
        yield browser
        await browser.leave()


@asynccontextmanager
async def open_ends(folder: Path, **options: Any) -> AsyncGenerator[tuple[Browser, Port]]:
    """A browser by hand, and the port that it reaches."""
    async with (
        open_native_listener("app", folder=folder, **options) as listener,
        open_browser(folder) as browser,
    ):
        yield browser, await listener.accept()


async def test_bytes_pass_unchanged(folder: Path) -> None:
    """Both ways, however large; the browser's arguments come first."""
    async with open_ends(folder) as (browser, port):
        assert port.sender is not None
        assert port.sender.id == FIREFOX_ID
        port.on_message.add_listener(lambda message, port: port.post_message(message))
        for message in (None, "ä\ud800", [1.5, {}], BIG):
            await browser.send(message)
            assert await browser.receive() == message


async def test_the_end_of_the_browsers_bytes_is_an_orderly_end(folder: Path) -> None:
    """What came before is delivered, what is answered comes back, and the relay ends with 0."""
    async with open_ends(folder) as (browser, port):
        witness = Witness(port)
        port.on_message.add_listener(lambda message, port: port.post_message(message))
        await browser.send(1, 2)
        await browser.input.aclose()
        assert await browser.rest() == encode(1) + encode(2)
        await browser.ended.wait()
        assert (browser.status, witness.seen, port.error) == (0, [1, 2, "end"], None)


async def test_the_end_of_the_port_is_an_orderly_end(folder: Path) -> None:
    """What was posted arrives, the goodbye does not, and the relay ends with 0."""
    async with open_ends(folder) as (browser, port):
        await browser.send("never read")
        port.post_message("last")
        port.disconnect()
        assert await browser.rest() == encode("last")
        await browser.ended.wait()
        assert browser.status == 0


async def test_chromium_closes_both(folder: Path) -> None:
    """The application hears an orderly end, whatever it still posts."""
    async with open_ends(folder) as (browser, port):
        await browser.send(1)
        await browser.leave()
        for _ in range(10):
            port.post_message("x" * 1000)
        assert await port.receive() == 1
        with pytest.raises(trio.EndOfChannel):
            await port.receive()
        await browser.ended.wait()
        assert browser.status == 0


async def test_a_browser_that_does_not_read_any_more_is_leaving(folder: Path, autojump_clock: object) -> None:
    """What it says in the time it has left arrives."""
    async with open_ends(folder) as (browser, port):
        await browser.output.aclose()
        for message in ("nobody reads this", "nor this"):
            port.post_message(message)
            await settle()
        await browser.send(1)
        assert await port.receive() == 1
        begun = trio.current_time()
        await browser.ended.wait()
        assert browser.status == 0
        assert trio.current_time() - begun <= LEAVE_SECONDS
        await port.wait_disconnected()
        assert port.error is None


async def test_an_application_that_crashes_is_lost(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it had posted arrives; then there is a line on standard error, and a status of its own."""
    async with open_ends(folder) as (browser, port):
        with pytest.raises(ZeroDivisionError):
            async with port:
                port.post_message("last")
                raise ZeroDivisionError
        assert await browser.rest() == encode("last")
        await browser.ended.wait()
        assert browser.status == LOST
    assert capsys.readouterr().err == (
        "trio-ports relay: app was lost: it failed in the middle of the conversation, or was ended.\n"
    )


async def test_an_application_that_goes_while_the_browser_talks(folder: Path) -> None:
    """Writing to it fails, and what it said last still arrives."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder / "app.socket"))
        sock.listen()
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        async with open_browser(folder) as browser:
            stream = await listener.accept()
            assert await receive_handshake(stream) == list(FIREFOX)
            await stream.send_all(encode("last"))
            async with trio.open_nursery() as nursery:

                async def flood() -> None:
                    with pytest.raises(trio.BrokenResourceError):
                        while True:
                            await browser.send(BIG)

                nursery.start_soon(flood)
                await settle()
                await stream.aclose()
                assert await browser.rest() == encode("last")
            await browser.ended.wait()
            assert browser.status == LOST


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_signals_are_an_orderly_end(folder: Path, number: signal.Signals) -> None:
    """What the browser has said is delivered, and what is answered comes back."""
    async with open_ends(folder) as (browser, port):
        port.on_message.add_listener(lambda message, port: port.post_message(message))
        await browser.send(1)
        assert await browser.receive() == 1
        signal.raise_signal(number)
        assert await browser.rest() == b""
        await browser.ended.wait()
        assert browser.status == 128 + number
        await port.wait_disconnected()
        assert port.error is None


async def test_a_signal_while_the_application_does_not_read(folder: Path, autojump_clock: object) -> None:
    """The relay does not wait for ever: what could not be delivered is an error at the application."""
    async with open_ends(folder, max_buffer_size=1) as (browser, port):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood, browser)
            await settle()
            begun = trio.current_time()
            signal.raise_signal(signal.SIGTERM)
            await browser.ended.wait()
            assert trio.current_time() - begun == LEAVE_SECONDS
        assert browser.status == 128 + signal.SIGTERM
        with pytest.raises(trio.BrokenResourceError):
            async for message in port:
                assert message == BIG
        assert port.error is not None
        assert port.error.cause is Cause.TRUNCATED


async def test_ignored_signals_stay_ignored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the relay's parent has decided is left alone."""
    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with open_ends(folder) as (browser, port):
            signal.raise_signal(signal.SIGHUP)
            await browser.send(1)
            assert await port.receive() == 1
    finally:
        signal.signal(signal.SIGHUP, handler)


async def flood(browser: Browser) -> None:
    with pytest.raises(trio.BrokenResourceError):
        while True:
            await browser.send(BIG)


async def test_a_signal_while_the_application_is_slow() -> None:
    """What was read already is written before the goodbye; nothing more is read."""
    here, there = lockstep_stream_pair()

    class Source:
        pieces = 0

        async def receive_some(self) -> bytes:
            self.pieces += 1
            return encode(self.pieces)

    source: Any = Source()
    conversation = Conversation(here, source, source)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(conversation.run, b"handshake")
        assert await there.receive_some() == b"handshake"
        await settle()
        conversation.stop()
        data = b""
        while piece := await there.receive_some():
            data += piece
        assert data == encode(1) + GOODBYE
        await there.aclose()
    assert source.pieces == 1


@linux
@pytest.mark.parametrize("pair", ["pipes", "sockets"])
async def test_a_browser_that_leaves_behind_unread_messages(folder: Path, autojump_clock: object, pair: str) -> None:
    """Its end is noticed although nobody takes what is before it; the relay is gone before a browser kills it."""

    def sockets() -> tuple[int, int]:
        left, right = socket.socketpair()
        return left.detach(), right.detach()

    async with (
        open_native_listener("app", folder=folder, max_buffer_size=1) as listener,
        open_browser(folder, pair=os.pipe if pair == "pipes" else sockets) as browser,
    ):
        port = await listener.accept()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood, browser)
            await settle()
            nursery.cancel_scope.cancel()
        begun = trio.current_time()
        await browser.input.aclose()
        await browser.ended.wait()
        assert trio.current_time() - begun == LEAVE_SECONDS
        assert browser.status == 0
        port.disconnect()


async def test_memory_stays_flat_when_the_application_stops_reading(folder: Path) -> None:
    """The browser is held back after what the pipe, the socket and the relay's one piece take; then all arrives."""
    async with open_ends(folder, max_buffer_size=2) as (browser, port), trio.open_nursery() as nursery:
        sent = 0

        async def flood() -> None:
            nonlocal sent
            for number in range(2000):
                await browser.send([number, "x" * 10_000])
                sent += 1

        nursery.start_soon(flood)
        await settle()
        assert 2 < sent < 200
        for number in range(2000):
            assert (await port.receive())[0] == number


async def test_memory_stays_flat_when_the_browser_stops_reading(folder: Path) -> None:
    """The application is held back likewise."""
    async with open_ends(folder, max_buffer_size=2) as (browser, port), trio.open_nursery() as nursery:
        sent = 0

        async def flood() -> None:
            nonlocal sent
            for number in range(2000):
                await port.send([number, "x" * 10_000])
                sent += 1

        nursery.start_soon(flood)
        await settle()
        assert 2 < sent < 200
        for number in range(2000):
            assert (await browser.receive())[0] == number


async def test_elsewhere_the_end_of_file_alone_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not tell of closed pipes, everything but that works."""
    monkeypatch.setattr(module.sys, "platform", "darwin")
    async with open_ends(folder) as (browser, port):
        await browser.send(1)
        assert await port.receive() == 1
        await browser.input.aclose()
        await browser.ended.wait()
        assert browser.status == 0


async def test_files_in_the_place_of_pipes(folder: Path) -> None:
    """A relay whose input is a file says what is in it."""
    (folder / "input").write_bytes(encode(1))
    with (folder / "input").open("rb") as incoming, (folder / "output").open("wb") as outgoing:
        async with open_native_listener("app", folder=folder) as listener, trio.open_nursery() as nursery:

            async def answer() -> None:
                async with await listener.accept() as port:
                    await port.send([await port.receive()])

            nursery.start_soon(answer)
            status = await relay_descriptors(incoming.fileno(), outgoing.fileno(), "app", FIREFOX, folder=folder)
    assert status == 0
    assert (folder / "output").read_bytes() == encode([1])


async def test_nobody_listens(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line says what to do about it, and the status is one of its own."""
    async with open_browser(folder) as browser:
        await browser.ended.wait()
        assert browser.status == UNAVAILABLE
    assert capsys.readouterr().err == (
        "trio-ports relay: app is not running, or does not listen for browsers: start it, then connect again.\n"
    )


async def test_who_is_not_connected_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a socket that a killed application left, nor one in a folder of others, nor another user's program."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder / "app.socket"))
        assert await connect("app", folder) is None
        sock.listen()
        stream = await connect("app", folder)
        assert stream is not None
        await stream.aclose()
        os.chmod(folder, 0o755)  # noqa: PTH101
        assert await connect("app", folder) is None
        os.chmod(folder, 0o700)  # noqa: PTH101
        monkeypatch.setattr(module, "is_own_peer", lambda _: False)
        assert await connect("app", folder) is None


def crowd(folder: Path) -> contextlib.ExitStack:
    """Let so many wait for the application that the system refuses another."""
    waiting = contextlib.ExitStack()
    with contextlib.suppress(BlockingIOError):
        while True:
            sock = waiting.enter_context(socket.socket(socket.AF_UNIX))
            sock.setblocking(False)
            sock.connect(str(folder / "app.socket"))
    return waiting


@linux
async def test_too_many_wait_already(folder: Path, autojump_clock: object, capsys: pytest.CaptureFixture[str]) -> None:
    """It tries for some seconds, and then says what the matter is; it gets through as soon as there is room."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder / "app.socket"))
        sock.listen(0)
        with crowd(folder):
            async with open_browser(folder) as browser:
                await browser.ended.wait()
            assert browser.status == UNAVAILABLE
            assert "too many browsers wait for it already" in capsys.readouterr().err
            assert trio.current_time() >= 5
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def accept() -> None:
                    await trio.sleep(3)
                    sock.accept()[0].close()

                stream = await connect("app", folder)
                assert stream is not None
                await stream.aclose()


async def test_an_application_that_starts_a_little_later(folder: Path, autojump_clock: object) -> None:
    """The relay waits for it as long as it was told to."""
    start = trio.current_time()
    assert await connect("app", folder, wait_seconds=2) is None
    assert 2 <= trio.current_time() - start < 3
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def wait() -> None:
            stream = await connect("app", folder, wait_seconds=10)
            assert stream is not None
            await stream.aclose()
            nursery.cancel_scope.cancel()

        await trio.sleep(5)
        async with open_native_listener("app", folder=folder):
            await trio.sleep_forever()


@linux
async def test_a_browser_that_leaves_does_not_wait_for_the_application(folder: Path, autojump_clock: object) -> None:
    """Nobody would talk to it."""
    reading, writing = os.pipe()
    os.close(writing)
    with module._watched(reading, reading) as watch:
        assert await connect("app", folder, wait_seconds=math.inf, watch=watch) is None
    os.close(reading)


async def test_a_place_that_belongs_to_somebody_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second line says so: whoever reads it knows why the application is not found."""
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    async with open_browser(folder) as browser:
        await browser.ended.wait()
    assert browser.status == UNAVAILABLE
    assert f"{folder} must be a folder of your own" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"application": "no-name"}, ApplicationNameError),
        ({"folder": 1}, TypeError),
        ({"wait_seconds": "long"}, TypeError),
        ({"wait_seconds": -1}, ValueError),
        ({"wait_seconds": math.nan}, ValueError),
    ],
)
async def test_a_mistake_raises_at_the_call(arguments: Any, error: Any) -> None:
    """Standard input and output are left alone."""
    with pytest.raises(error):
        await relay(**{"application": "app", **arguments})


async def test_a_relay_without_standard_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nobody to tell, and that is no error."""
    monkeypatch.setattr(sys, "stderr", None)
    async with open_browser(folder) as browser:
        await browser.ended.wait()
        assert browser.status == UNAVAILABLE


async def test_nothing_is_left_open(folder: Path) -> None:
    """No descriptor, however the conversation ended."""
    before = open_descriptors()
    async with open_ends(folder) as (browser, port):
        await browser.input.aclose()
        await browser.ended.wait()
    async with open_ends(folder) as (browser, port):
        port.disconnect()
        await browser.ended.wait()
    assert open_descriptors() <= before


def test_a_relay_that_is_cancelled_anywhere_leaves_nothing(folder: Path) -> None:
    """Wherever it is cancelled, no descriptor stays open, and the application goes on."""

    async def converse(scope: trio.CancelScope) -> None:
        before = open_descriptors()
        async with open_native_listener("app", folder=folder) as listener, trio.open_nursery() as nursery:
            browser = Browser(folder)

            async def serve() -> None:
                async for port in listener:
                    port.on_message.add_listener(lambda message, port: port.post_message(message))
                    await port.wait_disconnected()

            async def talk() -> None:
                async with browser.input, browser.output:
                    with contextlib.suppress(trio.BrokenResourceError):
                        await browser.send(1)
                    await browser.input.aclose()
                    await browser.rest()

            nursery.start_soon(serve)
            nursery.start_soon(talk)
            with scope:
                await browser.run()
                assert browser.status == 0
            nursery.cancel_scope.cancel()
        assert open_descriptors() <= before

    assert cancel_everywhere(converse) > 20


async def test_a_relay_on_windows_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, before it touches anything."""
    monkeypatch.setattr("trio_ports._native.running.addresses._WINDOWS", True)
    with pytest.raises(NotImplementedError):
        await relay("app", arguments=FIREFOX)
