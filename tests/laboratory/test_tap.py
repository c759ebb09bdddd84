"""The tap, between a program that stands for the browser and an application."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from support import PATIENCE_SECONDS

from trio_ports._laboratory.trial import TAP, Report

ECHO = "import os\nwhile data := os.read(0, 65536): os.write(1, data)"


@asynccontextmanager
async def reports_of(*command: str | Path, patient: bool = True) -> AsyncGenerator[tuple[trio.Process, list[Report]]]:
    """Start a tap; what it reported is complete at the end of the block, where it has ended."""
    reports: list[Report] = []

    async def serve(stream: trio.SocketStream) -> None:
        data = b"".join([piece async for piece in stream])
        reports.extend(msgspec.json.decode(line, type=Report) for line in data.splitlines())
        served.set()

    served = trio.Event()
    with tempfile.TemporaryDirectory(prefix="tap-", dir="/tmp") as folder, trio.fail_after(PATIENCE_SECONDS):
        address = Path(folder, "socket")
        async with trio.open_nursery() as nursery:
            if patient:
                listening = trio.socket.socket(trio.socket.AF_UNIX)
                await listening.bind(str(address))
                listening.listen()
                nursery.start_soon(trio.serve_listeners, serve, [trio.SocketListener(listening)])
            process = await trio.lowlevel.open_process(
                [sys.executable, "-I", TAP, address, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            try:
                yield process, reports
                await process.wait()
                if patient:
                    await served.wait()
            finally:
                process.kill()
                for pipe in (process.stdin, process.stdout, process.stderr):
                    assert pipe is not None
                    await pipe.aclose()
            nursery.cancel_scope.cancel()


def said(reports: list[Report], event: str) -> bytes:
    return b"".join(report.data for report in reports if report.event == event)


async def exchange(process: trio.Process, data: bytes) -> bytes:
    """Write, close, and return all that comes back."""
    assert process.stdin is not None
    assert process.stdout is not None
    answer: list[bytes] = []
    async with trio.open_nursery() as nursery:

        async def write(stdin: Any) -> None:
            await stdin.send_all(data)
            await stdin.aclose()

        nursery.start_soon(write, process.stdin)
        answer += [piece async for piece in process.stdout]
    return b"".join(answer)


async def test_every_byte_passes_and_is_reported() -> None:
    """More than a pipe holds, in both directions; and the end of one side is the end of the other."""
    data = os.urandom(1_000_000)
    async with reports_of(sys.executable, "-c", ECHO) as (process, reports):
        assert await exchange(process, data) == data
    assert process.returncode == 0
    assert [said(reports, event) for event in ("asked", "answered", "stderr")] == [data, data, b""]
    assert (reports[0].event, reports[-1]) == ("started", Report("exited"))


async def test_nobody_takes_the_report() -> None:
    """The conversation goes on."""
    async with reports_of(sys.executable, "-c", ECHO, patient=False) as (process, reports):
        assert await exchange(process, b"hello") == b"hello"
    assert (process.returncode, reports) == (0, [])


@pytest.mark.parametrize(
    ("end", "status", "shown"), [("sys.exit(3)", 3, 3), ("os.kill(os.getpid(), 9)", -signal.SIGKILL, 137)]
)
async def test_how_it_ends(end: str, status: int, shown: int) -> None:
    """Its status is the tap's, and what it wrote to standard error comes before it; the browser may still talk."""
    program = f"import os, sys; os.write(2, b'oh dear'); {end}"
    async with reports_of(sys.executable, "-c", program) as (process, reports):
        assert process.stderr is not None
        assert b"".join([piece async for piece in process.stderr]) == b"oh dear"
    assert process.returncode == shown
    assert (said(reports, "stderr"), reports[-1]) == (b"oh dear", Report("exited", status=status))


async def test_a_browser_that_asks_it_to_go() -> None:
    """SIGTERM is the application's."""
    program = "import signal, os, sys\nsignal.signal(15, lambda *_: sys.exit(7))\nos.write(1, b'x')\nsignal.pause()"
    async with reports_of(sys.executable, "-c", program) as (process, reports):
        assert process.stdout is not None
        assert await process.stdout.receive_some() == b"x"
        process.terminate()
    assert (process.returncode, reports[-1]) == (7, Report("exited", status=7))


async def test_a_browser_that_reads_no_more() -> None:
    """The application meets that, as it would without the tap."""
    program = "import os, signal\nsignal.signal(13, 0)\nos.write(1, b'x')\nwhile True: os.write(1, bytes(65536))"
    async with reports_of(sys.executable, "-c", program) as (process, reports):
        assert process.stdout is not None
        await process.stdout.receive_some()
        await process.stdout.aclose()
    assert reports[-1] == Report("exited", status=-signal.SIGPIPE)


async def test_a_child_that_holds_the_pipes() -> None:
    """It does not keep the tap for long."""
    program = "import subprocess\nprint(subprocess.Popen(['sleep', '3600']).pid, flush=True)"
    async with reports_of(sys.executable, "-c", program) as (process, reports):
        pass
    assert process.returncode == 0
    os.kill(int(said(reports, "answered")), signal.SIGKILL)


async def test_what_cannot_be_started(tmp_path: Path) -> None:
    """That is reported, with the system's reason."""
    async with reports_of(tmp_path / "nothing") as (process, reports):
        pass
    assert process.returncode == 127
    text = f"{tmp_path / 'nothing'} cannot be started: No such file or directory"
    assert reports == [Report("failed", text=text)]
