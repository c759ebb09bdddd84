"""A carrier: the two tasks that move frames between the far end of a connection and something that carries bytes.

It decides nothing about what follows. It says how the carrying finished, and leaves it to its transport to find out
why, to tell the port, and to clean up.

A carrier lives as long as its connection, and not as long as somebody's cancel scope: what was posted before the port
went is still written, for some grace. So it is shielded; cancelling its caller only starts the grace.
"""

from __future__ import annotations

import contextlib
import enum
import math
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, final

import trio
from trio.lowlevel import enable_ki_protection

from .._ports.connection import End
from .._protocol.errors import Cause, PortError, RemoteProtocolError
from .._protocol.frames import FrameDecoder, encode_frames, encode_length

ReceiveSome: TypeAlias = Callable[[], Awaitable[bytes | bytearray]]
SendAll: TypeAlias = Callable[[bytes], Awaitable[None]]

SETTLE_SECONDS: Final = 1.0
_BATCH_BYTES: Final = 64 * 1024
_FAILURES: Final = (trio.BrokenResourceError, trio.ClosedResourceError)


@final
class Finish(enum.Enum):
    """How the carrying of frames finished."""

    LEFT = "left"
    """The port's side disconnected, and what it had posted was written or the grace for it was over."""
    END_OF_FILE = "end of file"
    """The other side's bytes ended, after a whole frame."""
    NONSENSE = "nonsense"
    """The other side's bytes were no frames, or ended inside one; the carrier's `error` says how."""
    UNREADABLE = "unreadable"
    """Reading failed."""
    UNWRITABLE = "unwritable"
    """Writing failed, and the other side's bytes did not end soon after it."""


@final
class Carrier:
    """Moves frames between an end and two functions that carry bytes, in both directions.

    Args:
        end: the far end of the port's connection.
        receive_some: returns bytes, ``b""`` at their end; a checkpoint; raises BrokenResourceError.
        send_all: writes bytes; raises BrokenResourceError. It need not be a checkpoint.
        decoder: for the bytes received.
        grace_seconds: how long, once the port's side has gone, the other side may take for something of what had been
            posted; and for all of it, once there is nobody any more to wait for it.
        settle_seconds: how long, once writing has failed, the other side's bytes may be silent.
        delivers_all: what comes meanwhile is kept as long as the port's side has no room for it; otherwise that is
            silence.
        hears_answers: once the other side's bytes have ended, what the port's side is still at work on is waited for,
            within the grace.
    """

    __slots__ = (
        "_closing",
        "_decoder",
        "_delivers_all",
        "_end",
        "_full",
        "_grace_seconds",
        "_hears_answers",
        "_reading",
        "_receive_some",
        "_scope",
        "_send_all",
        "_settle_seconds",
        "error",
        "finish",
    )

    def __init__(
        self,
        end: End,
        receive_some: ReceiveSome,
        send_all: SendAll,
        decoder: FrameDecoder,
        *,
        grace_seconds: float,
        settle_seconds: float = SETTLE_SECONDS,
        delivers_all: bool = True,
        hears_answers: bool = False,
    ) -> None:
        self._end = end
        self._receive_some = receive_some
        self._send_all = send_all
        self._decoder = decoder
        self._grace_seconds = grace_seconds
        self._settle_seconds = settle_seconds
        self._delivers_all = delivers_all
        self._hears_answers = hears_answers
        self._closing = False
        self._full = False
        self._scope = trio.CancelScope(shield=True)
        self._reading = trio.CancelScope()
        self.finish = Finish.LEFT
        """How it finished; final once `run` has ended, however it ended."""
        self.error: RemoteProtocolError | None = None
        """What nonsense the other side sent."""

    @enable_ki_protection
    async def run(self) -> None:
        """Carry until one side is through. Never raises for either side's faults.

        A cancelled call raises once what was posted is written, after the grace at the latest.
        """
        self._end.watcher = self
        if self._end.peer_gone:
            self.peer_gone()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_cancellation)
            with self._scope:
                async with trio.open_nursery() as shielded:
                    shielded.start_soon(self._write)
                    shielded.start_soon(self._read)
            nursery.cancel_scope.cancel()
        self._end.watcher = None

    def lose_writing(self) -> None:
        """Note that nothing can be written any more: wait for the end of the other side's bytes, or their silence."""
        if self._end.peer_gone:
            self._scope.cancel()
        elif self.finish is Finish.LEFT:
            self.finish = Finish.UNWRITABLE
            self._expect_silence()

    def _expect_silence(self) -> None:
        if self.finish is Finish.UNWRITABLE and not self._full:
            self._reading.deadline = trio.current_time() + self._settle_seconds

    def peer_gone(self) -> None:
        """Give what was posted the grace to be written."""
        self._limit()

    def _limit(self) -> None:
        self._scope.deadline = min(self._scope.deadline, trio.current_time() + self._grace_seconds)

    def _close(self) -> None:
        """Finish as soon as everything that was posted is written, and after the grace at the latest."""
        self._closing = True
        self._limit()
        self._end.lane.wake()

    @enable_ki_protection
    async def _watch_cancellation(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self._close()

    @enable_ki_protection
    async def _write(self) -> None:
        """Write what the port's side posts; once writing has failed, throw it away."""
        end = self._end
        lane = end.lane
        writable = True
        while True:
            if lane.used:
                batch = self._batch()
                try:
                    if writable:
                        for data in batch:
                            await self._send_all(data)
                            if end.peer_gone and not self._closing:
                                self._scope.deadline = trio.current_time() + self._grace_seconds
                except _FAILURES:
                    writable = False
                    self.lose_writing()
                if lane.used:
                    await trio.lowlevel.checkpoint()
            elif end.peer_gone or self._closing:
                break
            else:
                await lane.sleep()
        self._scope.cancel()

    def _batch(self) -> list[bytes]:
        """Take what waits, so that many small messages are one write. A large one is not copied."""
        frames = self._end.receive_many_nowait(_BATCH_BYTES)
        last = frames[-1]
        if len(last) < _BATCH_BYTES:
            return [encode_frames(frames)]
        return [encode_frames(frames[:-1]) + encode_length(len(last)), last]

    @enable_ki_protection
    async def _read(self) -> None:
        """Hand what the other side sends to the port's side, waiting for room; once that has gone, throw it away."""
        finish = None
        with self._reading:
            finish = await self._read_to_the_end()
        if finish is None:
            self._scope.cancel()
        else:
            await self._finish_reading(finish)

    async def _read_to_the_end(self) -> Finish:
        end = self._end
        try:
            while data := await self._receive_some():
                if end.can_send:
                    await self._deliver(self._decoder.receive_data(bytes(data)))
                if self.finish is not Finish.LEFT:
                    self._expect_silence()
            if end.can_send:
                self._decoder.receive_data(b"")
        except RemoteProtocolError as error:
            self.error = error
            return Finish.NONSENSE
        except _FAILURES:
            return Finish.UNREADABLE
        return Finish.END_OF_FILE

    async def _deliver(self, frames: list[bytes]) -> None:
        end = self._end
        try:
            while frames:
                sent = end.send_many_nowait(frames)
                for frame in frames[sent : sent + 1]:
                    await self._send_when_there_is_room(frame)
                frames = frames[sent + 1 :]
        except trio.BrokenResourceError:
            return  # The port's side has gone, and wants nothing of this any more.
        if self._decoder.error is not None:
            raise self._decoder.error

    async def _send_when_there_is_room(self, frame: bytes) -> None:
        if self._delivers_all:
            self._full = True
            self._reading.deadline = math.inf
        try:
            await self._end.send(frame)
        finally:
            self._full = False

    async def _finish_reading(self, finish: Finish) -> None:
        """Let the port's side hear what came before the end, and write what it has to say to that."""
        end = self._end
        # Once the port's side has gone, there is nobody to tell, and what it had posted is still to be written.
        if not end.peer_gone:
            self.finish = finish
            with contextlib.suppress(trio.BrokenResourceError):
                await end.wait_taken()
                if self._hears_answers and finish is Finish.END_OF_FILE:
                    self._limit()
                    await end.wait_idle()
            self._close()


def wire_error(carrier: Carrier) -> PortError | None:
    """Say what the port is told about how the carrying over a wire finished."""
    if carrier.finish is Finish.UNREADABLE or carrier.finish is Finish.UNWRITABLE:
        return PortError("The connection broke.", cause=Cause.WIRE_BROKEN)
    return carrier.error
