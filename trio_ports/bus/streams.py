"""Streams between two nodes: bytes in both directions, each with a window that its reader opens again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, final

import trio

from .._protocol.errors import Cause, PortError
from .packets import Answer, Credit, Data, Ended, Item, Shared

WINDOW_BYTES: Final = 256 * 1024
"""How many bytes may be on their way in each direction."""
PIECE_BYTES: Final = 64 * 1024


@final
class BusStream:
    """One side of a stream.

    Args:
        number: the stream's number; negative if the peer has opened it.
        post: sends an item to the peer, later and in order.
    """

    __slots__ = (
        "_answered",
        "_arrived",
        "_changed",
        "_credit",
        "_post",
        "_taken",
        "_untaken",
        "broken",
        "ended",
        "heard",
        "is_sending",
        "number",
        "on_shared",
        "peer_ended",
        "shared",
    )

    def __init__(self, number: int, post: Callable[[Item], None]) -> None:
        self.number: int = number
        self._post = post
        self._credit = WINDOW_BYTES
        self._untaken = 0
        self._taken = 0
        self._arrived: deque[bytes] = deque()
        self._changed = trio.lowlevel.ParkingLot()
        self._answered = trio.Event()
        self.on_shared: Callable[[], None] | None = None
        """Called when the peer reports that its call reaches other nodes too."""
        self.shared: bool = False
        """Whether the peer knows that this node's call reaches other nodes too."""
        self.heard: bool = False
        """Whether somebody at the peer listens to the call of this stream."""
        self.broken: bool = False
        """Whether the connection with the peer has broken."""
        self.ended: bool = False
        """Whether this side has finished."""
        self.is_sending: bool = False
        """Whether some bytes are not sent yet, or never were because sending was cancelled."""
        self.peer_ended: Ended | None = None
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
            if error is None:
                self._post(Ended(self.number, vanished=vanished))
            else:
                self._post(Ended(self.number, error.cause.value, str(error), vanished))

    # What the peer does ---------------------------------------------------------------------------------------------

    def receive(self, item: Answer | Data | Credit | Ended | Shared) -> bool:
        """Take an item that the peer has sent on this stream; return False if it breaks the rules."""
        match item:
            case Answer(heard=heard):
                if self.number < 0 or self._answered.is_set():
                    return False
                self._receive_answer(heard=heard)
            case Data(data=data):
                if not data or self._untaken + len(data) > WINDOW_BYTES:
                    return False
                self._receive_data(data)
            case Credit(size=size):
                if not 0 < size <= WINDOW_BYTES - self._credit:
                    return False
                self._credit += size
            case Shared():
                if self.on_shared is None:
                    return False
                self.on_shared()
            case _:
                self.peer_ended = item
        self._changed.unpark_all()
        return True

    def _receive_answer(self, *, heard: bool) -> None:
        self.heard = heard
        self._answered.set()
        if not heard:
            self.peer_ended = Ended(self.number)

    def _receive_data(self, data: bytes) -> None:
        if not self.ended:
            self._untaken += len(data)
            self._arrived.append(data)

    def refuse(self) -> None:
        """End the stream, because the peer broke the rules."""
        self.end(PortError("The other node broke the rules of the bus.", cause=Cause.WIRE_BROKEN))
        self.fail()

    def fail(self) -> None:
        """Note that the connection with the peer has broken."""
        self.broken = True
        self._answered.set()
        self._changed.unpark_all()

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
