"""A connection: crossed lanes, and the one record that its ends share.

Every end has an inbox, called a *lane*: a Trio memory channel of encoded messages. The opener sends into the lanes of
all receivers, each receiver into the lane of the opener; a *direction* is the set of lanes that one side sends into.
With several receivers each holds a clone of the same send channel, and the opener sees the end when the last clone
closes. Here is what one end's leaving means for the others.
"""

from __future__ import annotations

import itertools
from typing import Literal, TypeAlias, final

import attrs

from .._protocol.errors import Cause, PortError
from .ends import End
from .lanes import Direction, Lane

Leaving: TypeAlias = Literal["last", "all", "opener"]


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
        opener = self.opener
        assert opener is not None, "there are receivers as long as there is an opener"
        opener.out.settle()
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
