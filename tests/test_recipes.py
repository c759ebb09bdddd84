"""The recipes survive clients that leave at every point of a conversation, as they stand in the documentation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from leaving import ask, leave_everywhere
from native_support import FIREFOX_ID, PACKAGES, encode
from support import PATIENCE_SECONDS, each_dialect, settle
from trio.testing import MockClock
from websockets.trio.client import connect as connect_websocket
from websockets.trio.server import serve

import trio_ports
from trio_ports import Port, open_stream_port
from trio_ports._native.running.greetings import encode_handshake
from trio_ports.native import open_native_listener

ROOT = Path(__file__).resolve().parent.parent


def blocks_of(recipe: str) -> list[str]:
    """Return the blocks of Python of a recipe."""
    text = (ROOT / "docs" / "howto" / f"{recipe}.rst").read_text(encoding="utf-8")
    return [textwrap.dedent(each) for each in re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", text)]


def names_of(*programs: str) -> dict[str, Any]:
    """Run programs and return what they define."""
    names: dict[str, Any] = {"__name__": "recipe", "trio": trio}
    for program in programs:
        exec(program, names)
    return names


@pytest.mark.parametrize("recipe", ["pages", "ends"])
async def test_pages(recipe: str) -> None:
    """A handler of ``runtime.serve``."""
    (program,) = (each for each in blocks_of(recipe) if "async def answer" in each)
    answer = names_of(program.partition("\nextension =")[0])["answer"]
    async with trio.open_nursery() as nursery, trio_ports.open_browser() as browser:
        extension = browser.install("notes@example.org")
        await nursery.start(extension.open_page().runtime.serve, answer)

        @asynccontextmanager
        async def connect() -> AsyncGenerator[tuple[Port, Any]]:
            tab = browser.open_tab("https://example.com/")
            async with extension.inject(tab).runtime.connect() as port:
                yield port, tab.close

        async with connect() as (other, _):
            await leave_everywhere(connect)
            await settle()
            await ask(other, "hello", {"you said": "hello"})
            if recipe == "ends":
                await other.send("bye")
                await other.wait_disconnected()
                assert other.error is None
        nursery.cancel_scope.cancel()


async def test_sending_to_several_ports() -> None:
    """A client that leaves, or does not read, ends nobody; the others get everything."""
    names = names_of(next(each for each in blocks_of("ends") if "ports = set()" in each))
    async with trio.open_nursery() as nursery, trio_ports.open_browser(max_buffer_size=5) as browser:
        extension = browser.install("notes@example.org")
        await nursery.start(extension.open_page().runtime.serve, names["talk"])

        def connect_page() -> tuple[Port, Any]:
            tab = browser.open_tab("https://example.com/")
            return extension.inject(tab).runtime.connect(), tab.close

        @asynccontextmanager
        async def connect() -> AsyncGenerator[tuple[Port, Any]]:
            port, close = connect_page()
            async with port:
                yield port, close

        slow, _ = connect_page()
        async with connect() as (first, _), connect() as (second, _):
            await settle()
            for _ in range(10):
                await ask(first, "hello", "hello")
                assert await second.receive() == "hello"
            await leave_everywhere(connect)
        async with slow:
            assert [await slow.receive() for _ in range(5)] == ["hello"] * 5
        nursery.cancel_scope.cancel()


async def test_an_application_that_runs_already() -> None:
    """Its own ``serve``."""
    program = blocks_of("running-application")[0].partition("\nif ")[0]
    assert "await listener.serve(talk)" in program
    with tempfile.TemporaryDirectory(prefix="ports-", dir="/tmp") as folder:
        async with open_native_listener("app", folder=folder) as listener, trio.open_nursery() as nursery:
            await nursery.start(listener.serve, names_of(program)["talk"])

            @asynccontextmanager
            async def connect() -> AsyncGenerator[tuple[Port, Any]]:
                stream = await trio.open_unix_socket(listener.address)
                await stream.send_all(encode_handshake(["/app.json", FIREFOX_ID]))
                async with open_stream_port(stream) as port:
                    yield port, stream.socket.close

            async with connect() as (other, _):
                await leave_everywhere(connect)
                await ask(other, "hello", {"got": "hello", "from": FIREFOX_ID})
            nursery.cancel_scope.cancel()


async def test_tcp() -> None:
    """A server of ports, and the client that stands beside it."""
    server, client, *_ = blocks_of("streams")
    names = names_of(server)
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, names["answer"], 0, host="127.0.0.1"))
        address = listener.socket.getsockname()

        @asynccontextmanager
        async def connect() -> AsyncGenerator[tuple[Port, Any]]:
            stream = await trio.open_tcp_stream(*address)
            async with open_stream_port(stream) as port:
                yield port, stream.socket.close

        async with connect() as (other, _):
            await leave_everywhere(connect)
            await ask(other, "hello", {"you said": "hello"})
        asking = names_of(client.replace("8765", str(address[1])), "from trio_ports import open_stream_port")["ask"]
        assert await asking("anybody?") == {"you said": "anybody?"}
        nursery.cancel_scope.cancel()

    async def hang_up(stream: trio.abc.Stream) -> None:
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, hang_up, 0, host="127.0.0.1"))
        number = str(listener.socket.getsockname()[1])
        asking = names_of(client.replace("8765", number), "from trio_ports import open_stream_port")["ask"]
        with pytest.raises(ConnectionError, match="the server has left"):
            await asking("anybody?")
        nursery.cancel_scope.cancel()


async def test_a_websocket(caplog: pytest.LogCaptureFixture) -> None:
    """Text messages of a WebSocket are the messages of a port; the library would log what a handler raises."""
    names = names_of(blocks_of("streams")[2])
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve, names["answer"], 0, host="127.0.0.1"))
        url = f"ws://127.0.0.1:{server.listeners[0].socket.getsockname()[1]}/"

        @asynccontextmanager
        async def connect() -> AsyncGenerator[tuple[Port, Any]]:
            async with (
                connect_websocket(url) as websocket,
                open_stream_port(names["WebSocketStream"](websocket)) as port,
            ):
                yield port, websocket.stream.socket.close

        async with connect_websocket(url) as page:
            await leave_everywhere(connect)
            await page.send('"hello"')
            assert await page.recv() == '{"you said":"hello"}'
            await page.send('"' + "x" * 100_000 + '"')
            assert len(await page.recv()) > 100_000
        nursery.cancel_scope.cancel()
    assert caplog.messages == []


def programs() -> dict[str, str]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = (each for each in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "open_native_port" in each)
    written, pushing = blocks_of("native-application")[0], blocks_of("pushing-application")[0]
    return {"README": shown, "native-application": written, "pushing-application": pushing}


@pytest.mark.parametrize("messages", [0, 2])
@pytest.mark.parametrize("program", programs().values(), ids=programs())
def test_a_native_application(program: str, messages: int) -> None:
    """It leaves with status 0 and says nothing, when the browser leaves with or without a word."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=encode("hello") * messages,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": PACKAGES, "PYTHONWARNINGS": "error"},
        timeout=PATIENCE_SECONDS,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    assert done.stdout.count(b"hello") == messages


WORKERS = """
from trio.testing import MockClock, wait_all_tasks_blocked
from trio_ports import ContextInvalidatedError, open_browser
"""


def sleeping_backgrounds() -> dict[str, Any]:
    """Run the recipe's blocks, one of which runs a test itself."""
    return names_of(WORKERS, *blocks_of("sleeping-backgrounds"))


@each_dialect
def test_a_worker_that_dies(dialect: str) -> None:
    """The content script of the recipe survives it; the one that is wrong does not."""
    names = sleeping_backgrounds()
    trio.run(names["test_a_worker_that_dies"], dialect)
    trio.run(names["test_a_worker_that_falls_asleep"], dialect, clock=MockClock(autojump_threshold=0))
    names["Client"] = names["ForgetfulClient"]
    with pytest.raises(trio.BrokenResourceError):
        trio.run(names["test_a_worker_that_falls_asleep"], dialect, clock=MockClock(autojump_threshold=0))


@each_dialect
@pytest.mark.parametrize(
    ("background", "answered_in"),
    [
        ("background", ["trio", "firefox", "chrome"]),
        ("late_background", []),
        ("early_background", ["trio"]),
        ("mended_background", ["trio", "firefox", "chrome"]),
    ],
)
def test_a_worker_that_starts_slowly(background: str, answered_in: list[str], dialect: str) -> None:
    """Which of the recipe's backgrounds answer the question that has woken them, and where."""
    names = sleeping_backgrounds()

    async def ask_once() -> dict[int, str]:
        async with trio_ports.open_browser(dialect=dialect) as browser:  # type: ignore[arg-type]  # It is one of three.
            extension = browser.install("notes@example.org")
            extension.register_background(names[background])
            client = names["Client"](extension.inject(browser.open_tab("https://example.com/")))
            client.ask("asleep?")
            await trio.sleep(1)
            answers: dict[int, str] = client.answers
            return answers

    answers = trio.run(ask_once, clock=MockClock(autojump_threshold=0))
    assert answers == ({0: "ASLEEP?"} if dialect in answered_in else {})


def test_an_update_of_an_extension() -> None:
    """The recipe's, as it stands."""
    trio.run(sleeping_backgrounds()["test_an_update"])
