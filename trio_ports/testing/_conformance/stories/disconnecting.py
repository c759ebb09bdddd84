"""Rules 18, 19 and 21 to 24: who learns of a disconnect, when, and what can still be done after it."""

from __future__ import annotations

from collections.abc import Iterator

from ..history.moves import (
    add_listener,
    by,
    disconnect,
    hold,
    post,
    release,
    remove_listener,
    start_receive,
    start_send,
    start_wait,
    turn,
)
from .story import BOTH, Story, hears

END = add_listener("on_disconnect", "end")
NO_END = remove_listener("on_disconnect", "end")
HOLDS = add_listener("on_message", "holds", hold())


def tell_who_learns() -> Iterator[Story]:
    """Rules 18 and 19."""
    for here, there in BOTH:
        both = [*hears(here), *hears(there)]
        yield Story(
            19, "A disconnect fires the other end's on_disconnect.", [turn(there, END), turn(here, disconnect())]
        )
        yield Story(18, "A disconnect does not fire on its own side.", [turn(here, END), turn(here, disconnect())])
        yield Story(
            19,
            "When both sides disconnect in the same moment neither on_disconnect fires.",
            [*both, turn(here, disconnect(), by(there, disconnect()))],
        )


def tell_last_messages() -> Iterator[Story]:
    """Rules 18 and 21."""
    for here, there in BOTH:
        yield Story(
            21,
            "Messages that were posted before a disconnect are delivered before on_disconnect.",
            [*hears(there), turn(here, post(1), post(2), disconnect())],
        )
        yield Story(
            21,
            "Messages on their way to the side that disconnects are gone.",
            [*hears(here), *hears(there), turn(there, post(1), post(2), by(here, disconnect()))],
        )
        yield Story(
            18,
            "A side that posts and then disconnects hears nothing more, whatever it listens to.",
            [*hears(here), *hears(there), turn(here, post(1), disconnect())],
        )
        busy = [turn(there, HOLDS, END), turn(here, post(1), post(2), disconnect())]
        yield Story(
            21,
            "A listener that is still busy with a message delays the next one and on_disconnect.",
            [*busy, release(there), release(there)],
        )
        yield Story(
            18,
            "A side that disconnects after the other one, while its listener is busy, gets no on_disconnect.",
            [turn(there, HOLDS, END), turn(here, post(1), disconnect()), turn(there, disconnect()), release(there)],
        )


def tell_again() -> Iterator[Story]:
    """Rule 22."""
    again = add_listener("on_disconnect", "again", disconnect(None))
    for here, there in BOTH:
        yield Story(
            22,
            "A second disconnect does nothing, in the same turn or later.",
            [turn(there, END), turn(here, disconnect(), disconnect()), turn(here, disconnect())],
        )
        yield Story(
            22,
            "A disconnect after the other side's does nothing.",
            [*hears(here), *hears(there), turn(here, disconnect()), turn(there, disconnect(), disconnect())],
        )
        yield Story(
            22, "A disconnect inside on_disconnect does nothing.", [turn(there, again), turn(here, disconnect())]
        )


def tell_posting() -> Iterator[Story]:
    """Rule 23."""
    late = add_listener("on_disconnect", "late", post("late", None))
    for here, there in BOTH:
        yield Story(
            23,
            "Posting after one's own disconnect raises, in the same turn and later.",
            [turn(here, disconnect(), post(1)), turn(here, post(2))],
        )
        yield Story(
            23,
            "Posting after the other side's end raises, although nobody listened for that end.",
            [turn(here, disconnect()), turn(there, post(1))],
        )
        yield Story(
            23,
            "Posting in the moment of the other side's disconnect is silent; once the end was delivered it raises.",
            [*hears(there), turn(here, disconnect(), by(there, post(1))), turn(there, post(2))],
        )
        yield Story(23, "Posting inside on_disconnect raises.", [turn(there, late), turn(here, disconnect())])
        yield Story(
            23,
            "After the end send raises on both sides.",
            [turn(here, disconnect()), start_send("send", there, 1), start_send("own", here, 1)],
        )


def tell_late_listeners() -> Iterator[Story]:
    """Rule 24."""
    again = add_listener("on_disconnect", "again")
    for here, there in BOTH:
        yield Story(
            24,
            "A listener that is added after the end is called once, however often it is added.",
            [turn(here, disconnect()), turn(there, END), turn(there, END, again), turn(there, again)],
        )
        yield Story(
            24,
            "A late listener that is removed and added again is not called a second time.",
            [turn(here, disconnect()), turn(there, END), turn(there, NO_END), turn(there, END)],
        )
        yield Story(
            24,
            "A listener that was called at the end, removed and added again is not called a second time.",
            [turn(there, END), turn(here, disconnect()), turn(there, NO_END), turn(there, END)],
        )


def tell_waiting() -> Iterator[Story]:
    """Rule 24, for wait_disconnected."""
    for here, there in BOTH:
        waits = [start_wait("wait", there), start_wait("own", here)]
        yield Story(
            24, "wait_disconnected returns on both sides when one disconnects.", [*waits, turn(here, disconnect())]
        )
        yield Story(
            24, "wait_disconnected returns at once when the connection is over.", [turn(here, disconnect()), *waits]
        )


def tell_sending_late() -> Iterator[Story]:
    """Rule 23, while there is still something to be read from the side that has gone."""
    for here, there in BOTH:
        kept = [start_receive("a", there), turn(here, post(1), post(2), disconnect())]
        last = [start_receive("b", there), start_receive("c", there)]
        yield Story(
            23,
            "send knows that the other side has gone, and post_message does not, while its messages are still read.",
            [*kept, start_send("send", there, 3), turn(there, post(4)), *last],
        )
