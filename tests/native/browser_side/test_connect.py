"""Talking to a native application without a browser."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from native_support import CHROMIUM_ID, FIREFOX_ID, PACKAGES, write_application, write_manifest
from support import ScriptedError

from trio_ports import (
    Cause,
    MalformedMessageError,
    MessageShapeError,
    MessageTooLargeError,
    NativeApplicationError,
    Port,
)
from trio_ports._native.browser_side.start import PATIENCE
from trio_ports.native import connect_native, send_native_message

pytestmark = pytest.mark.usefixtures("nothing_left")

ECHO = "while True: send(receive())"


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    return {"extension_id": FIREFOX_ID, "manifest_folders": [str(tmp_path)]}


async def test_a_conversation(tmp_path: Path, options: dict[str, Any]) -> None:
    """Both ways, every value; the port has the application's name and no sender."""
    write_application(tmp_path, ECHO)
    async with connect_native("app", **options) as port:
        assert (port.name, port.sender) == ("app", None)
        for message in (None, 0, False, "", [], {"ä": [1.5]}, "\ud800", "x" * 1_000_000):
            await port.send(message)
            assert await port.receive() == message
    assert port.error is None


@pytest.mark.parametrize("extension_id", [FIREFOX_ID, CHROMIUM_ID])
async def test_what_cannot_be_started_raises_on_entry(
    tmp_path: Path, options: dict[str, Any], extension_id: str
) -> None:
    """Rule 37: the exception has the cause; no port is opened."""
    options["extension_id"] = extension_id
    for prepare, cause in (
        (lambda: None, Cause.MANIFEST_NOT_FOUND),
        (lambda: write_manifest(tmp_path, "relative"), Cause.MANIFEST_INVALID),
        (
            lambda: write_manifest(tmp_path, "/x", allowed_extensions=["a@b.c"], allowed_origins=[]),
            Cause.NOT_ALLOWED,
        ),
        (lambda: write_manifest(tmp_path, tmp_path / "missing"), Cause.PROGRAM_MISSING),
    ):
        prepare()
        with pytest.raises(NativeApplicationError) as caught:
            async with connect_native("app", **options):
                raise AssertionError
        assert caught.value.cause is cause
    with pytest.raises(NativeApplicationError) as caught:
        async with connect_native("no-such-name", **options):
            raise AssertionError
    assert caught.value.cause is Cause.BAD_NAME


async def test_limits_and_lines(tmp_path: Path, options: dict[str, Any]) -> None:
    """What is sent and what comes is bounded, and every line of standard error can be had as it comes."""
    write_application(tmp_path, "sys.stderr.write('one\\ntwo'); sys.stderr.close(); send('x' * 100); receive()")
    lines: list[str] = []
    async with connect_native(
        "app", **options, max_message_bytes=10, max_incoming_bytes=50, on_stderr=lines.append
    ) as port:
        with pytest.raises(MessageTooLargeError):
            port.post_message("x" * 10)
        await port.wait_disconnected()
        assert port.error is not None
        assert port.error.cause is Cause.TOO_LARGE
    assert lines == ["one", "two"]


async def test_a_browser_may_be_named(tmp_path: Path, options: dict[str, Any]) -> None:
    """It decides how the program is started, whatever the id looks like."""
    write_application(tmp_path, "send(len(sys.argv))")
    async with connect_native("app", extension_id=CHROMIUM_ID, browser="chrome", manifest_folders=[tmp_path]) as port:
        assert await port.receive() == 2
    async with connect_native("app", **options, browser="firefox") as port:
        assert await port.receive() == 3


async def test_messages_of_a_type(tmp_path: Path, options: dict[str, Any]) -> None:
    """What arrives is decoded into it and checked; the port lives on."""

    class Reply(msgspec.Struct):
        number: int

    write_application(tmp_path, "send({'number': 5}); send({'number': 'x'}); send({'number': 6})")
    async with connect_native("app", **options, message_type=Reply) as port:
        assert await port.receive() == Reply(5)
        with pytest.raises(MessageShapeError, match=r"\$\.number"):
            await port.receive()
        assert await port.receive() == Reply(6)


async def test_exceptions_leave_as_everywhere(tmp_path: Path, options: dict[str, Any]) -> None:
    """The block's own as it is, a listener's in a group; the application is gone either way."""
    write_application(tmp_path, ECHO)
    with pytest.raises(ScriptedError):
        async with connect_native("app", **options):
            raise ScriptedError

    def fail(message: Any, port: Port) -> None:
        raise ScriptedError

    with pytest.RaisesGroup(ScriptedError):
        async with connect_native("app", **options) as port:
            port.on_message.add_listener(fail)
            port.post_message(1)
            await trio.sleep_forever()


async def test_cancelled_at_any_moment_it_ends(tmp_path: Path, options: dict[str, Any]) -> None:
    """While it starts, while it talks, while it leaves: the fixture looks for what is left."""
    write_application(tmp_path, ECHO)
    for moment in range(10):
        with trio.move_on_after(moment * 0.01):
            async with connect_native("app", **options) as port:
                while True:
                    await port.send(1)
                    assert await port.receive() == 1


async def test_one_message_one_answer(tmp_path: Path, options: dict[str, Any]) -> None:
    """The first answer is returned, and the application ended."""
    write_application(tmp_path, "got = receive(); send([got, 'first']); send('second'); receive()")
    assert await send_native_message("app", {"a": 1}, **options) == [{"a": 1}, "first"]
    assert await send_native_message("app", 1, **options, message_type=list[Any]) == [1, "first"]
    with pytest.raises(MessageShapeError):
        await send_native_message("app", 1, **options, message_type=int)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("receive()", NativeApplicationError, 0),
        ("receive(); sys.exit(4)", NativeApplicationError, 4),
        ("receive(); write(b'\\1\\0\\0\\0{'); receive()", MalformedMessageError, None),
    ],
)
async def test_no_answer_is_an_error(
    tmp_path: Path, options: dict[str, Any], body: str, kind: type, status: int | None
) -> None:
    """Also where the application ended in good order: there is nothing to return."""
    write_application(tmp_path, body)
    with pytest.raises(kind) as caught:
        await send_native_message("app", 1, **options)
    assert getattr(caught.value, "status", None) == status


async def test_an_application_of_ours_meets_sigterm_from_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed politely in the middle of a conversation it exits with status 0: an orderly end here."""
    monkeypatch.setenv("PYTHONPATH", PACKAGES)
    code = (
        f"#!{sys.executable}\nimport os, trio\nfrom trio_ports.native import open_native_port\n"
        "async def main():\n    async with open_native_port() as port:\n"
        "        port.post_message(os.getpid())\n        await trio.sleep_forever()\ntrio.run(main)\n"
    )
    program = tmp_path / "app.py"
    program.write_text(code)
    program.chmod(0o755)
    write_manifest(tmp_path, program)
    async with connect_native("app", extension_id=FIREFOX_ID, manifest_folders=[tmp_path]) as port:
        os.kill(await port.receive(), signal.SIGTERM)
        assert [message async for message in port] == []
        assert port.error is None


async def test_what_is_waited_for_is_not_added_up(tmp_path: Path, autojump_clock: object) -> None:
    """While we wait for its status, its time to leave runs already: its standard input is closed by then."""
    body = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.close(1)\nwhile True: signal.pause()"
    write_application(tmp_path, body)
    start, patience = trio.current_time(), PATIENCE["trio"]
    async with connect_native("app", extension_id=FIREFOX_ID, manifest_folders=[tmp_path]) as port:
        await port.wait_disconnected()
        assert port.error is not None
        assert port.error.cause is Cause.STDOUT_CLOSED
    assert trio.current_time() - start == pytest.approx(patience.status + patience.terminate, abs=1)


FORK = "if not os.fork():\n            sys.stdin.read()\n            os._exit(0)\n"


@pytest.mark.parametrize(("early", "late"), [("", FORK), (FORK, "")], ids=["in the block", "while it starts"])
async def test_a_forked_child_does_not_keep_the_applications_pipes(tmp_path: Path, early: str, late: str) -> None:
    """Leaving the block is an end of file to the application, whatever the child still does."""
    write_application(tmp_path, "try:\n    receive()\nfinally:\n    open('ended', 'w').close()")
    code = (
        "import os, sys, trio\nfrom trio_ports.native import connect_native\n"
        "start = trio.lowlevel.open_process\n"
        "async def open_process(*arguments, **options):\n"
        "    try:\n"
        "        return await start(*arguments, **options)\n"
        "    finally:\n"
        f"        {early}\n"
        "        pass\n"
        "trio.lowlevel.open_process = open_process\n"
        "async def main():\n"
        f"    async with connect_native('app', extension_id={FIREFOX_ID!r}, manifest_folders=[sys.argv[1]]):\n"
        f"        {late}\n"
        "        pass\n"
        "trio.run(main)\nos.write(1, b'left')\n"
    )
    process = await trio.lowlevel.open_process(
        [sys.executable, "-c", code, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": PACKAGES},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    async with process.stdin, process.stdout:
        assert await process.stdout.receive_some() == b"left"
        assert (tmp_path / "ended").exists()
    await process.wait()


async def test_what_the_listener_to_standard_error_raises_ends_the_block(tmp_path: Path) -> None:
    """It leaves in a group, and nothing waits for ever."""
    write_application(tmp_path, "os.write(2, b'a line\\n'); os.read(0, 1)")

    def refuse(line: str) -> None:
        raise ZeroDivisionError(line)

    with pytest.RaisesGroup(pytest.RaisesExc(ZeroDivisionError, match="a line"), flatten_subgroups=True):
        async with connect_native(
            "app", extension_id=FIREFOX_ID, manifest_folders=[tmp_path], on_stderr=refuse
        ) as port:
            await port.wait_disconnected()


async def test_what_the_block_raises_then_is_not_lost_either(tmp_path: Path) -> None:
    """Both leave, in a group."""
    write_application(tmp_path, "os.write(2, b'a line\\n'); os.read(0, 1)")

    def refuse(line: str) -> None:
        raise ZeroDivisionError(line)

    with pytest.RaisesGroup(ZeroDivisionError, KeyError, flatten_subgroups=True):
        async with connect_native("app", extension_id=FIREFOX_ID, manifest_folders=[tmp_path], on_stderr=refuse):
            try:
                await trio.sleep_forever()
            finally:
                raise KeyError


async def test_a_listener_to_standard_error_is_a_function(tmp_path: Path) -> None:
    """Said at the call."""
    with pytest.raises(TypeError, match="on_stderr must be a function"):
        async with connect_native("app", extension_id=FIREFOX_ID, on_stderr=3):  # type: ignore[arg-type]
            pass
