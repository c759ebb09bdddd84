"""Who learns what when an end leaves: decided without Trio. Rules 19, 26 and 27."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_ports import Cause, PortError
from trio_ports._ports.connection import Connection, Leaving

CRASH = PortError("It crashed.", cause=Cause.CRASHED)
NO_RECEIVER = PortError("Nobody is there.", cause=Cause.NO_RECEIVER)


@attrs.define(eq=False)
class FakeEnd:
    """An end that nothing is asked of: decisions touch no end."""

    name: str
    inbox: object = attrs.Factory(object)


def connect(receivers: int, **modes: Leaving) -> tuple[Connection, Any, list[Any]]:
    connection = Connection(**modes)
    opener: Any = FakeEnd("opener")
    ends: list[Any] = [FakeEnd(f"receiver{number}") for number in range(receivers)]
    connection.opener = opener
    connection.receivers.update(dict.fromkeys(ends))
    return connection, opener, ends


def learns(consequences: Any) -> dict[str, tuple[PortError | None, bool]]:
    return {end.name: (error, vanished) for end, error, vanished in consequences.lose_peer}


def test_every_receiver_loses_the_opener() -> None:
    """With the error that the opener left with, and once."""
    connection, opener, ends = connect(3)
    first = connection.leave(opener, CRASH, vanished=True)
    assert learns(first) == {end.name: (CRASH, False) for end in ends}
    assert learns(connection.leave(opener, None, vanished=False)) == {}
    assert all(learns(connection.leave(end, None, vanished=False)) == {} for end in ends)


@pytest.mark.parametrize("vanished", [False, True])
def test_the_opener_loses_the_last_receiver(vanished: bool) -> None:
    """One that leaves before may have made room for senders; the opener goes on with the others."""
    connection, opener, (one, two) = connect(2)
    first = connection.leave(one, CRASH, vanished=vanished)
    assert (learns(first), first.goes_on, first.makes_room) == ({}, opener, True)
    last = connection.leave(two, None, vanished=vanished)
    assert (learns(last), last.goes_on) == ({"opener": (None, vanished)}, None)


def test_one_that_leaves_may_end_the_connection_for_all() -> None:
    """As in Firefox: the opener learns why, and the other receivers lose it in good order."""
    connection, _, (one, _, _) = connect(3, receiver_disconnects="all")
    assert learns(connection.leave(one, CRASH, vanished=False)) == {
        "opener": (CRASH, False),
        "receiver1": (None, False),
        "receiver2": (None, False),
    }


def test_one_that_disconnects_may_cut_off_the_others() -> None:
    """As in Chromium: only the opener learns of it. One whose context goes is just taken out."""
    connection, opener, (one, two, three) = connect(3, receiver_disconnects="opener")
    assert connection.leave(one, None, vanished=True).goes_on is opener
    consequences = connection.leave(two, None, vanished=False)
    assert (learns(consequences), consequences.cut_off) == ({"opener": (None, False)}, (three,))


def test_a_withdrawal_is_as_if_the_last_that_left_had_been_the_last() -> None:
    """A receiver that never knew of the connection gives no reason of its own, if others were there."""
    connection, opener, (one, two) = connect(2)
    assert connection.leave(one, CRASH, vanished=True).goes_on is opener
    assert learns(connection.withdraw(two, NO_RECEIVER)) == {"opener": (CRASH, True)}
    assert learns(connection.withdraw(two, NO_RECEIVER)) == {}
    connection, opener, (one, two) = connect(2)
    assert connection.withdraw(one, NO_RECEIVER).goes_on is opener
    assert learns(connection.withdraw(two, NO_RECEIVER)) == {"opener": (NO_RECEIVER, False)}


def test_receivers_that_never_read_are_taken_out() -> None:
    """Each learns why; the opener does only if nobody is left, and otherwise nothing makes room."""
    connection, opener, (one, two) = connect(2)
    first = connection.drop_unread({one.inbox})
    ((end, error, _),) = first.lose_peer
    assert (end, error is not None and error.cause) == (one, Cause.UNREAD)
    assert (first.goes_on, first.makes_room) == (opener, False)
    assert {
        name: error and error.cause for name, (error, _) in learns(connection.drop_unread({two.inbox})).items()
    } == {
        "receiver1": Cause.UNREAD,
        "opener": Cause.UNREAD,
    }


LEAVINGS: list[Leaving] = ["last", "all", "opener"]


@given(
    st.sampled_from(LEAVINGS),
    st.sampled_from(LEAVINGS),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["disconnect", "vanish", "withdraw", "drop"])), max_size=8),
)
def test_nobody_loses_the_other_side_twice(
    disconnects: Leaving, vanishes: Leaving, moves: list[tuple[int, str]]
) -> None:
    """Nor does anybody who has left: whatever happens, in whatever order."""
    connection, opener, receivers = connect(3, receiver_disconnects=disconnects, receiver_vanishes=vanishes)
    ends = [opener, *receivers]
    over: list[Any] = []
    for number, move in moves:
        end = ends[number]
        if end in over:
            continue
        if move in ("disconnect", "vanish"):
            over.append(end)
            consequences = connection.leave(end, None, vanished=move == "vanish")
        elif end is opener or opener in over:  # A receiver is dropped by what the opener sends.
            continue
        elif move == "withdraw":
            over.append(end)
            consequences = connection.withdraw(end, NO_RECEIVER)
        else:
            consequences = connection.drop_unread({end.inbox})
        for loser, _, _ in consequences.lose_peer:
            assert loser not in over
            over.append(loser)
        assert not set(consequences.cut_off) & set(over)
    if opener in over:
        assert connection.opener is None
        assert not connection.receivers
