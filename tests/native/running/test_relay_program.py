"""The relay as a program, started as a browser starts it."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click.testing
import pytest
import trio
from native_support import (
    CHROMIUM_ID,
    FIREFOX_ID,
    PACKAGES,
    PYTHON,
    children,
    encode,
    files_in,
    open_descriptors,
    wait_heard,
)
from support import Witness, settle

from trio_ports import Cause, NativeApplicationError, Port
from trio_ports._native.running import addresses
from trio_ports._native.running import relay as module
from trio_ports._native.running.relay import LOST, UNAVAILABLE
from trio_ports.cli.commands import program
from trio_ports.native import NativeListener, connect_native, install, open_native_listener

FIREFOX = ("/somewhere/app.json", FIREFOX_ID)
BIG = "x" * (2**20 - 2)
linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")


@pytest.fixture
def folder(private_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the socket and the manifest are; child processes find the package."""
    monkeypatch.setenv("PYTHONPATH", PACKAGES)
    return private_folder


def install_relay(folder: Path) -> None:
    """Let `connect_native` find the relay, as the recipe says."""
    install(
        "app",
        [*PYTHON, "-P", "-m", "trio_ports", "relay", "--folder", str(folder), "app"],
        allowed_extensions=[FIREFOX_ID],
        allowed_origins=[f"chrome-extension://{CHROMIUM_ID}/"],
        manifest_folders=[folder],
    )


def start(folder: Path, extension_id: str = FIREFOX_ID, **options: Any) -> Any:
    return connect_native("app", extension_id=extension_id, manifest_folders=[folder], **options)


@asynccontextmanager
async def open_echo(folder: Path) -> AsyncGenerator[NativeListener]:
    """An application that answers everybody, with who they are."""
    install_relay(folder)
    async with open_native_listener("app", folder=folder) as listener, trio.open_nursery() as nursery:

        async def answer(port: Port) -> None:
            assert port.sender is not None
            async for message in port:
                await port.send([port.sender.id, message])

        nursery.start_soon(trio.serve_listeners, answer, [listener])
        yield listener
        nursery.cancel_scope.cancel()


FROZEN = """
import sys, trio
from trio_ports.native import relay
if "--relay" in sys.argv:
    sys.exit(trio.run(relay, "app"))
"""


async def test_a_program_that_is_its_own_relay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no command can be started, a function does the same; it finds the browser's arguments."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setattr(addresses, "_SHARED", folder)
    (folder / "app.py").write_text(FROZEN)
    command = [*PYTHON, "-P", str(folder / "app.py"), "--relay"]
    install("app", command, allowed_extensions=[FIREFOX_ID], manifest_folders=[folder])
    async with open_native_listener("app") as listener, start(folder) as browser:
        port = await listener.accept()
        assert port.sender is not None
        assert port.sender.id == FIREFOX_ID
        await port.send(1)
        assert await browser.receive() == 1


async def test_several_browsers_at_once(folder: Path) -> None:
    """Each gets the answers to its own questions, and one that leaves ends nobody else's conversation."""
    before, others = open_descriptors(), children()
    async with open_echo(folder), start(folder) as first, start(folder, CHROMIUM_ID) as second:
        async with start(folder) as third:
            for number in range(3):
                for port, name in ((first, "first"), (second, "second"), (third, "third")):
                    await port.send([number, name])
            assert await third.receive() == [FIREFOX_ID, [0, "third"]]
        for number in range(3):
            assert await second.receive() == [CHROMIUM_ID, [number, "second"]]
            assert await first.receive() == [FIREFOX_ID, [number, "first"]]
    assert open_descriptors() <= before
    assert children() <= others
    assert files_in(folder) == {"app", "app.json"}


async def test_the_two_meet_in_the_users_own_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither has to be told of a folder: the command of the recipe finds the application."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setattr(addresses, "_SHARED", folder)
    command = [*PYTHON, "-P", "-m", "trio_ports", "relay", "app"]
    install("app", command, allowed_extensions=[FIREFOX_ID], manifest_folders=[folder])
    async with open_native_listener("app") as listener, start(folder) as browser:
        port = await listener.accept()
        await port.send(1)
        assert await browser.receive() == 1
    assert files_in(listener.address.parent) == set()


async def test_the_largest_messages(folder: Path) -> None:
    """1 MiB to the browser and more than that from it."""
    install_relay(folder)
    async with open_native_listener("app", folder=folder) as listener, start(folder) as browser:
        port = await listener.accept()
        await browser.send(BIG * 3)
        assert await port.receive() == BIG * 3
        await port.send(BIG)
        assert await browser.receive() == BIG


async def test_what_a_browser_hears_if_nobody_listens(folder: Path) -> None:
    """The relay was started and says why it is of no use: the cause, the status and the text."""
    install_relay(folder)
    async with start(folder) as browser:
        await browser.wait_disconnected()
    assert isinstance(browser.error, NativeApplicationError)
    assert (browser.error.cause, browser.error.status) == (Cause.EXITED, UNAVAILABLE)
    assert "app is not running" in str(browser.error)
    assert browser.error.stderr[-1].endswith("start it, then connect again.")


async def test_a_relay_that_is_killed(folder: Path) -> None:
    """Both sides hear of it, once: the browser by which signal, the application that the wire broke."""
    install_relay(folder)
    async with open_native_listener("app", folder=folder) as listener:
        others = children()
        async with start(folder) as browser:
            port = await listener.accept()
            seen_here, seen_there = Witness(browser), Witness(port)
            await browser.send(1)
            await port.send(2)
            await wait_heard(port, seen_there)
            await wait_heard(browser, seen_here)
            (pid,) = children() - others
            os.kill(pid, signal.SIGKILL)
            await port.wait_disconnected()
            await browser.wait_disconnected()
            await settle()
            assert (seen_there.seen, seen_here.seen) == ([1, "end"], [2, "end"])
            assert port.error is not None
            assert port.error.cause is Cause.WIRE_BROKEN
            assert isinstance(browser.error, NativeApplicationError)
            assert browser.error.signal == signal.SIGKILL


APPLICATION = """
import sys, trio
from trio_ports.native import open_native_listener
async def main():
    async with open_native_listener("app", folder=sys.argv[1]) as listener:
        print("listening", flush=True)
        async with await listener.accept() as port:
            {body}
trio.run(main)
"""


@asynccontextmanager
async def open_program(folder: Path, code: str) -> AsyncGenerator[trio.Process]:
    """A program of ours that says when it is ready, and is gone after the block."""
    process = await trio.lowlevel.open_process([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    async with process.stdout:
        assert await process.stdout.receive_some()
        yield process
        process.kill()
        await process.wait()


async def test_an_application_that_is_killed(folder: Path) -> None:
    """The browser hears what it said before, then that it was lost; its socket is taken over by the next one."""
    install_relay(folder)
    code = APPLICATION.format(body="port.post_message('last'); await trio.sleep_forever()")
    async with open_program(folder, code) as application, start(folder) as browser:
        assert await browser.receive() == "last"
        application.kill()
        with pytest.raises(trio.BrokenResourceError):
            await browser.receive()
        assert isinstance(browser.error, NativeApplicationError)
        assert (browser.error.cause, browser.error.status) == (Cause.EXITED, LOST)
        assert "app was lost" in str(browser.error)
    assert (folder / "app.socket").exists()
    async with open_echo(folder), start(folder) as browser:
        await browser.send(1)
        assert await browser.receive() == [FIREFOX_ID, 1]
    assert files_in(folder) == {"app", "app.json"}


async def test_an_application_that_is_killed_and_leaves_a_forked_worker(folder: Path) -> None:
    """The worker does not keep the connection: the browser hears at once that the application was lost."""
    install_relay(folder)
    body = "__import__('os').fork() or __import__('signal').pause(); port.post_message(1); await trio.sleep_forever()"
    async with open_program(folder, APPLICATION.format(body=body)) as application, start(folder) as browser:
        assert await browser.receive() == 1
        (worker,) = children(application.pid)
        application.kill()
        await browser.wait_disconnected()
        os.kill(worker, signal.SIGKILL)
        assert isinstance(browser.error, NativeApplicationError)
        assert browser.error.status == LOST


async def test_an_application_that_leaves(folder: Path) -> None:
    """The browser hears everything, and an end in good order."""
    install_relay(folder)
    async with open_program(folder, APPLICATION.format(body="port.post_message('last')")), start(folder) as browser:
        assert [message async for message in browser] == ["last"]
        assert browser.error is None


async def test_an_application_that_fails(folder: Path) -> None:
    """The browser hears that it did, and not how."""
    install_relay(folder)
    code = APPLICATION.format(body="port.post_message('last'); raise SystemExit(5)")
    async with open_program(folder, code), start(folder) as browser:
        assert await browser.receive() == "last"
        with pytest.raises(trio.BrokenResourceError):
            await browser.receive()
        assert isinstance(browser.error, NativeApplicationError)
        assert browser.error.status == LOST


BROWSER = f"""
import sys, trio
from trio_ports.native import connect_native
async def main():
    async with connect_native("app", extension_id={FIREFOX_ID!r}, manifest_folders=[sys.argv[1]]) as port:
        await port.send("before")
        print("connected", flush=True)
        await trio.sleep_forever()
trio.run(main)
"""


@linux
async def test_a_browser_that_is_killed(folder: Path) -> None:
    """The relay goes with it, and for the application that is how browsers leave."""
    install_relay(folder)
    async with open_native_listener("app", folder=folder) as listener, open_program(folder, BROWSER) as browser:
        port = await listener.accept()
        witness = Witness(port)
        (relay_pid,) = children(browser.pid)
        watch = os.pidfd_open(relay_pid)
        try:
            browser.kill()
            await port.wait_disconnected()
            assert (witness.seen, port.error) == (["before", "end"], None)
            await trio.lowlevel.wait_readable(watch)
        finally:
            os.close(watch)


@asynccontextmanager
async def open_relay(folder: Path, *arguments: str) -> AsyncGenerator[Any]:
    """The relay's process, with its pipes."""
    command = [sys.executable, "-m", "trio_ports", "relay", "--folder", str(folder), "app", *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process: Any = await trio.lowlevel.open_process(command, **pipes)
    async with process.stdin, process.stdout, process.stderr:
        yield process
        process.kill()
        await process.wait()


async def test_a_signal_to_the_program(folder: Path) -> None:
    """SIGTERM ends it with 143, in good order, and without a word."""
    async with open_native_listener("app", folder=folder) as listener, open_relay(folder, *FIREFOX) as process:
        port = await listener.accept()
        process.terminate()
        await port.wait_disconnected()
        assert port.error is None
        assert await process.wait() == 128 + signal.SIGTERM
        assert await process.stderr.receive_some() == b""


async def test_the_program_leaves_although_the_application_stays(folder: Path) -> None:
    """After the end of file nobody who is still at work keeps it."""
    async with open_native_listener("app", folder=folder) as listener, open_relay(folder, *FIREFOX) as process:
        port = await listener.accept()
        await process.stdin.send_all(encode(1))
        assert await port.receive() == 1
        await process.stdin.aclose()
        assert await process.wait() == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["relay"], "Missing argument 'NAME'"),
        (["relay", "no-name"], "'no-name' cannot be the name of a native application"),
        (["relay", "--folder", "/" + "x" * 200, "app"], "give a folder with a shorter path"),
    ],
)
def test_wrong_usage(arguments: list[str], text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in the manifest's command is explained, with status 2."""
    monkeypatch.setattr(os, "isatty", lambda _: False)
    monkeypatch.setattr(module, "sealed_descriptors", lambda: contextlib.nullcontext((0, 1)))
    result = click.testing.CliRunner().invoke(program, arguments)
    assert result.exit_code == 2
    assert text in result.stderr


@linux
def test_the_command_waits(folder: Path) -> None:
    """So long that the browser gives up first; then nobody waits any more."""
    result = subprocess.run(
        [sys.executable, "-m", "trio_ports", "relay", "--wait", "1000", "--folder", folder, "app", *FIREFOX],
        capture_output=True,
        check=False,
        input=b"",
    )
    assert (result.returncode, result.stdout) == (UNAVAILABLE, b"")


def test_a_terminal_is_no_browser() -> None:
    """Whoever types the command is told how it is used."""
    controller, terminal = pty.openpty()
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "trio_ports", "relay", "app"],
            stdin=terminal,
            capture_output=True,
            check=False,
            text=True,
            env={**os.environ, "PYTHONPATH": PACKAGES},
        )
    finally:
        os.close(controller)
        os.close(terminal)
    assert ran.returncode == 2
    assert "start the relay from a browser" in ran.stderr


def test_the_arguments_of_a_browser_are_no_options(folder: Path) -> None:
    """Neither Chromium's window, nor what looks like an option of the command's."""
    for arguments in ([f"chrome-extension://{CHROMIUM_ID}/", "--parent-window=0"], ["--help"], ["-x", "--", "y"]):
        ran = subprocess.run(
            [sys.executable, "-m", "trio_ports", "relay", "--folder", folder, "app", *arguments],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert ran.returncode == UNAVAILABLE
        assert b"app is not running" in ran.stderr
        assert ran.stdout == b""
