"""A carrier: the two tasks that move frames between the far end of a connection and a wire.

A carrier reports how the carrying finished, and decides nothing else. Its transport
finds out why, reports the end to the port, and cleans up.

A carrier lives as long as its connection, and not as long as a caller's cancel scope:
messages that were posted before the port disconnected are still written, within a grace
period. So the carrier is shielded, and cancelling its caller only starts that period.
"""

from __future__ import annotations

import contextlib
import enum
import math
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from .._ports.connection import End
from .._ports.lanes import Lane
from .._protocol.errors import Cause, PortError, RemoteProtocolError
from .._protocol.frames import FrameDecoder, encode_frames, encode_length

ReceiveSome: TypeAlias = Callable[[], Awaitable[bytes | bytearray]]
SendAll: TypeAlias = Callable[[bytes], Awaitable[None]]

GRACE_SECONDS: Final = 3.0
"""How long writing may take over a stream or a bus, once the port has disconnected."""
SETTLE_SECONDS: Final = 1.0
_BATCH_BYTES: Final = 64 * 1024
_BATCH: Final = 64
_QUIET_TURNS: Final = 3
_FAILURES: Final = (trio.BrokenResourceError, trio.ClosedResourceError)


@final
class Finish(enum.Enum):
    """How the carrying of frames finished."""

    LEFT = "left"
    """The port's side disconnected, and its messages were written, or the grace period ended."""
    END_OF_FILE = "end of file"
    """The other side's bytes ended, after a whole frame."""
    NONSENSE = "nonsense"
    """The other side's bytes were not frames, or ended inside one; see the carrier's `error`."""
    UNREADABLE = "unreadable"
    """Reading failed."""
    UNWRITABLE = "unwritable"
    """Writing failed, and the other side's bytes did not end soon after that."""


@final
@attrs.define(eq=False)
class Carrier:
    """Moves frames between an end and two functions that read and write bytes."""

    _end: End
    """The far end of the port's connection."""
    _receive_some: ReceiveSome
    """Returns bytes, ``b""`` at their end. A checkpoint; raises BrokenResourceError."""
    _send_all: SendAll
    """Writes bytes; raises BrokenResourceError. It need not be a checkpoint."""
    _decoder: FrameDecoder
    """Decodes the bytes that are read."""
    grace_seconds: float = attrs.field(kw_only=True)
    """How long the other side may take to accept each piece of the messages that are left,
    once the port's side has disconnected; and to accept all of them, once nobody waits for
    that any more."""
    settle_seconds: float = attrs.field(default=SETTLE_SECONDS, kw_only=True)
    """How long the other side may send nothing, once writing has failed."""
    delivers_all: bool = attrs.field(default=True, kw_only=True)
    """Whether what is read after that may wait for room at the port's side without a
    limit. Otherwise this waiting counts as sending nothing."""
    hears_answers: bool = attrs.field(default=False, kw_only=True)
    """After end of file, wait (at most grace_seconds) for the listener that is still
    running, so that its answer is sent."""
    _closing: bool = attrs.field(default=False, init=False)
    _full: bool = attrs.field(default=False, init=False)
    _scope: trio.CancelScope = attrs.field(factory=lambda: trio.CancelScope(shield=True), init=False)
    _reading: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    finish: Finish = attrs.field(default=Finish.LEFT, init=False)
    """How it finished; final once `run` has ended, however it ended."""
    error: RemoteProtocolError | None = attrs.field(default=None, init=False)
    """What was wrong with the other side's bytes."""

    @enable_ki_protection
    async def run(self) -> None:
        """Carry until one side has finished. Never raises because of what either side did.

        A cancelled call first writes what was posted, for at most the grace period.
        """
        self._end.watcher = self
        if self._end.peer_gone:
            self._limit()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_cancellation)
            with self._scope:
                async with trio.open_nursery() as shielded:
                    shielded.start_soon(self._write)
                    shielded.start_soon(self._read)
            nursery.cancel_scope.cancel()
        self._end.watcher = None

    def lose_writing(self) -> None:
        """Note that writing is impossible now; reading goes on until end of file, or silence."""
        if self._end.peer_gone:
            self._scope.cancel()
        elif self.finish is Finish.LEFT:
            self.finish = Finish.UNWRITABLE
            self._expect_silence()

    def _expect_silence(self) -> None:
        if self.finish is Finish.UNWRITABLE and not self._full:
            self._reading.deadline = trio.current_time() + self.settle_seconds

    def peer_gone(self) -> None:
        """Start the grace period in which the messages that are left are written."""
        self._limit()

    def _limit(self) -> None:
        self._scope.deadline = min(self._scope.deadline, trio.current_time() + self.grace_seconds)

    def leave_taking(self) -> trio.CancelScope:
        """Return the scope in which to take leave of the other side, once `run` has ended. It is within the grace."""
        deadline = min(self._scope.deadline, trio.current_time() + SETTLE_SECONDS)
        return trio.CancelScope(deadline=deadline, shield=True)

    def _close(self) -> None:
        """Finish once everything that was posted is written, after the grace period at the latest."""
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
        """Write the messages of the port's side. Once writing has failed, throw them away."""
        end = self._end
        lane, others = end.lane, end.only
        writable = True
        while True:
            if lane.used:
                batch = self._batch()
                try:
                    if writable:
                        for data in batch:
                            await self._send_all(data)
                            if lane.over and not self._closing:
                                self._scope.deadline = trio.current_time() + self.grace_seconds
                except _FAILURES:
                    writable = False
                    self.lose_writing()
                if lane.used:
                    await trio.lowlevel.checkpoint()
            elif lane.over or self._closing:
                break
            else:
                await lane.sleep()
                if others is not None and others.used:
                    await self._gather(others)
        self._scope.cancel()

    async def _gather(self, others: Lane) -> None:
        """Wait for more messages, so that one write takes them all, while the port's side has some to answer.

        A loop that receives and sends takes two turns of the scheduler for each message. Once some turns bring nothing,
        it does something else, and what it sent is not kept back.

        Args:
            others: the lane of the messages on their way to the port's side.
        """
        lane = self._end.lane
        room = lane.room - _BATCH_BYTES
        waiting = quiet = 0
        while others.used and quiet < _QUIET_TURNS and lane.used < _BATCH and lane.room > room:
            quiet = quiet + 1 if lane.used == waiting else 0
            waiting = lane.used
            await trio.lowlevel.cancel_shielded_checkpoint()

    def _batch(self) -> list[bytes]:
        """Take the messages that wait, so that many small ones are one write. A large one is not copied."""
        frames = self._end.receive_many_nowait(_BATCH_BYTES)
        last = frames[-1]
        if len(last) < _BATCH_BYTES:
            return [encode_frames(frames)]
        return [encode_frames(frames[:-1]) + encode_length(len(last)), last]

    @enable_ki_protection
    async def _read(self) -> None:
        """Send what is read to the port's side, waiting for room. Once that has gone, throw it away."""
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
            return  # The port's side has gone, so nobody wants these messages.
        if self._decoder.error is not None:
            raise self._decoder.error

    async def _send_when_there_is_room(self, frame: bytes) -> None:
        if self.delivers_all:
            self._full = True
            self._reading.deadline = math.inf
        try:
            await self._end.wait_half_taken()
            await self._end.send(frame)
        finally:
            self._full = False

    async def _finish_reading(self, finish: Finish) -> None:
        """Let the port's side take the messages before the end, and write its answers to them."""
        end = self._end
        # If the port's side has gone, nobody needs this end, and its messages are still being written.
        if not end.peer_gone:
            self.finish = finish
            with contextlib.suppress(trio.BrokenResourceError):
                await end.wait_taken()
                if self.hears_answers and finish is Finish.END_OF_FILE:
                    self._limit()
                    await end.wait_idle()
            self._close()


def wire_error(carrier: Carrier) -> PortError | None:
    """Return the error that the port gets when carrying over a wire has finished."""
    if carrier.finish is Finish.UNREADABLE or carrier.finish is Finish.UNWRITABLE:
        return PortError("The connection broke.", cause=Cause.WIRE_BROKEN)
    return carrier.error
