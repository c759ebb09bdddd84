"""A connection: its ends, the lanes they send into, and what follows for the others when one of them leaves.

The opener sends into the inboxes of all receivers, each receiver into that of the opener. An
end is closed by closing the send side of what only it sends into, so that what was posted is
still delivered, and its own inbox, so that what was on its way to it is gone. The state of an
end is kept here and nowhere else; `trio_ports._protocol.lifecycle` has the table.

Who learns what when an end leaves is decided by `Connection`, which touches no end, and carried
out by the end that leaves.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from .._protocol.errors import Cause, PortError
from .._protocol.lifecycle import Happening, State, advance
from .lanes import Direction, Lane

Leaving: TypeAlias = Literal["last", "all", "opener"]
"""Who learns that one of several receivers has left (rule 26): the opener, once the last has left; everybody; or the
opener alone, which has lost them all."""

_numbers = itertools.count(1)


class Watcher(Protocol):
    """Whoever owns an end: a port's delivery, or a carrier."""

    def peer_gone(self) -> None:
        """Take note that the other side has gone. It must not run anybody's listeners."""


@final
@attrs.frozen
class Consequences:
    """What follows for the others when an end leaves."""

    lose_peer: tuple[tuple[End, PortError | None, bool], ...] = ()
    """Whose other side has gone, why, and whether it vanished."""
    cut_off: tuple[End, ...] = ()
    """Receivers that stay open, as Chromium has it, and send nowhere from now on."""
    goes_on: End | None = None
    """The opener, if it goes on with other receivers."""
    makes_room: bool = False
    """Senders may have waited for the one that left."""


@final
class Connection:
    """Who is at its ends, and what follows when one of them leaves."""

    __slots__ = ("_disconnects", "_last", "_vanishes", "opener", "receivers")

    def __init__(self, receiver_disconnects: Leaving = "last", receiver_vanishes: Leaving = "last") -> None:
        self._disconnects: Leaving = receiver_disconnects
        self._vanishes: Leaving = receiver_vanishes
        self._last: tuple[PortError | None, bool] | None = None
        """How the last receiver left that did so while there were others: its error, and whether it vanished."""
        self.opener: End | None = None
        self.receivers: dict[End, None] = {}

    def leave(self, end: End, error: PortError | None, *, vanished: bool) -> Consequences:
        """Take out an end that leaves, and say what follows."""
        if end is self.opener:
            receivers = self._take_receivers()
            self.opener = None
            return Consequences(tuple((receiver, error, vanished) for receiver in receivers))
        if end not in self.receivers:
            return Consequences()
        del self.receivers[end]
        whom = self._vanishes if vanished else self._disconnects
        if whom == "last" and self.receivers:
            self._last = (error, vanished)
            return Consequences(goes_on=self.opener, makes_room=True)
        others = self._take_receivers()
        told = self._take_opener(error, vanished=vanished)
        if whom == "all":
            return Consequences((*told, *((other, None, False) for other in others)))
        return Consequences(told, cut_off=others)

    def withdraw(self, end: End, error: PortError) -> Consequences:
        """Take out a receiver that never knew of the connection."""
        if end not in self.receivers:
            return Consequences()
        del self.receivers[end]
        if self.receivers:
            return Consequences(goes_on=self.opener, makes_room=True)
        # If others were there, it ends as if the last of them had been the last of all.
        why, vanished = self._last or (error, False)
        return Consequences(self._take_opener(why, vanished=vanished))

    def drop_unread(self, lanes: set[Lane]) -> Consequences:
        """Take out the receivers with these inboxes, which never read and are full."""
        error = PortError("Nobody read here, and the queue was full.", cause=Cause.UNREAD)
        told = tuple((receiver, error, False) for receiver in self.receivers if receiver.lane in lanes)
        for receiver, _, _ in told:
            del self.receivers[receiver]
        if self.receivers:
            # What does not hold a sender back leaves no room behind when it goes.
            return Consequences(told, goes_on=self.opener)
        unread = PortError("Nobody read there, and the queues were full.", cause=Cause.UNREAD)
        return Consequences((*told, *self._take_opener(unread)))

    def _take_receivers(self) -> tuple[End, ...]:
        receivers, self.receivers = tuple(self.receivers), {}
        return receivers

    def _take_opener(
        self, error: PortError | None, *, vanished: bool = False
    ) -> tuple[tuple[End, PortError | None, bool], ...]:
        opener, self.opener = self.opener, None
        assert opener is not None, "there are receivers as long as there is an opener"
        return ((opener, error, vanished),)


@final
class End:
    """One end of a connection, for whoever owns it: a port, or the task of a transport."""

    __slots__ = (
        "_connection",
        "lane",
        "number",
        "on_sent",
        "only",
        "out",
        "peer_error",
        "peer_vanished",
        "side",
        "state",
        "watcher",
    )

    def __init__(
        self, side: Literal["opener", "receiver"], number: int, connection: Connection, lane: Lane, out: Direction
    ) -> None:
        self.side = side
        self.number: int = number
        """The same for every end of one connection, and for no other."""
        self._connection: Connection | None = connection
        """None once nothing can be sent from here any more."""
        self.lane: Lane = lane
        """What arrives here."""
        self.out: Direction = out
        """What is sent from here."""
        self.only: Lane | None = out.only()
        """The one lane that this end sends into, which is quicker; None if there are several, or nobody is there."""
        self.state: State = State.OPEN
        self.peer_error: PortError | None = None
        """Why the other side went; None while it is there and after an orderly end."""
        self.peer_vanished: bool = False
        """Its owner went away, instead of asking for a disconnect; known of receivers."""
        self.watcher: Watcher | None = None
        """Learns, once, that the other side has gone."""
        self.on_sent: Callable[[bytes], None] | None = None
        """Called with what was sent, when it was: for those who had to wait, that is not when the call returns."""

    @property
    def closed(self) -> bool:
        """This end was closed before the other side's end was delivered here."""
        return self.state is State.CLOSED

    @property
    def peer_gone(self) -> bool:
        """The other side has gone before this one."""
        return self.state is State.ENDING or self.state is State.ENDED

    # Sending -------------------------------------------------------------------------------

    @property
    def can_send(self) -> bool:
        """Somebody is there to send to."""
        return self._connection is not None

    @enable_ki_protection
    def send_nowait(self, frame: bytes) -> None:
        """Send an encoded message to every receiver, or to none.

        Raises:
            trio.WouldBlock: if there is no room.
            trio.BrokenResourceError: if nobody is there any more, or this end is closed.
        """
        if self._connection is None:
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
            lane.put_many(frames)
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
            await self.out.wait(self, frame, self.out.bound - 1)
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()

    @enable_ki_protection
    def put(self, frame: bytes) -> None:
        """Send without regard to the bound. A receiver that never listened and is full is disconnected."""
        connection = self._connection
        if connection is None:
            raise trio.BrokenResourceError
        unread: set[Lane] = set()
        if self.only is not None:
            self.only.put(frame)
        else:
            for lane in self.out.lanes:
                if self.out.counts(lane) or lane.used < self.out.bound:
                    lane.put(frame)
                else:
                    unread.add(lane)
        if self.on_sent is not None:
            self.on_sent(frame)
        if unread:
            _carry_out(connection.drop_unread(unread))

    @enable_ki_protection
    def put_before_waiting(self, frame: bytes) -> None:
        """Send beyond the bound: what this end's tasks wait to send, and then ``frame``, which must not overtake it."""
        self.out.admit(self)
        self.put(frame)

    @enable_ki_protection
    async def wait_bound(self) -> None:
        """Wait until what was sent is within the bound, or nobody is there any more. Not a checkpoint if it is."""
        if self._connection is not None and not self.out.holds(self.out.bound):
            try:
                await self.out.wait(self, None, self.out.bound)
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                return  # One of the two ends has gone meanwhile; its state says so.

    @enable_ki_protection
    async def wait_taken(self) -> None:
        """Wait until those who listen at the other side have taken all that was sent. Not a checkpoint if they have.

        Raises:
            trio.BrokenResourceError: the other side has gone meanwhile.
        """
        if any(lane.heard for lane in self.out.lanes) and not self.out.holds(0):
            await self.out.wait(self, None, 0)

    async def wait_idle(self) -> None:
        """Wait until whoever listens at the other side has come back for another message."""
        for lane in [lane for lane in self.out.lanes if lane.heard][:1]:
            await lane.wait_idle()

    @property
    def unsent(self) -> int:
        """How many messages that were sent from here wait at the slowest receiver."""
        return max((lane.used for lane in self.out.lanes), default=0)

    @property
    def tasks_waiting(self) -> int:
        """How many tasks wait for room on behalf of this end."""
        return sum(end is self for end, _, _ in self.out.blocked.values())

    # Receiving -----------------------------------------------------------------------------

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

    def set_heard(self, heard: bool) -> None:
        """From now on this end's bound holds senders back, or it does not."""
        self.lane.heard = heard
        if self.lane.direction.blocked:
            self.lane.direction.settle()

    def hold_sender(self) -> None:
        """Let this receiver's bound hold the sender back until it is known whether anybody listens here."""
        self.lane.heard = True

    def expect_answer(self) -> None:
        """Let every receiver's bound hold the sender back until `note_answer`: it is open whether this one is there."""
        self.lane.heard = True
        self.lane.direction.undecided += 1

    def note_answer(self) -> int:
        """Note that it is known whether this receiver is there; return of how many that is known, with this one.

        Follow it by `withdraw`, if it is not, or by `release_senders`.
        """
        direction = self.lane.direction
        direction.undecided -= 1
        return len(direction.lanes) - direction.undecided

    def release_senders(self) -> None:
        """Send for those who wait, as far as there is room."""
        self.lane.direction.settle()

    # Ending --------------------------------------------------------------------------------

    @enable_ki_protection
    def close(self, error: PortError | None = None, *, vanished: bool = False) -> None:
        """End this end. What was sent is delivered, what was on its way here is gone. Idempotent.

        Args:
            error: what the other side learns; None for an orderly end.
            vanished: the owner went away, instead of asking for a disconnect.
        """
        self.state = advance(self.state, Happening.DISCONNECT)
        connection = self._stop_sending(trio.ClosedResourceError)
        self.lane.empty()
        self.watcher = self.on_sent = None
        if connection is not None:
            _carry_out(connection.leave(self, error, vanished=vanished))

    @enable_ki_protection
    def withdraw(self, error: PortError) -> None:
        """Take this receiver out, as if it had never been one; if it was the only one, the opener gets ``error``."""
        connection, self._connection = self._connection, None
        self.close()
        if connection is not None:
            _carry_out(connection.withdraw(self, error))

    @enable_ki_protection
    def fail(self, error: PortError) -> None:
        """Break the connection from here, because of what the other side did: both sides see it end."""
        connection = self._stop_sending(trio.BrokenResourceError)
        self.lane.empty()
        if connection is not None:
            _carry_out(connection.leave(self, error, vanished=False))
        self.lose_peer(error)

    @enable_ki_protection
    def lose_peer(self, error: PortError | None, *, vanished: bool = False) -> None:
        """Take note that the other side has gone."""
        if self.state is not State.OPEN:
            return
        self.state = advance(self.state, Happening.PEER_GONE)
        self.peer_error, self.peer_vanished = error, vanished
        self._stop_sending(trio.BrokenResourceError)
        self.lane.finish()
        watcher, self.watcher, self.on_sent = self.watcher, None, None
        if watcher is not None:
            watcher.peer_gone()

    def note_delivered(self) -> None:
        """Take note that the other side's end has taken effect here."""
        self.state = advance(self.state, Happening.DELIVERED)
        if not self.lane.used:
            self.lane.empty()

    def share(self) -> None:
        """Take note that what is sent from here goes to others too: a receiver that never reads holds nobody back."""
        self.out.shared = True
        self.go_on()
        self.out.settle()

    def go_on(self) -> None:
        """Take note of who is there to send to."""
        self.only = self.out.only() if self._connection is not None else None

    def cut_off(self) -> None:
        """Send nowhere from now on, and stay open."""
        self._stop_sending(trio.BrokenResourceError)

    def _stop_sending(self, refusal: Callable[[], Exception]) -> Connection | None:
        """Let nobody send from here, and return the connection that was sent into."""
        connection, self._connection = self._connection, None
        self.only = None
        self.out.refuse(self, refusal)
        return connection


def _carry_out(consequences: Consequences) -> None:
    for end, error, vanished in consequences.lose_peer:
        end.lose_peer(error, vanished=vanished)
    for end in consequences.cut_off:
        end.cut_off()
    opener = consequences.goes_on
    if opener is not None:
        opener.go_on()
        if consequences.makes_room:
            opener.out.settle()
        # A receiver that has left may have stood in the way of the answers of others.
        opener.lane.direction.settle()


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
    number = next(_numbers)
    connection = Connection(receiver_disconnects, receiver_vanishes)
    forth, back = Direction(max_buffer_size, receivers), Direction(max_buffer_size, 1)
    opener = connection.opener = End("opener", number, connection, next(iter(back.lanes)), forth)
    ends = [End("receiver", number, connection, lane, back) for lane in forth.lanes]
    connection.receivers.update(dict.fromkeys(ends))
    return opener, ends
