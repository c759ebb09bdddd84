"""Ends: what sends into one side's lanes, and takes out of its own, for a port or the task of a transport.

An end is closed by closing the send side of what it sends into, so that what was posted is still delivered, and its own
inbox, so that what was on its way to it is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, final

import trio
from trio.lowlevel import enable_ki_protection

from .._protocol.errors import PortError
from .lanes import Batch, Direction, Lane

if TYPE_CHECKING:
    from .connection import Connection


def _send_nowhere(_: Batch) -> None:
    raise trio.BrokenResourceError


@final
class End:
    """One end of a connection, for whoever owns it: a port, or the task of a transport."""

    __slots__ = (
        "_connection",
        "closed",
        "lane",
        "number",
        "on_peer_gone",
        "on_sent",
        "only",
        "out",
        "peer_error",
        "peer_gone",
        "peer_vanished",
        "send_only",
        "side",
        "sources",
        "waiting",
    )

    def __init__(self, side: Literal["opener", "receiver"], connection: Connection, lane: Lane, out: Direction) -> None:
        self.side = side
        self.number: int = connection.number
        """The same for every end of one connection, and for no other."""
        self._connection: Connection | None = connection
        self.lane: Lane = lane
        """What arrives here."""
        self.out: Direction = out
        """What is sent from here."""
        self.sources: dict[Lane, trio.MemorySendChannel[Batch]] = {lane: lane.source.clone() for lane in out.lanes}
        """This end's own send channels, by the lane of ``out`` that they lead to; none once nobody is there."""
        self.waiting: dict[trio.lowlevel.Task, None] = {}
        self.only: Lane | None
        """The one lane that this end sends into, while somebody is there; None if there are several receivers."""
        self.send_only: Callable[[Batch], None]
        """Put a batch into that lane's channel."""
        self.aim()
        self.closed: bool = False
        self.peer_gone: bool = False
        self.peer_vanished: bool = False
        """Its owner went away, instead of asking for a disconnect; known of receivers."""
        self.peer_error: PortError | None = None
        """Why the other side went; None while it is there and after an orderly end."""
        self.on_peer_gone: Callable[[], None] | None = None
        """Called once, when the other side has gone. It must not run anybody's listeners."""
        self.on_sent: Callable[[bytes], None] | None = None
        """Called with what was sent, when it was: for those who had to wait, that is not when the call returns."""

    @enable_ki_protection
    def send_nowait(self, frame: bytes) -> None:
        """Send an encoded message to every receiver, or to none.

        Raises:
            trio.WouldBlock: if there is no room.
            trio.BrokenResourceError: if nobody is there any more, or this end is closed.
        """
        if not self.sources:
            raise trio.BrokenResourceError
        if not self.out.has_room():
            raise trio.WouldBlock
        self.put(frame)

    @enable_ki_protection
    def send_many_nowait(self, frames: list[bytes]) -> int:
        """Send as many encoded messages as there is room for, and return how many those are.

        Raises:
            trio.BrokenResourceError: as `send_nowait`.
        """
        lane = self.only
        if lane is None:
            return self._send_to_each(frames)
        room = max(lane.bound - lane.used, 0)
        if room < len(frames):
            frames = frames[: int(room)]
        if frames:
            lane.put_many(self.send_only, frames)
        return len(frames)

    def _send_to_each(self, frames: list[bytes]) -> int:
        for sent, frame in enumerate(frames):
            try:
                self.send_nowait(frame)
            except trio.WouldBlock:
                return sent
        return len(frames)

    @enable_ki_protection
    async def send(self, frame: bytes) -> None:
        """Send an encoded message, waiting for room. A checkpoint; cancelled, nothing was sent."""
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self.send_nowait(frame)
        except trio.WouldBlock:
            await self.out.wait(self, frame)
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()

    @enable_ki_protection
    def put(self, frame: bytes) -> None:
        """Send without regard to the bound. A receiver that never listened and is full is disconnected."""
        if not self.sources:
            raise trio.BrokenResourceError
        unread: list[Lane] = []
        if self.only is not None:
            self.only.put(self.send_only, frame)
        else:
            for lane, source in self.sources.items():
                if self.out.counts(lane) or lane.used < self.out.bound:
                    lane.put(source.send_nowait, frame)
                else:
                    unread.append(lane)
        if self.on_sent is not None:
            self.on_sent(frame)
        if unread and self._connection is not None:
            self._connection.drop_unread(unread)

    @enable_ki_protection
    async def receive(self) -> bytes:
        """Return the next encoded message. A checkpoint; cancelled, nothing was taken.

        Raises:
            trio.EndOfChannel: if the other side has gone and all it sent was taken.
            trio.ClosedResourceError: if this end is closed.
        """
        return await self.lane.take()

    @enable_ki_protection
    def receive_nowait(self) -> bytes:
        """Return the next encoded message, or raise as `receive` does, or ``trio.WouldBlock``."""
        return self.lane.take_nowait()

    @enable_ki_protection
    def receive_many_nowait(self, max_bytes: int) -> list[bytes]:
        """Return the encoded messages that wait, until they are ``max_bytes`` or more together; maybe none."""
        return self.lane.take_many_nowait(max_bytes)

    @enable_ki_protection
    def close(self, error: PortError | None = None, *, vanished: bool = False) -> None:
        """End this end. What was sent is delivered, what was on its way here is gone. Idempotent.

        Args:
            error: what the other side is told; None for an orderly end.
            vanished: the owner went away, instead of asking for a disconnect.
        """
        if self.closed:
            return
        self.closed = True
        self.cut(trio.ClosedResourceError)
        self.lane.empty()
        self.lane.wake()
        self.on_peer_gone = self.on_sent = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave(self, error, vanished=vanished)
        self._forget_lane()

    def withdraw(self, error: PortError) -> None:
        """Take this receiver out, as if it had never been one; if it was the only one, the opener is told ``error``."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.withdraw(self, error)
        self.close()

    def share(self) -> None:
        """Take note that what is sent from here goes to others too: a receiver that never reads holds nobody back."""
        self.out.shared = True
        self.aim()
        self.out.settle()

    def aim(self) -> None:
        """Note whether there is one lane to send into, which is quicker."""
        self.only = self.out.only() if self.sources else None
        self.send_only = _send_nowhere if self.only is None else self.sources[self.only].send_nowait

    def cut(self, refusal: Callable[[], Exception] = trio.BrokenResourceError) -> None:
        """Stop sending from here."""
        sources, self.sources = self.sources, {}
        self.aim()
        for source in sources.values():
            source.close()
        self.out.refuse(self, refusal)

    def _forget_lane(self) -> None:
        """Nobody sends into this end's lane any more; leave no cycle of references."""
        self.lane.direction.lanes.pop(self.lane, None)

    def lose_peer(self, error: PortError | None) -> None:
        """Take note that the other side has gone."""
        if self.closed or self.peer_gone:
            return
        self.peer_gone = True
        self.peer_error = error
        self.cut()
        self._forget_lane()
        self.lane.wake()
        told, self.on_peer_gone, self.on_sent = self.on_peer_gone, None, None
        if told is not None:
            told()

    def fail(self, error: PortError) -> None:
        """Break the connection from here, because of what the other side did: both sides see it end."""
        connection, self._connection = self._connection, None
        self.cut()
        self.lane.empty()
        if connection is not None:
            connection.leave(self, error, vanished=False)
        self.lose_peer(error)
