"""Rules 10, 16, 17 and 23: how large a message may be, how many may wait, and who waits for room."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from ..history.moves import (
    add_listener,
    cancel,
    disconnect,
    fill,
    long_text,
    post,
    release,
    start_receive,
    start_send,
    turn,
)
from ..model import MIB, DialectRules
from .story import HOLDS, ONE, OPENER, RECEIVER, Story, both_ways, hears

LENGTHS: Final = (100, 300, 5_000, 70_000)
"""How large messages are that must be refused for another reason."""
LEAST: Final = 60
"""A limit that leaves room for something unusual."""


@both_ways
def tell_bounds(here: str, there: str, bound: int) -> Iterator[Story]:
    """Rules 10, 17 and 23."""
    full = [fill(0, bound)]
    history = [turn(here, *full, post("over")), turn(there, ONE), turn(here, post("after"))]
    yield Story(17, "post_message raises beyond the bound and sends nothing; with room again it sends.", history)
    first, second = (start_send(name, here, name) for name in ("first", "second"))
    history = [turn(here, *full), first, second, start_receive("a", there), start_receive("b", there)]
    yield Story(17, "Tasks that send beyond the bound wait for room, and the first one goes on first.", history)
    history = [turn(here, *full), first, second, cancel("first"), turn(there, ONE)]
    yield Story(17, "A send that is cancelled while it waits for room is never delivered.", history)
    history = [turn(there, HOLDS), turn(here, post("held")), turn(here, *full, post("over")), release(there)]
    yield Story(17, "A message that a listener is busy with does not take up room.", history)
    answers = turn(here, add_listener("on_message", "answers", post("answer", None)))
    history = [turn(here, *full), first, answers, turn(there, post("question")), turn(there, ONE)]
    yield Story(10, "A listener's answer comes after what its own side was already waiting to send.", history)
    history = [turn(here, *full), first, second, turn(there, disconnect())]
    yield Story(23, "Tasks that wait for room are refused when the other side disconnects.", history)
    history = [turn(here, *full), first, second, turn(here, disconnect())]
    yield Story(23, "Tasks that wait for room are refused when their own side disconnects.", history)
    if here == OPENER:
        three = add_listener("on_message", "answers", *[post(each, None) for each in ("one", "two", "three")])
        ask = [fill(0, bound // 3 + 1)]
        yield Story(
            17,
            "A listener's answers beyond the bound are held in order, and no further question is delivered meanwhile.",
            [turn(RECEIVER, three), turn(OPENER, *ask), turn(OPENER, post("more")), turn(OPENER, ONE)],
        )


def tell_sizes(rules: DialectRules) -> Iterator[Story]:
    """Rule 16. A message too large to be built quickly is left out, and so is a very large one over a wire."""
    if rules.largest < math.inf:
        yield from _tell_of_limit(int(rules.largest))
    elif not rules.learns_late:
        largest = turn(OPENER, post({"$": "long", "length": 64 * MIB}))
        yield Story(16, "Where there is no limit a message of 64 MiB arrives.", [*hears(RECEIVER), largest])


@both_ways
def _tell_of_limit(here: str, there: str, limit: int) -> Iterator[Story]:
    small = limit <= MIB
    over = long_text(limit - 1)
    history = [*hears(there), turn(here, post(over)), turn(here, post("after"))]
    yield Story(16, "A message of one byte too much is refused where it is posted, and the next one arrives.", history)
    history = [*hears(there), start_send("send", here, over), turn(here, post("after"))]
    yield Story(16, "send refuses a message of one byte too much.", history)
    if small or here == OPENER:
        exact = long_text(limit - 2)
        yield Story(16, "A message of exactly the limit arrives.", [*hears(there), turn(here, post(exact))])
    if small:
        history = [*hears(there), turn(here, post("\u00e9" * (limit // 2)), post("after"))]
        yield Story(16, "The limit counts bytes and not letters.", history)
    if small and limit >= LEAST:
        yield from _tell_of_unusual(here, there, limit)
    yield from _tell_of_forbidden(here, there, limit)


def _tell_of_unusual(here: str, there: str, limit: int) -> Iterator[Story]:
    """Rule 16, for messages with something in them that is encoded in another way."""
    for inner, what, size in (
        ("\ud800", "a lone surrogate", 8),
        ({"$": "NaN"}, "NaN, which is null", 4),
        ({"a": [None, 0.5]}, "lists and objects", 16),
        ('\n"\\', "letters with an escape", 8),
        ("\u20ac", "a letter of three bytes", 5),
    ):
        fits = [inner, {"$": "long", "length": limit - size - 5}]
        over = [inner, {"$": "long", "length": limit - size - 4}]
        sentence = (
            f"Of large messages with {what}, one of exactly the limit arrives, and one with a byte more is refused."
        )
        yield Story(16, sentence, [*hears(there), turn(here, post(fits), post(over), post("after"))])


def _tell_of_forbidden(here: str, there: str, limit: int) -> Iterator[Story]:
    """Rule 12, for large messages."""
    for length in [length for length in LENGTHS if length + LEAST <= limit]:
        for inner in ({"$": "bytes"}, {"$": "bytes", "length": 300}, {"$": "function"}):
            message = [{"$": "long", "length": length}, {"a": inner}]
            sentence = f"Of messages with {length} letters, one with {_name(inner)} in it is refused."
            posts = turn(here, post(message), post([{"$": "long", "length": length}]))
            yield Story(12, sentence, [*hears(there), posts])


def _name(special: dict[str, Any]) -> str:
    return "many bytes" if "length" in special else str(special["$"])
