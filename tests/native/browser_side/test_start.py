"""Native applications as each dialect starts and ends them: rules 34 to 39, with real processes."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import trio
from native_support import CHROMIUM_ID, FIREFOX_ID, IDS, converse, open_application, wait_heard, write_application
from support import PATIENCE_SECONDS, each_dialect

from trio_ports._native.browser_side.start import run_application
from trio_ports._ports.connection import open_connection
from trio_ports._protocol.dialects import DIALECTS, TRIO

ECHO = "while True: send(receive())"

pytestmark = pytest.mark.usefixtures("nothing_left")


# Starting ---------------------------------------------------------------------------------------------------------


@each_dialect
async def test_arguments_and_folder(tmp_path: Path, dialect: str) -> None:
    """Rule 35: Firefox gives manifest and id, Chromium the origin; both start it in its own folder and group."""
    write_application(tmp_path, "send([sys.argv, os.getcwd(), os.getpgrp()])")
    chromium = ["chrome-extension://abcdefghijklmnopabcdefghijklmnop/"]
    arguments = chromium if dialect == "chrome" else [str(tmp_path / "app.json"), FIREFOX_ID]
    seen, _ = await converse(tmp_path, dialect)
    assert seen[0] == [[str(tmp_path / "app.py"), *arguments], str(tmp_path), os.getpgrp()]


async def test_in_trio_the_id_decides(tmp_path: Path) -> None:
    """32 letters from a to p are started as Chromium does."""
    write_application(tmp_path, "send(sys.argv[1:])")
    near, (far,) = open_connection(max_buffer_size=10)
    await run_application(far, "app", extension_id=CHROMIUM_ID, dialect=TRIO, manifest_folders=[tmp_path])
    assert await near.receive() == b'["chrome-extension://abcdefghijklmnopabcdefghijklmnop/"]'
    with pytest.raises(trio.EndOfChannel):
        await near.receive()


# How it is ended --------------------------------------------------------------------------------------------------


async def test_what_was_posted_is_written_before_the_end(tmp_path: Path) -> None:
    """Rule 38, trio: many messages and a disconnect at once; the application reads them all, then end of file."""
    write_application(
        tmp_path,
        "import time; n = 0\nwhile piece := os.read(0, 1000000): n += len(piece)\nopen('count', 'w').write(str(n))",
    )
    async with open_application(tmp_path) as (port, _):
        for _number in range(500):
            port.post_message("x" * 1000)
    assert (tmp_path / "count").read_text() == str(500 * 1006)


@pytest.mark.parametrize(
    ("dialect", "stubborn", "log"),
    [
        ("trio", False, ["eof", "term"]),
        ("firefox", False, ["eof", "term"]),
        ("trio", True, ["eof", "term"]),
        ("chrome", True, ["eof", "broken"]),
    ],
)
@pytest.mark.usefixtures("impatient")
async def test_how_a_stubborn_application_is_ended(
    tmp_path: Path, dialect: str, stubborn: bool, log: list[str]
) -> None:
    """Rule 38: end of file, then SIGTERM, then SIGKILL; Chromium closes both pipes, and kills without a warning."""
    write_application(
        tmp_path,
        f"""
import signal, time
log = open('log', 'w', buffering=1)
def term(*_):
    log.write('term\\n')
    if not {stubborn}: os._exit(0)
signal.signal(signal.SIGTERM, term)
send(os.getpid())
while os.read(0, 100): pass
log.write('eof\\n')
try: send('x' * 1000)
except BrokenPipeError: log.write('broken\\n')
deadline = time.monotonic() + 60
while time.monotonic() < deadline: time.sleep(1)
""",
    )
    async with open_application(tmp_path, dialect) as (port, witness):
        await wait_heard(port, witness)
    with pytest.raises(ProcessLookupError):
        os.kill(witness.seen[0], 0)
    assert (tmp_path / "log").read_text().split() == log
    assert port.error is None


@pytest.mark.usefixtures("impatient")
async def test_an_application_that_does_not_read_is_given_up(tmp_path: Path) -> None:
    """The grace bounds what was posted; the rest of it is lost."""
    write_application(tmp_path, "send(1); import time; time.sleep(60)")
    async with open_application(tmp_path) as (port, witness):
        for _ in range(100):
            port.post_message("x" * 100_000)
        await wait_heard(port, witness)
        begin = trio.current_time()
    assert trio.current_time() - begin < 20


async def test_an_application_that_is_blocked_writing_comes_to_its_end(tmp_path: Path) -> None:
    """After the disconnect its output is still read, and thrown away: it sees end of file and leaves."""
    write_application(
        tmp_path,
        "import time\nfor n in range(3000): send('x' * 1000)\n"
        "while os.read(0, 100000): pass\nopen('done', 'w').write('yes')",
    )
    async with open_application(tmp_path, max_buffer_size=5) as (port, witness):
        await wait_heard(port, witness)
    assert (tmp_path / "done").read_text() == "yes"


async def test_a_flood_is_stopped_by_its_pipe(tmp_path: Path) -> None:
    """Back pressure across the border: the queue stands at its bound, the application waits in its write."""
    write_application(
        tmp_path,
        "log = open('log', 'wb', buffering=0)\nfor n in range(2000):\n    send('x' * 10000)\n    log.write(b'.')",
    )
    near, (far,) = open_connection(max_buffer_size=7)
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            await run_application(far, "app", extension_id=FIREFOX_ID, dialect=TRIO, manifest_folders=[tmp_path])

        nursery.start_soon(run)
        # Only time can show that it does not go on.
        log, written, before = tmp_path / "log", 0, -1
        while near.lane.used < 7 or written != before:
            await trio.sleep(0.1)
            written, before = log.stat().st_size if log.exists() else 0, written
        assert near.lane.used == 7
        assert written < 200
        for _ in range(2000):
            await near.receive()
        with pytest.raises(trio.EndOfChannel):
            await near.receive()


@pytest.mark.parametrize("posts", [False, True])
@each_dialect
async def test_cancelled_at_any_moment_nothing_is_left(tmp_path: Path, dialect: str, posts: bool) -> None:
    """The process is ended all the same, politely; the fixture looks for zombies and descriptors."""
    write_application(tmp_path, ECHO)
    for moment in range(8):
        near, (far,) = open_connection(max_buffer_size=10)
        if posts:
            near.send_nowait(b'"x"')
        with trio.move_on_after(moment * 0.015):
            await run_application(
                far,
                "app",
                extension_id=IDS[dialect],
                dialect=DIALECTS[dialect],
                manifest_folders=[tmp_path],
            )
        assert far.closed
        assert near.peer_error is None


async def test_killed_in_the_middle_nothing_hangs(tmp_path: Path) -> None:
    """Whole messages arrive, in order; the end comes once."""
    write_application(
        tmp_path,
        "import random\nsend(os.getpid())\nn = 0\nwhile True:\n    send([n, 'x' * random.randrange(5000)]); n += 1",
    )
    for moment in range(5):
        async with open_application(tmp_path) as (port, witness):
            with trio.fail_after(PATIENCE_SECONDS):
                await wait_heard(port, witness, 1 + moment * 50)
                os.kill(witness.seen[0], signal.SIGKILL)
                await port.wait_disconnected()
        numbers = [each[0] for each in witness.seen[1:-1]]
        assert numbers == list(range(len(numbers)))
        assert witness.seen.count("end") == 1
        assert port.error is not None


async def test_one_process_for_each_connection(tmp_path: Path) -> None:
    """Rule 39: never shared; what was posted before it was up is written in order."""
    write_application(tmp_path, "send(os.getpid())\n" + ECHO)
    async with open_application(tmp_path) as (one, first), open_application(tmp_path) as (other, second):
        for number in range(5):
            one.post_message(number)
            other.post_message(-number)
        await wait_heard(one, first, 6)
        await wait_heard(other, second, 6)
        assert first.seen[0] != second.seen[0]
        assert first.seen[1:] == [0, 1, 2, 3, 4]
        assert second.seen[1:] == [0, -1, -2, -3, -4]


async def test_on_windows_trios_own_pipes_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forced here: there descriptors cannot be polled, and Trio has pipes of its own."""
    from trio_ports._transports import processes

    monkeypatch.setattr(processes, "_WINDOWS", True)
    write_application(tmp_path, "send(receive()); send(receive())")
    seen, error = await converse(tmp_path, "trio", 1, "x" * 300_000)
    assert (seen, error) == ([1, "x" * 300_000, "end"], None)


async def test_where_a_closed_standard_input_cannot_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside Linux it is noticed by the next write."""
    monkeypatch.setattr(sys, "platform", "other")
    write_application(tmp_path, ECHO)
    async with open_application(tmp_path) as (port, witness):
        port.post_message(1)
        await wait_heard(port, witness)
