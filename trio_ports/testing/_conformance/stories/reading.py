"""Rules 13, 15, 17, 21, 24 and 25 for tasks that call ``receive`` or ``async for`` instead of adding a listener."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ..history.moves import by, cancel, disconnect, fill, post, start_next, start_receive, start_send, turn
from .posting import ODD_VALUES
from .story import END, ONE, Story, both_ways


@both_ways
def tell_reading(here: str, there: str) -> Iterator[Story]:
    """Rules 13, 15 and 17."""
    a, b, busy = (start_receive(name, there) for name in ("a", "b", "busy"))
    yield Story(15, "A task that is waiting gets the message, and only that task.", [a, turn(here, post(1)), b])
    for value in ODD_VALUES[:6]:
        history = [a, turn(here, post(value)), b]
        yield Story(13, f"receive returns {json.dumps(value)}, and waits again after that.", history)
    yield Story(15, "Messages that were kept are read one by one.", [turn(here, post(1), post(2)), a, b])
    yield Story(15, "receive is refused beside a listener.", [turn(there, ONE), busy, turn(here, post(1))])
    history = [a, busy, turn(there, ONE), turn(here, post(1))]
    yield Story(15, "While a task receives, a second task and a listener are refused.", history)
    history = [a, cancel("a"), turn(here, post(1)), b]
    yield Story(15, "A receive that was cancelled leaves the next message to others.", history)
    history = [start_send("send", here, 1), start_send("again", here, None), a, b]
    yield Story(17, "send returns at once while there is room, and its messages are read in order.", history)


@both_ways
def tell_ends(here: str, there: str) -> Iterator[Story]:
    """Rules 21, 24 and 25."""
    read = [start_receive(name, there) for name in ("a", "b", "c", "d")]
    each = [start_next(name, there) for name in ("a", "b", "c")]
    history = [turn(there, END), turn(here, post(1), disconnect()), *read[:2]]
    yield Story(24, "Where nobody has read or listened, the end is reported although a message is still kept.", history)
    sentence = "After an orderly end receive returns what is left, and then raises EndOfChannel each time."
    yield Story(25, sentence, [turn(here, post(1), post(2), disconnect()), *read])
    history = [read[0], turn(here, post(1)), read[1], turn(here, disconnect()), *read[2:]]
    yield Story(25, "A task that is waiting in receive gets EndOfChannel when the other side disconnects.", history)
    sentence = "receive raises ClosedResourceError on the side that disconnected, and EndOfChannel on the other one."
    yield Story(25, sentence, [read[0], turn(there, disconnect()), read[1], start_receive("own", here)])
    history = [each[0], turn(here, post(1), post(None), disconnect()), *each[1:]]
    yield Story(25, "async for ends after the last message, and not at a null.", history)
    history = [turn(there, END), read[0], turn(here, post(1), post(2), disconnect()), *read[1:]]
    yield Story(21, "Where a task reads, on_disconnect waits until the last message was taken.", history)
    sentence = "A reader keeps the message that it was handed before its own side disconnected; the next one is gone."
    yield Story(21, sentence, [read[0], turn(here, post(1), post(2), by(there, disconnect())), read[1]])


@both_ways
def tell_bursts(here: str, there: str, number: int) -> Iterator[Story]:
    """Rule 15, for more messages than are delivered without a break."""
    many = [fill(1, number)]
    history = [turn(here, *many, disconnect()), start_receive("a", there)]
    yield Story(15, "A long burst is kept for a reader although the other side has disconnected since.", history)
