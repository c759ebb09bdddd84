"""A running application: what becomes of it, as seen from outside."""

from __future__ import annotations

import signal
import sys

import pytest
import trio
from testing.applications.faults import command

from trio_ports.testing._applications import program as programs
from trio_ports.testing._applications.program import Manner, open_program


def test_a_program_that_reads_no_longer() -> None:
    """`fate` tells that a program has stopped reading after the first byte."""

    async def main() -> str:
        code = "import os, time; os.read(0, 1); time.sleep(60)"
        async with open_program([sys.executable, "-c", code], patience=0.2, start_seconds=0.5) as program:
            assert not await program.is_responsive(Manner("silent", "ping"))
            return program.fate()

    assert trio.run(main) == "it is there and does not read its input"


def test_a_program_whose_input_has_ended() -> None:
    """After the end of its input, `fate` does not claim that a program does not read."""

    async def main() -> str:
        code = "import time; time.sleep(60)"
        async with open_program([sys.executable, "-c", code], patience=0.2, start_seconds=0.1) as program:
            program.write(b"1234")
            program.end_input()
            assert not await program.wait_exited(0.1)
            return program.fate()

    assert trio.run(main) == "it is there and says nothing"


def test_a_silent_program_that_reads_only_once() -> None:
    """A program that never answers is responsive as long as it reads."""

    async def main() -> list[bool]:
        code = "import os, time; os.read(0, 65536); time.sleep(60)"
        async with open_program(
            [sys.executable, "-c", code], patience=0.5, start_seconds=60, grace_seconds=0
        ) as program:
            return [await program.is_responsive(Manner("silent", "ping")) for _ in range(2)]

    assert trio.run(main) == [True, False]


def test_a_program_that_does_not_want_to_leave() -> None:
    """SIGKILL ends a program that ignores the end of its input and SIGTERM."""

    async def main() -> int | None:
        code = (
            "import os, signal, time\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "os.write(1, bytes(4))\n"
            "time.sleep(60)\n"
        )
        async with open_program([sys.executable, "-c", code], patience=60, grace_seconds=0) as program:
            await program.next_answer()
        return program.returncode

    assert trio.run(main) == -signal.SIGKILL


def test_an_output_that_nobody_known_holds() -> None:
    """What has emptied its environment is not found by it; that the output is held open is seen all the same."""

    async def main() -> list[str]:
        child = "[sys.executable, '-S', '-c', 'import time; time.sleep(60)']"
        code = f"import subprocess, sys; subprocess.Popen({child}, env={{}})"
        async with open_program([sys.executable, "-c", code], patience=60) as program:
            assert await program.wait_exited(60)
            return await program.find_holders()

    assert trio.run(main) == ["a process"]


@pytest.mark.parametrize("limit", ["MAX_UNREAD_FRAMES", "MAX_UNREAD_BYTES"])
def test_more_than_anybody_reads(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """A program that writes without an end does not fill the memory."""
    monkeypatch.setattr(programs, limit, 10)

    async def main() -> str:
        async with open_program(command("chatters"), patience=5, start_seconds=10) as program:
            assert not await program.wait_exited(1)
            return program.fate()

    assert "goes on writing frames that nobody asked for" in trio.run(main)
