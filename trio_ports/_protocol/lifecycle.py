"""The life of one end of a connection, as a table.

An end is ``OPEN`` from the moment it exists. Two things can happen to it, and the order in which they happen decides
everything:

* its own side disconnects (``disconnect()``, or the scope that owns it ends): it is ``CLOSED``, at once and for good.
  Whoever disconnects is never told of a disconnect, so nothing leads out of ``CLOSED``;
* the other side goes: it is ``ENDING``. What the other side had posted before is still on its way, and posting is
  still silent, because nobody here can know yet. Once the last message has been handed over, the end is *delivered*:
  the state is ``ENDED``, then ``on_disconnect`` fires. There is one arrow into ``ENDED``, and it is taken once:
  that is the whole of "exactly once".

An end that is ``ENDING`` and disconnects by itself is ``CLOSED`` like any other: both sides disconnected, and neither
is told. After ``ENDED`` a ``disconnect()`` changes nothing.

An event without an arrow in its state is a fault of this package, raises, and changes nothing.
"""

from __future__ import annotations

import enum
from typing import final


@final
class State(enum.Enum):
    """Where one end of a connection stands."""

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
    """Say where ``happening`` leads from ``state``.

    Raises:
        AssertionError: if the table has no such arrow, which is this package's fault.
    """
    try:
        return TRANSITIONS[state, happening]
    except KeyError:
        raise AssertionError(f"an end that is {state.value} cannot see {happening.value!r}") from None
