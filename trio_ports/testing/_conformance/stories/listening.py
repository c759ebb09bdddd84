"""Rules 14, 15, 28, 29, 30 and 31: which listeners are called, in what order, and what follows from what they do."""

from __future__ import annotations

from collections.abc import Iterator

from ..history.moves import (
    add_listener,
    disconnect,
    enter,
    has_listener,
    hear,
    hold,
    leave,
    post,
    release,
    remove_listener,
    start_receive,
    throw,
    turn,
)
from .story import BOTH, Story

ONE, TWO, THREE = (add_listener("on_message", name) for name in ("one", "two", "three"))
ENDS = [add_listener("on_disconnect", name) for name in ("one", "two", "three")]
REMOVE_ONE = remove_listener("on_message", "one")
HAS_ONE = has_listener("on_message", "one")


def tell_kept() -> Iterator[Story]:
    """Rule 15."""
    for here, there in BOTH:
        yield Story(
            15,
            "Messages that come before any listener are kept for the first one, in order.",
            [turn(here, post(1), post(2)), turn(here, post(3)), turn(there, ONE), turn(here, post(4))],
        )


def tell_order() -> Iterator[Story]:
    """Rule 28."""
    for here, there in BOTH:
        yield Story(
            28,
            "Listeners are called in the order in which they were added.",
            [turn(there, ONE, TWO, THREE), turn(here, post(1), post(2))],
        )
        yield Story(
            28,
            "A listener that is added twice is called once, at its first place.",
            [turn(there, ONE, TWO, ONE), turn(here, post(1))],
        )
        yield Story(
            28,
            "A listener that is removed and added again is called last.",
            [turn(there, ONE, TWO, REMOVE_ONE, ONE), turn(here, post(1))],
        )
        yield Story(
            28,
            "Removing a listener that was never added does nothing, and has_listener knows who is there.",
            [turn(there, REMOVE_ONE, HAS_ONE, ONE, HAS_ONE)],
        )
        yield Story(
            28,
            "A listener that was removed is neither called nor found by has_listener.",
            [turn(there, ONE, REMOVE_ONE, TWO, HAS_ONE), turn(here, post(1))],
        )


def tell_kept_again() -> Iterator[Story]:
    """Rule 15, once there was a listener."""
    for here, there in BOTH:
        yield Story(
            15,
            "A message that comes after the last listener was removed is kept for the next one.",
            [turn(there, ONE), turn(here, post(1)), turn(there, REMOVE_ONE), turn(here, post(2)), turn(there, ONE)],
        )


def tell_changes() -> Iterator[Story]:
    """Rules 14 and 29."""
    adds = add_listener("on_message", "adds", add_listener("on_message", "two", port=None))
    drops = add_listener("on_message", "drops", remove_listener("on_message", "two", port=None))
    holds = add_listener("on_message", "holds", hold())
    for here, there in BOTH:
        twice = [turn(here, post(1)), turn(here, post(2))]
        yield Story(
            29,
            "A listener that is added during a message is called from the next message on.",
            [turn(there, adds), *twice],
        )
        yield Story(
            29,
            "A listener that is added during a message is not called for it, although a later listener is.",
            [turn(there, adds, THREE), *twice],
        )
        yield Story(
            29,
            "A listener that is removed during a message is not called for it.",
            [turn(there, drops, TWO, THREE), *twice],
        )
        yield Story(
            14,
            "Listeners get the message and the port; an async one is awaited before anything else is delivered.",
            [turn(there, holds, TWO), turn(here, post(1), post(2)), release(there), release(there)],
        )


def tell_disconnecting() -> Iterator[Story]:
    """Rule 30."""
    bye = add_listener("on_message", "bye", disconnect(None))
    for here, there in BOTH:
        yield Story(
            30,
            "After a disconnect inside a listener the other listeners get this message, and no later one comes.",
            [turn(there, ONE, bye, TWO), turn(here, post(1), post(2), post(3))],
        )


def tell_ends() -> Iterator[Story]:
    """Rules 28 and 29, for on_disconnect."""
    drops = add_listener("on_disconnect", "drops", remove_listener("on_disconnect", "two", port=None))
    gone = remove_listener("on_disconnect", "one")
    for here, there in BOTH:
        yield Story(
            28,
            "Listeners of on_disconnect are called in the order in which they were added, each once.",
            [turn(there, *ENDS, ENDS[0]), turn(here, disconnect())],
        )
        yield Story(
            29,
            "A listener of on_disconnect that an earlier one removes is not called.",
            [turn(there, drops, *ENDS), turn(here, disconnect())],
        )
        yield Story(
            28,
            "A listener of on_disconnect that was removed is not called.",
            [turn(there, *ENDS, gone, has_listener("on_disconnect", "one")), turn(here, disconnect())],
        )


def tell_raising() -> Iterator[Story]:
    """Rule 31, where exceptions are logged."""
    raises = add_listener("on_message", "raises", throw())
    ends = [add_listener("on_disconnect", "raises", throw()), add_listener("on_disconnect", "end")]
    for here, there in BOTH:
        yield Story(
            31,
            "After a listener has raised the others get the message, and the connection goes on.",
            [turn(there, raises, ONE), turn(here, hear(), post(1), post(2)), turn(there, post(3))],
        )
        yield Story(
            31,
            "After a listener of on_disconnect has raised the others are called.",
            [turn(there, *ends), turn(here, disconnect())],
        )


def tell_failing() -> Iterator[Story]:
    """Rule 31, where exceptions leave through the scope."""
    raises = add_listener("on_message", "raises", throw())
    for here, there in BOTH:
        fails = [turn(there, raises, ONE), enter(there), turn(here, hear(), post(1), post(2))]
        yield Story(
            31,
            "What a listener raises leaves through its port's block, and the other side's end has an error.",
            [*fails, leave(there), start_receive("a", there)],
        )
