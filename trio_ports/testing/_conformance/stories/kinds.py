"""Rules 14, 24 and 28 for listeners that are not plain functions: methods, and what a listener may return."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..history.moves import (
    EventName,
    ListenerKind,
    add_listener,
    disconnect,
    has_listener,
    hear,
    hold,
    open_tab,
    post,
    release,
    remove_listener,
    turn,
)
from .listening import TWO
from .routing import opened
from .story import END, Story, both_ways, hears

KINDS: Final[dict[ListenerKind, str]] = {
    "method": "a method",
    "partial": "a partial of an async function",
    "awaitable": "a function that returns something awaitable that is not a coroutine",
    "object": "a function that returns something that cannot be awaited",
}


@both_ways
def tell_kinds(here: str, there: str) -> Iterator[Story]:
    """Rules 14, 19 and 28, for listeners that are not plain functions."""
    for kind, what in KINDS.items():
        answers = add_listener("on_message", "answers", post("one", None), post("two", None), kind=kind)
        history = [turn(here, hear()), turn(there, answers, TWO), turn(here, post(1), post(2))]
        yield Story(
            14, f"A listener of messages that is {what} does all it does before the next one is called.", history
        )
        ends = [add_listener("on_disconnect", "answers", kind=kind), END]
        history = [turn(there, *ends), turn(here, disconnect())]
        yield Story(14, f"A listener of on_disconnect that is {what} is called and awaited.", history)
        late = [turn(here, disconnect()), turn(there, *ends)]
        yield Story(24, f"A listener of on_disconnect that is {what} is called once if it is added late.", late)
    holds = add_listener("on_message", "holds", hold(), post("done", None), kind="awaitable")
    history = [*hears(here), turn(there, holds, TWO), turn(here, post(1), post(2)), release(there), release(there)]
    yield Story(14, "What a listener returns is awaited, also if it is not a coroutine.", history)
    events: tuple[EventName, ...] = ("on_message", "on_disconnect")
    for event in events:
        last = [turn(here, post(1)), turn(here, disconnect())]
        method = add_listener(event, "method", kind="method")
        removes, asks = remove_listener(event, "method"), has_listener(event, "method")
        history = [turn(there, method, method, asks), *last]
        yield Story(28, f"A method that is added to {event} twice is one listener.", history)
        history = [turn(there, method, add_listener(event, "last"), removes, asks), *last]
        yield Story(28, f"A method that is removed from {event} is not called.", history)
        history = [turn(there, method, add_listener(event, "last"), removes, method, asks), *last]
        yield Story(28, f"A method that is removed from {event} and added anew is called last.", history)


def tell_connecting() -> Iterator[Story]:
    """Rule 14, for listeners of connections."""
    for kind, what in KINDS.items():
        hears = add_listener("on_connect", "hears", *hear(None), port=None, kind=kind)
        history = [open_tab("t1"), turn("a", hears), turn("t1/a", *opened(), post(1, "c"))]
        yield Story(14, f"A listener of on_connect that is {what} does all it does before the first message.", history)
    method = add_listener("on_connect", "method", port=None, kind="method")
    removes = remove_listener("on_connect", "method", port=None)
    history = [open_tab("t1"), turn("a", method, method, removes), turn("t1/a", *opened())]
    yield Story(28, "A method that is removed from on_connect is not called.", history)
