"""Stories of ends, and of the scopes that ports and their listeners live in."""

from __future__ import annotations

from collections.abc import Iterator

from ..history.moves import (
    add_listener,
    by,
    disconnect,
    enter,
    has_listener,
    hear,
    hold,
    leave,
    post,
    release,
    remove_listener,
    start_next,
    start_receive,
    start_send,
    start_wait,
    throw,
    turn,
)
from .story import BOTH, HOW, Story, hears


def tell_ends() -> Iterator[Story]:
    """Tell of disconnecting, and of who learns of it."""
    for here, there in BOTH:
        end = add_listener("on_disconnect", "end")
        yield Story(19, [turn(there, end), turn(here, disconnect())])
        yield Story(18, [turn(here, end), turn(here, disconnect())])
        yield Story(21, [*hears(there), turn(here, post(1), post(2), disconnect())])
        yield Story(21, [*hears(here), *hears(there), turn(there, post(1), post(2), by(here, disconnect()))])
        yield Story(18, [*hears(here), *hears(there), turn(here, post(1), disconnect())])
        yield Story(22, [turn(there, end), turn(here, disconnect(), disconnect()), turn(here, disconnect())])
        yield Story(
            22, [*hears(here), *hears(there), turn(here, disconnect()), turn(there, disconnect(), disconnect())]
        )
        again = add_listener("on_disconnect", "again", disconnect(None))
        yield Story(22, [turn(there, again), turn(here, disconnect())])
        yield Story(19, [*hears(here), *hears(there), turn(here, disconnect(), by(there, disconnect()))])
        yield Story(23, [turn(here, disconnect(), post(1)), turn(here, post(2))])
        yield Story(23, [turn(here, disconnect()), turn(there, post(1))])
        yield Story(23, [*hears(there), turn(here, disconnect(), by(there, post(1))), turn(there, post(2))])
        late = add_listener("on_disconnect", "late", post("late", None))
        yield Story(23, [turn(there, late), turn(here, disconnect())])
        yield Story(23, [turn(here, disconnect()), start_send("send", there, 1), start_send("own", here, 1)])
        again = add_listener("on_disconnect", "again")
        yield Story(24, [turn(here, disconnect()), turn(there, end), turn(there, end, again), turn(there, again)])
        over = [turn(here, disconnect()), turn(there, end), turn(there, remove_listener("on_disconnect", "end"))]
        yield Story(24, [*over, turn(there, end)])
        told = [turn(there, end), turn(here, disconnect()), turn(there, remove_listener("on_disconnect", "end"))]
        yield Story(24, [*told, turn(there, end)])
        yield Story(24, [start_wait("wait", there), start_wait("own", here), turn(here, disconnect())])
        yield Story(24, [turn(here, disconnect()), start_wait("wait", there), start_wait("own", here)])
        holds = add_listener("on_message", "holds", hold())
        yield Story(
            21, [turn(there, holds, end), turn(here, post(1), post(2), disconnect()), release(there), release(there)]
        )
        yield Story(
            18, [turn(there, holds, end), turn(here, post(1), disconnect()), turn(there, disconnect()), release(there)]
        )


def tell_closing() -> Iterator[Story]:
    """Tell of listeners while an end is closed under them."""
    one, two = add_listener("on_message", "one"), add_listener("on_message", "two")
    for here, there in BOTH:
        bye = add_listener("on_message", "bye", disconnect(None))
        yield Story(30, [turn(there, one, bye, two), turn(here, post(1), post(2), post(3))])
        ends = [add_listener("on_disconnect", name) for name in ("one", "two", "three")]
        yield Story(28, [turn(there, *ends, ends[0]), turn(here, disconnect())])
        drops = add_listener("on_disconnect", "drops", remove_listener("on_disconnect", "two", port=None))
        yield Story(29, [turn(there, drops, *ends), turn(here, disconnect())])
        gone = remove_listener("on_disconnect", "one")
        yield Story(28, [turn(there, *ends, gone, has_listener("on_disconnect", "one")), turn(here, disconnect())])


def tell_late() -> Iterator[Story]:
    """Tell of sending to a side that has gone, with messages from there still to be read."""
    for here, there in BOTH:
        kept = [start_receive("a", there), turn(here, post(1), post(2), disconnect())]
        last = [start_receive("b", there), start_receive("c", there)]
        yield Story(23, [*kept, start_send("send", there, 3), turn(there, post(4)), *last])


def tell_scopes() -> Iterator[Story]:
    """Tell of blocks that are left, in each way."""
    for here, there in BOTH:
        for how in HOW:
            yield Story(20, [*hears(here), *hears(there), enter(here), turn(here, post(1)), leave(here, how)])
            yield Story(
                20,
                [
                    enter(here),
                    turn(here, post(1)),
                    leave(here, how),
                    start_receive("a", there),
                    start_receive("b", there),
                    start_next("c", there),
                    start_wait("own", here),
                ],
            )
        yield Story(20, [*hears(here), enter(here), turn(there, disconnect()), leave(here)])
        kept = [enter(here), turn(there, post(1), disconnect()), leave(here)]
        yield Story(20, [*kept, start_receive("a", here)])


def tell_raising() -> Iterator[Story]:
    """Tell of listeners whose exceptions are logged."""
    one, raises = add_listener("on_message", "one"), add_listener("on_message", "raises", throw())
    for here, there in BOTH:
        yield Story(31, [turn(there, raises, one), turn(here, hear(), post(1), post(2)), turn(there, post(3))])
        ends = [add_listener("on_disconnect", "raises", throw()), add_listener("on_disconnect", "end")]
        yield Story(31, [turn(there, *ends), turn(here, disconnect())])


def tell_failing() -> Iterator[Story]:
    """Tell what follows where a listener's exception leaves through the block of its port."""
    one, raises = add_listener("on_message", "one"), add_listener("on_message", "raises", throw())
    for here, there in BOTH:
        told = [turn(there, raises, one), enter(there), turn(here, hear(), post(1), post(2))]
        yield Story(31, [*told, leave(there), start_receive("a", there)])
