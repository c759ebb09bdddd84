"""A connection: crossed lanes, and the one record that its ends share.

Every end has an inbox, called a *lane*: a Trio memory channel of encoded messages. The opener sends into the lanes of
all receivers, each receiver into the lane of the opener; a *direction* is the set of lanes that one side sends into.
An end is closed by closing the send side of what it sends into, so that what was posted is still delivered, and its
own inbox, so that what was on its way to it is gone. With several receivers each holds a clone of the same send
channel, and the opener sees the end when the last clone closes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Literal, TypeAlias, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from .._protocol.errors import Cause, PortError
from .lanes import Batch, Direction, Lane

Leaving: TypeAlias = Literal["last", "all", "opener"]


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


@final
@attrs.define(slots=True, eq=False)
class Connection:
    """Who is at its ends, and what follows when one of them leaves."""

    receiver_disconnects: Leaving
    receiver_vanishes: Leaving
    number: int = attrs.Factory(itertools.count(1).__next__)
    left: tuple[PortError | None, bool] | None = None
    """How the last receiver left that did so while there were others: its error, and whether it vanished."""
    opener: End | None = None
    receivers: dict[End, None] = attrs.field(factory=dict["End", None])

    def leave(self, end: End, error: PortError | None, *, vanished: bool) -> None:
        """Tell those whom it concerns that ``end`` has left."""
        if end is self.opener:
            self._end_receivers(error)
        elif end in self.receivers:
            self._remove(end)
            whom = self.receiver_vanishes if vanished else self.receiver_disconnects
            if whom == "last" and self.receivers:
                self.left = (error, vanished)
                self._make_room()
                return
            self._end_opener(error, vanished=vanished)
            if whom == "all":
                self._end_receivers(None)
            for receiver in self.receivers:
                receiver.cut()
            self.receivers.clear()

    def drop_unread(self, lanes: list[Lane]) -> None:
        """Disconnect the receivers that never read and are full."""
        unread = set(lanes)
        for receiver in [end for end in self.receivers if end.lane in unread]:
            self._remove(receiver)
            receiver.lose_peer(PortError("Nobody read here, and the queue was full.", cause=Cause.UNREAD))
        if self.receivers:
            # Not `_make_room`: this may be called from there, and what does not count has left no room behind.
            self._settle_answers()
        else:
            self._end_opener(PortError("Nobody read there, and the queues were full.", cause=Cause.UNREAD))

    def withdraw(self, end: End, error: PortError) -> None:
        """Take out a receiver that was never told of the connection."""
        if end in self.receivers:
            self._remove(end)
            if not self.receivers:
                # If others were there, it ends as if the last of them had been the last of all.
                why, vanished = self.left or (error, False)
                self._end_opener(why, vanished=vanished)
            else:
                self._make_room()

    def _remove(self, receiver: End) -> None:
        """Take a receiver out. Whoever calls this lets those send who waited for it, once all is in order again."""
        del self.receivers[receiver]
        receiver.cut()
        opener = self.opener
        assert opener is not None, "there are receivers as long as there is an opener"
        opener.sources.pop(receiver.lane).close()
        del opener.out.lanes[receiver.lane]
        opener.aim()

    def _make_room(self) -> None:
        """Let those send who waited for a receiver that has left, or behind one of its senders."""
        if self.opener is not None:
            self.opener.out.settle()
        self._settle_answers()

    def _settle_answers(self) -> None:
        if self.opener is not None:
            self.opener.lane.direction.settle()

    def _end_opener(self, error: PortError | None, *, vanished: bool = False) -> None:
        opener, self.opener = self.opener, None
        assert opener is not None, "there are receivers as long as there is an opener"
        opener.peer_vanished = vanished
        opener.lose_peer(error)

    def _end_receivers(self, error: PortError | None) -> None:
        self.opener = None
        receivers, self.receivers = self.receivers, {}
        for receiver in receivers:
            receiver.lose_peer(error)


def open_connection(
    receivers: int = 1,
    *,
    max_buffer_size: float,
    receiver_disconnects: Leaving = "last",
    receiver_vanishes: Leaving = "last",
) -> tuple[End, list[End]]:
    """Open a connection and return its opener's end and the ends of its receivers. Without receivers it is over.

    Args:
        receivers: how many.
        max_buffer_size: how many messages may wait in each direction.
        receiver_disconnects: what follows when a receiver disconnects; see rule 26.
        receiver_vanishes: what follows when its owner goes away.
    """
    connection = Connection(receiver_disconnects, receiver_vanishes)
    forth, back = Direction(max_buffer_size), Direction(max_buffer_size)
    answers = Lane(back)
    back.lanes[answers] = None
    forth.lanes.update((Lane(forth), None) for _ in range(receivers))
    opener = connection.opener = End("opener", connection, answers, forth)
    connection.receivers.update((End("receiver", connection, lane, back), None) for lane in forth.lanes)
    for lane in (*forth.lanes, *back.lanes):
        lane.source.close()
    return opener, list(connection.receivers)
