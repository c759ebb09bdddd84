"""Stories of bounds and sizes, and of several receivers, of which one may keep up and another one not."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..history.moves import (
    Step,
    add_listener,
    cancel,
    disconnect,
    enter,
    hear,
    hold,
    leave,
    post,
    release,
    start_receive,
    start_send,
    turn,
)
from ..history.scope import FILLED
from ..model import MIB, Rules
from .story import BOTH, HOW, OPENER, RECEIVER, Story, hears


def tell_bounds(bound: int) -> Iterator[Story]:
    """Tell of full queues, and of who waits for room."""
    fill = [post(number) for number in range(bound)]
    one = add_listener("on_message", "one")
    for here, there in BOTH:
        yield Story(17, [turn(here, *fill, post("over")), turn(there, one), turn(here, post("after"))])
        waits = [start_send(name, here, name) for name in ("first", "second")]
        yield Story(17, [turn(here, *fill), *waits, start_receive("a", there), start_receive("b", there)])
        yield Story(17, [turn(here, *fill), *waits, cancel("first"), turn(there, one)])
        holds = add_listener("on_message", "holds", hold())
        yield Story(17, [turn(there, holds), turn(here, post("held")), turn(here, *fill, post("over")), release(there)])
        answer = turn(here, add_listener("on_message", "answers", post("answer", None)))
        yield Story(10, [turn(here, *fill), waits[0], answer, turn(there, post("question")), turn(there, one)])
    answers = add_listener("on_message", "answers", post("one", None), post("two", None), post("three", None))
    ask = [post(number) for number in range(bound // 3 + 1)]
    yield Story(17, [turn(RECEIVER, answers), turn(OPENER, *ask), turn(OPENER, post("more")), turn(OPENER, one)])


def tell_full_ends(bound: int) -> Iterator[Story]:
    """Tell of ends that come while somebody waits for room."""
    for here, there in BOTH:
        full = [turn(here, *[post(number) for number in range(bound)])]
        waits = [start_send(name, here, name) for name in ("first", "second")]
        yield Story(23, [*full, *waits, turn(there, disconnect())])
        yield Story(23, [*full, *waits, turn(here, disconnect())])


def tell_sizes(rules: Rules) -> Iterator[Story]:
    """Tell of messages as large as they may be, and larger; without a limit, of a very large one."""
    if rules.largest < math.inf:
        yield from _limited(int(rules.largest))
    elif not rules.tells_late:
        yield Story(16, [*hears(RECEIVER), turn(OPENER, post({"$": "long", "length": 64 * MIB}))])


def _limited(limit: int) -> Iterator[Story]:
    small = limit <= MIB
    for here, there in BOTH:
        over = {"$": "long", "length": limit - 1}
        yield Story(16, [*hears(there), turn(here, post(over)), turn(here, post("after"))])
        yield Story(16, [*hears(there), start_send("send", here, over), turn(here, post("after"))])
        if small or here == OPENER:
            yield Story(16, [*hears(there), turn(here, post({"$": "long", "length": limit - 2}))])
        if small:
            yield Story(16, [*hears(there), turn(here, post("\u00e9" * (limit // 2)), post("after"))])


def tell_receivers(rules: Rules) -> Iterator[Story]:
    """Tell of two receivers of one connection."""
    second = "receiver2"
    told = [turn(at, hear()) for at in (OPENER, RECEIVER, second)]
    yield Story(11, [*told, turn(OPENER, post(1), post(2))])
    yield Story(11, [*told, turn(RECEIVER, post(1)), turn(second, post(2))])
    for first, other in ((RECEIVER, second), (second, RECEIVER)):
        yield Story(26, [*told, turn(first, disconnect()), turn(OPENER, post(1)), turn(other, post(2))])
        yield Story(26, [*told, turn(first, disconnect()), turn(other, disconnect()), turn(OPENER, post(1))])
        yield Story(26, [*told, turn(first, post(1), disconnect()), turn(other, post(2), disconnect())])
    yield Story(27, [*told, turn(OPENER, post(1), disconnect())])
    for how in HOW:
        yield Story(20, [*told, enter(OPENER), leave(OPENER, how)])
    if rules.bound <= FILLED:
        fill = [post(number) for number in range(int(rules.bound))]
        one = add_listener("on_message", "one")
        heard = [turn(OPENER, add_listener("on_disconnect", "end")), turn(RECEIVER, one)]
        half = len(fill) // 2 + 1
        yield Story(17, [*heard, turn(OPENER, *fill[:half]), turn(OPENER, *fill[:half]), turn(second, hear())])
        holds = add_listener("on_message", "holds", hold())
        held = [turn(RECEIVER, holds), turn(second, one), turn(OPENER, post("held")), turn(OPENER, *fill, post("over"))]
        yield Story(17, [*held, release(RECEIVER)])
        yield from _one_is_slow(fill, second)


def _one_is_slow(fill: list[Step], second: str) -> Iterator[Story]:
    """Tell what follows when one of two receivers does not keep up."""
    one, holds = add_listener("on_message", "one"), add_listener("on_message", "holds", hold())
    slow = [turn(RECEIVER, holds), turn(second, one), turn(OPENER, post("held")), turn(OPENER, *fill)]
    waits = [start_send(name, OPENER, name) for name in ("first", "second")]
    yield Story(17, [*slow, turn(OPENER, post("over")), release(RECEIVER)])
    yield Story(26, [*slow, *waits, turn(RECEIVER, disconnect())])
    read = [start_receive("a", RECEIVER), turn(OPENER, post("read")), turn(second, one)]
    yield Story(17, [*read, turn(OPENER, *fill), turn(OPENER, post("over")), start_receive("b", RECEIVER)])
    # One receiver's send stands before the answers that another one's listener has posted beyond the bound.
    answers = add_listener("on_message", "answers", post("answer", None))
    asked = [turn(RECEIVER, *fill, answers), start_send("sent", second, "sent")]
    asked += [turn(OPENER, post("question")), turn(OPENER, post("another")), start_receive("c", OPENER)]
    yield Story(17, [*asked, cancel("sent")])
    yield Story(26, [*asked, turn(second, disconnect())])
