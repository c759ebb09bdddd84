"""A native application from outside: started, written to, read from, and looked at as it ends."""

from __future__ import annotations

import contextlib
import json
import math
import re
import signal
import struct
import subprocess
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, TypeGuard, final

import attrs
import trio
import trio.lowlevel

from .._ports.blocks import open_body
from .._protocol.frames import spelled_text

LONGEST: Final = 256 * 1024 * 1024
"""A longer frame than this is no frame."""
MOMENT_SECONDS: Final = 1.0
"""How long one that says nothing is watched."""
_SHOWN: Final = 60
_UNCAUGHT: Final = re.compile(
    rb"Traceback \(most recent call last\)|Uncaught|panicked at|^panic: |Unhandled|"
    rb"^\w*(?:Error|Exception)\b.*\n\s+at |terminate called",
    re.MULTILINE,
)
"""How languages begin to say that nobody caught an error."""


class NotAFrameError(Exception):
    """What the application wrote is no frame."""


@final
@attrs.frozen
class Manner:
    """What an application does when it is spoken to."""

    kind: Literal["echo", "answers", "silent"]
    marker: Any
    """A message that it answers, or might have."""


@final
@attrs.frozen
class Answer:
    """A frame from the application."""

    data: bytes

    def text(self) -> str | None:
        """Return it as text; None if it is no UTF-8."""
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            return None

    def is_json(self) -> bool:
        """Say whether it is JSON, to the letter."""
        try:
            self.value()
        except NotAFrameError:
            return False
        return True

    def value(self) -> Any:
        """Return the value that it has.

        Raises:
            NotAFrameError: it is no JSON.
        """
        try:
            return json.loads(self.data.decode(), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise NotAFrameError(f"it sends a frame that is no JSON ({error}): {self.shown()}") from error

    def shown(self) -> str:
        """Return its beginning for people."""
        text = self.data[:_SHOWN].decode("utf-8", "backslashreplace")
        return f"{text}… ({len(self.data)} bytes)" if len(self.data) > _SHOWN else text


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def frame_of(message: Any) -> bytes:
    """Return the frame of a message."""
    data = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    return struct.pack("=I", len(data)) + data


def same_json(one: Any, other: Any) -> bool:
    """Say whether two values are the same in JSON, where 1.0 is 1 and true is not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other or math.isclose(one, other, rel_tol=1e-15)
    if _is_list(one) and _is_list(other):
        return len(one) == len(other) and all(map(same_json, one, other))
    if _is_object(one) and _is_object(other):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    return type(one) is type(other) and one == other


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


@final
class Host:
    """An application that runs. Made by `open_host`."""

    def __init__(self, process: trio.Process, patience: float) -> None:
        self._process = process
        self._patience = patience
        self._answers_in, self._answers = trio.open_memory_channel[Answer](1 << 20)
        self._to_write_in, self._to_write = trio.open_memory_channel[bytes](1 << 20)
        self._reading = trio.Event()
        self._reading.set()
        self._stray: NotAFrameError | None = None
        self._stderr = bytearray()
        self._heard_all = trio.Event()
        self._start_seconds = 2 * patience
        """How long what is judged may take in addition, as long as it has said nothing: it may still be starting."""

    @property
    def returncode(self) -> int | None:
        """Its exit status, or the negative number of the signal that ended it; None while it lives."""
        return self._process.returncode

    def post(self, message: Any) -> None:
        """Write a message, in a task of its own."""
        self.write(frame_of(message))

    def write(self, data: bytes) -> None:
        """Write bytes, in a task of its own."""
        self._to_write_in.send_nowait(data)

    async def write_pieces(self, pieces: Sequence[bytes]) -> None:
        """Write pieces, each by itself."""
        for piece in pieces:
            self.write(piece)
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()

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
        with trio.move_on_after((seconds or self._patience) + self._start_seconds):
            try:
                return await self._answers.receive()
            except trio.EndOfChannel:
                await self._process.wait()  # So that it can be said how it ended.
                if self._stray is not None:
                    raise self._stray from None
        return None

    async def expect(self, message: Any) -> str:
        """Take its next frame, and say what is wrong with it; nothing, if it is this message."""
        answer = await self.next_answer()
        if answer is None:
            return f"no answer: {self.fate()}"
        return "" if same_json(answer.value(), message) else f"the answer is {answer.shown()}"

    async def is_well(self, manner: Manner, seconds: float | None = None) -> bool:
        """Say whether it lives: it answers, if it does at all, or is still there a moment later."""
        self.post(manner.marker)
        if manner.kind == "silent":
            with trio.move_on_after(min(self._patience, MOMENT_SECONDS)):
                await self.wait_gone(math.inf)
                return False
            return self._stray is None
        answer = await self.next_answer(seconds)
        if manner.kind == "echo":
            while answer is not None and not (answer.is_json() and same_json(answer.value(), manner.marker)):
                answer = await self.next_answer(seconds)
        return answer is not None

    async def wait_gone(self, seconds: float) -> bool:
        """Say whether it ends in that time, and all it wrote has been heard."""
        with trio.move_on_after(seconds + self._start_seconds):
            await self._process.wait()
            await self._heard_all.wait()
            return True
        return self._process.poll() is not None

    def fate(self) -> str:
        """Say what has become of it."""
        if self._stray is not None:
            return str(self._stray)
        code = self._process.poll()
        if code is None:
            return "it is there and says nothing"
        ended = f"exited with status {code}" if code >= 0 else f"was ended by {_signal_name(-code)}"
        return f"it {ended}{self._last_line()}"

    def crash(self) -> str | None:
        """Return the last line of an error that it did not catch; None if there was none."""
        found = _UNCAUGHT.search(bytes(self._stderr))
        if found is None:
            return None
        lines = [line for line in bytes(self._stderr[found.start() :]).decode("utf-8", "replace").splitlines() if line]
        named = [line for line in lines if re.match(r"^[\w.]*(Error|Exception|error)\b", line)]
        return (named or lines)[-1][:200]

    def _last_line(self) -> str:
        lines = bytes(self._stderr).decode("utf-8", "replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return f" ({self.crash() or said[-1][:200]})" if said else ""

    # Tasks ----------------------------------------------------------------------------------------------------------

    async def run(self, nursery: trio.Nursery) -> None:
        """Carry what is written and read."""
        nursery.start_soon(self._write)
        nursery.start_soon(self._read)
        nursery.start_soon(self._listen)

    async def _write(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in self._to_write:
                await stdin.send_all(data)
        await stdin.aclose()

    async def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        data = bytearray()
        with self._answers_in:
            while True:
                await self._reading.wait()
                piece = await stdout.receive_some(1 << 20)
                if not piece:
                    break
                data += piece
                if not self._cut(data):
                    break
            if data and self._stray is None:
                self._stray = NotAFrameError(f"its output ends inside a frame: {bytes(data[:_SHOWN])!r}")
        self._heard_all.set()

    def _cut(self, data: bytearray) -> bool:
        """Take whole frames out of the data; say whether they are frames."""
        start = 0
        while len(data) - start >= 4:
            (length,) = struct.unpack_from("=I", data, start)
            if length > LONGEST:
                beginning = bytes(data[start : start + _SHOWN])
                text = spelled_text(beginning)
                what = f"text that something printed: {text!r}" if text else repr(beginning)
                self._stray = NotAFrameError(f"what it writes is no frame, but {what}")
                return False
            if len(data) - start - 4 < length:
                break
            self._start_seconds = 0
            self._answers_in.send_nowait(Answer(bytes(data[start + 4 : start + 4 + length])))
            start += 4 + length
        del data[:start]
        return True

    async def _listen(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        async for data in stderr:
            self._stderr += data
            del self._stderr[: -(1 << 16)]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@asynccontextmanager
async def open_host(command: Sequence[str], *, patience: float) -> AsyncGenerator[Host]:
    """Start an application for a block; at its end the application is gone.

    Args:
        command: the program and its arguments.
        patience: how long an answer may take, in seconds.
    """
    process = await trio.lowlevel.open_process(
        list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    host = Host(process, patience)
    async with open_body() as body, trio.open_nursery() as nursery:
        try:
            await host.run(nursery)
            with body:
                yield host
        finally:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                if process.poll() is None:
                    process.kill()
                await process.wait()
                for stream in (process.stdin, process.stdout, process.stderr):
                    assert stream is not None
                    await trio.aclose_forcefully(stream)
