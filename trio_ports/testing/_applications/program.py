"""A native application that runs: what is written to it, what it answers, and how it ends."""

from __future__ import annotations

import contextlib
import math
import uuid
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, final

import attrs
import trio
import trio.lowlevel

from ..._ports.body import Body
from ..._protocol.frames import LENGTH
from .causes import MAX_FRAME_BYTES, Trouble, find_trouble
from .frames import Answer, frame_of
from .json_values import same_json
from .operating_system import (
    bytes_in_pipe,
    enlarge_pipe,
    find_processes,
    kill_remains,
    signal_name,
    start_program,
    stopped,
)
from .stderr import last_line

MAX_UNREAD_FRAMES: Final = 100_000
MAX_UNREAD_BYTES: Final = 2 * MAX_FRAME_BYTES
"""A program may write this much that nobody has asked for yet."""
MOMENT_SECONDS: Final = 1.0
"""How long to wait for a program that may have nothing to say."""
WATCH_SECONDS: Final = 0.5
"""How long to watch a program that never answers, after it has read something that might end it."""
LEAVE_SECONDS: Final = 2.0
"""Chromium kills what is still there two seconds after the end of its input."""
_TERMINATE_SECONDS: Final = 1.0
"""How long a program may take to exit after SIGTERM, before it is killed. Firefox waits longer."""
_LOOK_SECONDS: Final = 0.02
"""How often to look whether a program has read its input."""
_WRITE_SECONDS: Final = 0.2
"""How long to write to a stopped program. What fits into the pipe takes no time."""
_SHOWN_BYTES: Final = 60
_KEPT_BYTES: Final = 4096
"""How much of the output is kept to find out what is wrong with a frame."""


@final
@attrs.frozen
class Manner:
    """What an application does when it receives a message."""

    kind: Literal["echo", "answers", "silent"]
    marker: Any
    """A message that it answers, or that it was sent in vain."""
    trouble: Trouble | None = None
    """Why nothing more can be seen of it."""


@final
class Program:
    """A native application that runs. `open_program` makes it."""

    def __init__(self, process: trio.Process, mark: str, patience: float, start_seconds: float) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._mark = mark
        self.pipes = self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self._patience = patience
        self._start_seconds = start_seconds
        self._started = trio.Event()
        # Its input.
        self._to_write_in, self._to_write = trio.open_memory_channel[bytes](1 << 20)
        self._posted_bytes = self._written_bytes = 0
        self._all_written = trio.Event()
        self._input_ended = math.inf
        self.ignores_input = False
        """It has read nothing in the time that it has to start."""
        # Its output.
        self._answers_in, self._answers = trio.open_memory_channel[Answer](MAX_UNREAD_FRAMES)
        self._unread_bytes: float = 0
        self.partial_frame = b""
        """The beginning of a frame that it has not finished."""
        self._not_a_frame: Trouble | None = None
        self._may_read = trio.Event()
        self._may_read.set()
        self._stdout_ended = trio.Event()
        self._errors = bytearray()
        self._stderr_ended = trio.Event()

    # Writing to it --------------------------------------------------------------------------------------------------

    def post(self, message: Any) -> None:
        """Write a message, without waiting."""
        self.write(frame_of(message))

    def write(self, data: bytes) -> None:
        """Write bytes, without waiting."""
        self._all_written = trio.Event()
        self._posted_bytes += len(data)
        self._to_write_in.send_nowait(data)

    async def write_pieces(self, pieces: Sequence[bytes]) -> None:
        """Write pieces one by one, so that the program may read each by itself."""
        for piece in pieces:
            self.write(piece)
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()

    async def write_at_once(self, data: bytes) -> None:
        """Write bytes while the program is stopped, so that it finds all of them when it goes on.

        Only as many as the pipe takes: the rest follows while it reads. Where a process
        cannot be stopped, the bytes are only written.
        """
        with stopped(self._process):
            enlarge_pipe(self._stdin, len(data))
            self.write(data)
            with trio.move_on_after(_WRITE_SECONDS):
                await self._all_written.wait()

    def end_input(self) -> None:
        """End its input after all that was written."""
        self._to_write_in.close()

    # Its answers ----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def not_reading(self) -> Generator[None]:
        """Read nothing of its output for a block."""
        self._may_read = trio.Event()
        try:
            yield
        finally:
            self._may_read.set()

    async def next_answer(self, seconds: float | None = None) -> Answer | None:
        """Return its next frame, or None if there is none in time.

        Raises:
            Trouble: it wrote something that is not a frame.
        """
        await self.wait_started()
        with trio.move_on_after(0 if self.ignores_input else seconds or self._patience):
            try:
                answer = await self._answers.receive()
            except trio.EndOfChannel:
                if self._not_a_frame is not None:
                    raise self._not_a_frame from None
                await self._wait_ended()  # So that `fate` can say how it ended.
            else:
                self._unread_bytes -= len(answer.data)
                return answer
        trouble = self.trouble()
        if trouble.cause not in ("no response", "not a frame"):  # It waits inside a frame that is recognisably wrong.
            raise trouble
        return None

    async def expect(self, message: Any, seconds: float | None = None) -> str:
        """Take its next frame and return what is wrong with it, or an empty text if it is this message.

        Raises:
            Trouble: it wrote something that is not a frame.
        """
        answer = await self.next_answer(seconds)
        if answer is None:
            return f"no answer: {self.fate()}"
        return "" if same_json(answer.value(), message) else f"the answer is {answer.shown()}"

    async def is_responsive(self, manner: Manner, seconds: float | None = None) -> bool:
        """Post a message and return whether the program answers it.

        A program that never answers has to read everything, and still be there a moment later.
        """
        self.post(manner.marker)
        if manner.kind == "silent":
            await self.wait_started()
            if self.ignores_input:
                return False
            with trio.move_on_after(min(self._patience, WATCH_SECONDS)):
                await self.wait_exited(math.inf)
                return False
            with trio.move_on_after(seconds or self._patience):
                while True:
                    if self._written_bytes == self._posted_bytes and not self._bytes_in_stdin():
                        return self._not_a_frame is None and not self.partial_frame
                    await trio.sleep(_LOOK_SECONDS)
            return False
        answer = await self.next_answer(seconds)
        if manner.kind == "echo":
            while answer is not None and not answer.is_same(manner.marker):
                answer = await self.next_answer(seconds)
        return answer is not None

    # Its start and its end ------------------------------------------------------------------------------------------

    async def wait_started(self) -> None:
        """Wait until it has written something, has read its input or has exited, or until its time to start is over."""
        with trio.move_on_after(self._start_seconds):
            while not self._started.is_set() and not self._has_read_all():
                with trio.move_on_after(_LOOK_SECONDS):
                    await self._started.wait()
            self._started.set()
        if not self._started.is_set():
            self.ignores_input = bool(self._bytes_in_stdin())
            self._started.set()

    def _has_read_all(self) -> bool:
        return 0 < self._written_bytes == self._posted_bytes and self._bytes_in_stdin() == 0

    def _bytes_in_stdin(self) -> int | None:
        return bytes_in_pipe(self._stdin)

    async def wait_exited(self, seconds: float) -> bool:
        """Return whether it exits in that time. If so, all that it wrote has been read."""
        await self.wait_started()
        with trio.move_on_after(seconds):
            await self._process.wait()
        if self.has_exited:
            await self._wait_ended()
        return self.has_exited

    async def _wait_ended(self) -> None:
        await self._process.wait()
        with trio.move_on_after(MOMENT_SECONDS):  # Something that it started may hold its output open.
            await self._stdout_ended.wait()
            await self._stderr_ended.wait()

    @property
    def returncode(self) -> int | None:
        """Its exit status, or the negative number of the signal that ended it; None while it runs."""
        return self._process.returncode

    @property
    def has_exited(self) -> bool:
        """It has exited."""
        return self._process.poll() is not None

    def trouble(self) -> Trouble:
        """Describe what has become of it, for a check that misses an answer."""
        if self._not_a_frame is not None:
            return self._not_a_frame
        code = self._process.poll()
        if code is not None:
            ended = f"exited with status {code}" if code >= 0 else f"was ended by {signal_name(-code)}"
            said = last_line(self.errors)
            text = f"it {ended} ({said})" if said else f"it {ended}"
        elif self._stdout_ended.is_set():
            text = "it is there, and has closed its output"
        elif self.ignores_input:
            text = "it is there and does not read its input"
        elif self.partial_frame:
            text = f"it has written {self.partial_frame[:_SHOWN_BYTES]!r}, and no more"
            return find_trouble(self.partial_frame, text)
        else:
            text = "it is there and says nothing"
        return Trouble(text, "no response")

    def fate(self) -> str:
        """Describe what has become of it, for people."""
        return str(self.trouble())

    async def find_holders(self) -> list[str]:
        """Return what holds the output of a program that has exited, as far as the system can tell."""
        await self._wait_ended()
        if self._stdout_ended.is_set():
            return []
        found = find_processes(self._mark)
        return [f"process {number} ({name})" for number, name in found.items()] or ["a process"]

    @property
    def errors(self) -> str:
        """The end of its standard error."""
        return bytes(self._errors).decode("utf-8", "replace")

    async def end(self, grace_seconds: float) -> None:
        """End its input, wait, send SIGTERM, wait, and kill what is left, once the tasks have ended."""
        await self._stdin.aclose()
        leave_by = min(self._input_ended, trio.current_time()) + grace_seconds
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drain, self._stdout)
            nursery.start_soon(_drain, self._stderr)
            with trio.move_on_at(leave_by):
                await self._process.wait()
            if not self.has_exited:
                self._process.terminate()
                with trio.move_on_after(_TERMINATE_SECONDS):
                    await self._process.wait()
            if not self.has_exited:
                self._process.kill()
                await self._process.wait()
            nursery.cancel_scope.cancel()
        await kill_remains(self._process.pid, self._mark)
        for pipe in self.pipes:
            await trio.aclose_forcefully(pipe)

    # Tasks ----------------------------------------------------------------------------------------------------------

    def start_tasks(self, nursery: trio.Nursery) -> None:
        """Start the tasks that write, read, and wait for the end of the process."""
        for task in (self._write_stdin, self._read_stdout, self._read_stderr, self._wait_process):
            nursery.start_soon(task)

    async def _wait_process(self) -> None:
        await self._process.wait()
        self._started.set()

    async def _write_stdin(self) -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in self._to_write:
                await self._stdin.send_all(data)
                self._written_bytes += len(data)
                if self._written_bytes == self._posted_bytes:
                    self._all_written.set()
        self._input_ended = trio.current_time()
        await self._stdin.aclose()

    async def _read_stdout(self) -> None:
        data = bytearray()
        with self._answers_in:
            while self._not_a_frame is None:
                await self._may_read.wait()
                piece = await self._stdout.receive_some(1 << 20)
                if not piece:
                    break
                data += piece
                self._take_frames(data)
            if data and self._not_a_frame is None:
                text = f"its output ends inside a frame: {bytes(data[:_SHOWN_BYTES])!r}"
                self._not_a_frame = find_trouble(bytes(data[:_KEPT_BYTES]), text)
        self._started.set()
        await _drain(self._stdout)  # So that it can leave.
        self._stdout_ended.set()

    def _take_frames(self, data: bytearray) -> None:
        """Take whole frames out of the data, up to something that is not a frame."""
        start = 0
        while len(data) - start >= LENGTH.size:
            (length,) = LENGTH.unpack_from(data, start)
            if length > MAX_FRAME_BYTES:
                kept = bytes(data[start : start + _KEPT_BYTES])
                text = f"what it writes is not a frame, but {kept[:_SHOWN_BYTES]!r}"
                self._not_a_frame = find_trouble(kept, text)
                return
            if len(data) - start - LENGTH.size < length:
                break
            start += LENGTH.size
            stop = start + length
            self._keep(Answer(bytes(data[start:stop]), bytes(data[stop : stop + _SHOWN_BYTES])))
            start = stop
        del data[:start]
        self.partial_frame = bytes(data[:_KEPT_BYTES])

    def _keep(self, answer: Answer) -> None:
        self._started.set()
        self._unread_bytes += len(answer.data)
        try:
            self._answers_in.send_nowait(answer)
        except trio.WouldBlock:
            self._unread_bytes = math.inf
        if self._unread_bytes > MAX_UNREAD_BYTES:
            text = f"it goes on writing frames that nobody asked for: {answer.shown()}"
            self._not_a_frame = Trouble(text, "not a frame")

    async def _read_stderr(self) -> None:
        async for data in self._stderr:
            self._errors += data
            del self._errors[: -(1 << 16)]
        self._stderr_ended.set()


async def _drain(pipe: trio.abc.ReceiveStream) -> None:
    async for _ in pipe:
        pass


@asynccontextmanager
async def open_program(
    command: Sequence[str],
    *,
    patience: float,
    start_seconds: float | None = None,
    grace_seconds: float = LEAVE_SECONDS,
) -> AsyncGenerator[Program]:
    """Start an application for a block, and end it as browsers do; whatever it started is killed.

    Args:
        command: the program and its arguments.
        patience: how long an answer may take, in seconds.
        start_seconds: how long its first sign of life may take; twice the patience unless given.
        grace_seconds: how long it may take to leave at the end of its input, before it gets a SIGTERM.
    """
    mark = uuid.uuid4().hex
    process = await start_program(command, mark)
    program = Program(process, mark, patience, patience * 2 if start_seconds is None else start_seconds)
    body = Body()
    with body.joined():
        try:
            async with trio.open_nursery() as nursery:
                program.start_tasks(nursery)
                try:
                    with body:
                        yield program
                finally:
                    nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await program.end(grace_seconds)
