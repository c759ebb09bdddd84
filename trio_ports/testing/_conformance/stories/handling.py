"""Rule 43: the end of a handler's own port ends that handler, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from ..history.moves import add_listener, disconnect, enter, hold, leave, post, post_or_raise, release, turn
from .contexts import CONNECTS, TAB
from .routing import opened
from .story import END, ONE, OPENER, RECEIVER, Story, both_ways, hears

LATE = post_or_raise(0)
INSISTS = add_listener("on_message", "insists", disconnect(None), LATE)
ANSWERS = add_listener("on_message", "answers", post_or_raise(1))


@both_ways
def tell_listeners(here: str, there: str) -> Iterator[Story]:
    """Listeners of messages, and of the end."""
    history = [*hears(here), turn(there, INSISTS, ONE), turn(here, post(1), post(2))]
    yield Story(43, "After a listener was left by its port's end the other listeners get this message.", history)
    history = [turn(here, post(1), post(2), disconnect()), turn(there, END), turn(there, ANSWERS, ONE)]
    yield Story(43, "A listener that is given what was kept, and answers it after the end, has not failed.", history)
    waits = add_listener("on_message", "waits", hold(), LATE)
    history = [*hears(here), turn(there, waits), turn(here, post(1)), turn(there, disconnect()), release(there)]
    yield Story(43, "A listener whose port was disconnected while it waited has not failed when it posts.", history)
    insists = add_listener("on_disconnect", "insists", LATE)
    history = [turn(there, insists, END), turn(here, disconnect())]
    yield Story(43, "A listener of on_disconnect that posts has not failed, and the others are called.", history)


def tell_blocks() -> Iterator[Story]:
    """Blocks of ports, with the end that was opened and with the end that opened it."""
    for here, there in ((RECEIVER, OPENER), (OPENER, RECEIVER)):
        ends = (
            "A received port's end leaves its block quietly" if here == RECEIVER else "An opener's end leaves its block"
        )
        history = [*hears(there), enter(here), turn(there, disconnect()), leave(here, "end")]
        yield Story(43, f"{ends} after the other side's disconnect.", history)
        history = [*hears(there), enter(here), turn(here, post(1)), leave(here, "end")]
        yield Story(43, f"{ends} after its own disconnect.", history)


def tell_connecting() -> Iterator[Story]:
    """Listeners of connections."""
    refuses = add_listener("on_connect", "refuses", disconnect(None), LATE, port=None)
    last = add_listener("on_connect", "last", port=None)
    history = [*TAB, turn("a", refuses, last), CONNECTS, turn("t1/a", *opened("d"))]
    yield Story(43, "After a listener of on_connect was left by its port's end the next connection arrives.", history)
