"""The life of a context, as a table.

A context is the world of one script. Most contexts are ``RUNNING`` from the moment they
exist. A background that sleeps begins ``ASLEEP``: no code of it has run yet.

* Somebody connects to a sleeping background. It is ``STARTING``: its script runs from the
  top, and whoever called waits. When the first turn of the script is over, the context is
  ``RUNNING``, and whoever called reaches the listeners that are there now. One start
  serves everybody who called before that moment.
* A background is stopped, a page is closed, a tab is left. The context is ``GONE``, and no
  context comes back from that. What wakes up later is another context, with new globals
  and new ports, which took the place of the one that is gone.
* The page of a content script goes into the back/forward cache. The context is ``FROZEN``:
  nothing reaches it, and it is told nothing, until the page is shown again.
* The extension of a content script goes: it is disabled, reloaded, updated or uninstalled.
  The script is ``ORPHANED``. What was on its way to it still arrives. Then Firefox destroys
  it: it is ``GONE``. In Chromium it lives on until its page goes, and each of its calls
  fails. An orphan whose page is put aside and brought back is still an orphan.

Only one arrow leads into ``STARTING``, and none leads back to ``ASLEEP``. So the code of
a background runs from the top once for each context, and nobody reaches a background that
has not been through its first turn.

A happening that has no arrow in its state is a bug in this package. It raises, and changes
nothing.
"""

from __future__ import annotations

import enum
from typing import final


@final
class ContextState(enum.Enum):
    """The state of a context."""

    ASLEEP = "asleep"
    STARTING = "starting"
    RUNNING = "running"
    FROZEN = "frozen"
    ORPHANED = "orphaned"
    GONE = "gone"


@final
class ContextHappening(enum.Enum):
    """What can happen to a context."""

    CALLED = "called"
    FIRST_TURN_OVER = "first turn over"
    PUT_ASIDE = "page put aside"
    BROUGHT_BACK = "page brought back"
    EXTENSION_GONE = "extension gone"
    ENDED = "ended"


CONTEXT_TRANSITIONS: dict[tuple[ContextState, ContextHappening], ContextState] = {
    (ContextState.ASLEEP, ContextHappening.CALLED): ContextState.STARTING,
    (ContextState.ASLEEP, ContextHappening.ENDED): ContextState.GONE,
    (ContextState.STARTING, ContextHappening.FIRST_TURN_OVER): ContextState.RUNNING,
    (ContextState.STARTING, ContextHappening.ENDED): ContextState.GONE,
    (ContextState.RUNNING, ContextHappening.PUT_ASIDE): ContextState.FROZEN,
    (ContextState.RUNNING, ContextHappening.EXTENSION_GONE): ContextState.ORPHANED,
    (ContextState.RUNNING, ContextHappening.ENDED): ContextState.GONE,
    (ContextState.FROZEN, ContextHappening.BROUGHT_BACK): ContextState.RUNNING,
    (ContextState.FROZEN, ContextHappening.ENDED): ContextState.GONE,
    (ContextState.ORPHANED, ContextHappening.PUT_ASIDE): ContextState.ORPHANED,
    (ContextState.ORPHANED, ContextHappening.BROUGHT_BACK): ContextState.ORPHANED,
    (ContextState.ORPHANED, ContextHappening.ENDED): ContextState.GONE,
}


def advance_context(state: ContextState, happening: ContextHappening) -> ContextState:
    """Return the state that ``happening`` leads to from ``state``.

    Raises:
        AssertionError: the table has no such arrow, which is a bug in this package.
    """
    try:
        return CONTEXT_TRANSITIONS[state, happening]
    except KeyError:
        raise AssertionError(f"a context that is {state.value} cannot see {happening.value!r}") from None
