"""Rules 16 and 17: how large a message may be, how many may wait, and who waits for room."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..history.moves import add_listener, cancel, disconnect, hold, post, release, start_receive, start_send, turn
from ..model import MIB, DialectRules
from .story import BOTH, OPENER, RECEIVER, Story, hears

ONE = add_listener("on_message", "one")


def tell_bounds(bound: int) -> Iterator[Story]:
    """Rule 17."""
    fill = [post(number) for number in range(bound)]
    for here, there in BOTH:
        yield Story(
            17,
            "post_message raises beyond the bound and sends nothing; with room again it sends.",
            [turn(here, *fill, post("over")), turn(there, ONE), turn(here, post("after"))],
        )
        first, second = (start_send(name, here, name) for name in ("first", "second"))
        yield Story(
            17,
            "Tasks that send beyond the bound wait for room, and the first one goes on first.",
            [turn(here, *fill), first, second, start_receive("a", there), start_receive("b", there)],
        )
        yield Story(
            17,
            "A send that is cancelled while it waits for room is never delivered.",
            [turn(here, *fill), first, second, cancel("first"), turn(there, ONE)],
        )
        holds = add_listener("on_message", "holds", hold())
        yield Story(
            17,
            "A message that a listener is busy with does not take up room.",
            [turn(there, holds), turn(here, post("held")), turn(here, *fill, post("over")), release(there)],
        )
        answers = turn(here, add_listener("on_message", "answers", post("answer", None)))
        yield Story(
            10,
            "A listener's answer comes after what its own side was already waiting to send.",
            [turn(here, *fill), first, answers, turn(there, post("question")), turn(there, ONE)],
        )
    answers = turn(
        RECEIVER, add_listener("on_message", "answers", *[post(each, None) for each in ("one", "two", "three")])
    )
    ask = [post(number) for number in range(bound // 3 + 1)]
    yield Story(
        17,
        "A listener's answers beyond the bound are held in order, and no further question is delivered meanwhile.",
        [answers, turn(OPENER, *ask), turn(OPENER, post("more")), turn(OPENER, ONE)],
    )


def tell_full_ends(bound: int) -> Iterator[Story]:
    """Rule 23, while tasks wait for room."""
    for here, there in BOTH:
        waits = [start_send(name, here, name) for name in ("first", "second")]
        full = [turn(here, *[post(number) for number in range(bound)]), *waits]
        yield Story(
            23,
            "Tasks that wait for room are refused when the other side disconnects.",
            [*full, turn(there, disconnect())],
        )
        yield Story(
            23,
            "Tasks that wait for room are refused when their own side disconnects.",
            [*full, turn(here, disconnect())],
        )


def tell_sizes(rules: DialectRules) -> Iterator[Story]:
    """Rule 16. A message too large to be built quickly is left out, and so is a very large one over a wire."""
    if rules.largest < math.inf:
        yield from _tell_of_limit(int(rules.largest))
    elif not rules.learns_late:
        largest = turn(OPENER, post({"$": "long", "length": 64 * MIB}))
        yield Story(16, "Where there is no limit a message of 64 MiB arrives.", [*hears(RECEIVER), largest])


def _tell_of_limit(limit: int) -> Iterator[Story]:
    small = limit <= MIB
    for here, there in BOTH:
        over = {"$": "long", "length": limit - 1}
        yield Story(
            16,
            "A message of one byte too much is refused where it is posted, and the next one arrives.",
            [*hears(there), turn(here, post(over)), turn(here, post("after"))],
        )
        yield Story(
            16,
            "send refuses a message of one byte too much.",
            [*hears(there), start_send("send", here, over), turn(here, post("after"))],
        )
        if small or here == OPENER:
            exact = {"$": "long", "length": limit - 2}
            yield Story(16, "A message of exactly the limit arrives.", [*hears(there), turn(here, post(exact))])
        if small:
            letters = "\u00e9" * (limit // 2)
            yield Story(
                16,
                "The limit counts bytes and not letters.",
                [*hears(there), turn(here, post(letters), post("after"))],
            )
