"""The table of a context's life."""

import itertools

import pytest

from trio_ports._protocol.contexts import CONTEXT_TRANSITIONS, ContextHappening, ContextState, advance_context

S, H = ContextState, ContextHappening
ARROWS = {
    (S.ASLEEP, H.CALLED): S.STARTING,
    (S.ASLEEP, H.ENDED): S.GONE,
    (S.STARTING, H.FIRST_TURN_OVER): S.RUNNING,
    (S.STARTING, H.ENDED): S.GONE,
    (S.RUNNING, H.PUT_ASIDE): S.FROZEN,
    (S.RUNNING, H.EXTENSION_GONE): S.ORPHANED,
    (S.RUNNING, H.ENDED): S.GONE,
    (S.FROZEN, H.BROUGHT_BACK): S.RUNNING,
    (S.FROZEN, H.ENDED): S.GONE,
    (S.ORPHANED, H.PUT_ASIDE): S.ORPHANED,
    (S.ORPHANED, H.BROUGHT_BACK): S.ORPHANED,
    (S.ORPHANED, H.ENDED): S.GONE,
}


@pytest.mark.parametrize(("state", "happening"), tuple(itertools.product(S, H)))
def test_each_state_and_each_happening(state: ContextState, happening: ContextHappening) -> None:
    """An arrow leads where the rules say; what has no arrow is a fault, and the error says which."""
    if (state, happening) in ARROWS:
        assert advance_context(state, happening) is ARROWS[state, happening]
    else:
        with pytest.raises(AssertionError, match=f"a context that is {state.value} cannot see '{happening.value}'"):
            advance_context(state, happening)


def test_nothing_wakes_up_twice() -> None:
    """One arrow leads into STARTING, none back to ASLEEP, and none out of GONE."""
    assert [key for key, after in CONTEXT_TRANSITIONS.items() if after is S.STARTING] == [(S.ASLEEP, H.CALLED)]
    assert S.ASLEEP not in CONTEXT_TRANSITIONS.values()
    assert all(before is not S.GONE for before, _ in CONTEXT_TRANSITIONS)
