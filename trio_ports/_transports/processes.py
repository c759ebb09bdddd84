"""Processes: carry a connection over a program's standard input and output, and end the program.

Source: rules 35, 36 and 38.
"""

from __future__ import annotations

import collections
import contextlib
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from .._ports.connection import End
from .._protocol.errors import FrameTooLargeError, PortError
from .._protocol.frames import FrameDecoder
from .carrier import SETTLE_SECONDS, Carrier, Finish, ReceiveSome, SendAll
from .forks import kept_from_children
from .stdio import DescriptorSink, DescriptorSource, Waiting

_WINDOWS: Final = os.name == "nt"
_LINES: Final = 20
_LINE_BYTES: Final = 2000
FATAL: Final = "Fatal Python error: "


@final
@attrs.frozen
class Patience:
    """How long to wait for a program, in seconds."""

    flush: float
    """Until it accepts the messages that are left, once the port's side has disconnected."""
    leave: float
    """Until it exits by itself, once its standard input has ended."""
    terminate: float
    """Until it exits after SIGTERM; 0 if it gets no SIGTERM."""
    closes_both: bool
    """Its standard output is closed together with its standard input."""
    watches: bool = True
    """Notice at once that it closed its standard input, not only when something is written.
    Notice that it has exited even if a child of it still holds its pipes."""
    status: float = SETTLE_SECONDS
    """Until it exits, once its standard output has ended."""
    settle: float = SETTLE_SECONDS
    """Until its other pipes end, once one has; after that it counts as still running."""


@final
@attrs.frozen
class Outcome:
    """How the conversation with a program finished, if the port had not disconnected before."""

    finish: Finish
    error: PortError | None
    """What was wrong with its output."""
    returncode: int | None
    """Its exit status, or minus the number of the signal that ended it; None if it is running."""
    stderr: tuple[str, ...]
    """The last lines it wrote to standard error."""


Judge = Callable[[Outcome], PortError | None]

Tap: TypeAlias = Callable[[ReceiveSome, SendAll], tuple[ReceiveSome, SendAll]]
"""Gets the functions that read and write a program's pipes, and returns what is to be used in their place."""


@final
@attrs.define(eq=False)
class LastLines:
    """The last lines of a text that arrives in pieces. Long lines are cut, so memory is bounded.

    The line with which Python says why it cannot go on is kept, however much it says
    after that about its threads.
    """

    _on_line: Callable[[str], object] | None = None
    lines: collections.deque[str] = attrs.field(factory=lambda: collections.deque(maxlen=_LINES), init=False)
    _rest: bytes = attrs.field(default=b"", init=False)

    def receive_data(self, data: bytes | bytearray) -> None:
        """Take a piece; ``b""`` means that the text has ended."""
        *lines, rest = (self._rest + data).split(b"\n")
        if rest and (not data or len(rest) > _LINE_BYTES):
            lines, rest = [*lines, rest], b""
        self._rest = rest
        for line in lines:
            text = line[:_LINE_BYTES].decode("utf-8", "replace").rstrip("\r")
            if len(self.lines) == _LINES and self.lines[0].startswith(FATAL):
                del self.lines[1]
            self.lines.append(text)
            if self._on_line is not None:
                self._on_line(text)


async def start_program(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> trio.Process:
    """Start a program with pipes, in ``folder`` and in our own process group, as browsers do.

    Raises:
        OSError: the operating system refuses.
    """
    if _WINDOWS:  # It has no forks.
        pipe = subprocess.PIPE
        return await trio.lowlevel.open_process(
            list(arguments), cwd=folder, env=environment, stdin=pipe, stdout=pipe, stderr=pipe
        )
    # Trio's own pipes are known only once the program runs, and others may fork before.
    ours: list[int] = []
    theirs: list[int] = []
    try:
        for is_input in (True, False, False):
            reading, writing = os.pipe()
            ours.append(writing if is_input else reading)
            theirs.append(reading if is_input else writing)
        with kept_from_children(*ours, *theirs):
            stdin, stdout, stderr = theirs
            process = await trio.lowlevel.open_process(
                list(arguments), cwd=folder, env=environment, stdin=stdin, stdout=stdout, stderr=stderr
            )
        process.stdin, process.stdout, process.stderr = map(trio.lowlevel.FdStream, ours)
    except BaseException:
        for descriptor in ours:
            os.close(descriptor)
        raise
    finally:
        for descriptor in theirs:
            os.close(descriptor)
    return process


async def end_process(process: trio.Process, patience: Patience, deadline: float) -> bool:
    """Wait until a program is gone whose standard input has ended; from the deadline on, see to it.

    Returns:
        Whether it left by itself before the deadline.
    """
    with trio.move_on_at(deadline):
        await process.wait()
    left = process.returncode is not None
    if patience.terminate and not left:
        process.terminate()
        with trio.move_on_after(patience.terminate):
            await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()
    return left


async def run_process(
    end: End,
    process: trio.Process,
    *,
    decoder: FrameDecoder,
    patience: Patience,
    judge: Judge,
    on_stderr: Callable[[str], object] | None = None,
    tap: Tap | None = None,
) -> None:
    """Carry frames between ``end`` and a program until one side has finished, then end the program.

    It owns both: afterwards ``end`` is closed and the process is gone, however this ends.
    A cancelled call takes as long as ``patience`` allows. Never raises because of what
    the program did.

    ``judge`` returns the port's error, given how the program ended. ``on_stderr`` is called
    with every line that the program writes to standard error. A ``tap`` sees the bytes.
    """
    await _Conversation(end, process, patience, judge, LastLines(on_stderr), tap).run(decoder)


@final
@attrs.define(slots=True, eq=False)
class _Conversation:
    """The conversation with a process, and the end of the process."""

    end: End
    process: trio.Process
    patience: Patience
    judge: Judge
    lines: LastLines
    tap: Tap | None
    stdin: Any = attrs.Factory(lambda self: self.process.stdin, takes_self=True)
    stdout: Any = attrs.Factory(lambda self: self.process.stdout, takes_self=True)
    stderr: Any = attrs.Factory(lambda self: self.process.stderr, takes_self=True)
    stderr_ended: trio.Event = attrs.Factory(trio.Event)
    stderr_scope: trio.CancelScope = attrs.Factory(lambda: trio.CancelScope(shield=True))
    leave_deadline: float = math.inf

    @enable_ki_protection
    async def run(self, decoder: FrameDecoder) -> None:
        receive_some, send_all = self._wires()
        if self.tap is not None:
            receive_some, send_all = self.tap(receive_some, send_all)
        flush, settle = self.patience.flush, self.patience.settle
        carrier = Carrier(self.end, receive_some, send_all, decoder, grace_seconds=flush, settle_seconds=settle)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read_stderr)
            try:
                async with trio.open_nursery() as talk:
                    talk.start_soon(self._watch_stdin, carrier)
                    talk.start_soon(self._watch_exit, carrier)
                    await carrier.run()
                    talk.cancel_scope.cancel()
            finally:
                with trio.CancelScope(shield=True):
                    await self._report(carrier)
                    await self._end_process(receive_some)
                    await self._close()

    def _wires(self) -> tuple[ReceiveSome, SendAll]:
        if _WINDOWS:
            return self.stdout.receive_some, self.stdin.send_all
        source = DescriptorSource(self.stdout.fileno(), Waiting.POLL)
        return source.receive_some, DescriptorSink(self.stdin.fileno(), Waiting.POLL).send_all

    async def _read_stderr(self) -> None:
        try:
            with self.stderr_scope:
                async for data in self.stderr:
                    self.lines.receive_data(data)
            self.lines.receive_data(b"")
        finally:  # Whoever is called with the lines may raise.
            self.stderr_ended.set()

    @enable_ki_protection
    async def _watch_stdin(self, carrier: Carrier) -> None:
        """Notice that the program closed its standard input, even if nothing is written to it."""
        if sys.platform == "linux" and self.patience.watches:
            # Nothing can ever be read from this end of a pipe, so it is readable only once
            # the other end is closed.
            await trio.lowlevel.wait_readable(self.stdin.fileno())
            carrier.lose_writing()

    @enable_ki_protection
    async def _watch_exit(self, carrier: Carrier) -> None:
        """Notice that the program has exited, even if a child of it still holds its pipes."""
        if self.patience.watches:
            await self.process.wait()
            carrier.lose_writing()

    async def _report(self, carrier: Carrier) -> None:
        """Close the end, with the judge's error, once it is known what became of the program."""
        if self.end.peer_gone or carrier.finish is Finish.LEFT:
            self.end.close()
            return
        if not isinstance(carrier.error, FrameTooLargeError) and carrier.finish is not Finish.UNWRITABLE:
            if self.patience.watches:  # The program may wait for this before it exits.
                await self._close_stdin()
            with trio.move_on_after(self.patience.status):
                await self.process.wait()
        if self.process.poll() is not None:
            await self._wait_stderr()
        outcome = Outcome(carrier.finish, carrier.error, self.process.returncode, tuple(self.lines.lines))
        self.end.close(self.judge(outcome))

    async def _end_process(self, receive_some: ReceiveSome) -> None:
        """Close its standard input, wait, send SIGTERM, wait, kill: until the process is gone."""
        if self.patience.closes_both:
            # First, so that a program that answers its end of file finds that nobody reads.
            await self.stdout.aclose()
        await self._close_stdin()
        async with trio.open_nursery() as nursery:
            if not self.patience.closes_both:
                nursery.start_soon(self._drain, receive_some)
            await end_process(self.process, self.patience, self.leave_deadline)
            nursery.cancel_scope.cancel()

    @enable_ki_protection
    async def _drain(self, receive_some: ReceiveSome) -> None:
        """Throw away what the program still writes, so that it can finish."""
        with contextlib.suppress(trio.BrokenResourceError):
            while await receive_some():
                pass

    async def _close_stdin(self) -> None:
        """Close its standard input. From then on it has so long to exit, whatever else is waited for."""
        self.leave_deadline = min(self.leave_deadline, trio.current_time() + self.patience.leave)
        await self.stdin.aclose()

    async def _wait_stderr(self) -> None:
        """Wait for the end of standard error, and not for a child of the program that holds it open."""
        with trio.move_on_after(self.patience.settle):
            await self.stderr_ended.wait()
        self.stderr_scope.cancel()

    async def _close(self) -> None:
        """Close the pipes."""
        await self._wait_stderr()
        await self.stdout.aclose()
        await self.stderr_ended.wait()
        await self.stderr.aclose()
