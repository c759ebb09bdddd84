"""Start a browser under a keeper, in a folder of its own, and be sure that both are gone afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final, final

import attrs
import trio

from .errors import BrowserStartError

KEEPER: Final = Path(__file__).with_name("keeper.py")
REMOVE_SECONDS: Final = 10.0
"""How long the keeper may take to end everything; it needs two seconds at the worst."""
LAST_BYTES: Final = 2_000


@final
@attrs.frozen
class BrowserProcess:
    """A browser that runs."""

    folder: Path
    """Everything the browser writes is in here; removed at the end."""
    pipe: trio.StapledStream[trio.lowlevel.FdStream, trio.lowlevel.FdStream] | None
    """The browser's descriptors 3 and 4, if it was started with them."""

    def output(self) -> str:
        """Return the last lines that the browser printed."""
        with suppress(OSError):
            return (self.folder / "output.log").read_bytes()[-LAST_BYTES:].decode(errors="replace").strip()
        return ""

    def check_running(self) -> None:
        """Raise BrowserStartError if the browser has ended by itself."""
        with suppress(OSError):
            status = (self.folder / "ended").read_text()
            raise BrowserStartError(f"the browser ended with status {status}", self.output())


@contextmanager
def open_folder(given: Path | None = None) -> Generator[Path]:
    """Make a private folder for one run and remove it at the end; or use the given one, which its maker removes."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="trio-ports-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@asynccontextmanager
async def open_process(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], *, pipe: bool = False
) -> AsyncGenerator[BrowserProcess]:
    """Run a browser until the block ends, however it ends; nothing of it is left then.

    The browser has a process group of its own. If this program is killed, the keeper still ends the browser and
    removes the folder. Leaving takes up to some two seconds if native applications don't leave, cancelled or not.

    Args:
        command: the program and its arguments.
        folder: where the browser writes; removed at the end.
        environment: added to this program's own.
        pipe: whether the browser gets descriptors 3 (it reads) and 4 (it writes).
    """
    given = os.pipe() if pipe else (-1, -1)
    taken = os.pipe() if pipe else (-1, -1)
    theirs, ours = (given[0], taken[1]), (taken[0], given[1])
    arguments = [str(folder), *map(str, theirs), *command]
    try:
        keeper = await trio.lowlevel.open_process(
            [sys.executable, "-I", str(KEEPER), *arguments],
            stdin=subprocess.PIPE,
            pass_fds=theirs if pipe else (),
            env={**os.environ, **environment},
            start_new_session=True,
        )
    except BaseException:
        close_all(ours)
        raise
    finally:
        close_all(theirs)
    stream = None
    if pipe:
        read, write = map(trio.lowlevel.FdStream, ours)
        stream = trio.StapledStream(write, read)
    try:
        yield BrowserProcess(folder, stream)
    finally:
        with trio.CancelScope(shield=True):
            await _end(keeper)
            if stream is not None:
                await stream.aclose()


def close_all(descriptors: Iterable[int]) -> None:
    """Close those that there are."""
    for each in descriptors:
        if each >= 0:
            os.close(each)


async def _end(keeper: trio.Process) -> None:
    """Close the keeper's standard input and wait until it has removed everything; end it if it doesn't leave."""
    assert keeper.stdin is not None
    await keeper.stdin.aclose()
    with trio.move_on_after(REMOVE_SECONDS):
        await keeper.wait()
    if keeper.returncode is None:  # pragma: no cover - a keeper that hangs would be a fault of ours.
        keeper.kill()
        await keeper.wait()
