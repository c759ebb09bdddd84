"""A native application from outside: started, written to, read from, and looked at as it ends."""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, final

import attrs
import trio
import trio.lowlevel

from .._ports.body import Body
from .._protocol.frames import LENGTH, TO_APPLICATION_BYTES, spelled_text
from .answers import Answer, NotAFrameError, frame_of, same_json
from .complaints import find_crash, last_words
from .processes import bytes_in, end_group, enlarge, signal_name, standing_still, start_program

LONGEST: Final = TO_APPLICATION_BYTES["chromium"] + 65536
"""A longer frame than this is no frame: not even an echo of the largest message has so many bytes."""
MOST_UNREAD: Final = 100_000
MOST_UNREAD_BYTES: Final = 2 * LONGEST
"""So much may come before it is asked for."""
MOMENT_SECONDS: Final = 1.0
"""How long one that says nothing is waited for."""
WATCH_SECONDS: Final = 0.5
"""How long one that says nothing is watched when it has read what might end it."""
LOOK_SECONDS: Final = 0.02
"""How often it is looked whether it has read something."""
STILL_SECONDS: Final = 0.2
"""How long one that stands still is written to; what a pipe has room for takes no time."""
_SHOWN: Final = 60


@final
@attrs.frozen
class Manner:
    """What an application does when it is spoken to."""

    kind: Literal["echo", "answers", "silent"]
    marker: Any
    """A message that it answers, or might have."""
    reads: bool = True
    """It reads its input, as far as can be seen."""


@final
class Host:
    """An application that runs. Made by `open_host`."""

    def __init__(self, process: trio.Process, patience: float, start_seconds: float) -> None:
        self._process = process
        self._patience = patience
        self._answers_in, self._answers = trio.open_memory_channel[Answer](MOST_UNREAD)
        self._to_write_in, self._to_write = trio.open_memory_channel[bytes](1 << 20)
        self._reading = trio.Event()
        self._reading.set()
        self._stray: NotAFrameError | None = None
        self._stderr = bytearray()
        self._heard_all = trio.Event()
        self._heard_errors = trio.Event()
        self._begun = b""
        self._unread_bytes: float = 0
        self._written = trio.Event()
        self._to_read = self._sent = 0
        self._is_deaf = False
        self._start_seconds = start_seconds
        self._started = trio.Event()

    def post(self, message: Any) -> None:
        """Write a message, in a task of its own."""
        self.write(frame_of(message))

    def write(self, data: bytes) -> None:
        """Write bytes, in a task of its own."""
        self._written = trio.Event()
        self._to_read += len(data)
        self._to_write_in.send_nowait(data)

    async def write_pieces(self, pieces: Sequence[bytes]) -> None:
        """Write pieces, each by itself."""
        for piece in pieces:
            self.write(piece)
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()

    async def write_at_once(self, data: bytes) -> None:
        """Write bytes while the application stands still, so that it finds all of them there as it goes on.

        As many as a pipe takes: the rest follows as it reads. Where a process cannot be stopped they are only written.
        """
        stdin = self._process.stdin
        assert stdin is not None
        with standing_still(self._process):
            enlarge(stdin, len(data))
            self.write(data)
            with trio.move_on_after(STILL_SECONDS):
                await self._written.wait()

    def end_input(self) -> None:
        """End its input, once everything was written."""
        self._to_write_in.close()

    @contextlib.contextmanager
    def not_reading(self) -> Generator[None]:
        """Take nothing of what it writes, for a block."""
        self._reading = trio.Event()
        try:
            yield
        finally:
            self._reading.set()

    async def next_answer(self, seconds: float | None = None) -> Answer | None:
        """Return its next frame; None if none comes.

        Raises:
            NotAFrameError: what comes is no frame.
        """
        await self.wait_started()
        with trio.move_on_after(0 if self._is_deaf else seconds or self._patience):
            try:
                answer = await self._answers.receive()
            except trio.EndOfChannel:
                if self._stray is not None:
                    raise self._stray from None
                await self._wait_over()  # So that it can be said how it ended.
            else:
                self._unread_bytes -= len(answer.data)
                return answer
        return None

    async def expect(self, message: Any, seconds: float | None = None) -> str:
        """Take its next frame, and say what is wrong with it; nothing, if it is this message."""
        answer = await self.next_answer(seconds)
        if answer is None:
            return f"no answer: {self.fate()}"
        return "" if same_json(answer.value(), message) else f"the answer is {answer.shown()}"

    async def is_well(self, manner: Manner, seconds: float | None = None) -> bool:
        """Say whether it lives: it answers, if it does at all, or has read its input and is there a moment later."""
        self.post(manner.marker)
        if manner.kind == "silent":
            await self.wait_started()
            if self._is_deaf:
                return False
            with trio.move_on_after(min(self._patience, WATCH_SECONDS)):
                await self.wait_gone(math.inf)
                return False
            return self._stray is None and not self._begun
        answer = await self.next_answer(seconds)
        if manner.kind == "echo":
            while answer is not None and not answer.is_same(manner.marker):
                answer = await self.next_answer(seconds)
        return answer is not None

    async def wait_gone(self, seconds: float) -> bool:
        """Say whether it ends in that time, and all it wrote has been heard."""
        await self.wait_started()
        with trio.move_on_after(seconds):
            await self._process.wait()
        if self.is_gone:
            await self._wait_over()
        return self.is_gone

    async def wait_started(self) -> None:
        """Wait until it has said something, read what it was sent, or ended, as long as it may still be starting."""
        with trio.move_on_after(self._start_seconds):
            while not self._started.is_set() and not self._has_read():
                with trio.move_on_after(LOOK_SECONDS):
                    await self._started.wait()
            self._started.set()
        if not self._started.is_set():
            self._is_deaf = bool(self._unread())
            self._started.set()

    def _has_read(self) -> bool:
        return 0 < self._sent == self._to_read and self._unread() == 0

    def _unread(self) -> int | None:
        """Return how many bytes of what was written to it nobody has read; None where that cannot be told."""
        assert self._process.stdin is not None
        return bytes_in(self._process.stdin)

    async def _wait_over(self) -> None:
        await self._process.wait()
        with trio.move_on_after(MOMENT_SECONDS):  # Something that it started may hold its output.
            await self._heard_all.wait()
            await self._heard_errors.wait()

    # What it is like ------------------------------------------------------------------------------------------------

    @property
    def returncode(self) -> int | None:
        """Its exit status, or the negative number of the signal that ended it; None while it lives."""
        return self._process.returncode

    @property
    def is_gone(self) -> bool:
        """It has ended."""
        return self._process.poll() is not None

    @property
    def is_deaf(self) -> bool:
        """It has read nothing in the time that it has to start."""
        return self._is_deaf

    @property
    def has_begun(self) -> bool:
        """It has written what is not yet a whole frame."""
        return bool(self._begun)

    def fate(self) -> str:
        """Say what has become of it."""
        if self._stray is not None:
            return str(self._stray)
        code = self._process.poll()
        if code is not None:
            ended = f"exited with status {code}" if code >= 0 else f"was ended by {signal_name(-code)}"
            return f"it {ended}{self._last_line()}"
        if self._heard_all.is_set():
            return "it is there, and has closed its output"
        if self._is_deaf:
            return "it is there and does not read its input"
        return f"it has written {_shown(self._begun)}, and no more" if self._begun else "it is there and says nothing"

    def last_words(self) -> str:
        """Return the last line that it wrote to its standard error, or of an error that it did not catch."""
        return last_words(self._errors())

    def crash(self) -> str | None:
        """Return the last line of an error that it did not catch; None if there was none."""
        return find_crash(self._errors())

    def _errors(self) -> str:
        return bytes(self._stderr).decode("utf-8", "replace")

    def _last_line(self) -> str:
        words = self.last_words()
        return f" ({words})" if words else ""

    # Tasks ----------------------------------------------------------------------------------------------------------

    async def run(self, nursery: trio.Nursery) -> None:
        """Carry what is written and read."""
        nursery.start_soon(self._write)
        nursery.start_soon(self._read)
        nursery.start_soon(self._listen)
        nursery.start_soon(self._watch)

    async def _watch(self) -> None:
        await self._process.wait()
        self._started.set()

    async def _write(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in self._to_write:
                await stdin.send_all(data)
                self._sent += len(data)
                if self._sent == self._to_read:
                    self._written.set()
        await stdin.aclose()

    async def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        data = bytearray()
        with self._answers_in:
            while self._stray is None:
                await self._reading.wait()
                piece = await stdout.receive_some(1 << 20)
                if not piece:
                    break
                data += piece
                self._cut(data)
            if data and self._stray is None:
                self._stray = NotAFrameError(f"its output ends inside a frame: {bytes(data[:_SHOWN])!r}")
        self._started.set()
        self._heard_all.set()

    def _cut(self, data: bytearray) -> None:
        """Take whole frames out of the data, as long as there are frames in it."""
        start = 0
        while len(data) - start >= LENGTH.size:
            (length,) = LENGTH.unpack_from(data, start)
            if length > LONGEST:
                found = _shown(bytes(data[start : start + _SHOWN]))
                self._stray = NotAFrameError(f"what it writes is no frame, but {found}")
                return
            if len(data) - start - LENGTH.size < length:
                break
            start += LENGTH.size
            self._take(Answer(bytes(data[start : start + length])))
            start += length
        del data[:start]
        self._begun = bytes(data[:_SHOWN])

    def _take(self, answer: Answer) -> None:
        self._started.set()
        self._unread_bytes += len(answer.data)
        try:
            self._answers_in.send_nowait(answer)
        except trio.WouldBlock:
            self._unread_bytes = math.inf
        if self._unread_bytes > MOST_UNREAD_BYTES:
            self._stray = NotAFrameError(f"it goes on writing frames that nobody asked for: {answer.shown()}")

    async def _listen(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        async for data in stderr:
            self._stderr += data
            del self._stderr[: -(1 << 16)]
        self._heard_errors.set()


def _shown(data: bytes) -> str:
    text = spelled_text(data)
    return f"text that something printed: {text!r}" if text else repr(data)


@asynccontextmanager
async def open_host(command: Sequence[str], *, patience: float, start_seconds: float) -> AsyncGenerator[Host]:
    """Start an application for a block; at its end the application is gone, and so is what it started.

    Args:
        command: the program and its arguments.
        patience: how long an answer may take, in seconds.
        start_seconds: how much longer anything may take as long as it has said nothing: it may still be starting.
    """
    process = await start_program(command)
    host = Host(process, patience, start_seconds)
    body = Body()
    with body.joined():
        async with trio.open_nursery() as nursery:
            try:
                await host.run(nursery)
                with body:
                    yield host
            finally:
                nursery.cancel_scope.cancel()
                with trio.CancelScope(shield=True):
                    process.kill()
                    await process.wait()
                    end_group(process.pid)
                    for stream in (process.stdin, process.stdout, process.stderr):
                        assert stream is not None
                        await trio.aclose_forcefully(stream)
