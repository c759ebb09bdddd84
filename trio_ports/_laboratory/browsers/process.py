"""Start a browser under a supervisor, in a folder of its own, and be sure that both are gone afterwards."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, final

import attrs
import msgspec
import trio

from .errors import BrowserGoneError, BrowserStartError
from .find import BrowserKind

SUPERVISOR: Final = Path(__file__).with_name("supervisor.py")
REMOVE_SECONDS: Final = 10.0
"""How long the supervisor may take to end everything; it needs two seconds at the worst."""
LAST_BYTES: Final = 2_000
PLACE_LETTERS: Final = 24
"""How long the path of a place for temporary folders may be: Chromium's socket, deep in ours, has room for 107."""


@final
@attrs.frozen
class Browser:
    """A running browser with its extensions loaded."""

    kind: BrowserKind
    name: str
    """What it calls itself, such as ``firefox`` or ``Chrome``."""
    version: str
    manifest_folder: Path
    """Where it looks for manifests of native applications, each time that one is started; it exists."""
    extension_ids: Mapping[Path, str]
    """The id of each extension that was loaded, by the folder it came from."""
    load_extension: Callable[[Path], Awaitable[str]]
    """Load an extension from an absolute path, once more if it is loaded already, and return its id.
    `BrowserCommandError` is a refusal."""
    stop_background: Callable[[str], Awaitable[None]]
    """Stops the background of the extension with that id, if it runs, as the browser does to one that is idle."""


@final
@attrs.frozen
class BrowserProcess:
    """A browser, once it was started, and the folder in which it runs."""

    folder: Path
    """Everything the browser writes is in here; it is removed at the end, even if this program is killed."""
    _supervisor: trio.Process
    _pipe: trio.StapledStream[Any, Any]

    async def start(
        self, command: Sequence[str], environment: Mapping[str, str], *, pipe: bool = False
    ) -> trio.abc.Stream:
        """Start the browser, in a process group of its own, with a folder of its own for temporary files.

        Args:
            command: the program and its arguments.
            environment: added to this program's own.
            pipe: connect its descriptors 3 (it reads) and 4 (it writes) to the stream that is returned.
        """
        temporary = self.folder / "tmp"
        temporary.mkdir()
        environment = {**environment, "TMPDIR": str(temporary)}
        request = {"command": list(command), "environment": environment, "pipe": pipe}
        assert self._supervisor.stdin is not None
        await self._supervisor.stdin.send_all(msgspec.json.encode(request) + b"\n")
        return self._pipe

    async def wait_ended(self) -> None:
        """Wait until the browser has ended by itself."""
        assert self._supervisor.stdout is not None
        await self._supervisor.stdout.receive_some()

    @property
    def log(self) -> Path:
        """The file with what the browser prints, both streams together."""
        return self.folder / "output.log"

    def output(self) -> str:
        """Return the last lines that the browser printed."""
        with suppress(OSError):
            return self.log.read_bytes()[-LAST_BYTES:].decode(errors="replace").strip()
        return ""

    def check_running(self) -> None:
        """Raise BrowserStartError if the browser has ended by itself."""
        with suppress(OSError):
            status = (self.folder / "ended").read_text()
            raise BrowserStartError(f"the browser ended with status {status}", self.output())


def choose_folder() -> Path:
    """Return where a new private folder may be: in the usual place, or in ``/tmp`` if that one's path is too long."""
    place = tempfile.gettempdir()
    return Path(place if len(os.fsencode(place)) <= PLACE_LETTERS else "/tmp", f"trio-ports-{secrets.token_hex(4)}")


@asynccontextmanager
async def open_process() -> AsyncGenerator[BrowserProcess]:
    """Make a private folder in which a browser can be started; both are gone afterwards, however the block ends.

    A supervisor makes and removes the folder. If this program is killed, it still ends the browser and removes the
    folder. Leaving takes up to some two seconds if native applications don't leave, cancelled or not.
    """
    folder = choose_folder()
    given, taken = os.pipe(), os.pipe()
    theirs, ours = (given[0], taken[1]), (taken[0], given[1])
    try:
        supervisor = await trio.lowlevel.open_process(
            [sys.executable, "-I", str(SUPERVISOR), str(folder), *map(str, theirs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=theirs,
            start_new_session=True,
        )
    except BaseException:
        close_all(ours)
        raise
    finally:
        close_all(theirs)
    read, write = map(trio.lowlevel.FdStream, ours)
    process = BrowserProcess(folder, supervisor, trio.StapledStream(write, read))
    assert supervisor.stdin is not None
    assert supervisor.stdout is not None
    try:
        if not await supervisor.stdout.receive_some(1):
            raise BrowserStartError(f"{folder} could not be made", "")
        yield process
    finally:
        with trio.CancelScope(shield=True):
            # It removes everything once its standard input is closed.
            await supervisor.stdin.aclose()
            with trio.move_on_after(REMOVE_SECONDS):
                await supervisor.wait()
            if supervisor.returncode is None:  # pragma: no cover - a supervisor that hangs would be a fault of ours.
                supervisor.kill()
                await supervisor.wait()
            await supervisor.stdout.aclose()
            await process._pipe.aclose()


def close_all(descriptors: Iterable[int]) -> None:
    """Close them."""
    for each in descriptors:
        os.close(each)


async def watch(process: BrowserProcess) -> None:
    """Raise as soon as the browser ends by itself."""
    await process.wait_ended()
    raise BrowserGoneError("the browser was closed, or crashed")
