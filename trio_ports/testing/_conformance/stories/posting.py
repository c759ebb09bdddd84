"""Rules 10, 12 and 13: messages arrive once each, in order, as they were; and whatever is JSON is a message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from ..history.moves import add_listener, by, change, disconnect, echo, hear, post, turn
from .story import BOTH, OPENER, RECEIVER, Story, hears

ODD_VALUES: Final[tuple[Any, ...]] = (
    *(None, False, 0, "", [], {}, 0.5),
    *("\u2028", "\ud800", "e\u0301"),
    *([None, {"": 0}], {"a": None}, -(2**53) + 1),
)
"""JSON that a careless port takes for nothing, or changes on the way. The first six are false in Python."""
FORBIDDEN: Final = {"cycle": "A list that contains itself", "function": "A function", "bytes": "A bytes object"}


def tell_order() -> Iterator[Story]:
    """Rule 10."""
    for here, there in BOTH:
        one = turn(there, add_listener("on_message", "one"))
        yield Story(10, "A message that is posted reaches the listener.", [one, turn(here, post(1))])
        yield Story(
            10,
            "Messages of one turn and of the next arrive once each, in the order in which they were posted.",
            [*hears(there), turn(here, post(1), post(2), post(3)), turn(here, post(4))],
        )
        yield Story(10, "A text arrives.", [*hears(there), turn(here, post("text")), turn(here, post("after"))])
    both = [turn(OPENER, hear()), turn(RECEIVER, hear())]
    yield Story(
        10,
        "When both sides post in the same moment, each side's messages arrive in order.",
        [*both, turn(OPENER, post(1), by(RECEIVER, post(2)), post(3), by(RECEIVER, post(4)))],
    )


def tell_values() -> Iterator[Story]:
    """Rule 13."""
    for here, there in BOTH:
        for value in ODD_VALUES:
            yield Story(
                13,
                f"{json.dumps(value)} arrives unchanged, and the message after it arrives too.",
                [*hears(there), turn(here, post(value)), turn(here, post("after"))],
            )


def tell_encoding() -> Iterator[Story]:
    """Rule 12."""
    for here, there in BOTH:
        for kind, what in FORBIDDEN.items():
            yield Story(
                12,
                f"{what} is refused where it is posted, and nothing is sent.",
                [*hears(there), turn(here, post({"$": kind}), post("after"))],
            )
        for name in ("NaN", "Infinity"):
            yield Story(12, f"{name} arrives as null.", [*hears(there), turn(here, post({"$": name}))])
        yield from _tell_of_what_is_inside(here, there)
        yield Story(
            12,
            "A list that is changed after it was posted arrives as it was before.",
            [*hears(there), turn(here, post([1]), change())],
        )


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


def tell_kept() -> Iterator[Story]:
    """Rules 12 and 13, for messages that wait for a listener."""
    for here, there in BOTH:
        yield Story(
            13,
            "null and 0 are kept for the first listener as any other message is.",
            [turn(here, post(None), post(0)), turn(there, add_listener("on_message", "one"))],
        )
        yield Story(
            12,
            "A list that is changed while it waits for a listener arrives as it was before.",
            [turn(here, post([1]), change()), *hears(there)],
        )


def tell_answers() -> Iterator[Story]:
    """Rule 10, for what a listener posts."""
    answers = add_listener("on_message", "echo", echo())
    yield Story(
        10,
        "The answers of a listener arrive once each, in the order of the questions.",
        [turn(RECEIVER, answers), turn(OPENER, hear(), post(1), post(2), post(3))],
    )


def tell_bursts(number: int) -> Iterator[Story]:
    """Rules 10, 15 and 21, for more messages than are delivered without a break."""
    many = [post(each) for each in range(1, number + 1)]
    for here, there in BOTH:
        yield Story(10, "A long burst arrives complete and in order.", [*hears(there), turn(here, *many)])
        yield Story(15, "A long burst is kept for the first listener.", [turn(here, *many), *hears(there)])
        yield Story(
            21,
            "A long burst before a disconnect is delivered before on_disconnect.",
            [*hears(there), turn(here, *many, disconnect())],
        )
        yield Story(
            21,
            "A long burst that is kept is delivered to a late listener before on_disconnect.",
            [turn(here, *many, disconnect()), *hears(there)],
        )
