"""A browser's process and its supervisor, with a shell that plays the browser."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from laboratory.processes import is_running
from native_support import open_descriptors
from support import PATIENCE_SECONDS

from trio_ports._laboratory.browsers.errors import BrowserStartError
from trio_ports._laboratory.browsers.process import choose_folder, open_process

SHELL = ["/bin/sh", "-c"]


async def wait_until(condition: Callable[[], bool]) -> None:
    """Poll: other processes tell us nothing."""
    with trio.fail_after(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)


async def wait_for(path: Path) -> str:
    """Return what a process has written to a file, as soon as it has."""
    await wait_until(lambda: path.exists() and path.read_text().endswith("\n"))
    return await trio.Path(path).read_text()


async def test_leaving_ends_the_browser_and_what_it_started() -> None:
    """The whole group, and the folder; a child that does not want to leave is ended too."""
    async with open_process() as process:
        folder = process.folder
        await process.start(
            [*SHELL, f"trap '' TERM HUP; (trap '' HUP; exec sleep 60) & echo $! > {folder}/pid; wait"], {}
        )
        child = int(await wait_for(folder / "pid"))
        assert is_running(child)
    assert not is_running(child)
    assert not folder.exists()


async def test_a_child_may_leave_by_itself(tmp_path: Path) -> None:
    """What the browser started gets a moment after the browser's end: it sees its end of file and writes its last."""
    note = tmp_path / "note"
    async with open_process() as process:
        os.mkfifo(process.folder / "fifo")
        child = f"(read line; echo left > {note}) < {process.folder}/fifo &"
        await process.start([*SHELL, f"{child} exec 8> {process.folder}/fifo; echo > {process.folder}/up; wait"], {})
        await wait_for(process.folder / "up")
    assert note.read_text() == "left\n"


async def test_cancelled_it_is_the_same() -> None:
    """Cleaning up is shielded."""
    with trio.CancelScope() as scope:
        async with open_process() as process:
            await process.start([*SHELL, f"echo $$ > {process.folder}/pid; exec sleep 60"], {})
            browser = int(await wait_for(process.folder / "pid"))
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert not is_running(browser)
    assert not process.folder.exists()


async def test_no_browser_need_be_started() -> None:
    """The folder is there, private and empty, and gone afterwards."""
    async with open_process() as process:
        assert process.folder.stat().st_mode & 0o777 == 0o700
        assert (list(process.folder.iterdir()), process.output()) == ([], "")
    assert not process.folder.exists()


async def test_it_is_told_that_the_browser_ended() -> None:
    """With its status and its last words."""
    async with open_process() as process:
        process.check_running()
        await process.start([*SHELL, "echo no display $WHERE >&2; exit 3"], {"WHERE": "here"})
        with trio.fail_after(PATIENCE_SECONDS):
            await process.wait_ended()
        with pytest.raises(BrowserStartError, match=r"status 3.*\nno display here") as caught:
            process.check_running()
        assert caught.value.output == "no display here"


async def test_it_is_told_that_the_browser_cannot_be_started() -> None:
    """Status 127, as a shell's, and the system's words."""
    async with open_process() as process:
        await process.start([str(process.folder / "missing")], {})
        with trio.fail_after(PATIENCE_SECONDS):
            await process.wait_ended()
        with pytest.raises(BrowserStartError, match=r"status 127.*\n.*No such file"):
            process.check_running()


async def test_the_pipe_is_3_and_4() -> None:
    """What we send is read from 3, what is written to 4 is received, and the end comes with the browser's."""
    async with open_process() as process:
        pipe = await process.start([*SHELL, "read line <&3; echo got $line >&4"], {}, pipe=True)
        await pipe.send_all(b"word\n")
        received = b""
        with trio.fail_after(PATIENCE_SECONDS):
            while data := await pipe.receive_some():
                received += data
        assert received == b"got word\n"


async def test_nothing_is_left_when_no_supervisor_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is out of processes has no pipe left open either."""
    before = open_descriptors()
    monkeypatch.setattr(sys, "executable", "\0")
    with pytest.raises(ValueError, match="null"):
        async with open_process():
            pass  # pragma: no cover
    assert open_descriptors() <= before


async def test_a_folder_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """The error names it."""
    monkeypatch.setattr("trio_ports._laboratory.browsers.process.choose_folder", lambda: Path("/nowhere/at/all"))
    with pytest.raises(BrowserStartError, match=r"^/nowhere/at/all could not be made$"):
        async with open_process():
            pass  # pragma: no cover
    assert "No such file" in capfd.readouterr().err


def test_long_paths_are_avoided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser's socket has a path of limited length, and is some 50 letters below our folder."""
    monkeypatch.setattr(tempfile, "tempdir", "/short")
    assert choose_folder().parent == Path("/short")
    monkeypatch.setattr(tempfile, "tempdir", f"/{'long' * 30}")
    assert choose_folder().parent == Path("/tmp")


async def test_temporary_files_go_into_the_folder() -> None:
    """Whatever the browser leaves there is removed with it."""
    async with open_process() as process:
        await process.start([*SHELL, 'echo > "$TMPDIR/left"'], {})
        with trio.fail_after(PATIENCE_SECONDS):
            await process.wait_ended()
        assert [each.name for each in (process.folder / "tmp").iterdir()] == ["left"]


PROGRAM = """
import sys, trio
from trio_ports._laboratory.browsers.process import open_process
async def main():
    async with open_process() as process:
        print(process.folder, flush=True)
        if sys.argv[1:]:
            await process.start(["/bin/sh", "-c", f"echo $$ > {process.folder}/pid; exec sleep 60"], {})
        await trio.sleep_forever()
trio.run(main)
"""


@pytest.mark.parametrize("start", [True, False])
async def test_a_program_that_is_killed_leaves_nothing(start: bool) -> None:
    """The supervisor notices, ends the browser if there is one, and removes the folder."""
    arguments = [sys.executable, "-c", PROGRAM, *(["start"] if start else [])]
    program = await trio.lowlevel.open_process(arguments, stdout=subprocess.PIPE)
    assert program.stdout is not None
    folder = Path((await program.stdout.receive_some()).decode().strip())
    browser = int(await wait_for(folder / "pid")) if start else 0
    program.kill()
    await program.wait()
    await wait_until(lambda: not folder.exists() and not (start and is_running(browser)))
