"""The life of one end of a connection, as a table.

An end is ``OPEN`` from the moment it exists. Two things can happen to it, and the order
in which they happen decides everything:

* Its own side disconnects (``disconnect()``, or the scope that owns it ends). The end is
  ``CLOSED``, at once and for good. The side that disconnects never gets an event, so
  nothing leads out of ``CLOSED``.
* The other side goes. The end is ``ENDING``. Messages that the other side had posted are
  still on their way, and posting is still silent, because nobody here can know yet. Once
  the last message has been handed over, the end is *delivered*: the state becomes
  ``ENDED``, and then ``on_disconnect`` fires. Only one arrow leads into ``ENDED``, and
  it is taken once. That is all there is to "exactly once".

If an end is ``ENDING`` and then its own side disconnects, it is ``CLOSED`` like any
other: both sides have disconnected, and neither gets an event. After ``ENDED``, a
``disconnect()`` changes nothing.

An event that has no arrow in its state is a bug in this package. It raises, and changes
nothing.
"""

from __future__ import annotations

import enum
from typing import final


@final
class State(enum.Enum):
    """The state of one end of a connection."""

    OPEN = "open"
    ENDING = "ending"
    ENDED = "ended"
    CLOSED = "closed"


@final
class Happening(enum.Enum):
    """What can happen to one end of a connection."""

    DISCONNECT = "disconnect"
    PEER_GONE = "peer gone"
    DELIVERED = "delivered"


TRANSITIONS: dict[tuple[State, Happening], State] = {
    (State.OPEN, Happening.DISCONNECT): State.CLOSED,
    (State.OPEN, Happening.PEER_GONE): State.ENDING,
    (State.ENDING, Happening.DISCONNECT): State.CLOSED,
    (State.ENDING, Happening.DELIVERED): State.ENDED,
    (State.ENDED, Happening.DISCONNECT): State.ENDED,
    (State.CLOSED, Happening.DISCONNECT): State.CLOSED,
    (State.CLOSED, Happening.PEER_GONE): State.CLOSED,
}


def advance(state: State, happening: Happening) -> State:
    """Return the state that ``happening`` leads to from ``state``.

    Raises:
        AssertionError: the table has no such arrow, which is a bug in this package.
    """
    try:
        return TRANSITIONS[state, happening]
    except KeyError:
        raise AssertionError(f"an end that is {state.value} cannot see {happening.value!r}") from None
