"""The table of an end's life."""

import itertools

import pytest

from trio_ports._protocol.lifecycle import TRANSITIONS, Happening, State, advance

FORBIDDEN = {
    (State.OPEN, Happening.DELIVERED),
    (State.ENDING, Happening.PEER_GONE),
    (State.ENDED, Happening.PEER_GONE),
    (State.ENDED, Happening.DELIVERED),
    (State.CLOSED, Happening.DELIVERED),
}


@pytest.mark.parametrize(
    ("state", "happening", "after"),
    [
        (State.OPEN, Happening.DISCONNECT, State.CLOSED),
        (State.OPEN, Happening.PEER_GONE, State.ENDING),
        (State.ENDING, Happening.DELIVERED, State.ENDED),
        (State.ENDING, Happening.DISCONNECT, State.CLOSED),
        (State.ENDED, Happening.DISCONNECT, State.ENDED),
        (State.CLOSED, Happening.DISCONNECT, State.CLOSED),
        (State.CLOSED, Happening.PEER_GONE, State.CLOSED),
    ],
)
def test_each_arrow_leads_where_the_rules_say(state: State, happening: Happening, after: State) -> None:
    """Rules 18 to 22, read aloud."""
    assert advance(state, happening) is after


@pytest.mark.parametrize(("state", "happening"), sorted(FORBIDDEN, key=str))
def test_what_cannot_happen_raises(state: State, happening: Happening) -> None:
    """An event without an arrow is a fault, and says which."""
    with pytest.raises(AssertionError, match=f"an end that is {state.value} cannot see '{happening.value}'"):
        advance(state, happening)


def test_every_state_answers_every_happening() -> None:
    """Nothing was forgotten: each combination is an arrow or forbidden, never both."""
    assert set(TRANSITIONS) | FORBIDDEN == set(itertools.product(State, Happening))
    assert not set(TRANSITIONS) & FORBIDDEN


def test_the_end_is_delivered_by_one_arrow_only() -> None:
    """That on_disconnect fires exactly once is visible in the table."""
    into_ended = [key for key, after in TRANSITIONS.items() if after is State.ENDED and key[0] is not State.ENDED]
    assert into_ended == [(State.ENDING, Happening.DELIVERED)]


def test_nothing_leads_out_of_closed_or_ended() -> None:
    """Whoever has disconnected stays so, and so does an end that was delivered."""
    for state in (State.CLOSED, State.ENDED):
        assert {after for (before, _), after in TRANSITIONS.items() if before is state} == {state}
