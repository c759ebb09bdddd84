"""Rules 10, 12 and 13: messages arrive once each, in order, as they were; and whatever is JSON is a message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from ..history.moves import add_listener, by, change, disconnect, echo, fill, hear, post, turn
from .story import ONE, OPENER, RECEIVER, Story, both_ways, hears

ODD_VALUES: Final[tuple[Any, ...]] = (
    *(None, False, 0, "", [], {}, 0.5),
    *("\u2028", "\ud800", "e\u0301"),
    *([None, {"": 0}], {"a": None}, -(2**53) + 1),
)
"""JSON that a careless port takes for nothing, or changes on the way. The first six are false in Python."""
FORBIDDEN: Final = {"cycle": "A list that contains itself", "function": "A function", "bytes": "A bytes object"}


@both_ways
def tell_messages(here: str, there: str) -> Iterator[Story]:
    """Rules 10, 12 and 13."""
    yield Story(10, "A message that is posted reaches the listener.", [turn(there, ONE), turn(here, post(1))])
    sentence = "Messages of one turn and of the next arrive once each, in the order in which they were posted."
    yield Story(10, sentence, [*hears(there), turn(here, post(1), post(2), post(3)), turn(here, post(4))])
    yield Story(10, "A text arrives.", [*hears(there), turn(here, post("text")), turn(here, post("after"))])
    for value in ODD_VALUES:
        history = [*hears(there), turn(here, post(value)), turn(here, post("after"))]
        yield Story(13, f"{json.dumps(value)} arrives unchanged, and the message after it arrives too.", history)
    for kind, what in FORBIDDEN.items():
        history = [*hears(there), turn(here, post({"$": kind}), post("after"))]
        yield Story(12, f"{what} is refused where it is posted, and nothing is sent.", history)
    for name in ("NaN", "Infinity"):
        yield Story(12, f"{name} arrives as null.", [*hears(there), turn(here, post({"$": name}))])
    yield from _tell_of_what_is_inside(here, there)
    history = [*hears(there), turn(here, post([1]), change())]
    yield Story(12, "A list that is changed after it was posted arrives as it was before.", history)


def _tell_of_what_is_inside(here: str, there: str) -> Iterator[Story]:
    """The lone surrogate makes the message take the second of the package's two encoders."""
    for inner, sentence in (
        ({"$": "bytes"}, "Bytes inside a list are refused, beside a lone surrogate too."),
        ({"$": "bytes", "length": 300}, "Bytes inside a list are refused, however many they are."),
        ({"$": "function"}, "A function inside a list is refused, beside a lone surrogate too."),
        ({"$": "NaN"}, "NaN inside a list arrives as null, beside a lone surrogate too."),
    ):
        posts = turn(here, post(["\ud800", {"a": inner}]), post([inner]), post("after"))
        yield Story(12, sentence, [*hears(there), posts])


@both_ways
def tell_kept(here: str, there: str) -> Iterator[Story]:
    """Rules 12 and 13, for messages that wait for a listener."""
    history = [turn(here, post(None), post(0)), turn(there, ONE)]
    yield Story(13, "null and 0 are kept for the first listener as any other message is.", history)
    history = [turn(here, post([1]), change()), *hears(there)]
    yield Story(12, "A list that is changed while it waits for a listener arrives as it was before.", history)


def tell_answers() -> Iterator[Story]:
    """Rule 10, where both sides post."""
    both = [turn(OPENER, hear()), turn(RECEIVER, hear())]
    history = [*both, turn(OPENER, post(1), by(RECEIVER, post(2)), post(3), by(RECEIVER, post(4)))]
    yield Story(10, "When both sides post in the same moment, each side's messages arrive in order.", history)
    answers = add_listener("on_message", "echo", echo())
    history = [turn(RECEIVER, answers), turn(OPENER, hear(), post(1), post(2), post(3))]
    yield Story(10, "The answers of a listener arrive once each, in the order of the questions.", history)


@both_ways
def tell_bursts(here: str, there: str, number: int) -> Iterator[Story]:
    """Rules 10, 15 and 21, for more messages than are delivered without a break."""
    many = [fill(1, number)]
    yield Story(10, "A long burst arrives complete and in order.", [*hears(there), turn(here, *many)])
    yield Story(15, "A long burst is kept for the first listener.", [turn(here, *many), *hears(there)])
    history = [*hears(there), turn(here, *many, disconnect())]
    yield Story(21, "A long burst before a disconnect is delivered before on_disconnect.", history)
    history = [turn(here, *many, disconnect()), *hears(there)]
    yield Story(21, "A long burst that is kept is delivered to a late listener before on_disconnect.", history)
