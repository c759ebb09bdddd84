"""A connection: its ends, the lanes they send into, and what follows for the others when one of them leaves.

The opener sends into the inboxes of all receivers, and each receiver sends into the inbox of
the opener. When an end is closed, it finishes the inboxes that only it sends into, so that
messages that were posted are still delivered. It empties its own inbox, so messages on their
way to it are gone. The state of an end is kept here and nowhere else;
`trio_ports._protocol.lifecycle` has the table.

When an end leaves, `Connection` decides who learns what, and touches no other end. The end that
leaves carries this out.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from .._protocol.errors import Cause, PortError
from .._protocol.lifecycle import Happening, State, advance
from .lanes import Direction, Lane

Leaving: TypeAlias = Literal["last", "all", "opener", "failed", "withdrawn"]
"""Who learns that one of several receivers has left (rule 26): the opener, once the last one has left; everybody; or
the opener alone, for which the connection is then over. For one-shot messages: ``"failed"``, which is ``"opener"`` if
it left with an error, and ``"last"`` otherwise; and ``"withdrawn"``, the same, but the opener learns how another one
left before, if one did."""

_numbers = itertools.count(1)


class Watcher(Protocol):
    """The owner of an end: a port's delivery, or a carrier."""

    def peer_gone(self) -> None:
        """Note that the other side has gone. This must not run any listeners."""


@final
@attrs.frozen
class Consequences:
    """What follows for the other ends when an end leaves."""

    lose_peer: tuple[tuple[End, PortError | None, bool], ...] = ()
    """The ends that lose their other side, with the error and whether that side vanished."""
    cut_off: tuple[End, ...] = ()
    """Receivers that stay open, as in Chromium, but send nowhere from now on."""
    goes_on: End | None = None
    """The opener, if it goes on with other receivers."""
    makes_room: bool = False
    """Senders may have waited for the end that left."""


@final
class Connection:
    """The ends of a connection, and what follows when one of them leaves."""

    __slots__ = ("_disconnects", "_last", "_vanishes", "opener", "receivers")

    def __init__(self, receiver_disconnects: Leaving = "last", receiver_vanishes: Leaving = "last") -> None:
        self._disconnects: Leaving = receiver_disconnects
        self._vanishes: Leaving = receiver_vanishes
        self._last: tuple[PortError | None, bool] | None = None
        """How the last receiver has left: its error, and whether it vanished; None if none has left yet."""
        self.opener: End | None = None
        self.receivers: dict[End, None] = {}

    def leave(self, end: End, error: PortError | None, *, vanished: bool) -> Consequences:
        """Remove an end that leaves, and return what follows."""
        if end is self.opener:
            receivers = self._take_receivers()
            self.opener = None
            return Consequences(tuple((receiver, error, False) for receiver in receivers))
        if end not in self.receivers:
            return Consequences()
        whom = self._vanishes if vanished else self._disconnects
        if whom == "withdrawn" and error is None:
            return self.withdraw(end, None, vanished=vanished)
        if whom == "failed" and error is None:
            whom = "last"
        del self.receivers[end]
        if whom == "last" and self.receivers:
            self._last = (error, vanished)
            return Consequences(goes_on=self.opener, makes_room=True)
        others = self._take_receivers()
        told = self._take_opener(error, vanished=vanished)
        if whom == "all":
            return Consequences((*told, *((other, None, False) for other in others)))
        return Consequences(told, cut_off=others)

    def withdraw(self, end: End, error: PortError | None, *, vanished: bool = False) -> Consequences:
        """Remove a receiver that never knew of the connection, and return what follows if there was no other one."""
        if end not in self.receivers:
            return Consequences()
        del self.receivers[end]
        if self.receivers:
            return Consequences(goes_on=self.opener, makes_room=True)
        # If there were other receivers, the connection ends as it did for the last of them.
        why, vanished = self._last or (error, vanished)
        return Consequences(self._take_opener(why, vanished=vanished))

    def drop_unread(self, lanes: set[Lane]) -> Consequences:
        """Remove the receivers with these inboxes, which are full and were never read, and return what follows."""
        error = PortError("Nobody read here, and the queue was full.", cause=Cause.UNREAD)
        told = tuple((receiver, error, False) for receiver in self.receivers if receiver.inbox in lanes)
        for receiver, _, _ in told:
            del self.receivers[receiver]
        if self.receivers:
            # These receivers held no sender back, so there is no more room without them.
            return Consequences(told, goes_on=self.opener)
        unread = PortError("Nobody read there, and the queues were full.", cause=Cause.UNREAD)
        return Consequences((*told, *self._take_opener(unread)))

    def senders_to(self, end: End) -> tuple[End, ...]:
        """Return the ends whose messages arrive at ``end``."""
        opener = () if self.opener is None else (self.opener,)
        return tuple(self.receivers) if end is self.opener else opener

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
    """One end of a connection, for its owner: a port, or the task of a transport."""

    __slots__ = (
        "_aside",
        "_connection",
        "_lost_aside",
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
        """The inbox: messages arrive here."""
        self._aside: Lane | None = None
        """Where messages arrive instead, while this end is put aside."""
        self._lost_aside: tuple[PortError | None, bool] | None = None
        """The other side has gone while this end was put aside: why, and whether it vanished."""
        self.out: Direction = out
        """The lanes that this end sends into."""
        self.only: Lane | None = out.only()
        """The only lane that this end sends into, as a shortcut; None if there are several, or nobody is there."""
        self.state: State = State.OPEN
        self.peer_error: PortError | None = None
        """Why the other side went; None while it is there and after an orderly end."""
        self.peer_vanished: bool = False
        """The other side's owner went away, and did not ask for a disconnect."""
        self.watcher: Watcher | None = None
        """Learns, once, that the other side has gone."""
        self.on_sent: Callable[[bytes], None] | None = None
        """Called with each message when it is sent, which may be before the call of a waiting task returns."""

    @property
    def inbox(self) -> Lane:
        """Where messages arrive now."""
        return self.lane if self._aside is None else self._aside

    @property
    def lost_peer_aside(self) -> bool:
        """The other side has gone while this end was put aside."""
        return self._lost_aside is not None

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
        """Whether somebody is there to send to."""
        return self._connection is not None

    @enable_ki_protection
    def send_nowait(self, frame: bytes) -> None:
        """Send an encoded message to every receiver, or to none.

        Raises:
            trio.WouldBlock: there is no room.
            trio.BrokenResourceError: nobody is there any more, or this end is closed.
        """
        if self._connection is None:
            raise trio.BrokenResourceError
        if not self.out.has_room(frame):
            raise trio.WouldBlock
        self.put(frame)

    @enable_ki_protection
    def send_many_nowait(self, frames: list[bytes]) -> int:
        """Send as many encoded messages as there is room for, and return their number.

        Raises:
            trio.BrokenResourceError: as `send_nowait`.
        """
        lane = self.only
        if lane is None:
            return self._send_to_each(frames)
        room = max(lane.bound - lane.used, 0)
        if room < len(frames):
            frames = frames[: int(room)]
        if sum(map(len, frames)) > lane.room:
            return self._send_to_each(frames)
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
        """Send an encoded message, waiting for room. A checkpoint; a cancelled call has sent nothing."""
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self.send_nowait(frame)
        except trio.WouldBlock:
            await self.out.wait(self, frame, self.out.bound - 1)
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()

    @enable_ki_protection
    def put(self, frame: bytes) -> None:
        """Send without regard to the bound. A full receiver where nobody ever listened is disconnected."""
        connection = self._connection
        if connection is None:
            raise trio.BrokenResourceError
        unread: set[Lane] = set()
        if self.only is not None:
            self.only.put(frame)
        else:
            for lane in self.out.lanes:
                if self.out.counts(lane) or lane.fits(self.out.bound - 1, frame):
                    lane.put(frame)
                else:
                    unread.add(lane)
        if self.on_sent is not None:
            self.on_sent(frame)
        if unread and self.can_send:  # An observer may have disconnected.
            _carry_out(connection.drop_unread(unread))

    @enable_ki_protection
    def put_before_waiting(self, frame: bytes) -> None:
        """Send beyond the bound: first the messages of this end's waiting tasks, then ``frame``."""
        self.out.admit(self)
        self.put(frame)

    @enable_ki_protection
    async def wait_bound(self) -> None:
        """Wait until the queue is within the bound, or nobody is there any more. Not a checkpoint if it is already."""
        if self._connection is not None and not self.out.holds(self.out.bound):
            try:
                await self.out.wait(self, None, self.out.bound)
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                return  # One of the two ends has gone meanwhile, and the states show it.

    @enable_ki_protection
    async def wait_taken(self) -> None:
        """Wait until the listening receivers have taken every message. Not a checkpoint if they have already.

        Raises:
            trio.BrokenResourceError: the other side has gone meanwhile.
        """
        if any(lane.heard for lane in self.out.lanes) and not self.out.holds(0):
            await self.out.wait(self, None, 0)

    @enable_ki_protection
    async def wait_half_taken(self) -> None:
        """Wait until the queue is half empty, so that a transport need not wake for each message that is taken.

        Not a checkpoint if it is half empty already; only messages are counted.

        Raises:
            trio.BrokenResourceError: the other side has gone meanwhile.
        """
        most = self.out.bound / 2
        if not self.out.holds(most):
            await self.out.wait(self, None, most)

    async def wait_idle(self) -> None:
        """Wait until the listeners at the other side have finished with the last message."""
        for lane in [lane for lane in self.out.lanes if lane.heard][:1]:
            await lane.wait_idle()

    @property
    def unsent(self) -> int:
        """How many messages from here still wait at the slowest receiver."""
        return max((lane.used for lane in self.out.lanes), default=0)

    @property
    def unsent_bytes(self) -> int:
        """How many bytes of messages from here still wait at the receiver where most do."""
        return max((lane.used_bytes for lane in self.out.lanes), default=0)

    @property
    def tasks_waiting(self) -> int:
        """How many tasks wait for room on behalf of this end."""
        return sum(end is self for end, _, _ in self.out.blocked.values())

    # Receiving -----------------------------------------------------------------------------

    @enable_ki_protection
    async def receive(self) -> bytes:
        """Return the next encoded message. A checkpoint; a cancelled call has taken nothing.

        Raises:
            trio.EndOfChannel: the other side has gone, and all its messages were taken.
            trio.ClosedResourceError: this end is closed.
        """
        return await self.lane.take()

    @enable_ki_protection
    def receive_nowait(self) -> bytes:
        """Return the next encoded message, or raise as `receive` does, or ``trio.WouldBlock``."""
        return self.lane.take_nowait()

    @enable_ki_protection
    def receive_many_nowait(self, max_bytes: int) -> list[bytes]:
        """Return waiting messages, encoded, until they are ``max_bytes`` or more together; maybe none."""
        return self.lane.take_many_nowait(max_bytes)

    def set_heard(self, heard: bool) -> None:
        """Set whether this end's bound holds senders back."""
        self.lane.heard = heard
        if self.lane.direction.blocked:
            self.lane.direction.settle()

    def hold_sender(self) -> None:
        """Let this receiver's bound hold the sender back, until it is known whether anybody listens here."""
        self.lane.heard = True

    def expect_answer(self) -> None:
        """Let every receiver's bound hold the sender back until `note_answer`, because this one may not be there."""
        self.lane.heard = True
        self.lane.direction.undecided += 1

    def note_answer(self) -> int:
        """Note that it is known whether this receiver is there; return for how many receivers it is known now.

        Call `withdraw` next, if it is not there, or else `release_senders`.
        """
        direction = self.lane.direction
        direction.undecided -= 1
        return len(direction.lanes) - direction.undecided

    def release_senders(self) -> None:
        """Send the messages of waiting tasks, as far as there is room."""
        self.lane.direction.settle()

    # Ending --------------------------------------------------------------------------------

    @enable_ki_protection
    def close(self, error: PortError | None = None, *, vanished: bool = False) -> None:
        """Close this end. Sent messages are still delivered; messages on their way here are gone. Idempotent.

        Args:
            error: the error that the other side gets; None for an orderly end.
            vanished: whether the owner went away, and did not ask for a disconnect.
        """
        self.state = advance(self.state, Happening.DISCONNECT)
        connection = self._stop_sending(trio.ClosedResourceError)
        self.lane.empty()
        if self._aside is not None:
            self._aside.empty()
        self.watcher = self.on_sent = None
        if connection is not None:
            _carry_out(connection.leave(self, error, vanished=vanished))

    @enable_ki_protection
    def withdraw(self, error: PortError) -> None:
        """Remove this receiver as if it had never existed; if it was the only one, the opener gets ``error``."""
        connection, self._connection = self._connection, None
        self.close()
        if connection is not None:
            _carry_out(connection.withdraw(self, error))

    @enable_ki_protection
    def fail(self, error: PortError) -> None:
        """Break the connection because of what the other side did. Both sides get ``error``."""
        connection = self._stop_sending(trio.BrokenResourceError)
        self.lane.empty()
        if connection is not None:
            _carry_out(connection.leave(self, error, vanished=False))
        self.lose_peer(error)

    @enable_ki_protection
    def sever(self) -> None:
        """End the connection for both sides, in good order: each gets what was on its way to it, and then the end."""
        connection = self._stop_sending(trio.BrokenResourceError)
        if connection is not None:
            _carry_out(connection.leave(self, None, vanished=True))
        self.lose_peer(None)

    @enable_ki_protection
    def lose_peer(self, error: PortError | None, *, vanished: bool = False) -> None:
        """Note that the other side has gone."""
        if self.state is not State.OPEN:
            return
        if self._aside is not None:
            self._lost_aside = (error, vanished)
            self._stop_sending(trio.BrokenResourceError)
            return
        self.state = advance(self.state, Happening.PEER_GONE)
        self.peer_error, self.peer_vanished = error, vanished
        self._stop_sending(trio.BrokenResourceError)
        self.lane.finish()
        watcher, self.watcher, self.on_sent = self.watcher, None, None
        if watcher is not None:
            watcher.peer_gone()

    @enable_ki_protection
    def abandon(self, error: PortError) -> None:
        """End the connection for the other side only, with ``error``: what is sent from here is swallowed for ever."""
        connection = self._stop_sending(trio.BrokenResourceError)
        if connection is not None:
            _carry_out(connection.leave(self, error, vanished=True))

    @enable_ki_protection
    def put_aside(self) -> None:
        """Keep what arrives from now on away from this end's owner: messages, and the other side's end."""
        self._aside = Lane(self.lane.direction)
        self._aside.heard = self.lane.heard
        self._redirect(self.lane, self._aside)

    @enable_ki_protection
    def bring_back(self, *, loses: bool) -> None:
        """Let the owner have what arrived while this end was put aside, unless that is lost; the end comes last."""
        aside, lost, self._aside, self._lost_aside = self._aside, self._lost_aside, None, None
        assert aside is not None, "only an end that was put aside is brought back"
        frames = aside.take_many_nowait(sys.maxsize)
        if frames and not loses:
            self.lane.put_many(frames)
        self._redirect(aside, self.lane)
        if lost is not None:
            self.lose_peer(lost[0], vanished=lost[1])

    def _redirect(self, old: Lane, new: Lane) -> None:
        """Let messages arrive in another lane."""
        self.lane.direction.replace(old, new)
        for sender in () if self._connection is None else self._connection.senders_to(self):
            sender.go_on()

    def note_delivered(self) -> None:
        """Note that the other side's end was delivered here."""
        self.state = advance(self.state, Happening.DELIVERED)
        if not self.lane.used:
            self.lane.empty()

    def share(self) -> None:
        """Note that this end's messages go to receivers elsewhere too. One that never reads then holds nobody back."""
        self.out.shared = True
        self.go_on()
        self.out.settle()

    def go_on(self) -> None:
        """Look again which lanes there are to send into."""
        self.only = self.out.only() if self._connection is not None else None

    def cut_off(self) -> None:
        """Send nowhere from now on, and stay open."""
        self._stop_sending(trio.BrokenResourceError)

    def _stop_sending(self, refusal: Callable[[], Exception]) -> Connection | None:
        """Let nobody send from here any more, and return the connection, if there was one."""
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
    max_buffer_bytes: float = math.inf,
    receiver_disconnects: Leaving = "last",
    receiver_vanishes: Leaving = "last",
) -> tuple[End, list[End]]:
    """Open a connection and return its opener's end and the ends of its receivers.

    Args:
        receivers: how many; without any, nobody is there to send to.
        max_buffer_size: how many messages may wait in each direction.
        max_buffer_bytes: how many bytes they may have together; one message alone may have more.
        receiver_disconnects: what follows when a receiver disconnects; see rule 26.
        receiver_vanishes: what follows when its owner goes away.
    """
    number = next(_numbers)
    connection = Connection(receiver_disconnects, receiver_vanishes)
    forth = Direction(max_buffer_size, max_buffer_bytes, receivers)
    back = Direction(max_buffer_size, max_buffer_bytes, 1)
    opener = connection.opener = End("opener", number, connection, next(iter(back.lanes)), forth)
    ends = [End("receiver", number, connection, lane, back) for lane in forth.lanes]
    connection.receivers.update(dict.fromkeys(ends))
    return opener, ends
