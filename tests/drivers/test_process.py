"""A browser's process and its keeper, with a shell that plays the browser."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from trio_ports._drivers import BrowserStartError
from trio_ports._drivers.process import BrowserProcess, open_folder, open_process

SHELL = ["/bin/sh", "-c"]


async def wait_until(condition: Callable[[], bool]) -> None:
    """Poll: other processes tell us nothing."""
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)


async def wait_for(path: Path) -> str:
    """Return what a process has written to a file, as soon as it has."""
    await wait_until(lambda: path.exists() and path.read_text().endswith("\n"))
    return await trio.Path(path).read_text()


def is_running(pid: int) -> bool:
    """Say whether there is such a process, and not just what is left until somebody asks for its status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def count_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_leaving_ends_the_browser_and_what_it_started() -> None:
    """The whole group, and the folder; a child that does not want to leave is ended too."""
    with open_folder() as folder:
        command = [*SHELL, f"trap '' TERM HUP; (trap '' HUP; exec sleep 60) & echo $! > {folder}/pid; wait"]
        async with open_process(command, folder, {}):
            child = int(await wait_for(folder / "pid"))
            assert is_running(child)
        assert not is_running(child)
        assert not folder.exists()


async def test_a_child_may_leave_by_itself() -> None:
    """What the browser started gets a moment after the browser's end: it sees its end of file and writes its last."""
    with open_folder() as folder, open_folder() as kept:
        note = kept / "note"
        os.mkfifo(folder / "fifo")
        child = f"(read line; echo left > {note}) < {folder}/fifo &"
        async with open_process([*SHELL, f"{child} exec 8> {folder}/fifo; echo > {folder}/up; wait"], folder, {}):
            await wait_for(folder / "up")
        assert note.read_text() == "left\n"


async def test_cancelled_it_is_the_same() -> None:
    """Cleaning up is shielded."""
    with open_folder() as folder, trio.CancelScope() as scope:
        async with open_process([*SHELL, f"echo $$ > {folder}/pid; exec sleep 60"], folder, {}):
            browser = int(await wait_for(folder / "pid"))
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert not is_running(browser)
    assert not folder.exists()


async def test_it_is_told_that_the_browser_ended() -> None:
    """With its status and its last words."""
    with open_folder() as folder:
        async with open_process([*SHELL, "echo no display >&2; exit 3"], folder, {"LANG": "C"}) as process:
            await wait_until((folder / "ended").exists)
            with pytest.raises(BrowserStartError, match=r"status 3.*\nno display") as caught:
                process.check_running()
            assert caught.value.output == "no display"


async def test_it_is_told_that_the_browser_cannot_be_started() -> None:
    """Status 127, as a shell's, and the system's words."""
    with open_folder() as folder:
        async with open_process([str(folder / "missing")], folder, {}) as process:
            await wait_until((folder / "ended").exists)
            with pytest.raises(BrowserStartError, match=r"status 127.*\n.*No such file"):
                process.check_running()


async def test_the_pipe_is_3_and_4() -> None:
    """What we send is read from 3, what is written to 4 is received, and the end comes with the browser's."""
    with open_folder() as folder:
        async with open_process([*SHELL, "read line <&3; echo got $line >&4"], folder, {}, pipe=True) as process:
            assert process.pipe is not None
            await process.pipe.send_all(b"word\n")
            received = b""
            with trio.fail_after(10):
                while data := await process.pipe.receive_some():
                    received += data
            assert received == b"got word\n"


async def test_nothing_is_left_when_no_keeper_starts(tmp_path: Path) -> None:
    """A program that is out of processes has no pipe left open either."""
    before = count_descriptors()
    with pytest.raises(ValueError, match="null"):
        async with open_process(["\0"], tmp_path, {}, pipe=True):
            pass  # pragma: no cover
    assert count_descriptors() == before


PROGRAM = """
import sys, trio
from pathlib import Path
from trio_ports._drivers.process import open_process
async def main(folder):
    async with open_process(["/bin/sh", "-c", f"echo $$ > {folder}/pid; exec sleep 60"], Path(folder), {}):
        await trio.sleep_forever()
trio.run(main, sys.argv[1])
"""


async def test_a_program_that_is_killed_leaves_nothing() -> None:
    """The keeper notices, ends the browser and removes the folder."""
    with open_folder() as folder:
        program = await trio.lowlevel.open_process([sys.executable, "-c", PROGRAM, str(folder)])
        browser = int(await wait_for(folder / "pid"))
        program.kill()
        await program.wait()
        await wait_until(lambda: not folder.exists() and not is_running(browser))


def test_a_folder_that_is_given_stays(tmp_path: Path) -> None:
    """Its maker removes it."""
    with open_folder(tmp_path) as folder:
        assert folder == tmp_path
    assert tmp_path.exists()


def test_a_browser_that_printed_nothing(tmp_path: Path) -> None:
    """No file yet, no words."""
    assert BrowserProcess(tmp_path, None).output() == ""
