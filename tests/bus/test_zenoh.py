"""Browsers in several processes, over Zenoh."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from bus.sharing import ID, Heard
from support import PATIENCE_SECONDS
from trio.testing import assert_checkpoints

import trio_ports
from trio_ports import Cause, Context
from trio_ports.bus import Arrived, Bus, Gone, Joined, open_zenoh_bus
from trio_ports.bus.zenoh import ZenohNode, _Greeting, make_config

NEIGHBOUR = Path(__file__).with_name("neighbour.py")
SHORT_LEASE_SECONDS = 5.0
"""For the tests in which a process stands still until it counts as gone. On a busy machine a process that is well may
be silent for a second or two."""
join = partial(open_zenoh_bus, lease_seconds=PATIENCE_SECONDS)
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the addresses are those of Unix sockets")


@asynccontextmanager
async def start_neighbour(address: str, lease_seconds: float = PATIENCE_SECONDS) -> AsyncGenerator[trio.Process]:
    """Start a process with a browser, and wait until it can be called; it is gone afterwards, whatever happens."""
    command = [sys.executable, str(NEIGHBOUR), address, str(lease_seconds)]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        said = b""
        while not said.endswith(b"\n"):
            said += await process.stdout.receive_some() or b"\n"
        assert said == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            process.send_signal(signal.SIGCONT)
        with trio.CancelScope(shield=True):
            await process.wait()


@asynccontextmanager
async def open_page(
    address: str, lease_seconds: float = PATIENCE_SECONDS, **options: Any
) -> AsyncGenerator[tuple[Bus, Context]]:
    """Open a browser in this process, and a page of the extension in it."""
    with trio.fail_after(PATIENCE_SECONDS):
        async with (
            open_zenoh_bus(listen=[address], lease_seconds=lease_seconds, **options) as bus,
            trio_ports.open_browser(bus=bus) as browser,
        ):
            yield bus, browser.install(ID).open_page()


@asynccontextmanager
async def open_short_lease(address: str) -> AsyncGenerator[tuple[Bus, Context, trio.Process]]:
    """Open a page here and a neighbour, both of which count as gone soon after they stand still."""
    async with (
        open_page(address, SHORT_LEASE_SECONDS) as (bus, page),
        start_neighbour(address, SHORT_LEASE_SECONDS) as process,
    ):
        yield bus, page, process


@pytest.fixture
def address(tmp_path: Path) -> str:
    """A place to meet."""
    return f"unixsock-stream/{tmp_path}/bus"


async def test_another_process_answers(address: str) -> None:
    """Messages of all sizes go to another process and back, in order; when it leaves, they end."""
    async with open_page(address) as (bus, page), start_neighbour(address) as process:
        await bus.wait_peers()
        port = page.runtime.connect(name="echo")
        messages: list[Any] = [None, "", 0, {"n": [1, 2, 3]}, "x" * 1_000_000, *range(500)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_all, port, messages)
            assert [await port.receive() for _ in messages] == messages
        port.post_message("leave")
        assert await process.wait() == 0
        await port.wait_disconnected()
        # On a busy machine Zenoh's news that the process is gone may overtake the process's last word.
        assert port.error is None or port.error.cause is Cause.WIRE_BROKEN


async def send_all(port: trio_ports.Port, messages: list[Any]) -> None:
    for message in messages:
        await port.send(message)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_another_process_is_killed_or_stands_still(address: str, number: int) -> None:
    """All ports to a process that is killed, or hangs for longer than the lease, end with an error, each once."""
    async with open_short_lease(address) as (bus, page, process):
        await bus.wait_peers()
        ports = [page.runtime.connect() for _ in range(20)]
        ends: list[Any] = []
        for port in ports:
            port.on_disconnect.add_listener(lambda port: ends.append(port.error and port.error.cause))
            await port.send("hello")
            assert await port.receive() == "hello"
        os.kill(process.pid, number)
        for port in ports:
            await port.wait_disconnected()
        assert ends == [Cause.WIRE_BROKEN] * 20
        assert bus.peers == ()


async def test_a_process_that_stood_still_is_there_again(address: str) -> None:
    """Once a process that hung goes on, its old ports have ended there too, and it can be called."""
    async with open_short_lease(address) as (bus, page, process):
        await bus.wait_peers()
        port = page.runtime.connect()
        await port.send("hello")
        assert await port.receive() == "hello"
        process.send_signal(signal.SIGSTOP)
        await port.wait_disconnected()
        process.send_signal(signal.SIGCONT)
        answer = None
        while answer is None:  # A call that comes while it finds out what has happened may find nobody.
            await bus.wait_peers()
            async with page.runtime.connect() as again:
                with contextlib.suppress(trio.BrokenResourceError):
                    await again.send("hello again")
                    answer = await again.receive()
        assert answer == "hello again"


async def test_a_stopped_process_stops_nobody_else(address: str) -> None:
    """While one process stands still, messages to another one go on."""
    async with open_page(address) as (bus, page), start_neighbour(address) as process:
        await bus.wait_peers()
        async with (
            join(connect=[address]) as other,
            trio_ports.open_browser(bus=other) as browser,
        ):
            await bus.wait_peers(2)
            heard = Heard(browser.install("other@example.org").open_page(), external=True)
            await bus.wait_peers(2)
            stuck = page.runtime.connect()
            process.send_signal(signal.SIGSTOP)
            for _ in range(20):
                stuck.post_message("x" * 100_000)
            quick = page.runtime.connect("other@example.org")
            for number in range(10):
                await quick.send(number)
            quick.post_message("last")
            await heard.wait_for("last")
            assert heard.messages == [*range(10), "last"]


@pytest.mark.parametrize("mode", ["router", "client"])
async def test_whoever_listens_carries_between_the_others(address: str, mode: Any) -> None:
    """Two processes that know a third one only reach each other through it."""
    async with open_page(address) as (bus, page):
        async with (
            start_neighbour(address),
            join(connect=[address], mode=mode) as other,
            trio_ports.open_browser(bus=other) as browser,
        ):
            await other.wait_peers(2)
            async with browser.install(ID).open_page().runtime.connect() as port:
                await port.send("through the router")
                assert await port.receive() == "through the router"
        assert page.runtime.id == ID
        assert bus.name not in bus.peers


async def test_buses_of_another_name_do_not_meet(address: str) -> None:
    """Two buses on one network are two."""
    async with (
        open_page(address) as (bus, _),
        join("others", connect=[address]) as other,
        join("others", connect=[address]) as third,
    ):
        await other.wait_peers()
        await third.wait_peers()
        assert (bus.peers, other.peers) == ((), (third.name,))


async def test_others_may_come_first(address: str) -> None:
    """An address that does not answer yet is tried until it does."""
    with trio.fail_after(PATIENCE_SECONDS):
        async with (
            join(connect=[address]) as early,
            join(listen=[address]) as late,
        ):
            await early.wait_peers()
            await late.wait_peers()


async def test_what_zenoh_cannot_open(address: str) -> None:
    """An address that cannot be listened at is an OSError, and nothing stays open."""
    with pytest.raises(OSError, match="Zenoh could not be opened") as caught:
        async with open_zenoh_bus(listen=["tcp/127.0.0.1:99999"]):
            pass
    assert caught.value.__cause__ is not None


async def test_cancelled_before_it_is_open(address: str) -> None:
    """A call that is cancelled leaves nothing open."""
    with trio.CancelScope() as scope:
        scope.cancel()
        async with join(listen=[address]):
            raise AssertionError
    async with join(listen=[address]) as bus:
        assert bus.peers == ()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"name": ""}, ValueError),
        ({"name": "a/b"}, ValueError),
        ({"name": 3}, TypeError),
        ({"listen": "tcp/127.0.0.1:7447"}, TypeError),
        ({"connect": [7447]}, TypeError),
        ({"connect": ["127.0.0.1:7447"]}, ValueError),
        ({"mode": "broker"}, ValueError),
        ({"lease_seconds": 0}, ValueError),
        ({"lease_seconds": "2"}, TypeError),
    ],
)
async def test_wrong_arguments(options: dict[str, Any], error: type[Exception]) -> None:
    """Arguments are checked before anything is opened."""
    with pytest.raises(error):
        async with open_zenoh_bus(**options):
            pass


async def test_a_configuration_of_ones_own(address: str) -> None:
    """A configuration is taken as it is."""
    config = make_config([address], [], "peer", 1)
    async with (
        open_zenoh_bus(config=config) as one,
        join(connect=[address]) as other,
    ):
        await one.wait_peers()
        await other.wait_peers()


async def test_news_in_another_order() -> None:
    """What a node says before it has answered is heard after it has."""
    node = ZenohNode("nowhere")
    for event in (Arrived("a", b"x"), Joined("a"), _Greeting("a", b"!"), Arrived("a", b"y"), Joined("b"), Gone("a")):
        node._happen(event)
    expected = [Joined("a"), Arrived("a", b"x"), Arrived("a", b"y"), Gone("a")]
    assert [await node.receive() for _ in expected] == expected
    with assert_checkpoints():
        await node.aclose()
    await node.send("a", b"thrown away")
    node._happen(Joined("late"))
    with pytest.raises(trio.EndOfChannel):
        await node.receive()


def test_outside_trio() -> None:
    """The bus needs Trio."""
    with pytest.raises(RuntimeError, match=r"open_zenoh_bus must be called from inside trio\.run"):
        open_zenoh_bus().__aenter__().send(None)


def test_without_zenoh() -> None:
    """Without the extra the other buses work, and the error says what to install."""
    program = """if True:
        import sys
        sys.modules["zenoh"] = None
        import trio_ports.bus
        trio_ports.bus.MemoryNetwork()
        try:
            trio_ports.bus.open_zenoh_bus
        except ModuleNotFoundError as error:
            assert "trio_ports[bus]" in str(error), error
        else:
            raise SystemExit("it was there")
    """
    subprocess.run([sys.executable, "-c", program], check=True, timeout=PATIENCE_SECONDS)
