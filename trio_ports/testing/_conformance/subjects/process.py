"""The process of a subject: start it, ask it, and end it, whatever it does."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, final

import attrs
import trio
import trio.lowlevel

from ...._ports.body import Body
from ...._protocol.errors import PortError
from ...._transports.processes import LastLines
from ..players.player import SubjectError
from .protocol import ENCODER, PROTOCOL, REPORT_DECODER, Called, Hello, Report, Results

_WINDOWS: Final = os.name == "nt"
PATIENCE_SECONDS: Final = 5.0
"""How long an answer may take, unless the caller says otherwise."""
START_SECONDS: Final = 60.0
"""How long a start may take, unless an answer may take longer."""
LEAVE_SECONDS: Final = 2.0
"""How long a subject may take to exit after the end of its input, before it is killed."""
SETTLE_SECONDS: Final = 1.0
"""How long to wait for the status and the last words of a subject whose output has ended."""
MAX_LINE_BYTES: Final = 16 * 1024 * 1024
REQUIRED: Final = {
    "on_message": {"port", "listener", "message"},
    "on_disconnect": {"port", "listener", "error"},
    "raised": {"port", "call", "error"},
}
"""What the record of each event has."""
KEPT_LINES: Final = 2000
SHOWN: Final = 120


@final
@attrs.define(eq=False)
class _Run:
    """One process, from its start to its end."""

    process: trio.Process
    errors: LastLines = attrs.field(factory=LastLines)
    trouble: str = ""
    """Why it can't be asked any more."""
    answers: dict[int, Results] = attrs.field(factory=dict[int, Results])
    hello: Hello | None = None
    waiting: set[int] = attrs.field(factory=set[int])
    """The commands that it has not answered. Nobody waits any more for those that were cancelled."""
    done: trio.Event = attrs.field(factory=trio.Event)
    """Its output has ended, and it was found out why."""


@final
@attrs.define(eq=False)
class SubjectProcess:
    """A subject that is asked to carry out commands; from `open_subject`. One that has failed is started again."""

    command: Sequence[str]
    patience: float
    _nursery: trio.Nursery = attrs.field(repr=False)
    on_called: Callable[[Called], object] = attrs.field(default=lambda _: None, repr=False)
    """Called with what the listeners of the current history get."""
    lines: deque[tuple[str, str]] = attrs.field(factory=lambda: deque[tuple[str, str]](maxlen=KEPT_LINES), repr=False)
    """What was written since the last ``begin``: a direction (``">"`` to the subject), and a line."""
    _run: _Run | None = attrs.field(default=None, repr=False)
    _numbers: Any = attrs.field(factory=lambda: itertools.count(1), repr=False)
    _changed: trio.Event = attrs.field(factory=trio.Event, repr=False)

    async def greet(self) -> Hello:
        """Start the process unless it runs, and return its greeting.

        Raises:
            OSError: it cannot be started.
            SubjectError: it does not greet.
        """
        if self._run is None or self._run.trouble:
            await self.end()
            self._run = _Run(await _start(self.command))
            self._nursery.start_soon(self._read, self._run)
            self._nursery.start_soon(self._read_errors, self._run)
        run = self._run
        seconds = max(self.patience, START_SECONDS)
        with trio.move_on_after(seconds) as patience:
            await self._wait(run, lambda: run.hello is not None)
        self._require(run, answered=not patience.cancelled_caught, verb="greet", seconds=seconds)
        assert run.hello is not None
        return run.hello

    async def ask(self, **command: Any) -> Results:
        """Have a command carried out, and return its results.

        Raises:
            OSError: it had to be started, and cannot be.
            SubjectError: it hangs, has ended, or does not speak the protocol.
        """
        if "begin" in command:
            self.lines.clear()
            await self.greet()
        run = self._run
        if run is None or run.trouble:
            raise SubjectError(run.trouble if run else "it was not started")
        number = next(self._numbers)
        run.waiting.add(number)
        line = ENCODER.encode({"id": number, **command})
        self._keep(">", line)
        with trio.move_on_after(self.patience) as patience:
            # A line is written whole, or it is the last one.
            with trio.move_on_after(self.patience, shield=True), suppress(trio.BrokenResourceError):
                assert run.process.stdin is not None
                await run.process.stdin.send_all(line + b"\n")
            await self._wait(run, lambda: number in run.answers)
        self._require(run, answered=not patience.cancelled_caught, verb="answer", seconds=self.patience)
        return run.answers.pop(number)

    async def wait_changed(self) -> None:
        """Wait until the subject writes something."""
        await self._changed.wait()

    async def _wait(self, run: _Run, condition: Callable[[], bool]) -> None:
        while not condition() and not run.trouble:
            await self._changed.wait()

    def _require(self, run: _Run, *, answered: bool, verb: str, seconds: float) -> None:
        if not answered:
            run.trouble = run.trouble or f"it did not {verb} within {seconds:g} seconds"
        if run.trouble:
            raise SubjectError(run.trouble)

    async def _read(self, run: _Run) -> None:
        """Read what the subject writes until it ends; what follows something wrong is thrown away."""
        assert run.process.stdout is not None
        rest = b""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in run.process.stdout:
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) > MAX_LINE_BYTES:
                    self._fail(run, f"it wrote a line of more than {MAX_LINE_BYTES} bytes")
                    rest = b""
                for line in lines:
                    if line.strip() and not run.trouble:
                        self._take(run, line)
        with trio.move_on_after(SETTLE_SECONDS):
            await run.process.wait()
        with trio.move_on_after(SETTLE_SECONDS):
            await run.done.wait()
        self._fail(run, _describe_end(run.process.returncode, run.errors.lines))

    async def _read_errors(self, run: _Run) -> None:
        assert run.process.stderr is not None
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in run.process.stderr:
                run.errors.receive_data(data)
        run.errors.receive_data(b"")
        run.done.set()

    def _take(self, run: _Run, line: bytes) -> None:
        self._keep("<", line)
        try:
            report: Report = REPORT_DECODER.decode_any(line)
        except PortError as error:
            self._fail(run, f"it wrote a line that is not of the protocol: {_shorten(line)}: {error}")
            return
        if run.hello is None:
            self._take_hello(run, report, line)
        elif isinstance(report, Called):
            self._take_call(run, report, line)
        elif isinstance(report, Results) and report.id in run.waiting:
            run.waiting.remove(report.id)
            run.answers[report.id] = report
        else:
            self._fail(run, f"it wrote an answer that nobody waits for: {_shorten(line)}")
        self._notify()

    def _take_call(self, run: _Run, called: Called, line: bytes) -> None:
        missing = REQUIRED.get(str(called.record.get("event")), {"an event"}) - called.record.keys()
        if missing:
            self._fail(run, f"a record lacks {', '.join(sorted(missing))}: {_shorten(line)}")
            return
        try:
            self.on_called(called)
        except ValueError as error:
            self._fail(run, f"{error}: {_shorten(line)}")

    def _take_hello(self, run: _Run, report: Report, line: bytes) -> None:
        if not isinstance(report, Hello):
            self._fail(run, f"it did not greet first: {_shorten(line)}")
        elif report.protocol != PROTOCOL:
            self._fail(run, f"it speaks version {report.protocol} of the protocol, and this is version {PROTOCOL}")
        elif report.receivers < 1:
            self._fail(run, f"it has connections with {report.receivers} receivers")
        else:
            run.hello = report

    def _fail(self, run: _Run, why: str) -> None:
        run.trouble = run.trouble or why
        self._notify()

    def _keep(self, direction: str, line: bytes) -> None:
        self.lines.append((direction, line.decode("utf-8", "backslashreplace")))

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def end(self) -> None:
        """End the process: its input ends, and soon after it is killed, with all that it started."""
        run, self._run = self._run, None
        if run is None:
            return
        with trio.CancelScope(shield=True):
            process = run.process
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            await process.stdin.aclose()
            with trio.move_on_after(0 if run.trouble else LEAVE_SECONDS):
                await process.wait()
            _kill(process)
            await process.wait()
            await process.stdout.aclose()
            await process.stderr.aclose()


@asynccontextmanager
async def open_subject(command: Sequence[str], *, patience: float = PATIENCE_SECONDS) -> AsyncGenerator[SubjectProcess]:
    """Have a subject for the time of a block; its process starts when it is first asked.

    Args:
        command: the program and its arguments.
        patience: how long an answer may take, in seconds.
    """
    body = Body()
    with body.joined():
        async with trio.open_nursery() as nursery:
            subject = SubjectProcess(command, patience, nursery)
            with body:
                try:
                    yield subject
                finally:
                    await subject.end()
            nursery.cancel_scope.cancel()


async def _start(command: Sequence[str]) -> trio.Process:
    """Start a program with pipes, in a process group of its own."""
    options: Mapping[str, Any] = {} if _WINDOWS else {"start_new_session": True}
    pipe = subprocess.PIPE
    return await trio.lowlevel.open_process(list(command), stdin=pipe, stdout=pipe, stderr=pipe, **options)


def _kill(process: trio.Process) -> None:
    """Kill a process, and what it has started as far as that is in its group."""
    if _WINDOWS:
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _describe_end(status: int | None, errors: Sequence[str]) -> str:
    last = next((line for line in reversed(errors) if any(map(str.isalpha, line))), "").strip(" |")
    said = f", and its last words were: {last[:SHOWN]}" if last else ""
    if status is None:
        return f"it closed its standard output{said}"
    if status < 0:
        return f"it was ended by {signal.Signals(-status).name}{said}"
    return f"it exited with status {status}{said}"


def _shorten(line: bytes) -> str:
    text = line.decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
