"""Stories of messages, of who listens to them, and of who reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..history.moves import (
    add_listener,
    by,
    cancel,
    change,
    disconnect,
    echo,
    has_listener,
    hear,
    hold,
    post,
    release,
    remove_listener,
    start_next,
    start_receive,
    start_send,
    turn,
)
from .story import BOTH, OPENER, RECEIVER, Story, hears

TRAPS: tuple[Any, ...] = (
    *(None, False, 0, "", [], {}, 0.5),
    *("text", "\u2028", "\ud800", "e\u0301"),
    *([None, {"": 0}], {"a": None}, -(2**53) + 1),
)


def tell_posting() -> Iterator[Story]:
    """Tell of messages on their way, and of values that are taken for nothing or are no JSON."""
    for here, there in BOTH:
        yield Story(10, [turn(there, add_listener("on_message", "one")), turn(here, post(1))])
        yield Story(10, [*hears(there), turn(here, post(1), post(2), post(3)), turn(here, post(4))])
        for value in TRAPS:
            rule = 10 if value == "text" else 13
            yield Story(rule, [*hears(there), turn(here, post(value)), turn(here, post("after"))])
        for name in ("cycle", "function", "bytes"):
            yield Story(12, [*hears(there), turn(here, post({"$": name}), post("after"))])
        for name in ("NaN", "Infinity"):
            yield Story(12, [*hears(there), turn(here, post({"$": name}))])
        for inner in ({"$": "bytes"}, {"$": "bytes", "length": 300}, {"$": "function"}, {"$": "NaN"}):
            yield Story(12, [*hears(there), turn(here, post(["\ud800", {"a": inner}]), post([inner]), post("after"))])
        yield Story(12, [*hears(there), turn(here, post([1]), change())])
    both = [turn(OPENER, hear()), turn(RECEIVER, hear())]
    yield Story(10, [*both, turn(OPENER, post(1), by(RECEIVER, post(2)), post(3), by(RECEIVER, post(4)))])


def tell_kept() -> Iterator[Story]:
    """Tell of messages that are there before anybody listens."""
    one = add_listener("on_message", "one")
    for here, there in BOTH:
        yield Story(15, [turn(here, post(1), post(2)), turn(here, post(3)), turn(there, one), turn(here, post(4))])
        yield Story(13, [turn(here, post(None), post(0)), turn(there, one)])
        yield Story(12, [turn(here, post([1]), change()), *hears(there)])


def tell_listeners() -> Iterator[Story]:
    """Tell of listeners of messages that come and go."""
    one, two, three = (add_listener("on_message", name) for name in ("one", "two", "three"))
    for here, there in BOTH:
        yield Story(28, [turn(there, one, two, three), turn(here, post(1), post(2))])
        yield Story(28, [turn(there, one, two, one), turn(here, post(1))])
        gone = remove_listener("on_message", "one")
        yield Story(28, [turn(there, one, two, gone, one), turn(here, post(1))])
        yield Story(28, [turn(there, gone, has_listener("on_message", "one"), one, has_listener("on_message", "one"))])
        yield Story(28, [turn(there, one, gone, two, has_listener("on_message", "one")), turn(here, post(1))])
        adds = add_listener("on_message", "adds", add_listener("on_message", "two", port=None))
        yield Story(29, [turn(there, adds), turn(here, post(1)), turn(here, post(2))])
        yield Story(29, [turn(there, adds, three), turn(here, post(1)), turn(here, post(2))])
        drops = add_listener("on_message", "drops", remove_listener("on_message", "two", port=None))
        yield Story(29, [turn(there, drops, two, three), turn(here, post(1)), turn(here, post(2))])
        holds = add_listener("on_message", "holds", hold())
        yield Story(14, [turn(there, holds, two), turn(here, post(1), post(2)), release(there), release(there)])
        kept = [turn(there, one), turn(here, post(1)), turn(there, remove_listener("on_message", "one"))]
        yield Story(15, [*kept, turn(here, post(2)), turn(there, one)])
    answers = add_listener("on_message", "echo", echo())
    yield Story(10, [turn(RECEIVER, answers), turn(OPENER, hear(), post(1), post(2), post(3))])


def tell_reading() -> Iterator[Story]:
    """Tell of tasks that receive instead of listening."""
    one = add_listener("on_message", "one")
    for here, there in BOTH:
        for value in (1, *TRAPS[:6]):
            rule = 15 if value == 1 else 13
            yield Story(rule, [start_receive("a", there), turn(here, post(value)), start_receive("b", there)])
        yield Story(15, [turn(here, post(1), post(2)), start_receive("a", there), start_receive("b", there)])
        yield Story(15, [turn(there, one), start_receive("busy", there), turn(here, post(1))])
        yield Story(
            15, [start_receive("a", there), start_receive("busy", there), turn(there, one), turn(here, post(1))]
        )
        yield Story(15, [start_receive("a", there), cancel("a"), turn(here, post(1)), start_receive("b", there)])
        read = [start_receive(name, there) for name in ("a", "b", "c", "d")]
        yield Story(25, [turn(here, post(1), post(2), disconnect()), *read])
        yield Story(25, [read[0], turn(here, post(1)), read[1], turn(here, disconnect()), *read[2:]])
        yield Story(25, [read[0], turn(there, disconnect()), read[1], start_receive("own", here)])
        end = add_listener("on_disconnect", "end")
        yield Story(21, [turn(there, end), *read[:1], turn(here, post(1), post(2), disconnect()), *read[1:]])
        yield Story(24, [turn(there, end), turn(here, post(1), disconnect()), *read[:2]])
        each = [start_next(name, there) for name in ("a", "b", "c")]
        yield Story(25, [each[0], turn(here, post(1), post(None), disconnect()), *each[1:]])
        yield Story(17, [start_send("send", here, 1), start_send("again", here, None), *read[:2]])
        yield Story(21, [read[0], turn(here, post(1), post(2), by(there, disconnect())), read[1]])


def tell_bursts(number: int) -> Iterator[Story]:
    """Tell of many messages at once."""
    many = [post(each) for each in range(1, number + 1)]
    for here, there in BOTH:
        yield Story(10, [*hears(there), turn(here, *many)])
        yield Story(15, [turn(here, *many), *hears(there)])
        yield Story(15, [turn(here, *many, disconnect()), start_receive("a", there)])
        yield Story(21, [*hears(there), turn(here, *many, disconnect())])
        yield Story(21, [turn(here, *many, disconnect()), *hears(there)])
