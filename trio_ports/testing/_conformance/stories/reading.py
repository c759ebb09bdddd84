"""Rules 13, 15, 17, 21, 24 and 25 for tasks that call ``receive`` or ``async for`` instead of adding a listener."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ..history.moves import add_listener, by, cancel, disconnect, post, start_next, start_receive, start_send, turn
from .posting import ODD_VALUES
from .story import BOTH, Story


def tell_reading() -> Iterator[Story]:
    """Rules 13 and 15."""
    one = add_listener("on_message", "one")
    for here, there in BOTH:
        a, b, busy = (start_receive(name, there) for name in ("a", "b", "busy"))
        yield Story(15, "A task that is waiting gets the message, and only that task.", [a, turn(here, post(1)), b])
        for value in ODD_VALUES[:6]:
            yield Story(
                13, f"receive returns {json.dumps(value)}, and waits again after that.", [a, turn(here, post(value)), b]
            )
        yield Story(15, "Messages that were kept are read one by one.", [turn(here, post(1), post(2)), a, b])
        yield Story(15, "receive is refused beside a listener.", [turn(there, one), busy, turn(here, post(1))])
        yield Story(
            15,
            "While a task receives, a second task and a listener are refused.",
            [a, busy, turn(there, one), turn(here, post(1))],
        )
        yield Story(
            15,
            "A receive that was cancelled leaves the next message to others.",
            [a, cancel("a"), turn(here, post(1)), b],
        )


def tell_sending() -> Iterator[Story]:
    """Rule 17, where there is room."""
    for here, there in BOTH:
        yield Story(
            17,
            "send returns at once while there is room, and its messages are read in order.",
            [
                start_send("send", here, 1),
                start_send("again", here, None),
                start_receive("a", there),
                start_receive("b", there),
            ],
        )


def tell_unread() -> Iterator[Story]:
    """Rule 24, where a message is kept for the first reader."""
    for here, there in BOTH:
        end = turn(there, add_listener("on_disconnect", "end"))
        yield Story(
            24,
            "Where nobody has read or listened, the end is reported although a message is still kept.",
            [end, turn(here, post(1), disconnect()), start_receive("a", there), start_receive("b", there)],
        )


def tell_ends() -> Iterator[Story]:
    """Rule 25."""
    for here, there in BOTH:
        read = [start_receive(name, there) for name in ("a", "b", "c", "d")]
        each = [start_next(name, there) for name in ("a", "b", "c")]
        yield Story(
            25,
            "After an orderly end receive returns what is left, and then raises EndOfChannel each time.",
            [turn(here, post(1), post(2), disconnect()), *read],
        )
        yield Story(
            25,
            "A task that is waiting in receive gets EndOfChannel when the other side disconnects.",
            [read[0], turn(here, post(1)), read[1], turn(here, disconnect()), *read[2:]],
        )
        yield Story(
            25,
            "receive raises ClosedResourceError on the side that disconnected, and EndOfChannel on the other one.",
            [read[0], turn(there, disconnect()), read[1], start_receive("own", here)],
        )
        yield Story(
            25,
            "async for ends after the last message, and not at a null.",
            [each[0], turn(here, post(1), post(None), disconnect()), *each[1:]],
        )


def tell_last_messages() -> Iterator[Story]:
    """Rule 21, where a task reads."""
    for here, there in BOTH:
        end = turn(there, add_listener("on_disconnect", "end"))
        read = [start_receive(name, there) for name in ("a", "b", "c", "d")]
        yield Story(
            21,
            "Where a task reads, on_disconnect waits until the last message was taken.",
            [end, read[0], turn(here, post(1), post(2), disconnect()), *read[1:]],
        )
        yield Story(
            21,
            "A reader keeps the message that it was handed before its own side disconnected; the next one is gone.",
            [read[0], turn(here, post(1), post(2), by(there, disconnect())), read[1]],
        )


def tell_bursts(number: int) -> Iterator[Story]:
    """Rule 15, for more messages than are delivered without a break."""
    for here, there in BOTH:
        many = [post(each) for each in range(1, number + 1)]
        yield Story(
            15,
            "A long burst is kept for a reader although the other side has disconnected since.",
            [turn(here, *many, disconnect()), start_receive("a", there)],
        )
