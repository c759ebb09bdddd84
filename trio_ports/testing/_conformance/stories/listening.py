"""Rules 14, 15, 28, 29, 30 and 31: which listeners are called, in what order, and what follows from what they do."""

from __future__ import annotations

from collections.abc import Iterator

from ..history.moves import (
    add_listener,
    disconnect,
    enter,
    has_listener,
    hear,
    leave,
    post,
    release,
    remove_listener,
    start_receive,
    throw,
    turn,
)
from .story import END, HOLDS, ONE, RAISES, Story, both_ways

TWO, THREE = (add_listener("on_message", name) for name in ("two", "three"))
ENDS = [add_listener("on_disconnect", name) for name in ("one", "two", "three")]
REMOVE_ONE = remove_listener("on_message", "one")
HAS_ONE = has_listener("on_message", "one")


@both_ways
def tell_kept(here: str, there: str) -> Iterator[Story]:
    """Rule 15."""
    history = [turn(here, post(1), post(2)), turn(here, post(3)), turn(there, ONE), turn(here, post(4))]
    yield Story(15, "Messages that come before any listener are kept for the first one, in order.", history)


@both_ways
def tell_messages(here: str, there: str) -> Iterator[Story]:
    """Rules 14, 15, 28 and 29."""
    history = [turn(there, ONE, TWO, THREE), turn(here, post(1), post(2))]
    yield Story(28, "Listeners are called in the order in which they were added.", history)
    history = [turn(there, ONE, TWO, ONE), turn(here, post(1))]
    yield Story(28, "A listener that is added twice is called once, at its first place.", history)
    history = [turn(there, ONE, TWO, REMOVE_ONE, ONE), turn(here, post(1))]
    yield Story(28, "A listener that is removed and added again is called last.", history)
    sentence = "Removing a listener that was never added does nothing, and has_listener knows who is there."
    yield Story(28, sentence, [turn(there, REMOVE_ONE, HAS_ONE, ONE, HAS_ONE)])
    history = [turn(there, ONE, REMOVE_ONE, TWO, HAS_ONE), turn(here, post(1))]
    yield Story(28, "A listener that was removed is neither called nor found by has_listener.", history)
    history = [turn(there, ONE), turn(here, post(1)), turn(there, REMOVE_ONE), turn(here, post(2)), turn(there, ONE)]
    yield Story(15, "A message that comes after the last listener was removed is kept for the next one.", history)
    adds = add_listener("on_message", "adds", add_listener("on_message", "two", port=None))
    drops = add_listener("on_message", "drops", remove_listener("on_message", "two", port=None))
    twice = [turn(here, post(1)), turn(here, post(2))]
    history = [turn(there, adds), *twice]
    yield Story(29, "A listener that is added during a message is called from the next message on.", history)
    sentence = "A listener that is added during a message is not called for it, although a later listener is."
    yield Story(29, sentence, [turn(there, adds, THREE), *twice])
    history = [turn(there, drops, TWO, THREE), *twice]
    yield Story(29, "A listener that is removed during a message is not called for it.", history)
    sentence = "Listeners get the message and the port; an async one is awaited before anything else is delivered."
    yield Story(14, sentence, [turn(there, HOLDS, TWO), turn(here, post(1), post(2)), release(there), release(there)])


@both_ways
def tell_ends(here: str, there: str) -> Iterator[Story]:
    """Rule 30, and rules 28 and 29 for on_disconnect."""
    bye = add_listener("on_message", "bye", disconnect(None))
    sentence = "After a disconnect inside a listener the other listeners get this message, and no later one comes."
    yield Story(30, sentence, [turn(there, ONE, bye, TWO), turn(here, post(1), post(2), post(3))])
    drops = add_listener("on_disconnect", "drops", remove_listener("on_disconnect", "two", port=None))
    gone = remove_listener("on_disconnect", "one")
    history = [turn(there, *ENDS, ENDS[0]), turn(here, disconnect())]
    yield Story(28, "Listeners of on_disconnect are called in the order in which they were added, each once.", history)
    history = [turn(there, drops, *ENDS), turn(here, disconnect())]
    yield Story(29, "A listener of on_disconnect that an earlier one removes is not called.", history)
    history = [turn(there, *ENDS, gone, has_listener("on_disconnect", "one")), turn(here, disconnect())]
    yield Story(28, "A listener of on_disconnect that was removed is not called.", history)


@both_ways
def tell_raising(here: str, there: str) -> Iterator[Story]:
    """Rule 31, where exceptions are logged."""
    ends = [add_listener("on_disconnect", "raises", throw()), END]
    history = [turn(there, RAISES, ONE), turn(here, hear(), post(1), post(2)), turn(there, post(3))]
    yield Story(31, "After a listener has raised the others get the message, and the connection goes on.", history)
    history = [turn(there, *ends), turn(here, disconnect())]
    yield Story(31, "After a listener of on_disconnect has raised the others are called.", history)


@both_ways
def tell_failing(here: str, there: str) -> Iterator[Story]:
    """Rule 31, where exceptions leave through the scope."""
    fails = [turn(there, RAISES, ONE), enter(there), turn(here, hear(), post(1), post(2))]
    sentence = "What a listener raises leaves through its port's block, and the other side's end has an error."
    yield Story(31, sentence, [*fails, leave(there), start_receive("a", there)])
    fails = [turn(there, add_listener("on_disconnect", "raises", throw())), enter(there), turn(here, disconnect())]
    yield Story(31, "What a listener of on_disconnect raises leaves through its port's block.", [*fails, leave(there)])
