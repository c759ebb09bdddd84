"""Start a native application as a browser does, talk to it, and watch everything that it does.

Its standard input ends before its output is given up, which a Port cannot do: so what
it writes while it leaves is seen, too. Starting and ending it is the package's own
code, the same that `connect_native` uses.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Final, final

import attrs
import trio

from ..._native.browser_side.start import PATIENCE, pipes_kept_from_children, start_application
from ..._protocol.dialects import Dialect
from ..._protocol.errors import MalformedMessageError, RemoteProtocolError
from ..._protocol.frames import LENGTH_BYTES, FrameDecoder, encode_frames
from ..._protocol.manifests import Family, NativeManifest
from ..._protocol.messages import Decoder, Reading
from ..._transports.processes import LastLines, end_process
from ...testing._applications.causes import Trouble, find_trouble
from ...testing._applications.operating_system import bytes_in_pipe

WATCH_SECONDS: Final = 2.0
"""How long an application is watched that is asked nothing."""
MOMENT_SECONDS: Final = 0.5
"""How long to wait whether an application that has answered leaves by itself."""
_SETTLE_SECONDS: Final = 1.0
"""How long its pipes may stay open once it has exited, and the other way round."""
_KEPT_BYTES: Final = 4096
"""So much of its output is kept to say what is wrong with it."""


@final
@attrs.define(eq=False)
class Conversation:
    """What an application did from its start to its end."""

    process: trio.Process
    dialect: Dialect
    answer: bytes | None = None
    """The first frame that it wrote."""
    answered_late: bool = False
    """It wrote that only when its input had ended."""
    trouble: Trouble | None = None
    """What is wrong with its output."""
    error: RemoteProtocolError | None = None
    """What that is to a browser that still has a port; None if it goes on reading."""
    exited: int | None = None
    """How it had exited before its input ended; None if it had not."""
    closed_output: bool = False
    """It had closed its output before its input ended, and lived on."""
    unread_bytes: int = 0
    """So much of what it was sent it had not read by then."""
    left: bool = False
    """It left by itself in the time that the browser gives it."""
    is_held: bool = False
    """Something else still held its output when it had left."""
    stderr: LastLines = attrs.field(factory=LastLines)
    _pending: bytes = b""
    _stirred: trio.Event = attrs.field(factory=trio.Event)
    """It did something that need not be waited for any more."""
    _output_ended: trio.Event = attrs.field(factory=trio.Event)
    _stderr_ended: trio.Event = attrs.field(factory=trio.Event)
    _input_ended: bool = False

    @property
    def returncode(self) -> int | None:
        """Its status, or minus the number of the signal that ended it."""
        return self.process.returncode

    @property
    def partial(self) -> bytes:
        """What it wrote of a frame that is not complete."""
        return self._pending

    async def hold(self, frame: bytes | None, seconds: float) -> None:
        """Send it a frame, if there is one, wait so long for what it does, end its input, and see it leave."""
        patience = PATIENCE[self.dialect.name]
        stdin: Any = self.process.stdin
        try:
            async with trio.open_nursery() as nursery:
                for task in (self._read_output, self._read_stderr, self._watch_exit):
                    nursery.start_soon(task)
                with trio.move_on_after(seconds):
                    if frame is not None:
                        with contextlib.suppress(trio.BrokenResourceError):
                            await stdin.send_all(encode_frames([frame]))
                    await self._stirred.wait()
                if self.answer is not None:
                    with trio.move_on_after(MOMENT_SECONDS):
                        await self.process.wait()
                await self._settle()
                self._note_before_the_end()
                deadline = trio.current_time() + patience.leave
                await stdin.aclose()
                self.left = await end_process(self.process, patience, deadline)
                await self._settle()
                self.is_held = not self._output_ended.is_set()
                nursery.cancel_scope.cancel()
        finally:
            # Cancelled: it leaves in the browser's time, as if the extension had disconnected.
            with trio.CancelScope(shield=True):
                await stdin.aclose()
                await end_process(self.process, patience, trio.current_time() + patience.leave)
                for pipe in (self.process.stdout, self.process.stderr):
                    await pipe.aclose()  # type: ignore[union-attr]
        if self.trouble is None and self._pending:
            shown = self._pending[:60]
            self.trouble = find_trouble(self._pending, f"its output ends inside a frame: {shown!r}")

    async def _settle(self) -> None:
        """If it has exited or closed its output, wait for the other of the two, and for its last words."""
        if self.process.poll() is None and not self._output_ended.is_set():
            return
        with trio.move_on_after(_SETTLE_SECONDS):
            await self.process.wait()
            await self._output_ended.wait()
            await self._stderr_ended.wait()

    def _note_before_the_end(self) -> None:
        self._input_ended = True
        self.exited = self.process.poll()
        self.closed_output = self.exited is None and self._output_ended.is_set()
        self.unread_bytes = bytes_in_pipe(self.process.stdin) or 0

    # Tasks ------------------------------------------------------------------------------------

    async def _watch_exit(self) -> None:
        await self.process.wait()
        self._stirred.set()

    async def _read_stderr(self) -> None:
        stderr: Any = self.process.stderr
        async for data in stderr:
            self.stderr.receive_data(data)
        self.stderr.receive_data(b"")
        self._stderr_ended.set()

    async def _read_output(self) -> None:
        texts = self.dialect.native_texts
        assert texts is not None, "only browsers are imitated"
        decoder = FrameDecoder(too_large_text=texts.too_large, names_printed_text=False)
        stdout: Any = self.process.stdout
        async for data in stdout:
            if self.trouble is None:
                self._take(decoder, bytes(data))
        self._output_ended.set()
        self._stirred.set()

    def _take(self, decoder: FrameDecoder, data: bytes) -> None:
        self._pending += data
        with contextlib.suppress(RemoteProtocolError):  # It is in `error`, and then there are no frames.
            for frame in decoder.receive_data(data):
                self._take_frame(frame)
                if self.trouble is not None:
                    return
        if decoder.error is not None:
            kept = self._pending[:_KEPT_BYTES]
            self._note_trouble(find_trouble(kept, f"what it writes is not a frame, but {kept[:60]!r}"), decoder.error)

    def _take_frame(self, frame: bytes) -> None:
        try:
            Decoder(reading=Reading.of(self.dialect)).decode_any(frame)
        except MalformedMessageError as error:
            text = f"it sends a frame that is not JSON: {frame[:60]!r}"
            self._note_trouble(find_trouble(self._pending[:_KEPT_BYTES], text, "not JSON"), error)
            return
        self._pending = self._pending[LENGTH_BYTES + len(frame) :]
        if self.answer is None:
            self.answer, self.answered_late = frame, self._input_ended
        self._stirred.set()

    def _note_trouble(self, trouble: Trouble, error: RemoteProtocolError) -> None:
        self.trouble = trouble
        self.error = None if self._input_ended else error
        self._stirred.set()


async def converse(
    manifest: NativeManifest,
    extension_id: str,
    family: Family,
    dialect: Dialect,
    *,
    environment: Mapping[str, str] | None,
    frame: bytes | None,
    patience: float,
) -> Conversation:
    """Start an application as a browser of that family does, talk to it, and end it.

    Args:
        manifest: which program; only its path and its file count.
        extension_id: the extension that asks.
        family: as whose browser.
        dialect: that browser's.
        environment: the application's; our own unless given.
        frame: what it is sent; nothing unless given.
        patience: how long an answer may take.

    Raises:
        NativeApplicationError: it could not be started.
    """
    process = await start_application(manifest, extension_id, family, environment)
    conversation = Conversation(process, dialect)
    with pipes_kept_from_children(process):
        await conversation.hold(frame, WATCH_SECONDS if frame is None else patience)
    return conversation
