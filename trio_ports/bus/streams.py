"""Streams between two nodes: bytes in both directions, each with a window that its reader opens again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, final

import attrs
import trio

from .._protocol.errors import Cause, PortError
from .packets import Answer, Credit, Data, Ended, Item, Shared

WINDOW_BYTES: Final = 256 * 1024
"""How many bytes may be on their way in each direction."""
PIECE_BYTES: Final = 64 * 1024


@final
@attrs.define(eq=False)
class BusStream:
    """One side of a stream."""

    number: int
    """Negative if the peer has opened the stream."""
    _post: Callable[[Item], None]
    """Sends an item to the peer, later and in order."""
    _credit: int = attrs.field(default=WINDOW_BYTES, init=False)
    _untaken: int = attrs.field(default=0, init=False)
    _taken: int = attrs.field(default=0, init=False)
    _arrived: deque[bytes] = attrs.field(factory=deque[bytes], init=False)
    _changed: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)
    _answered: trio.Event = attrs.field(factory=trio.Event, init=False)
    on_shared: Callable[[], None] | None = attrs.field(default=None, init=False)
    """Called when the peer reports that its call reaches other nodes too."""
    shared: bool = attrs.field(default=False, init=False)
    """Whether the peer knows that this node's call reaches other nodes too."""
    heard: bool = attrs.field(default=False, init=False)
    """Whether somebody at the peer listens to the call of this stream."""
    broken: bool = attrs.field(default=False, init=False)
    """Whether the connection with the peer has broken."""
    ended: bool = attrs.field(default=False, init=False)
    """Whether this side has finished."""
    is_sending: bool = attrs.field(default=False, init=False)
    """Whether some bytes are not sent yet, or never were because sending was cancelled."""
    peer_ended: Ended | None = attrs.field(default=None, init=False)
    """How the peer's side finished; None while it goes on."""

    @property
    def is_over(self) -> bool:
        """Whether both sides have finished."""
        return self.broken or (self.ended and self.peer_ended is not None)

    async def send_all(self, data: bytes) -> None:
        """Send ``data``, waiting for the reader to open the window.

        Once the peer's side has finished, throw ``data`` away. A checkpoint only if it
        has to wait; a cancelled call may have sent a part.

        Raises:
            trio.BrokenResourceError: the connection with the peer has broken.
        """
        self.is_sending = True
        rest = memoryview(data)
        while rest and self.peer_ended is None:
            self._require_whole()
            if self._credit:
                piece = rest[: min(self._credit, PIECE_BYTES)]
                self._credit -= len(piece)
                self._post(Data(self.number, bytes(piece)))
                rest = rest[len(piece) :]
            else:
                await self._changed.park()
        self.is_sending = False

    async def receive_some(self) -> bytes:
        """Wait for bytes and return them; ``b""`` once the peer's side has finished. A checkpoint.

        Raises:
            trio.BrokenResourceError: the connection with the peer has broken.
        """
        await trio.lowlevel.checkpoint()
        while not self._arrived:
            if self.peer_ended is not None:
                return b""
            self._require_whole()
            await self._changed.park()
        data = self._arrived.popleft()
        self._take(len(data))
        return data

    async def wait_answered(self) -> bool:
        """Wait for the peer's answer: whether somebody listens to the call of this stream. A checkpoint."""
        await self._answered.wait()
        return self.heard

    def answer(self, *, heard: bool) -> None:
        """Answer the peer whether somebody listens to its call."""
        self._post(Answer(self.number, heard))
        self.ended = not heard

    def share(self) -> None:
        """Report to the peer, once, that the call of this stream reaches other nodes too."""
        if not self.shared and not self.ended and not self.broken:
            self.shared = True
            self._post(Shared(self.number))

    def end(self, error: PortError | None = None, *, vanished: bool = False) -> None:
        """Finish: bytes that were sent still arrive, bytes that arrive are thrown away. Idempotent.

        Args:
            error: the error that the peer gets; None for an orderly end.
            vanished: as for `End.close`.
        """
        if not self.ended and not self.broken:
            self.ended = True
            self._arrived.clear()
            cause, text = (error.cause.value, str(error)) if error else (None, "")
            self._post(Ended(self.number, cause, text, vanished))

    def receive(self, item: Answer | Data | Credit | Ended | Shared) -> bool:
        """Take an item that the peer has sent on this stream; return False if it breaks the rules."""
        match item:
            case Answer(heard=heard):
                if self.number < 0 or self._answered.is_set():
                    return False
                self.heard = heard
                self._answered.set()
                if not heard:
                    self.peer_ended = Ended(self.number)
            case Data(data=data):
                if not data or self._untaken + len(data) > WINDOW_BYTES:
                    return False
                self._keep(data)
            case Credit(size=size):
                if not 0 < size <= WINDOW_BYTES - self._credit:
                    return False
                self._credit += size
            case Shared() if self.on_shared is not None:
                self.on_shared()
            case Ended():
                self.peer_ended = item
            case _:
                return False
        self._changed.unpark_all()
        return True

    def refuse(self) -> None:
        """End the stream, because the peer broke the rules."""
        self.end(PortError("The other node broke the rules of the bus.", cause=Cause.WIRE_BROKEN))
        self.fail()

    def fail(self) -> None:
        """Note that the connection with the peer has broken."""
        self.broken = True
        self._answered.set()
        self._changed.unpark_all()

    def _keep(self, data: bytes) -> None:
        if not self.ended:
            self._untaken += len(data)
            self._arrived.append(data)

    def _take(self, size: int) -> None:
        self._taken += size
        if self._taken >= WINDOW_BYTES // 2 and self.peer_ended is None and not self.broken:
            self._untaken -= self._taken
            self._post(Credit(self.number, self._taken))
            self._taken = 0

    def _require_whole(self) -> None:
        if self.broken:
            raise trio.BrokenResourceError("the connection with the other node has broken")


def error_of(ended: Ended) -> PortError | None:
    """Return the error that a stream ended with; None if it was orderly."""
    if ended.cause is None:
        return None
    try:
        return PortError(ended.text, cause=Cause(ended.cause))
    except ValueError:  # The peer's trio_ports knows a cause that this one does not.
        return PortError(ended.text, cause=Cause.WIRE_BROKEN)
