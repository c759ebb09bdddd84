"""A story: a short history that shows whether a rule holds, and in one sentence what is at stake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Concatenate, ParamSpec, final

import attrs

from ..history.moves import History, Leaving, Step, add_listener, hear, hold, throw, turn

P = ParamSpec("P")
OPENER, RECEIVER, SECOND = "opener", "receiver", "receiver2"
BOTH = ((OPENER, RECEIVER), (RECEIVER, OPENER))
"""Each end, and the other one: most stories are played in both directions."""
ONE = add_listener("on_message", "one")
HOLDS = add_listener("on_message", "holds", hold())
RAISES = add_listener("on_message", "raises", throw())
END = add_listener("on_disconnect", "end")
HOW: tuple[Leaving, ...] = ("return", "cancel", "crash")


@final
@attrs.frozen
class Story:
    """A history that goes wrong where a rule is broken."""

    rule: int
    """The rule's number; where this story fails, this rule is named."""
    sentence: str
    """What is at stake. It holds in the dialect ``trio``; the model knows what the browsers do instead."""
    history: History


def hears(here: str, *actions: Step) -> History:
    """Let an end listen to its messages, with the actions, and to its end."""
    return [turn(here, hear("p", *actions))]


def both_ways(tell: Callable[Concatenate[str, str, P], Iterator[Story]]) -> Callable[P, Iterator[Story]]:
    """Tell stories of two ends twice: of the opener and the receiver, and then the other way round."""

    def tell_twice(*args: P.args, **kwargs: P.kwargs) -> Iterator[Story]:
        for here, there in BOTH:
            yield from tell(here, there, *args, **kwargs)

    return tell_twice
